"""Random configurations and event streams. The same seed gives the same case."""
import datetime
import json
import random
import zoneinfo

from sql import Oracle

ZONES = ["Europe/London", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
SHORT_WINDOWS = ["45s/3s", "2m", "15m", "1h", "90m/450s", "1h/1s", "6h", "8h/20m"]
LONG_WINDOWS = ["24h", "36h/90m", "7d", "7d/1h", "7d/1d", "14d", "30d", "2w/12h", "90d", "1d/1d"]
CALENDAR = ["day", "week", "month", "quarter", "year"]
HOUR, DAY = 3600_000, 86400_000
# Noons of days on which, or beside which, the clocks of one of the zones change.
CHANGES = ["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05", "2026-10-04",
           "2024-02-29", "2026-12-31"]

NUMBERS = ["duration", "amount", "score"]
TEXTS = ["client", "product", "mixed"]
TYPES = ["call", "email", "meeting", "stage", "cost"]
OUTCOMES = ["connected", "no_answer", "busy", "replied", "connected_late"]
MIXED = ["5", 5, 5.0, 5.5, True, False, "true", "", "five", -3, 0, -0.0, "é", None]


def windows(rng, span):
    """A pool on at most eight grids, so that any KPI may have all of them."""
    short = rng.sample(SHORT_WINDOWS, rng.randint(1, 3))
    if span > 20 * DAY:
        short = [w for w in short if w not in ("45s/3s", "1h/1s")] or ["1h"]
    pool = short + rng.sample(LONG_WINDOWS, rng.randint(1, 2))
    near = ["day", "day", "week", "month"] if span < 6 * DAY else CALENDAR
    for period in dict.fromkeys(rng.choice(near) for _ in range(3)):
        pool.append(period)
        for back in rng.sample([1, 1, 2, 3, 12], rng.randint(0, 2)):
            pool.append(f"{period}-{back}")
    return list(dict.fromkeys(pool))


def test_of(rng, field):
    """What stands under one field of a `where`."""
    if field in NUMBERS:
        edge = rng.choice([0, 1, 60, 100.5, -20, 300, 1000])
        return rng.choice([{"gt": edge}, {"lt": edge}, {"gte": edge, "lt": edge + 400}, {"lte": edge},
                           {"exists": rng.random() < 0.7}, {"ne": edge}, {"in": [60, 61.0, edge]}, edge])
    if field == "automated":
        return rng.choice([True, {"ne": True}, {"exists": False}, False, {"not_in": [True]}])
    values = {"type": TYPES, "outcome": OUTCOMES, "client": ["c1", "c2", "c3", "c10"], "product": ["a", "b", "a,b%"],
              "mixed": [v for v in MIXED if v is not None], "direction": ["inbound", "outbound"],
              "rep": ["r1", "r2", "x-3"], "region": ["north", "south"], "source": ["pbx", "crm"]}[field]
    one = rng.choice(values)
    some = rng.sample(values, min(len(values), rng.randint(1, 3)))
    forms = [one, one, some, {"eq": one}, {"ne": one}, {"in": some}, {"not_in": some}, {"exists": rng.random() < 0.5},
             {"ne": one, "exists": True}]
    words = [v for v in values if isinstance(v, str) and v]
    if words:
        forms.append({"prefix": rng.choice(words)[:rng.randint(1, 4)]})
    if field == "mixed":
        forms += [{"gt": 0}, {"lte": 5}, {"gte": 5, "lt": 5.5}]
    return rng.choice(forms)


def where(rng):
    fields = ["type", "outcome", "direction", "automated", "client", "product", "mixed", "rep", "region",
              "source"] + NUMBERS

    def one():
        picked = (["type"] if rng.random() < 0.6 else []) + rng.sample(fields[1:], rng.choice([0, 1, 1, 2]))
        return {f: test_of(rng, f) for f in picked} or {"type": rng.choice(TYPES)}
    if rng.random() < 0.2:
        return [one() for _ in range(rng.randint(1, 3))]
    return one()


def aggregate(rng, agg):
    kpi = {"aggregate": agg}
    if agg == "distinct":
        kpi["of"] = rng.choice(TEXTS + NUMBERS)
    elif agg != "count":
        kpi["of"] = rng.choice(NUMBERS)
    elif rng.random() < 0.3:
        kpi["of"] = rng.choice(TEXTS + NUMBERS)
    if rng.random() < 0.55:
        kpi["where"] = where(rng)
    return kpi


def formula(rng, exact, means):
    """A tree of (operator, operands), and how it is written. Only sums that come out exactly are subtracted."""
    a, b, c = (rng.choice(exact) for _ in range(3))
    k = rng.choice([2, 0.5, 60, 100])
    trees = [("/", a, b), ("/", a, ("+", b, c)), ("*", ("+", a, b), k), ("-", ("min", a, b), c),
             ("/", ("max", a, k), c), ("-", a, ("/", b, c)), ("*", ("neg", a), k), ("/", ("-", a, b), k),
             ("-", k, ("-", a, b)), ("/", ("/", a, b), c)]
    if means:
        m = rng.choice(means)
        trees += [("/", m, 60), ("+", ("*", m, 2), 1), ("/", m, a)]
    return rng.choice(trees)


def written(tree):
    if not isinstance(tree, tuple):
        return str(tree)
    op, parts = tree[0], [written(x) for x in tree[1:]]
    if op in ("min", "max"):
        return f"{op}({parts[0]}, {parts[1]})"
    return f"(-{parts[0]})" if op == "neg" else f"({parts[0]} {op} {parts[1]})"


def kpis(rng, pool):
    aggs = ["count", "sum", "mean", "min", "max", "stddev", "distinct", "last", "median"]
    aggs.append("p" + rng.choice(["50", "75", "90", "95", "99", "99.9", "7", "1"]))
    rng.shuffle(aggs)
    config, trees = {}, {}
    pair = ["client", "product"] if rng.random() < 0.3 else ["outcome"]
    by = [None, None, None, ["product"], pair, ["mixed"], ["score"]]
    for i, agg in enumerate(aggs[:rng.randint(7, 10)]):
        kpi = aggregate(rng, agg)
        group = rng.choice(by)
        if group:
            kpi["by"] = group
        if rng.random() < 0.8:
            kpi["windows"] = rng.sample(pool, rng.randint(1, min(5, len(pool))))
        config[f"k{i}_{agg.replace('.', '_')}"] = kpi
    config["base"] = aggregate(rng, "count")
    config["total"] = aggregate(rng, "sum")
    plain = {n: k for n, k in config.items() if "by" not in k}
    exact = [n for n, k in plain.items() if k["aggregate"] in ("count", "sum", "min", "max", "last")]
    means = [n for n, k in plain.items() if k["aggregate"] in ("mean", "stddev")]
    for i in range(rng.randint(1, 3)):
        tree, name = formula(rng, exact, means), f"f{i}"
        trees[name] = tree
        config[name] = {"formula": written(tree), "windows": rng.sample(pool, rng.randint(1, min(4, len(pool))))}
        if not any(m in written(tree) for m in means):
            exact.append(name)
    return config, trees


def roster(rng):
    levels = rng.choice([["region", "team", "rep"]] * 3 + [["team", "rep"], ["rep"]])
    members = []
    for i in range(rng.choice([0, 3, 5, 8])):
        team = rng.randint(1, 4)
        member = {"rep": f"r{i}"}
        if "team" in levels and rng.random() < 0.85:
            member["team"] = f"t{team}"
        if "region" in levels and ("team" not in member or team != 4):
            member["region"] = ["north", "south"][team % 2]
        if rng.random() < 0.6:
            member["aliases"] = [f"ext:{i}", f"r{i}@example.com"]
        members.append(member)
    return {"levels": levels, "unknown": "reject" if members and rng.random() < 0.2 else "accept", "members": members}


def number(rng, field):
    sort = rng.random()
    if sort < 0.4:
        return rng.randint(0, 600)
    if sort < 0.75:
        return round(rng.uniform(-50, 900), 2)
    if sort < 0.9:
        return round(rng.uniform(-1000, 1000), 6)
    return rng.choice([0, 60, 100.5, -20, 1e-6, -0.0, 8.5e12, -9e12, 9e12, 9.1e12, 1e300, "60", True, None, [1],
                       {"a": 1}, 10 ** 17, 2 ** 64 - 1, 0.1234565, 123456.789])


def event(rng, at, n, wide):
    ev = {"type": rng.choice(TYPES + ["other"]), "time": max(at, 0)}
    if rng.random() < 0.85:
        ev["id"] = f"e{n}"
    if rng.random() < 0.7:
        ev["source"] = rng.choice(["pbx", "crm", "mail"])
    who = rng.random()
    if who < 0.6:
        i = rng.randint(0, 7)
        ev["rep"] = rng.choice([f"r{i}", f"r{i}", f"ext:{i}", f"r{i}@example.com"])
    elif who < 0.7:
        ev["rep"] = rng.choice(["x-1", "x-2", "x/3 %", "ünknown", "", None])
    if rng.random() < 0.25:
        ev["region"] = rng.choice(["north", "south", "west", None, ""])
    if rng.random() < 0.25:
        ev["team"] = rng.choice(["t1", "t2", "t3", "t4", "t9"])
    for field, values in (("direction", ["inbound", "outbound"]), ("outcome", OUTCOMES), ("mixed", MIXED),
                          ("client", [f"c{rng.randint(1, wide)}"]), ("product", ["a", "b", "a,b%", "a/b", ""]),
                          ("automated", [True, False])):
        if rng.random() < 0.7:
            ev[field] = rng.choice(values)
    for field in NUMBERS:
        if rng.random() < 0.75:
            ev[field] = number(rng, field)
    if rng.random() < 0.4:
        ev["currency"] = rng.choice(["USD", "USD", "EUR", "GBP", "XAU", "JPY", "usd", None, 5])
    if "score" in ev and rng.random() < 0.7:
        ev["score"] = rng.choice([1, 2, 2.0, 3.25, 7])
    return ev


def spoil(rng, ev):
    """Now and then something that the daemon must refuse, or no time."""
    sort = rng.random()
    if sort < 0.01:
        ev["type"] = rng.choice([5, None, ""])
    elif sort < 0.02:
        ev["rep"] = rng.choice([5, True, "r" * 200])
    elif sort < 0.03:
        ev["time"] = rng.choice(["yesterday", -5, 1.5])
    elif sort < 0.05:
        del ev["time"]
    elif sort < 0.06:
        ev = {"type": rng.choice(["kpid.tick", "kpid.heartbeat"]), "time": ev["time"]}
    return ev


def rfc3339(rng, ms):
    zone = datetime.timezone(datetime.timedelta(minutes=rng.choice([0, 0, 345, -300, 630])))
    at = datetime.datetime.fromtimestamp(ms // 1000, zone)
    return at.strftime("%Y-%m-%dT%H:%M:%S") + f".{ms % 1000:03d}" + at.strftime("%z")[:3] + ":" + at.strftime("%z")[3:]


def currencies(rng):
    return {"base": "GBP", "rates": {"USD": rng.choice([0.79, 1.5, 0.000001]), "EUR": rng.choice([0.85, 0.5]), "XAU": 1e5}}


def text_of(rng, ev):
    if isinstance(ev.get("time"), int) and ev["time"] > 0 and rng.random() < 0.2:
        ev = dict(ev, time=rfc3339(rng, ev["time"]))
    keys = list(ev)
    if rng.random() < 0.3:
        rng.shuffle(keys)
    line = json.dumps({k: ev[k] for k in keys}, ensure_ascii=rng.random() < 0.5)
    if ev.get("type") and rng.random() < 0.05:
        line = line[:-1] + ', "type": "call", "extra": {"deep": [1, {"x": null}]}}'   # the first of a key counts
    return line


def alerts(rng, kpi_config, pool):
    """Nobody looks at these: they make the engine keep windows that are not shown and read in between."""
    return {f"a{i}": {"kpi": name, "window": rng.choice(pool), "level": "company", "warning": {"above": 3}}
            for i, name in enumerate(n for n, k in kpi_config.items() if "by" not in k) if rng.random() < 0.2}


class Case:
    """One configuration with its stream. events: in order of arrival; lines: the same as JSON."""

    def __init__(self, seed, zone=None):
        rng = self.rng = random.Random(seed)
        self.seed = seed
        self.zone = zone or rng.choice(ZONES)
        self.week_starts = rng.choice(DAYS)
        self.dedup_ms = rng.choice([HOUR, 24 * HOUR, 24 * HOUR, 30 * DAY])
        span = rng.choice([2 * HOUR, 30 * HOUR, 30 * HOUR, 5 * DAY, 40 * DAY, 400 * DAY])
        self.pool = windows(rng, span)
        kpi_config, self.trees = kpis(rng, self.pool)
        self.config = {"time": {"zone": self.zone, "week_starts": self.week_starts, "clock": "event"},
                       "dedup": {"window": f"{self.dedup_ms // 1000}s"}, "roster": roster(rng), "kpis": kpi_config,
                       "windows": rng.sample(self.pool, min(3, len(self.pool)))}
        self.kpis = kpi_config
        rules = alerts(rng, self.config["kpis"], self.pool)
        if rules:
            self.config["alerts"] = rules
        if rng.random() < 0.3:
            self.config["currencies"] = currencies(rng)
        self.make_events(span)
        self.make_ats(span)

    def oracle(self):
        return Oracle(self)

    def make_events(self, span):
        rng = self.rng
        centre = int(datetime.datetime.fromisoformat(rng.choice(CHANGES) + "T12:00:00+00:00").timestamp() * 1000)
        self.begin = centre - rng.randint(span // 3, span)
        count = rng.choice([60, 300, 600, 600, 1000, 3000])
        wide = 4000 if count == 3000 else rng.choice([5, 12, 40])
        late = rng.choice([0, 0.05, 0.2])
        times = sorted(self.begin + rng.randint(0, span) for _ in range(count))
        self.events = []
        for n, at in enumerate(times):
            if rng.random() < 0.05:
                at -= at % HOUR     # upon an edge
            if n and rng.random() < 0.1:
                at = times[n - 1]       # at the same instant
            if rng.random() < late:
                at -= rng.choice([rng.randint(0, 5000), rng.randint(0, 2 * HOUR), rng.randint(0, span)])
            self.events.append(spoil(rng, event(rng, at, n, wide)))
            if rng.random() < 0.05:
                self.events.append(rng.choice(self.events[-60:]))     # sent again
        self.lines = [text_of(rng, ev) for ev in self.events]

    def make_ats(self, span):
        rng, last = self.rng, self.begin + span
        ats = {last + rng.choice([0, 1, 1000, HOUR, DAY, 40 * DAY])}
        for _ in range(3):
            at = self.begin + rng.randint(span // 4, span)
            sort = rng.random()
            if sort < 0.25:     # just at, before or after an event
                known = [ev["time"] for ev in self.events if isinstance(ev.get("time"), int) and ev["time"] > 0]
                at = rng.choice(known)
                at += rng.choice([-1, 0, 0, 1, 700])
            elif sort < 0.4:
                at -= at % HOUR
            elif sort < 0.7:
                zone = zoneinfo.ZoneInfo(self.zone)
                day = datetime.datetime.fromtimestamp(at // 1000, zone).date()
                at = int(datetime.datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)
                at += rng.choice([-1, 0, 1, 3 * HOUR])
            ats.add(at)
        self.ats = sorted(ats)
