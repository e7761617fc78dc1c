/* policy.c: see policy.h. */
#include "train/policy.h"
#include "base/buf.h"
#include "base/fail.h"
#include "base/folder.h"
#include "base/mapping.h"
#include "base/version.h"
#include "engine/handover.h"
#include "engine/weights.h"
#include "train/model_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xxhash.h>

#define MEMORY "/dev/shm"

enum { POLICY_KEEP = 3 };

struct policy {
    char *path, *folder; /* POLICY, POLICY.d */
    char *target;        /* POLICY.d as POLICY's link calls it */
    char *work, *checkpoints;
    char *
        former; /* where an earlier run had WORK, of which some may be left; NULL: none */
    char *base;
    bool apart; /* WORK is not POLICY.d */
    int keep;
    int lock, work_lock, former_lock; /* of these folders; -1: none */
    int64_t held;                     /* a checkpoint's version, or -1 */
    enum policy_hand_over how;
    struct handover *handover; /* NULL: weights are in files alone */
    int64_t whole; /* with POLICY_GPU: the version whose files samplers open; -1: none */
    char hash[33];
};

/* -- Opening --------------------------------------------------------------------------
 */

static char *text(const char *format, const char *a, const char *b)
{
    struct buf out = {0};
    buf_print(&out, format, a, b);
    return (char *)(uintptr_t)buf_string(&out);
}

/* POLICY may be missing, or a link to a version; all else is not ours to replace. */
static int check_path(const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : path_failed(path);
    if (S_ISLNK(st.st_mode) && version_linked(path) >= 0)
        return 0;
    return fail(FAIL_REFUSED, "%s: is there, and no link to a policy's version", path);
}

/* The work folder of this policy below dir, whether it is there or not. NULL: the reason.
 * free() it. */
static char *work_name(const struct policy *y, const char *dir)
{
    char name[64];
    char *real = realpath(y->folder, NULL);
    if (!real)
        return path_failed(y->folder), NULL;
    XXH128_hash_t h = XXH3_128bits(real, strlen(real));
    free(real);
    snprintf(name, sizeof name, "capmill-%lu-%016llx", (unsigned long)geteuid(),
             (unsigned long long)h.low64);
    char *path = text("%s/%s", dir, name);
    if (!path)
        fail_memory();
    return path;
}

