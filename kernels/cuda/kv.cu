/* kv.cu: writing and copying pages of keys and values, and the gradients of both
 * (kernels.h, backward.h). Keys lie transposed in their pages: a block turns a tile of
 * rows and dims by way of shared memory, so that rows that follow each other, as those of
 * a prompt do, are written side by side. */
#include "act.h"

constexpr int TILE_ROWS = LANES, TILE_DIMS = 64;

struct writing {
    struct arr k_pages, v_pages, k, v, slot; /* back: gradients */
    int64_t rows, dim, tiles;                /* tiles of dims of a head */
    bool wide;
};

/* [TILE_ROWS, TILE_DIMS] of one type; rows lie an odd number of banks apart. */
template <class T> constexpr int tile_stride = TILE_DIMS + 4 / (int)sizeof(T);

/* What a thread has of a tile: WIDE dims of one row, and, across, one row of several
 * dims. */
struct tile {
    int64_t first, head, dim; /* row, head and dim that it begins with */
    int row, at;              /* in it, of WIDE dims */
    bool in;                  /* is that row there? */
};

__device__ __forceinline__ struct tile tile_here(const struct writing &p)
{
    struct tile t;
    t.first = (int64_t)blockIdx.x * TILE_ROWS;
    t.head = blockIdx.y / (unsigned)p.tiles;
    t.dim = (blockIdx.y - t.head * p.tiles) * TILE_DIMS;
    t.row = (int)threadIdx.x / (TILE_DIMS / WIDE);
    t.at = (int)threadIdx.x % (TILE_DIMS / WIDE) * WIDE;
    t.in = t.first + t.row < p.rows && t.dim + t.at < p.dim;
    return t;
}

/* Dim 0 of a place of a head, in pages of keys and of values. */
template <class T>
__device__ __forceinline__ T *key_at(const struct writing &p, int64_t head, int64_t r)
{
    const int32_t slot = *row_of<int32_t>(p.slot, r);
    return row_of<T>(p.k_pages, slot / KV_PAGE) + head * p.dim * KV_PAGE + slot % KV_PAGE;
}
template <class T>
__device__ __forceinline__ T *value_at(const struct writing &p, int64_t head, int64_t r)
{
    const int32_t slot = *row_of<int32_t>(p.slot, r);
    return row_of<T>(p.v_pages, slot / KV_PAGE) +
           (head * KV_PAGE + slot % KV_PAGE) * p.dim;
}

template <class T>
__global__ void __launch_bounds__(THREADS) kv_write_kernel(struct writing p)
{
    __shared__ T turned[TILE_ROWS * tile_stride<T>];
    const struct tile t = tile_here(p);
    float x[WIDE];
    if (t.in) {
        const int64_t r = t.first + t.row, c = t.dim + t.at;
        get_row(x, row_of<T>(p.k, r) + t.head * p.dim, c, p.dim, p.wide);
        UNROLL for (int j = 0; j < WIDE; j++) turned[t.row * tile_stride<T> + t.at + j] =
            number_of<T>(x[j]);
        get_row(x, row_of<T>(p.v, r) + t.head * p.dim, c, p.dim, p.wide);
        put_row(value_at<T>(p, t.head, r), c, p.dim, p.wide, x);
    }
    __syncthreads();
    const int row = threadIdx.x % LANES;
    if (t.first + row >= p.rows)
        return;
    T *to = key_at<T>(p, t.head, t.first + row);
    for (int j = threadIdx.x / LANES; j < TILE_DIMS && t.dim + j < p.dim; j += WARPS)
        to[(t.dim + j) * KV_PAGE] = turned[row * tile_stride<T> + j];
}

template <class T>
__global__ void __launch_bounds__(THREADS) kv_write_back_kernel(struct writing p)
{
    __shared__ T turned[TILE_ROWS * tile_stride<T>];
    const struct tile t = tile_here(p);
    const int row = threadIdx.x % LANES;
    if (t.first + row < p.rows) {
        T *from = key_at<T>(p, t.head, t.first + row);
        for (int j = threadIdx.x / LANES; j < TILE_DIMS && t.dim + j < p.dim;
             j += WARPS) {
            turned[row * tile_stride<T> + j] = from[(t.dim + j) * KV_PAGE];
            from[(t.dim + j) * KV_PAGE] = number_of<T>(0.0f);
        }
    }
    __syncthreads();
    if (!t.in)
        return;
    const int64_t r = t.first + t.row, c = t.dim + t.at;
    const float none[WIDE] = {};
    float x[WIDE], was[WIDE];
    T *value = value_at<T>(p, t.head, r);
    if (p.k.data) {
        T *to = row_of<T>(p.k, r) + t.head * p.dim;
        get_row(was, to, c, p.dim, p.wide);
        UNROLL for (int j = 0; j < WIDE; j++) was[j] +=
            float_of(turned[t.row * tile_stride<T> + t.at + j]);
        put_row(to, c, p.dim, p.wide, was);
    }
    if (p.v.data) {
        T *to = row_of<T>(p.v, r) + t.head * p.dim;
        get_row(was, to, c, p.dim, p.wide);
        get_row(x, value, c, p.dim, p.wide);
        UNROLL for (int j = 0; j < WIDE; j++) was[j] += x[j];
        put_row(to, c, p.dim, p.wide, was);
    }
    put_row(value, c, p.dim, p.wide, none);
}

