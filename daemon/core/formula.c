#include "kpid/formula.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPS_MAX = 256, DEPTH_MAX = 64 };
enum op_kind { OP_NUMBER, OP_OPERAND, OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_NEG, OP_MIN, OP_MAX };

struct op {
    enum op_kind kind;
    int operand;
    double number;
};

struct kp_formula {
    struct op ops[OPS_MAX];     /* postfix */
    size_t nops;
    int operands[OPS_MAX];
    size_t noperands;
};

struct parser {
    const char *text, *at;
    struct kp_formula *out;
    int (*resolve)(void *ctx, const char *name, size_t len);
    void *ctx;
    int depth;
    const char *wrong;          /* where; NULL: all is well */
    struct kp_err *err;
};

static bool expression(struct parser *p);

/* `what`, and in quotes the text it is about (NULL: none). */
static bool fail(struct parser *p, const char *at, const char *what, const char *text, size_t len)
{
    const char *quote = text ? "\"" : "";

    if (!p->wrong) {
        p->wrong = at;
        kp_fail(p->err, KP_EINVAL, "%s%s%.*s%s", what, quote, (int)(len > 100 ? 100 : len), text ? text : "", quote);
    }
    return false;
}

static void skip_space(struct parser *p)
{
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r')
        p->at++;
}

static bool take(struct parser *p, char c)
{
    skip_space(p);
    if (*p->at != c)
        return false;
    p->at++;
    return true;
}

static bool expect(struct parser *p, char c)
{
    const char what[2] = {c, '\0'};

    return take(p, c) || fail(p, p->at, "expected ", what, 1);
}

