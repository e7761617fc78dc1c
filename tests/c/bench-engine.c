/* bench-engine: decode and prefill of a whole model beside what this machine can do.
 *
 * Usage: bench-engine DIR THREADS. Prints JSON. The peers run in turn with ours, in the
 * same process and the same run: reading memory (limit of decode) and OpenBLAS sgemm over
 * the same products (prefill). OpenBLAS is opened at run time and never part of the
 * product. */
#include "engine/engine.h"
#include "machine.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROMPT = 512, DECODE = 32, ROUNDS = 5 };

/* Seconds for one generation of `tokens` new tokens behind `len` prompt tokens. */
static double generate(struct engine *e, int len, int tokens)
{
    int32_t ids[PROMPT];
    for (int i = 0; i < len; i++) ids[i] = 100 + i * 7 % 500;
    struct engine_prompt prompt = {ids, len, NULL, 0};
    struct sampling sampling = {.temperature = 0,
                                .top_p = 1,
                                .repetition_penalty = 1,
                                .max_tokens = tokens,
                                .ignore_eos = true};
    struct engine_generation g = {.prompt = &prompt, .sampling = &sampling, .n = 1};
    struct sample sample = {0};
    double start = machine_now();
    if (engine_generate(e, &g, &sample) < 0) {
        fprintf(stderr, "bench-engine: generation failed\n");
        exit(1);
    }
    double seconds = machine_now() - start;
    sample_free(&sample);
    return seconds;
}

typedef void sgemm_call(int order, int ta, int tb, int m, int n, int k, float alpha,
                        const float *a, int lda, const float *b, int ldb, float beta,
                        float *c, int ldc);

/* Products of one layer: [N, K] of each matrix. */
static int layer_products(const struct text_config *t, int shape[7][2])
{
    const int q = t->heads * t->head_dim, kv = t->kv_heads * t->head_dim;
    const int list[7][2] = {{q, t->hidden},     {kv, t->hidden},     {kv, t->hidden},
                            {t->hidden, q},     {t->mlp, t->hidden}, {t->mlp, t->hidden},
                            {t->hidden, t->mlp}};
    memcpy(shape, list, sizeof list);
    return 7;
}

/* Seconds that the peer takes for one layer's products on PROMPT rows. */
static double peer_layer(sgemm_call *sgemm, int shape[7][2], int count, const float *x,
                         const float *w, float *y)
{
    double start = machine_now();
    for (int i = 0; i < count; i++) {
        int n = shape[i][0], k = shape[i][1];
        sgemm(101, 111, 112, PROMPT, n, k, 1, x, k, w, k, 0, y, n);
    }
    return machine_now() - start;
}

int main(int argc, char *argv[])
{
    if (argc != 3)
        return fprintf(stderr, "usage: bench-engine DIR THREADS\n"), 2;
    int threads = atoi(argv[2]);
    struct engine_options options = {
        .device = "cpu", .threads = threads, .ctx = 2048, .max_batch = 1};
    struct engine *e = engine_open(argv[1], &options);
    if (!e)
        return fprintf(stderr, "bench-engine: cannot open %s\n", argv[1]), 1;
    const struct text_config *t = &engine_config(e)->text;
    int shape[7][2], products = layer_products(t, shape);
    double layer = 0, largest = 0;
    for (int i = 0; i < products; i++) {
        double size = (double)shape[i][0] * shape[i][1];
        layer += size;
        largest = size > largest ? size : largest;
    }
    double read =
        2 * (layer * t->layers + (double)t->vocab * t->hidden); /* bf16, a token */

    size_t bytes = (size_t)2 << 30;
    char *buffer = aligned_alloc(4096, bytes);
    float *w = calloc((size_t)largest, sizeof *w);
    float *x =
        calloc((size_t)PROMPT * (size_t)(t->mlp > t->hidden ? t->mlp : t->hidden), 4);
    float *y =
        calloc((size_t)PROMPT * (size_t)(t->mlp > t->hidden ? t->mlp : t->hidden), 4);
    if (!buffer || !w || !x || !y)
        return fprintf(stderr, "bench-engine: out of memory\n"), 1;
    memset(buffer, 1, bytes);
    for (size_t i = 0; i < (size_t)largest; i++) w[i] = (float)(i % 97) * 0.01f;
    void *blas = dlopen("libopenblas.so.0", RTLD_NOW);
    sgemm_call *sgemm = NULL;
    if (blas) {
        void (*set)(int) = NULL;
        *(void **)&sgemm = dlsym(blas, "cblas_sgemm");
        *(void **)&set = dlsym(blas, "openblas_set_num_threads");
        if (set)
            set(threads);
    }

    double limit[ROUNDS], decode[ROUNDS], prefill[ROUNDS], peer[ROUNDS];
    double decode_share[ROUNDS], prefill_share[ROUNDS];
    generate(e, 16, 4); /* pages in the weights */
    if (sgemm)
        peer_layer(sgemm, shape, products, x, w, y);
    for (int r = 0; r < ROUNDS; r++) {
        limit[r] = machine_read_best(buffer, bytes, threads);
        double one = generate(e, 16, 1), many = generate(e, 16, 1 + DECODE);
        decode[r] = DECODE / (many - one);
        decode_share[r] = decode[r] * read / limit[r];
        double seconds = generate(e, PROMPT, 1);
        prefill[r] = PROMPT / seconds;
        peer[r] = sgemm ? peer_layer(sgemm, shape, products, x, w, y) : 0;
        /* the peer does the layers' products alone; ours is the whole pass but the output
         */
        prefill_share[r] = peer[r] * t->layers / seconds;
    }
    double flop = 2 * layer * t->layers * PROMPT;
    printf("{\"model\":\"%s\",\"layers\":%d,\"hidden\":%d,\"threads\":%d,\"weights\":"
           "\"bf16\","
           "\"read_gb_s\":%.2f,\"decode_tokens_s\":%.3f,\"decode_share_of_read\":%.3f,"
           "\"prefill_tokens\":%d,\"prefill_tokens_s\":%.1f,\"prefill_gflop_s\":%.1f,"
           "\"sgemm_gflop_s\":%.1f,\"prefill_share_of_sgemm\":%.3f}\n",
           engine_config(e)->family, t->layers, t->hidden, threads,
           machine_median(limit, ROUNDS) / 1e9, machine_median(decode, ROUNDS),
           machine_median(decode_share, ROUNDS), PROMPT, machine_median(prefill, ROUNDS),
           flop * machine_median(prefill, ROUNDS) / PROMPT / 1e9,
           sgemm ? 2 * layer * PROMPT / machine_median(peer, ROUNDS) / 1e9 : 0,
           machine_median(prefill_share, ROUNDS));
    engine_close(e);
    free(buffer);
    free(w);
    free(x);
    free(y);
    return 0;
}
