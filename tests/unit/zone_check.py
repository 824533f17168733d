#!/usr/bin/env python3
"""zone_check.py PROBE: compares kpid's zones with Python's zoneinfo, which reads the same files by other code.

Random instants of 1970 to 2100, all those around a change of the offset, and some up to the year 9990, in zones chosen
for being odd. A zone without a file is a failure: nothing was compared."""

import os
import random
import subprocess
import sys
from datetime import date, datetime, timedelta, timezone
from zoneinfo import TZPATH, ZoneInfo

ZONES = ["UTC", "Europe/London", "Europe/Dublin", "America/New_York", "America/Sao_Paulo", "America/St_Johns",
         "America/Havana", "America/Nuuk", "Pacific/Apia", "Pacific/Kwajalein", "Pacific/Kiritimati",
         "Africa/Casablanca", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kathmandu", "Asia/Gaza", "Asia/Tehran",
         "Antarctica/Troll"]
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
NAIVE = datetime(1970, 1, 1)
DAY = timedelta(days=1)
SECONDS = 4133980800     # to the end of 2100
FAR = 253086768000       # 9990


def local(zone, at_s):
    """Local time of an instant, without a zone."""
    return (EPOCH + timedelta(seconds=at_s)).astimezone(zone).replace(tzinfo=None)


def offset(zone, at_s):
    return round((local(zone, at_s) - NAIVE).total_seconds()) - at_s


def instant(zone, wall):
    """The first instant at which clocks show this; in a gap, its end."""
    at = round((wall.replace(tzinfo=zone, fold=0) - EPOCH) / timedelta(seconds=1))
    if local(zone, at) == wall:
        return at
    lo, hi = at - 2 * 86400, at + 2 * 86400
    while local(zone, lo) >= wall or local(zone, hi) < wall:
        raise AssertionError(f"{zone} {wall}")
    while lo + 1 < hi:
        mid = (lo + hi) // 2
        if local(zone, mid) >= wall:
            hi = mid
        else:
            lo = mid
    return hi


def number(day):
    return (day - date(1970, 1, 1)).days


def midnight(day):
    return datetime(day.year, day.month, day.day)


def period_start(zone, period, week_start, day, shift):
    """The local date on which the shifted period of a date begins, as an instant."""
    if period == 0:
        first = day + shift * DAY
    elif period == 1:
        first = day - ((day.weekday() - week_start) % 7) * DAY + 7 * shift * DAY
    else:
        months = {2: 1, 3: 3, 4: 12}[period]
        index = (day.year * 12 + day.month - 1) // months * months + shift * months
        first = date(index // 12, index % 12 + 1, 1)
    return instant(zone, midnight(first))


def changes(zone):
    """Instants at which the offset changes, found without a look at how the zone is stored."""
    step, before = 6 * 3600, offset(zone, 0)
    for at in range(step, SECONDS, step):
        now = offset(zone, at)
        if now != before:
            lo, hi = at - step, at
            while lo + 1 < hi:
                mid = (lo + hi) // 2
                lo, hi = (lo, mid) if offset(zone, mid) != before else (mid, hi)
            yield hi
        before = now


def questions(zone, rng):
    instants = [rng.randrange(SECONDS) for _ in range(1200)] + [rng.randrange(SECONDS, FAR) for _ in range(300)]
    for at in changes(zone):
        instants += [at - 1, at, at + 1, at + rng.randrange(-90000, 90000)]
    for at in instants:
        ms = at * 1000 + rng.randrange(1000)
        here = local(zone, at)
        yield f"offset {ms}", offset(zone, at)
        yield f"day {ms}", number(here.date())
        yield f"start {number(here.date())}", instant(zone, midnight(here.date())) * 1000
        clock = rng.randrange(86400)
        wall = midnight(here.date()) + timedelta(seconds=clock)
        yield f"clock {number(here.date())} {clock * 1000}", instant(zone, wall) * 1000
        period, week_start, shift = rng.randrange(5), rng.randrange(7), rng.randrange(-3, 3)
        day = here.date()
        if at >= instant(zone, midnight(day + DAY)):    # clocks went back over midnight; the day that has begun goes on
            day += DAY
        yield f"period {period} {week_start} {ms} {shift}", period_start(zone, period, week_start, day, shift) * 1000


def check(probe, name, path):
    zone = ZoneInfo(name)
    asked = list(questions(zone, random.Random(name)))
    run = subprocess.run([probe, path], input="".join(q + "\n" for q, _ in asked), capture_output=True, text=True)
    answers = run.stdout.split()
    wrong = [(q, want, got) for (q, want), got in zip(asked, answers) if int(got) != want]
    if run.returncode or len(answers) != len(asked):
        print(f"{name}: probe failed: {run.stderr}")
        return False
    for q, want, got in wrong[:5]:
        print(f"{name}: {q}: want {want}, got {got}")
    print(f"{name}: {len(asked)} questions, {len(wrong)} wrong answers")
    return not wrong


def main():
    results = []
    for name in ZONES:
        path = next((p for p in (os.path.join(d, name) for d in TZPATH) if os.path.isfile(p)), None)
        if not path:
            print(f"{name}: no such file in {':'.join(TZPATH)}: this check needs those of tzdata")
        results.append(bool(path) and check(sys.argv[1], name, path))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
