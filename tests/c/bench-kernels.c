/* bench-kernels: how fast the operations are beside what the machine and OpenBLAS reach.
 *
 * One JSON object on stdout. The machine's read bandwidth and FMA peak come first; a
 * product with one row of x is held to the bandwidth, one with 512 rows to OpenBLAS'
 * sgemm at the same shape and threads (dlopen; set OPENBLAS_CORETYPE=Haswell to hold it
 * to the same instructions). Runs of ours and of the peer alternate; rates are of the
 * median run, ratios the median of pairwise ratios. --quick: less of everything.
 */
#include "device.h"
#include "kernels.h"
#include "machine.h"

#include <dlfcn.h>
#include <jansson.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS_MAX = 31, THREADS_MAX = 2 };

/* The largest working set: many copies of a weight, so that none of it waits in a cache.
 */
static const size_t memory_bytes = (size_t)1 << 30;

static const struct kernels *k;
static int runs = 15;
static char *memory;        /* memory_bytes of small numbers */
static volatile float sink; /* what must not be optimised away */

/* -- The machine -----------------------------------------------------------------------
 */

/* Bytes a second that so many threads read. */
static double bandwidth(int threads)
{
    double rate[RUNS_MAX];
    for (int i = 0; i < runs; i++)
        rate[i] = machine_read_rate(memory, memory_bytes, threads);
    return machine_median(rate, runs);
}

__attribute__((target("avx2,fma"))) static float multiply_add(int64_t n)
{
    __m256 sum[12], a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(1e-3f);
    float out[8];
    for (int j = 0; j < 12; j++) sum[j] = _mm256_set1_ps((float)j);
    for (int64_t i = 0; i < n; i++)
#pragma GCC unroll 12
        for (int j = 0; j < 12; j++) sum[j] = _mm256_fmadd_ps(sum[j], a, b);
    for (int j = 1; j < 12; j++) sum[0] = _mm256_add_ps(sum[0], sum[j]);
    _mm256_storeu_ps(out, sum[0]);
    return out[0];
}

/* Operations a second, a fused product and sum being two. */
static double fma_peak(int threads)
{
    const int64_t n = 4 << 20;
    double rate[RUNS_MAX];
    for (int i = 0; i < runs; i++) {
        double start = machine_now();
#pragma omp parallel num_threads(threads)
        sink = multiply_add(n);
        rate[i] = 192.0 * (double)n * threads / (machine_now() - start);
    }
    return machine_median(rate, runs);
}

/* -- Arrays ----------------------------------------------------------------------------
 */

static struct arr over(void *data, enum arr_type type, int rank, const int64_t shape[])
{
    struct arr a = {.data = data, .type = type, .rank = rank};
    for (int i = 0; i < rank; i++) a.shape[i] = shape[i];
    a.stride = arr_row_size(a);
    return a;
}
#define OVER(data, type, ...)                                                            \
    over(data, type, (int)(sizeof(int64_t[]){__VA_ARGS__} / sizeof(int64_t)),            \
         (int64_t[]){__VA_ARGS__})

static void *taken(struct dev *d, size_t bytes)
{
    void *p = k->alloc(d, bytes);
    if (!p) {
        fprintf(stderr, "bench-kernels: out of memory\n");
        exit(1);
    }
    return p;
}

static float *floats(struct dev *d, int64_t n)
{
    float *p = taken(d, (size_t)n * sizeof *p);
    for (int64_t i = 0; i < n; i++) p[i] = (float)(i * 2654435761 % 1000) / 1000 - 0.5f;
    return p;
}

/* -- Products --------------------------------------------------------------------------
 */

static const struct {
    enum arr_type type;
    const char *name;
    uint32_t pattern; /* a small number, twice if of 2 bytes */
} types[] = {{ARR_BF16, "bf16", 0x3c003c00},
             {ARR_F16, "f16", 0x1c001c00},
             {ARR_F32, "f32", 0x3c000000}};

static void fill_memory(uint32_t pattern)
{
    uint32_t *to = (uint32_t *)(void *)memory;
    for (size_t i = 0; i < memory_bytes / 4; i++) to[i] = pattern;
}

/* Decode: a run goes through many copies of w, so that each comes from memory; a plain
 * read of as many bytes follows each run. */
