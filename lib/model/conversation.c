/* conversation.c: see conversation.h. Field names: capmill(7). */
#include "model/conversation.h"
#include "media/source.h"
#include "model/media.h"
#include "net/net.h"

#include <stdlib.h>
#include <strings.h>

enum { PICTURES_MAX = 10000 }; /* in one row: a bound on what a hostile row may open */

static bool is_web(struct span ref)
{
    return (ref.n > 7 && strncasecmp(ref.s, "http://", 7) == 0) ||
           (ref.n > 8 && strncasecmp(ref.s, "https://", 8) == 0);
}

/* Fetch a URL from one of the hosts in a list "host,host". 0 or -1. */
static int fetch(struct buf *out, struct span ref, const char *allowed)
{
    char *copy = strdup(allowed), *url = strndup(ref.s, ref.n), *rest = copy, *host;
    const char **hosts = calloc(strlen(allowed) + 1, sizeof *hosts);
    int count = 0, status;
    while (copy && hosts && (host = strsep(&rest, ",")))
        if (*host)
            hosts[count++] = host;
    if (!copy || !url || !hosts)
        status = fail_memory();
    else if (strlen(url) != ref.n)
        status = fail(FAIL_MEDIA, "a NUL byte in the URL");
    else
        status = net_fetch(out, url, hosts, count, SOURCE_BYTES_MAX);
    free(copy);
    free(url);
    free(hosts);
    return status;
}

/* Read the picture that ref names. part borrows the bytes from *c. */
static int add_picture(struct conversation *c, struct turn_part *part, struct row *row,
                       struct span ref, const struct conversation_options *options)
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
    if (options->allow_url && is_web(ref)) {
        if (fetch(file, ref, options->allow_url) < 0)
            return fail_in("%s", name);
    } else if (source_read(file, options->root, ref) < 0) {
        return -1;
    }
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
                     struct span element, const struct conversation_options *options)
{
    struct span image = media_of_part(element), text;
    if (json_type(element) != JSON_OBJECT)
        return fail(FAIL_TYPE, "a part is no object");
    if (image.s) {
        if (value_text(row, image, &text) < 0)
            return fail_in("image");
        return add_picture(c, part, row, text, options);
    }
    if (media_is_there(json_get(element, "video")) ||
        media_is_there(json_get(element, "video_url")))
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
                        struct span content, const struct conversation_options *options)
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
        if (read_part(c, &parts[turn->count], row, element, options) < 0)
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

static bool has_media(const struct row *row, const char *name)
{
    return media_is_there(row_value(row, name));
}

/* Which of the two would count is anybody's guess; a picture left out is not noticed. */
static int refuse_beside_messages(struct row *row)
{
    static const char *const names[] = {"image", "images", "image_path", "video",
                                        "videos"};
    const char *beside = row_has(row, "prompt") ? "prompt" : NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !beside; i++)
        if (has_media(row, names[i]))
            beside = names[i];
    return beside ? fail(FAIL_TYPE,
                         "both \"messages\" and \"%s\": messages hold their media "
                         "themselves (examples/llava-to-messages.jq puts them in)",
                         beside)
                  : 0;
}