static bool emit(struct parser *p, enum op_kind kind, int operand, double number)
{
    if (p->out->nops == OPS_MAX)
        return fail(p, p->at, "over 256 operations", NULL, 0);
    p->out->ops[p->out->nops++] = (struct op){kind, operand, number};
    return true;
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Digits, a point, digits: read by hand, so that no locale has a say. */
static bool number(struct parser *p)
{
    const char *start = p->at;
    double v = 0, scale = 1;
    int n = 0;

    for (; *p->at >= '0' && *p->at <= '9'; p->at++, n++)
        v = v * 10 + (*p->at - '0');
    if (*p->at == '.') {
        for (p->at++; *p->at >= '0' && *p->at <= '9'; p->at++, n++) {
            v = v * 10 + (*p->at - '0');
            scale *= 10;
        }
    }
    if (n == 0 || n > 30 || is_name(*p->at))
        return fail(p, start, "not a number", NULL, 0);
    return emit(p, OP_NUMBER, -1, v / scale);
}

static bool function(struct parser *p, enum op_kind kind)
{
    return expect(p, '(') && expression(p) && expect(p, ',') && expression(p) && expect(p, ')') && emit(p, kind, -1, 0);
}

static void note_operand(struct kp_formula *f, int operand)
{
    for (size_t i = 0; i < f->noperands; i++)
        if (f->operands[i] == operand)
            return;
    f->operands[f->noperands++] = operand;
}

/* A name may hold dots, "sales_process.rapport.entered", and behind the first one hyphens, since a stage's name may. */
static bool name(struct parser *p)
{
    const char *start = p->at;
    bool dotted = false;
    size_t len;
    int operand;

    for (; is_name(*p->at) || ((*p->at == '.' || (dotted && *p->at == '-')) && is_name(p->at[1])); p->at++)
        dotted |= *p->at == '.';
    len = (size_t)(p->at - start);
    if (len == 3 && memcmp(start, "min", 3) == 0)
        return function(p, OP_MIN);
    if (len == 3 && memcmp(start, "max", 3) == 0)
        return function(p, OP_MAX);
    operand = p->resolve(p->ctx, start, len);
    if (operand < 0)
        return fail(p, start, "unknown KPI ", start, len);
    note_operand(p->out, operand);
    return emit(p, OP_OPERAND, operand, 0);
}

static bool primary(struct parser *p)
{
    bool ok;

    skip_space(p);
    if (++p->depth > DEPTH_MAX)
        return fail(p, p->at, "nested deeper than 64", NULL, 0);
    if (*p->at == '(') {
        p->at++;
        ok = expression(p) && expect(p, ')');
    } else if (*p->at == '-') {
        p->at++;
        ok = primary(p) && emit(p, OP_NEG, -1, 0);
    } else if ((*p->at >= '0' && *p->at <= '9') || *p->at == '.') {
        ok = number(p);
    } else if (is_name(*p->at)) {
        ok = name(p);
    } else if (*p->at == '\0') {
        ok = fail(p, p->at, "expected a KPI, a number or \"(\", but it ends here", NULL, 0);
    } else {
        ok = fail(p, p->at, "expected a KPI, a number or \"(\", not ", p->at, 1);
    }
    p->depth--;
    return ok;
}

static bool product(struct parser *p)
{
    if (!primary(p))
        return false;
    for (;;) {
        enum op_kind kind;

        if (take(p, '*'))
            kind = OP_MUL;
        else if (take(p, '/'))
            kind = OP_DIV;
        else
            return true;
        if (!primary(p) || !emit(p, kind, -1, 0))
            return false;
    }
}

static bool expression(struct parser *p)
{
    if (!product(p))
        return false;
    for (;;) {
        enum op_kind kind;

        if (take(p, '+'))
            kind = OP_ADD;
        else if (take(p, '-'))
            kind = OP_SUB;
        else
            return true;
        if (!product(p) || !emit(p, kind, -1, 0))
            return false;
    }
}

struct kp_formula *kp_formula_parse(const char *text, int (*resolve)(void *ctx, const char *name, size_t len), void *ctx,
                                    size_t *at, struct kp_err *err)
{
    struct kp_formula *formula = calloc(1, sizeof *formula);
    struct parser p = {.text = text, .at = text, .out = formula, .resolve = resolve, .ctx = ctx, .err = err};

    *at = 0;
    if (!formula) {
        kp_fail(err, KP_ENOMEM, "formula: out of memory");
        return NULL;
    }
    if (expression(&p)) {
        skip_space(&p);
        if (*p.at)
            fail(&p, p.at, "expected + - * / or the end, not ", p.at, 1);
    }
    if (p.wrong) {
        *at = (size_t)(p.wrong - text);
        kp_formula_destroy(&formula);
    }
    return formula;
}

void kp_formula_destroy(struct kp_formula **formula)
{
    free(*formula);
    *formula = NULL;
}

size_t kp_formula_operands(const struct kp_formula *formula, const int **operands)
{
    *operands = formula->operands;
    return formula->noperands;
}

/* ---- Evaluation ---- */

struct term {
    double value;
    bool has;
};

static struct term combine(enum op_kind kind, struct term a, struct term b)
{
    /* NOLINTNEXTLINE: the parser leaves two values to combine */
    struct term out = {.has = a.has && b.has};

    switch (kind) {
    case OP_ADD:
        out.value = a.value + b.value;
        break;
    case OP_SUB:
        out.value = a.value - b.value;
        break;
    case OP_MUL:
        out.value = a.value * b.value;
        break;
    case OP_DIV:
        out.has = out.has && b.value != 0;
        out.value = out.has ? a.value / b.value : 0;
        break;
    case OP_MIN:
        out.value = b.value < a.value ? b.value : a.value;
        break;
    case OP_MAX:
        out.value = b.value > a.value ? b.value : a.value;
        break;
    case OP_NUMBER:
    case OP_OPERAND:
    case OP_NEG:
        break;
    }
    if (!isfinite(out.value))
        out.has = false;
    return out;
}

/* Samples of the operands named by ops first..last-1, each operand once. */
static int64_t samples(const struct kp_formula *f, size_t first, size_t last, const struct kp_number *operands)
{
    int64_t n = 0;

    for (size_t i = 0; i < f->noperands; i++) {
        bool named = false;

        for (size_t k = first; k < last; k++)
            named |= f->ops[k].kind == OP_OPERAND && f->ops[k].operand == f->operands[i];
        if (named)
            n += operands[f->operands[i]].n;
    }
    return n;
}

/* Where the last operand of the formula begins, when its last operation is a division. */
static size_t divisor(const struct kp_formula *f)
{
    size_t i = f->nops - 1;
    int need = 1;

    while (need > 0) {
        enum op_kind kind = f->ops[--i].kind;

        need += kind == OP_NUMBER || kind == OP_OPERAND ? -1 : kind == OP_NEG ? 0 : 1;
    }
    return i;
}

static bool names_any(const struct kp_formula *f, size_t first)
{
    for (size_t i = first; i < f->nops; i++)
        if (f->ops[i].kind == OP_OPERAND)
            return true;
    return false;
}

struct kp_number kp_formula_eval(const struct kp_formula *formula, const struct kp_number *operands)
{
    struct term stack[OPS_MAX];
    struct kp_number out = {0};
    size_t n = 0, first = 0;

    for (size_t i = 0; i < formula->nops; i++) {
        const struct op *op = &formula->ops[i];

        if (op->kind == OP_NUMBER) {
            stack[n++] = (struct term){op->number, true};
        } else if (op->kind == OP_OPERAND) {
            stack[n++] = (struct term){operands[op->operand].value, operands[op->operand].has};
        } else if (op->kind == OP_NEG) {
            /* NOLINTNEXTLINE: the parser leaves a value here */
            stack[n - 1].value = -stack[n - 1].value;
        } else {
            n--;
            /* NOLINTNEXTLINE: the parser leaves two values here */
            stack[n - 1] = combine(op->kind, stack[n - 1], stack[n]);
        }
    }
    assert(n == 1);     /* what was parsed leaves one value */
    out.has = stack[0].has;
    out.value = stack[0].has ? stack[0].value : 0;
    if (formula->ops[formula->nops - 1].kind == OP_DIV)
        first = divisor(formula);
    out.n = samples(formula, first, formula->nops, operands);
    if (first && !names_any(formula, first))    /* divided by a plain number: the samples are those of what is divided */
        out.n = samples(formula, 0, first, operands);
    return out;
}