static json_t *decode(struct dev *d, int threads, int64_t m, int64_t n, int64_t depth,
                      int type)
{
    size_t bytes = (size_t)(n * depth) * arr_type_size(types[type].type);
    size_t copies = memory_bytes / bytes;
    float *x = floats(d, m * depth), *y = floats(d, m * n);
    double rate[RUNS_MAX], peak[RUNS_MAX], ratio[RUNS_MAX];
    for (int i = 0; i < runs; i++) {
        double start = machine_now(), middle, end;
        for (size_t c = 0; c < copies; c++)
            k->matmul(d, OVER(y, ARR_F32, m, n), OVER(x, ARR_F32, m, depth),
                      OVER(memory + c * bytes, types[type].type, n, depth), arr_none(),
                      MATMUL_SET);
        middle = machine_now();
        sink = (float)machine_read_rate(memory, copies * bytes, threads);
        end = machine_now();
        rate[i] = (double)(bytes * copies) / (middle - start);
        peak[i] = (double)(bytes * copies) / (end - middle);
        ratio[i] = rate[i] / peak[i];
    }
    k->release(d, x, (size_t)(m * depth) * 4);
    k->release(d, y, (size_t)(m * n) * 4);
    return json_pack("{s:i,s:I,s:I,s:I,s:s,s:f,s:f,s:f}", "threads", threads, "rows",
                     (json_int_t)m, "n", (json_int_t)n, "k", (json_int_t)depth, "weights",
                     types[type].name, "gb_s", machine_median(rate, runs) / 1e9,
                     "read_gb_s", machine_median(peak, runs) / 1e9, "of_bandwidth",
                     machine_median(ratio, runs));
}

typedef void sgemm_function(int order, int transpose_a, int transpose_b, int m, int n,
                            int k, float alpha, const float *a, int lda, const float *b,
                            int ldb, float beta, float *c, int ldc);
static sgemm_function *sgemm;
static void (*sgemm_threads)(int n);

static void open_peer(void)
{
    void *library = dlopen("libopenblas.so.0", RTLD_NOW);
    void *f = library ? dlsym(library, "cblas_sgemm") : NULL;
    void *t = library ? dlsym(library, "openblas_set_num_threads") : NULL;
    if (f && t) {
        memcpy(&sgemm, &f, sizeof f);
        memcpy(&sgemm_threads, &t, sizeof t);
    }
}

static json_t *prefill(struct dev *d, int threads, int64_t m, int64_t n, int64_t depth,
                       int type, double peak)
{
    float *x = floats(d, m * depth), *y = floats(d, m * n), *w = floats(d, n * depth);
    double operations = 2.0 * (double)m * (double)n * (double)depth, rate[RUNS_MAX],
           peer[RUNS_MAX], ratio[RUNS_MAX];
    if (sgemm)
        sgemm_threads(threads);
    for (int i = -1; i < runs; i++) { /* one round warms up */
        double start = machine_now(), middle, end;
        k->matmul(d, OVER(y, ARR_F32, m, n), OVER(x, ARR_F32, m, depth),
                  OVER(types[type].type == ARR_F32 ? (void *)w : (void *)memory,
                       types[type].type, n, depth),
                  arr_none(), MATMUL_SET);
        middle = machine_now();
        if (sgemm) /* row major, second operand transposed */
            sgemm(101, 111, 112, (int)m, (int)n, (int)depth, 1, x, (int)depth, w,
                  (int)depth, 0, y, (int)n);
        end = machine_now();
        if (i >= 0) {
            rate[i] = operations / (middle - start);
            peer[i] = operations / (end - middle);
            ratio[i] = rate[i] / peer[i];
        }
    }
    k->release(d, x, (size_t)(m * depth) * 4);
    k->release(d, y, (size_t)(m * n) * 4);
    k->release(d, w, (size_t)(n * depth) * 4);
    double got = machine_median(rate, runs);
    json_t *row =
        json_pack("{s:i,s:I,s:I,s:I,s:s,s:f,s:f}", "threads", threads, "rows",
                  (json_int_t)m, "n", (json_int_t)n, "k", (json_int_t)depth, "weights",
                  types[type].name, "gflops", got / 1e9, "of_peak", got / peak);
    if (sgemm) {
        json_object_set_new(row, "sgemm_gflops",
                            json_real(machine_median(peer, runs) / 1e9));
        json_object_set_new(row, "of_sgemm", json_real(machine_median(ratio, runs)));
    }
    return row;
}

