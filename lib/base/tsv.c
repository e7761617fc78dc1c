/* tsv.c: see tsv.h. */
#include "base/tsv.h"
#include "base/fail.h"

static const char *find(const char *s, const char *end, char c)
{
    const char *at = s < end ? memchr(s, c, (size_t)(end - s)) : NULL;
    return at ? at : end;
}

static int64_t count_lines(const char *s, const char *end)
{
    int64_t n = 0;
    for (; (s = find(s, end, '\n')) < end; s++) n++;
    return n;
}

/* Behind the quote that closes a cell, s being behind the one that opens it; NULL: none
 * does. */
static const char *close_quote(const char *s, const char *end)
{
    for (;;) {
        s = find(s, end, '"');
        if (s == end)
            return NULL;
        if (s + 1 == end || s[1] != '"')
            return s + 1;
        s += 2;
    }
}

/* Read cells from s on. *feed is the next line end, looked for once per line and not once
 * per cell, which would be quadratic. */
static const char *read_cells(struct tsv_record *r, const char *s, const char *end)
{
    const char *feed = NULL;
    for (;;) {
        const char *from = s, *to;
        if (s < end && *s == '"') {
            const char *closed = close_quote(s + 1, end);
            r->open = !closed;
            s = closed ? closed : end;
        }
        if (!feed || feed < s)
            feed = find(s, end, '\n');
        s = to = find(s, feed, '\t');
        bool last = to == feed;
        if (last && to > from && to < end && to[-1] == '\r')
            to--;
        if (r->count < TSV_COLUMNS_MAX)
            r->cells[r->count] = (struct span){from, (size_t)(to - from)};
        r->count++;
        if (last)
            return feed < end ? feed + 1 : end;
        s++;
    }
}

static bool blank(const struct tsv_record *r)
{
    return r->count == 1 && r->cells[0].n == 0;
}

bool tsv_at(const struct tsv *t, size_t at, struct tsv_record *r)
{
    const char *base = t->file.data;
    *r = (struct tsv_record){.at = at};
    if (at < t->body || at >= t->file.size || base[at - 1] != '\n')
        return false;
    r->end = (size_t)(read_cells(r, base + at, base + t->file.size) - base);
    return !blank(r);
}

bool tsv_next(const struct tsv *t, struct tsv_record *r)
{
    const char *base = t->file.data;
    if (r->end == 0) {
        r->end = t->body;
        r->lines = t->before;
    }
    do {
        if (r->end >= t->file.size)
            return false;
        r->at = r->end;
        r->line = r->lines + 1;
        r->count = 0;
        r->open = false;
        r->end = (size_t)(read_cells(r, base + r->at, base + t->file.size) - base);
        r->lines += count_lines(base + r->at, base + r->end);
    } while (blank(r));
    return true;
}

struct span tsv_cell(const struct tsv_record *r, int column)
{
    bool there = column >= 0 && column < r->count && column < TSV_COLUMNS_MAX;
    return there ? r->cells[column] : (struct span){"", 0};
}

/* pandas takes what stands behind a closing quote as more of the cell. */
struct span tsv_text(struct span cell, struct buf *room)
{
    const char *s = cell.s, *end = s + cell.n;
    if (cell.n == 0 || *s != '"')
        return cell;
    const char *closed = close_quote(++s, end);
    if (closed == end && !memchr(s, '"', (size_t)(end - 1 - s)))
        return (struct span){s, (size_t)(end - 1 - s)};
    size_t before = room->len;
    bool quoted = true;
    while (s < end) {
        const char *quote = quoted ? find(s, end, '"') : end;
        buf_add(room, s, (size_t)(quote - s));
        s = quote + (quote < end);
        if (quote < end && s < end && *s == '"')
            buf_char(room, *s++);
        else
            quoted = false;
    }
    return (struct span){room->data ? room->data + before : "", room->len - before};
}

static const char *skip(const char *s, const char *end)
{
    while (s < end && (*s == ' ' || *s == '\n' || *s == '\r' || *s == '\t')) s++;
    return s;
}

int tsv_list(struct span text, int number, struct span *element)
{
    const char *end = text.s + text.n, *s = skip(text.s, end);
    int count = 0;
    if (s == end || *s != '[') {
        if (number == 0)
            *element = text;
        return 1;
    }
    s = skip(s + 1, end);
    while (s < end && (*s == '\'' || *s == '"')) {
        const char *close = find(s + 1, end, *s);
        if (close == end || memchr(s, '\\', (size_t)(close - s)))
            return -1;
        if (count++ == number)
            *element = (struct span){s + 1, (size_t)(close - s - 1)};
        s = skip(close + 1, end);
        if (s == end || *s != ',')
            break;
        s = skip(s + 1, end);
    }
    return s < end && *s == ']' && skip(s + 1, end) == end ? count : -1;
}

int tsv_column(const struct tsv *t, const char *name)
{
    for (int i = 0; i < t->columns; i++)
        if (span_is(t->names[i], name))
            return i;
    return -1;
}

/* The first line. Names are decoded one behind the other; their places are known once the
 * text no longer moves. */
static int read_names(struct tsv *t, const char *path)
{
    const char *base = t->file.data, *end = base + t->file.size, *s = base;
    size_t lengths[TSV_COLUMNS_MAX], at = 0;
    struct tsv_record r = {0};
    struct buf room = {0};
    if (t->file.size >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0)
        s += 3;
    t->body = (size_t)(read_cells(&r, s, end) - base);
    if (blank(&r) || r.open)
        return fail(FAIL_MEDIA, "%s: no first line of column names", path);
    if (r.count > TSV_COLUMNS_MAX)
        return fail(FAIL_MEDIA, "%s: %d columns; more than %d", path, r.count,
                    TSV_COLUMNS_MAX);
    for (int i = 0; i < r.count; i++) {
        struct span text = tsv_text(r.cells[i], &room);
        buf_add(&t->names_text, text.s, text.n);
        lengths[i] = text.n;
    }
    bool bad = room.bad || t->names_text.bad;
    buf_free(&room);
    if (bad)
        return fail_memory();
    for (int i = 0; i < r.count; at += lengths[i++])
        t->names[i] = lengths[i] ? (struct span){t->names_text.data + at, lengths[i]}
                                 : (struct span){"", 0};
    t->columns = r.count;
    t->before = count_lines(base, base + t->body);
    return 0;
}

int tsv_open(struct tsv *t, const char *path)
{
    *t = (struct tsv){0};
    if (mapping_open(&t->file, path) < 0)
        return fail(FAIL_MEDIA, "%s", fail_text());
    const unsigned char *b = t->file.data;
    int status = 0;
    if (t->file.size == 0)
        status = fail(FAIL_MEDIA, "%s: an empty file", path);
    else if (t->file.size > 4 &&
             ((b[0] == 0x1F && b[1] == 0x8B) || memcmp(b, "\x28\xB5\x2F\xFD", 4) == 0))
        status = fail(FAIL_MEDIA,
                      "%s: packed; unpack it first, since pictures are read "
                      "from their places in it",
                      path);
    else
        status = read_names(t, path);
    if (status < 0)
        tsv_close(t);
    return status;
}

void tsv_close(struct tsv *t)
{
    mapping_close(&t->file);
    buf_free(&t->names_text);
    *t = (struct tsv){0};
}
