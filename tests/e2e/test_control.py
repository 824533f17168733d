"""The control socket, and the daemon as a process."""
import json
import os
import re
import signal
import subprocess
import tempfile
import time

import msgpack
import zmq

from daemon import KPID, Case, healthy, main, until

CONFIG = """
time: {clock: event, zone: Europe/London}
sources: {pbx: {heartbeat: 2m}, crm: {heartbeat: 1h}}
roster:
  members: [{rep: ana, team: one, region: emea}, {rep: bob, team: one, region: emea}, {rep: cid, team: two, region: apac}]
kpis:
  calls: {title: Calls, aggregate: count, where: {type: call}, windows: [10s/1s, day]}
  sales: {aggregate: sum, of: amount, where: {type: won}, windows: [day], unit: GBP}
  per_call: {formula: sales / calls, windows: [day]}
alerts:
  quiet: {kpi: calls, window: 10s/1s, level: rep, warning: {below: 1}, for: 5s}
"""


class Control(Case):
    def setUp(self):
        self.d = self.daemon(CONFIG)
        self.d.send({"type": "call", "rep": "ana", "time": 1000000}, {"type": "call", "rep": "cid", "time": 1000000})

    def tearDown(self):
        self.d.stop()

    def keys(self, **request):
        return sorted((s["level"], s["key"]) for s in self.d.ask(op="get", **request)["snapshots"])

    def test_get_takes_level_keys_and_a_path(self):
        self.assertEqual(len(self.keys()), 8)
        self.assertEqual(self.keys(level="team"), [("team", "one"), ("team", "two")])
        self.assertEqual(self.keys(keys=["ana", "two"]), [("rep", "ana"), ("team", "two")])
        self.assertEqual(self.keys(under="emea/one", level="rep"), [("rep", "ana"), ("rep", "bob")])
        self.assertEqual(self.keys(under=["apac"]), [("region", "apac"), ("rep", "cid"), ("team", "two")])
        self.assertEqual(self.keys(level="company"), [("company", "")])
        self.assertEqual(self.keys(keys=["nobody"]), [])

    def test_get_takes_kpis_and_windows(self):
        found = self.d.ask(op="get", keys=["ana"], kpis=["calls"], windows=["day"])["snapshots"]
        self.assertEqual(found[0]["kpis"], {"calls": {"day": {"value": 1, "n": 1, "rank": 1, "of": 2, "percentile": 100}}})
        self.assertEqual(found[0]["time"], 1000000)

    def test_a_path_reaches_keys_with_a_slash(self):
        self.d.send({"type": "call", "region": "em/ea", "time": 1000000}, {"type": "call", "region": "50%", "time": 1000000})
        self.assertEqual(self.keys(under=["em/ea"]), [("region", "em/ea")])
        self.assertEqual(self.keys(under=["50%"]), [("region", "50%")])
        for path in ("em%2Fea", "em%2fea/", "/em%2Fea//"):
            self.assertEqual(self.keys(under=path), [("region", "em/ea")])
        self.assertEqual(self.keys(under="50%25"), [("region", "50%")])
        self.assertEqual(self.keys(under="em/ea"), [])
        self.assertEqual(self.keys(under=["emea/one"]), [])
        self.assertEqual(self.keys(under=["emea", "one"], level="rep"), [("rep", "ana"), ("rep", "bob")])
        self.assertEqual(len(self.keys(under="")), 10)
        for path in ("50%", "%2", "%zz", "a/%"):
            self.assertIn("%25", self.d.ask(op="get", under=path)["error"])

    def test_more_frames_than_can_be_sent_back_are_an_error(self):
        dealer = self.d.socket(zmq.DEALER, "control")
        for n, ok in ((15, True), (16, False), (400, False)):
            dealer.send_multipart([b"%d" % i for i in range(n)] + [msgpack.packb({"op": "status"})])
            frames = dealer.recv_multipart()
            self.assertEqual(frames[:-1], [b"%d" % i for i in range(min(n, 15))])
            self.assertEqual(msgpack.unpackb(frames[-1])["ok"], ok)
        dealer.close()

    def test_many_gets_at_once_are_all_answered(self):
        dealer = self.d.socket(zmq.DEALER, "control")
        for i in range(100):
            dealer.send_multipart([b"%d" % i, msgpack.packb({"op": "get"})])
        replies = [dealer.recv_multipart() for _ in range(100)]
        self.assertEqual({r[0] for r in replies}, {b"%d" % i for i in range(100)})
        for _, reply in replies:
            reply = msgpack.unpackb(reply)
            self.assertTrue(reply["ok"] or "busy" in reply["error"])
        dealer.close()

    def test_a_get_keeps_its_own_names_while_others_come(self):
        dealer = self.d.socket(zmq.DEALER, "control")
        wanted = [["ana", "two"], ["bob"], ["cid", "one", "emea"], ["nobody"]]
        for i in range(400):
            keys = wanted[i % 4] + ["x" * (1 + i % 3 * 40)]  # some messages lie in the frame itself, others in the heap
            dealer.send_multipart([b"%d" % i, msgpack.packb({"op": "get", "keys": keys, "kpis": ["calls"], "windows": ["day"]})])
        for _ in range(400):
            number, reply = dealer.recv_multipart()
            reply = msgpack.unpackb(reply)
            if reply["ok"]:
                found = [s["key"] for s in reply["snapshots"]]
                self.assertEqual(sorted(found), sorted(k for k in wanted[int(number) % 4] if k != "nobody"))
                self.assertTrue(all(list(s["kpis"]["calls"]) == ["day"] for s in reply["snapshots"]))
            else:
                self.assertIn("busy", reply["error"])
        dealer.close()

    def test_status_and_config_tell_what_there_is(self):
        status = self.d.ask(op="status")
        self.assertEqual((status["ok"], status["clock"], status["time"], status["durable"]), (True, "event", 1000000, False))
        self.assertEqual(status["metrics"]["kpid_events_accepted_total"], 2)
        config = self.d.ask(op="config")
        self.assertEqual(config["levels"], ["company", "region", "team", "rep"])
        self.assertEqual((config["zone"], config["week_starts"]), ("Europe/London", "monday"))
        self.assertEqual([k["title"] for k in config["kpis"]], ["Calls", "sales", "per_call"])
        self.assertEqual([(a["name"], a["compare"]) for a in config["alerts"]], [("quiet", "value")])
        self.assertEqual(config["endpoints"]["publish"], self.d.endpoints["publish"])

    def test_a_number_is_explained_by_its_parts_and_events(self):
        self.d.send({"type": "call", "rep": "ana", "time": 2000000, "id": "c1", "source": "pbx"},
                    {"type": "won", "rep": "ana", "time": 2001000, "id": "w1", "source": "crm", "amount": 9})
        why = self.d.ask(op="explain", kpi="per_call", key="ana", window="day")["explanation"]
        self.assertEqual((why["formula"], why["cell"]["value"], why["path"]), ("sales / calls", 4.5, ["emea", "one", "ana"]))
        self.assertEqual([(p["kpi"], p["value"], p["n"], p["depth"]) for p in why["parts"]], [("sales", 9, 1, 1), ("calls", 2, 2, 1)])
        self.assertEqual(why["parts"][1]["means"], "number of events, where {type: call}")
        self.assertEqual(why["events"], [{"id": "w1", "time": 2001000}, {"id": "c1", "time": 2000000}])
        self.assertEqual((why["from"], why["to"]), (None, None))    # that day began before 1970
        why = self.d.ask(op="explain", kpi="calls", level="team", key="one", window="10s/1s")["explanation"]
        self.assertEqual((why["events"], why["from"]), ([{"id": "c1", "time": 2000000}], 1992000))
        why = self.d.ask(op="explain", kpi="calls", window="day")["explanation"]
        self.assertEqual((why["level"], why["cell"]["value"]), ("company", 3))
        for wrong, text in (({"kpi": "call"}, "no KPI"), ({"key": "eve"}, "no rep"), ({"window": "year"}, "no window"),
                            ({"level": "squad"}, "no level"), ({"kpi": None}, "needs")):
            reply = self.d.ask(op="explain", **{"kpi": "calls", "window": "day", "key": "ana", **wrong})
            self.assertIn(text, reply["error"])

    def test_a_silent_source_is_told_and_its_numbers_are_no_data(self):
        self.d.send({"type": "call", "rep": "ana", "time": 2000000, "id": "c1", "source": "pbx"},
                    {"type": "won", "rep": "ana", "time": 2000000, "id": "w1", "source": "crm", "amount": 9})
        self.d.ask(op="advance", time=2120001)
        self.assertEqual([(s["source"], s["silent"], s["heard"]) for s in self.d.ask(op="status")["sources"]],
                         [("pbx", True, 2000000), ("crm", False, 2000000)])
        kpis = self.d.ask(op="get", keys=["ana"])["snapshots"][0]["kpis"]
        self.assertEqual(kpis["calls"]["day"]["status"], "no_data")
        self.assertEqual(kpis["per_call"]["day"]["status"], "no_data")
        self.assertNotIn("status", kpis["sales"]["day"])
        self.d.send({"type": "kpid.heartbeat", "source": "pbx", "time": 2130000})
        kpis = self.d.ask(op="get", keys=["ana"])["snapshots"][0]["kpis"]
        self.assertNotIn("status", kpis["calls"]["day"])

    def test_advance_moves_time_and_what_is_due(self):
        self.assertEqual(self.d.ask(op="alerts")["alerts"][0]["state"], "pending")       # bob
        sub = self.d.subscribe("alert/emea/one/bob/")
        self.assertEqual(self.d.ask(op="advance", time=1014000)["time"], 1014000)
        self.assertEqual({(a["key"], a["state"], a["since"]) for a in self.d.ask(op="alerts")["alerts"]},
                         {("bob", "firing", 1000000), ("ana", "pending", 1010000), ("cid", "pending", 1010000)})
        back = self.d.ask(op="advance", time=500)
        self.assertEqual((back["ok"], back["error"]), (False, "time only goes forward, and it is 1970-01-01T00:16:54Z already"))
        self.assertEqual(self.d.ask(op="advance", time=1014000)["time"], 1014000)
        self.assertFalse(self.d.ask(op="advance")["ok"])
        sub.close()

    def test_json_is_answered_in_json(self):
        req = self.d.socket(zmq.REQ, "control")
        req.send(b'{"op":"get","level":"rep","keys":["bob"]}')
        self.assertEqual(json.loads(req.recv())["snapshots"][0]["key"], "bob")
        req.close()

    def test_what_is_wrong_is_said(self):
        def error(**request):
            reply = self.d.ask(**request)
            self.assertFalse(reply["ok"])
            return reply["error"]
        self.assertIn('did you mean "status"', error(op="statsu"))
        self.assertIn("no level", error(op="get", level="squad"))
        self.assertIn("no KPI", error(op="get", kpis=["call"]))
        self.assertIn('no window "zz"', error(op="get", windows=["day", "zz"]))
        self.assertIn("none of the KPIs has", error(op="get", kpis=["sales", "per_call"], windows=["10s/1s"]))
        self.assertTrue(self.d.ask(op="get", kpis=["sales", "calls"], windows=["10s/1s"])["ok"])
        self.assertIn("list of strings", error(op="get", keys=[1]))
        self.assertIn('needs "op"', error(level="rep"))
        req = self.d.socket(zmq.DEALER, "control")
        for garbage in (b"", b"\xc1", b"{", b"\xdd\xff\xff\xff\xff", b"[1,2]", b"\x81\xa2op\xdf\xff\xff\xff\xff", b"x" * (1 << 20)):
            req.send(garbage)
            reply = req.recv()
            reply = json.loads(reply) if reply[:1] == b"{" else msgpack.unpackb(reply)
            self.assertFalse(reply["ok"])
        req.close()


    def test_every_metric_is_told_in_the_reference_and_histograms_add_up(self):
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../config/README.md")) as f:
            reference = f.read()
        d = self.daemon(CONFIG + "storage: {path: store}\n")
        d.send({"type": "call", "rep": "ana"}, {"type": "call", "rep": "ana", "time": -1})
        d.send({"type": "call", "rep": "ana", "time": int(time.time() * 1000) - 5000})
        metrics = d.metrics()
        lag = [v for k, v in sorted(metrics.items()) if k.startswith("kpid_event_lag_seconds")]
        self.assertEqual(metrics["kpid_event_lag_seconds_count"], 1)
        self.assertEqual([metrics[f'kpid_event_lag_seconds_bucket{{le="{le}"}}'] for le in ("4.096", "4194.3", "+Inf")], [0, 1, 1], lag)
        # The time is that of the turn, which may have begun a little before the event was sent.
        self.assertGreaterEqual(metrics["kpid_event_lag_seconds_sum"], 4.5)
        for name in {re.sub(r"_(bucket|sum|count)$", "", name.split("{")[0]) for name in metrics}:
            self.assertIn(f"`{name}`", reference)
        for what in ("turn", "settle", "storage_commit"):
            buckets = [v for k, v in metrics.items() if k.startswith(f"kpid_{what}_seconds_bucket")]
            self.assertEqual(buckets, sorted(buckets))
            self.assertEqual(buckets[-1], metrics[f"kpid_{what}_seconds_count"])
            self.assertGreater(buckets[-1], 0)
            self.assertGreaterEqual(metrics[f"kpid_{what}_seconds_sum"], 0)     # less than a microsecond is none
        d.stop()

    def test_a_request_that_nests_deep_is_refused_and_harms_nothing(self):
        deep = [b"[" * 400000 + b"]" * 400000, b'{"a":' * 150000 + b"1" + b"}" * 150000, b"[" * 32 + b"]" * 32]
        req = self.d.socket(zmq.REQ, "control")
        for value in deep:
            req.send(b'{"op":"status","x":' + value + b"}")
            reply = json.loads(req.recv())
            self.assertFalse(reply["ok"])
            self.assertIn("too deep", reply["error"])
        req.send(msgpack.packb({"op": "status"})[:-7] + b"\xa6status\xa1x" + b"\x91" * 100000 + b"\xc0")
        self.assertFalse(msgpack.unpackb(req.recv())["ok"])
        for text in (b"[" * 31 + b"]" * 31, b'"' + b"[" * 1000 + b'"', b'"\\"' + b"[" * 1000 + b'"'):
            req.send(b'{"op":"status","x":' + text + b"}")
            self.assertTrue(json.loads(req.recv())["ok"])
        req.close()

    def test_a_string_with_a_nul_passes_for_no_other(self):
        req = self.d.socket(zmq.REQ, "control")
        for request in (b'{"op":"status\\u0000x"}', b'{"op\\u0000":"status","op":"x"}', b'{"op":"status"}\0x', b'{"op":"status"} x'):
            req.send(request)
            self.assertFalse(json.loads(req.recv())["ok"], request)
        req.close()


