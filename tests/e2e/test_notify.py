"""kpi-notify: a real kpid tells it, and it tells real servers: SMTP with TLS, HTTP, and Prometheus' Alertmanager."""
import json
import os
import re
import resource
import shutil
import subprocess
import threading
import time

import msgpack
import zmq

from daemon import DEADLINE, healthy, main, now_ms, until
from notify import NOTIFY, NotifyCase
from receivers import Alertmanager, Deaf, Lines

EXAMPLE = os.environ["KPID_EXAMPLES"] + "/kpi-notify.yaml"
PLAIN = 'mail: {{url: "{mails.url}", from: "kpid <kpid@example.com>", tls: none}}\n'


def parts(message):
    """The plain and the HTML half."""
    plain, html = message.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    return plain.get_content(), html.get_content()


class Mail(NotifyCase):
    def told_over(self, tls):
        mails = self.mails(tls=tls, user="kpid")
        self.password()
        self.kpid()
        n = self.notify(f"""
mail: {{url: "{mails.url}", from: "kpid <kpid@example.com>", user: kpid, password_file: password, ca_file: cert.pem}}
people: {{ana: ana@example.com}}
routes:
  - {{match: {{rule: sales, path: emea/one}}, mail: [lead@example.com], copy_rep: true}}
""")
        self.listening()
        self.sell("ana", 150)
        self.sell("cy", 500)        # nobody's route
        self.sell("ana", 100)
        self.sell("ana", -200)
        until(lambda: len(mails.seen) == 6, "six mails")
        n.stop()
        return mails

    def all_that_a_mail_needs(self, tls):
        mails = self.told_over(tls)
        first, worse, over = mails.to("lead@example.com")
        self.assertEqual([m["Subject"] for m in (first, worse, over)],
                         ["Worth a look: Ána Silva has sold 150 today", "Getting worse: Ána Silva has sold 250 today",
                          "Back on track: Ána Silva, Sales (day)"])
        self.assertEqual((first["From"], first["To"]), ("kpid <kpid@example.com>", "lead@example.com"))
        self.assertEqual(first["Auto-Submitted"], "auto-generated")
        self.assertEqual(len({m["Message-ID"] for _, m in mails.seen}), 6)
        self.assertEqual(len({m["References"] for m in (first, worse, over)}), 1)
        plain, html = parts(first)
        for text in (plain, html):
            for word in ("150 GBP, with the line at 100 GBP", "Ask how", "emea / one / ana", "Thu 1 Jan 1970, 00:16 (UTC)",
                         "nudge, not a verdict", "Ána Silva"):
                self.assertIn(word, text)
        self.assertNotIn("Ask how", parts(over)[0])
        own = mails.to("ana@example.com")
        self.assertEqual([m["Subject"] for m in own],
                         ["Your Sales: 150 GBP, with the line at 100 GBP",
                          "Your Sales: 250 GBP, with the line at 200 GBP", "Your Sales: you are back on track"])

    def test_a_mail_has_all_that_a_mail_needs(self):
        self.all_that_a_mail_needs("implicit")

    def test_starttls_does_as_well(self):
        self.all_that_a_mail_needs("starttls")

    def test_a_password_is_kept_in_a_file_that_is_nobody_elses(self):
        self.password(mode=0o644)
        self.kpid()
        config = f"""
kpid: {{publish: "ipc://{self.folder}/publish", control: "ipc://{self.folder}/control"}}
spool: spool
mail: {{url: "smtps://127.0.0.1:1", from: a@b.c, user: kpid, password_file: password}}
routes: [{{mail: [x@y.z]}}]
"""
        with open(f"{self.folder}/routes.yaml", "w") as f:
            f.write(config)
        found = subprocess.run([NOTIFY, "--check", f"{self.folder}/routes.yaml"], capture_output=True, text=True)
        self.assertEqual(found.returncode, 2)
        self.assertIn("routes.yaml:4:76: mail.password_file:", found.stderr)
        self.assertIn("chmod 600", found.stderr)

    def test_one_address_that_is_not_taken_holds_up_nobody(self):
        mails = self.mails()
        mails.answers = {"later@example.com": "450 later", "never@example.com": "550 nobody of that name"}
        self.kpid()
        n = self.notify(PLAIN.format(mails=mails) +
                        "routes: [{mail: [later@example.com, never@example.com, lead@example.com]}]")
        self.listening()
        self.sell("ana", 150)
        until(lambda: mails.to("lead@example.com"), "the mail to the lead")
        until(lambda: n.said("event=refused"), "the refusal")
        self.assertFalse(mails.to("later@example.com"))
        self.sell("ana", -100)
        until(lambda: len(mails.to("lead@example.com")) == 2, "the end")
        mails.answers = {}
        until(lambda: len(mails.to("later@example.com")) == 2, "those that were put off")
        self.assertEqual([m["Subject"].split(":")[0] for m in mails.to("later@example.com")], ["Worth a look", "Back on track"])
        self.assertIn("dropped=1", n.stop())
        self.assertFalse(mails.to("never@example.com"))     # nor is it told of the end of what it never heard of

    def lines(self, says):
        server = Lines(**says)
        self.addCleanup(server.close)
        return server

    def test_a_server_that_falls_silent_holds_up_neither_others_nor_the_end(self):
        for silent in ("EHLO", "DATA", ".", "QUIT"):
            with self.subTest(silent):
                server, web = self.lines({silent: None}), self.web()
                self.kpid()
                n = self.notify(PLAIN.format(mails=server) +
                                f'routes: [{{mail: [lead@example.com]}}, {{webhook: {{url: "{web.url}"}}}}]', timeout="60s")
                self.listening()
                self.sell("ana", 150)
                until(lambda: any(h.startswith(silent) for h in server.heard), "the silence")
                self.sell("ana", -100)
                begun = time.monotonic()
                until(lambda: len(web.seen) == 2, "the hooks")
                self.assertLess(time.monotonic() - begun, 5)
                if silent == "QUIT":
                    until(lambda: n.said('event=sent to="lead@example.com"') == 2, "both mails")
                n.stop()
                self.d.stop()
                shutil.rmtree(f"{self.folder}/spool")

    def test_a_text_that_is_not_taken_holds_up_no_other(self):
        for refused in ("DATA", "."):
            with self.subTest(refused):
                server = self.lines({refused: "554 not that"})
                self.kpid()
                n = self.notify(PLAIN.format(mails=server) + "routes: [{mail: [lead@example.com]}]")
                self.listening()
                self.sell("ana", 150)
                until(lambda: n.said('event=refused to="lead@example.com"'), "the refusal")
                self.assertFalse(n.said("event=later"))
                server.says[refused] = "354 go on" if refused == "DATA" else "250 well"
                self.sell("bob", 150)
                until(lambda: n.said('event=sent to="lead@example.com"'), "the next")
                n.stop()
                self.d.stop()
                shutil.rmtree(f"{self.folder}/spool")

    def test_what_was_accepted_before_a_kill_comes_again_under_the_same_id(self):
        mails = self.mails()
        self.kpid()
        n = self.notify(PLAIN.format(mails=mails) + "routes: [{mail: [lead@example.com]}]")
        self.listening()
        mails.at_data = lambda _: n.process.kill()      # the server has it, and its answer reaches nobody
        self.sell("ana", 150)
        until(lambda: n.process.poll() is not None, "the kill")
        mails.at_data = None
        n.kill()
        n.start()
        until(lambda: len(mails.seen) == 2, "the same again")
        self.assertEqual(len({m["Message-ID"] for _, m in mails.seen}), 1)
        n.stop()


