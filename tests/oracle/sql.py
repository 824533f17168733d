"""What every KPI must be, asked of SQLite over a plain table of the accepted events."""
import json
import sqlite3
from fractions import Fraction

from windows import Calendar

FIELDS = ["type", "rep", "region", "team", "source", "direction", "outcome", "mixed", "client", "product", "automated",
          "duration", "amount", "score", "deal", "lead", "stage"]
NUMBER_MAX = 9 * 10 ** 12
KEY_MAX = 128
INT64_MAX = (1 << 63) - 1
COMPANY = json.dumps(["company"])


class Moments:
    """Exact sums of values and of their squares; SQLite's own integers end at 64 bits."""

    def __init__(self):
        self.sum = self.squares = 0

    def step(self, value):
        self.sum += value
        self.squares += value * value

    def finalize(self):
        return f"{self.sum} {self.squares}"


def key(level, *path):
    return json.dumps([level, *path], ensure_ascii=False)


def plain(value):
    """As the daemon sees a JSON value: integers beyond 64 bits are reals; nested ones and null are absent."""
    if isinstance(value, (list, dict)):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and not -INT64_MAX - 1 <= value <= INT64_MAX:
        return float(value)
    return value


def micros(value):
    """Millionths; None for what is no number or beyond the range of sums."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > NUMBER_MAX:
        return None
    return round(Fraction(value) * 10 ** 6)


def stored(value):
    """Booleans as blobs, so that they equal neither numbers nor strings."""
    return (b"\1" if value else b"\0") if isinstance(value, bool) else value


def identity(value):
    """What makes two values the same one for `distinct`."""
    if isinstance(value, bool):
        return f"b{value}"
    if isinstance(value, str):
        return "s" + value
    return None if value is None else f"n{Fraction(value)}"


def group_text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "%.0f" % (value + 0.0) if value == int(value) and abs(value) < 9e15 else "%.17g" % value
    return value if isinstance(value, str) else str(value)


def literal(value):
    if isinstance(value, bool):
        return "x'01'" if value else "x'00'"
    return repr(value) if isinstance(value, (int, float)) else "'" + value.replace("'", "''") + "'"


def condition(field, test):
    if isinstance(test, list):
        test = {"in": test}
    if not isinstance(test, dict):
        test = {"eq": test}
    parts = []
    for op, arg in test.items():
        some = "(" + ",".join(literal(a) for a in (arg if isinstance(arg, list) else [arg])) + ")"
        if op in ("eq", "in"):
            parts.append(f"({field} IS NOT NULL AND {field} IN {some})")
        elif op in ("ne", "not_in"):
            parts.append(f"({field} IS NULL OR {field} NOT IN {some})")
        elif op == "exists":
            parts.append(f"{field} IS {'NOT ' if arg else ''}NULL")
        elif op == "prefix":
            parts.append(f"(typeof({field})='text' AND substr({field},1,{len(arg)})={literal(arg)})")
        else:
            sign = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}[op]
            parts.append(f"(typeof({field}) IN ('integer','real') AND {field} {sign} {arg!r})")
    return " AND ".join(parts)


def where_sql(where):
    maps = where if isinstance(where, list) else [where]
    return " OR ".join("(" + (" AND ".join(condition(f, t) for f, t in m.items()) or "1") + ")" for m in maps)


class Roster:
    def __init__(self, config):
        self.levels, self.reject = config["levels"], config["unknown"] == "reject"
        self.units, self.reps = self.levels[:-1], {}
        self.named = {}         # a unit that the roster places: (level, key) -> path
        self.keys = {COMPANY}
        for m in config["members"]:
            path = tuple(m.get(u, "unassigned") for u in self.units) + (m["rep"],)
            for name in [m["rep"], *m.get("aliases", [])]:
                self.reps[name] = path
            for i, unit in enumerate(self.units):
                if unit in m:
                    self.named.setdefault((unit, m[unit]), path[:i + 1])
            self.keys.update(self.above(path))

    def above(self, path):
        return [COMPANY] + [key(self.levels[i], *path[:i + 1]) for i in range(len(path))]

    def path(self, ev):
        """None: the event is refused."""
        if ev.get("rep"):
            unknown = None if self.reject else ("unassigned",) * len(self.units) + (ev["rep"],)
            return self.reps.get(ev["rep"], unknown)
        path, broken = (), False
        for i, unit in enumerate(self.units):
            name = ev.get(unit)
            if not name:
                broken = True
            elif broken:
                path, broken = self.named.get((unit, name), ("unassigned",) * i + (name,)), False
            else:
                path = path + (name,)
        return path


class Oracle:
    def __init__(self, case):
        self.case = case
        self.calendar = Calendar(case.zone, case.week_starts)
        self.roster = Roster(case.config["roster"])
        self.reserved = {"id", "source", "type", "rep", *self.roster.levels}
        self.db = sqlite3.connect(":memory:")
        self.db.create_aggregate("moments", 1, Moments)
        columns = ", ".join(f"{f}, {f}_micro INTEGER, {f}_same TEXT" for f in FIELDS)
        self.db.execute(f"CREATE TABLE event (id INTEGER PRIMARY KEY, pos INTEGER, at INTEGER, ident TEXT, {columns})")
        self.db.execute("CREATE TABLE place (event INTEGER, dim TEXT, key TEXT)")
        self.dims = {",".join(k["by"]) for k in case.kpis.values() if "by" in k}
        self.seen = []          # [position in the stream, time] of all that moves the clock
        self.accept()
        self.samples = {}
        for name, kpi in case.kpis.items():
            if "formula" not in kpi:
                self.sample(name, kpi)

    # ---- Which events count ----

    def usable(self, ev):
        for field in self.reserved:
            value = ev.get(field)
            if value is not None and (not isinstance(value, str) or len(value.encode()) > KEY_MAX):
                return False
        at = ev.get("time", 0)
        return bool(ev.get("type")) and isinstance(at, int) and at >= 0

    def accept(self):
        now, ids = None, {}
        for pos, ev in enumerate(self.case.events):
            if not self.usable(ev):
                continue
            if "time" in ev:
                now = max(now or 0, ev["time"])
                self.seen.append((pos, ev["time"]))
            if now is None:
                continue
            if "id" in ev:
                ident = (ev.get("source") or "", ev["id"])
                if ident in ids and now // 1000 - ids[ident] <= self.case.dedup_ms // 1000:     # told in whole seconds
                    continue
            path = self.roster.path(ev)
            if ev["type"].startswith("kpid.") or path is None or self.too_late(ev.get("time", now), now):
                continue
            if "id" in ev:
                ids[ident] = now // 1000
            self.insert(pos, ev, ev.get("time", now), path)

    def too_late(self, at, now):
        """Nothing that a window still holds is; and what none holds makes no difference to these numbers."""
        return False

    def micros(self, field, values, currency):
        """Of the base currency, where amounts have one."""
        micro, money = micros(values[field]), self.case.config.get("currencies")
        if micro is None or field != "amount" or not money or currency is None:
            return micro
        rates = {**money.get("rates", {}), money["base"]: 1}
        if not isinstance(currency, str) or currency not in rates:
            return None
        converted = round(Fraction(micro) * Fraction(str(rates[currency])))
        return converted if abs(converted) <= NUMBER_MAX * 10 ** 6 else None

    def insert(self, pos, ev, at, path):
        row = [pos, pos, at, ev.get("id") or ""]
        values = {}
        for field in FIELDS:
            value = plain(ev.get(field))
            if value == "" and field in self.reserved:
                value = None
            values[field] = value
            row += [stored(value), self.micros(field, values, plain(ev.get("currency"))), identity(value)]
        self.db.execute(f"INSERT INTO event VALUES ({','.join('?' * len(row))})", row)
        places = [(pos, "", k) for k in self.roster.above(path)]
        for dim in self.dims:
            parts = [None if values[f] is None else group_text(values[f]) for f in dim.split(",")]
            if len(parts) > 1:
                parts = [p and p.replace("%", "%25").replace(",", "%2C") for p in parts]
            if all(parts):
                places.append((pos, dim, key("@" + dim, "@" + dim, ",".join(parts))))
        self.db.executemany("INSERT INTO place VALUES (?,?,?)", places)

    # ---- Values ----

    def sample(self, name, kpi):
        numeric = kpi["aggregate"] not in ("count", "distinct")
        of = kpi.get("of", "type")
        self.db.execute(f"CREATE TABLE s_{name} AS SELECT p.key, e.pos, e.at, e.{of}_micro AS v, e.{of}_same AS same"
                        f" FROM event e JOIN place p ON p.event = e.id WHERE p.dim = ? AND e.{of}"
                        f"{'_micro' if numeric else ''} IS NOT NULL AND ({where_sql(kpi.get('where', {}))})",
                        (",".join(kpi.get("by", [])),))

    def position(self, t):
        """Where in the stream the clock passes t."""
        return next((pos for pos, at in self.seen if at > t), 1 << 60)

    def aggregate(self, name, kpi, window, t):
        """{key: (value, n)}. A quantile's value is the exact nearest rank; last's the set of what lies at that time."""
        begin, end = self.calendar.bounds(window, t)
        source = f"FROM s_{name} WHERE pos < ? AND at >= ? AND at < ?"
        args, agg = (self.position(t), begin, end), kpi["aggregate"]
        if agg == "median" or (agg[0] == "p" and agg[1:2].isdigit()):
            p = Fraction(1, 2) if agg == "median" else Fraction(agg[1:]) / 100
            query = (f"SELECT key, v, n FROM (SELECT key, v, ROW_NUMBER() OVER (PARTITION BY key ORDER BY v) AS rank,"
                     f" COUNT(*) OVER (PARTITION BY key) AS n {source})"
                     f" WHERE rank = MAX(1, (n * {p.numerator} + {p.denominator - 1}) / {p.denominator})")
            return {k: (float(Fraction(v, 10 ** 6)), n) for k, v, n in self.db.execute(query, args)}
        if agg == "last":
            out = {}
            query = (f"SELECT key, v, n FROM (SELECT key, v, at, MAX(at) OVER (PARTITION BY key) AS latest,"
                     f" COUNT(*) OVER (PARTITION BY key) AS n {source}) WHERE at = latest")
            for k, v, n in self.db.execute(query, args):
                out.setdefault(k, (set(), n))[0].add(float(Fraction(v, 10 ** 6)))
            return out
        column = {"count": "COUNT(*)", "distinct": "COUNT(DISTINCT same)", "min": "MIN(v)", "max": "MAX(v)"}
        query = f"SELECT key, {column.get(agg, 'moments(v)')}, COUNT(*) {source} GROUP BY key"
        return {k: (self.lower(agg, v, n), n) for k, v, n in self.db.execute(query, args)}

    @staticmethod
    def lower(agg, v, n):
        if agg in ("count", "distinct"):
            return float(v)
        if agg in ("min", "max"):
            return float(Fraction(v, 10 ** 6))
        total, squares = map(int, v.split())
        if agg == "sum":
            return float(Fraction(total, 10 ** 6))
        if agg == "mean":
            return float(Fraction(total, 10 ** 6 * n))
        variance = Fraction(n * squares - total * total, n * n * 10 ** 12)
        return float(variance) ** 0.5

    def formula(self, tree, window, t, k):
        """(value, n, set of the KPIs in it), as the same sums that were asked of SQL give it."""
        if isinstance(tree, str):
            kpi = self.case.kpis[tree]
            value, n = self.value(tree, kpi, window, t, k)
            return value, {tree: n}
        if not isinstance(tree, tuple):
            return float(tree), {}
        op, operands = tree[0], [self.formula(x, window, t, k) for x in tree[1:]]
        named = {name: n for _, ns in operands for name, n in ns.items()}
        values = [v for v, _ in operands]
        return combine(op, values), named

    def value(self, name, kpi, window, t, k):
        """Value and n of a KPI for a key."""
        if "formula" in kpi:
            tree = self.case.trees[name]
            value, named = self.formula(tree, window, t, k)
            if tree[0] == "/":
                below = self.formula(tree[2], window, t, k)[1]
                named = below or self.formula(tree[1], window, t, k)[1]
            return value, sum(named.values())
        if (name, window, t) not in self.samples:
            self.samples[name, window, t] = self.aggregate(name, kpi, window, t)
        empty = 0.0 if kpi["aggregate"] in ("count", "sum", "distinct") else None
        value, n = self.samples[name, window, t].get(k, (empty, 0))
        if isinstance(value, set) and len(value) == 1:
            value = next(iter(value))
        return value, n

    def keys(self):
        return self.roster.keys | {k for k, in self.db.execute("SELECT DISTINCT key FROM place")}


def combine(op, values):
    if None in values or any(isinstance(v, set) for v in values):
        return None if None in values else set()    # a tie of `last`: not told by the definition
    a, b = (values + [None])[:2]
    if op == "/":
        return a / b if b else None
    return {"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "neg": lambda: -a,
            "min": lambda: min(a, b), "max": lambda: max(a, b)}[op]()
