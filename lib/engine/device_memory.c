/* device_memory.c: see device_memory.h. */
#include "engine/device_memory.h"
#include "base/fail.h"

#include <stdio.h>

/* "1.50 GB"; the caller's text of 24 bytes. */
static const char *size_text(char text[24], int64_t bytes)
{
    if (bytes < 100000000)
        snprintf(text, 24, "%.2f MB", (double)bytes / 1e6);
    else
        snprintf(text, 24, "%.2f GB", (double)bytes / 1e9);
    return text;
}

int device_memory_fail(const struct kernels *k, struct dev *dev)
{
    struct dev_memory m;
    char asked[24], used[24], bound[24], unused[24];
    k->memory(dev, &m);
    if (m.bound == 0 || m.refused == 0)
        return fail_memory();
    return fail(FAIL_INTERNAL,
                "out of memory on the GPU: %s asked for with %s in use of the %s that "
                "this program may take (--gpu-mem); %s are free there",
                size_text(asked, m.refused), size_text(used, m.used),
                size_text(bound, m.bound), size_text(unused, m.free));
}

int64_t device_memory_room(const struct kernels *k, struct dev *dev)
{
    struct dev_memory m;
    k->memory(dev, &m);
    return m.room;
}
