/* chat.h: conversations as the model families write them. In C, no template engine: a
 * model's template is recognised by its hash, else by marks in its text. */
#ifndef CHAT_H
#define CHAT_H
#include "base/buf.h"
#include "base/span.h"
#include "text/ids.h"
#include "text/tokenizer.h"

enum chat_role { CHAT_SYSTEM, CHAT_USER, CHAT_ASSISTANT };
enum chat_part_kind { CHAT_TEXT, CHAT_IMAGE, CHAT_VIDEO };

/* Part of a message. Media are numbered in order of appearance by whoever renders. */
struct chat_part {
    enum chat_part_kind kind;
    struct span text; /* CHAT_TEXT: content, never template */
};

struct chat_message {
    enum chat_role role;
    const struct chat_part *parts;
    int count;
    /* An assistant's reasoning where it is given apart from its content (qwen3 writes it
     * into a think block); s NULL: none. */
    struct span reasoning;
};

enum chat_think { CHAT_THINK_DEFAULT, CHAT_THINK_ON, CHAT_THINK_OFF };

struct chat_options {
    bool generation_prompt; /* end with the assistant's opening */
    enum chat_think think;  /* qwen3: CHAT_THINK_OFF opens with an empty think block */
    bool vision_id;         /* "Picture 1: " before each picture (VL families) */
};

struct chat; /* one model's chat format */

/* Recognise the format of a model: a GGUF file's tokenizer.chat_template, or in a
 * directory chat_template.jinja, chat_template.json or
 * tokenizer_config.json's chat_template, the first that is there, by SHA-256, else by its
 * marks (the default system text is read from the template's own literal). force is a
 * --chat name or NULL: qwen2, qwen2_5, qwen3, qwen2_5_vl, qwen3_vl, llama3, or
 * chatml, which writes each message as it comes and adds nothing.
 * NULL (class model): unknown template (names --chat), unknown name, or damaged file.
 * A model without any template is an error unless force is given. */
struct chat *chat_open(const char *dir, const char *force);
void chat_close(struct chat *chat);
const char *chat_name(const struct chat *chat); /* "qwen3_vl" */
bool chat_guessed(const struct chat *chat);     /* by marks, not by hash or name */
const char *chat_end(const struct chat *chat);  /* the token that ends a turn */

/* A rendered prompt: template text and content in turn, for tokenizer_encode(). A picture
 * is the template text <|vision_start|><|image_pad|><|vision_end|>, one pad. */
struct chat_prompt {
    struct token_part *parts; /* owned; texts point into `text` */
    size_t count;
    struct buf text; /* the whole prompt, what the template would give */
};

/* Render messages. Text parts are joined; media in a format without vision are refused.
 * What the model's template leaves out is left out: qwen3_vl drops system messages but
 * the first, and media in that one. 0, or -1 (class type) where the template itself
 * refuses (says why). *out is empty after a failure. */
int chat_render(const struct chat *chat, const struct chat_message *messages, int count,
                const struct chat_options *options, struct chat_prompt *out);
void chat_prompt_free(struct chat_prompt *p);

/* Ids that end a turn are the tokenizer's business: the engine takes them from the
 * model's generation_config.json / config.json. */
#endif
