/* math_sum.c: expressions: sums, products, signs, factors side by side, powers. */
#include "answer/math_reader.h"

static bool is_matrix(const struct math_node *a)
{
    return a->kind == MATH_MATRIX;
}

/* 2 \frac{1}{2} is a mixed number; so is, as the reference has it, any integer that
 * stands right before a positive rational. */
static struct math_node *side_by_side(struct math_reader *r, struct math_node *a,
                                      struct math_node *b)
{
    if (!a || !b)
        return NULL;
    if (math_is_integer(a) && b->kind == MATH_NUMBER && !(b->flags & MATH_FLOAT) &&
        fmpq_sgn(b->q) > 0) {
        struct math_node *mixed = math_number(r->w);
        if (!mixed)
            return NULL;
        if (fmpq_sgn(a->q) < 0)
            fmpq_sub(mixed->q, a->q, b->q);
        else
            fmpq_add(mixed->q, a->q, b->q);
        return mixed;
    }
    return math_join(r->w, MATH_PRODUCT, a, b);
}

static struct math_node *read_raised(struct math_reader *r, bool functions)
{
    struct math_node *a = math_read_part(r, functions), *exponent;
    while (a && math_peek(r) == MATH_T_HIGH) {
        if (!(exponent = math_read_power(r)))
            return NULL;
        a = math_node2(r->w, MATH_POWER, 0, a, exponent);
        if (math_peek(r) == MATH_T_LOW) { /* an index here says nothing */
            r->at++;
            if (!(math_peek(r) == MATH_T_BRACE ? math_read_braced(r) : math_read_atom(r)))
                return NULL;
        }
    }
    return a;
}

static struct math_node *read_postfix(struct math_reader *r, bool functions)
{
    struct math_node *a = read_raised(r, functions);
    for (; a; r->at++) {
        if (math_peek(r) == MATH_T_FACTORIAL)
            a = math_node1(r->w, MATH_CALL, MATH_F_FACTORIAL, a);
        else if (math_peek(r) == MATH_T_TRANSPOSE && is_matrix(a)) {
            int columns = a->op, rows = columns ? a->count / columns : 0;
            struct math_node *t = math_node(r->w, MATH_MATRIX, rows, a->count);
            for (int i = 0; t && i < a->count; i++)
                t->args[i % columns * rows + i / columns] = a->args[i];
            a = t;
        } else if (math_peek(r) != MATH_T_DEGREE && math_peek(r) != MATH_T_TRANSPOSE) {
            break;
        }
    }
    return a;
}

/* Factors side by side, joined from the right as mixed numbers want it. */
static struct math_node *read_factors(struct math_reader *r, bool argument)
{
    enum { FACTORS_MAX = 1000 };
    struct math_node *some[16], **factors = some, *a;
    int count = 0, room = 16, from;
    for (; count < FACTORS_MAX; count++) {
        from = r->at;
        if (!(a = read_postfix(r, !argument || count == 0))) {
            r->at = from;
            break;
        }
        if (count == room) {
            struct math_node **more =
                math_alloc(r->w, (size_t)room * 2 * sizeof(struct math_node *));
            if (!more)
                return NULL;
            memcpy(more, factors, (size_t)room * sizeof *more);
            factors = more;
            room *= 2;
        }
        factors[count] = a;
    }
    if (count == 0 || r->w->spent)
        return NULL;
    for (a = factors[--count]; count-- > 0;) a = side_by_side(r, factors[count], a);
    return a;
}

static struct math_node *read_unary(struct math_reader *r, bool argument)
{
    bool negative = false, any = false;
    for (; math_peek(r) == MATH_T_PLUS || math_peek(r) == MATH_T_MINUS; r->at++) {
        negative ^= math_peek(r) == MATH_T_MINUS;
        any = true;
    }
    struct math_node *a = read_factors(r, argument);
    return any && negative ? math_negative(r->w, a) : a;
}

static struct math_node *read_product(struct math_reader *r, bool argument)
{
    struct math_node *a = read_unary(r, argument), *b;
    for (int op; a; a = op == MATH_T_TIMES ? math_join(r->w, MATH_PRODUCT, a, b)
                        : op == MATH_T_DIVIDE
                            ? math_quotient(r->w, a, b)
                            : math_node2(r->w, MATH_CALL, MATH_F_MOD, a, b)) {
        op = math_peek(r);
        if (op != MATH_T_TIMES && op != MATH_T_DIVIDE && op != MATH_T_MOD)
            return a;
        r->at++;
        if (!(b = read_unary(r, argument)))
            return NULL;
    }
    return NULL;
}

struct math_node *math_read_product(struct math_reader *r)
{
    return read_product(r, false);
}

struct math_node *math_read_argument(struct math_reader *r)
{
    return read_product(r, true);
}

static struct math_node *read_sum_anew(struct math_reader *r)
{
    struct math_node *a = read_product(r, false), *b;
    while (a && (math_peek(r) == MATH_T_PLUS || math_peek(r) == MATH_T_MINUS)) {
        bool minus = math_peek(r) == MATH_T_MINUS;
        int from = r->at++;
        if (!(b = read_product(r, false))) {
            r->at = from; /* a sign that belongs to somebody else: "2^+" */
            break;
        }
        a = math_join(r->w, MATH_SUM, a, minus ? math_negative(r->w, b) : b);
    }
    return a;
}

struct math_node *math_read_sum(struct math_reader *r)
{
    struct math_memo *memo = &r->sums[r->at];
    if (memo->end == 0) {
        if (r->depth >= MATH_DEPTH_MAX || !math_burn(r->w, 4))
            return NULL;
        r->depth++;
        memo->node = read_sum_anew(r);
        r->depth--;
        memo->end = memo->node ? r->at + 1 : -1;
    }
    if (memo->end < 0)
        return NULL;
    r->at = memo->end - 1;
    return memo->node;
}
