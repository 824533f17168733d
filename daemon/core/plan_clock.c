/* Clocks: whose days and hours each key goes by. */
#include "plan_build.h"

#include <stdlib.h>
#include <string.h>

static bool same_zone(const struct kp_calendar_cfg *a, const struct kp_calendar_cfg *b)
{
    return a->zone_len == b->zone_len && memcmp(a->zone_tzif, b->zone_tzif, a->zone_len) == 0;
}

static bool has_working_windows(const struct kp_plan *plan)
{
    for (int p = 0; p < plan->npairs; p++)
        if (plan->pairs[p].window->kind == KP_WIN_WORKING)
            return true;
    return false;
}

/* The clock of an earlier calendar, or the first one, with the same zone; -1: there is none. */
static int clock_like(const struct kp_plan *plan, size_t calendar)
{
    const struct kp_calendar_cfg *cfg = plan->config->calendars;

    if (!cfg[calendar].zone_tzif)
        return 0;
    for (size_t k = 0; k < calendar; k++)
        if (cfg[k].zone_tzif && same_zone(&cfg[calendar], &cfg[k]))
            return plan->calendar_clocks[k];
    return -1;
}

static enum kp_code add_clock(struct kp_plan *plan, const void *tzif, size_t len, struct kp_err *err)
{
    struct kp_zone *zone = kp_zone_new(tzif, len, err);

    if (!zone)
        return KP_EINVAL;
    plan->clocks[plan->nclocks++].zone = zone;
    return KP_OK;
}

/* Calendars of one zone share a clock, unless their hours are asked for. */
enum kp_code kp_plan_clocks(struct kp_plan *plan, struct kp_err *err)
{
    const struct kp_config *config = plan->config;
    bool working = has_working_windows(plan);
    enum kp_code code;

    plan->clocks = calloc(config->ncalendars + 1, sizeof *plan->clocks);
    plan->calendars = calloc(config->ncalendars + 1, sizeof(*plan->calendars));
    plan->calendar_clocks = calloc(config->ncalendars + 1, sizeof *plan->calendar_clocks);
    if (!plan->clocks || !plan->calendars || !plan->calendar_clocks)
        return kp_plan_no_memory(err);
    code = add_clock(plan, config->zone_tzif, config->zone_len, err);
    for (size_t i = 0; i < config->ncalendars && !code; i++) {
        const struct kp_calendar_cfg *cfg = &config->calendars[i];
        int clock = working ? -1 : clock_like(plan, i);

        if (clock < 0) {
            clock = plan->nclocks;
            code = cfg->zone_tzif ? add_clock(plan, cfg->zone_tzif, cfg->zone_len, err)
                                  : add_clock(plan, config->zone_tzif, config->zone_len, err);
        }
        plan->calendar_clocks[i] = clock;
        plan->calendars[i] = code ? NULL : kp_calendar_new(cfg, plan->clocks[clock].zone, err);
        if (!code && !plan->calendars[i])
            code = KP_ENOMEM;
        if (working)
            plan->clocks[clock].calendar = plan->calendars[i];
    }
    return code;
}

/* The families are made by the first clock; each other one gets the same windows. */
enum kp_code kp_plan_spread_clocks(struct kp_plan *plan, struct kp_err *err)
{
    for (int f = 0; f < plan->nfamilies; f++) {
        struct kp_family *grids = realloc(plan->families[f].grids, (size_t)plan->nclocks * sizeof *grids);

        if (!grids)
            return kp_plan_no_memory(err);
        plan->families[f].grids = grids;
        for (int c = 1; c < plan->nclocks; c++) {
            grids[c] = grids[0];
            grids[c].zone = plan->clocks[c].zone;
            grids[c].calendar = plan->clocks[c].calendar;
        }
    }
    return KP_OK;
}
