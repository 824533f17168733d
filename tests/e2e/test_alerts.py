"""Alerts: what makes them, what they say, and when they end. Time is mostly that of the events, so nothing is waited for."""
import json
import random

from daemon import Case, kpictl, main, receive, until

CONFIG = """
time: {clock: event}
roster:
  members: [{rep: ana, name: Ana Silva, team: one, region: emea}, {rep: bob, team: two, region: apac}]
kpis:
  calls: {title: Calls made, aggregate: count, where: {type: call}, windows: [10s/1s, day]}
  sales: {aggregate: sum, of: amount, where: {type: stage}, windows: [day], unit: GBP}
  talk: {aggregate: mean, of: duration, where: {type: call}, windows: [day], unit: s}
  bought: {aggregate: sum, of: amount, where: {type: stage}, by: [client], windows: [day]}
targets:
  - {kpi: calls, per: day, value: 10}
alerts:
"""
QUIET = '  quiet: {kpi: calls, window: 10s/1s, level: rep, warning: {below: 1}, for: 5s}\n'
SALES = '  sales: {kpi: sales, window: day, level: rep, warning: {above: 100}, critical: {above: 200}, clear: 10%, keep_firing_for: 5s}\n'
FIELDS = {"v", "kind", "seq", "id", "rule", "kpi", "window", "level", "key", "name", "path", "state", "severity", "value",
          "target", "expected", "ratio", "threshold", "p", "since", "time", "reason", "events", "message", "coaching",
          "acked_by", "silenced"}
START = 1_000_000       # 00:16:40 on the first day of 1970
DAY = 86_400_000


