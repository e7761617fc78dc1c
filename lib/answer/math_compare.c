/* math_compare.c: when two answers stand for the same: math-verify's rules, in its order.
 *
 * An assignment (x = 5) is its value where the other side is none; relations compare by
 * the difference of their sides; a number with a decimal point compares rounded; symbols
 * compare as words; all else is a matter of value.
 */
#include "answer/math_own.h"
#include <flint/fmpz.h>

static bool compare(struct math_work *w, struct math_node *gold, struct math_node *other,
                    const struct math_rules *rules);

static struct math_node *first_relation(struct math_node *a)
{
    return a->kind == MATH_CHAIN ? a->args[0] : a;
}

static struct math_node *last_relation(struct math_node *a)
{
    return a->kind == MATH_CHAIN ? a->args[a->count - 1] : a;
}

static bool is_assignment(struct math_node *a)
{
    return math_is_equation(a) && math_only_symbols(first_relation(a)->args[0]);
}

/* a = b = c, as a = c. */
static struct math_node *shortened(struct math_work *w, struct math_node *a)
{
    return a->kind != MATH_CHAIN
               ? a
               : math_node2(w, MATH_RELATION, MATH_EQ, first_relation(a)->args[0],
                            last_relation(a)->args[1]);
}

static bool alike(struct math_work *w, const struct math_node *a,
                  const struct math_node *b);

/* Is every element of a in b? */
static bool within(struct math_work *w, const struct math_node *a,
                   const struct math_node *b)
{
    for (int i = 0, k; i < a->count; i++) {
        for (k = 0; k < b->count && !alike(w, a->args[i], b->args[k]);) k++;
        if (k == b->count)
            return false;
    }
    return true;
}

/* Written the same; sets in any order, whatever is in them twice. */
static bool alike(struct math_work *w, const struct math_node *a,
                  const struct math_node *b)
{
    if (a->kind == MATH_CONSTANT && a->op == MATH_UNDEFINED)
        return false;
    if (math_same(w, a, b))
        return true;
    if (a->kind != b->kind || a->op != b->op || a->flags != b->flags || !math_burn(w, 1))
        return false;
    if (a->kind == MATH_SET)
        return within(w, a, b) && within(w, b, a);
    if (a->count != b->count ||
        (a->kind != MATH_RELATION && a->kind != MATH_TUPLE && a->kind != MATH_UNION))
        return false;
    for (int i = 0; i < a->count; i++)
        if (!alike(w, a->args[i], b->args[i]))
            return false;
    return true;
}

/* -- Numbers -------------------------------------------------------------- */

static const struct math_node *number_of(const struct math_node *a)
{
    if (a->kind == MATH_PERCENT)
        a = a->args[0];
    return a->kind == MATH_NUMBER ? a : NULL;
}

/* An integer, and not by way of a float. */
static bool holds_float(const struct math_node *a, int depth)
{
    if (a->kind == MATH_NUMBER)
        return (a->flags & MATH_FLOAT) != 0;
    for (int i = 0; i < a->count && depth < 60; i++)
        if (holds_float(a->args[i], depth + 1))
            return true;
    return false;
}

static bool whole(struct math_work *w, const struct math_node *a)
{
    fmpq_t q;
    fmpq_init(q);
    bool found =
        !holds_float(a, 0) && math_rational(w, a, q, 0) && fmpz_is_one(fmpq_denref(q));
    fmpq_clear(q);
    return found;
}

static bool values_equal(struct math_work *w, const struct math_node *a,
                         const struct math_node *b, int digits)
{
    const struct math_node *x = number_of(a), *y = number_of(b);
    bool decimal = (x && (x->flags & MATH_FLOAT)) || (y && (y->flags & MATH_FLOAT));
    if (decimal && !whole(w, a) && !whole(w, b) &&
        math_rounded_equal(w, a, b, digits) == 1)
        return true;
    if (x && y && math_is_integer(x) && math_is_integer(y) && fmpq_equal(x->q, y->q))
        return true; /* 9 is 9% */
    return math_identical(w, a, b);
}

