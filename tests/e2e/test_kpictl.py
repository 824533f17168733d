"""The operator's tool, as an operator uses it."""
import json
import os
import random
import re
import subprocess

import msgpack

from daemon import KPICTL, KPID, Case, kpictl, main, until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLE = f"{TOP}/config/kpid.yaml"
CONFIG = """
roster: {members: [{rep: ana, name: Ana Silva, team: one, region: emea}]}
kpis: {calls: {aggregate: count, where: {type: call}, windows: [1h]}}
alerts: {busy: {kpi: calls, window: 1h, level: rep, warning: {above: 1}, message: "{name}: {value} calls"}}
"""
SUBS = ("check", "emit", "watch", "top", "get", "status", "replay", "simulate")


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
            self.assertIn(f"$ kpictl {sub}", found.stdout)
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
        self.assertIn("kpid_events_accepted_total", kpictl("status", *control).stdout)
        self.assertEqual(json.loads(kpictl("status", *control, "--json").stdout)["keys"], 4)
        self.assertRegex(kpictl("top", *control, "--once").stdout, r"1 Ana Silva +one +2 +warning")
        snapshots = kpictl("watch", "snapshots", *control, "--under", "emea", "--count", "3", "--json").stdout.splitlines()
        self.assertEqual([json.loads(s)["path"][0] for s in snapshots], ["emea"] * 3)
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
        self.assertEqual(kpictl("replay", "--config", config, "--events", rows).returncode, 1)
        self.d.stop()

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


main()
