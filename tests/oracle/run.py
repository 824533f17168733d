#!/usr/bin/python3
"""Random events through `kpictl replay`, every number held against SQL. See README.md."""
import argparse
import json
import os
import subprocess
import sys
import tempfile

from generate import Case
from sql import COMPANY, key


def write_case(case, directory):
    config, events = os.path.join(directory, "kpid.yaml"), os.path.join(directory, "events.jsonl")
    with open(config, "w", encoding="utf-8") as f:
        json.dump(case.config, f, indent=1)     # JSON is YAML
    with open(events, "w", encoding="utf-8") as f:
        f.write("".join(line + "\n" for line in case.lines))
    return config, events


def replay(kpictl, config, events, ats=()):
    args = [kpictl, "replay", "--config", config, "--events", events]
    for at in ats:
        args += ["--at", str(at)]
    done = subprocess.run(args, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(args)}: exit status {done.returncode}\n{done.stderr.decode()}")
    return done.stdout


def key_of(snapshot):
    if snapshot["level"] == "company":
        return COMPANY
    return key(snapshot["level"], *snapshot["path"])


def same(agg, got, want):
    if isinstance(want, set):
        return not want or got in want
    if want is None or got is None:
        return got is want
    if agg in ("mean", "stddev", "formula"):
        return abs(got - want) <= 1e-9 * abs(want)
    if agg == "distinct":
        return abs(got - want) <= (0 if want <= 256 else 0.05 * want)
    if agg == "median" or (agg[0] == "p" and agg[1].isdigit()):
        return abs(got - want) <= 0.01 * abs(want) + 1e-12
    return got == want


class Differences:
    def __init__(self, most):
        self.count, self.most = 0, most

    def add(self, *what):
        self.count += 1
        if self.count <= self.most:
            print("DIFFERENCE", *what, flush=True)


def compare_key(case, oracle, t, k, kpis, out):
    compared = 0
    for name, windows in kpis.items():
        kpi = case.kpis[name]
        agg = kpi.get("aggregate", "formula")
        for window, cell in windows.items():
            want, n = oracle.value(name, kpi, window, t, k)
            compared += 2
            if not same(agg, cell["value"], want) or cell["n"] != n:
                out.add(f"seed {case.seed} at {t} key {k} kpi {name} window {window}:",
                        f"got {cell['value']} (n {cell['n']}), want {want} (n {n})", json.dumps(kpi))
    return compared


def shown(case, k):
    """The KPIs and windows that a snapshot of this key has to hold."""
    level = json.loads(k)[0]
    dim = level[1:] if level[0] == "@" else ""
    return {name: set(kpi.get("windows", case.config["windows"])) for name, kpi in case.kpis.items()
            if ",".join(kpi.get("by", [])) == dim}


def compare_absent(case, oracle, t, k, out):
    """A key that is not shown must have nothing to show."""
    for name, windows in shown(case, k).items():
        kpi = case.kpis[name]
        for window in windows if "formula" not in kpi else ():
            value, n = oracle.value(name, kpi, window, t, k)
            if n:
                out.add(f"seed {case.seed} at {t} key {k} kpi {name} window {window}: not shown, want {value} (n {n})")


def compare(case, stdout, out):
    oracle = case.oracle()
    keys, compared, seen = oracle.keys(), 0, {t: set() for t in case.ats}
    for line in stdout.splitlines():
        snapshot = json.loads(line)
        if snapshot["kind"] != "snapshot":
            continue
        t, k = snapshot["time"], key_of(snapshot)
        if t not in seen or k in seen[t] or k not in keys:
            out.add(f"seed {case.seed} at {t} key {k}: not expected, or twice")
            continue
        seen[t].add(k)
        has = {name: set(windows) for name, windows in snapshot["kpis"].items()}
        if has != shown(case, k):
            out.add(f"seed {case.seed} at {t} key {k}: KPIs {has}, want {shown(case, k)}")
        compared += compare_key(case, oracle, t, k, snapshot["kpis"], out)
    for t in case.ats:
        for k in keys - seen[t]:
            if k in oracle.roster.keys:
                out.add(f"seed {case.seed} at {t}: member {k} is not shown")
            compare_absent(case, oracle, t, k, out)
    return compared


def run_case(kpictl, case, out, keep=None):
    with tempfile.TemporaryDirectory() as directory:
        config, events = write_case(case, keep or directory)
        return compare(case, replay(kpictl, config, events, case.ats), out)


def main(make):
    """make: from a seed to a case, which has config, kpis, lines, ats and oracle()."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kpictl", required=True)
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1, help="of the first case; the next ones count up")
    parser.add_argument("--keep", help="write configuration and events of the (last) case here")
    parser.add_argument("--most", type=int, default=12, help="differences printed")
    args = parser.parse_args()
    if args.keep:
        os.makedirs(args.keep, exist_ok=True)
    out, compared = Differences(args.most), 0
    for seed in range(args.seed, args.seed + args.cases):
        try:
            compared += run_case(args.kpictl, make(seed), out, args.keep)
        except RuntimeError as error:
            out.add(f"seed {seed}: {error}")
    print(f"{args.cases} cases, {compared} values compared, {out.count} differences")
    return 1 if out.count else 0


if __name__ == "__main__":
    sys.exit(main(Case))
