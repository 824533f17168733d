#!/usr/bin/python3
"""Targets, what is expected of them, ranks, and each key's own days, against plain Python over zoneinfo. See README.md."""
import argparse
import datetime
import json
import random
import re
import sys
import tempfile
import zoneinfo

from run import Differences, replay, write_case
from windows import DAY, DAYS, FOREVER, PANES, Calendar, duration

MINUTE, HOUR = 60_000, 3600_000
FIRST, LAST = 1735603200000, 1830470400000      # 2024-12-31 to 2028-01-03: what is tabled
CALENDARS = {
    "office": {"zone": "Europe/London", "hours": {"mon-thu": "09:00-12:30 13:30-17:30", "fri": "09:00-16:00"},
               "holidays": ["2026-12-25", "2026-05-04", "2026-03-30..2026-03-31"]},
    "york": {"zone": "America/New_York", "hours": {"mon-fri": "09:00-17:00", "sun": "00:00-06:00"}},
    "howe": {"zone": "Australia/Lord_Howe", "hours": {"mon-sun": "01:00-05:00 22:00-24:00"}},
    "hills": {"zone": "Asia/Kathmandu", "hours": {"sun-fri": "10:00-17:00"}, "holidays": ["2026-04-14"]},
    "here": {"hours": {"mon,wed,fri": "08:00-18:00"}},       # in time.zone
}
NAMES = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
MOMENTS = ["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05", "2026-10-04", "2026-05-04", "2026-12-31",
           "2026-01-01", "2026-07-15"]


def dates(texts):
    for text in texts:
        a, _, b = text.partition("..")
        a, b = datetime.date.fromisoformat(a), datetime.date.fromisoformat(b or a)
        while a <= b:
            yield a
            a += datetime.timedelta(days=1)


def minutes_of(hours):
    """By weekday: the set of minutes after midnight that are worked."""
    out = [set() for _ in range(7)]
    for days, text in hours.items():
        named = set()
        for part in days.split(","):
            a, _, b = part.partition("-")
            a, b = NAMES.index(a), NAMES.index(b or a)
            named |= {d % 7 for d in range(a, b + 1 if b >= a else b + 8)}
        for stretch in text.split():
            a, b = [int(x[:2]) * 60 + int(x[3:]) for x in stretch.split("-")]
            for day in named:
                out[day] |= set(range(a, b))
    return out


