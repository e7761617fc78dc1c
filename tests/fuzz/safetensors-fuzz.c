/* safetensors-fuzz: any bytes as a weight file. What is taken must add up: every tensor
 * lies inside the file, the tensors follow each other, and their shapes fill their bytes.
 */
#include "engine/safetensors.h"
#include "fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct safetensors st;
    if (safetensors_read(&st, data, size, "fuzz") < 0)
        return 0;
    const char *next = (const char *)data + st.header;
    for (int i = 0; i < st.count; i++) {
        const struct tensor *t = &st.tensors[i];
        int64_t n = 1;
        for (int j = 0; j < t->rank; j++) n *= t->shape[j];
        if ((const char *)t->data != next || t->bytes < 0 || t->rank > TENSOR_RANK_MAX)
            abort();
        if (t->usable && n * (int64_t)arr_type_size(t->type) != t->bytes)
            abort();
        next += t->bytes;
    }
    if (next != (const char *)data + size)
        abort();
    safetensors_free(&st);
    return 0;
}
