/* messages.c: see messages.h. */
#include "train/messages.h"
#include "base/fail.h"

#include <stdlib.h>
#include <string.h>

int messages_text(struct row *row, struct span value, struct span *text)
{
    if (json_type(value) != JSON_STRING)
        return fail(FAIL_TYPE, "not a string");
    char *copy = row_alloc(row, value.n);
    if (!copy)
        return -1;
    *text = (struct span){copy, json_decode(value, copy)};
    copy[text->n] = '\0';
    return 0;
}

static bool is_image(struct span part)
{
    return span_is(json_get(part, "type"), "\"image\"");
}

int messages_content_text(struct row *row, struct span content, struct span *text)
{
    struct span part, piece;
    size_t at = 0;
    if (!content.s)
        return fail(FAIL_MISSING, "no \"content\"");
    if (json_type(content) == JSON_STRING)
        return messages_text(row, content, text);
    if (json_type(content) != JSON_ARRAY)
        return fail(FAIL_TYPE, "content: neither a string nor a list");
    char *all = row_alloc(row, content.n); /* longer than all of its texts */
    if (!all)
        return -1;
    *text = (struct span){all, 0};
    while (json_each(content, &at, &part)) {
        if (is_image(part) || !json_get(part, "text").s)
            return fail(FAIL_TYPE, "content: a part is no text");
        if (messages_text(row, json_get(part, "text"), &piece) < 0)
            return fail_in("content");
        memcpy(all + text->n, piece.s, piece.n);
        text->n += piece.n;
    }
    return 0;
}

int messages_role(struct span message, enum turn_role *role)
{
    static const char *const names[] = {"\"system\"", "\"user\"", "\"assistant\""};
    struct span value = json_get(message, "role");
    for (int i = 0; i < 3; i++)
        if (value.s && span_is(value, names[i])) {
            *role = (enum turn_role)i;
            return 0;
        }
    return value.s ? fail(FAIL_TYPE, "role is not system, user or assistant")
                   : fail(FAIL_MISSING, "no \"role\"");
}

/* A turn behind the conversation's; its parts are the row's memory. */
static int add_turn(struct conversation *c, struct turn turn)
{
    struct turn *turns = realloc(c->turns, (size_t)(c->count + 1) * sizeof *turns);
    if (!turns)
        return fail_memory();
    c->turns = turns;
    turns[c->count++] = turn;
    return 0;
}

int messages_add_text(struct conversation *c, struct row *row, enum turn_role role,
                      struct span text)
{
    struct turn_part *part = row_alloc(row, sizeof *part);
    if (!part)
        return -1;
    *part = (struct turn_part){.text = text};
    return add_turn(c, (struct turn){role, part, 1});
}

/* -- Messages with pictures ------------------------------------------------------------
 */

/* The row's pictures, which messages take one after the other. */
struct supply {
    const struct turn_part *pictures;
    int n, next;
};

static int content_parts(struct span content)
{
    struct span part;
    size_t at = 0;
    int n = 0;
    while (json_each(content, &at, &part)) n++;
    return n ? n : 1;
}

/* One part of a content list. */
static int read_part(struct turn_part *to, struct row *row, struct span part,
                     struct supply *supply)
{
    if (json_type(part) != JSON_OBJECT)
        return fail(FAIL_TYPE, "a part is no object");
    if (is_image(part)) {
        if (supply->next == supply->n)
            return fail(FAIL_TYPE, "more image parts than pictures (%d)", supply->n);
        *to = supply->pictures[supply->next++];
        return 0;
    }
    struct span text = json_get(part, "text");
    if (!text.s)
        return fail(FAIL_TYPE, "a part is neither {\"type\":\"image\"} nor text");
    *to = (struct turn_part){0};
    return messages_text(row, text, &to->text);
}

/* All pictures that are left, then the content. */
static int read_content(struct turn *turn, struct row *row, struct span content,
                        struct supply *supply, bool pictures_first)
{
    int first = pictures_first ? supply->n : 0;
    struct turn_part *parts =
        row_alloc(row, (size_t)(content_parts(content) + first) * sizeof *parts);
    struct span part;
    size_t at = 0;
    if (!parts)
        return -1;
    turn->parts = parts;
    for (int i = 0; i < first; i++)
        parts[turn->count++] = supply->pictures[supply->next++];
    if (json_type(content) == JSON_STRING) {
        parts[turn->count] = (struct turn_part){0};
        return messages_text(row, content, &parts[turn->count++].text);
    }
    if (json_type(content) != JSON_ARRAY)
        return content.s ? fail(FAIL_TYPE, "content: neither a string nor a list")
                         : fail(FAIL_MISSING, "no \"content\"");
    for (; json_each(content, &at, &part); turn->count++)
        if (read_part(&parts[turn->count], row, part, supply) < 0)
            return fail_in("content");
    return 0;
}

/* Does any of the first count messages have an image part? */
static bool any_image(struct span list, int count)
{
    struct span message, part;
    size_t at = 0;
    for (int i = 0; i != count && json_each(list, &at, &message); i++) {
        size_t in = 0;
        while (json_each(json_get(message, "content"), &in, &part))
            if (is_image(part))
                return true;
    }
    return false;
}

int messages_read(struct conversation *c, struct row *row, struct span list, int count,
                  const struct turn_part *pictures, int n, const char *system)
{
    struct supply supply = {pictures, n, 0};
    bool places = any_image(list, count);
    struct span message;
    size_t at = 0;
    if (system && messages_add_text(c, row, TURN_SYSTEM, span_of(system)) < 0)
        return -1;
    for (int i = 0; i != count && json_each(list, &at, &message); i++) {
        struct turn turn = {0};
        if (json_type(message) != JSON_OBJECT)
            return fail(FAIL_TYPE, "[%d]: no object", i);
        if (messages_role(message, &turn.role) < 0 ||
            read_content(&turn, row, json_get(message, "content"), &supply,
                         !places && turn.role == TURN_USER && supply.next == 0) < 0)
            return fail_in("[%d]", i);
        if (system && turn.role == TURN_SYSTEM)
            return fail(FAIL_REFUSED,
                        "[%d]: a system turn of the row's own: --system cannot apply", i);
        if (add_turn(c, turn) < 0)
            return -1;
    }
    return supply.next == n
               ? 0
               : fail(FAIL_TYPE, "%d pictures and %d image parts", n, supply.next);
}
