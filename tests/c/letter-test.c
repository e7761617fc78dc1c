/* letter-test: the letter of a judge's reply: a table for the rule that is used, and
 * reference rows for the two that are there for comparison. */
#include "check.h"
#include "golden.h"
#include "qa/letter.h"

#include <time.h>

/* want: the letter, 0 for none. */
static const struct reply {
    const char *text;
    char want;
    const char *why;
} replies[] = {
    /* A letter, bare or dressed */
    {"B", 'B', "alone"},
    {"I", 'I', "the last letter there is"},
    {"J", 0, "A to I only"},
    {"B.", 'B', "a stop is no letter or digit"},
    {"B)", 'B', "nor is a bracket"},
    {"(B)", 'B', "( is skipped"},
    {"B: the dog", 'B', "what follows the letter does not count"},
    {"C) a hat", 'C', "likewise"},
    {"D, because it is red", 'D', "likewise"},
    {"B\n", 'B', "a line end is space"},
    {"\n\n  B", 'B', "space is skipped"},
    {"\t\r\nB", 'B', "of any kind"},
    {"\xE3\x80\x80"
     "B",
     'B', "ideographic space too"},
    {"\xC2\xA0"
     "B",
     'B', "no-break space too"},
    {"**B**", 'B', "* is skipped"},
    {"*B*", 'B', "* is skipped"},
    {"**(B)**", 'B', "in any order"},
    {"( * B", 'B', "in any order"},
    {"B**", 'B', "* is no letter or digit"},
    {"A\xC3\x97", 'A', "a multiplication sign is no letter"},
    /* Lead-ins */
    {"The answer is B", 'B', "lead-in"},
    {"The answer is (B).", 'B', "lead-in"},
    {"the answer is B", 'B', "in any case"},
    {"THE ANSWER IS B", 'B', "in any case"},
    {"The answer is: B", 'B', "with a colon"},
    {"The answer is:\nB", 'B', "on the next line"},
    {"The correct answer is: **C**", 'C', "correct"},
    {"the correct answer is: **C**", 'C', "correct"},
    {"The best answer is C.", 'C', "best"},
    {"The final answer: C", 'C', "final, without is"},
    {"My answer is C", 'C', "my"},
    {"Answer: D", 'D', "lead-in; the A of Answer is no answer"},
    {"answer: D", 'D', "in any case"},
    {"Answer:D", 'D', "without space"},
    {"Answer:\n\nD", 'D', "space of any kind"},
    {"**Answer:** D", 'D', "bold lead-in"},
    {"**Answer**: D", 'D', "colon outside"},
    {"**Answer: D**", 'D', "all bold"},
    {"Answer D", 'D', "no colon is needed"},
    {"Correct answer: D", 'D', "no article is needed"},
    {"Option B", 'B', "option is a lead-in"},
    {"The correct option is B", 'B', "likewise"},
    {"Choice: E", 'E', "choice as well"},
    {"Answer: Option B", 'B', "option behind answer"},
    {"The answer is option B", 'B', "likewise"},
    {"Answer: A cat", 'A',
     "the letter stands alone; that it is an article shows only "
     "to a reader"},
    /* What the published reading takes for a letter */
    {"Can not answer", 0, "published: C"},
    {"Cannot answer", 0, "published: C"},
    {"Based on the caption, D", 0, "published: B. D does not come first"},
    {"Based on", 0, "published: B"},
    {"Answer: none", 0, "published: A"},
    {"Answer: the cat", 0, "published: A"},
    {"Answer: Dog", 0, "D begins a word"},
    {"Answer", 0, "published: A"},
    {"Answer:", 0, "published: A"},
    {"Answers: B", 0, "another word than answer: no lead-in"},
    {"AnswerB", 0, "another word"},
    {"Answer1 B", 0, "another word"},
    {"Option", 0, "nothing follows"},
    {"Either", 0, "E begins a word"},
    {"Definitely A", 0, "D begins a word"},
    {"I", 'I', "also the word: no question of eight or fewer options has it"},
    {"I think C", 'I', "the rule reads what comes first: I, so no option of it"},
    {"I'm not sure", 'I', "likewise"},
    {"It is B", 0, "no lead-in"},
    {"Sure! B", 0, "no lead-in"},
    {"So the answer is B", 0, "not at the start"},
    {"I think the answer is C", 'I', "not at the start"},
    {"Maybe B", 0, "not at the start"},
    {"The B", 0, "the alone is no lead-in"},
    {"is B", 0, "is alone is none"},
    {"The correct one is B", 0, "one is no word of a lead-in"},
    /* Several letters: the first, as the rule says */
    {"B or C", 'B', "the first that stands alone"},
    {"A and B", 'A', "the first"},
    {"A/B", 'A', "the first"},
    {"A, B, C, D", 'A', "the first"},
    {"A cat", 'A', "not followed by a letter or digit"},
    {"A-level", 'A', "a hyphen is no letter"},
    {"A_1", 'A', "nor is an underscore"},
    {"AB", 0, "followed by a letter"},
    {"BC", 0, "followed by a letter"},
    {"ABCD", 0, "followed by a letter"},
    {"B1", 0, "followed by a digit"},
    {"A\xC2\xB2", 0, "followed by a digit sign (superscript two)"},
    {"A\xD9\xA1", 0, "followed by a digit of another script"},
    {"B\xE5\x9E\x8B", 0, "followed by a letter of another script"},
    {"A\xCC\x81", 0, "a mark makes it another letter"},
    {"A\xC3\xA9", 0, "followed by a letter"},
    {"B\xEF\xBC\x8C\xE5\x9B\xA0", 'B', "a full-width comma is no letter"},
    {"B\xE3\x80\x82", 'B', "nor is an ideographic stop"},
    /* Lower case */
    {"b", 0, "capital letters only: else every \"a cat\" were A"},
    {"(c)", 0, "likewise"},
    {"a cat", 0, "likewise"},
    {"Answer: d", 0, "likewise"},
    /* Other scripts: letters that only look like ours */
    {"\xEF\xBC\xA2", 0, "full-width B (U+FF22) is not one of A to I"},
    {"\xEF\xBC\x88"
     "B\xEF\xBC\x89",
     0, "a full-width bracket is not skipped"},
    {"\xD0\x92", 0, "Cyrillic Ve"},
    {"\xD0\x90", 0, "Cyrillic A"},
    {"\xCE\x92", 0, "Greek Beta"},
    {"\xE2\x92\xB7", 0, "circled B"},
    {"\xF0\x9D\x90\x81", 0, "mathematical bold B"},
    {"\xF0\x9F\x85\xB1", 0, "the blood type sign B"},
    {"\xE7\xAD\x94\xE6\xA1\x88\xEF\xBC\x9A"
     "B",
     0, "a lead-in in Chinese is none that the rule names"},
    {"\xD8\xA8", 0, "Arabic Beh"},
    /* Other dress */
    {"\"B\"", 0, "a quote is not skipped"},
    {"[B]", 0, "nor a square bracket"},
    {"`B`", 0, "nor a backquote"},
    {"$B$", 0, "nor a dollar sign"},
    {"\\boxed{B}", 0, "nor LaTeX"},
    {"#B", 0, "nor a number sign"},
    {"- B", 0, "nor a bullet"},
    {"1. B", 0, "nor a number"},
    {"<think>", 0, "nor a tag"},
    {"<think>\n\n</think>\n\nB", 0,
     "nor an empty thought: judges are asked not to think"},
    {"\xEF\xBB\xBF"
     "B",
     0, "a byte order mark is no space"},
    {"\xE2\x80\x8B"
     "B",
     0, "nor is a zero-width space"},
    {"\xFF", 0, "no UTF-8"},
    {"B\xFF", 'B', "broken bytes are no letter"},
    {"B\xE5\x9E", 'B', "nor is half a character"},
    /* Nothing */
    {"", 0, "empty"},
    {" \n ", 0, "space"},
    {"****", 0, "marks"},
    {"((((", 0, "marks"},
    {"...", 0, "no letter"},
    {"42", 0, "no letter"},
    {"the the the the the the the the the the", 0, "ten tokens of nothing"},
    {"The answer is The answer is B", 0, "one lead-in, not two"},
};

