/* math_poly.c: expressions of numbers, symbols, + - * / and whole powers, exactly: as
 * quotients of polynomials over the integers (FLINT). */
#include "answer/math_own.h"
#include <flint/fmpz_mpoly.h>

enum { TERMS_MAX = 400, SYMBOLS_MAX = 12, POWER_MAX = 40, BITS_MAX = 4096 };

struct symbols {
    const struct math_node *list[SYMBOLS_MAX];
    int count;
};

static int symbol_place(const struct symbols *s, const struct math_node *a)
{
    for (int i = 0; i < s->count; i++) {
        const struct math_node *b = s->list[i];
        if (a->flags == b->flags && a->name.n == b->name.n &&
            memcmp(a->name.s, b->name.s, a->name.n) == 0)
            return i;
    }
    return -1;
}

/* List the symbols of a; false: it is no rational function of few. */
static bool collect(struct math_work *w, const struct math_node *a, struct symbols *s,
                    int depth)
{
    if (!math_burn(w, 1) || depth > MATH_DEPTH_MAX * 3)
        return false;
    switch (a->kind) {
    case MATH_NUMBER: return true;
    case MATH_SYMBOL:
        if (symbol_place(s, a) >= 0)
            return true;
        if (s->count == SYMBOLS_MAX)
            return false;
        s->list[s->count++] = a;
        return true;
    case MATH_POWER:
        return math_is_integer(a->args[1]) &&
               fmpz_cmpabs(fmpq_numref(a->args[1]->q), &(fmpz){POWER_MAX}) <= 0 &&
               collect(w, a->args[0], s, depth + 1);
    case MATH_SUM:
    case MATH_PRODUCT:
    case MATH_PERCENT:
        for (int i = 0; i < a->count; i++)
            if (!collect(w, a->args[i], s, depth + 1))
                return false;
        return true;
    default: return false;
    }
}

struct quotient {
    fmpz_mpoly_t top, bottom;
};

struct ring {
    struct math_work *w;
    struct symbols symbols;
    fmpz_mpoly_ctx_t ctx;
};

static void quotient_init(struct quotient *x, struct ring *r)
{
    fmpz_mpoly_init(x->top, r->ctx);
    fmpz_mpoly_init(x->bottom, r->ctx);
    fmpz_mpoly_one(x->bottom, r->ctx);
}

static void quotient_clear(struct quotient *x, struct ring *r)
{
    fmpz_mpoly_clear(x->top, r->ctx);
    fmpz_mpoly_clear(x->bottom, r->ctx);
}

/* x = a * b, where it stays small. */
static bool times(struct ring *r, fmpz_mpoly_t x, const fmpz_mpoly_t a,
                  const fmpz_mpoly_t b)
{
    slong n = fmpz_mpoly_length(a, r->ctx), m = fmpz_mpoly_length(b, r->ctx);
    slong p = fmpz_mpoly_max_bits(a), q = fmpz_mpoly_max_bits(b);
    if (n > TERMS_MAX || m > TERMS_MAX || labs(p) + labs(q) > BITS_MAX ||
        !math_burn(r->w, 8 + n * m * (1 + (labs(p) + labs(q)) / 64)))
        return false;
    fmpz_mpoly_mul(x, a, b, r->ctx);
    return fmpz_mpoly_length(x, r->ctx) <= TERMS_MAX;
}

static bool quotient_add(struct ring *r, struct quotient *x, const struct quotient *y)
{
    fmpz_mpoly_t t;
    fmpz_mpoly_init(t, r->ctx);
    bool fine = fmpz_mpoly_equal(x->bottom, y->bottom, r->ctx);
    if (fine) {
        fmpz_mpoly_add(x->top, x->top, y->top, r->ctx);
    } else {
        fine = times(r, t, y->top, x->bottom) && times(r, x->top, x->top, y->bottom) &&
               times(r, x->bottom, x->bottom, y->bottom);
        if (fine)
            fmpz_mpoly_add(x->top, x->top, t, r->ctx);
    }
    fmpz_mpoly_clear(t, r->ctx);
    return fine;
}

static bool convert(struct ring *r, struct quotient *x, const struct math_node *a);

static bool convert_power(struct ring *r, struct quotient *x, const struct math_node *a)
{
    slong n = fmpz_get_si(fmpq_numref(a->args[1]->q));
    struct quotient base;
    quotient_init(&base, r);
    bool fine = convert(r, &base, a->args[0]);
    if (n < 0) {
        fmpz_mpoly_swap(base.top, base.bottom, r->ctx);
        fine = fine && !fmpz_mpoly_is_zero(base.bottom, r->ctx);
        n = -n;
    }
    fmpz_mpoly_one(x->top, r->ctx);
    for (; fine && n > 0; n--)
        fine = times(r, x->top, x->top, base.top) &&
               times(r, x->bottom, x->bottom, base.bottom);
    quotient_clear(&base, r);
    return fine;
}

