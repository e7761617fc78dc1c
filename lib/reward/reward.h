/* reward.h: what a caption is worth besides what a judge answers from it: its length, its
 * time stamps, signs of gaming; and the total (CapRL++; capmill(7), "Reward"). */
#ifndef REWARD_H
#define REWARD_H
#include "base/span.h"
#include <stdbool.h>

/* 1 up to `full` tokens, then linear to 0 at `zero`; zero <= full is a step behind full.
 */
double reward_length(double tokens, double full, double zero);

/* Time stamps [mm:ss] and [mm:ss - mm:ss] of a caption, digits and space of any script.
 * Linear in the caption's length. */
struct reward_format {
    int matches, valid;               /* stamps; those that name a time */
    double validity, coverage, order; /* shares, see format.c for the formulas */
    double score; /* 0.45 coverage validity + 0.25 validity + 0.30 order validity */
};
struct reward_format reward_format(struct span caption);

/* Signs that a caption plays to the judge. Reported, and optionally penalised. */
enum { REWARD_FLAGS = 4 };
enum reward_flag {
    REWARD_REPETITION = 1,  /* a long part of it is said again and again */
    REWARD_SELF_PRAISE = 2, /* "this description is accurate and complete ..." */
    REWARD_BOILERPLATE = 4, /* "Based on the provided video frames, here is ..." */
    REWARD_TO_JUDGE = 8,    /* "the answer is B", chat template text */
};
/* A set of them, into *flags. 0, or -1 (memory). Linear in the caption's length. */
int reward_flags(struct span caption, unsigned *flags);
const char *reward_flag_name(enum reward_flag flag); /* "self_praise" */

struct reward_weights {
    double format, length; /* alpha, beta */
    double token_cost;     /* lost per token */
    double flag_cost;      /* lost per flag; 0: only reported */
};

/* Mean, population standard deviation, least and greatest of what was judged; NAN where
 * nothing was. */
struct reward_group {
    double mean, std, min, max;
    int n, failed;
};
void reward_group_add(struct reward_group *g, double total); /* zeroed at first */
void reward_group_end(struct reward_group *g);
#endif
