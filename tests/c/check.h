/* check.h: the C tests' harness. One `ok NAME` or `not ok NAME` line per case on stdout;
 * reasons on stderr. tests/run adds the lines up.
 *
 *     static void a_promise_kept(void) { CHECK(1 + 1 == 2, "sum is %d", 1 + 1); }
 *     int main(void) { CASE(a_promise_kept); return check_end(); }
 */
#ifndef CHECK_H
#define CHECK_H
#include <stdio.h>

static int check_failures, check_case_failures, check_cases;

/* Up to 20 reasons of a case are printed; all are counted. */
#define CHECK(condition, ...)                                                            \
    do {                                                                                 \
        if (!(condition) && check_case_failures++ < 20) {                                \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);              \
            fprintf(stderr, __VA_ARGS__);                                                \
            fputc('\n', stderr);                                                         \
        }                                                                                \
    } while (0)

/* A condition without which the rest of the case makes no sense. */
#define NEED(condition, ...)                                                             \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            CHECK(condition, __VA_ARGS__);                                               \
            return;                                                                      \
        }                                                                                \
    } while (0)

#define CASE(function)                                                                   \
    do {                                                                                 \
        check_case_failures = 0;                                                         \
        function();                                                                      \
        check_report(#function);                                                         \
    } while (0)

/* End a case by hand: for cases made from data, with a name of their own. */
static inline void check_report(const char *name)
{
    printf("%s %s\n", check_case_failures ? "not ok" : "ok", name);
    fflush(stdout);
    check_failures += check_case_failures > 0;
    check_case_failures = 0;
    check_cases++;
}

static inline int check_end(void)
{
    if (check_cases == 0) {
        printf("not ok no case ran\n");
        return 1;
    }
    return check_failures > 0;
}
#endif
