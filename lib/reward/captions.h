/* captions.h: the captions of a row as `reward` reads them. */
#ifndef REWARD_CAPTIONS_H
#define REWARD_CAPTIONS_H
#include "row/row.h"

struct reward_caption {
    struct span json; /* its object in the row's line; s NULL: made of `caption` */
    struct span raw;  /* its text as JSON, quotes included */
    struct span text; /* decoded; owned by the row */
    double tokens;    /* < 0: not given */
    bool failed;      /* it came in with an error: the rest is not read */
    int first;        /* the first caption of equal text: itself, if that is new */
};

struct reward_captions {
    struct reward_caption *items; /* [count], owned by the row; count >= 1 */
    int count;
};

/* Read a row's `captions`, or `caption` where there are none. 0, or -1: missing (no
 * caption at all, or one without a text), type. */
int reward_captions_read(struct reward_captions *c, struct row *row);
#endif
