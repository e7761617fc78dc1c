/* math-test: answers that stand for the same mathematical object: reference verdicts of
 * math-verify 0.9.0, an own table, hostile texts, random pairs.
 *
 * Where we and the reference differ, on texts of the same kinds as its own tests, we do
 * so on purpose, or know it: pairs[] has them under "We differ".
 */
#include "answer/math.h"
#include "check.h"
#include "golden.h"
#include "math-hostile.h"

#include <time.h>

static enum math_verdict verify(struct span gold, struct span other,
                                const struct math_rules *rules, int64_t *used)
{
    struct fuel fuel = {MATH_FUEL_DEFAULT};
    enum math_verdict verdict = math_verify(gold, other, rules, &fuel);
    if (used)
        *used = MATH_FUEL_DEFAULT - fuel.left;
    return verdict;
}

static struct span span_of_json(const json_t *text)
{
    return (struct span){json_string_value(text), json_string_length(text)};
}

static struct math_rules rules_of(const json_t *config)
{
    struct math_rules rules = math_defaults();
    size_t i;
    json_t *way;
    if (!config)
        return rules;
    rules.latex = rules.plain = false;
    json_array_foreach(json_object_get(config, "extract"), i, way)
    {
        bool latex = strcmp(json_string_value(way), "latex") == 0;
        *(latex ? &rules.latex : &rules.plain) = true;
    }
    rules.digits = (int)json_integer_value(json_object_get(config, "float_rounding"));
    rules.strict = json_is_true(json_object_get(config, "strict"));
    rules.set_relations =
        json_is_true(json_object_get(config, "allow_set_relation_comp"));
    rules.boxed =
        (int)json_integer_value(json_object_get(config, "boxed_match_priority"));
    return rules;
}

/* All rows of a file that are of kind "math", or have a config. */
static void agree(const char *path, int least)
{
    char *file = golden_file(golden_path(path), NULL);
    NEED(file, "%s is missing", path);
    int rows = 0;
    const char *at = file;
    for (json_t *row; (row = golden_row(&at)); json_decref(row)) {
        const char *kind = json_string_value(json_object_get(row, "kind"));
        const json_t *config = json_object_get(row, "config");
        if (!config && (!kind || strcmp(kind, "math") != 0))
            continue;
        struct math_rules rules = rules_of(config);
        struct span gold = span_of_json(json_object_get(row, "gold"));
        struct span other = span_of_json(json_object_get(row, "prediction"));
        bool want = json_number_value(json_object_get(row, "expected")) > 0;
        bool got = verify(gold, other, &rules, NULL) == MATH_EQUAL;
        rows++;
        CHECK(got == want, "%.150s | %.150s: want %d", gold.s, other.s, want);
    }
    CHECK(rows >= least, "only %d rows", rows);
    free(file);
}

static void verdicts_agree_with_math_verify_on_400_generated_pairs(void)
{
    agree("goldens2/score/cases.jsonl", 400);
}

static void verdicts_agree_with_math_verify_on_its_own_tests(void)
{
    agree("goldens2/score/math_verify_tests.jsonl", 138);
}

