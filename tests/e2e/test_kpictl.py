"""The operator's tool, as an operator uses it."""
import fcntl
import json
import os
import pty
import random
import re
import select
import shlex
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time

import msgpack

from daemon import KPICTL, KPID, Case, healthy, kpictl, main, now_ms, until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLE = f"{TOP}/config/kpid.yaml"
CONFIG = """
roster: {members: [{rep: ana, name: Ana Silva, team: one, region: emea}]}
kpis: {calls: {aggregate: count, where: {type: call}, windows: [1h]}}
alerts: {busy: {kpi: calls, window: 1h, level: rep, warning: {above: 1}, message: "{name}: {value} calls"}}
"""
SUBS = ("check", "emit", "watch", "top", "get", "status", "replay", "test", "silence", "unsilence", "ack", "simulate", "reload",
        "checkpoint", "forget", "history", "contests", "report")


class Kpictl(Case):
    def write(self, name, text):
        path = f"{self.d.folder.name}/{name}"
        with open(path, "wb" if isinstance(text, bytes) else "w") as f:
            f.write(text)
        return path

    def test_help_version_and_wrong_use(self):
        for sub in SUBS:
            found = kpictl(sub, "--help")
            self.assertEqual((found.returncode, found.stderr), (0, ""), sub)
            self.assertRegex(found.stdout, rf"\$ .*kpictl {sub}")
            self.assertEqual(kpictl(sub, "--nonsense").returncode, 2, sub)
        self.assertEqual(kpictl("--help").returncode, 0)
        self.assertEqual(kpictl().returncode, 2)
        self.assertIn('did you mean "replay"', kpictl("reply").stderr)
        for program in (KPID, KPICTL):
            self.assertRegex(subprocess.run([program, "--version"], capture_output=True, text=True).stdout, r"\d+\.\d+\.\d+")
        self.assertEqual(subprocess.run([KPID], capture_output=True).returncode, 2)
        self.assertEqual(subprocess.run([KPID, "--config", "/nowhere"], capture_output=True).returncode, 2)

    def test_check_says_every_fault_where_it_stands(self):
        self.assertEqual(kpictl("check", EXAMPLE).returncode, 0)
        found = kpictl("check", f"{TOP}/tests/unit/config/ten_mistakes.yaml")
        self.assertEqual(found.returncode, 2)
        lines = found.stderr.splitlines()
        self.assertEqual(len(lines), 10)
        for line in lines:
            self.assertRegex(line, r"ten_mistakes\.yaml:\d+:\d+: \S+: ")

    def test_emit_to_all_three_sockets(self):
        self.d = self.daemon(CONFIG)
        good = "".join(json.dumps({"id": str(i), "type": "call", "rep": "ana"}) + "\n" for i in range(50))
        file = self.write("good.jsonl", good)
        found = kpictl("emit", "--router", self.d.endpoints["router"], file)
        self.assertEqual((found.returncode, found.stderr), (0, "50 messages: accepted 50, duplicates 0, rejected 0\n"))
        found = kpictl("emit", "--router", self.d.endpoints["router"], "-", input=good + '{"no":"type"}\nnonsense\n')
        self.assertEqual(found.returncode, 1)
        self.assertIn("message 51, event 0: no_type", found.stderr)
        self.assertIn("accepted 0, duplicates 50, rejected 2", found.stderr)
        packed = self.write("more.msgpack", b"".join(msgpack.packb({"type": "call", "rep": "ana"}) for _ in range(20)))
        self.assertEqual(kpictl("emit", "--push", self.d.endpoints["pull"], "--rate", "1000", packed).returncode, 0)
        found = kpictl("emit", "--pub", self.d.endpoints["sub"], "--topic", "call", packed)
        self.assertEqual((found.returncode, found.stderr), (0, "20 messages sent\n"))
        until(lambda: self.d.value("rep", "ana", "calls", "1h") == 90, "ninety calls")
        found = kpictl("emit", "--router", "tcp://127.0.0.1:9", "--timeout", "0.2", file)
        self.assertEqual(found.returncode, 1)
        self.assertIn("is the daemon running?", found.stderr)
        self.d.stop()

    def test_emit_tells_what_was_accepted_before_the_input_broke(self):
        self.d = self.daemon(CONFIG)
        good = msgpack.packb({"type": "call", "rep": "ana"})
        for broken, text in ((b"\xc1", "no MessagePack at byte"), (good[:-1], "cut short")):
            found = subprocess.run([KPICTL, "emit", "--router", self.d.endpoints["router"], "--msgpack", "-"],
                                   input=good * 3 + broken, capture_output=True, timeout=60)
            self.assertEqual(found.returncode, 1)
            self.assertIn("3 messages: accepted 3, duplicates 0, rejected 0\n", found.stderr.decode())
            self.assertIn(text, found.stderr.decode())
        self.d.stop()

    def test_events_that_nobody_takes_are_a_failure(self):
        found = kpictl("emit", "--push", "tcp://127.0.0.1:1", "--timeout", "0.3", "-", input='{"type":"call"}\n')
        self.assertEqual(found.returncode, 1)
        self.assertIn("nobody takes the events; is the daemon running?", found.stderr)
        with socket.create_server(("127.0.0.1", 0)) as mute:     # connects, and never speaks ZeroMQ
            endpoint = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
            found = kpictl("emit", "--push", endpoint, "--timeout", "0.3", "-", input='{"type":"call"}\n')
            self.assertEqual(found.returncode, 1)
        both = [subprocess.Popen([KPICTL, *given, "tcp://127.0.0.1:1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                for given in (("simulate", "--reps", "3", "--duration", "0.1", "--push"), ("get", "--control"))]
        for process, text in zip(both, ("nobody takes", "no answer; is the daemon running?")):
            self.addCleanup(process.kill)
            self.assertIn(text, process.communicate(timeout=20)[1])     # a `get` waits a minute for its answer, not for a peer
            self.assertEqual(process.returncode, 1)

    def test_ctrl_c_ends_emit_at_once(self):
        with socket.create_server(("127.0.0.1", 0)) as mute:
            endpoint = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
            for kind in ("--router", "--push", "--pub"):
                r, w = os.pipe()
                os.write(w, b'{"type":"call"}\n')
                os.close(w)
                process = subprocess.Popen([KPICTL, "emit", kind, endpoint, "--timeout", "60", "-"], stdin=r,
                                           stderr=subprocess.PIPE, text=True)
                self.addCleanup(process.kill)
                mute.settimeout(20)
                peer, _ = mute.accept()
                process.send_signal(signal.SIGINT)
                error = process.communicate(timeout=20)[1]
                self.assertTrue(healthy(error), error)
                self.assertIn(process.returncode, (0, 1))
                peer.close()
                os.close(r)
        self.d = self.daemon(CONFIG)
        file = self.write("good.jsonl", '{"type":"call","rep":"ana"}\n' * 10000)
        process = subprocess.Popen([KPICTL, "emit", "--router", self.d.endpoints["router"], "--rate", "100", file],
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        until(lambda: self.d.metrics()["kpid_events_accepted_total"] > 5)
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=20)[1]
        self.assertEqual(process.returncode, 0, error)
        sent, accepted = map(int, re.match(r"(\d+) messages: accepted (\d+), ", error).groups())
        self.assertEqual((sent, accepted), (accepted, self.d.metrics()["kpid_events_accepted_total"]))
        self.d.stop()

    def test_output_that_cannot_be_written_is_a_failure(self):
        self.d = self.daemon(CONFIG)
        control = ("--control", self.d.endpoints["control"])
        for given in (("get", *control), ("status", *control), ("status", *control, "--json"), ("--help",), ("get", "--help"),
                      ("--version",), ("top", "--once", *control), ("watch", "snapshots", "--count", "1", *control)):
            with open("/dev/full", "w") as full:
                found = subprocess.run([KPICTL, *given], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
            self.assertEqual(found.returncode, 1, given)
            self.assertIn("can't be written", found.stderr)
        found = subprocess.run(["sh", "-c", f'exec "$0" get --control {control[1]} >&-', KPICTL], stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(found.returncode, 1)
        found = subprocess.run(["sh", "-c", f'exec "$0" emit --router {self.d.endpoints["router"]} - <&-', KPICTL],
                               stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(found.returncode, 1)
        self.assertIn("standard input: it is closed", found.stderr)
        self.d.stop()

    def test_emit_binds_for_a_daemon_that_connects(self):
        with tempfile.TemporaryDirectory(prefix="kpid-e2e-") as folder:
            self.d = self.daemon(CONFIG, extra_ingest=f'  - {{sub: "ipc://{folder}/calls"}}\n')
            found = kpictl("emit", "--pub", f"ipc://{folder}/calls", "--bind", "-", input='{"type":"call","rep":"ana"}\n' * 30)
            self.assertEqual((found.returncode, found.stderr), (0, "30 messages sent\n"))
            until(lambda: self.d.value("rep", "ana", "calls", "1h") == 30, "thirty calls")
            self.d.stop()

    def test_get_status_top_and_watch(self):
        self.d = self.daemon(CONFIG)
        control = ("--control", self.d.endpoints["control"])
        watch = subprocess.Popen([KPICTL, "watch", "alerts", *control, "--count", "1"], stdout=subprocess.PIPE, text=True)
        until(lambda: self.d.metrics()["kpid_publish_subscriptions"] == 1)
        self.d.send({"type": "call", "rep": "ana"}, {"type": "call", "rep": "ana"})
        self.assertRegex(watch.communicate(timeout=20)[0], r"firing +warning +busy emea/one/ana  Ana Silva: 2 calls")
        self.assertRegex(kpictl("get", *control, "--key", "ana").stdout, r"calls +1h +2 +2 +warning")
        line = json.loads(kpictl("get", *control, "--key", "ana", "--json").stdout)
        self.assertEqual(line["kpis"]["calls"]["1h"]["value"], 2)
        self.assertEqual(kpictl("get", *control, "--key", "nobody").returncode, 1)
        why = kpictl("get", *control, "--explain", "--key", "ana", "--kpi", "calls", "--window", "1h").stdout
        self.assertRegex(why, r"rep Ana Silva: calls\n +1h since .*\n +is 2, of 2 samples")
        self.assertEqual(kpictl("get", *control, "--explain", "--key", "ana").returncode, 2)
        self.assertIn("kpid_events_accepted_total", kpictl("status", *control).stdout)
        self.assertEqual(json.loads(kpictl("status", *control, "--json").stdout)["keys"], 4)
        self.assertRegex(kpictl("top", *control, "--once").stdout, r"1 Ana Silva +one +2 +warning")
        snapshots = kpictl("watch", "snapshots", *control, "--under", "emea", "--count", "3", "--json").stdout.splitlines()
        self.assertEqual([json.loads(s)["path"][0] for s in snapshots], ["emea"] * 3)
        self.d.stop()

    def test_a_path_with_a_slash_within_a_key(self):
        self.d = self.daemon(CONFIG)
        self.d.send({"type": "call", "region": "em/ea"}, {"type": "call", "region": "em"})
        control = ("--control", self.d.endpoints["control"])
        for path in ("em%2Fea", "em%2fea/", "/em%2Fea"):
            found = kpictl("get", *control, "--under", path, "--json").stdout.splitlines()
            self.assertEqual([json.loads(s)["key"] for s in found], ["em/ea"])
            found = kpictl("watch", "snapshots", *control, "--under", path, "--count", "1", "--json").stdout.splitlines()
            self.assertEqual([json.loads(s)["key"] for s in found], ["em/ea"])
        self.assertEqual(kpictl("get", *control, "--under", "em/ea").returncode, 1)
        self.assertEqual(kpictl("get", *control, "--under", "50%").returncode, 2)
        self.assertEqual(kpictl("watch", "alerts", *control, "--under", "x" * 2000).returncode, 2)
        self.d.stop()

    def test_a_name_that_the_daemon_does_not_know_is_wrong_use(self):
        self.d = self.daemon(CONFIG)
        for sub in (("get",), ("top", "--once")):
            for option in ("--level", "--kpi", "--window"):
                found = kpictl(*sub, "--control", self.d.endpoints["control"], option, "nope")
                self.assertEqual(found.returncode, 2, (sub, option))
                self.assertIn("nope", found.stderr)
        self.d.stop()

    def test_replay_is_the_same_each_time_and_in_any_order(self):
        self.d = self.daemon(CONFIG)
        events = f"{self.d.folder.name}/day.jsonl"
        self.assertEqual(kpictl("simulate", "--config", EXAMPLE, "--output", events).returncode, 0)
        again = kpictl("simulate", "--config", EXAMPLE, "--output", "-").stdout
        with open(events) as f:
            lines = f.read()
        self.assertEqual(lines, again)
        self.assertNotEqual(lines, kpictl("simulate", "--config", EXAMPLE, "--seed", "2", "--output", "-").stdout)
        first = kpictl("replay", "--config", EXAMPLE, "--events", events)
        self.assertEqual(first.returncode, 0)
        self.assertEqual(first.stdout, kpictl("replay", "--config", EXAMPLE, "--events", events).stdout)
        shuffled = lines.splitlines(keepends=True)
        random.Random(1).shuffle(shuffled)
        other = kpictl("replay", "--config", EXAMPLE, "--events", "-", input="".join(shuffled)).stdout

        def snapshots(text):
            return [line for line in text.splitlines() if '"kind":"snapshot"' in line]
        self.assertEqual(snapshots(first.stdout), snapshots(other))
        self.assertTrue(any('"kind":"alert"' in line for line in first.stdout.splitlines()))
        at = kpictl("replay", "--config", EXAMPLE, "--events", events, "--at", "2026-03-02T12:00:00Z", "--at", "1772460000000")
        self.assertEqual({json.loads(s)["time"] for s in snapshots(at.stdout)}, {1772452800000, 1772460000000})
        self.d.stop()

    def test_replay_against_another_configuration(self):
        self.d = self.daemon(CONFIG)
        events = self.write("e.jsonl", "".join(json.dumps({"type": "call", "rep": "ana", "time": 1000 * i}) + "\n" for i in range(1, 6)))
        old = self.write("old.yaml", CONFIG)
        new = self.write("new.yaml", CONFIG.replace("above: 1", "above: 3"))
        changes = [json.loads(line) for line in kpictl("replay", "--config", old, "--against", new, "--events", events).stdout.splitlines()]
        self.assertEqual(changes, [{"change": "moved", "rule": "busy", "path": "emea/one/ana/", "state": "firing",
                                    "before": 2000, "after": 4000}])
        self.d.stop()

    def test_csv_becomes_events_by_a_map(self):
        self.d = self.daemon(CONFIG)
        rows = self.write("c.csv", "Who,Day,At,Talk\nana,2026-03-02,09:00:00,00:02:03\nana,2026-03-02,09:10:00,\n")
        fields = self.write("m.yaml", 'type: call\nrep: "{Who}"\ntime: "{Day}T{At}Z"\nduration: {of: "{Talk}", as: clock}\n')
        config = self.write("k.yaml", "kpis: {n: {aggregate: count, windows: [day]}, t: {aggregate: sum, of: duration, windows: [day]}}\n")
        found = kpictl("replay", "--config", config, "--events", rows, "--map", fields)
        self.assertEqual(found.returncode, 0, found.stderr)
        company = json.loads(found.stdout.splitlines()[0])["kpis"]
        self.assertEqual((company["n"]["day"]["value"], company["t"]["day"]["value"]), (2, 123))
        with open(rows) as f:
            self.assertEqual(kpictl("replay", "--config", config, "--events", "-", "--map", fields, input=f.read()).stdout, found.stdout)
        self.assertEqual(kpictl("replay", "--config", config, "--events", rows).returncode, 2)
        faulty = self.write("f.yaml", "type: [call]\n")
        for file in (faulty, "/nowhere.yaml"):
            for given in (("replay", "--config", config, "--events"), ("emit", "--router", self.d.endpoints["router"])):
                found = kpictl(*given, rows, "--map", file)
                self.assertEqual(found.returncode, 2, given)
                self.assertIn(file, found.stderr)
        self.d.stop()

    def test_a_bad_row_is_counted_and_told_and_the_others_are_taken(self):
        self.d = self.daemon(CONFIG)
        good = b'ana,"2026-03-02, a Monday"'
        bad = {b"ana": "the row has 1 fields, the header 2", b"ana,x,y": "the row has 3 fields, the header 2",
               b'a"na,x': "a quotation mark within", b'a""na,x': "a quotation mark within", b'"ana"b,x': "text behind a closing",
               b'"ana,x': "never closed", b"an\xe9,x": "no UTF-8", b"an\xed\xa0\x80,x": "no UTF-8", b"an\xf0\x9f,x": "no UTF-8",
               b"ana," + b"x" * 9000: "longer than"}
        live = self.write("live.yaml", 'type: call\nrep: "{Who}"\nnote: "{Day}"\n')
        fields = self.write("m.yaml", 'type: call\nrep: "{Who}"\ntime: "2026-03-02T09:00:00Z"\nnote: "{Day}"\n')
        config = self.write("k.yaml", "kpis: {n: {aggregate: count, windows: [day]}}\n")
        for row, text in bad.items():
            for end in (b"\n", b"\r\n"):
                rows = b"\xef\xbb\xbfWho,Day" + end + good + end + end + row + end + b'"a""na" , "two' + end + b'lines"' + end + good
                found = subprocess.run([KPICTL, "replay", "--config", config, "--events", "-", "--map", fields, "--at", "0"],
                                       input=rows, capture_output=True, timeout=60)
                error = found.stderr.decode()
                self.assertEqual(found.returncode, 0, error)
                self.assertIn("replayed 4 events: accepted 3 malformed 1\n", error)
                self.assertIn("standard input:4: ", error)
                self.assertIn(text, error)
            file = self.write("rows.csv", b"Who,Day\n" + good + b"\n" + row + b"\n" + good + b"\n")
            found = kpictl("emit", "--router", self.d.endpoints["router"], "--map", live, file)
            self.assertEqual((found.returncode, found.stderr.count("rows.csv:3: ")), (1, 1))
            self.assertIn("2 messages: accepted 2, duplicates 0, rejected 1\n", found.stderr)
        for rows in ("", "\n\n", "Who,Who\n", "Who,\n", '"Who\n'):
            found = kpictl("replay", "--config", config, "--events", "-", "--map", fields, input=rows)
            self.assertEqual(found.returncode, 1, rows)
        self.d.stop()

    def test_an_unused_field_may_nest_as_deep_as_it_likes(self):
        self.d = self.daemon(CONFIG)
        call = {"type": "call", "rep": "ana", "time": now_ms()}
        deep = b"\x84" + msgpack.packb(call)[1:] + b"\xa1x"
        events = [deep + b"\x91" * 40 + b"\xc0", deep + b"\x91" * 300000 + b"\xc0", deep + b"\x81\x01" * 40 + b"\xc0",
                  deep + b"\xdc\x00\x02" * 40 + b"\xcb12345678" * 41,
                  msgpack.packb({**call, "x": [msgpack.Timestamp(1, 1), b"x" * 300, "y" * 70000, -1, -1000, 2**40, 0.5,
                                          msgpack.ExtType(5, b"z" * 20), {"a": None}, True, [1] * 20, [2] * 70000,
                                          {str(i): i for i in range(20)}]})]
        file = self.write("deep.msgpack", b"".join(events))
        found = kpictl("emit", "--router", self.d.endpoints["router"], file)
        self.assertEqual((found.returncode, found.stderr), (0, "5 messages: accepted 5, duplicates 0, rejected 0\n"))
        found = kpictl("replay", "--config", self.d.file, "--events", file)
        self.assertEqual((found.returncode, found.stderr), (0, "replayed 5 events: accepted 5\n"))
        for cut in (1, 20, 70000, 300000, 400000):
            found = kpictl("replay", "--config", self.d.file, "--events", self.write("cut.msgpack", b"".join(events)[:-cut]))
            self.assertEqual(found.returncode, 1)
            self.assertIn("cut short", found.stderr)
        found = kpictl("replay", "--config", self.d.file, "--events", self.write("broken.msgpack", events[0] + b"\x92\xc0\xc1"))
        self.assertIn(f"no MessagePack at byte {len(events[0]) + 2}", found.stderr)
        self.d.stop()

    def test_simulate_a_past(self):
        """It ends now, other seeds have other deals, and a deal of the second who closes deals stands still."""
        now = now_ms()
        told = {seed: [json.loads(line) for line in kpictl("simulate", "--config", EXAMPLE, "--past", "30", "--seed", seed, "--output", "-").stdout.splitlines()]
                for seed in ("1", "2")}
        for events in told.values():
            self.assertGreater(len(events), 5000)
            self.assertGreaterEqual(events[0]["time"], now - 30 * 86400000)
            self.assertLessEqual(events[-1]["time"], now_ms())
        deals = {seed: {e["deal"] for e in events if e["type"] == "stage"} for seed, events in told.items()}
        self.assertFalse(deals["1"] & deals["2"])
        last = {e["deal"]: e for e in told["1"] if e["type"] == "stage"}
        standing = [e for e in last.values() if e["rep"] == "ben" and e["stage"] not in ("won", "lost")]
        self.assertGreater(now - min(e["time"] for e in standing), 21 * 86400000)

    def test_simulate_live(self):
        self.d = self.daemon(CONFIG)
        found = kpictl("simulate", "--reps", "50", "--rate", "500", "--duration", "0.5", "--push", self.d.endpoints["pull"])
        sent = int(re.match(r"(\d+) events sent", found.stderr)[1])
        self.assertGreater(sent, 50)
        until(lambda: self.d.metrics()["kpid_events_accepted_total"] == sent, "all of them")
        self.d.stop()

    def test_the_readme_s_python_speaks_to_the_example(self):
        with open(f"{TOP}/README.md") as f:
            text = f.read()
        code = re.search(r"    import msgpack, zmq\n(    .*\n)+", text)[0].replace("\n    ", "\n").strip()
        self.d = self.daemon(CONFIG)
        self.assertIn("tcp://127.0.0.1:5558", code)
        found = subprocess.run(["/usr/bin/python3", "-c", code.replace("tcp://127.0.0.1:5558", self.d.endpoints["router"])],
                               capture_output=True, text=True, timeout=30)
        self.assertIn("'accepted': 1", found.stdout, found.stderr)
        self.d.stop()

    def test_wrong_use_is_told_apart_from_failure(self):
        cases = [("check",), ("emit",), ("emit", "--rate", "fast", "-"), ("emit", "--topic", "x", "-"), ("emit", "--timeout", "-1", "-"),
                 ("watch",), ("watch", "weather"), ("watch", "alerts", "--count", "many"), ("get", "stray"), ("status", "stray"),
                 ("top", "stray"), ("replay",), ("replay", "--config", EXAMPLE), ("simulate", "--reps", "0"), ("simulate", "stray"), ("simulate", "--past", "3"),
                 ("replay", "--config", EXAMPLE, "--events", "-", "--at", "noon"),
                 ("replay", "--config", EXAMPLE, "--events", "-", "--format", "xml"),
                 ("replay", "--config", "/nowhere.yaml", "--events", "-"), ("check", "/nowhere.yaml"),
                 ("status", "--config", "/nowhere.yaml"), ("emit", "--rate", "-5", "-"), ("emit", "--rate", "0", "-"),
                 ("emit", "--rate", "99999999999999999999", "-"), ("watch", "alerts", "--count", "0"),
                 ("watch", "alerts", "--count", "-1"), ("emit", "--router", "tcp://127.0.0.1:1", "--push", "tcp://127.0.0.1:1", "-"),
                 ("emit", "--pub", "tcp://127.0.0.1:1", "--pub", "tcp://127.0.0.1:2", "-"), ("test",), ("test", "--only")]
        for case in cases:
            found = kpictl(*case, input="")
            self.assertEqual(found.returncode, 2, case)
            self.assertTrue(found.stderr, case)
        for sub, option in (("emit", "--router"), ("emit", "--push"), ("emit", "--pub"), ("simulate", "--push"), ("get", "--control"),
                            ("status", "--control"), ("top", "--control")):
            for endpoint in ("garbage", "tcp://", "udp6://127.0.0.1:1"):
                found = kpictl(sub, option, endpoint, *(["-"] if sub == "emit" else []), input="")
                self.assertEqual(found.returncode, 2, (sub, option, endpoint, found.stderr))
                self.assertIn(endpoint, found.stderr)
        for case in (("emit", "/nowhere.jsonl"), ("replay", "--config", EXAMPLE, "--events", "/nowhere.jsonl")):
            found = kpictl(*case)
            self.assertEqual(found.returncode, 1, case)
            self.assertIn("nowhere.jsonl", found.stderr)

    def on_terminal(self, *given, columns=120):
        """Started on a terminal of its own; (process, its screen's end)."""
        end, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        process = subprocess.Popen([KPICTL, *given], stdin=other, stdout=other, stderr=other, start_new_session=True,
                                   env={**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"})
        os.close(other)
        self.addCleanup(process.kill)
        self.addCleanup(os.close, end)
        return process, end

    def see(self, end, wanted, seen=""):
        """Read the terminal until it has shown `wanted`, or its program has ended."""
        def look():
            nonlocal seen
            if select.select([end], [], [], 0.05)[0]:
                try:
                    seen += os.read(end, 65536).decode(errors="replace")
                except OSError:
                    self.assertIn(wanted, seen)
            return wanted in seen
        until(look, f"{wanted!r} on the terminal")
        return seen

    def test_top_on_a_terminal_follows_and_takes_keys(self):
        self.d = self.daemon(CONFIG)
        process, end = self.on_terminal("top", "--control", self.d.endpoints["control"])
        self.see(end, "Ana Silva")
        self.d.send({"type": "call", "rep": "ana"}, {"type": "call", "rep": "ana"})
        self.see(end, "Ana Silva: 2 calls")         # the alert, below the table
        os.write(end, b"LL")                        # one level up, and another
        self.see(end, "emea")
        os.write(end, b"q")
        self.see(end, "\x1b[?1049l")                # the terminal is given back as it was
        self.assertEqual(process.wait(20), 0)
        self.d.stop()

    def test_top_on_a_narrow_terminal_shows_the_number_that_it_is_about(self):
        self.d = self.daemon(re.sub("alerts:.*", "", CONFIG))
        self.d.send(*[{"type": "call", "rep": "ana"}] * 1234)
        for columns, name in ((120, "Ana Silva"), (60, "Ana Silva"), (50, "Ana Silva"), (30, "Ana Silva"), (22, "Ana S"), (5, "")):
            process, end = self.on_terminal("top", "--control", self.d.endpoints["control"], columns=columns)
            seen = self.see(end, "1234" if columns > 20 else "1")
            self.assertIn(name, seen)
            self.assertEqual("1h*" in seen, columns > 20, columns)
            self.assertEqual("one" in seen, columns >= 60, columns)      # the parent gives way first
            os.write(end, b"q")
            self.see(end, "\x1b[?1049l")
            self.assertEqual(process.wait(20), 0)
        self.d.stop()

    def test_emit_shows_its_progress_on_a_terminal(self):
        self.d = self.daemon(CONFIG)
        file = self.write("good.jsonl", '{"type":"call","rep":"ana"}\n' * 50)
        process, end = self.on_terminal("emit", "--router", self.d.endpoints["router"], file)
        seen = self.see(end, "accepted 50, duplicates 0, rejected 0")
        self.assertIn("[" + "#" * 40 + "] 100%  50 sent, 0 rejected", seen)
        self.assertEqual(process.wait(20), 0)
        self.d.stop()


ASK = ("watch", "top", "get", "status", "silence", "unsilence", "ack", "reload", "checkpoint", "forget", "history", "contests", "report")


# An alert at any time of the day, for the examples that need one.
CERTAIN = "  certain: {kpi: calls_made, window: 1h, level: rep, hours: always, warning: {above: 1}}"


class Examples(Case):
    """What --help and the README show is typed in as it stands there, at the sockets of a daemon of our own."""

    def setUp(self):
        with open(EXAMPLE) as f:
            config = re.sub(r"(tcp://127.0.0.1):\d+", r"\1:*", f.read())
        config = re.sub(r"(?m)^# (storage: \{path:) [^,}]*", r"\1 store", config)
        config = re.sub(r"(?m)^alerts:$", "alerts:\n" + CERTAIN, config)
        beside = {}
        for name in ("roster.csv", "uk.ics"):
            with open(f"{TOP}/config/{name}", newline="") as f:
                beside[name] = f.read()
        self.d = self.daemon(config, whole=True, files=beside)
        self.folder = self.d.folder.name
        os.symlink(f"{TOP}/config", f"{self.folder}/config")
        with open(EXAMPLE) as f:
            changed = f.read().replace("warning: {above: 900}", "warning: {above: 600}")
        for name in beside:
            changed = changed.replace(f"file: {name}", f"file: config/{name}")
        for name in ("new.yaml", "mine.yaml"):
            with open(f"{self.folder}/{name}", "w") as f:
                f.write(changed)
        for name in ("monday", "week", "year"):
            kpictl("simulate", "--config", EXAMPLE, "--output", f"{self.folder}/{name}.jsonl", "--days", "0.2")
        with open(f"{self.folder}/events.jsonl", "w") as f:
            f.writelines('{"type":"call","rep":"ana","direction":"outbound"}\n' for _ in range(20))
        with open(f"{self.folder}/calls.msgpack", "wb") as f:
            f.writelines(msgpack.packb({"rep": "ana"}) for _ in range(20))

    def tearDown(self):
        self.d.stop()

    def arguments(self, command):
        """Those of the example, with our endpoints for the usual ones, and an end for what has none."""
        for port, name in {5556: "sub", 5557: "pull", 5558: "router"}.items():
            command = command.replace(f"tcp://127.0.0.1:{port}", self.d.endpoints[name])
        given = self.for_the_floor(shlex.split(command.replace("/var/lib/kpid", "store"))[1:])
        if given[0] in ASK and "--store" not in given:
            given += ["--control", self.d.endpoints["control"]]
        if given[0] == "emit" and "--push" not in given and "--pub" not in given:
            given += ["--router", self.d.endpoints["router"]]
        if given[0] == "simulate" and "--output" not in given:
            given += ["--duration", "0.3"] + ([] if "--push" in given else ["--push", self.d.endpoints["pull"]])
        return given

    def for_the_floor(self, given):
        """An alert, a silence and a time that there are, for those that an example makes up."""
        if given[0] == "silence":
            given = [re.sub(r"^20\d\d(?=-\d\d-\d\dT)", str(time.gmtime().tm_year + 1), part) for part in given]
        if given[0] == "silence" and "--id" in given or given[0] == "unsilence":
            made = {"matchers": {"rule": "*"}, "by": "me", "for": "1h"}
            given = [self.d.ask(op="silence", **made)["silence"]["id"] if re.fullmatch(r"s\d+", part) else part for part in given]
        if given[0] == "ack":
            self.d.send(*[{"type": "call", "rep": "ana", "direction": "outbound"}] * 3)
            alert = until(lambda: self.d.ask(op="alerts")["alerts"])[0]
            given = [re.sub(r"^[0-9a-f]{16}$", alert["id"], part) for part in given]
            instead = {"behind_*": alert["rule"][:2] + "*", "emea/field-1": "/".join(alert["path"])}
            given = [instead.get(part, part) for part in given]
        return given

    def watch(self, given):
        before = self.d.metrics()["kpid_publish_subscriptions"]
        process = subprocess.Popen([KPICTL, *given], cwd=self.folder, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        until(lambda: self.d.metrics()["kpid_publish_subscriptions"] > before, " ".join(given))
        process.send_signal(signal.SIGINT)
        out = process.communicate(timeout=30)[0]
        self.assertEqual(process.returncode, 0, given)
        until(lambda: self.d.metrics()["kpid_publish_subscriptions"] == before)
        return out

    def jq(self, query, out):
        """What jq would find, for the plain paths that the examples use."""
        query = query.strip("'")
        for line in out.splitlines():
            found = json.loads(line)
            for part in query.split(".")[1:] if query.startswith(".") else ():
                self.assertIn(part, found, query)
                found = found[part]

    def try_it(self, example):
        for command in example.split(" && "):
            if not command.startswith("mv "):
                self.try_one(command)

    def try_one(self, example):
        before, kpictl_part, *after = re.split(r"(?:^|\| )(?=kpictl )| \| ", example)
        given = self.arguments(kpictl_part)
        if given[0] == "watch":
            out = self.watch(given)
        else:
            text = shlex.split(before)[1] + "\n" if before.startswith("echo") else None
            if before.startswith("zcat"):
                with open(f"{self.folder}/{shlex.split(before)[1].removesuffix('.gz')}") as f:
                    text = f.read()
            found = kpictl(*given, cwd=self.folder, input=text)
            if "nothing is kept of that" not in found.stderr:       # the floor is new
                self.assertEqual(found.returncode, 0, f"{example}\n{found.stderr}")
            out = found.stdout
        if after and after[0].startswith("jq "):
            self.jq(after[0][3:], out)

    def test_every_help_s_examples_do_what_they_say(self):
        tried = 0
        for sub in SUBS:
            for line in kpictl(sub, "--help").stdout.splitlines():
                if line.startswith("  $ "):
                    with self.subTest(line):
                        self.try_it(re.sub(r" {3,}.*", "", line[4:]))
                    tried += 1
        self.assertGreater(tried, 20)

    def test_the_readme_s_examples_do_what_they_say(self):
        with open(f"{TOP}/README.md") as f:
            text = f.read().replace("|\n       ", "|")
        lines = [line.replace("build/release/tools/", "") for line in re.findall(r"^    \$ (.*)$", text, re.M) if "tools/kpictl" in line]
        self.assertGreater(len(lines), 4)
        for line in lines:
            with self.subTest(line):
                self.try_it(re.sub(r" *&? *(#.*)?$", "", line))


main()
