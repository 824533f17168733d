#!/usr/bin/python3
"""What must not matter: order of arrival, repetition, batches, the format. Byte for byte, by `kpictl replay`."""
import argparse
import json
import os
import random
import sys
import tempfile

from generate import Case
from run import replay, write_case
from windows import Calendar

try:
    import msgpack
except ImportError:
    msgpack = None

DAY = 86400_000


class Run:
    """A case as a list of events, replayed in one form or another with the clock put to one last instant."""

    def __init__(self, kpictl, directory, seed):
        self.kpictl, self.directory = kpictl, directory
        self.case = Case(seed)
        self.rng = random.Random(seed + 1)
        self.case.config.pop("alerts", None)    # an alert does depend on what was known when
        self.config, _ = write_case(self.case, directory)
        # Events that say when they happened: without a time, the order is the answer.
        self.events = [ev for ev in self.case.events if isinstance(ev.get("time"), int) and ev["time"] >= 0]
        self.last = max(ev["time"] for ev in self.events)
        self.tick = {"type": "kpid.tick", "time": self.last + 1}

    def replay(self, lines, name="events.jsonl", ats=(), binary=False):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as f:
            for line in lines:
                f.write(line if binary else json.dumps(line, ensure_ascii=False).encode() + b"\n")
        return replay(self.kpictl, self.config, path, ats)

    def final(self, lines, **how):
        return self.replay([*lines, self.tick], **how)

    def kept_for_good(self):
        """Those that no clock up to the last instant finds too late, whatever comes first: nothing is shuffled out."""
        calendar = Calendar(self.case.zone, self.case.week_starts)
        config = self.case.config
        windows = {w for kpi in config["kpis"].values() for w in kpi.get("windows", config["windows"])}
        oldest = min(calendar.bounds(w, self.last + 1)[0] for w in windows)
        once = {}
        for ev in self.events:      # one content per id, so that it does not matter which of them is the first
            if ev["time"] >= oldest:
                once.setdefault((ev.get("source") or "", ev.get("id", id(ev))), ev)
        return list(once.values())


def any_order(run):
    kept = run.kept_for_good()
    want = run.final(kept)
    orders = [kept[::-1], sorted(kept, key=lambda ev: ev["time"])]
    orders += [run.rng.sample(kept, len(kept)) for _ in range(3)]
    return all(run.final(order) == want for order in orders)


def same_instant(run):
    """Which of many events of one instant is the last is not for their arrival to say."""
    run.case.config["kpis"]["latest"] = {"aggregate": "last", "of": "amount"}
    write_case(run.case, run.directory)
    run.events = [dict(ev, time=ev["time"] - ev["time"] % (DAY // 2)) for ev in run.events]
    for ev in run.events[::2]:
        ev.pop("id", None)
    return any_order(run)


def clock_first(run):
    """All events late: the clock is put to the end before the first of them."""
    kept = run.kept_for_good()
    return run.replay([run.tick, *run.rng.sample(kept, len(kept))]) == run.final(kept)


def duplicates(run):
    run.case.config["dedup"]["window"] = "366d"
    write_case(run.case, run.directory)
    base = [ev for ev in run.events if "id" in ev]
    if base and max(ev["time"] for ev in base) - min(ev["time"] for ev in base) > 365 * DAY:
        base = base[len(base) // 2:]
    again = []
    for ev in base:
        again.append(ev)
        if run.rng.random() < 0.3:
            again.append(run.rng.choice(again))
    return run.final(again) == run.final(base)


def twice(run):
    lines = run.case.events
    return run.replay(lines, ats=run.case.ats) == run.replay(lines, ats=run.case.ats)


def batches(run):
    lines, i = [], 0
    while i < len(run.events):
        n = run.rng.choice([1, 2, 7, 300])
        lines.append(run.events[i:i + n])
        i += n
    return run.replay(lines, ats=run.case.ats) == run.replay(run.events, ats=run.case.ats)


def packed(run, shape):
    """Integers beyond what MessagePack has are JSON's alone; other numbers keep their type."""
    lines = [msgpack.packb(line, use_bin_type=True) for line in shape]
    return run.replay(lines, name="events.msgpack", ats=run.case.ats, binary=True)


def formats(run):
    if not msgpack:
        print("no msgpack module: formats are not compared")
        return True
    events = run.case.events
    events = [{k: v for k, v in ev.items() if not (k == "time" and isinstance(v, str))} for ev in events]
    want = run.replay(events, ats=run.case.ats)
    return packed(run, events) == want and packed(run, [events]) == run.replay([events], ats=run.case.ats)


PROPERTIES = [("any order of arrival gives the same snapshots", any_order),
              ("the last of many at one instant does not depend on their order", same_instant),
              ("events that come after the clock has passed them count alike", clock_first),
              ("a duplicate changes nothing", duplicates),
              ("a second replay gives the same bytes", twice),
              ("a batch is as good as its events", batches),
              ("MessagePack is as good as JSON", formats)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kpictl", required=True)
    parser.add_argument("--cases", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    bad = 0
    for name, holds in PROPERTIES:
        failed = []
        for seed in range(args.seed, args.seed + args.cases):
            with tempfile.TemporaryDirectory() as directory:
                if not holds(Run(args.kpictl, directory, seed)):
                    failed.append(seed)
        print(f"{'FAILED' if failed else 'ok'}: {name}" + (f" (seeds {failed})" if failed else ""), flush=True)
        bad += bool(failed)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