/* -- Matrices ------------------------------------------------------------- */

static struct math_node *scaled(struct math_work *w, struct math_node *matrix,
                                struct math_node *by)
{
    struct math_node *a = math_node(w, MATH_MATRIX, matrix->op, matrix->count);
    for (int i = 0; a && i < a->count; i++)
        if (!(a->args[i] = math_join(w, MATH_PRODUCT, by, matrix->args[i])))
            return NULL;
    return a;
}

static struct math_node *matrix_product(struct math_work *w, struct math_node *a,
                                        struct math_node *b)
{
    int inner = a->op, columns = b->op, rows = a->count / inner;
    if (b->count / columns != inner)
        return NULL;
    struct math_node *c = math_node(w, MATH_MATRIX, columns, rows * columns);
    for (int i = 0; c && i < c->count; i++) {
        struct math_node *sum = NULL;
        for (int k = 0; k < inner; k++) {
            struct math_node *term =
                math_join(w, MATH_PRODUCT, a->args[i / columns * inner + k],
                          b->args[k * columns + i % columns]);
            sum = sum ? math_join(w, MATH_SUM, sum, term) : term;
        }
        if (!(c->args[i] = sum))
            return NULL;
    }
    return c;
}

static struct math_node *matrix_sum(struct math_work *w, struct math_node *a,
                                    struct math_node *b)
{
    if (a->op != b->op || a->count != b->count)
        return NULL;
    struct math_node *c = math_node(w, MATH_MATRIX, a->op, a->count);
    for (int i = 0; c && i < c->count; i++)
        if (!(c->args[i] = math_join(w, MATH_SUM, a->args[i], b->args[i])))
            return NULL;
    return c;
}

/* Sums and products of matrices as one matrix; else a itself; NULL: they do not fit. */
static struct math_node *matrix_of(struct math_work *w, struct math_node *a, int depth)
{
    struct math_node *all = NULL;
    if ((a->kind != MATH_SUM && a->kind != MATH_PRODUCT) || depth > 20)
        return a;
    for (int i = 0; i < a->count; i++) {
        struct math_node *part = matrix_of(w, a->args[i], depth + 1);
        if (!part)
            return NULL;
        if (!all) {
            all = part;
            continue;
        }
        bool left = all->kind == MATH_MATRIX, right = part->kind == MATH_MATRIX;
        if (a->kind == MATH_SUM)
            all = left && right ? matrix_sum(w, all, part) : left || right ? NULL : a;
        else if (left && right)
            all = matrix_product(w, all, part);
        else if (left || right)
            all = scaled(w, left ? all : part, left ? part : all);
        else
            all = math_join(w, MATH_PRODUCT, all, part);
        if (!all || all == a)
            return all;
    }
    return all && all->kind == MATH_MATRIX ? all : a;
}

static bool matrices_equal(struct math_work *w, struct math_node *a, struct math_node *b,
                           int digits)
{
    if (a->kind != b->kind || a->op != b->op || a->count != b->count)
        return false;
    for (int i = 0; i < a->count; i++)
        if (!values_equal(w, a->args[i], b->args[i], digits))
            return false;
    return true;
}

/* -- Words ---------------------------------------------------------------- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

static bool is_e(const struct math_node *a)
{
    return a->kind == MATH_CONSTANT && a->op == MATH_E;
}

/* "cat" against c * a * t. */
static bool spells(const struct math_node *word, const struct math_node *letters)
{
    size_t at = 0;
    if (letters->kind != MATH_PRODUCT)
        return false;
    for (int i = 0; i < letters->count; i++) {
        const struct math_node *a = letters->args[i];
        struct span name = is_e(a) ? span_of("e") : a->name;
        if (a->kind != MATH_SYMBOL && !is_e(a))
            return false;
        for (size_t k = 0; k < name.n; k++, at++)
            if (at >= word->name.n || lower(word->name.s[at]) != lower(name.s[k]))
                return false;
    }
    return at == word->name.n;
}

