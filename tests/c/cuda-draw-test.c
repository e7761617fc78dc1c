/* cuda-draw-test: tokens that the CUDA table draws, its kernels run by the host
 * (kernels/cuda/host/blocks.h), against those of the host's own sampler: the same for the
 * same logits, without exception. */
#include "base/fail.h"
#include "check.h"
#include "device.h"
#include "engine/sampler.h"
#include "kernels-staged.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct kernels *k;
static struct dev *dev;

enum { ROWS = 3, TOP = 5, SEQUENCE = 2 };

/* -- Logits ----------------------------------------------------------------------------
 */

static uint32_t random_bits(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

static int random_in(int low, int high)
{
    return low + (int)(random_bits() % (unsigned)(high - low + 1));
}

static float random_float(void)
{
    return (float)(random_bits() >> 8) / (float)(1 << 23) - 1.0f;
}

/* Owned by the caller: data is to be freed. Memory of exactly what is used, so that ASan
 * sees a step too far. */
static struct arr matrix(int rows, int columns, int gap)
{
    struct arr a = {.dev = dev, .type = ARR_F32, .rank = 2};
    a.shape[0] = rows;
    a.shape[1] = columns;
    a.stride = columns + gap;
    a.data = malloc(((size_t)(rows - 1) * (size_t)a.stride + (size_t)columns) * 4);
    return a;
}

static float *at(struct arr a, int64_t r)
{
    return (float *)a.data + r * a.stride;
}

static float bell(void)
{
    float sum = 0;
    for (int i = 0; i < 6; i++) sum += random_float();
    return sum;
}

/* One of a set of values, for ties. */
static float one_of(int n)
{
    return (float)random_in(0, n - 1) - (float)(n / 2);
}

static void fill(float *x, int n, int kind)
{
    static const float extremes[] = {3.4028234e38f, -3.4028234e38f, 0.0f,  -0.0f,
                                     1e-45f,        -1e-45f,        1e30f, -1e30f};
    float base = bell() * 10;
    for (int i = 0; i < n; i++) switch (kind) {
        case 0: x[i] = bell() * 3; break;
        case 1: x[i] = base; break; /* all equal */
        case 2: x[i] = one_of(3); break;
        case 3: x[i] = one_of(40) / 4; break;
        case 4: x[i] = bell() * 60; break; /* most weigh nothing */
        case 5: x[i] = base + (float)(i % 7) * 1e-6f; break;
        case 6: x[i] = bell() * 1e-20f; break; /* exp of all is 1 */
        case 7: x[i] = extremes[random_in(0, 7)]; break;
        case 8: x[i] = random_in(0, 1) ? 0.0f : -0.0f; break;
        case 9: x[i] = i == n / 2 ? 40 : bell(); break; /* one alone */
        case 10: x[i] = (float)(n - i) * 0.0625f; break;
        default: x[i] = 1 + (float)random_in(0, 3) * 1.1920929e-7f; break;
        }
}
enum { KINDS = 12 };

/* -- Both ------------------------------------------------------------------------------
 */

static struct sampling any_sampling(void)
{
    static const double temperatures[] = {1, 1, 0.6, 0.01, 1.7, 0, 1000, 1e-30};
    static const double parts[] = {1, 0.9, 0.5, 0.25, 1e-9, 0.999999, 1e-300, 0.75};
    static const double least[] = {0, 0, 0.05, 1, 0.5, 1e-12, 1e-300};
    struct sampling p = {.temperature = temperatures[random_in(0, 7)],
                         .top_p = parts[random_in(0, 7)],
                         .min_p = least[random_in(0, 6)],
                         .top_k = random_bits() & 1 ? 0 : random_in(1, 60),
                         .repetition_penalty = 1,
                         .key = {random_bits(), random_bits()}};
    if (random_bits() & 1)
        p.repetition_penalty = random_bits() & 1 ? 1.3 : 0.7;
    if (random_bits() & 1)
        p.presence_penalty = random_bits() & 1 ? 0.5 : -2;
    return p;
}

/* A row that is drawn from, by both. */
struct drawing {
    struct sampling sampling;
    struct sampler host;
    uint8_t *seen; /* the device's */
};

static void drawing_open(struct drawing *g, struct sampler_work *work, int vocab)
{
    int32_t prompt[8];
    g->sampling = any_sampling();
    for (int i = 0; i < 8; i++) prompt[i] = random_in(0, vocab - 1);
    NEED(sampler_open(&g->host, work, &g->sampling, prompt, 8) == 0, "%s", fail_text());
    g->seen = malloc((size_t)vocab);
    memcpy(g->seen, g->host.seen, (size_t)vocab);
}

static void drawing_close(struct drawing *g)
{
    sampler_close(&g->host);
    free(g->seen);
}

static void check_row(struct drawing *g, const struct drawn *have, struct arr logits,
                      const struct draw *how, int position, int kind)
{
    int vocab = (int)logits.shape[1];
    const float *x = at(logits, how->row);
    const struct sampling *p = &g->sampling;
    struct token_chance top[TOP];
    int32_t want = sampler_next(&g->host, x, how->row, position);
    CHECK(have->id == want && have->logit == x[want],
          "kind %d of %d: temperature %g, top_k %d, top_p %g, min_p %g, penalties %g %g: "
          "%d, not %d",
          kind, vocab, p->temperature, p->top_k, p->top_p, p->min_p,
          p->repetition_penalty, p->presence_penalty, have->id, want);
    if (how->seen)
        CHECK(memcmp(g->seen, g->host.seen, (size_t)vocab) == 0, "what was seen");
    sampler_top(x, vocab, 1, 0, TOP, top);
    for (int i = 0; i < TOP; i++)
        CHECK(have[1 + i].id == top[i].id && have[1 + i].logit == top[i].logprob,
              "kind %d: alternative %d is %d, not %d", kind, i, have[1 + i].id,
              top[i].id);
}

/* Rows drawn from together, some tokens one after the other. */
static void draw_rows(int vocab, int kind)
{
    struct drawing g[ROWS];
    struct drawn have[ROWS * (1 + TOP)];
    struct sampler_work work;
    NEED(sampler_work_open(&work, vocab) == 0, "%s", fail_text());
    for (int r = 0; r < ROWS; r++) drawing_open(&g[r], &work, vocab);
    for (int position = 0; position < SEQUENCE; position++) {
        struct draw how[ROWS];
        struct arr logits = matrix(ROWS, vocab, random_in(0, 5));
        for (int r = 0; r < ROWS; r++) {
            fill(at(logits, r), vocab, kind);
            int row = ROWS - 1 - r; /* in no order */
            how[r] = sampler_draw(&g[r].sampling, row, position);
            how[r].row = row;
            how[r].seen = sampler_penalises(&g[r].sampling) ? g[r].seen : NULL;
        }
        k->draw(dev, have, logits, how, ROWS, TOP);
        for (int r = 0; r < ROWS; r++)
            check_row(&g[r], have + r * (1 + TOP), logits, &how[r], position, kind);
        free(logits.data);
    }
    for (int r = 0; r < ROWS; r++) drawing_close(&g[r]);
    sampler_work_close(&work);
}

static void a_device_draws_the_hosts_tokens(void)
{
    static const int sizes[] = {TOP, 31, 32, 33, 100, 300, 999};
    for (int i = 0; i < 500; i++) draw_rows(sizes[i % 7], i % KINDS);
}

static void a_large_vocabulary_is_drawn_from_alike(void)
{
    for (int i = 0; i < KINDS; i++) draw_rows(i % 2 ? 70001 : 9000, i);
}

static void logits_that_are_not_finite_are_told(void)
{
    const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 12; i++) {
        struct arr logits = matrix(2, 300, 0);
        struct drawn have[2];
        struct draw how[2] = {{.row = 0, .temperature = 1, .repetition = 1, .top_p = 1},
                              {.row = 1, .repetition = 1, .top_p = 1}};
        fill(logits.data, 600, 0);
        at(logits, i % 2)[random_in(0, 299)] = bad[i % 4];
        k->draw(dev, have, logits, how, 2, 0);
        CHECK(have[i % 2].id == -1, "drawn: %d", have[i % 2].id);
        CHECK(have[1 - i % 2].id >= 0, "the other row is told as well");
        free(logits.data);
    }
}

/* Weights are as good as exp() is. */
static void weights_are_exponentials(void)
{
    for (int i = 0; i < 100000; i++) {
        float x = (float)-fabs((double)bell()) * (i % 3 == 0 ? 200 : 10), most = bell();
        double of = (double)(x + most) - (double)most, want = of < -708 ? 0 : exp(of);
        CHECK(fabs(draw_chance(x + most, most) - want) <= 4.5e-16 * want, "exp(%g)",
              (double)x);
    }
    CHECK(draw_chance(INFINITY, INFINITY) == 1 && draw_weight(5, 5) == DRAW_ONE &&
              draw_weight(-INFINITY, -INFINITY) == 0 && draw_weight(1, INFINITY) == 0,
          "at the ends");
    CHECK(draw_part(1, 7) == 6 && draw_part(0, 7) == 0 && draw_part(0.5, 8) == 4,
          "a part");
}

int main(void)
{
    k = cuda_under_test();
    dev = device_of(k, "cuda", 1);
    CASE(weights_are_exponentials);
    CASE(a_device_draws_the_hosts_tokens);
    CASE(a_large_vocabulary_is_drawn_from_alike);
    CASE(logits_that_are_not_finite_are_told);
    k->close(dev);
    return check_end();
}
