"""What kpictl replay --summary adds up, held against the alert lines of the same run, added up here."""
import collections
import datetime
import fcntl
import json
import math
import os
import pty
import random
import struct
import subprocess
import tempfile
import termios
import unittest
import zoneinfo

from daemon import KPICTL, kpictl, main

ZONE = zoneinfo.ZoneInfo("Europe/London")
CONFIG = """
time: {zone: Europe/London}
calendars: {office: {hours: {mon-fri: "09:00-17:00"}}}
roster:
  members:
    - {rep: ana, name: Ana Sílva, team: one, region: emea, calendar: office}
    - {rep: bob, name: Bob, team: one, region: emea, calendar: office}
    - {rep: cyd, name: Cyd, team: two, region: emea, calendar: office}
    - {rep: dan, name: Dan, team: west, region: amer, calendar: office}
kpis: {calls: {aggregate: count, where: {type: call}, windows: [1h, day]}}
targets: [{kpi: calls, per: day, value: 16}]
alerts:
  quiet: {kpi: calls, window: 1h, level: rep, warning: {below: 2}, critical: {below: 1}, hours: always, repeat: 2h}
  behind: {kpi: calls, window: day, level: rep, compare: pace, warning: {below: 70%}, critical: {below: 40%}, for: 10m,
           min_elapsed: 1h, group: 100%}
  silent: {kpi: calls, level: rep, compare: silence, warning: {above: 90m}, escalate: {after: 1h}}
  team_quiet: {kpi: calls, window: 1h, level: team, warning: {below: 1}, keep_firing_for: 15m, hours: always}
  floor: {kpi: calls, window: 1h, level: company, warning: {above: 9}, hours: always}
  never: {kpi: calls, window: 1h, level: region, warning: {above: 1000}}
"""
OTHER = CONFIG.replace("below: 70%", "below: 90%").replace("  never:", "  always:").replace("above: 1000", "below: 1")


def history():
    """Eight weeks over the start of summer time: working days, some late evenings, weekends off but one."""
    random.seed(7)
    day = datetime.datetime(2026, 3, 9, tzinfo=ZONE)
    events = []
    for n in range(56):
        date = day + datetime.timedelta(days=n)
        if date.weekday() > 4 and n != 19:
            continue
        for rep, calls in (("ana", 18), ("bob", 9), ("cyd", 16), ("dan", 13), ("new", 4)):
            for _ in range(random.randrange(calls + 4)):
                at = date + datetime.timedelta(hours=8.5, seconds=random.randrange(9 * 3600))
                if random.random() < 0.02:
                    at = date + datetime.timedelta(hours=23, seconds=random.randrange(7200))
                events.append((int(at.timestamp() * 1000), rep))
    return "".join(json.dumps({"type": "call", "rep": rep, "time": at}) + "\n" for at, rep in sorted(events))


def local_day(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, ZONE).date()


def nearest_rank(values, share):
    return sorted(values)[max(1, math.ceil(share * len(values))) - 1]


def per_day(fired, days):
    """Of (path, day) pairs: what each manager has."""
    found = {}
    for path in {path for path, _ in fired}:
        counts = collections.Counter(day for p, day in fired if p == path)
        worst = max(counts.values())
        found[path] = {"path": list(path), "alerts": sum(counts.values()), "mean": sum(counts.values()) / len(days),
                       "p90": nearest_rank([counts[day] for day in days], 0.9), "worst": worst,
                       "worst_day": min(day for day, n in counts.items() if n == worst).isoformat()}
    return sorted(found.values(), key=lambda m: (-m["alerts"], m["path"]))


