/* model.c: see model.h. Finds what stands behind a SPEC and passes calls on to it. */
#include "model/model.h"
#include "base/fail.h"
#include "model/endpoint.h"
#include "model/endpoint_spec.h"
#include "model/local.h"
#include "model/share.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct model {
    struct local *local; /* one of the two */
    struct endpoint *endpoint;
};

bool model_is_endpoint(const char *spec)
{
    return endpoint_spec_is(spec);
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A name under share/: "pocket" is share/pocket/captioner, "pocket-judge"
 * share/pocket/judge. */
static int find_shared(char *dir, size_t size, const char *spec)
{
    char name[NAME_MAX];
    const char *dash = strchr(spec, '-');
    int stem = dash ? (int)(dash - spec) : (int)strlen(spec);
    snprintf(name, sizeof name, "%.*s/%s", stem, spec, dash ? dash + 1 : "captioner");
    return share_path(dir, size, name);
}

/* An adapter as PEFT saves it, and no model beside it. */
static bool is_adapter(const char *dir)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/adapter_config.json", dir);
    if (n >= (int)sizeof path || access(path, F_OK) < 0)
        return false;
    snprintf(path, sizeof path, "%s/config.json", dir);
    return access(path, F_OK) < 0;
}

int model_find(char *dir, size_t size, const char *spec)
{
    if (model_is_endpoint(spec))
        return fail(FAIL_REFUSED, "%s: an endpoint, no model folder", spec);
    size_t n = strlen(spec);
    bool gguf = n > 5 && strcmp(spec + n - 5, ".gguf") == 0;
    if (gguf && access(spec, F_OK) < 0)
        return fail(FAIL_MODEL, "%s: no such file", spec);
    if (is_folder(spec) && is_adapter(spec))
        return fail(
            FAIL_MODEL,
            "%s: low-rank pairs without their base: model-init --merge-lora makes "
            "a model of them",
            spec);
    if (gguf || is_folder(spec)) {
        if (snprintf(dir, size, "%s", spec) < (int)size)
            return 0;
        return fail(FAIL_MODEL, "%s: path too long", spec);
    }
    if (n == 0 || strchr(spec, '/'))
        return fail(FAIL_MODEL, "%s: no such model folder", n ? spec : "(empty)");
    if (share_dir(dir, size) < 0) /* else the name is right, and the place is not */
        return fail_in("%s", spec);
    if (find_shared(dir, size, spec) < 0)
        return fail(FAIL_MODEL,
                    "%s: neither a folder nor a model that comes with capmill", spec);
    return 0;
}

struct model *model_open(const char *spec, const struct model_options *options)
{
    char dir[PATH_MAX];
    bool remote = model_is_endpoint(spec);
    struct model *m = calloc(1, sizeof *m);
    if (!m)
        return fail_memory(), NULL;
    if (remote)
        m->endpoint = endpoint_open(spec, options);
    else if (model_find(dir, sizeof dir, spec) == 0)
        m->local = local_open(dir, options);
    if (!m->endpoint && !m->local)
        return free(m), NULL;
    return m;
}

int model_finish(struct model *m)
{
    return m->endpoint ? endpoint_finish(m->endpoint) : 0;
}

void model_close(struct model *m)
{
    if (!m)
        return;
    local_close(m->local);
    endpoint_close(m->endpoint);
    free(m);
}

int model_reload(struct model *m, const char *dir)
{
    return m->local ? local_reload(m->local, dir)
                    : fail(FAIL_MODEL, "an endpoint's weights are its own");
}

int model_take(struct model *m, const char *folder, int64_t version)
{
    return m->local ? local_take(m->local, folder, version) : 0;
}

const char *model_hash(const struct model *m)
{
    return m->endpoint ? endpoint_hash(m->endpoint) : local_hash(m->local);
}

const char *model_chat_name(const struct model *m)
{
    return m->endpoint ? "endpoint" : local_chat_name(m->local);
}

void model_pixels(const struct model *m, int64_t *least, int64_t *most)
{
    *least = *most = 0;
    if (m->local)
        local_pixels(m->local, least, most);
}

const char *model_notes(const struct model *m)
{
    return m->endpoint ? endpoint_notes(m->endpoint) : local_notes(m->local);
}

int model_workers(const struct model *m)
{
    return m->endpoint ? endpoint_workers(m->endpoint) : local_workers(m->local);
}

enum model_scores model_scores(const struct model *m)
{
    return m->endpoint ? MODEL_SCORES_TOKENS : MODEL_SCORES_TEXTS;
}

bool model_down(struct model *m)
{
    return m->endpoint && endpoint_down(m->endpoint);
}

int64_t model_deadline(const struct model *m)
{
    return m->endpoint ? endpoint_deadline(m->endpoint) : 0;
}

int model_generate(struct model *m, const struct request *request, struct reply *reply)
{
    return model_generate_all(m, request, reply, 1);
}

int model_generate_all(struct model *m, const struct request *requests,
                       struct reply *replies, int count)
{
    if (m->endpoint)
        return endpoint_generate_all(m->endpoint, requests, replies, count);
    for (int i = 0; i < count; i++) {
        int status = local_generate(m->local, &requests[i], &replies[i]);
        if (status != 0) {
            while (i-- > 0) reply_free(&replies[i]);
            return status;
        }
    }
    return 0;
}

int model_score(struct model *m, const struct request *request, const struct span *texts,
                const bool *end, int count, double *logprob)
{
    struct score_item item = {request->turns, request->count, texts, end, count, logprob};
    return model_score_all(m, request, &item, 1);
}

int model_score_all(struct model *m, const struct request *request,
                    struct score_item *items, int count)
{
    return m->endpoint ? endpoint_score_all(m->endpoint, request, items, count)
                       : local_score_all(m->local, request, items, count);
}

int model_plan(struct model *m, const struct request *request, struct request_plan *plan)
{
    return m->endpoint ? endpoint_plan(request, plan)
                       : local_plan(m->local, request, plan);
}

void reply_free(struct reply *r)
{
    for (int i = 0; r->completions && i < r->count; i++) {
        struct completion *c = &r->completions[i];
        buf_free(&c->text);
        ids_free(&c->ids);
        free(c->logprobs);
        free(c->top);
    }
    free(r->completions);
    *r = (struct reply){0};
}
