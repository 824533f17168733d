#include "columns.h"

#include <string.h>
#include <wchar.h>

const char *columns_fit(const char *text, int width, char *buf, size_t size)
{
    mbstate_t state;
    int used = 0;
    size_t at = 0;

    memset(&state, 0, sizeof state);
    while (*text) {
        wchar_t wide;
        size_t n = mbrtowc(&wide, text, 8, &state);
        int columns = n == (size_t)-1 || n == (size_t)-2 ? -1 : wcwidth(wide);

        if (columns < 0) {      /* no character, or one that moves the cursor */
            memset(&state, 0, sizeof state);
            n = 1;
            columns = 1;
        }
        if (used + columns > width || at + n + 1 >= size)
            break;
        if (columns == 1 && n == 1 && ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7F))
            buf[at] = '?';
        else
            memcpy(buf + at, text, n);
        at += n;
        text += n;
        used += columns;
    }
    while (used++ < width && at + 1 < size)
        buf[at++] = ' ';
    buf[at] = '\0';
    return buf;
}
