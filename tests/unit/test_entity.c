/* KPIs of what happened before to the same lead, deal or client: each definition by a story that a person can check. */
#include "rig.h"

#define HEAD                                                                                                          \
    "time: {clock: event}\n"                                                                                           \
    "roster: {levels: [team, rep], members: [{rep: ana, team: one}, {rep: bob, team: one}, {rep: cid, team: two}]}\n"   \
    "windows: [day, 1h/1h]\n"
#define WON "{type: stage, stage: won}"

/* At so many minutes after the hour 1000: an event of a rep with further fields. */
static enum kp_reason tell(struct rig *rig, int minutes, const char *type, const char *rep, const char *more)
{
    char json[512];

    snprintf(json, sizeof json, "{\"type\":\"%s\",\"rep\":\"%s\",\"time\":%lld,%s}", type, rep,
             3600000000LL + minutes * 60000LL, more);
    return rig_event_at(rig, 0, json);
}

static double day(struct rig *rig, const char *rep, const char *kpi)
{
    return rig_value(rig, *rep ? "rep" : "company", rep, kpi, "day");
}

static void tick(struct rig *rig, int minutes)
{
    rig_at(rig, 3600000 + minutes * 60);
}

static void elapsed_is_from_the_first_of_both_and_whose_the_end_is(void **state)
{
    struct rig *rig = rig_new(HEAD "kpis: {t: {aggregate: mean, of: {elapsed: {from: {type: lead}, to: " WON ", per: lead}}}}\n");

    (void)state;
    tell(rig, 10, "lead", "ana", "\"lead\":1");
    tell(rig, 12, "lead", "ana", "\"lead\":1");
    tell(rig, 40, "stage", "bob", "\"lead\":1,\"stage\":\"won\"");
    tell(rig, 50, "stage", "ana", "\"lead\":1,\"stage\":\"won\"");
    assert_true(isnan(day(rig, "ana", "t")));
    assert_true(day(rig, "bob", "t") == 1800);
    assert_true(day(rig, "", "t") == 1800);
    rig_free(rig);
}

static void an_earlier_beginning_that_comes_late_corrects_the_sample(void **state)
{
    struct rig *rig = rig_new(HEAD "kpis: {t: {aggregate: mean, of: {elapsed: {from: {type: lead}, to: " WON ", per: lead}}}}\n");

    (void)state;
    tell(rig, 40, "stage", "bob", "\"lead\":\"x\",\"stage\":\"won\"");
    assert_true(isnan(day(rig, "bob", "t")));
    tell(rig, 30, "lead", "ana", "\"lead\":\"x\"");
    assert_true(day(rig, "bob", "t") == 600);
    tell(rig, 10, "lead", "ana", "\"lead\":\"x\"");
    assert_true(day(rig, "bob", "t") == 1800);
    tell(rig, 20, "stage", "ana", "\"lead\":\"x\",\"stage\":\"won\"");      /* and so does an earlier end */
    assert_true(isnan(day(rig, "bob", "t")));
    assert_true(day(rig, "ana", "t") == 600);
    rig_free(rig);
}

static void repeat_counts_from_the_second_and_forgets_what_is_long_past(void **state)
{
    struct rig *rig = rig_new(HEAD "kpis:\n"
                                   "  again: {aggregate: count, where: {type: [call, email]}, of: {repeat: {per: lead}}}\n"
                                   "  third: {aggregate: count, where: {type: call}, of: {repeat: {per: lead, from: 3, within: 20m}}}\n");

    (void)state;
    tell(rig, 0, "call", "ana", "\"lead\":1");
    tell(rig, 5, "email", "bob", "\"lead\":1");
    tell(rig, 10, "call", "ana", "\"lead\":1");
    tell(rig, 20, "call", "ana", "\"lead\":1");     /* the call at 0 is 20 minutes ago, so outside */
    tell(rig, 20, "call", "ana", "\"lead\":2");
    tell(rig, 20, "call", "ana", "\"other\":2");
    assert_true(day(rig, "ana", "again") == 2);
    assert_true(day(rig, "bob", "again") == 1);
    assert_true(day(rig, "ana", "third") == 0);
    tell(rig, 25, "call", "bob", "\"lead\":1");
    assert_true(day(rig, "bob", "third") == 1);
    rig_free(rig);
}

