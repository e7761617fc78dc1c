/* dpo_reference.c: see dpo_reference.h. */
#include "train/dpo_reference.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/replace.h"
#include "row/json.h"

#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

enum { PIECE = 1 << 20 }; /* elements hashed together */

int dpo_reference_make(struct dpo_reference *r, int64_t learnt, int64_t eval)
{
    const int64_t counts[DPO_SETS] = {learnt, eval};
    for (int set = 0; set < DPO_SETS; set++) {
        size_t n = (size_t)counts[set] * PAIR_PARTS;
        free(r->sums[set]);
        r->count[set] = 0;
        if (!(r->sums[set] = malloc((n + 1) * sizeof(double))))
            return fail_memory();
        r->count[set] = counts[set];
        for (size_t i = 0; i < n; i++) r->sums[set][i] = NAN;
    }
    return 0;
}

void dpo_reference_free(struct dpo_reference *r)
{
    for (int set = 0; set < DPO_SETS; set++) free(r->sums[set]);
    *r = (struct dpo_reference){0};
}

/* -- Hashes ----------------------------------------------------------------------------
 */

static void mix(uint64_t *hash, const void *bytes, size_t n)
{
    *hash = XXH3_64bits_withSeed(bytes, n, *hash);
}

static void mix_ids(uint64_t *hash, const struct ids *ids)
{
    uint64_t n = ids->n;
    mix(hash, &n, sizeof n);
    if (n > 0)
        mix(hash, ids->id, ids->n * sizeof *ids->id);
}

void dpo_reference_example(struct dpo_reference *r, const struct example *e)
{
    mix_ids(&r->examples, &e->prompt);
    for (int i = 0; i < e->parts; i++) mix_ids(&r->examples, &e->part[i].ids);
    for (int i = 0; i < e->picture_count; i++) {
        const struct engine_picture *p = &e->pictures[i];
        const int32_t grid[] = {p->grid_t, p->grid_h, p->grid_w};
        mix(&r->examples, grid, sizeof grid);
    }
}

int dpo_reference_weights(struct dpo_reference *r, const struct params *p,
                          const struct kernels *k, struct dev *dev)
{
    float *host = malloc(PIECE * sizeof *host);
    if (!host)
        return fail_memory();
    r->weights = 0;
    for (int i = 0; i < p->count; i++) {
        struct arr w = p->list[i].w.data ? p->list[i].w : p->list[i].half;
        int64_t all = w.data ? arr_size(w) : 0; /* lora's base */
        for (int64_t at = 0; at < all; at += PIECE) {
            int64_t n = all - at < PIECE ? all - at : PIECE;
            k->download(dev, host, arr_rows(w, at, n));
            mix(&r->weights, host, arr_type_bytes(w.type, n));
        }
    }
    free(host);
    return 0;
}

/* -- The file --------------------------------------------------------------------------
 */

static int path_of(char path[PATH_MAX], const char *out)
{
    return snprintf(path, PATH_MAX, "%s/reference.json", out) < PATH_MAX
               ? 0
               : fail(FAIL_REFUSED, "%s: path too long", out);
}

static void put_set(struct buf *b, const char *name, const double *sums, int64_t count)
{
    buf_print(b, ",\"%s\":[", name);
    for (int64_t i = 0; i < count; i++) {
        buf_text(b, i ? ",\n[" : "\n[");
        json_put_real(b, sums[PAIR_PARTS * i + PAIR_CHOSEN]);
        buf_char(b, ',');
        json_put_real(b, sums[PAIR_PARTS * i + PAIR_REJECTED]);
        buf_char(b, ']');
    }
    buf_char(b, ']');
}

int dpo_reference_save(const struct dpo_reference *r, const char *out)
{
    char path[PATH_MAX];
    struct buf b = {0};
    buf_print(&b, "{\"weights\":\"%016llx\",\"examples\":\"%016llx\"",
              (unsigned long long)r->weights, (unsigned long long)r->examples);
    put_set(&b, "pairs", r->sums[DPO_LEARNT], r->count[DPO_LEARNT]);
    put_set(&b, "eval", r->sums[DPO_EVAL], r->count[DPO_EVAL]);
    buf_text(&b, "}\n");
    int status =
        buf_ok(&b) < 0 || path_of(path, out) < 0 ? -1 : file_replace(path, b.data, b.len);
    buf_free(&b);
    return status;
}

static bool hash_is(struct span file, const char *key, uint64_t hash)
{
    char text[32];
    snprintf(text, sizeof text, "\"%016llx\"", (unsigned long long)hash);
    return span_is(json_get(file, key), text);
}

/* One number; null is one that is not known. */
static bool get_sum(struct span pair, size_t *at, double *sum)
{
    struct span value;
    if (!json_each(pair, at, &value))
        return false;
    *sum = NAN;
    return json_type(value) == JSON_NULL || json_double(value, sum) == 0;
}

static bool get_set(struct span file, const char *name, double *sums, int64_t count)
{
    struct span list = json_get(file, name), pair;
    size_t at = 0;
    int64_t n = 0;
    for (; json_each(list, &at, &pair); n++) {
        size_t in = 0;
        if (n == count || !get_sum(pair, &in, &sums[PAIR_PARTS * n + PAIR_CHOSEN]) ||
            !get_sum(pair, &in, &sums[PAIR_PARTS * n + PAIR_REJECTED]))
            return false;
    }
    return n == count;
}

/* All of a file. false: it cannot be read. */
static bool file_read(struct buf *b, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = -1;
    char *room;
    while (fd >= 0 && (room = buf_room(b, 1 << 16)) &&
           (got = read(fd, room, 1 << 16)) > 0)
        b->len += (size_t)got;
    if (fd >= 0)
        close(fd);
    return got == 0 && !b->bad;
}

int dpo_reference_load(struct dpo_reference *r, const char *out)
{
    char path[PATH_MAX];
    struct buf b = {0};
    if (path_of(path, out) < 0)
        return 0;
    struct span file = {0};
    int status = file_read(&b, path);
    if (status) {
        file = (struct span){b.data, b.len};
        status = json_check(file) == 0 && json_get(file, "weights").s &&
                 json_get(file, "examples").s;
    }
    if (status && (!hash_is(file, "weights", r->weights) ||
                   !hash_is(file, "examples", r->examples)))
        status = fail(FAIL_REFUSED,
                      "%s: the weights, rows or options are not those that the run began "
                      "with: --force starts anew",
                      path);
    if (status > 0)
        status = get_set(file, "pairs", r->sums[DPO_LEARNT], r->count[DPO_LEARNT]) &&
                 get_set(file, "eval", r->sums[DPO_EVAL], r->count[DPO_EVAL]);
    buf_free(&b);
    return status;
}
