#include "sources.h"

#include "image.h"

#include <stdlib.h>
#include <string.h>

struct source {
    int64_t heard, covered; /* INT64_MIN: never */
    int64_t begin;          /* never heard of, it is silent from here on; INT64_MIN: no time yet */
    uint64_t *fed;          /* owned */
    uint16_t set;           /* that was told of it last */
    bool silent, has_set;
};

struct kp_sources {
    const struct kp_config *config; /* borrowed */
    struct source *list;            /* owned, like the next */
    uint64_t *no_data;
    size_t n, nkpis, nwords;
    bool stale;                     /* something was told of a silent one */
};

static bool names(const struct kp_where *where, const char *source)
{
    for (size_t a = 0; a < where->count; a++)
        for (size_t p = 0; p < where->any[a].count; p++) {
            const struct kp_pred *pred = &where->any[a].preds[p];

            for (size_t i = 0; strcmp(pred->field, "source") == 0 && i < pred->nargs; i++)
                if ((pred->cmp == KP_CMP_EQ || pred->cmp == KP_CMP_IN) && pred->args[i].kind == KP_STR &&
                    pred->args[i].len == strlen(source) && memcmp(pred->args[i].s, source, pred->args[i].len) == 0)
                    return true;
        }
    return false;
}

/* The KPIs that cannot do without the source: who was never heard of feeds them all the same. */
static void add_named(const struct kp_plan *plan, const char *source, uint64_t *fed)
{
    for (int k = 0; k < plan->nkpis; k++) {
        const struct kp_kpi_cfg *cfg = plan->kpis[k].cfg;
        const struct kp_of_cfg *of = &cfg->of_more;

        if (!names(&cfg->where, source) && !names(&of->from, source) && !names(&of->to, source) &&
            !names(&of->opened, source) && !names(&of->closed, source) && !names(&cfg->once.reversed_by, source) &&
            !(of->kind == KP_OF_FUNNEL && names(&plan->config->funnels[of->funnel].where, source)))
            continue;
        for (int o = 0; o < plan->nkpis; o++)
            if (plan->kpis[k].feeds[o])
                fed[o / 64] |= UINT64_C(1) << (o % 64);
    }
}

struct kp_sources *kp_sources_new(const struct kp_plan *plan, struct kp_err *err)
{
    const struct kp_config *config = plan->config;
    struct kp_sources *s = calloc(1, sizeof *s);
    bool ok = s != NULL;

    if (ok) {
        s->config = config;
        s->n = config->nsources;
        s->nkpis = (size_t)plan->nkpis;
        s->nwords = s->nkpis / 64 + 1;
        s->list = calloc(s->n + 1, sizeof *s->list);
        s->no_data = calloc(s->nwords, sizeof *s->no_data);
        ok = s->list && s->no_data;
    }
    for (size_t i = 0; ok && i < s->n; i++) {
        s->list[i].heard = s->list[i].covered = s->list[i].begin = INT64_MIN;
        s->list[i].fed = calloc(s->nwords, sizeof(uint64_t));
        ok = s->list[i].fed != NULL;
        if (ok)
            add_named(plan, config->sources[i].name, s->list[i].fed);
    }
    if (ok)
        return s;
    kp_fail(err, KP_ENOMEM, "sources: out of memory");
    kp_sources_destroy(&s);
    return NULL;
}

void kp_sources_destroy(struct kp_sources **sources)
{
    struct kp_sources *s = *sources;

    if (!s)
        return;
    for (size_t i = 0; s->list && i < s->n; i++)
        free(s->list[i].fed);
    free(s->list);
    free(s->no_data);
    free(s);
    *sources = NULL;
}

int kp_sources_find(const struct kp_sources *s, struct kp_str name)
{
    for (size_t i = 0; i < s->n; i++) {
        const char *known = s->config->sources[i].name;

        if (strlen(known) == name.len && memcmp(known, name.s, name.len) == 0)
            return (int)i;
    }
    return -1;
}

void kp_sources_heard(struct kp_sources *s, int source, int64_t t)
{
    struct source *src = &s->list[source];

    if (t > src->heard)
        src->heard = t;
    s->stale |= src->silent;
}

void kp_sources_covered(struct kp_sources *s, int source, int64_t t)
{
    struct source *src = &s->list[source];

    if (t > src->covered)
        src->covered = t;
    s->stale |= src->silent;
}

void kp_sources_feeds(struct kp_sources *s, int source, uint16_t set, const uint64_t *bits)
{
    struct source *src = &s->list[source];

    if (src->has_set && src->set == set)
        return;
    src->has_set = true;
    src->set = set;
    for (size_t w = 0; w < s->nwords; w++)
        src->fed[w] |= bits[w];
    s->stale |= src->silent;
}

