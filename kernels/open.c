/* open.c: which table a device has (kernels.h). */
#include "cpu/cpu.h"
#include "plugin.h"

#include <cpuid.h>
#include <stdlib.h>

static bool have_avx2(void)
{
    unsigned a, b, c, d;
    /* clang 14 has no name for F16C. The system's part (saved registers) is in "avx2". */
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

static bool is_cuda(const char *device)
{
    return strcmp(device, "cuda") == 0 ||
           (strncmp(device, "cuda:", 5) == 0 && device[5] &&
            strspn(device + 5, "0123456789") == strlen(device + 5) && strlen(device) < 9);
}

const struct kernels *kernels_open(const char *device, const char **why)
{
    const char *isa = getenv("CAPMILL_ISA");
    if (is_cuda(device))
        return plugin_open(device, why);
    if (strcmp(device, "cpu") != 0) {
        *why = "neither cpu nor cuda nor cuda:N";
        return NULL;
    }
    if (!isa || !*isa)
        return have_avx2() ? &cpu_avx2 : &cpu_plain;
    if (strcmp(isa, "plain") == 0)
        return &cpu_plain;
    if (strcmp(isa, "avx2") == 0 && have_avx2())
        return &cpu_avx2;
    *why = strcmp(isa, "avx2") == 0
               ? "CAPMILL_ISA=avx2: this processor lacks AVX2, FMA or F16C"
               : "CAPMILL_ISA is neither plain nor avx2";
    return NULL;
}
