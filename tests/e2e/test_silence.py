"""Silences and acknowledgements: over the control socket, by kpictl, and what subscribers hear of them."""
import json
import subprocess

import msgpack
import zmq

from daemon import KPICTL, Case, kpictl, main, now_ms, receive, until

CONFIG = """
time: {clock: event}
roster:
  members: [{rep: ana, name: Ana Silva, team: field-1, region: emea}, {rep: bob, team: field-2, region: emea},
            {rep: cid, team: one, region: ap/ac}]
kpis:
  calls: {aggregate: count, where: {type: call}, windows: [day]}
  sales: {aggregate: sum, of: amount, where: {type: stage}, windows: [day]}
alerts:
  busy: {kpi: calls, window: day, level: rep, warning: {above: 1}, critical: {above: 3}, repeat: 1h, message: "{name}: {value} calls"}
  busy_team: {kpi: calls, window: day, level: team, warning: {above: 1}}
  rich: {kpi: sales, window: day, level: rep, warning: {above: 100}}
"""
START = 1_000_000       # 00:16:40 on the first day of 1970
HOUR = 3_600_000


class Silences(Case):
    def begin(self, config=CONFIG, prefixes=("alert/",)):
        self.d = self.daemon(config)
        self.sub = self.d.subscribe(*prefixes)
        until(lambda: self.d.metrics()["kpid_publish_subscriptions"] == len(prefixes))

    def call(self, at, rep, n=1):
        reply = self.d.send(*({"type": "call", "rep": rep, "time": START + at} for _ in range(n)))
        self.assertEqual(reply["accepted"], n)

    def next(self):
        alert = receive(self.sub)[1]
        return alert["rule"], alert["key"], alert["state"], alert["time"] - START, alert["silenced"], alert["acked_by"]

    def silence(self, **request):
        reply = self.d.ask(op="silence", **{"by": "maria", "for": "1h", **request})
        self.assertTrue(reply["ok"], reply)
        return reply["silence"]

    def listed(self):
        return {(a["rule"], a["key"]): (a["silenced"], a["acked_by"]) for a in self.d.ask(op="alerts")["alerts"]}

    def control(self):
        return "--control", self.d.endpoints["control"]

    def test_what_fires_is_told_again_when_a_silence_begins_and_ends(self):
        self.begin()
        self.call(0, "ana", 2)
        self.assertEqual({self.next() for _ in range(2)}, {("busy", "ana", "firing", 0, False, None),
                                                           ("busy_team", "field-1", "firing", 0, False, None)})
        made = self.silence(matchers={"path": "emea/field-1", "rule": "busy"}, comment="kick-off day")
        self.assertEqual(made, {"id": "s1", "state": "active", "matchers": {"path": "emea/field-1", "rule": "busy"}, "by": "maria",
                                "from": START, "until": START + HOUR, "comment": "kick-off day"})
        self.assertEqual(self.next(), ("busy", "ana", "firing", 0, True, None))
        self.assertEqual(self.listed(), {("busy", "ana"): (True, None), ("busy_team", "field-1"): (False, None)})
        self.assertEqual(self.d.ask(op="silences")["silences"], [made])
        self.call(1000, "ana", 2)       # worse, but silenced
        self.assertEqual(self.next(), ("busy", "ana", "firing", 1000, True, None))
        self.d.ask(op="advance", time=START + HOUR)
        self.assertEqual(self.next(), ("busy", "ana", "firing", HOUR, False, None))
        self.assertEqual(self.d.ask(op="silences")["silences"], [])
        self.d.ask(op="advance", time=START + 2 * HOUR)     # and is repeated again, counted from there
        self.assertEqual(self.next(), ("busy", "ana", "firing", 2 * HOUR, False, None))
        self.d.stop()

    def test_one_that_is_to_come_begins_by_time_alone_and_is_replaced_and_ended(self):
        self.begin()
        self.call(0, "ana", 2)
        self.call(0, "bob", 2)
        [self.next() for _ in range(4)]
        one = self.silence(matchers={"level": "rep", "key": "a*"}, **{"from": START + 5000, "until": "1970-01-01T02:00:00Z", "for": None})
        self.assertEqual((one["state"], one["until"]), ("pending", 7_200_000))
        self.assertEqual(self.listed()["busy", "ana"], (False, None))
        self.d.ask(op="advance", time=START + 6000)
        self.assertEqual(self.next(), ("busy", "ana", "firing", 5000, True, None))
        other = self.silence(matchers={"key": "bob"}, id="s1")
        self.assertEqual(other["id"], "s1")
        self.assertEqual({self.next() for _ in range(2)}, {("busy", "ana", "firing", 6000, False, None),
                                                           ("busy", "bob", "firing", 6000, True, None)})
        self.assertEqual(self.d.ask(op="unsilence", id=["s1"])["ended"], 1)
        self.assertEqual(self.next(), ("busy", "bob", "firing", 6000, False, None))
        self.d.stop()

    def test_with_the_wall_clock_it_expires_by_itself(self):
        self.begin(CONFIG.replace("clock: event", "clock: wall"), ("alert/emea/field-1/ana/",))
        self.d.send(*({"type": "call", "rep": "ana"} for _ in range(2)))
        self.assertEqual(self.next()[4], False)
        before = now_ms()
        made = self.silence(matchers={"path": "emea"}, **{"for": "500ms"})
        self.assertLessEqual(abs(made["from"] - before), 5000)
        self.assertEqual(self.next()[4], True)
        alert = receive(self.sub)[1]
        self.assertEqual((alert["silenced"], alert["state"]), (False, "firing"))
        self.assertGreaterEqual(alert["time"], made["until"])
        self.d.stop()

    def test_paths_and_matchers_come_back_as_they_came(self):
        self.begin()
        self.call(0, "cid", 2)
        [self.next() for _ in range(2)]
        for path, back, hit in (("ap%2fac/one", "ap%2Fac/one", True), (["ap/ac", "one", "cid"], "ap%2Fac/one/cid", True), ("ap*", "ap*", True),
                                ("/ap%2Fac/o*", "ap%2Fac/o*", True), ("ap%2Fac/*", "ap%2Fac/*", True), ("ap%2Fac/one/cid/x", None, False),
                                ("ap/ac", None, False), ("ap%2Fac/on", None, False), ("ap%2A", "ap%2A", False), (["ap*"], "ap%2A", False)):
            made = self.silence(matchers={"path": path, "key": "*", "severity": "w*"})
            self.assertEqual(made["matchers"], {"path": back or path, "key": "*", "severity": "w*"})
            self.assertEqual(self.listed()["busy", "cid"], (hit, None), path)
            again = self.silence(id=made["id"], matchers=made["matchers"])      # what was listed can be sent again
            self.assertEqual(again["matchers"], made["matchers"])
            self.assertEqual(self.listed()["busy", "cid"], (hit, None), path)
            self.assertTrue(self.d.ask(op="unsilence", id=made["id"])["ok"])
        self.d.stop()

    def test_an_acknowledged_alert_is_told_at_once_and_not_repeated(self):
        self.begin()
        self.call(0, "ana", 2)
        self.call(0, "bob", 2)
        [self.next() for _ in range(4)]
        ana = next(a for a in self.d.ask(op="alerts")["alerts"] if (a["rule"], a["key"]) == ("busy", "ana"))
        reply = self.d.ask(op="ack", id=ana["id"], by="maria", comment="spoke to her")
        self.assertEqual((reply["ok"], reply["alerts"], reply["unknown"]), (True, 1, []))
        told = receive(self.sub)[1]
        self.assertEqual((told["key"], told["acked_by"], told["ack_comment"], told["id"]), ("ana", "maria", "spoke to her", ana["id"]))
        self.d.ask(op="advance", time=START + HOUR)
        self.assertEqual(self.next(), ("busy", "bob", "firing", HOUR, False, None))     # ana's is not repeated
        self.assertEqual(self.listed()["busy", "ana"], (False, "maria"))
        self.call(HOUR + 1000, "ana", 2)
        self.assertEqual(self.next(), ("busy", "ana", "firing", HOUR + 1000, False, None))      # critical: somebody look again
        self.assertEqual(self.d.metrics()["kpid_acks"], 0)
        self.d.stop()

    def test_alerts_are_acknowledged_by_matchers_and_ids_and_given_back(self):
        self.begin()
        self.call(0, "ana", 2)
        self.call(0, "bob", 2)
        [self.next() for _ in range(4)]
        self.assertEqual(self.d.ask(op="ack", matchers={"rule": "busy*", "path": "emea/field-1"}, by="tom")["alerts"], 2)
        self.assertEqual({self.next() for _ in range(2)}, {("busy", "ana", "firing", 0, False, "tom"),
                                                           ("busy_team", "field-1", "firing", 0, False, "tom")})
        ids = sorted(a["id"] for a in self.d.ask(op="alerts")["alerts"])
        reply = self.d.ask(op="ack", id=[*ids, "1", ids[0]], undo=True)
        self.assertEqual((reply["alerts"], reply["unknown"]), (2, ["0000000000000001"]))
        self.assertEqual({self.next()[1:] for _ in range(2)}, {("ana", "firing", 0, False, None), ("field-1", "firing", 0, False, None)})
        self.assertEqual(self.d.ask(op="ack", matchers={"rule": "rich"}, by="tom")["alerts"], 0)
        self.d.stop()

    def test_what_is_wrong_is_said(self):
        self.begin(CONFIG + "limits: {silences: 2, acks: 1}\n")
        good = {"matchers": {"rule": "busy"}, "by": "maria", "for": "1h"}
        wrong = [
            ({"matchers": None}, "needs \"matchers\""), ({"matchers": {}}, "which alerts"), ({"matchers": "busy"}, "is a map"),
            ({"matchers": {"rul": "busy"}}, "\"rul\" is no matcher"), ({"matchers": {"rule": 1}}, "is a string"),
            ({"matchers": {1: "busy"}}, "map of strings"), ({"matchers": {"rule": ""}}, "empty"),
            ({"matchers": {"rule": "bussy"}}, "did you mean \"busy\"?"), ({"matchers": {"rule": "lazy_*"}}, "no alert rule begins with"),
            ({"matchers": {"kpi": "cals"}}, "did you mean \"calls\"?"), ({"matchers": {"level": "squad"}}, "no level \"squad\""),
            ({"matchers": {"severity": "grave"}}, "\"warning\" or \"critical\""), ({"matchers": {"path": "50%"}}, "%25"),
            ({"matchers": {"path": ""}}, "\"path\" has 1 to"), ({"matchers": {"path": []}}, "list of 1 to"), ({"matchers": {"path": [1]}}, "strings"),
            ({"matchers": {"path": "a/" * 200}}, "list of 1 to"), ({"matchers": {"path": 5}}, "list of 1 to"),
            ({"matchers": {"key": "x" * 600}}, "over 512 bytes"), ({"matchers": {"key": b"\xff"}}, "string"),
            ({"by": None}, "needs \"by\""), ({"by": "x" * 129}, "over 128 bytes"), ({"by": "a\x1b[0m"}, "control characters"),
            ({"by": 5}, "\"by\" is a string"), ({"comment": "x" * 513}, "over 512 bytes"), ({"comment": "a\nb"}, "one line"),
            ({"for": None}, "either \"until\" or \"for\""), ({"until": START}, "either \"until\" or \"for\""), ({"for": "long"}, "\"for\" is a duration"),
            ({"for": "0s"}, "\"for\" is a duration"), ({"for": None, "until": 1}, "over already"), ({"for": None, "until": -5}, "\"until\" is ms"),
            ({"for": None, "until": 1 << 62}, "\"until\" is ms"), ({"from": "tomorrow"}, "\"from\" is ms"), ({"from": 253402300799000}, "9999"),
            ({"from": START + 5000, "for": None, "until": START + 5000}, "not later than"),
            ({"id": "s7"}, "no silence 7"), ({"id": "7"}, "\"id\" is that of a silence"), ({"id": ["s1", "s2"]}, "\"id\" is that of"),
            ({"id": "s" + "9" * 30}, "\"id\" is that of"),
        ]
        self.call(0, "ana", 2)
        for change, text in wrong:
            reply = self.d.ask(op="silence", **{**good, **change})
            self.assertFalse(reply["ok"], change)
            self.assertIn(text, reply["error"])
        self.assertIn("control characters", self.d.ask(op="ack", matchers={"rule": "busy"}, by="a\x7f")["error"])
        for request, text in (({}, "either \"id\""), ({"id": "xyz"}, "no alert's id"), ({"id": "F" * 17}, "no alert's id"), ({"id": []}, "either \"id\""),
                              ({"id": "1", "matchers": {"rule": "busy"}}, "either \"id\""), ({"id": "1", "by": None}, "needs \"by\""),
                              ({"id": "1", "undo": "yes"}, "true or false"), ({"id": ["1"] * 1001}, "at most 1000"),
                              ({"matchers": {"rule": "bussy"}}, "did you mean"), ({"matchers": {"rule": "*"}}, "limits.acks")):
            reply = self.d.ask(op="ack", **{"by": "tom", **request})
            self.assertFalse(reply["ok"], request)
            self.assertIn(text, reply["error"])
        self.assertIn("unsilence needs", self.d.ask(op="unsilence")["error"])
        self.silence(**good)
        self.assertIn("no silence \"s9\"", self.d.ask(op="unsilence", id=["s1", "s9"])["error"])
        self.silence(**good)
        self.assertIn("as many as limits.silences allows", self.d.ask(op="silence", **good)["error"])
        metrics = self.d.metrics()
        self.assertEqual([metrics[f"kpid_{m}"] for m in ("silences", "silences_refused_total", "acks", "acks_refused_total")], [2, 1, 0, 1])
        self.d.stop()

    def test_json_is_taken_too(self):
        self.begin()
        self.call(0, "ana", 2)
        req = self.d.socket(zmq.REQ, "control")

        def ask(text):
            req.send(text)
            return json.loads(req.recv())
        made = ask(b'{"op":"silence","matchers":{"path":["emea"],"rule":"busy*","kpi":null},"for":"90m","by":"maria","comment":null}')
        self.assertEqual(made["silence"]["matchers"], {"path": "emea", "rule": "busy*"})
        self.assertEqual(len(ask(b'{"op":"silences"}')["silences"]), 1)
        self.assertIn("no matcher", ask(b'{"op":"silence","matchers":{"who":"ana"},"for":"90m","by":"maria"}')["error"])
        self.assertEqual(ask(b'{"op":"ack","matchers":{"key":"ana"},"by":"maria","undo":false}')["alerts"], 1)
        self.assertEqual(ask(b'{"op":"unsilence","id":"s1"}')["ended"], 1)
        req.close()
        self.d.stop()

    def test_before_there_is_any_time_a_silence_says_from_when(self):
        self.begin()
        self.assertIn("no time yet", self.d.ask(op="silence", matchers={"rule": "*"}, by="maria", **{"for": "1h"})["error"])
        self.assertEqual(self.silence(matchers={"rule": "*"}, **{"from": START})["state"], "pending")
        self.assertEqual(self.silence(matchers={"rule": "*"}, until=START + 1000, **{"for": None})["state"], "pending")
        self.call(0, "ana", 2)
        self.assertEqual({self.next()[4] for _ in range(2)}, {True})
        self.assertEqual([s["state"] for s in self.d.ask(op="silences")["silences"]], ["active"] * 2)
        self.d.stop()

    def test_the_operator_silences_and_acknowledges(self):
        self.begin()
        self.call(0, "ana", 2)
        [self.next() for _ in range(2)]
        watch = subprocess.Popen([KPICTL, "watch", "alerts", *self.control(), "--under", "emea", "--count", "3"],
                                 stdout=subprocess.PIPE, text=True)
        self.addCleanup(watch.kill)
        until(lambda: self.d.metrics()["kpid_publish_subscriptions"] == 2)
        found = kpictl("silence", *self.control(), "--rule", "busy", "--path", "emea/field-1", "--for", "2h", "--by", "maria",
                       "--comment", "kick-off day")
        self.assertEqual((found.returncode, found.stdout, found.stderr), (0, "s1\n", ""))
        self.assertRegex(kpictl("silence", *self.control()).stdout,
                         r"s1 +active +1970-01-01T00:16:40Z +1970-01-01T02:16:40Z +maria +rule=busy path=emea/field-1 \(kick-off day\)\n")
        line = json.loads(kpictl("silence", *self.control(), "--json").stdout)
        self.assertEqual((line["id"], line["matchers"]["rule"]), ("s1", "busy"))
        self.assertEqual(self.next(), ("busy", "ana", "firing", 0, True, None))
        listed = kpictl("ack", *self.control()).stdout
        self.assertRegex(listed, r"[0-9a-f]{16} firing  warning  1970-01-01T00:16:40Z     busy emea/field-1/ana  \[silenced\] Ana Silva: 2 calls\n")
        alert = next(line.split()[0] for line in listed.splitlines() if " busy emea" in line)
        found = kpictl("ack", *self.control(), alert, "--by", "maria")
        self.assertEqual((found.returncode, found.stdout), (0, "1 alert\n"))
        self.assertEqual(self.next(), ("busy", "ana", "firing", 0, True, "maria"))
        self.assertRegex(kpictl("top", *self.control(), "--once").stdout, r"warning  \[silenced\] \[acked by maria\] Ana Silva: 2 calls")
        self.assertEqual(kpictl("unsilence", *self.control(), "s1").returncode, 0)
        lines = watch.communicate(timeout=20)[0].splitlines()
        for line, mark in zip(lines, ("[silenced] ", "[silenced] [acked by maria] ", "[acked by maria] "), strict=True):
            self.assertIn(f"busy emea/field-1/ana  {mark}Ana Silva: 2 calls", line)
        self.assertEqual(kpictl("ack", *self.control(), "--key", "ana", "--undo").stdout, "1 alert\n")
        self.d.stop()

    def test_the_operator_s_mistakes_are_told_apart(self):
        self.begin()
        for status, text, given in (
                (2, "which alerts?", ("silence", "--for", "2h")), (2, "how long?", ("silence", "--rule", "busy")),
                (2, "how long?", ("silence", "--rule", "busy", "--for", "2h", "--until", "5")), (2, "no time", ("silence", "--rule", "busy", "--until", "noon")),
                (2, "did you mean", ("silence", "--rule", "bussy", "--until", "1970-01-02T00:00:00Z", "--by", "x")), (2, "what is this?", ("silence", "s1")),
                (2, "which?", ("unsilence",)), (2, "no silence", ("unsilence", "s1")), (2, "which alerts?", ("ack", "--undo")),
                (2, "either ids or matchers", ("ack", "1", "--rule", "busy")), (2, "no alert's id", ("ack", "nope", "--by", "x")),
                (1, "no alert matches", ("ack", "--rule", "busy", "--by", "x")), (1, "no alert 0000000000000001 is", ("ack", "1", "--by", "x"))):
            found = kpictl(*given, *self.control())
            self.assertEqual(found.returncode, status, (given, found.stderr))
            self.assertIn(text, found.stderr)
        for sub in (("silence",), ("unsilence", "s1"), ("ack",)):
            found = kpictl(*sub, "--control", f"ipc://{self.d.folder.name}/nobody")
            self.assertEqual(found.returncode, 1)
        self.d.stop()


main()
