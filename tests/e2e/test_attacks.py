"""Whoever means harm: each attack with a bound on what it may cost, and an honest sender beside it who goes on being served.

Memory is that of the process (VmRSS), which is judged where no sanitizer adds to it; its bounds are those of the limits in
CONFIG, with room for what the allocator and libzmq hold on to.
"""
import contextlib
import json
import os
import resource
import socket
import sqlite3
import struct
import subprocess
import tempfile
import threading
import time

import msgpack
import zmq

from daemon import DEADLINE, KPICTL, KPID, Case, healthy, keeps_memory, main, now_ms, receive, until

MIB = 1 << 20
CONFIG = """
roster: {members: [{rep: ana, team: one, region: emea}]}
limits: {message: 64KiB, keys: 20000, entities: 20000, dedup: 50000, recent: 4096, subscriptions: 500, requests: 2000}
dedup: {window: 1h}
kpis:
  calls: {aggregate: count, where: {type: call}, windows: [1h, day]}
  talk: {aggregate: p90, of: duration, where: {type: call}, windows: [1h]}
  clients: {aggregate: distinct, of: client, where: {type: call}, windows: [1h]}
  by_client: {aggregate: count, where: {type: call}, by: [client], windows: [1h]}
  repeats: {aggregate: count, where: {type: call}, of: {repeat: {per: lead, from: 2}}, windows: [1h]}
alerts:
  honest: {kpi: calls, window: 1h, level: rep, warning: {above: 0}, hours: always}
"""


class Honest(threading.Thread):
    """Sends an event, waits for its acknowledgement, and sends the next one, until it is told to stop."""

    def __init__(self, d):
        super().__init__(daemon=True)
        self.d, self.acked, self.worst, self.ending, self.error = d, 0, 0, False, None
        self.start()

    def run(self):
        s = self.d.socket(zmq.REQ, "router")
        try:
            while not self.ending:
                begun = time.monotonic()
                s.send(msgpack.packb({"type": "call", "rep": "ana", "source": "honest", "id": str(self.acked), "duration": 60}))
                reply = msgpack.unpackb(s.recv())
                assert reply["accepted"] == 1, reply
                self.worst = max(self.worst, time.monotonic() - begun)
                self.acked += 1
        except Exception as e:
            self.error = e
        s.close()

    def end(self):
        self.ending = True
        self.join(DEADLINE)
        assert self.error is None, self.error
        return self.acked


