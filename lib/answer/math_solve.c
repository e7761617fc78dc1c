/* math_solve.c: where a relation in one unknown holds: linear ones, quadratic ones, and
 * |u| against a number. */
#include "answer/math_own.h"

static const int turned[] = {MATH_EQ, MATH_NE, MATH_GT, MATH_GE, MATH_LT, MATH_LE};

static struct math_node *solve(struct math_work *w, struct math_node *left, int op,
                               struct math_node *right);

static struct math_node *interval(struct math_work *w, struct math_node *low,
                                  struct math_node *high, bool open)
{
    struct math_node *a = math_node2(w, MATH_INTERVAL, 0, low, high);
    if (a)
        a->flags = open ? MATH_OPEN_LOW | MATH_OPEN_HIGH : 0;
    return a; /* an infinite end is open whatever the flags say */
}

static struct math_node *below(struct math_work *w, struct math_node *end, bool open)
{
    struct math_node *infinity = math_constant(w, MATH_INFINITY);
    return interval(w, math_negative(w, infinity), end, open);
}

static struct math_node *above(struct math_work *w, struct math_node *end, bool open)
{
    return interval(w, end, math_constant(w, MATH_INFINITY), open);
}

static struct math_node *both(struct math_work *w, struct math_node *a,
                              struct math_node *b)
{
    return math_node2(w, MATH_UNION, 0, a, b);
}

static struct math_node *realm(struct math_work *w, int which)
{
    return math_node(w, MATH_REALM, which, 0);
}

/* The unknown against end. */
static struct math_node *half_line(struct math_work *w, struct math_node *end, int op)
{
    switch (op) {
    case MATH_EQ: return math_node1(w, MATH_SET, 0, end);
    case MATH_NE: return both(w, below(w, end, true), above(w, end, true));
    case MATH_LT: return below(w, end, true);
    case MATH_LE: return below(w, end, false);
    case MATH_GT: return above(w, end, true);
    default: return above(w, end, false);
    }
}

/* (x - low)(x - high) against 0, low < high. */
static struct math_node *between(struct math_work *w, struct math_node *low,
                                 struct math_node *high, int op)
{
    switch (op) {
    case MATH_EQ: return math_node2(w, MATH_SET, 0, low, high);
    case MATH_NE:
        return both(w, below(w, low, true),
                    both(w, interval(w, low, high, true), above(w, high, true)));
    case MATH_LT: return interval(w, low, high, true);
    case MATH_LE: return interval(w, low, high, false);
    case MATH_GT: return both(w, below(w, low, true), above(w, high, true));
    default: return both(w, below(w, low, false), above(w, high, false));
    }
}

static struct math_node *number(struct math_work *w, const fmpq_t q)
{
    struct math_node *a = math_number(w);
    if (a)
        fmpq_set(a->q, q);
    return a;
}

/* (-b + sign * sqrt(d)) / 2a */
static struct math_node *root(struct math_work *w, const fmpq *c, const fmpq_t d,
                              int sign)
{
    struct math_node *square =
        math_node2(w, MATH_POWER, 0, number(w, d),
                   math_quotient(w, math_integer(w, 1), math_integer(w, 2)));
    struct math_node *top = math_join(w, MATH_SUM, math_negative(w, number(w, c + 1)),
                                      sign < 0 ? math_negative(w, square) : square);
    struct math_node *bottom =
        math_join(w, MATH_PRODUCT, math_integer(w, 2), number(w, c + 2));
    return math_quotient(w, top, bottom);
}

