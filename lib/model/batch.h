/* batch.h: OpenAI Batch files: requests written to one, replies read from another.
 *
 * A request is one line
 * {"custom_id","method":"POST","url":"/v1/chat/completions","body"}, a result
 * {"custom_id","response":{"status_code","body"},"error"}: what OpenAI's Batch API and
 * vLLM's run-batch read and write. The custom_id is a pure function of the row's key, its
 * occurrence, the seed, and the request's number within the row.
 */
#ifndef BATCH_H
#define BATCH_H
#include "base/buf.h"
#include "base/random.h"
#include "base/span.h"
#include <stdbool.h>

enum { BATCH_ID = 48 }; /* bytes of a custom_id and its NUL; the API takes 64 */

void batch_id(char id[BATCH_ID], struct random_key key, int part);

/* -- Requests out. Any thread may write; lines stay whole. */
struct batch_out;

/* Open NAME.part, which batch_out_finish() gives its name. NULL (refused): there is such
 * a file (unless force), it cannot be written, or another run writes it. */
struct batch_out *batch_out_open(const char *name, bool force);
/* Write one request. 0, or -1 (internal): the disk is full; every later call fails too,
 * and batch_out_bad() is true. */
int batch_out_write(struct batch_out *b, const char *id, struct span body);
bool batch_out_bad(struct batch_out *b);
/* Flush, fsync, rename. 0, or -1 (internal). Nothing can be written afterwards. */
int batch_out_finish(struct batch_out *b);
void batch_out_close(struct batch_out *b); /* unfinished: NAME.part stays */

/* -- Results in. Places in the file are kept, not the lines. Any thread may read. */
struct batch_in;

/* Read through the file once. Of several results of one request the last counts. NULL
 * (refused): it cannot be read, or holds no result. */
struct batch_in *batch_in_open(const char *name);
/* Remarks: lines that are no results. "" if none. */
const char *batch_in_notes(const struct batch_in *b);
/* The result of a request: its reply's body lies in *line (the caller's, overwritten).
 * 0, or -1: missing (no result), http (the request failed), parse (the line changed, or
 * has no body). */
int batch_in_find(struct batch_in *b, const char *id, struct buf *line,
                  struct span *body);
void batch_in_close(struct batch_in *b);
#endif
