/* cuda-handover-test.c: weights from one process to another in a GPU's memory
 * (handover.h), on CUDA's twins: each allocation is a process's own and ends with it. */
#include "check.h"
#include "device.h"
#include "engine/handover.h"
#include "engine/vlm.h"
#include "golden.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

extern const struct kernels cuda_table;

static char folder[] = "/tmp/handover-test-XXXXXX";
static const char identity[] = "one model";

/* -- The writer: a process that does what it is told by a byte ------------------------
 */

struct writer {
    pid_t pid;
    int to, from;
};

/* Weights as the version has them: other bytes of each tensor in each version. */
static unsigned char byte_of(const struct tensor *t, int64_t i, int64_t version)
{
    return (unsigned char)(((const unsigned char *)t->data)[i] ^
                           (version * 37 + t->bytes));
}

static void fill(struct dev *dev, struct arr a, const struct tensor *t, int64_t version)
{
    unsigned char *host = malloc((size_t)t->bytes + 1);
    for (int64_t i = 0; i < t->bytes; i++) host[i] = byte_of(t, i, version);
    cuda_table.upload(dev, a, host);
    free(host);
}

/* 'p' and a version: put it; 'c': close. Every other tensor is fixed: it stays that of
 * version 0. */
static int write_versions(const char *model, int in, int out)
{
    struct dev *dev = device_of(&cuda_table, "cuda", 1);
    struct weights *w = weights_open(golden_path(model));
    if (!dev || !w)
        return 1;
    int count = weights_count(w);
    struct handover_tensor *list = calloc((size_t)count, sizeof *list);
    for (int i = 0; i < count; i++) {
        const struct tensor *t = weights_at(w, i);
        struct arr a = {.dev = dev, .type = t->type, .rank = 1, .stride = 1};
        a.shape[0] = t->bytes / (int64_t)arr_type_size(t->type);
        a.data = cuda_table.alloc(dev, (size_t)t->bytes);
        list[i] = (struct handover_tensor){t->name, a, i % 2};
        fill(dev, a, t, 0);
    }
    struct handover *h = handover_open(folder, &cuda_table, dev, identity, list, count);
    char order[2];
    if (!h || write(out, "o", 1) != 1)
        return 1;
    while (read(in, order, 2) == 2 && order[0] == 'p') {
        for (int i = 0; i < count; i++)
            if (!list[i].fixed)
                fill(dev, list[i].from, weights_at(w, i), order[1]);
        if (handover_put(h, order[1]) < 0 || write(out, "d", 1) != 1)
            return 1;
    }
    char taken = (char)handover_taken(h);
    handover_close(h);
    return write(out, &taken, 1) != 1;
}

static char answer(const struct writer *w)
{
    char c = 0;
    return read(w->from, &c, 1) == 1 ? c : 0;
}

static bool writer_start(struct writer *w, const char *model)
{
    int to[2], from[2];
    if (pipe(to) < 0 || pipe(from) < 0)
        return false;
    w->pid = fork();
    if (w->pid == 0) {
        close(to[1]);
        close(from[0]);
        _exit(write_versions(model, to[0], from[1]));
    }
    close(to[0]);
    close(from[1]);
    w->to = to[1];
    w->from = from[0];
    return answer(w) == 'o';
}

static bool put(const struct writer *w, int version)
{
    const char order[2] = {'p', (char)version};
    return write(w->to, order, 2) == 2 && answer(w) == 'd';
}

/* How often it was taken from; -1: it failed. */
static int writer_end(struct writer *w)
{
    int status, taken = -1;
    if (write(w->to, "c ", 2) == 2)
        taken = answer(w);
    close(w->to);
    close(w->from);
    return waitpid(w->pid, &status, 0) == w->pid && status == 0 ? taken : -1;
}

static void writer_kill(struct writer *w)
{
    kill(w->pid, SIGKILL);
    waitpid(w->pid, NULL, 0);
    close(w->to);
    close(w->from);
}

/* -- The reader ------------------------------------------------------------------------
 */

static struct vlm *reader(const char *model, const struct kernels *k)
{
    const struct vlm_device on = {.name = "cuda", .threads = 1, .kernels = k};
    struct vlm *m = vlm_open(golden_path(model), &on);
    CHECK(m, "%s", fail_text());
    return m;
}

/* Does the model have this version's weights; -1: its file's? Fixed tensors are those of
 * version 0. */
static bool has(struct vlm *m, int64_t version)
{
    struct vlm_weight v;
    bool same = true;
    int i = 0;
    for (; same && vlm_weight(m, i, &v); i++) {
        const struct tensor *t = weights_find(m->weights, v.name);
        struct arr a = {.dev = m->dev, .data = v.data, .type = v.type, .rank = 1};
        unsigned char *host = malloc(v.bytes + 1);
        int at = 0;
        while (weights_at(m->weights, at) != t) at++;
        a.shape[0] = (int64_t)(v.bytes / arr_type_size(v.type));
        a.stride = 1;
        m->k->download(m->dev, host, a);
        for (int64_t j = 0; j < t->bytes && same; j++)
            same = host[j] == (version < 0 ? ((const unsigned char *)t->data)[j]
                                           : byte_of(t, j, at % 2 ? 0 : version));
        free(host);
    }
    return same && i > 30;
}

