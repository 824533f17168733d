"""kpi-gateway: what it serves to whom, that changes come at once, and what happens when kpid or a user goes."""
import http.client
import re
import socket
import subprocess
import tempfile
import urllib.parse

from daemon import *
from gateway import GATEWAY, USERS, Gateway, token, users_yaml

CONFIG = """
roster:
  levels: [region, team, rep]
  members:
    - {rep: ana, name: Ana Silva, team: one, region: emea}
    - {rep: ben, name: Ben Okafor, team: one, region: emea}
    - {rep: cleo, name: '<b>Cleo</b>', team: two, region: emea}
kpis:
  calls: {title: Calls, aggregate: count, where: {type: call}, windows: [day, 1h]}
  sales: {title: Sales, aggregate: sum, of: amount, where: {type: stage}, windows: [day], unit: GBP}
alerts:
  many: {kpi: calls, window: day, level: rep, warning: {above: 2}, hours: always, message: "{name}: {value}", coaching: Rest}
storage: {path: store, samples: 1s}
"""


class Served(Case):
    config = "limits: {requests: 10000}\n"

    def setUp(self):
        self.d = self.daemon(CONFIG)
        self.g = Gateway(self.d, self.config)
        until(self.g.is_ready)

    def tearDown(self):
        if self.g.process.poll() is None:
            self.g.stop()
        if self.d.process.poll() is None:
            self.d.stop()

    def call(self, *reps):
        self.d.send(*({"type": "call", "rep": rep} for rep in reps))

    def calls(self, user, path):
        return self.g.snapshots(user, "kpi=calls&window=day").get(path, {}).get("calls", {}).get("day", {}).get("value")


