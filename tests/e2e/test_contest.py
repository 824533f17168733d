"""Contests of a real daemon: what subscribers and askers are told of who leads, and how much of it, and what is left after a crash
and a reload."""
import json
import time

import msgpack
import zmq

from daemon import DEADLINE, Case, kpictl, main, now_ms, receive, until

ROSTER = """
roster:
  members:
    - {rep: ana, name: Ana Silva, team: one, region: emea, role: ae}
    - {rep: ben, name: Ben Roth, team: one, region: emea, role: ae}
    - {rep: cleo, name: Cleo Marsh, team: two, region: emea, role: ae}
    - {rep: dan, name: Dan Ode, team: two, region: emea, role: sdr}
kpis:
  calls: {aggregate: count, where: {type: call}, windows: [day]}
  won: {aggregate: count, where: {type: won}, windows: [day]}
  revenue: {aggregate: sum, of: amount, where: {type: won}, windows: [day], unit: GBP}
"""
HOUR = 3600 * 1000


def at(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ms // 1000))


def contests(now):
    return f"""
contests:
  push: {{title: The push, kpi: calls, from: "{at(now - HOUR)}", to: "{at(now + HOUR)}", for: {{role: ae}}, among: rep, tie: revenue}}
  race: {{kpis: {{calls: 1, won: 20}}, from: "{at(now - HOUR)}", to: "{at(now + HOUR)}", among: team}}
  past: {{kpi: revenue, from: "{at(now - 3 * HOUR)}", to: "{at(now - HOUR)}", among: rep}}
  next: {{kpi: calls, from: "{at(now + HOUR)}", to: "{at(now + 2 * HOUR)}", among: rep}}
"""


def call(rep, when=None, type="call", amount=None):
    return {"type": type, "rep": rep} | ({"time": when} if when else {}) | ({"amount": amount} if amount else {})


def places(contest):
    return [(p["rank"], p.get("key"), p.get("value"), p.get("tie")) for p in contest["standing"]]


class Contest(Case):
    def asked(self, d, name):
        return next(c for c in d.ask(op="contests")["contests"] if c["name"] == name)

    def test_a_subscriber_and_whoever_asks_are_told_who_leads(self):
        now = now_ms()
        d = self.daemon(ROSTER + contests(now), format="json")
        sub = d.subscribe("contest/push/", "contest/next/")
        topic, first = receive(sub, lambda t, m: m["name"] == "push")
        self.assertEqual(topic, "contest/push/")
        self.assertEqual((first["v"], first["kind"], first["title"], first["state"], first["final"], first["among"], first["unit"]),
                         (1, "contest", "The push", "running", False, "rep", None))
        self.assertEqual((first["to"] - first["from"], first["of"], first["places"]), (2 * HOUR, 3, 3))
        self.assertEqual(places(first), [(1, "ana", 0, 0), (1, "ben", 0, 0), (1, "cleo", 0, 0)])
        coming = receive(sub, lambda t, m: m["name"] == "next")[1]
        self.assertEqual((coming["state"], coming["of"], coming["standing"]), ("coming", 0, []))
        d.send(call("ben"), call("ben"), call("ana", now - HOUR + 1000), call("cleo", now - 2 * HOUR), call("dan"))
        told = receive(sub, lambda t, m: m["standing"] and m["standing"][0]["value"] == 2)[1]
        self.assertEqual(places(told), [(1, "ben", 2, 0), (2, "ana", 1, 0), (3, "cleo", 0, 0)])
        self.assertEqual(told["standing"][0], {"rank": 1, "level": "rep", "key": "ben", "name": "Ben Roth", "path": ["emea", "one", "ben"],
                                               "value": 2, "tie": 0})
        self.assertGreater(told["seq"], first["seq"])
        d.send(call("cleo", now - 2 * HOUR, "won", 70), call("cleo", type="won", amount=5))
        self.assertEqual(places(self.asked(d, "past"))[0], (1, "cleo", 70, None))
        self.assertEqual(self.asked(d, "past")["state"], "over")
        self.assertEqual(places(self.asked(d, "race")), [(1, "two", 21, None), (2, "one", 3, None)])
        self.assertEqual(self.asked(d, "race")["unit"], "points")
        receive(sub, lambda t, m: (3, "cleo", 0, 5) in places(m))
        listed = {c["name"]: c for c in d.ask(op="config")["contests"]}
        self.assertEqual(set(listed), {"push", "race", "past", "next"})
        self.assertEqual(listed["race"]["kpis"], {"calls": 1, "won": 20})
        shown = kpictl("contests", "push", "--control", d.endpoints["control"])
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertRegex(shown.stdout, r"(?s)push: The push \(running; among: rep;.*1  Ben Roth +2 .*2  Ana Silva +1 .*emea / one")
        self.assertEqual(kpictl("contests", "push", "pusch", "--control", d.endpoints["control"]).returncode, 2)
        self.assertEqual(kpictl("contests", "pusch", "--control", d.endpoints["control"]).returncode, 2)
        d.stop()

    def test_nothing_is_told_twice_unless_all_is(self):
        d = self.daemon(ROSTER + contests(now_ms()), interval="10ms", full="500ms")
        sub = d.subscribe("contest/")
        receive(sub, lambda t, m: m["name"] == "past")
        before = d.metrics()["kpid_publish_contests_total"]
        until(lambda: d.metrics()["kpid_publish_contests_total"] > before)     # by a full pass, and then all of them
        until(lambda: d.metrics()["kpid_publish_contests_total"] >= before + 4)
        self.assertLessEqual(d.metrics()["kpid_publish_contests_total"], before + 12)
        d.stop()

    def test_a_crash_and_a_reload_change_nothing(self):
        now = now_ms()
        config = "storage: {path: store, checkpoint_every: 60s}\n" + ROSTER
        d = self.daemon(config)
        d.send(call("ben"), call("ben", now - HOUR + 1), call("cleo", now - 2 * HOUR, "won", 70))
        with open(d.file) as f:
            text = f.read()
        with open(d.file, "w") as f:
            f.write(text + contests(now))
        reply = d.ask(op="reload")
        self.assertEqual((reply["ok"], reply.get("kpis_new")), (True, 0), reply)
        d.send(call("ana"), call("ben"), call("cleo", now - 2 * HOUR, "won", 30))
        before = [places(c) for c in d.ask(op="contests")["contests"]]
        self.assertEqual(before[2][0], (1, "cleo", 30, None))       # of the day before the reload no pane could tell the hours
        done = kpictl("checkpoint", "--control", d.endpoints["control"])      # and waits for it
        self.assertEqual(done.returncode, 0, done.stderr)
        d.send(call("ana"))
        before = [places(c) for c in d.ask(op="contests")["contests"]]
        d.kill()
        d.start()
        self.assertEqual([places(c) for c in d.ask(op="contests")["contests"]], before)
        d.stop()


class Rights(Case):
    ROLES = {"pbx": {"emit": "any"}, "lead": {"read": ["emea/one"]}, "board": {"read": "all"}}

    def setUp(self):
        self.server = zmq.curve_keypair()
        self.keys = {name: zmq.curve_keypair() for name in self.ROLES}

    def begin(self, peers):
        users = {name: {"key": self.keys[name][0].decode(), **role} for name, role in self.ROLES.items()}
        security = f"security: {{server_key: server.key, authorized_keys: users.yaml, peers: {peers}}}\n"
        self.d = self.daemon(security + ROSTER + contests(now_ms()), files={
            "server.key": f'public_key: "{self.server[0].decode()}"\nsecret_key: "{self.server[1].decode()}"\n',
            "users.yaml": json.dumps({"users": users})})

    def connect(self, kind, name, user):
        s = self.d.zmq.socket(kind)
        s.setsockopt(zmq.LINGER, 0)
        s.setsockopt(zmq.RCVTIMEO, DEADLINE * 1000)
        s.curve_serverkey = self.server[0]
        s.curve_publickey, s.curve_secretkey = self.keys[user]
        s.connect(self.d.endpoints[name])
        self.addCleanup(s.close)
        return s

    def exchange(self, name, user, message):
        s = self.connect(zmq.REQ, name, user)
        s.send(msgpack.packb(message))
        return msgpack.unpackb(s.recv())

    def push(self, user):
        return self.exchange("control", user, {"op": "contests"})["contests"][0]

    def test_a_reader_of_a_part_sees_it_and_the_ranks_of_the_others(self):
        self.begin("hidden")
        self.exchange("router", "pbx", [call("cleo"), call("cleo"), call("ben")])
        self.assertEqual(places(self.push("board")), [(1, "cleo", 2, 0), (2, "ben", 1, 0), (3, "ana", 0, 0)])
        own = self.push("lead")
        self.assertEqual(own["standing"][0], {"rank": 1})
        self.assertEqual(places(own)[1:], [(2, "ben", 1, 0), (3, "ana", 0, 0)])
        self.assertNotIn("cleo", str(own).lower())
        self.assertEqual(own["of"], 3)
        # who leads where is nobody's business but of who may read all
        lead, board = self.connect(zmq.SUB, "publish", "lead"), self.connect(zmq.SUB, "publish", "board")
        lead.setsockopt(zmq.SUBSCRIBE, b"contest/")
        lead.setsockopt(zmq.SUBSCRIBE, b"")
        board.setsockopt(zmq.SUBSCRIBE, b"contest/push/")
        receive(board, lambda t, m: m["kind"] == "contest")
        receive(lead, lambda t, m: m["kind"] == "snapshot" and m["key"] == "ana")
        self.exchange("router", "pbx", [call("ana")] * 3)
        receive(board, lambda t, m: m["standing"][0]["key"] == "ana")
        while True:
            topic, message = receive(lead)
            self.assertFalse(topic.startswith("contest/"), topic)
            if message["key"] == "ana" and message["kpis"]["calls"]["day"]["value"] == 3:
                break
        self.d.stop()

    def test_a_rep_may_see_what_those_beside_have(self):
        self.ROLES = self.ROLES | {"ana": {"read": ["emea/one/ana"]}}
        self.setUp()
        self.begin("anonymous")
        self.exchange("router", "pbx", [call("cleo"), call("cleo"), call("ben")])
        self.assertEqual(self.push("ana")["standing"][:2], [{"rank": 1}, {"rank": 2, "value": 1, "tie": 0}])
        self.assertEqual(places(self.push("ana"))[2], (3, "ana", 0, 0))
        self.d.stop()


if __name__ == "__main__":
    main()