static void open_is_what_is_open_now_and_whose_it_is_now(void **state)
{
    struct rig *rig = rig_new(HEAD "kpis:\n"
                                   "  deals: {aggregate: count, of: {open: {per: deal, opened: {type: stage}, closed: {stage: [won, lost]}}}}\n"
                                   "  worth: {aggregate: sum, of: {open: {per: deal, opened: {type: stage}, closed: {stage: [won, lost]}, field: amount}}}\n"
                                   "  stages: {aggregate: count, by: [stage], of: {open: {per: deal, opened: {type: stage}, closed: {stage: [won, lost]}}}}\n");

    (void)state;
    tell(rig, 0, "stage", "ana", "\"deal\":1,\"stage\":\"asking\",\"amount\":100");
    tell(rig, 1, "stage", "ana", "\"deal\":2,\"stage\":\"asking\",\"amount\":10");
    tell(rig, 2, "stage", "bob", "\"deal\":1,\"stage\":\"money\",\"amount\":120");
    assert_true(day(rig, "ana", "deals") == 1 && day(rig, "bob", "deals") == 1);
    assert_true(day(rig, "", "worth") == 130 && day(rig, "bob", "worth") == 120);
    assert_true(rig_value(rig, "@stage", "money", "stages", "day") == 1);
    tick(rig, 3000);                                /* two days on it is open still */
    assert_true(day(rig, "bob", "worth") == 120);
    tell(rig, 3001, "stage", "bob", "\"deal\":1,\"stage\":\"won\"");
    tell(rig, 3002, "stage", "bob", "\"deal\":2,\"stage\":\"lost\"");
    assert_true(day(rig, "", "deals") == 0 && day(rig, "", "worth") == 0);
    tell(rig, 3003, "stage", "cid", "\"deal\":2,\"stage\":\"asking\"");     /* opened again, with the amount it had */
    assert_true(day(rig, "cid", "worth") == 10);
    rig_free(rig);
}

static void a_cohort_leaves_out_who_had_no_chance_yet(void **state)
{
    struct rig *rig = rig_new(HEAD "kpis: {c: {aggregate: mean, of: {cohort: {from: {type: lead}, to: " WON ", per: lead, within: 1h}}}}\n");
    const struct kp_cell_view *cell;

    (void)state;
    tell(rig, 0, "lead", "ana", "\"lead\":1");
    tell(rig, 10, "lead", "ana", "\"lead\":2");
    tell(rig, 20, "lead", "ana", "\"lead\":3");
    assert_true(isnan(day(rig, "ana", "c")));
    tell(rig, 30, "stage", "bob", "\"lead\":1,\"stage\":\"won\"");
    assert_true(day(rig, "ana", "c") == 1);
    tick(rig, 69);
    assert_true(day(rig, "ana", "c") == 1);
    tick(rig, 70);                                  /* the second has had its hour */
    assert_true(day(rig, "ana", "c") == 0.5);
    tell(rig, 90, "stage", "bob", "\"lead\":2,\"stage\":\"won\"");          /* too late for it */
    cell = rig_cell(rig, rig_node(rig, "rep", "ana"), "c", "day");
    assert_int_equal(cell->number.n, 3);
    assert_true(fabs(cell->number.value - 1 / 3.0) < 1e-12);
    rig_free(rig);
}

static void once_counts_a_deal_once_until_it_is_reopened(void **state)
{
    struct rig *rig = rig_new(HEAD "kpis:\n"
                                   "  wins: {aggregate: count, where: " WON ", once: {per: deal, reversed_by: {from_stage: won}}}\n"
                                   "  sales: {aggregate: sum, of: amount, where: " WON ", once: {per: deal, reversed_by: {from_stage: won}}}\n");

    (void)state;
    tell(rig, 0, "stage", "ana", "\"deal\":1,\"stage\":\"won\",\"amount\":100");
    tell(rig, 1, "stage", "bob", "\"deal\":1,\"stage\":\"won\",\"amount\":100");
    assert_true(day(rig, "ana", "wins") == 1 && day(rig, "bob", "wins") == 0);
    tell(rig, 120, "stage", "bob", "\"deal\":1,\"stage\":\"asking\",\"from_stage\":\"won\"");
    assert_true(day(rig, "ana", "sales") == 0 && day(rig, "bob", "sales") == 0);
    assert_true(rig_value(rig, "rep", "ana", "wins", "1h/1h") == -1);       /* taken back now, from whom it was given */
    tell(rig, 130, "stage", "bob", "\"deal\":1,\"stage\":\"won\",\"amount\":90");
    assert_true(day(rig, "bob", "wins") == 1 && day(rig, "bob", "sales") == 90);
    assert_true(day(rig, "", "wins") == 1);
    rig_free(rig);
}

