/* bench-filter: write rows as qa-answer does, for tests/bench-filter.sh.
 * Usage: bench-filter BYTES. The same bytes every time, on standard output. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

static const char *const words[] = {
    "the",       "cat",          "on",           "a",      "red",    "mat",
    "which",     "colour",       "does",         "person", "left",   "window",
    "of",        "street",       "building",     "sign",   "reads",  "small",
    "behind",    "table",        "with",         "glass",  "number", "between",
    "caf\u00e9", "\u56fe\u7247", "\\\"Stop\\\"", "light",  "shadow", "holding",
    "an",        "umbrella"};

static long put_words(uint64_t *state, int count)
{
    long n = 0;
    for (int i = 0; i < count; i++)
        n += printf("%s%s", i ? " " : "", words[next(state) % 32]);
    return n;
}

/* One side: four rotations, how many of them were right, what was answered. */
static long put_side(uint64_t *state, const char *name, int right)
{
    long n = printf(",\"%s\":{\"acc\":%g,\"n\":4,\"answers\":[", name, right / 4.0);
    for (int i = 0; i < 4; i++)
        n += printf("%s\"%c\"", i ? "," : "", "ABCD"[next(state) % 4]);
    n += printf("],\"p\":[");
    for (int i = 0; i < 4; i++)
        n += printf("%s0.%06d", i ? "," : "", (int)(next(state) % 1000000));
    return n + printf("]}");
}

static long put_question(uint64_t *state, bool first)
{
    long n = printf("%s{\"question\":\"", first ? "" : ",");
    n += put_words(state, 8 + (int)(next(state) % 16)) + printf("?\",\"options\":[");
    for (int i = 0; i < 4; i++) {
        n += printf("%s\"", i ? "," : "");
        n += put_words(state, 2 + (int)(next(state) % 6)) + printf("\"");
    }
    n += printf("],\"answer\":\"%c\"", "ABCD"[next(state) % 4]);
    n += put_side(state, "visual", next(state) % 2 ? 4 : (int)(next(state) % 4));
    n += put_side(state, "text", next(state) % 2 ? 0 : (int)(next(state) % 5));
    return n + printf("}");
}

int main(int argc, char *argv[])
{
    long bytes = argc > 1 ? atol(argv[1]) : 0, n = 0;
    uint64_t state = 1;
    for (int row = 0; n < bytes; row++) {
        n += printf(
            "{\"id\":\"caprl-%08d\",\"image\":\"images/part-%03d/%08x.jpg\",\"qa\":[",
            row, row / 1000, (unsigned)next(&state));
        for (int i = 0; i < 5; i++) n += put_question(&state, i == 0);
        n += printf("]}\n");
    }
    return fflush(stdout) != 0;
}
