/* chat_open.c: the chat template of a model directory or a GGUF file. */
#include "base/fail.h"
#include "gguf/gguf.h"
#include "row/json.h"
#include "text/chat.h"
#include "text/chat_format.h"
#include "text/file.h"

#include <stdlib.h>

/* The template in a JSON file's "chat_template": a string, or a list of {name, template}
 * of which "default" counts. 1 if there is one, 0 if not, -1 (class model). */
static int from_json(struct span file, struct buf *template)
{
    struct span value, item, name;
    size_t at = 0;
    if (json_check(file) < 0)
        return fail(FAIL_MODEL, "%s", fail_text());
    value = json_get(file, "chat_template");
    if (json_type(value) == JSON_ARRAY) {
        struct span list = value;
        value = (struct span){0};
        while (json_each(list, &at, &item)) {
            name = json_get(item, "name");
            if (span_is(name, "\"default\""))
                value = json_get(item, "template");
        }
    }
    if (json_type(value) == JSON_NONE || json_type(value) == JSON_NULL)
        return 0;
    if (json_type(value) != JSON_STRING)
        return fail(FAIL_MODEL, "\"chat_template\" is no text");
    return json_text(value, template) < 0 ? fail(FAIL_MODEL, "%s", fail_text()) : 1;
}

/* Read a file of dir, if it is there, for the template. 1 found, 0 not, -1. */
static int look_in(const char *dir, const char *file, bool json, struct buf *template)
{
    struct buf name = {0}, bytes = {0};
    int found = file_exists(dir, file);
    if (found <= 0)
        return found;
    buf_print(&name, "%s/%s", dir, file);
    if (!buf_string(&name)) {
        found = fail_memory();
    } else if (file_read(name.data, json ? &bytes : template) < 0) {
        found = -1;
    } else if (json) {
        found = from_json((struct span){bytes.data, bytes.len}, template);
        if (found < 0)
            fail_in("%s", name.data);
    } else {
        found = 1;
    }
    buf_free(&name);
    buf_free(&bytes);
    return found;
}

/* The template in a GGUF file. 1, 0 if it has none, or -1. */
static int from_gguf(const char *path, struct buf *template)
{
    struct gguf *g = gguf_open(path);
    struct span text;
    int found = g ? gguf_text(g, "tokenizer.chat_template", &text) : -1;
    if (found > 0)
        buf_add(template, text.s, text.n);
    gguf_close(g);
    return found;
}

static int from_folder(const char *dir, struct buf *template)
{
    int found = look_in(dir, "chat_template.jinja", false, template);
    if (found == 0)
        found = look_in(dir, "chat_template.json", true, template);
    if (found == 0)
        found = look_in(dir, "tokenizer_config.json", true, template);
    return found;
}

static int recognise(struct chat *chat, const char *dir)
{
    struct buf template = {0};
    int found = gguf_is(dir) ? from_gguf(dir, &template) : from_folder(dir, &template);
    if (found == 0)
        found = fail(FAIL_MODEL, "%s: no chat template: name a format with --chat", dir);
    else if (found > 0 &&
             (buf_ok(&template) < 0 ||
              chat_format_of(chat, (struct span){template.data, template.len}) < 0))
        found = fail_in("%s", dir);
    buf_free(&template);
    return found < 0 ? -1 : 0;
}

struct chat *chat_open(const char *dir, const char *force)
{
    struct chat *chat = calloc(1, sizeof *chat);
    int result = -1;
    if (!chat) {
        fail_memory();
        return NULL;
    }
    if (force) {
        result = chat_format_named(&chat->format, force);
    } else {
        result = recognise(chat, dir);
    }
    if (result < 0) {
        chat_close(chat);
        return NULL;
    }
    return chat;
}

void chat_close(struct chat *chat)
{
    if (!chat)
        return;
    buf_free(&chat->system);
    free(chat);
}

const char *chat_name(const struct chat *chat)
{
    return chat->format.name;
}

const char *chat_end(const struct chat *chat)
{
    return chat->format.marks->end;
}

bool chat_guessed(const struct chat *chat)
{
    return chat->guessed;
}
