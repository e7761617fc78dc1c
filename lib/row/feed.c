/* feed.c: see feed.h. */
#include "row/feed.h"
#include "base/buf.h"
#include "base/fail.h"
#include "row/json.h"
#include "row/scan.h"
#include "row/table.h"
#include "row/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* Is a file rows by its name, whatever it holds? (So that a broken one is read as rows.)
 */
static bool named_rows(const char *path)
{
    static const char *const ends[] = {".jsonl",     ".json",     ".ndjson",
                                       ".jsonl.gz",  ".json.gz",  ".ndjson.gz",
                                       ".jsonl.zst", ".json.zst", ".ndjson.zst"};
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t m = strlen(ends[i]);
        if (n >= m && strcasecmp(path + n - m, ends[i]) == 0)
            return true;
    }
    return false;
}

int feed_open(struct feed *f, char **args, int count, bool media,
              const struct stream_wait *wait)
{
    static const char *const only_stdin[] = {"-"};
    struct stat st;
    *f = (struct feed){
        .args = (const char *const *)args, .count = count, .media = media, .wait = wait};
    if (count == 0) {
        f->args = only_stdin;
        f->count = 1;
        return 0;
    }
    for (int i = 0; i < count; i++) {
        if (strcmp(args[i], "-") == 0)
            continue;
        if (stat(args[i], &st) < 0)
            return fail(FAIL_MEDIA, "%s: %s", args[i], strerror(errno));
        if (S_ISDIR(st.st_mode) && !media)
            return fail(FAIL_MEDIA, "%s: a folder, not a file of rows", args[i]);
        if (!S_ISDIR(st.st_mode) && !media && access(args[i], R_OK) < 0)
            return fail(FAIL_MEDIA, "%s: %s", args[i], strerror(errno));
    }
    return 0;
}

/* Is the file at path a picture (or at least no rows)? r has it open. */
static bool holds_media(const char *path, struct reader *r)
{
    if (strcmp(path, "-") == 0 || named_rows(path) || table_named(path))
        return false;
    switch (reader_content(r)) {
    case READER_OTHER: return true;
    case READER_EMPTY: return walk_is_picture(path);
    default: return false;
    }
}

/* Bytes that are no text at all: one message, not an error for each piece between their
 * line feeds. */
static bool is_binary(struct reader *r)
{
    struct span head;
    if (reader_content(r) != READER_OTHER)
        return false;
    head = reader_head(r);
    for (size_t i = 0; i < head.n && i < 64; i++)
        if ((unsigned char)head.s[i] < ' ' && !strchr("\t\n\r", head.s[i]))
            return true;
    return false;
}

bool feed_has_media(const struct feed *f)
{
    struct stat st;
    for (int i = 0; f->media && i < f->count; i++) {
        const char *path = f->args[i];
        if (strcmp(path, "-") == 0 || stat(path, &st) < 0)
            continue;
        if (S_ISDIR(st.st_mode))
            return true;
        struct reader *r = S_ISREG(st.st_mode) ? reader_open(path, f->wait) : NULL;
        bool media = r && holds_media(path, r);
        reader_close(r);
        if (media)
            return true;
    }
    return false;
}

/* A name that would be taken for a URI is written as ./name. */
static bool like_uri(const char *path)
{
    return strncasecmp(path, "data:", 5) == 0 || strncasecmp(path, "http:", 5) == 0 ||
           strncasecmp(path, "https:", 6) == 0 || strncasecmp(path, "file:", 5) == 0;
}

static bool is_utf8(const char *s)
{
    const char *end = s + strlen(s);
    while (s < end) {
        int n = (unsigned char)*s < 0x80 ? 1 : scan_utf8(s, end);
        if (n < 0)
            return false;
        s += n;
    }
    return true;
}

/* A row for the picture at path. JSON cannot hold a path that is not UTF-8: such a row is
 * bad from the start. The path itself lies behind the text. */
static int media_item(const char *path, struct feed_item *item)
{
    struct buf row = {0}, ref = {0};
    buf_text(&ref, like_uri(path) ? "./" : "");
    buf_text(&ref, path);
    buf_text(&row, "{\"id\":");
    json_put_text(&row, span_of(path));
    buf_text(&row, ",\"image\":");
    json_put_text(&row, (struct span){ref.data, ref.len});
    buf_text(&row, "}");
    size_t n = row.len;
    buf_add(&row, path, strlen(path) + 1);
    bool bad = ref.bad || buf_ok(&row) < 0;
    buf_free(&ref);
    if (bad) {
        buf_free(&row);
        return fail_memory();
    }
    *item = (struct feed_item){.line = {.block = row.data, .text = {row.data, n}},
                               .file = row.data + n,
                               .media = true};
    return 1;
}

