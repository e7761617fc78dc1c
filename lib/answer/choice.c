/* choice.c: which option a reply picks. Its words come first where they are an option's
 * own ("A cat" is the option "A cat", not option A), then its letter, then its words
 * behind a lead-in, then what its last "answer" introduces. */
#include "answer/answer_own.h"
#include "answer/chars.h"
#include "answer/choice_lead.h"
#include "answer/choice_say.h"
#include "base/fail.h"
#include "qa/label.h"
#include "qa/match.h"

enum { LETTERS = 26, MATCHED = 64 };

/* What reads one reply. */
struct reading {
    enum letter_rule rule;
    const struct span *options;
    int count, right;
    struct span bare[MATCHED]; /* [count] the options without articles and dollars */
    size_t longest;            /* bytes of a text that may still be one of them */
};

/* An option's words as a sentence may hold them: "cat" of "a cat", "x^2" of "$x^2$". */
static struct span bare_option(struct span option)
{
    struct span t = chars_strip(option), bare;
    if (t.n > 2 && *t.s == '$' && t.s[t.n - 1] == '$')
        t = (struct span){t.s + 1, t.n - 2};
    bare = choice_without_article(t);
    return bare.n ? bare : t;
}

/* Options that differ by no more than that keep it. */
static void read_bare(struct reading *r)
{
    enum { SPELT_LONGER = 8, AROUND = 64 }; /* decomposed letters, white space */
    for (int i = 0; i < r->count; i++) {
        size_t n = SPELT_LONGER * r->options[i].n + AROUND;
        r->longest = n > r->longest ? n : r->longest;
        r->bare[i] = bare_option(r->options[i]);
    }
    for (int i = 1; i < r->count; i++)
        for (int k = 0; k < i; k++)
            if (match_same(r->bare[i], r->bare[k]) &&
                !match_same(r->options[i], r->options[k])) {
                r->bare[i] = r->options[i];
                r->bare[k] = r->options[k];
            }
}

static int words(const struct reading *r, struct span text)
{
    if (r->count == 0 || r->count > MATCHED || text.n == 0 || text.n > r->longest)
        return -1;
    int place = match_option(text, r->options, r->count, r->right);
    struct span bare = choice_without_article(text);
    return place == -1 ? match_option(bare.n ? bare : text, r->bare, r->count, r->right)
                       : place;
}

/* Does the letter at a text's start belong to a word: "A's", "A-frame", "A/C", "D.C."? */
static bool in_word(struct span t)
{
    if (t.n < 3)
        return t.n == 2 && t.s[1] == '+';
    char last = (char)(t.s[2] | 0x20);
    bool before_letter = last >= 'a' && last <= 'z';
    if (t.s[1] == '.')
        return before_letter && (t.n == 3 || t.s[3] == '.');
    return t.s[1] == '+' || (before_letter && t.s[1] && strchr("'-/", t.s[1]));
}

/* The letter's option: one that there is. */
static int letter(const struct reading *r, struct span text)
{
    int letters = r->count > 9 && r->count <= LETTERS ? r->count : 9;
    int place = letter_read_of(text, r->rule, letters);
    if (place >= 0 && r->rule == LETTER_ALONE && in_word(letter_behind_lead_in(text)))
        return -1;
    return r->count > 0 && place >= r->count ? -1 : place;
}

/* Without one pair of marks around it: quotes, brackets, emphasis, LaTeX. */
static struct span unwrap(struct span t)
{
    static const struct {
        const char *before, *after;
    } pairs[] = {{"\\boxed{", "}"},   {"\\text{", "}"},   {"\\mathrm{", "}"},
                 {"\\textbf{", "}"},  {"\\mathbf{", "}"}, {"\\textit{", "}"},
                 {"\\mathit{", "}"},  {"\\textrm{", "}"}, {"\\mathsf{", "}"},
                 {"\\texttt{", "}"},  {"\\rm ", ""},      {"\\bf ", ""},
                 {"\\(", "\\)"},      {"\\[", "\\]"},     {"$", "$"},
                 {"\"", "\""},        {"'", "'"},         {"`", "`"},
                 {"**", "**"},        {"__", "__"},       {"*", "*"},
                 {"_", "_"},          {"[", "]"},         {"(", ")"},
                 {"{", "}"},          {"<", ">"},         {"\u201c", "\u201d"},
                 {"\u2018", "\u2019"}};
    for (size_t i = 0; t.n > 1 && i < sizeof pairs / sizeof *pairs; i++) {
        if (pairs[i].before[0] != t.s[0])
            continue;
        size_t a = strlen(pairs[i].before), b = strlen(pairs[i].after);
        if (t.n >= a + b && memcmp(t.s, pairs[i].before, a) == 0 &&
            memcmp(t.s + t.n - b, pairs[i].after, b) == 0)
            return chars_strip((struct span){t.s + a, t.n - a - b});
    }
    return t;
}

