/* handover.c: see handover.h. */
#include "engine/handover.h"
#include "base/fail.h"
#include "base/folder.h"
#include "engine/vlm.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { PLACES = 2, ALIGN = 256 };

/* One tensor: where it begins in each place's version. */
struct entry {
    uint64_t name; /* its hash */
    int64_t at[PLACES], bytes;
    int32_t type, unused;
};

struct record {
    char mark[16];
    uint32_t size, count; /* of this struct, of entries: another build's is not read */
    char identity[40];
    struct dev_handle handle;
    int64_t bytes;
    _Atomic int64_t version[PLACES];
    _Atomic int64_t taken;
    struct entry entry[];
};

static const char mark[16] = "capmill weights";

struct handover {
    const struct kernels *k;
    struct dev *dev;
    const struct handover_tensor *list; /* owned copy; names and memory are not */
    int count, fd;
    int64_t puts;
    char *memory; /* the device's */
    struct record *record;
    size_t mapped;
    char path[PATH_MAX];
};

static uint64_t name_hash(const char *name)
{
    return XXH3_64bits(name, strlen(name));
}

static size_t record_size(int64_t count)
{
    return sizeof(struct record) + (size_t)count * sizeof(struct entry);
}

static size_t bytes_of(struct arr a)
{
    return arr_type_bytes(a.type, arr_size(a));
}

/* -- Giving ----------------------------------------------------------------------------
 */

/* Fixed tensors first, then those of one version, then those of the other. The bytes of
 * all. */
static int64_t lay_out(struct record *r, const struct handover_tensor *list, int count)
{
    int64_t at = 0;
    for (int place = -1; place < PLACES; place++)
        for (int i = 0; i < count; i++) {
            struct entry *e = &r->entry[i];
            if (list[i].fixed != (place < 0))
                continue;
            for (int p = 0; p < PLACES; p++)
                if (place < 0 || p == place)
                    e->at[p] = at;
            e->name = name_hash(list[i].name);
            e->type = (int32_t)list[i].from.type;
            e->bytes = (int64_t)bytes_of(list[i].from);
            at += (e->bytes + ALIGN - 1) / ALIGN * ALIGN;
        }
    return at;
}

