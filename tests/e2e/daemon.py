"""A real daemon for a test: its configuration, its sockets, and the end that it must come to."""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import msgpack
import zmq

KPID = os.environ["KPID"]
KPICTL = os.environ["KPICTL"]
DEADLINE = 20


def sanitized(program, by=(b"__asan_init",)):
    with open(program, "rb") as f:
        text = f.read()
    return any(init in text for init in by)


def keeps_memory(program):
    """Is it built with a sanitizer that takes memory of its own, so that how much there is tells nothing?"""
    return sanitized(program, (b"__asan_init", b"__tsan_init"))


# A clean end takes some milliseconds, and a second at most; another one is for a busy machine. Looking for leaks at exit
# is not the daemon's own time.
END_WITHIN = 4 if sanitized(KPID) else 2

SOCKETS = """
ingest:
  - {{pull: "{pull}"}}
  - {{router: "{router}"}}
  - {{sub: "{sub}", bind: true, topics: [call, stage]}}
{extra}publish: {{endpoint: "{publish}", interval: {interval}, full_every: {full}, format: {format}, hwm: {hwm}}}
control: {{endpoint: "{control}"}}
"""


def private(path, flags):
    return os.open(path, flags, 0o600)


class Daemon:
    """kpid with `config` (YAML without its sockets; or `whole`: with them) in a folder of its own."""

    def __init__(self, config, transport="tcp", interval="50ms", full="60s", format="msgpack", hwm=10000,
                 extra_ingest="", whole=False, files={}, env=None):
        self.folder = tempfile.TemporaryDirectory(prefix="kpid-e2e-")
        names = ("pull", "router", "sub", "publish", "control")
        where = {n: "tcp://127.0.0.1:*" if transport == "tcp" else f"ipc://{self.folder.name}/{n}" for n in names}
        self.file = f"{self.folder.name}/kpid.yaml"
        if not whole:
            config = SOCKETS.format(interval=interval, full=full, format=format, hwm=hwm, extra=extra_ingest, **where) + config
        for name, text in {"kpid.yaml": config, **files}.items():
            with open(f"{self.folder.name}/{name}", "w", opener=private if name.endswith(".key") else None) as f:
                f.write(text)
        self.endpoints = {}
        self.log = []
        self.zmq = zmq.Context()
        self.env = env
        self.start()

    def start(self):
        """Also again, after kill() or quit(), in the same folder."""
        self.process = subprocess.Popen([KPID, "--config", self.file], stderr=subprocess.PIPE, text=True, env=self.env)
        ready = threading.Event()
        self.reader = threading.Thread(target=self._read, args=(ready,), daemon=True)
        self.reader.start()
        if not ready.wait(DEADLINE):
            raise AssertionError("the daemon is not ready:\n" + "\n".join(self.log))

    def _read(self, ready):
        for line in self.process.stderr:
            self.log.append(line.rstrip())
            found = re.search(r"event=listening socket=(\w+) endpoint=(\S+)", line)
            if found:
                self.endpoints[found[1]] = found[2]
            if "event=ready" in line:
                ready.set()

    def socket(self, kind, name, **options):
        s = self.zmq.socket(kind)
        s.setsockopt(zmq.LINGER, 0)
        s.setsockopt(zmq.RCVTIMEO, DEADLINE * 1000)
        s.setsockopt(zmq.SNDTIMEO, DEADLINE * 1000)
        for option, value in options.items():
            s.setsockopt(getattr(zmq, option), value)
        s.connect(self.endpoints[name])
        return s

    def subscribe(self, *prefixes):
        s = self.socket(zmq.SUB, "publish")
        for prefix in prefixes:
            s.setsockopt(zmq.SUBSCRIBE, prefix.encode())
        return s

    def ask(self, **request):
        return self.exchange("control", request)

    def exchange(self, name, message):
        s = self.socket(zmq.REQ, name)
        s.send(msgpack.packb(message))
        try:
            return msgpack.unpackb(s.recv())
        except zmq.Again:
            raise AssertionError(f"no answer from {name}; the daemon has {self.process.poll()} and said:\n" + "\n".join(self.log[-20:]))
        finally:
            s.close()

    def send(self, *events):
        """Acknowledged; the reply."""
        return self.exchange("router", list(events))

    def metrics(self):
        return self.ask(op="status")["metrics"]

    def rejected(self, reason):
        return self.metrics()['kpid_events_rejected_total{reason="%s"}' % reason]

    def value(self, level, key, kpi, window):
        for s in self.ask(op="get", level=level, keys=[key])["snapshots"]:
            return s["kpis"][kpi][window]["value"]
        return None

    def kill(self):
        """As a crash would."""
        self.process.kill()
        self.process.wait(DEADLINE)
        self.reader.join(DEADLINE)
        self.process.stderr.close()
        assert healthy("\n".join(self.log)), "\n".join(self.log)

    def stop(self):
        """End it; what it said. It must end well, and soon."""
        log = self.quit()
        self.zmq.destroy(0)
        self.folder.cleanup()
        return log

    def quit(self):
        """The same, but it may be started again."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(DEADLINE)
        took = time.monotonic() - begun
        self.reader.join(DEADLINE)
        self.process.stderr.close()
        log = "\n".join(self.log)
        assert status == 0, f"exit status {status}\n{log}"
        assert took < END_WITHIN, f"took {took:.1f} s to end"
        assert healthy(log), log
        return log


def healthy(text):
    """No sanitizer has found anything."""
    return "Sanitizer" not in text and "runtime error" not in text


def until(condition, what="the condition"):
    """Wait for a condition, never for a time."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come about")


def receive(socket, wanted=lambda topic, message: True):
    """The next message that is wanted."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        topic, payload = socket.recv_multipart()
        message = json.loads(payload) if payload[:1] == b"{" else msgpack.unpackb(payload)
        if wanted(topic.decode(), message):
            return topic.decode(), message
    raise AssertionError("the message did not come")


def now_ms():
    return int(time.time() * 1000)


class Case(unittest.TestCase):
    def daemon(self, config, **options):
        d = Daemon(config, **options)
        self.addCleanup(lambda: d.process.poll() is None and d.process.kill())
        return d


def kpictl(*arguments, **options):
    found = subprocess.run([KPICTL, *arguments], capture_output=True, text=True, timeout=60, **options)
    assert healthy(found.stderr), found.stderr
    return found


def main():
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]], warnings="ignore")
