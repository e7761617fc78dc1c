/* math_extract.h: between math_extract.c (priorities), math_find.c (LaTeX) and
 * math_find_plain.c (numbers): what matches at a place of a text. */
#ifndef MATH_EXTRACT_H
#define MATH_EXTRACT_H
#include "answer/math_own.h"

enum { MATH_PARTS_MAX = 6 };

struct math_part {
    struct span text;
    bool percent, boxed_last;
};

struct math_match {
    size_t start, end;
    bool latex;
    struct math_part parts[MATH_PARTS_MAX]; /* $1$, $2$ and $3$ are one match */
    int count, number;                      /* number: how many were found before */
    bool expression;                        /* plain: an expression, else a number */
    size_t integer;                         /* bytes of a number before its point */
};

/* What LaTeX in a text ends at: \], \), $$, $ (without a backslash), a line's end; and
 * \boxed{ with its brace. */
enum math_mark {
    MATH_BRACKET,
    MATH_PAREN,
    MATH_DOLLARS,
    MATH_DOLLAR,
    MATH_LINE_END,
    MATH_BOX,
    MATH_BRACE,
    MATH_MARKS,
};

/* The first mark at or behind from. */
struct math_next {
    bool known;
    size_t from, at; /* at: the text's size where there is none */
};

/* Bytes that plain expressions are made of, from one place to another; and the first
 * operator behind a place in it. */
struct math_run {
    size_t from, end;
    size_t sought, found; /* found: end where there is none */
};

struct math_search {
    struct math_work *w;
    struct span text;
    struct math_match *list; /* [count] */
    int count, room, added;  /* added: ever, for match.number */
    struct math_next next[MATH_MARKS];
    struct math_run run;
};

/* Of some thousands the last ones are kept. false: spent. */
bool math_add_match(struct math_search *s, struct math_match m);

/* LaTeX that starts at i exactly; boxed: only with \boxed{} inside. */
bool math_latex_at(struct math_search *s, size_t i, bool boxed, struct math_match *m);

/* Plain answers whose lead-in (white space, '=' or the text's start) is at i. */
bool math_expression_at(struct math_search *s, size_t i, struct math_match *m);
bool math_number_at(struct math_search *s, size_t i, struct math_match *m);
/* Either, the expression first. */
bool math_plain_at(struct math_search *s, size_t i, struct math_match *m);
bool math_equals_behind(struct span t, size_t i); /* white space and '=' follow */
#endif
