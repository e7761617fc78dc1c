/* store.c: see store.h. A hash table with open addressing; entries never move. */
#include "prism/store.h"
#include "base/fail.h"
#include "model/media.h"
#include "row/json.h"
#include "row/keys.h"
#include "row/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of a picture or an id. */
struct entry {
    struct key key;
    bool ready;      /* else somebody makes them */
    bool ambiguous;  /* an id: several pictures of the file have it */
    bool lent;       /* an id: captions are its picture's, which owns them */
    struct key name; /* an id: of its picture's name, zero: it has none */
    struct store_captions captions;
};

struct store {
    struct entry **table; /* [size], a power of two */
    size_t size, used;
    long count, left_out;
    struct key loaded; /* of the lines of store_load(), one by one */
    int fd;            /* the kept file; -1: none */
    bool broken;       /* ... and it could not be written */
    char *path, made[33];
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

struct store *store_new(void)
{
    struct store *s = calloc(1, sizeof *s);
    if (!s) {
        fail_memory();
        return NULL;
    }
    s->fd = -1;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    return s;
}

static void captions_clear(struct store_captions *c)
{
    for (int i = 0; i < c->count; i++) free((char *)c->texts[i].s);
    free(c->texts);
    free((char *)c->json.s);
    *c = (struct store_captions){0};
}

static void entry_free(struct entry *e)
{
    if (!e->lent)
        captions_clear(&e->captions);
    free(e);
}

void store_free(struct store *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->size; i++)
        if (s->table[i])
            entry_free(s->table[i]);
    if (s->fd >= 0)
        close(s->fd);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s->table);
    free(s->path);
    free(s);
}

/* -- The table -------------------------------------------------------------------------
 */

static struct entry **slot_of(struct entry **table, size_t size, struct key key)
{
    size_t i = (size_t)key.lo & (size - 1);
    while (table[i] && (table[i]->key.lo != key.lo || table[i]->key.hi != key.hi))
        i = (i + 1) & (size - 1);
    return &table[i];
}

static int grow(struct store *s)
{
    size_t size = s->size ? 2 * s->size : 1024;
    struct entry **table = calloc(size, sizeof *table);
    if (!table)
        return fail_memory();
    for (size_t i = 0; i < s->size; i++)
        if (s->table[i])
            *slot_of(table, size, s->table[i]->key) = s->table[i];
    free(s->table);
    s->table = table;
    s->size = size;
    return 0;
}

/* The entry of a key, made where it is new; NULL: memory. */
static struct entry *entry_of(struct store *s, struct key key)
{
    if (2 * s->used >= s->size && grow(s) < 0)
        return NULL;
    struct entry **slot = slot_of(s->table, s->size, key);
    struct entry *e = *slot;
    if (e)
        return e;
    e = calloc(1, sizeof *e);
    if (!e) {
        fail_memory();
        return NULL;
    }
    e->key = key;
    s->used++;
    return *slot = e; /* cppcheck-suppress memleak */
}

int store_name(struct span media, struct buf *out)
{
    struct buf text = {0};
    size_t from = 0;
    if (json_type(media) != JSON_STRING || json_text(media, &text) < 0) {
        buf_add(out, media.s, media.n);
    } else {
        while (text.len > from + 2 && memcmp(text.data + from, "./", 2) == 0) from += 2;
        buf_add(out, text.data + from, text.len - from);
    }
    out->bad |= text.bad;
    buf_free(&text);
    return buf_ok(out);
}

/* What a picture is called, wherever it lies: the last part of its path, of a table's
 * pictures (source.h) without the offset. Zero: it has no such name. */
static struct key name_of(struct span media)
{
    struct buf text = {0};
    struct key key = {0};
    struct span name;
    if (json_type(media) == JSON_STRING && json_text(media, &text) == 0 && text.len &&
        buf_ok(&text) == 0 && !(text.len > 5 && memcmp(text.data, "data:", 5) == 0)) {
        const char *slash = memrchr(text.data, '/', text.len), *at;
        name.s = slash ? slash + 1 : text.data;
        name.n = (size_t)(text.data + text.len - name.s);
        if (memchr(name.s, '#', name.n) && (at = memrchr(name.s, '@', name.n)))
            name.n = (size_t)(at - name.s);
        key = key_of(true, name.s, name.n);
    }
    buf_free(&text);
    return key;
}

