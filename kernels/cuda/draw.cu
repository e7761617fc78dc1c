/* draw.cu: tokens from logits, as engine/sampler.h defines them, one block a token; only
 * the tokens come back to the host.
 *
 * Nothing is sorted: a filter that keeps the k largest, or those behind a part of the
 * probability, needs the one value at which a sum over all smaller values passes a limit.
 * That is found digit by digit: sums by a first digit, which tells logits apart by their
 * distance from the largest (evenly, so that threads seldom meet in one sum), then by
 * three digits of the value's bits among those that share what was found so far. Sums
 * are of whole numbers: the order in which threads add does not matter.
 */
#include "cuda.h"

namespace
{

constexpr unsigned BINS = 2048, DIGIT = 11, GROUP = 64, GROUPS = BINS / GROUP;
constexpr unsigned long long ONE = 1;
typedef unsigned long long count_t;

/* What a block shares. */
struct table {
    count_t bins[BINS], groups[GROUPS];
    count_t below; /* what the search found */
    unsigned found;
};

/* One row, and how it is drawn from. */
struct row {
    const float *logits;
    int n;
    struct draw how;
    float most; /* the largest, penalised */
};

/* Of a value: larger ones have larger keys, and both zeros the same. */
__device__ __forceinline__ uint32_t key_of(float x)
{
    const uint32_t bits = float_bits(x == 0 ? 0.0f : x);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/* Value and place in one number: the largest is of the largest value and, of equals, the
 * lowest id. */
__device__ __forceinline__ count_t place_of(float x, int id)
{
    return (count_t)key_of(x) << 32 | (uint32_t)~id;
}
__device__ __forceinline__ int id_of(count_t place)
{
    return (int)~(uint32_t)place;
}

__device__ __forceinline__ float value_at(const row &r, int id)
{
    return draw_penalised(r.logits[id], r.how.seen ? r.how.seen[id] : 0, &r.how);
}

/* Call f(logit, value, id) with this thread's ids: of all, in turn. A block has few
 * threads for what a row has to be read of, so that each asks for several at a time. */
template <class F> __device__ __forceinline__ void each_value(const row &r, F f)
{
    constexpr int AT_ONCE = 8;
    const int threads = (int)blockDim.x;
    for (int id = (int)threadIdx.x; id < r.n; id += threads * AT_ONCE) {
        float x[AT_ONCE];
        unsigned seen[AT_ONCE] = {};
        UNROLL
        for (int i = 0; i < AT_ONCE; i++)
            x[i] = id + i * threads < r.n ? r.logits[id + i * threads] : 0.0f;
        if (r.how.seen)
            UNROLL
        for (int i = 0; i < AT_ONCE; i++)
            if (id + i * threads < r.n)
                seen[i] = r.how.seen[id + i * threads];
        UNROLL
        for (int i = 0; i < AT_ONCE; i++)
            if (id + i * threads < r.n)
                f(x[i], draw_penalised(x[i], seen[i], &r.how), id + i * threads);
    }
}

/* The first digit. */
__device__ __forceinline__ unsigned bin_of(float x, float most)
{
    float distance = x == most ? 0.0f : most - x;
    return distance < 31.9f ? BINS - 1 - (unsigned)(distance * 64) : 0;
}

__device__ __forceinline__ unsigned warps()
{
    return blockDim.x / LANES;
}

/* The largest of all threads' numbers, in every thread. */
__device__ count_t block_most(table &t, count_t x)
{
    unsigned warp = threadIdx.x / LANES, lane = threadIdx.x % LANES;
    for (int l = LANES / 2; l > 0; l /= 2) {
        count_t other = __shfl_xor_sync(0xffffffffu, x, l);
        x = other > x ? other : x;
    }
    if (lane == 0)
        t.groups[warp] = x;
    __syncthreads();
    count_t most = 0;
    for (unsigned w = 0; w < warps(); w++) most = t.groups[w] > most ? t.groups[w] : most;
    __syncthreads();
    return most;
}

__device__ void bins_clear(table &t)
{
    for (unsigned i = threadIdx.x; i < BINS; i += blockDim.x) t.bins[i] = 0;
    __syncthreads();
}

/* Sums of the bins, GROUP by GROUP, and in all. */
__device__ count_t bins_total(table &t)
{
    unsigned lane = threadIdx.x % LANES;
    __syncthreads();
    for (unsigned g = threadIdx.x / LANES; g < GROUPS; g += warps()) {
        count_t sum =
            warp_sum(t.bins[g * GROUP + lane] + t.bins[g * GROUP + LANES + lane]);
        if (lane == 0)
            t.groups[g] = sum;
    }
    __syncthreads();
    count_t total = 0;
    for (unsigned g = 0; g < GROUPS; g++) total += t.groups[g];
    return total;
}

/* A warp's numbers, one a lane: the first lane with which their sum passes limit, and the
 * sum of those before it. */
__device__ unsigned warp_pass(count_t x, count_t limit, count_t *below)
{
    unsigned lane = threadIdx.x % LANES;
    count_t sum = x;
    for (unsigned l = 1; l < LANES; l *= 2) {
        count_t before = __shfl_sync(0xffffffffu, sum, (int)((lane - l) % LANES));
        sum += lane >= l ? before : 0;
    }
    /* sums ascend, so those that do not pass come first */
    unsigned first = (unsigned)warp_sum((int)(sum <= limit));
    first = first < LANES ? first : LANES - 1;
    count_t whole = __shfl_sync(0xffffffffu, sum, (int)first);
    *below = whole - __shfl_sync(0xffffffffu, x, (int)first);
    return first;
}

/* The first bin with which the sum of bins passes limit, which that of all does;
 * bins_total() came before. *below: the sum of those before it. */
__device__ unsigned bins_pass(table &t, count_t limit, count_t *below)
{
    if (threadIdx.x < LANES) {
        count_t before, half;
        unsigned lane = threadIdx.x;
        unsigned g = warp_pass(t.groups[lane], limit, &before);
        count_t low = t.bins[g * GROUP + lane], high = t.bins[g * GROUP + LANES + lane];
        count_t lows = warp_sum(low);
        bool in_high = before + lows <= limit;
        before += in_high ? lows : 0;
        unsigned at = warp_pass(in_high ? high : low, limit - before, &half);
        if (lane == 0) {
            t.found = g * GROUP + (in_high ? LANES : 0) + at;
            t.below = before + half;
        }
    }
    __syncthreads();
    unsigned found = t.found;
    *below = t.below;
    __syncthreads();
    return found;
}

/* Of values with a key of at least `least`, each with a measure: the key at which the sum
 * of measures, of smaller values first, passes the limit that limit_of(sum of all) gives.
 * *left: the limit, less the sum of all smaller values' measures. 0 if all sum is 0. */
template <class Measure, class Limit>
__device__ uint32_t passing_key(table &t, const row &r, uint32_t least, Measure measure,
                                Limit limit_of, count_t *left)
{
    count_t limit, below;
    bins_clear(t);
    each_value(r, [&](float, float x, int) {
        const count_t much = key_of(x) >= least ? (count_t)measure(x) : 0;
        if (much > 0)
            atomicAdd(&t.bins[bin_of(x, r.most)], much);
    });
    count_t total = bins_total(t);
    *left = 0;
    if (total == 0)
        return 0;
    limit = limit_of(total);
    unsigned bin = bins_pass(t, limit, &below);
    limit -= below;
    uint32_t key = 0;
    for (int shift = 32 - (int)DIGIT; shift > -(int)DIGIT; shift -= (int)DIGIT) {
        /* 11, 11 and 10 bits: the last digit begins at bit 0 */
        unsigned low = shift > 0 ? (unsigned)shift : 0,
                 wide = shift < 0 ? DIGIT - 1 : DIGIT;
        uint32_t known = low + wide < 32 ? ~0u << (low + wide) : 0;
        bins_clear(t);
        each_value(r, [&](float, float x, int) {
            const uint32_t of = key_of(x);
            if (of >= least && bin_of(x, r.most) == bin && (of & known) == key)
                atomicAdd(&t.bins[of >> low & ((1u << wide) - 1)], (count_t)measure(x));
        });
        bins_total(t);
        key |= bins_pass(t, limit, &below) << low;
        limit -= below;
    }
    *left = limit;
    return key;
}

/* Which values are left: those above a key, and of those with that key the ones from an
 * id on. */
struct kept {
    uint32_t key;
    int from;
};

__device__ __forceinline__ bool keeps(const row &r, const kept &k, float x, int id)
{
    uint32_t key = key_of(x);
    if (key < k.key || (key == k.key && id < k.from))
        return false;
    return r.how.min_p <= 0 || draw_chance(x, r.most) >= r.how.min_p;
}

/* The id of the value number `skip`, from 0, of those with a key. */
__device__ int nth_of_key(table &t, const row &r, uint32_t key, count_t skip)
{
    for (int first = 0;; first += (int)BINS) {
        bins_clear(t);
        for (unsigned i = threadIdx.x; i < BINS && first + (int)i < r.n; i += blockDim.x)
            t.bins[i] = key_of(value_at(r, first + (int)i)) == key;
        count_t below, here = bins_total(t);
        if (skip < here)
            return first + (int)bins_pass(t, skip, &below);
        skip -= here;
        __syncthreads();
    }
}

__device__ kept filter(table &t, const row &r)
{
    kept k = {0, 0};
    count_t left;
    if (r.how.top_k > 0 && r.how.top_k < r.n)
        k.key = passing_key(
            t, r, 0, [](float) { return ONE; },
            [&](count_t n) { return n - (count_t)r.how.top_k; }, &left);
    if (r.how.top_p < 1) {
        uint32_t key = passing_key(
            t, r, k.key, [&](float x) { return draw_weight(x, r.most); },
            [&](count_t sum) { return draw_part(1 - r.how.top_p, sum); }, &left);
        k.key = key > k.key ? key : k.key;
        if (key > 0) {
            float x; /* of that key */
            uint32_t bits = key & 0x80000000u ? key & 0x7fffffffu : ~key;
            memcpy(&x, &bits, sizeof x);
            count_t skip = left / draw_weight(x, r.most);
            k.from = skip > 0 ? nth_of_key(t, r, key, skip) : 0;
        }
    }
    return k;
}

/* The first id with which the sum of weights passes a part of their sum. */
__device__ int drawn_id(table &t, const row &r, const kept &k)
{
    unsigned lane = threadIdx.x % LANES;
    int strip = (r.n + (int)BINS - 1) / (int)BINS; /* ids of a bin */
    strip = (strip + LANES - 1) / LANES * LANES;
    bins_clear(t);
    for (int s = (int)(threadIdx.x / LANES); s * strip < r.n; s += (int)warps()) {
        count_t sum = 0;
        for (int i = s * strip + (int)lane; i < (s + 1) * strip && i < r.n; i += LANES) {
            float x = value_at(r, i);
            sum += keeps(r, k, x, i) ? draw_weight(x, r.most) : 0;
        }
        sum = warp_sum(sum);
        if (lane == 0)
            t.bins[s] = sum;
    }
    count_t total = bins_total(t), below;
    if (total == 0)
        return 0;
    count_t want = draw_part(r.how.unit, total);
    int at = (int)bins_pass(t, want, &below) * strip, id = 0;
    want -= below;
    for (int end = at + strip; threadIdx.x < LANES && at < end; at += LANES) {
        int i = at + (int)lane;
        float x = i < r.n ? value_at(r, i) : 0;
        count_t weight = i < r.n && keeps(r, k, x, i) ? draw_weight(x, r.most) : 0;
        count_t here = warp_sum(weight);
        if (here > want) {
            id = at + (int)warp_pass(weight, want, &below);
            break;
        }
        want -= here;
    }
    return id; /* of the first warp */
}

/* Ids and logits of the largest, one after the other. */
__device__ void largest(table &t, const row &r, struct drawn *to, int top)
{
    count_t last = ~(count_t)0;
    for (int j = 0; j < top; j++) {
        count_t best = 0;
        each_value(r, [&](float logit, float, int i) {
            const count_t place = place_of(logit, i);
            best = place < last && place > best ? place : best;
        });
        last = block_most(t, best);
        if (threadIdx.x == 0)
            to[j] = {id_of(last), r.logits[id_of(last)]};
    }
}

__global__ void __launch_bounds__(1024)
    draw_kernel(struct drawn *drawn, struct arr logits, const struct draw *how, int top)
{
    __shared__ table t;
    row r = {NULL, (int)logits.shape[1], how[blockIdx.x], 0};
    r.logits = row_of<const float>(logits, r.how.row);
    drawn += (int64_t)blockIdx.x * (1 + top);
    count_t best = 0;
    bool finite = true;
    each_value(r, [&](float logit, float x, int i) {
        finite &= fabsf(logit) <= 3.402823466e38f;
        const count_t place = place_of(x, i);
        best = place > best ? place : best;
    });
    best = block_most(t, best);
    if (block_most(t, !finite)) {
        for (int j = (int)threadIdx.x; j <= top; j += (int)blockDim.x) drawn[j] = {-1, 0};
        return;
    }
    int id = id_of(best);
    if (r.how.temperature > 0) {
        r.most = value_at(r, id);
        id = drawn_id(t, r, filter(t, r));
    }
    if (threadIdx.x == 0) {
        drawn[0] = {id, r.logits[id]};
        if (r.how.seen)
            r.how.seen[id] |= DRAW_SEEN | DRAW_IN_OUTPUT;
    }
    __syncthreads();
    largest(t, r, drawn + 1, top);
}

} // namespace

void draw_cuda(struct dev *d, struct drawn *drawn, struct arr logits,
               const struct draw *how, int count, int top)
{
    size_t asked = (size_t)count * sizeof *how,
           out = (size_t)count * (size_t)(1 + top) * sizeof *drawn;
    assert(logits.type == ARR_F32 && logits.shape[1] <= DRAW_VOCAB_MAX);
    if (count == 0)
        return;
    char *room = (char *)dev_room(d, asked + out);
    if (!room)
        return;
    struct arr list = {d, room, ARR_U8, 1, {(int64_t)asked}, 1};
    struct arr back = {d, room + asked, ARR_U8, 1, {(int64_t)out}, 1};
    upload_cuda(d, list, how);
    LAUNCH(d, (unsigned)count, logits.shape[1] > 8192 ? 1024 : THREADS, draw_kernel,
           (struct drawn *)back.data, logits, (const struct draw *)list.data, top);
    download_cuda(d, drawn, back);
    release_cuda(d, room, asked + out);
}
