/* streams.h: CUDA's streams, events and graphs on the host (blocks.h).
 *
 * A stream's work is done as it comes, so that a test may look at results at once; or,
 * with CUDA_HOST_DEFER set, as late as CUDA allows: when the host waits for the stream or
 * for an event in it, or another stream does whose turn has come. Memory of the host that
 * is used again too early then shows as wrong results.
 */
#ifndef CUDA_HOST_STREAMS_H
#define CUDA_HOST_STREAMS_H
#include <stddef.h>
#include <stdint.h>

typedef struct cuda_host_stream *cudaStream_t;
typedef struct cuda_host_event *cudaEvent_t;
typedef struct cuda_host_graph *cudaGraph_t;
typedef struct cuda_host_graph *cudaGraphExec_t;

typedef enum cudaError {
    cudaSuccess,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorMapBufferObjectFailed = 14,
    cudaErrorNoDevice = 100,
    cudaErrorNotReady = 600,
    cudaErrorStreamCaptureUnsupported = 900,
    cudaErrorStreamCaptureInvalidated = 901
} cudaError_t;

/* Do run(with), of which so many bytes are copied now, when the stream comes to it. */
void stream_do(cudaStream_t stream, void (*run)(const void *with), const void *with,
               size_t size);
/* Do all that a stream was asked for. */
void stream_finish(cudaStream_t stream);
/* Is what it is asked for now only written down, as a graph? */
bool stream_captures(cudaStream_t stream);
/* Work under way does not end (a library waits for another GPU), or is let end: nothing
 * behind it is done meanwhile, and who waits for the stream would wait for ever. */
void stream_hold(cudaStream_t stream, bool on);
/* error, which cudaGetLastError() of this thread will give, too. */
cudaError_t remembered(cudaError_t error);
cudaError_t cudaGetLastError();
/* A call that may not be captured: the graph is void. cudaSuccess where none is made. */
cudaError_t stream_uncapturable(cudaStream_t stream);

enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2 };
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned flags,
                                         int priority);
cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *most);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event,
                                unsigned flags = 0);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventQuery(cudaEvent_t event);

enum cudaStreamCaptureMode {
    cudaStreamCaptureModeGlobal,
    cudaStreamCaptureModeThreadLocal,
    cudaStreamCaptureModeRelaxed
};
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph,
                                 unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
#endif
