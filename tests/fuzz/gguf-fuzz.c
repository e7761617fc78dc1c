/* gguf-fuzz: any bytes as a GGUF file. What is taken must add up: tensors lie inside the
 * file and apart, their shapes fill their bytes, and every value can be read. */
#include "fuzz.h"
#include "gguf/gguf.h"

#include <string.h>

static void tensors(const struct gguf *g, const char *bytes, size_t size)
{
    for (int i = 0; i < gguf_count(g); i++) {
        const struct gguf_tensor *t = gguf_at(g, i);
        const char *data = t->data;
        int elements, block;
        int64_t n = 1;
        check(gguf_type_block(t->type, &elements, &block), "a known type");
        check(t->rank >= 1 && t->rank <= GGUF_RANK_MAX, "a rank");
        for (int j = 0; j < t->rank; j++) n *= t->shape[j];
        check(n > 0 && t->shape[t->rank - 1] % elements == 0, "whole blocks");
        check(n / elements * block == t->bytes, "bytes");
        check(data >= bytes && t->bytes <= bytes + size - data, "inside the file");
        check(gguf_find(g, t->name) == t, "found by its name");
        for (int j = 0; j < i && i < 50; j++) {
            const struct gguf_tensor *o = gguf_at(g, j);
            const char *other = o->data;
            check(data + t->bytes <= other || other + o->bytes <= data, "apart");
        }
    }
}

static uint64_t bytes_of(struct span text)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < text.n; i++) sum += (unsigned char)text.s[i];
    return sum;
}

/* A key that the seeds have, by each way of reading. */
static void value(const struct gguf *g, const char *key)
{
    struct gguf_walk w;
    struct span text;
    int64_t n, count = 0;
    double x;
    bool b;
    uint64_t sum = 0;
    gguf_int(g, key, &n);
    gguf_real(g, key, &x);
    gguf_bool(g, key, &b);
    if (gguf_text(g, key, &text))
        sum += bytes_of(text);
    for (gguf_walk_begin(&w, g, key); gguf_walk_text(&w, &text); count++)
        sum += bytes_of(text);
    for (gguf_walk_begin(&w, g, key); gguf_walk_int(&w, &n);) count++;
    for (gguf_walk_begin(&w, g, key); gguf_walk_real(&w, &x);) count++;
    check(sum <= UINT64_MAX / 2, "every byte can be read");
    check(count <= (gguf_array_count(g, key) < 0 ? 0 : gguf_array_count(g, key)),
          "no more elements than counted");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const keys[] = {"general.architecture",
                                       "general.alignment",
                                       "general.name",
                                       "t.u8",
                                       "t.i8",
                                       "t.u16",
                                       "t.i16",
                                       "t.u32",
                                       "t.i32",
                                       "t.u64",
                                       "t.i64",
                                       "t.f32",
                                       "t.f64",
                                       "t.bool",
                                       "t.str",
                                       "t.arr_i32",
                                       "t.arr_str",
                                       "t.arr_f32",
                                       "t.arr_bool",
                                       "t.arr_nested"};
    char hex[33], *bytes = malloc(size ? size : 1); /* just this size */
    if (!bytes)
        return 0;
    memcpy(bytes, data, size);
    struct gguf *g = gguf_read(bytes, size, "fuzz");
    if (g) {
        tensors(g, bytes, size);
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) value(g, keys[i]);
        gguf_hash(g, hex);
    } else {
        check(fail_kind() == FAIL_MODEL && strstr(fail_text(), "fuzz") == fail_text(),
              "a refusal names the file");
    }
    gguf_close(g);
    free(bytes);
    return 0;
}
