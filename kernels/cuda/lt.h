/* lt.h: products by cuBLASLt, for who does not ask for batch-invariance: its sums are in
 * an order of its own, which depends on the number of rows.
 *
 * The library is loaded when it is first wanted; without it the plug-in's own kernels do.
 * The part of its interface that is called is declared here (cublasLt.h has what each
 * means; lt.cu holds these numbers to it where it is), so that the plug-in is built and
 * starts without it, and so that the host's twin (host/lt.cc) has the same. */
#ifndef CUDA_LT_H
#define CUDA_LT_H
#include "product.h"

enum {
    LT_R_32F = 0, /* cudaDataType_t */
    LT_R_16BF = 14,
    LT_COMPUTE_32F = 68, /* cublasComputeType_t */
    LT_OP_N = 0,         /* cublasOperation_t */
    LT_OP_T = 1,
    LT_EPILOGUE_BIAS = 4, /* cublasLtEpilogue_t */
    LT_DESC_TRANSA = 3,   /* cublasLtMatmulDescAttributes_t */
    LT_DESC_TRANSB = 4,
    LT_DESC_EPILOGUE = 7,
    LT_DESC_BIAS_POINTER = 8,
    LT_PREF_WORKSPACE = 1, /* cublasLtMatmulPreferenceAttributes_t */
    LT_PREF_REDUCTION = 3,
    LT_REDUCTION_COMPUTE_TYPE = 2, /* cublasLtReductionScheme_t; no more in bf16 */
    LT_PREF_ALIGN_A = 5,           /* B, C, D follow */
};

struct lt_algo {
    uint64_t data[8];
};
struct lt_found { /* cublasLtMatmulHeuristicResult_t */
    struct lt_algo algo;
    size_t workspace;
    int state;
    float waves;
    int reserved[4];
};

/* The functions that are called: cublasLt and the name in front; 0 is success. */
struct lt_calls {
    int (*Create)(void **handle);
    int (*Destroy)(void *handle);
    int (*MatmulDescCreate)(void **desc, int compute, int scale_type);
    int (*MatmulDescDestroy)(void *desc);
    int (*MatmulDescSetAttribute)(void *desc, int name, const void *value, size_t bytes);
    int (*MatrixLayoutCreate)(void **layout, int type, uint64_t rows, uint64_t columns,
                              int64_t ld);
    int (*MatrixLayoutDestroy)(void *layout);
    int (*MatmulPreferenceCreate)(void **preference);
    int (*MatmulPreferenceDestroy)(void *preference);
    int (*MatmulPreferenceSetAttribute)(void *preference, int name, const void *value,
                                        size_t bytes);
    int (*MatmulAlgoGetHeuristic)(void *handle, void *desc, void *a, void *b, void *c,
                                  void *d, void *preference, int wanted,
                                  struct lt_found found[], int *count);
    int (*Matmul)(void *handle, void *desc, const void *alpha, const void *a,
                  void *a_layout, const void *b, void *b_layout, const void *beta,
                  const void *c, void *c_layout, void *d, void *d_layout,
                  const struct lt_algo *algo, void *workspace, size_t workspace_bytes,
                  cudaStream_t stream);
};
#ifdef CUDA_ON_HOST
const struct lt_calls *lt_host(); /* NULL if CUDA_HOST_CUBLASLT=0 */
#endif

/* The product of product.h, of operands whose copies are made. false: cuBLASLt is not
 * there, or has nothing for this shape: nothing is done. */
bool lt_product(struct dev *d, struct results r, struct halves a, struct halves b,
                int64_t depth, enum product_form form);
void lt_close(struct dev *d);
#endif
