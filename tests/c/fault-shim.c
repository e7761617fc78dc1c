/* fault-shim.c: a library to preload that lets a call of the C library fail.
 *
 * FAULT=CALL:N:HOW   the N-th call (from 1) of CALL fails. CALL is alloc (malloc, calloc,
 *                    realloc, memalign and what calls these), map, thread, or io, which
 * is any of open, read, write, fsync, ftruncate, rename, unlink and close; or one of
 * these names; or disk: write, fsync, ftruncate, rename and unlink. HOW is an errno's
 * number; "short": the write or read does half of its bytes; "kill": the process is
 * killed before the call. A plus behind N fails all calls from the N-th on.
 * FAULT_COUNT=FILE   the number of calls seen is written there when the process ends.
 *
 * Calls are counted from main() on: what the loader does before is not ours.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc's own names of what is replaced here. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

/* What to fail; set before main(), read-only from then on. */
static struct {
    bool on, sticky, half, kill;
    char call[16];
    long at;
    int error;
} plan;
static atomic_long seen;

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* Does a call of this name change what is on the disk? */
static bool changes(const char *name)
{
    return same(name, "write") || same(name, "fsync") || same(name, "ftruncate") ||
           same(name, "rename") || same(name, "unlink");
}

/* A call of this name and kind is made: is it the one to fail? */
static bool strike(const char *name, const char *kind)
{
    if (!plan.on || !(same(plan.call, name) || same(plan.call, kind) ||
                      (same(plan.call, "disk") && changes(name))))
        return false;
    long n = atomic_fetch_add(&seen, 1) + 1;
    if (n != plan.at && !(plan.sticky && n > plan.at))
        return false;
    if (plan.kill)
        kill(getpid(), SIGKILL);
    if (!plan.half)
        errno = plan.error;
    return true;
}

__attribute__((constructor)) static void prepare(void)
{
    const char *text = getenv("FAULT"), *how;
    char *end;
    if (!text || !(how = strchr(text, ':')) || (size_t)(how - text) >= sizeof plan.call)
        return;
    memcpy(plan.call, text, (size_t)(how - text));
    plan.at = strtol(how + 1, &end, 10);
    plan.sticky = *end == '+';
    how = strrchr(text, ':') + 1;
    plan.half = same(how, "short");
    plan.kill = same(how, "kill");
    plan.error = atoi(how);
    plan.on = true;
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("FAULT_COUNT");
    char text[32];
    plan.on = false;
    if (!path)
        return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int n = snprintf(text, sizeof text, "%ld\n", atomic_load(&seen));
    if (fd >= 0 && syscall(SYS_write, fd, text, n) == n)
        syscall(SYS_close, fd);
}

/* -- Memory
 * ------------------------------------------------------------------------------ */

void *malloc(size_t n)
{
    return strike("malloc", "alloc") ? NULL : __libc_malloc(n);
}

void *calloc(size_t count, size_t n)
{
    return strike("calloc", "alloc") ? NULL : __libc_calloc(count, n);
}

void *realloc(void *p, size_t n)
{
    return strike("realloc", "alloc") ? NULL : __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    return strike("memalign", "alloc") ? NULL : __libc_memalign(align, n);
}

int posix_memalign(void **p, size_t align, size_t n)
{
    if (strike("memalign", "alloc") || !(*p = __libc_memalign(align, n)))
        return ENOMEM;
    return 0;
}

void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    if (strike("mmap", "map"))
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, at, n, protection, flags, fd, offset);
}

/* -- Files
 * ------------------------------------------------------------------------------- */

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    unsigned mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, unsigned) : 0;
    va_end(args);
    return strike("open", "io") ? -1
                                : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    FILE *(*next)(const char *, const char *) = NULL;
    if (strike("open", "io"))
        return NULL;
    *(void **)&next = dlsym(RTLD_NEXT, "fopen");
    return next(path, mode);
}

ssize_t read(int fd, void *to, size_t n)
{
    if (!strike("read", "io"))
        return syscall(SYS_read, fd, to, n);
    return plan.half ? syscall(SYS_read, fd, to, n > 1 ? n / 2 : n) : -1;
}

/* Writes of 8 bytes wake a thread through an eventfd: those do not fail. */
ssize_t write(int fd, const void *from, size_t n)
{
    if (n == 8 || !strike("write", "io"))
        return syscall(SYS_write, fd, from, n);
    return plan.half ? syscall(SYS_write, fd, from, n > 1 ? n / 2 : n) : -1;
}

int fsync(int fd)
{
    return strike("fsync", "io") && !plan.half ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return strike("fsync", "io") && !plan.half ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int ftruncate(int fd, off_t n)
{
    return strike("ftruncate", "io") && !plan.half ? -1
                                                   : (int)syscall(SYS_ftruncate, fd, n);
}

int rename(const char *from, const char *to)
{
    bool fails = strike("rename", "io") && !plan.half;
    return fails ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path)
{
    return strike("unlink", "io") && !plan.half
               ? -1
               : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

/* A close that fails has closed the descriptor all the same. */
int close(int fd)
{
    bool fails = strike("close", "io") && !plan.half;
    int rc = (int)syscall(SYS_close, fd);
    if (fails)
        errno = plan.error;
    return fails ? -1 : rc;
}

/* -- Threads
 * ----------------------------------------------------------------------------- */

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                   void *context)
{
    int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = NULL;
    if (strike("pthread_create", "thread"))
        return EAGAIN;
    *(void **)&next = dlsym(RTLD_NEXT, "pthread_create");
    return next(thread, attr, run, context);
}