/* A lone letter in lower case: "b", "b)", "(b).", also a full-width one. */
static int small_letter(const struct reading *r, struct span t)
{
    if (t.n > 6 && memcmp(t.s, "（", 3) == 0 && memcmp(t.s + t.n - 3, "）", 3) == 0)
        t = chars_strip((struct span){t.s + 3, t.n - 6});
    if (t.n == 3 && memcmp(t.s, "\xEF\xBD", 2) == 0) { /* U+FF41 to U+FF5A */
        int wide = (unsigned char)t.s[2] - 0x81;
        return wide >= 0 && wide < (r->count > 0 ? r->count : 9) ? wide : -1;
    }
    while (t.n > 1 && memchr(".):", t.s[t.n - 1], 3)) t.n--;
    if (t.n == 2 && t.s[0] == '(')
        t.s++, t.n--;
    int place = t.n == 1 ? t.s[0] - 'a' : -1;
    return place >= 0 && place < (r->count > 0 ? r->count : 9) ? place : -1;
}

/* A full-width letter, or a letter before full-width marks: "Ｂ", "（B）蓝色", "B。". */
static int wide_letter(const struct reading *r, struct span t)
{
    static const char *const marks[] = {"）", "。", "．", "、", "，", "：", "选", NULL};
    int place = -1;
    if (t.n >= 3 && memcmp(t.s, "（", 3) == 0)
        t = chars_strip((struct span){t.s + 3, t.n - 3});
    size_t n = label_letter(t, &place);
    bool ends = n > 0 && (n == t.n || t.s[n] == ')' || t.s[n] == '.' || t.s[n] == ' ');
    for (int i = 0; marks[i] && n > 0 && !ends; i++)
        ends = t.n - n >= 3 && memcmp(t.s + n, marks[i], 3) == 0;
    ends = ends && !(n == 1 && in_word(t));
    return ends && place < (r->count > 0 ? r->count : 9) ? place : -1;
}

/* Without one mark at its end: a stop, or what a lead-in has left without its partner
 * ("blue**"). */
