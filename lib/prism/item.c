/* item.c: see item.h. */
#include "prism/item.h"
#include "prism/store.h"
#include "qa/label.h"

#include <stdlib.h>

/* A list of strings (or a lone one), decoded. How many, or -1. */
static int read_texts(struct row *row, const char *key, int most, struct span **texts)
{
    struct span value = row_value(row, key), element;
    size_t at = 0;
    int count = 0;
    if (json_type(value) == JSON_STRING) {
        *texts = row_alloc(row, sizeof **texts);
        return !*texts || row_text(row, key, *texts) < 0 ? -1 : 1;
    }
    if (json_type(value) != JSON_ARRAY)
        return fail(FAIL_TYPE, "\"%s\": neither a text nor a list of texts", key);
    while (json_each(value, &at, &element)) count++;
    if (count > most)
        return fail(FAIL_TYPE, "\"%s\": more than %d", key, most);
    if (!(*texts = row_alloc(row, (size_t)(count ? count : 1) * sizeof **texts)))
        return -1;
    at = 0;
    for (int i = 0; json_each(value, &at, &element); i++) {
        if (json_type(element) != JSON_STRING)
            return fail(FAIL_TYPE, "\"%s[%d]\": not a text", key, i);
        char *text = row_alloc(row, element.n);
        if (!text)
            return -1;
        (*texts)[i] = (struct span){text, json_decode(element, text)};
    }
    return count;
}

static int read_prompt(struct item *item, struct row *row)
{
    struct span prompt;
    struct chatml_turn *turns = row_alloc(row, CHATML_TURNS_MAX * sizeof *turns);
    if (!turns || row_text(row, "prompt", &prompt) < 0)
        return -1;
    if (!chatml_is(prompt))
        return fail(FAIL_TYPE, "\"prompt\": no finished ChatML text; a plain question "
                               "stands in \"question\"");
    item->turn_count = chatml_read(turns, prompt);
    item->turns = turns;
    return item->turn_count < 0 ? fail_in("\"prompt\"") : 0;
}

static int read_kind(struct item *item, struct row *row,
                     const struct item_defaults *defaults)
{
    struct span name;
    if (row_has(row, "kind")) {
        if (row_text(row, "kind", &name) < 0)
            return -1;
        int kind = answer_kind_named(name.s, name.n);
        if (kind < 0)
            return fail(FAIL_TYPE, "\"kind\": \"%.*s\" is no kind of answer",
                        (int)(name.n < 40 ? name.n : 40), name.s);
        item->kind = (enum answer_kind)kind;
    } else if (defaults->kind >= 0) {
        item->kind = (enum answer_kind)defaults->kind;
    } else if (item->option_count > 0) {
        item->kind = ANSWER_CHOICE;
    } else if (item->turns) {
        item->kind = ANSWER_MATH; /* the rule that they are published with */
    } else {
        return fail(FAIL_MISSING, "no \"kind\" of answer, no options, and no --kind or "
                                  "--preset");
    }
    return 0;
}

/* Bare texts: a prompt gives them letters of its own. */
static int read_options(struct item *item, struct row *row)
{
    const char *key = row_has(row, "options") ? "options" : "choices";
    if (!row_has(row, key))
        return 0;
    item->option_count = read_texts(row, key, ITEM_OPTIONS_MAX, &item->options);
    if (item->option_count > 0)
        label_strip(item->options, item->option_count);
    return item->option_count < 0 ? -1 : 0;
}

/* A level or a year may be a number: its digits. */
static int read_category(struct item *item, struct row *row, const char *key)
{
    struct span value = row_has(row, key) ? row_value(row, key) : (struct span){0};
    if (value.s && json_type(value) == JSON_NUMBER)
        item->category = value;
    else if (value.s)
        return row_text(row, key, &item->category);
    return 0;
}

int item_read(struct item *item, struct row *row, const struct item_defaults *defaults)
{
    const char *category = defaults->category ? defaults->category : "category";
    *item = (struct item){0};
    item->picture = store_media(row->text);
    if (row_has(row, "question") ? row_text(row, "question", &item->question) < 0
        : row_has(row, "prompt")
            ? read_prompt(item, row) < 0
            : fail(FAIL_MISSING, "no \"question\" and no \"prompt\"") < 0)
        return -1;
    if (read_options(item, row) < 0)
        return -1;
    if (!row_has(row, "answer"))
        return fail(FAIL_MISSING, "no \"answer\"");
    if ((item->gold_count = read_texts(row, "answer", ITEM_GOLDS_MAX, &item->golds)) < 0)
        return -1;
    if (item->gold_count == 0)
        return fail(FAIL_MISSING, "\"answer\" is empty");
    if (read_category(item, row, category) < 0)
        return -1;
    return read_kind(item, row, defaults);
}
