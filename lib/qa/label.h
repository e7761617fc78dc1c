/* label.h: the letter that stands before an option's text: "A) a cat". */
#ifndef LABEL_H
#define LABEL_H
#include "base/span.h"

/* One option as it was written. */
struct label {
    int place;        /* 0 for A ... 25 for Z; -1: no label, text is all of it */
    struct span text; /* what follows, trimmed */
};

/* Forms: "A) x", "A. x", "A: x", "(A) x", "A、x", "A．x"; brackets, colon, stop and
 * letter full-width too. Behind an ASCII stop or colon a space, a character that is not
 * ASCII, or the end must come ("A.D." is no label). Capital letters alone. */
struct label label_read(struct span option);

/* Take the letters off options [count], if they run A, B, C ... over all of them. */
void label_strip(struct span *options, int count);

/* The bytes of the capital letter A-Z, ASCII or full-width, that text begins with, and
 * its place; 0 if there is none. */
size_t label_letter(struct span text, int *place);

/* Without white space (space, tab, line ends, U+00A0, U+3000) at both ends. */
struct span label_trim(struct span text);

bool label_same(struct span a, struct span b); /* equal, once trimmed */
#endif
