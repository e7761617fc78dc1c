/* conversation.c: see conversation.h. Field names: capmill(7). */
#include "model/conversation.h"
#include "media/source.h"

#include <stdlib.h>

enum { PICTURES_MAX = 10000 }; /* in one row: a bound on what a hostile row may open */

/* Read the picture that ref names. part borrows the bytes from *c. */
static int add_picture(struct conversation *c, struct turn_part *part, struct row *row,
                       struct span ref, const char *root)
{
    if (c->file_count == PICTURES_MAX)
        return fail(FAIL_TOO_LARGE, "more than %d pictures", PICTURES_MAX);
    struct buf *files = realloc(c->files, (size_t)(c->file_count + 1) * sizeof *files);
    if (!files)
        return fail_memory();
    c->files = files;
    struct buf *file = &files[c->file_count++];
    *file = (struct buf){0};
    char *name = row_alloc(row, 256);
    if (!name)
        return -1;
    source_name(name, 256, ref);
    if (source_read(file, root, ref) < 0)
        return -1;
    *part = (struct turn_part){true, {file->data, file->len}, name};
    return buf_ok(file);
}

/* A string value's decoded text in memory of the row's. */
static int value_text(struct row *row, struct span value, struct span *text)
{
    struct buf out = {0};
    char *copy;
    if (json_text(value, &out) < 0 || buf_ok(&out) < 0)
        return buf_free(&out), -1;
    if (!(copy = row_alloc(row, out.len + 1)))
        return buf_free(&out), -1;
    if (out.len)
        memcpy(copy, out.data, out.len);
    copy[out.len] = '\0';
    *text = (struct span){copy, out.len};
    buf_free(&out);
    return 0;
}

static struct turn_part *new_parts(struct row *row, size_t count)
{
    struct turn_part *parts = row_alloc(row, (count ? count : 1) * sizeof *parts);
    if (parts)
        memset(parts, 0, (count ? count : 1) * sizeof *parts);
    return parts;
}

/* One element of a message's content list. */
static int read_part(struct conversation *c, struct turn_part *part, struct row *row,
                     struct span element, const char *root)
{
    struct span url = json_find(element, "image_url.url"), image, text;
    if (json_type(element) != JSON_OBJECT)
        return fail(FAIL_TYPE, "a part is no object");
    if (!url.s)
        url = json_get(element, "image_url"); /* a bare string is seen in the wild */
    image = url.s ? url : json_get(element, "image");
    if (image.s) {
        if (value_text(row, image, &text) < 0)
            return fail_in("image");
        return add_picture(c, part, row, text, root);
    }
    if (json_get(element, "video").s || json_get(element, "video_url").s)
        return fail(FAIL_REFUSED, "this version does not read videos");
    struct span value = json_get(element, "text");
    if (!value.s)
        return fail(FAIL_TYPE, "a part is neither text nor image");
    if (value_text(row, value, &part->text) < 0)
        return fail_in("text");
    return 0;
}

/* A message's content: a string, or a list of parts. */
static int read_content(struct conversation *c, struct turn *turn, struct row *row,
                        struct span content, const char *root)
{
    struct span element;
    size_t at = 0, count = 0;
    if (json_type(content) == JSON_STRING) {
        struct turn_part *part = new_parts(row, 1);
        if (!part || value_text(row, content, &part->text) < 0)
            return -1;
        turn->parts = part;
        turn->count = 1;
        return 0;
    }
    if (json_type(content) != JSON_ARRAY)
        return fail(FAIL_TYPE, "neither a string nor a list");
    while (json_each(content, &at, &element)) count++;
    struct turn_part *parts = new_parts(row, count);
    if (!parts)
        return -1;
    turn->parts = parts;
    for (at = 0; json_each(content, &at, &element); turn->count++)
        if (read_part(c, &parts[turn->count], row, element, root) < 0)
            return fail_in("[%d]", turn->count);
    return 0;
}

static int read_role(struct span message, enum turn_role *role, struct row *row)
{
    static const char *const names[] = {"system", "user", "assistant"};
    struct span value = json_get(message, "role"), text;
    if (!value.s)
        return fail(FAIL_MISSING, "no \"role\"");
    if (value_text(row, value, &text) < 0)
        return fail_in("role");
    for (int i = 0; i < 3; i++)
        if (span_is(text, names[i])) {
            *role = (enum turn_role)i;
            return 0;
        }
    return fail(FAIL_TYPE, "role \"%.40s\" is not system, user or assistant", text.s);
}