/* What is right, and why. */
static const struct pair {
    const char *gold, *other;
    bool equal;
    const char *why;
} pairs[] = {
    /* Numbers */
    {"$\\frac{1}{3}$", "$0.333333$", true, "a decimal is compared to six places"},
    {"$\\frac{1}{3}$", "$0.33333$", false, "five are not six"},
    {"$3$", "$2.99999999$", false, "an integer is exact"},
    {"$0.5$", "$\\frac12$", true, "short fraction"},
    {"$2\\frac12$", "$2.5$", true, "mixed number"},
    {"$1,234,567$", "1234567", true, "thousands"},
    {"$0,5$", "$0.5$", false, "a list of two"},
    {"$5\\times10^{-3}$", "$0.005$", true, "scientific notation"},
    {"$3E5$", "$300000$", true, "likewise"},
    {"$2^{10}$", "$1024$", true, "a power"},
    {"$5!$", "$120$", true, "a factorial"},
    {"$\\binom{5}{2}$", "$10$", true, "a binomial"},
    {"$\\gcd(12,18)$", "$6$", true, "greatest common divisor"},
    {"$\\lfloor 2.7 \\rfloor$", "$2$", true, "floor"},
    {"$\\sum_{k=1}^{4} k$", "$10$", true, "a finite sum"},
    {"$0.\\overline{3}$", "$\\frac13$", false, "periods are not read, there or here"},
    /* Percent and units */
    {"$16\\%$", "$16$", true, "the sign may be left out"},
    {"$0.17$", "$17\\%$", true, "or meant"},
    {"$16\\%$", "$0.17$", false, "another value"},
    {"$5 \\text{ cm}^2$", "$5$", true, "units go"},
    {"$5$ m", "5 meters", true, "in words as well"},
    {"$90^\\circ$", "$90$", true, "degrees are a unit"},
    {"$\\$138$", "$138$", true, "so is money"},
    /* Radicals, logarithms, constants: by balls */
    {"$\\sqrt{12}$", "$2\\sqrt3$", true, "radicals"},
    {"$\\sqrt{5+2\\sqrt{6}}$", "$\\sqrt2+\\sqrt3$", true, "nested"},
    {"$\\frac{1}{\\sqrt2}$", "$\\frac{\\sqrt2}{2}$", true, "rationalised"},
    {"$\\sin(\\frac{\\pi}{6})$", "$\\frac12$", true, "sine of a known angle"},
    {"$\\log_2 8$", "$3$", true, "a logarithm"},
    {"$e^{i\\pi}$", "$-1$", false, "the symbol i; I is the unit"},
    {"$e^{I\\pi}$", "$-1$", true, "a complex power"},
    {"$\\pi$", "$3.141593$", true, "rounded to six places"},
    {"$\\pi$", "$\\frac{355}{113}$", false, "a rational is exact"},
    /* Algebra */
    {"$(x+1)(x-6)$", "$x^2-5x-6$", true, "polynomials"},
    {"$\\frac{x^2-1}{x-1}$", "$x+1$", true, "rational functions"},
    {"$\\sin 2x$", "$2\\sin(x)\\cos(x)$", true, "identities"},
    {"$e^{\\ln x}$", "$x$", true, "a function and its inverse"},
    {"$\\sqrt{x^2}$", "$|x|$", true, "of real symbols"},
    {"$\\sqrt{x^2}$", "$x$", false, "which may be negative"},
    {"$f(x)$", "$f(y)$", false, "symbols count"},
    {"$\\frac{1}{0}$", "$\\frac{1}{0}$", true, "the same text, if not the same value"},
    /* Equations and inequalities */
    {"$x=5$", "$5$", true, "an assignment is its value"},
    {"$x=5$", "$y=5$", false, "to that name"},
    {"$2x+4y-3=0$", "$y=-\\frac12x+\\frac34$", true, "the same line"},
    {"$x<5$", "$5>x$", true, "turned round"},
    {"$x<5$", "$x\\le5$", false, "strictness counts"},
    {"$1<x<2$", "$(1,2)$", true, "a relation is the set where it holds"},
    {"$x^2>4$", "$(-\\infty,-2)\\cup(2,\\infty)$", true, "a quadratic one too"},
    {"$x^2\\le2$", "$[-\\sqrt2,\\sqrt2]$", true, "with its radicals"},
    {"$x^2+1>0$", "$(-\\infty,\\infty)$", true, "everywhere"},
    {"$-x^2\\ge0$", "$\\{0\\}$", true, "at one place"},
    {"$|x-1|<2$", "$(-1,3)$", true, "an absolute value"},
    {"$|x|\\ge2$", "$(-\\infty,-2]\\cup[2,\\infty)$", true, "the other way"},
    {"$x^2=4$", "$\\{-2,2\\}$", true, "an equation's solutions"},
    {"$0<x<y$", "$(0,1)$", false, "two unknowns are no set"},
    {"$x<1<y$", "$\\emptyset$", false, "nor here"},
    {"$(1,2)$", "$1<x<2$", false, "a set is not a relation"},
    /* Sets, tuples, intervals, matrices */
    {"$\\{1,2\\}$", "$2, 1$", true, "sets have no order"},
    {"$(2,1)$", "$(1,2)$", false, "tuples have"},
    {"$[1,2]$", "$(1,2)$", false, "ends count"},
    {"$[3,\\infty)$", "$[3,\\infty]$", true, "but for infinite ones"},
    {"$(1,2)\\cup(2,3)$", "$(1,3)\\setminus\\{2\\}$", true, "unions as sets"},
    {"$(1,3]\\cap[2,5)$", "$[2,3]$", true, "intersections"},
    {"$5$", "$\\{5, \\sqrt{25}\\}$", true, "what is there twice is there once"},
    {"$\\pm 3$", "$\\{-3,3\\}$", true, "plus or minus"},
    {"$1$, $2$ and $3$", "$\\{1,2,3\\}$", true, "several places"},
    {"$\\begin{pmatrix}1&2\\end{pmatrix}$", "$\\begin{bmatrix}1&2\\end{bmatrix}$", true,
     "whatever the brackets"},
    {"$\\begin{pmatrix}1&2\\end{pmatrix}$", "$\\begin{pmatrix}1\\\\2\\end{pmatrix}$",
     false, "shapes count"},
    /* Words */
    {"$\\text{yes}$", "$yes$", true, "letters side by side are a word"},
    {"$\\text{(B)}$", "$b$", true, "in any case, dressed or not"},
    {"$N/A$", "$\\text{N/A}$", true, "a word with a slash"},
    {"$\\text{dog}$", "$\\text{cat}$", false, "another word"},
    {"$16$", "$\\text{16}$", true, "a number is one in a text as well"},
    {"$\\frac{4}{5}$", "$\\mathbf{4/5}$", true, "likewise"},
    {"$1234$", "$\\text{1,234}$", true, "likewise"},
    {"$5$", "$\\text{10-5}$", false, "a sum is not"},
    /* Where the answer is */
    {"$4$", "First $3$, then $4$", true, "the last formula"},
    {"$4$", "The final answer is $4$. I hope it is correct. $5$", true, "a lead-in wins"},
    {"$4$", "answer: $4$, as $5-1$", true, "likewise"},
    {"$4$", "\\boxed{4} as $2+2=7$", true, "a box wins over plain formulas"},
    {"4", "we get 3 or 4", true, "plain numbers, the last"},
    {"12", "x = 3*4", true, "plain expressions"},
    /* We differ: the reference says otherwise. Decimals are exact here, doubles there: */
    {"$7+\\frac45$", "$8.8-1$", true, "decimals are exact here, doubles there"},
    {"$\\frac{21.0}{4.5}$", "$14:3$", true, "likewise"},
    {"$2\\sqrt3$", "$12^{0.5}$", true, "an exponent of 0.5 is a half"},
    {"$x \\le 0$", "$x \\le 0.0$", true, "zero is zero"},
    {"$x \\le 0$", "$x - 0 \\le 0$", true, "likewise"},
    {"$410000000$", "$4.1 \\times 10^8$", true, "4.1e8 is that, in doubles it is not"},
    {"$\\frac{17}{5}$", "$\\frac{17.0}{5}$", true, "decimals are exact here"},
    {"$42.52$", "$\\text{42.52}$", true, "a decimal in a text: there a symbol"},
    {"$\\{5, 16\\}$", "$\\lbrace 16, 5 \\rbrace$", true,
     "braces by name: not read there"},
    {"$I^2$", "$-1$", true, "the imaginary unit: no reason for the reference's no"},
    {"$\\{1,2,3\\}\\cap\\{2,3,4\\}$", "$\\{2,3\\}$", true, "nor here"},
    /* ... and here the reference is right: calculus is compared as it is written */
    {"$\\int_0^1 x dx$", "$\\frac12$", false, "integrals are not worked out"},
    {"$\\lim_{x \\to 0} \\frac{\\sin x}{x}$", "$1$", false, "nor are limits"},
    {"$\\frac{d}{dx} x^2$", "$2x$", false, "nor derivatives"},
    {"$\\sum_{k=1}^{n} k$", "$\\frac{n(n+1)}{2}$", false, "nor sums to n"},
};

