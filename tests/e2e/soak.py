"""Everything at once, for long: does memory stay flat, and does every count add up?

soak.py [SECONDS]       40 by default; `cmake --build --preset release --target soak_long` for an hour

Senders on every socket, with duplicates, late events, wrong ones and garbage; keys, leads and ids that come and go; subscribers
that come, go, and never read; every request, reloads and checkpoints. Windows are seconds long and limits small, so that all
that is remembered is forgotten again many times within a minute.

After a third of the time has passed, the least memory (VmRSS) of the last third may exceed the least of the one before by
16 MiB, and by 64 in less than ten minutes: a reload has two engines for a moment, whose pages the allocator keeps in part, and tables double when they have to. What
leaks a byte an event shows beyond that in an hour (some forty million events). Files, threads and the journal have such bounds,
too; the history grows, since a day of it is the least that is kept. Under a sanitizer, which keeps what is freed, memory is not judged.
"""
import contextlib
import random
import sqlite3
import time

from daemon import *

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 40
CONFIG = """
storage: {path: store, checkpoint_every: 3s, history: 1d, samples: 1s, journal: 8MiB}
dedup: {window: 10s}
limits: {keys: 20000, entities: 5000, recent: 4096, dedup: 100000, silences: 50}
roster:
  unknown: accept
  members: [{rep: ana, team: one}, {rep: ben, team: one}, {rep: cy, team: two}, {rep: dee, team: two}]
kpis:
  calls: {aggregate: count, where: {type: call}, windows: [10s/1s, 1m, day]}
  talk: {aggregate: p90, of: duration, where: {type: call}, windows: [10s/1s, 1m]}
  clients: {aggregate: distinct, of: client, where: {type: call}, windows: [10s/1s, 1m]}
  spread: {aggregate: stddev, of: duration, where: {type: call}, windows: [10s/1s]}
  by_client: {aggregate: count, where: {type: call}, by: [client], windows: [5s/1s]}
  speed: {aggregate: mean, of: {elapsed: {from: {type: lead}, to: {type: stage, stage: won}, per: lead}}, windows: [1m]}
  open_leads: {aggregate: count, of: {open: {per: lead, closed: {type: stage, stage: [won, lost]}}}, windows: [day]}
alerts:
  many: {kpi: calls, window: 10s/1s, level: rep, warning: {above: 200}, critical: {above: 2000}, hours: always, for: 1s}
  few: {kpi: calls, window: 10s/1s, level: team, warning: {below: 50}, hours: always}
  odd: {kpi: by_client, window: 5s/1s, level: "@client", warning: {above: 3}, hours: always}
"""


