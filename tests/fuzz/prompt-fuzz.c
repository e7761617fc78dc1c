/* prompt-fuzz: any bytes as a finished ChatML prompt: the turns are parts of it, one of
 * them has the picture's place, and no picture part is left in what a judge reads. */
#include "fuzz.h"
#include "prism/chatml.h"

#include <string.h>

static bool inside(struct span part, struct span all)
{
    return part.n == 0 || (part.s >= all.s && part.s + part.n <= all.s + all.n);
}

static bool holds(struct span text, const char *mark)
{
    return text.n && memmem(text.s, text.n, mark, strlen(mark));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chatml_turn turns[CHATML_TURNS_MAX];
    char *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    struct span all = {copy, size};
    int count = chatml_is(all) ? chatml_read(turns, all) : -1, pictures = 0;
    check(count <= CHATML_TURNS_MAX, "too many turns");
    for (int i = 0; i < count; i++) {
        const struct chatml_turn *t = &turns[i];
        check(inside(t->before, all) && inside(t->after, all), "a turn lies outside");
        check(!holds(t->before, "<|image_pad|>") && !holds(t->after, "<|image_pad|>"),
              "a picture is left in the text");
        check(!holds(t->before, "<|im_end|>") && !holds(t->after, "<|im_end|>"),
              "a turn goes on behind its end");
        pictures += t->picture;
    }
    check(count < 0 || pictures == 1, "one place for the caption");
    free(copy);
    return 0;
}
