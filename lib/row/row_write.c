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

int row_set(struct row *row, const char *key, struct span json)
{
    struct row_private *own = row->own;
    char *copy = keep(row, json.s, json.n), *name;
    if (!copy)
        return -1;
    for (int i = 0; i < own->edit_count; i++) {
        if (strcmp(own->edits[i].key, key) == 0) {
            own->edits[i].json = copy;
            own->edits[i].json_n = json.n;
            return 0;
        }
    }
    if (own->edit_count == own->edit_cap) {
        int cap = own->edit_cap ? 2 * own->edit_cap : 4;
        struct row_edit *edits = realloc(own->edits, (size_t)cap * sizeof *edits);
        if (!edits)
            return fail_memory();
        own->edits = edits;
        own->edit_cap = cap;
    }
    if (!(name = keep(row, key, strlen(key))))
        return -1;
    own->edits[own->edit_count++] = (struct row_edit){name, copy, json.n};
    return 0;
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

/* The line with edits spliced in: changed values where they stand, new fields before the
 * closing brace. changes has room for count. */
static int splice(struct span line, const struct row_edit *edits, int count,
                  struct change *changes, put_piece *put, void *context)
{
    struct buf added = {0};
    struct span key, value;
    size_t cursor = 0;
    int n = 0;
    bool first = !json_member(line, &cursor, &key, &value);
    for (int i = 0; i < count; i++) {
        struct span new = {edits[i].json, edits[i].json_n}, old;
        old = json_get(line, edits[i].key);
        if (old.s) {
            changes[n++] = (struct change){old, new};
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
    if (row->own->no_object) {
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
        struct row_edit edit = {"error", text.data, text.len};
        if ((rc = buf_ok(&text)) == 0)
            rc = splice(row->text, &edit, 1, &change, put, context);
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
    struct change *changes = calloc((size_t)own->edit_count, sizeof *changes);
    if (!changes)
        return fail_memory();
    int rc = splice(row->text, own->edits, own->edit_count, changes, put, context);
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
