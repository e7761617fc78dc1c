/* product_few.cu: products with few rows of b, as in decoding (product.h): what takes
 * time is reading the weights, so each byte of them is read once, by 16 bytes a lane, and
 * many reads are on their way at a time.
 *
 * A block has 16 RT rows of weights and all TT * 8 rows of b; each warp sums one strip of
 * the depth, in steps of DEEP. Its tiles are its own, so it waits for nobody until the
 * strips are added. bf16 comes by asynchronous copies. Other types, with up to eight
 * rows: each lane has 32 numbers of one row at a step (a block of ggml's smaller formats,
 * an eighth of the larger), which wait in registers as they are stored, AHEAD steps
 * before they are turned to bf16; the types that runs.h does not have are the slow way.
 * (Q8_0 and Q4_K: product_blocks.cu.) */
#include "few.h"

#include "mma.h"

#include <type_traits>

/* RT, TT: tiles of 16 rows of weights and of 8 rows of b; room: bytes for the stages. */
template <int tt, int room = SHARED_BYTES> struct shape {
    static constexpr int TT = tt, RT = tt <= 2 ? 1 : 2, DEEP = STEP / RT,
                         PIECES = DEEP / 8;
    static constexpr int A = RT * 16 * DEEP, B = TT * 8 * DEEP; /* numbers of a stage */
    static constexpr int BYTES = (A + B) * 2 * WARPS;
    static constexpr int STAGES = room / BYTES < 4 ? room / BYTES : 4;
    static_assert(RT * 16 * DEEP == LANES * RUN, "a run for each lane");
    static_assert(STAGES >= 2 && strips_bytes(RT, TT) <= STAGES * BYTES, "room");
};

/* -- Weights as they come --------------------------------------------------------------
 */

/* By warp_fetch(): the rest is not called. */
struct run_copied {
    static constexpr int AHEAD = 1;
    __device__ void load(const struct runs &, int64_t, int64_t, int64_t)
    {
    }
};

/* Of any type, at any address: nothing is read ahead, and number by number, which is the
 * slow way; kept small. */
struct run_any {
    static constexpr int AHEAD = 1;
    const char *from;
    enum arr_type type;
    int64_t k0, end;

    __device__ void load(const struct runs &a, int64_t n, int64_t k, int64_t to)
    {
        from = (const char *)a.a.data + n * a.bytes;
        type = a.a.type;
        k0 = k;
        end = n < a.a.shape[0] ? to : 0;
    }
};

/* A run to row `row` of a tile, `piece` being its first. */
template <int PIECES, class W>
__device__ __forceinline__ void run_put(uint16_t *tile, int row, int piece, const W &run)
{
    uint32_t pair[RUN / 2];
    run.pairs(pair);
    UNROLL
    for (int q = 0; q < 4; q++)
        *(uint4 *)(void *)(tile + piece_at<PIECES>(row, piece + q) * 8) =
            make_uint4(pair[q * 4], pair[q * 4 + 1], pair[q * 4 + 2], pair[q * 4 + 3]);
}

template <int PIECES>
__device__ __forceinline__ void run_put(uint16_t *tile, int row, int piece,
                                        const struct run_any &run)
{
    ROLLED
    for (int i = 0; i < RUN; i++)
        tile[piece_at<PIECES>(row, piece + i / 8) * 8 + i % 8] = float_bf16(
            run.k0 + i < run.end ? any_at(run.type, run.from, run.k0 + i) : 0.0f);
}

template <int PIECES>
__device__ __forceinline__ void run_put(uint16_t *, int, int, const struct run_copied &)
{
}

/* -- The kernel ------------------------------------------------------------------------
 */

