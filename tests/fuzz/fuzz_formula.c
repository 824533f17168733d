/* Formulas: any text is refused with a place within it, or comes to a number that is finite or to none. */
#include "kpid/formula.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OPERANDS = 26 };

static void check(bool ok)
{
    if (!ok)
        abort();
}

static int resolve(void *ctx, const char *name, size_t len)
{
    (void)ctx;
    return len > 0 && *name >= 'a' && *name <= 'z' ? *name - 'a' : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kp_number operands[OPERANDS], out;
    struct kp_err err = {0};
    size_t at = SIZE_MAX, n;
    char *text = malloc(size + 1);
    struct kp_formula *formula;
    const int *used;

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    for (int i = 0; i < OPERANDS; i++)
        operands[i] = (struct kp_number){i * 1e12 - 3e12, i, i % 5 != 4};
    formula = kp_formula_parse(text, resolve, NULL, &at, &err);
    if (!formula) {
        check(err.code == KP_EINVAL && err.text[0] && at <= strlen(text));
        free(text);
        return 0;
    }
    n = kp_formula_operands(formula, &used);
    for (size_t i = 0; i < n; i++)
        check(used[i] >= 0 && used[i] < OPERANDS);
    out = kp_formula_eval(formula, operands);
    check(out.has ? isfinite(out.value) : out.value == 0);
    check(out.n <= OPERANDS * OPERANDS);
    kp_formula_destroy(&formula);
    free(text);
    return 0;
}
