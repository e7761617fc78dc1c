/* types.c: ggml's tensor types: names and block sizes (ggml.c's type table). */
#include "gguf/gguf.h"

static const struct {
    uint32_t type;
    const char *name;
    int elements, bytes; /* of one block */
} types[] = {
    {GGUF_F32, "F32", 1, 4},
    {GGUF_F16, "F16", 1, 2},
    {GGUF_Q4_0, "Q4_0", 32, 18},
    {GGUF_Q4_1, "Q4_1", 32, 20},
    {GGUF_Q5_0, "Q5_0", 32, 22},
    {GGUF_Q5_1, "Q5_1", 32, 24},
    {GGUF_Q8_0, "Q8_0", 32, 34},
    {9, "Q8_1", 32, 36},
    {GGUF_Q2_K, "Q2_K", 256, 84},
    {GGUF_Q3_K, "Q3_K", 256, 110},
    {GGUF_Q4_K, "Q4_K", 256, 144},
    {GGUF_Q5_K, "Q5_K", 256, 176},
    {GGUF_Q6_K, "Q6_K", 256, 210},
    {15, "Q8_K", 256, 292},
    {16, "IQ2_XXS", 256, 66},
    {17, "IQ2_XS", 256, 74},
    {18, "IQ3_XXS", 256, 98},
    {19, "IQ1_S", 256, 50},
    {GGUF_IQ4_NL, "IQ4_NL", 32, 18},
    {21, "IQ3_S", 256, 110},
    {22, "IQ2_S", 256, 82},
    {GGUF_IQ4_XS, "IQ4_XS", 256, 136},
    {24, "I8", 1, 1},
    {25, "I16", 1, 2},
    {26, "I32", 1, 4},
    {27, "I64", 1, 8},
    {28, "F64", 1, 8},
    {29, "IQ1_M", 256, 56},
    {GGUF_BF16, "BF16", 1, 2},
    {34, "TQ1_0", 256, 54},
    {35, "TQ2_0", 256, 66},
    {39, "MXFP4", 32, 17},
    {40, "NVFP4", 64, 36},
};

enum { TYPES = sizeof types / sizeof *types };

const char *gguf_type_name(uint32_t type)
{
    for (int i = 0; i < TYPES; i++)
        if (types[i].type == type)
            return types[i].name;
    return "unknown";
}

bool gguf_type_block(uint32_t type, int *elements, int *bytes)
{
    for (int i = 0; i < TYPES; i++)
        if (types[i].type == type) {
            *elements = types[i].elements;
            *bytes = types[i].bytes;
            return true;
        }
    return false;
}