static void a_letter_alone(void)
{
    size_t count = sizeof replies / sizeof *replies;
    CHECK(count >= 60, "%zu replies", count);
    for (size_t i = 0; i < count; i++) {
        const struct reply *r = &replies[i];
        /* A copy of just this size, so that reading past its end is seen. */
        size_t n = strlen(r->text);
        char *text = malloc(n ? n : 1);
        memcpy(text, r->text, n);
        int place = letter_read((struct span){text, n}, LETTER_ALONE);
        CHECK(place == (r->want ? r->want - 'A' : -1), "\"%s\" is %c (%s)", r->text,
              place < 0 ? '-' : 'A' + place, r->why);
        free(text);
    }
    CHECK(letter_read((struct span){NULL, 0}, LETTER_ALONE) == -1, "nothing");
    CHECK(letter_read((struct span){"\0B", 2}, LETTER_ALONE) == -1, "NUL is no space");
    CHECK(letter_read((struct span){"B\0", 2}, LETTER_ALONE) == 1, "nor a letter");
    CHECK(letter_read((struct span){"correct\0 answer: B", 18}, LETTER_ALONE) == -1,
          "words end at a NUL");
}

static void the_rules_for_comparison_are_as_published(void)
{
    char *file = golden_file(golden_path("goldens2/score/cases.jsonl"), NULL);
    NEED(file, "no reference data");
    const char *at = file;
    int rows = 0;
    for (json_t *row; (row = golden_row(&at)); json_decref(row)) {
        const char *kind = json_string_value(json_object_get(row, "kind"));
        bool first = strcmp(kind, "mc_first_char") == 0;
        if (!first && strcmp(kind, "mc_first_letter") != 0)
            continue;
        json_t *text = json_object_get(row, "prediction");
        struct span reply = {json_string_value(text), json_string_length(text)};
        const char *letter = json_string_value(json_object_get(row, "letter"));
        const char *gold = json_string_value(json_object_get(row, "gold"));
        int place = letter_read(reply, first ? LETTER_FIRST_CHAR : LETTER_ANYWHERE);
        CHECK(place == (letter ? *letter - 'A' : -1), "%s: \"%s\": %d", kind, reply.s,
              place);
        CHECK((place == *gold - 'A') ==
                  (json_number_value(json_object_get(row, "expected")) == 1),
              "%s: \"%s\": score", kind, reply.s);
        rows++;
    }
    CHECK(rows == 160, "%d rows", rows);
    free(file);
}

