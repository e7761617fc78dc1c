/* shards-test.c: a step that ranks share is the step of one process, to the bit where
 * sums are exact: on the CPU over sockets, and with CUDA's table (run on the host) over
 * the twins of NCCL's functions. */
#include "backward.h"
#include "base/fail.h"
#include "check.h"
#include "comm/comm.h"
#include "engine/vlm.h"
#include "golden.h"
#include "peers.h"
#include "ranks.h"
#include "train/deal.h"
#include "train/optimizer.h"
#include "train/shards.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { STEPS = 3 };

static char folder[] = "/tmp/shards-test-XXXXXX";

struct setting {
    const char *device;
    bool moments8;
    int lost; /* this rank ends before the second step; -1: none */
    int bare; /* this rank has no library of NCCL's; 0: all have */
};

/* What a rank ends with. */
struct outcome {
    int status; /* 0; 1: a rank was lost; -1 */
    uint64_t weights;
    int64_t kept; /* elements whose moments it has */
    char transport[160], why[300];
};

/* Gradient number i of a step: a multiple of 1/64, so that no sum is rounded, and the
 * part of it that is a rank's. */
static float gradient(int step, int64_t i)
{
    return (float)((i * 37 + step * 11) % 1021 - 510) / 64;
}

static float part(int step, int64_t i, int rank, int world)
{
    float rest = gradient(step, i);
    for (int r = 0; r + 1 < world; r++) {
        float own = (float)((i * (r + 3) + step) % 257 - 128) / 64;
        if (r == rank)
            return own;
        rest -= own;
    }
    return rest;
}

static int gradients_fill(const struct params *p, const struct vlm *m, int step, int rank,
                          int world)
{
    for (int i = 0; i < p->count; i++) {
        const struct param *one = &p->list[i];
        int64_t n = one->trained ? arr_size(one->w) : 0;
        float *host = malloc(((size_t)n + 1) * sizeof *host);
        if (!host)
            return fail_memory();
        for (int64_t j = 0; j < n; j++) host[j] = part(step, one->at + j, rank, world);
        if (n)
            m->k->upload(m->dev, one->grad, host);
        free(host);
    }
    return 0;
}

static uint64_t weights_hash_of(const struct params *p, const struct vlm *m)
{
    uint64_t hash = 0;
    for (int i = 0; i < p->count; i++) {
        size_t bytes = (size_t)arr_size(p->list[i].w) * sizeof(float);
        void *host = malloc(bytes);
        if (!host)
            abort();
        m->k->download(m->dev, host, p->list[i].w);
        hash = XXH3_64bits_withSeed(host, bytes, hash);
        free(host);
    }
    return hash;
}

static int steps(struct outcome *out, const struct params *p, const struct vlm *m,
                 const struct setting *s)
{
    static const struct optimizer_options how = {0.9, 0.95, 1e-8, 0.1,
                                                 0}; /* no clipping */
    int rank = comm_rank(p->comm), world = comm_world(p->comm);
    for (int step = 1; step <= STEPS; step++) {
        if (step == 2 && rank == s->lost)
            _exit(0);
        if (gradients_fill(p, m, step, rank, world) < 0)
            return -1;
        double norm = optimizer_step(p, m->k, m->dev, &how, step, 1e-3, 1);
        if (!isfinite(norm))
            return comm_lost(p->comm) ? 1 : fail(FAIL_INTERNAL, "norm %g", norm);
        for (int i = 0; i < p->count; i++) /* the next step begins with none */
            if (p->list[i].trained &&
                m->k->back->sum_squares(m->dev, p->list[i].grad) != 0)
                return fail(FAIL_INTERNAL, "%s: a gradient is left", p->list[i].name);
    }
    const char *why;
    if (m->k->sync(m->dev, &why) < 0)
        return fail(FAIL_INTERNAL, "%s", why);
    out->weights = weights_hash_of(p, m);
    return 0;
}

