/* preset_read.c: a preset from its file: every key known, every value checked. */
#include "base/fail.h"
#include "engine/document.h"
#include "model/share.h"
#include "prism/preset.h"
#include "prism/preset_list.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { LETTERS_MAX = 26 };

static const char *const published_names[] = {"math", "chart", "info", NULL};
static const char *const options_names[] = {"none", "row", "question", "picture", NULL};

/* The file's keys; those up to SOURCE must be there. */
enum key { TITLE, KIND, PUBLISHED, OPTIONS, PROMPT, SOURCE, CATEGORY, LETTERS, NOTES };
static const char *const keys[] = {"title",  "kind",     "published", "options", "prompt",
                                   "source", "category", "letters",   "notes",   NULL};
static const char *const prompt_keys[] = {"choice", "open", NULL};

/* One file being read. */
struct reader {
    const char *path;
    json_t *doc;
    struct preset *p;
};

static int named(const char *const *names, const char *name)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

/* "a, b, c" of a NULL-ended list, for messages. */
static const char *listed(struct buf *b, const char *const *names)
{
    for (int i = 0; names[i]; i++) buf_print(b, "%s%s", i ? ", " : "", names[i]);
    return buf_string(b) ? b->data : "";
}

/* Every key of object is one of names. where: "" or "prompt." */
static int known_keys(const struct reader *r, json_t *object, const char *where,
                      const char *const *names)
{
    struct buf b = {0};
    const char *key = NULL;
    void *at = json_object_iter(object);
    for (; at; at = json_object_iter_next(object, at))
        if (named(names, key = json_object_iter_key(at)) < 0)
            break;
    if (!at)
        return 0;
    fail(FAIL_REFUSED, "%s: \"%s%.60s\" is no key of a preset (%s)", r->path, where, key,
         listed(&b, names));
    buf_free(&b);
    return -1;
}

/* The text at a key; NULL (class refused): no text, or an empty one. */
static const char *text_at(const struct reader *r, enum key key)
{
    const json_t *value = json_object_get(r->doc, keys[key]);
    if (json_string_length(value) > 0)
        return json_string_value(value);
    fail(FAIL_REFUSED, "%s: \"%s\" is no text", r->path, keys[key]);
    return NULL;
}

/* The place of the text at a key among names, or -1. */
static int name_at(const struct reader *r, enum key key, const char *const *names)
{
    const char *text = text_at(r, key);
    int place = text ? named(names, text) : -1;
    if (text && place < 0) {
        struct buf b = {0};
        fail(FAIL_REFUSED, "%s: \"%s\": \"%.60s\" is none of %s", r->path, keys[key],
             text, listed(&b, names));
        buf_free(&b);
    }
    return place;
}

static int copy_text(char **to, const char *text)
{
    if (!text)
        return -1;
    *to = strdup(text);
    return *to ? 0 : fail_memory();
}

/* How the benchmark is scored, and where its options stand. */
static int read_names(const struct reader *r)
{
    struct preset *p = r->p;
    const char *text = text_at(r, KIND);
    if (!text)
        return -1;
    int kind = answer_kind_named(text, strlen(text));
    if (kind < 0)
        return fail(FAIL_REFUSED, "%s: \"kind\": \"%.60s\" is no kind of scoring",
                    r->path, text);
    int published = name_at(r, PUBLISHED, published_names);
    int options = published < 0 ? -1 : name_at(r, OPTIONS, options_names);
    if (options < 0)
        return -1;
    p->kind = (enum answer_kind)kind;
    p->published = (enum preset_published)published;
    p->options = (enum preset_options)options;
    return 0;
}

static int read_texts(const struct reader *r)
{
    bool category = json_object_get(r->doc, keys[CATEGORY]) != NULL;
    bool notes = json_object_get(r->doc, keys[NOTES]) != NULL;
    if (copy_text(&r->p->title, text_at(r, TITLE)) < 0 || !text_at(r, SOURCE) ||
        (notes && !text_at(r, NOTES)))
        return -1;
    return copy_text(&r->p->category, category ? text_at(r, CATEGORY) : "category");
}

/* How many letters may be answered: told exactly where no row lists them. */
static int read_letters(const struct reader *r)
{
    const json_t *value = json_object_get(r->doc, keys[LETTERS]);
    enum preset_options where = r->p->options;
    json_int_t n = json_integer_value(value);
    if (where != PRESET_QUESTION && where != PRESET_PICTURE)
        return value ? fail(FAIL_REFUSED, "%s: \"letters\" with options \"%s\"", r->path,
                            options_names[where])
                     : 0;
    if (!json_is_integer(value) || n < 2 || n > LETTERS_MAX)
        return fail(FAIL_REFUSED, "%s: \"letters\" is no number from 2 to %d", r->path,
                    LETTERS_MAX);
    r->p->letters = (int)n;
    return 0;
}