class Work:
    """Working minutes of a calendar up to each minute of the tabled years: what the clock on the wall says, one by one."""

    made = {}

    def __init__(self, cfg, zone):
        self.sums, total = [0], 0
        hours, closed = minutes_of(cfg["hours"]), set(dates(cfg.get("holidays", [])))
        for quarter in range(FIRST, LAST, 15 * MINUTE):     # no zone changes its clock within a quarter of an hour
            local = datetime.datetime.fromtimestamp(quarter // 1000, zone)
            worked, begin = hours[local.weekday()], local.hour * 60 + local.minute
            for minute in range(begin, begin + 15):
                total += minute in worked and local.date() not in closed
                self.sums.append(total)

    def until(self, ms):
        whole, rest = divmod(ms - FIRST, MINUTE)
        return self.sums[whole] * MINUTE + (self.sums[whole + 1] - self.sums[whole]) * rest

    @classmethod
    def of(cls, name, zone):
        cfg = CALENDARS[name]
        zone = cfg.get("zone", zone)
        if (name, zone) not in cls.made:
            cls.made[name, zone] = cls(cfg, zoneinfo.ZoneInfo(zone))
        return cls.made[name, zone]


class TargetCase:
    def __init__(self, seed):
        rng = self.rng = random.Random(seed)
        self.seed, self.zone = seed, rng.choice(["UTC", "Europe/London", "America/New_York"])
        self.week_starts = rng.choice(DAYS)
        self.used = rng.sample(list(CALENDARS), rng.randint(1, 3))
        noon = int(datetime.datetime.fromisoformat(rng.choice(MOMENTS) + "T12:00:00+00:00").timestamp() * 1000)
        self.ats = sorted({noon + self.offset() for _ in range(6)})
        self.members = [self.member(i) for i in range(rng.randint(3, 9))]
        windows = ["day", "week", "month", "quarter", "year", "day-1", "week-1", "month-1", "7d/1d", "24h"]
        self.windows = rng.sample(windows, 5) + rng.sample(["8wh", "1wh", "4wh/30m", "40wh", "9wh/5m"], rng.randint(0, 2))
        self.kpis = {"calls": {"aggregate": "count", "where": {"type": "call"}},
                     "talk": {"aggregate": "mean", "of": "duration", "better": rng.choice(["lower", "none"])},
                     "sales": {"aggregate": "sum", "of": "amount", "better": "higher"}}
        self.targets = [t for t in (self.target() for _ in range(rng.randint(1, 8))) if self.has_effect(t)]
        self.units = {}
        for level, keys in (("region", ["north", "south"]), ("team", ["t0", "t1"])):
            for key in keys:
                if rng.random() < 0.4 and any(m.get(level) == key for m in self.members):
                    self.units.setdefault(level, {})[key] = {"calendar": rng.choice(self.used)}
        if rng.random() < 0.4:
            self.units["company"] = {"calendar": rng.choice(self.used)}
        roster = {"levels": ["region", "team", "rep"], "members": self.members}
        if self.units:
            roster["units"] = self.units
        self.config = {"time": {"zone": self.zone, "week_starts": self.week_starts, "clock": "event"}, "roster": roster,
                       "calendars": {n: CALENDARS[n] for n in self.used}, "kpis": self.kpis, "windows": self.windows}
        if self.targets:
            self.config["targets"] = self.targets
        self.events = sorted((self.event() for _ in range(rng.choice([0, 60, 300]))), key=lambda ev: ev["time"])
        self.lines = [json.dumps(ev) for ev in self.events] + [json.dumps({"type": "kpid.tick", "time": self.ats[-1] + 1})]

    def offset(self):
        rng = self.rng
        at = rng.randint(-5 * DAY, 5 * DAY)
        if rng.random() < 0.5:
            at -= at % HOUR - rng.choice([0, -1, 1, 30 * MINUTE])     # upon an edge, or beside it
        return at

    def day(self, most):
        return (datetime.date(2026, 6, 30) + datetime.timedelta(days=self.rng.randint(-most, most))).isoformat()

    def member(self, i):
        rng = self.rng
        out = {"rep": f"r{i}", "team": f"t{i % 3}", "region": ["north", "south", "north"][i % 3], "role": rng.choice(["ae", "sdr"])}
        if rng.random() < 0.75:
            out["calendar"] = rng.choice(self.used)
        near = datetime.datetime.fromtimestamp(self.ats[0] // 1000, datetime.timezone.utc).date()
        for key, share in (("start", 0.3), ("end", 0.2)):
            if rng.random() < share:
                day = near + datetime.timedelta(days=rng.randint(-200, 20) if key == "start" else rng.randint(-10, 200))
                out[key] = day.isoformat()
        if out.get("start", "") > out.get("end", "9"):
            del out["end"]
        if rng.random() < 0.5:
            out["away"] = []
            for _ in range(rng.randint(1, 4)):
                a = near + datetime.timedelta(days=rng.randint(-40, 40))
                b = a + datetime.timedelta(days=rng.choice([0, 0, 2, 13]))
                out["away"].append(a.isoformat() + (f"..{b.isoformat()}" if b > a else ""))
        return out

    def target(self):
        rng = self.rng
        out = {"kpi": rng.choice(["calls", "calls", "sales"]), "per": rng.choice(["day", "week", "month", "quarter", "year"]),
               "value": rng.choice([40, 100, 0, 12.5])}
        sort = rng.random()
        if sort < 0.25:
            out["level"] = rng.choice(["company", "region", "team", "rep"])
            if out["level"] in ("region", "team") and rng.random() < 0.6:
                out["for"] = {"region": rng.choice(["north", "south"])}
        elif sort < 0.7:
            out["for"] = rng.choice([{"role": "sdr"}, {"team": "t1"}, {"region": "north", "role": "ae"}, {"rep": "r0"}])
        if out.get("level", "rep") == "rep" and "level" not in out and rng.random() < 0.4:
            out["ramp"] = [0.25, "50%", 0.75]
        return out

    def has_effect(self, target):
        """One that nothing shows, or that nobody could have, is a fault."""
        wanted = target.get("for", {}).items()
        return any(w.split("-")[0] == target["per"] for w in self.windows) and any(wanted <= m.items() for m in self.members)

    def event(self):
        rng = self.rng
        ev = {"type": rng.choice(["call", "call", "stage"]), "time": rng.choice(self.ats) - rng.choice([rng.randint(0, 2 * DAY),
              rng.randint(0, 60 * DAY)])}
        ev["rep"] = rng.choice([m["rep"] for m in self.members] * 3 + ["x-1"])
        for field in ("amount", "duration"):
            if rng.random() < 0.6:
                ev[field] = rng.choice([0, 10, 25.5, 300])
        return ev


class Answer:
    """What must be said of every key at t."""

    def __init__(self, case, t):
        self.case, self.t = case, t
        self.people = {m["rep"]: m for m in case.members}
        self.paths = {m["rep"]: (m["region"], m["team"], m["rep"]) for m in case.members}
        self.events = [ev for ev in case.events if ev["time"] <= t]
        if any(ev["rep"] == "x-1" for ev in self.events):
            self.paths["x-1"] = ("unassigned", "unassigned", "x-1")
        self.keys = {path[:n] for path in self.paths.values() for n in range(4)}

    def calendar_name(self, path):
        if len(path) == 3:
            return self.people.get(path[2], {}).get("calendar")
        if len(path) == 0:
            return self.case.units.get("company", {}).get("calendar")
        return self.case.units.get(["region", "team"][len(path) - 1], {}).get(path[-1], {}).get("calendar")

    def clock(self, path):
        name = self.calendar_name(path)
        return Calendar(CALENDARS[name].get("zone", self.case.zone) if name else self.case.zone, self.case.week_starts)

    # ---- values ----

    def working_bounds(self, path, window):
        """The fewest panes, the last of them that of t, which have so much working time by the key's calendar."""
        hours, pane = re.fullmatch(r"(\d+)wh(?:/(\w+))?", window).groups()
        work, name = int(hours) * HOUR, self.calendar_name(path)
        pane = duration(pane) if pane else min(HOUR, max(s for s in PANES if work % s == 0 and s <= work // 24))
        until = Work.of(name, self.case.zone).until if name else int
        end = self.t - self.t % pane + pane
        begin = end - pane
        while until(end) - until(begin) < work:
            begin -= pane
        return begin, FOREVER

    def number(self, path, kpi, window):
        """Value and n."""
        begin, end = self.working_bounds(path, window) if "wh" in window else self.clock(path).bounds(window, self.t)
        mine = [ev for ev in self.events if self.paths[ev["rep"]][:len(path)] == path and begin <= ev["time"] < end]
        if kpi == "calls":
            n = sum(ev["type"] == "call" for ev in mine)
            return n, n
        values = [ev[{"talk": "duration", "sales": "amount"}[kpi]] for ev in mine
                  if {"talk": "duration", "sales": "amount"}[kpi] in ev]
        if kpi == "sales":
            return sum(values), len(values)
        return (sum(values) / len(values) if values else None), len(values)

    # ---- targets ----

    def selects(self, path, selector):
        known = dict(zip(("region", "team", "rep"), path))
        if len(path) == 3:
            known = {**{k: v for k, v in self.people[path[2]].items() if isinstance(v, str)}, **known}
        return all(known.get(k) == v for k, v in selector.items())

    def given(self, path, kpi, per):
        level, best = ["company", "region", "team", "rep"][len(path)], None
        for target in self.case.targets:
            if (target["kpi"], target["per"], target.get("level", "rep")) == (kpi, per, level) and \
                    self.selects(path, target.get("for", {})):
                if best is None or len(target.get("for", {})) >= len(best.get("for", {})):
                    best = target
        return best

    def period(self, path, window):
        """First day, first instant and end of a window's period."""
        name, back = re.fullmatch(r"([a-z]+)(?:-(\d+))?", window).groups()
        clock = self.clock(path)
        day = clock.period(name, self.t, -int(back or 0))
        return day, clock.start_of(day), clock.start_of(clock.period(name, self.t, 1 - int(back or 0)))

    def employed(self, member, path, begin, end):
        clock = self.clock(path)
        if "start" in member:
            begin = max(begin, clock.start_of(datetime.date.fromisoformat(member["start"])))
        if "end" in member:
            end = min(end, clock.start_of(datetime.date.fromisoformat(member["end"]) + datetime.timedelta(days=1)))
        return begin, end

    def member_target(self, path, kpi, per, window):
        target, member = self.given(path, kpi, per), self.people[path[2]]
        day, begin, end = self.period(path, window)
        first, last = self.employed(member, path, begin, end)
        if not target or first >= last:
            return None
        value = target["value"]
        if "ramp" in target and "start" in member:
            start = datetime.date.fromisoformat(member["start"])
            day = max(day, start)
            month = (day.year - start.year) * 12 + day.month - start.month
            if month < len(target["ramp"]):
                value *= [0.25, 0.5, 0.75][month]
        return value

    def worked(self, path, begin, end):
        """Working ms of a member or unit between two instants."""
        name, clock = self.calendar_name(path), self.clock(path)
        member = self.people.get(path[2], {}) if len(path) == 3 else {}
        begin, end = self.employed(member, path, begin, end)
        if begin >= end:
            return 0
        until = Work.of(name, self.case.zone).until if name else int
        total = until(end) - until(begin)
        for day in set(dates(member.get("away", []))):
            a = max(begin, clock.start_of(day))
            b = min(end, clock.start_of(day + datetime.timedelta(days=1)))
            total -= until(b) - until(a) if b > a else 0
        return total

    def share(self, path, window, of=None):
        """Of the key's own period, or of that of a key above it."""
        _, begin, end = self.period(path if of is None else of, window)
        whole = self.worked(path, begin, end)
        return self.worked(path, begin, min(self.t, end)) / whole if whole else 0

    def target(self, path, kpi, window):
        """Target and expected; None: there is none."""
        per = window.partition("-")[0]
        if not re.fullmatch(r"(day|week|month|quarter|year)(-\d+)?", window) or \
                not any((t["kpi"], t["per"]) == (kpi, per) for t in self.case.targets):
            return None
        if len(path) == 3:
            if path[2] not in self.people:
                return None
            value = self.member_target(path, kpi, per, window)
            return None if value is None else (value, value * self.share(path, window))
        own = self.given(path, kpi, per)
        if own and any(self.paths[r][:len(path)] == path for r in self.people):
            return own["value"], own["value"] * self.share(path, window)
        below = [(self.member_target(self.paths[r], kpi, per, window), self.paths[r]) for r in self.people
                 if self.paths[r][:len(path)] == path]
        below = [(value, value * self.share(member, window, path)) for value, member in below if value is not None]
        return (sum(b[0] for b in below), sum(b[1] for b in below)) if below else None

    # ---- ranks ----

    def is_here(self, path):
        if not any(self.paths[r][:len(path)] == path for r in self.people):
            return any(self.number(path, k, w)[1] for k in self.case.kpis for w in self.case.windows)
        member = self.people[path[2]] if len(path) == 3 else {}
        today = self.clock(path).local_date(self.t).isoformat()
        return member.get("start", "") <= today <= member.get("end", "9")

    def rank(self, path, kpi, window):
        better = self.case.kpis[kpi].get("better", "higher")
        value = self.number(path, kpi, window)[0]
        if not path or better == "none" or value is None or not self.is_here(path):
            return None
        peers = [self.number(p, kpi, window)[0] for p in self.keys
                 if len(p) == len(path) and p[:-1] == path[:-1] and self.is_here(p)]
        peers = [p for p in peers if p is not None]
        return 1 + sum(p > value if better == "higher" else p < value for p in peers), len(peers)


def near(a, b):
    return a == b or (a is not None and b is not None and abs(a - b) <= 1e-9 * max(abs(a), abs(b)) + 1e-9)


def check_cell(answer, path, kpi, window, cell, out):
    value, n = answer.number(path, kpi, window)
    target, rank = answer.target(path, kpi, window), answer.rank(path, kpi, window)
    want = {"value": value, "n": n}
    if target:
        want["target"], want["expected"] = target
        want["attainment"] = value / target[0] if target[0] and value is not None else None
    if rank:
        want["rank"], want["of"] = rank
        if rank[1] > 1:
            want["percentile"] = 100 * (rank[1] - rank[0]) / (rank[1] - 1)
    if set(want) != set(cell) or not all(near(want[k], cell[k]) for k in want):
        out.add(f"seed {answer.case.seed} at {answer.t} {'/'.join(path)} {kpi} {window}: got {cell}, want {want}")
    return len(want)


def run_case(kpictl, case, out, keep=None):
    compared = 0
    with tempfile.TemporaryDirectory() as directory:
        stdout = replay(kpictl, *write_case(case, keep or directory), case.ats)
    answers = {t: Answer(case, t) for t in case.ats}
    for line in stdout.splitlines():
        snapshot = json.loads(line)
        answer, path = answers[snapshot["time"]], tuple(snapshot["path"])
        if path not in answer.keys:
            out.add(f"seed {case.seed} at {answer.t}: {path} is not expected")
            continue
        for kpi, windows in snapshot["kpis"].items():
            for window, cell in windows.items():
                compared += check_cell(answer, path, kpi, window, cell, out)
    return compared


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kpictl", required=True)
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="write configuration and events of the (last) case here")
    args = parser.parse_args()
    out, compared = Differences(12), 0
    for seed in range(args.seed, args.seed + args.cases):
        compared += run_case(args.kpictl, TargetCase(seed), out, args.keep)
    print(f"{args.cases} cases, {compared} values compared, {out.count} differences")
    return 1 if out.count else 0


if __name__ == "__main__":
    sys.exit(main())
