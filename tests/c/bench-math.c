/* bench-math.c: how fast answers are compared: the reference rows again and again, and
 * the worst of the hostile texts, by processor time. Prints one JSON object. */
#include "answer/math.h"
#include "golden.h"
#include "math-hostile.h"

#include <time.h>

enum { ROWS_MAX = 600, ROUNDS = 20 };

static double cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int verify(struct span gold, struct span other)
{
    struct math_rules rules = math_defaults();
    struct fuel fuel = {MATH_FUEL_DEFAULT};
    return math_verify(gold, other, &rules, &fuel);
}

int main(void)
{
    static json_t *rows[ROWS_MAX];
    static const char *const files[] = {"goldens2/score/cases.jsonl",
                                        "goldens2/score/math_verify_tests.jsonl"};
    int count = 0, equal = 0, worst_text = 0;
    for (int f = 0; f < 2; f++) {
        char *file = golden_file(golden_path(files[f]), NULL);
        const char *at = file;
        for (json_t *row; file && count < ROWS_MAX && (row = golden_row(&at));) {
            const char *kind = json_string_value(json_object_get(row, "kind"));
            if (f == 1 || (kind && strcmp(kind, "math") == 0))
                rows[count++] = row;
            else
                json_decref(row);
        }
        free(file);
    }
    double start = cpu();
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < count; i++) {
            json_t *gold = json_object_get(rows[i], "gold");
            json_t *other = json_object_get(rows[i], "prediction");
            equal +=
                verify((struct span){json_string_value(gold), json_string_length(gold)},
                       (struct span){json_string_value(other),
                                     json_string_length(other)}) == MATH_EQUAL;
        }
    double rows_s = count * ROUNDS / (cpu() - start), worst = 0;
    for (int i = 0; i < HOSTILE_COUNT; i++) {
        size_t size;
        char *text = hostile_text(i, &size);
        start = cpu();
        verify(span_of("$x + \\sin y$"), (struct span){text, size});
        double took = cpu() - start;
        if (took > worst) {
            worst = took;
            worst_text = i;
        }
        free(text);
    }
    printf("{\"rows\": %d, \"equal\": %d, \"rows_per_s\": %.0f, \"hostile_texts\": %d, "
           "\"hostile_worst_ms\": %.2f, \"hostile_worst\": %d}\n",
           count, equal / ROUNDS, rows_s, HOSTILE_COUNT, worst * 1e3, worst_text);
    for (int i = 0; i < count; i++) json_decref(rows[i]);
    math_thread_end();
    return count == 0;
}
