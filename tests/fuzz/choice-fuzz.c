/* choice-fuzz: lines as options, and behind the first empty line a reply: what is picked
 * is an option that there is, the same one again, and the readings of a sentence lie
 * inside of the reply. Both texts are scored as lists, too. */
#include "answer/answer_own.h"
#include "answer/choice_say.h"
#include "base/span.h"
#include "fuzz.h"

enum { OPTIONS = 12 };

static void inside(struct span part, struct span of, const char *what)
{
    check(!part.s || part.n == 0 || (part.s >= of.s && part.s + part.n <= of.s + of.n),
          what);
}

static void sentence(struct span reply)
{
    inside(choice_behind_phrase(reply), reply, "what is announced lies outside");
    inside(choice_said_to_be(reply), reply, "what is said lies outside");
    inside(choice_without_article(reply), reply, "the noun lies outside");
    check(choice_lists_options(reply) == choice_lists_options(reply), "a list or none");
}

static void pick(struct span reply, const struct span *options, int count, int right)
{
    for (int rule = LETTER_ALONE; rule <= LETTER_ANYWHERE; rule++) {
        int place = choice_read(reply, (enum letter_rule)rule, options, count, right);
        check(place >= -1, "memory");
        check(place < (count ? count : 26), "an option that is not there");
        check(place == choice_read(reply, (enum letter_rule)rule, options, count, right),
              "another option the second time");
    }
    check(choice_gold(reply, options, count) < (count ? count : 26),
          "a gold that is not there");
}

static void score_items(struct span gold, struct span reply)
{
    const struct answer_task task = {
        .kind = ANSWER_ITEMS, .golds = &gold, .gold_count = 1, .fuel = 20000};
    struct answer_verdict v;
    check(answer_score(&task, reply, &v) == 0, "lists are always scored");
    check(v.score >= 0 && v.score <= 1, "a score out of range");
    check(answer_score(&task, gold, &v) == 0 && v.score <= 1, "a gold against itself");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span options[OPTIONS];
    int count = 0;
    size_t at = 0;
    /* Copies of just their sizes, so that reading past an end is seen. */
    while (count < OPTIONS && at < size && data[at] != '\n') {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t n = end ? (size_t)(end - data) - at : size - at;
        char *copy = malloc(n);
        if (!copy)
            abort();
        memcpy(copy, data + at, n);
        options[count++] = (struct span){copy, n};
        at += n + (end != NULL);
    }
    at += at < size && data[at] == '\n';
    char *text = malloc(size - at ? size - at : 1);
    if (!text)
        abort();
    memcpy(text, data + at, size - at);
    struct span reply = {text, size - at};
    sentence(reply);
    pick(reply, options, count, -1);
    pick(reply, options, count, count - 1);
    score_items(count ? options[0] : reply, reply);
    for (int i = 0; i < count; i++) free((char *)(uintptr_t)options[i].s);
    free(text);
    return 0;
}