static int read_messages(struct conversation *c, struct row *row,
                         const struct conversation_options *options)
{
    struct span list, message;
    size_t at = 0, count = 0;
    if (row_array(row, "messages", &list) < 0 || refuse_beside_messages(row) < 0)
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
        if (read_content(c, turn, row, content, options) < 0)
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

/* The row's media field: what it names is walked by media_next(). */
static int read_media(struct row *row, struct span *value, const char **name)
{
    static const char *const names[] = {"image", "images", "image_path"};
    if (has_media(row, "video") || has_media(row, "videos"))
        return fail(FAIL_REFUSED, "this version does not read videos");
    if (has_media(row, "image") && has_media(row, "images"))
        return fail(FAIL_TYPE, "both \"image\" and \"images\"");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (has_media(row, names[i])) {
            *value = row_value(row, *name = names[i]);
            return json_type(*value) == JSON_STRING || json_type(*value) == JSON_ARRAY
                       ? 0
                       : fail(FAIL_TYPE, "\"%s\": neither a text nor a list", *name);
        }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (row_has(row, names[i]))
            return fail(FAIL_MISSING, "\"%s\" names no picture", names[i]);
    return fail(FAIL_MISSING, "no \"image\", \"images\" or \"messages\"");
}

/* The pictures of the media field as parts, with room for one part more behind them. How
 * many, or -1. */
static int read_pictures(struct conversation *c, struct row *row,
                         const struct conversation_options *options,
                         struct turn_part **parts)
{
    struct media_walk walk = {0};
    struct span value, ref, text;
    const char *name = NULL;
    size_t count = 0;
    int n = 0;
    if (read_media(row, &value, &name) < 0)
        return -1;
    while (media_next(value, &walk, &ref)) count++;
    if (count == 0)
        return fail(FAIL_MISSING, "\"%s\" names no picture", name);
    if (!(*parts = new_parts(row, count + 1)))
        return -1;
    bool list = json_type(value) == JSON_ARRAY;
    for (walk = (struct media_walk){0}; media_next(value, &walk, &ref); n++) {
        if (value_text(row, ref, &text) == 0 &&
            add_picture(c, &(*parts)[n], row, text, options) == 0)
            continue;
        return list ? fail_in("%s[%d]", name, n) : -1;
    }
    return n;
}

static int read_fields(struct conversation *c, struct row *row,
                       const struct conversation_options *options)
{
    struct span prompt;
    struct turn_part *parts;
    if (read_prompt(row, options, &prompt) < 0)
        return -1;
    if (!(c->turns = calloc(2, sizeof *c->turns)))
        return fail_memory();
    if (options->system) {
        struct turn_part *part = new_parts(row, 1);
        if (!part)
            return -1;
        part->text = span_of(options->system);
        c->turns[c->count++] = (struct turn){TURN_SYSTEM, part, 1};
    }
    int n = read_pictures(c, row, options, &parts);
    if (n < 0)
        return -1;
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

/* The pictures of a conversation's turns, in order. How many, or -1. */
static int collect_pictures(const struct conversation *c, struct row *row,
                            struct turn_part **parts)
{
    int n = 0;
    if (!(*parts = new_parts(row, (size_t)c->file_count + 1)))
        return -1;
    for (int t = 0; t < c->count; t++)
        for (int i = 0; i < c->turns[t].count; i++)
            if (c->turns[t].parts[i].picture)
                (*parts)[n++] = c->turns[t].parts[i];
    return n ? n : fail(FAIL_MISSING, "no picture in \"messages\"");
}

int conversation_pictures(struct conversation *c, struct row *row,
                          const struct conversation_options *options,
                          struct turn_part **parts)
{
    const struct conversation_options media = {.root = options->root,
                                               .allow_url = options->allow_url};
    *c = (struct conversation){0};
    if (row_has(row, "messages"))
        return read_messages(c, row, &media) < 0 ? -1 : collect_pictures(c, row, parts);
    return read_pictures(c, row, &media, parts);
}

int conversation_ask(struct conversation *c, struct row *row,
                     const struct conversation_options *options)
{
    struct turn_part *parts, *system = new_parts(row, 1);
    struct span prompt;
    *c = (struct conversation){0};
    if (!system || (!row_has(row, "messages") && read_prompt(row, options, &prompt) < 0))
        return -1;
    int n = conversation_pictures(c, row, options, &parts);
    if (n < 0)
        return -1;
    free(c->turns); /* of messages: what they say is not asked */
    c->count = 0;
    if (!(c->turns = calloc(2, sizeof *c->turns)))
        return fail_memory();
    if (options->system) {
        system->text = span_of(options->system);
        c->turns[c->count++] = (struct turn){TURN_SYSTEM, system, 1};
    }
    parts[n++].text = span_of(options->prompt);
    c->turns[c->count++] = (struct turn){TURN_USER, parts, n};
    return 0;
}

void conversation_free(struct conversation *c)
{
    for (int i = 0; i < c->file_count; i++) buf_free(&c->files[i]);
    free(c->files);
    free(c->turns);
    *c = (struct conversation){0};
}