class Alerts(Case):
    def begin(self, alerts, *prefixes, config=CONFIG):
        self.d = self.daemon(config + alerts)
        self.sub = self.d.subscribe(*prefixes)
        until(lambda: self.d.metrics()["kpid_publish_subscriptions"] == len(prefixes))

    def next(self):
        return receive(self.sub)[1]

    def send(self, seconds, rep="ana", **fields):
        event = {"type": "call", "rep": rep, "time": START + seconds * 1000, **fields}
        self.assertEqual(self.d.send(event)["accepted"], 1)

    def sell(self, seconds, amount, **fields):
        self.send(seconds, type="stage", amount=amount, **fields)

    def advance(self, seconds):
        self.assertTrue(self.d.ask(op="advance", time=START + seconds * 1000)["ok"])

    def told(self, alert):
        return alert["state"], (alert["time"] - START) // 1000

    def test_an_alert_comes_with_its_event_and_holds_every_field(self):
        self.begin(SALES, "alert/emea/one/ana/")
        self.sell(0, 150, id="deal-1")
        alert = self.next()
        self.assertLessEqual(FIELDS, set(alert))
        self.assertEqual({k: alert[k] for k in ("v", "kind", "rule", "kpi", "window", "level", "key", "name", "path", "state")},
                         {"v": 1, "kind": "alert", "rule": "sales", "kpi": "sales", "window": "day", "level": "rep", "key": "ana",
                          "name": "Ana Silva", "path": ["emea", "one", "ana"], "state": "firing"})
        self.assertEqual((alert["severity"], alert["value"], alert["threshold"], alert["since"], alert["time"], alert["events"]),
                         ("warning", 150, 100, START, START, ["deal-1"]))
        self.assertEqual([alert[k] for k in ("target", "expected", "ratio", "p", "reason", "coaching", "acked_by", "silenced")],
                         [None] * 7 + [False])
        self.assertRegex(alert["id"], "^[0-9a-f]+$")
        self.d.stop()

    def test_nothing_for_a_while_is_told_by_time_alone(self):
        self.begin(QUIET, "pending/emea/", "alert/emea/")
        self.send(0)
        self.advance(60)
        pending, firing = self.next(), self.next()
        self.assertEqual((self.told(pending), self.told(firing)), (("pending", 10), ("firing", 15)))
        self.assertEqual((firing["since"], firing["id"]), (START + 10_000, pending["id"]))
        self.send(61)
        resolved = self.next()
        self.assertEqual((self.told(resolved), resolved["id"]), (("resolved", 61), pending["id"]))
        self.d.stop()

    def test_time_that_moves_with_somebody_else_s_event_tells_the_same(self):
        self.begin(QUIET, "pending/emea/", "alert/emea/")
        self.send(0)
        self.send(60, rep="bob")
        self.assertEqual([self.told(self.next()) for _ in range(2)], [("pending", 10), ("firing", 15)])
        self.d.stop()

    def test_the_wall_clock_tells_the_same(self):
        self.begin("  quiet: {kpi: calls, window: 5s/1s, level: rep, warning: {below: 1}, for: 1s}\n", "pending/apac/", "alert/apac/",
                   config=CONFIG.replace("clock: event", "clock: wall").replace("10s/1s", "5s/1s"))
        topic, alert = receive(self.sub, lambda topic, alert: alert["state"] == "firing")
        self.assertEqual((topic, alert["value"]), ("alert/apac/two/bob/", 0))
        self.assertGreaterEqual(alert["time"] - alert["since"], 1000)
        self.d.send({"type": "call", "rep": "bob"})
        self.assertEqual(self.next()["state"], "resolved")
        topic, alert = receive(self.sub)        # the call leaves the window
        self.assertEqual((topic, alert["state"]), ("pending/apac/two/bob/", "pending"))
        self.assertEqual(receive(self.sub)[1]["state"], "firing")
        self.d.stop()

    def test_what_passes_before_its_time_is_never_an_alert(self):
        self.begin(QUIET, "pending/emea/", "alert/emea/")
        self.send(0)
        self.advance(12)
        self.send(13)
        found = [receive(self.sub) for _ in range(2)]
        self.assertEqual([(topic, *self.told(alert)) for topic, alert in found],
                         [("pending/emea/one/ana/", "pending", 10), ("pending/emea/one/ana/", "resolved", 13)])
        self.d.stop()

    def test_it_is_told_again_while_it_fires(self):
        self.begin(QUIET.replace("for: 5s", "for: 5s, repeat: 20s"), "alert/emea/")
        self.send(0)
        self.advance(60)
        self.assertEqual([self.told(self.next()) for _ in range(3)], [("firing", 15), ("firing", 35), ("firing", 55)])
        self.d.stop()

    def test_severity_changes_and_clear_and_keep_firing_hold(self):
        self.begin(SALES, "alert/emea/")
        for second, amount in ((0, 150), (1, 100), (2, -60), (3, -15)):     # 150, 250, 190 (not yet back), 175
            self.sell(second, amount)
        found = [self.next() for _ in range(3)]
        self.assertEqual([(a["severity"], a["value"], a["threshold"]) for a in found],
                         [("warning", 150, 100), ("critical", 250, 200), ("warning", 175, 100)])
        self.assertEqual(len({a["id"] for a in found}), 1)
        for second, amount in ((4, -80), (5, -10), (8, 10), (9, -10)):      # 95 (not yet back), 85, 95, 85
            self.sell(second, amount)
        self.advance(60)
        resolved = self.next()
        self.assertEqual((self.told(resolved), resolved["value"], resolved["reason"]), (("resolved", 14), 85, None))
        self.d.stop()

    def test_the_message_says_what_its_template_asks_for(self):
        self.begin('  behind: {kpi: calls, window: day, level: rep, compare: target, warning: {below: 50%}, critical: {below: 15%},\n'
                   '    coaching: "Call more",\n'
                   '    message: "{name} ({key}, {path}): {title} {value} of {target} = {percent}; {severity} {rule} {window}"}\n',
                   "alert/emea/")
        self.send(0)
        alert = self.next()
        self.assertEqual(alert["message"], "Ana Silva (ana, emea / one / ana): Calls made 1 of 10 = 10%; critical behind day")
        self.assertEqual((alert["target"], alert["ratio"], alert["coaching"]), (10, 0.1, "Call more"))
        self.d.stop()

    def test_a_source_that_is_silent_is_told_of_once(self):
        self.begin(QUIET, "alert/", config=CONFIG.replace("\nroster:", "\nsources: {pbx: {heartbeat: 20s}}\nroster:"))
        self.send(0, source="pbx")
        self.d.ask(op="advance", time=START + 60_000)
        alert = receive(self.sub, lambda t, m: m["rule"] == "kpid.source")[1]
        self.assertEqual(FIELDS - alert.keys(), set())
        self.assertEqual((alert["state"], alert["entity"], alert["level"], alert["path"]), ("firing", "pbx", "company", []))
        self.assertIn("source pbx has been silent", alert["message"])
        self.assertIn("kpid.source", [a["rule"] for a in self.d.ask(op="alerts")["alerts"]])
        self.send(61, source="pbx")
        over = receive(self.sub, lambda t, m: m["rule"] == "kpid.source")[1]
        self.assertEqual((over["state"], over["id"]), ("resolved", alert["id"]))
        self.assertNotIn("kpid.source", [a["rule"] for a in self.d.ask(op="alerts")["alerts"]])
        self.d.stop()

    def test_too_few_samples_are_no_alert(self):
        self.begin("  long: {kpi: talk, window: day, level: rep, warning: {above: 60}, min_count: 3}\n", "alert/emea/")
        for second in range(3):
            self.send(second, duration=600)
        alert = self.next()
        self.assertEqual((self.told(alert), alert["value"]), (("firing", 2), 600))
        self.d.stop()

    def test_the_end_of_the_day_ends_it(self):
        self.begin(SALES, "alert/emea/")
        self.sell(0, 150)
        self.next()
        self.assertTrue(self.d.ask(op="advance", time=DAY + 1000)["ok"])
        alert = self.next()
        self.assertEqual((alert["state"], alert["reason"], alert["time"]), ("resolved", "period_ended", DAY))
        self.d.stop()

    def test_every_level_and_other_groups_have_their_own_topics(self):
        rule = "  {0}: {{kpi: {1}, window: day, level: \"{2}\", warning: {{above: 100}}}}\n"
        self.begin("".join(rule.format(*r) for r in (("c", "sales", "company"), ("r", "sales", "region"), ("t", "sales", "team"),
                                                     ("p", "sales", "rep"), ("g", "bought", "@client"))), "alert/")
        self.sell(0, 150, client="a/c\n%é")
        found = dict(receive(self.sub) for _ in range(5))
        self.assertEqual({topic: alert["rule"] for topic, alert in found.items()},
                         {"alert/": "c", "alert/emea/": "r", "alert/emea/one/": "t", "alert/emea/one/ana/": "p",
                          "alert/@client/a%2Fc%0A%25é/": "g"})
        group = found["alert/@client/a%2Fc%0A%25é/"]
        self.assertEqual((group["level"], group["key"], group["path"]), ("@client", "a/c\n%é", ["@client", "a/c\n%é"]))
        self.assertEqual(found["alert/"]["path"], [])
        self.d.stop()

    def test_asked_for_alerts_are_those_that_were_told(self):
        self.begin(SALES + QUIET, "alert/")
        self.sell(0, 150)
        told = self.next()
        listed = {a["rule"]: a for a in self.d.ask(op="alerts")["alerts"] if a["key"] == "ana"}
        self.assertEqual({k: v for k, v in listed["sales"].items() if k != "seq"}, {k: v for k, v in told.items() if k != "seq"})
        self.assertEqual(listed["quiet"]["state"], "pending")
        self.d.stop()

    def test_replay_says_what_the_daemon_says(self):
        draw = random.Random(5)
        self.begin(SALES + QUIET, "alert/", "pending/")
        events, second = [], 0
        for i in range(300):
            second += draw.choice((0, 1, 1, 2, 20))
            events.append({"type": draw.choice(("call", "stage")), "rep": draw.choice(("ana", "bob")), "id": str(i),
                           "amount": draw.randrange(-60, 70), "time": START + second * 1000})
        for event in events:
            self.assertEqual(self.d.send(event)["accepted"], 1)
        with open(f"{self.d.folder.name}/events.jsonl", "w") as f:
            f.writelines(json.dumps(event) + "\n" for event in events)
        found = kpictl("replay", "--config", self.d.file, "--events", f.name, "--alerts-only")
        self.assertEqual(found.returncode, 0, found.stderr)
        replayed = [json.loads(line) for line in found.stdout.splitlines()]
        self.assertGreater(len(replayed), 20)
        told = [self.next() for _ in replayed]
        for alert in (*told, *replayed):
            del alert["seq"]
        self.assertEqual(told, replayed)
        self.d.stop()


main()