/* -- Attention -------------------------------------------------------------------------
 */

/* rows queries at the end of `len` positions; causal if there are many. */
static json_t *paged(struct dev *d, int threads, int64_t rows, int64_t len, int64_t heads,
                     int64_t kv_heads, int64_t dim)
{
    int64_t pages = (len + KV_PAGE - 1) / KV_PAGE, page = kv_heads * dim * KV_PAGE;
    float *q = floats(d, rows * heads * dim), *y = floats(d, rows * heads * dim);
    float *keys = floats(d, pages * page), *values = floats(d, pages * page);
    int32_t *table = taken(d, (size_t)pages * 4), *seq = taken(d, (size_t)rows * 4);
    int32_t *lens = taken(d, (size_t)rows * 4);
    double rate[RUNS_MAX], operations = 0;
    for (int64_t i = 0; i < pages; i++) table[i] = (int32_t)i;
    for (int64_t r = 0; r < rows; r++) {
        seq[r] = 0, lens[r] = (int32_t)(len - rows + r + 1);
        operations += 4.0 * (double)(heads * dim) * lens[r];
    }
    struct kv_view view = {OVER(table, ARR_I32, 1, pages), OVER(seq, ARR_I32, rows),
                           OVER(lens, ARR_I32, rows)};
    for (int i = -1; i < runs; i++) {
        double start = machine_now();
        k->attention_paged(
            d, OVER(y, ARR_F32, rows, heads, dim), OVER(q, ARR_F32, rows, heads, dim),
            OVER(keys, ARR_F32, pages, kv_heads, dim, KV_PAGE),
            OVER(values, ARR_F32, pages, kv_heads, KV_PAGE, dim), view, 0.1f, arr_none());
        if (i >= 0)
            rate[i] = operations / (machine_now() - start);
    }
    k->release(d, q, (size_t)(rows * heads * dim) * 4);
    k->release(d, y, (size_t)(rows * heads * dim) * 4);
    k->release(d, keys, (size_t)(pages * page) * 4);
    k->release(d, values, (size_t)(pages * page) * 4);
    k->release(d, table, (size_t)pages * 4);
    k->release(d, seq, (size_t)rows * 4);
    k->release(d, lens, (size_t)rows * 4);
    return json_pack("{s:i,s:I,s:I,s:I,s:I,s:I,s:f}", "threads", threads, "rows",
                     (json_int_t)rows, "positions", (json_int_t)len, "heads",
                     (json_int_t)heads, "kv_heads", (json_int_t)kv_heads, "dim",
                     (json_int_t)dim, "gflops", machine_median(rate, runs) / 1e9);
}

static json_t *segments(struct dev *d, int threads, int64_t rows, int64_t window,
                        int64_t heads, int64_t dim)
{
    int64_t count = rows / window, width = heads * dim;
    float *q = floats(d, rows * width), *y = floats(d, rows * width);
    int32_t *start = taken(d, (size_t)(count + 1) * 4);
    double rate[RUNS_MAX], operations = 4.0 * (double)(rows * window * width);
    for (int64_t i = 0; i <= count; i++) start[i] = (int32_t)(i * window);
    struct arr a = OVER(q, ARR_F32, rows, heads, dim);
    for (int i = -1; i < runs; i++) {
        double begin = machine_now();
        k->attention(d, OVER(y, ARR_F32, rows, heads, dim), a, a, a,
                     OVER(start, ARR_I32, count + 1), 0.1f, arr_none());
        if (i >= 0)
            rate[i] = operations / (machine_now() - begin);
    }
    k->release(d, q, (size_t)(rows * width) * 4);
    k->release(d, y, (size_t)(rows * width) * 4);
    k->release(d, start, (size_t)(count + 1) * 4);
    return json_pack("{s:i,s:I,s:I,s:I,s:I,s:f}", "threads", threads, "rows",
                     (json_int_t)rows, "segment", (json_int_t)window, "heads",
                     (json_int_t)heads, "dim", (json_int_t)dim, "gflops",
                     machine_median(rate, runs) / 1e9);
}

