/* lt.cu: see lt.h. Rows are cuBLASLt's columns: out [j, i] is its D [i, j], a and b as
 * they lie in memory are its A and B, transposed where product_form says so. What it
 * recommends for a shape is asked once and kept. */
#include "lt.h"

#ifndef CUDA_ON_HOST
#include <dlfcn.h>
#if __has_include(<cublasLt.h>)
#include <cublasLt.h>
static constexpr bool same(int ours, int theirs)
{
    return ours == theirs;
}
static_assert(same(LT_R_32F, CUDA_R_32F) && same(LT_R_16BF, CUDA_R_16BF) &&
              same(LT_COMPUTE_32F, CUBLAS_COMPUTE_32F) && same(LT_OP_N, CUBLAS_OP_N) &&
              same(LT_OP_T, CUBLAS_OP_T) &&
              same(LT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_BIAS) &&
              same(LT_DESC_TRANSA, CUBLASLT_MATMUL_DESC_TRANSA) &&
              same(LT_DESC_TRANSB, CUBLASLT_MATMUL_DESC_TRANSB) &&
              same(LT_DESC_EPILOGUE, CUBLASLT_MATMUL_DESC_EPILOGUE) &&
              same(LT_DESC_BIAS_POINTER, CUBLASLT_MATMUL_DESC_BIAS_POINTER) &&
              same(LT_PREF_WORKSPACE, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) &&
              same(LT_PREF_REDUCTION, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK) &&
              same(LT_REDUCTION_COMPUTE_TYPE, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE) &&
              same(LT_PREF_ALIGN_A, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES) &&
              same(LT_PREF_ALIGN_A + 3, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES) &&
              CUBLAS_STATUS_SUCCESS == 0);
static_assert(sizeof(struct lt_algo) == sizeof(cublasLtMatmulAlgo_t) &&
              sizeof(struct lt_found) == sizeof(cublasLtMatmulHeuristicResult_t) &&
              offsetof(struct lt_found, state) ==
                  offsetof(cublasLtMatmulHeuristicResult_t, state));
#endif
#endif

constexpr size_t WORKSPACE = 32 << 20; /* what NVIDIA advises for Hopper */
constexpr int PLANS = 512;

/* What a recommendation depends on. */
struct lt_key {
    int64_t i, j, depth, a_stride, b_stride, out_stride;
    int form, out_type, bias;
};

struct lt_plan {
    struct lt_key key;
    bool made; /* else the shape has been asked for in vain, or the place is free */
    void *desc, *a, *b, *out;
    struct lt_found found;
};

struct lt {
    struct lt_calls calls;
    void *library, *handle; /* handle NULL: cuBLASLt is not there */
    void *workspace[2];     /* of each stream: a product splits its sums into it */
    struct lt_plan plans[PLANS]; /* by the key's hash; a newcomer takes the place */
};

#ifdef CUDA_ON_HOST
static bool library_open(struct lt *lt)
{
    const struct lt_calls *calls = lt_host();
    if (calls)
        lt->calls = *calls;
    return calls != NULL;
}
static void library_close(struct lt *)
{
}
#else
static bool library_open(struct lt *lt)
{
    static const char *const names[] = {"libcublasLt.so.13", "libcublasLt.so.12"};
    for (int i = 0; i < 2 && !lt->library; i++)
        lt->library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!lt->library)
        return false;
    bool all = true;