static const char funnel_yaml[] =
    HEAD "kpis: {calls: {aggregate: count}}\n"
         "funnels: {f: {per: deal, stages: [a, b, c, won], lost: [lost]}}\n";

static void a_funnel_knows_skips_returns_and_time(void **state)
{
    struct rig *rig = rig_new(funnel_yaml);

    (void)state;
    tell(rig, 0, "stage", "ana", "\"deal\":1,\"stage\":\"a\"");
    tell(rig, 10, "stage", "ana", "\"deal\":1,\"stage\":\"c\"");            /* b is skipped */
    tell(rig, 20, "stage", "ana", "\"deal\":1,\"stage\":\"b\"");            /* back */
    tell(rig, 30, "stage", "bob", "\"deal\":1,\"stage\":\"c\"");
    tell(rig, 0, "stage", "ana", "\"deal\":2,\"stage\":\"a\"");
    tell(rig, 40, "stage", "ana", "\"deal\":2,\"stage\":\"lost\"");
    assert_true(day(rig, "ana", "f.a.entered") == 2 && day(rig, "ana", "f.b.entered") == 1 && day(rig, "ana", "f.c.entered") == 1);
    assert_true(day(rig, "ana", "f.a.converted") == 0.5 && day(rig, "ana", "f.b.converted") == 1);
    assert_true(day(rig, "ana", "f.b.skipped") == 1 && day(rig, "ana", "f.c.skipped") == 0);
    assert_true(day(rig, "ana", "f.c.converted") == 0 && day(rig, "bob", "f.c.open") == 1 && day(rig, "", "f.a.open") == 0);
    assert_true(fabs(day(rig, "ana", "f.a.median_time") - 600) <= 6);       /* of 600 and 2400: the lower one */
    tell(rig, 50, "stage", "cid", "\"deal\":1,\"stage\":\"won\"");
    assert_true(day(rig, "cid", "f.won.entered") == 1 && day(rig, "ana", "f.c.converted") == 1);
    assert_true(day(rig, "", "f.c.open") == 0);
    rig_free(rig);
}

static void at_the_limit_what_is_closed_goes_first_and_what_was_open_ends(void **state)
{
    struct rig *rig = rig_new(HEAD "limits: {entities: 3}\n"
                                   "kpis: {deals: {aggregate: count, of: {open: {per: deal, opened: {type: stage}, closed: {stage: won}}}}}\n");
    struct kp_engine_stats stats;
    char more[64];

    (void)state;
    for (int i = 1; i <= 3; i++) {
        snprintf(more, sizeof more, "\"deal\":%d,\"stage\":\"a\"", i);
        tell(rig, i, "stage", "ana", more);
    }
    tell(rig, 5, "stage", "ana", "\"deal\":3,\"stage\":\"won\"");
    assert_true(day(rig, "ana", "deals") == 2);
    tell(rig, 6, "stage", "ana", "\"deal\":4,\"stage\":\"a\"");             /* 3 makes room: it is closed */
    assert_true(day(rig, "ana", "deals") == 3);
    tell(rig, 7, "stage", "ana", "\"deal\":5,\"stage\":\"a\"");             /* 1 is the oldest */
    assert_true(day(rig, "ana", "deals") == 3);
    kp_engine_stats(rig->engine, &stats);
    assert_int_equal(stats.entities, 3);
    assert_int_equal(stats.entities_evicted, 2);
    rig_free(rig);
}

static void one_entity_with_endless_events_stays_bounded(void **state)
{
    struct rig *rig = rig_new(HEAD "kpis: {again: {aggregate: count, where: {type: call}, of: {repeat: {per: lead, from: 5, within: 1h}}}}\n");
    struct kp_engine_stats stats;

    (void)state;
    for (int i = 0; i < 3000; i++)
        tell(rig, i / 100, "call", "ana", "\"lead\":1");
    kp_engine_stats(rig->engine, &stats);
    assert_int_equal(stats.entities, 1);
    assert_true(stats.occurrences_forgotten > 0);
    assert_true(stats.bytes_entities < 16u << 20);
    assert_true(day(rig, "ana", "again") == 2996);
    rig_free(rig);
}

/* ---- any order ---- */

