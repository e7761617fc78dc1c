/* follow.c: see follow.h. */
#include "model/follow.h"
#include "base/folder.h"
#include "base/version.h"
#include "engine/engine.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    FOLLOW_LOOK_MS = 10, /* how often a link is looked at that does not lead far enough */
    FOLLOW_PATIENCE = 3000, /* looks after which a missing policy is told */
};

struct follow {
    struct cli *cli;
    const char *spec;
    struct model_options options;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t idle;  /* nobody works with the weights */
    struct model *model;  /* NULL before the first row */
    int64_t version;      /* its weights' */
    int working;          /* rows between begin and end */
    int64_t step,
        chosen; /* of the last row whose version was gone: what it got instead */
    int looks;  /* in vain, of all rows */
    bool told;  /* why weights are read from files */
    bool noted; /* "waits" was said of this wait */
};

/* What a row asks for. */
struct wish {
    int64_t version, step; /* -1: it does not say */
};

static bool no_policy(const char *spec)
{
    char dir[PATH_MAX];
    struct stat st;
    if (model_is_endpoint(spec))
        return true;
    if (lstat(spec, &st) == 0)
        return version_linked(spec) < 0;
    return model_find(dir, sizeof dir, spec) == 0; /* a name of what comes along */
}

struct follow *follow_open(struct cli *cli, const char *spec,
                           const struct model_options *options)
{
    if (no_policy(spec)) {
        fail(FAIL_REFUSED,
             "%s: --follow wants a policy, a link to a version (vNNNNNN) that rl-step "
             "writes",
             spec);
        return NULL;
    }
    struct follow *f = calloc(1, sizeof *f);
    if (!f)
        return fail_memory(), NULL;
    *f = (struct follow){.cli = cli, .spec = spec, .options = *options};
    f->version = f->step = f->chosen = -1;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->idle, NULL);
    return f;
}

void follow_close(struct follow *f)
{
    if (!f)
        return;
    model_close(f->model);
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->idle);
    free(f);
}

int follow_workers(const struct model_options *options)
{
    return options->max_batch ? options->max_batch : ENGINE_BATCH;
}

/* A whole number of a field of _rl, or -1 where there is none; -2 and the reason. */
static int64_t wish_read(const struct row *row, const char *path)
{
    int64_t x;
    if (!row_has(row, path))
        return -1;
    if (row_int((struct row *)(uintptr_t)row, path, &x) < 0)
        return -2;
    return x < 0 ? fail(FAIL_TYPE, "%s is below 0", path) - 1 : x;
}

static bool is_there(const struct follow *f, int64_t version)
{
    char path[PATH_MAX];
    return version_beside(path, f->spec, version) == 0 && access(path, F_OK) == 0;
}

/* Has the version its own weights? Of some the trainer keeps them in a GPU's memory. */
static bool has_files(const char *dir)
{
    static const char *const names[] = {"model.safetensors",
                                        "model.safetensors.index.json"};
    char path[PATH_MAX];
    for (int i = 0; i < 2; i++)
        if (path_join(path, dir, names[i]) == 0 && access(path, F_OK) == 0)
            return true;
    return false;
}

/* ... and is it there? One that is not the newest is to be had from files alone. */
static bool to_be_had(const struct follow *f, int64_t version)
{
    char path[PATH_MAX];
    return version_beside(path, f->spec, version) == 0 && has_files(path);
}

/* The version for a row, as things are now; -1: it must wait. */
static int64_t choose(struct follow *f, const struct wish *w)
{
    int64_t newest = version_linked(f->spec);
    if (newest < 0 || newest < w->version)
        return -1;
    if (w->version < 0 || w->version == newest)
        return newest;
    if (w->version == f->version || to_be_had(f, w->version))
        return w->version;
    if (w->step >= 0 && w->step == f->step &&
        (f->chosen == f->version || to_be_had(f, f->chosen)))
        return f->chosen;
    f->step = w->step;
    f->chosen = newest;
    return newest;
}

/* The run cannot go on: no row is to blame. */
static int give_up(struct follow *f)
{
    cli_give_up(f->cli, "%s", fail_text());
    return CLI_ABANDON;
}

/* Where the trainer's versions lie, of which this is one. 0 or -1. */
static int work_of(char work[PATH_MAX], const char *version)
{
    char *real = realpath(version, NULL), *slash = real ? strrchr(real, '/') : NULL;
    if (slash)
        *slash = '\0';
    int n = slash ? snprintf(work, PATH_MAX, "%s", real) : -1;
    free(real);
    return n >= 0 && n < PATH_MAX ? 0 : -1;
}

/* Open the model with the version's own files or, where it has none, with those of
 * another version. 0, or 1: there are none. -1: they do not open. */
static int open_any(struct follow *f, const char *path, int64_t version)
{
    char dir[PATH_MAX], work[PATH_MAX];
    snprintf(dir, sizeof dir, "%s", path);
    if (!has_files(path)) {
        int count, found = -1;
        int64_t *list = work_of(work, path) == 0 ? version_list(work, &count) : NULL;
        for (int i = 0; list && i < count && found < 0; i++)
            if (version_path(dir, work, list[i], "") == 0 && has_files(dir))
                found = i;
        if (found >= 0)
            version = list[found];
        free(list);
        if (found < 0)
            return 1;
    }
    if (!(f->model = model_open(dir, &f->options)))
        return -1;
    f->version = version;
    cli_note(f->cli, "%s: version %lld", f->spec, (long long)version);
    cli_note(f->cli, "%s", model_notes(f->model));
    return 0;
}

