/* math_value.c: are two expressions the same value, the same function? Which is larger?
 *
 * Rationals and polynomials are decided exactly. Everything else is evaluated in balls,
 * at fixed points where there are symbols: balls that do not overlap prove a difference;
 * balls that overlap to 256 bits are taken for equal.
 */
#include "answer/math_ball.h"
#include <arb_fmpz_poly.h>
#include <flint/fmpz.h>

enum { BITS_FIRST = 64, BITS_MAX = 1024, BITS_EQUAL = 256, SIZE_MAX_BITS = 8192 };

static bool small(const fmpq_t q)
{
    return fmpz_bits(fmpq_numref(q)) + fmpz_bits(fmpq_denref(q)) < SIZE_MAX_BITS;
}

/* base to the power e, both rational, where the result is: roots of perfect powers too.
 */
static bool rational_power(fmpq_t base, const fmpq_t e)
{
    if (fmpz_bits(fmpq_numref(e)) > 13 || fmpz_bits(fmpq_denref(e)) > 6)
        return false;
    slong n = fmpz_get_si(fmpq_numref(e)), root = fmpz_get_si(fmpq_denref(e));
    if (fmpq_is_zero(base))
        return n > 0 || (n == 0 && (fmpq_one(base), true));
    if (root > 1) {
        fmpz_t top, bottom;
        fmpz_init(top);
        fmpz_init(bottom);
        bool exact = fmpq_sgn(base) > 0 && fmpz_root(top, fmpq_numref(base), root) &&
                     fmpz_root(bottom, fmpq_denref(base), root);
        if (exact)
            fmpq_set_fmpz_frac(base, top, bottom);
        fmpz_clear(top);
        fmpz_clear(bottom);
        if (!exact)
            return false;
    }
    slong bits = (slong)(fmpz_bits(fmpq_numref(base)) + fmpz_bits(fmpq_denref(base)));
    if (bits * (n < 0 ? -n : n) > SIZE_MAX_BITS)
        return false;
    fmpq_pow_si(base, base, n);
    return true;
}

static bool rational_call(struct math_work *w, const struct math_node *a, fmpq_t q,
                          int depth)
{
    fmpq_t b;
    bool found = false;
    if (a->count == 0 || a->op == MATH_F_UNKNOWN || a->op == MATH_F_ADD_UP ||
        a->op == MATH_F_MULTIPLY || !math_rational(w, a->args[0], q, depth))
        return false;
    fmpq_init(b);
    bool integer = fmpz_is_one(fmpq_denref(q));
    fmpz *n = fmpq_numref(q);
    switch (a->op) {
    case MATH_F_ABS: fmpq_abs(q, q), found = true; break;
    case MATH_F_FLOOR:
        fmpz_fdiv_q(n, n, fmpq_denref(q)), fmpz_one(fmpq_denref(q)), found = true;
        break;
    case MATH_F_CEIL:
        fmpz_cdiv_q(n, n, fmpq_denref(q)), fmpz_one(fmpq_denref(q)), found = true;
        break;
    case MATH_F_FACTORIAL:
        if ((found = integer && fmpz_sgn(n) >= 0 && fmpz_cmp_ui(n, 1200) <= 0))
            fmpz_fac_ui(n, fmpz_get_ui(n));
        break;
    case MATH_F_BINOMIAL:
        found = integer && fmpz_sgn(n) >= 0 && fmpz_cmp_ui(n, 5000) <= 0 &&
                math_rational(w, a->args[1], b, depth) && fmpz_is_one(fmpq_denref(b)) &&
                fmpz_sgn(fmpq_numref(b)) >= 0 && fmpz_cmp_ui(fmpq_numref(b), 5000) <= 0;
        if (found)
            fmpz_bin_uiui(n, fmpz_get_ui(n), fmpz_get_ui(fmpq_numref(b)));
        break;
    case MATH_F_GCD:
    case MATH_F_LCM:
        found = integer;
        for (int i = 1; found && i < a->count; i++) {
            found = math_rational(w, a->args[i], b, depth) && fmpz_is_one(fmpq_denref(b));
            if (found && a->op == MATH_F_GCD)
                fmpz_gcd(n, n, fmpq_numref(b));
            else if (found)
                fmpz_lcm(n, n, fmpq_numref(b));
        }
        break;
    case MATH_F_MOD:
        found = integer && math_rational(w, a->args[1], b, depth) &&
                fmpz_is_one(fmpq_denref(b)) && !fmpq_is_zero(b);
        if (found)
            fmpz_fdiv_r(n, n, fmpq_numref(b));
        break;
    case MATH_F_MAX:
    case MATH_F_MIN:
        found = true;
        for (int i = 1; found && i < a->count; i++)
            if ((found = math_rational(w, a->args[i], b, depth)) &&
                (a->op == MATH_F_MAX) == (fmpq_cmp(b, q) > 0))
                fmpq_set(q, b);
        break;
    default: break;
    }
    fmpq_clear(b);
    return found && small(q);
}