static int picture(const char *path, struct feed_item *item)
{
    int rc = media_item(path, item);
    if (rc == 1 && !is_utf8(path)) {
        item->bad = true;
        fail(FAIL_MEDIA, "%s: the file's name is not UTF-8, so no row can hold it", path);
    }
    return rc;
}

static int next_walked(struct feed *f, struct feed_item *item)
{
    char *path;
    int at, count, rc = walk_next(f->walk, &path);
    walk_progress(f->walk, &at, &count);
    if (count > 0)
        f->done = (int)((f->at + (double)at / count) / f->count * FEED_ALL);
    if (rc == 0 && f->walked == 0)
        return fail(FAIL_MEDIA, "%s: no picture in this folder", f->args[f->at]);
    if (rc == 0 || !path)
        return rc;
    f->walked++;
    if (rc == 1) {
        rc = picture(path, item);
    } else { /* a folder that cannot be read: a row that says so, not silence */
        struct failure why;
        fail_save(&why);
        rc = media_item(path, item);
        if (rc == 1) {
            item->bad = true;
            fail_again(&why);
        }
    }
    free(path);
    return rc;
}

static int next_read(struct feed *f, struct feed_item *item)
{
    int64_t read, all;
    int rc = reader_next(f->reader, &item->line);
    stream_progress(reader_stream(f->reader), &read, &all);
    if (all > 0)
        f->done = (int)((f->at + (double)read / (double)all) / f->count * FEED_ALL);
    else
        f->done = f->count > 1 ? f->at * (FEED_ALL / f->count) : -1;
    item->file = stream_name(reader_stream(f->reader));
    item->media = item->bad = false;
    return rc;
}

static int next_of_table(struct feed *f, struct feed_item *item)
{
    int rc = table_next(f->table, &item->line);
    f->done = (int)((f->at + table_progress(f->table)) / f->count * FEED_ALL);
    item->file = f->args[f->at]; /* outlives the table: rows still in work name it */
    item->media = false;
    item->bad = rc == 2;
    return rc == 2 ? 1 : rc;
}

/* Open args[at]: as rows, as a folder, or as the one picture that it is. 0 when there is
 * something to read now, 1 with *item a picture, else as feed_next(). */
static int open_next(struct feed *f, struct feed_item *item)
{
    const char *path = f->args[f->at];
    struct stat st = {0};
    if (f->media && strcmp(path, "-") != 0) {
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            f->walked = 0;
            return (f->walk = walk_open(path)) ? 0 : -1;
        }
        if (S_ISFIFO(st.st_mode) && walk_is_picture(path)) {
            f->at++;
            return picture(path, item); /* never opened here: it might block */
        }
    }
    if (strcmp(path, "-") != 0 && table_named(path)) {
        if ((f->table = table_open(path, f->absolute)))
            return 0;
        f->at++;
        return STREAM_FAILED;
    }
    if (!(f->reader = reader_open(path, f->wait))) {
        f->at++;
        return f->media && walk_is_picture(path) ? picture(path, item) : STREAM_FAILED;
    }
    if (f->media && holds_media(path, f->reader)) {
        reader_close(f->reader);
        f->reader = NULL;
        f->done = (int)((double)++f->at / f->count * FEED_ALL);
        return picture(path, item);
    }
    if (is_binary(f->reader)) {
        fail(FAIL_MEDIA, "%s: binary data, not rows%s",
             stream_name(reader_stream(f->reader)),
             f->media ? " (pictures are named as arguments)" : "");
        reader_close(f->reader);
        f->reader = NULL;
        f->at++;
        return STREAM_FAILED;
    }
    return 0;
}

int feed_next(struct feed *f, struct feed_item *item)
{
    while (f->at < f->count) {
        if (!f->reader && !f->walk && !f->table) {
            int rc = open_next(f, item);
            if (rc != 0)
                return rc;
        }
        int rc = f->walk    ? next_walked(f, item)
                 : f->table ? next_of_table(f, item)
                            : next_read(f, item);
        if (rc == 1 || rc == STREAM_STOPPED)
            return rc;
        f->skipped += f->walk ? walk_skipped(f->walk) : 0;
        feed_close(f);
        f->at++;
        if (rc < 0)
            return rc;
    }
    return STREAM_END;
}

void feed_close(struct feed *f)
{
    reader_close(f->reader);
    walk_close(f->walk);
    table_close(f->table);
    f->reader = NULL;
    f->walk = NULL;
    f->table = NULL;
}