static int read_messages(struct conversation *c, struct row *row,
                         const struct conversation_options *options)
{
    struct span list, message;
    size_t at = 0, count = 0;
    if (row_array(row, "messages", &list) < 0)
        return -1;
    if (options->prompt_given)
        return fail(FAIL_REFUSED,
                    "the row has messages of its own: --prompt cannot apply");
    while (json_each(list, &at, &message)) count++;
    if (count == 0)
        return fail(FAIL_TYPE, "messages is empty");
    bool system = options->system != NULL;
    c->turns = calloc(count + system, sizeof *c->turns);
    if (!c->turns)
        return fail_memory();
    at = 0;
    if (system) {
        struct turn_part *part = new_parts(row, 1);
        if (!part)
            return -1;
        part->text = span_of(options->system);
        c->turns[c->count++] = (struct turn){TURN_SYSTEM, part, 1};
    }
    for (int i = 0; json_each(list, &at, &message); i++) {
        struct turn *turn = &c->turns[c->count];
        struct span content = json_get(message, "content");
        if (json_type(message) != JSON_OBJECT)
            return fail(FAIL_TYPE, "messages[%d]: no object", i);
        if (read_role(message, &turn->role, row) < 0)
            return fail_in("messages[%d]", i);
        if (system && turn->role == TURN_SYSTEM)
            return fail(FAIL_REFUSED,
                        "messages[%d]: the row has a system turn of its own: "
                        "--system cannot apply",
                        i);
        if (!content.s)
            return fail(FAIL_MISSING, "messages[%d]: no \"content\"", i);
        if (read_content(c, turn, row, content, options->root) < 0)
            return fail_in("messages[%d].content", i);
        c->count++;
    }
    return 0;
}

/* The row's own prompt, or the command line's. */
static int read_prompt(struct row *row, const struct conversation_options *options,
                       struct span *prompt)
{
    *prompt = span_of(options->prompt);
    if (!row_has(row, "prompt"))
        return 0;
    if (json_type(row_value(row, "prompt")) == JSON_ARRAY)
        return fail(FAIL_TYPE,
                    "prompt is a list of messages, not plain text: convert the rows "
                    "with examples/prompt-to-messages.jq");
    if (row_text(row, "prompt", prompt) < 0)
        return -1;
    if (prompt->n && memmem(prompt->s, prompt->n, "<|im_start|>", 12))
        return fail(FAIL_TYPE,
                    "prompt is finished ChatML text, not plain text: convert the "
                    "rows with examples/prompt-to-messages.jq");
    return 0;
}

/* The row's media fields as references, in order. */
static int read_media(struct row *row, struct span *list, struct span *single)
{
    *list = *single = (struct span){0};
    if (row_has(row, "video") || row_has(row, "videos"))
        return fail(FAIL_REFUSED, "this version does not read videos");
    bool one = row_has(row, "image"), alias = !one && row_has(row, "image_path");
    if (row_has(row, "images")) {
        if (one)
            return fail(FAIL_TYPE, "both \"image\" and \"images\"");
        return row_array(row, "images", list);
    }
    if (one || alias)
        return row_text(row, one ? "image" : "image_path", single);
    return fail(FAIL_MISSING, "no \"image\", \"images\" or \"messages\"");
}

static int read_fields(struct conversation *c, struct row *row,
                       const struct conversation_options *options)
{
    struct span list, single, prompt, element;
    size_t at = 0, count = 1;
    if (read_media(row, &list, &single) < 0 || read_prompt(row, options, &prompt) < 0)
        return -1;
    if (list.s)
        for (count = 0; json_each(list, &at, &element);) count++;
    if (count == 0)
        return fail(FAIL_MISSING, "images is empty");
    struct turn_part *parts = new_parts(row, count + 1);
    c->turns = calloc(2, sizeof *c->turns);
    if (!parts || !c->turns)
        return fail_memory();
    if (options->system) {
        struct turn_part *part = new_parts(row, 1);
        if (!part)
            return -1;
        part->text = span_of(options->system);
        c->turns[c->count++] = (struct turn){TURN_SYSTEM, part, 1};
    }
    int n = 0;
    if (!list.s && add_picture(c, &parts[n++], row, single, options->root) < 0)
        return -1;
    for (at = 0; list.s && json_each(list, &at, &element); n++) {
        struct span ref;
        if (value_text(row, element, &ref) < 0 ||
            add_picture(c, &parts[n], row, ref, options->root) < 0)
            return fail_in("images[%d]", n);
    }
    parts[n++].text = prompt;
    c->turns[c->count++] = (struct turn){TURN_USER, parts, n};
    return 0;
}

int conversation_read(struct conversation *c, struct row *row,
                      const struct conversation_options *options)
{
    *c = (struct conversation){0};
    return row_has(row, "messages") ? read_messages(c, row, options)
                                    : read_fields(c, row, options);
}

void conversation_free(struct conversation *c)
{
    for (int i = 0; i < c->file_count; i++) buf_free(&c->files[i]);
    free(c->files);
    free(c->turns);
    *c = (struct conversation){0};
}
