/* turns.c: see turns.h. Field names: capmill(7); LLaVA's and ShareGPT's: "conversations"
 * of {"from","value"} with <image> where a picture stands. */
#include "train/turns.h"
#include "base/fail.h"
#include "model/media.h"
#include "train/messages.h"
#include "train/unread.h"

#include <stdlib.h>
#include <string.h>

static int decoded(struct row *row, struct span object, const char *key,
                   struct span *text)
{
    struct span value = json_get(object, key);
    if (!value.s)
        return fail(FAIL_MISSING, "no \"%s\"", key);
    return messages_text(row, value, text) < 0 ? fail_in("%s", key) : 0;
}

/* The text of the first of the row's captions. 0 or -1. */
static int first_caption(struct row *row, struct span *text)
{
    struct span list, first, error;
    size_t at = 0;
    if (row_array(row, "captions", &list) < 0)
        return -1;
    if (!json_each(list, &at, &first))
        return fail(FAIL_MISSING, "captions is empty");
    error = json_get(first, "error");
    if (error.s && json_type(error) != JSON_NULL)
        return fail(FAIL_REFUSED, "captions[0]: it came in with an error");
    return decoded(row, first, "text", text) < 0 ? fail_in("captions[0]") : 0;
}

/* Pictures, prompt, and the caption as the assistant's turn. */
static int read_caption(struct conversation *c, struct row *row,
                        const struct conversation_options *o)
{
    static const char *const names[] = {"caption", "text"};
    struct span text = {0};
    if (conversation_read(c, row, o) < 0)
        return -1;
    for (int i = 0; i < 2 && !text.s; i++)
        if (row_has(row, names[i]) && row_text(row, names[i], &text) < 0)
            return -1;
    if (!text.s && row_has(row, "captions") && first_caption(row, &text) < 0)
        return -1;
    if (!text.s)
        return fail(FAIL_MISSING, "no \"caption\" or \"text\"");
    return messages_add_text(c, row, TURN_ASSISTANT, text);
}

static int role_of(struct span from, enum turn_role *role)
{
    static const struct {
        const char *name;
        enum turn_role role;
    } names[] = {{"human", TURN_USER},
                 {"user", TURN_USER},
                 {"gpt", TURN_ASSISTANT},
                 {"assistant", TURN_ASSISTANT},
                 {"system", TURN_SYSTEM}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_is(from, names[i].name)) {
            *role = names[i].role;
            return 0;
        }
    return fail(FAIL_TYPE, "from \"%.40s\" is not human, gpt or system", from.s);
}

/* value's text around its <image> tags, each of which takes the next picture. A line
 * break beside a tag belongs to the tag. */
static int read_value(struct turn *turn, struct row *row, struct span value,
                      const struct turn_part *pictures, int count, int *next)
{
    static const char tag[] = "<image>";
    const size_t n = sizeof tag - 1;
    const char *s = value.s, *end = value.s + value.n, *hit;
    int tags = 0;
    for (hit = s; (hit = memmem(hit, (size_t)(end - hit), tag, n)); hit += n) tags++;
    struct turn_part *parts = row_alloc(row, (size_t)(2 * tags + 1) * sizeof *parts);
    if (!parts)
        return -1;
    if (memmem(value.s, value.n, "<video>", 7))
        return fail(FAIL_TYPE, "more <video> tags than videos (0)");
    turn->parts = parts;
    turn->count = 0;
    while ((hit = memmem(s, (size_t)(end - s), tag, n))) {
        const char *stop = hit > s && hit[-1] == '\n' ? hit - 1 : hit;
        if (*next == count)
            return fail(FAIL_TYPE, "more <image> tags than pictures (%d)", count);
        if (stop > s)
            parts[turn->count++] = (struct turn_part){.text = {s, (size_t)(stop - s)}};
        parts[turn->count++] = pictures[(*next)++];
        s = hit + n;
        s += s < end && *s == '\n';
    }
    if (s < end || turn->count == 0)
        parts[turn->count++] = (struct turn_part){.text = {s, (size_t)(end - s)}};
    return 0;
}

/* One element of the list as a turn behind the conversation's, which has room. */
static int read_turn(struct conversation *c, struct row *row, struct span element,
                     const struct turn_part *pictures, int count, int *next, bool system)
{
    struct turn *turn = &c->turns[c->count];
    struct span from, value;
    if (decoded(row, element, "from", &from) < 0 ||
        decoded(row, element, "value", &value) < 0 || role_of(from, &turn->role) < 0)
        return -1;
    if (system && turn->role == TURN_SYSTEM)
        return fail(FAIL_REFUSED, "a system turn of the row's own: \"system\" or "
                                  "--system cannot apply");
    if (read_value(turn, row, value, pictures, count, next) < 0)
        return -1;
    c->count++;
    return 0;
}

/* The row's pictures, if it names media. How many, or -1. */
static int read_pictures(struct conversation *c, struct row *row,
                         const struct conversation_options *o,
                         struct turn_part **pictures)
{
    static const char *const names[] = {"image", "images", "image_path", "video",
                                        "videos"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (media_is_there(row_value(row, names[i])))
            return conversation_pictures(c, row, o, pictures);
    return 0;
}

/* A "system" beside the conversations (LLaMA-Factory), or the command line's, as the
 * first turn. Is there one? 1 or 0, or -1. */
static int add_system(struct conversation *c, struct row *row, const char *given)
{
    struct span text = {0};
    if (row_has(row, "system") && row_text(row, "system", &text) < 0)
        return -1;
    if (given && text.n > 0)
        return fail(FAIL_REFUSED, "\"system\": the row has one of its own: --system "
                                  "cannot apply");
    if (given)
        text = span_of(given);
    if (!given && text.n == 0)
        return 0;
    return messages_add_text(c, row, TURN_SYSTEM, text) < 0 ? -1 : 1;
}

int turns_conversations(struct conversation *c, struct row *row,
                        const struct conversation_options *o)
{
    struct span list, element;
    struct turn_part *pictures = NULL;
    int count, next = 0, system;
    size_t at = 0, turns = 1;
    *c = (struct conversation){0};
    if (row_array(row, "conversations", &list) < 0 ||
        (count = read_pictures(c, row, o, &pictures)) < 0 ||
        (system = add_system(c, row, o->system)) < 0)
        return -1;
    while (json_each(list, &at, &element)) turns++;
    struct turn *room = realloc(c->turns, turns * sizeof *room);
    if (!room)
        return fail_memory();
    c->turns = room;
    at = 0;
    for (int i = 0; json_each(list, &at, &element); i++)
        if (read_turn(c, row, element, pictures, count, &next, system) < 0)
            return fail_in("conversations[%d]", i);
    return next == count
               ? 0
               : fail(FAIL_TYPE, "%d pictures and %d <image> tags", count, next);
}

int turns_read(struct conversation *c, struct row *row, const struct example_options *o)
{
    struct conversation_options own = {
        .root = o->root, .system = o->system, .prompt = o->prompt};
    *c = (struct conversation){0};
    if (unread_refuse(row) < 0)
        return -1;
    if (row_has(row, "conversations"))
        return turns_conversations(c, row, &own);
    if (row_has(row, "messages"))
        return conversation_read(c, row, &own);
    return read_caption(c, row, &own);
}