static struct math_node *quadratic(struct math_work *w, fmpq *c, int op)
{
    fmpq_t d, t;
    if (fmpq_sgn(c + 2) < 0) {
        op = turned[op];
        for (int i = 0; i < 3; i++) fmpq_neg(c + i, c + i);
    }
    fmpq_init(d);
    fmpq_init(t);
    fmpq_mul(d, c + 1, c + 1);
    fmpq_mul(t, c, c + 2);
    fmpq_mul_si(t, t, 4);
    fmpq_sub(d, d, t);
    int sign = fmpq_sgn(d);
    struct math_node *a = NULL, *low = root(w, c, d, -1);
    if (sign > 0)
        a = between(w, low, root(w, c, d, 1), op);
    else if (op == MATH_GE || (sign < 0 && (op == MATH_GT || op == MATH_NE)))
        a = realm(w, 'R');
    else if (sign < 0 || op == MATH_LT)
        a = realm(w, '0');
    else /* a square: one place where it is 0 */
        a = half_line(w, low, op == MATH_GT ? MATH_NE : op == MATH_LE ? MATH_EQ : op);
    fmpq_clear(d);
    fmpq_clear(t);
    return a;
}

static struct math_node *polynomial(struct math_work *w, struct math_node *left, int op,
                                    struct math_node *right)
{
    fmpq c[3], q;
    struct math_node *a = NULL;
    struct math_node *side = math_join(w, MATH_SUM, left, math_negative(w, right));
    if (!side)
        return NULL;
    for (int i = 0; i < 3; i++) fmpq_init(c + i);
    fmpq_init(&q);
    int degree = math_coefficients(w, side, c);
    if (degree == 2) {
        a = quadratic(w, c, op);
    } else if (degree == 1) {
        fmpq_div(&q, c, c + 1);
        fmpq_neg(&q, &q);
        a = half_line(w, number(w, &q), fmpq_sgn(c + 1) < 0 ? turned[op] : op);
    }
    for (int i = 0; i < 3; i++) fmpq_clear(c + i);
    fmpq_clear(&q);
    return a;
}

/* |u| against a positive number. */
static struct math_node *absolute(struct math_work *w, struct math_node *u, int op,
                                  struct math_node *end)
{
    struct math_node *minus = math_negative(w, end), *zero = math_integer(w, 0);
    if (!minus || !zero || math_order(w, end, zero) != 1)
        return NULL;
    struct math_node *up = solve(w, u, op, end), *down = solve(w, u, turned[op], minus);
    bool inside = op == MATH_LT || op == MATH_LE || op == MATH_NE;
    return math_node2(w, inside ? MATH_INTERSECTION : MATH_UNION, 0, up, down);
}

static bool known(struct math_work *w, const struct math_node *a)
{
    return math_order(w, a, a) != 2; /* without symbols, that is */
}

static struct math_node *solve(struct math_work *w, struct math_node *left, int op,
                               struct math_node *right)
{
    if (left->kind == MATH_SYMBOL && known(w, right))
        return half_line(w, right, op);
    if (right->kind == MATH_SYMBOL && known(w, left))
        return half_line(w, left, turned[op]);
    if (left->kind == MATH_CALL && left->op == MATH_F_ABS && known(w, right))
        return absolute(w, left->args[0], op, right);
    if (right->kind == MATH_CALL && right->op == MATH_F_ABS && known(w, left))
        return absolute(w, right->args[0], turned[op], left);
    return polynomial(w, left, op, right);
}

/* f(x) < 2 is read with f(x) as its unknown. */
static struct math_node *unknown(struct math_work *w, struct math_node *a)
{
    return a->kind == MATH_CALL && a->op == MATH_F_UNKNOWN ? math_symbol(w, "f", 1) : a;
}

struct math_node *math_solutions(struct math_work *w, struct math_node *relation)
{
    struct math_node *all = NULL, *left, *right;
    if (relation->kind == MATH_RELATION) {
        left = unknown(w, relation->args[0]);
        right = unknown(w, relation->args[1]);
        return left && right ? solve(w, left, relation->op, right) : NULL;
    }
    for (int i = 0; i < relation->count; i++) {
        struct math_node *one = math_solutions(w, relation->args[i]);
        if (!one || (i && known(w, relation->args[i]->args[0])))
            return NULL; /* x < 1 < y speaks of two unknowns */
        all = all ? math_node2(w, MATH_INTERSECTION, 0, all, one) : one;
    }
    return all;
}
