/* row_write.c: edits to a row, and the line that comes out. */
#include "row/row_own.h"
#include "row/scan.h"

#include <stdlib.h>

int row_fail(struct row *row)
{
    fail_save(&row->why);
    row->bad = true;
    return -1;
}

void row_flaw(struct row *row)
{
    if (!row->flawed && !row->bad)
        fail_save(&row->why);
    row->flawed = true;
}

static char *keep(struct row *row, const char *s, size_t n)
{
    char *copy = row_alloc(row, n + 1);
    if (copy) {
        if (n > 0)
            memcpy(copy, s, n);
        copy[n] = '\0';
    }
    return copy;
}

/* Room for one more edit. 0 or -1 (memory). */
static int grow_edits(struct row *row)
{
    struct row_private *own = row->own;
    int cap = own->edit_cap ? 2 * own->edit_cap : 4;
    struct row_edit *edits = row_alloc(row, (size_t)cap * sizeof *edits);
    if (!edits)
        return -1;
    if (own->edit_count > 0)
        memcpy(edits, own->edits, (size_t)own->edit_count * sizeof *edits);
    own->edits = edits;
    own->edit_cap = cap;
    return 0;
}

int row_set_kept(struct row *row, const char *key, struct span json)
{
    struct row_private *own = row->own;
    char *name;
    for (int i = 0; i < own->edit_count; i++) {
        if (strcmp(own->edits[i].key, key) == 0) {
            own->edits[i].json = json;
            return 0;
        }
    }
    if ((own->edit_count == own->edit_cap && grow_edits(row) < 0) ||
        !(name = keep(row, key, strlen(key))))
        return -1;
    own->edits[own->edit_count++] = (struct row_edit){name, json};
    return 0;
}

int row_set(struct row *row, const char *key, struct span json)
{
    char *copy = keep(row, json.s, json.n);
    return copy ? row_set_kept(row, key, (struct span){copy, json.n}) : -1;
}

int row_replace(struct row *row, struct span text)
{
    char *copy = keep(row, text.s, text.n);
    if (!copy)
        return -1;
    row->own->replaced = (struct span){copy, text.n};
    return 0;
}

static void put_error(const struct row *row, struct buf *out)
{
    buf_text(out, "{\"stage\":");
    json_put_text(out, span_of(row->own->stage));
    buf_print(out, ",\"class\":\"%s\",\"message\":", fail_name(row->why.kind));
    json_put_text(out, span_of(row->why.text));
    if (row->attempts > 0)
        buf_print(out, ",\"attempts\":%d", row->attempts);
    buf_char(out, '}');
}

/* An edit whose key the line has: where the old value lies. */
struct change {
    struct span old, new;
};

static int by_place(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    return (x->old.s > y->old.s) - (x->old.s < y->old.s);
}

typedef void put_piece(void *context, struct span piece);

enum { TOGETHER = 8 }; /* edits whose old values are found in one walk along the line */

/* The values that the line has for the first of count edits, TOGETHER at most. */
static void find_old(const struct row *row, const struct row_edit *edits, int count,
                     struct value old[TOGETHER])
{
    struct span names[TOGETHER];
    int n = count < TOGETHER ? count : TOGETHER;
    for (int i = 0; i < n; i++) names[i] = span_of(edits[i].key);
    value_pick(row->own->root, names, old, n);
}

/* The line with edits spliced in: changed values where they stand, new fields before the
 * closing brace. changes has room for count. */
static int splice(const struct row *row, const struct row_edit *edits, int count,
                  struct change *changes, put_piece *put, void *context)
{
    struct buf added = {0};
    struct span line = row->text, key;
    struct value member, old[TOGETHER];
    size_t cursor = 0;
    int n = 0;
    bool first = !value_member(row->own->root, &cursor, &key, &member);
    for (int i = 0; i < count; i++) {
        struct span new = edits[i].json;
        if (i % TOGETHER == 0)
            find_old(row, edits + i, count - i, old);
        if (old[i % TOGETHER].json.s) {
            changes[n++] = (struct change){old[i % TOGETHER].json, new};
            continue;
        }
        if (!first)
            buf_char(&added, ',');
        first = false;
        json_put_text(&added, span_of(edits[i].key));
        buf_char(&added, ':');
        buf_add(&added, new.s, new.n);
    }
    if (buf_ok(&added) < 0) {
        buf_free(&added);
        return -1;
    }
    qsort(changes, (size_t)n, sizeof *changes, by_place);
    const char *at = line.s, *end = line.s + line.n, *brace = end;
    while (*--brace != '}') {
    }
    for (int i = 0; i < n; i++) {
        put(context, (struct span){at, (size_t)(changes[i].old.s - at)});
        put(context, changes[i].new);
        at = changes[i].old.s + changes[i].old.n;
    }
    put(context, (struct span){at, (size_t)(brace - at)});
    put(context, (struct span){added.data, added.len});
    put(context, (struct span){brace, (size_t)(end - brace)});
    buf_free(&added);
    return 0;
}

static int emit_bad(const struct row *row, put_piece *put, void *context)
{
    struct buf text = {0};
    int rc = 0;
    if (!row->own->root.json.s) {
        buf_text(&text, "{\"error\":");
        put_error(row, &text);
        buf_text(&text, ",\"input\":");
        json_put_text(&text, row->text);
        buf_char(&text, '}');
        if ((rc = buf_ok(&text)) == 0)
            put(context, (struct span){text.data, text.len});
    } else {
        struct change change;
        put_error(row, &text);
        struct row_edit edit = {"error", {text.data, text.len}};
        if ((rc = buf_ok(&text)) == 0)
            rc = splice(row, &edit, 1, &change, put, context);
    }
    buf_free(&text);
    return rc;
}

int row_emit(const struct row *row, put_piece *put, void *context)
{
    const struct row_private *own = row->own;
    if (own->copied.s) {
        put(context, own->copied);
        return 0;
    }
    if (row->bad)
        return emit_bad(row, put, context);
    if (own->replaced.s) {
        put(context, own->replaced);
        return 0;
    }
    if (own->edit_count == 0) {
        put(context, row->text);
        return 0;
    }
    enum { FEW = 8 };
    struct change few[FEW], *changes = few;
    if (own->edit_count > FEW &&
        !(changes = malloc((size_t)own->edit_count * sizeof *changes)))
        return fail_memory();
    int rc = splice(row, own->edits, own->edit_count, changes, put, context);
    if (changes != few)
        free(changes);
    return rc;
}

static void put_buf(void *context, struct span piece)
{
    buf_add(context, piece.s, piece.n);
}

int row_render(const struct row *row, struct buf *out)
{
    return row_emit(row, put_buf, out) < 0 ? -1 : buf_ok(out);
}
