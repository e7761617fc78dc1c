/* math_own.h: what the files of math_*.c share: memory, expressions, and the steps from a
 * text to expressions to a verdict.
 *
 * All memory of a call to math_verify() lies in one struct math_work, whose blocks are
 * given back together. Whatever takes steps in proportion to its input burns fuel; once
 * fuel or memory is spent, work->spent is set and everything returns NULL or false soon.
 */
#ifndef MATH_OWN_H
#define MATH_OWN_H
#include "answer/math.h"
#include <flint/fmpq.h>
#include <stddef.h>

enum {
    MATH_DEPTH_MAX = 150,       /* nesting of an expression */
    MATH_MEMORY_MAX = 24 << 20, /* bytes of one call */
    MATH_ARGUMENTS_MAX = 2000,  /* operands of one node */
};

struct math_block;
struct math_number;

struct math_work {
    struct fuel *fuel;
    struct math_block *blocks;
    struct math_number *numbers;
    size_t memory;
    bool spent; /* out of fuel or memory */
};

void math_work_free(struct math_work *w);
bool math_burn(struct math_work *w, int64_t steps);  /* false: spent */
void *math_alloc(struct math_work *w, size_t bytes); /* zeroed; NULL: spent */

enum math_kind {
    MATH_NUMBER,   /* q; MATH_FLOAT: it was written with a decimal point */
    MATH_SYMBOL,   /* name; MATH_NOT_REAL */
    MATH_CONSTANT, /* op: enum math_constant */
    MATH_SUM,
    MATH_PRODUCT,
    MATH_POWER,    /* base, exponent */
    MATH_CALL,     /* op: enum math_function; name for MATH_F_UNKNOWN */
    MATH_PERCENT,  /* a hundredth of its operand */
    MATH_RELATION, /* op: enum math_relation; left, right */
    MATH_CHAIN,    /* relations that hold together: a < b < c */
    MATH_SET,      /* elements, as written */
    MATH_TUPLE,
    MATH_INTERVAL, /* low, high; MATH_OPEN_LOW, MATH_OPEN_HIGH */
    MATH_UNION,
    MATH_INTERSECTION,
    MATH_MINUS,
    MATH_REALM,  /* op: 'N' 'Z' 'Q' 'R' 'C', or '0' the empty set */
    MATH_MATRIX, /* op columns; elements by rows */
};
enum math_flag {
    MATH_FLOAT = 1,
    MATH_NOT_REAL = 2,
    MATH_OPEN_LOW = 4,
    MATH_OPEN_HIGH = 8
};
enum math_constant { MATH_PI, MATH_E, MATH_I, MATH_INFINITY, MATH_EULER, MATH_UNDEFINED };
enum math_relation { MATH_EQ, MATH_NE, MATH_LT, MATH_LE, MATH_GT, MATH_GE };
enum math_function {
    MATH_F_UNKNOWN, /* by its name alone: f(x), sums, integrals, limits */
    MATH_F_SIN,
    MATH_F_COS,
    MATH_F_TAN,
    MATH_F_CSC,
    MATH_F_SEC,
    MATH_F_COT,
    MATH_F_ASIN,
    MATH_F_ACOS,
    MATH_F_ATAN,
    MATH_F_ACSC,
    MATH_F_ASEC,
    MATH_F_ACOT,
    MATH_F_SINH,
    MATH_F_COSH,
    MATH_F_TANH,
    MATH_F_ASINH,
    MATH_F_ACOSH,
    MATH_F_ATANH,
    MATH_F_LOG, /* argument, base */
    MATH_F_ABS,
    MATH_F_FLOOR,
    MATH_F_CEIL,
    MATH_F_FACTORIAL,
    MATH_F_GAMMA,
    MATH_F_BINOMIAL,
    MATH_F_GCD,
    MATH_F_LCM,
    MATH_F_MAX,
    MATH_F_MIN,
    MATH_F_MOD,
    MATH_F_ADD_UP,   /* term, variable, first, last */
    MATH_F_MULTIPLY, /* likewise: a product over a range */
};

/* An expression as written: nothing is evaluated but the sign of a number and a fraction
 * of two integers. Never changed once made, so that parts may be shared. */
struct math_node {
    enum math_kind kind;
    int op;
    unsigned flags;
    int count;
    struct math_node **args; /* [count] */
    struct span name;
    fmpq *q;
};

/* math_node.c: making nodes. NULL: spent (or an operand was NULL). */
struct math_node *math_node(struct math_work *w, enum math_kind kind, int op, int count);
struct math_node *math_node1(struct math_work *w, enum math_kind kind, int op,
                             struct math_node *a);
