/* bench-quant: how fast products are with weights in blocks.
 *
 * One JSON object on stdout. With one row of x (decode) each type is held to the bytes a
 * second that this machine reads, run by run; with 512 rows (prefill) to the product with
 * bf16 weights of the same shape. Figures are medians. --quick: less of everything.
 */
#include "device.h"
#include "kernels.h"
#include "machine.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS_MAX = 31, THREADS_MAX = 2 };

/* The working set: many copies of a weight, so that none of it waits in a cache. */
static const size_t memory_bytes = (size_t)512 << 20;

static const struct kernels *k;
static int runs = 11;
static char *memory;
static volatile float sink; /* what must not be optimised away */

static const enum arr_type types[] = {ARR_BF16, ARR_Q8_0,   ARR_Q4_0,  ARR_Q4_1, ARR_Q5_0,
                                      ARR_Q5_1, ARR_Q2_K,   ARR_Q3_K,  ARR_Q4_K, ARR_Q5_K,
                                      ARR_Q6_K, ARR_IQ4_NL, ARR_IQ4_XS};

static struct arr over(void *data, enum arr_type type, int64_t rows, int64_t columns)
{
    return (struct arr){.data = data,
                        .type = type,
                        .rank = 2,
                        .shape = {rows, columns},
                        .stride = columns};
}

/* Any bytes without the bit that lets an f16 factor be infinite. */
static void fill(void)
{
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < memory_bytes; i += sizeof state) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        uint64_t word = state & 0xbfbfbfbfbfbfbfbfu;
        memcpy(memory + i, &word, sizeof word);
    }
}

static float *floats(int64_t n)
{
    float *p = malloc((size_t)n * sizeof *p);
    if (!p)
        exit(1);
    for (int64_t i = 0; i < n; i++) p[i] = (float)(i * 2654435761 % 1000) / 1000 - 0.5f;
    return p;
}

/* A run goes through many copies of w; a plain read of as many bytes follows it. */
static json_t *decode(struct dev *d, int threads, enum arr_type type, int64_t m)
{
    const int64_t n = 4096, depth = 2048;
    size_t bytes = arr_type_bytes(type, n * depth), copies = memory_bytes / bytes;
    float *x = floats(m * depth), *y = floats(m * n);
    double rate[RUNS_MAX], ratio[RUNS_MAX];
    for (int i = 0; i < runs; i++) {
        double start = machine_now(), middle, end;
        for (size_t c = 0; c < copies; c++)
            k->matmul(d, over(y, ARR_F32, m, n), over(x, ARR_F32, m, depth),
                      over(memory + c * bytes, type, n, depth), arr_none(), MATMUL_SET);
        middle = machine_now();
        sink = (float)machine_read_rate(memory, copies * bytes & ~(size_t)4095, threads);
        end = machine_now();
        rate[i] = (double)(bytes * copies) / (middle - start);
        ratio[i] = (end - middle) / (middle - start);
    }
    free(x);
    free(y);
    double got = machine_median(rate, runs);
    return json_pack("{s:s,s:i,s:I,s:f,s:f,s:f}", "weights", arr_type_name(type),
                     "threads", threads, "rows", (json_int_t)m, "gb_s", got / 1e9,
                     "gweights_s", got / (double)bytes * (double)(n * depth) / 1e9,
                     "of_bandwidth", machine_median(ratio, runs));
}

static json_t *prefill(struct dev *d, int threads, enum arr_type type)
{
    const int64_t m = 512, n = 2048, depth = 2048;
    float *x = floats(m * depth), *y = floats(m * n);
    double rate[RUNS_MAX], ratio[RUNS_MAX];
    for (int i = -1; i < runs; i++) { /* one round warms up */
        double time[2];
        for (int j = 0; j < 2; j++) {
            double start = machine_now();
            k->matmul(d, over(y, ARR_F32, m, n), over(x, ARR_F32, m, depth),
                      over(memory, j ? ARR_BF16 : type, n, depth), arr_none(),
                      MATMUL_SET);
            time[j] = machine_now() - start;
        }
        if (i >= 0) {
            rate[i] = 2.0 * (double)(m * n * depth) / time[0];
            ratio[i] = time[1] / time[0];
        }
    }
    free(x);
    free(y);
    return json_pack("{s:s,s:i,s:f,s:f}", "weights", arr_type_name(type), "threads",
                     threads, "gflops", machine_median(rate, runs) / 1e9, "of_bf16",
                     machine_median(ratio, runs));
}

int main(int argc, char *argv[])
{
    const char *why = "";
    if (argc > 1 && strcmp(argv[1], "--quick") == 0)
        runs = 3;
    k = kernels_open("cpu", &why);
    memory = aligned_alloc(4096, memory_bytes);
    json_t *out = json_pack("{s:[],s:[],s:[]}", "machine", "decode", "prefill");
    if (!k || !memory || !out) {
        fprintf(stderr, "bench-quant: %s\n", k ? "out of memory" : why);
        return 1;
    }
    fill();
    for (int t = 1; t <= THREADS_MAX; t++) {
        struct dev *d = device_of(k, "cpu", t);
        if (!d)
            return 1;
        json_array_append_new(
            json_object_get(out, "machine"),
            json_pack("{s:i,s:f}", "threads", t, "read_gb_s",
                      machine_read_best(memory, memory_bytes, t) / 1e9));
        for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
            json_array_append_new(json_object_get(out, "decode"),
                                  decode(d, t, types[i], 1));
            json_array_append_new(json_object_get(out, "prefill"),
                                  prefill(d, t, types[i]));
        }
        k->close(d);
    }
    json_dumpf(out, stdout, JSON_REAL_PRECISION(4) | JSON_COMPACT);
    putchar('\n');
    json_decref(out);
    free(memory);
    return 0;
}
