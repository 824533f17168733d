#include "identity.h"

#include "keyfile.h"

#include "kpid/config.h"

#include <errno.h>
#include <string.h>

#include <zmq.h>

static struct kp_key_file identity;     /* of the whole program, like its options */

bool identity_is_there(void)
{
    return identity.secret_key[0] != '\0';
}

enum kp_code identity_take(const char *key_file, const char *server_key, struct kp_err *err)
{
    if (!key_file)
        return server_key ? kp_fail(err, KP_EINVAL, "--server-key needs --key: the key that you prove") : KP_OK;
    if (kp_key_file_read(key_file, &identity, err))
        return KP_EINVAL;
    if (!identity.secret_key[0])
        return kp_fail(err, KP_EINVAL, "%s: has no secret_key: it is what others are given", key_file);
    if (server_key && kp_curve_public_of(server_key, identity.server_key, err))
        return KP_EINVAL;
    if (!identity.server_key[0])
        return kp_fail(err, KP_EINVAL, "%s: names no server_key: give --server-key", key_file);
    return KP_OK;
}

int identity_connect(void *socket, const char *endpoint)
{
    struct kp_err err;

    if (identity_is_there() && kp_endpoint_is_tcp(endpoint) && kp_curve_connect(socket, &identity, &err)) {
        errno = ENOTSUP;
        return -1;
    }
    return zmq_connect(socket, endpoint);
}
