/* math_sets.c: comparing sets, tuples and intervals. */
#include "answer/math_own.h"

/* -- Sets of reals as disjoint pieces ------------------------------------- */

enum { PIECES_MAX = 40 };

struct piece {
    struct math_node *low, *high;
    bool open_low, open_high;
};

struct pieces {
    struct piece list[PIECES_MAX];
    int count;
};

/* Which of two lower ends comes first: -1, 0, 1; 2 not known. */
static int compare_low(struct math_work *w, const struct piece *a, const struct piece *b)
{
    int order = math_order(w, a->low, b->low);
    return order == 0 ? a->open_low - b->open_low : order;
}

static int compare_high(struct math_work *w, const struct piece *a, const struct piece *b)
{
    int order = math_order(w, a->high, b->high);
    return order == 0 ? b->open_high - a->open_high : order;
}

/* Does a end where b begins, or later, so that the two are one piece? */
static bool touches(struct math_work *w, const struct piece *a, const struct piece *b)
{
    int order = math_order(w, a->high, b->low);
    return order == 1 || (order == 0 && !(a->open_high && b->open_low));
}

/* Add a piece, keeping the list in order and apart. false: an order is not known. */
static bool pieces_add(struct math_work *w, struct pieces *p, struct piece new)
{
    struct pieces out = {.count = 0};
    bool placed = false;
    for (int i = 0; i <= p->count; i++) {
        struct piece *next = i < p->count ? &p->list[i] : NULL;
        int order = next ? compare_low(w, &new, next) : -1;
        if (order == 2 || out.count >= PIECES_MAX - 1)
            return false;
        if (!placed && order <= 0) {
            out.list[out.count++] = new;
            placed = true;
        }
        if (next)
            out.list[out.count++] = *next;
    }
    p->count = 0;
    for (int i = 0; i < out.count; i++) {
        struct piece *last = p->count ? &p->list[p->count - 1] : NULL;
        if (last && touches(w, last, &out.list[i])) {
            int order = compare_high(w, last, &out.list[i]);
            if (order == 2)
                return false;
            if (order < 0) {
                last->high = out.list[i].high;
                last->open_high = out.list[i].open_high;
            }
        } else {
            p->list[p->count++] = out.list[i];
        }
    }
    return true;
}

static bool intersect(struct math_work *w, const struct pieces *a, const struct pieces *b,
                      struct pieces *out)
{
    out->count = 0;
    for (int i = 0; i < a->count; i++)
        for (int k = 0; k < b->count; k++) {
            const struct piece *x = &a->list[i], *y = &b->list[k];
            int low = compare_low(w, x, y), high = compare_high(w, x, y), order;
            if (low == 2 || high == 2)
                return false;
            const struct piece *from = low >= 0 ? x : y, *to = high <= 0 ? x : y;
            struct piece both = {from->low, to->high, from->open_low, to->open_high};
            order = math_order(w, both.low, both.high);
            if (order == 2)
                return false;
            if ((order < 0 || (order == 0 && !both.open_low && !both.open_high)) &&
                !pieces_add(w, out, both))
                return false;
        }
    return true;
}

static bool complement(struct math_work *w, const struct pieces *a, struct pieces *out)
{
    struct math_node *infinity = math_constant(w, MATH_INFINITY), *low;
    bool open = true;
    if (!infinity || !(low = math_negative(w, infinity)))
        return false;
    out->count = 0;
    for (int i = 0; i <= a->count; i++) {
        const struct piece *next = i < a->count ? &a->list[i] : NULL;
        struct piece gap = {low, next ? next->low : infinity, open,
                            next ? !next->open_low : true};
        int order = math_order(w, gap.low, gap.high);
        if (order == 2 || out->count >= PIECES_MAX - 1)
            return false;
        if (order < 0 || (order == 0 && !gap.open_low && !gap.open_high))
            out->list[out->count++] = gap;
        if (next) {
            low = next->high;
            open = !next->open_high;
        }
    }
    return true;
}

static bool is_infinite(struct math_work *w, struct math_node *a, int sign)
{
    struct math_node *zero = math_integer(w, 0);
    struct math_node *infinity = math_constant(w, MATH_INFINITY);
    if (sign < 0)
        infinity = math_negative(w, infinity);
    return zero && infinity && math_order(w, a, infinity) == 0 &&
           math_order(w, a, zero) == sign;
}

/* The pieces of a set of reals; false: it is none, or an order is not known. */
static bool pieces_of(struct math_work *w, const struct math_node *a, struct pieces *out,
                      int depth)
{
    struct pieces left, right, rest;
    out->count = 0;
    if (depth > 30 || !math_burn(w, 20))
        return false;
    switch (a->kind) {
    case MATH_SET:
        for (int i = 0; i < a->count; i++)
            if (math_order(w, a->args[i], a->args[i]) == 2 ||
                !pieces_add(w, out, (struct piece){a->args[i], a->args[i], false, false}))
                return false;
        return true;
    case MATH_INTERVAL:
        if (math_order(w, a->args[0], a->args[1]) == 2)
            return false;
        return pieces_add(
            w, out,
            (struct piece){a->args[0], a->args[1],
                           (a->flags & MATH_OPEN_LOW) || is_infinite(w, a->args[0], -1),
                           (a->flags & MATH_OPEN_HIGH) || is_infinite(w, a->args[1], 1)});
    case MATH_REALM:
        if (a->op == 'R')
            return complement(w, out, &rest) && (*out = rest, true);
        return a->op == '0';
    case MATH_UNION:
        if (!pieces_of(w, a->args[0], out, depth + 1) ||
            !pieces_of(w, a->args[1], &right, depth + 1))
            return false;
        for (int i = 0; i < right.count; i++)
            if (!pieces_add(w, out, right.list[i]))
                return false;
        return true;
    case MATH_INTERSECTION:
        return pieces_of(w, a->args[0], &left, depth + 1) &&
               pieces_of(w, a->args[1], &right, depth + 1) &&
               intersect(w, &left, &right, out);
    case MATH_MINUS:
        return pieces_of(w, a->args[0], &left, depth + 1) &&
               pieces_of(w, a->args[1], &right, depth + 1) &&
               complement(w, &right, &rest) && intersect(w, &left, &rest, out);
    default: return false;
    }
}

