/* entry.cu: what the plug-in exports (kernels/plugin.h): is there a GPU, and is it one
 * that this library was built for? */
#include "table.h"
extern "C" {
#include "plugin.h"
const struct kernels *plugin_entry(int abi, const char *device, const char **why);
}

int ordinal_of(const char *device)
{
    const char *number = strchr(device, ':');
    return number ? atoi(number + 1) : 0;
}

#ifdef CUDA_ON_HOST
static cudaError_t code_there(int)
{
    return cudaSuccess;
}
#else
__global__ void nothing_kernel()
{
}

/* Has the plug-in code for this GPU, or code that its driver can make code of? */
static cudaError_t code_there(int ordinal)
{
    struct cudaFuncAttributes attributes;
    cudaError_t error = cudaSetDevice(ordinal);
    if (error == cudaSuccess)
        error = cudaFuncGetAttributes(&attributes, nothing_kernel);
    return error;
}
#endif

static thread_local char reason[300];

static const struct kernels *refuse(const char **why)
{
    *why = reason;
    return NULL;
}

/* Why no device can be counted. */
static void say_driver(cudaError_t error)
{
    int driver = 0, runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    if (driver == 0)
        snprintf(reason, sizeof reason, "no NVIDIA driver (libcuda.so.1)");
    else if (driver < runtime)
        snprintf(reason, sizeof reason,
                 "the NVIDIA driver is for CUDA %d.%d, and this plug-in needs %d.%d",
                 driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    else
        snprintf(reason, sizeof reason, "%s", cudaGetErrorString(error));
}

const struct kernels *plugin_entry(int abi, const char *device, const char **why)
{
    int count = 0, ordinal = ordinal_of(device), major = 0, minor = 0;
    if (abi != PLUGIN_ABI) {
        snprintf(reason, sizeof reason,
                 "capmill-cuda.so is of another version of capmill");
        return refuse(why);
    }
    cudaError_t error = cudaGetDeviceCount(&count);
    if (error != cudaSuccess) {
        say_driver(error);
        return refuse(why);
    }
    if (ordinal < 0 || ordinal >= count) {
        snprintf(reason, sizeof reason, "there %s %d GPU%s here",
                 count == 1 ? "is" : "are", count, count == 1 ? "" : "s");
        return refuse(why);
    }
    cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, ordinal);
    cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, ordinal);
    if (major < 8) {
        snprintf(reason, sizeof reason,
                 "the GPU has compute capability %d.%d, and 8.0 or later is needed",
                 major, minor);
        return refuse(why);
    }
    error = code_there(ordinal);
    if (error != cudaSuccess) {
        cudaGetLastError();
        snprintf(reason, sizeof reason,
                 "the plug-in does not run on a GPU of compute capability %d.%d (what it "
                 "is built for: make CUDA_ARCHS=...): %s",
                 major, minor, cudaGetErrorString(error));
        return refuse(why);
    }
    return &cuda_table;
}
