#include "rights.h"

#include "guard.h"

bool rights_see(const struct rights *rights, const char *path, size_t len)
{
    return kp_user_may_read(&rights->user, path, len);
}

bool rights_see_all(const struct rights *rights)
{
    return kp_user_may_read_all(&rights->user);
}

bool rights_acknowledge(const struct rights *rights)
{
    return rights->acknowledge || rights->user.admin;
}
