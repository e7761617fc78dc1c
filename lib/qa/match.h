/* match.h: which option's words a reply gives. */
#ifndef MATCH_H
#define MATCH_H
#include "base/span.h"

/* The place of the option [count <= 64] that reply says, or -1 where it says none, or two
 * that differ. White space around both is left out; first the texts must be equal as they
 * are; failing that, without a full stop at the end, whatever the case. Options of equal
 * text are one: `right` (a place) is given where it is among them, else the first. -2:
 * out of memory.
 */
int match_option(struct span reply, const struct span *options, int count, int right);

/* Are two options the same text, white space around them left out? */
bool match_same(struct span a, struct span b);
#endif
