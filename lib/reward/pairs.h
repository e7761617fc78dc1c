/* pairs.h: from the rewarded captions of a row to pairs of a better and a worse one. */
#ifndef PAIRS_H
#define PAIRS_H
#include "row/row.h"

struct pairs_rules {
    double min_margin; /* of the two rewards, at least; rewards closer than PAIRS_TIE are
                          equal and never make a pair */
    int most;          /* pairs of one row */
};

#define PAIRS_TIE 1e-9

/* Why a row gives no pair. */
enum pairs_verdict {
    PAIRS_MADE,
    PAIRS_FEW,    /* less than two captions have no error */
    PAIRS_EQUAL,  /* all rewards are equal */
    PAIRS_MARGIN, /* best and worst are closer than min_margin */
    PAIRS_SAME,   /* the two say the same, whatever their rewards */
    PAIRS_VERDICTS,
};

/* A caption without an error. Spans lie in the row's line. */
struct pairs_caption {
    struct span json, text; /* its object; its text as JSON, with quotes */
    double total;           /* reward */
    double tokens;          /* < 0: not given */
};

struct pair {
    struct pairs_caption chosen, rejected;
};

/* A row's. Zeroed is empty; memory serves one row after the other. */
struct pairs {
    struct pairs_caption *captions; /* [count] owned; after pairs_make() best first */
    int count, cap;
    int failed;        /* captions that came in with an error */
    struct pair *made; /* [made_count] owned; best with worst first */
    int made_count, made_cap;
};

/* Read the row's `captions`. 0, or -1 that names the caption: missing (no captions, no
 * text, no reward), type. */
int pairs_read(struct pairs *p, struct row *row);

/* Pair the best with the worst, the second best with the second worst, and so on; of
 * equal rewards the caption that stands first is the better. PAIRS_MADE if there is any
 * pair, else why the first is none; -1 (memory). */
int pairs_make(struct pairs *p, const struct pairs_rules *rules);
void pairs_free(struct pairs *p);
#endif