static struct span cut_end(struct span t)
{
    char last = t.n > 1 ? t.s[t.n - 1] : '\0';
    if (last == '.' || last == '!' || last == '*' ||
        (last == ')' && !memchr(t.s, '(', t.n)))
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

/* A letter that a phrase has announced: dressed or not, and nothing but a stop, a reason
 * or its own words behind it, so that "So A car is shown" is none. */
static int announced(const struct reading *r, struct span t)
{
    static const char *const reason[] = {" because", " since", " as ",
                                         " - ",      " – ",    NULL};
    int place = letter(r, t = chars_strip(t));
    if (place < 0)
        return small_letter(r, unwrap(cut_end(t)));
    while (t.n > 0 && (*t.s < 'A' || *t.s > 'Z')) t.s++, t.n--;
    for (t.s++, t.n--; t.n > 0 && *t.s && strchr(")*\"'`]$}", *t.s);) t.s++, t.n--;
    if (t.n == 0 || (*t.s && strchr(".,;:!\n", *t.s)) || words(r, t) == place)
        return place;
    for (int i = 0; reason[i]; i++) {
        size_t n = strlen(reason[i]);
        if (t.n >= n && memcmp(t.s, reason[i], n) == 0)
            return place;
    }
    return -1;
}

/* The option that a phrase announces, by its letter or its words; -1: none. */
static int read_phrase(const struct reading *r, struct span t)
{
    struct span behind = choice_behind_phrase(t);
    if (!behind.s)
        return -1;
    int place = read_words(r, behind);
    return place != -1 ? place : announced(r, behind);
}

/* How many bytes end a clause at i: a mark, a line's end, a reason's first word; 0: none
 * do. Not a colon: "red: no" goes through options. */
static size_t clause_end(struct span t, size_t i)
{
    static const char *const reasons[] = {" because ", " since ", " as ", NULL};
    if (t.s[i] == '\n')
        return 1;
    if (t.s[i] && strchr(",.;!", t.s[i]))
        return i + 1 == t.n || t.s[i + 1] == ' ' || t.s[i + 1] == '\n';
    for (int k = 0; t.s[i] == ' ' && reasons[k]; k++) {
        size_t n = strlen(reasons[k]);
        if (t.n - i >= n && memcmp(t.s + i, reasons[k], n) == 0)
            return n;
    }
    return 0;
}

/* A text's first clause, which it loses. */
static struct span take_clause(struct span *t)
{
    enum { CLAUSE_MAX = 400 };
    struct span clause = *t = chars_strip(*t);
    size_t i = 0, n = 0;
    while (i < t->n && i < CLAUSE_MAX && !(n = clause_end(*t, i))) i++;
    clause.n = i;
    t->s += i + n;
    t->n -= i + n;
    return chars_strip(clause);
}

/* The option whose words are a text's first clause, where the next is no other's: "No,
 * there is none.", but not "red, blue". */
static int read_opening(const struct reading *r, struct span t)
{
    int place = read_words(r, take_clause(&t));
    int other = place >= 0 ? read_words(r, take_clause(&t)) : -1;
    return other == -1 || other == place ? place : other == -2 ? -2 : -1;
}

/* "blue (B)", "blue, option B": words, with their own letter behind them. */
static int read_both(const struct reading *r, struct span t)
{
    t = cut_end(t);
    for (size_t i = t.n; i-- > 1;)
        if (t.s[i] == '(' || t.s[i] == ',') {
            struct span first = {t.s, i}, second = {t.s + i + 1, t.n - i - 1};
            int place = read_words(r, chars_strip(first));
            return place >= 0 && place == read_letters(r, chars_strip(second)) ? place
                                                                               : -1;
        }
    return -1;
}

/* Sentences without a word for "answer": "I would go with B.", "The car is blue.", and a
 * letter or an option alone on the last line. */
static int read_sentence(const struct reading *r, struct span t)
{
    enum { LINE_MAX = 400 };
    struct span line = t;
    int place = t.n <= LINE_MAX ? read_both(r, choice_behind_lead_in(t)) : -1;
    if (place == -1)
        place = read_phrase(r, t);
    if (place != -1)
        return place;
    for (size_t i = t.n; i-- > 0;)
        if (t.s[i] == '\n') {
            line = chars_strip((struct span){t.s + i, t.n - i});
            break;
        }
    if (line.n < t.n && line.n <= LINE_MAX)
        if ((place = read_words(r, line)) != -1 || (place = announced(r, line)) != -1)
            return place;
    for (size_t i = t.n - (t.n > 0), tries = 0; i-- > 0 && tries < 4;)
        if (t.s[i] && strchr(".,!;", t.s[i]) &&
            t.s[i + 1] == ' ') { /* the last clauses */
            tries++;
            if (t.n - i <= LINE_MAX &&
                (place = read_phrase(r, (struct span){t.s + i + 2, t.n - i - 2})) != -1)
                return place;
        }
    if (line.n > 2 && line.s[1] == ')' && /* "b) blue" */
        (place = words(r, chars_strip((struct span){line.s + 2, line.n - 2}))) >= 0 &&
        place == (line.s[0] | 0x20) - 'a')
        return place;
    for (struct span bare = line; bare.n > 1 && *bare.s && strchr("#>-~ ", *bare.s);)
        if ((bare.s++, bare.n--, place = announced(r, bare)) != -1)
            return place;
    struct span said = choice_said_to_be(line);
    if (!said.s)
        said = t.n <= LINE_MAX ? t : (struct span){"", 0};
    said = choice_without_article(said);
    return said.n ? read_words(r, said) : -1;
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
        if (place == -1)
            place = read_opening(r, behind);
        if (place == -1 && rest.n > LINE_MAX)
            rest.n = LINE_MAX;
        if (place == -1)
            place = read_phrase(r, rest);
        if (place != -1)
            return place;
    }
    return -1;
}

/* Does a reply go on behind its first letter, so that this need not be its answer: "A is
 * wrong", "A car", or a list of the options? */
static bool goes_on(struct span reply)
{
    size_t i = 0;
    while (i < reply.n && (reply.s[i] == '*' || reply.s[i] == '(')) i++;
    bool sentence = i + 2 < reply.n && reply.s[i] >= 'A' && reply.s[i] <= 'Z' &&
                    reply.s[i + 1] == ' ' && reply.s[i + 2] >= 'a' &&
                    reply.s[i + 2] <= 'z';
    return sentence || choice_lists_options(reply);
}

int choice_read(struct span reply, enum letter_rule rule, const struct span *options,
                int count, int right)
{
    struct reading r = {.rule = rule, .options = options, .count = count, .right = right};
    if (rule != LETTER_ALONE) /* the published readings know letters alone */
        return letter(&r, reply);
    if (count <= MATCHED)
        read_bare(&r);
    struct span boxed =
        choice_boxed(reply); /* said in so many words: before all others */
    int place = boxed.s ? read_alone(&r, boxed) : -1;
    if (place == -1)
        place = read_alone(&r, reply = chars_strip(reply));
    if (place >= 0 && !boxed.s && goes_on(reply)) {
        int last = read_conclusion(&r, reply);
        if (last == -1)
            last = read_opening(&r, reply);
        place = last >= 0 ? last : place;
    }
    if (place == -1)
        place = read_conclusion(&r, reply);
    if (place == -1)
        place = read_opening(&r, reply);
    return place != -1 ? place : read_sentence(&r, reply);
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