class Digest(NotifyCase):
    def test_beyond_the_budget_it_waits_for_the_digest(self):
        mails = self.mails()
        self.kpid()
        n = self.notify(PLAIN.format(mails=mails) + """
zone: Europe/London
digest: daily 17:30
routes:
  - {mail: [lead@example.com], budget: 1}
  - {mail: [boss@example.com], digest: daily 17:30}
""")
        self.listening()
        for rep in ("ana", "bob", "cy"):
            self.sell(rep, 150)
        self.sell("bob", 150)       # worse
        self.sell("cy", -100)       # over again
        until(lambda: mails.to("lead@example.com"), "the one at once")
        self.sell("ana", -100)
        until(lambda: len(mails.to("lead@example.com")) == 2, "its end, which costs nothing")
        n.stop()
        self.assertEqual(len(mails.seen), 2)
        waiting = self.spool("SELECT target, due_ms FROM deliveries WHERE status = 0 AND instant = 0")
        self.assertEqual({t: sum(t == w[0] for w in waiting) for t, _ in waiting},
                         {"lead@example.com": 4, "boss@example.com": 6})
        due = {d for _, d in waiting}
        self.assertEqual(len(due), 1)
        self.assertEqual(time.strftime("%M", time.gmtime(due.pop() / 1000)), "30")
        # as if it had been down at half past five
        self.spool("UPDATE deliveries SET due_ms = ? WHERE status = 0", now_ms() - 1000)
        n.start()
        until(lambda: len(mails.seen) == 4, "the digests")
        lead, boss = mails.to("lead@example.com")[-1], mails.to("boss@example.com")[-1]
        self.assertIn(": 1 worth a look, 1 over by now", lead["Subject"])
        self.assertIn(": 1 worth a look, 2 over by now", boss["Subject"])
        plain, html = parts(lead)
        for text in (plain, html):
            self.assertIn("Bob Stone has sold 300 today", text)
            self.assertIn("cy, Sales (day): 50 GBP", text)
            self.assertNotIn("Silva", text)
        n.stop()
        self.assertEqual(self.spool("SELECT COUNT(*) FROM deliveries WHERE status = 0"), [(0,)])


