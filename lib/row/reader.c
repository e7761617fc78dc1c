/* reader.c: see reader.h. Lines are looked for in one growing buffer; a long line keeps
 * that buffer and is never copied, so that a line of n bytes takes about n bytes. */
#include "row/reader.h"
#include "base/buf.h"
#include "base/fail.h"
#include "row/scan.h"

#include <stdlib.h>

enum {
    READER_CHUNK = 256 << 10, /* bytes asked for at a time */
    READER_KEEP = 1 << 20,    /* a longer line takes the buffer with it */
    READER_BLANK = 64 << 10,  /* white space before an array, at most */
};

enum mode { MODE_UNKNOWN, MODE_LINES, MODE_ARRAY, MODE_END };

struct reader {
    struct stream *stream;
    struct buf buf;
    size_t at;      /* bytes of buf already handed out */
    size_t scanned; /* bytes of buf already searched */
    int64_t before; /* bytes of the stream before buf's first */
    bool ended;     /* the stream has no more */
    enum mode mode;
    int64_t number;
    bool first; /* no element of the array was read yet */
};

struct reader *reader_open(const char *path, const struct stream_wait *wait)
{
    struct reader *r = calloc(1, sizeof *r);
    if (!r) {
        fail_memory();
        return NULL;
    }
    if (!(r->stream = stream_open(path, wait))) {
        free(r);
        return NULL;
    }
    return r;
}

void reader_close(struct reader *r)
{
    if (!r)
        return;
    stream_close(r->stream);
    buf_free(&r->buf);
    free(r);
}

const struct stream *reader_stream(const struct reader *r)
{
    return r->stream;
}

/* Get more bytes behind those in buf. 1, or as stream_read(). */
static int fill(struct reader *r)
{
    if (r->ended)
        return STREAM_END;
    if (r->at > 0 && r->at >= r->buf.len / 2) {
        memmove(r->buf.data, r->buf.data + r->at, r->buf.len - r->at);
        r->buf.len -= r->at;
        r->scanned -= r->at;
        r->before += (int64_t)r->at;
        r->at = 0;
    }
    if (!buf_room(&r->buf, READER_CHUNK))
        return fail_memory();
    size_t room = r->buf.cap - r->buf.len;
    int64_t n = stream_read(r->stream, r->buf.data + r->buf.len,
                            room < 16 * READER_CHUNK ? room : 16 * READER_CHUNK);
    if (n == STREAM_END)
        r->ended = true;
    if (n <= 0)
        return (int)n;
    r->buf.len += (size_t)n;
    return 1;
}

static int refuse_utf16(const struct reader *r)
{
    return fail(FAIL_JSON, "%s: UTF-16 text; rows are UTF-8 (iconv -f UTF-16 -t UTF-8)",
                stream_name(r->stream));
}

/* Skip a byte order mark and see what the file holds. 1, or as stream_read(). */
static int begin(struct reader *r)
{
    static const char bom[] = "\xEF\xBB\xBF";
    int rc = 1;
    while (rc == 1) {
        const char *s = r->buf.data + r->at;
        size_t n = r->buf.len - r->at;
        if (n >= 2 && (memcmp(s, "\xFF\xFE", 2) == 0 || memcmp(s, "\xFE\xFF", 2) == 0 ||
                       (s[0] == '\0' && (s[1] == '{' || s[1] == '[')) ||
                       ((s[0] == '{' || s[0] == '[') && s[1] == '\0')))
            return refuse_utf16(r);
        if (n >= 3 && r->at == 0 && memcmp(s, bom, 3) == 0) {
            r->at = r->scanned = 3;
            continue;
        }
        const char *text = n ? scan_blank(s, s + n) : s;
        bool unsure = n == 0 || (text == s + n && n < READER_BLANK) ||
                      (n < 3 && memcmp(s, bom, n) == 0) ||
                      (n == 1 && (*s == '\0' || *s == '\xFF' || *s == '\xFE'));
        if (!unsure || r->ended) {
            r->mode = n && text < s + n && *text == '[' ? MODE_ARRAY : MODE_LINES;
            if (r->mode == MODE_ARRAY) {
                r->at = r->scanned = (size_t)(text + 1 - r->buf.data);
                r->first = true;
            }
            return 1;
        }
        /* White space alone so far. Lines may be dropped, but must be counted. */
        rc = fill(r);
        if (rc == STREAM_END)
            rc = 1;
    }
    return rc;
}

enum reader_content reader_content(struct reader *r)
{
    if (r->mode == MODE_UNKNOWN) {
        int rc = begin(r);
        if (rc != 1)
            return rc == STREAM_STOPPED ? READER_STOPPED : READER_FAILED;
    }
    if (r->mode == MODE_ARRAY)
        return READER_ROWS;
    if (r->buf.len == 0)
        return READER_EMPTY;
    const char *end = r->buf.data + r->buf.len;
    const char *s = scan_blank(r->buf.data + r->at, end);
    return s == end || *s == '{' ? READER_ROWS : READER_OTHER;
}

struct span reader_head(const struct reader *r)
{
    return (struct span){r->buf.data + r->at, r->buf.len - r->at};
}

