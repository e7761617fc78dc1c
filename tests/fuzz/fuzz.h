/* fuzz.h: what fuzz targets share: libFuzzer's entry, and a promise that ends the run. */
#ifndef FUZZ_H
#define FUZZ_H
#include "base/fail.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void check(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s: %s\n", what, fail_text());
    abort();
}
#endif
