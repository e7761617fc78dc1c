/* question.c: see question.h. */
#include "qa/question.h"

#include "qa/label.h"

#include <limits.h>
#include <stdlib.h>

/* Questions while they are read. */
struct reading {
    struct row *row;
    const char *name; /* of the list: "qa" */
    int number;       /* of the question */
    struct buf text;  /* one decoded string */
    char *arena;      /* decoded strings, of the row; NULL before the first */
    size_t room;      /* bytes that all of them may take: no more than the list's own */
};

static int missing(const struct reading *r, const char *key)
{
    return fail(FAIL_MISSING, "no \"%s[%d].%s\"", r->name, r->number, key);
}

/* A member that must be there and not null. 0 or -1 (missing). */
static int need(const struct reading *r, struct span object, const char *key,
                struct span *value)
{
    *value = json_get(object, key);
    return value->s && json_type(*value) != JSON_NULL ? 0 : missing(r, key);
}

/* The string value, decoded; *text holds as long as the row. -1: it is none (class type,
 * no text kept: the caller names the field), or memory; see fail_kind(). */
static int read_string(struct reading *r, struct span value, struct span *text)
{
    if (json_type(value) != JSON_STRING)
        return fail(FAIL_TYPE, "not a string");
    *text = (struct span){value.s + 1, value.n - 2};
    if (!memchr(text->s, '\\', text->n))
        return 0;
    if (!r->arena && !(r->arena = row_alloc(r->row, r->room)))
        return -1;
    buf_clear(&r->text);
    if (json_text(value, &r->text) < 0 || buf_ok(&r->text) < 0)
        return -1;
    /* An escape is never shorter than what it stands for, so there is room. */
    if (r->text.len)
        memcpy(r->arena, r->text.data, r->text.len);
    *text = (struct span){r->arena, r->text.len};
    r->arena += r->text.len;
    return 0;
}

/* Nothing but spaces, tabs and line ends: what qa-extract never writes. */
static bool is_blank(struct span text)
{
    size_t i = 0;
    while (i < text.n && memchr(" \t\n\r", text.s[i], 4)) i++;
    return i == text.n;
}

/* Put "qa[2].question" before the failure. */
static int in_key(const struct reading *r, const char *key)
{
    return fail_in("\"%s[%d].%s\"", r->name, r->number, key);
}

static int read_text(struct reading *r, struct question *q)
{
    struct span value;
    if (need(r, q->json, "question", &value) < 0)
        return -1;
    if (read_string(r, value, &q->text) < 0)
        return in_key(r, "question");
    if (is_blank(q->text)) {
        fail(FAIL_TYPE, "empty");
        return in_key(r, "question");
    }
    return 0;
}

static int read_options(struct reading *r, struct question *q)
{
    struct span list = json_get(q->json, "options"), element;
    const char *key = "options";
    size_t at = 0;
    if (!list.s || json_type(list) == JSON_NULL) {
        list = json_get(q->json, "choices");
        if (!list.s || json_type(list) == JSON_NULL)
            return missing(r, key);
        key = "choices";
    }
    if (json_type(list) != JSON_ARRAY) {
        fail(FAIL_TYPE, "not a list");
        return in_key(r, key);
    }
    while (json_each(list, &at, &element)) {
        if (q->count == QUESTION_OPTIONS_MAX) {
            fail(FAIL_TYPE, "more than %d options", QUESTION_OPTIONS_MAX);
            return in_key(r, key);
        }
        if (read_string(r, element, &q->options[q->count]) < 0) {
            fail_in("option %d", q->count + 1);
            return in_key(r, key);
        }
        q->count++;
    }
    if (q->count < 2) {
        fail(FAIL_TYPE, "%s, and a question has at least 2",
             q->count ? "1 option" : "no option");
        return in_key(r, key);
    }
    if (strcmp(key, "choices") == 0)
        label_strip(q->options, q->count);
    for (int i = 0; i < q->count; i++) {
        if (is_blank(q->options[i])) {
            fail(FAIL_TYPE, "option %d: empty", i + 1);
            return in_key(r, key);
        }
    }
    return 0;
}

/* "B"; "B)", "(B)", "B."; or with the option's own text behind it, "B) a cat". */
static int read_answer(struct reading *r, struct question *q)
{
    struct span value, text;
    if (need(r, q->json, "answer", &value) < 0)
        return -1;
    if (read_string(r, value, &text) < 0)
        return in_key(r, "answer");
    struct label label = label_read(text);
    struct span bare = label_trim(text);
    if (label.place < 0) {
        size_t n = label_letter(bare, &label.place);
        if (n == 0 || n != bare.n)
            label.place = -1;
        label.text.n = 0;
    }
    q->answer = label.place;
    if (label.place < 0)
        fail(FAIL_TYPE, "not an option's letter");
    else if (label.place >= q->count)
        fail(FAIL_TYPE, "%c, but there are %d options", 'A' + label.place, q->count);
    else if (label.text.n > 0 && !label_same(label.text, q->options[label.place]))
        fail(FAIL_TYPE, "the text behind %c is not that option's", 'A' + label.place);
    else
        return 0;
    return in_key(r, "answer");
}

static int read_question(struct reading *r, struct span element, struct question *q)
{
    *q = (struct question){.json = element};
    if (json_type(element) != JSON_OBJECT)
        return fail(FAIL_TYPE, "\"%s[%d]\": not an object", r->name, r->number);
    return read_text(r, q) < 0 || read_options(r, q) < 0 ? -1 : read_answer(r, q);
}

/* The row's list of questions, and what it is called. 0 or -1. */
static int find_list(struct row *row, struct span *list, const char **name)
{
    *name = "reward_model.ground_truth";
    if (row_has(row, "qa") || !row_has(row, *name))
        *name = "qa";
    return row_array(row, *name, list);
}

int questions_read(struct questions *q, struct row *row)
{
    struct reading r = {.row = row};
    struct question *items = NULL; /* grows with what was found good */
    struct span element;
    size_t at = 0;
    int cap = 0, status = -1;
    *q = (struct questions){0};
    if (find_list(row, &q->array, &r.name) < 0)
        return -1;
    r.room = q->array.n;
    for (; json_each(q->array, &at, &element); r.number++) {
        if (r.number == cap) {
            cap = cap ? 2 * cap : 8;
            struct question *more =
                cap > INT_MAX / 2 ? NULL : realloc(items, (size_t)cap * sizeof *items);
            if (!more) {
                fail_memory();
                goto out;
            }
            items = more;
        }
        if (read_question(&r, element, &items[r.number]) < 0)
            goto out;
    }
    if (r.number > 0) {
        size_t size = (size_t)r.number * sizeof *items;
        if (!(q->items = row_alloc(row, size)))
            goto out;
        memcpy(q->items, items, size);
    }
    q->count = r.number;
    status = 0;
out:
    free(items);
    buf_free(&r.text);
    return status;
}