enum { STORY = 60, ORDERS = 40 };

static const char every_kind[] =
    HEAD "kpis:\n"
         "  t: {aggregate: p90, of: {elapsed: {from: {stage: a}, to: " WON ", per: deal}}, windows: [day, week]}\n"
         "  c: {aggregate: mean, of: {cohort: {from: {stage: a}, to: " WON ", per: deal, within: 50m}}, windows: [day, week]}\n"
         "  r: {aggregate: count, of: {repeat: {per: deal, from: 3, within: 40m}}, windows: [day, week]}\n"
         "  o: {aggregate: sum, of: {open: {per: deal, closed: {stage: [won, lost]}, field: amount}}, windows: [day, week]}\n"
         "  w: {aggregate: sum, of: amount, where: " WON ", once: {per: deal, reversed_by: {stage: {ne: won}}}, windows: [day, week]}\n"
         "funnels: {f: {per: deal, stages: [a, b, c, won], lost: [lost], windows: [day, week]}}\n";

static void in_order(const char (*lines)[160], const int *order, char *told, size_t size)
{
    static const char *const reps[] = {"ana", "bob", "cid"};
    struct rig *rig = rig_new(every_kind);
    size_t at = 0;

    for (int i = 0; i < STORY; i++)
        assert_int_equal(rig_event_at(rig, 0, lines[order[i]]), KP_ACCEPTED);
    tick(rig, 300);
    for (int r = 0; r < 3; r++) {
        const struct kp_cell_view *cells;
        size_t n = kp_engine_read(rig->engine, rig_node(rig, "rep", reps[r]), 0, &cells);

        for (size_t i = 0; i < n; i++)
            at += (size_t)snprintf(told + at, size - at, "%s %s %s %a %lld\n", reps[r], cells[i].kpi->name, cells[i].window->text,
                                   cells[i].number.has ? cells[i].number.value : (double)NAN, (long long)cells[i].number.n);
    }
    rig_free(rig);
}

static void any_order_of_the_same_histories_gives_the_same_numbers(void **state)
{
    static const char *const stages[] = {"a", "b", "c", "won", "lost"}, *const reps[] = {"ana", "bob", "cid"};
    char lines[STORY][160], *want = malloc(65536), *got = malloc(65536);
    int order[STORY];
    uint64_t seed = 7;

    (void)state;
    for (int i = 0; i < STORY; i++) {
        snprintf(lines[i], sizeof *lines,
                 "{\"type\":\"stage\",\"id\":\"%d\",\"rep\":\"%s\",\"deal\":%d,\"stage\":\"%s\",\"amount\":%d,\"time\":%lld}", i,
                 reps[unit_below(&seed, 3)], (int)unit_below(&seed, 5), stages[unit_below(&seed, 5)], (int)unit_below(&seed, 500),
                 3600000000LL + (long long)unit_below(&seed, 120) * 60000);
        order[i] = i;
    }
    in_order((const char (*)[160])lines, order, want, 65536);
    for (int n = 0; n < ORDERS; n++) {
        for (int i = STORY - 1; i > 0; i--) {
            int k = (int)unit_below(&seed, (uint64_t)i + 1), swap = order[i];

            order[i] = order[k];
            order[k] = swap;
        }
        in_order((const char (*)[160])lines, order, got, 65536);
        assert_string_equal(got, want);
    }
    free(want);
    free(got);
}

/* Applied together, since what is looked up ahead is not for one alone; before there is any entity. */
static void events_without_the_field_are_left_out(void **state)
{
    struct rig *rig = rig_new(HEAD "kpis: {again: {aggregate: count, where: {type: call}, of: {repeat: {per: lead}}}, calls: {aggregate: count}}\n");
    const char *json = "[{\"type\":\"call\",\"rep\":\"ana\",\"time\":3600000000},{\"type\":\"call\",\"rep\":\"ana\",\"time\":3600000001}]";
    struct kp_event *events = calloc(2, sizeof *events);
    const struct kp_event *both[2] = {&events[0], &events[1]};
    enum kp_reason reasons[2];

    (void)state;
    assert_int_equal(kp_decode_begin(rig->decoder, json, strlen(json), (struct kp_str){"", 0}), KP_ACCEPTED);
    for (int i = 0; i < 2; i++)
        assert_int_equal(kp_decode_next(rig->decoder, &events[i], &reasons[i]), KP_NEXT_EVENT);
    for (int i = 0; i < 2; i++)     /* the second time its kind is known */
        kp_engine_apply(rig->engine, both, 2, 0, reasons);
    tick(rig, 1);
    assert_true(day(rig, "ana", "calls") == 4 && day(rig, "ana", "again") == 0);
    free(events);
    rig_free(rig);
}

