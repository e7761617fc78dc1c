/* table.c: see table.h. */
#include "row/table.h"
#include "base/fail.h"
#include "base/tsv.h"
#include "row/json.h"
#include "row/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    REFERENCE_MAX = 64,  /* a longer cell of `image` is a picture itself */
    REFERENCES_MAX = 16, /* rows that name another one, one behind the other */
    NUMBER_DIGITS = 15,  /* a longer index is kept as a text */
};

/* Where a row stands, by its index. */
struct place {
    struct key key;
    int64_t line;
    size_t at;
    bool picture; /* it holds one itself */
};

enum column { INDEX, IMAGE, IMAGE_PATH, QUESTION, HINT, NAMED };

struct table {
    struct tsv tsv;
    char *named; /* as rows name it */
    int column[NAMED];
    struct place *places; /* [count], by key, then line */
    size_t count;
    struct tsv_record record;
    struct buf room, hint_room, image_room;
};

bool table_named(const char *path)
{
    size_t n = strlen(path);
    return n > 4 && strcasecmp(path + n - 4, ".tsv") == 0;
}

/* -- Opening: which index stands where
 * ------------------------------------------------------------ */

static int by_key(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->key.lo != y->key.lo)
        return x->key.lo < y->key.lo ? -1 : 1;
    if (x->key.hi != y->key.hi)
        return x->key.hi < y->key.hi ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static struct key key_of_index(struct span index)
{
    return key_of(true, index.s, index.n);
}

static int find_places(struct table *t)
{
    struct tsv_record r = {0};
    size_t room = 0;
    while (tsv_next(&t->tsv, &r)) {
        if (t->count == room) {
            room = room ? 2 * room : 1024;
            struct place *more = realloc(t->places, room * sizeof *more);
            if (!more)
                return fail_memory();
            t->places = more;
        }
        buf_clear(&t->room);
        struct span index = tsv_text(tsv_cell(&r, t->column[INDEX]), &t->room);
        t->places[t->count++] =
            (struct place){key_of_index(index), r.line, r.at,
                           tsv_cell(&r, t->column[IMAGE]).n > REFERENCE_MAX};
        if (t->room.bad)
            return fail_memory();
    }
    if (t->count)
        qsort(t->places, t->count, sizeof *t->places, by_key);
    return 0;
}

struct table *table_open(const char *path, bool absolute)
{
    static const char *const names[NAMED] = {"index", "image", "image_path", "question",
                                             "hint"};
    struct table *t = calloc(1, sizeof *t);
    if (!t) {
        fail_memory();
        return NULL;
    }
    int status = tsv_open(&t->tsv, path);
    for (int i = 0; i < NAMED; i++) t->column[i] = tsv_column(&t->tsv, names[i]);
    if (status == 0 && t->column[INDEX] < 0)
        status = fail(FAIL_MEDIA,
                      "%s: no column \"index\": no table of VLMEvalKit's form", path);
    if (status == 0) {
        t->named = absolute ? realpath(path, NULL) : strdup(path);
        status = t->named ? find_places(t) : fail_memory();
    }
    if (status == 0)
        return t;
    table_close(t);
    return NULL;
}

void table_close(struct table *t)
{
    if (!t)
        return;
    tsv_close(&t->tsv);
    buf_free(&t->room);
    buf_free(&t->hint_room);
    buf_free(&t->image_room);
    free(t->places);
    free(t->named);
    free(t);
}

double table_progress(const struct table *t)
{
    return t->tsv.file.size ? (double)t->record.end / (double)t->tsv.file.size : 1;
}

/* The first row of an index, or NULL. */
static const struct place *find_place(const struct table *t, struct span index)
{
    struct place wanted = {.key = key_of_index(index)};
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (by_key(&t->places[middle], &wanted) < 0) /* lines are from 1 */
            low = middle + 1;
        else
            high = middle;
    }
    const struct place *p = low < t->count ? &t->places[low] : NULL;
    return p && p->key.lo == wanted.key.lo && p->key.hi == wanted.key.hi ? p : NULL;
}

/* -- One row ------------------------------------------------------------------------ */

static bool is_number(struct span s)
{
    if (s.n == 0 || s.n > NUMBER_DIGITS || (s.s[0] == '0' && s.n > 1))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.s[i] < '0' || s.s[i] > '9')
            return false;
    return true;
}