static void each_pair_is_judged_for_its_reason(void)
{
    struct math_rules rules = math_defaults();
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const struct pair *p = &pairs[i];
        int got = verify(span_of(p->gold), span_of(p->other), &rules, NULL);
        CHECK((got == MATH_EQUAL) == p->equal, "%s | %s: %d (%s)", p->gold, p->other, got,
              p->why);
    }
}

static void what_says_nothing_has_a_verdict_of_its_own(void)
{
    struct math_rules rules = math_defaults();
    struct fuel little = {20};
    CHECK(verify(span_of(""), span_of("$1$"), &rules, NULL) == MATH_NO_GOLD, "gold");
    CHECK(verify(span_of("$1$"), span_of("no idea"), &rules, NULL) == MATH_NO_PREDICTION,
          "prediction");
    CHECK(math_verify(span_of("$1+1$"), span_of("$2$"), &rules, &little) ==
              MATH_GOLD_FUEL,
          "gold's fuel");
    little.left = 150;
    int verdict = math_verify(span_of("$2$"), span_of("$(x+y+z)(x+y+1)(x+2)(x+3)(x+4)$"),
                              &rules, &little);
    CHECK(verdict == MATH_FUEL, "fuel: %d", verdict);
}

static void rules_are_followed(void)
{
    struct math_rules rules = math_defaults();
    struct span box = span_of("\\boxed{1} then the final answer is $2$");
    CHECK(verify(span_of("$2$"), box, &rules, NULL) == MATH_EQUAL, "a lead-in first");
    rules.boxed = 0;
    CHECK(verify(span_of("$1$"), box, &rules, NULL) == MATH_EQUAL, "a box first");
    rules.boxed = -1;
    rules.plain = false;
    CHECK(verify(span_of("$1$"), span_of("\\boxed{1}"), &rules, NULL) ==
              MATH_NO_PREDICTION,
          "no boxes");
    rules = math_defaults();
    rules.digits = 2;
    CHECK(verify(span_of("$1.234$"), span_of("$1.233$"), &rules, NULL) == MATH_EQUAL,
          "two places");
    rules = math_defaults();
    rules.strict = false;
    CHECK(verify(span_of("$f(x)$"), span_of("$f(y)$"), &rules, NULL) == MATH_EQUAL,
          "names do not matter");
    rules = math_defaults();
    rules.set_relations = true;
    CHECK(verify(span_of("$(1,2)$"), span_of("$1<x<2$"), &rules, NULL) == MATH_EQUAL,
          "relations are sets");
    rules = math_defaults();
    rules.first = true;
    CHECK(verify(span_of("$1$"), span_of("$1$ is not $+$"), &rules, NULL) ==
              MATH_DIFFERENT,
          "only the first match");
}

