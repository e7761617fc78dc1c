/* record.cu: work that is recorded once and asked for again in one call: CUDA's graphs.
 *
 * What operations take for themselves while they are recorded cannot come and go with
 * each replay: it stays the recording's, and serves one operation after the other.
 */
#include "cuda.h"

struct piece {
    void *data;
    size_t bytes;
    bool used; /* by an operation that is being recorded */
};

struct recording {
    cudaGraphExec_t exec;
    struct piece *pieces; /* [count], owned */
    int count, cap;
};

static void recording_free(struct dev *d, struct recording *r)
{
    if (r->exec) {
        cudaStreamSynchronize(d->stream);
        cudaGraphExecDestroy(r->exec);
    }
    for (int i = 0; i < r->count; i++)
        arena_give(&d->arena, r->pieces[i].data, r->pieces[i].bytes, d->stream);
    free(r->pieces);
    free(r);
}

bool record_cuda(struct dev *d)
{
    assert(!d->recording);
    struct recording *r = (struct recording *)calloc(1, sizeof *r);
    dev_use(d);
    if (!r || d->error != cudaSuccess ||
        cudaStreamBeginCapture(d->stream, cudaStreamCaptureModeRelaxed) != cudaSuccess) {
        cudaGetLastError();
        free(r);
        return false;
    }
    d->recording = r;
    return true;
}

struct recording *recorded_cuda(struct dev *d)
{
    struct recording *r = d->recording;
    cudaGraph_t graph = NULL;
    dev_use(d);
    cudaError_t error = cudaStreamEndCapture(d->stream, &graph);
    d->recording = NULL;
    if (error == cudaSuccess)
        error = cudaGraphInstantiate(&r->exec, graph, 0);
    if (graph)
        cudaGraphDestroy(graph);
    const cudaError_t there = cudaStreamSynchronize(d->apart); /* the pieces are */
    error = error == cudaSuccess ? there : error;
    if (error == cudaSuccess && d->error == cudaSuccess)
        return r;
    if (d->recording_short) { /* of memory for it: the work itself may do with less */
        d->error = cudaSuccess;
        d->recording_short = false;
    }
    cudaGetLastError();
    recording_free(d, r);
    return NULL;
}

void replay_cuda(struct dev *d, struct recording *r)
{
    dev_use(d);
    dev_checked(d, cudaGraphLaunch(r->exec, d->stream), "recorded work");
}

void forget_cuda(struct dev *d, struct recording *r)
{
    dev_use(d);
    recording_free(d, r);
}

void *recording_take(struct dev *d, size_t bytes)
{
    struct recording *r = d->recording;
    for (int i = 0; i < r->count; i++)
        if (!r->pieces[i].used && r->pieces[i].bytes == bytes) {
            r->pieces[i].used = true;
            return r->pieces[i].data;
        }
    if (r->count == r->cap) {
        int cap = r->cap ? 2 * r->cap : 8;
        void *list = realloc(r->pieces, (size_t)cap * sizeof *r->pieces);
        if (!list)
            return NULL;
        r->pieces = (struct piece *)list;
        r->cap = cap;
    }
    void *data = arena_take(&d->arena, bytes, d->apart); /* not in the graph */
    if (data)
        r->pieces[r->count++] = {data, bytes, true};
    return data;
}

void recording_give(struct dev *d, void *data)
{
    struct recording *r = d->recording;
    for (int i = 0; i < r->count; i++)
        if (r->pieces[i].data == data) {
            r->pieces[i].used = false;
            return;
        }
    assert(!"memory that was taken before may not be given back while work is recorded");
}
