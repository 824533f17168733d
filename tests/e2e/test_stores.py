"""A store that an older kpid has written is opened by this one, with all that was in it.

tests/e2e/stores has one of each version of the store or of checkpoints that there was, as SQL.

test_stores.py --make FILE.sql      write one of today's, when either has become another (see README.md there)
"""
import contextlib
import glob
import sqlite3

from daemon import *

STORES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stores")
FLOOR = """
storage: {path: store, checkpoint_every: 1h, samples: 1s}
time: {clock: event, zone: Europe/London}
roster: {levels: [team, rep], unknown: accept, members: [{rep: ana, team: one}, {rep: ben, team: two}]}
kpis:
  calls: {aggregate: count, where: {type: call}, windows: [1h, day, 30d]}
  talk: {aggregate: sum, of: duration, where: {type: call}, windows: [day, 30d], unit: s}
  typical: {aggregate: median, of: duration, where: {type: call}, windows: [30d]}
  spread: {aggregate: stddev, of: duration, where: {type: call}, windows: [30d]}
  shortest: {aggregate: min, of: duration, where: {type: call}, windows: [30d]}
  newest: {aggregate: last, of: duration, where: {type: call}, windows: [30d]}
  clients: {aggregate: distinct, of: client, where: {type: call}, windows: [30d]}
  per_client: {formula: talk / clients, windows: [30d]}
  by_client: {aggregate: count, where: {type: call}, by: [client], windows: [30d]}
  open_deals: {aggregate: count, of: {open: {per: deal, closed: {type: stage, stage: won}}}, windows: [day]}
  speed: {aggregate: mean, of: {elapsed: {from: {type: lead}, to: {type: stage, stage: won}, per: deal}}, windows: [30d], unit: s}
  wins: {aggregate: count, where: {type: stage, stage: won}, once: {per: deal}, windows: [30d]}
alerts:
  many: {kpi: calls, window: 30d, level: rep, warning: {above: 8}, hours: always}
"""
START = 1_773_000_000_000       # of 2026-03-08
HOUR = 3_600_000


def events(first, last):
    for n in range(first, last):
        at = START + n * HOUR
        yield {"type": "call", "rep": ("ana", "ben", "cleo")[n % 7 % 3], "client": f"c{n * n % 11}", "duration": n * 37 % 101,
               "id": f"call-{n}", "source": "pbx", "time": at}
        yield {"type": "lead", "rep": "ana", "deal": f"d{n}", "id": f"lead-{n}", "source": "crm", "time": at}
        if n % 3 == 0:
            yield {"type": "stage", "stage": "won", "rep": "ana", "deal": f"d{n // 2}", "id": f"won-{n}", "source": "crm", "time": at + 60_000}


def state(d):
    """All that somebody would miss: numbers, alerts, silences, history."""
    numbers = {}
    for level in ("company", "team", "rep", "@client"):
        for s in d.ask(op="get", level=level)["snapshots"]:
            for kpi, windows in s["kpis"].items():
                for window, cell in windows.items():
                    numbers[f'{level} {s["key"]} {kpi} {window}'] = (cell["value"], cell["n"])
    alerts = sorted((a["id"], a["rule"], a["key"], a["state"], a["since"], a["acked_by"] or "") for a in d.ask(op="alerts")["alerts"])
    silences = [(s["id"], s["matchers"], s["until"]) for s in d.ask(op="silences")["silences"]]
    told = [(a["id"], a["state"]) for a in d.ask(op="history", alerts=True)["alerts"]]
    return json.loads(json.dumps([numbers, alerts, silences, told]))


class Stores(Case):
    def put(self, d, sql):
        """In place of its own."""
        for name in glob.glob(f"{d.folder.name}/store/kpid.db*"):
            os.unlink(name)
        with contextlib.closing(sqlite3.connect(f"{d.folder.name}/store/kpid.db")) as db:
            db.executescript(sql)

    def test_each_opens_with_all_that_was_in_it(self):
        found = sorted(glob.glob(f"{STORES}/*.sql"))
        self.assertTrue(found)
        for file in found:
            with self.subTest(os.path.basename(file)):
                with open(file) as f:
                    sql = f.read()
                expected = json.loads(re.match("-- (.*)", sql)[1])
                d = self.daemon(FLOOR, transport="ipc")
                d.quit()
                self.put(d, sql)
                d.start()
                self.assertFalse([line for line in d.log if "damage" in line])
                self.assertTrue(any("event=loaded" in line and "kpis_new=0" in line for line in d.log), d.log)
                self.maxDiff = None
                self.assertEqual(state(d), expected)
                again = d.send(*events(25, 40))     # from the checkpoint and the journal: all are known
                self.assertEqual((again["accepted"], again["rejected"]), (0, 0))
                d.send(*events(40, 41))     # and it goes on
                self.assertNotEqual(state(d)[0], expected[0])
                d.stop()


def make(file):
    d = Daemon(FLOOR, transport="ipc")
    d.send(*events(0, 30))
    assert d.ask(op="silence", matchers={"rule": "many", "key": "ben"}, until=START + 900 * HOUR, by="maria")["ok"]
    assert d.ask(op="ack", matchers={"rule": "many", "key": "ana"}, by="maria")["ok"]
    assert d.ask(op="alerts")["alerts"]
    assert kpictl("checkpoint", "--control", d.endpoints["control"]).returncode == 0
    d.send(*events(30, 40))         # in the journal alone
    until(lambda: d.ask(op="history", kpi="calls", window="day", key="ana")["values"], "a sample")
    seen = state(d)
    d.kill()
    with contextlib.closing(sqlite3.connect(f"{d.folder.name}/store/kpid.db")) as db, open(file, "w") as f:
        version = [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id")]
        f.write(f"-- {json.dumps(seen)}\nPRAGMA user_version={version[0]};\nPRAGMA application_id={version[1]};\n")
        f.writelines(f"{line}\n" for line in db.iterdump())
    d.zmq.destroy(0)


if __name__ == "__main__":
    if "--make" in sys.argv:
        make(sys.argv[sys.argv.index("--make") + 1])
    else:
        main()
