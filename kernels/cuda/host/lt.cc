/* lt.cc: cuBLASLt's twin: a product as its descriptors say, column by column. What the
 * library would refuse, or a GPU not survive, ends the program. */
#include "lt.h"

struct descriptor {
    int32_t op[2];
    uint32_t epilogue;
    const void *bias;
};
struct layout {
    int type;
    int64_t rows, columns, ld;
};
struct preference {
    uint64_t room;
    uint32_t align[4];
};

static void need(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "cuBLASLt: %s\n", what);
    abort();
}

static int create(void **handle)
{
    *handle = calloc(1, 1);
    return *handle ? 0 : 3;
}
static int destroy(void *p)
{
    free(p);
    return 0;
}

static int desc_create(void **desc, int compute, int scale_type)
{
    struct descriptor *p = (struct descriptor *)calloc(1, sizeof *p);
    need(compute == LT_COMPUTE_32F && scale_type == LT_R_32F, "computes in float32");
    if (p)
        p->epilogue = 1;
    *desc = p;
    return p ? 0 : 3;
}

static int desc_set(void *desc, int name, const void *value, size_t bytes)
{
    struct descriptor *p = (struct descriptor *)desc;
    if (name == LT_DESC_TRANSA || name == LT_DESC_TRANSB)
        need(bytes == 4, "an operation"), memcpy(&p->op[name - LT_DESC_TRANSA], value, 4);
    else if (name == LT_DESC_EPILOGUE)
        need(bytes == 4, "an epilogue"), memcpy(&p->epilogue, value, 4);
    else if (name == LT_DESC_BIAS_POINTER)
        need(bytes == sizeof p->bias, "a pointer"), memcpy(&p->bias, value, bytes);
    else
        return 7;
    return 0;
}

static int layout_create(void **layout, int type, uint64_t rows, uint64_t columns,
                         int64_t ld)
{
    struct layout *p = (struct layout *)calloc(1, sizeof *p);
    need(type == LT_R_32F || type == LT_R_16BF, "a type");
    need(rows > 0 && columns > 0 && ld >= (int64_t)rows, "columns overlap");
    if (p)
        *p = {type, (int64_t)rows, (int64_t)columns, ld};
    *layout = p;
    return p ? 0 : 3;
}

static int preference_create(void **preference)
{
    struct preference *p = (struct preference *)calloc(1, sizeof *p);
    if (p)
        *p = {0, {256, 256, 256, 256}};
    *preference = p;
    return p ? 0 : 3;
}

static int preference_set(void *preference, int name, const void *value, size_t bytes)
{
    struct preference *p = (struct preference *)preference;
    if (name == LT_PREF_WORKSPACE)
        need(bytes == 8, "a size"), memcpy(&p->room, value, 8);
    else if (name == LT_PREF_REDUCTION)
        need(bytes == 4 && *(const uint32_t *)value == LT_REDUCTION_COMPUTE_TYPE,
             "partial sums are in float32");
    else if (name >= LT_PREF_ALIGN_A && name < LT_PREF_ALIGN_A + 4)
        need(bytes == 4, "an alignment"),
            memcpy(&p->align[name - LT_PREF_ALIGN_A], value, 4);
    else
        return 7;
    return 0;
}

/* op(A) [rows, depth]: how much of each; `way`: its columns are memory's rows. */
static int64_t extent(const struct layout *l, int op, bool first)
{
    return (op == LT_OP_T) == first ? l->columns : l->rows;
}

static void shapes_agree(const struct descriptor *p, const struct layout *a,
                         const struct layout *b, const struct layout *d)
{
    need(extent(a, p->op[0], true) == d->rows, "rows of A and D");
    need(extent(b, p->op[1], false) == d->columns, "columns of B and D");
    need(extent(a, p->op[0], false) == extent(b, p->op[1], true), "depths of A and B");
    need(a->type == LT_R_16BF && b->type == LT_R_16BF, "types of A and B");
}

/* The recommendation is a note of what it was asked for. */
static int heuristic(void *, void *desc, void *a, void *b, void *c, void *d,
                     void *preference, int wanted, struct lt_found found[], int *count)
{
    const struct preference *p = (struct preference *)preference;
    const struct layout *out = (struct layout *)d;
    need(wanted == 1 && c == d, "one recommendation, in place");
    shapes_agree((struct descriptor *)desc, (struct layout *)a, (struct layout *)b, out);
    memset(found, 0, sizeof *found);
    found->workspace = p->room;
    found->algo.data[0] = (uint64_t)out->rows;
    found->algo.data[1] = (uint64_t)out->columns;
    found->algo.data[2] = p->room;
    for (int i = 0; i < 4; i++) found->algo.data[3 + i] = p->align[i];
    *count = 1;
    return 0;
}

