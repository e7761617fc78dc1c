/* back_norms.c: gradients of rmsnorm and layernorm (backward.h). Every vector's mean and
 * factor are made first; then the weights' gradients, a chunk of columns at a time,
 * vector after vector; then the inputs', which may take dy's place. */
#include "backward_cpu.h"
#include "vector.h"

#include <math.h>

/* What one call works on; vectors are heads of rows. */
struct norm_back {
    struct arr dx, dy, x;
    int64_t dim, heads;
    const float *w;
    float *mean, *factor; /* [vectors] */
    enum grad_mode mode;
};

static float *vector_of(const struct norm_back *n, struct arr a, int64_t i)
{
    return row_f32(a, i / n->heads) + i % n->heads * n->dim;
}

static float sum_products(const float *a, const float *b, int64_t n)
{
    float lane[CPU_LANES] = {0};
    int64_t k = 0;
    for (; k + CPU_LANES <= n; k += CPU_LANES)
        for (int l = 0; l < CPU_LANES; l++) lane[l] += a[k + l] * b[k + l];
    for (int l = 0; k + l < n; l++) lane[l] += a[k + l] * b[k + l];
    return lanes_sum(lane);
}

static void rms_statistics(const struct norm_back *n, int64_t i, float eps)
{
    const float *x = vector_of(n, n->x, i);
    n->mean[i] = 0;
    n->factor[i] = 1.0f / sqrtf(sum_products(x, x, n->dim) / (float)n->dim + eps);
}

static void layer_statistics(const struct norm_back *n, int64_t i, float eps)
{
    const float *x = vector_of(n, n->x, i);
    float lane[CPU_LANES] = {0}, square[CPU_LANES] = {0};
    int64_t k = 0, dim = n->dim;
    for (; k + CPU_LANES <= dim; k += CPU_LANES)
        for (int l = 0; l < CPU_LANES; l++) lane[l] += x[k + l];
    for (int l = 0; k + l < dim; l++) lane[l] += x[k + l];
    float mean = lanes_sum(lane) / (float)dim;
    for (k = 0; k + CPU_LANES <= dim; k += CPU_LANES)
        for (int l = 0; l < CPU_LANES; l++)
            square[l] += (x[k + l] - mean) * (x[k + l] - mean);
    for (int l = 0; k + l < dim; l++) square[l] += (x[k + l] - mean) * (x[k + l] - mean);
    n->mean[i] = mean;
    n->factor[i] = 1.0f / sqrtf(lanes_sum(square) / (float)dim + eps);
}

/* dw[c..end) += sum over vectors of dy (x - mean) factor; db += sum of dy. */
static void weights_back(const struct norm_back *n, float *dw, float *db, int64_t vectors,
                         int64_t c, int64_t end)
{
    float sum[CPU_COLUMNS] = {0}, plain[CPU_COLUMNS] = {0};
    for (int64_t i = 0; i < vectors; i++) {
        const float *dy = vector_of(n, n->dy, i) + c, *x = vector_of(n, n->x, i) + c;
        float mean = n->mean[i], factor = n->factor[i];
        for (int64_t k = 0; k < end - c; k++) {
            sum[k] += dy[k] * ((x[k] - mean) * factor);
            plain[k] += dy[k];
        }
    }
    for (int64_t k = c; k < end; k++) {
        if (dw)
            dw[k] += sum[k - c];
        if (db)
            db[k] += plain[k - c];
    }
}

/* With g = dy w and h = (x - mean) factor: dx = factor (g - [mean of g] - h mean(g h)).
 */
static void input_back(const struct norm_back *n, int64_t i, bool centred)
{
    const float *dy = vector_of(n, n->dy, i), *x = vector_of(n, n->x, i), *w = n->w;
    float *dx = vector_of(n, n->dx, i), mean = n->mean[i], factor = n->factor[i];
    float lane[CPU_LANES], square[CPU_LANES];
    vec8 sum = vec8_of(0), slopes = vec8_of(0);
    int64_t k = 0, dim = n->dim;
    for (; k + CPU_LANES <= dim; k += CPU_LANES) {
        vec8 g = *(const vec8 *)(dy + k) * *(const vec8 *)(w + k);
        sum += g;
        slopes += g * ((*(const vec8 *)(x + k) - vec8_of(mean)) * vec8_of(factor));
    }
    memcpy(lane, &sum, sizeof lane);
    memcpy(square, &slopes, sizeof square);
    for (int l = 0; k + l < dim; l++) {
        float g = dy[k + l] * w[k + l];
        lane[l] += g;
        square[l] += g * ((x[k + l] - mean) * factor);
    }
    float shift = centred ? lanes_sum(lane) / (float)dim : 0.0f;
    float slope = lanes_sum(square) / (float)dim;
    bool add = n->mode == GRAD_ADD;
    for (k = 0; k + CPU_LANES <= dim; k += CPU_LANES) {
        vec8 h = (*(const vec8 *)(x + k) - vec8_of(mean)) * vec8_of(factor);
        vec8 g = *(const vec8 *)(dy + k) * *(const vec8 *)(w + k), *to = (vec8 *)(dx + k);
        vec8 value = vec8_of(factor) * (g - vec8_of(shift) - h * vec8_of(slope));
        if (add)
            value += *to;
        *to = value;
    }
    for (; k < dim; k++) {
        float h = (x[k] - mean) * factor;
        float value = factor * (dy[k] * w[k] - shift - h * slope);
        dx[k] = add ? dx[k] + value : value;
    }
}

static void norm_back(struct dev *d, struct arr dx, struct arr dw, struct arr db,
                      struct arr dy, struct arr x, struct arr w, float eps,
                      enum grad_mode mode, bool centred)
{
    int64_t dim = x.shape[x.rank - 1], heads = arr_row_size(x) / dim;
    int64_t vectors = x.shape[0] * heads;
    assert(w.shape[0] == dim && dy.shape[0] == x.shape[0]);
    assert((dim + 2 * vectors) * (int64_t)sizeof(float) <= CPU_SHARED);
    struct norm_back n = {dx, dy, x, dim, heads, floats_in(d, w, 0), NULL, NULL, mode};
    n.mean = d->shared + dim;
    n.factor = n.mean + vectors;
    CPU_EACH(d, i, vectors, vectors * dim, CPU_WORK,
             (centred ? layer_statistics : rms_statistics)(&n, i, eps));
    if (dw.data || db.data)
        CPU_EACH_COLUMNS(d, c, end, dim, vectors * dim,
                         weights_back(&n, dw.data, db.data, vectors, c, end));
    if (dx.data)
        CPU_EACH(d, i, vectors, vectors * dim, CPU_WORK, input_back(&n, i, centred));
}

void CPU_OP(back_rmsnorm)(struct dev *d, struct arr dx, struct arr dw, struct arr dy,
                          struct arr x, struct arr w, float eps, enum grad_mode mode)
{
    norm_back(d, dx, dw, arr_none(), dy, x, w, eps, mode, false);
}

void CPU_OP(back_layernorm)(struct dev *d, struct arr dx, struct arr dw, struct arr db,
                            struct arr dy, struct arr x, struct arr w, float eps,
                            enum grad_mode mode)
{
    norm_back(d, dx, dw, db, dy, x, w, eps, mode, true);
}
