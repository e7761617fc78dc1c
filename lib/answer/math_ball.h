/* math_ball.h: values of expressions as complex balls. */
#ifndef MATH_BALL_H
#define MATH_BALL_H
#include "answer/math_own.h"
#include <acb.h>

enum { MATH_NAMES_MAX = 24 };

/* The point at which expressions are evaluated: symbols, and calls of functions that
 * nobody knows, have values made from their number and the trial's. */
struct math_point {
    struct math_work *w;
    int trial, depth;
    const struct math_node *names[MATH_NAMES_MAX]; /* symbols and unknown calls */
    int count;
    bool failed;                   /* more names than fit, or too deep */
    const struct math_node *bound; /* the variable of the \sum that is being added up */
    slong bound_value;
};

/* value = a at the point. Not finite where a has no value. */
void math_ball(struct math_point *p, acb_t value, const struct math_node *a, slong bits);
#endif
