"""What a service manager sees: kpid tells it when it is ready, reloads, ends and lives, and what its log lines are worth."""
import pwd
import socket

from daemon import *

CONFIG = "kpis: {calls: {aggregate: count, windows: [1h]}}\n"
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Service(Case):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="kpid-service-")
        self.addCleanup(self.folder.cleanup)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind(f"{self.folder.name}/notify")
        self.manager.settimeout(DEADLINE)

    def told(self, what):
        """Until that is told; what was told before it."""
        before = []
        while True:
            text = self.manager.recv(4096).decode()
            if text.startswith(what):
                return before
            before.append(text)

    def begin(self, config=CONFIG, **more):
        return self.daemon(config, transport="ipc", env={**os.environ, "NOTIFY_SOCKET": f"{self.folder.name}/notify", **more})

    def test_it_is_told_of_the_begin_a_reload_and_the_end(self):
        d = self.begin()
        self.assertEqual(self.told("READY=1"), [])
        d.process.send_signal(signal.SIGHUP)
        self.assertEqual(self.told("RELOADING=1\nMONOTONIC_USEC="), [])
        self.assertEqual(self.told("READY=1"), [])
        d.quit()
        self.assertEqual(self.told("STOPPING=1"), [])
        d.zmq.destroy(0)

    def test_a_watchdog_is_fed_only_if_there_is_one(self):
        d = self.begin(WATCHDOG_USEC="100000")
        self.told("READY=1")
        for _ in range(3):
            self.assertEqual(self.told("WATCHDOG=1"), [])
        d.quit()
        self.told("STOPPING=1")
        d.zmq.destroy(0)

    def test_while_the_journal_is_read_it_asks_for_time(self):
        d = self.begin(CONFIG + "storage: {path: store, checkpoint_every: 1d}\n")
        self.told("READY=1")
        d.send({"type": "call"})
        d.kill()
        d.start()
        self.assertTrue([text for text in self.told("READY=1") if text.startswith("EXTEND_TIMEOUT_USEC=")])
        d.quit()
        d.zmq.destroy(0)

    def test_root_may_let_it_be_somebody_else(self):
        d = self.begin()
        d.quit()
        for given, wanted in ((("--user", "nobody-of-that-name"), "there is none of that name"),):
            found = subprocess.run([KPID, *given, "--config", d.file], capture_output=True, text=True, timeout=DEADLINE)
            self.assertEqual(found.returncode, 2)
            self.assertIn(wanted, found.stderr)
        if os.geteuid() != 0:
            self.skipTest("only root may become another one")
        nobody = pwd.getpwnam("nobody")
        for path in (d.folder.name, d.file):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        process = subprocess.Popen([KPID, "--user", "nobody", "--config", d.file], stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        for line in process.stderr:
            if "event=ready" in line:
                break
        with open(f"/proc/{process.pid}/status") as f:
            status = dict(line.rstrip().split(":\t", 1) for line in f)
        self.assertEqual(set(status["Uid"].split()), {str(nobody.pw_uid)})
        self.assertEqual(set(status["Gid"].split()), {str(nobody.pw_gid)})
        self.assertEqual((int(status["CapEff"], 16), status["NoNewPrivs"]), (0, "1"))
        self.assertEqual(os.stat(f"{d.folder.name}/control").st_uid, nobody.pw_uid)
        process.terminate()
        self.assertEqual(process.wait(DEADLINE), 0)
        d.zmq.destroy(0)

    def test_journald_is_told_how_grave_a_line_is(self):
        with open(f"{self.folder.name}/kpid.yaml", "w") as f:
            f.write(CONFIG + "storage: {path: /dev/null/store}\n")
        with open(f"{self.folder.name}/log", "w+") as log:
            here = os.fstat(log.fileno())
            for stream, first in ((f"{here.st_dev}:{here.st_ino}", "<3>level=error"), (f"{here.st_dev}:1", "level=error")):
                log.seek(0)
                log.truncate()
                subprocess.run([KPID, "--config", f"{self.folder.name}/kpid.yaml"], stderr=log, env={**os.environ, "JOURNAL_STREAM": stream},
                               timeout=DEADLINE)
                log.seek(0)
                self.assertTrue(log.read().startswith(first))

    def test_a_configuration_is_looked_at_without_a_start(self):
        found = subprocess.run([KPID, "--check", "--config", f"{TOP}/config/kpid.yaml"], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual((found.returncode, found.stderr), (0, ""))
        self.assertEqual(found.stdout, kpictl("check", f"{TOP}/config/kpid.yaml").stdout)
        with open(f"{self.folder.name}/faulty.yaml", "w") as f:
            f.write("kpis: {calls: {agregate: count}}\n")
        found = subprocess.run([KPID, "--check", "--config", f"{self.folder.name}/faulty.yaml"], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual((found.returncode, found.stdout), (2, ""))
        self.assertIn('unknown key "agregate"', found.stderr)


main()
