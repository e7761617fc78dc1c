/* mapping.c: see mapping.h. */
#include "base/mapping.h"
#include "base/fail.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int mapping_open(struct mapping *m, const char *path)
{
    struct stat st;
    int status = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *m = (struct mapping){0};
    if (fd < 0)
        return fail(FAIL_MODEL, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        status = fail(FAIL_MODEL, "%s: not a regular file", path);
    } else if (st.st_size > 0) {
        void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (data == MAP_FAILED)
            status = fail(FAIL_MODEL, "%s: %s", path, strerror(errno));
        else
            *m = (struct mapping){data, (size_t)st.st_size};
    }
    close(fd);
    return status;
}

void mapping_close(struct mapping *m)
{
    if (m->size > 0)
        munmap((void *)m->data, m->size);
    *m = (struct mapping){0};
}
