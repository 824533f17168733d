#!/usr/bin/python3
"""A quarter of a call centre, 5,000 calls of 8 agents, against expected values that were computed elsewhere.

    calls_pwc.py --kpictl PATH DIR

DIR holds Call-Center-Dataset.csv and the expected_*.csv beside it; it is not part of this project."""
import argparse
import csv
import datetime
import json
import os
import sys
import tempfile

from run import replay

UTC = datetime.timezone.utc
TALK = {"of": "duration", "where": {"type": "call", "outcome": "connected"}}
CONFIG = {
    "time": {"zone": "UTC", "clock": "event"},
    "roster": {"levels": ["rep"]},
    "windows": ["day", "day-1", "quarter", "30d"],
    "kpis": {"calls": {"aggregate": "count", "where": {"type": "call"}},
             "connected": {"aggregate": "count", "where": {"type": "call", "outcome": "connected"}},
             "connect_rate": {"formula": "connected / calls", "unit": "%"},
             "talk_sum": {"aggregate": "sum", **TALK}, "talk_mean": {"aggregate": "mean", **TALK},
             "talk_p50": {"aggregate": "median", **TALK}, "talk_p90": {"aggregate": "p90", **TALK},
             "talk_p95": {"aggregate": "p95", **TALK},
             "wait_mean": {"aggregate": "mean", "of": "wait", "where": {"outcome": "connected"}},
             "topics": {"aggregate": "distinct", "of": "topic"}},
}
ROUNDED = {"talk_mean": 1e-6, "wait_mean": 1e-6, "connect_rate": 1e-6}     # as the expected files write them
# SQL's sum of nothing is no value, ours is 0.
EMPTY = {"calls": 0, "connected": 0, "talk_sum": 0, "topics": 0}


def event(row):
    at = datetime.datetime.fromisoformat(f"{row['Date']}T{row['Time']}+00:00")
    ev = {"id": row["Call Id"], "source": "pbx", "type": "call", "time": int(at.timestamp() * 1000),
          "rep": row["Agent"], "topic": row["Topic"],
          "outcome": "connected" if row["Answered (Y/N)"] == "Y" else "no_answer"}
    if ev["outcome"] == "connected":
        hours, minutes, seconds = map(int, row["AvgTalkDuration"].split(":"))
        ev["duration"] = hours * 3600 + minutes * 60 + seconds
        ev["wait"] = int(row["Speed of answer in seconds"])
    return ev


def read(directory, name):
    with open(os.path.join(directory, name), newline="", encoding="utf-8-sig") as f:
        return list(csv.DictReader(f))


def end_of(day):
    return int(datetime.datetime.fromisoformat(day + "T23:59:59.999+00:00").timestamp() * 1000)


def run(kpictl, directory):
    """{(day, agent or ""): {kpi: {window: cell}}} at each day's end."""
    events = [event(row) for row in read(directory, "Call-Center-Dataset.csv")]
    days = [row["day"] for row in read(directory, "expected_day.csv")]
    ats = {end_of(day): day for day in days}
    with tempfile.TemporaryDirectory() as scratch:
        config, lines = os.path.join(scratch, "kpid.yaml"), os.path.join(scratch, "calls.jsonl")
        with open(config, "w", encoding="utf-8") as f:
            json.dump(CONFIG, f)
        with open(lines, "w", encoding="utf-8") as f:
            f.write("".join(json.dumps(ev) + "\n" for ev in events))
        out = replay(kpictl, config, lines, ats)
    snapshots = map(json.loads, out.splitlines())
    return days, {(ats[s["time"]], "" if s["level"] == "company" else s["key"]): s["kpis"] for s in snapshots}


class Check:
    def __init__(self):
        self.compared = self.wrong = 0

    def row(self, kpis, window, row, what):
        for kpi in CONFIG["kpis"]:
            want = float(row[kpi]) if row[kpi] != "" else EMPTY.get(kpi)
            got = kpis[kpi][window]["value"] if kpis else EMPTY.get(kpi)
            self.compared += 1
            if want is None or got is None:
                good = want is got
            elif kpi.startswith("talk_p"):
                good = abs(got - want) <= 0.01 * abs(want)
            else:
                good = abs(got - want) <= ROUNDED.get(kpi, 0)
            if not good:
                self.wrong += 1
                if self.wrong <= 10:
                    print(f"DIFFERENCE {what} {kpi} {window}: got {got}, want {want}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kpictl", required=True)
    parser.add_argument("directory")
    args = parser.parse_args()
    days, got = run(args.kpictl, args.directory)
    check = Check()
    for row in read(args.directory, "expected_day.csv"):
        check.row(got[row["day"], ""], "day", row, row["day"])
    for row in read(args.directory, "expected_agent_day.csv"):
        check.row(got.get((row["day"], row["agent"])), "day", row, f"{row['agent']} {row['day']}")
    for before, after in zip(days, days[1:]):
        row = next(r for r in read(args.directory, "expected_day.csv") if r["day"] == before)
        check.row(got[after, ""], "day-1", row, f"the day before {after}")
    for row in read(args.directory, "expected_agent.csv"):      # the file is one quarter
        check.row(got[days[-1], row["agent"]], "quarter", row, row["agent"])
    for row in read(args.directory, "expected_total.csv"):
        check.row(got[days[-1], ""], "quarter", row, "everybody")
    for row in read(args.directory, "expected_trailing.csv"):
        if row["kind"] != "trailing30" or (row["as_of_day"], row["agent"]) not in got:
            continue
        kpis = got[row["as_of_day"], row["agent"]]
        for kpi in ("calls", "connected", "talk_mean"):
            check.compared += 1
            if abs(kpis[kpi]["30d"]["value"] - float(row[kpi])) > ROUNDED.get(kpi, 0):
                check.wrong += 1
                print(f"DIFFERENCE {row['agent']} 30d at {row['as_of_day']} {kpi}: {kpis[kpi]['30d']}, want {row[kpi]}")
    print(f"{check.compared} values compared, {check.wrong} differences")
    return 1 if check.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
