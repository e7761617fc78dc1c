/* row_own.h: what lib/row alone knows of a row: how it begins and how it is written. */
#ifndef ROW_OWN_H
#define ROW_OWN_H
#include "row/row.h"

struct row_edit {
    char *key, *json; /* memory of the row (row_alloc) */
    size_t json_n;
};

struct row_private {
    const char *stage;        /* the program, for error objects; borrowed */
    void *block;              /* malloc'd memory that row->text lies in; owned */
    struct row_block *blocks; /* row_alloc() */
    struct row_edit *edits;
    int edit_count, edit_cap;
    struct span replaced; /* row_replace(): written in the row's place */
    bool no_object;       /* the text is no JSON object */
    bool media;           /* made from an argument; file is its path */
    struct span copied;   /* s != NULL: the finished line, as an earlier run wrote it */
    bool dropped;         /* ... or nothing at all: it had been left out */
};

/* Make *row from a line. Takes over block (malloc'd; text lies in it) in any case. Checks
 * the text: a row that is no JSON object is marked bad, class json. Finds the key (in the
 * field id_key) and whether it came in with an error. 0, or -1 (memory) with *row empty.
 */
int row_begin(struct row *row, const char *stage, const char *id_key, void *block,
              struct span text);

/* Hand the line as it is to be written to put(), piece by piece, in order. 0 or -1
 * (memory), then nothing was put. */
int row_emit(const struct row *row, void (*put)(void *context, struct span piece),
             void *context);
#endif
