/* follow.c: see follow.h. */
#include "model/follow.h"
#include "base/version.h"
#include "engine/engine.h"

#include <errno.h>
#include <pthread.h>
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

/* The version for a row, as things are now; -1: it must wait. */
static int64_t choose(struct follow *f, const struct wish *w)
{
    int64_t newest = version_linked(f->spec);
    if (newest < 0 || newest < w->version)
        return -1;
    if (w->version < 0 || w->version == newest)
        return newest;
    if (w->version == f->version || is_there(f, w->version))
        return w->version;
    if (w->step >= 0 && w->step == f->step &&
        (f->chosen == f->version || is_there(f, f->chosen)))
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

/* Nobody works: put a version's weights to use. 0, 1 (it went away meanwhile: choose
 * again) or CLI_ABANDON. */
static int change(struct follow *f, int64_t version)
{
    char path[PATH_MAX];
    int64_t newest = version_linked(f->spec);
    if (version_beside(path, f->spec, version) < 0)
        return 1; /* the link is gone */
    if (f->model ? model_reload(f->model, path) == 0
                 : (f->model = model_open(path, &f->options)) != NULL) {
        cli_note(f->cli, "%s: version %lld", f->spec, (long long)version);
        if (f->version < 0)
            cli_note(f->cli, "%s", model_notes(f->model));
        f->version = version;
        return 0;
    }
    if (version_linked(f->spec) != newest || !is_there(f, version))
        return 1;
    fail_in("%s", f->spec);
    return give_up(f);
}

/* The row's version is not there yet. 0, or CLI_ABANDON. The lock is held. */
static int look_again(struct follow *f, const struct wish *w)
{
    const struct timespec pause = {0, FOLLOW_LOOK_MS * 1000000L};
    int64_t newest = version_linked(f->spec);
    if (cli_input_closed(f->cli)) {
        if (newest < 0)
            fail(FAIL_MODEL, "%s: no version is there, and no more input comes", f->spec);
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