class Hooks(NotifyCase):
    def test_a_webhook_gets_slack_s_json_or_a_template(self):
        slack, own = self.web(), self.web()
        self.kpid(format="json")
        n = self.notify(f"""
routes:
  - {{webhook: {{url: "{slack.url}"}}}}
  - {{match: {{severity: critical}}, webhook: {{url: "{own.url}", escape: json,
      template: '{{"alert": {{"who": "{{name}}", "what": "{{change}} {{state}} {{severity}}: {{value}} & {{threshold}}"}}}}'}}}}
""")
        self.listening()
        self.sell("ana", 150)
        self.sell("ana", 100)
        self.sell("ana", -200)
        until(lambda: len(slack.seen) == 3 and len(own.seen) == 2, "the hooks")
        self.assertEqual(slack.texts(), ["Worth a look: Ána Silva has sold 150 today\nAsk how",
                                         "Getting worse: Ána Silva has sold 250 today\nAsk how",
                                         "Back on track: Ána Silva, Sales (day)"])
        self.assertEqual([b["alert"] for b in own.seen],
                         [{"who": "Ána Silva", "what": "severity firing critical: 250 & 200"},
                          {"who": "Ána Silva", "what": "resolved resolved critical: 50 & 200"}])
        n.stop()

    def test_what_a_hook_refuses_is_dropped_and_what_it_puts_off_is_not(self):
        web = self.web()
        self.kpid()
        n = self.notify(f'routes: [{{webhook: {{url: "{web.url}"}}}}]')
        self.listening()
        web.status = 503
        self.sell("ana", 150)
        until(lambda: web.hits >= 3, "further attempts")
        web.status = 200
        until(lambda: len(web.seen) == 1, "the alert")
        web.status = 410
        self.sell("bob", 150)
        until(lambda: n.said("event=refused"), "the refusal")
        web.status = 200
        self.sell("cy", 150)
        until(lambda: len(web.seen) == 2, "the next")
        self.assertNotIn("/hook/T000", n.stop())        # the path may be a secret

    def test_a_code_is_the_answer_however_the_rest_ends(self):
        web = self.web()
        self.kpid()
        n = self.notify(f'routes: [{{webhook: {{url: "{web.url}"}}}}]')
        self.listening()
        answers = (b"Content-Length: 100\r\n\r\nshort", b"Content-Length: 9000000\r\n\r\n" + 200000 * b"x",
                   b"Transfer-Encoding: chunked\r\n\r\nno chunk", b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")
        for i, answer in enumerate(answers):
            web.answer = b"HTTP/1.1 200 OK\r\n" + answer
            self.sell("ana", -150 if i % 2 else 150)
            until(lambda: n.said("event=sent") == i + 1, f"answer {i}")
        web.answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        self.sell("bob", 150)
        until(lambda: n.said("event=refused"), "the refusal")
        self.assertIn("redirects are not followed", next(line for line in n.log if "event=refused" in line))
        self.assertIn("failed_attempts=1 ", n.stop())
        self.assertEqual(web.hits, len(answers) + 1)

    def test_who_never_answers_holds_up_nobody_nor_the_end(self):
        mails, deaf = self.mails(), Deaf()
        self.addCleanup(deaf.close)
        self.kpid()
        n = self.notify(PLAIN.format(mails=mails) + f"""
routes:
  - {{webhook: {{url: "http://127.0.0.1:{deaf.port}/"}}}}
  - {{mail: [lead@example.com]}}
""", timeout="60s")
        self.listening()
        self.sell("ana", 150)
        until(lambda: deaf.taken, "the connection")
        self.sell("ana", -100)
        until(lambda: n.said("event=sent") == 2, "the mails")     # and that it is written down
        self.assertIn("waiting=2", n.stop())

    def test_a_hook_that_never_answers_is_given_up_after_the_timeout(self):
        deaf = Deaf()
        self.addCleanup(deaf.close)
        self.kpid()
        n = self.notify(f'routes: [{{webhook: {{url: "http://127.0.0.1:{deaf.port}/"}}}}]', timeout="200ms")
        self.listening()
        self.sell("ana", 150)
        until(lambda: len(deaf.taken) >= 3, "further attempts")
        until(lambda: n.said("event=later"), "a word of it")
        n.stop()


class Manager(NotifyCase):
    def test_alertmanager_believes_what_kpid_says(self):
        manager = self.manager()
        self.kpid()
        n = self.notify(f'routes: [{{alertmanager: {{url: "{manager.url}/", resend: 300ms}}}}]')
        self.listening()
        self.sell("ana", 150)
        alert = until(manager.alerts, "the alert")[0]
        self.assertEqual(alert["labels"], {"alertname": "sales", "rule": "sales", "kpi": "sales", "level": "rep", "key": "ana",
                                           "path": "emea/one/ana", "window": "day", "severity": "warning"})
        self.assertEqual({k: alert["annotations"][k] for k in ("summary", "description", "coaching")},
                         {"summary": "Ána Silva has sold 150 today", "description": "150 GBP, with the line at 100 GBP",
                          "coaching": "Ask how"})
        self.assertEqual(alert["startsAt"][:19], "1970-01-01T00:16:42")
        # it is good for four periods, and sent again and again: it outlives the first end that it was given
        first = alert["endsAt"]
        until(lambda: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) > first[:19], "the first end")
        alert = manager.alerts()[0]
        self.assertGreater(alert["endsAt"], first)
        until(lambda: manager.told() == [("sales", "ana", "warning", "firing")], "Alertmanager's own word")
        self.sell("ana", 100)
        until(lambda: [a["labels"]["severity"] for a in manager.alerts()] == ["critical"], "the other severity alone")
        self.sell("ana", -200)
        until(lambda: manager.alerts() == [], "the end")
        until(lambda: sorted(manager.told()) == sorted([
            ("sales", "ana", "warning", "firing"), ("sales", "ana", "warning", "resolved"),
            ("sales", "ana", "critical", "firing"), ("sales", "ana", "critical", "resolved")]), "each word once")
        n.stop()


    def stood(self, web):
        return [a["labels"]["key"] for batch in web.seen for a in batch]

    def test_one_alert_that_is_refused_blocks_no_other(self):
        web = self.web()
        web.refuses = lambda batch: any(a["labels"]["key"] == "bob" for a in batch)
        self.kpid()
        n = self.notify(f'routes: [{{alertmanager: {{url: "{web.url}", resend: 1s}}}}]')
        self.listening()
        web.down()
        for rep in ("ana", "bob", "cy"):
            self.sell(rep, 150)
        until(lambda: n.said("event=later"), "a failure")
        web.up()
        until(lambda: self.stood(web).count("ana") >= 2 and self.stood(web).count("cy") >= 2, "the others, twice")
        self.assertNotIn("bob", self.stood(web))
        self.assertIn("refused=1 ", n.stop())

    def test_what_stands_is_sent_again_though_the_disk_is_full(self):
        web = self.web()
        self.kpid()
        n = self.notify(f'routes: [{{alertmanager: {{url: "{web.url}", resend: 100ms}}}}]', resync="1s")
        self.listening()
        self.sell("ana", 150)
        until(lambda: "ana" in self.stood(web), "the alert")
        resource.prlimit(n.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        self.sell("bob", 150)
        until(lambda: n.said("event=spool error="), "the failure")
        count = len(web.seen)
        until(lambda: len(web.seen) >= count + 5, "what stands, again")
        self.assertNotIn("bob", self.stood(web))
        resource.prlimit(n.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        until(lambda: "bob" in self.stood(web), "the one that found no room")
        n.stop()


class Storm(NotifyCase):
    """With each of them down for a while, and kpi-notify killed, everything arrives once."""

    def all_routes(self, mails, web, manager):
        return PLAIN.format(mails=mails) + f"""
people: {{ana: ana@example.com}}
routes:
  - {{mail: [lead@example.com, boss@example.com], copy_rep: true}}
  - {{webhook: {{url: "{web.url}"}}}}
  - {{alertmanager: {{url: "{manager.url}", resend: 1s}}}}
"""

    def test_everything_arrives_once(self):
        mails, web, manager = self.mails(), self.web(), self.manager()
        self.kpid()
        n = self.notify(self.all_routes(mails, web, manager))
        self.listening()
        self.sell("ana", 150)
        until(lambda: n.said("event=sent") == 4 and len(manager.alerts()) == 1, "the first")

        for server in (mails, web, manager):
            server.down()
        self.sell("bob", 150)
        until(lambda: n.said("event=later") >= 2, "failed attempts")
        n.kill()
        self.sell("cy", 250)        # fires while nobody listens
        self.sell("ana", -100)      # and this is over
        n.start()
        self.listening()
        until(lambda: n.said("event=connected") == 2, "the second connection")
        self.sell("bob", 150)       # worse, while all are still down
        mails.up()
        # a mail that is killed between the server's word and the note of it comes again, which another test looks at
        until(lambda: [n.said(f'event=sent to="{to}@example.com"') for to in ("lead", "boss", "ana")] == [5, 5, 2], "the mails")
        n.kill()                    # again, with the others still down
        n.start()
        web.up()
        until(lambda: len(web.seen) == 5, "the hooks")
        manager.up()
        until(lambda: sorted((a["labels"]["key"], a["labels"]["severity"]) for a in manager.alerts()) ==
              [("bob", "critical"), ("cy", "critical")], "what Alertmanager believes")
        self.sell("cy", -200)
        until(lambda: len(mails.to("lead@example.com")) == 6 and len(web.seen) == 6 and len(manager.alerts()) == 1, "the last")
        n.stop()

        def heads(texts):
            return sorted(t.split("\n")[0].split(" has")[0].split(", Sales")[0] for t in texts)

        want = sorted(["Worth a look: Ána Silva", "Worth a look: Bob Stone", "Needs a look: cy", "No longer open: Ána Silva",
                       "Getting worse: Bob Stone", "Back on track: cy"])
        for to in ("lead@example.com", "boss@example.com"):
            self.assertEqual(heads(m["Subject"] for m in mails.to(to)), want)
        self.assertEqual(heads(web.texts()), want)
        self.assertEqual(len(mails.to("ana@example.com")), 2)
        self.assertEqual(len({m["Message-ID"] for _, m in mails.seen}), len(mails.seen))
        until(lambda: sorted(manager.told()) == sorted([
            ("sales", "ana", "warning", "firing"), ("sales", "ana", "warning", "resolved"),
            ("sales", "bob", "critical", "firing"), ("sales", "cy", "critical", "firing"),
            ("sales", "cy", "critical", "resolved")]), "Alertmanager's words")

    def test_a_daemon_that_begins_anew_has_forgotten_its_alerts(self):
        mails = self.mails()
        self.kpid()
        n = self.notify(PLAIN.format(mails=mails) + "routes: [{mail: [lead@example.com]}]")
        self.listening()
        self.sell("ana", 150)
        until(lambda: len(mails.seen) == 1, "the alert")
        self.d.process.kill()
        self.d.process.wait(DEADLINE)
        self.kpid()
        self.listening()
        until(lambda: len(mails.seen) == 2, "the end")
        self.assertEqual(mails.seen[-1][1]["Subject"], "No longer open: Ána Silva, Sales (day)")
        self.sell("ana", 150)
        until(lambda: len(mails.seen) == 3, "the alert of the new one")
        n.stop()
        self.d.stop()

    def test_what_kpid_keeps_quiet_is_told_when_the_silence_ends(self):
        mails = self.mails()
        self.kpid()
        n = self.notify(PLAIN.format(mails=mails) + "routes: [{mail: [lead@example.com]}]")
        self.listening()
        self.sell("ana", 50)
        made = self.d.ask(op="silence", matchers={"key": "ana"}, by="maria", **{"for": "1h"})
        self.assertTrue(made["ok"], made)
        self.sell("ana", 100)
        self.sell("bob", 150)
        until(lambda: mails.seen, "the other one")
        self.assertTrue(self.d.ask(op="unsilence", id=made["silence"]["id"])["ok"])
        until(lambda: len(mails.seen) == 2, "the one that was silenced")
        self.sell("bob", -150)
        until(lambda: len(mails.seen) == 3, "the end")
        self.assertEqual([m["Subject"].split(" has")[0] for _, m in mails.seen],
                         ["Worth a look: Bob Stone", "Worth a look: Ána Silva", "Back on track: Bob Stone, Sales (day)"])
        n.stop()

    def test_a_queue_is_bounded_and_says_what_it_drops(self):
        mails, web = self.mails(), self.web()
        self.kpid()
        n = self.notify(PLAIN.format(mails=mails) + f"""
limits: {{waiting: 3}}
routes: [{{mail: [lead@example.com]}}, {{webhook: {{url: "{web.url}"}}}}]
""")
        self.listening()
        mails.down()
        for i in range(8):
            self.sell("ana", -150 if i % 2 else 150)
            until(lambda: len(web.seen) == i + 1, "the other target")
        until(lambda: n.said("event=dropped"), "a word of it")
        mails.up()
        until(lambda: len(mails.seen) >= 3, "what is left")
        log = n.stop()
        self.assertIn("dropped=5", log)
        self.assertEqual(len(mails.seen), 3)


class Fake(NotifyCase):
    """A kpid that says what a test wants."""

    def setUp(self):
        super().setUp()
        self.context = zmq.Context()
        self.pub = self.context.socket(zmq.XPUB)
        self.pub.bind(f"ipc://{self.folder}/publish")
        self.listed = []
        self.listings = 0
        self.seq = 0
        self.over = False
        self.answerer = threading.Thread(target=self._answer)
        self.answerer.start()
        self.addCleanup(self._end)

    def _end(self):
        self.over = True
        self.answerer.join()
        self.pub.close(0)
        self.context.term()

    def _answer(self):
        router = self.context.socket(zmq.ROUTER)
        router.bind(f"ipc://{self.folder}/control")
        while not self.over:
            if not router.poll(20):
                continue
            who, request = router.recv_multipart()
            op = msgpack.unpackb(request)["op"]
            reply = {"ok": True, "alerts": self.listed if op == "alerts" else []}
            router.send_multipart([who, msgpack.packb(reply)])
            self.listings += op == "alerts"
        router.close(0)

    def alert(self, **fields):
        self.seq += 1
        return {"v": 1, "kind": "alert", "seq": self.seq, "id": "a1", "rule": "calls", "kpi": "calls_made", "window": "day",
                "level": "rep", "key": "ana", "name": "Ana", "path": ["emea", "one", "ana"], "state": "firing",
                "severity": "warning", "value": 12, "target": 40, "expected": 22.5, "ratio": 0.533, "threshold": 0.8, "p": None,
                "since": 1000, "time": 2000 + self.seq, "reason": None, "events": [], "message": "Ana: 12 calls",
                "coaching": "Two call blocks", "acked_by": None, "silenced": False, **fields}

    def say(self, **fields):
        self.publish(msgpack.packb(self.alert(**fields)))

    def publish(self, payload, topic=b"alert/emea/one/ana/"):
        self.pub.send_multipart([topic, payload])

    def begin(self, routes, **options):
        mails = self.mails()
        n = self.notify(PLAIN.format(mails=mails) + routes, **options)
        self.assertEqual(self.pub.recv(), b"\x01alert/")
        until(lambda: self.listings >= 2, "the first listings")     # at once, and when the subscription is sure to be known
        return mails, n

    def test_nothing_in_a_name_means_anything(self):
        web = self.web()
        mails, n = self.begin(f'routes: [{{mail: [lead@example.com]}}, {{webhook: {{url: "{web.url}"}}}}]')
        evil = 'Ana\r\nBcc: all@example.com\r\n\r\n<script>alert("x")</script> <!channel> & =?utf-8?Q?x?= \u202e\x00"\\'
        self.say(name=evil, message=evil, coaching=evil + "x" * 100000, key="a/b%\r\n", path=["emea", "a/b%\r\n"],
                 members=[evil] * 1000)
        until(lambda: mails.seen and web.seen, "both")
        message = mails.seen[0][1]
        self.assertIsNone(message["Bcc"])
        self.assertEqual(mails.seen[0][0], "lead@example.com")
        self.assertTrue(message["Subject"].startswith('Worth a look: Ana  Bcc: all@example.com    <script>'), message["Subject"])
        plain, html = parts(message)
        self.assertNotIn("<script", html)
        self.assertIn("&lt;script&gt;alert(&quot;x&quot;)", html)
        self.assertIn("and 950 more", plain)
        self.assertNotIn("\u202e", plain + html + web.texts()[0])
        self.assertIn("&lt;!channel&gt; &amp;", web.texts()[0])
        self.assertIn('"\\', web.texts()[0])
        n.stop()

    def test_what_is_no_alert_is_passed_over(self):
        mails, n = self.begin("routes: [{mail: [lead@example.com]}]")
        for payload in (b"", b"\xdd\xff\xff\xff\xff", b"\xdf\x7f\xff\xff\xff", b"\x91" * 1000, b"[" * 5000, b"{}", b"\xc1", b"x",
                        msgpack.packb({"kind": "alert"}), msgpack.packb(self.alert(id="")),
                        msgpack.packb(self.alert(id="a\r\nb")), msgpack.packb(self.alert(id="x" * 500)),
                        msgpack.packb(self.alert(state="burning")), msgpack.packb(self.alert(severity=7)),
                        msgpack.packb(self.alert(path=["x" * 5000])), json.dumps(self.alert(rule=None)).encode(),
                        os.urandom(4096)):
            self.publish(payload)
        self.say(id="good", since="yesterday", value="much", members="all", time=1e300)
        until(lambda: mails.seen, "the good one")
        n.stop()
        self.assertEqual([m["Subject"] for _, m in mails.seen], ["Worth a look: Ana: 12 calls"])

    def test_silenced_ones_are_not_told_and_repeats_only_where_wanted(self):
        mails, n = self.begin("""
routes:
  - {mail: [once@example.com]}
  - {mail: [again@example.com], repeat: true}
""")
        self.say(silenced=True)
        self.say(silenced=True, state="resolved")
        self.say(id="a2")
        self.say(id="a2")
        self.say(id="a2", acked_by="lead")
        self.say(id="a2", state="resolved", reason="period_ended")
        self.say(id="a2")       # what is over does not come back under its id
        self.say(id="a3", message="the last")
        until(lambda: len(mails.seen) == 7, "the mails")
        n.stop()
        self.assertEqual([m["Subject"].split(":")[0] for m in mails.to("once@example.com")],
                         ["Worth a look", "The period is over", "Worth a look"])
        self.assertEqual([m["Subject"].split(":")[0] for m in mails.to("again@example.com")],
                         ["Worth a look", "Still so", "The period is over", "Worth a look"])

    def test_a_team_s_alert_lists_its_members(self):
        mails, n = self.begin("routes: [{match: {level: team}, mail: [lead@example.com]}]")
        self.say(level="team", key="one", name="one", path=["emea", "one"], members=["ana", "bob"], value=2, target=3)
        until(lambda: mails.seen, "the mail")
        for text in parts(mails.seen[0][1]):
            self.assertIn("ana, bob", text)
            self.assertIn("2 of 3 at once", text)
        n.stop()

    def test_what_was_lost_on_the_way_is_found_in_the_next_listing(self):
        mails, n = self.begin("routes: [{mail: [lead@example.com]}]", resync="1s")
        lost = self.alert(id="lost", message="lost")
        self.listed = [lost]
        until(lambda: len(mails.seen) == 1, "what was lost")
        self.publish(msgpack.packb(lost))       # it comes after all, and is known
        self.listed = []
        until(lambda: len(mails.seen) == 2, "the end that was lost")
        self.say(id="next", message="next")
        self.listed = [self.alert(id="next", message="next")]
        until(lambda: len(mails.seen) == 3, "the next")
        count = self.listings
        until(lambda: self.listings >= count + 2, "two listings more")
        n.stop()
        self.assertEqual([m["Subject"] for _, m in mails.seen],
                         ["Worth a look: lost", "No longer open: Ana, calls_made (day)", "Worth a look: next"])

    def test_an_alert_that_fires_between_question_and_answer_is_not_taken_for_over(self):
        mails, n = self.begin("routes: [{mail: [lead@example.com]}]", resync="1s")
        for i in range(20):
            fired = self.alert(id=f"b{i}")
            self.publish(msgpack.packb(fired))
            self.listed = self.listed + [fired]
        until(lambda: len(mails.seen) == 20, "the alerts")
        count = self.listings
        until(lambda: self.listings >= count + 2, "two listings more")
        n.stop()
        self.assertEqual({m["Subject"] for _, m in mails.seen}, {"Worth a look: Ana: 12 calls"})

    def test_alerts_beyond_the_limit_are_counted(self):
        mails, n = self.begin("limits: {alerts: 2}\nroutes: [{mail: [lead@example.com]}]")
        for i in range(4):
            self.say(id=f"c{i}")
        until(lambda: sum(map(int, re.findall(r"event=dropped alerts=(\d+)", "\n".join(n.log)))) == 2, "a word of each")
        until(lambda: len(mails.seen) == 2, "those that found room")
        n.stop()


class Use(NotifyCase):
    def run_it(self, *arguments):
        found = subprocess.run([NOTIFY, *arguments], capture_output=True, text=True, timeout=60)
        self.assertTrue(healthy(found.stderr), found.stderr)
        return found

    def test_the_example_is_well(self):
        found = self.run_it("--check", EXAMPLE)
        self.assertEqual((found.returncode, found.stderr), (0, ""))
        self.assertIn("well (routes: 5, people: 2)", found.stdout)

    def test_wrong_use_is_told(self):
        for arguments in ((), ("--config",), ("--check", "a", "--config", "b"), ("--nothing",), ("--check", "a", "b"),
                          ("--check", "/no/such/file"), ("--config", "/no/such/file")):
            found = self.run_it(*arguments)
            self.assertEqual(found.returncode, 2, arguments)
            self.assertTrue(found.stderr)
        self.assertIn("usage: kpi-notify", self.run_it("--help").stdout)
        self.assertRegex(self.run_it("--version").stdout, r"^kpi-notify \d")

    def test_who_waits_for_a_kpid_that_is_not_there_sleeps(self):
        begun = time.monotonic()
        n = self.notify('routes: [{webhook: {url: "http://127.0.0.1:1/"}}]')
        until(lambda: n.said("event=no_answer"), "that nobody answers")
        with open(f"/proc/{n.process.pid}/stat") as f:
            ticks = sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
        self.assertLess(ticks / os.sysconf("SC_CLK_TCK"), (time.monotonic() - begun) / 4)
        n.stop()

    def test_one_spool_is_one_process_s(self):
        self.kpid()
        n = self.notify('routes: [{webhook: {url: "http://127.0.0.1:1/"}}]')
        found = self.run_it("--config", n.file)
        self.assertEqual(found.returncode, 1)
        self.assertIn("another kpi-notify works with it", found.stderr)
        self.assertEqual(os.stat(f"{self.folder}/spool").st_mode & 0o777, 0o700)
        self.assertEqual(os.stat(f"{self.folder}/spool/kpi-notify.db").st_mode & 0o777, 0o600)
        n.stop()


main()
