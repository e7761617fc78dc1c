/* bench-extract: write rows as qa-gen does, for tests/bench-extract.sh: five questions of
 * about 2 kB in all, one block in ten at fault.
 * Usage: bench-extract BYTES. The same bytes every time, on standard output. */
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

static long put_words(uint64_t state, int count)
{
    long n = 0;
    for (int i = 0; i < count; i++)
        n += printf("%s%s", i ? " " : "", words[next(&state) % 32]);
    return n;
}

static long put_question(uint64_t *state, int number)
{
    uint64_t option[4];
    int length[4], right = (int)(next(state) % 4), fault = (int)(next(state) % 20);
    long n = printf("#### %d. **", number);
    n += put_words(next(state), 12 + (int)(next(state) % 12)) + printf("?**\\n");
    for (int i = 0; i < 4; i++) {
        option[i] = next(state);
        length[i] = 6 + (int)(next(state) % 10);
        n += printf("   - %c) ", "ABCDABDC"[i + 4 * (fault == 0)]);
        n += put_words(option[i], length[i]) + printf("\\n");
    }
    if (fault == 1)
        return n + printf("\\n**Answer:** unclear\\n------\\n\\n");
    n += printf("\\n**Answer:** %c) ", 'A' + right);
    return n + put_words(option[right], length[right]) + printf("\\n------\\n\\n");
}

int main(int argc, char *argv[])
{
    long bytes = argc > 1 ? atol(argv[1]) : 0, n = 0;
    uint64_t state = 1;
    for (int row = 0; n < bytes; row++) {
        n += printf("{\"id\":\"caprl-%08d\",\"image\":\"images/part-%03d/%08x.jpg\","
                    "\"qa_response\":\"",
                    row, row / 1000, (unsigned)next(&state));
        for (int i = 1; i <= 5; i++) n += put_question(&state, i);
        n += printf("\"}\n");
    }
    return fflush(stdout) != 0;
}
