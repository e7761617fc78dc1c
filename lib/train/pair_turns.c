/* pair_turns.c: see pair_turns.h. */
#include "train/pair_turns.h"
#include "base/fail.h"
#include "model/media.h"
#include "train/messages.h"
#include "train/turns.h"
#include "train/unread.h"

/* -- Answers ---------------------------------------------------------------------------
 */

/* An answer as an object. 0 or -1. */
static int read_object(struct row *row, struct span object, struct span *text)
{
    struct span error = json_get(object, "error"), value;
    if (error.s && json_type(error) != JSON_NULL)
        return fail(FAIL_REFUSED, "it came in with an error");
    if ((value = json_get(object, "text")).s || (value = json_get(object, "value")).s)
        return messages_text(row, value, text);
    if ((value = json_get(object, "content")).s)
        return messages_content_text(row, value, text);
    return fail(FAIL_MISSING, "no \"text\"");
}

/* An answer as messages: the last of them. *before: how many stand before it. */
static int read_list(struct row *row, struct span list, struct span *text, int *before)
{
    struct span message, last = {0};
    enum turn_role role;
    size_t at = 0;
    int n = 0;
    for (; json_each(list, &at, &message); n++) last = message;
    if (n == 0)
        return fail(FAIL_MISSING, "an empty list");
    *before = n - 1;
    if (messages_role(last, &role) < 0)
        return -1;
    if (role != TURN_ASSISTANT)
        return fail(FAIL_TYPE, "its last message is not an assistant's");
    return messages_content_text(row, json_get(last, "content"), text);
}

static int read_answer(struct row *row, const char *name, struct span *text, int *before)
{
    struct span value = row_value(row, name);
    int status;
    *before = 0;
    if (!row_has(row, name))
        return fail(FAIL_MISSING, "no \"%s\"", name);
    switch (json_type(value)) {
    case JSON_STRING: status = messages_text(row, value, text); break;
    case JSON_OBJECT: status = read_object(row, value, text); break;
    case JSON_ARRAY: status = read_list(row, value, text, before); break;
    default: status = fail(FAIL_TYPE, "neither a text, nor an object, nor a list");
    }
    return status < 0 ? fail_in("%s", name) : 0;
}

/* -- Prompts ---------------------------------------------------------------------------
 */

/* A text field as a C string, the row's memory. *out stays where there is none. */
static int read_option(struct row *row, const char *path, const char **out)
{
    struct span text;
    char *copy;
    if (!row_has(row, path))
        return 0;
    if (row_text(row, path, &text) < 0 || !(copy = row_alloc(row, text.n + 1)))
        return -1;
    if (text.n)
        memcpy(copy, text.s, text.n);
    copy[text.n] = '\0';
    *out = copy;
    return 0;
}

static bool has_media(const struct row *row)
{
    static const char *const names[] = {"image", "images", "image_path", "video",
                                        "videos"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (media_is_there(row_value(row, names[i])))
            return true;
    return false;
}

/* The first count messages of a list (path: for messages about it), with the row's
 * pictures. */
static int read_messages(struct conversation *c, struct row *row, const char *path,
                         int count, const struct conversation_options *o)
{
    struct turn_part *pictures = NULL;
    int n = has_media(row) ? conversation_pictures(c, row, o, &pictures) : 0;
    if (n < 0)
        return -1;
    return messages_read(c, row, row_value(row, path), count, pictures, n, o->system) < 0
               ? fail_in("%s", path)
               : 0;
}

/* Where neither messages nor conversations say what was asked. */
static int read_fields(struct conversation *c, struct row *row,
                       struct conversation_options *o)
{
    if (read_option(row, "gen.prompt", &o->prompt) < 0 ||
        read_option(row, "gen.system", &o->system) < 0)
        return -1;
    if (has_media(row))
        return conversation_read(c, row, o);
    struct span prompt;
    if (!row_has(row, "prompt"))
        return fail(FAIL_MISSING, "no picture, \"prompt\", \"messages\" or "
                                  "\"conversations\"");
    if (row_text(row, "prompt", &prompt) < 0 ||
        (o->system && messages_add_text(c, row, TURN_SYSTEM, span_of(o->system)) < 0))
        return -1;
    return messages_add_text(c, row, TURN_USER, prompt);
}

/* Do two lists begin with the same `count` values, byte for byte? */
static bool begin_alike(struct span a, struct span b, int count)
{
    struct span x, y;
    size_t i = 0, j = 0;
    for (int n = 0; n < count; n++)
        if (!json_each(a, &i, &x) || !json_each(b, &j, &y) || !span_equal(x, y))
            return false;
    return true;
}

/* Both answers are at hand, with so many messages before them: are these one prompt? */
static int same_prompt(struct row *row, int before, int other)
{
    if ((before > 0 || other > 0) &&
        (row_has(row, "prompt") || row_has(row, "messages") ||
         row_has(row, "conversations")))
        return fail(FAIL_TYPE, "%s: %d messages, where there is a prompt already",
                    before > 0 ? "chosen" : "rejected",
                    (before > 0 ? before : other) + 1);
    return before == other && begin_alike(row_value(row, "chosen"),
                                          row_value(row, "rejected"), before)
               ? 0
               : fail(FAIL_TYPE, "chosen and rejected answer different prompts");
}

static int read_prompt(struct conversation *c, struct row *row, int before,
                       const struct example_options *from)
{
    struct conversation_options o = {
        .root = from->root, .system = from->system, .prompt = from->prompt};
    bool list =
        row_has(row, "prompt") && json_type(row_value(row, "prompt")) == JSON_ARRAY;
    if (before > 0)
        return read_messages(c, row, "chosen", before, &o);
    if (row_has(row, "conversations"))
        return turns_conversations(c, row, &o);
    if (row_has(row, "messages"))
        return conversation_read(c, row, &o);
    return list ? read_messages(c, row, "prompt", -1, &o) : read_fields(c, row, &o);
}

int pair_turns_read(struct pair_turns *p, struct row *row,
                    const struct example_options *o)
{
    int before, other;
    *p = (struct pair_turns){0};
    if (unread_refuse(row) < 0 || read_answer(row, "chosen", &p->chosen, &before) < 0 ||
        read_answer(row, "rejected", &p->rejected, &other) < 0 ||
        same_prompt(row, before, other) < 0)
        return -1;
    if (read_prompt(&p->prompt, row, before, o) < 0)
        return -1;
    const struct conversation *c = &p->prompt;
    return c->count > 0 && c->turns[c->count - 1].role == TURN_USER
               ? 0
               : fail(FAIL_TYPE, "the prompt does not end with a user's turn");
}

void pair_turns_free(struct pair_turns *p)
{
    conversation_free(&p->prompt);
}
