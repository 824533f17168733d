#!/usr/bin/python3
"""Random histories of leads, deals and clients through `kpictl replay`, against SQL. See README.md."""
import json
import random
import sys
import tempfile

from generate import DAY, HOUR, ZONES, currencies, rfc3339
from histories import HistoryOracle
from run import main, replay, write_case

STAGES = ["rapport", "qualifying", "money", "asking", "won"]
LOST = ["lost", "withdrawn"]
REPS = ["r1", "r2", "r3", "r4", "ext:1", "x-9"]
WHERES = [{"type": "lead"}, {"type": "stage", "stage": "won"}, {"type": "stage", "stage": ["won", "lost"]}, {"type": ["call", "email"]},
          {"type": "call", "automated": {"ne": True}}, {"type": "stage"}, {"type": "stage", "stage": "rapport"}, {},
          [{"type": "lead", "direction": "inbound"}, {"type": "call", "amount": {"gte": 100}}], {"stage": {"ne": "won"}}]
BEGIN = 1772323200000       # 2026-03-01T00:00:00Z


def elapsed(rng):
    return {"elapsed": {"from": rng.choice(WHERES), "to": rng.choice(WHERES)}}


def cohort(rng):
    return {"cohort": {"from": rng.choice(WHERES), "to": rng.choice(WHERES), "within": rng.choice(["1m", "30m", "6h", "3d"])}}


def repeat(rng):
    of = {"repeat": {}}
    if rng.random() < 0.7:
        of["repeat"]["from"] = rng.choice([1, 2, 2, 3, 5])
    if rng.random() < 0.5:
        of["repeat"]["within"] = rng.choice(["10m", "2h", "2d"])
    return of


def opened(rng):
    of = {"open": {"closed": rng.choice(WHERES)}}
    if rng.random() < 0.5:
        of["open"]["opened"] = rng.choice(WHERES)
    return of


def kpi(rng, pool):
    kind = rng.choice([elapsed, elapsed, cohort, repeat, opened, opened, None])
    per = rng.choice(["deal", "deal", "lead", "client"])
    out = {"aggregate": rng.choice(["sum", "mean", "stddev", "median", "p90", "p25", "count"]), "windows": rng.sample(pool, 2)}
    if rng.random() < 0.4:
        out["where"] = rng.choice(WHERES)
    if rng.random() < 0.3:
        out["by"] = rng.choice([["product"], ["stage"], ["product", "stage"]])
    if kind:
        out["of"] = kind(rng)
        form = next(iter(out["of"].values()))
        form["per"] = per
        if kind is repeat:
            out["aggregate"] = "count"
        if kind is opened and out["aggregate"] != "count":
            form["field"] = rng.choice(["amount", "duration"])
    elif out["aggregate"] != "count" or rng.random() < 0.3:
        out["of"] = rng.choice(["amount", "duration"])
    if kind is not opened and (not kind or rng.random() < 0.4):
        out["once"] = {"per": per}
        if rng.random() < 0.7:
            out["once"]["reversed_by"] = rng.choice(WHERES)
    return out


def funnel(rng, pool):
    stages = STAGES[:rng.randint(2, 5)]
    out = {"per": rng.choice(["deal", "client"]), "stages": stages, "windows": rng.sample(pool, 2)}
    if rng.random() < 0.7:
        out["lost"] = rng.sample(LOST, rng.randint(1, 2))
    if rng.random() < 0.3:
        out["where"] = rng.choice([{"type": ["stage", "call"]}, {"direction": "outbound"}])
    return out


def funnel_kpis(name, cfg):
    parts = {"entered": "count", "converted": "mean", "median_time": "median", "open": "count", "skipped": "count"}
    return {f"{name}.{stage}.{part}": {"aggregate": agg, "windows": cfg["windows"], "funnel": (cfg, i, part)}
            for i, stage in enumerate(cfg["stages"]) for part, agg in parts.items()
            if i + 1 < len(cfg["stages"]) or part in ("entered", "open")}


