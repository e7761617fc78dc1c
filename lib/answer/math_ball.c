/* math_ball.c: values of expressions as complex balls, which hold the true value for
 * certain (Arb: Johansson, IEEE Trans. Computers 66, 2017). Branches are the principal
 * ones. */
#include "answer/math_ball.h"
#include <acb_hypgeom.h>
#include <flint/fmpz.h>

static void name_value(struct math_point *p, acb_t value, const struct math_node *a,
                       slong bits)
{
    int i = 0;
    if (p->bound && a->kind == MATH_SYMBOL && math_same(p->w, a, p->bound)) {
        acb_set_si(value, p->bound_value);
        return;
    }
    for (; i < p->count; i++) {
        const struct math_node *b = p->names[i];
        bool same = a->kind == b->kind && a->op == b->op && a->flags == b->flags &&
                    a->count == b->count && a->name.n == b->name.n &&
                    (!a->name.n || memcmp(a->name.s, b->name.s, a->name.n) == 0);
        for (int k = 0; same && a != b && k < a->count; k++)
            same = math_equal(p->w, a->args[k], b->args[k], 6);
        if (same)
            break;
    }
    if (i == MATH_NAMES_MAX) {
        p->failed = true;
        acb_indeterminate(value);
        return;
    }
    if (i == p->count)
        p->names[p->count++] = a;
    /* Fixed rationals of either sign, no two the same: a multiplicative hash. */
    uint32_t h = (uint32_t)(i * 31 + p->trial * 7 + 1) * 2654435761u;
    slong top = 1009 + (slong)(h >> 20), bottom = 997 + (slong)((h >> 8) % 1999);
    bool negative = p->trial > 0 && ((h >> 5 ^ (unsigned)(p->trial + i)) & 1);
    arb_set_si(acb_realref(value), negative ? -top : top);
    arb_div_si(acb_realref(value), acb_realref(value), bottom, bits);
    arb_zero(acb_imagref(value));
}

static void constant_value(acb_t value, int op, slong bits)
{
    acb_zero(value);
    switch (op) {
    case MATH_PI: arb_const_pi(acb_realref(value), bits); break;
    case MATH_E: arb_const_e(acb_realref(value), bits); break;
    case MATH_I: acb_onei(value); break;
    case MATH_EULER: arb_const_euler(acb_realref(value), bits); break;
    default: acb_indeterminate(value);
    }
}

static void power_value(struct math_point *p, acb_t value, const struct math_node *a,
                        slong bits)
{
    const struct math_node *e = a->args[1];
    acb_t base;
    fmpq_t q;
    acb_init(base);
    fmpq_init(q);
    math_ball(p, base, a->args[0], bits);
    if (math_rational(p->w, e, q, 0)) {
        if (fmpq_is_zero(q)) {
            acb_one(value);
        } else if (acb_is_zero(base) && fmpq_sgn(q) > 0) {
            acb_zero(value);
        } else if (fmpz_is_one(fmpq_denref(q)) && fmpz_bits(fmpq_numref(q)) < 24) {
            acb_pow_fmpz(value, base, fmpq_numref(q), bits);
        } else if (fmpz_equal_si(fmpq_denref(q), 2) && fmpz_bits(fmpq_numref(q)) < 24) {
            acb_sqrt(value, base, bits);
            acb_pow_fmpz(value, value, fmpq_numref(q), bits);
        } else {
            acb_set_fmpq(value, q, bits);
            acb_pow(value, base, value, bits);
        }
    } else {
        math_ball(p, value, e, bits);
        if (a->args[0]->kind == MATH_CONSTANT && a->args[0]->op == MATH_E)
            acb_exp(value, value, bits);
        else
            acb_pow(value, base, value, bits);
    }
    fmpq_clear(q);
    acb_clear(base);
}

