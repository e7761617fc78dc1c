/* norms.cu: rmsnorm and layernorm (kernels.h), a team for each vector (team.h). */
#include "team.h"

struct norm {
    struct arr y, x, w, b;
    struct vectors in;
    float eps;
    bool wide, weights_wide;
};

template <bool centred, class Y, class X, int TEAM, int CHUNKS>
__global__ void __launch_bounds__(THREADS) norm_kernel(struct norm p)
{
    __shared__ float room[WARPS];
    const int64_t v = team_vector<TEAM>();
    if (v >= p.in.count)
        return;
    part<X, TEAM, CHUNKS> vector(vector_in<X>(p.x, p.in, v), p.in.dim, p.wide);
    Y *y = vector_in<Y>(p.y, p.in, v);
    const struct moments m = moments_of<centred>(vector, p.eps, room);
    UNROLL for (int c = 0; c < vector.chunks(); c++)
    {
        const int64_t at = vector.place(c);
        float(&x)[WIDE] = vector.chunk(c), w[WIDE], b[WIDE];
        get_vector(w, p.w, at, p.in.dim, p.weights_wide);
        if (centred)
            get_vector(b, p.b, at, p.in.dim, p.weights_wide);
        UNROLL for (int j = 0; j < WIDE; j++) x[j] =
            centred ? (x[j] - m.mean) * m.factor * w[j] + b[j] : x[j] * m.factor * w[j];
        put_row(y, at, p.in.dim, p.wide, x);
    }
}

template <bool centred>
static void run(struct dev *d, struct arr y, struct arr x, struct arr w, struct arr b,
                float eps)
{
    struct norm p = {y, x, w, b, vectors_of(x), eps, false, false};
    assert(w.shape[0] == p.in.dim && y.shape[0] == x.shape[0]);
    assert(arr_row_size(y) == arr_row_size(x));
    if (p.in.count == 0)
        return;
    p.wide = lie_wide(WIDE, p.in.dim, y, x);
    p.weights_wide = p.in.dim % WIDE == 0 && vector_lies_wide(w) && vector_lies_wide(b);
    with_acts(y.type, x.type, [&](auto ty, auto tx) {
        with_team(p.in, [&](auto team, auto chunks, unsigned blocks) {
            LAUNCH(d, blocks, THREADS,
                   (norm_kernel<centred, decltype(ty), decltype(tx),
                                decltype(team)::value, decltype(chunks)::value>),
                   p);
        });
    });
}

void rmsnorm_cuda(struct dev *d, struct arr y, struct arr x, struct arr w, float eps)
{
    run<false>(d, y, x, w, arr_none(), eps);
}

void layernorm_cuda(struct dev *d, struct arr y, struct arr x, struct arr w, struct arr b,
                    float eps)
{
    assert(b.shape[0] == w.shape[0]);
    run<true>(d, y, x, w, b, eps);
}
