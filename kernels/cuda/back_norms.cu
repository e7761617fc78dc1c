/* back_norms.cu: gradients of rmsnorm and layernorm (backward.h). Of the weights first:
 * sums over slabs of vectors, a thread for each column, then over the slabs; then of the
 * inputs, which may take dy's place, a team for each vector (team.h). */
#include "room.h"
#include "team.h"

struct norm_back {
    struct arr dx, dw, db, dy, x, w;
    struct vectors in;
    float eps;
    bool set, wide, w_wide;
    int64_t slab, slabs;   /* vectors in one; how many there are */
    struct moments *stats; /* [vectors] */
    float *sums, *plain;   /* [slabs, dim]: of dw, of db */
};

/* With g = dy w and h = (x - mean) factor: dx = factor (g - [mean of g] - h mean(g h)).
 */
template <bool centred, class Y, class X, int TEAM, int CHUNKS>
__global__ void __launch_bounds__(THREADS) norm_input_kernel(struct norm_back p)
{
    __shared__ float room[WARPS];
    const int64_t v = team_vector<TEAM>(), dim = p.in.dim;
    if (v >= p.in.count)
        return;
    part<X, TEAM, CHUNKS> vector(vector_in<X>(p.x, p.in, v), dim, p.wide);
    part<Y, TEAM, CHUNKS> above(vector_in<Y>(p.dy, p.in, v), dim, p.wide);
    const struct moments m = moments_of<centred>(vector, p.eps, room);
    float sum = 0, slope = 0;
    UNROLL for (int c = 0; c < vector.chunks(); c++)
    {
        const float(&x)[WIDE] = vector.chunk(c);
        const float(&dy)[WIDE] = above.chunk(c);
        float w[WIDE];
        get_vector(w, p.w, vector.place(c), dim, p.w_wide);
        UNROLL for (int j = 0; j < WIDE; j++)
        {
            const float g = dy[j] * w[j]; /* 0 behind the end */
            sum += g;
            slope = fmaf(g, (x[j] - m.mean) * m.factor, slope);
        }
    }
    sum = centred ? team_sum<TEAM>(sum, room) / (float)dim : 0.0f;
    slope = team_sum<TEAM>(slope, room) / (float)dim;
    X *dx = vector_in<X>(p.dx, p.in, v);
    UNROLL for (int c = 0; c < vector.chunks(); c++)
    {
        const int64_t at = vector.place(c);
        const float(&x)[WIDE] = vector.chunk(c);
        const float(&dy)[WIDE] = above.chunk(c);
        float w[WIDE], was[WIDE];
        get_vector(w, p.w, at, dim, p.w_wide);
        if (!p.set)
            get_row(was, dx, at, dim, p.wide);
        UNROLL for (int j = 0; j < WIDE; j++)
        {
            const float h = (x[j] - m.mean) * m.factor;
            const float value = m.factor * (dy[j] * w[j] - sum - h * slope);
            was[j] = p.set ? value : was[j] + value;
        }
        put_row(dx, at, dim, p.wide, was);
    }
}

template <bool centred, class X, int TEAM, int CHUNKS>
__global__ void __launch_bounds__(THREADS) statistics_kernel(struct norm_back p)
{
    __shared__ float room[WARPS];
    const int64_t v = team_vector<TEAM>();
    if (v >= p.in.count)
        return;
    part<X, TEAM, CHUNKS> vector(vector_in<X>(p.x, p.in, v), p.in.dim, p.wide);
    const struct moments m = moments_of<centred>(vector, p.eps, room);
    if (threadIdx.x % TEAM == 0)
        p.stats[v] = m;
}

template <class Y, class X> __global__ void norm_slab_kernel(struct norm_back p)
{
    const int64_t i = thread_number(), first = blockIdx.y * p.slab;
    const int64_t end =
        first + p.slab < p.in.count ? first + p.slab : (int64_t)p.in.count;
    float sum = 0, plain = 0;
    if (i >= p.in.dim)
        return;
    for (int64_t v = first; v < end; v++) {
        const float dy = float_of(vector_in<Y>(p.dy, p.in, v)[i]);
        const float x = float_of(vector_in<X>(p.x, p.in, v)[i]);
        const struct moments m = p.stats[v];
        sum = fmaf(dy, (x - m.mean) * m.factor, sum);
        plain += dy;
    }
    p.sums[blockIdx.y * p.in.dim + i] = sum;
    p.plain[blockIdx.y * p.in.dim + i] = plain;
}