bool math_rational(struct math_work *w, const struct math_node *a, fmpq_t q, int depth)
{
    fmpq_t b;
    bool found = false;
    if (!math_burn(w, 2) || depth > MATH_DEPTH_MAX * 3)
        return false;
    switch (a->kind) {
    case MATH_NUMBER: fmpq_set(q, a->q); return small(q);
    case MATH_PERCENT:
        if (!math_rational(w, a->args[0], q, depth + 1))
            return false;
        fmpq_init(b);
        fmpq_set_si(b, 1, 100);
        fmpq_mul(q, q, b);
        fmpq_clear(b);
        return true;
    case MATH_POWER:
        fmpq_init(b);
        found = math_rational(w, a->args[1], b, depth + 1) &&
                math_rational(w, a->args[0], q, depth + 1) && rational_power(q, b);
        fmpq_clear(b);
        return found;
    case MATH_SUM:
    case MATH_PRODUCT:
        fmpq_init(b);
        fmpq_set_si(q, a->kind == MATH_PRODUCT, 1);
        found = true;
        for (int i = 0; found && i < a->count; i++)
            if ((found = math_rational(w, a->args[i], b, depth + 1))) {
                if (a->kind == MATH_SUM)
                    fmpq_add(q, q, b);
                else
                    fmpq_mul(q, q, b);
                found = small(q);
            }
        fmpq_clear(b);
        return found;
    case MATH_CALL: return rational_call(w, a, q, depth + 1);
    default: return false;
    }
}

/* Do the values at a point overlap to BITS_EQUAL? -1: one has no finite value. */
static int overlap(struct math_point *p, const struct math_node *a,
                   const struct math_node *b)
{
    acb_t x, y;
    int result = -1;
    acb_init(x);
    acb_init(y);
    for (slong bits = BITS_FIRST; bits <= BITS_MAX; bits *= 4) {
        math_ball(p, x, a, bits);
        math_ball(p, y, b, bits);
        if (p->failed || p->w->spent)
            break;
        if (!acb_is_finite(x) || !acb_is_finite(y))
            continue;
        acb_sub(y, x, y, bits);
        if (!acb_contains_zero(y)) {
            result = 0;
            break;
        }
        /* how far below x, or below 1, the difference is known to be */
        mag_t size, error;
        mag_init(size);
        mag_init(error);
        acb_get_mag(error, y);
        acb_get_mag(size, x);
        if (mag_cmp_2exp_si(size, 0) < 0)
            mag_one(size);
        mag_div(error, error, size);
        if (mag_cmp_2exp_si(error, -BITS_EQUAL + 40) < 0)
            result = 1;
        mag_clear(size);
        mag_clear(error);
        if (result == 1)
            break;
    }
    acb_clear(x);
    acb_clear(y);
    return result;
}

static bool same_by_balls(struct math_work *w, const struct math_node *a,
                          const struct math_node *b)
{
    enum { TRIALS = 4 };
    int proven = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
        struct math_point p = {.w = w, .trial = trial};
        int same = overlap(&p, a, b);
        if (same == 0 || p.failed || w->spent)
            return false;
        proven += same == 1;
        if (p.count == 0) /* no symbols: one point is all there is */
            break;
    }
    return proven > 0;
}

bool math_identical(struct math_work *w, const struct math_node *a,
                    const struct math_node *b)
{
    fmpq_t p, q;
    fmpq_init(p);
    fmpq_init(q);
    int same = -1;
    if (math_rational(w, a, p, 0) && math_rational(w, b, q, 0))
        same = fmpq_equal(p, q);
    fmpq_clear(p);
    fmpq_clear(q);
    if (same < 0 && !w->spent)
        same = math_rational_function(w, a, b);
    return same < 0 && !w->spent ? same_by_balls(w, a, b) : same > 0;
}