static int rank_run(struct outcome *out, const struct comm_options *o,
                    const struct setting *s)
{
    struct params p;
    struct param_options what = {.parts = (1u << PARTS) - 1 - (1u << PART_MERGER),
                                 .moments8 = s->moments8};
    if (s->bare && s->bare == o->rank)
        setenv("NCCL_ON_HOST", "0", 1);
    struct comm *c = o->world > 1 ? comm_open(o) : NULL;
    if (o->world > 1 && !c)
        return -1;
    what.comm = c;
    const struct vlm_device on = {
        .name = s->device, .threads = 1, .compute = {.type = "fp32"}};
    struct vlm *m = params_open(&p, golden_path("goldens/models/qwen3_vl"), &on, &what);
    if (!m)
        return -1;
    for (int i = 0; i < p.count; i++) out->kept += p.list[i].kept;
    snprintf(out->transport, sizeof out->transport, "%s", p.transport);
    int status = steps(out, &p, m, s);
    snprintf(out->why, sizeof out->why, "%s", status ? fail_text() : "");
    params_free(&p, m->k, m->dev);
    vlm_close(m);
    comm_close(c);
    return status;
}

static void rank_work(const struct comm_options *o, void *context, void *out)
{
    struct outcome *mine = out;
    mine->status = rank_run(mine, o, context);
    if (mine->status < 0)
        snprintf(mine->why, sizeof mine->why, "%s", fail_text());
}

static void run_ranks(struct outcome *outcomes, int world, const struct setting *s)
{
    char meet[64];
    struct setting how = *s;
    snprintf(meet, sizeof meet, "%s/meet", folder);
    for (int r = 0; r < world; r++) outcomes[r] = (struct outcome){.status = -99};
    ranks_run(world, meet, 60, rank_work, &how, outcomes, sizeof *outcomes);
}

/* Worlds of 2 and 3 end in the bits of one, each rank with its share of the moments. */
static void same_bits(const struct setting *s, const char *transport)
{
    struct outcome one, many[RANKS_MOST];
    run_ranks(&one, 1, s);
    NEED(one.status == 0, "alone: %s", one.why);
    for (int world = 2; world <= 3; world++) {
        int64_t kept = 0;
        run_ranks(many, world, s);
        for (int r = 0; r < world; r++) {
            CHECK(many[r].status == 0, "rank %d of %d: %s", r, world, many[r].why);
            CHECK(many[r].weights == one.weights, "rank %d of %d has other weights", r,
                  world);
            CHECK(llabs(many[r].kept - one.kept / world) <= 2 * MOMENT_BLOCK,
                  "rank %d of %d keeps %lld of %lld", r, world, (long long)many[r].kept,
                  (long long)one.kept);
            CHECK(strstr(many[r].transport, transport), "over %s", many[r].transport);
            kept += many[r].kept;
        }
        CHECK(kept == one.kept, "%lld of %lld are kept", (long long)kept,
              (long long)one.kept);
    }
}

static void steps_that_ranks_share_are_those_of_one_process(void)
{
    same_bits(&(struct setting){"cpu", false, -1, 0},
              "this device has no way of its own");
}

static void moments_of_8_bits_are_cut_between_blocks(void)
{
    same_bits(&(struct setting){"cpu", true, -1, 0}, "this device has no way of its own");
}

static void gpus_go_over_nccl(void)
{
    same_bits(&(struct setting){"cuda", false, -1, 0}, "nccl");
}

/* A GPU is done only when it is waited for. */
static void gpus_that_take_their_time_do_so_too(void)
{
    setenv("CUDA_HOST_DEFER", "1", 1);
    same_bits(&(struct setting){"cuda", false, -1, 0}, "nccl");
    unsetenv("CUDA_HOST_DEFER");
}