__global__ void norm_weights_kernel(struct norm_back p)
{
    const int64_t i = thread_number();
    float sum = 0, plain = 0;
    if (i >= p.in.dim)
        return;
    for (int64_t s = 0; s < p.slabs; s++) {
        sum += p.sums[s * p.in.dim + i];
        plain += p.plain[s * p.in.dim + i];
    }
    if (p.dw.data)
        ((float *)p.dw.data)[i] += sum;
    if (p.db.data)
        ((float *)p.db.data)[i] += plain;
}

template <bool centred> static void weights_run(struct dev *d, struct norm_back p)
{
    static_assert(sizeof *p.stats == 8, "room_slabs()");
    p.slab = room_slab(p.in.count);
    p.slabs = room_pieces(p.in.count, p.slab);
    const size_t bytes = (size_t)room_slabs(p.in.count, p.in.dim);
    p.stats = (struct moments *)dev_room(d, bytes);
    if (!p.stats)
        return;
    p.sums = (float *)(void *)(p.stats + p.in.count);
    p.plain = p.sums + p.slabs * p.in.dim;
    with_act(p.x.type, [&](auto tx) {
        with_team(p.in, [&](auto team, auto chunks, unsigned blocks) {
            LAUNCH(d, blocks, THREADS,
                   (statistics_kernel<centred, decltype(tx), decltype(team)::value,
                                      decltype(chunks)::value>),
                   p);
        });
    });
    const dim3 grid(blocks_for(p.in.dim, THREADS), (unsigned)p.slabs);
    with_acts(p.dy.type, p.x.type, [&](auto ty, auto tx) {
        LAUNCH(d, grid, THREADS, (norm_slab_kernel<decltype(ty), decltype(tx)>), p);
    });
    LAUNCH(d, blocks_for(p.in.dim, THREADS), THREADS, norm_weights_kernel, p);
    release_cuda(d, p.stats, bytes);
}

template <bool centred>
static void run(struct dev *d, struct arr dx, struct arr dw, struct arr db, struct arr dy,
                struct arr x, struct arr w, float eps, enum grad_mode mode)
{
    struct norm_back p = {};
    p.dx = dx, p.dw = dw, p.db = db, p.dy = dy, p.x = x, p.w = w;
    p.in = vectors_of(x);
    p.eps = eps;
    p.set = mode == GRAD_SET;
    assert(w.shape[0] == p.in.dim && dy.shape[0] == x.shape[0]);
    assert(!dx.data || dx.type == x.type);
    if (p.in.count == 0)
        return;
    p.wide = lie_wide(WIDE, p.in.dim, dx, dy, x);
    p.w_wide = p.in.dim % WIDE == 0 && vector_lies_wide(w);
    if (dw.data || db.data)
        weights_run<centred>(d, p);
    if (!dx.data)
        return;
    with_acts(dy.type, x.type, [&](auto ty, auto tx) {
        with_team(p.in, [&](auto team, auto chunks, unsigned blocks) {
            LAUNCH(d, blocks, THREADS,
                   (norm_input_kernel<centred, decltype(ty), decltype(tx),
                                      decltype(team)::value, decltype(chunks)::value>),
                   p);
        });
    });
}

void back_rmsnorm_cuda(struct dev *d, struct arr dx, struct arr dw, struct arr dy,
                       struct arr x, struct arr w, float eps, enum grad_mode mode)
{
    run<false>(d, dx, dw, arr_none(), dy, x, w, eps, mode);
}

void back_layernorm_cuda(struct dev *d, struct arr dx, struct arr dw, struct arr db,
                         struct arr dy, struct arr x, struct arr w, float eps,
                         enum grad_mode mode)
{
    run<true>(d, dx, dw, db, dy, x, w, eps, mode);
}
