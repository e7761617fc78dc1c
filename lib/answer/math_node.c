/* math_node.c: memory of a comparison, and the nodes of expressions. */
#include "answer/math_own.h"
#include <flint/fmpz.h>
#include <stdlib.h>

struct math_block {
    struct math_block *next;
    size_t used, size;
    _Alignas(16) char data[];
};

struct math_number {
    struct math_number *next;
    fmpq q;
};

void math_work_free(struct math_work *w)
{
    for (struct math_number *n = w->numbers; n; n = n->next) fmpq_clear(&n->q);
    for (struct math_block *b = w->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    w->numbers = NULL;
    w->blocks = NULL;
}

bool math_burn(struct math_work *w, int64_t steps)
{
    if (!w->spent && !fuel_burn(w->fuel, steps))
        w->spent = true;
    return !w->spent;
}

void *math_alloc(struct math_work *w, size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    struct math_block *b = w->blocks;
    if (w->spent)
        return NULL;
    if (!b || b->size - b->used < bytes) {
        size_t size = bytes > 16000 ? bytes : 16000;
        if (w->memory + size > MATH_MEMORY_MAX || !(b = malloc(sizeof *b + size))) {
            w->spent = true;
            return NULL;
        }
        w->memory += size;
        *b = (struct math_block){.next = w->blocks, .size = size};
        w->blocks = b;
    }
    void *at = b->data + b->used;
    b->used += bytes;
    return memset(at, 0, bytes);
}

struct math_node *math_node(struct math_work *w, enum math_kind kind, int op, int count)
{
    if (!math_burn(w, 1))
        return NULL;
    struct math_node *a = math_alloc(w, sizeof *a);
    if (!a)
        return NULL;
    *a = (struct math_node){.kind = kind, .op = op, .count = count};
    if (count > 0 && !(a->args = math_alloc(w, (size_t)count * sizeof *a->args)))
        return NULL;
    return a;
}

struct math_node *math_node1(struct math_work *w, enum math_kind kind, int op,
                             struct math_node *a)
{
    struct math_node *node = a ? math_node(w, kind, op, 1) : NULL;
    if (node)
        node->args[0] = a;
    return node;
}

struct math_node *math_node2(struct math_work *w, enum math_kind kind, int op,
                             struct math_node *a, struct math_node *b)
{
    struct math_node *node = a && b ? math_node(w, kind, op, 2) : NULL;
    if (node) {
        node->args[0] = a;
        node->args[1] = b;
    }
    return node;
}

struct math_node *math_number(struct math_work *w)
{
    struct math_node *a = math_node(w, MATH_NUMBER, 0, 0);
    struct math_number *n = a ? math_alloc(w, sizeof *n) : NULL;
    if (!n)
        return NULL;
    fmpq_init(&n->q);
    n->next = w->numbers;
    w->numbers = n;
    a->q = &n->q;
    return a;
}

struct math_node *math_integer(struct math_work *w, slong value)
{
    struct math_node *a = math_number(w);
    if (a)
        fmpq_set_si(a->q, value, 1);
    return a;
}

struct math_node *math_decimal(struct math_work *w, struct span digits)
{
    enum { DIGITS_MAX = 2000 }; /* more is no answer, and reading them is quadratic */
    if (digits.n == 0 || digits.n > DIGITS_MAX || !math_burn(w, (int64_t)digits.n))
        return NULL;
    char *plain = math_alloc(w, digits.n + 1);
    size_t n = 0, decimals = 0;
    bool point = false, negative = digits.s[0] == '-';
    if (!plain)
        return NULL;
    for (size_t i = negative; i < digits.n; i++) {
        char c = digits.s[i];
        if (c >= '0' && c <= '9') {
            plain[n++] = c;
            decimals += point;
        } else if ((c == '.' || c == ',') && !point) {
            point = true;
        } else {
            return NULL;
        }
    }
    struct math_node *a = n ? math_number(w) : NULL;
    if (!a)
        return NULL;
    fmpz_set_str(fmpq_numref(a->q), plain, 10);
    if (negative)
        fmpz_neg(fmpq_numref(a->q), fmpq_numref(a->q));
    fmpz_set_ui(fmpq_denref(a->q), 10);
    fmpz_pow_ui(fmpq_denref(a->q), fmpq_denref(a->q), decimals);
    fmpq_canonicalise(a->q);
    a->flags = point ? MATH_FLOAT : 0;
    return a;
}

struct math_node *math_symbol(struct math_work *w, const char *name, size_t size)
{
    struct math_node *a = math_node(w, MATH_SYMBOL, 0, 0);
    if (a)
        a->name = (struct span){name, size};
    return a;
}

struct math_node *math_constant(struct math_work *w, enum math_constant op)
{
    return math_node(w, MATH_CONSTANT, op, 0);
}

struct math_node *math_join(struct math_work *w, enum math_kind kind, struct math_node *a,
                            struct math_node *b)
{
    if (!a || !b)
        return NULL;
    int left = a->kind == kind ? a->count : 1, right = b->kind == kind ? b->count : 1;
    if (left + right > MATH_ARGUMENTS_MAX || !math_burn(w, left + right))
        return NULL;
    struct math_node *node = math_node(w, kind, 0, left + right);
    if (!node)
        return NULL;
    for (int i = 0; i < left; i++) node->args[i] = a->kind == kind ? a->args[i] : a;
    for (int i = 0; i < right; i++)
        node->args[left + i] = b->kind == kind ? b->args[i] : b;
    return node;
}

struct math_node *math_negative(struct math_work *w, struct math_node *a)
{
    if (!a)
        return NULL;
    if (a->kind != MATH_NUMBER)
        return math_join(w, MATH_PRODUCT, math_integer(w, -1), a);
    struct math_node *b = math_number(w);
    if (b) {
        fmpq_neg(b->q, a->q);
        b->flags = a->flags;
    }
    return b;
}

bool math_is_integer(const struct math_node *a)
{
    return a->kind == MATH_NUMBER && !(a->flags & MATH_FLOAT) &&
           fmpz_is_one(fmpq_denref(a->q));
}

struct math_node *math_quotient(struct math_work *w, struct math_node *a,
                                struct math_node *b)
{
    if (!a || !b)
        return NULL;
    if (math_is_integer(a) && math_is_integer(b)) {
        if (fmpq_is_zero(b->q))
            return math_constant(w, MATH_UNDEFINED);
        struct math_node *c = math_number(w);
        if (c)
            fmpq_div(c->q, a->q, b->q);
        return c;
    }
    struct math_node *inverse = math_node2(w, MATH_POWER, 0, b, math_integer(w, -1));
    return math_node2(w, MATH_PRODUCT, 0, a, inverse);
}

bool math_is_set(const struct math_node *a)
{
    return a->kind == MATH_SET || a->kind == MATH_INTERVAL || a->kind == MATH_UNION ||
           a->kind == MATH_INTERSECTION || a->kind == MATH_MINUS || a->kind == MATH_REALM;
}

bool math_is_relation(const struct math_node *a)
{
    return a->kind == MATH_RELATION || a->kind == MATH_CHAIN;
}

bool math_is_equation(const struct math_node *a)
{
    if (a->kind == MATH_RELATION)
        return a->op == MATH_EQ;
    if (a->kind != MATH_CHAIN)
        return false;
    for (int i = 0; i < a->count; i++)
        if (a->args[i]->op != MATH_EQ)
            return false;
    return true;
}

bool math_only_symbols(const struct math_node *a)
{
    if (a->kind == MATH_SYMBOL)
        return true;
    if (a->kind == MATH_POWER && a->args[1]->kind == MATH_NUMBER &&
        fmpz_equal_si(fmpq_numref(a->args[1]->q), -1) &&
        fmpz_is_one(fmpq_denref(a->args[1]->q)))
        return math_only_symbols(a->args[0]);
    for (int i = 0; i < a->count; i++)
        if (!math_only_symbols(a->args[i]))
            return false;
    return a->count > 0;
}

bool math_same(struct math_work *w, const struct math_node *a, const struct math_node *b)
{
    if (a == b)
        return true;
    if (!math_burn(w, 1) || a->kind != b->kind || a->op != b->op ||
        a->flags != b->flags || a->count != b->count || a->name.n != b->name.n)
        return false;
    if (a->name.n && memcmp(a->name.s, b->name.s, a->name.n) != 0)
        return false;
    if (a->kind == MATH_NUMBER && !fmpq_equal(a->q, b->q))
        return false;
    for (int i = 0; i < a->count; i++)
        if (!math_same(w, a->args[i], b->args[i]))
            return false;
    return true;
}
