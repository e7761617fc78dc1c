/* math-hostile.h: texts that must end by counted fuel, for the test and the bench. */
#ifndef MATH_HOSTILE_H
#define MATH_HOSTILE_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOSTILE_COUNT = 51, HOSTILE_SIZE = 100000 };

/* count times what, between head and tail. */
static inline char *hostile_repeat(const char *head, const char *what, size_t count,
                                   const char *tail, size_t *size)
{
    size_t n = strlen(what);
    char *text = malloc(strlen(head) + count * n + strlen(tail) + 1), *at = text;
    if (!text)
        exit(2);
    at = stpcpy(at, head);
    for (size_t i = 0; i < count; i++) at = stpcpy(at, what);
    at = stpcpy(at, tail);
    *size = (size_t)(at - text);
    return text;
}

/* Text number i of HOSTILE_COUNT: free() it. May hold NUL. */
static inline char *hostile_text(int i, size_t *size)
{
    static const struct {
        const char *head, *what, *tail;
        size_t count;
    } texts[HOSTILE_COUNT] = {
        {"$10^10^10$", "", "", 0},
        {"$10^{10^{10}}$", "", "", 0},
        {"$10^{10^{10^{10}}}$", "", "", 0},
        {"$9^{9^{9^{9}}}$", "", "", 0},
        {"$9^{9^{9^{9^{9^{9}}}}}$", "", "", 0},
        {"9^9^9^9", "", "", 0},
        {"9**9**9**9**9", "", "", 0},
        {"$1000!$", "", "", 0},
        {"$100000000!$", "", "", 0},
        {"$((((99!)!)!)!)!$", "", "", 0},
        {"$\\binom{10^{9}}{5 \\cdot 10^{8}}$", "", "", 0},
        {"$", "\\frac{1}{", "$", 10000},
        {"$", "\\frac", "$", 10000},
        {"", "{", "", HOSTILE_SIZE},
        {"$", "{", "$", HOSTILE_SIZE},
        {"$", "{}", "$", HOSTILE_SIZE / 2},
        {"$", "(", "$", HOSTILE_SIZE},
        {"$", "[", "$", HOSTILE_SIZE},
        {"$", "|", "$", HOSTILE_SIZE},
        {"", "\\boxed{", "", HOSTILE_SIZE / 7},
        {"", "\\boxed{1} ", "", HOSTILE_SIZE / 10},
        {"", "$", "", HOSTILE_SIZE},
        {"", "$1", "", HOSTILE_SIZE / 2},
        {"", "\\(", "", HOSTILE_SIZE / 2},
        {"", "\\[ ", "", HOSTILE_SIZE / 3},
        {"", "answer ", "", HOSTILE_SIZE / 7},
        {"", "final answer is ", "", HOSTILE_SIZE / 16},
        {"", " ", "", HOSTILE_SIZE},
        {"", "1+", "", HOSTILE_SIZE / 2},
        {"", "1 ", "", HOSTILE_SIZE / 2},
        {"", "1\n", "+1", HOSTILE_SIZE / 2},
        {"", "**\\[", "x\\]", HOSTILE_SIZE / 5},
        {"", "1,234,", "", HOSTILE_SIZE / 6},
        {"$", "9", "$", HOSTILE_SIZE},
        {"$x=", "1,", "2$", HOSTILE_SIZE / 2},
        {"$", "x", "$", HOSTILE_SIZE},
        {"$", "(x+y+z)", "$", 2000},
        {"$", "(a+b+c+d+e+f)^{30}", "$", 20},
        {"$", "\\sin(", "1$", 2000},
        {"$", "f(", "x$", 2000},
        {"$", "2^{", "2$", 2000},
        {"$", "-", "1$", HOSTILE_SIZE},
        {"$\\pi", "+(0.3)!", "$", 1500},
        {"$\\pi", "+x^{\\pi}", "$", 1500},
        {"$\\pi", "+\\binom{x}{y}", "$", 1500},
        {"$\\pi", "+\\sum_{k=1}^{300}\\sin(k)", "$", 500},
        {"$\\pi", "+f(x)", "$", 1500},
        {"$f(", "f(f(1,2),f(3,4)),f(", "1)$", 800},
        {"$\\{", "\\sin(1),\\cos(1),\\ln(2),", "1\\}$", 300},
        {"$", "(x+y+z+u+v+w)^{9}(a+b)^{9}", "$", 3},
        {"$\\sum_{k=1}^{1000000000} k$ and $\\lfloor 10^{10^{9}} \\rfloor$", "", "", 0},
    };
    return hostile_repeat(texts[i].head, texts[i].what, texts[i].count, texts[i].tail,
                          size);
}
#endif