/* One step of a warp's strip: sum += a b. */
template <class S>
__device__ __forceinline__ void step_sum(float sum[S::RT][S::TT][4], const uint16_t *a,
                                         const uint16_t *b)
{
    const int lane = (int)threadIdx.x % LANES, row = lane % 8, low = lane / 8 % 2,
              high = lane / 16;
    uint32_t fa[4], fb[(S::TT + 1) / 2][4];
    UNROLL
    for (int k = 0; k < S::DEEP / 16; k++) {
        if (S::TT == 1 && k % 2 == 0) /* of one tile two pairs of eight of the depth */
            ldmatrix_x4(fb[0], b + piece_at<S::PIECES>(row, k * 2 + lane / 8) * 8);
        UNROLL
        for (int t = 0; t < S::TT / 2; t++)
            ldmatrix_x4(
                fb[t], b + piece_at<S::PIECES>(t * 16 + high * 8 + row, k * 2 + low) * 8);
        UNROLL
        for (int m = 0; m < S::RT; m++) {
            ldmatrix_x4(
                fa, a + piece_at<S::PIECES>(m * 16 + low * 8 + row, k * 2 + high) * 8);
            UNROLL
            for (int t = 0; t < S::TT; t++)
                mma_bf16(sum[m][t], fa, fb[t / 2] + (S::TT == 1 ? k % 2 : t % 2) * 2);
        }
    }
}

template <class W, class S>
__global__ void __launch_bounds__(THREADS)
    product_few_kernel(PARAMETER struct few_group g)
{
    const int number = few_number(g);
    const struct few &p = g.one[number];
    constexpr bool COPIED = std::is_same<W, struct run_copied>::value;
    SHARED_ROOM(uint16_t, room);
    const int lane = (int)threadIdx.x % LANES, warp = (int)threadIdx.x / LANES;
    const int64_t i0 = (int64_t)(blockIdx.x - g.first[number]) * S::RT * 16;
    const int64_t each = strip_steps(p.depth);
    const int64_t begin = warp * each * STEP, left = (steps_of(p.depth) - warp * each);
    const int64_t steps = (left < each ? left : each) * (STEP / S::DEEP);
    const int64_t strip = begin + steps * S::DEEP,
                  end = strip < p.depth ? strip : p.depth;
    const struct halves a = {(const uint16_t *)p.a.a.data, p.a.a.shape[0], p.depth,
                             p.a.a.stride};
    uint16_t *const mine = room + warp * S::STAGES * (S::A + S::B);
    /* this lane's run of a step */
    constexpr int RUNS = S::DEEP / RUN;
    const int run_row = lane / RUNS, run_piece = lane % RUNS * 4;
    const int64_t run_n = i0 + run_row, run_k = begin + lane % RUNS * RUN;
    W run[W::AHEAD];
    float sum[S::RT][S::TT][4] = {};

    UNROLL
    for (int s = 0; s < S::STAGES - 1; s++) {
        uint16_t *stage = mine + s * (S::A + S::B);
        if (s < steps && COPIED)
            warp_fetch<S::RT * 16, S::PIECES>(stage, a, i0, begin + s * S::DEEP);
        if (s < steps)
            warp_fetch<S::TT * 8, S::PIECES>(stage + S::A, p.b, 0, begin + s * S::DEEP);
        copies_commit();
    }
    UNROLL
    for (int u = 0; u < W::AHEAD; u++) run[u].load(p.a, run_n, run_k + u * S::DEEP, end);
    for (int64_t s0 = 0; s0 < steps; s0 += W::AHEAD) UNROLL
    for (int u = 0; u < W::AHEAD; u++) {
        const int64_t s = s0 + u, next = s + S::STAGES - 1;
        if (s >= steps)
            break;
        uint16_t *stage = mine + s % S::STAGES * (S::A + S::B);
        copies_wait<S::STAGES - 2>();
        if (!COPIED) {
            run_put<S::PIECES>(stage, run_row, run_piece, run[u]);
            run[u].load(p.a, run_n, run_k + (s + W::AHEAD) * S::DEEP, end);
        }
        __syncwarp(); /* all lanes have it, and are done with the stage filled next */
        uint16_t *other = mine + next % S::STAGES * (S::A + S::B);
        if (next < steps && COPIED)
            warp_fetch<S::RT * 16, S::PIECES>(other, a, i0, begin + next * S::DEEP);
        if (next < steps)
            warp_fetch<S::TT * 8, S::PIECES>(other + S::A, p.b, 0,
                                             begin + next * S::DEEP);
        copies_commit();
        step_sum<S>(sum, stage, stage + S::A);
    }

    strips_put<S::RT, S::TT>(p, (float *)(void *)room, i0, sum);
}