static struct writing writing_of(struct arr k_pages, struct arr v_pages, struct arr k,
                                 struct arr v, struct arr slot)
{
    struct writing p = {k_pages,       v_pages,          k, v,    slot,
                        slot.shape[0], k_pages.shape[2], 0, false};
    assert(k_pages.type == v_pages.type && (!k.data || k.type == k_pages.type) &&
           (!v.data || v.type == k_pages.type));
    p.tiles = (p.dim + TILE_DIMS - 1) / TILE_DIMS;
    p.wide = lie_wide(WIDE, p.dim, v_pages, k, v);
    return p;
}

static dim3 grid_of(const struct writing &p)
{
    return dim3(blocks_for(p.rows, TILE_ROWS), (unsigned)(p.k_pages.shape[1] * p.tiles));
}

void kv_write_cuda(struct dev *d, struct arr k_pages, struct arr v_pages, struct arr k,
                   struct arr v, struct arr slot)
{
    const struct writing p = writing_of(k_pages, v_pages, k, v, slot);
    assert(p.rows == k.shape[0] && p.dim == k.shape[2]);
    with_act(k_pages.type, [&](auto t) {
        LAUNCH(d, grid_of(p), THREADS, kv_write_kernel<decltype(t)>, p);
    });
}

void back_kv_write_cuda(struct dev *d, struct arr dk, struct arr dv, struct arr dk_pages,
                        struct arr dv_pages, struct arr slot)
{
    const struct writing p = writing_of(dk_pages, dv_pages, dk, dv, slot);
    with_act(dk_pages.type, [&](auto t) {
        LAUNCH(d, grid_of(p), THREADS, kv_write_back_kernel<decltype(t)>, p);
    });
}

/* -- Copies of pages -------------------------------------------------------------------
 */

struct copying {
    void *k_to, *v_to, *k_from, *v_from;
    int64_t size, dim; /* of one page; of one head */
    int places;
};

/* Numbers [i, i + WIDE) of a page, `n` of which are to go: to = from; or, back,
 * from += to and to = 0. */
template <class T, bool back>
__device__ __forceinline__ void hand(T *to, T *from, int64_t i, int64_t n, bool wide)
{
    float x[WIDE], was[WIDE];
    get_row(x, back ? to : from, i, i + n, wide && n == WIDE);
    if (!back) {
        put_row(to, i, i + n, wide && n == WIDE, x);
        return;
    }
    get_row(was, from, i, i + n, wide && n == WIDE);
    UNROLL for (int j = 0; j < WIDE; j++) was[j] += x[j], x[j] = 0;
    put_row(from, i, i + n, wide && n == WIDE, was);
    put_row(to, i, i + n, wide && n == WIDE, x);
}

/* Of `most` that a run of WIDE from `at` on has below that. */
__device__ __forceinline__ int64_t below(int64_t at, int64_t most)
{
    return at >= most ? 0 : most - at < WIDE ? most - at : WIDE;
}

/* A head's values are [KV_PAGE, dim]: those of the first places are its beginning; and
 * KV_PAGE dim is a multiple of WIDE. */
template <class T, bool back> __global__ void kv_copy_kernel(struct copying p, bool wide)
{
    const int64_t i = thread_number() * WIDE, head = KV_PAGE * p.dim;
    if (i >= p.size)
        return;
    hand<T, back>((T *)p.k_to, (T *)p.k_from, i, below(i % KV_PAGE, p.places), wide);
    hand<T, back>((T *)p.v_to, (T *)p.v_from, i, below(i % head, p.places * p.dim), wide);
}

template <bool back>
static void copy(struct dev *d, struct arr k_pages, struct arr v_pages, int from, int to,
                 int places)
{
    assert(places >= 0 && places <= KV_PAGE && from != to);
    const struct arr k_to = arr_rows(k_pages, to, 1), k_from = arr_rows(k_pages, from, 1);
    const struct arr v_to = arr_rows(v_pages, to, 1), v_from = arr_rows(v_pages, from, 1);
    const struct copying p = {
        k_to.data,        v_to.data, k_from.data, v_from.data, arr_row_size(k_pages),
        k_pages.shape[2], places};
    const bool wide = lie_wide(WIDE, p.size, k_to, k_from, v_to, v_from);
    with_act(k_pages.type, [&](auto t) {
        LAUNCH(d, blocks_for(p.size, THREADS * WIDE), THREADS,
               (kv_copy_kernel<decltype(t), back>), p, wide);
    });
}

void kv_copy_cuda(struct dev *d, struct arr k_pages, struct arr v_pages, int from, int to,
                  int places)
{
    copy<false>(d, k_pages, v_pages, from, to, places);
}

void back_kv_copy_cuda(struct dev *d, struct arr dk_pages, struct arr dv_pages, int from,
                       int to, int places)
{
    copy<true>(d, dk_pages, dv_pages, from, to, places);
}
