/* split_scan.h: the scanners behind split.h for the known patterns. Inside lib/text. */
#ifndef SPLIT_SCAN_H
#define SPLIT_SCAN_H
#include "base/span.h"

/* How many bytes of text (not empty, well-formed UTF-8) the next piece has. */
typedef size_t split_scan(struct span text);

/* The scanner of one of split.h's patterns; NULL for another. */
split_scan *split_scan_of(struct span pattern);
#endif
