"""Nothing lost: kpid is killed at any moment, and whoever got an acknowledgement need not care.

test_durable.py             a few kills, as in tools/test
test_durable.py --kills N   as many as that, for the long run
"""
import contextlib
import random
import resource
import sqlite3
import sys
import threading
import time

from daemon import *

KILLS = 6
FLOOR = """
storage: {path: store, checkpoint_every: 1s}
limits: {queue: 1MiB}
roster: {levels: [team, rep], unknown: accept}
kpis:
  calls: {aggregate: count, where: {type: call}, windows: [day, 30d]}
  talk: {aggregate: sum, of: duration, where: {type: call}, windows: [30d], unit: s}
  clients: {aggregate: distinct, of: client, where: {type: call}, windows: [30d]}
  open_deals: {aggregate: count, of: {open: {per: deal, closed: {type: stage, stage: won}}}, windows: [day]}
alerts:
  many: {kpi: calls, window: 30d, level: rep, warning: {above: 30}, critical: {above: 60}, hours: always}
  long: {kpi: calls, window: 30d, level: rep, warning: {above: 45}, for: 200ms, hours: always}
"""


class Sender(threading.Thread):
    """Sends calls of one rep, again and again until each is acknowledged, whatever happens to the daemon."""

    def __init__(self, endpoint, rep, context):
        super().__init__(daemon=True)
        self.endpoint, self.rep, self.context = endpoint, rep, context
        self.random = random.Random(rep)
        self.sent, self.acknowledged, self.refused = {}, set(), 0
        self.ending = threading.Event()

    def event(self, n):
        return {"type": "call", "id": f"{self.rep}-{n}", "source": "test", "rep": self.rep, "client": f"c{n % 37}",
                "duration": n % 100, "time": now_ms() - self.random.randrange(3_600_000)}

    def connect(self):
        s = self.context.socket(zmq.DEALER)
        s.setsockopt(zmq.LINGER, 0)
        s.connect(self.endpoint)
        return s

    def take(self, s):
        while s.poll(50):
            tag, payload = s.recv_multipart()
            reply = msgpack.unpackb(payload)
            if reply["durable"]:
                self.acknowledged.add(int(tag))
            else:
                self.refused += 1

    def run(self):
        s = self.connect()
        last = time.monotonic()
        while True:
            waiting = [n for n in self.sent if n not in self.acknowledged]
            if self.ending.is_set() and not waiting:
                break
            if waiting and time.monotonic() - last > 1:     # no answer for a while: all of it once more
                s.close()
                s = self.connect()
                for n in waiting:
                    s.send_multipart([b"%d" % n, msgpack.packb(self.sent[n])])
                last = time.monotonic()
            if not self.ending.is_set() and len(waiting) < 50:
                n = len(self.sent)
                self.sent[n] = self.event(n)
                s.send_multipart([b"%d" % n, msgpack.packb(self.sent[n])])
            before = len(self.acknowledged)
            self.take(s) if len(waiting) >= 50 or self.ending.is_set() else self.take_some(s)
            if len(self.acknowledged) != before:
                last = time.monotonic()
        s.close()

    def take_some(self, s):
        while s.poll(1):
            tag, payload = s.recv_multipart()
            reply = msgpack.unpackb(payload)
            if reply["durable"]:
                self.acknowledged.add(int(tag))
            else:
                self.refused += 1


class BestEffort(threading.Thread):
    def __init__(self, endpoint, context):
        super().__init__(daemon=True)
        self.endpoint, self.context, self.sent = endpoint, context, 0
        self.ending = threading.Event()

    def run(self):
        s = self.context.socket(zmq.PUSH)
        s.setsockopt(zmq.LINGER, 0)
        s.connect(self.endpoint)
        while not self.ending.is_set():
            try:
                s.send(msgpack.packb({"type": "call", "rep": "loose", "id": f"l{self.sent}", "source": "loose", "client": "c"}), zmq.DONTWAIT)
                self.sent += 1
            except zmq.Again:
                pass
            time.sleep(0.002)
        s.close()


class Listener(threading.Thread):
    """What alerts are told, across all restarts."""

    def __init__(self, endpoint, context):
        super().__init__(daemon=True)
        self.heard, self.ending = [], threading.Event()
        self.socket = context.socket(zmq.SUB)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SUBSCRIBE, b"alert/")
        self.socket.connect(endpoint)

    def run(self):
        while not self.ending.is_set():
            if self.socket.poll(50):
                self.heard.append(msgpack.unpackb(self.socket.recv_multipart()[1]))
        self.socket.close()


def stored(d, sql):
    db = sqlite3.connect(f"file:{d.folder.name}/store/kpid.db?mode=ro", uri=True)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