/* "n/a" against n / a. */
static bool spells_ratio(struct span word, const struct math_node *a)
{
    const char *slash = word.n ? memchr(word.s, '/', word.n) : NULL;
    if (!slash || a->kind != MATH_PRODUCT || a->count != 2 || !math_only_symbols(a) ||
        a->args[0]->kind != MATH_SYMBOL || a->args[1]->kind != MATH_POWER ||
        a->args[1]->args[0]->kind != MATH_SYMBOL)
        return false;
    struct span top = a->args[0]->name, bottom = a->args[1]->args[0]->name;
    return top.n == (size_t)(slash - word.s) && bottom.n == word.n - top.n - 1 &&
           memcmp(top.s, word.s, top.n) == 0 &&
           memcmp(bottom.s, slash + 1, bottom.n) == 0;
}

static bool symbols_equal(const struct math_node *a, const struct math_node *b)
{
    if (b->kind == MATH_SYMBOL && a->kind != MATH_SYMBOL)
        return symbols_equal(b, a);
    if (b->kind == MATH_SYMBOL) {
        if (a->name.n != b->name.n)
            return false;
        for (size_t i = 0; i < a->name.n; i++)
            if (a->name.n > 1 ? lower(a->name.s[i]) != lower(b->name.s[i])
                              : a->name.s[i] != b->name.s[i])
                return false;
        return true;
    }
    return is_e(b) ? a->name.n == 1 && lower(a->name.s[0]) == 'e'
                   : spells(a, b) || spells_ratio(a->name, b);
}

/* -- Relations ------------------------------------------------------------ */

static int count_symbols(const struct math_node *a, const struct math_node **list,
                         int count, int max, int depth)
{
    if (a->kind == MATH_SYMBOL) {
        for (int i = 0; i < count; i++)
            if (list[i]->flags == a->flags && list[i]->name.n == a->name.n &&
                memcmp(list[i]->name.s, a->name.s, a->name.n) == 0)
                return count;
        if (count < max)
            list[count++] = a;
    }
    for (int i = 0; i < a->count && depth < 60; i++)
        count = count_symbols(a->args[i], list, count, max, depth + 1);
    return count;
}

static bool scalar(const struct math_node *a)
{
    return !math_is_set(a) && a->kind != MATH_TUPLE && !math_is_relation(a) &&
           a->kind != MATH_MATRIX;
}

static bool relations_equal(struct math_work *w, struct math_node *gold,
                            struct math_node *other, int digits)
{
    static const int turned[] = {MATH_EQ, -1, MATH_GT, MATH_GE, MATH_LT, MATH_LE};
    const struct math_node *list[4];
    if (gold->kind == MATH_CHAIN && other->kind == MATH_CHAIN) {
        for (int i = 0; i < gold->count; i++)
            if (gold->count != other->count ||
                !relations_equal(w, gold->args[i], other->args[i], digits))
                return false;
        return true;
    }
    if (gold->kind != MATH_RELATION || other->kind != MATH_RELATION)
        return false;
    for (int i = 0; i < 2; i++)
        if (!scalar(gold->args[i]) || !scalar(other->args[i]))
            return false;
    struct math_node *a =
        math_join(w, MATH_SUM, gold->args[0], math_negative(w, gold->args[1]));
    struct math_node *b =
        math_join(w, MATH_SUM, other->args[0], math_negative(w, other->args[1]));
    struct math_node *c =
        math_join(w, MATH_SUM, other->args[1], math_negative(w, other->args[0]));
    if (!a || !b || !c)
        return false;
    if (gold->op == other->op && math_equal(w, a, b, digits))
        return true;
    if (turned[gold->op] == other->op && math_equal(w, a, c, digits))
        return true;
    /* equations in several unknowns say the same if they have the same solutions */
    return gold->op == MATH_EQ && other->op == MATH_EQ &&
           count_symbols(gold, list, 0, 4, 0) > 1 && math_same_factors(w, a, b) == 1;
}