/* q to so many decimals as an integer, halves to even. */
static void round_rational(fmpz_t n, const fmpq_t q, const fmpz_t scale)
{
    fmpz_t top, bottom, rest;
    fmpz_init(top);
    fmpz_init(bottom);
    fmpz_init(rest);
    fmpz_mul(top, fmpq_numref(q), scale);
    fmpz_fdiv_qr(n, rest, top, fmpq_denref(q));
    fmpz_mul_ui(rest, rest, 2);
    int half = fmpz_cmp(rest, fmpq_denref(q));
    if (half > 0 || (half == 0 && fmpz_is_odd(n)))
        fmpz_add_ui(n, n, 1);
    fmpz_clear(top);
    fmpz_clear(bottom);
    fmpz_clear(rest);
}

/* n = a's real (part 0) or imaginary (1) part, rounded. */
static bool round_value(struct math_work *w, const struct math_node *a,
                        const fmpz_t scale, fmpz_t n, fmpz_t imaginary)
{
    fmpq_t q;
    fmpq_init(q);
    bool found = math_rational(w, a, q, 0);
    fmpz_zero(imaginary);
    if (found)
        round_rational(n, q, scale);
    fmpq_clear(q);
    for (slong bits = BITS_FIRST; !found && bits <= BITS_EQUAL; bits *= 2) {
        struct math_point p = {.w = w};
        acb_t x;
        arb_t part;
        acb_init(x);
        arb_init(part);
        math_ball(&p, x, a, bits);
        bool known = !p.failed && p.count == 0 && acb_is_finite(x);
        for (int k = 0; known && k < 2; k++) {
            arb_mul_fmpz(part, k ? acb_imagref(x) : acb_realref(x), scale, bits);
            arb_set_d(acb_realref(x), 0.5); /* read already where k is 1 */
            arb_add(part, part, acb_realref(x), bits);
            arb_floor(part, part, bits);
            known = arb_get_unique_fmpz(k ? imaginary : n, part);
        }
        found = known;
        acb_clear(x);
        arb_clear(part);
        if (p.failed || p.count || w->spent)
            break;
    }
    return found;
}

int math_rounded_equal(struct math_work *w, const struct math_node *a,
                       const struct math_node *b, int digits)
{
    fmpz_t scale, x, xi, y, yi;
    fmpz_init_set_ui(scale, 10);
    fmpz_init(x);
    fmpz_init(xi);
    fmpz_init(y);
    fmpz_init(yi);
    fmpz_pow_ui(scale, scale, (ulong)(digits < 0 ? 0 : digits > 100 ? 100 : digits));
    int result = -1;
    if (round_value(w, a, scale, x, xi) && round_value(w, b, scale, y, yi))
        result = fmpz_equal(x, y) && fmpz_equal(xi, yi);
    fmpz_clear(scale);
    fmpz_clear(x);
    fmpz_clear(xi);
    fmpz_clear(y);
    fmpz_clear(yi);
    return result;
}

/* 1, -1: infinity of that sign; 0: none. */
static int infinity(const struct math_node *a)
{
    if (a->kind == MATH_CONSTANT)
        return a->op == MATH_INFINITY;
    if (a->kind == MATH_PRODUCT && a->count == 2 && a->args[0]->kind == MATH_NUMBER &&
        a->args[1]->kind == MATH_CONSTANT && a->args[1]->op == MATH_INFINITY)
        return fmpq_sgn(a->args[0]->q);
    return 0;
}

int math_order(struct math_work *w, const struct math_node *a, const struct math_node *b)
{
    int x = infinity(a), y = infinity(b), order = 2;
    fmpq_t p, q;
    if (x || y)
        return (x > y) - (x < y);
    fmpq_init(p);
    fmpq_init(q);
    if (math_rational(w, a, p, 0) && math_rational(w, b, q, 0)) {
        order = fmpq_cmp(p, q);
        order = (order > 0) - (order < 0);
    } else {
        acb_t s, t;
        acb_init(s);
        acb_init(t);
        for (slong bits = BITS_FIRST; order == 2 && bits <= BITS_EQUAL; bits *= 2) {
            struct math_point at = {.w = w};
            math_ball(&at, s, a, bits);
            math_ball(&at, t, b, bits);
            acb_sub(s, s, t, bits);
            if (at.failed || at.count || w->spent || !acb_is_finite(s) || !acb_is_real(s))
                break;
            if (arb_is_positive(acb_realref(s)))
                order = 1;
            else if (arb_is_negative(acb_realref(s)))
                order = -1;
            else if (bits == BITS_EQUAL)
                order = 0;
        }
        acb_clear(s);
        acb_clear(t);
    }
    fmpq_clear(p);
    fmpq_clear(q);
    return order;
}
