/* on-device.h: where tests of whole models compute: on the CPU, or, as
 * CAPMILL_TEST_DEVICE says, "cuda" or "cuda:N"; in float32, or, as CAPMILL_TEST_COMPUTE
 * says, in bf16. */
#ifndef ON_DEVICE_H
#define ON_DEVICE_H
#include "engine/compute.h"
#include "engine/vlm.h"

#include <stdlib.h>
#include <string.h>

static inline const char *test_device(void)
{
    const char *device = getenv("CAPMILL_TEST_DEVICE");
    return device && *device ? device : "cpu";
}

static inline bool test_bf16(void)
{
    const char *type = getenv("CAPMILL_TEST_COMPUTE");
    return type && strcmp(type, "bf16") == 0;
}

static inline struct compute_options test_compute(void)
{
    return (struct compute_options){.type = test_bf16() ? "bf16" : "fp32"};
}

static inline struct vlm_device test_on(void)
{
    return (struct vlm_device){
        .name = test_device(), .threads = 1, .compute = test_compute()};
}
#endif
