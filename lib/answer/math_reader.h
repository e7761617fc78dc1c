/* math_reader.h: what math_parse.c (sets, relations), math_sum.c (expressions) and
 * math_atom.c (names, functions, groups) share: a place in the tokens.
 *
 * Descent with a memory of what each place gave, so that trying one form after another
 * stays linear. A function that does not match returns NULL; the caller sets at back.
 */
#ifndef MATH_READER_H
#define MATH_READER_H
#include "answer/math_lex.h"
#include "answer/math_own.h"

struct math_memo {
    struct math_node *node;
    int end; /* 0: not tried; -1: does not match; else one more than the place behind */
};

struct math_reader {
    struct math_work *w;
    const struct math_token *tokens; /* [count + 1] */
    int count, at, depth;
    bool real;                     /* symbols are real */
    struct math_memo *sums, *sets; /* [count + 1] */
};

static inline int math_peek(const struct math_reader *r)
{
    return r->tokens[r->at].kind;
}

static inline bool math_take(struct math_reader *r, int kind)
{
    if (r->tokens[r->at].kind != kind)
        return false;
    r->at++;
    return true;
}

struct math_node *math_read_sum(struct math_reader *r);     /* a whole expression */
struct math_node *math_read_product(struct math_reader *r); /* without + and - */
/* The argument of a function without parentheses: no function may follow in it. */
struct math_node *math_read_argument(struct math_reader *r);
struct math_node *math_read_atom(struct math_reader *r);
/* A group, function, fraction, matrix or atom; functions: may it be a function? */
struct math_node *math_read_part(struct math_reader *r, bool functions);
struct math_node *math_read_function(struct math_reader *r); /* math_function.c */
/* A letter with its index: a symbol; *name: as written. */
struct math_node *math_read_name(struct math_reader *r, struct span *name);
struct math_node *math_read_power(struct math_reader *r); /* ^ and its exponent */
/* The content of { }. */
struct math_node *math_read_braced(struct math_reader *r);
struct math_node *math_read_matrix(struct math_reader *r);
#endif
