#!/usr/bin/env python3
"""calendar_check.py PROBE: a year of working time, minute by minute, against Python's zoneinfo, in zones whose clocks
change by an hour, by half of one, in the south, at midnight and never; and random stretches of many years."""
import os
import random
import subprocess
import sys
from datetime import date, datetime, timedelta, timezone
from zoneinfo import TZPATH, ZoneInfo

ZONES = ["Europe/London", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Asia/Beirut", "Asia/Kolkata",
         "America/Santiago"]
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
YEAR = int((datetime(2026, 1, 1, tzinfo=timezone.utc) - EPOCH).total_seconds()) - 86400
MINUTES = 367 * 1440
HOURS = {0: [(540, 750), (810, 1050)], 4: [(540, 960)], 5: [(1320, 1440)], 6: [(0, 90), (120, 210)]}
for weekday in (1, 2, 3):
    HOURS[weekday] = HOURS[0]
HOLIDAYS = {date(2026, 1, 1), date(2026, 12, 25)}
AWAY = [(date(2026, 5, 4), date(2026, 5, 6)), (date(2026, 8, 3), date(2026, 8, 14))]
CLOSED = (1780308600, 1780319400)


def is_working(zone, at_s):
    local = (EPOCH + timedelta(seconds=at_s)).astimezone(zone)
    day, minute = local.date(), local.hour * 60 + local.minute
    return (any(a <= minute < b for a, b in HOURS[local.weekday()]) and day not in HOLIDAYS and
            not any(a <= day <= b for a, b in AWAY) and not CLOSED[0] <= at_s < CLOSED[1])


def ask(probe, zone, lines):
    path = next(p for p in (os.path.join(d, zone) for d in TZPATH) if os.path.exists(p))
    done = subprocess.run([probe, path], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    return done.stdout.split("\n")[:-1]


def main():
    probe, rng, compared = sys.argv[1], random.Random(7), 0
    for name in ZONES:
        zone = ZoneInfo(name)
        want = [is_working(zone, YEAR + 60 * i) for i in range(MINUTES)]
        sums = [0]
        for working in want:
            sums.append(sums[-1] + working)
        spans = [sorted(rng.choices(range(MINUTES + 1), k=2)) for _ in range(2000)]
        got = ask(probe, name, [f"minutes {YEAR * 1000} {MINUTES}"] +
                  [f"work {(YEAR + 60 * a) * 1000} {(YEAR + 60 * b) * 1000}" for a, b in spans])
        for i, digit in enumerate(got[0]):
            if digit != "01"[want[i]]:
                sys.exit(f"{name}: {EPOCH + timedelta(seconds=YEAR + 60 * i)}: got {digit}, want {want[i]:d}")
        for (a, b), ms in zip(spans, got[1:], strict=True):
            if int(ms) != (sums[b] - sums[a]) * 60000:
                sys.exit(f"{name}: minutes {a} to {b}: got {ms}, want {(sums[b] - sums[a]) * 60000}")
        compared += len(got[0]) + len(spans)
    print(f"{compared} answers agree")


main()
