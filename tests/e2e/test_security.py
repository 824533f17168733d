"""Who gets in, and what they may do there: the table of config/README.md, role by role, socket by socket, operation by
operation, with the right key, a wrong one, none, and one that was removed."""
import json
import os
import tempfile

import msgpack
import zmq
from zmq.utils.monitor import recv_monitor_message

from daemon import DEADLINE, Case, kpictl, main, receive, until

CONFIG = """
security: {server_key: server.key, authorized_keys: users.yaml}
roster:
  members:
    - {rep: ana, name: Ana Silva, team: one, region: emea}
    - {rep: ben, name: Ben Roth, team: one, region: emea}
    - {rep: cleo, name: Cleo Marsh, team: two, region: emea}
kpis:
  calls: {aggregate: count, where: {type: call}, windows: [1h, day]}
alerts:
  busy: {kpi: calls, window: 1h, level: rep, warning: {above: 1}, hours: always}
"""
ROLES = {
    "pbx": {"emit": ["pbx-1", "pbx-2"]},
    "any": {"emit": "any"},
    "lead": {"read": ["emea/one"]},
    "ana": {"read": ["emea/one/ana"]},
    "board": {"read": "all"},
    "ops": {"admin": True},
    "both": {"emit": ["crm"], "read": ["emea/two"]},
}
EMITS = {"pbx", "any", "both"}
READS = {"lead", "ana", "board", "ops", "both"}
ADMINS = {"ops"}
SEES = {"lead": {"one", "ana", "ben"}, "ana": {"ana"}, "both": {"two", "cleo"},
        "board": {"", "emea", "one", "two", "ana", "ben", "cleo"}, "ops": {"", "emea", "one", "two", "ana", "ben", "cleo"}}
READERS_OPS = {"get", "alerts", "explain", "history", "config", "contests"}
ADMINS_OPS = {"status", "silences", "silence", "unsilence", "ack", "reload", "checkpoint", "forget", "roster", "advance"}
CALL = {"type": "call", "source": "pbx-1"}


def users_file(keys, roles):
    return json.dumps({"users": {name: {"key": keys[name][0].decode(), **role} for name, role in roles.items()}})


