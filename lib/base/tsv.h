/* tsv.h: tables of tab-separated cells, as pandas writes and reads them: a first line of
 * column names; a cell that begins with a double quote goes on to the next lone one, over
 * tabs and line ends, and two of them inside mean one. Cells may be of any size
 * (VLMEvalKit keeps pictures in them), so the file is mapped and cells are parts of it.
 */
#ifndef TSV_H
#define TSV_H
#include "base/buf.h"
#include "base/mapping.h"
#include "base/span.h"
#include <stdint.h>

enum { TSV_COLUMNS_MAX = 256 };

struct tsv {
    struct mapping file;
    struct buf names_text; /* what names points into */
    struct span names[TSV_COLUMNS_MAX];
    int columns;
    size_t body;    /* byte offset behind the first line */
    int64_t before; /* lines up to there */
};

/* One line of the table, and where the search for the next begins. Zeroed at first. */
struct tsv_record {
    size_t at, end;      /* byte offsets: its first byte, and behind its line end */
    int64_t line, lines; /* its first line, from 1; lines up to end */
    int count;           /* cells; those beyond TSV_COLUMNS_MAX are counted only */
    bool open;           /* the file ends inside a quoted cell */
    struct span cells[TSV_COLUMNS_MAX]; /* as they stand, quotes included */
};

/* Map a table. Borrows nothing. 0, or -1 (class media) with the reason: it cannot be
 * read, is packed, or has no first line of at most TSV_COLUMNS_MAX names. */
int tsv_open(struct tsv *t, const char *path);
void tsv_close(struct tsv *t);

/* The column of that name, or -1. */
int tsv_column(const struct tsv *t, const char *name);

/* Step to the record behind *r (or to the first); blank lines are passed over. */
bool tsv_next(const struct tsv *t, struct tsv_record *r);
/* The record that begins at an offset. false: none can begin there. Knows no lines. */
bool tsv_at(const struct tsv *t, size_t at, struct tsv_record *r);

/* What a cell says: without its quotes. Appended to room where it has doubled quotes
 * (good until more is added to room), otherwise a part of the cell. */
struct span tsv_text(struct span cell, struct buf *room);
/* The cell of a column; empty where the record has none. */
struct span tsv_cell(const struct tsv_record *r, int column);

/* A text that may be a Python list of texts, "['a', \"b\"]": how many it holds (1 for any
 * other text), *element the one of that number, from 0. -1: a broken list, or one with
 * escapes. */
int tsv_list(struct span text, int number, struct span *element);
#endif