class Rights(Served):
    SEES = {"ops": {"", "emea", "emea/one", "emea/two", "emea/one/ana", "emea/one/ben", "emea/two/cleo"},
            "maria": {"emea/one", "emea/one/ana", "emea/one/ben"}, "ana": {"emea/one/ana"}}
    SEES["board"], SEES["lead"] = SEES["ops"], SEES["maria"]

    def test_everybody_is_told_what_they_may_see(self):
        self.call("ana", "ana", "ana", "ben", "ben", "ben", "cleo", "cleo", "cleo")
        until(lambda: len(self.g.get("/api/v1/alerts")["alerts"]) == 3)
        for user, seen in self.SEES.items():
            with self.subTest(user=user):
                self.assertEqual(set(self.g.snapshots(user)), seen)
                self.assertEqual({"/".join(a["path"]) for a in self.g.get("/api/v1/alerts", user)["alerts"]},
                                 {p for p in seen if p.count("/") == 2})
                state = self.g.events(user).next()
                self.assertEqual({"/".join(k["path"]) for k in state["keys"]}, seen)
                self.assertEqual(len(state["alerts"]), sum(p.count("/") == 2 for p in seen))
                for path, level, key in (("", "company", ""), ("emea/one", "team", "one"), ("emea/two", "team", "two"),
                                         ("emea/one/ana", "rep", "ana"), ("emea/two/cleo", "rep", "cleo")):
                    query = f"kpi=calls&window=day&level={level}&key={key}"
                    for what in ("explain", "history"):
                        found = self.g.get(f"/api/v1/{what}?{query}", user)
                        self.assertEqual(isinstance(found, dict), path in seen, (what, path, found))
                        if path not in seen:
                            self.assertEqual(found, 404)
                until(lambda: {a["key"] for a in self.g.get("/api/v1/alerts/history", user)["alerts"]} ==
                      {p.rsplit("/", 1)[1] for p in seen if p.count("/") == 2})

    def test_a_view_never_reaches_beyond_what_may_be_seen(self):
        for query in ("under=emea", "under=", "under=emea/two", "level=rep", "level=company,region,team,rep", "under=emea/one/../two",
                      "level=rep&level=team", "under=emea%2Ftwo", "under=/emea/two/"):
            with self.subTest(query=query):
                self.assertLessEqual(set(self.g.snapshots("maria", query)), self.SEES["maria"])

    # what each may ask for; 404 stands for what is not there, and 403 for what they may not
    MATRIX = [
        ("GET", "/api/v1/me", {None: 401}),
        ("GET", "/api/v1/catalog", {None: 401}),
        ("GET", "/api/v1/snapshots", {None: 401}),
        ("GET", "/api/v1/alerts", {None: 401}),
        ("GET", "/api/v1/alerts/history", {None: 401}),
        ("GET", "/api/v1/history?kpi=calls&window=day&key=ana", {None: 401}),
        ("GET", "/api/v1/explain?kpi=calls&window=day&key=ana", {None: 401}),
        ("GET", "/api/v1/contests", {None: 401}),
        ("GET", "/api/v1/silences", {None: 401, "ana": 403, "lead": 403, "board": 403}),
        ("POST", "/api/v1/silences", {None: 401, "ana": 403, "lead": 403, "board": 403, "maria": 403, "ops": 400}),
        ("DELETE", "/api/v1/silences/s99", {None: 401, "ana": 403, "lead": 403, "board": 403, "maria": 404, "ops": 404}),
        ("POST", "/api/v1/acknowledgements", {None: 401, "ana": 403, "lead": 403, "board": 403, "maria": 400, "ops": 400}),
        ("GET", "/api/v1/status", {None: 401, "ana": 403, "lead": 403, "board": 403, "maria": 403}),
        ("GET", "/metrics", {None: 401, "ana": 403, "lead": 403, "maria": 403}),
        ("GET", "/healthz", {}), ("GET", "/readyz", {}), ("GET", "/", {}), ("GET", "/api/v1/openapi.json", {}),
        ("GET", "/nothing", {user: 404 for user in (None, *USERS)}),
        ("PUT", "/api/v1/me", {user: 405 for user in (None, *USERS)}),
    ]

    def test_each_request_is_for_those_whom_the_table_names(self):
        for method, path, refused in self.MATRIX:
            for user in (None, *USERS):
                with self.subTest(method=method, path=path, user=user):
                    status, headers, _ = self.g.request(method, path, user, body={} if method in ("POST", "PUT") else None)
                    self.assertEqual(status, refused.get(user, 200))
                    self.assertIn("default-src 'none'", headers["Content-Security-Policy"])

    def test_the_description_knows_every_request(self):
        paths = self.g.get("/api/v1/openapi.json")["paths"]
        told = {(method.upper(), path.replace("{id}", "s99")) for path, methods in paths.items() for method in methods}
        self.assertEqual({(method, path.split("?")[0]) for method, path, _ in self.MATRIX} - told,
                         {("GET", "/"), ("GET", "/nothing"), ("PUT", "/api/v1/me"), ("GET", "/api/v1/openapi.json")})
        for method, path in told:
            status = self.g.request(method, path, None, body={} if method == "POST" else None)[0]
            self.assertNotIn(status, (404, 405), (method, path))

    def test_who_says_it_wrongly_is_nobody(self):
        for headers in ({"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}, {"Cookie": "kpid=0-" + "0" * 48},
                        {"Cookie": "kpid=x"}, {"X_Remote_User": "ops"}):
            self.assertEqual(self.g.request("GET", "/api/v1/me", **headers)[0], 401, headers)

    def test_a_cookie_is_given_for_a_token_and_taken_back(self):
        self.assertEqual(self.g.request("POST", "/login", body={"token": "wrong"})[0], 401)
        status, headers, _ = self.g.request("POST", "/login", body={"token": token("maria")})
        self.assertEqual(status, 200)
        self.assertRegex(headers["Set-Cookie"], r"^kpid=\S+; HttpOnly; SameSite=Strict; Path=/; Max-Age=43200$")
        cookie = headers["Set-Cookie"].split(";")[0]
        self.assertEqual(self.g.request("GET", "/api/v1/me", Cookie=cookie)[2]["user"], "maria")
        connection = http.client.HTTPConnection("127.0.0.1", self.g.port, timeout=DEADLINE)
        connection.request("GET", "/events", headers={"Cookie": cookie})
        stream = connection.getresponse()
        self.assertEqual(self.g.request("POST", "/logout", body={}, Cookie=cookie)[0], 200)
        self.assertEqual(self.g.request("GET", "/api/v1/me", Cookie=cookie)[0], 401)
        stream.read()       # and what was followed by it has ended
        connection.close()
        self.assertEqual(self.g.request("POST", "/login", body=' \n{"token": "%s"}' % token("maria"), Content_Type="application/json")[0], 200)

    def test_nobody_ends_what_others_follow(self):
        events = self.g.events("maria")
        events.next()
        for cookie in ("kpid=", "kpid=0-", "kpid=x"):
            self.assertEqual(self.g.request("POST", "/logout", body={}, Cookie=cookie)[0], 200)
        self.call("ana")
        events.next(lambda kind, data: kind == "keys")

    def test_who_is_removed_while_they_speak_is_nobody_when_they_have_spoken(self):
        body = b'{"ids": ["x"]}'
        with socket.create_connection(("127.0.0.1", self.g.port), DEADLINE) as s:
            s.sendall(b"POST /api/v1/acknowledgements HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                      b"Authorization: Bearer %s\r\n\r\n%s" % (len(body), token("maria").encode(), body[:5]))
            until(lambda: self.g.get("/healthz"))
            self.g.write(self.config, {name: rights for name, rights in USERS.items() if name != "maria"})
            self.g.process.send_signal(signal.SIGHUP)
            until(lambda: self.g.get("/api/v1/me", "maria") == 401)
            s.sendall(body[5:])
            self.assertIn(b" 401 ", s.recv(200))

    def test_who_may_see_something_else_is_told_everything_anew(self):
        events = self.g.events("ana")
        events.next()
        events.close()
        self.g.write(self.config, {**USERS, "ana": {"read": ["emea/two"]}})
        self.g.process.send_signal(signal.SIGHUP)
        until(lambda: set(self.g.snapshots("ana")) == {"emea/two", "emea/two/cleo"})
        again = self.g.events("ana", last=events.id)
        again.next()
        self.assertEqual(again.seen[0][1], "state")

    def test_another_site_can_change_nothing_and_is_told_nothing(self):
        for headers, status in (({"Content-Type": "text/plain"}, 415), ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
                                ({"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}, 403)):
            headers = {name.replace("-", "_"): value for name, value in headers.items()}
            self.assertEqual(self.g.request("POST", "/api/v1/acknowledgements", "ops", body='{"ids": ["x"]}', **headers)[0], status)
        self.assertEqual(self.g.request("GET", "/api/v1/me", "ops", Host="evil.example:8420")[0], 421)
        self.assertEqual(self.g.request("GET", "/api/v1/me", "ops", Host="localhost:1")[0], 200)


class Changes(Served):
    def test_a_change_comes_within_a_second(self):
        events = self.g.events("maria", "level=rep&kpi=calls&window=day")
        events.next(lambda kind, data: kind == "state")
        begun = time.monotonic()
        self.call("ana")
        key = events.next(lambda kind, data: kind == "keys")["keys"]
        took = time.monotonic() - begun
        self.assertEqual([(k["key"], k["kpis"]["calls"]["day"]["value"]) for k in key if k["key"] == "ana"], [("ana", 1)])
        self.assertEqual({w for k in key for kpi in k["kpis"].values() for w in kpi}, {"day"})
        self.assertEqual({kpi for k in key for kpi in k["kpis"]}, {"calls"})
        print(f"    {took * 1000:.0f} ms")
        self.call("cleo", "ben")        # of cleo nothing is told
        told = events.next(lambda kind, data: kind == "keys" and any(k["key"] == "ben" for k in data["keys"]))
        self.assertNotIn("leo", str(events.seen))

    def test_who_comes_back_is_told_what_has_been_since(self):
        events = self.g.events("ops", "level=rep")
        events.next(lambda kind, data: kind == "state")
        events.close()
        self.call("ben")
        until(lambda: self.calls("ops", "emea/one/ben") == 1)
        again = self.g.events("ops", "level=rep", last=events.id)
        told = [k["key"] for k in again.next(lambda kind, data: kind == "keys")["keys"]]
        self.assertEqual(again.seen[0][1], "keys")
        self.assertIn("ben", told)
        again.close()
        for last in ("x", "1.1-5", events.id.rsplit("-", 1)[0] + "-99999999", ""):      # of another gateway, or of the future
            other = self.g.events("ops", "level=rep", last=last)
            other.next()
            self.assertEqual(other.seen[0][1], "state")
            other.close()

    def test_an_alert_is_told_acknowledged_silenced_and_resolved(self):
        events = self.g.events("maria")
        events.next(lambda kind, data: kind == "state")
        self.call("ana", "ana", "ana", "cleo", "cleo", "cleo")
        alert = events.next(lambda kind, data: kind == "alert" and data["state"] == "firing")
        self.assertEqual((alert["key"], alert["message"], alert["coaching"]), ("ana", "Ana Silva: 3", "Rest"))
        theirs = until(lambda: [a["id"] for a in self.g.get("/api/v1/alerts")["alerts"] if a["key"] == "cleo"])[0]
        # of what they don't see there is nothing
        self.assertEqual(self.g.request("POST", "/api/v1/acknowledgements", "maria", {"ids": [theirs]})[0], 404)
        self.assertEqual(self.g.request("POST", "/api/v1/acknowledgements", "maria", {"ids": [alert["id"], theirs]})[0], 404)
        self.assertEqual(self.g.request("POST", "/api/v1/silences", "maria", {"alert": theirs, "for": "1h"})[0], 404)
        self.assertEqual(self.g.request("POST", "/api/v1/silences", "maria", {"matchers": {"rule": "*"}, "for": "1h"})[0], 403)
        status, _, reply = self.g.request("POST", "/api/v1/acknowledgements", "maria", {"ids": [alert["id"]], "comment": "spoke to Ana"})
        self.assertEqual((status, reply["alerts"]), (200, 1))
        self.assertEqual(events.next(lambda kind, data: kind == "alert" and data["acked_by"])["acked_by"], "maria")
        status, _, reply = self.g.request("POST", "/api/v1/silences", "maria", {"alert": alert["id"], "for": "1h", "comment": "kick-off"})
        self.assertEqual(status, 200, reply)
        silence = reply["silence"]
        self.assertEqual((silence["by"], silence["matchers"]["rule"]), ("maria", "many"))
        events.next(lambda kind, data: kind == "alert" and data["silenced"])
        self.assertEqual([s["id"] for s in self.g.get("/api/v1/silences", "maria")["silences"]], [silence["id"]])
        made = self.d.ask(op="silence", matchers={"rule": "*"}, until=now_ms() + 60000, by="ops")["silence"]["id"]
        self.assertEqual(len(self.g.get("/api/v1/silences", "maria")["silences"]), 1)
        self.assertEqual(len(self.g.get("/api/v1/silences")["silences"]), 2)
        self.assertEqual(self.g.request("DELETE", f"/api/v1/silences/{made}", "maria")[0], 404)
        for user, id in (("maria", silence["id"]), ("ops", made)):
            self.assertEqual(self.g.request("DELETE", f"/api/v1/silences/{id}", user)[0], 200)
        self.assertEqual(self.d.ask(op="silences")["silences"], [])
        self.assertFalse(any(data.get("key") == "cleo" for _, kind, data in events.seen if kind == "alert"))

    def test_kpid_goes_and_comes_back(self):
        self.call("ana")
        events = self.g.events("ops", "level=rep&kpi=calls&window=day")
        events.next(lambda kind, data: kind == "state")
        until(lambda: self.calls("ops", "emea/one/ana") == 1)
        self.d.kill()
        self.assertEqual(events.next(lambda kind, data: kind == "kpid")["state"], "down")
        self.assertEqual(self.g.get("/readyz"), 503)
        self.assertEqual(self.calls("ops", "emea/one/ana"), 1)      # what was known
        self.assertEqual(self.g.get("/api/v1/explain?kpi=calls&window=day&key=ana"), 503)
        self.g.restart_daemon()
        self.assertEqual(events.next(lambda kind, data: kind == "kpid")["state"], "up")
        state = events.next(lambda kind, data: kind == "state")
        self.assertEqual([k["kpis"]["calls"]["day"]["value"] for k in state["keys"] if k["key"] == "ana"], [1])
        self.call("ana")
        until(lambda: self.calls("ops", "emea/one/ana") == 2)

    def test_a_place_that_is_taken_is_a_failure(self):
        self.g.write(self.config, USERS, f"127.0.0.1:{self.g.port}")
        found = subprocess.run([GATEWAY, "--config", self.g.file], capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual(found.returncode, 1)
        self.assertIn("is it in use?", found.stderr)

    def test_it_ends_at_once_whoever_follows_and_asks(self):
        streams = [self.g.events("ops") for _ in range(20)]
        for stream in streams[:10]:
            stream.next()
        stop = threading.Event()

        def ask():
            while not stop.is_set():
                try:
                    self.g.request("GET", "/api/v1/explain?kpi=calls&window=day&key=ana", "ops")
                    self.g.events("board").close()
                except (OSError, http.client.HTTPException):
                    pass
        askers = [threading.Thread(target=ask) for _ in range(4)]
        for asker in askers:
            asker.start()
        until(lambda: int(re.search(r"^kpi_gateway_questions_total (\d+)", self.g.get("/metrics"), re.M)[1]) > 30)
        begun = time.monotonic()
        self.g.stop()
        took = time.monotonic() - begun
        stop.set()
        for asker in askers:
            asker.join(DEADLINE)
        self.assertLess(took, DEADLINE / 2)

    def test_a_reload_changes_who_may_see_what(self):
        events = self.g.events("lead")
        events.next()
        board = self.g.events("board")
        board.next()
        self.g.write(self.config, {name: rights for name, rights in USERS.items() if name != "lead"} | {"board": {"read": ["emea/two"]}})
        self.g.process.send_signal(signal.SIGHUP)
        for stream in (events, board):
            with self.assertRaises((EOFError, http.client.IncompleteRead)):
                stream.next(lambda kind, data: False)
        self.assertEqual(self.g.get("/api/v1/me", "lead"), 401)
        self.assertEqual(set(self.g.snapshots("board")), {"emea/two", "emea/two/cleo"})
        self.g.write("users: [\n", {})
        self.g.process.send_signal(signal.SIGHUP)
        until(lambda: any("event=reload done=no" in line for line in self.g.log))
        self.assertEqual(set(self.g.snapshots("board")), {"emea/two", "emea/two/cleo"})

    def test_what_is_forgotten_is_gone(self):
        self.call("dora")
        events = self.g.events("ops", "level=rep")
        until(lambda: any("dora" in path for path in self.g.snapshots()))
        events.next(lambda kind, data: kind in ("state", "keys") and any(k["key"] == "dora" for k in data["keys"]))
        self.assertTrue(self.d.ask(op="forget", key="dora")["ok"])
        # a listing has it no more; a new connection asks for one at once
        self.d.kill()
        self.g.restart_daemon()
        until(lambda: not any("dora" in path for path in self.g.snapshots()))


class Anonymous(Served):
    config = "anonymous: {read: [emea/one/ana]}\npeers: anonymous\nproxy: {header: X-Remote-User, from: [127.0.0.1]}\n" + Served.config

    def test_a_rep_sees_the_team_s_numbers_without_names(self):
        self.call("ana", "ben", "ben")
        until(lambda: self.calls("ops", "emea/one/ben") == 2)
        self.assertEqual(set(self.g.snapshots(None)), {"emea/one/ana"})
        ranks = self.g.get("/api/v1/ranks?kpi=calls&window=day&path=emea/one/ana", None)["ranks"]
        self.assertEqual(sorted((r["own"], r["cell"]["value"], r["cell"]["rank"]) for r in ranks), [(False, 2, 1), (True, 1, 2)])
        self.assertNotIn("ben", str(ranks).lower())
        self.assertEqual(self.g.get("/api/v1/ranks?kpi=calls&window=day&path=emea/one/ben", None), 404)

    def test_a_proxy_is_believed(self):
        self.assertEqual(self.g.request("GET", "/api/v1/me", X_Remote_User="maria")[2]["user"], "maria")
        self.assertEqual(self.g.request("GET", "/api/v1/me", X_Remote_User="stranger")[0], 401)
        self.assertEqual(self.g.request("GET", "/api/v1/me")[2]["user"], "anonymous")


class Limits(Served):
    config = "limits: {browsers: 20, streams: 3, sessions: 1, requests: 100}\nmetrics: {levels: [company, rep], kpis: [calls], windows: [day], series: 7}\n"

    def test_metrics_are_prometheus_own(self):
        self.call("ana", "cleo")
        until(lambda: self.calls("ops", "emea/two/cleo") == 1)
        text = until(lambda: (text := self.g.get("/metrics")) != 429 and "\nkpid_events_accepted_total 2\n" in text and text)
        self.assertIn('kpid_kpi_value{kpi="calls",window="day",level="rep",path="emea/one/ana"} 1\n', text)
        self.assertIn('kpid_kpi_value{kpi="calls",window="day",level="company",path=""} 2\n', text)
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, ""))

    def test_who_asks_too_much_waits(self):
        found = [self.g.request("GET", "/api/v1/alerts", "maria")[0] for _ in range(300)]
        self.assertIn(429, found)
        self.assertEqual(self.g.request("GET", "/api/v1/alerts", "ops")[0], 200)     # others don't

    def test_who_follows_too_much_is_refused_until_something_ends(self):
        streams = [self.g.events("maria") for _ in range(3)]
        for stream in streams:
            stream.next()
        self.assertEqual(self.g.events("maria").status, 429)
        self.assertEqual(self.g.events("ops").status, 200)      # others are not
        streams[0].close()

        def takes_another():
            self.call("ana")        # that nobody reads any more is noticed when something is told
            return self.g.events("maria").status == 200
        until(takes_another)

    def test_what_a_session_follows_ends_with_it(self):
        cookie = self.g.request("POST", "/login", body={"token": token("maria")})[1]["Set-Cookie"].split(";")[0]
        connection = http.client.HTTPConnection("127.0.0.1", self.g.port, timeout=DEADLINE)
        connection.request("GET", "/events", headers={"Cookie": cookie})
        stream = connection.getresponse()
        self.assertEqual(self.g.request("POST", "/login", body={"token": token("ana")})[0], 200)    # there is room for one
        stream.read()
        connection.close()

    def test_rubbish_harms_nobody(self):
        for bytes in (b"\0" * 100, b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 60000 + b" HTTP/1.1\r\n\r\n", b"POST /login HTTP/1.1\r\n",
                      b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n{",
                      b"GET /%00%ff/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", self.g.port), DEADLINE) as s:
                s.sendall(bytes)
        for body in ("[", "[]", "{}", '{"ids": 7}', '{"ids": [[]]}', '{"ids": ["' + "x" * 70000 + '"]}', "{" * 50):
            self.assertIn(self.g.request("POST", "/api/v1/acknowledgements", "ops", body, Content_Type="application/json")[0], (400, 404, 413))
        self.assertEqual(self.g.get("/healthz"), {"status": "running"})

    def test_too_many_browsers_are_refused_and_room_is_given_back(self):
        open = [socket.create_connection(("127.0.0.1", self.g.port), DEADLINE) for _ in range(30)]
        for s in open:
            s.close()
        until(lambda: self.serves())

    def serves(self):
        try:
            return self.g.request("GET", "/healthz")[0] == 200
        except OSError:
            return False


class Monitored(Served):
    """Debian's Prometheus scrapes it, and knows every metric that the rules and the dashboard ask for."""
    config = "metrics: {levels: [company, team], windows: [day]}\n" + Served.config + "anonymous: {read: all}\n"

    def query(self, port, expression):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
        try:
            connection.request("GET", "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
            return json.loads(connection.getresponse().read())["data"]["result"]
        except (OSError, ValueError):       # it is still starting
            return []
        finally:
            connection.close()

    def test_prometheus_scrapes_it_and_the_rules_ask_for_what_there_is(self):
        rules = f'{os.environ["KPID_EXAMPLES"]}/prometheus.rules.yaml'
        self.call("ana", "cleo")
        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/prometheus.yml", "w") as f:
                f.write(f"global: {{scrape_interval: 200ms, evaluation_interval: 200ms}}\nrule_files: [{rules}]\n"
                        f'scrape_configs: [{{job_name: kpid, static_configs: [{{targets: ["127.0.0.1:{self.g.port}"]}}]}}]\n')
            checked = subprocess.run(["promtool", "check", "config", f"{folder}/prometheus.yml"], capture_output=True, text=True)
            self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
            with socket.create_server(("127.0.0.1", 0)) as s:
                port = s.getsockname()[1]
            server = subprocess.Popen(["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                                       f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
            try:
                until(lambda: self.query(port, 'kpid_kpi_value{kpi="calls",window="day",level="company"} == 2'))
                self.assertEqual(self.query(port, "ALERTS"), [])
                with open(f'{os.environ["KPID_EXAMPLES"]}/grafana.json') as f:
                    asked = f.read() + open(rules).read()
                for name in sorted(set(re.findall(r"\b(?:kpid|kpi_gateway)_[a-z_]+[a-z]\b", asked)) - {"kpi_gateway"}):
                    if not name.endswith(("_target", "_expected")):         # without targets there are none
                        until(lambda: self.query(port, name), name)
            finally:
                server.terminate()
                server.wait(DEADLINE)


class Files(unittest.TestCase):
    def test_every_fault_is_told_with_its_place(self):
        base = 'kpid: {publish: "tcp://127.0.0.1:1", control: "tcp://127.0.0.1:2"}\n'
        for text, told in (("", "is empty"), (base, "nobody may see anything"), (base + "anonymous: {read: all}\nlisten: 0.0.0.0:80\n",
                           ":3:9: listens beyond this machine"), (base + "users: {a: {token: x, read: all}}\n", ':2:20: users.a.token: is no "sha256:"'),
                           (base + "users: {a: {}}\n", "sees nothing"), (base + "users: {anonymous: {read: all}}\n", "and not a user"), (base + "anonymous: {read: [/x]}\n", "is no path"),
                           (base + "anonymous: {raed: all}\n", 'did you mean "read"'), (base + "anonymous: {read: all}\nlisten: localhost:80\n", "is no address"),
                           (base + "anonymous: {read: all}\nproxy: {header: X, from: [here]}\n", "is no address")):
            with self.subTest(text=text), tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
                f.write(text)
                f.flush()
                found = subprocess.run([GATEWAY, "--check", f.name], capture_output=True, text=True)
                self.assertEqual(found.returncode, 2, found)
                self.assertIn(told, found.stderr)

    def test_a_token_that_is_made_is_taken(self):
        found = subprocess.run([GATEWAY, "--token"], capture_output=True, text=True)
        self.assertRegex(found.stdout, r'^for them: +\S{32}\nfor the file: +token: "sha256:[0-9a-f]{64}"\n$')

    def test_the_example_is_well(self):
        found = subprocess.run([GATEWAY, "--check", f'{os.environ["KPID_EXAMPLES"]}/kpi-gateway.yaml'], capture_output=True, text=True)
        self.assertEqual((found.returncode, found.stderr), (0, ""))


if __name__ == "__main__":
    main()
