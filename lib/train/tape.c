/* tape.c: see tape.h: memory and its shadows, what is active, copies, and the way back.
 */
#include "base/fail.h"
#include "engine/device_memory.h"
#include "train/tape_own.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64, BLOCK = 8 << 20 };

static struct range range_of(struct arr a)
{
    const char *low = a.data;
    int64_t elements = a.shape[0] > 0 ? (a.shape[0] - 1) * a.stride + arr_row_size(a) : 0;
    return (struct range){low, low + arr_type_bytes(a.type, elements)};
}

static bool overlap(struct range a, struct range b)
{
    return a.low < b.high && b.low < a.high;
}

/* Room for one item more in a list. 0 or -1, and the tape has failed. */
static int grow(struct tape *t, void *list, int count, int *cap, size_t size)
{
    void **items = list;
    if (count < *cap)
        return 0;
    int more = *cap ? *cap * 2 : 64;
    void *grown = realloc(*items, (size_t)more * size);
    if (!grown) {
        t->failed = true;
        return fail_memory();
    }
    *items = grown;
    *cap = more;
    return 0;
}

static void count_bytes(struct tape *t, size_t more)
{
    t->bytes += more;
    if (t->bytes > t->most)
        t->most = t->bytes;
}

/* -- Regions --------------------------------------------------------------------------
 */

