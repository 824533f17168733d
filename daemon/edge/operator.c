#include "operator.h"

#include "kpid/tab.h"

#include <stdio.h>
#include <string.h>

static struct kp_operator_alert *find(struct kp_operator *op, const char *rule, const char *subject)
{
    for (size_t i = 0; i < op->n; i++)
        if (strcmp(op->list[i].rule, rule) == 0 && strncmp(op->list[i].subject, subject, sizeof op->list[i].subject - 1) == 0)
            return &op->list[i];
    return NULL;
}

const struct kp_operator_alert *kp_operator_set(struct kp_operator *op, const char *rule, const char *subject, bool critical,
                                                bool firing, const char *message, int64_t since_ms, int64_t now_ms)
{
    struct kp_operator_alert *alert = find(op, rule, subject);

    if (!alert && (!firing || op->n == KP_OPERATOR_MAX))
        return NULL;
    if (!alert)
        alert = &op->list[op->n++];
    else if (alert->firing == firing)
        return NULL;
    if (firing) {
        *alert = (struct kp_operator_alert){.rule = rule, .critical = critical, .since_ms = since_ms};
        snprintf(alert->subject, sizeof alert->subject, "%s", subject);
        snprintf(alert->message, sizeof alert->message, "%s", message);
    }
    alert->firing = firing;
    alert->time_ms = now_ms;
    return alert;
}

size_t kp_operator_firing(const struct kp_operator *op)
{
    size_t n = 0;

    for (size_t i = 0; i < op->n; i++)
        n += op->list[i].firing;
    return n;
}

static void put_nothing(struct kp_out *out, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        kp_out_text(out, keys[i]);
        kp_out_nil(out);
    }
}

static void put_text(struct kp_out *out, const char *key, const char *text)
{
    kp_out_text(out, key);
    kp_out_text(out, text);
}

static void put_list(struct kp_out *out, const char *key)
{
    kp_out_text(out, key);
    kp_out_array(out, 0);
    kp_out_end(out);
}

/* The id is that of this life of it. */
static uint64_t id_of(const struct kp_operator_alert *alert)
{
    char text[512];
    int len = snprintf(text, sizeof text, "%s %lld", alert->subject, (long long)alert->since_ms);

    return kp_print_of2(0, 0, alert->rule, strlen(alert->rule), text, len < (int)sizeof text ? (size_t)len : sizeof text - 1).hi;
}

void kp_operator_encode(struct kp_out *out, const struct kp_operator_alert *alert, uint64_t seq)
{
    static const char *const first[] = {"kpi", "window"};
    static const char *const numbers[] = {"value", "target", "expected", "ratio", "threshold", "p", "n"};
    static const char *const last[] = {"reason", "coaching", "members", "acked_by"};
    char id[24];

    snprintf(id, sizeof id, "%016llx", (unsigned long long)id_of(alert));
    kp_out_map(out, 31);
    kp_out_text(out, "v");
    kp_out_uint(out, 1);
    put_text(out, "kind", "alert");
    kp_out_text(out, "seq");
    kp_out_uint(out, seq);
    put_text(out, "id", id);
    put_text(out, "rule", alert->rule);
    put_nothing(out, first, sizeof first / sizeof *first);
    put_text(out, "level", "company");
    put_text(out, "key", "");
    put_text(out, "name", "company");
    put_list(out, "path");
    put_text(out, "state", alert->firing ? "firing" : "resolved");
    put_text(out, "severity", alert->critical ? "critical" : "warning");
    put_nothing(out, numbers, sizeof numbers / sizeof *numbers);
    kp_out_text(out, "since");
    kp_out_int(out, alert->since_ms);
    kp_out_text(out, "time");
    kp_out_int(out, alert->time_ms);
    put_list(out, "events");
    put_text(out, "message", alert->message);
    put_text(out, "entity", alert->subject[0] ? alert->subject : NULL);
    put_nothing(out, last, sizeof last / sizeof *last);
    kp_out_text(out, "flapping");
    kp_out_bool(out, false);
    kp_out_text(out, "silenced");
    kp_out_bool(out, false);
    kp_out_end(out);
}