/* Ids decide among events of one instant, to their last byte. */
static void long_ids_order_what_happens_at_once(void **state)
{
    static const char *const ids[] = {"crm-activity-2026-0001", "crm-activity-2026-0002"};
    static const char *const reps[] = {"x", "y"};       /* nobody of the roster: their numbers depend on who comes first */

    (void)state;
    for (int way = 0; way < 4; way++) {
        struct rig *rig = rig_new(HEAD "kpis: {again: {aggregate: count, where: {type: call}, of: {repeat: {per: lead}}}}\n");

        for (int i = 0; i < 2; i++) {
            int k = way & 1 ? 1 - i : i;
            char more[64];

            snprintf(more, sizeof more, "\"lead\":1,\"id\":\"%s\"", ids[way & 2 ? 1 - k : k]);
            tell(rig, 10, "call", reps[k], more);
        }
        assert_true(day(rig, way & 2 ? "x" : "y", "again") == 1);
        rig_free(rig);
    }
}

/* Without ids it is what they say that decides, never which came first. */
static void events_of_one_instant_without_ids_count_the_same_in_any_order(void **state)
{
    struct rig *a = rig_new(HEAD "kpis: {again: {aggregate: count, where: {type: call}, of: {repeat: {per: lead}}}}\n");
    struct rig *b = rig_new(HEAD "kpis: {again: {aggregate: count, where: {type: call}, of: {repeat: {per: lead}}}}\n");

    (void)state;
    tell(a, 10, "call", "x", "\"lead\":1");
    tell(a, 10, "call", "y", "\"lead\":1");
    tell(b, 10, "call", "y", "\"lead\":1");
    tell(b, 10, "call", "x", "\"lead\":1");
    /* one of them has it, and the other nothing to show */
    for (int i = 0; i < 2; i++) {
        struct kp_str key = {i ? "y" : "x", 1};

        assert_int_equal(kp_engine_find(a->engine, 2, key) == KP_NO_KEY, kp_engine_find(b->engine, 2, key) == KP_NO_KEY);
    }
    rig_free(a);
    rig_free(b);
}

/* What may come in any number does not push out what comes once. */
static void a_long_history_keeps_what_a_pair_begins_with(void **state)
{
    struct rig *rig = rig_new(HEAD "kpis:\n"
                                   "  t: {aggregate: mean, of: {elapsed: {from: {type: lead}, to: " WON ", per: deal}}}\n"
                                   "  busy: {aggregate: count, of: {repeat: {per: deal, within: 10h}}}\n"
                                   "  won: {aggregate: count, where: " WON ", once: {per: deal, reversed_by: {type: stage, stage: a}}}\n");

    (void)state;
    tell(rig, 0, "lead", "ana", "\"deal\":1");
    for (int i = 1; i <= 300; i++)
        tell(rig, i, "stage", "ana", "\"deal\":1,\"stage\":\"a\"");
    tell(rig, 301, "stage", "bob", "\"deal\":1,\"stage\":\"won\"");
    assert_true(day(rig, "bob", "t") == 301 * 60);
    rig_free(rig);
}

/* What is taken back may come again: a conversion, too, and a reversal before it has nothing to take. */
static void once_beside_pairs_counts_again_after_a_reversal(void **state)
{
    struct rig *rig = rig_new(HEAD "kpis:\n"
                                   "  t: {aggregate: mean, of: {elapsed: {from: {type: lead}, to: " WON ", per: deal}},\n"
                                   "      once: {per: deal, reversed_by: {type: stage, stage: {ne: won}}}}\n"
                                   "  c: {aggregate: sum, of: {cohort: {from: {type: lead}, to: " WON ", per: deal, within: 1h}},\n"
                                   "      once: {per: deal, reversed_by: {type: stage, stage: {ne: won}}}}\n");

    (void)state;
    tell(rig, 0, "lead", "ana", "\"deal\":1");
    tell(rig, 5, "stage", "ana", "\"deal\":1,\"stage\":\"a\"");
    tell(rig, 10, "stage", "bob", "\"deal\":1,\"stage\":\"won\"");
    assert_true(day(rig, "ana", "c") == 1);
    assert_true(day(rig, "bob", "t") == 600);
    tell(rig, 20, "stage", "cid", "\"deal\":1,\"stage\":\"a\"");
    assert_true(day(rig, "ana", "c") == 0);
    assert_true(isnan(day(rig, "bob", "t")));
    tell(rig, 30, "stage", "bob", "\"deal\":1,\"stage\":\"won\"");
    assert_true(day(rig, "ana", "c") == 1);
    assert_true(day(rig, "bob", "t") == 1800);
    rig_free(rig);
}