static bool same_pieces(struct math_work *w, const struct math_node *a,
                        const struct math_node *b)
{
    struct pieces x, y;
    if (!pieces_of(w, a, &x, 0) || !pieces_of(w, b, &y, 0) || x.count != y.count)
        return false;
    for (int i = 0; i < x.count; i++)
        if (compare_low(w, &x.list[i], &y.list[i]) != 0 ||
            compare_high(w, &x.list[i], &y.list[i]) != 0)
            return false;
    return true;
}

/* -- Finite sets and tuples ----------------------------------------------- */

/* The elements of a set, each form once. */
static struct math_node *distinct(struct math_work *w, struct math_node *a)
{
    struct math_node *b = math_node(w, MATH_SET, 0, a->count);
    if (!b)
        return NULL;
    b->count = 0;
    for (int i = 0; i < a->count; i++) {
        bool seen = false;
        for (int k = 0; k < b->count && !seen; k++)
            seen = math_same(w, a->args[i], b->args[k]);
        if (!seen)
            b->args[b->count++] = a->args[i];
    }
    return b;
}

static bool same_in_order(struct math_work *w, struct math_node *a, struct math_node *b,
                          int digits)
{
    for (int i = 0; i < a->count; i++)
        if (!math_equal(w, a->args[i], b->args[i], digits))
            return false;
    return a->count == b->count;
}

static bool same_in_any_order(struct math_work *w, struct math_node *a,
                              struct math_node *b, int digits)
{
    if (a->count != b->count)
        return false;
    bool *taken = math_alloc(w, (size_t)b->count + 1);
    for (int i = 0; taken && i < a->count; i++) {
        int k = 0;
        while (k < b->count &&
               (taken[k] || !math_equal(w, a->args[i], b->args[k], digits)))
            k++;
        if (k == b->count)
            return false;
        taken[k] = true;
    }
    return taken != NULL;
}

/* A gold tuple wants the order; a gold set takes a tuple in any order. */
static bool same_elements(struct math_work *w, struct math_node *gold,
                          struct math_node *other, int digits)
{
    if (gold->kind == MATH_TUPLE)
        return gold->count == other->count && same_in_order(w, gold, other, digits);
    return same_in_any_order(w, gold, other, digits);
}

static struct math_node *ends(struct math_work *w, struct math_node *interval)
{
    return math_node2(w, MATH_TUPLE, 0, interval->args[0], interval->args[1]);
}

static bool open_pair(struct math_work *w, struct math_node *a)
{
    bool low = (a->flags & MATH_OPEN_LOW) || is_infinite(w, a->args[0], -1);
    bool high = (a->flags & MATH_OPEN_HIGH) || is_infinite(w, a->args[1], 1);
    return a->kind == MATH_INTERVAL && low && high;
}

bool math_sets_equal(struct math_work *w, struct math_node *gold, struct math_node *other,
                     int digits)
{
    struct math_node *a = gold, *b = other;
    if (!math_is_set(a) && a->kind != MATH_TUPLE)
        a = math_node1(w, MATH_SET, 0, a);
    if (!math_is_set(b) && b->kind != MATH_TUPLE)
        b = math_node1(w, MATH_SET, 0, b);
    if (a && a->kind == MATH_SET)
        a = distinct(w, a);
    if (b && b->kind == MATH_SET) {
        int written = b->count;
        b = distinct(w, b);
        if (b && a && a->kind == MATH_TUPLE && b->count != written)
            return false; /* as a list it is longer than as a set */
    }
    if (!a || !b)
        return false;
    bool lists = (a->kind == MATH_SET || a->kind == MATH_TUPLE) &&
                 (b->kind == MATH_SET || b->kind == MATH_TUPLE);
    if (a->kind == MATH_INTERVAL && b->kind == MATH_INTERVAL)
        return same_pieces(w, a, b) ||
               (a->flags == b->flags && same_in_order(w, a, b, digits));
    if (math_same(w, a, b))
        return true;
    if (lists && same_elements(w, a, b, digits))
        return true;
    if (math_is_set(a) && math_is_set(b) && same_pieces(w, a, b))
        return true;
    if (a->kind == MATH_INTERVAL && (b->kind == MATH_SET || b->kind == MATH_TUPLE))
        return b->count == 2 && open_pair(w, a) && (a = ends(w, a)) &&
               same_elements(w, a, b, digits);
    if (b->kind == MATH_INTERVAL && (a->kind == MATH_SET || a->kind == MATH_TUPLE))
        return a->count == 2 && open_pair(w, b) && (b = ends(w, b)) &&
               same_elements(w, a, b, digits);
    return false;
}