static void without_nccls_library_gpus_go_over_sockets(void)
{
    setenv("NCCL_ON_HOST", "0", 1);
    same_bits(&(struct setting){"cuda", false, -1, 0}, "no libnccl.so.2");
    unsetenv("NCCL_ON_HOST");
    same_bits(&(struct setting){"cuda", false, -1, 1}, "no libnccl.so.2");
}

static void a_rank_that_ends_between_steps_is_named(void)
{
    static const char *const devices[] = {"cpu", "cuda"};
    for (int i = 0; i < 2; i++) {
        struct outcome got[RANKS_MOST];
        run_ranks(got, 3, &(struct setting){devices[i], false, 2, 0});
        for (int r = 0; r < 2; r++)
            CHECK(got[r].status == 1 && got[r].why[0], "%s, rank %d: %d, %s", devices[i],
                  r, got[r].status, got[r].why);
    }
}

/* NCCL does not notice what goes on in another process of its machine. */
static void a_rank_that_nccl_does_not_miss_is_named_too(void)
{
    struct outcome got[RANKS_MOST];
    setenv("NCCL_ON_HOST", "deaf", 1);
    run_ranks(got, 3, &(struct setting){"cuda", false, 2, 0});
    unsetenv("NCCL_ON_HOST");
    for (int r = 0; r < 2; r++)
        CHECK(got[r].status == 1 && strstr(got[r].why, "rank"), "rank %d: %d, %s", r,
              got[r].status, got[r].why);
}

static void rows_of_a_step_are_dealt_each_once_in_order_and_evenly(void)
{
    enum { ROWS = 40 };
    struct dataset_row list[ROWS] = {0};
    const struct dataset d = {.rows = list, .count = ROWS};
    int64_t rows[ROWS], mine[ROWS];
    int most = 0;
    for (int i = 0; i < ROWS; i++) {
        rows[i] = (i * 7) % ROWS; /* an epoch's order */
        list[i].tokens = 10 + i * i % 300;
        most = list[i].tokens > most ? list[i].tokens : most;
    }
    for (int world = 1; world <= 7; world++) {
        int seen[ROWS] = {0}, least_sum = INT32_MAX, most_sum = 0;
        for (int r = 0; r < world; r++) {
            int64_t n = deal_rows(&d, rows, ROWS, r, world, mine);
            int sum = 0, at = 0;
            for (int64_t i = 0; i < n; i++) {
                while (at < ROWS && rows[at] != mine[i]) at++;
                CHECK(at < ROWS, "row %lld is out of its order", (long long)mine[i]);
                seen[mine[i]]++;
                sum += list[mine[i]].tokens;
            }
            least_sum = sum < least_sum ? sum : least_sum;
            most_sum = sum > most_sum ? sum : most_sum;
        }
        for (int i = 0; i < ROWS; i++)
            CHECK(seen[i] == 1, "row %d: %d times", i, seen[i]);
        CHECK(most_sum - least_sum <= most, "%d to %d tokens", least_sum, most_sum);
    }
    CHECK(deal_rows(&d, rows, 1, 1, 2, mine) == 0 &&
              deal_rows(&d, rows, 1, 0, 2, mine) == 1,
          "one row among two");
}

int main(void)
{
    const char *build = getenv("CAPMILL_BUILD");
    char plugin[4096];
    snprintf(plugin, sizeof plugin, "%s/cuda-on-host.so", build ? build : "build");
    setenv("CAPMILL_CUDA", plugin, 1);
    if (!mkdtemp(folder))
        return 1;
    CASE(rows_of_a_step_are_dealt_each_once_in_order_and_evenly);
    CASE(steps_that_ranks_share_are_those_of_one_process);
    CASE(moments_of_8_bits_are_cut_between_blocks);
    CASE(gpus_go_over_nccl);
    CASE(gpus_that_take_their_time_do_so_too);
    CASE(without_nccls_library_gpus_go_over_sockets);
    CASE(a_rank_that_ends_between_steps_is_named);
    CASE(a_rank_that_nccl_does_not_miss_is_named_too);
    rmdir(folder);
    return check_end();
}
