/* Does what was found agree with what is written? Values are as exact as they are written. */
#include "rules.h"

#include "object.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void ignore(void *ctx, struct kp_loc loc, const char *path, const char *text)
{
    (void)ctx;
    (void)loc;
    (void)path;
    (void)text;
}

/* Half a unit of the last decimal that is written: 0.53 stands for all that rounds to it. A whole number stands for itself, but
 * for the last bits of a sum. */
static double tolerance_of(const struct kp_node *node, bool percent, double number)
{
    const char *point = strchr(node->text, '.'), *power = strpbrk(node->text, "eE");
    double places = point ? (double)strspn(point + 1, "0123456789") : 0;

    if (!point && !power && !percent)
        return 1e-9 * fmax(1, fabs(number));
    if (power)
        places -= strtod(power + 1, NULL);
    return 0.5 * pow(10, -places - 2 * percent) * (1 + 1e-9);
}

static bool number_of(struct rules_test *test, const struct kp_node *node, double *number, double *tolerance)
{
    struct kp_faults nobody = {.add = ignore};
    struct kp_loader ld = test->file->ld;
    bool percent = false;

    ld.faults = &nobody;
    if (node->kind != KP_NODE_SCALAR || !kp_number(&ld, node, number, &percent))
        return false;
    *tolerance = tolerance_of(node, percent, *number);
    return true;
}

/* {gte: 10, lt: 20} */
static bool within(struct rules_test *test, const struct kp_node *bounds, double got)
{
    for (const struct kp_node *bound = bounds->first; bound; bound = bound->next) {
        double at, tolerance;

        if (!number_of(test, bound, &at, &tolerance) ||
            !(strcmp(bound->key, "gt") == 0    ? got > at
              : strcmp(bound->key, "gte") == 0 ? got >= at
              : strcmp(bound->key, "lt") == 0  ? got < at
                                               : got <= at))
            return false;
    }
    return true;
}

static bool text_agrees(struct rules_test *test, const struct kp_node *want, const msgpack_object *got)
{
    int64_t at_ms, unit_ms;
    size_t at;

    if (got->type == MSGPACK_OBJECT_STR)
        return got->via.str.size == want->len && memcmp(got->via.str.ptr, want->text, want->len) == 0;
    return got->type == MSGPACK_OBJECT_POSITIVE_INTEGER && got->via.u64 <= INT64_MAX &&
           when_instant(&test->frame, want->text, want->len, &at_ms, &unit_ms, &at, NULL) &&
           at_ms <= (int64_t)got->via.u64 && (int64_t)got->via.u64 < at_ms + unit_ms;
}

static bool scalar_agrees(struct rules_test *test, const struct kp_node *want, const msgpack_object *got)
{
    struct kp_value value = {0};
    double expected, tolerance, number;

    if (!kp_scalar(&test->file->ld, want, &value))
        return false;
    if (value.kind == KP_NIL || got->type == MSGPACK_OBJECT_NIL)
        return value.kind == KP_NIL && got->type == MSGPACK_OBJECT_NIL;
    if (value.kind == KP_BOOL)
        return got->type == MSGPACK_OBJECT_BOOLEAN && got->via.boolean == value.b;
    if (got->type != MSGPACK_OBJECT_STR && number_of(test, want, &expected, &tolerance))
        return object_number(got, &number) && fabs(number - expected) <= tolerance;
    return text_agrees(test, want, got);
}

static bool list_agrees(struct rules_test *test, const struct kp_node *want, const msgpack_object *got)
{
    uint32_t i = 0;

    if (got->type != MSGPACK_OBJECT_ARRAY || got->via.array.size != want->count)
        return false;
    for (const struct kp_node *item = want->first; item; item = item->next)
        if (!rules_agrees(test, item, &got->via.array.ptr[i++]))
            return false;
    return true;
}

bool rules_agrees(struct rules_test *test, const struct kp_node *want, const msgpack_object *got)
{
    static const msgpack_object nil = {.type = MSGPACK_OBJECT_NIL};
    double number;

    if (!got)
        got = &nil;
    if (want->kind == KP_NODE_LIST)
        return list_agrees(test, want, got);
    if (want->kind == KP_NODE_SCALAR)
        return scalar_agrees(test, want, got);
    if (got->type == MSGPACK_OBJECT_MAP)
        return rules_agrees_all(test, want, got);
    return object_number(got, &number) && within(test, want, number);
}

const msgpack_object *rules_alert_field(const msgpack_object *alert, const char *name)
{
    const msgpack_object *field = rules_field(alert, name);

    return field || strcmp(name, "at") != 0 ? field : rules_field(alert, "time");
}

bool rules_agrees_all(struct rules_test *test, const struct kp_node *want, const msgpack_object *got)
{
    for (const struct kp_node *field = want->first; field; field = field->next)
        if (!rules_agrees(test, field, rules_alert_field(got, field->key)))
            return false;
    return true;
}

bool rules_passes(struct rules_test *test, const struct kp_node *only, const msgpack_object *alert)
{
    for (const struct kp_node *field = only ? only->first : NULL; field; field = field->next) {
        const msgpack_object *value = rules_field(alert, field->key);
        bool any = field->kind != KP_NODE_LIST && rules_agrees(test, field, value);

        for (const struct kp_node *item = field->first; item && field->kind == KP_NODE_LIST && !any; item = item->next)
            any = rules_agrees(test, item, value);
        if (!any)
            return false;
    }
    return true;
}