/* A record that only this process knows of yet, locked and mapped. 0 or -1. */
static int record_make(struct handover *h, const char *made)
{
    h->mapped = record_size(h->count);
    unlink(made);
    h->fd = open(made, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (h->fd < 0 || ftruncate(h->fd, (off_t)h->mapped) < 0 ||
        flock(h->fd, LOCK_EX | LOCK_NB) < 0)
        return path_failed(made);
    void *p = mmap(NULL, h->mapped, PROT_READ | PROT_WRITE, MAP_SHARED, h->fd, 0);
    if (p == MAP_FAILED)
        return path_failed(made);
    h->record = p;
    return 0;
}

static int start(struct handover *h, const char *folder, const char *identity)
{
    char made[PATH_MAX];
    if (path_join(h->path, folder, "hand-over") < 0 ||
        path_join(made, folder, ".making-hand-over") < 0 || record_make(h, made) < 0)
        return -1;
    struct record *r = h->record;
    memcpy(r->mark, mark, sizeof mark);
    r->size = sizeof *r;
    r->count = (uint32_t)h->count;
    snprintf(r->identity, sizeof r->identity, "%s", identity);
    for (int p = 0; p < PLACES; p++) r->version[p] = -1;
    r->bytes = lay_out(r, h->list, h->count);
    h->memory = h->k->share(h->dev, (size_t)r->bytes, &r->handle);
    if (!h->memory)
        return fail(FAIL_REFUSED,
                    "device \"%s\": no %lld bytes more that other processes may share",
                    h->k->name, (long long)r->bytes);
    return rename(made, h->path) < 0 ? path_failed(h->path) : 0;
}

struct handover *handover_open(const char *folder, const struct kernels *k,
                               struct dev *dev, const char *identity,
                               const struct handover_tensor *list, int count)
{
    struct failure why;
    if (!k->share) {
        fail(FAIL_REFUSED, "device \"%s\" shares no memory with other processes",
             k->name);
        return NULL;
    }
    struct handover *h = calloc(1, sizeof *h);
    struct handover_tensor *own = malloc((size_t)count * sizeof *own + 1);
    if (!h || !own) {
        free(h);
        free(own);
        return fail_memory(), NULL;
    }
    if (count)
        memcpy(own, list, (size_t)count * sizeof *own);
    *h = (struct handover){.k = k, .dev = dev, .list = own, .count = count, .fd = -1};
    if (start(h, folder, identity) == 0)
        return h;
    fail_save(&why);
    handover_close(h);
    fail_again(&why);
    return NULL;
}

int handover_put(struct handover *h, int64_t version)
{
    struct record *r = h->record;
    int place = (int)(h->puts % PLACES);
    const char *why;
    atomic_store(&r->version[place], -1);
    for (int i = 0; i < h->count; i++)
        if (!h->list[i].fixed || h->puts == 0)
            h->k->move(h->dev, h->memory + r->entry[i].at[place], h->list[i].from.data,
                       (size_t)r->entry[i].bytes);
    if (h->k->sync(h->dev, &why) < 0)
        return fail(FAIL_INTERNAL, "%s", why);
    h->puts++;
    /* the same number of an earlier try is not this one */
    for (int p = 0; p < PLACES; p++)
        if (atomic_load(&r->version[p]) >= version)
            atomic_store(&r->version[p], -1);
    atomic_store(&r->version[place], version);
    return 0;
}

int64_t handover_taken(const struct handover *h)
{
    return atomic_load(&h->record->taken);
}

void handover_close(struct handover *h)
{
    if (!h)
        return;
    if (h->record) {
        for (int p = 0; p < PLACES; p++) atomic_store(&h->record->version[p], -1);
        unlink(h->path);
        munmap(h->record, h->mapped);
    }
    if (h->memory)
        h->k->unshare(h->dev, h->memory);
    if (h->fd >= 0)
        close(h->fd);
    free((void *)(uintptr_t)h->list);
    free(h);
}

/* -- Taking ----------------------------------------------------------------------------
 */

/* A record as a reader has it. */
struct view {
    int fd;
    size_t bytes;
    struct record *record;
};

static void view_close(struct view *v)
{
    if (v->record)
        munmap(v->record, v->bytes);
    if (v->fd >= 0)
        close(v->fd);
}

/* Does the writer live? Its lock says so. */
static bool is_held(int fd)
{
    if (flock(fd, LOCK_SH | LOCK_NB) < 0)
        return true;
    flock(fd, LOCK_UN);
    return false;
}

/* false: there is none to be used. */
static bool view_open(struct view *v, const char *folder, const char *identity)
{
    char path[PATH_MAX];
    struct stat st;
    *v = (struct view){.fd = -1};
    if (path_join(path, folder, "hand-over") < 0 ||
        (v->fd = open(path, O_RDWR | O_CLOEXEC)) < 0 || fstat(v->fd, &st) < 0 ||
        (size_t)st.st_size < sizeof *v->record || !is_held(v->fd))
        return false;
    v->bytes = (size_t)st.st_size;
    void *p = mmap(NULL, v->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
    if (p == MAP_FAILED)
        return false;
    const struct record *r = v->record = p;
    return memcmp(r->mark, mark, sizeof mark) == 0 && r->size == sizeof *r &&
           v->bytes == record_size(r->count) &&
           strncmp(r->identity, identity, sizeof r->identity) == 0;
}

static int place_of(const struct record *r, int64_t version)
{
    for (int p = 0; p < PLACES; p++)
        if (atomic_load(&r->version[p]) == version)
            return p;
    return -1;
}

/* The record's entry for a weight of the model; NULL with the reason. */
static const struct entry *entry_for(const struct record *r, const struct vlm_weight *w,
                                     int i)
{
    uint64_t name = name_hash(w->name);
    for (uint32_t j = 0; j < r->count; j++) { /* almost always the same order */
        const struct entry *e = &r->entry[((uint32_t)i + j) % r->count];
        if (e->name == name && e->type == (int32_t)w->type &&
            e->bytes == (int64_t)w->bytes && e->at[0] >= 0 && e->at[1] >= 0 &&
            e->bytes <= r->bytes && e->at[0] <= r->bytes - e->bytes &&
            e->at[1] <= r->bytes - e->bytes)
            return e;
    }
    fail(FAIL_REFUSED, "the trainer has no \"%s\" of %lld bytes", w->name,
         (long long)w->bytes);
    return NULL;
}

/* Copy all weights. 0 or -1 (refused) with nothing copied; a device's failure shows in
 * its next sync(). */
static int copy(struct vlm *m, const struct record *r, int place, const char *memory)
{
    struct vlm_weight w;
    for (int i = 0; vlm_weight(m, i, &w); i++)
        if (!entry_for(r, &w, i))
            return -1;
    for (int i = 0; vlm_weight(m, i, &w); i++)
        m->k->move(m->dev, w.data, memory + entry_for(r, &w, i)->at[place], w.bytes);
    return 0;
}

static int take(struct view *v, struct vlm *m, int place, int64_t version)
{
    struct record *r = v->record;
    const char *why = "";
    const char *memory = m->k->attach(m->dev, &r->handle, &why);
    if (!memory) /* if the writer has just gone, that is why */
        return is_held(v->fd) ? fail(FAIL_REFUSED, "%s", why) : 0;
    int status = copy(m, r, place, memory);
    bool sure = m->k->sync(m->dev, &why) == 0;
    m->k->detach(m->dev, memory);
    if (status < 0)
        return -1;
    if (!sure)
        return fail(FAIL_INTERNAL, "%s", why), HANDOVER_TORN;
    if (atomic_load(&r->version[place]) != version || !is_held(v->fd))
        return fail(FAIL_INTERNAL, "version %lld went away while it was copied",
                    (long long)version),
               HANDOVER_TORN;
    atomic_fetch_add(&r->taken, 1);
    return HANDOVER_TAKEN;
}

int handover_take(const char *folder, struct vlm *m, const char *identity,
                  int64_t version)
{
    struct view v;
    int status = 0, place;
    if (!m->k->attach)
        return 0;
    if (view_open(&v, folder, identity) && (place = place_of(v.record, version)) >= 0)
        status = take(&v, m, place, version);
    view_close(&v);
    return status;
}