class Killed(Case):
    def test_what_was_acknowledged_is_counted_once_and_alerts_are_where_they_were(self):
        d = self.daemon(FLOOR, transport="ipc")
        senders = [Sender(d.endpoints["router"], f"rep{i}", d.zmq) for i in range(6)]
        loose, listener = BestEffort(d.endpoints["pull"], d.zmq), Listener(d.endpoints["publish"], d.zmq)
        chance = random.Random(KILLS)
        for t in [*senders, loose, listener]:
            t.start()
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.05, 1.5))       # it is to be any moment
            d.kill()
            d.start()
        for s in senders:
            until(lambda s=s: len(s.sent) > 70, "enough calls")
        for t in [*senders, loose]:
            t.ending.set()
        for t in [*senders, loose]:
            t.join(DEADLINE)
            self.assertFalse(t.is_alive())
        for s in senders:
            self.assertEqual(len(s.acknowledged), len(s.sent))
            self.assertEqual(d.value("rep", s.rep, "calls", "30d"), len(s.sent))
            self.assertEqual(d.value("rep", s.rep, "talk", "30d"), sum(e["duration"] for e in s.sent.values()))
            self.assertEqual(d.value("rep", s.rep, "clients", "30d"), len({e["client"] for e in s.sent.values()}))
        self.assertLessEqual(d.value("rep", "loose", "calls", "30d") or 0, loose.sent)
        until(lambda: sum(a["state"] == "firing" for a in d.ask(op="alerts")["alerts"] if a["key"] != "loose") == 12, "the alerts")
        listener.ending.set()
        listener.join(DEADLINE)
        now = {(a["rule"], a["key"]): a["id"] for a in d.ask(op="alerts")["alerts"] if a["state"] == "firing"}
        for kept in (listener.heard, [dict(zip(("rule", "key", "id", "state"), row))
                                      for row in stored(d, "SELECT rule, key, id, state FROM alerts")]):
            for a in kept:
                if a["state"] == "firing":
                    self.assertEqual(now[a["rule"], a["key"]], a["id"])
                else:
                    self.assertEqual(a["state"], "pending")
        told = {row[:2] for row in stored(d, "SELECT rule, key FROM alerts WHERE state = 'firing'")}
        self.assertEqual(told, set(now))
        status = d.ask(op="status")
        self.assertEqual((status["storage"]["state"], status["storage"]["recovery"]["damage"]), ("ok", None))
        d.stop()

    def test_after_a_clean_end_there_is_nothing_to_take_in_again(self):
        d = self.daemon(FLOOR, transport="ipc")
        d.send({"type": "call", "rep": "ana", "id": "1", "source": "s", "client": "c", "duration": 7})
        d.quit()
        d.start()
        recovery = d.ask(op="status")["storage"]["recovery"]
        self.assertEqual((recovery["events"], recovery["damage"]), (0, None))
        self.assertGreater(recovery["checkpoint"], 0)
        self.assertEqual(d.value("rep", "ana", "talk", "30d"), 7)
        self.assertEqual(d.send({"type": "call", "rep": "ana", "id": "1", "source": "s"})["duplicates"], 1)
        d.stop()

    def test_silences_and_acknowledgements_stay(self):
        d = self.daemon(FLOOR, transport="ipc")
        d.send(*({"type": "call", "rep": "ana"} for _ in range(31)))
        alert = until(lambda: [a for a in d.ask(op="alerts")["alerts"] if a["rule"] == "many"], "the alert")[0]
        self.assertTrue(d.ask(op="ack", id=alert["id"], by="lee")["ok"])
        made = d.ask(op="silence", matchers={"rule": "long"}, **{"for": "1h"}, by="lee", comment="a test")
        self.assertTrue(made["ok"], made)
        d.kill()
        d.start()
        again = until(lambda: [a for a in d.ask(op="alerts")["alerts"] if a["rule"] == "many"], "the alert")[0]
        self.assertEqual((again["id"], again["acked_by"]), (alert["id"], "lee"))
        self.assertEqual(d.ask(op="silences")["silences"][0]["id"], made["silence"]["id"])
        d.quit()        # and by way of a checkpoint
        d.start()
        again = until(lambda: [a for a in d.ask(op="alerts")["alerts"] if a["rule"] == "many"], "the alert")[0]
        self.assertEqual((again["id"], again["acked_by"]), (alert["id"], "lee"))
        self.assertEqual(d.ask(op="silences")["silences"][0]["comment"], "a test")
        d.stop()