struct math_node *math_node2(struct math_work *w, enum math_kind kind, int op,
                             struct math_node *a, struct math_node *b);
struct math_node *math_number(struct math_work *w); /* 0; the caller sets *q */
struct math_node *math_integer(struct math_work *w, slong value);
/* Digits with at most one point (or comma) in them. NULL also for other text. */
struct math_node *math_decimal(struct math_work *w, struct span digits);
struct math_node *math_symbol(struct math_work *w, const char *name, size_t size);
struct math_node *math_constant(struct math_work *w, enum math_constant op);
/* Join operands into a sum or product, flat: (a + b) + c is one sum of three. */
struct math_node *math_join(struct math_work *w, enum math_kind kind, struct math_node *a,
                            struct math_node *b);
struct math_node *math_negative(struct math_work *w, struct math_node *a);
/* a / b: a number where both are integers. */
struct math_node *math_quotient(struct math_work *w, struct math_node *a,
                                struct math_node *b);
bool math_is_integer(const struct math_node *a); /* a number that is one, not a float */
bool math_is_set(const struct math_node *a);     /* a set of any form, no tuple */
bool math_is_relation(const struct math_node *a);
bool math_is_equation(const struct math_node *a);
/* Symbols, and what is made of nothing else. */
bool math_only_symbols(const struct math_node *a);
/* Written the same, but for the order of nothing. */
bool math_same(struct math_work *w, const struct math_node *a, const struct math_node *b);

/* math_clean.c: LaTeX as people write it into LaTeX that math_parse() reads: units, text
 * commands, percent, short fractions. boxed_last: the text starts with a \boxed{} whose
 * end is not known. The result lies in w. */
struct span math_clean(struct math_work *w, struct span text, bool boxed_last);
/* math_boxed.c: its first step, the content of the \boxed{} in the text. */
struct span math_unbox(struct math_work *w, struct span text, bool last);

/* math_lex.c */
struct math_token {
    short kind; /* of enum math_token_kind, math_lex.h */
    short op;
    struct span text;
};
/* The tokens of a text, one of kind MATH_T_END behind them. NULL: not LaTeX as we know
 * it, or spent. */
struct math_token *math_lex(struct math_work *w, struct span text, int *count);

/* math_parse.c: clean LaTeX to an expression. NULL: it does not parse. */
struct math_node *math_parse(struct math_work *w, struct span text);
/* math_plain.c: digits, operators and parentheses. */
struct math_node *math_plain(struct math_work *w, struct span text);

/* math_extract.c: what a text gives: an expression, a string, both or neither. */
struct math_found {
    struct math_node *value; /* NULL: none */
    struct span text;        /* the first match, clean; n = 0: none */
};
struct math_found math_extract(struct math_work *w, struct span text,
                               const struct math_rules *rules);

/* math_compare.c: gold and prediction stand for the same. */
bool math_compare(struct math_work *w, struct math_node *gold, struct math_node *other,
                  const struct math_rules *rules);
/* The same as a part of something larger: default strictness. */
bool math_equal(struct math_work *w, struct math_node *a, struct math_node *b,
                int digits);

/* math_value.c: a and b are the same function of their symbols, proven by polynomials or
 * by balls. */
bool math_identical(struct math_work *w, const struct math_node *a,
                    const struct math_node *b);
/* Both rounded to so many decimals are equal. -1: one has no value. */
int math_rounded_equal(struct math_work *w, const struct math_node *a,
                       const struct math_node *b, int digits);
/* The exact value where it is a rational that plain arithmetic gives. */
bool math_rational(struct math_work *w, const struct math_node *a, fmpq_t q, int depth);
/* Sign of a - b for real values without symbols: -1, 0, 1; 2: not known. Infinities
 * compare as such. */
int math_order(struct math_work *w, const struct math_node *a, const struct math_node *b);

/* math_poly.c: 1: a - b is the zero rational function; 0: it is not; -1: not a rational
 * function of few terms. */
int math_rational_function(struct math_work *w, const struct math_node *a,
                           const struct math_node *b);
/* The equations a = 0 and b = 0 have the same factors. -1 as above. */
int math_same_factors(struct math_work *w, const struct math_node *a,
                      const struct math_node *b);
/* a as a polynomial of degree 2 at most in its only symbol: c [3], the constant first.
 * The degree, or -1. */
int math_coefficients(struct math_work *w, const struct math_node *a, fmpq *c);

/* math_sets.c: sets, tuples, intervals in any mixture. */
bool math_sets_equal(struct math_work *w, struct math_node *gold, struct math_node *other,
                     int digits);
/* math_solve.c: the set of reals for which a relation or chain holds; NULL: not known. */
struct math_node *math_solutions(struct math_work *w, struct math_node *relation);
#endif