template <class W, class S>
static void launch(struct dev *d, const struct few *list, int count)
{
    struct few_group g;
    const unsigned blocks = few_blocks(g, list, count, S::RT * 16);
    LAUNCH_SHARED(d, blocks, THREADS, S::STAGES * S::BYTES, (product_few_kernel<W, S>),
                  g);
}

static void launch_copied(struct dev *d, const struct few *list, int count)
{
    const int64_t rows = list->r.out.shape[0];
    if (rows <= 8)
        launch<struct run_copied, shape<1>>(d, list, count);
    else if (rows <= 16)
        launch<struct run_copied, shape<2>>(d, list, count);
    else if (rows <= 32)
        launch<struct run_copied, shape<4>>(d, list, count);
    else if (d->shared >= SHARED_MORE)
        launch<struct run_copied, shape<8, SHARED_MORE>>(d, list, count);
    else
        launch<struct run_copied, shape<8>>(d, list, count);
}

/* Up to eight rows: weights of any type as they are. */
static void launch_eight(struct dev *d, const struct few &p)
{
    if (product_blocks(d, &p, 1))
        return;
    switch (runs_type(p.a.a)) {
    case ARR_F32: launch<struct run_f32, shape<1>>(d, &p, 1); break;
    case ARR_F16: launch<struct run_f16, shape<1>>(d, &p, 1); break;
    case ARR_Q8_0: launch<struct run_q8_0, shape<1>>(d, &p, 1); break;
    case ARR_Q6_K: launch<struct run_q6_k, shape<1>>(d, &p, 1); break;
    default: launch<struct run_any, shape<1>>(d, &p, 1);
    }
}

/* More rows: weights that are not bf16 are turned to it first, in parts, which are read
 * again while they are in the L2 cache. */
static void launch_turned(struct dev *d, const struct few &p)
{
    const int64_t all = p.r.out.shape[1], most = product_part(p.depth);
    for (int64_t i = 0; i < all; i += most) {
        const int64_t count = all - i < most ? all - i : most;
        struct product_room room;
        struct few some = p;
        const struct halves a = halves_of(d, arr_rows(p.a.a, i, count), &room);
        some.r = results_part(p.r, i, count);
        some.a.a.data = (void *)(uintptr_t)a.data;
        some.a.a.type = ARR_BF16;
        some.a.a.shape[0] = count;
        some.a.a.stride = a.stride;
        if (a.data)
            launch_copied(d, &some, 1);
        product_room_free(d, &room);
    }
}

void product_few(struct dev *d, struct results r, struct arr a, struct arr b)
{
    struct product_room room;
    struct few p = {runs_of(a), halves_of(d, b, &room), r, a.shape[1]};
    assert(r.out.shape[0] <= FEW);
    if (r.out.shape[0] == 0 || r.out.shape[1] == 0 || !p.b.data)
        ; /* nothing to do, or no memory, which sync() tells */
    else if (halves_fit(a))
        launch_copied(d, &p, 1);
    else if (r.out.shape[0] <= 8)
        launch_eight(d, p);
    else
        launch_turned(d, p);
    product_room_free(d, &room);
}

bool products_few(struct dev *d, const struct matmul_part *parts, int count, struct arr x)
{
    struct few list[MATMUL_PARTS];
    bool copied = true;
    if (x.shape[0] == 0 || x.shape[0] > FEW || !halves_fit(x))
        return false;
    for (int i = 0; i < count; i++) {
        const struct matmul_part &m = parts[i];
        copied &= halves_fit(m.w);
        if (m.w.shape[0] == 0)
            return false;
        list[i] = {runs_of(m.w),
                   {(const uint16_t *)x.data, x.shape[0], x.shape[1], x.stride},
                   {m.y, m.bias, false},
                   x.shape[1]};
    }
    if (!copied)
        return product_blocks(d, list, count);
    launch_copied(d, list, count);
    return true;
}
