#include "kpid/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void free_strings(char **strings, size_t count)
{
    for (size_t i = 0; strings && i < count; i++)
        free(strings[i]);
    free(strings);
}

static void free_where(struct kp_where *where)
{
    for (size_t i = 0; i < where->count; i++) {
        struct kp_all *all = &where->any[i];

        for (size_t j = 0; j < all->count; j++) {
            struct kp_pred *pred = &all->preds[j];

            for (size_t k = 0; k < pred->nargs; k++) {
                if (pred->args[k].kind == KP_STR)
                    free((char *)(uintptr_t)pred->args[k].s);
            }
            free(pred->args);
            free(pred->field);
        }
        free(all->preds);
    }
    free(where->any);
}

static void free_kpi(struct kp_kpi_cfg *kpi)
{
    free(kpi->name);
    free(kpi->title);
    free(kpi->unit);
    free(kpi->of);
    free(kpi->of_more.per);
    free_where(&kpi->of_more.from);
    free_where(&kpi->of_more.to);
    free_where(&kpi->of_more.opened);
    free_where(&kpi->of_more.closed);
    free(kpi->of_more.field);
    free(kpi->of_more.stage);
    free(kpi->once.per);
    free_where(&kpi->once.reversed_by);
    free(kpi->formula);
    free_where(&kpi->where);
    free(kpi->windows);
    free_strings(kpi->by, kpi->nby);
}

static void free_funnel(struct kp_funnel_cfg *funnel)
{
    free(funnel->name);
    free(funnel->title);
    free(funnel->per);
    free_where(&funnel->where);
    free(funnel->field);
    free_strings(funnel->stages, funnel->nstages);
    free_strings(funnel->lost, funnel->nlost);
    free(funnel->windows);
}

static void free_calendar(struct kp_calendar_cfg *calendar)
{
    free(calendar->name);
    free(calendar->zone_name);
    free(calendar->zone_tzif);
    for (int i = 0; i < 7; i++)
        free(calendar->hours[i]);
    free(calendar->holidays);
    free(calendar->closed);
}

static void free_money(struct kp_currencies_cfg *currencies)
{
    free(currencies->base);
    for (size_t i = 0; i < currencies->nrates; i++)
        free(currencies->rates[i].currency);
    free(currencies->rates);
}

static void free_member(struct kp_member *member, size_t nlevels)
{
    free_strings(member->place, nlevels);
    free(member->name);
    for (size_t i = 0; i < member->nattrs; i++) {
        free(member->attrs[i].key);
        free(member->attrs[i].value);
    }
    free(member->attrs);
    free_strings(member->aliases, member->naliases);
    free(member->away);
}

static void free_roster(struct kp_roster_cfg *roster)
{
    for (size_t i = 0; i < roster->nmembers; i++)
        free_member(&roster->members[i], roster->nlevels);
    free(roster->members);
    free_strings(roster->levels, roster->nlevels);
    free(roster->file);
    for (size_t i = 0; i < roster->nunits; i++) {
        free(roster->units[i].level);
        free(roster->units[i].key);
    }
    free(roster->units);
}

static void free_selectors(struct kp_selector *select, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(select[i].key);
        free(select[i].value);
    }
    free(select);
}

static void free_target(struct kp_target_cfg *target)
{
    free(target->kpi);
    free(target->level);
    free(target->ramp);
    free_selectors(target->select, target->nselect);
}

static void free_contest(struct kp_contest_cfg *contest)
{
    free(contest->name);
    free(contest->title);
    for (size_t i = 0; i < contest->nterms; i++)
        free(contest->terms[i].kpi);
    free(contest->terms);
    free_selectors(contest->select, contest->nselect);
    free(contest->level);
    free(contest->tie);
}

static void free_alert(struct kp_alert_cfg *alert)
{
    free(alert->name);
    free(alert->kpi);
    free(alert->level);
    free(alert->message);
    free(alert->coaching);
}

static void free_security(struct kp_security_cfg *security)
{
    free(security->server_file);
    free(security->users_file);
    for (size_t i = 0; i < security->nusers; i++) {
        free(security->users[i].name);
        free_strings(security->users[i].emit.items, security->users[i].emit.count);
        free_strings(security->users[i].read.items, security->users[i].read.count);
    }
    free(security->users);
    explicit_bzero(security->secret_key, sizeof security->secret_key);
}

bool kp_endpoint_is_tcp(const char *endpoint)
{
    return strncmp(endpoint, "tcp://", 6) == 0;
}

bool kp_alert_cfg_same(const struct kp_alert_cfg *a, const struct kp_alert_cfg *b)
{
    return a->compare == b->compare && strcmp(a->name, b->name) == 0 && strcmp(a->kpi, b->kpi) == 0 &&
           strcmp(a->window.text, b->window.text) == 0 && strcmp(a->level, b->level) == 0;
}

void kp_config_release(struct kp_config *config)
{
    free(config->file);
    free(config->zone_name);
    free(config->zone_tzif);
    for (size_t i = 0; i < config->ningest; i++) {
        free(config->ingest[i].endpoint);
        free_strings(config->ingest[i].topics, config->ingest[i].ntopics);
    }
    free(config->ingest);
    free(config->publish_endpoint);
    free(config->control_endpoint);
    free(config->storage.path);
    free_security(&config->security);
    free_roster(&config->roster);
    free(config->windows);
    for (size_t i = 0; i < config->ncalendars; i++)
        free_calendar(&config->calendars[i]);
    free(config->calendars);
    free_money(&config->currencies);
    for (size_t i = 0; i < config->nsources; i++)
        free(config->sources[i].name);
    free(config->sources);
    for (size_t i = 0; i < config->nfunnels; i++)
        free_funnel(&config->funnels[i]);
    free(config->funnels);
    for (size_t i = 0; i < config->nkpis; i++)
        free_kpi(&config->kpis[i]);
    free(config->kpis);
    for (size_t i = 0; i < config->ntargets; i++)
        free_target(&config->targets[i]);
    free(config->targets);
    for (size_t i = 0; i < config->nalerts; i++)
        free_alert(&config->alerts[i]);
    free(config->alerts);
    for (size_t i = 0; i < config->ncontests; i++)
        free_contest(&config->contests[i]);
    free(config->contests);
    memset(config, 0, sizeof *config);
}

void kp_fault(struct kp_faults *faults, struct kp_loc loc, const char *path, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    faults->count++;
    if (faults->add)
        faults->add(faults->ctx, loc, path, text);
}