class Process(Case):
    """The daemon as a process: its start, its signals, its exit status."""

    def refused(self, config, status):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            f.write(config)
            f.flush()
            found = subprocess.run([KPID, "--config", f.name], capture_output=True, text=True, timeout=30)
        self.assertEqual(found.returncode, status, found.stderr)
        self.assertTrue(healthy(found.stderr), found.stderr)
        return found.stderr

    def test_a_faulty_configuration_is_told_at_once(self):
        lines = self.refused("kpis: {calls: {agregate: count}}\ncontrol: {endpoint: \"udp://x\"}\n", 2).splitlines()
        self.assertTrue(any("did you mean" in line or "aggregate" in line for line in lines), lines)
        for line in lines:
            self.assertRegex(line, r"\.yaml:\d+:\d+: ")

    def test_an_endpoint_that_is_taken_is_a_failure(self):
        d = self.daemon("kpis: {calls: {aggregate: count, windows: [1h]}}\n")
        error = self.refused('kpis: {calls: {aggregate: count, windows: [1h]}}\n'
                             f'control: {{endpoint: "{d.endpoints["control"]}"}}\n', 1)
        self.assertIn("control: bind", error)
        d.stop()

    def test_a_daemon_without_any_socket_runs_and_ends(self):
        d = self.daemon("kpis: {calls: {aggregate: count, windows: [1h]}}\n", whole=True)
        self.assertIn("event=stopped", d.stop())

    def test_a_signal_reloads_without_a_store_too(self):
        d = self.daemon("kpis: {calls: {aggregate: count, windows: [1h]}}\n")
        d.process.send_signal(signal.SIGHUP)
        until(lambda: any("event=reload done=yes" in line for line in d.log))
        self.assertTrue(d.ask(op="status")["ok"])
        d.stop()

    def test_what_was_answered_is_in_the_last_count(self):
        d = self.daemon("kpis: {calls: {aggregate: count, windows: [1h]}}\n")
        dealer = d.socket(zmq.DEALER, "router", RCVHWM=0)
        for _ in range(5000):
            dealer.send(msgpack.packb({"type": "call"}))
        answered = 0
        while answered < 5000:
            answered += msgpack.unpackb(dealer.recv())["accepted"]
        self.assertIn("accepted=5000", d.stop())


main()
