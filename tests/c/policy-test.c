/* policy-test.c: versions that a trainer hands over, and who may see what when. */
#include "base/fail.h"
#include "base/folder.h"
#include "base/version.h"
#include "check.h"
#include "model/model.h"
#include "train/policy.h"
#include "train/trainer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char room[] = "/tmp/capmill-policy-XXXXXX";
static char base[PATH_MAX];
static struct trainer *trainer;

static const char *in_room(const char *name)
{
    static char paths[4][PATH_MAX];
    static int at;
    char *path = paths[at++ % 4];
    snprintf(path, PATH_MAX, "%s/%s", room, name);
    return path;
}

static bool is_there(const char *name)
{
    struct stat st;
    return lstat(in_room(name), &st) == 0;
}

static struct policy *open_in(const char *work, int keep)
{
    const struct policy_options o = {
        .path = in_room("policy"), .base = base, .work = work, .keep = keep};
    return policy_open(&o, trainer_params(trainer));
}

static int publish(struct policy *y, int64_t version)
{
    return policy_publish(y, trainer_kernels(trainer), trainer_dev(trainer),
                          trainer_params(trainer), version);
}

/* The caption of an empty prompt's first tokens says which weights are in use. */
/* The prompt is longer than two pages of keys and values, which an engine keeps for the
 * next prompt that begins alike: with other weights they must be computed anew. */
static double score(struct model *m)
{
    static char words[1200];
    for (size_t i = 0; i + 1 < sizeof words; i++) words[i] = "Name a colour. "[i % 15];
    const struct turn_part part = {.text = {words, sizeof words - 1}};
    const struct turn turn = {TURN_USER, &part, 1};
    const struct request r = {.turns = &turn, .count = 1, .n = 1, .temperature = 1};
    const struct span text = span_of("The background is white.");
    double logprob = 1;
    bool end = true;
    CHECK(model_score(m, &r, &text, &end, 1, &logprob) == 0, "%s", fail_text());
    return logprob;
}

static struct model *open_model(const char *name)
{
    const struct model_options o = {.threads = 1};
    struct model *m = model_open(name, &o);
    CHECK(m, "%s", fail_text());
    return m;
}

static void the_link_leads_to_the_newest_version_and_old_ones_go(void)
{
    struct policy *y = open_in(in_room("work"), 2);
    NEED(y, "%s", fail_text());
    CHECK(policy_version(y) == -1, "%lld", (long long)policy_version(y));
    for (int v = 0; v < 5; v++) {
        CHECK(publish(y, v) == 0, "%s", fail_text());
        CHECK(policy_version(y) == v, "%lld", (long long)policy_version(y));
        if (v == 1)
            policy_hold(y, v);
    }
    CHECK(strlen(policy_hash(y)) == 32, "%s", policy_hash(y));
    const bool want[] = {true, true, false, true, true}; /* 0 and 1 are held */
    for (int v = 0; v < 5; v++) {
        char name[64];
        snprintf(name, sizeof name, "policy.d/v%06d", v);
        CHECK(is_there(name) == want[v], "%s", name);
        snprintf(name, sizeof name, "policy.d/v%06d/config.json", v);
        CHECK(is_there(name) == want[v], "%s", name);
    }
    /* a run that goes on from an earlier checkpoint */
    CHECK(publish(y, 1) == 0, "%s", fail_text());
    CHECK(policy_version(y) == 1 && !is_there("policy.d/v000003"), "v3 is there");
    CHECK(is_there("policy.d/v000000/model.safetensors"), "v0 is gone");
    policy_close(y);
}

static void one_run_at_a_time_and_nothing_foreign_is_replaced(void)
{
    struct policy *y = open_in(in_room("work"), 2);
    NEED(y, "%s", fail_text());
    CHECK(!open_in(in_room("work"), 2) && strstr(fail_text(), "another run"), "%s",
          fail_text());
    CHECK(publish(y, 7) == 0, "%s", fail_text());
    policy_close(y);
    CHECK(unlink(in_room("policy")) == 0 && mkdir(in_room("policy"), 0777) == 0, "?");
    CHECK(!open_in(in_room("work"), 2) && strstr(fail_text(), "no link"), "%s",
          fail_text());
    rmdir(in_room("policy"));
}

/* As where two containers share /dev/shm and both call their policy /out/policy. */
static void a_work_folder_that_another_run_has_is_not_shared(void)
{
    char work[PATH_MAX];
    struct policy *y = open_in(in_room("work"), 2);
    NEED(y, "%s", fail_text());
    snprintf(work, sizeof work, "%s", policy_work(y));
    policy_close(y);
    int lock = folder_lock(work);
    CHECK(!open_in(in_room("work"), 2) && strstr(fail_text(), "another run"), "%s",
          fail_text());
    close(lock);
    y = open_in(NULL, 2); /* in memory, if there is room */
    NEED(y, "%s", fail_text());
    snprintf(work, sizeof work, "%s", policy_work(y));
    policy_close(y);
    if ((lock = folder_lock(work)) < 0 || strncmp(work, "/dev/shm/", 9) != 0)
        return;
    y = open_in(NULL, 2);
    NEED(y, "%s", fail_text());
    CHECK(strcmp(policy_work(y), in_room("policy.d")) == 0, "%s", policy_work(y));
    CHECK(publish(y, 7) == 0 && policy_settle(y) == 0, "%s", fail_text());
    CHECK(access(work, F_OK) == 0, "another's versions are gone");
    policy_close(y);
    close(lock);
    folder_remove(work);
}

