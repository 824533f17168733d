/* Formulas over KPIs: "deals_won / (deals_won + deals_lost)".
 *
 * + - * / ( ), unary minus, decimal numbers, names, min(a,b), max(a,b). Compiled to postfix. Division by 0 and a nil
 * operand give nil. Pure. */
#ifndef KPID_FORMULA_H
#define KPID_FORMULA_H

#include "kpid/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_formula;

struct kp_number {          /* a number or nil, and how many samples stand behind it */
    double value;
    int64_t n;          /* below 0 where more was taken back than counted: see `once` */
    bool has;
};

/* Parse text. resolve tells the operand index of a name, or -1 when there is none (the fault then says so and
 * `suggest`, when not NULL, may name the nearest). *at is the 0-based byte in text that a fault is about.
 * NULL with KP_EINVAL or KP_ENOMEM in *err. At most 64 levels deep and 256 operations. */
struct kp_formula *kp_formula_parse(const char *text, int (*resolve)(void *ctx, const char *name, size_t len), void *ctx,
                                    size_t *at, struct kp_err *err) KP_CHECK;
void kp_formula_destroy(struct kp_formula **formula);

/* The distinct operands that it names, in order of first use. */
size_t kp_formula_operands(const struct kp_formula *formula, const int **operands);

/* Its value. operands[i] is the number of operand index i. The samples of a quotient are those of its
 * denominator; of anything else, the sum over the distinct operands. */
struct kp_number kp_formula_eval(const struct kp_formula *formula, const struct kp_number *operands);

#endif
