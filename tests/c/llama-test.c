/* llama-test: files of architecture llama have the rows of q and k sorted by rotary
 * pairs. One small random model is written twice, as qwen2 (biases zero) and so sorted as
 * llama: both must compute the same. */
#include "base/buf.h"
#include "base/fail.h"
#include "check.h"
#include "engine/engine.h"
#include "folder.h"
#include "golden.h"
#include "on-device.h"

#include <math.h>

enum {
    HIDDEN = 64,
    HEADS = 4,
    KV_HEADS = 2,
    DIM = 16,
    MLP = 96,
    VOCAB = 160,
    LAYERS = 2
};
enum { TEXT = 8, UINT32 = 4, FLOAT32 = 6, LENGTH = 70 };

/* -- A file -----------------------------------------------------------------------------
 */

struct file {
    struct buf keys, tensors, data;
    int key_count, tensor_count;
    bool llama;
    uint32_t random; /* the same tensors in the same order in each file */
};

static void put32(struct buf *b, uint32_t n)
{
    buf_add(b, &n, sizeof n);
}
static void put64(struct buf *b, uint64_t n)
{
    buf_add(b, &n, sizeof n);
}
static void put_text(struct buf *b, const char *text)
{
    put64(b, strlen(text));
    buf_text(b, text);
}

/* A key below the architecture's name. */
static void key(struct file *f, const char *name, uint32_t type, const void *value)
{
    char full[64];
    snprintf(full, sizeof full, "%s.%s", f->llama ? "llama" : "qwen2", name);
    put_text(&f->keys, full);
    put32(&f->keys, type);
    buf_add(&f->keys, value, 4);
    f->key_count++;
}

/* Where row r of a head of DIM rows goes. */
static int place(const struct file *f, int r, bool rotated)
{
    if (!f->llama || !rotated)
        return r;
    int head = r / DIM, i = r % DIM;
    return head * DIM + i % (DIM / 2) * 2 + i / (DIM / 2);
}

/* An F32 tensor of random numbers around `middle`; columns 0: a vector. */
static void tensor(struct file *f, const char *name, int rows, int columns, float middle,
                   float spread, bool rotated)
{
    int width = columns ? columns : 1;
    put_text(&f->tensors, name);
    put32(&f->tensors, columns ? 2 : 1);
    if (columns)
        put64(&f->tensors, (uint64_t)columns);
    put64(&f->tensors, (uint64_t)rows);
    put32(&f->tensors, 0);
    put64(&f->tensors, f->data.len);
    f->tensor_count++;
    size_t bytes = (size_t)(rows * width) * sizeof(float);
    char *to = buf_room(&f->data, bytes);
    for (int r = 0; to && r < rows; r++)
        for (int i = 0; i < width; i++) {
            f->random = f->random * 1664525 + 1013904223;
            float x = (float)(f->random >> 8) / (float)(1 << 23) - 1.0f;
            x = middle + spread * x;
            memcpy(to + (size_t)(place(f, r, rotated) * width + i) * sizeof x, &x,
                   sizeof x);
        }
    f->data.len += bytes; /* a multiple of 32 for all sizes here */
}

static void layer(struct file *f, int layer_index)
{
    char name[64];
    const struct {
        const char *name;
        int rows, columns;
        bool rotated;
    } of[] = {{"attn_q", HEADS * DIM, HIDDEN, true},
              {"attn_k", KV_HEADS * DIM, HIDDEN, true},
              {"attn_v", KV_HEADS * DIM, HIDDEN, false},
              {"attn_output", HIDDEN, HEADS * DIM, false},
              {"ffn_gate", MLP, HIDDEN, false},
              {"ffn_up", MLP, HIDDEN, false},
              {"ffn_down", HIDDEN, MLP, false},
              {"attn_norm", HIDDEN, 0, false},
              {"ffn_norm", HIDDEN, 0, false}};
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        bool norm = of[i].columns == 0;
        snprintf(name, sizeof name, "blk.%d.%s.weight", layer_index, of[i].name);
        tensor(f, name, of[i].rows, of[i].columns, norm ? 1 : 0, norm ? 0.1f : 0.2f,
               of[i].rotated);
        if (i < 3 && !f->llama) {
            uint32_t state = f->random;
            snprintf(name, sizeof name, "blk.%d.%s.bias", layer_index, of[i].name);
            tensor(f, name, of[i].rows, 0, 0, 0, false);
            f->random = state;
        }
    }
}

