"""Keys as people make and use them: kpictl keygen, kpictl's and kpi-notify's own keys, at a daemon with security."""
import os
import stat
import subprocess
import tempfile

from daemon import DEADLINE, Case, healthy, kpictl, main, until
from notify import NOTIFY, Web

CONFIG = """
security: {server_key: server.key, authorized_keys: users.yaml}
roster: {members: [{rep: ana, name: Ana Silva, team: one}]}
kpis: {calls: {aggregate: count, where: {type: call}, windows: [1h, day]}}
alerts: {busy: {kpi: calls, window: 1h, level: rep, warning: {above: 1}, hours: always}}
"""
ROLES = {"pbx": "emit: [pbx-1]", "ana": "read: [emea]", "ops": "admin: true, emit: any", "notify": "read: all"}


class Keys(Case):
    def setUp(self):
        held = tempfile.TemporaryDirectory(prefix="kpid-e2e-")
        self.addCleanup(held.cleanup)
        self.folder = held.name
        self.assertEqual(self.keygen("server").returncode, 0)

    def keygen(self, *given):
        return kpictl("keygen", *given, cwd=self.folder)

    def text(self, name):
        with open(f"{self.folder}/{name}") as f:
            return f.read()

    def start(self):
        lines = []
        for name, role in ROLES.items():
            made = self.keygen(name, "--server", "server.pub")
            self.assertEqual(made.returncode, 0, made.stderr)
            # what is printed for the file of users, with the role that is wanted
            line = next(line for line in made.stdout.splitlines() if line.startswith(f"  {name}: "))
            lines.append(line.replace("read: all", role))
        d = self.daemon(CONFIG, files={"server.key": self.text("server.key"), "users.yaml": "users:\n" + "\n".join(lines) + "\n"})
        self.d = d
        return d

    def ask(self, who, *given, **options):
        return kpictl(*(("--key", f"{who}.key") if who else ()), *given, "--control", self.d.endpoints["control"], cwd=self.folder, **options)

    def test_what_keygen_makes(self):
        for name, mode in (("server.key", 0o600), ("server.pub", 0o644)):
            self.assertEqual(stat.S_IMODE(os.stat(f"{self.folder}/{name}").st_mode) & ~0o022, mode & ~0o022, name)
        self.assertIn("secret_key", self.text("server.key"))
        self.assertNotIn("secret_key", self.text("server.pub").replace("secret one", ""))
        before = self.text("server.key")
        again = self.keygen("server")
        self.assertEqual((again.returncode, self.text("server.key")), (1, before))
        self.assertIn("is there already", again.stderr)
        public = self.text("server.pub").split('"')[1]
        self.assertEqual(self.keygen("one", "--server", public).returncode, 0)
        self.assertIn(f'server_key: "{public}"', self.text("one.key"))
        for given, wanted in ((("two", "--server", "gone.pub"), "gone.pub: cannot be read: No such file"), ((), "whose? give a name"), (("a", "b"), "one name"),
                              (("../up",), "a name is made of"), (("two", "--server", "short"), "short: cannot be read: No such file")):
            with self.subTest(given):
                found = self.keygen(*given)
                self.assertEqual(found.returncode, 2)
                self.assertIn(wanted, found.stderr)
        self.assertFalse(os.path.exists(f"{self.folder}/two.key"))

    def test_kpictl_proves_its_key(self):
        d = self.start()
        self.keygen("stranger", "--server", "server.pub")
        self.assertEqual(self.ask("ops", "status").returncode, 0)
        self.assertEqual(self.ask(None, "status", env={**os.environ, "KPID_KEY": f"{self.folder}/ops.key"}).returncode, 0)
        shut_out = "it does not let us in"
        for who, given in (("stranger", ()), (None, ()), ("pbx", ()), ("ops", ("--server-key", "stranger.pub"))):
            with self.subTest(who=who, given=given):
                key = (("--key", f"{who}.key") if who else ()) + given
                found = kpictl(*key, "status", "--control", d.endpoints["control"], cwd=self.folder)
                self.assertEqual(found.returncode, 1)
                self.assertIn(shut_out, found.stderr)
        call = '{"type": "call", "rep": "ana", "source": "%s"}\n'
        for socket, option in (("router", "--router"), ("pull", "--push")):
            endpoint = d.endpoints[socket]
            found = kpictl("--key", "pbx.key", "emit", option, endpoint, "-", cwd=self.folder, input=call % "pbx-1")
            self.assertEqual(found.returncode, 0, found.stderr)
            found = kpictl("--key", "ana.key", "emit", option, endpoint, "-", cwd=self.folder, input=call % "pbx-1")
            self.assertEqual(found.returncode, 1)
            self.assertIn(shut_out, found.stderr)
        found = kpictl("--key", "pbx.key", "emit", "--router", d.endpoints["router"], "-", cwd=self.folder, input=call % "crm")
        self.assertEqual(found.returncode, 1)
        self.assertIn("denied", found.stderr)
        until(lambda: "busy" in self.ask("ops", "ack").stdout)
        self.assertIn("Ana Silva", self.ask("ops", "get", "--key", "ana").stdout)
        self.assertNotIn("Ana", self.ask("ana", "get").stdout)
        denied = self.ask("ana", "status")
        self.assertEqual(denied.returncode, 2)
        self.assertIn('denied: you may not ask for "status"', denied.stderr)
        watched = self.ask("ops", "watch", "snapshots", "--count", "1")
        self.assertEqual(watched.returncode, 0)
        for key in (("--key", "ops.key"), ("--key", "stranger.key"), ()):
            with self.subTest(watch=key):
                watched = kpictl(*key, "watch", "snapshots", "--count", "1", "--publish", d.endpoints["publish"], cwd=self.folder)
                self.assertEqual(watched.returncode, 0 if "ops.key" in key else 1)
                self.assertEqual(shut_out in watched.stderr, "ops.key" not in key)
        d.stop()

    def test_wrong_use_of_keys(self):
        self.keygen("ops")
        for key, wanted in ((("--key", "server.pub"), "server.pub: has no secret_key"), (("--key", "ops.key"), "names no server_key"),
                            (("--server-key", "server.pub"), "--server-key needs --key"), (("--key", "gone.key"), "gone.key: cannot be read: No such file"),
                            (("--key=ops.key", "--server-key=no"), "no: cannot be read: No such file")):
            with self.subTest(key):
                found = kpictl(*key, "status", cwd=self.folder)
                self.assertEqual(found.returncode, 2)
                self.assertIn(wanted, found.stderr)
        os.chmod(f"{self.folder}/ops.key", 0o640)
        found = kpictl("--key", "ops.key", "--server-key", "server.pub", "status", cwd=self.folder)
        self.assertEqual(found.returncode, 2)
        self.assertIn("others may read this secret key", found.stderr)

    def test_kpi_notify_proves_its_key(self):
        d, web = self.start(), Web()
        self.addCleanup(web.down)

        def config(keys):
            with open(f"{self.folder}/notify.yaml", "w") as f:
                f.write(f'kpid: {{publish: "{d.endpoints["publish"]}", control: "{d.endpoints["control"]}"{keys}}}\n'
                        f'spool: {self.folder}/spool\nroutes: [{{webhook: {{url: "{web.url}"}}}}]\n')
            return f"{self.folder}/notify.yaml"
        for keys, wanted in ((", key: gone.key", "gone.key: cannot be read: No such file"), (", server_key: server.pub", "server_key needs key"),
                             (", key: server.key", "names no server_key"), (", key: notify.pub", "has no secret_key")):
            with self.subTest(keys):
                found = subprocess.run([NOTIFY, "--check", config(keys)], capture_output=True, text=True, timeout=DEADLINE)
                self.assertEqual(found.returncode, 2, found.stderr)
                self.assertIn(wanted, found.stderr)
        process = subprocess.Popen([NOTIFY, "--config", config(", key: notify.key")], stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        until(lambda: "kpid_publish_subscriptions" in self.ask("ops", "status").stdout, "kpi-notify's subscription")
        kpictl("--key", "ops.key", "emit", "--router", d.endpoints["router"], "-", cwd=self.folder,
               input='{"type": "call", "rep": "ana"}\n' * 2)
        until(lambda: web.seen, "the alert")
        process.terminate()
        _, said = process.communicate(timeout=DEADLINE)
        self.assertTrue(process.returncode == 0 and healthy(said), said)
        d.stop()


if __name__ == "__main__":
    main()
