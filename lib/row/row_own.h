/* row_own.h: what lib/row alone knows of a row: how it begins and how it is written. */
#ifndef ROW_OWN_H
#define ROW_OWN_H
#include "row/row.h"

struct row_edit {
    const char *key; /* both memory of the row (row_alloc) */
    struct span json;
};

struct row_private {
    const char *stage;        /* the program, for error objects; borrowed */
    void *block;              /* malloc'd memory that row->text lies in; owned */
    struct row_block *blocks; /* row_alloc() */
    char *room;               /* ... what it has left to give without a block */
    size_t room_n;
    struct row_edit *edits; /* memory of the row */
    int edit_count, edit_cap;
    struct span replaced; /* row_replace(): written in the row's place */
    bool media;           /* made from an argument; file is its path */
    struct span copied;   /* s != NULL: the finished line, as an earlier run wrote it */
    bool dropped;         /* ... or nothing at all: it had been left out */
    struct value root;    /* the line, an object; empty if it is none */
    struct tape_entry tape[]; /* of the line, if root has one; behind it, room */
};

/* Make *row from a line. Takes over block (malloc'd; text lies in it) in any case. Checks
 * the text: a row that is no JSON object is marked bad, class json. Finds the key (in the
 * field id_key) and whether it came in with an error. tokens is room that one row after
 * the other may use, or NULL: no tape is made. 0, or -1 (memory) with *row empty. */
int row_begin(struct row *row, const char *stage, const char *id_key, void *block,
              struct span text, struct tokens *tokens);

/* Hand the line as it is to be written to put(), piece by piece, in order. 0 or -1
 * (memory), then nothing was put. */
int row_emit(const struct row *row, void (*put)(void *context, struct span piece),
             void *context);
#endif
