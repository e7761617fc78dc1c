/* math_clean.h: between math_clean.c, math_unit.c and math_fix.c. */
#ifndef MATH_CLEAN_H
#define MATH_CLEAN_H
#include "answer/math_own.h"
struct buf;

bool math_at(struct span s, size_t i, const char *text, size_t *n); /* s has text at i */
bool math_space(char c);
size_t math_spaces(struct span s, size_t i); /* the place behind white space */
struct span math_trim(struct span s);

/* math_unit.c: without the unit at the end, if something is left. */
struct span math_drop_unit(struct span s);

/* math_fix.c: short and malformed forms. */
struct span math_fix_start(struct math_work *w, struct span s); /* .5, 0.5 */
void math_fix_powers(struct buf *out, struct span s);           /* x^(2) */
void math_fix_roots(struct buf *out, struct span s);            /* sqrt(2) */
void math_fix_short(struct buf *out, struct span s);            /* \frac12, \sqrt2 */
void math_fix_split(struct buf *out, struct span s);            /* \frac ab */
void math_fix_digits(struct buf *out, struct span s);           /* 1/2 alone */
#endif
