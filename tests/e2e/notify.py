"""A kpi-notify to test: between a kpid and those who receive."""
import os
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time

from daemon import DEADLINE, Case, healthy, sanitized, until
from receivers import Alertmanager, Mails, Web

NOTIFY = os.environ["KPI_NOTIFY"]

# Numbers that a test moves as it likes: sales up and down.
KPID_YAML = """
time: {{clock: event}}
ingest: [{{router: "ipc://{folder}/router"}}]
publish: {{endpoint: "ipc://{folder}/publish", interval: 50ms, format: {format}}}
control: {{endpoint: "ipc://{folder}/control"}}
roster:
  members:
    - {{rep: ana, name: Ána Silva, team: one, region: emea}}
    - {{rep: bob, name: Bob Stone, team: one, region: emea}}
    - {{rep: cy, team: two, region: apac}}
kpis:
  sales: {{title: Sales, aggregate: sum, of: amount, where: {{type: stage}}, windows: [day], unit: GBP}}
alerts:
  sales:
    kpi: sales
    window: day
    level: rep
    warning: {{above: 100}}
    critical: {{above: 200}}
    flapping: {{changes: 0}}
    message: "{{name}} has sold {{value}} today"
    coaching: Ask how
"""

HEAD = """
kpid: {{publish: "ipc://{folder}/publish", control: "ipc://{folder}/control", resync: {resync}}}
spool: {folder}/spool
timeout: {timeout}
retry: {{first: 50ms, longest: 200ms}}
"""


class Notify:
    """kpi-notify with `routes` (YAML below the head) in a folder."""

    def __init__(self, folder, routes, timeout="10s", resync="60s"):
        self.file = f"{folder}/notify.yaml"
        self.text = HEAD.format(folder=folder, timeout=timeout, resync=resync) + routes
        self.log = []
        self.process = None
        self.start()

    def start(self):
        with open(self.file, "w") as f:
            f.write(self.text)
        self.process = subprocess.Popen([NOTIFY, "--config", self.file], stderr=subprocess.PIPE, text=True,
                                        restore_signals=False)     # SIGXFSZ stays ignored, for a limit as good as a full disk
        ready = threading.Event()
        self.reader = threading.Thread(target=self._read, args=(self.process.stderr, ready), daemon=True)
        self.reader.start()
        if not ready.wait(DEADLINE):
            raise AssertionError("kpi-notify is not ready:\n" + "\n".join(self.log))

    def _read(self, lines, ready):
        for line in lines:
            self.log.append(line.rstrip())
            if "event=ready" in line:
                ready.set()

    def said(self, what):
        return sum(what in line for line in self.log)

    def kill(self):
        """At once, without a word."""
        self.process.kill()
        self.process.wait(DEADLINE)
        self.reader.join(DEADLINE)
        self.process.stderr.close()

    def stop(self):
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(DEADLINE)
        took = time.monotonic() - begun
        self.reader.join(DEADLINE)
        self.process.stderr.close()
        log = "\n".join(self.log)
        assert status == 0 and healthy(log), f"exit status {status}\n{log}"
        assert took < (4 if sanitized(NOTIFY) else 2), f"took {took:.1f} s to end"
        return log


class NotifyCase(Case):
    def setUp(self):
        held = tempfile.TemporaryDirectory(prefix="kpi-notify-")
        self.addCleanup(held.cleanup)
        self.folder = held.name
        self.at = 1_000_000
        self.n = None

    def kpid(self, format="msgpack"):
        self.d = self.daemon(KPID_YAML.format(folder=self.folder, format=format), whole=True)
        self.at += 1000         # a daemon that begins anew knows no events
        return self.d

    def notify(self, routes, **options):
        self.n = Notify(self.folder, routes, **options)
        self.addCleanup(self.end_notify)
        return self.n

    def end_notify(self):
        if self.n.process.poll() is None:       # the test has failed: what did it say?
            self.n.kill()
            print("\n".join(self.n.log[-40:]))

    def listening(self):
        """It has subscribed, and a listing has been taken since: whatever happens from here on is heard of."""
        until(lambda: self.d.metrics()["kpid_publish_subscriptions"] == 1, "the subscription")

    def mails(self, **options):
        m = Mails(self.folder, **options)
        self.addCleanup(m.down)
        return m

    def web(self):
        w = Web()
        self.addCleanup(w.down)
        return w

    def manager(self):
        a = Alertmanager(self.folder)
        self.addCleanup(a.down)
        self.addCleanup(a.web.down)
        return a

    def sell(self, rep, amount):
        self.at += 1000
        self.assertEqual(self.d.send({"type": "stage", "rep": rep, "amount": amount, "time": self.at})["accepted"], 1)

    def spool(self, sql, *arguments):
        """With kpi-notify not running."""
        with sqlite3.connect(f"{self.folder}/spool/kpi-notify.db") as db:
            rows = db.execute(sql, arguments).fetchall()
        db.close()
        return rows

    def password(self, text="secret\n", mode=0o600):
        with open(f"{self.folder}/password", "w") as f:
            f.write(text)
        os.chmod(f"{self.folder}/password", mode)
