/* cuda-device-test: what the CUDA table does beside computing, on the host's twins of
 * CUDA (kernels/cuda/host/streams.h), which do everything as late as CUDA allows: memory
 * under a bound, copies through pinned buffers, work that is recorded. */
#include "backward.h"
#include "check.h"
#include "engine/replays.h"

#include <stdlib.h>
#include <string.h>

extern const struct kernels cuda_table;
static const struct kernels *k = &cuda_table;

static struct dev *opened(int64_t memory)
{
    const struct dev_options o = {
        .threads = 1, .compute = DEV_COMPUTE_FP32, .memory = memory};
    const char *why = "";
    struct dev *d = k->open("cuda", &o, &why);
    if (!d) {
        fprintf(stderr, "%s\n", why);
        exit(1);
    }
    return d;
}

static uint32_t random_bits(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

static struct arr bytes_at(struct dev *d, void *data, int64_t n)
{
    struct arr a = {.dev = d, .data = data, .type = ARR_U8, .rank = 1, .stride = 1};
    a.shape[0] = n;
    return a;
}

static void memory_has_a_bound_and_an_account(void)
{
    struct dev *d = opened(1000000);
    struct dev_memory m;
    k->memory(d, &m);
    CHECK(m.bound == 1000000 && m.used == 0 && m.room == 1000000 && m.refused == 0,
          "%lld of %lld", (long long)m.used, (long long)m.bound);
    void *most = k->alloc(d, 900000), *more = k->alloc(d, 200000);
    CHECK(most && !more, "%p %p", most, more);
    k->memory(d, &m);
    CHECK(m.refused == 200000 && m.used >= 900000 && m.room == m.bound - m.used,
          "refused %lld with %lld in use", (long long)m.refused, (long long)m.used);
    CHECK(!k->adopt(d, "", (size_t)1 << 60), "more than there is");
    CHECK(!k->alloc(d, SIZE_MAX) && !k->alloc(d, SIZE_MAX - 511), "all that can be said");
    k->release(d, most, 900000);
    k->memory(d, &m);
    CHECK(m.used == 0, "%lld are left", (long long)m.used);
    k->release(d, k->alloc(d, 1000000 / 512 * 512), 1000000 / 512 * 512);
    for (int i = 0; i < 1000; i++) {
        size_t n = random_bits() % 100000;
        void *data = k->alloc(d, n);
        NEED(data, "%zu after %d others", n, i);
        k->release(d, data, n);
    }
    k->memory(d, &m);
    CHECK(m.used == 0, "%lld are left", (long long)m.used);
    k->close(d);
}

static void a_gpu_that_others_use_has_less(void)
{
    struct dev_memory m;
    setenv("CUDA_HOST_MEMORY", "1000000000", 1);
    struct dev *d = opened(0);
    k->memory(d, &m);
    CHECK(m.bound < 1000000000 && m.bound > 500000000 && m.free == 1000000000,
          "%lld of %lld", (long long)m.bound, (long long)m.free);
    struct dev *other = opened(900000000);
    void *theirs = k->alloc(other, 800000000);
    k->memory(d, &m);
    CHECK(theirs && m.free < 200000001 && m.room == m.free, "%lld of %lld",
          (long long)m.room, (long long)m.free);
    CHECK(!k->alloc(d, 300000000), "within the bound, but not there");
    k->memory(d, &m);
    CHECK(m.refused == 300000000, "refused %lld", (long long)m.refused);
    k->release(other, theirs, 800000000);
    k->close(other);
    k->close(d);
    unsetenv("CUDA_HOST_MEMORY");
}

/* What was given back stays with the device, for what it takes next; not where a larger
 * piece, or memory to be shared, is not to be had otherwise. */
static void memory_given_back_is_had_again(void)
{
    struct dev_handle handle;
    setenv("CUDA_HOST_MEMORY", "1000000000", 1);
    struct dev *d = opened(900000000);
    void *one = k->alloc(d, 300000000), *two = k->alloc(d, 300000000);
    NEED(one && two, "%p %p", one, two);
    k->release(d, one, 300000000);
    k->release(d, two, 300000000);
    void *larger = k->alloc(d, 700000000);
    CHECK(larger, "a larger piece");
    k->release(d, larger, 700000000);
    void *shared = k->share(d, 600000000, &handle);
    CHECK(shared, "to be shared");
    CHECK(!k->share(d, 600000000, &handle), "more than there is");
    k->unshare(d, shared);
    k->close(d);
    unsetenv("CUDA_HOST_MEMORY");
}

/* The source is written over at once, and the buffers go round many times. */
static void what_is_sent_may_be_written_over(void)
{
    enum { MOST = 50000, PIECES = 40 };
    struct dev *d = opened(0);
    unsigned char *host = malloc(MOST), *back = malloc(MOST);
    struct arr sent[PIECES];
    const char *why = "";
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < PIECES; i++) {
            int64_t n = random_bits() % (i % 3 ? 300 : MOST);
            memset(host, round * PIECES + i, (size_t)n);
            void *to = i % 4 ? k->alloc(d, (size_t)n) : k->adopt(d, host, (size_t)n);
            sent[i] = bytes_at(d, to, n);
            if (i % 4)
                k->upload(d, sent[i], host);
            memset(host, 0xee, (size_t)n);
        }
        for (int i = 0; i < PIECES; i++) {
            int64_t n = sent[i].shape[0], bad = 0;
            k->download(d, back, sent[i]);
            for (int64_t j = 0; j < n; j++)
                bad += back[j] != (unsigned char)(round * PIECES + i);
            CHECK(bad == 0, "%lld of %lld bytes", (long long)bad, (long long)n);
            (i % 4 ? k->release : k->disown)(d, sent[i].data, (size_t)n);
        }
    }
    CHECK(k->sync(d, &why) == 0, "%s", why);
    k->close(d);
    free(host);
    free(back);
}