#define FIND(name)                                                                       \
    all &= (lt->calls.name =                                                             \
                (decltype(lt->calls.name))dlsym(lt->library, "cublasLt" #name)) != NULL
    FIND(Create);
    FIND(Destroy);
    FIND(MatmulDescCreate);
    FIND(MatmulDescDestroy);
    FIND(MatmulDescSetAttribute);
    FIND(MatrixLayoutCreate);
    FIND(MatrixLayoutDestroy);
    FIND(MatmulPreferenceCreate);
    FIND(MatmulPreferenceDestroy);
    FIND(MatmulPreferenceSetAttribute);
    FIND(MatmulAlgoGetHeuristic);
    FIND(Matmul);
#undef FIND
    return all;
}
static void library_close(struct lt *lt)
{
    if (lt->library)
        dlclose(lt->library);
}
#endif

/* The device's, opened if need be; NULL if cuBLASLt is not there (lacks_cuda()). */
static struct lt *lt_of(struct dev *d)
{
    if (!d->lt) {
        d->lt = (struct lt *)calloc(1, sizeof *d->lt);
        if (!d->lt)
            return NULL;
        dev_use(d);
        if (!library_open(d->lt) || d->lt->calls.Create(&d->lt->handle) != 0)
            d->lt->handle = NULL;
    }
    return d->lt->handle ? d->lt : NULL;
}

/* The stream's, which is the library's own also where work is being recorded; NULL: no
 * memory. */
static void *workspace_of(struct dev *d)
{
    void **mine = &d->lt->workspace[d->is_beside];
    if (!*mine)
        *mine = arena_take(&d->arena, WORKSPACE, d->recording ? d->apart : d->stream);
    return *mine;
}

const char *lacks_cuda(struct dev *d)
{
    return d->invariant || d->act != ARR_BF16 || lt_of(d)
               ? NULL
               : "no libcublasLt.so.13 or .12: products are by own kernels";
}

/* -- Plans -----------------------------------------------------------------------------
 */

static void plan_free(const struct lt_calls *c, struct lt_plan *p)
{
    void *layouts[] = {p->a, p->b, p->out};
    for (void *layout : layouts)
        if (layout)
            c->MatrixLayoutDestroy(layout);
    if (p->desc)
        c->MatmulDescDestroy(p->desc);
    memset(p, 0, sizeof *p);
}

static bool described(const struct lt_calls *c, struct lt_plan *p)
{
    const struct lt_key k = p->key;
    const int32_t trans_a = k.form == PRODUCT ? LT_OP_T : LT_OP_N;
    const int32_t trans_b = k.form == PRODUCT_W ? LT_OP_T : LT_OP_N;
    const uint32_t epilogue = LT_EPILOGUE_BIAS;
    const int type = k.out_type == ARR_F32 ? LT_R_32F : LT_R_16BF;
    const uint64_t a_rows = (uint64_t)(trans_a ? k.depth : k.i);
    const uint64_t a_columns = (uint64_t)(trans_a ? k.i : k.depth);
    const uint64_t b_rows = (uint64_t)(trans_b ? k.j : k.depth);
    const uint64_t b_columns = (uint64_t)(trans_b ? k.depth : k.j);
    /* A bias is at a multiple of 16, and no more is to be taken for granted. */
    const void *somewhere = (const void *)(uintptr_t)16;
    return c->MatmulDescCreate(&p->desc, LT_COMPUTE_32F, LT_R_32F) == 0 &&
           c->MatmulDescSetAttribute(p->desc, LT_DESC_TRANSA, &trans_a, 4) == 0 &&
           c->MatmulDescSetAttribute(p->desc, LT_DESC_TRANSB, &trans_b, 4) == 0 &&
           (!k.bias ||
            (c->MatmulDescSetAttribute(p->desc, LT_DESC_EPILOGUE, &epilogue, 4) == 0 &&
             c->MatmulDescSetAttribute(p->desc, LT_DESC_BIAS_POINTER, &somewhere,
                                       sizeof somewhere) == 0)) &&
           c->MatrixLayoutCreate(&p->a, LT_R_16BF, a_rows, a_columns, k.a_stride) == 0 &&
           c->MatrixLayoutCreate(&p->b, LT_R_16BF, b_rows, b_columns, k.b_stride) == 0 &&
           c->MatrixLayoutCreate(&p->out, type, (uint64_t)k.i, (uint64_t)k.j,
                                 k.out_stride) == 0;
}

static bool recommended(struct lt *lt, struct lt_plan *p)
{
    const struct lt_calls *c = &lt->calls;
    const uint64_t room = WORKSPACE;
    const uint32_t align = 16, reduction = LT_REDUCTION_COMPUTE_TYPE;
    void *preference = NULL;
    int count = 0;
    bool ok =
        c->MatmulPreferenceCreate(&preference) == 0 &&
        c->MatmulPreferenceSetAttribute(preference, LT_PREF_WORKSPACE, &room, 8) == 0 &&
        c->MatmulPreferenceSetAttribute(preference, LT_PREF_REDUCTION, &reduction, 4) ==
            0;
    for (int i = 0; i < 4 && ok; i++)
        ok = c->MatmulPreferenceSetAttribute(preference, LT_PREF_ALIGN_A + i, &align,
                                             4) == 0;
    ok = ok && c->MatmulAlgoGetHeuristic(lt->handle, p->desc, p->a, p->b, p->out, p->out,
                                         preference, 1, &p->found, &count) == 0;
    if (preference)
        c->MatmulPreferenceDestroy(preference);
    return ok && count > 0 && p->found.state == 0;
}

static struct lt_plan *plan_for(struct lt *lt, const struct lt_key *key)
{
    uint64_t hash = 14695981039346656037u;
    const int64_t parts[] = {key->i,        key->j,        key->depth,
                             key->a_stride, key->b_stride, key->out_stride,
                             key->form,     key->out_type, key->bias};
    for (int64_t part : parts) hash = (hash ^ (uint64_t)part) * 1099511628211u;
    struct lt_plan *p = &lt->plans[(hash ^ hash >> 32) % PLANS];
    if (memcmp(&p->key, key, sizeof *key) != 0) {
        plan_free(&lt->calls, p);
        p->key = *key;
        p->made = described(&lt->calls, p) && recommended(lt, p);
    }
    return p->made ? p : NULL;
}

/* -- Products --------------------------------------------------------------------------
 */

/* A bias as cuBLASLt wants it: of out's type, at a multiple of 16. */
static const void *bias_of(struct dev *d, struct results r, struct product_room *room)
{
    const int64_t n = r.bias.shape[0];
    if (r.bias.type == r.out.type && r.bias.stride == 1 &&
        (uintptr_t)r.bias.data % 16 == 0)
        return r.bias.data;
    room->bytes = (size_t)n * arr_type_size(r.out.type);
    room->data = dev_room(d, room->bytes);
    if (room->data)
        numbers_turn(d, room->data, r.out.type, r.bias);
    return room->data;
}

/* out's rows are at multiples of 16, and its type holds the bias as it is. */
static bool fits(const struct results &r)
{
    const bool wide = r.out.type == ARR_F32;
    return (uintptr_t)r.out.data % 16 == 0 && r.out.stride % (wide ? 4 : 8) == 0 &&
           (wide || !r.bias.data || r.bias.type == ARR_BF16);
}

bool lt_product(struct dev *d, struct results r, struct halves a, struct halves b,
                int64_t depth, enum product_form form)
{
    struct lt *lt = depth > 0 && fits(r) ? lt_of(d) : NULL;
    struct lt_key key;
    struct product_room room = {NULL, 0};
    const float alpha = 1, beta = r.add ? 1.0f : 0.0f;
    if (!lt)
        return false;
    memset(&key, 0, sizeof key); /* padding, too: compared as bytes */
    key.i = r.out.shape[1], key.j = r.out.shape[0], key.depth = depth;
    key.a_stride = a.stride, key.b_stride = b.stride, key.out_stride = r.out.stride;
    key.form = form, key.out_type = r.out.type, key.bias = r.bias.data != NULL;
    struct lt_plan *p = plan_for(lt, &key);
    void *workspace = p ? workspace_of(d) : NULL;
    if (!workspace)
        return false;
    if (r.bias.data) {
        const void *bias = bias_of(d, r, &room);
        if (!bias || lt->calls.MatmulDescSetAttribute(p->desc, LT_DESC_BIAS_POINTER,
                                                      &bias, sizeof bias) != 0)
            return product_room_free(d, &room), false;
    }
    dev_use(d);
    const bool done =
        lt->calls.Matmul(lt->handle, p->desc, &alpha, a.data, p->a, b.data, p->b, &beta,
                         r.out.data, p->out, r.out.data, p->out, &p->found.algo,
                         workspace, WORKSPACE, d->stream) == 0;
    product_room_free(d, &room);
    return done;
}

void lt_close(struct dev *d)
{
    if (!d->lt)
        return;
    for (struct lt_plan &p : d->lt->plans)
        if (d->lt->handle)
            plan_free(&d->lt->calls, &p);
    if (d->lt->handle)
        d->lt->calls.Destroy(d->lt->handle);
    for (void *workspace : d->lt->workspace) release_cuda(d, workspace, WORKSPACE);
    library_close(d->lt);
    free(d->lt);
    d->lt = NULL;
}
