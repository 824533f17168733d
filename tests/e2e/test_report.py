"""The agenda of the sales meeting, out of nine weeks of events: what it says is held against those."""
import collections
import datetime
import html.parser
import json
import os
import re
import stat
import tempfile
import zoneinfo

import zmq

from daemon import Case, Daemon, kpictl, main, until

ZONE = zoneinfo.ZoneInfo("Europe/London")
EVIL = "Ben </script><script>alert('|')</script>"
CONFIG = """
time: {zone: Europe/London, clock: event%s}
storage: {path: store, samples: 1d}
calendars: {office: {hours: {mon-fri: "09:00-17:00"}}}
roster:
  units: {team: {one: {calendar: office}}, company: {calendar: office}}
  members:
    - {rep: ana, name: Ana Silva, team: one, region: emea, calendar: office}
    - {rep: ben, name: "%s", team: one, region: emea, calendar: office}
    - {rep: cleo, team: two, region: emea, calendar: office}
    - {rep: dan, team: far, region: apac, calendar: office}
windows: [day, week]
kpis:
  calls: {title: Calls made, aggregate: count, where: {type: call}}
  talk: {title: Mean call, aggregate: mean, of: duration, where: {type: call}, unit: s, better: none}
  won: {title: Deals won, aggregate: count, where: {type: stage, stage: won}}
  rate: {title: Wins per call, formula: won / calls, unit: "%%"}
  revenue: {title: Revenue, aggregate: sum, of: amount, where: {type: stage, stage: won}, unit: GBP}
  never: {title: Never, aggregate: count, where: {type: never}}
funnels: {sales: {title: Sales, per: deal, stages: [asked, shown, won]}}
targets: [{kpi: calls, per: week, value: 10}, {kpi: won, per: week, value: 2, for: {rep: dan}}]
alerts:
  behind: {kpi: calls, window: week, level: rep, compare: pace, warning: {below: 50%%}, min_elapsed: 30h, hours: always}
  stands: {kpi: sales.shown.open, level: rep, compare: stalled, warning: {above: 3d}, message: "{entity} stands at a client"}
"""
FIRST = datetime.date(2031, 9, 22)      # a Monday, later than any store is made; clocks are put back in the sixth week
WEEKS = 9
REPS = {"ana": ("emea", "one"), "ben": ("emea", "one"), "cleo": ("emea", "two"), "dan": ("apac", "far")}


def at(day, hour, minute=0):
    return int(datetime.datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE).timestamp() * 1000)


def play():
    """Events of nine weeks, in order of time; dan is silent in the last one, and nothing is heard in the second."""
    deal = 0
    for week in range(WEEKS):
        for i, rep in enumerate(REPS):
            if week == 1 or (rep == "dan" and week == WEEKS - 1):
                continue
            monday = FIRST + datetime.timedelta(weeks=week)
            for call in range(8 + i + week % 3 if rep != "ben" else 2):
                yield {"type": "call", "rep": rep, "duration": 60 + 10 * call, "time": at(monday, 10 + i, call)}
            for n in range(6):
                deal += 1
                on = (0, 1, 2)[:1 + (n % 3)] if week < WEEKS - 1 or rep != "ana" else (0, 1)
                for stage in on:
                    yield {"type": "stage", "stage": ("asked", "shown", "won")[stage], "deal": f"d{deal}", "rep": rep,
                           "amount": 1234.5, "time": at(monday + datetime.timedelta(days=1), 10 + i, 10 * n + stage)}


def name_of(day):
    return "%d-W%02d" % day.isocalendar()[:2]


