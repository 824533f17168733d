/* What somebody may see and do here. */
#ifndef GATEWAY_RIGHTS_H
#define GATEWAY_RIGHTS_H

#include "kpid/config.h"

#include <stdbool.h>
#include <stddef.h>

struct rights {
    char *name;                     /* owned; "": whoever does not say who they are */
    unsigned char token[32];        /* SHA-256 of it */
    bool has_token;
    bool acknowledge;
    struct kp_user_cfg user;        /* `read` and `admin`, as kpid has them, so that they mean the same; its name is the one above */
};

/* May they see what lies at a path, as topics have it? */
bool rights_see(const struct rights *rights, const char *path, size_t len);
bool rights_see_all(const struct rights *rights);
bool rights_acknowledge(const struct rights *rights);

#endif