class Attacks(Case):
    def setUp(self):
        self.d = self.daemon(CONFIG)
        self.d.send({"type": "call", "rep": "ana"})
        self.honest = Honest(self.d)
        until(lambda: self.honest.acked > 10)
        self.before = self.rss()

    def rss(self):
        with open(f"/proc/{self.d.process.pid}/status") as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))

    def fds(self):
        return len(os.listdir(f"/proc/{self.d.process.pid}/fd"))

    def survived(self, bound):
        """The honest one is served, by as much as ever, and memory has stayed within so many bytes more."""
        acked = self.honest.acked
        until(lambda: self.honest.acked > acked + 20, "an acknowledgement for the honest sender")
        if not keeps_memory(KPID):
            self.assertLess((self.rss() - self.before) / MIB, bound / MIB)
        acked = self.honest.end()
        self.assertEqual(self.d.value("rep", "ana", "calls", "1h"), acked + 1)
        self.assertIn("firing", [a["state"] for a in self.d.ask(op="alerts")["alerts"] if a["key"] == "ana"])
        self.d.stop()

    def push(self, events, batch=200):
        s = self.d.socket(zmq.PUSH, "pull")
        for i in range(0, len(events), batch):
            s.send(msgpack.packb(events[i:i + batch]))
        until(lambda: sum(v for k, v in self.d.metrics().items() if k.startswith(("kpid_events_accepted", "kpid_events_dupl", "kpid_events_rej")))
              >= len(events))
        s.close()

    # ---- Of events ----

    def test_keys_without_end(self):
        self.push([{"type": "call", "rep": f"rep-{i}", "client": f"client-{i}", "duration": i} for i in range(60000)])
        m = self.d.metrics()
        self.assertLessEqual(m["kpid_keys"], 20000)
        self.assertGreater(m['kpid_events_rejected_total{reason="limit"}'], 40000)
        self.survived(64 * MIB)

    def test_entities_and_ids_without_end(self):
        self.push([{"type": "call", "rep": "ana", "lead": f"lead-{i}", "client": f"c{i % 50}", "id": f"id-{i}", "source": "x"} for i in range(120000)])
        m = self.d.metrics()
        self.assertLessEqual(m["kpid_entities"], 20000)
        self.assertLessEqual(m["kpid_dedup_ids"], 60000)
        acked = self.honest.end()       # the flood counts as ana's own
        self.assertEqual(self.d.value("rep", "ana", "calls", "1h"), acked + 1 + 120000)
        if not keeps_memory(KPID):
            self.assertLess(self.rss() - self.before, 64 * MIB)
        self.d.stop()

    def test_captured_messages_again_and_again(self):
        captured = msgpack.packb([{"type": "call", "rep": "ben", "id": f"captured-{i}", "source": "x"} for i in range(100)])
        s = self.d.socket(zmq.DEALER, "router")
        replies = []
        for _ in range(300):
            s.send(captured)
            replies.append(msgpack.unpackb(s.recv()))
        self.assertEqual([r["accepted"] for r in replies], [100] + [0] * 299)
        self.assertEqual(self.d.value("rep", "ben", "calls", "1h"), 100)
        s.close()
        self.survived(16 * MIB)

    def test_times_at_the_edges_of_what_can_be_written(self):
        edges = [-2**63, -2**63 + 1, -1, 0, 1, 2**31, 2**53, 253402300799999, 253402300800000, 2**63 - 1, 2**64 - 1, now_ms() + 400000]
        events = [{"type": "call", "rep": "ana", "time": t} for t in edges + [1e300, "9999-12-31T23:59:59Z", None, float("nan")]]
        events += [{"type": "kpid.heartbeat", "source": "x", "covered_until": t} for t in edges] + [{"type": "call", "seq": t} for t in edges]
        s = self.d.socket(zmq.REQ, "router")
        timestamps = [b"\xc7\x0c\xff" + struct.pack(">Iq", 999999999, at) for at in (-2**63, -1, 2**63 - 1)]
        timestamps += [b"\xd6\xff\xff\xff\xff\xff", b"\xd7\xff" + b"\xff" * 8, b"\xc7\x0c\xff" + b"\xff" * 12, b"\xd4\xff\x01", b"\xc7\x00\xff"]
        for event in [msgpack.packb(event) for event in events] + [b"\x82\xa4type\xa4call\xa4time" + at for at in timestamps]:
            s.send(event)
            reply = msgpack.unpackb(s.recv())
            self.assertEqual(reply["accepted"] + reply["rejected"], 1, event)
        for text in ("-1e999", "1e999", "99999999999999999999", "-99999999999999999999", "\"0000-00-00T00:00:00Z\"", "\"+292277026596-01-01T00:00:00Z\""):
            s.send(b'{"type": "call", "rep": "eve", "time": %s}' % text.encode())
            self.assertEqual(json.loads(s.recv())["rejected"], 1, text)
        s.close()
        acked = self.honest.end()
        self.assertGreaterEqual(self.d.value("rep", "ana", "calls", "1h"), acked + 1)
        self.d.stop()

    def test_nesting_without_end(self):
        s = self.d.socket(zmq.REQ, "router")
        deep = 60000
        for payload in (b"\x91" * deep, b"[" * deep, b'{"type":"call","x":' + b"[" * deep, b"\x82\xa4type\xa4call\xa1x" + b"\x91" * deep,
                        b'{"type":' * (deep // 8), b"\x81\xa1a" * (deep // 3), b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff",
                        b"\x91\xdb\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdc\xff\xff" + b"\x80" * 1000):
            s.send(payload)
            reply = msgpack.unpackb(b) if (b := s.recv())[:1] != b"{" else json.loads(b)
            self.assertGreater(reply["rejected"], 0, payload[:20])
            self.assertEqual(reply["accepted"], 0, payload[:20])
        s.close()
        control = self.d.socket(zmq.REQ, "control")
        for payload in (b"\x91" * deep, b"[" * deep, b'{"op":' * (deep // 8), b"\x82\xa2op\xa3get\xa5under" + b"\x91" * deep):
            control.send(payload)
            reply = msgpack.unpackb(b) if (b := control.recv())[:1] != b"{" else json.loads(b)
            self.assertFalse(reply["ok"])
        control.close()
        self.survived(32 * MIB)

    # ---- Of connections ----

    def raw(self, name):
        host, port = self.d.endpoints[name][6:].rsplit(":", 1)
        s = socket.create_connection((host, int(port)), timeout=DEADLINE)
        self.addCleanup(s.close)
        return s

    GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
    READY = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x04PUSH"

    def test_peers_that_stop_in_the_middle_of_it(self):
        names = ("pull", "router", "publish", "control")
        fds = self.fds()
        silent = [self.raw(name) for name in names for _ in range(40)]
        halfway = [self.raw(name) for name in names for _ in range(20)]
        for s in halfway:
            s.sendall(self.GREETING[:20])
        begun = [self.raw("pull") for _ in range(20)]
        for s in begun:     # a frame of 60,000 bytes, and the first of them
            s.sendall(self.GREETING + self.READY + b"\x02" + struct.pack(">Q", 60000) + b"x" * 100)
        huge = self.raw("pull")
        huge.sendall(self.GREETING + self.READY + b"\x02" + struct.pack(">Q", 2**62))
        while huge.recv(4096):      # what greets it; then it is sent away
            pass
        # who does not say who they are is sent away, too; a message that never ends keeps its connection, and its bytes
        until(lambda: self.fds() <= fds + len(begun) + 2, "the end of half-open connections")
        self.assertEqual(len(silent), 160)
        self.survived(32 * MIB)

    def test_a_storm_of_connections(self):
        fds = self.fds()
        for round in range(20):
            storm = [self.raw(name) for name in ("pull", "router", "sub", "publish", "control") for _ in range(20)]
            for i, s in enumerate(storm):
                if i % 3:
                    s.sendall((self.GREETING + self.READY)[:i * 7 % 100])
                if i % 2:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))      # ends with a reset
                s.close()
        until(lambda: self.fds() <= fds + 2, "the end of the storm")
        self.survived(32 * MIB)

    def test_more_connections_than_the_process_may_have_files_open(self):
        prlimit = lambda soft: resource.prlimit(self.d.process.pid, resource.RLIMIT_NOFILE, (soft, 4096))
        most = self.fds() + 20
        prlimit(most)
        storm = [self.raw(name) for name in ("pull", "router", "publish", "control") for _ in range(50)]
        until(lambda: self.fds() >= most - 2, "every file that it may have open")
        acked = self.honest.acked
        until(lambda: self.honest.acked > acked + 100, "an acknowledgement for the honest sender")
        for s in storm:
            s.close()
        until(lambda: self.fds() <= most - 18, "the end of the storm")
        self.survived(32 * MIB)

    def test_subscriptions_without_end(self):
        good = self.d.subscribe("snapshot/emea/one/ana/")
        receive(good)
        for _ in range(5):
            flood = self.d.socket(zmq.SUB, "publish", RECONNECT_IVL=-1)
            for i in range(3000):
                flood.setsockopt(zmq.SUBSCRIBE, b"snapshot/%06d/" % i + b"x" * 400)
            self.addCleanup(flood.close)
        until(lambda: self.d.metrics()["kpid_connections_cut_total"] == 5)
        receive(good)
        self.assertGreater(self.d.metrics()["kpid_publish_subscriptions_refused_total"], 0)
        until(lambda: self.d.metrics()["kpid_publish_subscriptions"] == 1)     # with a connection its wishes go
        self.survived(48 * MIB)

    def test_nobody_ends_what_somebody_else_follows(self):
        good = self.d.subscribe("snapshot/emea/one/ana/")
        receive(good)
        enemy = self.raw("publish")
        enemy.sendall(self.GREETING + self.READY.replace(b"\x04PUSH", b"\x03SUB").replace(b"\x04\x19", b"\x04\x18"))
        topic = b"snapshot/emea/one/ana/"
        frame = lambda first: bytes([0, len(topic) + 1, first]) + topic
        enemy.sendall(frame(0) * 20 + frame(1) * 3 + frame(0) * 20 + frame(1))
        other = self.d.subscribe("snapshot/other/")     # which is read after that
        until(lambda: self.d.metrics()["kpid_publish_subscriptions"] == 2)
        enemy.close()
        other.close()
        until(lambda: self.d.metrics()["kpid_publish_subscriptions"] == 1)
        acked = self.honest.acked
        receive(good, lambda t, m: m["kpis"]["calls"]["1h"]["value"] > acked)
        self.survived(16 * MIB)

    def test_requests_without_end_and_nobody_who_reads_the_answers(self):
        flood = self.d.socket(zmq.DEALER, "control", SNDHWM=0)
        for _ in range(100000):
            flood.send_multipart([b"", b'{"op":"status"}'])
        until(lambda: self.d.metrics()["kpid_control_paused_total"] > 2)
        begun = time.monotonic()
        for _ in range(20):
            self.assertTrue(self.d.ask(op="get", keys=["ana"])["ok"])
        self.assertLess(time.monotonic() - begun, DEADLINE)
        flood.close()
        self.survived(96 * MIB)

    def test_senders_who_read_no_acknowledgements(self):
        flood = self.d.socket(zmq.DEALER, "router", SNDHWM=0, RCVHWM=1)
        for i in range(60000):
            flood.send(b"\x82\xa4type\xa1x\xa3rep\xa3eve")
        until(lambda: self.d.metrics()["kpid_messages_total"] > 60000)
        flood.close()
        self.survived(96 * MIB)


class Hashes(Case):
    """What keys that are chosen to collide do under another seed, test_tab shows."""

    def seed(self):
        d = self.daemon("storage: {path: store}" + CONFIG)
        with contextlib.closing(sqlite3.connect(f"file:{d.folder.name}/store/kpid.db?mode=ro", uri=True)) as db:
            (seed,) = db.execute("SELECT value FROM meta WHERE key = 'seed'").fetchone()
        d.stop()
        return seed

    def test_no_two_daemons_have_the_same_seed(self):
        seeds = {self.seed() for _ in range(3)}
        self.assertEqual(len(seeds), 3)
        self.assertNotIn(0, seeds)


class Files(Case):
    def check(self, text, seconds=10):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
            f.write(text)
            f.flush()

            def bounded():
                if not keeps_memory(KPICTL):
                    resource.setrlimit(resource.RLIMIT_AS, (512 * MIB, 512 * MIB))
            found = subprocess.run([KPICTL, "check", f.name], capture_output=True, text=True, timeout=seconds * 6, preexec_fn=bounded)
            self.assertTrue(healthy(found.stderr), found.stderr[-2000:])
            self.assertEqual(found.returncode, 2, found.stderr[:300])
            return found.stderr

    def test_documents_that_grow_when_they_are_read(self):
        laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 9) + "]\n" for i in range(1, 30))
        self.assertIn(":1:5: ", self.check(laughs))
        for text in ("[" * 100000, "{a: " * 100000, "- " * 100000, "? " * 50000, "kpis: {" + "x: {aggregate: count}, " * 200000 + "}",
                     "kpis: {calls: {formula: " + "(" * 100000 + "}}", "kpis: {calls: {where: {" + "x: " * 1000 + "}}}",
                     "windows: [" + "1h, " * 100000 + "]", "&a [*a]", "kpis: \"" + "x" * 5000000 + "\"", "\0" * 1000, "\ufeff" * 1000):
            with self.subTest(text[:30]):
                self.assertRegex(self.check(text), r"\.yaml(:\d+:\d+)?: ")


if __name__ == "__main__":
    main()