/* Hand out bytes [at, at + n) of the buffer as line; the buffer goes on at next. */
static int take(struct reader *r, size_t n, size_t next, struct line *line)
{
    line->offset = r->mode == MODE_LINES && stream_plain(r->stream)
                       ? r->before + (int64_t)r->at
                       : -1;
    if (n >= READER_KEEP) {
        struct buf rest = {0};
        buf_add(&rest, r->buf.data + next, r->buf.len - next);
        if (buf_ok(&rest) < 0)
            return -1;
        line->block = r->buf.data;
        line->text = (struct span){r->buf.data + r->at, n};
        r->buf = rest;
        r->before += (int64_t)next;
        r->at = r->scanned = 0;
    } else {
        char *copy = malloc(n + 1);
        if (!copy)
            return fail_memory();
        memcpy(copy, r->buf.data + r->at, n);
        line->block = copy;
        line->text = (struct span){copy, n};
        r->at = r->scanned = next;
    }
    line->number = r->number;
    return 1;
}

static int next_line(struct reader *r, struct line *line)
{
    for (;;) {
        char *from = r->buf.data + r->scanned;
        size_t left = r->buf.len - r->scanned;
        char *feed = left ? memchr(from, '\n', left) : NULL;
        if (!feed) {
            r->scanned = r->buf.len;
            int rc = fill(r);
            if (rc == 1)
                continue;
            if (rc != STREAM_END || r->at == r->buf.len)
                return rc;
            feed = r->buf.data + r->buf.len; /* the last line has no line end */
        }
        r->number++;
        const char *s = r->buf.data + r->at;
        size_t next = (size_t)(feed - r->buf.data), n = next - r->at;
        next += next < r->buf.len;
        if (n > 0 && s[n - 1] == '\r')
            n--;
        if (n > 0 && scan_blank(s, s + n) < s + n)
            return take(r, n, next, line);
        r->at = r->scanned = next;
    }
}

/* Where the search for an element's end stands. */
struct search {
    int64_t depth;
    bool string;
};

/* Go on from r->scanned to the comma or bracket that ends the element. false: not there
 * yet. */
static bool find_end(struct reader *r, struct search *search)
{
    const char *s = r->buf.data + r->scanned, *end = r->buf.data + r->buf.len;
    bool found = false;
    while (s < end && !found) {
        if (search->string) {
            s = scan_string(s, end);
            if (s == end)
                break;
            if (*s == '\\') {
                if (end - s < 2)
                    break; /* the escaped byte is not here yet */
                s += 2;
                continue;
            }
            search->string = false;
            s++;
            continue;
        }
        char c = *s;
        if (c == '"')
            search->string = true;
        else if (c == '{' || c == '[')
            search->depth++;
        else if (search->depth > 0 && (c == '}' || c == ']'))
            search->depth--;
        else if (search->depth == 0 && (c == ',' || c == ']'))
            found = true;
        s += !found;
    }
    r->scanned = (size_t)(s - r->buf.data);
    return found;
}

/* Leave out white space that holds a line end, so that the element fits on one line. */
static void join_lines(struct span *text)
{
    char *s = (char *)text->s, *to = s, *end = s + text->n;
    if (!memchr(s, '\n', text->n) && !memchr(s, '\r', text->n))
        return;
    while (s < end) {
        char *from = s;
        if (scan_space(*s)) {
            s = (char *)scan_blank(s, end);
            size_t n = (size_t)(s - from);
            if (memchr(from, '\n', n) || memchr(from, '\r', n))
                continue;
        } else if (*s == '"') {
            s = (char *)scan_close(s + 1, end);
        } else {
            s++;
        }
        memmove(to, from, (size_t)(s - from));
        to += s - from;
    }
    text->n = (size_t)(to - text->s);
}

/* The file ends inside the array: what is left becomes a row (an empty one at least,
 * which is then refused), so that the loss is seen. */
static int cut_off(struct reader *r, const struct search *search, struct line *line)
{
    bool whole = r->at < r->buf.len && search->depth == 0 && !search->string;
    r->mode = whole ? MODE_ARRAY : MODE_END;
    r->number++;
    int rc = take(r, r->buf.len - r->at, r->buf.len, line);
    if (rc == 1)
        join_lines(&line->text);
    return rc;
}

/* The next element; 0 once the array is closed: another one may follow (files put one
 * behind the other), or lines. */
static int next_element(struct reader *r, struct line *line)
{
    struct search search = {0};
    bool found = false;
    int rc;
    while (!found) {
        if (r->scanned == r->at) { /* to the element's first byte */
            const char *end = r->buf.data + r->buf.len;
            const char *s = scan_blank(r->buf.data + r->at, end);
            r->at = r->scanned = (size_t)(s - r->buf.data);
            if (s < end && *s == ']' && r->first) {
                r->at = r->scanned = r->at + 1;
                r->mode = MODE_UNKNOWN;
                return 0;
            }
        }
        if ((found = find_end(r, &search)))
            break;
        if ((rc = fill(r)) == STREAM_END)
            return cut_off(r, &search, line);
        if (rc < 0)
            return rc;
    }
    r->first = false;
    r->number++;
    size_t end = r->scanned, n = end - r->at;
    while (n > 0 && scan_space(r->buf.data[r->at + n - 1])) n--;
    if (r->buf.data[end] == ']')
        r->mode = MODE_UNKNOWN;
    if ((rc = take(r, n, end + 1, line)) == 1)
        join_lines(&line->text);
    return rc;
}

int reader_next(struct reader *r, struct line *line)
{
    int rc;
    do {
        if (r->mode == MODE_UNKNOWN && (rc = begin(r)) != 1)
            return rc;
        if (r->mode == MODE_ARRAY && (rc = next_element(r, line)) != 0)
            return rc;
    } while (r->mode == MODE_UNKNOWN);
    return r->mode == MODE_LINES ? next_line(r, line) : STREAM_END;
}
