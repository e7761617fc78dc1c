/* product.h: products of bf16 on tensor cores: their one order of summation, their tile
 * sizes, and what their files share.
 *
 * All are one sum, out[j][i] (+)= sum over k of a(i, k) b(j, k) (+ bias[i]), a being the
 * m16 side of mma.sync and b the n8 side, whatever their number. The depth is cut into
 * steps of STEP and these into at most STRIPS strips of as many steps each, which depends
 * on the depth alone. A strip is summed by mma, 16 of the depth at a time, ascending,
 * from zero; then the strips' sums are added in float32, ascending, to zero; then come
 * bias, what was there, and the one rounding to out's type. So every number has the same
 * bits whether a warp has one strip (product_few) or all, one after the other
 * (product_many).
 *
 * Numbers of other types, blocks too, are turned to bf16 first, to nearest even: blocks
 * as the floats they stand for. */
#ifndef CUDA_PRODUCT_H
#define CUDA_PRODUCT_H
#include "cuda.h"

constexpr int STEP = 64, STRIPS = WARPS;
constexpr int FEW = 64;   /* so many rows at most are product_few's */
constexpr int FEW_LT = 8; /* where cuBLASLt may do the others */
/* A tile of the result has this side, and a small one where large ones are too few to
 * occupy a GPU. */
constexpr int TILE = 128, TILE_SMALL = 64, TILES_ENOUGH = 128;
/* Of one block: what every GPU since compute capability 8.0 has for it. */
constexpr int SHARED_BYTES = 96 << 10;
/* What those since 9.0 have where 96 KiB would be but two stages. */
constexpr int SHARED_MORE = 192 << 10;

__host__ __device__ __forceinline__ int64_t steps_of(int64_t depth)
{
    return (depth + STEP - 1) / STEP;
}
/* Steps of one strip (the last has the rest). */
__host__ __device__ __forceinline__ int64_t strip_steps(int64_t depth)
{
    return (steps_of(depth) + STRIPS - 1) / STRIPS;
}

/* Rows of bf16 that copies of 16 bytes can take: data at a multiple of 16, columns and
 * stride of 8. */
struct halves {
    const uint16_t *data;
    int64_t rows, columns, stride;
};

/* Where the results go. */
struct results {
    struct arr out;  /* [j, i] f32 or bf16 */
    struct arr bias; /* [i] of any float type, or absent */
    bool add;        /* to what is there */
};

__device__ __forceinline__ void result_put(const struct results &r, int64_t j, int64_t i,
                                           float sum)
{
    if (r.bias.data)
        sum += vector_at(r.bias, i);
    if (r.out.type == ARR_F32) {
        float *to = row_of<float>(r.out, j) + i;
        *to = r.add ? *to + sum : sum;
    } else {
        uint16_t *to = row_of<uint16_t>(r.out, j) + i;
        *to = float_bf16(r.add ? bf16_float(*to) + sum : sum);
    }
}

/* Where piece `piece` (16 bytes) of a row of `pieces` (4, or a multiple of 8) lies in a
 * tile in shared memory: turned about so that the same piece of eight rows, and eight
 * pieces of a row, are in different banks. */
template <int pieces> __device__ __forceinline__ int piece_at(int row, int piece)
{
    return row * pieces + (piece ^ (pieces == 4 ? row >> 1 & 3 : row & 7));
}

/* Which product: how a and b lie. */
enum product_form {
    PRODUCT,   /* a [i, k], b [j, k]: y = x w^T with a = w, b = x */
    PRODUCT_X, /* a [k, i], b [j, k]: dx = dy w with a = w, b = dy */
    PRODUCT_W  /* a [k, i], b [k, j]: dw = dy^T x with a = x, b = dy */
};

/* Rows of any type as halves: themselves where they can be, else a copy in *room, which
 * product_room_free() gives back (after the launch that reads it). */
struct product_room {
    void *data;
    size_t bytes;
};
struct halves halves_of(struct dev *d, struct arr from, struct product_room *room);
void product_room_free(struct dev *d, struct product_room *room);
bool halves_fit(struct arr a); /* no copy is needed */
/* A vector's elements as numbers of another float type, one after the other. */
void numbers_turn(struct dev *d, void *to, enum arr_type type, struct arr from);

/* How many rows (or columns) of a are turned to bf16 at a time: what is read again while
 * it is in the L2 cache, a multiple of any tile and of any block. On the host little, so
 * that tests see parts. */
#ifdef CUDA_ON_HOST
constexpr int64_t TURNED_BYTES = 64 << 10;
#else
constexpr int64_t TURNED_BYTES = 32 << 20;
#endif
static inline int64_t product_part(int64_t depth)
{
    const int64_t count = TURNED_BYTES / 2 / (depth > 0 ? depth : 1) / 256 * 256;
    return count > 256 ? count : 256;
}
static inline struct results results_part(struct results r, int64_t i, int64_t count)
{
    r.out = arr_columns(r.out, i, count);
    if (r.bias.data)
        r.bias = arr_rows(r.bias, i, count);
    return r;
}

/* Any number of rows and columns; a is turned to bf16 in parts of bounded size. */
void product_many(struct dev *d, struct results r, struct arr a, struct arr b,
                  enum product_form form);
/* PRODUCT with few rows of b (<= FEW): a, the weights, are read once, straight from
 * blocks. */
void product_few(struct dev *d, struct results r, struct arr a, struct arr b);
/* matmuls() with few rows in one grid, where nothing has to be copied first; false: not
 * so, and nothing is done. */
bool products_few(struct dev *d, const struct matmul_part *parts, int count,
                  struct arr x);
#endif
