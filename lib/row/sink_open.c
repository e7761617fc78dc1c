/* sink_open.c: begin an output file, or go on with one. See sink.h. */
#include "base/folder.h"
#include "row/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(const char *path)
{
    return fail(FAIL_REFUSED, "%s: %s", path, strerror(errno));
}

static char *path_with(const char *path, const char *end)
{
    struct buf b = {0};
    buf_text(&b, path);
    buf_text(&b, end);
    if (!buf_string(&b)) {
        buf_free(&b);
        fail_memory();
    }
    return b.data;
}

static int check_file(const char *path, const struct sink_plan *plan)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno == ENOENT ? 0 : refuse(path);
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return refuse(path);
    }
    bool stream = path_is_stream(path);
    if (!stream && !plan->resume && !plan->force)
        return fail(FAIL_REFUSED,
                    "%s: exists (--resume goes on with it, --force overwrites it)", path);
    if (stream && plan->resume)
        return fail(FAIL_REFUSED, "%s: not a regular file, so it cannot be resumed",
                    path);
    return 0;
}

/* FILE is not there, but its journal is: somebody moved FILE, or took the journal's name
 * for a file of their own. */
static int check_journal(const struct sink_plan *plan)
{
    if (plan->resume || plan->force || access(plan->path, F_OK) == 0)
        return 0;
    char *journal = path_with(plan->path, ".journal");
    int rc = !journal                     ? -1
             : access(journal, F_OK) == 0 ? fail(FAIL_REFUSED,
                                                 "%s: exists without %s (bring that back "
                                                 "and --resume, or --force starts anew)",
                                                 journal, plan->path)
                                          : 0;
    free(journal);
    return rc;
}

int sink_check(const struct sink_plan *plan)
{
    if (plan->path && (check_file(plan->path, plan) < 0 || check_journal(plan) < 0))
        return -1;
    if (plan->errors && check_file(plan->errors, plan) < 0)
        return -1;
    if (plan->path && plan->errors &&
        (strcmp(plan->path, plan->errors) == 0 || path_same(plan->path, plan->errors)))
        return fail(FAIL_REFUSED, "%s: named by -o and by --errors", plan->path);
    return 0;
}

/* The folder's entry for a new file is on the disk once the folder is synced. */
static void sync_folder(const char *path)
{
    char *folder = strdup(path);
    char *slash = folder ? strrchr(folder, '/') : NULL;
    if (slash)
        slash[slash == folder ? 1 : 0] = '\0';
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd); /* not every file system can: best effort */
        close(fd);
    }
    free(folder);
}

static int open_stream(const char *path)
{
    int fd = path_stream_open(path);
    return fd < 0 ? refuse(path) : fd;
}

/* Open a regular file for writing and keep other runs away from it. *size: as it is. */
static int open_file(const char *path, int flags, int64_t *size)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0666);
    if (fd < 0)
        return refuse(path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        close(fd);
        return fail(FAIL_REFUSED, "%s: another run is writing it", path);
    }
    if (fstat(fd, &st) < 0) {
        close(fd);
        return refuse(path);
    }
    *size = st.st_size;
    return fd;
}

/* Cut fd at end and go on there. */
static int cut_at(int fd, int64_t end, const char *path)
{
    if (ftruncate(fd, end) < 0 || lseek(fd, end, SEEK_SET) < 0)
        return refuse(path);
    return 0;
}

/* The file of --errors, kept from errors_end on. */
static int open_errors(struct sink *s)
{
    const char *path = s->plan.errors;
    int64_t size;
    s->errors.name = path;
    s->errors_file = !path_is_stream(path);
    s->errors.fd = s->errors_file ? open_file(path, 0, &size) : open_stream(path);
    return s->errors.fd < 0 ? -1 : 0;
}

/* Move FILE and its journal out of the way, for a run that redoes the failed rows. The
 * journal goes first: FILE.redo.journal alone tells the next run to go on here. */
static int move_old(struct sink *s)
{
    if (rename(s->journal_path, s->old_journal_path) < 0 && errno != ENOENT)
        return refuse(s->journal_path);
    if (rename(s->file_path, s->old_path) < 0)
        return refuse(s->plan.path);
    sync_folder(s->file_path);
    return 0;
}

/* Is a redoing of failed rows to be begun, or under way? 1, 0 or -1. */
static int must_redo(struct sink *s, const struct journal_head *head, int64_t size)
{
    if (access(s->old_journal_path, F_OK) == 0) {
        if (access(s->old_path, F_OK) == 0)
            return 1;
        if (access(s->journal_path, F_OK) < 0)
            return move_old(s) < 0 ? -1 : 1; /* killed between its two renames */
        unlink(s->old_journal_path); /* killed when all was done, in sink_close() */
    }
    if (!s->plan.retry)
        return 0;
    struct journal_state state;
    int rc = journal_load(&state, s->journal_path, head, size, INT64_MAX);
    bool failed = rc == 1 && state.failed > 0;
    journal_state_free(&state);
    if (rc < 0 || !failed)
        return rc < 0 ? -1 : 0;
    return move_old(s) < 0 ? -1 : 1;
}