static bool key_is(struct key a, struct key b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

/* A picture's key ('m') and an id's ('i') are two. */
static int key_made(struct key *key, char kind, struct span json)
{
    struct buf text = {0};
    if (kind == 'm')
        store_name(json, &text);
    else if (json_type(json) != JSON_STRING || json_text(json, &text) < 0)
        buf_add(&text, json.s, json.n);
    *key = key_of(true, text.data, text.len);
    key->hi ^= (uint64_t)kind;
    int status = buf_ok(&text);
    buf_free(&text);
    return status;
}

/* -- Captions as JSON
 * -------------------------------------------------------------------- */

static char *copy_of(const struct buf *b)
{
    char *copy = malloc(b->len + 1);
    if (copy) {
        if (b->len)
            memcpy(copy, b->data, b->len);
        copy[b->len] = '\0';
    }
    return copy;
}

/* One caption: its text decoded, and what is written of it. 0 or -1. */
static int take_caption(struct store_captions *c, struct span object, struct buf *json)
{
    struct span text =
        json_type(object) == JSON_STRING ? object : json_get(object, "text");
    struct span error = json_get(object, "error"), part;
    struct buf decoded = {0};
    buf_text(json, c->count ? "," : "");
    if (json_given(error)) {
        buf_text(json, "{\"error\":");
        buf_add(json, error.s, error.n);
        buf_char(json, '}');
        c->texts[c->count++] = (struct span){0};
        return 0;
    }
    if (json_type(text) != JSON_STRING)
        return fail(FAIL_TYPE, "captions[%d] has no text", c->count);
    if (json_text(text, &decoded) < 0 || buf_ok(&decoded) < 0) {
        buf_free(&decoded);
        return -1;
    }
    char *copy = copy_of(&decoded);
    c->texts[c->count] = (struct span){copy, decoded.len};
    buf_free(&decoded);
    if (!copy)
        return fail_memory();
    c->count++;
    buf_text(json, "{\"text\":");
    buf_add(json, text.s, text.n);
    if ((part = json_get(object, "tokens")).s) {
        buf_text(json, ",\"tokens\":");
        buf_add(json, part.s, part.n);
    }
    if ((part = json_get(object, "finish")).s) {
        buf_text(json, ",\"finish\":");
        buf_add(json, part.s, part.n);
    }
    buf_char(json, '}');
    return 0;
}

/* list: the captions as JSON, or one caption's text. 0 or -1; *c is then to be freed. */
static int take_captions(struct store_captions *c, struct span list)
{
    struct buf json = {0};
    struct span element;
    size_t at = 0, n = 1;
    bool one = json_type(list) == JSON_STRING;
    int status = 0;
    for (n = one; !one && json_each(list, &at, &element);) n++;
    if (n == 0)
        return fail(FAIL_MISSING, "captions is empty");
    if (!(c->texts = calloc(n, sizeof *c->texts)))
        return fail_memory();
    buf_char(&json, '[');
    at = 0;
    if (one)
        status = take_caption(c, list, &json);
    while (!one && status == 0 && json_each(list, &at, &element))
        status = take_caption(c, element, &json);
    buf_char(&json, ']');
    if (status == 0 && (status = buf_ok(&json)) == 0) {
        c->json = (struct span){copy_of(&json), json.len};
        status = c->json.s ? 0 : fail_memory();
    }
    buf_free(&json);
    return status;
}

static bool same(const struct store_captions *a, const struct store_captions *b)
{
    return a->json.n == b->json.n && memcmp(a->json.s, b->json.s, a->json.n) == 0;
}

/* Put captions under a key; both are the same if the key has some. 0, 1 if it was there
 * already and is another, -1. */
static int add(struct store *s, struct key key, struct span list)
{
    struct entry *e = entry_of(s, key), new = {0};
    if (!e)
        return -1;
    int status = take_captions(&new.captions, list);
    if (status == 0 && e->ready)
        status = !same(&e->captions, &new.captions);
    else if (status == 0) {
        e->captions = new.captions;
        e->ready = true;
        s->count++;
        return 0;
    }
    captions_clear(&new.captions);
    return status;
}

/* Let an id find the captions of its picture too. Ids are only second to pictures: one
 * that several pictures have is of no use, but no fault. 0 or -1. */
static int lend(struct store *s, struct key id, struct key picture, struct span media)
{
    const struct store_captions *c = &entry_of(s, picture)->captions; /* it is there */
    struct entry *e = entry_of(s, id);
    if (!e)
        return -1;
    if (e->ready) {
        e->ambiguous = e->ambiguous || !same(&e->captions, c);
        return 0;
    }
    e->captions = *c;
    e->ready = e->lent = true;
    e->name = name_of(media);
    s->count++;
    return 0;
}

/* -- Files
 * ------------------------------------------------------------------------------- */

struct span store_media(struct span row)
{
    static const char *const keys[] = {"image", "images", "image_path", "video",
                                       "videos"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct span value = json_get(row, keys[i]);
        if (media_is_there(value))
            return media_lone(value);
    }
    return (struct span){0};
}

/* One row of a file of captions. made: lines made otherwise are passed over. */
static int load_row(struct store *s, struct span row, const char *made)
{
    struct key key;
    int other = 0;
    if (json_check(row) < 0)
        return -1;
    struct span list, media = store_media(row), id = json_get(row, "id");
    struct span sample = json_get(row, "original_sample"); /* CapRL's file of stage 1 */
    if (json_type(sample) == JSON_OBJECT && !json_given(media))
        media = store_media(sample);
    if (made && (json_get(row, "made").n != 34 ||
                 memcmp(json_get(row, "made").s + 1, made, 32) != 0))
        return 0;
    if (json_given(json_get(row, "error"))) {
        s->left_out++;
        return 0;
    }
    list = json_get(row, "captions");
    if (!json_given(list))
        list = json_get(row, "caption");
    if (!json_given(list))
        list = json_get(row, "generated_captions");
    if (json_type(list) != JSON_ARRAY && json_type(list) != JSON_STRING)
        return fail(FAIL_MISSING, "no \"captions\" and no \"caption\"");
    if (!json_given(media) && !json_given(id))
        return fail(FAIL_MISSING, "no \"image\" and no \"id\" to know the picture by");
    struct key id_key;
    if (json_given(media) &&
        (key_made(&key, 'm', media) < 0 || (other = add(s, key, list)) < 0))
        return -1;
    if (other == 0 && json_given(id)) {
        if (key_made(&id_key, 'i', id) < 0)
            return -1;
        other = json_given(media) ? lend(s, id_key, key, media) : add(s, id_key, list);
        if (other < 0)
            return -1;
    }
    return other ? fail(FAIL_REFUSED, "a row before has other captions for the same %s",
                        json_given(media) ? "picture" : "id")
                 : 0;
}

/* Take a line into the hash of a file. */
static void hash_line(struct store *s, struct span line)
{
    struct key both[2] = {s->loaded, key_of(true, line.s, line.n)};
    s->loaded = key_of(true, (const char *)both, sizeof both);
}

static int load(struct store *s, const char *path, const char *made)
{
    struct reader *r = reader_open(path, NULL);
    struct line line = {0};
    int rc, status = 0;
    if (!r)
        return -1;
    while (status == 0 && (rc = reader_next(r, &line)) == 1) {
        if (!made)
            hash_line(s, line.text);
        status = load_row(s, line.text, made);
        if (status < 0)
            fail_in("%s:%lld", path, (long long)line.number);
        free(line.block);
    }
    if (status == 0 && rc != STREAM_END)
        status = -1;
    reader_close(r);
    return status;
}

int store_load(struct store *s, const char *path)
{
    return load(s, path, NULL);
}

/* Cut a last line that a kill has torn. */
static int mend(int fd, const char *path)
{
    char block[4096];
    off_t end = lseek(fd, 0, SEEK_END), at = end;
    while (at > 0) {
        off_t from = at > (off_t)sizeof block ? at - (off_t)sizeof block : 0;
        ssize_t n = pread(fd, block, (size_t)(at - from), from);
        if (n <= 0)
            break;
        const char *last = memrchr(block, '\n', (size_t)n);
        if (last) {
            at = from + (last - block) + 1;
            break;
        }
        at = from;
    }
    return at < end && ftruncate(fd, at) < 0
               ? fail(FAIL_REFUSED, "%s: %s", path, strerror(errno))
               : 0;
}

int store_keep(struct store *s, const char *path, const char made[33])
{
    memcpy(s->made, made, sizeof s->made);
    if (!(s->path = strdup(path)))
        return fail_memory();
    s->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (s->fd < 0)
        return fail(FAIL_REFUSED, "%s: %s", path, strerror(errno));
    struct stat st;
    if (fstat(s->fd, &st) < 0 || !S_ISREG(st.st_mode)) /* it is read again, to its end */
        return fail(FAIL_REFUSED, "%s: not a regular file", path);
    return mend(s->fd, path) < 0 ? -1 : load(s, path, made);
}

long store_count(const struct store *s)
{
    return s->count;
}

long store_left_out(const struct store *s)
{
    return s->left_out;
}

void store_hash(const struct store *s, char hex[33])
{
    snprintf(hex, 33, "%016llx%016llx", (unsigned long long)s->loaded.hi,
             (unsigned long long)s->loaded.lo);
}

/* -- Asking for captions
 * ----------------------------------------------------------------- */

static const struct entry *find(struct store *s, struct key key)
{
    struct entry **slot = s->size ? slot_of(s->table, s->size, key) : NULL;
    return slot && *slot && (*slot)->ready ? *slot : NULL;
}

/* Say which picture (or id) there are no captions for. */
static int none_for(const char *what, struct span json, const char *why)
{
    size_t n = json.n < 200 ? json.n : 200;
    while (n < json.n && (json.s[n] & 0xC0) == 0x80) n--; /* not inside a character */
    return fail(FAIL_MISSING, "no captions for %s %.*s%s%s", what, (int)n, json.s,
                n < json.n ? "..." : "", why);
}

/* Is it this picture whose captions an id stands for? A row whose picture has another
 * name may have the same id by chance: captions of a strange picture would be judged. */
static int check_id(const struct entry *e, struct span picture, struct span id)
{
    if (e->ambiguous)
        return none_for("id", id, ": several pictures have it");
    struct key none = {0}, name = picture.s ? name_of(picture) : none;
    if (!key_is(name, none) && !key_is(e->name, none) && !key_is(name, e->name))
        return none_for("its picture", picture, ": those of its id are of another one");
    return 0;
}

const struct store_captions *store_get(struct store *s, struct span picture,
                                       struct span id)
{
    const struct entry *e = NULL;
    struct key key;
    pthread_mutex_lock(&s->lock);
    if (picture.s && key_made(&key, 'm', picture) == 0)
        e = find(s, key);
    if (!e && id.s && key_made(&key, 'i', id) == 0 && (e = find(s, key))) {
        if (check_id(e, picture, id) < 0)
            e = NULL;
    } else if (!e && picture.s) {
        none_for("its picture", picture, "");
    } else if (!e && id.s) {
        none_for("its id", id, "");
    } else if (!e) {
        fail(FAIL_MISSING, "no \"image\" and no \"id\" to find captions by");
    }
    pthread_mutex_unlock(&s->lock);
    return e ? &e->captions : NULL;
}

struct store_captions *store_own(struct span row)
{
    struct span list = json_get(row, "captions");
    if (!json_given(list))
        list = json_get(row, "caption");
    if (!json_given(list)) {
        fail(FAIL_MISSING, "no \"captions\" and no \"caption\"");
        return NULL;
    }
    struct store_captions *c = calloc(1, sizeof *c);
    if (c && json_type(list) != JSON_ARRAY && json_type(list) != JSON_STRING)
        fail(FAIL_TYPE, "captions: neither a text nor a list");
    else if (c && take_captions(c, list) == 0)
        return c;
    else if (!c)
        fail_memory();
    store_disown(c);
    return NULL;
}

void store_disown(struct store_captions *c)
{
    if (c)
        captions_clear(c);
    free(c);
}

const struct store_captions *store_take(struct store *s, struct span picture)
{
    const struct entry *e = NULL;
    struct key key;
    if (key_made(&key, 'm', picture) < 0)
        return NULL;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        if ((e = find(s, key)))
            break;
        struct entry **slot = s->size ? slot_of(s->table, s->size, key) : NULL;
        if (!slot || !*slot) { /* nobody makes them: the caller does */
            entry_of(s, key);
            break;
        }
        pthread_cond_wait(&s->changed, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return e ? &e->captions : NULL;
}

/* Append one line, whole. */
static int keep(struct store *s, struct span picture, struct span json)
{
    struct buf line = {0};
    int status = 0;
    if (s->fd < 0)
        return 0;
    buf_text(&line, "{\"image\":");
    buf_add(&line, picture.s, picture.n);
    buf_text(&line, ",\"captions\":");
    buf_add(&line, json.s, json.n);
    buf_print(&line, ",\"made\":\"%s\"}\n", s->made);
    off_t end = lseek(s->fd, 0, SEEK_END);
    errno = ENOSPC; /* what a write that ends early means */
    if (buf_ok(&line) < 0)
        status = -1;
    else if (write(s->fd, line.data, line.len) != (ssize_t)line.len ||
             fdatasync(s->fd) < 0) {
        status = fail(FAIL_INTERNAL, "%s: %s", s->path, strerror(errno));
        if (end >= 0 && ftruncate(s->fd, end) < 0) /* the next line must not join it */
            fail_in("cannot be cut");
    }
    s->broken = s->broken || status < 0;
    buf_free(&line);
    return status;
}

bool store_broken(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    bool broken = s->broken;
    pthread_mutex_unlock(&s->lock);
    return broken;
}

const struct store_captions *store_put(struct store *s, struct span picture,
                                       struct span json)
{
    const struct entry *e = NULL;
    struct key key;
    if (key_made(&key, 'm', picture) < 0)
        return NULL;
    pthread_mutex_lock(&s->lock);
    if (keep(s, picture, json) == 0 && add(s, key, json) >= 0)
        e = find(s, key);
    pthread_mutex_unlock(&s->lock);
    if (!e)
        store_give_up(s, picture);
    else
        pthread_cond_broadcast(&s->changed);
    return e ? &e->captions : NULL;
}

/* Take an entry out that was never filled; those behind it in the table move up. */
static void remove_entry(struct store *s, struct entry **slot)
{
    free(*slot);
    *slot = NULL;
    s->used--;
    for (size_t i = (size_t)(slot - s->table + 1) & (s->size - 1); s->table[i];
         i = (i + 1) & (s->size - 1)) {
        struct entry *e = s->table[i];
        s->table[i] = NULL;
        *slot_of(s->table, s->size, e->key) = e;
    }
}

void store_give_up(struct store *s, struct span picture)
{
    struct failure why;
    struct key key;
    fail_save(&why);
    if (key_made(&key, 'm', picture) == 0) {
        pthread_mutex_lock(&s->lock);
        struct entry **slot = s->size ? slot_of(s->table, s->size, key) : NULL;
        if (slot && *slot && !(*slot)->ready)
            remove_entry(s, slot);
        pthread_cond_broadcast(&s->changed);
        pthread_mutex_unlock(&s->lock);
    }
    fail_again(&why);
}