def counted(events, place=()):
    """Calls of each week, in the place."""
    weeks = collections.Counter()
    for event in events:
        if event["type"] == "call" and (REPS[event["rep"]] + (event["rep"],))[:len(place)] == tuple(place):
            day = datetime.datetime.fromtimestamp(event["time"] / 1000, ZONE).date()
            weeks[(day - FIRST).days // 7] += 1
    return weeks


def rows(text, heading):
    """The cells of the first table behind a heading, by their first cell."""
    lines = text[text.index(f"# {heading}\n"):].splitlines()[1:]
    begin = next(i for i, line in enumerate(lines) if line.startswith("|"))
    found = {}
    for line in lines[begin:]:
        if not line.startswith("|"):
            break
        cells = [cell.strip().replace("**", "") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        found[cells[0]] = cells[1:]
    return found


def begin(config=CONFIG, time="", name=EVIL):
    d = Daemon(config % (time, name), transport="ipc")
    return d


class Page(html.parser.HTMLParser):
    """Are its tags balanced, and what does it load?"""
    VOID = ("meta",)

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.seen, self.wrong, self.text, self.scripts = [], collections.Counter(), [], "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen[tag] += 1
        for key, value in attrs:
            if key in ("src", "href", "action", "data", "srcset", "poster", "background") or key.startswith("on"):
                self.wrong.append((tag, key, value))
        if tag not in self.VOID and not (self.open and self.open[-1] == "svg" and tag in ("path", "circle")):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen[tag] += 1

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(("end", tag, self.getpos()))

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif self.open and self.open[-1] != "style":
            self.text += data


class Report(Case):
    @classmethod
    def setUpClass(cls):
        cls.d = begin()
        cls.addClassCleanup(lambda: cls.d.process.poll() is None and cls.d.process.kill())
        cls.events = sorted(play(), key=lambda e: e["time"])
        cls.now = FIRST + datetime.timedelta(weeks=WEEKS)
        cls.last = name_of(cls.now - datetime.timedelta(weeks=1))
        for week in range(WEEKS):       # each by itself: of a week that passes within one message nothing is kept
            begun, over = at(FIRST + datetime.timedelta(weeks=week), 0), FIRST + datetime.timedelta(weeks=week + 1)
            sent = [e for e in cls.events if begun <= e["time"] < at(over, 0)]
            assert not sent or cls.d.send(*sent)["accepted"] == len(sent)
            assert cls.d.ask(op="advance", time=at(over, 12))["ok"]
            until(lambda: [v for v in cls.d.ask(op="history", kpi="calls", window="week", **{"from": begun})["values"]
                           if v["closed"] and v["at"] == begun], over)
        cls.folder = tempfile.TemporaryDirectory(prefix="kpid-report-")
        cls.chart = cls.write("chart.js", "var Chart = '</script><script>alert(2)</script><!--';")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()
        cls.d.stop()

    @classmethod
    def write(cls, name, text):
        path = f"{cls.folder.name}/{name}"
        with open(path, "w") as f:
            f.write(text)
        return path

    def report(self, *given, status=0, env=None):
        found = kpictl("report", "--control", self.d.endpoints["control"], *given, env=env)
        self.assertEqual(found.returncode, status, found.stderr)
        return found.stdout if status == 0 else found.stderr

    def test_the_last_week_that_has_ended_is_told_by_its_numbers(self):
        text = self.report()
        self.assertIn(f"# Weekly sales meeting, {self.last}\n", text)
        self.assertIn("Mon 2031-11-17 to Sun 2031-11-23, Europe/London", text)
        weeks = counted(self.events)
        value = weeks[WEEKS - 1]
        kpis = rows(text, "1. How we track")
        mean = sum(weeks[w] for w in range(WEEKS - 1)) / (WEEKS - 1)
        gap = value - 40
        self.assertEqual(kpis["Calls made"][:6], [str(value), "40", "40", f"{gap}", "behind", f"{mean:.2f}".rstrip("0").rstrip(".")])
        self.assertEqual(kpis["Calls made"][6][1], "▁")                 # of a target missed by all it is 0
        self.assertEqual(kpis["Mean call"][6][1], "·")                  # a mean of nothing is none
        begun = at(self.now - datetime.timedelta(weeks=1), 0)
        revenue = sum(e["amount"] for e in self.events if e.get("stage") == "won" and e["time"] >= begun)
        self.assertEqual(kpis["Revenue"][0], f"{revenue:,.0f} GBP")
        self.assertIn("No data in all nine weeks: Never", text)
        self.assertIn(f"Calls made: {value}, {round(value / 40 * 100, 1):g} % of the target (40); {40 - value} are missing", text)

    def test_members_and_zero_beside_no_data(self):
        regions = rows(self.report(), "By region")
        for region, target in (("emea", 30), ("apac", 10)):
            calls = counted(self.events, (region,))[WEEKS - 1]
            self.assertEqual(regions[region][0], f"{calls} ({round(calls / target * 100, 1):g} %)", region)
        apac = dict(zip(regions["region"], regions["apac"]))
        self.assertEqual([apac["Calls made"], apac["Deals won"]], ["0 (0 %)"] * 2)       # there was a target, and nothing was done
        self.assertEqual([apac["Mean call"], apac["Wins per call"]], ["no data"] * 2)
        team = self.report("--team", "emea/one")
        reps = rows(team, "By rep")
        self.assertEqual(reps["Ana Silva"][0], f"{counted(self.events, ('emea', 'one', 'ana'))[WEEKS - 1]} (100 %)")
        self.assertIn("Ben &lt;/script&gt;&lt;script&gt;alert('\\|')&lt;/script&gt;", reps)
        rep = self.report("--team", "/emea/one/ana/")
        self.assertIn("**Ana Silva (emea/one/ana)**", rep)
        self.assertNotIn("## By", rep)

    def test_alerts_of_the_place_and_what_stands_still(self):
        company, team, other = self.report(), self.report("--team", "emea/one"), self.report("--team", "emea/two")
        self.assertIn("Ben", rows(team, "Alerts")["behind"][3])
        self.assertNotIn("dan", rows(team, "Alerts")["behind"][3])
        self.assertIn("dan", rows(company, "Alerts")["behind"][3])
        self.assertNotIn("behind", rows(other, "Alerts"))
        standing = company[company.index("### What stands still"):company.index("## 3.")]
        self.assertRegex(standing, r"d\d+ stands at a client: \S+; told of on \w{3} 2031-\d\d-\d\d")
        self.assertIn("more.", standing)        # ten are enough

    def test_the_funnel_and_where_training_is_indicated(self):
        text = self.report("--team", "emea/one")
        steps = rows(text, "Sales")
        self.assertEqual(steps["asked"][:2], ["12", "83.3 %"])       # ana's six go on, and four of ben's
        self.assertEqual(steps["shown"][:2], ["10", "20 %"])
        self.assertEqual(steps["won"][:2], ["2", ""])
        self.assertIn("most stay behind at asked: of 12 who reached it in the week before, which has had time to go on, 4 (33.3 %) have not gone on to shown", text)
        self.assertIn("Too few samples to say anything: asked, the step with the most, has 12; 30 are needed", text)
        self.assertIn("None are set up.", text)

    def test_the_week_that_runs_is_held_against_what_is_expected_by_now(self):
        text = self.report("--week", name_of(self.now))
        self.assertIn("; still running, as of Mon 2031-11-24 12:00", text)
        kpis = rows(text, "1. How we track")
        self.assertEqual(kpis["Calls made"][:5], ["0", "40", "3", "-3", "behind"])      # three of forty hours

    def test_html_is_whole_needs_nothing_beside_it_and_no_name_gets_out(self):
        file = f"{self.folder.name}/r.html"
        self.assertEqual(self.report("--team", "emea/one", "--chart", self.chart, "--output", file), "")
        with open(file) as f:
            text = f.read()
        page = Page(text)
        self.assertEqual((page.open, page.wrong), ([], []))
        self.assertEqual(page.seen["script"], 3)
        self.assertNotRegex(text.replace("http-equiv", ""), r"https?:|@import|url\(|<link|<img|<iframe")
        self.assertIn(EVIL, page.text)
        self.assertNotIn("<script>alert('", text)
        charts = json.loads(page.scripts[0])
        calls = counted(self.events, ("emea", "one"))
        self.assertEqual(charts[0]["values"], [calls[w] for w in range(WEEKS)])
        self.assertEqual(charts[0]["targets"], [20] * WEEKS)
        self.assertEqual(charts[0]["labels"][-1], self.last[5:])
        self.assertEqual(charts[[c["unit"] for c in charts].index("GBP")]["values"][1], 0)       # nobody sold anything
        self.assertIsNone(charts[[c["unit"] for c in charts].index("s")]["values"][1])              # a mean of nothing is none
        self.assertGreater(page.seen["details"], 3)       # each chart is a table, too

    def test_commitments_are_told_and_without_any_there_are_lines(self):
        following = name_of(self.now)
        file = self.write("promises.yaml", f"{self.last}:\n  - {{who: Ana, what: \"call | back\", done: true}}\n"
                          f"  - {{who: Ben, what: listen, done: false}}\n{following}: [{{what: two days of training}}]\n2031-W01: [{{who: Zed, what: old}}]\n")
        text = self.report("--commitments", file)
        self.assertEqual(rows(text, f"Of this week, {self.last}"), {"Who": ["What", "Done"], "---": ["---", "---"],
                         "Ana": ["call \\| back", "yes"], "Ben": ["listen", "no"]})
        self.assertEqual(rows(text, f"For the next one, {following}")[""], ["two days of training", "?"])
        self.assertNotIn("Zed", text)
        self.assertEqual(self.report().count("|  |  |  |\n"), 8)
        for wrong, said in (("- a\n", "a map of weeks"), ("2031-W60: []\n", "a week is wanted"), ("2031-W01: x\n", "a list is wanted"),
                            ("2031-W01: [{who: a}]\n", '"what" is missing'), ("2031-W01: [{what: a, dun: true}]\n", 'unknown key "dun"'),
                            ("2031-W01: [{what: a, done: perhaps}]\n", "done is true or false"),
                            ("2031-W01: [a]\n", "a map is wanted")):
            self.assertIn(said, self.report("--commitments", self.write("wrong.yaml", wrong), status=2))
        self.assertIn("cannot be read", self.report("--commitments", "/nowhere", status=2))

    def test_exit_status_and_what_is_said(self):
        after = name_of(self.now + datetime.timedelta(weeks=1))
        html = ("--format", "html", "--chart")
        for given, status, said in ((("--week", after), 2, f"week {after} has not begun: it is {name_of(self.now)}"),
                                    (("--week", "47"), 2, "as 2026-W47"), (("--week", "2031-W53"), 2, "as 2026-W47"),
                                    (("--team", "emea/none"), 2, 'no team "emea/none"'),
                                    (("--team", "emea/one/ana/x"), 2, "only 3 levels"),
                                    (("--format", "htm"), 2, 'did you mean "html"'), (("x",), 2, "what is this"),
                                    ((*html, "/nowhere"), 1, "install libjs-chart.js"), ((*html, self.d.file), 2, "is no Chart.js"),
                                    (("--output", "/nowhere/x.md"), 1, "/nowhere/x.md"), (("--control", "nowhere"), 2, "no endpoint")):
            self.assertIn(said, self.report(*given, status=status), given)
        old = self.report("--week", "2030-W10")
        self.assertIn("No data in all nine weeks: Calls made", old)
        self.assertIn("There is no number to show them by.", old)

    def browser(self, script):
        folder = tempfile.mkdtemp(dir=self.folder.name)
        with open(f"{folder}/chromium", "w") as f:
            f.write("#!/bin/sh\n" + script)
        os.chmod(f"{folder}/chromium", stat.S_IRWXU)
        os.mkdir(f"{folder}/tmp")
        return folder, {**os.environ, "PATH": f"{folder}:/bin:/usr/bin", "TMPDIR": f"{folder}/tmp"}

    def test_a_pdf_is_made_by_a_browser_and_nothing_is_left_behind(self):
        folder, env = self.browser('for a; do case $a in --print-to-pdf=*) pdf=${a#*=};; --user-data-dir=*) mkdir -p "${a#*=}/x/y";;\n'
                                   'file:*) page=${a#file://};; esac; done\n'
                                   'printf %%PDF- >"$pdf"; grep -o "<title>[^<]*" "$page" >>"$pdf"\n')
        file = f"{self.folder.name}/r.pdf"
        self.report("--chart", self.chart, "--output", file, env=env)
        with open(file) as f:
            self.assertEqual(f.read(), f"%PDF-<title>Weekly sales meeting, {self.last}: The whole company\n")
        self.assertEqual(os.listdir(f"{folder}/tmp"), [])
        for script, said in (("exit 3\n", "failed to make the PDF (status 3)"), ("exit 0\n", "made no PDF")):
            folder, env = self.browser(script)
            self.assertIn(said, self.report("--chart", self.chart, "--output", file, status=1, env=env))
            self.assertEqual(os.listdir(f"{folder}/tmp"), [])
        env = {**os.environ, "PATH": "/nowhere"}
        self.assertIn("install chromium", self.report("--chart", self.chart, "--output", file, status=1, env=env))


class Others(Case):
    def start(self, config, **more):
        d = begin(config, **more)
        self.addCleanup(lambda: d.process.poll() is None and d.process.kill())
        return d

    def test_weeks_that_begin_on_sunday(self):
        d = self.start(CONFIG, time=", week_starts: sunday", name="Ben")
        sunday = datetime.date(2031, 11, 16)
        for days in (-1, 0, 6, 7):
            d.send({"type": "call", "rep": "ana", "time": at(sunday + datetime.timedelta(days=days), 12)})
        until(lambda: [v for v in d.ask(op="history", kpi="calls", window="week")["values"] if v["closed"] and v["at"] == at(sunday, 0)],
              "the week")
        text = kpictl("report", "--control", d.endpoints["control"]).stdout
        self.assertIn("Sun 2031-11-16 to Sat 2031-11-22", text)
        self.assertIn("Weeks begin on Sunday", text)
        self.assertIn("Thursday of ISO week 2031-W47 lies in", text)
        self.assertEqual(rows(text, "1. How we track")["Calls made"][0], "2")
        d.stop()

    def test_without_a_store_only_the_week_that_runs_is_known(self):
        d = self.start(CONFIG.replace("storage:", "# storage:"), name="Ben")
        control = ("report", "--control", d.endpoints["control"])
        self.assertIn("the daemon has no time yet", kpictl(*control).stderr)
        d.send({"type": "call", "rep": "ana", "time": at(FIRST, 12)})
        text = kpictl(*control, "--week", name_of(FIRST)).stdout
        self.assertIn("> **The daemon has no storage", text)
        self.assertEqual(rows(text, "1. How we track")["Calls made"][0], "1")
        self.assertIn("Not known: the daemon has no storage.", text)
        d.stop()

    def test_a_manager_is_told_of_the_own_place_alone(self):
        server, boss = zmq.curve_keypair(), zmq.curve_keypair()
        pair = 'public_key: "%s"\nsecret_key: "%s"\n'
        users = {"users": {"boss": {"key": boss[0].decode(), "read": ["emea/one"], "emit": "any"}}}
        d = Daemon(CONFIG % ("", "Ben") + "security: {server_key: server.key, authorized_keys: users.yaml}\n", files={
            "server.key": pair % tuple(k.decode() for k in server), "users.yaml": json.dumps(users),
            "boss.key": pair % tuple(k.decode() for k in boss) + f'server_key: "{server[0].decode()}"\n'})
        self.addCleanup(lambda: d.process.poll() is None and d.process.kill())
        key = ("--key", f"{d.folder.name}/boss.key")
        events = "".join(json.dumps({"type": "stage", "stage": "asked", "deal": str(i), "rep": "ana", "time": at(FIRST, 12)}) + "\n"
                         for i in range(31))
        self.assertEqual(kpictl(*key, "emit", "--router", d.endpoints["router"], "-", input=events).returncode, 0)
        report = (*key, "report", "--control", d.endpoints["control"], "--week", name_of(FIRST))
        found = kpictl(*report, "--team", "emea/one")
        self.assertEqual(found.returncode, 0, found.stderr)
        self.assertEqual(rows(found.stdout, "Sales")["asked"][:4], ["31", "0 %", "", ""])       # nothing is known of the level above
        self.assertIn("Ana Silva", rows(found.stdout, "By rep"))
        for place, said in (((), "--team says which place"), (("--team", "emea/two"), "that you may see")):
            found = kpictl(*report, *place)
            self.assertEqual((found.returncode, found.stdout), (2, ""))
            self.assertIn(said, found.stderr)
        d.stop()


main()