/* -- The order of the rules ----------------------------------------------- */

/* other with its symbols renamed to gold's, where there are as many. */
static struct math_node *renamed(struct math_work *w, struct math_node *a,
                                 const struct math_node **from,
                                 const struct math_node **to, int count, int depth)
{
    if (depth > MATH_DEPTH_MAX || !math_burn(w, 1))
        return a;
    if (a->kind == MATH_SYMBOL) {
        for (int i = 0; i < count; i++)
            if (math_same(w, a, from[i])) {
                struct math_node *b = math_symbol(w, to[i]->name.s, to[i]->name.n);
                if (b)
                    b->flags = to[i]->flags;
                return b ? b : a;
            }
        return a;
    }
    struct math_node *b = math_node(w, a->kind, a->op, a->count);
    if (!b)
        return a;
    b->flags = a->flags;
    b->name = a->name;
    b->q = a->q;
    for (int i = 0; i < a->count; i++)
        b->args[i] = renamed(w, a->args[i], from, to, count, depth + 1);
    return b;
}

static struct math_node *rename_symbols(struct math_work *w, struct math_node *gold,
                                        struct math_node *other)
{
    enum { SYMBOLS = 16 };
    const struct math_node *from[SYMBOLS], *to[SYMBOLS];
    int n = count_symbols(other, from, 0, SYMBOLS, 0);
    return n && n == count_symbols(gold, to, 0, SYMBOLS, 0)
               ? renamed(w, other, from, to, n, 0)
               : other;
}

static bool compare(struct math_work *w, struct math_node *gold, struct math_node *other,
                    const struct math_rules *rules)
{
    struct math_node *a;
    if (!rules->strict)
        other = rename_symbols(w, gold, other);
    bool gold_assigns = is_assignment(gold), gold_equates = math_is_equation(gold);
    bool equates = math_is_equation(other);
    if (gold_assigns)
        gold = shortened(w, gold);
    if (is_assignment(other))
        other = shortened(w, other);
    if (!gold || !other)
        return false;
    if (equates && !gold_equates)
        other = last_relation(other)->args[1];
    else if (gold_assigns && !equates)
        gold = last_relation(gold)->args[1];
    if (math_is_relation(gold) && math_is_set(other) && (a = math_solutions(w, gold)))
        gold = a;
    if (rules->set_relations && math_is_relation(other) && math_is_set(gold) &&
        (a = math_solutions(w, other)))
        other = a;
    if (gold->kind == MATH_CONSTANT && gold->op == MATH_UNDEFINED)
        return false;
    if (alike(w, gold, other))
        return true;
    if (math_is_relation(gold) && math_is_relation(other))
        return relations_equal(w, gold, other, rules->digits);
    if (math_is_set(gold) || math_is_set(other) || gold->kind == MATH_TUPLE ||
        other->kind == MATH_TUPLE)
        return math_sets_equal(w, gold, other, rules->digits);
    if (gold->kind == MATH_SYMBOL || other->kind == MATH_SYMBOL)
        return symbols_equal(gold, other);
    if (math_is_relation(gold) || math_is_relation(other))
        return false;
    if (!(gold = matrix_of(w, gold, 0)) || !(other = matrix_of(w, other, 0)))
        return false;
    if (gold->kind == MATH_MATRIX || other->kind == MATH_MATRIX)
        return matrices_equal(w, gold, other, rules->digits);
    return values_equal(w, gold, other, rules->digits);
}

bool math_compare(struct math_work *w, struct math_node *gold, struct math_node *other,
                  const struct math_rules *rules)
{
    return math_burn(w, 10) && compare(w, gold, other, rules);
}

bool math_equal(struct math_work *w, struct math_node *a, struct math_node *b, int digits)
{
    struct math_rules rules = math_defaults();
    rules.digits = digits;
    return math_compare(w, a, b, &rules);
}
