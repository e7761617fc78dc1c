/* nccl.h: the few functions of NCCL that are used, as its library has them: it is opened
 * at run time, where it is installed. On the host (CUDA_ON_HOST) they are twins over
 * sockets (host/nccl.cc). Numbers are those of NCCL's own header, which do not change. */
#ifndef CUDA_NCCL_H
#define CUDA_NCCL_H
#include "cuda.h"

struct ncclComm;
struct nccl_id {
    char internal[128];
};

enum nccl_result { NCCL_SUCCESS = 0, NCCL_SYSTEM_ERROR = 2, NCCL_IN_PROGRESS = 7 };
enum nccl_type { NCCL_UINT8 = 1, NCCL_FLOAT32 = 7 };
enum nccl_sum { NCCL_SUM = 0 };

struct nccl {
    int (*get_unique_id)(struct nccl_id *id);
    int (*comm_init_rank)(struct ncclComm **comm, int world, struct nccl_id id, int rank);
    int (*comm_destroy)(struct ncclComm *comm);
    int (*comm_abort)(struct ncclComm *comm);
    int (*comm_get_async_error)(struct ncclComm *comm, int *error);
    int (*reduce)(const void *from, void *to, size_t count, int type, int op, int root,
                  struct ncclComm *comm, cudaStream_t stream);
    int (*broadcast)(const void *from, void *to, size_t count, int type, int root,
                     struct ncclComm *comm, cudaStream_t stream);
    int (*group_start)(void);
    int (*group_end)(void);
    const char *(*get_error_string)(int result);
};

/* All of them. 0, or -1 with the reason in *why (static): there is no libnccl.so.2. */
int nccl_load(struct nccl *n, const char **why);
#endif
