"""Somebody is forgotten, and nothing of them is left in any file of the store."""
import os
import sqlite3

from daemon import *

FLOOR = """
storage: {path: store, checkpoint_every: 1h, keep_events: 30d, samples: 1s}
roster: {levels: [region, team, rep], unknown: accept, members: [%s]}
kpis:
  calls: {aggregate: count, where: {type: call}, windows: [day, 30d]}
  by_client: {aggregate: count, where: {type: call}, by: [client], windows: [day, 30d]}
  new_clients: {aggregate: count, where: {type: call}, once: {per: client}, windows: [30d]}
alerts:
  many: {kpi: calls, window: 30d, level: rep, warning: {above: 2}, hours: always}
  crowd: {kpi: calls, window: 30d, level: rep, warning: {above: 2}, hours: always, group: 50%%}
"""
ANA = "{rep: anasilva, name: Ana Silveira, team: one, region: x}, "
BEN = "{rep: ben, team: one, region: x}, {rep: eva, team: one, region: x}"
MARKS = (b"anasilva", b"Ana Silveira", b"secret-note", b"c-hidden")


def call(n, rep, **fields):
    return {"type": "call", "id": f"{n}", "source": "s", "rep": rep, "time": now_ms() - 1000, **fields}


class Forget(Case):
    def store(self, d):
        return f"{d.folder.name}/store"

    def left(self, d, marks):
        """Which of the marks stand in which file."""
        found = []
        for name in os.listdir(self.store(d)):
            with open(f"{self.store(d)}/{name}", "rb") as f:
                text = f.read()
            found += [(name, mark) for mark in marks if mark in text]
        return found

    def rows(self, d, sql):
        with sqlite3.connect(f"file:{self.store(d)}/kpid.db?mode=ro", uri=True) as db:
            return db.execute(sql).fetchall()

    def forget(self, d, *arguments):
        return subprocess.run([KPICTL, "forget", "--control", d.endpoints["control"], *arguments], capture_output=True, text=True,
                              timeout=DEADLINE * 3)

    def fill(self, d):
        """As MessagePack and as JSON, alone, in batches, and together with others."""
        d.send(*[call(n, "anasilva" if n % 2 else "ben", client="c-hidden" if n % 3 else "c-2", note="secret-note" if n % 2 else "n")
                 for n in range(12)])
        s = d.socket(zmq.REQ, "router")
        for payload in ([call(20, "anasilva", note="secret-note"), call(21, "ben", text='a "quoted, [text"'), call(22, "anasilva")],
                        call(23, "anasilva", note="secret-note"), [call(24, "ben")]):
            s.send(json.dumps(payload, indent=1).encode())
            self.assertEqual(json.loads(s.recv())["rejected"], 0)
        s.close()
        until(lambda: self.rows(d, "SELECT 1 FROM history WHERE path LIKE '%anasilva'"), "history")
        until(lambda: self.rows(d, "SELECT 1 FROM alert WHERE body LIKE '%anasilva%'"), "alert")

    def off_the_roster(self, d):
        with open(d.file) as f:
            text = f.read()
        with open(d.file, "w") as f:
            f.write(text.replace(ANA, ""))
        self.assertTrue(d.ask(op="reload")["ok"])

    def test_nothing_is_left_and_nobody_else_loses_anything(self):
        d = self.daemon(FLOOR % (ANA + BEN))
        self.fill(d)
        self.assertEqual(self.forget(d, "anasilva").returncode, 2)      # stands in the roster
        self.off_the_roster(d)
        kpictl("checkpoint", "--control", d.endpoints["control"])
        self.assertEqual({mark for _, mark in self.left(d, MARKS)}, set(MARKS))
        self.assertTrue(self.rows(d, "SELECT 1 FROM alert, json_each(body, '$.members') WHERE value = 'anasilva'"))
        before = {name: d.value(*name) for name in (("team", "one", "calls", "30d"), ("company", "", "calls", "30d"),
                                                    ("rep", "ben", "calls", "30d"), ("company", "", "new_clients", "30d"))}
        watch = d.subscribe("alert/")
        done = self.forget(d, "anasilva")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("anasilva: 1 keys", done.stdout)
        receive(watch, lambda topic, m: (m["rule"], m["key"], m["state"], m["reason"]) == ("many", "anasilva", "resolved", "forgotten"))
        self.assertEqual(self.left(d, MARKS[:3]), [])
        self.assertEqual(self.forget(d, "--field", "client", "c-hidden").returncode, 0)
        self.assertEqual(self.left(d, MARKS), [])
        self.assertIsNone(d.value("rep", "anasilva", "calls", "30d"))
        self.assertEqual({name: d.value(*name) for name in before}, before)
        events = sum(n for (n,) in self.rows(d, "SELECT events FROM journal"))
        self.assertEqual(events, 4)     # ben's: of twelve the two that are of the other client, and two of JSON
        self.assertGreater(d.metrics()["kpid_erased_rows_total"], 0)
        d.kill()
        d.start()
        self.assertEqual({name: d.value(*name) for name in before}, before)
        self.assertEqual(self.rows(d, "SELECT count(*) FROM meta WHERE key GLOB 'forget*'"), [(0,)])
        d.send(call(90, "anasilva"))        # somebody else of that name
        self.assertEqual(d.value("rep", "anasilva", "calls", "30d"), 1)
        d.stop()

    def test_what_is_left_fills_what_is_new(self):
        d = self.daemon(FLOOR % BEN)
        self.fill(d)
        self.assertEqual(self.forget(d, "anasilva").returncode, 0)
        with open(d.file) as f:
            text = f.read()
        with open(d.file, "w") as f:
            f.write(text.replace("kpis:\n", "kpis:\n  again: {aggregate: count, where: {type: call}, windows: [30d]}\n"))
        self.assertTrue(d.ask(op="reload")["ok"])
        self.assertEqual(d.value("rep", "ben", "again", "30d"), 8)
        self.assertEqual(d.value("rep", "ben", "calls", "30d"), 8)
        self.assertIsNone(d.value("rep", "anasilva", "again", "30d"))
        d.stop()

    def test_a_crash_before_it_is_done(self):
        """It is forgotten again, and erased in the end, whenever kpid is killed."""
        d = self.daemon(FLOOR % BEN)
        self.fill(d)
        for n in range(5):
            d.send(*[call(f"{n}-{i}", "anasilva", note="secret-note") for i in range(3)])
            self.assertTrue(d.ask(op="forget", key="anasilva")["ok"])
            time.sleep(n * 0.15)        # kills at different stages
            d.kill()
            d.start()
            self.assertIsNone(d.value("rep", "anasilva", "calls", "30d"))
        until(lambda: d.ask(op="status")["storage"]["forgetting"] == 0, "the end")
        self.assertEqual(self.left(d, MARKS[:3]), [])
        self.assertEqual(d.value("company", "", "calls", "30d"), 32)
        d.stop()

    def erased(self, d, marks):
        until(lambda: d.ask(op="status")["storage"]["forgetting"] == 0, "the end")
        self.assertEqual(self.left(d, marks), [])

    def test_an_end_while_one_waits_for_another(self):
        for end in ("quit", "kill"):
            d = self.daemon(FLOOR % BEN)
            d.send(*[call(f"{rep}{n}", rep, note=f"secret-{rep}") for rep in ("anasilva", "bobmarley", "ben") for n in range(3)])
            for rep in ("anasilva", "bobmarley"):
                self.assertTrue(d.ask(op="forget", key=rep)["ok"])
            if end == "kill":
                kpictl("checkpoint", "--control", d.endpoints["control"])
            getattr(d, end)()
            d.start()
            self.erased(d, (b"anasilva", b"bobmarley", b"secret-bob"))
            self.assertEqual(d.value("company", "", "calls", "30d"), 9)
            d.stop()

    def test_a_crash_while_somebody_reads(self):
        """The log can't be emptied as long as somebody reads; kpid dies meanwhile."""
        d = self.daemon(FLOOR % BEN)
        self.fill(d)
        reader = sqlite3.connect(f"file:{self.store(d)}/kpid.db?mode=ro", uri=True, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM journal").fetchone()
        self.assertTrue(d.ask(op="forget", key="anasilva")["ok"])
        until(lambda: self.rows(d, "SELECT 1 FROM meta WHERE key GLOB 'forget:*' AND value->>'$[2]' = ''"), "the last step")
        self.assertEqual(d.ask(op="status")["storage"]["forgetting"], 1)
        d.kill()
        reader.close()
        d.start()
        self.erased(d, MARKS[:3])
        d.stop()

    def test_who_may_not(self):
        d = self.daemon(FLOOR % BEN)
        self.assertIn("needs", d.ask(op="forget")["error"])
        self.assertIn("no KPI asks", d.ask(op="forget", field="cliemt", key="x")["error"])
        self.assertEqual(self.forget(d).returncode, 2)
        self.assertEqual(self.forget(d, "--copy", "x", "y").returncode, 2)
        done = self.forget(d, "--json", "nobody")
        self.assertEqual((done.returncode, json.loads(done.stdout)["keys"]), (0, 0))
        d.stop()

    def test_without_a_store(self):
        d = self.daemon("\n".join(line for line in (FLOOR % BEN).splitlines() if "storage:" not in line))
        d.send(call(1, "anasilva"))
        self.assertEqual(self.forget(d, "anasilva").returncode, 0)
        self.assertIsNone(d.value("rep", "anasilva", "calls", "30d"))
        self.assertEqual(d.value("company", "", "calls", "30d"), 1)
        d.stop()


if __name__ == "__main__":
    main()