static void rules_have_names(void)
{
    CHECK(letter_rule_named("alone") == LETTER_ALONE, "alone");
    CHECK(letter_rule_named("first-char") == LETTER_FIRST_CHAR, "first-char");
    CHECK(letter_rule_named("anywhere") == LETTER_ANYWHERE, "anywhere");
    CHECK(letter_rule_named("") == -1 && letter_rule_named("first_char") == -1, "none");
}

static void time_is_linear(void)
{
    static const char *const pieces[] = {" ", "*",    "(",   "the ", "answer ",
                                         ":", "xyz ", "zzz", "a",    "\xCC\x81"};
    size_t n = 4000000;
    char *text = malloc(n);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        size_t len = strlen(pieces[i]), at = 0;
        for (; at + len <= n; at += len) memcpy(text + at, pieces[i], len);
        clock_t from = clock();
        for (int rule = LETTER_ALONE; rule <= LETTER_ANYWHERE; rule++)
            letter_read((struct span){text, at}, (enum letter_rule)rule);
        double t = (double)(clock() - from) / CLOCKS_PER_SEC;
        CHECK(t < 2, "%s: %.2f s for 4 MB", pieces[i], t);
    }
    free(text);
}

int main(void)
{
    CASE(a_letter_alone);
    CASE(the_rules_for_comparison_are_as_published);
    CASE(rules_have_names);
    CASE(time_is_linear);
    return check_end();
}