/* More than one occurrence has bits or values for, of the same deal: 40 times, 12 funnels, 12 amounts; and of 12 fields. */
static void as_much_may_be_asked_of_one_entity_as_is_liked(void **state)
{
    char *yaml = NULL, name[32], more[512] = "\"deal\":1,\"stage\":\"s0\"";
    size_t size = 0, len = strlen(more);
    FILE *out = open_memstream(&yaml, &size);
    struct rig *rig;

    (void)state;
    assert_non_null(out);
    fputs(HEAD "kpis:\n", out);
    for (int i = 0; i < 40; i++)
        fprintf(out, "  t%d: {aggregate: mean, of: {elapsed: {from: {stage: s0}, to: {stage: s%d}, per: deal}}}\n", i, i);
    for (int i = 0; i < 12; i++) {
        fprintf(out, "  o%d: {aggregate: sum, of: {open: {per: deal, closed: {stage: won}, field: a%d}}}\n", i, i);
        fprintf(out, "  r%d: {aggregate: count, of: {repeat: {per: f%d, from: 1}}}\n", i, i);
        len += (size_t)snprintf(more + len, sizeof more - len, ",\"a%d\":%d,\"f%d\":1", i, i + 1, i);
    }
    fputs("funnels:\n", out);
    for (int i = 0; i < 12; i++)
        fprintf(out, "  f%d: {per: deal, where: {type: x%d}, stages: [a, b, c, d]}\n", i, i);
    fclose(out);
    rig = rig_new(yaml);
    free(yaml);
    tell(rig, 0, "stage", "ana", more);
    for (int i = 1; i < 40; i++) {
        snprintf(more, sizeof more, "\"deal\":1,\"stage\":\"s%d\"", i);
        tell(rig, i, "stage", "ana", more);
    }
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "x%d", i);
        tell(rig, 41, name, "ana", "\"deal\":1,\"stage\":\"b\"");
    }
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "t%d", i);
        assert_true(day(rig, "ana", name) == i * 60);
    }
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "o%d", i);
        assert_true(day(rig, "ana", name) == i + 1);
        snprintf(name, sizeof name, "r%d", i);
        assert_true(day(rig, "ana", name) == 1);
        snprintf(name, sizeof name, "f%d.b.entered", i);
        assert_true(day(rig, "ana", name) == 1);
        snprintf(name, sizeof name, "f%d.a.skipped", i);
        assert_true(day(rig, "ana", name) == 1);
    }
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elapsed_is_from_the_first_of_both_and_whose_the_end_is),
        cmocka_unit_test(an_earlier_beginning_that_comes_late_corrects_the_sample),
        cmocka_unit_test(repeat_counts_from_the_second_and_forgets_what_is_long_past),
        cmocka_unit_test(open_is_what_is_open_now_and_whose_it_is_now),
        cmocka_unit_test(a_cohort_leaves_out_who_had_no_chance_yet),
        cmocka_unit_test(once_counts_a_deal_once_until_it_is_reopened),
        cmocka_unit_test(a_funnel_knows_skips_returns_and_time),
        cmocka_unit_test(at_the_limit_what_is_closed_goes_first_and_what_was_open_ends),
        cmocka_unit_test(one_entity_with_endless_events_stays_bounded),
        cmocka_unit_test(events_without_the_field_are_left_out),
        cmocka_unit_test(as_much_may_be_asked_of_one_entity_as_is_liked),
        cmocka_unit_test(any_order_of_the_same_histories_gives_the_same_numbers),
        cmocka_unit_test(long_ids_order_what_happens_at_once),
        cmocka_unit_test(events_of_one_instant_without_ids_count_the_same_in_any_order),
        cmocka_unit_test(a_long_history_keeps_what_a_pair_begins_with),
        cmocka_unit_test(once_beside_pairs_counts_again_after_a_reversal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
