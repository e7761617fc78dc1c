/* table.h: the CUDA table by name: "cuda" on a GPU, "cuda on host" in tests. */
#ifndef CUDA_TABLE_H
#define CUDA_TABLE_H
#include "cuda.h"
#ifdef CUDA_ON_HOST
#define CUDA_TABLE_NAME "cuda on host"
#else
#define CUDA_TABLE_NAME "cuda"
#endif
extern "C" {
extern const struct kernels cuda_table;
extern const struct peer_ops nccl_peers; /* nccl.cu */
}
#endif