/* -- Recorded work --------------------------------------------------------------------
 */

enum { WIDE = 100 };

static struct arr floats_of(struct dev *d, int64_t n)
{
    struct arr a = {.dev = d, .type = ARR_F32, .rank = 2, .stride = n};
    a.shape[0] = 1;
    a.shape[1] = n;
    a.data = k->alloc(d, (size_t)n * sizeof(float));
    return a;
}

struct sums {
    struct dev *d;
    struct arr y, x;
    int calls;
};

/* y += x, by way of memory of its own. */
static void add_by_way(void *context)
{
    struct sums *s = context;
    struct arr way = floats_of(s->d, WIDE);
    k->back->copy(s->d, way, s->x);
    k->add(s->d, s->y, way);
    k->release(s->d, way.data, WIDE * sizeof(float));
    s->calls++;
}

static void fill(struct sums *s, struct arr a, float value)
{
    float host[WIDE];
    for (int i = 0; i < WIDE; i++) host[i] = value;
    k->upload(s->d, a, host);
}

static void check_y(struct sums *s, float want)
{
    float host[WIDE];
    k->download(s->d, host, s->y);
    CHECK(host[0] == want && host[WIDE - 1] == want, "%g, not %g", (double)host[0],
          (double)want);
}

static struct sums sums_open(int64_t memory)
{
    struct sums s = {.d = opened(memory)};
    s.x = floats_of(s.d, WIDE);
    s.y = floats_of(s.d, WIDE);
    fill(&s, s.x, 1);
    fill(&s, s.y, 0);
    return s;
}

static void sums_close(struct sums *s)
{
    const char *why = "";
    struct dev_memory m;
    k->release(s->d, s->x.data, WIDE * sizeof(float));
    k->release(s->d, s->y.data, WIDE * sizeof(float));
    k->memory(s->d, &m);
    CHECK(m.used == 0, "%lld bytes are left", (long long)m.used);
    CHECK(k->sync(s->d, &why) == 0, "%s", why);
    k->close(s->d);
}

static void recorded_work_is_done_with_what_its_memory_holds_then(void)
{
    struct sums s = sums_open(0);
    NEED(k->record(s.d), "not recorded");
    add_by_way(&s);
    add_by_way(&s);
    struct recording *r = k->recorded(s.d);
    NEED(r, "not recorded");
    check_y(&s, 0); /* not done yet */
    void *others[50];
    for (int i = 0; i < 50; i++) { /* take what the recording might have given back */
        struct arr a = bytes_at(s.d, others[i] = k->alloc(s.d, WIDE * 4), WIDE * 4);
        k->upload(s.d, a, (char[WIDE * 4]){0});
    }
    for (int i = 1; i <= 5; i++) {
        fill(&s, s.x, (float)i);
        fill(&s, s.y, 100);
        k->replay(s.d, r);
        check_y(&s, 100 + 2 * (float)i);
    }
    for (int i = 0; i < 50; i++) k->release(s.d, others[i], WIDE * 4);
    k->forget(s.d, r);
    sums_close(&s);
}