/* The number of regions that begin at or before p. */
static int regions_before(const struct tape *t, const char *p)
{
    int low = 0, high = t->region_count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (t->regions[middle].base <= p)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct region *region_of(const struct tape *t, const void *p)
{
    int n = regions_before(t, p);
    if (n == 0 || (const char *)p >= t->regions[n - 1].base + t->regions[n - 1].bytes)
        return NULL;
    return &t->regions[n - 1];
}

static int region_add(struct tape *t, struct region r)
{
    if (grow(t, &t->regions, t->region_count, &t->region_cap, sizeof r) < 0)
        return -1;
    int at = regions_before(t, r.base);
    memmove(t->regions + at + 1, t->regions + at,
            (size_t)(t->region_count - at) * sizeof r);
    t->regions[at] = r;
    t->region_count++;
    return 0;
}

static void spare_release(struct tape *t, int i)
{
    t->k->release(t->dev, t->spare[i].shadow, t->spare[i].shadow_bytes);
    t->bytes -= t->spare[i].shadow_bytes;
    t->spare[i] = t->spare[--t->spare_count];
}

/* A shadow of at least so many bytes, all zero: a spare one if there is. (A region that
 * was released has handed its gradients on before those of an older one come into play:
 * one shadow does for both.) NULL without memory. */
static char *shadow_take(struct tape *t, size_t bytes, size_t *size)
{
    int best = -1;
    for (int i = 0; i < t->spare_count; i++)
        if (t->spare[i].shadow_bytes >= bytes &&
            (best < 0 || t->spare[i].shadow_bytes < t->spare[best].shadow_bytes))
            best = i;
    if (best >= 0 && t->spare[best].shadow_bytes <= bytes + bytes / 2 + 4096) {
        char *shadow = t->spare[best].shadow;
        *size = t->spare[best].shadow_bytes;
        t->spare[best] = t->spare[--t->spare_count];
        return shadow;
    }
    /* What grows between passes leaves smaller ones behind, which nothing recorded needs.
     */
    for (int i = t->spare_count - 1; i >= 0 && t->op_count == 0; i--)
        if (t->spare[i].shadow_bytes < bytes)
            spare_release(t, i);
    char *shadow = t->k->alloc(t->dev, bytes);
    if (!shadow)
        return NULL;
    struct arr flat = {.dev = t->dev, .data = shadow, .type = ARR_F32, .rank = 1};
    flat.shape[0] = (int64_t)(bytes / sizeof(float));
    flat.stride = 1;
    t->k->back->zero(t->dev, flat);
    *size = bytes;
    count_bytes(t, bytes);
    return shadow;
}

void *tape_alloc(struct tape *t, size_t bytes)
{
    size_t size = 0;
    char *base = t->k->alloc(t->dev, bytes);
    if (!base)
        return NULL;
    char *shadow = shadow_take(t, (bytes + ALIGN - 1) / ALIGN * ALIGN, &size);
    if (!shadow) {
        t->k->release(t->dev, base, bytes);
        return NULL;
    }
    if (region_add(t, (struct region){base, bytes, shadow, size, false, false}) < 0) {
        t->k->release(t->dev, shadow, size);
        t->bytes -= size;
        t->k->release(t->dev, base, bytes);
        return NULL;
    }
    return base;
}

static void active_cut(struct tape *t, struct range r);
static void saves_drop(struct tape *t, struct range r);

void tape_release(struct tape *t, void *data, size_t bytes)
{
    struct region *r = region_of(t, data);
    if (r && r->base == (char *)data && !r->parameter) {
        struct range range = {r->base, r->base + r->bytes};
        active_cut(t, range);
        saves_drop(t, range);
        if (grow(t, &t->spare, t->spare_count, &t->spare_cap, sizeof *r) == 0)
            t->spare[t->spare_count++] = *r;
        int at = (int)(r - t->regions);
        memmove(r, r + 1, (size_t)(--t->region_count - at) * sizeof *r);
    }
    t->k->release(t->dev, data, bytes);
}

int tape_parameter(struct tape *t, struct arr w, struct arr grad)
{
    struct range r = range_of(w);
    return region_add(t, (struct region){(char *)w.data, (size_t)(r.high - r.low),
                                         grad.data, 0, true, false});
}

int tape_lora(struct tape *t, struct arr w, struct arr down, struct arr up, float scale)
{
    struct lora *list = realloc(t->loras, (size_t)(t->lora_count + 1) * sizeof *list);
    if (!list)
        return fail_memory();
    t->loras = list;
    list[t->lora_count++] = (struct lora){w.data, down, up, scale};
    return 0;
}

struct arr tape_grad(struct tape *t, struct arr a)
{
    struct region *r = a.data ? region_of(t, a.data) : NULL;
    if (!r || !r->shadow)
        return arr_none();
    ptrdiff_t at = (char *)a.data - r->base;
    if (r->parameter) { /* of any float type, its gradient is f32 */
        at = at / (ptrdiff_t)arr_type_size(a.type) * (ptrdiff_t)sizeof(float);
        a.type = ARR_F32;
    }
    a.data = r->shadow + at;
    return a;
}

/* -- What is active -------------------------------------------------------------------
 */

bool tape_active(const struct tape *t, struct arr a)
{
    if (!a.data)
        return false;
    struct range r = range_of(a);
    struct region *at = region_of(t, a.data);
    if (at && at->parameter)
        return at->shadow != NULL;
    for (int i = 0; i < t->active_count; i++)
        if (overlap(t->active[i], r))
            return true;
    return false;
}

static void active_add(struct tape *t, struct range r)
{
    if (r.low == r.high ||
        grow(t, &t->active, t->active_count + 1, &t->active_cap, sizeof r) < 0)
        return;
    t->active[t->active_count++] = r;
}

/* Take a range out of all that are active. */
static void active_cut(struct tape *t, struct range r)
{
    for (int i = t->active_count - 1; i >= 0; i--) {
        struct range a = t->active[i];
        if (!overlap(a, r))
            continue;
        t->active[i] = t->active[--t->active_count];
        if (a.low < r.low)
            active_add(t, (struct range){a.low, r.low});
        if (r.high < a.high)
            active_add(t, (struct range){r.high, a.high});
    }
}

static void saves_drop(struct tape *t, struct range r)
{
    for (int i = 0; i < SAVES; i++)
        if (t->saves[i].of.data && overlap(t->saves[i].range, r))
            t->saves[i].of.data = NULL;
}

void tape_wrote(struct tape *t, struct arr y, bool active)
{
    struct range r = range_of(y);
    saves_drop(t, r);
    /* Of rows that lie apart only some bytes were written: what was active stays so. */
    if (active || arr_contiguous(y))
        active_cut(t, r);
    if (active)
        active_add(t, r);
}

/* -- Copies ---------------------------------------------------------------------------
 */

/* The next bytes of a block that has them. */
static char *block_take(struct tape *t, struct block *b, size_t bytes)
{
    b->used += bytes;
    t->taken += bytes;
    t->taken_most = t->taken > t->taken_most ? t->taken : t->taken_most;
    if (b->used > b->touched) {
        count_bytes(t, b->used - b->touched);
        b->touched = b->used;
    }
    return b->data + b->used - bytes;
}

/* A new block, of room for so many bytes: the first for as much as the largest pass took.
 * false: no memory. */
static bool block_add(struct tape *t, size_t bytes)
{
    if (grow(t, &t->blocks, t->block_count, &t->block_cap, sizeof *t->blocks) < 0)
        return false;
    struct block b = {.bytes = bytes > BLOCK ? bytes : BLOCK};
    if (t->block_count == 0 && t->taken_most > b.bytes) {
        b.bytes = t->taken_most;
        b.data = t->k->alloc(t->dev, b.bytes);
    }
    if (!b.data) { /* in pieces, perhaps */
        b.bytes = bytes > BLOCK ? bytes : BLOCK;
        b.data = t->k->alloc(t->dev, b.bytes);
    }
    t->failed = t->failed || !b.data;
    if (b.data)
        t->blocks[t->block_count++] = b;
    return b.data != NULL;
}

static char *take(struct tape *t, size_t bytes)
{
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    for (; t->block_now < t->block_count; t->block_now++) {
        struct block *b = &t->blocks[t->block_now];
        if (b->bytes - b->used >= bytes)
            return block_take(t, b, bytes);
        if (t->block_now + 1 < t->block_count)
            t->blocks[t->block_now + 1].used = 0;
    }
    return block_add(t, bytes) ? block_take(t, &t->blocks[t->block_now], bytes) : NULL;
}

struct arr tape_take(struct tape *t, enum arr_type type, int rank, const int64_t *shape)
{
    struct arr a = {.dev = t->dev, .type = type, .rank = rank};
    for (int i = 0; i < rank; i++) a.shape[i] = shape[i];
    a.stride = arr_row_size(a);
    a.data = take(t, arr_type_bytes(type, arr_size(a)) + 1);
    return a;
}

static bool same(struct arr a, struct arr b)
{
    return a.data == b.data && a.type == b.type && a.stride == b.stride &&
           a.shape[0] == b.shape[0] && arr_row_size(a) == arr_row_size(b);
}

struct arr tape_keep(struct tape *t, struct arr a)
{
    struct region *r = region_of(t, a.data);
    if (r && r->parameter)
        return a;
    for (int i = 0; i < SAVES; i++)
        if (same(t->saves[i].of, a)) {
            struct arr copy = t->saves[i].copy;
            return arr_reshape(copy, a.rank, a.shape);
        }
    struct arr copy = tape_take(t, a.type, a.rank, a.shape);
    if (!copy.data)
        return a; /* the tape has failed; nothing is made of it */
    t->k->back->copy(t->dev, copy, a);
    t->saves[t->save_next++ % SAVES] = (struct saved){a, copy, range_of(a)};
    return copy;
}

struct arr tape_low(struct tape *t, int which, enum arr_type type, int64_t rows,
                    int64_t rank)
{
    struct room *room = &t->low[which];
    size_t bytes = arr_type_bytes(type, rows * rank);
    struct arr a = {.dev = t->dev, .type = type, .rank = 2, .shape = {rows, rank}};
    a.stride = rank;
    if (room->bytes < bytes) {
        if (room->data)
            tape_release(t, room->data, room->bytes);
        *room = (struct room){tape_alloc(t, bytes), bytes};
        if (!room->data) {
            room->bytes = 0;
            t->failed = true;
            return arr_none();
        }
    }
    a.data = room->data;
    return a;
}

struct op *tape_op(struct tape *t, enum op_kind kind)
{
    if (grow(t, &t->ops, t->op_count, &t->op_cap, sizeof *t->ops) < 0)
        return NULL;
    struct op *op = &t->ops[t->op_count++];
    memset(op, 0, sizeof *op);
    op->kind = kind;
    return op;
}

/* -- The way back ---------------------------------------------------------------------
 */

struct mark tape_mark(const struct tape *t)
{
    bool any = t->block_now < t->block_count;
    return (struct mark){t->op_count, t->block_now,
                         any ? t->blocks[t->block_now].used : 0, t->taken};
}

static void cut_to(struct tape *t, struct mark mark)
{
    t->op_count = mark.op;
    t->block_now = mark.block;
    if (mark.block < t->block_count)
        t->blocks[mark.block].used = mark.used;
    t->taken = mark.taken;
    memset(t->saves, 0, sizeof t->saves);
}

void tape_back_to(struct tape *t, struct mark mark)
{
    while (t->op_count > mark.op && !t->failed) {
        struct op op = t->ops[--t->op_count]; /* a copy: a layer records anew */
        tape_replay(t, &op);
    }
    cut_to(t, mark);
}

int tape_backward(struct tape *t)
{
    bool was = t->recording;
    t->recording = false;
    tape_back_to(t, (struct mark){0});
    t->recording = was;
    t->active_count = 0;
    if (t->failed) {
        t->failed = false;
        return device_memory_fail(t->k, t->dev);
    }
    return 0;
}

/* Passes differ in size, and what fitted one would lie idle beside what the next takes,
 * for ever: of several blocks one is made when it is next wanted, and shadows that nobody
 * has wanted since the last time go. */
static void idle_release(struct tape *t)
{
    t->untouched = tape_untouched(t);
    for (int i = 0; t->block_count > 1 && i < t->block_count; i++) {
        t->k->release(t->dev, t->blocks[i].data, t->blocks[i].bytes);
        t->bytes -= t->blocks[i].touched;
    }
    t->block_count = t->block_count > 1 ? 0 : t->block_count;
    for (int i = t->spare_count - 1; i >= 0; i--)
        if (t->spare[i].idle)
            spare_release(t, i);
        else
            t->spare[i].idle = true;
}

void tape_forget(struct tape *t)
{
    cut_to(t, (struct mark){0});
    idle_release(t);
    t->active_count = 0;
    t->failed = false;
}

void tape_record(struct tape *t, bool on)
{
    t->recording = on;
}

void tape_recompute(struct tape *t, bool on)
{
    t->recompute = on;
}

void tape_around(void *tape, void (*call)(void *with, int index), void *with, int index,
                 struct arr x)
{
    struct tape *t = tape;
    if (!t->recording || !t->recompute) {
        call(with, index);
        return;
    }
    bool active = tape_active(t, x);
    struct arr kept = tape_keep(t, x);
    t->recording = false;
    call(with, index);
    t->recording = true;
    tape_wrote(t, x, true);
    struct op *op = tape_op(t, OP_LAYER);
    if (!op)
        return;
    op->v[0] = x;
    op->v[1] = kept;
    op->from = index;
    op->call = call;
    op->with = with;
    op->active = active;
}

size_t tape_bytes(const struct tape *t, size_t *most)
{
    *most = t->most;
    return t->bytes;
}

size_t tape_untouched(const struct tape *t)
{
    size_t sum = 0;
    for (int i = 0; i < t->block_count; i++)
        sum += t->blocks[i].bytes - t->blocks[i].touched;
    return sum > t->untouched ? sum : t->untouched;
}

struct dev *tape_dev(struct tape *t)
{
    return (struct dev *)(void *)t;
}

struct tape *tape_open(const struct kernels *k, struct dev *dev)
{
    struct tape *t = calloc(1, sizeof *t);
    if (!t) {
        fail_memory();
        return NULL;
    }
    t->k = k;
    t->dev = dev;
    return t;
}

void tape_close(struct tape *t)
{
    if (!t)
        return;
    for (int i = 0; i < 2; i++)
        if (t->low[i].data)
            tape_release(t, t->low[i].data, t->low[i].bytes);
    for (int i = 0; i < t->spare_count; i++)
        t->k->release(t->dev, t->spare[i].shadow, t->spare[i].shadow_bytes);
    for (int i = 0; i < t->block_count; i++)
        t->k->release(t->dev, t->blocks[i].data, t->blocks[i].bytes);
    free(t->regions);
    free(t->spare);
    free(t->active);
    free(t->ops);
    free(t->blocks);
    free(t->loras);
    free(t);
}
