/* Somebody who is to be forgotten. */
#include "control_inside.h"

#include "log.h"

#include "kpid/forget.h"

/* May it be promised now that nothing of them is left in the store in the end? Of what is read again it was. */
static bool may_promise(const struct kp_control *control, struct kp_err *err)
{
    struct kp_storage_view view;

    if (!control->world.journal)
        return true;
    if (kp_journal_mode(control->world.journal) != KP_JOURNAL_OPEN)
        return kp_fail(err, KP_EIO, "the store fails, so nobody can be forgotten now") == KP_OK;
    kp_storage_view(control->world.storage, &view);
    return view.forgetting < KP_FORGETS_MAX ||
           kp_fail(err, KP_ELIMIT, "%d are being forgotten already: wait until they are", KP_FORGETS_MAX) == KP_OK;
}

bool kp_control_forget(struct kp_control *control, const struct kp_request *req, struct kp_out *out)
{
    struct kp_forgotten forgotten;
    struct kp_forget who;
    struct kp_err err = {0};

    if (!req->key.len)
        kp_fail(&err, KP_EINVAL, "forget needs \"key\", and \"field\" where it is no rep");
    if (!req->key.len || kp_engine_whom(control->world.engine, req->field, req->key, &who, &err) || !may_promise(control, &err)) {
        kp_reply_error(out, err.text);
        return false;
    }
    kp_control_end_jobs(control, "somebody was forgotten meanwhile: ask again");
    forgotten = kp_engine_forget(control->world.engine, &who);
    control->forgotten = control->stirred = true;
    /* That it was done, but not to whom. */
    kp_log(KP_LOG_INFO, "event=forget keys=%u entities=%u silences=%u", forgotten.keys, forgotten.entities, forgotten.silences);
    kp_reply_begin(out, 4);
    kp_reply_uint(out, "keys", forgotten.keys);
    kp_reply_uint(out, "entities", forgotten.entities);
    kp_reply_uint(out, "silences", forgotten.silences);
    kp_out_text(out, "store");
    kp_out_bool(out, control->world.storage != NULL);
    kp_out_end(out);
    return true;
}

void kp_control_erase(struct kp_control *control, const struct kp_request *req, uint64_t position)
{
    struct kp_forget who;
    struct kp_err err = {0};

    if (!control->world.storage || kp_engine_whom(control->world.engine, req->field, req->key, &who, &err))
        return;
    if (kp_storage_erase(control->world.storage, &who, position, &err))
        kp_log(KP_LOG_ERROR, "event=forget done=no error=\"%s\"", err.text);
}

bool kp_control_has_forgotten(struct kp_control *control)
{
    bool has = control->forgotten;

    control->forgotten = false;
    return has;
}