def add_up(lines, events):
    """The summary of alert lines: plain, and with all of them in memory."""
    times = [json.loads(line)["time"] for line in events.splitlines()]
    end, lives, open_lives = max(times), [], {}
    for a in map(json.loads, lines.splitlines()):
        whose = (a["rule"], tuple(a["path"]), a.get("entity"))
        if a["state"] == "firing":
            life = open_lives.get(whose)
            if life is None:
                life = open_lives[whose] = {"rule": a["rule"], "path": tuple(a["path"]), "name": a["name"], "from": a["time"],
                                            "critical": False, "reason": "still"}
                lives.append(life)
            life["critical"] |= a["severity"] == "critical"
        elif a["state"] == "resolved" and whose in open_lives:
            open_lives.pop(whose).update(to=a["time"], reason=a["reason"] or "back")
    for life in open_lives.values():
        life["to"] = end
    days = {local_day(ms) for ms in times} | {local_day(life["from"]) for life in lives}
    rules = {}
    for rule in {life["rule"] for life in lives}:
        mine = [life for life in lives if life["rule"] == rule]
        lengths = [life["to"] - life["from"] for life in mine]
        keys = collections.Counter((life["path"], life["name"]) for life in mine)
        reasons = collections.Counter(life["reason"] for life in mine)
        rules[rule] = {
            "alerts": len(mine), "critical": sum(life["critical"] for life in mine),
            "warning": sum(not life["critical"] for life in mine), "keys": len(keys), "total_ms": sum(lengths),
            "median_ms": nearest_rank(lengths, 0.5), "longest_ms": max(lengths), "still_firing": reasons.pop("still", 0),
            "resolved": dict(reasons),
            "top": [{"path": list(path), "name": name, "alerts": n}
                    for (path, name), n in sorted(keys.items(), key=lambda item: (-item[1], item[0]))],
            "managers": per_day([(life["path"][:-1], local_day(life["from"])) for life in mine], days)}
    return {"days": len(days), "rules": rules,
            "managers": per_day([(life["path"][:-1], local_day(life["from"])) for life in lives], days)}


