/* on-device.h: where tests of whole models compute: the CPU, or, as CAPMILL_TEST_DEVICE
 * says, "cuda" or "cuda:N". */
#ifndef ON_DEVICE_H
#define ON_DEVICE_H
#include <stdlib.h>
#include <string.h>

static inline const char *test_device(void)
{
    const char *device = getenv("CAPMILL_TEST_DEVICE");
    return device && *device ? device : "cpu";
}
#endif
