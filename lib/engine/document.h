/* document.h: a small JSON file, read whole: config.json and its kin. */
#ifndef DOCUMENT_H
#define DOCUMENT_H
#include "base/buf.h"
#include <jansson.h>
#include <stdbool.h>

/* A regular file's bytes into an empty buf, at most limit of them. 0, or -1 (class
 * model): missing, not a regular file, too large, unreadable. */
int document_bytes(struct buf *b, const char *path, size_t limit);

/* A JSON object. NULL (class model) as above or where it is no JSON object; duplicate
 * keys are refused. json_decref() it. */
json_t *document_read(const char *path);

/* DIR/NAME in buf, for opening; NULL (class internal) without memory. */
const char *document_path(struct buf *b, const char *dir, const char *name);
bool document_exists(const char *path);
#endif
