/* beside.cu: work beside the rest, in a stream of its own (kernels.h). Memory may be
 * taken in one stream and given back in the other: what is in between is joined by then,
 * and the driver's pool keeps account of what it hands from stream to stream (arena.h).
 */
#include "cuda.h"

#include "lt.h"

struct beside {
    cudaEvent_t end;
    struct beside *next; /* of those to spare */
};

static void courses_change(struct dev *d)
{
    struct course *now = d, other = d->other;
    d->other = *now;
    *now = other;
}

/* 0 is the least urgent: a decoding step has few blocks, and would wait behind a tower's
 * many. */
static cudaError_t other_open(struct dev *d)
{
    if (d->other.stream)
        return cudaSuccess;
    cudaError_t error = course_open(&d->other, 0);
    if (error == cudaSuccess)
        error = cudaEventCreateWithFlags(&d->turn, cudaEventDisableTiming);
    if (error != cudaSuccess)
        course_close(&d->other);
    return error;
}

/* One to spare, or new. Their events are used again rather than made for each: that a GPU
 * has not come to one yet does not matter. */
static struct beside *beside_take(struct dev *d)
{
    struct beside *b = d->spare;
    if (b) {
        d->spare = b->next;
        return b;
    }
    b = (struct beside *)calloc(1, sizeof *b);
    if (b && cudaEventCreateWithFlags(&b->end, cudaEventDisableTiming) == cudaSuccess)
        return b;
    free(b);
    return NULL;
}

struct beside *beside_begin_cuda(struct dev *d)
{
    assert(!d->recording && !d->is_beside);
    dev_use(d);
    struct beside *b = other_open(d) == cudaSuccess ? beside_take(d) : NULL;
    if (!b) {
        cudaGetLastError(); /* told by the NULL: not the device's failure */
        return NULL;
    }
    dev_checked(d, cudaEventRecord(d->turn, d->stream), "an event");
    dev_checked(d, cudaStreamWaitEvent(d->other.stream, d->turn, 0), "an event");
    courses_change(d);
    d->is_beside = true;
    return b;
}

void beside_end_cuda(struct dev *d, struct beside *b)
{
    dev_use(d);
    dev_checked(d, cudaEventRecord(b->end, d->stream), "an event");
    courses_change(d);
    d->is_beside = false;
}

bool beside_done_cuda(struct dev *d, const struct beside *b)
{
    dev_use(d);
    cudaError_t error = cudaEventQuery(b->end);
    if (error == cudaErrorNotReady)
        cudaGetLastError(); /* no failure, but remembered as one */
    else
        dev_checked(d, error, "work beside the rest");
    return error != cudaErrorNotReady;
}

void beside_join_cuda(struct dev *d, struct beside *b)
{
    dev_use(d);
    dev_checked(d, cudaStreamWaitEvent(d->stream, b->end, 0), "an event");
    b->next = d->spare;
    d->spare = b;
}

void beside_close(struct dev *d)
{
    while (d->spare) {
        struct beside *b = d->spare;
        d->spare = b->next;
        cudaEventDestroy(b->end);
        free(b);
    }
    if (d->turn)
        cudaEventDestroy(d->turn);
    if (!d->other.stream)
        return;
    courses_change(d);
    lt_close(d);
    courses_change(d);
    course_close(&d->other);
}
