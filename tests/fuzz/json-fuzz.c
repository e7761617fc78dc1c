/* json-fuzz: a libFuzzer target: the JSON scanner against jansson.
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -Ilib -Itests/fuzz ... */
#include "fuzz.h"
#include "json-compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of just this size, so that reading past its end is seen. */
    char *text = malloc(size ? size : 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    const char *wrong = compare_text(text, size);
    if (wrong) {
        fprintf(stderr, "%s: %.*s (%s)\n", wrong, (int)size, text, fail_text());
        abort();
    }
    if (json_check((struct span){text, size}) == 0)
        json_find((struct span){text, size}, "a.b.c");
    free(text);
    return 0;
}