static void put_key(struct buf *out, const char *name)
{
    buf_print(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
}

/* The place of one picture, as a JSON text. part < 0: the cell is no list. */
static void put_place(const struct table *t, struct span index, size_t at, int part,
                      struct buf *out)
{
    struct buf text = {0};
    buf_text(&text, t->named);
    buf_char(&text, '#');
    buf_add(&text, index.s, index.n);
    if (part >= 0)
        buf_print(&text, "[%d]", part);
    buf_print(&text, "@%zu", at);
    json_put_text(out, (struct span){text.data, text.len});
    out->bad = out->bad || text.bad;
    buf_free(&text);
}

/* `image`: the pictures in the cell of the row at an offset. 0 or -1. */
static int put_pictures(struct table *t, struct span index, size_t at, struct span cell,
                        struct buf *out)
{
    struct span text = tsv_text(cell, &t->image_room), element;
    bool list = text.n > 0 && text.s[0] == '[';
    int count = tsv_list(text, 0, &element);
    if (count <= 0)
        return fail(FAIL_TYPE, "\"image\": a list that is broken or empty");
    put_key(out, count > 1 ? "images" : "image");
    buf_text(out, count > 1 ? "[" : "");
    for (int i = 0; i < count; i++) {
        buf_text(out, i ? "," : "");
        put_place(t, index, at, list ? i : -1, out);
    }
    buf_text(out, count > 1 ? "]" : "");
    return 0;
}

/* `image` where it is the index of another row, or of one that names another one: as
 * VLMEvalKit reads it. */
static int put_other(struct table *t, struct span reference, struct buf *out)
{
    struct tsv_record r;
    struct span image, index = reference;
    for (int steps = 0; steps < REFERENCES_MAX; steps++) {
        const struct place *p = find_place(t, index);
        if (!p)
            return fail(FAIL_MISSING, "\"image\": no row has the index %.*s",
                        (int)index.n, index.s);
        if (!tsv_at(&t->tsv, p->at, &r))
            return fail(FAIL_MEDIA, "\"image\": the table changes while it is read");
        image = tsv_cell(&r, t->column[IMAGE]);
        if (p->picture)
            return put_pictures(t, index, p->at, image, out);
        if (image.n == 0)
            return fail(FAIL_MISSING, "\"image\": row %.*s holds no picture itself",
                        (int)index.n, index.s);
        buf_clear(&t->room);
        index = tsv_text(image, &t->room);
    }
    return fail(FAIL_MISSING, "\"image\": row %.*s leads to no picture", (int)reference.n,
                reference.s);
}

static int put_paths(struct table *t, struct span cell, struct buf *out)
{
    struct span text = tsv_text(cell, &t->image_room), element;
    int count = tsv_list(text, 0, &element);
    if (count <= 0)
        return fail(FAIL_TYPE, "\"image_path\": a list that is broken or empty");
    put_key(out, count > 1 ? "images" : "image");
    buf_text(out, count > 1 ? "[" : "");
    for (int i = 0; i < count; i++) {
        tsv_list(text, i, &element);
        buf_text(out, i ? "," : "");
        json_put_text(out, element);
    }
    buf_text(out, count > 1 ? "]" : "");
    return 0;
}

static int put_media(struct table *t, struct span index, struct buf *out)
{
    struct span image = tsv_cell(&t->record, t->column[IMAGE]);
    struct span path = tsv_cell(&t->record, t->column[IMAGE_PATH]);
    buf_clear(&t->image_room);
    if (image.n > REFERENCE_MAX)
        return put_pictures(t, index, t->record.at, image, out);
    buf_clear(&t->room);
    if (image.n > 0)
        return put_other(t, tsv_text(image, &t->room), out);
    return path.n > 0 ? put_paths(t, path, out) : 0;
}

/* The column of option i ('A' + i), or -1. */
static int option_column(const struct table *t, int i)
{
    char name[2] = {(char)('A' + i), '\0'};
    return tsv_column(&t->tsv, name);
}

static bool is_option(struct span name)
{
    return name.n == 1 && name.s[0] >= 'A' && name.s[0] <= 'Z';
}

/* Options up to the last that is filled; none may lack before it. */
static int put_options(struct table *t, struct buf *out)
{
    int last = -1;
    for (int i = 0; i < 26; i++)
        if (tsv_cell(&t->record, option_column(t, i)).n > 0)
            last = i;
    if (last < 0)
        return 0;
    put_key(out, "options");
    for (int i = 0; i <= last; i++) {
        struct span cell = tsv_cell(&t->record, option_column(t, i));
        if (cell.n == 0)
            return fail(FAIL_MISSING, "no option %c, but one behind it", 'A' + i);
        buf_clear(&t->room);
        buf_char(out, i ? ',' : '[');
        json_put_text(out, tsv_text(cell, &t->room));
    }
    buf_char(out, ']');
    if (tsv_column(&t->tsv, "kind") < 0)
        buf_text(out, ",\"kind\":\"choice\"");
    return 0;
}

static void put_question(struct table *t, struct buf *out)
{
    struct span question = tsv_cell(&t->record, t->column[QUESTION]);
    struct span hint = tsv_cell(&t->record, t->column[HINT]);
    if (question.n == 0)
        return;
    buf_clear(&t->room);
    buf_clear(&t->hint_room);
    if (hint.n > 0) {
        struct span text = tsv_text(hint, &t->room);
        buf_add(&t->hint_room, text.s, text.n);
        buf_char(&t->hint_room, '\n');
        buf_clear(&t->room);
    }
    struct span text = tsv_text(question, &t->room);
    buf_add(&t->hint_room, text.s, text.n);
    put_key(out, "question");
    json_put_text(out, (struct span){t->hint_room.data, t->hint_room.len});
}

/* Columns that no rule above takes, and that no field above has the name of. */
static void put_rest(struct table *t, struct buf *out)
{
    static const char *const taken[] = {"index", "image", "image_path", "question",
                                        "hint",  "id",    "images",     "error"};
    for (int i = 0; i < t->tsv.columns; i++) {
        struct span cell = tsv_cell(&t->record, i), name = t->tsv.names[i];
        bool skip = cell.n == 0 || name.n == 0 || is_option(name);
        skip = skip || (span_is(name, "options") && option_column(t, 0) >= 0);
        for (size_t k = 0; k < sizeof taken / sizeof *taken && !skip; k++)
            skip = span_is(name, taken[k]);
        if (skip)
            continue;
        buf_clear(&t->room);
        buf_text(out, out->len > 1 ? "," : "");
        json_put_text(out, name);
        buf_char(out, ':');
        json_put_text(out, tsv_text(cell, &t->room));
    }
}

/* Is the record one row of this table? */
static int check_record(const struct table *t, struct span index)
{
    const struct tsv_record *r = &t->record;
    const struct place *first = find_place(t, index);
    if (r->open)
        return fail(FAIL_PARSE, "a cell's quote is never closed");
    if (r->count > t->tsv.columns)
        return fail(FAIL_PARSE, "%d cells, but %d columns", r->count, t->tsv.columns);
    if (index.n == 0)
        return fail(FAIL_MISSING, "no \"index\"");
    if (first && first->line != r->line)
        return fail(FAIL_TYPE, "index %.*s stands in line %lld already",
                    (int)(index.n < 80 ? index.n : 80), index.s, (long long)first->line);
    return 0;
}

int table_next(struct table *t, struct line *line)
{
    struct buf out = {0}, index_text = {0};
    if (!tsv_next(&t->tsv, &t->record))
        return STREAM_END;
    struct span index = tsv_text(tsv_cell(&t->record, t->column[INDEX]), &index_text);
    buf_char(&out, '{');
    int status = check_record(t, index);
    if (index.n > 0 && (!t->record.open || index.n <= REFERENCE_MAX)) {
        put_key(&out, "id");
        if (is_number(index))
            buf_add(&out, index.s, index.n);
        else
            json_put_text(&out, index);
    }
    size_t sound = out.len;
    if (status == 0 && (status = put_media(t, index, &out)) < 0)
        out.len = sound;
    if (!t->record.open)
        put_question(t, &out);
    sound = out.len;
    if (status == 0 && (status = put_options(t, &out)) < 0)
        out.len = sound;
    if (!t->record.open)
        put_rest(t, &out);
    buf_char(&out, '}');
    bool bad =
        out.bad || index_text.bad || t->room.bad || t->hint_room.bad || t->image_room.bad;
    buf_free(&index_text);
    if (bad) {
        buf_free(&out);
        fail_memory();
        return STREAM_FAILED;
    }
    *line = (struct line){out.data, {out.data, out.len}, t->record.line, -1};
    return status == 0 ? 1 : 2;
}
