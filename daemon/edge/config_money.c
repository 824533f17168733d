/* currencies and sources: what an amount is worth, and who has to be heard of how often. */
#include "config_read.h"

#include <string.h>

enum { RATES_MAX = 200, SOURCES_MAX = 1000, SOURCE_BYTES_MAX = 128 };
#define RATE_MAX 1e6
#define AT(field) offsetof(struct kp_config, field)

static bool is_currency(const char *text)
{
    return strlen(text) == 3 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3;
}

static void complain_currency(struct kp_loader *ld, struct kp_loc loc)
{
    kp_complain(ld, loc, "a currency is three capital letters, like EUR");
}

static KP_READER(read_base)
{
    kp_read_text(ld, node, into, key);
    if (ld->config->currencies.base && !is_currency(ld->config->currencies.base))
        complain_currency(ld, node->loc);
}

static KP_READER(read_rates)
{
    struct kp_currencies_cfg *currencies = &ld->config->currencies;

    (void)into;
    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_MAP, RATES_MAX))
        return;
    for (const struct kp_node *entry = node->first; entry; entry = entry->next) {
        struct kp_rate_cfg *rate = kp_grow(ld, &currencies->rates, &currencies->nrates, sizeof *currencies->rates);
        size_t back = kp_path_key(ld, entry->key);

        if (!is_currency(entry->key))
            complain_currency(ld, entry->key_loc);
        if (rate) {
            rate->currency = kp_copy(ld, entry->key);
            if (kp_number(ld, entry, &rate->rate, NULL) && !(rate->rate >= 1e-9 && rate->rate <= RATE_MAX))
                kp_complain(ld, entry->loc, "a rate lies between 0.000000001 and 1000000");
        }
        kp_path_back(ld, back);
    }
}

const struct kp_key kp_currencies_keys[] = {
    {.name = "base", .need = KP_REQUIRED, .read = read_base, .at = AT(currencies.base), .max = 16},
    {.name = "rates", .read = read_rates},
    {.name = NULL},
};

/* The base is worth one of itself, if it is given at all. */
static void check_base(struct kp_loader *ld, const struct kp_currencies_cfg *currencies, const struct kp_node *rates)
{
    const struct kp_node *entry = rates ? kp_node_get(rates, currencies->base) : NULL;
    size_t back = kp_path_key(ld, "rates");

    kp_path_key(ld, currencies->base);
    for (size_t i = 0; entry && i < currencies->nrates; i++)
        if (currencies->rates[i].currency && strcmp(currencies->rates[i].currency, currencies->base) == 0 &&
            currencies->rates[i].rate > 0 && currencies->rates[i].rate != 1)
            kp_complain(ld, entry->loc, "%s is the base, so its rate is 1", currencies->base);
    kp_path_back(ld, back);
}

KP_READER(kp_read_currencies)
{
    const struct kp_currencies_cfg *currencies = &ld->config->currencies;

    (void)key;
    if (!kp_read_map(ld, node, kp_currencies_keys, into) || !currencies->base)
        return;
    check_base(ld, currencies, kp_node_get(node, "rates"));
}

const struct kp_key kp_source_keys[] = {
    {.name = "heartbeat", .need = KP_REQUIRED, .read = kp_read_duration, .at = offsetof(struct kp_source_cfg, heartbeat_ms),
     .min = 1000, .max = INT64_C(366) * 86400000},
    {.name = NULL},
};

KP_READER(kp_read_sources)
{
    struct kp_config *config = ld->config;

    (void)into;
    (void)key;
    if (!kp_want_some(ld, node, KP_NODE_MAP, SOURCES_MAX))
        return;
    for (const struct kp_node *entry = node->first; entry; entry = entry->next) {
        struct kp_source_cfg *source = kp_grow(ld, &config->sources, &config->nsources, sizeof *config->sources);
        size_t back = kp_path_key(ld, entry->key);

        if (strlen(entry->key) > SOURCE_BYTES_MAX)
            kp_complain(ld, entry->key_loc, "the name is longer than %d bytes", SOURCE_BYTES_MAX);
        if (source) {
            source->name = kp_copy(ld, entry->key);
            source->loc = entry->key_loc;
            kp_read_map(ld, entry, kp_source_keys, source);
        }
        kp_path_back(ld, back);
    }
}