def handshake(socket, endpoint):
    """Connect; does the other side let us in?"""
    monitor = socket.get_monitor_socket()
    socket.connect(endpoint)
    try:
        while True:
            if not monitor.poll(DEADLINE * 1000):
                raise AssertionError("nothing came of the handshake")
            event = recv_monitor_message(monitor)["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                return True
            if event in (zmq.EVENT_HANDSHAKE_FAILED_AUTH, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
                         zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, zmq.EVENT_DISCONNECTED):
                return False
    finally:
        socket.disable_monitor()


class Security(Case):
    def setUp(self):
        self.server = zmq.curve_keypair()
        self.keys = {name: zmq.curve_keypair() for name in ROLES}
        self.d = self.daemon(CONFIG + self.extra(), files={
            "server.key": f'public_key: "{self.server[0].decode()}"\nsecret_key: "{self.server[1].decode()}"\n',
            "users.yaml": users_file(self.keys, ROLES)})

    def extra(self):
        return ""

    def tearDown(self):
        if self.d.process.poll() is None:
            self.d.stop()

    def socket(self, kind, user, server=None):
        s = self.d.zmq.socket(kind)
        s.setsockopt(zmq.LINGER, 0)
        s.setsockopt(zmq.RCVTIMEO, DEADLINE * 1000)
        s.setsockopt(zmq.SNDTIMEO, DEADLINE * 1000)
        self.addCleanup(s.close)
        if user:
            s.curve_serverkey = server or self.server[0]
            s.curve_publickey, s.curve_secretkey = self.keys[user] if isinstance(user, str) else user
        return s

    def connect(self, kind, name, user):
        s = self.socket(kind, user)
        s.connect(self.d.endpoints[name])
        return s

    def exchange(self, name, user, message):
        s = self.connect(zmq.REQ, name, user)
        s.send(msgpack.packb(message))
        reply = msgpack.unpackb(s.recv())
        s.close()
        return reply

    def ask(self, user, **request):
        return self.exchange("control", user, request)

    def metrics(self):
        return self.ask("ops", op="status")["metrics"]

    def give_roles(self, roles):
        with open(f"{self.d.folder.name}/users.yaml", "w") as f:
            f.write(users_file(self.keys, roles))
        self.assertEqual(self.ask("ops", op="reload")["ok"], True)

    SOCKETS = {"pull": (zmq.PUSH, EMITS), "router": (zmq.DEALER, EMITS), "sub": (zmq.PUB, EMITS),
               "publish": (zmq.SUB, READS), "control": (zmq.DEALER, READS)}

    def test_each_role_gets_in_by_its_sockets_alone(self):
        for name, (kind, allowed) in self.SOCKETS.items():
            for user in ROLES:
                with self.subTest(socket=name, user=user):
                    self.assertEqual(handshake(self.socket(kind, user), self.d.endpoints[name]), user in allowed)
        denied = sum(len(set(ROLES) - allowed) for _, allowed in self.SOCKETS.values())
        self.assertGreaterEqual(self.metrics()['kpid_handshakes_total{result="denied"}'], denied)

    def test_an_unknown_key_a_wrong_server_and_no_key_get_in_nowhere(self):
        stranger = zmq.curve_keypair()
        for name, (kind, allowed) in self.SOCKETS.items():
            with self.subTest(socket=name):
                self.assertFalse(handshake(self.socket(kind, stranger), self.d.endpoints[name]))
                self.assertFalse(handshake(self.socket(kind, None), self.d.endpoints[name]))
                self.assertFalse(handshake(self.socket(kind, sorted(allowed)[0], stranger[0]), self.d.endpoints[name]))
        log = "\n".join(self.d.log)
        self.assertIn(f"key={stranger[0].decode()} address=127.0.0.1", log)

    def test_an_emitter_speaks_for_its_own_sources(self):
        mixed = [CALL | {"rep": "ana"}, CALL | {"rep": "ana", "source": "crm"}, {"type": "call", "rep": "ana"},
                 CALL | {"rep": "ben", "source": "pbx-2"}]
        reply = self.exchange("router", "pbx", mixed)
        self.assertEqual((reply["accepted"], reply["rejected"]), (2, 2))
        self.assertEqual(reply["errors"], [{"index": 1, "reason": "denied"}, {"index": 2, "reason": "denied"}])
        self.assertEqual(self.exchange("router", "any", mixed)["accepted"], 4)
        self.assertEqual(self.exchange("router", "both", mixed)["accepted"], 1)
        push = self.connect(zmq.PUSH, "pull", "pbx")
        push.send(json.dumps(mixed).encode())
        until(lambda: self.metrics()["kpid_events_accepted_total"] == 9)
        self.assertEqual(self.metrics()['kpid_events_rejected_total{reason="denied"}'], 2 + 3 + 2)
        self.assertEqual(self.metrics()['kpid_denied_total{socket="ingest"}'], 7)
        self.assertTrue(any("event=denied socket=ingest user=\"pbx\"" in line and "address=127.0.0.1" in line for line in self.d.log))

    def test_each_operation_is_for_those_whom_the_table_names(self):
        requests = {"explain": {"kpi": "calls", "window": "1h", "key": "ana"}, "history": {"kpi": "calls", "window": "day", "key": "ana"}}
        for op in sorted(READERS_OPS | ADMINS_OPS):
            for user in sorted(READS):
                with self.subTest(op=op, user=user):
                    reply = self.ask(user, op=op, **requests.get(op, {}))
                    denied = not reply["ok"] and reply["error"].startswith("denied: you may not ask")
                    self.assertEqual(denied, op in ADMINS_OPS and user not in ADMINS, reply)
        self.assertEqual(self.metrics()['kpid_denied_total{socket="control"}'], len(ADMINS_OPS) * len(READS - ADMINS))

    def test_answers_hold_what_the_reader_may_see(self):
        self.exchange("router", "any", [{"type": "call", "rep": rep} for rep in ("ana", "ben", "cleo") for _ in range(3)])
        until(lambda: len(self.ask("board", op="alerts")["alerts"]) == 3)
        for user, seen in SEES.items():
            with self.subTest(user=user):
                self.assertEqual({s["key"] for s in self.ask(user, op="get")["snapshots"]}, seen)
                self.assertEqual({s["key"] for s in self.ask(user, op="get", under=["emea", "two"])["snapshots"]}, seen & {"two", "cleo"})
                self.assertEqual({a["key"] for a in self.ask(user, op="alerts")["alerts"]}, seen & {"ana", "ben", "cleo"})
                for key, level in (("", "company"), ("one", "team"), ("ana", "rep"), ("cleo", "rep")):
                    reply = self.ask(user, op="explain", kpi="calls", window="1h", level=level, key=key)
                    self.assertEqual(reply["ok"], key in seen, reply)

    def test_who_reads_everything_may_ask_on_behalf_of_others(self):
        self.exchange("router", "any", [{"type": "call", "rep": rep} for rep in ("ana", "ben", "cleo") for _ in range(3)])
        until(lambda: len(self.ask("board", op="alerts")["alerts"]) == 3)
        for within, seen in ((["emea/one"], {"one", "ana", "ben"}), (["emea/one/ana"], {"ana"}), (["emea/none"], set()),
                             (["emea/one/ana", "emea/two"], {"ana", "two", "cleo"})):
            for user in ("ops", "board"):
                with self.subTest(within=within, user=user):
                    self.assertEqual({s["key"] for s in self.ask(user, op="get", within=within)["snapshots"] if s["key"]}, seen)
                    self.assertEqual({a["key"] for a in self.ask(user, op="alerts", within=within)["alerts"]}, seen & {"ana", "ben", "cleo"})
                    reply = self.ask(user, op="explain", kpi="calls", window="1h", key="ben", within=within)
                    self.assertEqual(reply["ok"], "ben" in seen, reply)
        beside = self.ask("ops", op="get", within=["emea/one/ana"], peers=True, level="rep")["snapshots"]
        self.assertEqual([(s["kind"], s["key"]) for s in beside if s["key"]], [("snapshot", "ana")])
        self.assertEqual([s["kpis"]["calls"]["1h"]["value"] for s in beside if s["kind"] == "peer"], [3])
        # it narrows and never widens
        for user, request in (("lead", {"op": "get"}), ("ana", {"op": "alerts"}), ("ops", {"op": "status"}), ("ops", {"op": "silences"})):
            self.assertIn("within", self.ask(user, within=["emea"], **request)["error"])
        for within in ([], "", ["/"], ["emea/"], [7]):
            self.assertFalse(self.ask("ops", op="get", within=within)["ok"] and within, within)

    def test_a_subscription_is_cut_to_what_may_be_read(self):
        subs = {user: self.connect(zmq.SUB, "publish", user) for user in SEES}
        for sub in subs.values():
            sub.setsockopt(zmq.SUBSCRIBE, b"")
            sub.setsockopt(zmq.SUBSCRIBE, b"snapshot/emea/")
        nosy = self.connect(zmq.SUB, "publish", "ana")
        for topic in (b"snapshot/emea/one/ben/", b"alert/emea/two/", b"snapshot/emea/one/anabel/", b"snapshot/@client/"):
            nosy.setsockopt(zmq.SUBSCRIBE, topic)
        until(lambda: self.metrics()['kpid_denied_total{socket="publish"}'] == 4)
        everything = {f"snapshot/{path}" for path in ("", "emea/", "emea/one/", "emea/two/", "emea/one/ana/", "emea/one/ben/", "emea/two/cleo/")}
        mine = {"lead": ("emea/one/",), "ana": ("emea/one/ana/",), "both": ("emea/two/",), "board": ("",), "ops": ("",)}
        found = {user: set() for user in subs}
        self.exchange("router", "any", [{"type": "call", "rep": rep} for rep in ("ana", "ben", "cleo") for _ in range(3)])
        for user, sub in subs.items():
            own = {topic for topic in everything if topic.split("/", 1)[1].startswith(mine[user])}
            alerts = {topic.replace("snapshot", "alert") for topic in own if topic.count("/") == 4}
            while found[user] != own | alerts:
                topic, message = receive(sub)
                found[user].add(topic)
                self.assertLessEqual(found[user], own | alerts, user)
                if user == "lead":
                    self.assertNotIn("cleo", str(message).lower())
        self.assertEqual(nosy.poll(0), 0)

    def test_a_denied_wish_ends_nobody_else_s(self):
        lead, nosy = self.connect(zmq.SUB, "publish", "lead"), self.connect(zmq.SUB, "publish", "ana")
        for sub in (nosy, lead):
            sub.setsockopt(zmq.SUBSCRIBE, b"snapshot/emea/one/ben/")
        receive(lead)
        until(lambda: self.metrics()['kpid_denied_total{socket="publish"}'] == 1)
        nosy.close()
        marker = self.connect(zmq.SUB, "publish", "board")      # which is read after that
        marker.setsockopt(zmq.SUBSCRIBE, b"snapshot/emea/two/")
        receive(marker)
        self.exchange("router", "any", {"type": "call", "rep": "ben"})
        receive(lead, lambda t, m: m["kpis"]["calls"]["1h"]["value"] == 1)

    def test_nothing_that_was_not_asked_for_comes_when_rights_are_narrower_than_the_wish(self):
        sub = self.connect(zmq.SUB, "publish", "lead")
        sub.setsockopt(zmq.SUBSCRIBE, b"alert/")
        sub.setsockopt(zmq.SUBSCRIBE, b"snapshot/emea/one/ana/")
        until(lambda: self.metrics()["kpid_publish_subscriptions"] == 2)
        self.exchange("router", "any", [{"type": "call", "rep": rep} for rep in ("cleo", "ben", "ana") for _ in range(3)])
        found = set()
        while len(found) < 3:
            found.add(receive(sub)[0])
        self.assertEqual(found, {"alert/emea/one/ana/", "alert/emea/one/ben/", "snapshot/emea/one/ana/"})

    def test_who_is_removed_is_cut_off_and_does_not_come_back(self):
        push, dealer = self.connect(zmq.PUSH, "pull", "pbx"), self.connect(zmq.DEALER, "router", "pbx")
        control, sub, kept = self.connect(zmq.DEALER, "control", "lead"), self.connect(zmq.SUB, "publish", "lead"), self.connect(zmq.SUB, "publish", "board")
        for s in (sub, kept):
            s.setsockopt(zmq.SUBSCRIBE, b"snapshot/")
            receive(s)
        push.send(msgpack.packb(CALL | {"rep": "ana"}))
        dealer.send(msgpack.packb(CALL | {"rep": "ana"}))
        self.assertEqual(msgpack.unpackb(dealer.recv())["accepted"], 1)
        control.send(msgpack.packb({"op": "get"}))
        self.assertTrue(msgpack.unpackb(control.recv())["ok"])
        until(lambda: self.metrics()["kpid_events_accepted_total"] == 2)
        gone = sub.get_monitor_socket()
        shut_out = self.metrics()['kpid_handshakes_total{result="denied"}']
        self.give_roles({name: role for name, role in ROLES.items() if name not in ("pbx", "lead")})
        # what they send on the connections that stand is denied, and then it is ended, like the subscriber's
        push.send(msgpack.packb(CALL | {"rep": "ana"}))
        dealer.send(msgpack.packb(CALL | {"rep": "ana"}))
        control.send(msgpack.packb({"op": "get"}))
        until(lambda: self.metrics()['kpid_events_rejected_total{reason="denied"}'] == 2)
        until(lambda: self.metrics()['kpid_denied_total{socket="control"}'] == 1)
        until(lambda: self.metrics()["kpid_connections_cut_total"] == 4)
        # each tries to come back, and is shut out
        while recv_monitor_message(gone)["event"] != zmq.EVENT_DISCONNECTED:
            pass
        until(lambda: self.metrics()['kpid_handshakes_total{result="denied"}'] >= shut_out + 4)
        self.exchange("router", "any", {"type": "call", "rep": "ana"})
        receive(kept, lambda t, m: t == "snapshot/emea/one/ana/" and m["kpis"]["calls"]["1h"]["value"] == 3)
        while sub.poll(0):
            self.assertLess(receive(sub)[1]["kpis"]["calls"]["1h"]["value"], 3)
        self.assertEqual((dealer.poll(0), control.poll(0)), (0, 0))
        self.assertEqual(self.metrics()["kpid_events_accepted_total"], 3)
        sub.disable_monitor()

    def test_rights_that_change_hold_from_then_on(self):
        sub = self.connect(zmq.SUB, "publish", "lead")
        sub.setsockopt(zmq.SUBSCRIBE, b"snapshot/")
        receive(sub)
        self.give_roles(ROLES | {"lead": {"read": ["emea/two"]}, "pbx": {"emit": ["pbx-2"]}})
        topics = set()
        receive(sub, lambda topic, message: topic == "snapshot/emea/two/cleo/")     # it has come back by itself
        self.exchange("router", "any", [{"type": "call", "rep": rep} for rep in ("ana", "cleo")])
        receive(sub, lambda topic, message: topics.add(topic) or message["key"] == "cleo" and message["kpis"]["calls"]["1h"]["value"] == 1)
        self.assertLessEqual(topics, {"snapshot/emea/two/", "snapshot/emea/two/cleo/"})
        self.assertEqual(self.exchange("router", "pbx", CALL)["rejected"], 1)
        self.assertEqual({s["key"] for s in self.ask("lead", op="get")["snapshots"]}, {"two", "cleo"})

    def test_a_faulty_file_of_users_changes_nothing(self):
        with open(f"{self.d.folder.name}/users.yaml", "w") as f:
            f.write("users: {eve: {key: short, admin: true}}")
        reply = self.ask("ops", op="reload")
        self.assertFalse(reply["ok"])
        self.assertRegex(reply["error"], r"users.yaml:1:20: users.eve.key: ")
        self.assertTrue(self.ask("lead", op="get")["ok"])


class Peers(Security):
    """With `peers: anonymous`."""

    def extra(self):
        return ""

    def setUp(self):
        global CONFIG
        plain, CONFIG = CONFIG, CONFIG.replace("users.yaml}", "users.yaml, peers: anonymous}")
        self.addCleanup(lambda: globals().update(CONFIG=plain))
        super().setUp()

    def test_answers_hold_what_the_reader_may_see(self):
        """And of who stands beside a member the numbers alone."""
        self.exchange("router", "any", [{"type": "call", "rep": rep} for rep in ("ana", "ben", "ben", "cleo")])
        snapshots = self.ask("ana", op="get")["snapshots"]
        peers = [s for s in snapshots if s["kind"] == "peer"]
        self.assertEqual([s["key"] for s in snapshots if s["kind"] == "snapshot"], ["ana"])
        self.assertEqual([(p["key"], p["name"], p["level"], p["path"]) for p in peers], [(None, None, "rep", ["emea", "one"])])
        self.assertEqual(peers[0]["kpis"]["calls"]["1h"], {"value": 2, "rank": 1, "of": 2})
        self.assertNotIn("ben", str(peers).lower())
        # who knows a name is not told which of them it is, and who reads a team sees no other one
        self.assertEqual(self.ask("ana", op="get", keys=["ben"])["snapshots"], [])
        self.assertEqual({s["key"] for s in self.ask("lead", op="get")["snapshots"]}, SEES["lead"])


class Faults(Case):
    def check(self, users, key_text=None, mode=0o600, security="{server_key: server.key, authorized_keys: users.yaml}", more=""):
        with tempfile.TemporaryDirectory(prefix="kpid-e2e-") as folder:
            public, secret = zmq.curve_keypair()
            texts = {"kpid.yaml": f"security: {security}\n{more}kpis: {{calls: {{aggregate: count}}}}\n", "users.yaml": users,
                     "server.key": key_text or f'public_key: "{public.decode()}"\nsecret_key: "{secret.decode()}"\n'}
            for name, text in texts.items():
                with open(f"{folder}/{name}", "w") as f:
                    f.write(text)
            os.chmod(f"{folder}/server.key", mode)
            found = kpictl("check", f"{folder}/kpid.yaml")
            self.assertNotIn(secret.decode(), found.stdout + found.stderr)
            return found.returncode, found.stderr.replace(folder + "/", "")

    def test_each_is_told_with_its_place(self):
        key, other = (zmq.curve_keypair()[0].decode() for _ in range(2))
        good = f'users: {{a: {{key: "{key}", admin: true}}}}'
        self.assertEqual(self.check(good)[0], 0)
        for users, wanted in (
                (f'users:\n  a: {{key: "{key}"}}\n', "users.yaml:2:6: users.a: may do nothing: give emit, read or admin"),
                (f'users:\n  a: {{key: "{key}", emitt: any}}\n', 'users.yaml:2:56: users.a.emitt: unknown key "emitt"; did you mean "emit"?'),
                (f'users:\n  a: {{key: "{key}", emit: some}}\n', "users.yaml:2:62: users.a.emit: must be a list, or the word any"),
                (f'users:\n  a: {{key: "{key}", read: [x, /y]}}\n', 'users.yaml:2:66: users.a.read: "/y" is no path'),
                ("users: {a: {key: short, read: all}}", "users.yaml:1:18: users.a.key: is no public key"),
                ("users: {a: {read: all}}", 'users.yaml:1:12: users.a: "key" is missing'),
                (f'users: {{a: {{key: "{key}", read: all}}, b: {{key: "{key}", read: all}}}}', "have the same key"),
                ("user: {}", 'users.yaml:1:1: user: unknown key "user"; did you mean "users"?'),
                ("users: [", "users.yaml:2:1: "), ("users: {}", "users.yaml:1:8: users: ")):
            with self.subTest(wanted):
                status, text = self.check(users)
                self.assertEqual(status, 2)
                self.assertIn(wanted, text)
        for options, wanted in (
                ({"mode": 0o644}, "kpid.yaml:1:24: security.server_key: server.key: others may read this secret key: chmod 600"),
                ({"key_text": f'public_key: "{key}"'}, "server.key: has no secret_key"),
                ({"key_text": f'public_key: "{key}"\nsecret_key: "{other}"'}, "do not belong together"),
                ({"key_text": "secret_key: short"}, "server.key:1:13: secret_key: is no key"),
                ({"security": "{server_key: gone.key, authorized_keys: users.yaml}"}, "gone.key: cannot be read: No such file"),
                ({"security": "{server_key: server.key, authorized_keys: gone.yaml}"}, "gone.yaml: cannot be read"),
                ({"security": "{server_key: server.key}"}, '"authorized_keys" is missing'),
                ({"more": 'ingest: [{sub: "tcp://pbx:5556"}]\n'}, "give the publisher's"),
                ({"more": 'ingest: [{pull: "tcp://*:5556", server_key: x}]\n'}, "only a sub socket that connects")):
            with self.subTest(wanted):
                status, text = self.check(good, **options)
                self.assertEqual(status, 2)
                self.assertIn(wanted, text)
        self.assertEqual(self.check(good, more='ingest: [{pull: "tcp://*:5556"}]\n')[0], 0)    # guarded, so open to the network


class Publisher(Case):
    def test_a_publisher_has_to_prove_its_key(self):
        context = zmq.Context()
        self.addCleanup(lambda: context.destroy(0))
        pubs = []
        for _ in range(2):
            public, secret = zmq.curve_keypair()
            pub = context.socket(zmq.PUB)
            pub.curve_server, pub.curve_secretkey = True, secret
            pubs.append((pub, public.decode(), pub.bind_to_random_port("tcp://127.0.0.1")))
        extra = "".join(f'  - {{sub: "tcp://127.0.0.1:{port}", server_key: "{key}"}}\n'
                        for (_, _, port), key in zip(pubs, (pubs[0][1], zmq.curve_keypair()[0].decode())))
        d = self.daemon("kpis: {calls: {aggregate: count, where: {type: call}, windows: [1h]}}\n", extra_ingest=extra)

        def heard():
            for n, (pub, _, _) in enumerate(pubs):
                pub.send(msgpack.packb({"type": "call", "rep": f"of-{n}"}))
            return d.metrics()["kpid_events_accepted_total"] > 5
        until(heard)
        self.assertEqual({s["key"] for s in d.ask(op="get", level="rep")["snapshots"]}, {"of-0"})
        d.stop()


class Denied(Security):
    """With a store: what was denied is not counted by reading the journal again either."""

    def extra(self):
        return "storage: {path: store, history: 2d}\ndedup: {window: 1h}\n"

    def test_a_restart_denies_the_same(self):
        self.exchange("router", "pbx", [CALL | {"rep": "ana", "id": str(i), "source": ("pbx-1", "crm")[i % 2]} for i in range(6)])
        self.exchange("router", "any", [{"type": "call", "rep": "cleo"} for _ in range(3)])
        until(lambda: len(self.ask("board", op="history", alerts=True)["alerts"]) == 2)
        self.d.kill()
        # it does not matter who may do what by now
        with open(f"{self.d.folder.name}/users.yaml", "w") as f:
            f.write(users_file(self.keys, ROLES | {"pbx": {"emit": ["crm"]}}))
        self.d.start()
        values = {s["key"]: s["kpis"]["calls"]["day"]["value"] for s in self.ask("board", op="get", level="rep")["snapshots"]}
        self.assertEqual(values, {"ana": 3, "ben": 0, "cleo": 3})
        self.assertEqual([a["key"] for a in self.ask("lead", op="history", alerts=True)["alerts"]], ["ana"])
        self.assertEqual([a["key"] for a in self.ask("ana", op="history", rule="busy")["alerts"]], ["ana"])
        self.assertEqual([a["key"] for a in self.ask("both", op="history", alerts=True)["alerts"]], ["cleo"])
        self.assertFalse(self.ask("ana", op="history", kpi="calls", window="day", key="cleo")["ok"])
        self.assertTrue(self.ask("ana", op="history", kpi="calls", window="day", key="ana")["ok"])


if __name__ == "__main__":
    main()