static void what_cannot_be_recorded_is_just_done(void)
{
    struct sums s = sums_open(3 * 512);
    struct arr dx = s.y, dy = s.x, w = floats_of(s.d, WIDE);
    struct arr vector = w;
    vector.rank = 1;
    vector.shape[0] = WIDE;
    vector.stride = 1;
    NEED(k->record(s.d), "not recorded");
    /* takes memory for the weight's gradient, and there is none */
    k->back->rmsnorm(s.d, dx, vector, dy, s.x, vector, 1e-6f, GRAD_SET);
    CHECK(!k->recorded(s.d), "recorded without memory");
    const char *why = "";
    CHECK(k->sync(s.d, &why) == 0, "%s", why);
    k->release(s.d, w.data, WIDE * sizeof(float));
    sums_close(&s);
}

static void shapes_that_come_again_are_replayed(void)
{
    struct sums s = sums_open(0);
    struct replays r = {0};
    int passes = 0;
    for (int round = 0; round < 4; round++)
        for (int rows = 1; rows <= 5; rows++, passes++)
            replays_run(&r, k, s.d, &(struct replay_shape){s.d, rows, 1, 8, 1},
                        add_by_way, &s);
    check_y(&s, (float)passes);
    /* of each shape: done, recorded and replayed, replayed */
    CHECK(s.calls == 10 && r.replayed == 15, "%d calls, %lld replayed", s.calls,
          (long long)r.replayed);
    for (int rows = 10; rows < 10 + 3 * REPLAYS; rows++)
        for (int i = 0; i < 2; i++, passes++)
            replays_run(&r, k, s.d, &(struct replay_shape){s.d, rows, 1, 8, 1},
                        add_by_way, &s);
    check_y(&s, (float)passes);
    CHECK(r.count == REPLAYS, "%d are kept", r.count);
    int calls = s.calls;
    replays_run(&r, k, s.d, &(struct replay_shape){s.d, 9 + 3 * REPLAYS, 1, 8, 1},
                add_by_way, &s);
    CHECK(s.calls == calls, "the latest is not kept");
    replays_forget(&r, k, s.d);
    sums_close(&s);
}

/* -- Work beside the rest ---------------------------------------------------------------
 */

/* y = 1 + 1 in memory that is taken and given back beside; 5 has been asked for before.
 */
static struct beside *sum_beside(struct sums *s)
{
    fill(s, s->y, 5);
    struct beside *b = k->beside_begin(s->d);
    if (!b)
        return NULL;
    struct arr way = floats_of(s->d, WIDE);
    fill(s, s->y, 1);
    k->back->copy(s->d, way, s->x);
    k->add(s->d, s->y, way);
    k->release(s->d, way.data, WIDE * sizeof(float));
    k->beside_end(s->d, b);
    return b;
}

static void work_beside_the_rest_is_joined(void)
{
    const char *why = "";
    float host[WIDE];
    struct sums s = sums_open(0);
    struct arr z = floats_of(s.d, WIDE);
    for (int round = 0; round < 5; round++) {
        struct beside *b = sum_beside(&s);
        NEED(b, "none");
        fill(&s, z, 3);
        CHECK(k->sync(s.d, &why) == 0, "%s", why);
        CHECK(!k->beside_done(s.d, b), "the rest has waited for it");
        k->download(s.d, host, z);
        CHECK(host[WIDE - 1] == 3, "%g", (double)host[WIDE - 1]);
        if (round % 2)
            while (!k->beside_done(s.d, b)) {
            }
        k->beside_join(s.d, b);
        k->add(s.d, z, s.y);
        k->download(s.d, host, z);
        CHECK(host[0] == 5 && host[WIDE - 1] == 5, "%g, not 5", (double)host[0]);
    }
    /* two at once, of which the second is behind the first */
    struct beside *one = sum_beside(&s), *two = sum_beside(&s);
    NEED(one && two, "none");
    k->beside_join(s.d, two);
    check_y(&s, 2);
    CHECK(k->beside_done(s.d, one), "the first is not done");
    k->beside_join(s.d, one);
    k->release(s.d, z.data, WIDE * sizeof(float));
    sums_close(&s);
}

int main(void)
{
    setenv("CUDA_HOST_DEFER", "1", 1);
    CASE(memory_has_a_bound_and_an_account);
    CASE(a_gpu_that_others_use_has_less);
    CASE(memory_given_back_is_had_again);
    CASE(what_is_sent_may_be_written_over);
    CASE(recorded_work_is_done_with_what_its_memory_holds_then);
    CASE(what_cannot_be_recorded_is_just_done);
    CASE(shapes_that_come_again_are_replayed);
    CASE(work_beside_the_rest_is_joined);
    return check_end();
}