class EntityCase:
    """Few entities with long histories: late, twice, moved back, stages skipped, reopened, from one rep to another."""

    def __init__(self, seed):
        rng = self.rng = random.Random(seed)
        self.seed, self.zone, self.week_starts = seed, rng.choice(ZONES), "monday"
        self.dedup_ms = 24 * HOUR
        self.span = rng.choice([3 * HOUR, 30 * HOUR, 6 * DAY])
        self.short = seed % 2 == 0
        near, far = ["1h", "30m", "day", "2h/30m"], ["day", "week", "month", "7d/1h", "day-1", "2d"]
        pool = list(dict.fromkeys(rng.choice([near, near + far, far + ["year"]])))       # near alone: much of a history is out of reach
        self.kpis = {f"k{i}": kpi(rng, pool) for i in range(9)}
        self.config = {"time": {"zone": self.zone, "week_starts": self.week_starts, "clock": "event"},
                       "roster": {"levels": ["region", "team", "rep"], "unknown": "accept", "members": [
                           {"rep": f"r{i}", "team": f"t{i % 2}", "region": "north", "aliases": [f"ext:{i}"]} for i in range(1, 4)]},
                       "windows": [pool[0]], "kpis": dict(self.kpis), "funnels": {}}
        if rng.random() < 0.3:
            self.config["currencies"] = currencies(rng)
        for name in ["f", "g"][:rng.randint(0, 2)]:
            self.config["funnels"][name] = funnel(rng, pool)
            self.kpis.update(funnel_kpis(name, self.config["funnels"][name]))
        if not self.config["funnels"]:
            del self.config["funnels"]
        self.trees = {}
        self.make_events()
        self.ats = sorted({BEGIN + self.span + rng.choice([1, HOUR, 4 * DAY])} |
                          {BEGIN + rng.randint(self.span // 4, self.span) for _ in range(4)})
        self.lines = [json.dumps(dict(ev, time=rfc3339(rng, ev["time"])) if rng.random() < 0.1 else ev) for ev in self.events]

    def oracle(self):
        return HistoryOracle(self)

    def id_of(self, n):
        """Short ones, and some that differ from others far behind, or not but for their length."""
        return f"e{n}" if self.short else f"crm-activity-2026-{n % 7}" + "0" * (n % 3) + (f"-{n:05d}" if n % 5 else f"-{n}")

    def event(self, at, n, wide):
        rng = self.rng
        ev = {"type": rng.choice(["lead", "stage", "stage", "stage", "call", "email", "cost"]), "time": at, "id": self.id_of(n)}
        if rng.random() < 0.85:
            ev["rep"] = rng.choice(REPS)
        if rng.random() < 0.15:
            ev["team"] = rng.choice(["t0", "t1", "t7"])
        for field, values in (("deal", list(range(wide)) + [1.0, "1"]), ("lead", [f"l{i}" for i in range(wide)]),
                              ("client", ["acme", "acme", "zeta", True]), ("product", ["a", "b"]), ("amount", [0, 10, 99.5, 250, "x"]),
                              ("duration", [1, 60, 3600]), ("direction", ["inbound", "outbound"]), ("automated", [True, False]),
                              ("stage", STAGES + LOST), ("currency", ["USD", "EUR", "JPY"])):
            if rng.random() < (0.95 if field == "stage" and ev["type"] == "stage" else 0.6):
                ev[field] = rng.choice(values)
        return ev

    def make_events(self):
        rng = self.rng
        count, wide, late = rng.choice([40, 150, 400]), rng.choice([2, 6, 25]), rng.choice([0, 0.1, 0.4])
        times = sorted(BEGIN + rng.randint(0, self.span) for _ in range(count))
        self.events = []
        for n, at in enumerate(times):
            if n and rng.random() < 0.15:
                at = times[n - 1]       # at the same instant: the id decides
            if rng.random() < late:
                at -= rng.choice([rng.randint(0, 5000), rng.randint(0, HOUR), rng.randint(0, self.span)])
            self.events.append(self.event(at, rng.randint(0, 9) * 1000 + n, wide))
            if rng.random() < 0.04:
                self.events.append(rng.choice(self.events[-20:]))


def orders_agree(kpictl, case):
    """The last snapshots of the events that no clock finds too late, in any order."""
    case.kpis = case.config["kpis"]
    case.config["kpis"] = dict(case.kpis, far={"aggregate": "count", "windows": ["year", "400d/1d"]})
    case.config["dedup"] = {"window": "366d"}
    tick = json.dumps({"type": "kpid.tick", "time": case.ats[-1]})
    for ev in case.events:
        if case.rng.random() < 0.2:
            ev.pop("id", None)      # what they say then decides which of the same instant is first
    with tempfile.TemporaryDirectory() as directory:
        answers = set()
        for i in range(4):
            case.lines = [json.dumps(ev) for ev in case.rng.sample(case.events, len(case.events) if i else 0) or case.events]
            case.lines.insert(0 if i == 3 else len(case.lines), tick)
            answers.add(told(replay(kpictl, *write_case(case, directory))))
    return len(answers) == 1


def told(stdout):
    """The snapshots; a key without anything in it may be shown or not, by what came and was taken back."""
    snapshots = [json.loads(line) for line in stdout.splitlines()]
    cells = [(s["level"], s["path"], kpi, window, cell) for s in snapshots for kpi, windows in s["kpis"].items()
             for window, cell in windows.items()]
    full = {(level, *path) for level, path, _, _, cell in cells if cell["n"] or cell["value"] or level == "company"}
    return json.dumps([c for c in cells if (c[0], *c[1]) in full or c[1][-1] in ("r1", "r2", "r3")])


def orders(kpictl, cases, seed):
    failed = [s for s in range(seed, seed + cases) if not orders_agree(kpictl, EntityCase(s))]
    print(f"{'FAILED' if failed else 'ok'}: any order of the same histories gives the same snapshots {failed or ''}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    if "--orders" in sys.argv:
        at = sys.argv.index("--orders")
        sys.exit(orders(sys.argv[at + 1], int(sys.argv[at + 2]), 1))
    sys.exit(main(EntityCase))