bool kp_sources_stale(const struct kp_sources *s)
{
    return s->stale;
}

/* The last instant at which it is not silent yet; INT64_MAX: there is no time yet. */
static int64_t good_until(const struct kp_sources *s, size_t i)
{
    const struct source *src = &s->list[i];
    int64_t from = src->covered != INT64_MIN ? src->covered : src->heard != INT64_MIN ? src->heard : src->begin;

    return from == INT64_MIN ? INT64_MAX : from + s->config->sources[i].heartbeat_ms;
}

bool kp_sources_at(struct kp_sources *s, int64_t t)
{
    bool changed = s->stale;

    for (size_t i = 0; i < s->n; i++) {
        bool silent;

        if (s->list[i].begin == INT64_MIN)
            s->list[i].begin = t;
        silent = t > good_until(s, i);
        changed |= silent != s->list[i].silent;
        s->list[i].silent = silent;
    }
    s->stale = false;
    if (!changed)
        return false;
    memset(s->no_data, 0, s->nwords * sizeof *s->no_data);
    for (size_t i = 0; i < s->n; i++)
        for (size_t w = 0; s->list[i].silent && w < s->nwords; w++)
            s->no_data[w] |= s->list[i].fed[w];
    return true;
}

int64_t kp_sources_due(const struct kp_sources *s)
{
    int64_t due = INT64_MAX;

    for (size_t i = 0; i < s->n; i++) {
        int64_t until = s->list[i].silent ? INT64_MAX : good_until(s, i);

        if (until < due)
            due = until + 1;
    }
    return due;
}

bool kp_sources_no_data(const struct kp_sources *s, int kpi)
{
    return s->no_data[kpi / 64] >> (kpi % 64) & 1;
}

void kp_sources_view(const struct kp_sources *s, size_t i, struct kp_source_view *view)
{
    *view = (struct kp_source_view){&s->config->sources[i], s->list[i].heard, s->list[i].covered, s->list[i].silent};
}

/* ---- Saving and loading ---- */

void kp_sources_save(const struct kp_sources *s, struct kp_save *save)
{
    kp_save_mark(save, "SOUR");
    kp_save_u32(save, (uint32_t)s->n);
    for (size_t i = 0; i < s->n; i++) {
        const struct source *src = &s->list[i];
        const char *name = s->config->sources[i].name;

        kp_save_text(save, (struct kp_str){name, (uint32_t)strlen(name)});
        kp_save_i64(save, src->heard);
        kp_save_i64(save, src->covered);
        kp_save_i64(save, src->begin);
        kp_kpi_set_save(src->fed, s->nkpis, save);
    }
}

static bool is_instant(int64_t t)
{
    return t == INT64_MIN || (t >= 0 && t <= KP_TIME_MAX);
}

static void load_source(struct kp_sources *s, const struct kp_plan *plan, struct kp_load *load, const struct kp_image_map *map,
                        uint64_t *unused)
{
    char buf[KP_GROUP_KEY_MAX];
    int i = kp_sources_find(s, kp_load_text(load, buf, sizeof buf, "name of a source"));
    int64_t heard = kp_load_i64(load), covered = kp_load_i64(load), begin = kp_load_i64(load);

    if (!is_instant(heard) || !is_instant(covered) || !is_instant(begin))
        kp_load_fail(load, "a source is not as kpid writes it");
    kp_kpi_set_load(i < 0 ? unused : s->list[i].fed, plan, load, map);
    if (i < 0 || load->failed)
        return;
    s->list[i].heard = heard;
    s->list[i].covered = covered;
    s->list[i].begin = begin;
}

/* A source that is new begins with the instant at which all was saved. */
void kp_sources_load(struct kp_sources *s, const struct kp_plan *plan, struct kp_load *load, const struct kp_image_map *map,
                     int64_t now_ms)
{
    uint64_t *unused = calloc(s->nwords, sizeof *unused);
    uint32_t n;

    kp_load_mark(load, "SOUR");
    n = kp_load_count(load, KP_IMAGE_SOURCES_MAX, "sources");
    if (!unused)
        kp_load_fail(load, "out of memory for sources");
    for (uint32_t i = 0; i < n && !load->failed; i++)
        load_source(s, plan, load, map, unused);
    free(unused);
    s->stale = true;
    if (now_ms != INT64_MIN && !load->failed)
        kp_sources_at(s, now_ms);
}
