/* store.h: captions by picture: read from a file, or made once and kept in one.
 *
 * A kept file is JSONL that any program reads, and --captions too:
 *     {"image":"a.png","captions":[{"text":"..."}],"made":"HASH"}
 * made: by which captioner, prompt and sampling. Lines made otherwise don't count.
 */
#ifndef PRISM_STORE_H
#define PRISM_STORE_H
#include "base/buf.h"
#include "base/span.h"
#include <stdbool.h>

struct store;

/* The captions of one picture. */
struct store_captions {
    struct span json;   /* the list as JSON: what a row gets as `captions`; without
                           rewards, ids or anything else that the file may have */
    struct span *texts; /* [count] decoded; s NULL: that caption came in with an error */
    int count;          /* at least 1 */
};

/* A row's media, as JSON: where a list or messages name one picture, that (media.h); s
 * NULL: it names none. */
struct span store_media(struct span row);

/* Append what a picture is known by, whoever names it: a path's text, without the "./" in
 * front that find(1) gives it; other media as they are. 0 or -1 (memory). */
int store_name(struct span media, struct buf *out);

struct store *store_new(void); /* NULL: memory */
void store_free(struct store *s);

/* Take in every row of a file of captions (`captions`, `caption`, or CapRL's
 * `generated_captions`), by its picture (`image`, `images`, `image_path`, `video`, of
 * `original_sample` too) and by its `id`. Rows with an error are left
 * out and counted. 0, or -1 naming file and line: no JSON, no captions, two rows of one
 * picture (or of one id, without a picture) with different captions, or the file cannot
 * be read. */
int store_load(struct store *s, const char *path);

/* Keep what store_put() brings in a file, and begin with what it has of this `made`. A
 * torn last line is cut off. 0 or -1 (refused). */
int store_keep(struct store *s, const char *path, const char made[33]);

/* How many pictures (and ids) captions are there for; rows with an error left out. */
long store_count(const struct store *s);
long store_left_out(const struct store *s);
/* Hash of all lines that store_load() read, in hex: which captions they were. */
void store_hash(const struct store *s, char hex[33]);

/* Captions of a picture (JSON of its media) or, where picture.s is NULL or it is not
 * known, of an id (JSON): not where several pictures of the file have that id, nor where
 * its picture has another file name than this one. Valid until store_free(). NULL with
 * the reason (missing): there are none. */
const struct store_captions *store_get(struct store *s, struct span picture,
                                       struct span id);

/* A row's own `captions`, or `caption`; store_disown() frees them. NULL: it has none
 * (missing), or one without a text (type). */
struct store_captions *store_own(struct span row);
void store_disown(struct store_captions *c); /* may be NULL */

/* The same where they are to be made if there are none: NULL tells the caller to make
 * them and then call store_put() or store_give_up() for this picture; meanwhile others
 * that ask for it wait. */
const struct store_captions *store_take(struct store *s, struct span picture);
/* Captions as JSON list (copied). NULL: memory, or the file cannot be written. */
const struct store_captions *store_put(struct store *s, struct span picture,
                                       struct span json);
void store_give_up(struct store *s, struct span picture);
/* Has the kept file refused a line, as on a full disk? What is made from here on would be
 * lost, too. Any thread. */
bool store_broken(struct store *s);
#endif