class Damage(Case):
    def test_a_damaged_checkpoint_is_said_and_the_one_before_is_taken(self):
        d = self.daemon(FLOOR.replace("1s", "1d"), transport="ipc")
        for n in range(3):
            d.send({"type": "call", "rep": "ana", "id": str(n), "source": "s", "duration": 5})
            d.quit()
            d.start()
        d.kill()
        db = sqlite3.connect(f"{d.folder.name}/store/kpid.db")
        db.execute("UPDATE checkpoint_part SET data = zeroblob(length(data)) WHERE checkpoint = (SELECT max(id) FROM checkpoint)")
        db.commit()
        db.close()
        d.start()
        recovery = d.ask(op="status")["storage"]["recovery"]
        self.assertIn("damaged", recovery["damage"])
        self.assertEqual(d.value("rep", "ana", "talk", "30d"), 15)      # the journal behind the older one is kept for that
        d.stop()

    def test_it_never_starts_silently_empty(self):
        d = self.daemon(FLOOR, transport="ipc")
        d.send({"type": "call", "rep": "ana"})
        d.quit()
        for name in ("kpid.db-wal", "kpid.db-shm"):
            if os.path.exists(f"{d.folder.name}/store/{name}"):
                os.unlink(f"{d.folder.name}/store/{name}")
        with open(f"{d.folder.name}/store/kpid.db", "r+b") as f:
            f.write(b"this was a database once" * 100)
        found = subprocess.run([KPID, "--config", d.file], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(found.returncode, 1)
        self.assertIn("no database, or it is damaged", found.stderr)
        open(f"{d.folder.name}/store/kpid.db", "w").close()
        found = subprocess.run([KPID, "--config", d.file], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(found.returncode, 1)
        self.assertIn("is empty: what it held is gone", found.stderr)
        d.zmq.destroy(0)

    def test_rows_that_went_with_their_checkpoints_are_missed(self):
        d = self.daemon(FLOOR, transport="ipc")
        d.send({"type": "call", "rep": "ana"})
        d.quit()
        db = sqlite3.connect(f"{d.folder.name}/store/kpid.db")
        before = db.execute("SELECT max(seq) FROM checkpoint").fetchone()[0]
        db.executescript("DELETE FROM journal; DELETE FROM checkpoint; DELETE FROM checkpoint_part")
        db.close()
        d.start()
        self.assertTrue(any("event=damage" in line and "are gone" in line for line in d.log))
        self.assertGreater(d.send({"type": "call", "rep": "ana"})["seq"], before)
        d.quit()
        db = sqlite3.connect(f"{d.folder.name}/store/kpid.db")
        db.execute("INSERT INTO journal VALUES(9223372036854775807, 0, 0, 0, 0, '')")
        db.commit()
        db.close()
        found = subprocess.run([KPID, "--config", d.file], capture_output=True, text=True, timeout=DEADLINE)
        self.assertIn("is no position in a journal", found.stderr)
        d.zmq.destroy(0)

    def test_a_store_of_a_newer_kpid_is_refused(self):
        d = self.daemon(FLOOR, transport="ipc")
        d.quit()
        db = sqlite3.connect(f"{d.folder.name}/store/kpid.db")
        db.execute("PRAGMA user_version=99")
        db.close()
        found = subprocess.run([KPID, "--config", d.file], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(found.returncode, 1)
        self.assertIn("has version 99", found.stderr)
        d.zmq.destroy(0)

    def test_a_store_that_is_deleted_under_it_is_told_and_never_made_anew(self):
        d = self.daemon(FLOOR, transport="ipc")
        self.assertTrue(any("begins empty" in line for line in d.log))
        d.send({"type": "call", "rep": "ana"})
        for name in os.listdir(f"{d.folder.name}/store"):
            os.unlink(f"{d.folder.name}/store/{name}")

        def failing():
            d.send({"type": "call", "rep": "ana"})
            return d.ask(op="status")["storage"]["state"] == "failing"
        until(failing, "the failure")
        self.assertFalse(os.path.exists(f"{d.folder.name}/store/kpid.db"))
        d.quit()
        d.zmq.destroy(0)

    def test_two_do_not_share_a_store(self):
        d = self.daemon(FLOOR, transport="ipc")
        found = subprocess.run([KPID, "--config", d.file], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(found.returncode, 1)
        self.assertIn("in use", found.stderr)
        d.stop()


class Faults(Case):
    """The disk fails under it, and is well again."""

    def fails(self, d, sender):
        until(lambda: d.ask(op="status")["storage"]["state"] == "failing", "the failure")
        reply = d.send({"type": "call", "rep": "ana", "id": "refused", "source": "s"})
        self.assertEqual((reply["durable"], reply["accepted"]), (False, 0))
        self.assertIn("storage:", reply["error"])
        alerts = [a for a in d.ask(op="alerts")["alerts"] if a["rule"] == "kpid.storage"]
        self.assertEqual((len(alerts), alerts[0]["state"], alerts[0]["severity"]), (1, "firing", "critical"))
        before = d.value("rep", "loose", "calls", "30d") or 0
        push = d.socket(zmq.PUSH, "pull")
        for n in range(5):
            push.send(msgpack.packb({"type": "call", "rep": "loose", "id": f"during-{now_ms()}-{n}", "source": "s"}))
        until(lambda: d.value("rep", "loose", "calls", "30d") == before + 5, "what nobody waits for")
        push.close()

    def heals(self, d, sender):
        until(lambda: d.ask(op="status")["storage"]["state"] == "ok", "the healing")
        self.assertEqual([a for a in d.ask(op="alerts")["alerts"] if a["rule"] == "kpid.storage"], [])
        until(lambda: len(sender.sent) > 60, "more calls")
        sender.ending.set()
        sender.join(DEADLINE)
        self.assertFalse(sender.is_alive())
        self.assertEqual(d.value("rep", sender.rep, "calls", "30d"), len(sender.sent))
        loose = d.value("rep", "loose", "calls", "30d")
        metrics = d.metrics()
        until(lambda: d.metrics()["kpid_checkpoints_total"] > metrics["kpid_checkpoints_total"] or
              d.metrics()["kpid_journal_unjournaled_total"] == 0, "a checkpoint that mends the hole")
        d.kill()
        d.start()
        self.assertEqual(d.value("rep", sender.rep, "calls", "30d"), len(sender.sent))
        self.assertEqual(d.value("rep", "loose", "calls", "30d"), loose)
        d.stop()

    def begin(self, **options):
        d = self.daemon(FLOOR, transport="ipc", **options)
        sender = Sender(d.endpoints["router"], "ben", d.zmq)
        sender.start()
        until(lambda: len(sender.acknowledged) > 20, "calls")
        return d, sender

    def test_a_disk_that_takes_no_more(self):
        d, sender = self.begin()
        unlimited = resource.prlimit(d.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(d.process.pid, resource.RLIMIT_FSIZE, (4096, unlimited[1]))
        self.fails(d, sender)
        resource.prlimit(d.process.pid, resource.RLIMIT_FSIZE, unlimited)
        self.heals(d, sender)

    def test_a_database_that_somebody_has_locked(self):
        d, sender = self.begin()
        db = sqlite3.connect(f"{d.folder.name}/store/kpid.db", isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        self.fails(d, sender)
        db.execute("ROLLBACK")
        db.close()
        self.heals(d, sender)

    def begin_on_a_bad_disk(self):
        """With a disk that does what is in a file."""
        folder = tempfile.TemporaryDirectory(prefix="kpid-e2e-")
        self.addCleanup(folder.cleanup)
        self.fault = f"{folder.name}/fault"
        env = {**os.environ, "KPID_FAULT": self.fault}
        if sanitized(KPID):     # which wants to be first
            asan = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
            env["LD_PRELOAD"] = f"{os.path.realpath(asan)}:{os.environ['FAULTY_DISK']}"
        else:
            env["LD_PRELOAD"] = os.environ["FAULTY_DISK"]
        return self.begin(env=env)

    def let_it(self, do):
        if do:
            with open(f"{self.fault}.new", "w") as f:
                f.write(do)
            os.rename(f"{self.fault}.new", self.fault)
        else:
            os.unlink(self.fault)

    def test_writes_and_syncs_that_fail(self):
        for what in ("write ENOSPC", "write EIO", "write EROFS", "sync EIO"):
            with self.subTest(what):
                d, sender = self.begin_on_a_bad_disk()
                self.let_it(what)
                self.fails(d, sender)
                self.let_it(None)
                self.heals(d, sender)

    def test_a_slow_disk_makes_senders_wait_and_loses_nothing(self):
        d, sender = self.begin_on_a_bad_disk()
        self.let_it("sync 30")
        push = d.socket(zmq.PUSH, "pull", SNDHWM=10)
        pad = "x" * 60000
        for n in range(1000):       # more than may wait for the disk
            push.send(msgpack.packb({"type": "call", "rep": "loose", "id": str(n), "source": "s", "pad": pad}))
        until(lambda: d.value("rep", "loose", "calls", "30d") == 1000, "all of them")
        self.assertEqual(d.metrics()["kpid_journal_unjournaled_total"], 0)
        push.close()
        self.let_it(None)
        until(lambda: (m := d.metrics())["kpid_journal_committed"] == m["kpid_journal_position"] and not m["kpid_journal_queued_bytes"],
              "the disk to catch up")
        sender.ending.set()
        sender.join(DEADLINE)
        d.kill()
        d.start()
        self.assertEqual(d.value("rep", "ben", "calls", "30d"), len(sender.sent))
        self.assertEqual(d.value("rep", "loose", "calls", "30d"), 1000)
        d.stop()

    def test_killed_while_it_fails_nothing_acknowledged_is_lost(self):
        d, sender = self.begin()
        db = sqlite3.connect(f"{d.folder.name}/store/kpid.db", isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        until(lambda: d.ask(op="status")["storage"]["state"] == "failing", "the failure")
        acknowledged = len(sender.acknowledged)
        d.kill()
        db.execute("ROLLBACK")
        db.close()
        d.start()
        self.assertGreaterEqual(d.value("rep", "ben", "calls", "30d"), acknowledged)
        self.heals(d, sender)


class Operating(Case):
    def test_a_store_is_read_without_its_daemon_and_beside_it(self):
        d = self.daemon(FLOOR, transport="ipc")
        d.send(*({"type": "call", "rep": "ana", "client": f"c{n}", "duration": 60} for n in range(3)))
        store = f"{d.folder.name}/store"
        for _ in range(2):
            found = kpictl("get", "--store", store, "--key", "ana", "--json")
            self.assertEqual(found.returncode, 0, found.stderr)
            self.assertEqual(json.loads(found.stdout)["kpis"]["clients"]["30d"]["value"], 3)
            d.process.poll() is None and d.quit()
        self.assertIn('no level "tribe"', kpictl("get", "--store", store, "--level", "tribe").stderr)
        self.assertEqual(kpictl("get", "--store", d.folder.name).returncode, 1)
        d.zmq.destroy(0)

    def test_a_copy_can_be_carried_away_and_lives(self):
        d = self.daemon(FLOOR, transport="ipc")
        d.send({"type": "call", "rep": "ana", "duration": 60})
        control = ("--control", d.endpoints["control"])
        found = kpictl("checkpoint", *control)
        self.assertEqual((found.returncode, found.stderr), (0, ""))
        found = kpictl("checkpoint", "--copy", "copy.db", *control)
        self.assertEqual((found.returncode, found.stderr), (0, ""))
        self.assertEqual(found.stdout.strip(), f"{d.folder.name}/store/copy.db")
        self.assertIn("is there already", kpictl("checkpoint", "--copy", "copy.db", *control).stderr)
        for name in ("../copy.db", "kpid.db-journal", "lock", "-rf", "a\nb"):
            self.assertIn("without a slash", kpictl("checkpoint", f"--copy={name}", *control).stderr)
        os.mkdir(f"{d.folder.name}/backup")
        os.rename(f"{d.folder.name}/store/copy.db", f"{d.folder.name}/backup/kpid.db")
        found = kpictl("get", "--store", f"{d.folder.name}/backup", "--key", "ana", "--json")
        self.assertEqual(json.loads(found.stdout)["kpis"]["talk"]["30d"]["value"], 60, found.stderr)
        d.stop()

    def test_without_a_store_it_says_so(self):
        d = self.daemon(FLOOR.replace("storage:", "# storage:"), transport="ipc")
        found = kpictl("checkpoint", "--control", d.endpoints["control"])
        self.assertEqual(found.returncode, 2)
        self.assertIn("there is no storage", found.stderr)
        d.stop()


class History(Case):
    YAML = FLOOR.replace("checkpoint_every: 1s", "checkpoint_every: 1s, samples: 1s").replace(
        "\nstorage", "\ntime: {clock: event}\ntargets: [{kpi: calls, per: day, value: 4}]\nstorage").replace(
        "unknown: accept", "unknown: accept, members: [{rep: ana, team: one}]")

    def test_samples_and_what_periods_came_to(self):
        d = self.daemon(self.YAML, transport="ipc")
        day, hour = 86_400_000, 3_600_000
        noon = 1_795_694_400_000        # of 2026-11-26, UTC
        for at in (noon - day, noon - day + hour, noon, noon + hour):
            d.send({"type": "call", "rep": "ana", "time": at, "duration": 10})
        d.send({"type": "call", "rep": "ana", "time": noon - day + 2 * hour, "duration": 10})      # late, and in its day

        def values(**more):
            return d.ask(op="history", kpi="calls", window="day", key="ana", **more)["values"]
        d.send({"type": "kpid.tick", "time": noon + 2 * hour})
        closed = until(lambda: [v for v in values() if v["closed"] and v["value"] == 3], "it")
        self.assertEqual([(v["at"], v["target"]) for v in closed], [(noon - day - 12 * hour, 4)])
        samples = until(lambda: [v for v in values(**{"from": noon}) if not v["closed"]], "samples")
        self.assertEqual(samples[-1]["value"], 2)
        self.assertEqual(values(**{"from": noon + day}), [])
        company = d.ask(op="history", kpi="calls", window="day")
        self.assertEqual((company["level"], company["path"]), ("company", ""))
        self.assertTrue(company["values"])
        found = kpictl("history", "--kpi", "talk", "--window", "30d", "--key", "ana", "--control", d.endpoints["control"])
        self.assertEqual(found.returncode, 0, found.stderr)
        for wrong, said in (({"kpi": "cals"}, 'no KPI "cals"'), ({"window": "1h"}, 'has no window "1h"'), ({"key": "zed"}, 'no rep "zed"'),
                            ({"from": 5, "to": 4}, "later than")):
            self.assertIn(said, d.ask(**{"op": "history", "kpi": "calls", "window": "day", "key": "ana", **wrong})["error"])
        d.kill()
        d.start()
        self.assertEqual([v["value"] for v in values() if v["closed"]], [3])
        d.stop()

    def test_a_reload_that_begins_anew_takes_nothing_back(self):
        d = self.daemon(self.YAML, transport="ipc")
        day, noon = 86_400_000, 1_795_694_400_000
        for at in (noon - day, noon):
            d.send({"type": "call", "rep": "ana", "time": at, "duration": 10})

        def closed():
            return [v["value"] for v in d.ask(op="history", kpi="calls", window="day", key="ana")["values"] if v["closed"]]
        d.send({"type": "kpid.tick", "time": noon + 2000})
        until(lambda: closed() == [1], "what yesterday came to")
        with open(d.file) as f:
            text = f.read()
        with open(d.file, "w") as f:
            f.write(text.replace("calls: {aggregate: count, where: {type: call}", "calls: {aggregate: count, where: {type: call, x: y}"))
        found = kpictl("reload", "--control", d.endpoints["control"])
        self.assertIn("1 new", found.stdout)
        d.send({"type": "kpid.tick", "time": noon + 20000})
        until(lambda: d.ask(op="history", kpi="talk", window="30d", key="ana", **{"from": noon + 20000})["values"], "a pass")
        self.assertEqual(closed(), [1])
        d.stop()

    def test_what_a_day_came_to_that_ended_while_kpid_did_not_run(self):
        d = self.daemon(FLOOR.replace("checkpoint_every: 1s", "checkpoint_every: 1d"), transport="ipc")
        for _ in range(3):
            d.send({"type": "call", "rep": "ana"})
        d.kill()
        then = now_ms() - 3 * 86_400_000
        db = sqlite3.connect(f"{d.folder.name}/store/kpid.db")
        db.execute("UPDATE journal SET at = at - ?", (3 * 86_400_000,))
        db.execute("DELETE FROM history")
        db.commit()
        db.close()
        d.start()

        def closed():
            values = d.ask(op="history", kpi="calls", window="day", key="ana")["values"]
            return [(v["at"] // 86_400_000, v["value"], v["n"]) for v in values if v["closed"]]
        self.assertEqual(until(closed, "the day"), [(then // 86_400_000, 3, 3)])
        d.stop()

    def test_a_key_of_more_numbers_than_a_batch_holds(self):
        kpis = "".join(f"  k{i}: {{aggregate: count, windows: [1m, 2m, 3m, 4m, 5m, 6m, 10m, 1h]}}\n" for i in range(600))
        d = self.daemon("storage: {path: store, samples: 1s}\nroster: {levels: [rep], unknown: accept}\nkpis:\n" + kpis, transport="ipc")
        d.send({"type": "call", "rep": "ana"})

        def rows():
            db = sqlite3.connect(f"file:{d.folder.name}/store/kpid.db?mode=ro", uri=True)
            with contextlib.closing(db):
                return db.execute("SELECT count(*) FROM (SELECT DISTINCT kpi, window FROM history WHERE path = 'ana')").fetchone()[0]
        until(lambda: rows() == 4800, "all of them")
        d.stop()

    def test_alerts_as_they_happened(self):
        d = self.daemon(FLOOR, transport="ipc")
        d.send(*({"type": "call", "rep": "ana"} for _ in range(61)))
        told = until(lambda: d.ask(op="history", rule="many", key="ana")["alerts"], "the alert")
        self.assertEqual((told[0]["state"], told[0]["severity"], told[0]["value"]), ("firing", "critical", 61))
        found = kpictl("history", "--alerts", "--key", "ana", "--control", d.endpoints["control"])
        self.assertIn("firing   critical many", found.stdout)
        d.stop()

    def test_without_a_store_there_is_none(self):
        d = self.daemon(FLOOR.replace("storage:", "# storage:"), transport="ipc")
        self.assertIn("there is no storage", d.ask(op="history", kpi="calls", window="day")["error"])
        d.stop()


class Operator(Case):
    def test_a_silence_without_a_comment_has_none_after_a_restart_either(self):
        d = self.daemon("storage: {path: store}\nkpis: {calls: {aggregate: count}}\nalerts: {a: {kpi: calls, window: day, level: company, warning: {above: 9}}}\n")
        for more in ({}, {"comment": ""}, {"comment": "for a while"}):
            self.assertTrue(d.ask(op="silence", matchers={"rule": "a"}, until=now_ms() + 3600000, by="maria", **more)["ok"])
        before = d.ask(op="silences")["silences"]
        self.assertEqual([s["comment"] for s in before], [None, None, "for a while"])
        d.quit()        # it comes back out of a checkpoint
        d.start()
        self.assertEqual(d.ask(op="silences")["silences"], before)
        d.stop()

    def test_a_source_that_is_silent_still_is_the_same_alert(self):
        d = self.daemon("storage: {path: store}\nsources: {pbx: {heartbeat: 1s}}\nkpis: {calls: {aggregate: count}}\n")
        d.send({"type": "call", "source": "pbx"})
        told = lambda: [(a["id"], a["since"]) for a in d.ask(op="alerts")["alerts"] if a["rule"] == "kpid.source"]
        before = until(told, "the alert")
        d.kill()
        d.start()
        self.assertEqual(until(told, "the alert again"), before)
        d.send({"type": "call", "source": "pbx"})
        until(lambda: not told(), "its end")
        states = until(lambda: [a["state"] for a in d.ask(op="history", rule="kpid.source")["alerts"] if a["id"] == before[0][0]][-1:] == ["resolved"])
        self.assertTrue(states)
        d.stop()


class Reload(Case):
    def change(self, d, old, new):
        with open(d.file) as f:
            text = f.read()
        self.assertIn(old, text)
        with open(d.file, "w") as f:
            f.write(text.replace(old, new))

    def test_what_did_not_change_goes_on_and_what_is_new_begins(self):
        for storage in (True, False):
            d = self.daemon(FLOOR if storage else FLOOR.replace("storage:", "# storage:"), transport="ipc")
            alerts = d.subscribe("alert/")
            d.send(*({"type": "call", "rep": "ana", "duration": 60} for _ in range(61)))
            _, long = receive(alerts, lambda t, m: m["rule"] == "long" and m["state"] == "firing")
            self.change(d, "  talk:", "  mails: {aggregate: count, where: {type: email}, windows: [day]}\n  talk:")
            self.change(d, "  many:", "  several:")
            d.send({"type": "email", "rep": "ana"})
            found = kpictl("reload", "--control", d.endpoints["control"])
            self.assertEqual((found.returncode, found.stderr), (0, ""))
            self.assertIn("4 KPIs kept, 1 new, 0 gone", found.stdout)
            _, gone = receive(alerts, lambda t, m: m["state"] == "resolved")
            self.assertEqual((gone["rule"], gone["reason"]), ("many", "rule_removed"))
            until(lambda: {a["rule"] for a in d.ask(op="alerts")["alerts"]} == {"several", "long"}, "the alerts")
            self.assertIn(long["id"], [a["id"] for a in d.ask(op="alerts")["alerts"]])
            d.send({"type": "email", "rep": "ana"}, {"type": "call", "rep": "ana", "duration": 60})
            self.assertEqual(d.value("rep", "ana", "talk", "30d"), 62 * 60)
            self.assertEqual(d.value("rep", "ana", "mails", "day"), 1)
            if storage:
                for _ in range(2):      # the first may have been under way: what the reload made is on disk then
                    self.assertEqual(kpictl("checkpoint", "--control", d.endpoints["control"]).returncode, 0)
                d.kill()
                d.start()
                self.assertEqual(d.value("rep", "ana", "talk", "30d"), 62 * 60)
                self.assertEqual(d.value("rep", "ana", "mails", "day"), 1)
                self.assertIn(long["id"], [a["id"] for a in d.ask(op="alerts")["alerts"]])
            d.stop()

    def test_what_is_new_is_filled_from_kept_events(self):
        for restart in (False, True):
            d = self.daemon(FLOOR.replace("checkpoint_every: 1s", "checkpoint_every: 1s, keep_events: 30d"), transport="ipc")
            for n in range(40):
                d.send({"type": "call", "rep": "ana", "id": f"c{n}", "source": "s", "duration": n, "client": f"k{n % 7}"},
                       {"type": "lead", "rep": "ben", "id": f"l{n}", "source": "s", "deal": f"d{n}", "time": now_ms() - 60000},
                       {"type": "stage", "rep": "ben", "id": f"w{n}", "source": "s", "deal": f"d{n}", "stage": "won"})
            until(lambda: d.metrics()["kpid_checkpoints_total"] > 0, "a checkpoint")
            before = d.value("rep", "ana", "talk", "30d")
            self.change(d, "  talk:", "  longest: {aggregate: max, of: duration, where: {type: call}, windows: [30d]}\n"
                        "  speed: {aggregate: mean, of: {elapsed: {from: {type: lead}, to: {type: stage, stage: won}, per: deal}}, windows: [30d]}\n"
                        "  talk:")
            if restart:
                d.quit()
                d.start()
            else:
                found = kpictl("reload", "--control", d.endpoints["control"])
                self.assertEqual((found.returncode, found.stderr), (0, ""))
            self.assertEqual(d.value("rep", "ana", "longest", "30d"), 39)
            self.assertAlmostEqual(d.value("rep", "ben", "speed", "30d"), 60, delta=5)
            self.assertEqual(d.value("rep", "ana", "talk", "30d"), before)
            why = d.ask(op="explain", kpi="longest", window="30d", key="ana")["explanation"]
            self.assertIn("c39", [e["id"] for e in why["events"]])
            d.send({"type": "call", "rep": "ana", "id": "c99", "source": "s", "duration": 99},
                   {"type": "lead", "rep": "ben", "id": "l0-again", "source": "s", "deal": "d0", "time": now_ms() - 120000})
            self.assertEqual(d.value("rep", "ana", "longest", "30d"), 99)
            d.kill()
            d.start()
            self.assertEqual(d.value("rep", "ana", "longest", "30d"), 99)
            self.assertEqual(d.value("rep", "ana", "talk", "30d"), before + 99)
            self.assertAlmostEqual(d.value("rep", "ben", "speed", "30d"), 61.5, delta=5)
            d.stop()

    def test_a_kill_meanwhile_leaves_nobody_who_holds_the_store(self):
        d = self.daemon(FLOOR, transport="ipc")
        for n in range(0, 4000, 500):
            d.send(*({"type": "call", "rep": f"r{i}"} for i in range(n, n + 500)))

        def children():
            try:
                with open(f"/proc/{d.process.pid}/task/{d.process.pid}/children") as f:
                    return f.read().split()
            except FileNotFoundError:       # of a kernel that tells nobody: the kill comes when it comes
                return []
        d.process.send_signal(signal.SIGHUP)
        until(lambda: children() or any("event=reload" in line for line in d.log), "a child")
        d.kill()
        d.start()
        self.assertEqual(d.value("company", "", "calls", "day"), 4000)
        d.stop()

    def test_how_often_checkpoints_are_made_can_change(self):
        d = self.daemon(FLOOR.replace("checkpoint_every: 1s", "checkpoint_every: 1h"), transport="ipc")
        d.send({"type": "call", "rep": "ana"})
        self.change(d, "checkpoint_every: 1h", "checkpoint_every: 1s")
        self.assertEqual(kpictl("reload", "--control", d.endpoints["control"]).returncode, 0)
        until(lambda: d.metrics()["kpid_checkpoints_total"] == 1, "the one after a reload")
        d.send({"type": "call", "rep": "ana"})
        until(lambda: d.metrics()["kpid_checkpoints_total"] == 2, "the next one")
        d.stop()

    def test_a_faulty_one_changes_nothing(self):
        d = self.daemon(FLOOR, transport="ipc")
        d.send({"type": "call", "rep": "ana", "duration": 60})
        self.change(d, "aggregate: sum", "aggregate: summ")
        found = kpictl("reload", "--control", d.endpoints["control"])
        self.assertEqual(found.returncode, 2)
        self.assertIn('kpis.talk.aggregate: unknown word "summ"', found.stderr)
        self.change(d, "aggregate: summ", "aggregate: sum")
        self.change(d, "control:", "# control:")
        found = kpictl("reload", "--control", d.endpoints["control"])
        self.assertEqual(found.returncode, 2)
        self.assertIn("control: what is opened at the start can't be changed by a reload", found.stderr)
        self.assertEqual(d.value("rep", "ana", "talk", "30d"), 60)
        d.stop()

    def test_a_signal_does_it_too(self):
        d = self.daemon(FLOOR, transport="ipc")
        self.change(d, "above: 30", "above: 3")
        d.process.send_signal(signal.SIGHUP)
        until(lambda: any("event=reload done=yes" in line for line in d.log), "the reload")
        d.send(*({"type": "call", "rep": "ana"} for _ in range(4)))
        until(lambda: d.ask(op="alerts")["alerts"], "the alert")
        d.stop()


if __name__ == "__main__":
    if "--kills" in sys.argv:
        at = sys.argv.index("--kills")
        KILLS = int(sys.argv[at + 1])
        del sys.argv[at:at + 2]
    main()
