/* names.h: distinct texts, numbered in the order in which they first come. */
#ifndef PRISM_NAMES_H
#define PRISM_NAMES_H
#include "base/span.h"
#include <stdint.h>

struct names {         /* zeroed: empty */
    struct span *list; /* [count]; each owned */
    int *table;        /* [size]: number + 1 by hash; 0: free */
    int count;
    int size;
};

/* A text's number; -1: memory. */
int names_add(struct names *n, struct span text);
/* The same, without adding: -1 where it is new. */
int names_find(const struct names *n, struct span text);
void names_free(struct names *n);
#endif
