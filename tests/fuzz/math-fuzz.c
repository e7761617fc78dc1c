/* math-fuzz: any bytes as two answers: it ends within its fuel, twice the same way, and a
 * text that reads as an answer equals itself. Input: gold, NUL, prediction. */
#include "answer/math.h"
#include "fuzz.h"

#include <string.h>

static char *copy(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1); /* of just this size: reading past it is seen */
    check(text != NULL, "memory");
    memcpy(text, data, size);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { STEPS = 200000 };
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t n = nul ? (size_t)(nul - data) : size, m = nul ? size - n - 1 : 0;
    char *a = copy(data, n), *b = copy(nul ? nul + 1 : data, m);
    struct span gold = {a, n}, other = {b, m};
    struct math_rules rules = math_defaults();
    rules.boxed = size % 3 == 0 ? 0 : 50;
    rules.strict = size % 5 != 0;
    rules.set_relations = size % 2 == 0;
    rules.first = size % 7 == 0;
    struct fuel one = {STEPS}, two = {STEPS};
    enum math_verdict verdict = math_verify(gold, other, &rules, &one);
    check(math_verify(gold, other, &rules, &two) == verdict && one.left == two.left,
          "not the same twice");
    check(one.left >= 0 && one.left <= STEPS, "fuel");
    check(verdict <= MATH_FUEL, "verdict");
    free(a);
    free(b);
    return 0;
}