/* Write the model as NAME into the folder. factor: of all rotary frequencies, 0: none. */
static const char *model(const char *name, bool llama, float factor, float base)
{
    struct file f = {.llama = llama, .random = 7};
    const uint32_t sizes[] = {HIDDEN, LAYERS, MLP, 512, HEADS, KV_HEADS};
    const char *const of[] = {"embedding_length",     "block_count",
                              "feed_forward_length",  "context_length",
                              "attention.head_count", "attention.head_count_kv"};
    const float eps = 1e-6f;
    put_text(&f.keys, "general.architecture");
    put32(&f.keys, TEXT);
    put_text(&f.keys, llama ? "llama" : "qwen2");
    f.key_count = 1;
    for (int i = 0; i < 6; i++) key(&f, of[i], UINT32, &sizes[i]);
    key(&f, "attention.layer_norm_rms_epsilon", FLOAT32, &eps);
    key(&f, "rope.freq_base", FLOAT32, &base);
    tensor(&f, "token_embd.weight", VOCAB, HIDDEN, 0, 1, false);
    for (int i = 0; i < LAYERS; i++) layer(&f, i);
    tensor(&f, "output_norm.weight", HIDDEN, 0, 1, 0.1f, false);
    if (factor > 0)
        tensor(&f, "rope_freqs.weight", DIM / 2, 0, factor, 0, false);

    struct buf head = {0};
    buf_text(&head, "GGUF");
    put32(&head, 3);
    put64(&head, (uint64_t)f.tensor_count);
    put64(&head, (uint64_t)f.key_count);
    buf_add(&head, f.keys.data, f.keys.len);
    buf_add(&head, f.tensors.data, f.tensors.len);
    while (head.len % 32) buf_char(&head, 0);
    const char *path = in_folder(name);
    FILE *out = fopen(path, "wb");
    CHECK(out && fwrite(head.data, 1, head.len, out) == head.len &&
              fwrite(f.data.data, 1, f.data.len, out) == f.data.len,
          "%s", path);
    if (out)
        fclose(out);
    buf_free(&head);
    buf_free(&f.keys);
    buf_free(&f.tensors);
    buf_free(&f.data);
    return path;
}

/* -- What it computes
 * -------------------------------------------------------------------- */

struct logits {
    int64_t rows;
    float values[LENGTH * VOCAB];
};

static void keep(void *context, const char *name, const float *data, int64_t rows,
                 int64_t dim)
{
    struct logits *l = context;
    if (strcmp(name, "logits") != 0 || dim != VOCAB || rows > LENGTH)
        return;
    l->rows = rows;
    memcpy(l->values, data, (size_t)(rows * dim) * sizeof *data);
}

static void compute(struct logits *l, const char *path)
{
    struct engine_options o = {.device = test_device(),
                               .compute = test_compute(),
                               .threads = 1,
                               .ctx = 256,
                               .max_batch = 2};
    int32_t ids[LENGTH];
    for (int i = 0; i < LENGTH; i++) ids[i] = (i * 37 + 5) % VOCAB;
    struct engine_prompt prompt = {.ids = ids, .len = LENGTH};
    struct engine *e = engine_open(path, &o);
    l->rows = 0;
    NEED(e, "%s", fail_text());
    CHECK(engine_trace(e, &prompt, keep, l) == 0 && l->rows > 0, "%s", fail_text());
    engine_close(e);
}

/* The largest distance; a large number if there is nothing to compare. */
static double distance(const struct logits *a, const struct logits *b)
{
    double worst = a->rows > 0 && a->rows == b->rows ? 0 : 1e9;
    for (int64_t i = 0; i < a->rows * VOCAB; i++)
        worst = fmax(worst, fabs((double)a->values[i] - (double)b->values[i]));
    return worst;
}

static struct logits plain, other;

static void rows_sorted_by_pairs_compute_the_same(void)
{
    compute(&plain, model("qwen2.gguf", false, 0, 10000));
    compute(&other, model("llama.gguf", true, 0, 10000));
    CHECK(distance(&plain, &other) < 2e-4, "off by %g", distance(&plain, &other));
    compute(&other, model("llama.gguf", true, 0, 500));
    CHECK(distance(&plain, &other) > 1e-2, "positions do not matter");
}

static void rotary_factors_divide_the_frequencies(void)
{
    compute(&plain, model("plain.gguf", true, 0, 10000));
    compute(&other, model("ones.gguf", true, 1, 10000));
    CHECK(distance(&plain, &other) == 0, "off by %g", distance(&plain, &other));
    compute(&other, model("twos.gguf", true, 2, 10000));
    CHECK(distance(&plain, &other) > 1e-2, "factors do not matter");
    struct engine_options o = {.device = test_device(),
                               .compute = test_compute(),
                               .threads = 1,
                               .ctx = 256,
                               .max_batch = 2};
    CHECK(!engine_open(model("bad.gguf", true, INFINITY, 10000), &o) &&
              strstr(fail_text(), "rope_freqs.weight"),
          "%s", fail_text());
}

int main(void)
{
    if (folder_make() < 0)
        return 1;
    CASE(rows_sorted_by_pairs_compute_the_same);
    CASE(rotary_factors_divide_the_frequencies);
    return folder_remove(check_end());
}