static void any_bytes_will_do(void)
{
    static const struct {
        const char *text;
        size_t size;
    } texts[] = {
        {"$1\0 + 1$", 8},
        {"\0", 1},
        {"$\xff\xfe\x80$", 5},
        {"\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", 8},
        {"$\xe2\x80\xae"
         "12$",
         7},
        {"NaN", 3},
        {"$\\text{NaN}$", 12},
        {"$", 1},
        {"$$", 2},
        {"\\", 1},
        {"$\\$", 3},
        {"\\boxed{", 7},
        {"\\boxed", 6},
        {"$\\frac$", 7},
        {"$\\frac{$", 8},
        {"$\\sqrt$", 7},
        {"$x_$", 4},
        {"$x^$", 4},
        {"$\\begin{pmatrix}$", 17},
        {"-", 1},
        {".", 1},
        {"%", 1},
        {"$d$", 3},
        {"$d\\$", 4},
        {"$5 \\text{$", 10},
        {"$^T$", 4},
    };
    struct math_rules rules = math_defaults();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        /* a copy of just this size, so that reading past it is seen */
        char *copy = malloc(texts[i].size);
        NEED(copy, "memory");
        memcpy(copy, texts[i].text, texts[i].size);
        struct span text = {copy, texts[i].size};
        CHECK(verify(span_of("$777$"), text, &rules, NULL) != MATH_EQUAL, "row %zu", i);
        verify(text, text, &rules, NULL);
        free(copy);
    }
    CHECK(verify((struct span){NULL, 0}, (struct span){NULL, 0}, &rules, NULL) ==
              MATH_NO_GOLD,
          "nothing");
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + 1e-6 * (double)t.tv_nsec;
}

static void hostile_texts_end_by_counted_fuel(void)
{
    struct math_rules rules = math_defaults();
    for (int i = 0; i < HOSTILE_COUNT; i++) {
        size_t size;
        char *text = hostile_text(i, &size);
        int64_t used, again;
        double start = cpu_ms();
        verify(span_of("$x + \\sin y$"), (struct span){text, size}, &rules, &used);
        double took = cpu_ms() - start;
        verify(span_of("$x + \\sin y$"), (struct span){text, size}, &rules, &again);
        CHECK(used == again, "text %d: %ld steps, then %ld", i, (long)used, (long)again);
        CHECK(took < 5000, "text %d: %.0f ms", i,
              took); /* the bench has the real bound */
        free(text);
    }
}

static void an_answer_behind_many_marks_and_numbers_is_found(void)
{
    static const struct {
        const char *head, *what;
        size_t count;
    } texts[] = {{"", "1 ", 20000},         {"", "12\n", 20000},
                 {"x", " 1+", 20000},       {"", "**\\[", 20000},
                 {"so \\[", "\\(x", 20000}, {"", "\\$ $", 20000},
                 {"answer: ", "\\( ", 9000}};
    struct math_rules rules = math_defaults();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t size;
        char *text = hostile_repeat(texts[i].head, texts[i].what, texts[i].count,
                                    " x\\)\\]\n = 77", &size);
        enum math_verdict verdict =
            verify(span_of("$77$"), (struct span){text, size}, &rules, NULL);
        CHECK(verdict == MATH_EQUAL, "text %zu: verdict %d", i, (int)verdict);
        free(text);
    }
}

/* -- Random expressions --------------------------------------------------- */

