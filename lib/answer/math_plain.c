/* math_plain.c: plain expressions: digits, + - * / ^ and parentheses, as in programs. */
#include "answer/math_own.h"

struct plain {
    struct math_work *w;
    struct span s;
    size_t at;
    int depth;
};

static char peek(struct plain *p)
{
    while (p->at < p->s.n &&
           (p->s.s[p->at] == ' ' || (p->s.s[p->at] >= '\t' && p->s.s[p->at] <= '\r')))
        p->at++;
    return p->at < p->s.n ? p->s.s[p->at] : '\0';
}

static bool take_power(struct plain *p)
{
    char c = peek(p);
    size_t n = c == '^'                                                     ? 1
               : c == '*' && p->at + 1 < p->s.n && p->s.s[p->at + 1] == '*' ? 2
                                                                            : 0;
    p->at += n;
    return n > 0;
}

static struct math_node *sum(struct plain *p);
static struct math_node *unary(struct plain *p);

static struct math_node *atom(struct plain *p)
{
    struct math_node *a;
    char c = peek(p);
    if (c == '(') {
        p->at++;
        a = sum(p);
        if (!a || peek(p) != ')')
            return NULL;
        p->at++;
        return peek(p) == '(' ? NULL : a;
    }
    size_t from = p->at, points = 0;
    while (p->at < p->s.n &&
           ((p->s.s[p->at] >= '0' && p->s.s[p->at] <= '9') || p->s.s[p->at] == '.'))
        points += p->s.s[p->at++] == '.';
    struct span digits = {p->s.s + from, p->at - from};
    if (!digits.n || points > 1)
        return NULL;
    size_t zeros = 0;
    while (zeros < digits.n && digits.s[zeros] == '0') zeros++;
    if (!points && zeros && zeros < digits.n)
        return NULL; /* 007 is no number there */
    return peek(p) == '(' ? NULL : math_decimal(p->w, digits);
}

static struct math_node *power(struct plain *p)
{
    struct math_node *a = atom(p);
    return a && take_power(p) ? math_node2(p->w, MATH_POWER, 0, a, unary(p)) : a;
}

static struct math_node *unary(struct plain *p)
{
    struct math_node *a;
    char c = peek(p);
    if (c != '-' && c != '+')
        return power(p);
    if (p->depth >= MATH_DEPTH_MAX)
        return NULL;
    p->at++;
    p->depth++;
    a = unary(p);
    p->depth--;
    return c == '-' ? math_negative(p->w, a) : a;
}

static struct math_node *product(struct plain *p)
{
    struct math_node *a = unary(p), *b;
    for (char c; a && ((c = peek(p)) == '*' || c == '/');) {
        p->at++;
        b = unary(p);
        a = c == '*' ? math_join(p->w, MATH_PRODUCT, a, b) : math_quotient(p->w, a, b);
    }
    return a;
}

static struct math_node *sum(struct plain *p)
{
    if (p->depth >= MATH_DEPTH_MAX || !math_burn(p->w, 4))
        return NULL;
    p->depth++;
    struct math_node *a = product(p), *b;
    for (char c; a && ((c = peek(p)) == '+' || c == '-');) {
        p->at++;
        b = product(p);
        a = math_join(p->w, MATH_SUM, a, c == '-' ? math_negative(p->w, b) : b);
    }
    p->depth--;
    return a;
}

struct math_node *math_plain(struct math_work *w, struct span text)
{
    struct plain p = {.w = w, .s = text};
    struct math_node *a = sum(&p);
    return a && peek(&p) == '\0' && p.at == text.n ? a : NULL;
}