/* -- All of it -------------------------------------------------------------------------
 */

/* What a call costs that has next to nothing to do, in seconds. */
static double call_cost(struct dev *d)
{
    float x[64] = {0};
    double start = machine_now();
    for (int i = 0; i < 10000; i++)
        k->add(d, OVER(x, ARR_F32, 1, 64), OVER(x, ARR_F32, 1, 64));
    return (machine_now() - start) / 10000;
}

int main(int argc, char *argv[])
{
    static const int64_t wide[][2] = {
        {2048, 2048}, {6144, 2048}, {2048, 6144}, {8960, 1536}};
    static const int64_t tall[][2] = {
        {2048, 2048}, {6144, 2048}, {2048, 6144}, {151936, 2048}};
    const char *why = "", *core = getenv("OPENBLAS_CORETYPE");
    if (argc > 1 && strcmp(argv[1], "--quick") == 0)
        runs = 5;
    k = kernels_open("cpu", &why);
    memory = aligned_alloc(4096, memory_bytes);
    if (!k || !memory || !__builtin_cpu_supports("fma")) {
        fprintf(stderr, "bench-kernels: %s\n", k ? "no memory, or no AVX2 and FMA" : why);
        return 1;
    }
    open_peer();
    fill_memory(types[0].pattern);
    json_t *out = json_pack(
        "{s:s,s:s,s:i,s:[],s:[],s:[],s:[],s:[]}", "table", k->name, "peer",
        !sgemm ? "none"
        : core ? core
               : "OpenBLAS' own choice",
        "runs", runs, "machine", "decode", "prefill", "attention_paged", "attention");
    struct dev *devs[THREADS_MAX];
    double peaks[THREADS_MAX];
    for (int t = 0; t < THREADS_MAX; t++) {
        devs[t] = device_of(k, "cpu", t + 1);
        if (!devs[t])
            return 1;
        peaks[t] = fma_peak(t + 1);
        json_array_append_new(json_object_get(out, "machine"),
                              json_pack("{s:i,s:f,s:f,s:f}", "threads", t + 1,
                                        "read_gb_s", bandwidth(t + 1) / 1e9, "fma_gflops",
                                        peaks[t] / 1e9, "empty_call_us",
                                        call_cost(devs[t]) * 1e6));
    }
    for (int type = 0; type < 3; type++) {
        fill_memory(types[type].pattern);
        for (size_t s = 0; s < 4; s++)
            for (int t = 0; t < THREADS_MAX; t++) {
                if (types[type].type == ARR_F32 && tall[s][0] > 100000)
                    continue; /* 1.2 GB: no room for it */
                json_array_append_new(
                    json_object_get(out, "decode"),
                    decode(devs[t], t + 1, 1, tall[s][0], tall[s][1], type));
                if (s == 1)
                    json_array_append_new(
                        json_object_get(out, "decode"),
                        decode(devs[t], t + 1, 8, tall[s][0], tall[s][1], type));
            }
        for (size_t s = 0; s < 4 && types[type].type != ARR_F16; s++)
            for (int t = 0; t < THREADS_MAX; t++)
                json_array_append_new(
                    json_object_get(out, "prefill"),
                    prefill(devs[t], t + 1, 512, wide[s][0], wide[s][1], type, peaks[t]));
    }
    for (int t = 0; t < THREADS_MAX; t++) {
        json_t *rows = json_object_get(out, "attention_paged");
        json_array_append_new(rows, paged(devs[t], t + 1, 1, 1024, 16, 8, 128));
        json_array_append_new(rows, paged(devs[t], t + 1, 8, 1024, 16, 8, 128));
        json_array_append_new(rows, paged(devs[t], t + 1, 512, 512, 16, 8, 128));
        rows = json_object_get(out, "attention");
        json_array_append_new(rows, segments(devs[t], t + 1, 1024, 64, 16, 80));
        json_array_append_new(rows, segments(devs[t], t + 1, 1024, 1024, 16, 64));
    }
    json_dumpf(out, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(4));
    putchar('\n');
    json_decref(out);
    for (int t = 0; t < THREADS_MAX; t++) k->close(devs[t]);
    free(memory);
    return 0;
}