static uint64_t random_state = 7;

static unsigned draw(unsigned below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % below;
}

static const char *const pieces[] = {"1",
                                     "2",
                                     "12",
                                     "0.5",
                                     ".5",
                                     "x",
                                     "y",
                                     "e",
                                     "\\pi",
                                     "i",
                                     "d",
                                     "+",
                                     "-",
                                     "*",
                                     "/",
                                     ":",
                                     "^",
                                     "_",
                                     "(",
                                     ")",
                                     "[",
                                     "]",
                                     "{",
                                     "}",
                                     "\\{",
                                     "\\}",
                                     "|",
                                     ",",
                                     ";",
                                     "=",
                                     "<",
                                     "\\le ",
                                     "\\frac",
                                     "\\sqrt",
                                     "\\sin",
                                     "\\log",
                                     "\\ln",
                                     "^{2}",
                                     "\\cup ",
                                     "\\pm ",
                                     "!",
                                     "\\%",
                                     "\\text{",
                                     "\\in ",
                                     "\\infty",
                                     "\\cdot ",
                                     " ",
                                     "\\left(",
                                     "\\right)",
                                     "\\boxed{",
                                     "&",
                                     "\\\\",
                                     "\\begin{pmatrix}",
                                     "\\end{pmatrix}",
                                     "\\sum_{k=1}^{",
                                     "9999999",
                                     "10^",
                                     "$",
                                     "\n",
                                     " and ",
                                     "answer:",
                                     "^T",
                                     "\\to ",
                                     "\\binom",
                                     "\\max(",
                                     "f(",
                                     "\\int ",
                                     "E9"};

static size_t grow(char *out, size_t n, size_t max, int depth)
{
    static const char *const forms[][3] = {
        {"\\frac{", "}{", "}"}, {"(", ")(", ")"}, {"\\sqrt[", "]{", "}"},
        {"{", "}^{", "}"},      {"", "+", ""},    {"\\sin(", ")\\cdot ", ""},
        {"\\log_{", "}{", "}"}, {"", "-", ""},    {"\\left|", "\\right|", ""},
    };
    if (n + 40 > max)
        return n;
    if (depth == 0 || draw(4) == 0)
        return (size_t)(stpcpy(out + n, pieces[draw(11)]) - out);
    unsigned form = draw(9);
    n = (size_t)(stpcpy(out + n, forms[form][0]) - out);
    n = grow(out, n, max, depth - 1);
    n = (size_t)(stpcpy(out + n, forms[form][1]) - out);
    n = grow(out, n, max, depth - 1);
    return (size_t)(stpcpy(out + n, forms[form][2]) - out);
}

static size_t random_text(char *out, size_t max)
{
    size_t n = (size_t)(stpcpy(out, "$") - out);
    n = grow(out, n, max - 200, 5);
    for (unsigned k = draw(3) ? 0 : draw(12); k > 0 && n + 40 < max; k--)
        n = (size_t)(stpcpy(out + n, pieces[draw(sizeof pieces / sizeof *pieces)]) - out);
    return (size_t)(stpcpy(out + n, "$") - out);
}

static void random_pairs_never_hang(void)
{
    enum { SIZE = 3000 };
    static char a[SIZE], b[SIZE];
    int count = getenv("LONG") ? 100000 : 3000;
    struct math_rules rules = math_defaults();
    double worst = 0;
    for (int i = 0; i < count; i++) {
        struct span x = {a, random_text(a, SIZE)}, y = {b, random_text(b, SIZE)};
        double start = cpu_ms();
        verify(x, y, &rules, NULL);
        double took = cpu_ms() - start;
        worst = took > worst ? took : worst;
        CHECK(took < 5000, "%.0f ms: %s | %s", took, a, b);
        CHECK(verify(x, x, &rules, NULL) != MATH_DIFFERENT ||
                  !memchr(a + 1, '$', x.n - 2),
              "not itself: %s", a);
    }
    fprintf(stderr, "%d random pairs, the worst took %.1f ms\n", count, worst);
}

int main(void)
{
    CASE(verdicts_agree_with_math_verify_on_400_generated_pairs);
    CASE(verdicts_agree_with_math_verify_on_its_own_tests);
    CASE(each_pair_is_judged_for_its_reason);
    CASE(what_says_nothing_has_a_verdict_of_its_own);
    CASE(rules_are_followed);
    CASE(any_bytes_will_do);
    CASE(hostile_texts_end_by_counted_fuel);
    CASE(an_answer_behind_many_marks_and_numbers_is_found);
    CASE(random_pairs_never_hang);
    math_thread_end();
    return check_end();
}
