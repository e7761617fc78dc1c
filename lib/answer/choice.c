/* choice.c: which option a reply picks. Its words come first where they are an option's
 * own ("A cat" is the option "A cat", not option A), then its letter, then its words
 * behind a lead-in, then what its last "answer" introduces. */
#include "answer/answer_own.h"
#include "answer/chars.h"
#include "answer/choice_lead.h"
#include "base/fail.h"
#include "qa/label.h"
#include "qa/match.h"

enum { LETTERS = 26, MATCHED = 64 };

/* What reads one reply. */
struct reading {
    enum letter_rule rule;
    const struct span *options;
    int count, right;
};

static int words(const struct reading *r, struct span text)
{
    return r->count > 0 && r->count <= MATCHED && text.n > 0
               ? match_option(text, r->options, r->count, r->right)
               : -1;
}

/* The letter's option: one that there is. */
static int letter(const struct reading *r, struct span text)
{
    int letters = r->count > 9 && r->count <= LETTERS ? r->count : 9;
    int place = letter_read_of(text, r->rule, letters);
    return r->count > 0 && place >= r->count ? -1 : place;
}

/* Without one pair of marks around it: quotes, brackets, emphasis, LaTeX. */
static struct span unwrap(struct span t)
{
    static const struct {
        const char *before, *after;
    } pairs[] = {
        {"\\boxed{", "}"}, {"\\text{", "}"}, {"\\mathrm{", "}"},   {"\\textbf{", "}"},
        {"\\(", "\\)"},    {"\\[", "\\]"},   {"$", "$"},           {"\"", "\""},
        {"'", "'"},        {"`", "`"},       {"**", "**"},         {"__", "__"},
        {"*", "*"},        {"_", "_"},       {"[", "]"},           {"(", ")"},
        {"{", "}"},        {"<", ">"},       {"\u201c", "\u201d"}, {"\u2018", "\u2019"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        size_t a = strlen(pairs[i].before), b = strlen(pairs[i].after);
        if (t.n >= a + b && memcmp(t.s, pairs[i].before, a) == 0 &&
            memcmp(t.s + t.n - b, pairs[i].after, b) == 0)
            return chars_strip((struct span){t.s + a, t.n - a - b});
    }
    return t;
}

/* A lone letter in lower case: "b", "b)", "(b).". */
static int small_letter(const struct reading *r, struct span t)
{
    while (t.n > 1 && memchr(".):", t.s[t.n - 1], 3)) t.n--;
    if (t.n == 2 && t.s[0] == '(')
        t.s++, t.n--;
    int place = t.n == 1 ? t.s[0] - 'a' : -1;
    return place >= 0 && place < (r->count > 0 ? r->count : 9) ? place : -1;
}

/* A full-width letter, or a letter before full-width marks: "Ｂ", "（B）蓝色", "B。". */
static int wide_letter(const struct reading *r, struct span t)
{
    static const char *const marks[] = {"）", "。", "．", "、", "，", "：", NULL};
    int place = -1;
    if (t.n >= 3 && memcmp(t.s, "（", 3) == 0)
        t = chars_strip((struct span){t.s + 3, t.n - 3});
    size_t n = label_letter(t, &place);
    bool ends = n > 0 && (n == t.n || t.s[n] == ')' || t.s[n] == '.' || t.s[n] == ' ');
    for (int i = 0; marks[i] && n > 0 && !ends; i++)
        ends = t.n - n >= 3 && memcmp(t.s + n, marks[i], 3) == 0;
    return ends && place < (r->count > 0 ? r->count : 9) ? place : -1;
}

/* Without one mark at its end: a stop, or what a lead-in has left without its partner
 * ("blue**"). */
static struct span cut_end(struct span t)
{
    char last = t.n > 1 ? t.s[t.n - 1] : '\0';
    if (last == '.' || last == '*' || (last == ')' && !memchr(t.s, '(', t.n)))
        return chars_strip((struct span){t.s, t.n - 1});
    if (t.n > 3 && memcmp(t.s + t.n - 3, "。", 3) == 0)
        return chars_strip((struct span){t.s, t.n - 3});
    return t;
}

/* Without the outermost lead-in, marks or stop; as it is where it has none. */
static struct span peel(struct span t)
{
    struct span behind = choice_behind_lead_in(t), bare = unwrap(t);
    if (bare.n < t.n)
        return bare;
    bare = unwrap(behind);
    return bare.n < behind.n ? bare : cut_end(behind);
}

enum { LAYERS = 12 }; /* "Answer: **(B)**." has five */

/* The option whose words a reply gives, with or without what is around them. */
static int read_words(const struct reading *r, struct span t)
{
    for (int depth = 0; depth < LAYERS && t.n > 1; depth++) {
        struct span behind = choice_behind_lead_in(t), inner = peel(t);
        int place = words(r, t);
        if (place == -1 && behind.n < t.n && behind.n > 1)
            place = words(r, behind);
        if (place != -1 || inner.n == t.n)
            return place;
        t = inner;
    }
    return -1;
}

/* The option whose letter it gives, likewise. */
static int read_letters(const struct reading *r, struct span t)
{
    int place = -1;
    for (int depth = 0; depth < LAYERS; depth++) {
        struct span behind = choice_behind_lead_in(t), inner = peel(t);
        if ((place = letter(r, t)) >= 0 || (place = letter(r, behind)) >= 0 ||
            (place = wide_letter(r, behind)) >= 0)
            return place;
        if (inner.n == t.n)
            break;
        t = inner;
    }
    return (place = words(r, t)) != -1 ? place : small_letter(r, t);
}

/* What a reply that is nothing but an answer picks: words come before letters, for an
 * option may begin with one. */
static int read_alone(const struct reading *r, struct span t)
{
    int place = read_words(r, t);
    return place != -1 ? place : read_letters(r, t);
}

static bool same_word(const char *s, const char *lower, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((s[i] | 0x20) != lower[i])
            return false;
    return true;
}

/* Behind a text that explains first: what the last "answer" introduces that picks an
 * option, at most TRIES back: "It is red, so the answer is (B)." */
static int read_conclusion(const struct reading *r, struct span t)
{
    enum { WORD = 6, TRIES = 8, LINE_MAX = 400 };
    int tries = 0;
    for (size_t i = t.n; i-- > 0 && tries < TRIES;) {
        if (t.n - i < WORD || (!same_word(t.s + i, "answer", WORD) &&
                               memcmp(t.s + i, "答案", WORD) != 0)) /* as many bytes */
            continue;
        tries++;
        struct span rest = {t.s + i, t.n - i};
        const char *line = memchr(rest.s, '\n', rest.n);
        struct span behind = choice_behind_lead_in(rest);
        int place;
        if (behind.s == rest.s)
            continue;
        if (line && line > behind.s)
            behind.n = (size_t)(line - behind.s);
        place =
            behind.n <= LINE_MAX ? read_alone(r, chars_strip(behind)) : letter(r, rest);
        if (place != -1)
            return place;
    }
    return -1;
}

int choice_read(struct span reply, enum letter_rule rule, const struct span *options,
                int count, int right)
{
    struct reading r = {rule, options, count, right};
    if (rule != LETTER_ALONE) /* the published readings know letters alone */
        return letter(&r, reply);
    struct span boxed =
        choice_boxed(reply); /* said in so many words: before all others */
    int place = boxed.s ? read_alone(&r, boxed) : -1;
    if (place == -1)
        place = read_alone(&r, chars_strip(reply));
    return place != -1 ? place : read_conclusion(&r, reply);
}

int choice_gold(struct span gold, const struct span *options, int count)
{
    int most = count > 0 ? count : LETTERS, place = -1, same = -1;
    struct span t = chars_strip(gold);
    struct label label = label_read(t);
    if (t.n == 1 && t.s[0] >= 'A' && t.s[0] <= 'Z')
        place = t.s[0] - 'A';
    else if ((t.n == 2 && (t.s[1] == '.' || t.s[1] == ')')) ||
             (t.n == 3 && t.s[0] == '(' && t.s[2] == ')'))
        place = label.place;
    if (place >= 0 && place < most)
        return place;
    for (int i = 0; i < count && same < 0; i++)
        if (match_same(t, options[i]))
            same = i;
    if (same >= 0)
        return same;
    if (label.place >= 0 && label.place < count &&
        match_same(label.text, options[label.place]))
        return label.place;
    if (count > 0 && count <= MATCHED && t.n > 0 &&
        (same = match_option(t, options, count, -1)) != -1)
        return same == -2 ? -1 : same;
    return place >= 0 && count > 0
               ? fail(FAIL_TYPE, "answer: %c, and there are %d options", 'A' + place,
                      count)
               : fail(FAIL_TYPE, count > 0
                                     ? "answer: no letter and no option's text"
                                     : "answer: no letter, and no options are given");
}
