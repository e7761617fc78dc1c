/* rows_read.c: what a row says about its answer and its predictions. */
#include "answer/rows.h"
#include "qa/label.h"

#include <limits.h>

/* A string's text, which lives as long as the row. -1 (type, without the field's name).
 */
static int read_string(struct row *row, struct span json, struct span *text)
{
    char *room;
    if (json_type(json) != JSON_STRING)
        return fail(FAIL_TYPE, "not a string");
    *text = (struct span){json.s + 1, json.n - 2};
    if (!memchr(text->s, '\\', text->n))
        return 0;
    if (!(room = row_alloc(row, json.n)))
        return -1;
    *text = (struct span){room, json_decode(json, room)};
    return 0;
}

static int in_field(const char *field)
{
    return fail_in("\"%s\"", field);
}

static int missing(const char *field)
{
    return fail(FAIL_MISSING, "no \"%s\"", field);
}

/* A list of strings. How many of at most `most`, or -1. */
static int read_list(struct row *row, struct value list, const char *field, int most,
                     struct span **texts)
{
    struct value element;
    int count = 0;
    for (size_t at = 0; value_each(list, &at, &element);) count++;
    if (count > most) {
        fail(FAIL_TYPE, "more than %d elements", most);
        return in_field(field);
    }
    if (!(*texts = row_alloc(row, ((size_t)count + 1) * sizeof **texts)))
        return -1;
    count = 0;
    for (size_t at = 0; value_each(list, &at, &element); count++)
        if (read_string(row, element.json, &(*texts)[count]) < 0) {
            fail_in("element %d", count + 1);
            return in_field(field);
        }
    return count;
}

static int read_answer(struct answer_row *a, struct row *row)
{
    struct span json = row_value(row, "answer"), *golds;
    struct value list;
    if (!json.s || json_type(json) == JSON_NULL)
        return missing("answer");
    if (json_type(json) == JSON_ARRAY) {
        if (row_list(row, "answer", &list) < 0)
            return -1;
        a->task.gold_count = read_list(row, list, "answer", INT_MAX, &golds);
        if (a->task.gold_count == 0)
            return fail(FAIL_MISSING, "\"answer\": an empty list");
    } else {
        if (!(golds = row_alloc(row, sizeof *golds)))
            return -1;
        a->task.gold_count = 1;
        if (read_string(row, json, golds) < 0) {
            if (fail_kind() == FAIL_TYPE)
                fail(FAIL_TYPE, "not a string or a list of strings");
            return in_field("answer");
        }
    }
    a->task.golds = golds;
    return a->task.gold_count < 0 ? -1 : 0;
}

static int read_options(struct answer_row *a, struct row *row)
{
    const char *field = row_has(row, "options") ? "options" : "choices";
    struct span *options;
    struct value list;
    if (!row_has(row, field))
        return 0;
    if (row_list(row, field, &list) < 0)
        return -1;
    int count = read_list(row, list, field, ANSWER_OPTIONS_MAX, &options);
    if (count < 0)
        return -1;
    label_strip(options, count);
    a->task.options = options;
    a->task.option_count = count;
    return 0;
}

static int read_kind(struct answer_row *a, const struct answer_rules_of_rows *rules,
                     struct row *row)
{
    struct span name;
    int kind = rules->kind;
    if (kind == ANSWER_AUTO) {
        if (!row_has(row, "kind"))
            return fail(FAIL_MISSING, "no \"kind\", and no --kind is given");
        if (row_text(row, "kind", &name) < 0)
            return -1;
        if ((kind = answer_kind_named(name.s, name.n)) < 0)
            return fail(
                FAIL_TYPE,
                "\"kind\": \"%.*s\": not one of choice, relaxed, anls, vqa, math, "
                "exact, judge, items",
                name.n < 40 ? (int)name.n : 40, name.s);
    }
    a->task.kind = (enum answer_kind)kind;
    return 0;
}

/* One of `predictions`. 0 or -1. */
static int read_prediction(struct answer_prediction *p, struct row *row,
                           struct value value)
{
    *p = (struct answer_prediction){.json = value.json};
    if (json_type(value.json) != JSON_OBJECT)
        return fail(FAIL_TYPE, "not an object");
    struct value error = value_get(value, "error"), text = value_get(value, "text");
    if (error.json.s && json_type(error.json) != JSON_NULL) {
        p->failed = true;
        return 0;
    }
    if (!text.json.s || json_type(text.json) == JSON_NULL)
        return fail(FAIL_MISSING, "no \"text\"");
    return read_string(row, text.json, &p->text) < 0 ? in_field("text") : 0;
}

static int read_predictions(struct answer_row *a, struct row *row)
{
    struct value list, element;
    int count = 0;
    a->list = row_has(row, "predictions");
    if (!a->list) {
        if (!(a->predictions = row_alloc(row, sizeof *a->predictions)))
            return -1;
        *a->predictions = (struct answer_prediction){.failed = false};
        a->count = 1;
        return row_text(row, "prediction", &a->predictions->text);
    }
    if (row_list(row, "predictions", &list) < 0)
        return -1;
    for (size_t at = 0; value_each(list, &at, &element);) count++;
    if (count == 0)
        return fail(FAIL_MISSING, "\"predictions\": an empty list");
    if (!(a->predictions = row_alloc(row, (size_t)count * sizeof *a->predictions)))
        return -1;
    for (size_t at = 0; value_each(list, &at, &element); a->count++)
        if (read_prediction(&a->predictions[a->count], row, element) < 0)
            return fail_in("\"predictions[%d]\"", a->count);
    return 0;
}

int answer_row_read(struct answer_row *a, const struct answer_rules_of_rows *rules,
                    struct row *row)
{
    *a = (struct answer_row){.task = {.rules = rules->rules, .letter = rules->letter}};
    if (read_kind(a, rules, row) < 0 || read_answer(a, row) < 0 ||
        (a->task.kind == ANSWER_CHOICE && read_options(a, row) < 0))
        return -1;
    return read_predictions(a, row);
}
