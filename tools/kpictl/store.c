#include "store.h"

#include "kpictl.h"

#include "object.h"

#include "control.h"
#include "recover.h"

#include <stdlib.h>
#include <string.h>

/* The reply's strings lie in a copy of its bytes, which goes with it. */
static enum kp_code take_reply(const void *bytes, size_t len, msgpack_unpacked *reply, struct kp_err *err)
{
    char *copy = bytes ? malloc(len + 1) : NULL;
    const msgpack_object *ok;
    char text[400];

    if (!copy)
        return kp_fail(err, KP_ENOMEM, "out of memory");
    memcpy(copy, bytes, len);
    if (msgpack_unpack_next(reply, copy, len, NULL) != MSGPACK_UNPACK_SUCCESS ||
        !msgpack_zone_push_finalizer(reply->zone, free, copy)) {
        free(copy);
        return kp_fail(err, KP_ENOMEM, "out of memory");
    }
    ok = object_get(&reply->data, "ok");
    if (object_true(ok))
        return KP_OK;
    return kp_fail(err, KP_EINVAL, "%s", object_plain(object_get(&reply->data, "error"), text, sizeof text));
}

static enum kp_code answer(struct kp_storage *storage, const struct kp_config *config, const msgpack_sbuffer *request,
                           msgpack_unpacked *reply, struct kp_err *err)
{
    struct kp_control_world world = {.config = config};
    struct kp_control *control = NULL;
    struct kp_recovery recovery;
    enum kp_code code = KP_EIO;
    uint64_t seed = 0;
    size_t len = 0;

    if (kp_storage_seed(storage, &seed, err))
        return KP_EIO;
    world.engine = kp_recover(storage, config, seed, NULL, NULL, NULL, &recovery, err);
    control = world.engine ? kp_control_open(NULL, &world, 0, err) : NULL;
    if (control) {
        const void *bytes = kp_control_ask(control, request->data, request->size, &len);

        code = take_reply(bytes, len, reply, err);
    }
    kp_control_close(&control);
    kp_engine_destroy(&world.engine);
    return code;
}

enum kp_code store_ask(const char *path, const char *config, const msgpack_sbuffer *request, msgpack_unpacked *reply,
                       struct kp_err *err)
{
    struct kp_storage *storage = kp_storage_open_readonly(path, err);
    struct kp_config loaded;
    char file[4096];
    enum kp_code code;

    if (!storage)
        return KP_EIO;
    if (!config && !kp_storage_noted(storage, "config", file, sizeof file)) {
        kp_storage_stop(&storage);
        return kp_fail(err, KP_EIO, "%s does not say what configuration it was made with: give --config", path);
    }
    if (!kpictl_load(config ? config : file, &loaded)) {
        kp_storage_stop(&storage);
        err->text[0] = '\0';
        return KP_EINVAL;
    }
    code = answer(storage, &loaded, request, reply, err);
    kp_config_release(&loaded);
    kp_storage_stop(&storage);
    return code;
}