static void add_up(struct math_point *p, acb_t value, const struct math_node *a,
                   slong bits)
{
    enum { TERMS_MAX = 300 };
    fmpq_t first, last;
    acb_t term;
    fmpq_init(first);
    fmpq_init(last);
    acb_init(term);
    bool sum = a->op == MATH_F_ADD_UP;
    acb_indeterminate(value);
    if (!p->bound && math_rational(p->w, a->args[2], first, 0) &&
        math_rational(p->w, a->args[3], last, 0) && fmpz_is_one(fmpq_denref(first)) &&
        fmpz_is_one(fmpq_denref(last)) && fmpz_bits(fmpq_numref(first)) < 30 &&
        fmpz_bits(fmpq_numref(last)) < 30) {
        slong from = fmpz_get_si(fmpq_numref(first)), to = fmpz_get_si(fmpq_numref(last));
        if (to - from < TERMS_MAX) {
            acb_set_si(value, sum ? 0 : 1);
            p->bound = a->args[1];
            for (p->bound_value = from; p->bound_value <= to; p->bound_value++) {
                math_ball(p, term, a->args[0], bits);
                if (sum)
                    acb_add(value, value, term, bits);
                else
                    acb_mul(value, value, term, bits);
            }
            p->bound = NULL;
        }
    } else {
        name_value(p, value, a, bits);
    }
    acb_clear(term);
    fmpq_clear(last);
    fmpq_clear(first);
}

static void integer_function(struct math_point *p, acb_t value, const struct math_node *a)
{
    fmpq_t q;
    fmpq_init(q);
    acb_indeterminate(value);
    if (math_rational(p->w, a, q, 0))
        acb_set_fmpq(value, q, 4096);
    fmpq_clear(q);
}

/* max, min: of real values; not finite where two cannot be told apart in order. */
static void extreme(struct math_point *p, acb_t value, const struct math_node *a,
                    slong bits)
{
    acb_t other;
    acb_init(other);
    math_ball(p, value, a->args[0], bits);
    for (int i = 1; i < a->count; i++) {
        math_ball(p, other, a->args[i], bits);
        if (!acb_is_real(value) || !acb_is_real(other))
            acb_indeterminate(value);
        else if (a->op == MATH_F_MAX)
            arb_max(acb_realref(value), acb_realref(value), acb_realref(other), bits);
        else
            arb_min(acb_realref(value), acb_realref(value), acb_realref(other), bits);
    }
    acb_clear(other);
}

static void rounded(acb_t value, bool up, slong bits)
{
    if (!acb_is_real(value))
        acb_indeterminate(value);
    else if (up)
        arb_ceil(acb_realref(value), acb_realref(value), bits);
    else
        arb_floor(acb_realref(value), acb_realref(value), bits);
}

/* Gamma's cost grows with its argument's size; beyond some millions it is no answer. */
static void gamma_value(struct math_point *p, acb_t value, slong bits)
{
    if (!math_burn(p->w, bits * bits / 16) || !acb_is_finite(value) ||
        acb_rel_accuracy_bits(value) < 4 ||
        arf_cmpabs_2exp_si(arb_midref(acb_realref(value)), 22) > 0)
        acb_indeterminate(value);
    else
        acb_gamma(value, value, bits);
}