/* x = a; x comes in as 0 / 1. */
static bool convert(struct ring *r, struct quotient *x, const struct math_node *a)
{
    struct quotient part;
    bool fine = true;
    switch (a->kind) {
    case MATH_NUMBER:
        if (fmpz_bits(fmpq_numref(a->q)) + fmpz_bits(fmpq_denref(a->q)) > BITS_MAX)
            return false;
        fmpz_mpoly_set_fmpz(x->top, fmpq_numref(a->q), r->ctx);
        fmpz_mpoly_set_fmpz(x->bottom, fmpq_denref(a->q), r->ctx);
        return true;
    case MATH_SYMBOL:
        fmpz_mpoly_gen(x->top, symbol_place(&r->symbols, a), r->ctx);
        return true;
    case MATH_PERCENT:
        fine = convert(r, x, a->args[0]);
        fmpz_mpoly_scalar_mul_ui(x->bottom, x->bottom, 100, r->ctx);
        return fine;
    case MATH_POWER: return convert_power(r, x, a);
    case MATH_SUM:
    case MATH_PRODUCT:
        if (a->kind == MATH_PRODUCT)
            fmpz_mpoly_one(x->top, r->ctx);
        for (int i = 0; fine && i < a->count; i++) {
            quotient_init(&part, r);
            fine = convert(r, &part, a->args[i]);
            if (fine && a->kind == MATH_SUM)
                fine = quotient_add(r, x, &part);
            else if (fine)
                fine = times(r, x->top, x->top, part.top) &&
                       times(r, x->bottom, x->bottom, part.bottom);
            quotient_clear(&part, r);
        }
        return fine;
    default: return false;
    }
}

/* Without the integer that divides all, its first coefficient positive. */
static void make_primitive(struct ring *r, fmpz_mpoly_t x)
{
    slong n = fmpz_mpoly_length(x, r->ctx);
    fmpz_t content, first;
    fmpz_init(content);
    fmpz_init(first);
    for (slong i = 0; i < n; i++) {
        fmpz_mpoly_get_term_coeff_fmpz(first, x, i, r->ctx);
        fmpz_gcd(content, content, first);
    }
    if (n) {
        fmpz_mpoly_get_term_coeff_fmpz(first, x, 0, r->ctx);
        if (fmpz_sgn(first) < 0)
            fmpz_neg(content, content);
        fmpz_mpoly_scalar_divexact_fmpz(x, x, content, r->ctx);
    }
    fmpz_clear(first);
    fmpz_clear(content);
}

enum question { SAME_FUNCTION, SAME_FACTORS };

static int ask(struct math_work *w, const struct math_node *a, const struct math_node *b,
               enum question question)
{
    struct ring r = {.w = w};
    struct quotient x, y;
    int answer = -1;
    if (!collect(w, a, &r.symbols, 0) || !collect(w, b, &r.symbols, 0))
        return -1;
    fmpz_mpoly_ctx_init(r.ctx, r.symbols.count ? r.symbols.count : 1, ORD_LEX);
    quotient_init(&x, &r);
    quotient_init(&y, &r);
    if (convert(&r, &x, a) && convert(&r, &y, b)) {
        if (question == SAME_FUNCTION) {
            if (times(&r, x.top, x.top, y.bottom) && times(&r, y.top, y.top, x.bottom))
                answer = fmpz_mpoly_equal(x.top, y.top, r.ctx);
        } else {
            make_primitive(&r, x.top);
            make_primitive(&r, y.top);
            answer = fmpz_mpoly_equal(x.top, y.top, r.ctx);
        }
    }
    quotient_clear(&x, &r);
    quotient_clear(&y, &r);
    fmpz_mpoly_ctx_clear(r.ctx);
    return answer;
}

int math_rational_function(struct math_work *w, const struct math_node *a,
                           const struct math_node *b)
{
    return ask(w, a, b, SAME_FUNCTION);
}

int math_same_factors(struct math_work *w, const struct math_node *a,
                      const struct math_node *b)
{
    return ask(w, a, b, SAME_FACTORS);
}

int math_coefficients(struct math_work *w, const struct math_node *a, fmpq *c)
{
    struct ring r = {.w = w};
    struct quotient x;
    int degree = -1;
    if (!collect(w, a, &r.symbols, 0) || r.symbols.count != 1)
        return -1;
    fmpz_mpoly_ctx_init(r.ctx, 1, ORD_LEX);
    quotient_init(&x, &r);
    if (convert(&r, &x, a) && fmpz_mpoly_is_fmpz(x.bottom, r.ctx) &&
        fmpz_mpoly_total_degree_si(x.top, r.ctx) <= 2) {
        degree = (int)fmpz_mpoly_total_degree_si(x.top, r.ctx);
        for (ulong power = 0; power <= 2; power++) {
            fmpz_mpoly_get_coeff_fmpz_ui(fmpq_numref(c + power), x.top, &power, r.ctx);
            fmpz_mpoly_get_fmpz(fmpq_denref(c + power), x.bottom, r.ctx);
            fmpq_canonicalise(c + power);
        }
    }
    quotient_clear(&x, &r);
    fmpz_mpoly_ctx_clear(r.ctx);
    return degree;
}