static double number(int type, const void *data, int64_t at)
{
    return (double)number_at(type == LT_R_32F ? ARR_F32 : ARR_BF16, data, at);
}

static double element(const struct layout *l, int op, const void *data, int64_t row,
                      int64_t column)
{
    return number(l->type, data,
                  op == LT_OP_T ? column + row * l->ld : row + column * l->ld);
}

static int products;

/* A product that was checked, in the order of its stream. */
struct product_call {
    struct descriptor desc;
    struct layout a_layout, b_layout, d_layout;
    const void *a, *b;
    void *d;
    char *workspace; /* [room], scribbled on */
    size_t room;
    float scale, keep;
};

static void product_run(const void *with)
{
    if (getenv("CUDA_HOST_DRY"))
        return;
    struct product_call p;
    memcpy(&p, with, sizeof p);
    const struct layout *ld = &p.d_layout;
    const int64_t depth = extent(&p.a_layout, p.desc.op[0], false);
    if (p.room)
        p.workspace[0] = p.workspace[p.room - 1] = 1;
    for (int64_t j = 0; j < ld->columns; j++)
        for (int64_t i = 0; i < ld->rows; i++) {
            double sum = 0;
            for (int64_t l = 0; l < depth; l++)
                sum += element(&p.a_layout, p.desc.op[0], p.a, i, l) *
                       element(&p.b_layout, p.desc.op[1], p.b, l, j);
            sum *= (double)p.scale;
            if (p.keep != 0)
                sum += (double)p.keep * number(ld->type, p.d, i + j * ld->ld);
            if (p.desc.epilogue == LT_EPILOGUE_BIAS)
                sum += number(ld->type, p.desc.bias, i);
            if (ld->type == LT_R_32F)
                ((float *)p.d)[i + j * ld->ld] = (float)sum;
            else
                ((uint16_t *)p.d)[i + j * ld->ld] = float_bf16((float)sum);
        }
}

static int matmul(void *, void *desc, const void *alpha, const void *a, void *a_layout,
                  const void *b, void *b_layout, const void *beta, const void *c,
                  void *c_layout, void *d, void *d_layout, const struct lt_algo *algo,
                  void *workspace, size_t workspace_bytes, cudaStream_t stream)
{
    const struct descriptor *p = (struct descriptor *)desc;
    const struct layout *la = (struct layout *)a_layout, *lb = (struct layout *)b_layout,
                        *ld = (struct layout *)d_layout;
    const void *at[] = {a, b, c, d};
    const struct layout *layouts[] = {la, lb, (struct layout *)c_layout, ld};
    float scale, keep;
    shapes_agree(p, la, lb, ld);
    products++;
    need(c == d && c_layout == d_layout, "in place");
    need(algo->data[0] == (uint64_t)ld->rows && algo->data[1] == (uint64_t)ld->columns &&
             algo->data[2] <= workspace_bytes,
         "a recommendation for another shape");
    need(algo->data[2] == 0 || workspace, "no workspace");
    for (int i = 0; i < 4; i++)
        need((uintptr_t)at[i] % algo->data[3 + i] == 0 &&
                 (size_t)layouts[i]->ld * (layouts[i]->type == LT_R_32F ? 4 : 2) %
                         algo->data[3 + i] ==
                     0,
             "memory is not where it was said to be");
    need(p->epilogue == 1 ||
             (p->epilogue == LT_EPILOGUE_BIAS && p->bias && (uintptr_t)p->bias % 16 == 0),
         "an epilogue");
    memcpy(&scale, alpha, 4);
    memcpy(&keep, beta, 4);
    const struct product_call call = {
        *p,    *la, *lb, *ld, a, b, d, (char *)workspace, (size_t)algo->data[2],
        scale, keep};
    stream_do(stream, product_run, &call, sizeof call);
    return 0;
}

/* For tests: how many products there were. */
extern "C" int lt_host_products()
{
    return products;
}

const struct lt_calls *lt_host()
{
    static const struct lt_calls calls = {
        create,  destroy,           desc_create, destroy,        desc_set,  layout_create,
        destroy, preference_create, destroy,     preference_set, heuristic, matmul};
    const char *want = getenv("CUDA_HOST_CUBLASLT");
    return want && strcmp(want, "0") == 0 ? NULL : &calls;
}
