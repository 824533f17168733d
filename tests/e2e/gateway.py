"""A kpi-gateway to test, and its browsers without a screen: HTTP by the standard library."""
import hashlib
import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time

from daemon import DEADLINE, healthy

GATEWAY = os.environ["KPI_GATEWAY"]

USERS = {"ops": {"admin": True}, "maria": {"read": ["emea/one"], "acknowledge": True}, "ana": {"read": ["emea/one/ana"]},
         "board": {"read": "all"}, "lead": {"read": ["emea/one"]}}


def token(user):
    return f"token-of-{user}"


def users_yaml(users):
    lines = ["users:"]
    for name, rights in users.items():
        hashed = hashlib.sha256(token(name).encode()).hexdigest()
        lines.append(f'  {name}: {json.dumps({"token": "sha256:" + hashed, **rights})}')
    return "\n".join(lines) + "\n"


class Gateway:
    """kpi-gateway beside a Daemon, in its folder."""

    def __init__(self, daemon, config="", users=USERS):
        self.folder = daemon.folder.name
        self.daemon = daemon
        self.file = f"{self.folder}/gateway.yaml"
        self.log = []
        self.write(config, users)
        self.start()

    def write(self, config, users, listen="127.0.0.1:0"):
        with open(self.file, "w") as f:
            f.write(f'kpid: {{publish: "{self.daemon.endpoints["publish"]}", control: "{self.daemon.endpoints["control"]}"}}\n'
                    f"listen: {listen}\n{users_yaml(users) if users else ''}{config}")

    def start(self):
        self.process = subprocess.Popen([GATEWAY, "--config", self.file], stderr=subprocess.PIPE, text=True)
        self.port = None
        ready = threading.Event()
        self.reader = threading.Thread(target=self._read, args=(ready,), daemon=True)
        self.reader.start()
        assert ready.wait(DEADLINE) and self.port, "the gateway is not ready:\n" + "\n".join(self.log)

    def _read(self, ready):
        for line in self.process.stderr:
            self.log.append(line.rstrip())
            found = re.search(r"event=ready listen=\S+ port=(\d+)", line)
            if found:
                self.port = int(found[1])
                ready.set()
        ready.set()

    def restart_daemon(self):
        """After its kill or quit, at the same places."""
        with open(self.daemon.file) as f:
            text = f.read()
        for name in ("publish", "control"):
            text = re.sub(rf'({name}: {{endpoint: ")[^"]+"', rf'\g<1>{self.daemon.endpoints[name]}"', text)
        with open(self.daemon.file, "w") as f:
            f.write(text)
        self.daemon.start()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(DEADLINE)
        self.reader.join(DEADLINE)
        self.process.stderr.close()
        log = "\n".join(self.log)
        assert status == 0 and healthy(log), f"exit status {status}\n{log}"
        return log

    # ---- HTTP ----

    def request(self, method, path, user=None, body=None, **headers):
        """Status, headers and body (JSON, where it is)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if user:
            headers["Authorization"] = f"Bearer {token(user)}"
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body=body, headers=headers)
            reply = connection.getresponse()
            text = reply.read().decode()
        finally:
            connection.close()
        is_json = (reply.getheader("Content-Type") or "").startswith("application/json")
        return reply.status, reply.headers, json.loads(text) if is_json and text else text

    def get(self, path, user="ops", **headers):
        status, _, body = self.request("GET", path, user, **headers)
        return body if status == 200 else status

    def snapshots(self, user="ops", query=""):
        return {"/".join(k["path"]): k["kpis"] for k in self.get(f"/api/v1/snapshots?{query}", user)["keys"]}

    def events(self, user="ops", query="", last=None):
        return Events(self, user, query, last)

    def is_ready(self):
        return self.get("/readyz") != 503


class Events:
    """One who follows: events as (id, kind, data)."""

    def __init__(self, gateway, user, query, last):
        self.connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=DEADLINE)
        headers = {"Accept": "text/event-stream"}
        if user:
            headers["Authorization"] = f"Bearer {token(user)}"
        if last:
            headers["Last-Event-ID"] = last
        self.connection.request("GET", f"/events?{query}", headers=headers)
        self.reply = self.connection.getresponse()
        self.status = self.reply.status
        self.seen = []
        self.id = last

    def __iter__(self):
        kind = data = None
        for line in self.reply:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "id":
                self.id = value
            elif name == "event":
                kind = value
            elif name == "data":
                data = json.loads(value)
            elif not name and kind:
                self.seen.append((self.id, kind, data))
                yield kind, data
                kind = data = None

    def next(self, wanted=lambda kind, data: True):
        end = time.monotonic() + DEADLINE
        for kind, data in self:
            if wanted(kind, data):
                return data
            assert time.monotonic() < end, "the event did not come"
        raise EOFError("the stream has ended")

    def close(self):
        self.reply.close()
        self.connection.close()
