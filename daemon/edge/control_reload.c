/* Another configuration, a checkpoint, and who is in the roster. */
#include "control_inside.h"

#include <stdio.h>
#include <string.h>

/* ---- reload ---- */

bool kp_control_wants_reload(const struct kp_control *control)
{
    return control->reload_asked;
}

static void put_faults(struct kp_out *out, struct kp_fault_list *faults)
{
    char line[1200];

    kp_out_text(out, "faults");
    kp_out_array(out, faults->count);
    for (size_t i = 0; i < faults->count; i++)
        kp_out_text(out, kp_fault_list_text(faults, i, line, sizeof line));
    kp_out_end(out);
}

static void encode_reload(struct kp_out *out, struct kp_reload *reload)
{
    if (!reload->done) {
        kp_out_clear(out);
        kp_out_map(out, 3);
        kp_out_text(out, "ok");
        kp_out_bool(out, false);
        kp_reply_text(out, "error", reload->error);
        put_faults(out, &reload->faults);
        kp_out_end(out);
        return;
    }
    kp_reply_begin(out, 6);
    kp_reply_uint(out, "took_ms", (uint64_t)reload->took_ms);
    kp_reply_uint(out, "kpis_kept", reload->report.kpis_kept);
    kp_reply_uint(out, "kpis_new", reload->report.kpis_new);
    kp_reply_uint(out, "kpis_gone", reload->report.kpis_gone);
    kp_reply_uint(out, "keys_refused", reload->report.keys_refused);
    kp_reply_uint(out, "alerts_gone", reload->report.alerts_gone);
    kp_out_end(out);
}

void kp_control_reloaded(struct kp_control *control, const struct kp_config *config, struct kp_engine *engine,
                         struct kp_reload *reload)
{
    struct kp_out *out = control->outs[control->reload_is_json];

    control->world.config = config;
    control->world.engine = engine;
    if (reload->done)
        kp_control_end_jobs(control, "the configuration was reloaded meanwhile: ask again");
    if (!control->reload_asked)
        return;
    control->reload_asked = false;
    encode_reload(out, reload);
    kp_control_reply(control, &control->reload_to, out);
}

/* ---- checkpoint ---- */

/* It goes on by itself: `status` tells when it is complete. */
void kp_control_checkpoint(struct kp_control *control, const struct kp_request *req, struct kp_out *out)
{
    struct kp_storage_view view;
    struct kp_err err = {0};
    char name[256];

    if (!control->world.storage) {
        kp_reply_error(out, "there is no storage: the configuration has none");
        return;
    }
    kp_storage_view(control->world.storage, &view);
    if (req->copy.len) {
        if (req->copy.len >= sizeof name) {
            kp_reply_error(out, "\"copy\" is too long");
            return;
        }
        memcpy(name, req->copy.s, req->copy.len);
        name[req->copy.len] = '\0';
        if (strlen(name) != req->copy.len || kp_storage_copy(control->world.storage, name, &err)) {
            kp_reply_error(out, err.text[0] ? err.text : "\"copy\" is a file name");
            return;
        }
    } else {
        kp_checkpointer_ask(control->world.checkpointer);
    }
    kp_reply_begin(out, 4);
    kp_reply_text(out, "path", control->world.config->storage.path);
    kp_reply_uint(out, "checkpoints", view.checkpoints_done + view.checkpoints_failed);
    kp_reply_uint(out, "copies", view.copies_done + view.copies_failed);
    kp_reply_uint(out, "position", view.pushed);
    kp_out_end(out);
}

/* ---- roster ---- */

static void put_member(struct kp_out *out, const struct kp_roster_cfg *roster, const struct kp_member *member)
{
    kp_out_map(out, roster->nlevels + 1 + member->nattrs);
    for (size_t l = 0; l < roster->nlevels; l++)
        kp_reply_text(out, roster->levels[l], member->place[l]);
    kp_reply_text(out, "name", member->name);
    for (size_t i = 0; i < member->nattrs; i++)
        kp_reply_text(out, member->attrs[i].key, member->attrs[i].value);
    kp_out_end(out);
}

void kp_control_roster(struct kp_control *control, struct kp_out *out)
{
    const struct kp_roster_cfg *roster = &control->world.config->roster;

    kp_reply_begin(out, 2);
    kp_out_text(out, "levels");
    kp_out_array(out, roster->nlevels);
    for (size_t l = 0; l < roster->nlevels; l++)
        kp_out_text(out, roster->levels[l]);
    kp_out_end(out);
    kp_out_text(out, "members");
    kp_out_array(out, roster->nmembers);
    for (size_t i = 0; i < roster->nmembers; i++)
        put_member(out, roster, &roster->members[i]);
    kp_out_end(out);
    kp_out_end(out);
}