/* The version's weights from the trainer's memory. As model_take(); -1 is told, once,
 * where there are files. */
static int take(struct follow *f, const char *path, int64_t version)
{
    char work[PATH_MAX];
    int status = work_of(work, path) < 0 ? 0 : model_take(f->model, work, version);
    if (status == MODEL_TORN)
        f->version = -1;
    if (status == -1 && !f->told && has_files(path)) {
        cli_say(f->cli, NULL, "%s: weights are read from files: %s", f->spec,
                fail_text());
        f->told = true;
    }
    if (status == 1) {
        f->version = version;
        cli_note(f->cli, "%s: version %lld, from the trainer's memory", f->spec,
                 (long long)version);
    }
    return status;
}

enum { CHANGE_AGAIN = 1, CHANGE_WAIT };

/* From one version to another, whose weights are in files or in memory. 0, CHANGE_AGAIN
 * or CHANGE_WAIT, or -1. */
static int move_on(struct follow *f, const char *path, int64_t version)
{
    int status = take(f, path, version);
    if (status == 1)
        return 0;
    if (has_files(path)) {
        if (model_reload(f->model, path) < 0)
            return -1;
        f->version = version;
        cli_note(f->cli, "%s: version %lld", f->spec, (long long)version);
        return 0;
    }
    if (status == -1)
        return fail_in("version %lld has no file", (long long)version);
    return is_there(f, version) ? CHANGE_WAIT : CHANGE_AGAIN;
}

/* Nobody works: put a version's weights to use. 0; CHANGE_AGAIN: it went away meanwhile,
 * choose again; CHANGE_WAIT: it has no files, and the trainer that has it in memory is
 * not there, or not yet; or CLI_ABANDON. */
static int change(struct follow *f, int64_t version)
{
    char path[PATH_MAX];
    int64_t newest = version_linked(f->spec);
    if (version_beside(path, f->spec, version) < 0)
        return CHANGE_AGAIN; /* the link is gone */
    int status = f->model ? 0 : open_any(f, path, version);
    if (status == 1)
        return CHANGE_WAIT;
    if (status == 0 && f->version != version)
        status = move_on(f, path, version);
    if (status >= 0)
        return status;
    if (version_linked(f->spec) != newest || !is_there(f, version))
        return CHANGE_AGAIN;
    fail_in("%s", f->spec);
    return give_up(f);
}

/* The row's version is not there, or not to be had, yet. 0, or CLI_ABANDON. The lock is
 * held. */
static int look_again(struct follow *f, const struct wish *w)
{
    const struct timespec pause = {0, FOLLOW_LOOK_MS * 1000000L};
    int64_t newest = version_linked(f->spec);
    if (cli_input_closed(f->cli)) {
        if (newest < 0)
            fail(FAIL_MODEL, "%s: no version is there, and no more input comes", f->spec);
        else if (newest >= w->version)
            fail(FAIL_MODEL,
                 "%s: version %lld is in the memory of a trainer that has gone or cannot "
                 "be reached, and no more input comes",
                 f->spec, (long long)newest);
        else
            fail(FAIL_MODEL,
                 "%s: version %lld is asked for, %lld is the newest, and no more input "
                 "comes",
                 f->spec, (long long)w->version, (long long)newest);
        return give_up(f);
    }
    if (!f->noted)
        cli_note(f->cli, "%s: waits for version %lld", f->spec, (long long)w->version);
    f->noted = true;
    if (newest < 0 && f->looks++ == FOLLOW_PATIENCE)
        cli_say(f->cli, NULL, "%s: no version is there yet; waiting", f->spec);
    pthread_mutex_unlock(&f->lock);
    nanosleep(&pause, NULL);
    pthread_mutex_lock(&f->lock);
    return 0;
}

/* Others work with another version's weights: wait until they are done, or a while. */
static void wait_idle(struct follow *f)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 100000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&f->idle, &f->lock, &until);
}

static int begin(struct follow *f, const struct wish *w)
{
    for (;;) {
        int status = 0;
        if (cli_stopping(f->cli))
            return CLI_ABANDON;
        int64_t version = choose(f, w);
        if (version < 0)
            status = look_again(f, w);
        else if (f->model && version == f->version)
            return 0;
        else if (f->working > 0)
            wait_idle(f);
        else if ((status = change(f, version)) == 0)
            f->noted = false;
        else if (status == CHANGE_WAIT)
            status = look_again(f, w);
        if (status == CLI_ABANDON)
            return status;
    }
}

int follow_begin(struct follow *f, const struct row *row, struct model **model,
                 int64_t *version)
{
    const struct wish w = {wish_read(row, "_rl.version"), wish_read(row, "_rl.step")};
    if (w.version == -2 || w.step == -2)
        return -1;
    pthread_mutex_lock(&f->lock);
    int status = begin(f, &w);
    if (status == 0) {
        f->working++;
        *model = f->model;
        *version = f->version;
    }
    pthread_mutex_unlock(&f->lock);
    return status;
}

void follow_end(struct follow *f)
{
    pthread_mutex_lock(&f->lock);
    if (--f->working == 0)
        pthread_cond_broadcast(&f->idle);
    pthread_mutex_unlock(&f->lock);
}