/* A prompt's text: a text, or a list of lines. */
static int prompt_text(const char *name, const json_t *value, struct buf *text)
{
    const json_t *line;
    size_t i;
    if (json_is_string(value))
        buf_text(text, json_string_value(value));
    json_array_foreach(value, i, line)
    {
        if (!json_is_string(line))
            return fail(FAIL_REFUSED, "%s: line %zu is no text", name, i + 1);
        buf_print(text, i ? "\n%s" : "%s", json_string_value(line));
    }
    if (buf_ok(text) < 0)
        return -1;
    return text->len ? 0
                     : fail(FAIL_REFUSED, "%s: neither a text nor a list of lines", name);
}

static int read_prompt(const struct reader *r, const char *key, struct wording *w)
{
    static const char *const places[] = {"caption", "question", "options", NULL};
    const json_t *value = json_object_get(json_object_get(r->doc, keys[PROMPT]), key);
    char name[PATH_MAX + 32];
    struct buf text = {0};
    if (!value)
        return 0;
    snprintf(name, sizeof name, "%s: prompt.%s", r->path, key);
    int status = prompt_text(name, value, &text);
    if (status == 0)
        status = wording_of(w, name, (struct span){text.data, text.len}, places, 2);
    buf_free(&text);
    return status;
}

static int read_prompts(const struct reader *r)
{
    json_t *prompt = json_object_get(r->doc, keys[PROMPT]);
    struct preset *p = r->p;
    if (!json_is_object(prompt))
        return fail(FAIL_REFUSED, "%s: \"prompt\" is no object", r->path);
    if (known_keys(r, prompt, "prompt.", prompt_keys) < 0 ||
        read_prompt(r, "choice", &p->choice) < 0 || read_prompt(r, "open", &p->open) < 0)
        return -1;
    if (!preset_asks(p, p->kind))
        return fail(FAIL_REFUSED, "%s: no \"prompt.%s\", which its kind needs", r->path,
                    prompt_keys[p->kind != ANSWER_CHOICE]);
    if (p->options == PRESET_ROW && !wording_has(&p->choice, "options"))
        return fail(FAIL_REFUSED, "%s: prompt.choice: no {options} in it", r->path);
    return 0;
}

static int read_fields(const struct reader *r)
{
    if (known_keys(r, r->doc, "", keys) < 0)
        return -1;
    for (int i = TITLE; i <= SOURCE; i++)
        if (!json_object_get(r->doc, keys[i]))
            return fail(FAIL_REFUSED, "%s: no \"%s\"", r->path, keys[i]);
    if (read_texts(r) < 0 || read_names(r) < 0 || read_letters(r) < 0)
        return -1;
    return read_prompts(r);
}

/* Where ".json" begins at a path's end; its length if it is not there. */
static size_t stem(const char *path)
{
    size_t n = strlen(path);
    return n > 5 && strcmp(path + n - 5, ".json") == 0 ? n - 5 : n;
}

/* "share/benchmarks/mmmu-pro.json" -> "mmmu-pro" */
static char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    return strndup(name, stem(name));
}

int preset_read(struct preset *p, const char *name_or_path)
{
    const char *path = name_or_path;
    char shared[PATH_MAX], below[NAME_MAX + 32];
    *p = (struct preset){0};
    if (!strchr(path, '/') && !path[stem(path)]) {
        int n = snprintf(below, sizeof below, "benchmarks/%s.json", path);
        if (n >= (int)sizeof below || share_path(shared, sizeof shared, below) < 0)
            return preset_unknown(name_or_path);
        path = shared;
    }
    struct reader r = {path, document_read(path), p};
    if (!r.doc)
        return -1;
    p->name = name_of(path);
    int status = p->name ? read_fields(&r) : fail_memory();
    json_decref(r.doc);
    if (status < 0)
        preset_close(p);
    return status;
}

void preset_close(struct preset *p)
{
    free(p->name);
    free(p->title);
    free(p->category);
    wording_close(&p->choice);
    wording_close(&p->open);
    *p = (struct preset){0};
}

const char *preset_published_name(enum preset_published rule)
{
    return published_names[rule];
}
