/* What an amount is worth in the base currency: `amount` with a `currency` is converted, exactly and in integers, so that
 * sums of it are as free of drift as the rest. */
#ifndef KPID_CORE_MONEY_H
#define KPID_CORE_MONEY_H

#include "kpid/config.h"
#include "kpid/event.h"

struct kp_money;

/* From the configuration; the field names go into the schema. NULL with KP_ELIMIT, KP_ENOMEM. */
struct kp_money *kp_money_new(const struct kp_currencies_cfg *cfg, struct kp_schema *schema, struct kp_err *err) KP_CHECK;
void kp_money_destroy(struct kp_money **money);

/* The field that is converted. */
int kp_money_slot(const struct kp_money *money);

enum kp_money_result { KP_MONEY_OK, KP_MONEY_UNKNOWN, KP_MONEY_RANGE };
/* Convert *micro, millionths of the event's currency, to millionths of the base, half to even. An event without a currency
 * is in the base. UNKNOWN: its currency is not listed. RANGE: beyond what a KPI takes. *micro changes with OK alone. */
enum kp_money_result kp_money_convert(const struct kp_money *money, const struct kp_event *ev, int64_t *micro);

#endif
