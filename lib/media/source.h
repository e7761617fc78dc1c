/* source.h: the bytes behind a media reference. */
#ifndef SOURCE_H
#define SOURCE_H
#include "base/buf.h"
#include "base/span.h"
#include <stdint.h>

enum { SOURCE_BYTES_MAX = 256 << 20 }; /* a picture file larger than this is refused */

/* Read what ref names into out (appended): a path (relative to root unless absolute; root
 * NULL or "" is the current folder), file:// path, data: URI (base64, any or no subtype),
 * or a picture in a table of VLMEvalKit's form: PATH.tsv#INDEX@OFFSET, or with [N] behind
 * the index for one of a list: the row that begins at that byte and has that index. Only
 * regular files are opened (not a folder, FIFO or device; never blocks); http(s) URLs are
 * class refused. 0, or -1 (class media, too_large or refused) naming the file. */
int source_read(struct buf *out, const char *root, struct span ref);

/* A short name of ref for messages: the path, or "data: URI (N bytes)". Writes to name.
 */
void source_name(char *name, size_t size, struct span ref);

/* A picture in a table, as a reference names it. */
struct source_cell {
    struct span path, index;
    int part; /* of a list; -1: the cell is none */
    size_t offset;
};
bool source_cell_is(struct span ref, struct source_cell *cell);
/* Read it; name is for messages. As source_read(). */
int source_cell_read(struct buf *out, const char *path, const struct source_cell *cell,
                     const char *name);
#endif
