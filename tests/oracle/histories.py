"""KPIs of what happened before to the same entity, as SQL over the accepted events.

Each kind gives the *matches* of an entity: the event that makes a sample (`cause`; none where time alone does), the one that
it is credited to and placed at (`ref`, `at`), and its value in millionths. Order within an entity is that of (at, ident).
`once` walks along the causes; then the samples are added up by key and window."""
import re
from fractions import Fraction

from sql import COMPANY, Oracle, where_sql
from windows import duration

SECOND = 1000       # millionths of a second in a millisecond


def is_gauge(kpi):
    return "open" in (kpi.get("of") if isinstance(kpi.get("of"), dict) else {}) or kpi.get("funnel", "...")[2] == "open"


class HistoryOracle(Oracle):
    def __init__(self, case):
        self.windows = {w for k in case.kpis.values() if not is_gauge(k) for w in k["windows"]}
        super().__init__(case)

    def too_late(self, at, now):
        """Here it does make a difference: what was refused is no part of a history."""
        return bool(self.windows) and at < min(self.calendar.bounds(w, now)[0] for w in self.windows)

    def sample(self, name, kpi):
        """All depends on what has come by then, so there is nothing to prepare."""

    # ---- The matches: (per, ref, at, ident, v, cause) ----

    def matches(self, kpi, now):
        of, base = kpi.get("of"), where_sql(kpi.get("where", {}))
        if "funnel" in kpi:
            return self.funnel(*kpi["funnel"])
        if not isinstance(of, dict):
            value = f"{of}_micro" if of and kpi["aggregate"] != "count" else "0"
            given = f"{of} IS NOT NULL" if of and kpi["aggregate"] == "count" else f"{value} IS NOT NULL"
            per = kpi["once"]["per"] + "_same"
            return (f"SELECT {per} AS per, id AS ref, at, ident, {value} AS v, id AS cause FROM cur WHERE {per} IS NOT NULL"
                    f" AND ({base}) AND {given}")
        (kind, form), = of.items()
        per = form["per"] + "_same"
        mine = f"SELECT *, {per} AS per FROM cur WHERE {per} IS NOT NULL AND ({base})"
        if kind in ("elapsed", "cohort"):
            return getattr(self, kind)(form, mine, now, "once" in kpi)
        return getattr(self, kind)(form, mine, now)

    @staticmethod
    def first_from(form, mine):
        """The earliest `from` of each entity."""
        return (f"SELECT per, id AS ref, at, ident FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY per ORDER BY at, ident) AS rn"
                f" FROM ({mine}) WHERE ({where_sql(form['from'])})) WHERE rn = 1")

    def pairs(self, form, mine, until, once):
        """The earliest `from` with the earliest `to` after it; with `once` with each of them, since one may count again."""
        return (f"SELECT * FROM (SELECT m.per, m.id AS cause, m.at AS ended, m.ident AS ended_ident, f.ref AS first, f.at AS begun,"
                f" f.ident AS begun_ident, ROW_NUMBER() OVER (PARTITION BY m.per ORDER BY m.at, m.ident) AS rn"
                f" FROM ({mine} AND ({where_sql(form['to'])})) m JOIN ({self.first_from(form, mine)}) f ON f.per = m.per"
                f" WHERE m.at >= f.at AND m.at <= {until}) WHERE {1 if once else 'rn = 1'}")

    def elapsed(self, form, mine, _now, once):
        return (f"SELECT per, cause AS ref, ended AS at, ended_ident AS ident, (ended - begun) * {SECOND} AS v, cause"
                f" FROM ({self.pairs(form, mine, 'm.at', once)})")

    def cohort(self, form, mine, now, once):
        within = duration(form["within"])
        pairs = self.pairs(form, mine, f"f.at + {within}", once)
        return (f"SELECT per, first AS ref, begun AS at, begun_ident AS ident, 1000000 AS v, cause FROM ({pairs})"
                f" UNION ALL SELECT per, ref, at, ident, 0, NULL FROM ({self.first_from(form, mine)}) WHERE {now} >= at + {within}"
                f" AND per NOT IN (SELECT per FROM ({pairs}))")

    def repeat(self, form, mine, _now):
        within = f"AND b.at > a.at - {duration(form['within'])}" if "within" in form else ""
        return (f"WITH mine AS ({mine}) SELECT per, id AS ref, at, ident, 0 AS v, id AS cause FROM mine a WHERE {form.get('from', 2)} <="
                f" (SELECT COUNT(*) FROM mine b WHERE b.per = a.per AND (b.at, b.ident, b.id) <= (a.at, a.ident, a.id) {within})")

    def open(self, form, mine, _now):
        """The latest event that opens or closes says whether; the latest that knows says how much, and whose."""
        closed, opened = where_sql(form["closed"]), where_sql(form.get("opened", {}))
        value = f"""(SELECT {form['field']}_micro FROM mine v WHERE v.per = t.per AND {form['field']}_micro IS NOT NULL
                     ORDER BY at DESC, ident DESC LIMIT 1)""" if "field" in form else "0"
        return (f"WITH mine AS ({mine}), turns AS (SELECT per, id, ({closed}) AS closed, ROW_NUMBER() OVER"
                f" (PARTITION BY per ORDER BY at DESC, ident DESC) AS rn FROM mine WHERE ({closed}) OR ({opened})),"
                f" t AS (SELECT per, {value} AS v FROM turns t WHERE rn = 1 AND NOT closed)"
                f" SELECT t.per, m.id AS ref, m.at, m.ident, t.v FROM t JOIN mine m ON m.per = t.per WHERE t.v IS NOT NULL")

    def funnel(self, form, i, part):
        per = form["per"] + "_same"
        names = form["stages"] + form.get("lost", [])
        number = "CASE stage " + " ".join(f"WHEN '{n}' THEN {k}" for k, n in enumerate(names)) + " END"
        last = len(form["stages"])
        head = (f"WITH steps AS (SELECT {per} AS per, id AS ref, at, ident, {number} AS s, ROW_NUMBER() OVER"
                f" (PARTITION BY {per} ORDER BY at, ident) AS rn FROM cur WHERE {per} IS NOT NULL"
                f" AND ({where_sql(form.get('where', {'type': 'stage'}))}) AND {number} IS NOT NULL),"
                f" f AS (SELECT per, MIN(rn) AS rn FROM steps WHERE s = {i} GROUP BY per),"
                f" later AS (SELECT per, MIN(rn) AS rn FROM steps WHERE s > {i} AND s < {last} GROUP BY per)")
        at = "SELECT steps.per, ref, at, ident, %s AS v FROM steps JOIN %s x ON x.per = steps.per AND x.rn = steps.rn"
        if part == "entered":
            return f"{head} {at % ('0', 'f')}"
        if part == "converted":
            return f"{head} {at % ('1000000 * EXISTS (SELECT 1 FROM later l WHERE l.per = steps.per)', 'f')}"
        if part == "skipped":
            return f"{head} {at % ('0', 'later')} LEFT JOIN f ON f.per = steps.per WHERE f.rn IS NULL OR f.rn > steps.rn"
        if part == "median_time":
            leave = (f"(SELECT f.per, MIN(s.rn) AS rn FROM f JOIN steps s ON s.per = f.per AND s.rn > f.rn AND s.s <> {i}"
                     f" GROUP BY f.per)")
            begun = "(SELECT b.at FROM steps b JOIN f ON f.per = b.per AND f.rn = b.rn WHERE b.per = steps.per)"
            return f"{head} {at % (f'(at - {begun}) * {SECOND}', leave)}"
        stands = "(SELECT per, MAX(rn) AS rn FROM steps GROUP BY per)"
        return f"{head} {at % ('0', stands)} WHERE s = {i} AND {i} < {last - 1}"

    # ---- The samples: (ref, at, v, sign) ----

    def walked(self, kpi, matches):
        """With `once` the first match counts until something takes it back."""
        once = kpi.get("once")
        if not once:
            return f"SELECT ref, at, v, 1 AS sign FROM ({matches})"
        per = once["per"] + "_same"
        back = f"({where_sql(once['reversed_by'])})" if "reversed_by" in once else "0"
        return (f"WITH RECURSIVE m AS ({matches}), line AS (SELECT c.{per} AS per, m.ref, m.at AS placed, c.at, m.v,"
                f" m.cause IS NOT NULL AS hit, {back} AS back, ROW_NUMBER() OVER (PARTITION BY c.{per} ORDER BY c.at, c.ident) AS rn"
                f" FROM cur c LEFT JOIN m ON m.cause = c.id WHERE c.{per} IS NOT NULL),"
                f" walk AS (SELECT per, 0 AS rn, NULL AS held, NULL AS held_v, NULL AS gone, NULL AS gone_v, 0 AS taken, 0 AS placed,"
                f" 0 AS at FROM line GROUP BY per UNION ALL SELECT l.per, l.rn,"
                f" CASE WHEN l.hit AND (w.held IS NULL OR l.back) THEN l.ref WHEN l.back THEN NULL ELSE w.held END,"
                f" CASE WHEN l.hit AND (w.held IS NULL OR l.back) THEN l.v WHEN l.back THEN NULL ELSE w.held_v END,"
                f" CASE WHEN l.back THEN w.held END, CASE WHEN l.back THEN w.held_v END,"
                f" l.hit AND (w.held IS NULL OR l.back), l.placed, l.at FROM walk w JOIN line l ON l.per = w.per AND l.rn = w.rn + 1)"
                f" SELECT held AS ref, placed AS at, held_v AS v, 1 AS sign FROM walk WHERE taken"
                f" UNION ALL SELECT gone, at, gone_v, -1 FROM walk WHERE gone IS NOT NULL"
                f" UNION ALL SELECT ref, at, v, 1 FROM m WHERE cause IS NULL")

    def credited(self, kpi, now):
        """[(key, at, v, sign)]"""
        dim, matches = ",".join(kpi.get("by", [])), self.matches(kpi, now)
        if isinstance(kpi.get("of"), dict) and "open" in kpi["of"]:
            # Here the matches are all events of an open entity: its credit is that of the latest that names somebody.
            return self.db.execute(
                f"SELECT p.key, 0, o.v, 1 FROM (SELECT o.*, ROW_NUMBER() OVER (PARTITION BY per ORDER BY named DESC, at DESC, ident DESC)"
                f" AS rn FROM (SELECT *, EXISTS (SELECT 1 FROM place q WHERE q.event = ref AND q.dim = ? AND q.key <> ?) AS named"
                f" FROM ({matches})) o) o JOIN place p ON p.event = o.ref AND p.dim = ? WHERE o.rn = 1", (dim, COMPANY, dim))
        return self.db.execute(f"SELECT p.key, s.at, s.v, s.sign FROM ({self.walked(kpi, matches)}) s"
                               f" JOIN place p ON p.event = s.ref AND p.dim = ?", (dim,))

    def aggregate(self, name, kpi, window, t):
        begin, end = (0, 1) if is_gauge(kpi) else self.calendar.bounds(window, t)
        if (name, t) not in self.samples:
            self.db.execute("DROP TABLE IF EXISTS cur")
            self.db.execute("CREATE TEMP TABLE cur AS SELECT * FROM event WHERE pos < ?", (self.position(t),))
            self.samples[name, t] = self.credited(kpi, t).fetchall()
        by_key = {}
        for key, at, v, sign in self.samples[name, t]:
            if is_gauge(kpi) or begin <= at < end:
                by_key.setdefault(key, []).append((v, sign))
        return {key: lower_net(kpi["aggregate"], samples) for key, samples in by_key.items()}


def lower_net(agg, samples):
    """Value and n of samples with signs. An empty set where the definition leaves the value open."""
    n = sum(sign for _, sign in samples)
    total = sum(v * sign for v, sign in samples)
    if agg == "count":
        return float(n), n
    if agg == "sum":
        return float(Fraction(total, 10 ** 6)), n
    if n <= 0:
        return None, n
    if agg == "mean":
        return float(Fraction(total, 10 ** 6 * n)), n
    if agg == "stddev":
        square = Fraction(n * sum(v * v * sign for v, sign in samples) - total * total, n * n * 10 ** 12)
        return (float(square) ** 0.5 if square >= 0 else set()), n
    net = {}
    for v, sign in samples:
        net[v] = net.get(v, 0) + sign
    if min(net.values()) < 0:
        return set(), n
    share = Fraction(1, 2) if agg == "median" else Fraction(re.sub("^p", "", agg)) / 100
    rank = max(1, -(-share.numerator * n // share.denominator))
    for v in sorted(net):
        rank -= net[v]
        if rank <= 0:
            return float(Fraction(v, 10 ** 6)), n
    raise AssertionError("no such rank")