static int open_old(struct sink *s, const struct journal_head *head)
{
    struct stat st;
    s->old = open(s->old_path, O_RDONLY | O_CLOEXEC);
    if (s->old < 0 || fstat(s->old, &st) < 0)
        return refuse(s->old_path);
    return journal_load(&s->redo, s->old_journal_path, head, st.st_size, INT64_MAX) < 0
               ? -1
               : 0;
}

static int open_journal(struct sink *s, const struct journal_head *head)
{
    struct buf first = {0};
    int rc = 0;
    s->journal = open(s->journal_path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (s->journal < 0 || cut_at(s->journal, s->before.length, s->journal_path) < 0)
        return refuse(s->journal_path);
    if (s->before.length == 0) {
        journal_put_head(&first, head);
        if (buf_ok(&first) < 0)
            rc = -1;
        else if (output_write(s->journal, first.data, first.len) < 0 ||
                 fdatasync(s->journal) < 0) {
            /* A full disk: the run stops at once, and can be resumed. */
            s->error_name = s->plan.path; /* lives on when *s is closed */
            s->error = errno;
        }
        sync_folder(s->journal_path);
    }
    buf_free(&first);
    return rc;
}

static int refuse_without_journal(const char *path)
{
    return fail(FAIL_REFUSED,
                "%s: cannot be resumed, its journal is missing (--force overwrites it)",
                path);
}

/* Read what an earlier run left. 0 or -1. */
static int load(struct sink *s, const struct journal_head *head, int64_t *size)
{
    int redo = must_redo(s, head, *size), rc;
    if (redo < 0)
        return -1;
    if (redo) {
        if (open_old(s, head) < 0)
            return -1;
        close(s->out.fd); /* FILE may be another one now */
        s->out.fd = open_file(s->file_path, 0, size);
        if (s->out.fd < 0)
            return -1;
    }
    struct stat st;
    int64_t errors_size = INT64_MAX;
    if (s->errors_file && fstat(s->errors.fd, &st) == 0)
        errors_size = st.st_size;
    rc = journal_load(&s->before, s->journal_path, head, *size, errors_size);
    if (rc == 0 && *size > 0)
        return refuse_without_journal(s->plan.path);
    /* (An empty journal, as a crash may leave it, is one.) */
    if (rc == 0 && !redo && s->errors_file && errors_size > 0 &&
        access(s->journal_path, F_OK) < 0)
        return refuse_without_journal(s->plan.errors);
    return rc < 0 ? -1 : 0;
}

static int open_journaled(struct sink *s, const struct journal_head *head)
{
    const char *path = s->plan.path;
    bool fresh = !s->plan.resume && !s->plan.force;
    int64_t size;
    s->journal_path = path_with(path, ".journal");
    s->file_path = path_target(path);
    s->old_path = s->file_path ? path_with(s->file_path, ".redo") : NULL;
    s->old_journal_path = path_with(path, ".redo.journal");
    if (!s->journal_path || !s->old_path || !s->old_journal_path)
        return -1;
    s->out.fd = open_file(s->file_path, fresh ? O_EXCL : 0, &size);
    if (s->out.fd < 0 || (s->plan.errors && open_errors(s) < 0))
        return -1;
    if (s->plan.resume && load(s, head, &size) < 0)
        return -1;
    s->out.end = s->safe = s->before.end;
    s->errors.end = s->errors_safe = s->before.errors_end;
    if (cut_at(s->out.fd, s->out.end, path) < 0)
        return -1;
    if (s->errors_file && cut_at(s->errors.fd, s->errors.end, s->plan.errors) < 0)
        return -1;
    if (!s->plan.resume) { /* --force: journals last, rows without one are no run's */
        if (access(s->old_journal_path, F_OK) == 0) /* else it is not ours */
            unlink(s->old_path);
        unlink(s->old_journal_path);
        unlink(s->journal_path);
    }
    return open_journal(s, head);
}

int sink_open(struct sink *s, const struct sink_plan *plan,
              const struct journal_head *head)
{
    *s = (struct sink){.plan = *plan, .journal = -1, .old = -1};
    s->out = (struct output){.fd = -1, .name = plan->path};
    s->errors = (struct output){.fd = -1};
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->commit, NULL);
    if (sink_check(plan) < 0)
        return -1;
    s->file = plan->path && !path_is_stream(plan->path);
    if (s->file)
        return open_journaled(s, head);
    if (plan->path) {
        if ((s->out.fd = open_stream(plan->path)) < 0)
            return -1;
    } else {
        s->out.fd = STDOUT_FILENO;
        s->out.name = "standard output";
    }
    if (!plan->errors)
        return 0;
    if (open_errors(s) < 0)
        return -1;
    return s->errors_file ? cut_at(s->errors.fd, 0, plan->errors) : 0;
}
