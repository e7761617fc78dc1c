/* feed.h: what a program's arguments bring, one after the other: rows from files or
 * standard input, rows of tables (table.h), and rows made for pictures and folders. */
#ifndef FEED_H
#define FEED_H
#include "row/reader.h"
#include <stdatomic.h>

/* One item. A line of a file, or {"id":PATH,"image":PATH} for a picture. */
struct feed_item {
    struct line line; /* its block is the caller's to free */
    const char *file; /* the file's name; for a picture its path, which lies in block */
    bool media;       /* made for a picture: line.number is 0 */
    bool bad;         /* it cannot be used: the reason is in fail_text() */
};

struct feed {
    const char *const *args; /* files, borrowed; "-" is standard input */
    int count, at;
    bool media; /* pictures and folders are welcome */
    const struct stream_wait *wait;
    struct reader *reader; /* of args[at], or NULL */
    struct walk *walk;     /* of args[at], or NULL */
    struct table *table;   /* of args[at], or NULL */
    bool absolute;         /* rows name tables by absolute paths */
    int64_t walked;        /* pictures found in it */
    int64_t skipped;       /* entries of folders so far that were taken for no pictures */
    atomic_int done;       /* how far it has come: parts of FEED_ALL; -1 not known */
};

enum { FEED_ALL = 1000000 };

/* Are all arguments there and of a kind that this program takes? 0, or -1 (class media)
 * naming the first that is not. No argument is standard input. */
int feed_open(struct feed *f, char **args, int count, bool media,
              const struct stream_wait *wait);

/* Does any argument name a picture or a folder (by its content, for a regular file)? */
bool feed_has_media(const struct feed *f);

/* 1 an item, STREAM_END, STREAM_STOPPED, or STREAM_FAILED with the reason (the rest of
 * one file is lost; the next call goes on behind it). */
int feed_next(struct feed *f, struct feed_item *item);
void feed_close(struct feed *f);
#endif
