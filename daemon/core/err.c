#include "kpid/err.h"

#include <stdarg.h>
#include <stdio.h>

enum kp_code kp_fail(struct kp_err *err, enum kp_code code, const char *fmt, ...)
{
    if (err) {
        va_list args;

        va_start(args, fmt);
        vsnprintf(err->text, sizeof err->text, fmt, args);
        va_end(args);
        err->code = code;
    }
    return code;
}
