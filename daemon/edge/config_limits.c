/* What only shows when all KPIs are together: that an engine has no room for them. The compiler knows that itself, so it is
 * asked, and here its answers get the places in the file that they are about. */
#include "config_read.h"

#include "kpid/limits.h"

#include <stdlib.h>
#include <string.h>

/* A configuration of what is sound, and where its KPIs stand in the whole one. */
struct sound {
    struct kp_loader *ld;
    struct kp_config config;    /* borrows all but the two arrays, kpis and alerts */
    size_t *index;              /* owned; by its KPIs */
    bool *told;                 /* owned; by funnel: all KPIs of one fail for the same reason */
};

static bool take_sound(struct kp_loader *ld, struct sound *sound)
{
    const struct kp_config *config = ld->config;
    struct kp_config *some = &sound->config;

    *sound = (struct sound){.ld = ld, .config = *config};
    some->kpis = kp_zeros(ld, config->nkpis, sizeof *some->kpis);
    some->alerts = kp_zeros(ld, config->nalerts, sizeof *some->alerts);
    sound->index = kp_zeros(ld, config->nkpis, sizeof *sound->index);
    sound->told = kp_zeros(ld, config->nfunnels, sizeof *sound->told);
    if (!some->kpis || !some->alerts || !sound->index || !sound->told)
        return false;
    some->nkpis = some->nalerts = 0;
    if (ld->faults->count)
        some->ncontests = 0;    /* what they count may not be there */
    for (size_t i = 0; i < config->nkpis; i++) {
        if (!ld->sound_kpis[i])
            continue;
        sound->index[some->nkpis] = i;
        some->kpis[some->nkpis++] = config->kpis[i];
    }
    for (size_t i = 0; i < config->nalerts; i++)
        if (config->alerts[i].kpi && config->alerts[i].window.text[0])
            some->alerts[some->nalerts++] = config->alerts[i];
    return true;
}

static void release_sound(struct sound *sound)
{
    free(sound->config.kpis);
    free(sound->config.alerts);
    free(sound->index);
    free(sound->told);
}

static void complain_funnel(struct sound *sound, size_t f, const char *text)
{
    const struct kp_funnel_cfg *funnel = &sound->ld->config->funnels[f];
    size_t back = kp_path_key(sound->ld, "funnels");

    kp_path_key(sound->ld, funnel->name);
    if (!sound->told[f])
        kp_complain(sound->ld, funnel->loc, "%s", text);
    sound->told[f] = true;
    kp_path_back(sound->ld, back);
}

static void over(void *ctx, size_t k, const char *key, const char *text)
{
    struct sound *sound = ctx;
    struct kp_loader *ld = sound->ld;
    const struct kp_kpi_cfg *kpi = &ld->config->kpis[sound->index[k]];
    struct kp_loc loc = strcmp(key, "by") == 0 ? kpi->by_loc : strcmp(key, "windows") == 0 ? kpi->windows_loc : kpi->loc;
    size_t back;

    if (kpi->of_more.kind == KP_OF_FUNNEL) {
        complain_funnel(sound, kpi->of_more.funnel, text);
        return;
    }
    back = kp_path_key(ld, "kpis");
    kp_path_key(ld, kpi->name);
    if (*key)
        kp_path_key(ld, key);
    kp_complain(ld, loc.line ? loc : kpi->loc, "%s", text);
    kp_path_back(ld, back);
}

void kp_check_limits(struct kp_loader *ld)
{
    struct sound sound;
    const struct kp_limit_sink sink = {over, &sound};
    struct kp_err err = {0};

    if (take_sound(ld, &sound) && kp_limits_check(&sound.config, &sink, &err))
        ld->out_of_memory = true;
    release_sound(&sound);
}
