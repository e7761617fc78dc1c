/* python_json.h: JSON as Python's json.dump(..., indent=4) spells it. */
#ifndef PRISM_PYTHON_JSON_H
#define PRISM_PYTHON_JSON_H
#include "base/buf.h"
#include "base/span.h"

/* Append a line end and the indent of something depth levels deep. */
void python_line(struct buf *out, int depth);

/* Append checked JSON whose first byte stands depth levels deep: an item per line, all
 * but ASCII escaped, integers as they are spelt, other numbers as floats. 0 or -1
 * (memory). */
int python_put(struct buf *out, struct span json, int depth);

/* Append a number as repr(float(x)): the shortest digits that read back, "1.0", "1e-05".
 */
void python_put_float(struct buf *out, double x);
#endif
