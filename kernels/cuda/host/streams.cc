/* streams.cc: see streams.h. */
#include "host/streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One thing asked for, and its arguments behind it. */
struct work {
    void (*run)(const void *with);
    struct work *next;
    alignas(16) char with[];
};

struct queue {
    struct work *first, *last;
};

struct cuda_host_graph {
    struct queue works;
    int holders; /* the graph, and what was instantiated from it */
};

struct cuda_host_stream {
    struct queue works;            /* asked for and not done */
    struct cuda_host_graph *graph; /* being captured */
    bool spoiled;                  /* ... and something was asked for that cannot be */
    bool held;                     /* what is under way does not end */
};

struct cuda_host_event {
    struct cuda_host_stream *stream; /* it was recorded in; NULL: never */
    unsigned asked, done;            /* records */
    unsigned waits;                  /* that streams have yet to come to */
    bool destroyed;                  /* freed by the last of these */
};

static void queue_add(struct queue *q, struct work *w)
{
    w->next = NULL;
    if (q->last)
        q->last->next = w;
    else
        q->first = w;
    q->last = w;
}

static struct work *queue_take(struct queue *q)
{
    struct work *w = q->first;
    if (w && !(q->first = w->next))
        q->last = NULL;
    return w;
}

void stream_do(cudaStream_t stream, void (*run)(const void *with), const void *with,
               size_t size)
{
    bool later = stream && (stream->graph || stream->held || getenv("CUDA_HOST_DEFER"));
    if (!later) {
        run(with);
        return;
    }
    struct work *w = (struct work *)malloc(sizeof *w + size);
    if (!w)
        abort();
    w->run = run;
    memcpy(w->with, with, size);
    queue_add(stream->graph ? &stream->graph->works : &stream->works, w);
}

void stream_hold(cudaStream_t stream, bool on)
{
    stream->held = on;
}

static thread_local cudaError_t last = cudaSuccess;

cudaError_t remembered(cudaError_t error)
{
    if (error != cudaSuccess)
        last = error;
    return error;
}

cudaError_t cudaGetLastError()
{
    cudaError_t error = last;
    last = cudaSuccess;
    return error;
}

/* Do a stream's next work; false: there is none, or it cannot be. */
static bool step(cudaStream_t stream)
{
    struct work *w = stream->held ? NULL : queue_take(&stream->works);
    if (!w)
        return false;
    w->run(w->with);
    free(w);
    return true;
}

void stream_finish(cudaStream_t stream)
{
    while (step(stream)) {
    }
    if (stream->held) {
        fputs("a stream is waited for that never ends\n", stderr);
        abort();
    }
}

bool stream_captures(cudaStream_t stream)
{
    return stream && stream->graph;
}

cudaError_t stream_uncapturable(cudaStream_t stream)
{
    if (!stream_captures(stream))
        return cudaSuccess;
    stream->spoiled = true;
    return cudaErrorStreamCaptureUnsupported;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    *stream = (cudaStream_t)calloc(1, sizeof **stream);
    return *stream ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned flags, int)
{
    return cudaStreamCreateWithFlags(stream, flags);
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *most)
{
    *least = 0;
    *most = -5;
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    if (stream)
        stream_finish(stream);
    free(stream);
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    if (stream_captures(stream))
        return stream_uncapturable(stream);
    if (stream)
        stream_finish(stream);
    return cudaSuccess;
}

/* Time passes: every look at a stream lets it do one more thing. */
cudaError_t cudaStreamQuery(cudaStream_t stream)
{
    if (stream_captures(stream))
        return stream_uncapturable(stream);
    if (stream->works.first)
        step(stream);
    return remembered(stream->works.first || stream->held ? cudaErrorNotReady
                                                          : cudaSuccess);
}

/* -- Events. Each is recorded and waited for in turn, never twice at once. --------------
 */

static void event_done(const void *with)
{
    cudaEvent_t event;
    memcpy(&event, with, sizeof event);
    event->done++;
}

static void event_await(cudaEvent_t event, unsigned asked)
{
    while ((int)(event->done - asked) < 0 && step(event->stream)) {
    }
}

struct awaited {
    cudaEvent_t event;
    unsigned asked;
};

static void await(const void *with)
{
    struct awaited a;
    memcpy(&a, with, sizeof a);
    event_await(a.event, a.asked);
    if (--a.event->waits == 0 && a.event->destroyed)
        free(a.event);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
    *event = (cudaEvent_t)calloc(1, sizeof **event);
    return *event ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    if (!event)
        return cudaSuccess;
    event_await(event, event->asked);
    if (event->waits > 0)
        event->destroyed = true;
    else
        free(event);
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    if (stream_captures(stream))
        return stream_uncapturable(stream);
    event->stream = stream;
    event->asked++;
    stream_do(stream, event_done, &event, sizeof event);
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    event_await(event, event->asked);
    return cudaSuccess;
}

/* As cudaStreamQuery(). */
cudaError_t cudaEventQuery(cudaEvent_t event)
{
    if ((int)(event->done - event->asked) < 0)
        step(event->stream);
    return remembered((int)(event->done - event->asked) < 0 ? cudaErrorNotReady
                                                            : cudaSuccess);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
    if (stream_captures(stream))
        return stream_uncapturable(stream);
    struct awaited a = {event, event->asked};
    event->waits++;
    stream_do(stream, await, &a, sizeof a);
    return cudaSuccess;
}

/* -- Graphs ----------------------------------------------------------------------------
 */

static void graph_release(struct cuda_host_graph *graph)
{
    if (!graph || --graph->holders > 0)
        return;
    for (struct work *w; (w = queue_take(&graph->works));) free(w);
    free(graph);
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
    if (stream->graph)
        return cudaErrorStreamCaptureUnsupported;
    stream->graph = (struct cuda_host_graph *)calloc(1, sizeof *stream->graph);
    if (!stream->graph)
        return cudaErrorMemoryAllocation;
    stream->graph->holders = 1;
    stream->spoiled = false;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    *graph = stream->graph;
    stream->graph = NULL;
    if (!*graph)
        return cudaErrorInvalidValue;
    if (!stream->spoiled)
        return cudaSuccess;
    graph_release(*graph);
    *graph = NULL;
    return cudaErrorStreamCaptureInvalidated;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph,
                                 unsigned long long)
{
    graph->holders++;
    *exec = graph;
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    for (const struct work *w = exec->works.first; w; w = w->next) {
        /* a work's size is not kept: hand on where it lies; the graph outlives it */
        stream_do(
            stream,
            [](const void *with) {
                const struct work *of;
                memcpy(&of, with, sizeof of);
                of->run(of->with);
            },
            &w, sizeof w);
    }
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    graph_release(graph);
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    graph_release(exec);
    return cudaSuccess;
}