static void a_settled_policy_needs_no_work_folder(void)
{
    char work[PATH_MAX], folder[PATH_MAX];
    struct policy *y = open_in(in_room("work"), 2);
    NEED(y, "%s", fail_text());
    CHECK(publish(y, 8) == 0 && publish(y, 9) == 0, "%s", fail_text());
    snprintf(work, sizeof work, "%s", policy_work(y));
    CHECK(policy_settle(y) == 0, "%s", fail_text());
    CHECK(access(work, F_OK) < 0, "%s is there", work);
    CHECK(!is_there("policy.d/v000008"), "v8 is there");
    struct stat st;
    snprintf(folder, sizeof folder, "%s", in_room("policy.d/v000009"));
    CHECK(lstat(folder, &st) == 0 && S_ISDIR(st.st_mode), "not a folder");
    struct model *m = open_model(in_room("policy"));
    model_close(m);
    policy_close(y);
    /* and the same run goes on from there */
    y = open_in(in_room("work"), 2);
    NEED(y, "%s", fail_text());
    CHECK(policy_version(y) == 9 && publish(y, 9) == 0 && publish(y, 10) == 0, "%s",
          fail_text());
    CHECK(lstat(folder, &st) == 0 && S_ISLNK(st.st_mode), "not a link");
    policy_close(y);
}

static void versions_are_f32_and_a_reader_moves_on_to_the_next(void)
{
    struct params *p = trainer_params(trainer);
    struct policy *y = open_in(NULL, 1);
    NEED(y, "%s", fail_text());
    CHECK(publish(y, 11) == 0, "%s", fail_text());
    struct model *m = open_model(in_room("policy")), *b = open_model(base);
    NEED(m && b, "%s", fail_text());
    CHECK(strcmp(model_hash(m), policy_hash(y)) == 0, "%s", model_hash(m));
    double before = score(m);
    CHECK(before == score(b), "%.17g is not %.17g", before, score(b));
    /* a number that bf16 cannot hold, in the first norm, which keys and values depend on
     */
    float *w = p->list[p->count - 1].w.data;
    for (int i = 0; i < p->count; i++)
        if (strstr(p->list[i].name, "layers.0.input_layernorm"))
            w = p->list[i].w.data;
    float was = w[3];
    w[3] = was * 1.0001f;
    CHECK(publish(y, 12) == 0, "%s", fail_text());
    CHECK(score(m) == before, "the version that was opened is gone");
    CHECK(model_reload(m, in_room("policy")) == 0, "%s", fail_text());
    double after = score(m);
    CHECK(after != before, "the weights did not change");
    struct model *fresh = open_model(in_room("policy"));
    CHECK(after == score(fresh), "%.17g is not %.17g", after, score(fresh));
    /* what is of another shape is refused, and the old weights stay */
    CHECK(model_reload(m, base) < 0 && strstr(fail_text(), "another config"), "%s",
          fail_text());
    CHECK(score(m) == after, "the weights changed");
    CHECK(model_reload(m, in_room("nowhere")) < 0, "?");
    w[3] = was;
    model_close(m);
    model_close(b);
    model_close(fresh);
    CHECK(policy_settle(y) == 0, "%s", fail_text());
    policy_close(y);
}

static void versions_of_names(void)
{
    CHECK(version_of("v000012") == 12 && version_of("v1234567") == 1234567, "?");
    CHECK(version_of("v12") == -1 && version_of("v000012x") == -1 &&
              version_of("latest") == -1 && version_of("v-00012") == -1,
          "?");
}

int main(void)
{
    setenv("CAPMILL_SHARE", "share", 0);
    const struct trainer_options o = {.threads = 1, .parts = 1u << PART_TEXT};
    if (!mkdtemp(room) || model_find(base, sizeof base, "pocket") < 0 ||
        !(trainer = trainer_open(base, &o))) {
        printf("not ok set-up: %s\n", fail_text());
        return 1;
    }
    CASE(versions_of_names);
    CASE(the_link_leads_to_the_newest_version_and_old_ones_go);
    CASE(one_run_at_a_time_and_nothing_foreign_is_replaced);
    CASE(a_work_folder_that_another_run_has_is_not_shared);
    CASE(a_settled_policy_needs_no_work_folder);
    CASE(versions_are_f32_and_a_reader_moves_on_to_the_next);
    trainer_close(trainer);
    folder_remove(room);
    return check_end();
}
