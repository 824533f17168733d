"""Rule tests: those that come with the example and those of tests/rules hold, and what does not hold is shown and located."""
import glob
import os
import re
import shutil
import tempfile

from daemon import Case, kpictl, main

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RULES = f"{TOP}/tests/rules"


def read(path):
    with open(path) as f:
        return f.read()


class Rules(Case):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="kpid-rules-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, name, text):
        with open(f"{self.folder}/{name}", "w") as f:
            f.write(text)

    def example(self):
        for name in ("kpid.yaml", "kpid.test.yaml", "roster.csv", "uk.ics"):
            shutil.copy(f"{TOP}/config/{name}", self.folder)

    def test_the_example_s_rules_do_what_its_tests_say(self):
        found = kpictl("test", f"{TOP}/config/kpid.test.yaml")
        self.assertEqual((found.returncode, found.stderr), (0, ""), found.stdout)
        self.assertRegex(found.stdout, r"well: \d+ tests, \d+ checks\n$")

    def test_every_rule_of_the_example_is_tested(self):
        rules = re.findall(r"^  (\w+):", read(f"{TOP}/config/kpid.yaml").split("\nalerts:")[1], re.M)
        tests = read(f"{TOP}/config/kpid.test.yaml")
        self.assertGreater(len(rules), 6)
        for rule in rules:
            self.assertGreater(len(re.findall(rf"only: {{rule: {rule}\b", tests)), 1, rule)

    def test_what_the_rules_say_of_themselves_holds(self):
        files = sorted(glob.glob(f"{RULES}/*.yaml"))
        self.assertGreater(len(files), 5)
        found = kpictl("test", *files)
        self.assertEqual((found.returncode, found.stderr), (0, ""), found.stdout)
        self.assertEqual(len(found.stdout.splitlines()), len(files))

    def test_what_fails_is_shown_with_both_sides(self):
        files = sorted(os.path.basename(f) for f in glob.glob(f"{RULES}/failing/*.yaml"))
        self.assertTrue(files)
        for file in files:
            found = kpictl("test", f"failing/{file}", cwd=RULES)
            self.assertEqual((found.returncode, found.stderr), (1, ""), file)
            self.assertEqual(found.stdout, read(f"{RULES}/failing/{file[:-5]}.out"))

    def test_each_fault_is_told_where_it_stands(self):
        files = sorted(os.path.basename(f) for f in glob.glob(f"{RULES}/faulty/*.yaml"))
        self.assertGreater(len(files), 4)
        for file in files:
            found = kpictl("test", f"faulty/{file}", cwd=RULES)
            self.assertEqual((found.returncode, found.stdout), (2, ""), file)
            self.assertEqual(found.stderr, read(f"{RULES}/faulty/{file[:-5]}.err"))

    def test_several_files_are_all_run_and_the_worst_counts(self):
        well, failing, faulty = "format.yaml", "failing/both_sides.yaml", "faulty/config.yaml"
        found = kpictl("test", faulty, failing, well, cwd=RULES)
        self.assertEqual(found.returncode, 2)
        self.assertIn(f"{well}: well: ", found.stdout)
        self.assertIn(f"{failing}: FAILED: ", found.stdout)
        self.assertEqual(kpictl("test", failing, well, cwd=RULES).returncode, 1)
        self.assertEqual(kpictl("test", f"{self.folder}/nowhere.yaml").returncode, 2)

    def test_only_those_that_are_asked_for_are_run(self):
        found = kpictl("test", "--only", "numbers", "failing/both_sides.yaml", "format.yaml", "life.yaml", cwd=RULES)
        self.assertEqual(found.returncode, 1)
        self.assertIn("FAILED: 1 of 1 tests", found.stdout)
        self.assertIn("format.yaml: well: 1 tests", found.stdout)
        self.assertNotIn("life.yaml", found.stdout)
        found = kpictl("test", "--only", "no such name", "format.yaml", cwd=RULES)
        self.assertEqual(found.returncode, 2)
        self.assertIn("no such name", found.stderr)

    def test_the_readme_s_example_passes_fails_and_is_faulty_as_it_says(self):
        readme = read(f"{TOP}/tools/kpictl/README.md")
        example = re.search(r"```yaml\n(.*?)```", readme, re.S)[1]
        self.example()
        self.write("mine.test.yaml", example)
        found = kpictl("test", "mine.test.yaml", cwd=self.folder)
        self.assertEqual(found.returncode, 0, found.stdout)
        shown = [re.sub("^    ", "", b, flags=re.M) for b in re.findall(r"\n\n((?:    mine\.test\.yaml.*\n)(?:    .*\n)*)", readme)]
        self.assertEqual(len(shown), 2)
        self.write("mine.test.yaml", example.replace("severity: critical, value", "severity: warning, value"))
        self.assertEqual(kpictl("test", "mine.test.yaml", cwd=self.folder).stdout, shown[0])
        self.write("mine.test.yaml", example.replace("only: {rule: behind_on_calls,", "only: {rule: behind_on_call,"))
        self.assertEqual(kpictl("test", "mine.test.yaml", cwd=self.folder).stderr, shown[1])

    def test_the_help_s_example_passes_beside_the_example(self):
        text = kpictl("test", "--help").stdout
        self.example()
        self.write("help.yaml", re.sub("^  ", "", re.search(r"\n(  config: .*?)\n\n", text, re.S)[1], flags=re.M))
        found = kpictl("test", "help.yaml", cwd=self.folder)
        self.assertEqual(found.returncode, 0, found.stdout + found.stderr)

    def test_a_changed_threshold_is_noticed(self):
        """All of them; under a sanitizer, which takes a minute and a half for that and sees the same code each time, some."""
        changes = (
                ("quiet_phone", "above: 4h", "above: 241m", "four hours of work"),
                ("quiet_phone", "group: 50%", "group: 51%", "half of a team is silent"),
                ("quiet_team", "above: 2h", "above: 121m", "an hour without any"),
                ("behind_on_calls", "for: 30m", "for: 29m", "and half an hour later"),
                ("behind_on_calls", "confidence: 99.95%", "confidence: 99.94%", "half of the calls"),
                ("behind_on_calls", "below: 50%", "below: 51%", "half of the calls"),
                ("behind_on_calls", "below: 25%", "below: 26%", "10 of 40"),
                ("behind_this_week", "below: 70%", "below: 71%", "140 of 200"),
                ("behind_this_week", "confidence: 99.95%", "confidence: 99.9%", "24 of 44"),
                ("behind_this_week", "min_elapsed: 8h", "min_elapsed: 479m", "eight hours of work"),
                ("behind_this_week", "clear: 10%", "clear: 9%", "77 %"),
                ("slow_to_leads", "above: 300%", "above: 320%", "three times"),
                ("slow_to_leads", "min_count: 10", "min_count: 9", "nine leads"),
                ("team_not_as_usual", "below: 50%", "below: 51%", "24 calls"),
                ("team_not_as_usual", "periods: 4", "periods: 3", "without four days"),
                ("stuck_deal", "above: 21d", "above: 22d", "three weeks after"),
                ("region_win_rate", "min_count: 15", "min_count: 14", "three of fifteen"),
                ("costly_clients", "above: 1500", "above: 1501", "1500 a client"))
        for rule, before, after, where in changes[::6] if os.environ.get("KPID_SANITIZE") else changes:
            self.example()
            head, mine, tail = re.split(rf"(?ms)(^  {rule}:.*?)(?=^  \w+:|\Z)", read(f"{self.folder}/kpid.yaml"))
            self.assertEqual(mine.count(before), 1, f"{rule}: {before}")
            self.write("kpid.yaml", head + mine.replace(before, after) + tail)
            found = kpictl("test", "--only", where, "kpid.test.yaml", cwd=self.folder)
            self.assertEqual(found.returncode, 1, f"{rule}: {after}: {found.stdout}{found.stderr}")


main()