static void call_value(struct math_point *p, acb_t v, const struct math_node *a,
                       slong bits)
{
    acb_t b;
    switch (a->op) {
    case MATH_F_UNKNOWN: name_value(p, v, a, bits); return;
    case MATH_F_ADD_UP:
    case MATH_F_MULTIPLY: add_up(p, v, a, bits); return;
    case MATH_F_GCD:
    case MATH_F_LCM: integer_function(p, v, a); return;
    case MATH_F_MAX:
    case MATH_F_MIN: extreme(p, v, a, bits); return;
    default: break;
    }
    acb_init(b);
    math_ball(p, v, a->args[0], bits);
    if (a->count > 1)
        math_ball(p, b, a->args[1], bits);
    switch (a->op) {
    case MATH_F_SIN: acb_sin(v, v, bits); break;
    case MATH_F_COS: acb_cos(v, v, bits); break;
    case MATH_F_TAN: acb_tan(v, v, bits); break;
    case MATH_F_CSC: acb_csc(v, v, bits); break;
    case MATH_F_SEC: acb_sec(v, v, bits); break;
    case MATH_F_COT: acb_cot(v, v, bits); break;
    case MATH_F_ASIN: acb_asin(v, v, bits); break;
    case MATH_F_ACOS: acb_acos(v, v, bits); break;
    case MATH_F_ATAN: acb_atan(v, v, bits); break;
    case MATH_F_ACSC: acb_inv(v, v, bits), acb_asin(v, v, bits); break;
    case MATH_F_ASEC: acb_inv(v, v, bits), acb_acos(v, v, bits); break;
    case MATH_F_ACOT: acb_inv(v, v, bits), acb_atan(v, v, bits); break;
    case MATH_F_SINH: acb_sinh(v, v, bits); break;
    case MATH_F_COSH: acb_cosh(v, v, bits); break;
    case MATH_F_TANH: acb_tanh(v, v, bits); break;
    case MATH_F_ASINH: acb_asinh(v, v, bits); break;
    case MATH_F_ACOSH: acb_acosh(v, v, bits); break;
    case MATH_F_ATANH: acb_atanh(v, v, bits); break;
    case MATH_F_LOG:
        acb_log(v, v, bits);
        acb_log(b, b, bits);
        acb_div(v, v, b, bits);
        break;
    case MATH_F_ABS:
        acb_abs(acb_realref(v), v, bits);
        arb_zero(acb_imagref(v));
        break;
    case MATH_F_FLOOR: rounded(v, false, bits); break;
    case MATH_F_CEIL: rounded(v, true, bits); break;
    case MATH_F_FACTORIAL: acb_add_ui(v, v, 1, bits); /* fall through */
    case MATH_F_GAMMA: gamma_value(p, v, bits); break;
    case MATH_F_BINOMIAL: { /* by Gamma: n! / (k! (n - k)!) */
        acb_t c;
        acb_init(c);
        acb_sub(c, v, b, bits);
        acb_add_ui(c, c, 1, bits);
        acb_add_ui(v, v, 1, bits);
        acb_add_ui(b, b, 1, bits);
        gamma_value(p, v, bits);
        gamma_value(p, b, bits);
        gamma_value(p, c, bits);
        acb_mul(b, b, c, bits);
        acb_div(v, v, b, bits);
        acb_clear(c);
        break;
    }
    case MATH_F_MOD: {
        acb_t c;
        acb_init(c);
        acb_div(c, v, b, bits);
        rounded(c, false, bits);
        acb_submul(v, c, b, bits);
        acb_clear(c);
        break;
    }
    default: acb_indeterminate(v);
    }
    acb_clear(b);
}

void math_ball(struct math_point *p, acb_t value, const struct math_node *a, slong bits)
{
    acb_t part;
    if (!math_burn(p->w, 4 + bits / 64 * 4) || p->failed ||
        p->depth > MATH_DEPTH_MAX * 3) {
        p->failed = true;
        acb_indeterminate(value);
        return;
    }
    p->depth++;
    switch (a->kind) {
    case MATH_NUMBER: acb_set_fmpq(value, a->q, bits); break;
    case MATH_SYMBOL: name_value(p, value, a, bits); break;
    case MATH_CONSTANT: constant_value(value, a->op, bits); break;
    case MATH_SUM:
    case MATH_PRODUCT:
        acb_init(part);
        acb_set_si(value, a->kind == MATH_SUM ? 0 : 1);
        for (int i = 0; i < a->count && !p->failed; i++) {
            math_ball(p, part, a->args[i], bits);
            if (a->kind == MATH_SUM)
                acb_add(value, value, part, bits);
            else
                acb_mul(value, value, part, bits);
        }
        acb_clear(part);
        break;
    case MATH_POWER:
        if (math_burn(p->w, 20 + bits / 2))
            power_value(p, value, a, bits);
        break;
    case MATH_PERCENT:
        math_ball(p, value, a->args[0], bits);
        acb_div_ui(value, value, 100, bits);
        break;
    case MATH_CALL:
        if (math_burn(p->w, 20 + bits / 2))
            call_value(p, value, a, bits);
        break;
    default: acb_indeterminate(value);
    }
    p->depth--;
}
