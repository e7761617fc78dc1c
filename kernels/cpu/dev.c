/* dev.c: the CPU as a device: its threads' scratch, memory, copies in and out. */
#include "cpu.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Large blocks are mapped: their pages cost nothing until they are touched, which is what
 * a pool of keys and values for the longest context wants. */
enum { MAPPED = 1 << 20 };

static void *mapped(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void *cpu_alloc(struct dev *d, size_t bytes)
{
    void *p = NULL;
    (void)d;
    if (bytes >= MAPPED)
        return mapped(bytes);
    return posix_memalign(&p, 64, bytes ? bytes : 1) == 0 ? p : NULL;
}

void cpu_release(struct dev *d, void *data, size_t bytes)
{
    (void)d;
    if (data && bytes >= MAPPED)
        munmap(data, bytes);
    else
        free(data);
}

void cpu_memory(struct dev *d, struct dev_memory *m)
{
    (void)d;
    *m = (struct dev_memory){.room = (int64_t)sysconf(_SC_PHYS_PAGES) *
                                     sysconf(_SC_PAGESIZE) / 2};
}

struct dev *cpu_open(const char *device, const struct dev_options *o, const char **why)
{
    (void)device;
    assert(o->threads >= 1);
    if (o->compute == DEV_COMPUTE_BF16) {
        *why = "the CPU computes in fp32 only";
        return NULL;
    }
    *why = "out of memory";
    struct dev *d = malloc(sizeof *d);
    if (!d)
        return NULL;
    d->threads = o->threads;
    spin_start(&d->spin);
    d->scratch = mapped((size_t)o->threads * CPU_SCRATCH);
    d->shared = mapped(CPU_SHARED);
    if (!d->scratch || !d->shared) {
        cpu_close(d);
        return NULL;
    }
    return d;
}

enum arr_type cpu_act(const struct dev *d)
{
    (void)d;
    return ARR_F32;
}

void cpu_close(struct dev *d)
{
    if (!d)
        return;
    if (d->scratch)
        munmap(d->scratch, (size_t)d->threads * CPU_SCRATCH);
    if (d->shared)
        munmap(d->shared, CPU_SHARED);
    free(d);
}

void *cpu_adopt(struct dev *d, const void *host, size_t bytes)
{
    void *data;
    (void)d, (void)bytes;
    memcpy(&data, &host,
           sizeof data); /* read-only by contract; struct arr has no const */
    return data;
}

void cpu_disown(struct dev *d, void *data, size_t bytes)
{
    (void)d, (void)data, (void)bytes;
}

void cpu_upload(struct dev *d, struct arr to, const void *host)
{
    (void)d;
    assert(arr_contiguous(to));
    if (arr_size(to) > 0)
        memcpy(to.data, host, arr_type_bytes(to.type, arr_size(to)));
}

void cpu_download(struct dev *d, void *host, struct arr from)
{
    (void)d;
    assert(arr_contiguous(from));
    if (arr_size(from) > 0)
        memcpy(host, from.data, arr_type_bytes(from.type, arr_size(from)));
}

int cpu_sync(struct dev *d, const char **why)
{
    (void)why;
    spin_look(&d->spin); /* behind each pass of a model */
    return 0;
}