class Soak:
    def __init__(self, d):
        self.d, self.ending, self.errors, self.n = d, False, [], 0
        self.sent = self.accepted = self.duplicates = self.rejected = self.followed = self.missed = 0
        self.random = random.Random(1)

    def event(self):
        self.n += 1
        r, kind = self.random, self.random.random()
        lead = f"lead-{self.n // 3}"
        event = {"type": "call" if kind < 0.8 else "lead" if kind < 0.9 else "stage", "stage": r.choice(("won", "lost")), "lead": lead,
                 "rep": r.choice(("ana", "ben", "cy", "dee", f"new-{self.n // 500}")), "client": f"client-{self.n // 20}",
                 "duration": r.randrange(900), "source": "soak", "id": f"{self.n}"}
        odd = r.random()
        if odd < 0.02:
            event["time"] = now_ms() - r.randrange(20000)
        elif odd < 0.03:
            event["time"] = now_ms() + 10**9        # rejected
        elif odd < 0.04:
            del event["type"]                       # rejected
        elif odd < 0.05:
            event["duration"] = "long"
        return event

    # ---- What goes on ----

    def acknowledged(self):
        s = self.d.socket(zmq.REQ, "router")
        while not self.ending:
            batch = [self.event() for _ in range(20)]
            for _ in range(2 if self.random.random() < 0.1 else 1):     # the same again
                s.send(msgpack.packb(batch))
                reply = msgpack.unpackb(s.recv())
                self.sent += len(batch)
                self.accepted += reply["accepted"]
                self.duplicates += reply["duplicates"]
                self.rejected += reply["rejected"]
                assert reply["durable"] and reply["accepted"] + reply["duplicates"] + reply["rejected"] == len(batch), reply
        s.close()

    def unacknowledged(self, kind, name):
        s = self.d.socket(kind, name)
        while not self.ending:
            payload = msgpack.packb([self.event() for _ in range(50)])
            if self.random.random() < 0.02:
                payload = self.random.randbytes(200)
            s.send_multipart([b"call", payload] if kind == zmq.PUB else [payload])
            time.sleep(0.01)
        s.close()

    def subscribers(self):
        deaf = self.d.socket(zmq.SUB, "publish", RCVHWM=1)
        deaf.setsockopt(zmq.SUBSCRIBE, b"")
        while not self.ending:
            some = [self.d.subscribe(self.random.choice(("", "snapshot/", "alert/", "snapshot/one/", f"snapshot/{n}/"))) for n in range(5)]
            for s in some:
                s.RCVTIMEO = 200
                try:
                    for _ in range(self.random.randrange(50)):
                        s.recv_multipart()
                except zmq.Again:
                    pass
                s.close()
        deaf.close()

    def follower(self):
        """One who reads all there is: in order, each once. What is missing is told, not judged: whoever gets no time to read for as long
        as 20,000 messages take loses some, as the reference says."""
        s = self.d.socket(zmq.SUB, "publish", RCVHWM=0, RCVTIMEO=500)
        s.setsockopt(zmq.SUBSCRIBE, b"")
        seq = None
        while not self.ending:
            try:
                message = msgpack.unpackb(s.recv_multipart()[1])
            except zmq.Again:
                continue
            assert seq is None or message["seq"] > seq, f'{message["seq"]} after {seq}'
            self.missed += message["seq"] - seq - 1 if seq is not None else 0
            self.followed += 1
            seq = message["seq"]
        s.close()

    def requests(self):
        ids = []
        while not self.ending:
            for request in ({"op": "status"}, {"op": "get"}, {"op": "get", "level": "@client"}, {"op": "alerts"}, {"op": "config"},
                            {"op": "roster"}, {"op": "explain", "kpi": "calls", "window": "1m", "key": "ana"}, {"op": "silences"},
                            {"op": "history", "kpi": "calls", "window": "day", "key": "ana"}, {"op": "history", "alerts": True},
                            {"op": "ack", "matchers": {"rule": "many"}, "by": "soak"}, {"op": "nonsense"}, {"op": "checkpoint"}):
                reply = self.d.ask(**request)
                assert reply["ok"] or request["op"] in ("nonsense", "history", "ack", "get"), reply
            made = self.d.ask(op="silence", matchers={"rule": "many"}, until=now_ms() + 60000, by="soak")
            ids.append(made.get("id"))
            if len(ids) > 3:
                self.d.ask(op="unsilence", ids=[ids.pop(0)])
            time.sleep(0.1)

    def reloads(self):
        while not self.ending:
            time.sleep(2)
            reply = self.d.ask(op="reload")
            assert reply["ok"], reply

    # ---- What it is judged by ----

    def measure(self):
        process = f"/proc/{self.d.process.pid}"
        with open(f"{process}/status") as f:
            fields = dict(line.split(":", 1) for line in f)
        with contextlib.closing(sqlite3.connect(f"file:{self.d.folder.name}/store/kpid.db?mode=ro", uri=True, timeout=DEADLINE)) as db:
            journal = db.execute("SELECT coalesce(sum(length(data)), 0) FROM journal").fetchone()[0]
        return {"rss": int(fields["VmRSS"].split()[0]) / 1024, "threads": int(fields["Threads"]), "fds": len(os.listdir(f"{process}/fd")),
                "journal": journal / 2**20}

    def run(self):
        def guard(what, *given):
            try:
                what(*given)
            except Exception as e:
                self.errors.append(f"{what.__name__}: {type(e).__name__} {e}")
        threads = [threading.Thread(target=guard, args=args, daemon=True) for args in (
            (self.acknowledged,), (self.unacknowledged, zmq.PUSH, "pull"), (self.unacknowledged, zmq.PUB, "sub"), (self.subscribers,),
            (self.follower,), (self.requests,), (self.reloads,))]
        for t in threads:
            t.start()
        begun, seen = time.monotonic(), []
        while time.monotonic() < begun + SECONDS and not self.errors:
            time.sleep(min(1, SECONDS / 60))
            seen.append(self.measure())
        self.ending = True
        for t in threads:
            t.join(DEADLINE)
        assert not self.errors, self.errors
        return seen


def judge(seen):
    third = len(seen) // 3
    for what, more in (("rss", 16 if SECONDS >= 600 else 64), ("threads", 0), ("fds", 12), ("journal", 24)):
        before, after = (min(m[what] for m in part) for part in (seen[third:2 * third], seen[2 * third:]))
        print(f"{what:8} least of the second third {before:8.1f}, of the last {after:8.1f}, most {max(m[what] for m in seen):8.1f}")
        if what != "rss" or not keeps_memory(KPID):
            assert after <= before + more, what


def main_soak():
    d = Daemon(CONFIG, transport="tcp", interval="100ms", full="2s", hwm=20000)
    try:
        soak = Soak(d)
        seen = soak.run()
        m = d.metrics()
        print(f'{m["kpid_events_accepted_total"]:.0f} events accepted, {m["kpid_events_duplicate_total"]:.0f} duplicates, '
              f'{sum(v for k, v in m.items() if "rejected" in k):.0f} rejected; {soak.sent} acknowledged; '
              f'{m["kpid_publish_snapshots_total"]:.0f} snapshots, {soak.followed} followed and {soak.missed} missed; '
              f'{m["kpid_control_requests_total"]:.0f} requests')
        assert soak.sent == soak.accepted + soak.duplicates + soak.rejected
        # one batch of ten is sent twice: a machine without time may not have got that far
        assert soak.sent < 10000 or (soak.duplicates and soak.rejected)
        assert m["kpid_entities"] <= 5000 and m["kpid_keys"] <= 20000 and m["kpid_memory_out_total"] == 0
        judge(seen)
        state = lambda: {s["key"]: s["kpis"]["calls"]["day"]["value"] for s in d.ask(op="get", level="rep", kpis=["calls"], windows=["day"])["snapshots"]}
        before = state()
        d.quit()
        d.start()
        assert state() == before, "a restart has changed what was counted today"
        d.stop()
    finally:
        if d.process.poll() is None:
            d.process.kill()


if __name__ == "__main__":
    main_soak()
