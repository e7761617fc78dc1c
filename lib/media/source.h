/* source.h: the bytes behind a media reference. */
#ifndef SOURCE_H
#define SOURCE_H
#include "base/buf.h"
#include "base/span.h"
#include <stdint.h>

enum { SOURCE_BYTES_MAX = 256 << 20 }; /* a picture file larger than this is refused */

/* Read what ref names into out (appended): a path (relative to root unless absolute; root
 * NULL or "" is the current folder), file:// path, or data: URI (base64, any or no
 * subtype). Only regular files are opened (not a folder, FIFO or device; never blocks);
 * http(s) URLs are class refused. 0, or -1 (class media, too_large or refused) naming the
 * file. */
int source_read(struct buf *out, const char *root, struct span ref);

/* A short name of ref for messages: the path, or "data: URI (N bytes)". Writes to name.
 */
void source_name(char *name, size_t size, struct span ref);
#endif