static void versions_go_over_and_old_ones_are_gone(void)
{
    struct writer w;
    struct vlm *m = reader("goldens/models/qwen3_vl", &cuda_table);
    NEED(m, "set-up");
    CHECK(handover_take(folder, m, identity, 1) == 0, "there is no record");
    NEED(writer_start(&w, "goldens/models/qwen3_vl"), "a writer");
    CHECK(handover_take(folder, m, identity, 1) == 0, "nothing was put");
    NEED(put(&w, 1), "put");
    CHECK(handover_take(folder, m, identity, 2) == 0, "2 was not put");
    CHECK(handover_take(folder, m, "another model", 1) == 0, "of another model");
    CHECK(has(m, -1), "the file's weights are in use");
    CHECK(handover_take(folder, m, identity, 1) == HANDOVER_TAKEN, "%s", fail_text());
    CHECK(has(m, 1), "version 1");
    NEED(put(&w, 2), "put");
    CHECK(handover_take(folder, m, identity, 1) == HANDOVER_TAKEN && has(m, 1), "still");
    CHECK(handover_take(folder, m, identity, 2) == HANDOVER_TAKEN && has(m, 2), "2");
    NEED(put(&w, 3), "put");
    CHECK(handover_take(folder, m, identity, 1) == 0, "1 was written over");
    CHECK(handover_take(folder, m, identity, 2) == HANDOVER_TAKEN && has(m, 2), "2");
    NEED(put(&w, 2), "a run that went on from version 1");
    CHECK(handover_take(folder, m, identity, 3) == 0, "3 is of no run");
    CHECK(handover_take(folder, m, identity, 2) == HANDOVER_TAKEN && has(m, 2), "2");
    CHECK(writer_end(&w) == 5, "taken 5 times");
    CHECK(handover_take(folder, m, identity, 2) == 0, "its writer has ended");
    vlm_close(m);
}

static void a_writer_that_died_is_not_waited_for(void)
{
    struct writer w;
    struct vlm *m = reader("goldens/models/qwen3_vl", &cuda_table);
    NEED(m && writer_start(&w, "goldens/models/qwen3_vl") && put(&w, 4), "set-up");
    writer_kill(&w);
    CHECK(handover_take(folder, m, identity, 4) == 0 && has(m, -1), "its writer is dead");
    NEED(writer_start(&w, "goldens/models/qwen3_vl") && put(&w, 4), "another");
    CHECK(handover_take(folder, m, identity, 4) == HANDOVER_TAKEN && has(m, 4), "4");
    writer_end(&w);
    vlm_close(m);
}

static void what_cannot_be_reached_says_why_and_changes_nothing(void)
{
    struct writer w;
    struct vlm *m = reader("goldens/models/qwen3_vl", &cuda_table);
    NEED(m && writer_start(&w, "goldens/models/qwen3_vl") && put(&w, 1), "set-up");
    setenv("CUDA_HOST_BUS", "7", 1);
    CHECK(handover_take(folder, m, identity, 1) == -1 &&
              strstr(fail_text(), "it is on the GPU at 0000:01:00.0, and cuda:0 is at "
                                  "0000:07:00.0"),
          "%s", fail_text());
    unsetenv("CUDA_HOST_BUS");
    CHECK(has(m, -1), "weights as they were");
    writer_end(&w);
    NEED(writer_start(&w, "goldens/models/qwen2_5_vl") && put(&w, 1), "another shape");
    CHECK(handover_take(folder, m, identity, 1) == -1 &&
              strstr(fail_text(), "the trainer has no \""),
          "%s", fail_text());
    CHECK(has(m, -1), "weights as they were");
    writer_end(&w);
    vlm_close(m);
}

/* In the middle of a copy, something happens to the writer. */
static struct writer victim;
static int moves, kills;
static void move_and_disturb(struct dev *d, void *to, const void *from, size_t bytes)
{
    if (++moves == 10 && kills)
        kill(victim.pid, SIGKILL), waitpid(victim.pid, NULL, 0);
    else if (moves == 10)
        CHECK(put(&victim, 2) && put(&victim, 3), "put");
    cuda_table.move(d, to, from, bytes);
}

static void a_mixture_is_told_and_mended_by_the_next(void)
{
    struct kernels table = cuda_table;
    table.move = move_and_disturb;
    for (kills = 0; kills < 2; kills++) {
        struct vlm *m = reader("goldens/models/qwen3_vl", &table);
        NEED(m && writer_start(&victim, "goldens/models/qwen3_vl") && put(&victim, 1),
             "set-up");
        moves = 0;
        CHECK(handover_take(folder, m, identity, 1) == HANDOVER_TORN, "torn");
        CHECK(strstr(fail_text(), "version 1 went away"), "%s", fail_text());
        if (kills) {
            close(victim.to);
            close(victim.from);
        } else {
            CHECK(handover_take(folder, m, identity, 3) == HANDOVER_TAKEN && has(m, 3),
                  "3");
            writer_end(&victim);
        }
        vlm_close(m);
    }
}

int main(void)
{
    char command[64];
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(folder))
        return 1;
    CASE(versions_go_over_and_old_ones_are_gone);
    CASE(a_writer_that_died_is_not_waited_for);
    CASE(what_cannot_be_reached_says_why_and_changes_nothing);
    CASE(a_mixture_is_told_and_mended_by_the_next);
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0, "%s stays", folder);
    return check_end();
}
