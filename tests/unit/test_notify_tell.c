/* From what kpid says to what waits in the spool, and what of it is there again when it is opened anew. */
#include "notify.h"

#include "tell.h"

#include <ftw.h>
#include <unistd.h>

#include <sqlite3.h>

#define NOW INT64_C(1772536320000)      /* 2026-03-03T11:12:00Z */

struct rig {
    struct notify_config config;
    struct spool *spool;
    struct tell tell;
    char folder[64];
};

static void open_spool(struct rig *rig)
{
    struct kp_err err = {0};

    rig->spool = spool_open(rig->folder, rig->config.waiting_max, &err);
    if (!rig->spool)
        fail_msg("%s", err.text);
    rig->tell.spool = rig->spool;
}

static void begin(struct rig *rig, const char *yaml)
{
    memset(rig, 0, sizeof *rig);
    snprintf(rig->folder, sizeof rig->folder, "/tmp/kpi-notify-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    notify_good(yaml, &rig->config);
    rig->tell = (struct tell){.config = &rig->config, .aims = calloc(1, sizeof(struct aims)), .listing = 1};
    assert_non_null(rig->tell.aims);
    open_spool(rig);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void end(struct rig *rig)
{
    spool_close(&rig->spool);
    notify_config_release(&rig->config);
    free(rig->tell.aims);
    nftw(rig->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* seq: of the message, or when the daemon made the listing. */
static void say_seq(struct rig *rig, const char *id, enum alert_state state, enum alert_severity severity, bool listed,
                    int64_t at_ms, uint64_t seq)
{
    struct alert alert = notify_alert();
    struct kp_err err = {0};

    snprintf(alert.id, sizeof alert.id, "%s", id);
    alert.state = state;
    alert.severity = severity;
    alert.time_ms = at_ms;
    alert.seq = seq;
    if (tell_alert(&rig->tell, &alert, listed, at_ms, &err))
        fail_msg("%s", err.text);
}

static void say_at(struct rig *rig, const char *id, enum alert_state state, enum alert_severity severity, bool listed,
                   int64_t at_ms)
{
    say_seq(rig, id, state, severity, listed, at_ms, 1);
}

static void say(struct rig *rig, const char *id, enum alert_state state, enum alert_severity severity)
{
    say_at(rig, id, state, severity, false, NOW);
}

struct waiting {
    char text[4096];
    size_t len;
    int64_t first;
    struct rig *rig;
};

static bool add_waiting(void *ctx, const struct delivery *delivery)
{
    struct waiting *w = ctx;

    if (!w->len)
        w->first = delivery->n;
    w->len += (size_t)snprintf(w->text + w->len, sizeof w->text - w->len, "%s%s", w->len ? " " : "", delivery->to);
    return true;
}

/* Whom something waits for to go out at once, in order. */
static struct waiting waiting(struct rig *rig)
{
    struct waiting w = {.rig = rig};
    struct kp_err err = {0};

    assert_int_equal(spool_waiting(rig->spool, add_waiting, &w, &err), KP_OK);
    return w;
}

static void ended(struct rig *rig, bool arrived)
{
    struct kp_err err = {0};

    assert_int_equal(spool_done(rig->spool, waiting(rig).first, arrived, &err), KP_OK);
}

static void each_change_is_delivered_once(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig, "routes: [{mail: [a@x]}, {webhook: {url: \"http://h\"}}]\n");
    say(&rig, "a1", ALERT_FIRING, ALERT_WARNING);
    say(&rig, "a1", ALERT_FIRING, ALERT_WARNING);
    assert_string_equal(waiting(&rig).text, "a@x http://h");
    say(&rig, "a1", ALERT_FIRING, ALERT_CRITICAL);
    say_at(&rig, "a1", ALERT_FIRING, ALERT_CRITICAL, true, NOW + 1);
    assert_string_equal(waiting(&rig).text, "a@x http://h a@x http://h");
    say(&rig, "a1", ALERT_RESOLVED, ALERT_CRITICAL);
    say(&rig, "a1", ALERT_RESOLVED, ALERT_CRITICAL);
    assert_string_equal(waiting(&rig).text, "a@x http://h a@x http://h a@x http://h");
    spool_close(&rig.spool);
    open_spool(&rig);
    say(&rig, "a1", ALERT_FIRING, ALERT_CRITICAL);
    say(&rig, "a1", ALERT_RESOLVED, ALERT_CRITICAL);
    for (int i = 0; i < 6; i++)
        ended(&rig, true);
    assert_string_equal(waiting(&rig).text, "");
    end(&rig);
}

static void what_was_not_committed_is_told_again(void **state)
{
    struct kp_err err = {0};
    struct rig rig;

    (void)state;
    begin(&rig, "routes: [{mail: [a@x]}]\n");
    assert_int_equal(spool_begin(rig.spool, &err), KP_OK);
    say(&rig, "a1", ALERT_FIRING, ALERT_WARNING);
    spool_rollback(rig.spool);
    assert_string_equal(waiting(&rig).text, "");
    say(&rig, "a1", ALERT_FIRING, ALERT_WARNING);
    assert_string_equal(waiting(&rig).text, "a@x");
    end(&rig);
}

static void who_never_heard_of_it_is_not_told_of_its_end(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig, "routes: [{match: {severity: critical}, mail: [a@x]}, {mail: [b@x], resolved: false}, {mail: [c@x]}]\n");
    say(&rig, "a1", ALERT_FIRING, ALERT_WARNING);
    say(&rig, "a2", ALERT_FIRING, ALERT_CRITICAL);
    assert_string_equal(waiting(&rig).text, "b@x c@x a@x b@x c@x");
    ended(&rig, true);
    ended(&rig, false);         /* c@x is none that the server knows */
    say(&rig, "a1", ALERT_RESOLVED, ALERT_WARNING);
    assert_string_equal(waiting(&rig).text, "a@x b@x c@x");
    say(&rig, "a2", ALERT_RESOLVED, ALERT_WARNING);
    assert_string_equal(waiting(&rig).text, "a@x b@x c@x a@x c@x");
    end(&rig);
}

static void what_is_in_no_listing_any_more_is_over(void **state)
{
    struct kp_err err = {0};
    struct rig rig;

    (void)state;
    begin(&rig, "routes: [{mail: [a@x]}]\n");
    say_seq(&rig, "a1", ALERT_FIRING, ALERT_WARNING, false, NOW, 1);
    say_seq(&rig, "a2", ALERT_FIRING, ALERT_WARNING, false, NOW, 2);
    rig.tell.listing = 2;                                               /* asked; the daemon answers at seq 4 */
    say_seq(&rig, "a3", ALERT_FIRING, ALERT_WARNING, false, NOW, 3);    /* and is over at 4, which was lost */
    say_seq(&rig, "a4", ALERT_FIRING, ALERT_WARNING, false, NOW, 5);    /* can't be in it */
    say_seq(&rig, "a1", ALERT_FIRING, ALERT_WARNING, true, NOW + 1, 4);
    assert_string_equal(waiting(&rig).text, "a@x a@x a@x a@x");
    assert_int_equal(tell_unlisted(&rig.tell, 4, NOW + 5, &err), KP_OK);
    assert_string_equal(waiting(&rig).text, "a@x a@x a@x a@x a@x a@x");        /* a2, a3 */
    rig.tell.listing = 3;
    assert_int_equal(tell_unlisted(&rig.tell, 0, NOW + 6, &err), KP_OK);
    assert_string_equal(waiting(&rig).text, "a@x a@x a@x a@x a@x a@x a@x a@x");
    assert_int_equal(tell_unlisted(&rig.tell, 0, NOW + 6, &err), KP_OK);
    assert_string_equal(waiting(&rig).text, "a@x a@x a@x a@x a@x a@x a@x a@x");
    end(&rig);
}

static void a_listing_does_not_undo_what_was_said_after_it(void **state)
{
    struct kp_err err = {0};
    struct rig rig;

    (void)state;
    begin(&rig, "routes: [{mail: [a@x]}]\n");
    say_seq(&rig, "a1", ALERT_FIRING, ALERT_WARNING, false, NOW, 1);
    rig.tell.listing = 2;                                                       /* asked; the daemon answers at seq 1 */
    say_seq(&rig, "a1", ALERT_FIRING, ALERT_CRITICAL, false, NOW, 2);
    assert_string_equal(waiting(&rig).text, "a@x a@x");
    say_seq(&rig, "a1", ALERT_FIRING, ALERT_WARNING, true, NOW + 1, 1);         /* its answer, too late */
    assert_int_equal(tell_unlisted(&rig.tell, 1, NOW + 1, &err), KP_OK);
    assert_string_equal(waiting(&rig).text, "a@x a@x");
    rig.tell.listing = 3;                                                       /* a daemon that began anew counts from 1 */
    say_seq(&rig, "a1", ALERT_FIRING, ALERT_WARNING, true, NOW + 2, 1);
    assert_string_equal(waiting(&rig).text, "a@x a@x a@x");
    end(&rig);
}

static void the_budget_is_one_of_a_day_and_an_address(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig, "routes: [{mail: [a@x, b@x], budget: 2}]\n");
    for (int i = 0; i < 4; i++)
        say(&rig, (const char *[]){"a1", "a2", "a3", "a4"}[i], ALERT_FIRING, ALERT_WARNING);
    assert_string_equal(waiting(&rig).text, "a@x b@x a@x b@x");
    assert_int_equal(spool_digest_next(rig.spool), INT64_C(1772559000000));    /* 17:30 */
    spool_close(&rig.spool);
    open_spool(&rig);
    say(&rig, "a5", ALERT_FIRING, ALERT_WARNING);       /* nor is it forgotten by a restart */
    assert_string_equal(waiting(&rig).text, "a@x b@x a@x b@x");
    say_at(&rig, "a6", ALERT_FIRING, ALERT_WARNING, false, NOW + INT64_C(86400000));
    assert_string_equal(waiting(&rig).text, "a@x b@x a@x b@x a@x b@x");
    end(&rig);
}

static void a_digest_is_one_mail_and_made_once(void **state)
{
    struct kp_err err = {0};
    struct rig rig;
    struct parcel parcel;

    (void)state;
    begin(&rig, "routes: [{mail: [a@x], digest: daily 17:30}]\n");
    say(&rig, "a1", ALERT_FIRING, ALERT_WARNING);
    say(&rig, "a2", ALERT_FIRING, ALERT_WARNING);
    say(&rig, "a1", ALERT_FIRING, ALERT_CRITICAL);
    say(&rig, "a2", ALERT_RESOLVED, ALERT_WARNING);
    assert_int_equal(tell_digests(&rig.tell, NOW, &err), KP_OK);
    assert_string_equal(waiting(&rig).text, "");
    assert_int_equal(tell_digests(&rig.tell, NOW + INT64_C(86400000), &err), KP_OK);
    assert_int_equal(tell_digests(&rig.tell, NOW + INT64_C(86400000), &err), KP_OK);
    assert_string_equal(waiting(&rig).text, "a@x");
    assert_int_equal(spool_load(rig.spool, waiting(&rig).first, &parcel, &err), KP_OK);
    assert_non_null(strstr(text_of(&parcel.payload), "Subject: Digest of Tue 3 Mar 2026: 1 worth a look, 1 over by now"));
    assert_non_null(strstr(text_of(&parcel.payload), "(critical) Ana Silva"));
    text_release(&parcel.payload);
    assert_int_equal(spool_digest_next(rig.spool), INT64_MAX);
    end(&rig);
}

static void a_queue_drops_its_oldest_and_counts_them(void **state)
{
    struct spool_counts counts;
    struct rig rig;

    (void)state;
    begin(&rig, "limits: {waiting: 2, alerts: 4}\nroutes: [{mail: [a@x]}, {match: {rule: none}, mail: [b@x]}]\n");
    for (int i = 0; i < 5; i++)
        say(&rig, (const char *[]){"a1", "a2", "a3", "a4", "a5"}[i], ALERT_FIRING, ALERT_WARNING);
    spool_counts(rig.spool, &counts);
    assert_int_equal(counts.waiting, 2);
    assert_int_equal(counts.dropped, 2);
    assert_int_equal(counts.firing, 4);
    assert_int_equal(rig.tell.refused, 1);      /* the fifth alert: nothing is known of it */
    end(&rig);
}

static void what_waits_too_long_is_given_up_and_what_is_over_is_forgotten(void **state)
{
    struct spool_counts counts;
    struct kp_err err = {0};
    struct known known;
    struct rig rig;

    (void)state;
    begin(&rig, "routes: [{mail: [a@x]}]\n");
    say(&rig, "a1", ALERT_FIRING, ALERT_WARNING);
    say(&rig, "a1", ALERT_RESOLVED, ALERT_WARNING);
    say(&rig, "a2", ALERT_FIRING, ALERT_WARNING);
    assert_int_equal(spool_tidy(rig.spool, NOW, NOW, &err), KP_OK);
    spool_counts(rig.spool, &counts);
    assert_int_equal(counts.waiting, 3);
    assert_int_equal(spool_tidy(rig.spool, NOW + 1, NOW + 1, &err), KP_OK);
    spool_counts(rig.spool, &counts);
    assert_int_equal(counts.waiting, 0);
    assert_int_equal(counts.dropped, 3);
    assert_int_equal(spool_find(rig.spool, "a1", &known, &err), KP_OK);
    assert_false(known.found);
    assert_int_equal(spool_find(rig.spool, "a2", &known, &err), KP_OK);
    assert_true(known.found);
    end(&rig);
}

static void add_standing(void *ctx, const struct standing *standing)
{
    struct waiting *w = ctx;
    struct alert alert;

    assert_true(alert_unpack(standing->alert, standing->len, &alert));
    w->len += (size_t)snprintf(w->text + w->len, sizeof w->text - w->len, "%s%s.%s%s", w->len ? " " : "", alert.id,
                               alert_severity_name(alert.severity), standing->ended_ms ? "!" : "");
}

static enum kp_code take(struct rig *rig, int64_t now_ms, int64_t n, struct waiting *w)
{
    struct kp_err err = {0};
    struct batch batch = {.url = "http://am", .n = n, .resend_from_ms = now_ms - 60000, .now_ms = now_ms, .most = 100};
    enum kp_code code = spool_batch(rig->spool, &batch, add_standing, w, &err);

    assert_true(batch.marked);
    return code;
}

/* What an Alertmanager is to be sent at a time, and is: each id with its severity, ! when it ends. */
static const char *sent(struct rig *rig, int64_t now_ms, int64_t batch)
{
    static struct waiting w;
    struct kp_err err = {0};

    w = (struct waiting){.len = 0};
    assert_int_equal(take(rig, now_ms, batch, &w), KP_OK);
    assert_int_equal(spool_batch_done(rig->spool, "http://am", batch, now_ms, &err), KP_OK);
    return w.text;
}

static void an_alertmanager_is_told_how_things_stand(void **state)
{
    struct alert silenced = notify_alert();
    struct kp_err err = {0};
    struct rig rig;

    (void)state;
    begin(&rig, "routes: [{alertmanager: {url: \"http://am\"}}]\n");
    say(&rig, "a1", ALERT_FIRING, ALERT_WARNING);
    assert_string_equal(sent(&rig, NOW, 1), "a1.warning");
    assert_string_equal(sent(&rig, NOW + 59999, 2), "");
    assert_string_equal(sent(&rig, NOW + 60000, 3), "a1.warning");
    assert_string_equal(sent(&rig, NOW, 4), "a1.warning");      /* the clock was set back */
    say(&rig, "a1", ALERT_FIRING, ALERT_CRITICAL);
    assert_string_equal(sent(&rig, NOW, 5), "a1.warning! a1.critical");
    assert_string_equal(sent(&rig, NOW + 60000, 6), "a1.critical");
    snprintf(silenced.id, sizeof silenced.id, "a1");
    silenced.severity = ALERT_CRITICAL;
    silenced.silenced = true;
    assert_int_equal(tell_alert(&rig.tell, &silenced, true, NOW, &err), KP_OK);
    assert_string_equal(sent(&rig, NOW + 60000, 7), "a1.critical!");
    say_at(&rig, "a1", ALERT_FIRING, ALERT_CRITICAL, true, NOW + 1);    /* the silence is over */
    assert_string_equal(sent(&rig, NOW + 60000, 8), "a1.critical");
    say(&rig, "a1", ALERT_RESOLVED, ALERT_CRITICAL);
    assert_string_equal(sent(&rig, NOW + 60000, 9), "a1.critical!");
    assert_string_equal(sent(&rig, NOW + 600000, 10), "");
    assert_int_equal(spool_batch_oldest(rig.spool, "http://am"), INT64_MAX);
    end(&rig);
}

static void what_changes_while_a_batch_is_on_its_way_is_not_lost(void **state)
{
    struct waiting w = {.len = 0};
    struct kp_err err = {0};
    struct rig rig;

    (void)state;
    begin(&rig, "routes: [{alertmanager: {url: \"http://am\"}}]\n");
    say(&rig, "a1", ALERT_FIRING, ALERT_WARNING);
    assert_int_equal(take(&rig, NOW, 1, &w), KP_OK);
    say(&rig, "a1", ALERT_RESOLVED, ALERT_WARNING);
    assert_int_equal(spool_batch_done(rig.spool, "http://am", 1, NOW, &err), KP_OK);
    assert_string_equal(sent(&rig, NOW, 2), "a1.warning!");
    end(&rig);
}

static void what_is_refused_there_is_not_sent_until_it_changes(void **state)
{
    struct waiting w = {.len = 0};
    struct spool_counts counts;
    struct kp_err err = {0};
    struct rig rig;

    (void)state;
    begin(&rig, "routes: [{alertmanager: {url: \"http://am\"}}]\n");
    say(&rig, "a1", ALERT_FIRING, ALERT_WARNING);
    assert_int_equal(take(&rig, NOW, 1, &w), KP_OK);
    assert_int_equal(spool_batch_refused(rig.spool, "http://am", 1, &err), KP_OK);
    spool_counts(rig.spool, &counts);
    assert_int_equal(counts.dropped, 1);
    assert_int_equal(spool_batch_oldest(rig.spool, "http://am"), INT64_MAX);
    say_at(&rig, "a1", ALERT_FIRING, ALERT_WARNING, true, NOW + 1);
    assert_string_equal(sent(&rig, NOW + 60000, 2), "");
    say(&rig, "a1", ALERT_FIRING, ALERT_CRITICAL);
    assert_string_equal(sent(&rig, NOW + 60000, 3), "a1.warning! a1.critical");
    end(&rig);
}

static void nothing_stands_where_no_route_leads(void **state)
{
    struct kp_err err = {0};
    struct rig rig;

    (void)state;
    begin(&rig, "routes: [{alertmanager: {url: \"http://am\"}}]\n");
    say(&rig, "a1", ALERT_FIRING, ALERT_WARNING);
    say(&rig, "a2", ALERT_FIRING, ALERT_WARNING);
    assert_int_equal(spool_forget_standing(rig.spool, &rig.config, &err), KP_OK);
    assert_string_equal(sent(&rig, NOW, 1), "a1.warning a2.warning");
    notify_config_release(&rig.config);
    notify_good("routes: [{alertmanager: {url: \"http://bm\"}}, {alertmanager: {url: \"http://zm\"}}]\n", &rig.config);
    assert_int_equal(spool_forget_standing(rig.spool, &rig.config, &err), KP_OK);
    say(&rig, "a1", ALERT_RESOLVED, ALERT_WARNING);     /* nobody tells the one that is gone */
    notify_config_release(&rig.config);
    notify_good("routes: [{alertmanager: {url: \"http://am\"}}]\n", &rig.config);
    assert_int_equal(spool_forget_standing(rig.spool, &rig.config, &err), KP_OK);
    assert_string_equal(sent(&rig, NOW + 60000, 2), "");
    say_at(&rig, "a2", ALERT_FIRING, ALERT_WARNING, true, NOW + 1);     /* the next listing brings back what fires */
    assert_string_equal(sent(&rig, NOW + 60000, 3), "a2.warning");
    end(&rig);
}

static void who_heard_of_it_at_once_hears_of_its_end_at_once(void **state)
{
    struct rig rig;

    (void)state;
    begin(&rig, "routes: [{mail: [a@x], budget: 1}]\n");
    say(&rig, "a1", ALERT_FIRING, ALERT_WARNING);
    say(&rig, "a1", ALERT_FIRING, ALERT_CRITICAL);      /* beyond the budget: in the digest */
    say(&rig, "a2", ALERT_FIRING, ALERT_WARNING);       /* likewise, all of it */
    assert_string_equal(waiting(&rig).text, "a@x");
    say(&rig, "a1", ALERT_RESOLVED, ALERT_CRITICAL);
    assert_string_equal(waiting(&rig).text, "a@x a@x");
    say(&rig, "a2", ALERT_RESOLVED, ALERT_WARNING);
    assert_string_equal(waiting(&rig).text, "a@x a@x");
    end(&rig);
}

static void a_clock_that_is_set_back_loses_no_digest(void **state)
{
    const int64_t day = INT64_C(86400000);
    struct kp_err err = {0};
    struct rig rig;

    (void)state;
    begin(&rig, "routes: [{mail: [a@x], digest: daily 17:30}]\n");
    for (int i = 0; i < 3; i++) {
        say(&rig, (const char *[]){"a1", "a2", "a3"}[i], ALERT_FIRING, ALERT_WARNING);      /* each for 17:30 of the same day */
        assert_int_equal(tell_digests(&rig.tell, NOW + day, &err), KP_OK);
        assert_string_equal(waiting(&rig).text, "a@x");
        ended(&rig, true);
        assert_int_equal(spool_digest_next(rig.spool), INT64_MAX);
    }
    end(&rig);
}

/* As the spool of an older version, or a disk, might hold it. */
static void spoil(const struct rig *rig, const char *id)
{
    char file[100], sql[200];
    sqlite3 *db;

    snprintf(file, sizeof file, "%s/kpi-notify.db", rig->folder);
    snprintf(sql, sizeof sql, "UPDATE alerts SET body = x'C1' WHERE id = '%s'", id);
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void one_that_can_not_be_read_keeps_no_other_from_its_end(void **state)
{
    struct spool_counts counts;
    struct kp_err err = {0};
    struct rig rig;

    (void)state;
    begin(&rig, "routes: [{mail: [a@x]}]\n");
    say(&rig, "a1", ALERT_FIRING, ALERT_WARNING);
    say(&rig, "a2", ALERT_FIRING, ALERT_WARNING);
    spool_close(&rig.spool);
    spoil(&rig, "a1");
    open_spool(&rig);
    rig.tell.listing = 2;
    assert_int_equal(tell_unlisted(&rig.tell, 9, NOW + 1, &err), KP_OK);
    assert_string_equal(waiting(&rig).text, "a@x a@x a@x");
    spool_counts(rig.spool, &counts);
    assert_int_equal(counts.firing, 0);
    assert_int_equal(counts.dropped, 1);
    end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_change_is_delivered_once),
        cmocka_unit_test(what_was_not_committed_is_told_again),
        cmocka_unit_test(who_never_heard_of_it_is_not_told_of_its_end),
        cmocka_unit_test(what_is_in_no_listing_any_more_is_over),
        cmocka_unit_test(a_listing_does_not_undo_what_was_said_after_it),
        cmocka_unit_test(the_budget_is_one_of_a_day_and_an_address),
        cmocka_unit_test(a_digest_is_one_mail_and_made_once),
        cmocka_unit_test(a_queue_drops_its_oldest_and_counts_them),
        cmocka_unit_test(what_waits_too_long_is_given_up_and_what_is_over_is_forgotten),
        cmocka_unit_test(an_alertmanager_is_told_how_things_stand),
        cmocka_unit_test(what_changes_while_a_batch_is_on_its_way_is_not_lost),
        cmocka_unit_test(who_heard_of_it_at_once_hears_of_its_end_at_once),
        cmocka_unit_test(a_clock_that_is_set_back_loses_no_digest),
        cmocka_unit_test(one_that_can_not_be_read_keeps_no_other_from_its_end),
        cmocka_unit_test(what_is_refused_there_is_not_sent_until_it_changes),
        cmocka_unit_test(nothing_stands_where_no_route_leads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