/* Anybody may write to /dev/shm: a folder put there by another user is not used. */
static bool is_ours(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

/* Is there room in memory for all versions that stay, and one that is written? Those of a
 * run that was killed make way. */
static bool memory_has_room(const struct policy *y, const char *work,
                            const struct params *p)
{
    struct statvfs fs;
    int left = 0;
    if (statvfs(MEMORY, &fs) < 0 || access(MEMORY, W_OK) < 0)
        return false;
    free(is_ours(work) ? version_list(work, &left) : NULL);
    double version = (p->halves ? 2.0 : 4.0) * (double)p->elements;
    double room = (double)fs.f_bavail * (double)fs.f_frsize + left * version;
    /* those that a checkpoint holds stay as well */
    return version * (2 * y->keep + 1) < 0.5 * room;
}

/* The work folder is path. 0 or -1. A run elsewhere may have the same one where machines,
 * or containers, share /dev/shm and call their folders alike: the first has it. */
static int open_work(struct policy *y, const char *path)
{
    if (folder_make(path, 0700) < 0)
        return -1;
    if (!is_ours(path))
        return fail(FAIL_REFUSED, "%s: not a folder of this user", path);
    if ((y->work_lock = folder_lock(path)) < 0)
        return -1;
    y->work = realpath(path, NULL); /* links to it work from everywhere */
    y->apart = y->work != NULL;
    return y->apart ? 0 : path_failed(path);
}

/* WORK: below dir; or in memory, where it can be had there; or POLICY.d. 0 or -1. */
static int choose_work(struct policy *y, const char *dir, const struct params *p)
{
    char *path = work_name(y, dir ? dir : MEMORY);
    int status;
    if (!path)
        return -1;
    if (dir)
        status = folder_make(dir, 0777) < 0 ? -1 : open_work(y, path);
    else if (memory_has_room(y, path, p) && open_work(y, path) == 0)
        status = 0;
    else
        status = (y->work = text("%s%s", y->folder, "")) ? 0 : fail_memory();
    free(path);
    return status;
}

/* What an earlier run of this policy has in memory, unless that is WORK. 0 or -1. */
static int find_former(struct policy *y)
{
    char *path = work_name(y, MEMORY);
    if (!path)
        return -1;
    if (is_ours(path) && (y->former_lock = folder_lock(path)) >= 0)
        y->former = path; /* WORK has its lock already */
    else
        free(path);
    return 0;
}

static int open_folders(struct policy *y, const struct policy_options *o,
                        const struct params *p)
{
    const char *slash = strrchr(o->path, '/');
    y->path = text("%s%s", o->path, "");
    y->base = text("%s%s", o->base, "");
    y->folder = text("%s%s", o->path, ".d");
    y->target = text("%s%s", slash ? slash + 1 : o->path, ".d");
    y->checkpoints = text("%s%s", o->path, ".d/checkpoints");
    if (!y->path || !y->base || !y->folder || !y->target || !y->checkpoints)
        return fail_memory();
    if (y->path[0] == '\0' || (slash && !slash[1]))
        return fail(FAIL_REFUSED, "\"%s\" does not name a policy", o->path);
    if (check_path(y->path) < 0 || folder_make(y->folder, 0777) < 0)
        return -1;
    if ((y->lock = folder_lock(y->folder)) < 0 || folder_make(y->checkpoints, 0777) < 0)
        return -1;
    return choose_work(y, o->work, p) < 0 ? -1 : find_former(y);
}

struct policy *policy_open(const struct policy_options *o, const struct params *p)
{
    struct policy *y = calloc(1, sizeof *y);
    if (!y)
        return fail_memory(), NULL;
    y->lock = y->work_lock = y->former_lock = -1;
    y->held = -1;
    y->whole = -1;
    y->how = o->how;
    y->keep = o->keep ? o->keep : POLICY_KEEP;
    if (open_folders(y, o, p) < 0)
        return policy_close(y), NULL;
    folder_clean(y->folder);
    folder_clean(y->work);
    return y;
}

void policy_close(struct policy *y)
{
    if (!y)
        return;
    handover_close(y->handover);
    const int locks[] = {y->lock, y->work_lock, y->former_lock};
    for (size_t i = 0; i < sizeof locks / sizeof *locks; i++)
        if (locks[i] >= 0)
            close(locks[i]);
    free(y->path);
    free(y->folder);
    free(y->target);
    free(y->checkpoints);
    free(y->work);
    free(y->former);
    free(y->base);
    free(y);
}

const char *policy_checkpoints(const struct policy *y)
{
    return y->checkpoints;
}

const char *policy_work(const struct policy *y)
{
    return y->work;
}

int64_t policy_version(const struct policy *y)
{
    return version_linked(y->path);
}

const char *policy_hash(const struct policy *y)
{
    return y->hash;
}

/* -- Versions -------------------------------------------------------------------------
 */

/* Where versions and links to them are: POLICY.d, WORK, what WORK was. The number i, or
 * NULL behind the last. */
static const char *place(const struct policy *y, int i)
{
    const char *const places[] = {y->folder, y->work, y->former, NULL};
    return places[i];
}

static void version_remove(const struct policy *y, int64_t version)
{
    char path[PATH_MAX];
    for (int i = 0; place(y, i); i++)
        if (version_path(path, place(y, i), version, "") == 0)
            folder_remove(path);
}

static bool stays(const struct policy *y, int64_t version, int64_t newest)
{
    return version == y->whole || (version <= newest && version > newest - y->keep) ||
           (version <= y->held && version > y->held - y->keep);
}

/* Versions that nobody needs any more go. */
static void old_remove(const struct policy *y, int64_t newest)
{
    for (int i = 0; place(y, i); i++) {
        int count;
        int64_t *list = version_list(place(y, i), &count);
        for (int j = 0; list && j < count; j++)
            if (list[j] > newest || !stays(y, list[j], newest))
                version_remove(y, list[j]);
        free(list);
    }
}

/* Write a version's files into WORK. */
static int work_write(struct policy *y, const struct kernels *k, struct dev *dev,
                      const struct params *p, int64_t version, bool whole)
{
    const struct model_files files = {.base = y->base,
                                      .type = p->halves ? ARR_BF16 : ARR_F32,
                                      .used = p->halves,
                                      .weightless = !whole};
    char made[PATH_MAX], path[PATH_MAX];
    struct failure why;
    if (snprintf(made, sizeof made, "%s/.making-%06lld", y->work, (long long)version) >=
            (int)sizeof made ||
        version_path(path, y->work, version, "") < 0)
        return fail(FAIL_MODEL, "%s: path too long", y->work);
    folder_remove(made);
    int status = mkdir(made, 0777) < 0 ? path_failed(made) : 0;
    if (status == 0)
        status = model_files_write(&files, k, dev, p, made);
    if (status == 0)
        status = folder_sync(made);
    if (status == 0)
        status = folder_put(made, path); /* maybe for one of an earlier run */
    if (status == 0)
        status = folder_sync(y->work);
    if (status < 0) {
        fail_save(&why);
        folder_remove(made);
        return fail_again(&why);
    }
    return 0;
}

/* POLICY -> POLICY.d/vNNNNNN, whether or not that is a link itself. */
static int point_at(const struct policy *y, int64_t version)
{
    char target[PATH_MAX];
    return version_path(target, y->target, version, "") < 0
               ? -1
               : link_replace(y->path, target);
}

static int hash_read(struct policy *y, int64_t version)
{
    char path[PATH_MAX];
    if (version_path(path, y->work, version, "") < 0)
        return -1;
    struct weights *w = weights_open(path);
    int status = w ? weights_hash(w, path, y->hash) : -1;
    weights_close(w);
    return status;
}

/* POLICY.d/vNNNNNN -> WORK/vNNNNNN, also where an earlier run has left the folder itself.
 */
static int lead(const struct policy *y, const char *link, const char *target)
{
    char made[PATH_MAX];
    if (path_join(made, y->folder, ".making-link") < 0)
        return -1;
    unlink(made);
    if (symlink(target, made) < 0)
        return path_failed(made);
    return folder_put(made, link) < 0 ? -1 : folder_sync(y->folder);
}

/* Offer the weights in the device's memory. 0 or -1. */
static int offer(struct policy *y, const struct kernels *k, struct dev *dev,
                 const struct params *p, int64_t version)
{
    if (!y->handover) {
        struct handover_tensor *list = calloc((size_t)p->count + 1, sizeof *list);
        if (!list)
            return fail_memory();
        for (int i = 0; i < p->count; i++)
            list[i] = (struct handover_tensor){.name = p->list[i].name,
                                               .from = param_used(&p->list[i]),
                                               .fixed = !p->list[i].trained};
        y->handover = handover_open(y->work, k, dev, y->hash, list, p->count);
        free(list);
    }
    return y->handover ? handover_put(y->handover, version) : -1;
}

int policy_publish(struct policy *y, const struct kernels *k, struct dev *dev,
                   const struct params *p, int64_t version)
{
    char link[PATH_MAX], path[PATH_MAX];
    bool whole = y->how != POLICY_GPU || y->whole < 0;
    if (version_path(link, y->folder, version, "") < 0 ||
        version_path(path, y->work, version, "") < 0 ||
        work_write(y, k, dev, p, version, whole) < 0)
        return -1;
    if (y->how == POLICY_GPU && whole)
        y->whole = version;
    if (!y->hash[0] && hash_read(y, version) < 0)
        return -1;
    if (y->how != POLICY_FILES && offer(y, k, dev, p, version) < 0)
        return -1;
    if (y->apart && lead(y, link, path) < 0)
        return -1;
    if (point_at(y, version) < 0)
        return -1;
    old_remove(y, version);
    return 0;
}

int policy_complete(struct policy *y, const struct kernels *k, struct dev *dev,
                    const struct params *p)
{
    int64_t newest = policy_version(y);
    if (y->how != POLICY_GPU || newest < 0 || newest == y->whole)
        return 0;
    return work_write(y, k, dev, p, newest, true);
}

int64_t policy_taken(const struct policy *y)
{
    return y->handover ? handover_taken(y->handover) : 0;
}

void policy_hold(struct policy *y, int64_t version)
{
    y->held = version;
}

/* -- The end --------------------------------------------------------------------------
 */

/* Copy a version's files from one folder to another, which is made. */
static int version_copy(const char *from, const char *to)
{
    char a[PATH_MAX], b[PATH_MAX];
    if (mkdir(to, 0777) < 0)
        return path_failed(to);
    for (int i = 0; model_files_names[i]; i++) {
        struct mapping m;
        if (path_join(a, from, model_files_names[i]) < 0 ||
            path_join(b, to, model_files_names[i]) < 0)
            return -1;
        if (access(a, F_OK) < 0)
            continue;
        if (mapping_open(&m, a) < 0)
            return -1;
        int status = bytes_write(b, m.data, m.size);
        mapping_close(&m);
        if (status < 0)
            return -1;
    }
    return folder_sync(to);
}

/* Put a version, which is a link to the work folder, itself into POLICY.d. */
static int bring_home(const struct policy *y, int64_t version)
{
    char made[PATH_MAX], from[PATH_MAX], path[PATH_MAX];
    struct failure why;
    if (snprintf(made, sizeof made, "%s/.making-%06lld", y->folder, (long long)version) >=
            (int)sizeof made ||
        version_path(path, y->folder, version, "") < 0 ||
        version_path(from, y->work, version, "") < 0)
        return fail(FAIL_MODEL, "%s: path too long", y->folder);
    folder_remove(made);
    int status = version_copy(from, made);
    if (status == 0)
        status = folder_put(made, path);
    if (status < 0) {
        fail_save(&why);
        folder_remove(made);
        return fail_again(&why);
    }
    return folder_sync(y->folder);
}

int policy_settle(struct policy *y)
{
    int64_t newest = policy_version(y);
    if (newest < 0)
        return 0;
    if (y->apart && bring_home(y, newest) < 0)
        return -1;
    y->keep = 1;
    y->held = y->whole = -1;
    /* the newest is at home: nothing elsewhere is needed */
    if (y->apart)
        folder_remove(y->work);
    if (y->former)
        folder_remove(y->former);
    old_remove(y, newest);
    return 0;
}
