/* split_scan.h: the scanner behind split.h for the known pattern. Inside lib/text. */
#ifndef SPLIT_SCAN_H
#define SPLIT_SCAN_H
#include "base/span.h"

/* How many bytes of text (not empty, well-formed UTF-8) the next piece of SPLIT_QWEN has.
 */
size_t split_scan_qwen(struct span text);
#endif
