/* choice_say.c: see choice_say.h. */
#include "answer/choice_say.h"
#include "answer/chars.h"

#include <strings.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void skip(struct span *t, const char *marks)
{
    while (t->n > 0 && *t->s && strchr(marks, *t->s)) t->s++, t->n--;
}

/* Step over one of phrases (a NULL-ended list, longer ones before those they begin with),
 * in any case and as words of their own, and over space and marks behind it. */
static bool take(struct span *t, const char *const *phrases)
{
    for (; *phrases && t->n > 0; phrases++) {
        if (((*phrases)[0] | 0x20) != (*t->s | 0x20))
            continue;
        size_t n = strlen(*phrases);
        if (t->n < n || strncasecmp(t->s, *phrases, n) != 0)
            continue;
        if (is_letter((*phrases)[n - 1]) && t->n > n && is_letter(t->s[n]))
            continue;
        t->s += n;
        t->n -= n;
        skip(t, " \t\n*");
        return true;
    }
    return false;
}

/* "Sure, so": what may stand before. How many there are. */
static int take_openings(struct span *t)
{
    static const char *const opening[] = {
        "sure",    "yes",  "okay",      "ok",        "so",        "thus",
        "hence",   "and",  "then",      "clearly",   "therefore", "in conclusion",
        "i think", "that", "i believe", "assistant", NULL};
    int count = 0;
    while (take(t, opening)) {
        skip(t, " ,!:\n*");
        count++;
    }
    return count;
}

/* "I would go with", "it matches": a subject and its verb. */
static bool take_clause(struct span *t)
{
    static const char *const subject[] = {"i would", "i'd", "i will", "i'll", "i", NULL};
    static const char *const verb[] = {"choose", "pick",    "select",
                                       "say",    "go with", NULL};
    static const char *const clause[] = {"it matches",
                                         "this matches",
                                         "it corresponds to",
                                         "this corresponds to",
                                         "which matches",
                                         "which corresponds to",
                                         "which is",
                                         "it is",
                                         "it's",
                                         "this is",
                                         "it must be",
                                         "it should be",
                                         "that is",
                                         NULL};
    struct span at = *t;
    take(&at, subject);
    if (take(&at, verb)) {
        *t = at;
        return true;
    }
    return take(t, clause);
}

/* "[the correct] answer [to the question] [must be | : | = | ->]". */
static bool take_noun(struct span *t)
{
    static const char *const whose[] = {"the", "my", "this", NULL};
    static const char *const which[] = {
        "correct", "right", "best", "final", "most likely", "most appropriate", NULL};
    static const char *const noun[] = {"answer", "option",   "choice",
                                       "letter", "solution", "response",
                                       "result", "ans",      NULL};
    static const char *const of[] = {"to the question", "to this question", "here", NULL};
    static const char *const is[] = {"is", "would be", "must be", "should be", "will be",
                                     "->", "=>",       "=",       ":",         "-",
                                     "→",  "–",        NULL};
    struct span at = *t;
    take(&at, whose);
    bool named = take(&at, which), found = take(&at, noun);
    if (!found && !(named && at.n > 0 && *at.s == ':'))
        return false;
    take(&at, of);
    skip(&at, "]. *");
    while (take(&at, is)) {
    }
    *t = at;
    return true;
}

struct span choice_behind_phrase(struct span text)
{
    static const char *const what[] = {"the option", "the letter", "option",
                                       "choice",     "letter",     NULL};
    struct span t = text;
    skip(&t, " \t\n*#>[~-");
    bool said = take_openings(&t) > 0;
    said |= take_clause(&t) || take_noun(&t);
    if (!said)
        return (struct span){NULL, 0};
    take(&t, what);
    return t;
}

/* A word of a NULL-ended list anywhere in text, as a word of its own. */
static bool has_word(struct span text, const char *const *words)
{
    for (; *words; words++) {
        size_t n = strlen(*words);
        for (size_t i = 0; i + n <= text.n; i++)
            if (strncasecmp(text.s + i, *words, n) == 0 &&
                (i == 0 || !is_letter(text.s[i - 1])) &&
                (i + n == text.n || !is_letter(text.s[i + n])))
                return true;
    }
    return false;
}

struct span choice_without_article(struct span text)
{
    static const char *const article[] = {"the", "an", "a", NULL};
    take(&text, article);
    return text;
}

struct span choice_said_to_be(struct span text)
{
    enum { LONGEST = 300 };
    static const char *const denial[] = {
        "not",    "no",   "neither",  "nor",     "either",  "never", "cannot",  "none",
        "unless", "if",   "maybe",    "might",   "could",   "may",   "without", "t",
        "or",     "than", "possibly", "unclear", "perhaps", "wrong", NULL};
    static const char *const verb[] = {" is ", " are ", " was ", " were ", "'s ", NULL};
    const struct span none = {NULL, 0};
    size_t behind = 0;
    text = chars_strip(text);
    if (text.n == 0 || text.n > LONGEST || memchr(text.s, '\n', text.n) ||
        has_word(text, denial))
        return none;
    for (const char *const *v = verb; *v; v++) {
        size_t n = strlen(*v);
        for (size_t i = text.n; i-- > behind;)
            if (i + n <= text.n && memcmp(text.s + i, *v, n) == 0)
                behind = i + n;
    }
    return behind ? chars_strip((struct span){text.s + behind, text.n - behind}) : none;
}

bool choice_lists_options(struct span text)
{
    unsigned seen = 0;
    for (size_t i = 0; i < text.n; i++) {
        bool line = i == 0 || text.s[i - 1] == '\n';
        size_t at = i;
        if (!line && !(i + 7 < text.n && memcmp(text.s + i, "ption ", 6) == 0))
            continue;
        if (!line)
            at += 6;
        else if (at + 7 < text.n && memcmp(text.s + at + 1, "ption ", 6) == 0)
            at += 7;
        while (at < text.n && text.s[at] && strchr(" *(-", text.s[at])) at++;
        if (at + 1 < text.n && text.s[at] >= 'A' && text.s[at] <= 'Z' && text.s[at + 1] &&
            strchr(".:)", text.s[at + 1]))
            seen |= 1u << (text.s[at] - 'A');
    }
    return (seen & (seen - 1)) != 0;
}