class Backtest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="kpid-e2e-")
        self.addCleanup(self.folder.cleanup)
        self.config, self.other = self.write("k.yaml", CONFIG), self.write("other.yaml", OTHER)
        self.history = history()
        self.events = self.write("events.jsonl", self.history)

    def write(self, name, text):
        path = f"{self.folder.name}/{name}"
        with open(path, "w") as f:
            f.write(text)
        return path

    def replay(self, *given, config=None, events=None, **options):
        found = kpictl("replay", "--config", config or self.config, "--events", events or self.events, *given, **options)
        self.assertEqual(found.returncode, 0, found.stderr)
        return found.stdout

    def summary(self, *given, **options):
        return json.loads(self.replay("--summary", "--format", "json", *given, **options))

    def check(self, summary, wanted):
        self.assertEqual((summary["days"], summary["events"]), (wanted["days"], self.history.count("\n")))
        for rule in summary["rules"]:
            want = wanted["rules"].get(rule["rule"])
            if want is None:
                self.assertEqual((rule["alerts"], rule["keys"], rule["median_ms"], rule["top"], rule["managers"], rule["resolved"]),
                                 (0, 0, 0, [], [], {}))
            else:
                self.assertEqual({key: rule[key] for key in want}, want, rule["rule"])
        self.assertEqual(summary["managers"], wanted["managers"])

    def test_the_summary_is_that_of_the_alert_lines(self):
        wanted = add_up(self.replay("--alerts-only"), self.history)
        summary = self.summary()
        self.check(summary, wanted)
        self.assertEqual([rule["rule"] for rule in summary["rules"]], ["quiet", "behind", "silent", "team_quiet", "floor", "never"])
        self.assertEqual(set(wanted["rules"]), {"quiet", "behind", "silent", "team_quiet", "floor"})
        # the history has what is to be told apart
        self.assertGreater(wanted["rules"]["behind"]["resolved"]["period_ended"], 0)
        self.assertGreater(wanted["rules"]["quiet"]["still_firing"], 0)
        self.assertGreater(wanted["rules"]["quiet"]["critical"], 0)
        self.assertGreater(wanted["rules"]["behind"]["warning"], 0)
        self.assertGreater(wanted["rules"]["behind"]["resolved"]["grouped"], 0)
        self.assertIn(["emea", "one"], [top["path"] for top in wanted["rules"]["behind"]["top"]])    # the team's, for them
        self.assertGreater(wanted["rules"]["silent"]["critical"], 0)
        self.assertEqual({tuple(m["path"]) for m in wanted["managers"]},
                         {(), ("emea",), ("amer",), ("unassigned",), ("emea", "one"), ("emea", "two"), ("amer", "west"),
                          ("unassigned", "unassigned")})

    def test_known_numbers(self):
        config = self.write("known.yaml", """
time: {zone: Europe/London}
roster: {members: [{rep: ana, name: Ana, team: one, region: emea}, {rep: bob, name: Bob, team: one, region: emea}]}
kpis: {calls: {aggregate: count, where: {type: call}, windows: [1h]}}
alerts: {busy: {kpi: calls, window: 1h, level: rep, warning: {above: 1}, critical: {above: 2}}}
""")
        minute, day = 60000, 86400000
        first = 1780272000000       # 2026-06-01T00:00:00Z, one in the morning in London
        at = [(first, "ana"), (first + minute, "ana"), (first + 2 * minute, "ana"),             # warning, critical
              (first + day + 22 * 60 * minute + 58 * minute, "bob"), (first + day + 22 * 60 * minute + 59 * minute, "bob"),
              (first + day + 23 * 60 * minute, "ana"), (first + day + 23 * 60 * minute + minute, "ana")]  # midnight: the third
        events = self.write("known.jsonl", "".join(json.dumps({"type": "call", "rep": rep, "time": t}) + "\n" for t, rep in at))
        summary = self.summary(config=config, events=events)
        rule = summary["rules"][0]
        self.assertEqual((summary["days"], summary["from"], summary["to"], summary["zone"]), (3, at[0][0], at[-1][0], "Europe/London"))
        self.assertEqual((rule["alerts"], rule["warning"], rule["critical"], rule["keys"], rule["still_firing"], rule["resolved"]),
                         (3, 2, 1, 2, 2, {"back": 1}))
        self.assertEqual((rule["longest_ms"], rule["median_ms"]), (60 * minute, 2 * minute))
        self.assertEqual(rule["top"], [{"path": ["emea", "one", "ana"], "name": "Ana", "alerts": 2},
                                       {"path": ["emea", "one", "bob"], "name": "Bob", "alerts": 1}])
        self.assertEqual(rule["managers"], [{"path": ["emea", "one"], "alerts": 3, "mean": 1, "p90": 1, "worst": 1, "worst_day": "2026-06-01"}])

    def test_the_median_of_very_many_alerts(self):
        config = self.write("many.yaml", """
roster: {members: [{rep: ana, name: Ana, team: one, region: emea}]}
kpis: {calls: {aggregate: count, where: {type: call}, windows: [1h]}}
alerts: {quiet: {kpi: calls, window: 1s/1s, level: rep, warning: {below: 1}, hours: always, flapping: {changes: 0}}}
""")
        random.seed(3)
        at, gaps = 1780272000000, [random.randrange(2, 600) for _ in range(17000)]
        events = []
        for gap in gaps:
            events.append('{"type":"call","rep":"ana","time":%d}\n' % at)
            at += gap * 1000
        rule = self.summary(config=config, events="-", input="".join(events))["rules"][0]
        lengths = [(gap - 1) * 1000 for gap in gaps[:-1]]
        self.assertEqual((rule["alerts"], rule["total_ms"], rule["longest_ms"]), (len(lengths), sum(lengths), max(lengths)))
        self.assertAlmostEqual(rule["median_ms"], nearest_rank(lengths, 0.5), delta=0.01 * rule["median_ms"])

    def test_two_configurations_and_their_difference(self):
        both = self.summary("--against", self.other)
        self.check(both["before"], add_up(self.replay("--alerts-only"), self.history))
        self.check(both["after"], add_up(self.replay("--alerts-only", config=self.other), self.history))
        rules = [{rule["rule"]: rule for rule in both[side]["rules"]} for side in ("before", "after")]
        self.assertEqual([d["rule"] for d in both["difference"]["rules"]], ["quiet", "behind", "silent", "team_quiet", "floor", "never", "always"])
        for d in both["difference"]["rules"]:
            for key in ("alerts", "warning", "critical", "keys", "total_ms"):
                before, after = (side.get(d["rule"], {}).get(key, 0) for side in rules)
                self.assertEqual(d[key], after - before, (d["rule"], key))
        managers = [{tuple(m["path"]): m for m in both[side]["managers"]} for side in ("before", "after")]
        self.assertEqual({tuple(d["path"]) for d in both["difference"]["managers"]}, set(managers[0]) | set(managers[1]))
        for d in both["difference"]["managers"]:
            for key in ("alerts", "mean", "p90", "worst"):
                before, after = (side.get(tuple(d["path"]), {}).get(key, 0) for side in managers)
                self.assertAlmostEqual(d[key], after - before)
        text = self.replay("--against", self.other, "--summary")
        for wanted in (f"before: {self.config}\n", f"after: {self.other}\n", "  gone\n", "  new\n"):
            self.assertIn(wanted, text)

    def test_the_same_bytes_twice_and_no_lines_beside_it(self):
        for given in (("--summary",), ("--summary", "--format", "json"), ("--summary", "--against", self.other)):
            self.assertEqual(self.replay(*given), self.replay(*given))
            self.assertEqual(self.replay(*given), self.replay(*given, "--alerts-only", "--at", "2026-03-20T12:00:00Z"))

    def test_text_for_people(self):
        text = self.replay("--summary", env={**os.environ, "LC_ALL": "C.UTF-8"})
        summary = self.summary()
        self.assertIn(f"{summary['events']} events on {summary['days']} days, 2026-03-09 to 2026-05-02 (Europe/London)\n", text)
        for rule in summary["rules"]:
            self.assertRegex(text, rf"\n{rule['rule']} +{rule['level']} +{rule['alerts']} +{rule['critical']} +{rule['keys']} ")
        for m in summary["managers"]:
            self.assertRegex(text.split("\nall rules\n")[1], rf"  {' / '.join(m['path']) or 'company'} +{m['alerts']} +{m['mean']:.2f} "
                             rf"+{m['p90']} +{m['worst']} on {m['worst_day']}\n")

    def test_nothing_came(self):
        self.assertEqual(self.replay("--summary", events="-", input=""), "no event, no day, no alert\n")
        empty = self.summary(events="-", input="")
        self.assertEqual((empty["from"], empty["days"], empty["managers"], len(empty["rules"])), (None, 0, [], 6))
        no_rules = self.write("none.yaml", "kpis: {calls: {aggregate: count}}\n")
        self.assertEqual(self.summary(config=no_rules)["rules"], [])
        self.replay("--summary", config=no_rules)

    def test_wrong_use(self):
        for given in (("--format", "text"), ("--summary", "--format", "xml")):
            self.assertEqual(kpictl("replay", "--config", self.config, "--events", self.events, *given).returncode, 2)

    def test_a_bar_on_a_terminal_alone(self):
        end, other = pty.openpty()
        self.addCleanup(os.close, end)
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        process = subprocess.run([KPICTL, "replay", "--config", self.config, "--events", self.events, "--summary"],
                                 stdout=subprocess.PIPE, stderr=other, timeout=60)
        os.close(other)
        seen = b""
        while True:
            try:
                more = os.read(end, 65536)
            except OSError:         # Linux: the other end is closed
                break
            if not more:
                break
            seen += more
        self.assertEqual(process.returncode, 0)
        self.assertRegex(seen.decode(), r"\[\.*#*\.*\] +\d+%  \d+ events")
        self.assertTrue(seen.decode().split("\033[K")[-1].startswith("replayed "), seen)    # the bar is gone
        self.assertEqual(process.stdout.decode(), self.replay("--summary"))
        found = kpictl("replay", "--config", self.config, "--events", self.events, "--summary")
        self.assertNotIn("[", found.stderr)


main()
