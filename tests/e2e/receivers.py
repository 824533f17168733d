"""Those whom kpi-notify tells: real servers on loopback that can be taken down and put up again at the same port."""
import email
import email.policy
import http.server
import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import threading
import urllib.request

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from daemon import until

os.environ["no_proxy"] = "*"        # all of them are on this machine

def free_port():
    """One that is free, and that nobody is given who asks for any: it is still free when a server that was down comes back."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def certificate(folder):
    """A certificate for 127.0.0.1 that is its own authority: its file, and that of its key."""
    cert, key = f"{folder}/cert.pem", f"{folder}/key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return cert, key


class Mails:
    """An SMTP server of aiosmtpd. tls: "implicit", "starttls" or "none"; user: who must say the password "secret"."""

    def __init__(self, folder, tls="none", user=None):
        self.port = free_port()
        self.tls = tls
        self.user = user
        self.seen = []              # (recipient, message), in order
        self.answers = {}           # recipient -> what RCPT gets instead of 250
        self.at_data = None         # called with each message before it is answered
        self.attempts = 0           # sessions that got as far as RCPT
        self.lock = threading.Lock()
        if tls != "none":
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate(folder))
        self.up()

    @property
    def url(self):
        return f"{'smtps' if self.tls == 'implicit' else 'smtp'}://127.0.0.1:{self.port}"

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.attempts += 1
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        with self.lock:
            self.seen += [(to, message) for to in envelope.rcpt_tos]
        if self.at_data:
            self.at_data(message)
        return "250 OK"

    def authenticate(self, server, session, envelope, mechanism, data):
        return AuthResult(success=data.login == self.user.encode() and data.password == b"secret")

    def up(self):
        options = {"hostname": "127.0.0.1", "port": self.port, "server_hostname": "127.0.0.1"}
        if self.user:
            options |= {"auth_required": True, "authenticator": self.authenticate, "auth_require_tls": self.tls == "starttls"}
        if self.tls == "implicit":
            options["ssl_context"] = self.context
        elif self.tls == "starttls":
            options |= {"tls_context": self.context, "require_starttls": True}
        self.controller = Controller(self, **options)
        self.controller.start()

    def down(self):
        if self.controller:
            self.controller.stop()
        self.controller = None

    def to(self, address):
        with self.lock:
            return [m for to, m in self.seen if to == address]


class Web:
    """An HTTP server that keeps what is posted to it, and answers with `status`."""

    def __init__(self):
        self.port = free_port()
        self.seen = []              # bodies, parsed, in order
        self.status = 200
        self.answer = None          # bytes: sent as they are instead, and the connection closed
        self.refuses = lambda _: False     # what is answered with 400
        self.hits = 0
        self.server = None
        self.up()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hook/T000"

    def up(self):
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                web.hits += 1
                status = 400 if web.refuses(json.loads(body)) else web.status
                if status == 200:
                    web.seen.append(json.loads(body))
                if web.answer is not None:
                    self.close_connection = True
                    self.wfile.write(web.answer)
                    return
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def down(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        self.server = None

    def texts(self):
        return [b["text"] for b in self.seen]


class Deaf:
    """Takes connections, and never says a word."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.taken = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self):
        try:
            while True:
                self.taken.append(self.socket.accept()[0])
        except OSError:
            pass

    def close(self):
        for s in [self.socket, *self.taken]:
            s.close()


class Lines:
    """An SMTP server that says what a test wants. says: "DATA", "." (the end of a mail), "QUIT" ... -> its answer; None: not a
    word any more, with the connection held."""

    def __init__(self, **says):
        self.says = {"DATA": "354 go on"} | says
        self.heard = []             # what came, in order
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"smtp://127.0.0.1:{self.socket.getsockname()[1]}"
        self.taken = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self):
        try:
            while True:
                self.taken.append(self.socket.accept()[0])
                threading.Thread(target=self._serve, args=(self.taken[-1],), daemon=True).start()
        except OSError:
            pass

    def _serve(self, connection):
        body = False
        try:
            with connection.makefile("rb") as lines:
                connection.sendall(b"220 here\r\n")
                for line in lines:
                    word = line.decode().split()[0] if line.strip() else ""
                    if body and word != ".":
                        continue
                    answer = self.says.get(word, "250 well")
                    self.heard.append(line.decode().strip())
                    if answer is None:
                        return
                    connection.sendall(f"{answer}\r\n".encode())
                    body = answer.startswith("354")
        except OSError:
            pass

    def close(self):
        for s in [self.socket, *self.taken]:
            s.close()


class Alertmanager:
    """Prometheus' Alertmanager; what it tells others goes to a Web, and so shows what it believes."""

    CONFIG = """
route: {receiver: web, group_by: ["..."], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: web, webhook_configs: [{url: "%s", send_resolved: true}]}]
global: {resolve_timeout: 3s}
"""

    def __init__(self, folder):
        self.web = Web()
        self.folder = folder
        self.port = free_port()
        with open(f"{folder}/alertmanager.yml", "w") as f:
            f.write(self.CONFIG % self.web.url)
        self.up()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def up(self):
        self.log = open(f"{self.folder}/alertmanager.log", "a")
        self.process = subprocess.Popen(
            [shutil.which("prometheus-alertmanager"), f"--config.file={self.folder}/alertmanager.yml",
             f"--storage.path={self.folder}/alertmanager", f"--web.listen-address=127.0.0.1:{self.port}",
             "--cluster.listen-address="], stdout=self.log, stderr=self.log)
        until(self.is_ready, "Alertmanager")

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def down(self):
        """Its state goes to disk, as when a machine is restarted."""
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.log.close()
        self.process = None

    def alerts(self):
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=5) as answer:
            return json.load(answer)

    def told(self):
        """(rule, key, severity, firing or resolved) of each alert in each message it has sent."""
        return [(a["labels"]["rule"], a["labels"].get("key", ""), a["labels"]["severity"], a["status"])
                for message in self.web.seen for a in message["alerts"]]
