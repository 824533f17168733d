"""What the example that is shipped says of a floor: that its numbers mean what their names say."""
import json
import os

from daemon import Case, kpictl, main

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLE = f"{TOP}/config/kpid.yaml"


def replay(case, events, *more):
    """{(level, key, path): {kpi: {window: cell}}} at the end, or at --at."""
    found = kpictl("replay", "--config", EXAMPLE, "--events", "-", *more, input=events)
    case.assertEqual(found.returncode, 0, found.stderr)
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    return {(s["level"], s["key"], tuple(s["path"])): s["kpis"] for s in lines if s["kind"] == "snapshot"}


class Example(Case):
    def company(self, *events):
        lines = "".join(json.dumps({"time": f"2026-03-03T{9 + i // 60:02}:{i % 60:02}:00Z", "rep": "ana", **e}) + "\n"
                        for i, e in enumerate(events))
        return {k: w["day"] for k, w in replay(self, lines)["company", "", ()].items() if "day" in w}

    def value(self, cells, *names):
        return [cells[n]["value"] for n in names]

    def test_the_halves_of_a_floor_add_up(self):
        events = kpictl("simulate", "--config", EXAMPLE, "--days", "9", "--output", "-").stdout
        stages = [e for e in map(json.loads, events.splitlines()) if e["type"] == "stage"]
        won, back = (sum(e.get(k) == "won" for e in stages) for k in ("stage", "from_stage"))
        self.assertGreater(won, 50)
        self.assertGreater(back, 1)             # so it shows what a taken win takes along
        found = replay(self, events)
        self.assertEqual(found["company", "", ()]["deals_won"]["month"]["value"], won - back)
        seen = 0
        for key, kpis in found.items():
            for window in kpis.get("deals_won", {}):
                with self.subTest(key=key, window=window):
                    cell = {n: kpis[n][window] for n in ("deals_won", "wins_inbound", "wins_outbound", "clients_won", "leads",
                            "leads_inbound", "leads_outbound", "contacts_made", "contacts_inbound", "contacts_outbound")}
                    for whole in ("deals_won", "leads"):
                        halves = [f"{whole.replace('deals_won', 'wins')}_{way}" for way in ("inbound", "outbound")]
                        self.assertEqual(sum(self.value(cell, *halves)), cell[whole]["value"])
                    made, *halves = self.value(cell, "contacts_made", "contacts_inbound", "contacts_outbound")
                    self.assertTrue(max(halves) <= made <= sum(halves))     # a client may be in both ...
                    self.assertEqual(cell["contacts_made"]["n"],            # ... but a contact is in one
                                     cell["contacts_inbound"]["n"] + cell["contacts_outbound"]["n"])
                    self.assertEqual(cell["clients_won"]["value"], cell["deals_won"]["value"])  # here nobody buys twice
                    seen += 1
        self.assertGreater(seen, 100)
        company = found["company", "", ()]
        self.assertAlmostEqual(company["client_value_mean"]["90d"]["value"] * company["clients_won"]["month"]["value"],
                               company["revenue"]["month"]["value"])

    def test_the_direction_of_a_win_is_that_of_its_lead(self):
        cells = self.company(
            {"type": "lead", "lead": 1, "direction": "inbound"}, {"type": "lead", "lead": 2, "direction": "outbound"},
            *({"type": "stage", "lead": n, "deal": n, "client": n, "stage": "won", "amount": 100} for n in (1, 2)))
        self.assertEqual(self.value(cells, "deals_won", "wins_inbound", "wins_outbound"), [2, 1, 1])

    def test_what_is_taken_back_takes_the_client_along_and_comes_again(self):
        def stage(stage, **more):
            return {"type": "stage", "lead": 1, "deal": 1, "client": "acme", "stage": stage, "amount": 100, **more}
        names = ("deals_won", "revenue", "clients_won", "wins_inbound")
        story = [{"type": "lead", "lead": 1, "direction": "inbound"}, stage("asking"), stage("won", from_stage="asking"),
                 stage("rapport", deal=2, lead=3), {"type": "cost", "amount": 50}]
        cells = self.company(*story)            # another deal of the client begins: that takes nothing back
        self.assertEqual(self.value(cells, *names, "cost_per_client"), [1, 100, 1, 1, 50])
        story.append(stage("asking", from_stage="won"))
        cells = self.company(*story)
        self.assertEqual(self.value(cells, *names, "cost_per_client"), [0, 0, 0, 0, None])
        self.assertEqual(cells["sales_cycle"]["value"], 60)         # the time to the first win stays
        cells = self.company(*story, stage("won", from_stage="asking"))
        self.assertEqual(self.value(cells, *names), [1, 100, 1, 1])

    def test_a_voicemail_is_no_contact_and_a_meeting_is_one_of_ours(self):
        cells = self.company(
            {"type": "call", "client": "a", "direction": "inbound", "outcome": "voicemail"},
            {"type": "call", "client": "b", "direction": "inbound", "outcome": "connected"},
            {"type": "meeting", "client": "c", "outcome": "connected"},
            {"type": "email", "client": "d", "direction": "outbound", "outcome": "sent"})
        self.assertEqual(self.value(cells, "contacts_made", "contacts_inbound", "contacts_outbound"), [2, 1, 1])


main()
