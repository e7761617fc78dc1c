/* chat_format.h: what the chat formats differ in. Inside lib/text. */
#ifndef CHAT_FORMAT_H
#define CHAT_FORMAT_H
#include "base/buf.h"
#include "base/span.h"
#include <stdbool.h>

/* All formats are ChatML: <|im_start|>role, newline, content, <|im_end|>, newline. */
struct chat_format {
    const char *name;
    const char *system;     /* put first where no system message is; NULL: nothing */
    bool vision;            /* takes pictures and videos */
    bool vision_id;         /* knows add_vision_id */
    bool think;             /* qwen3's think blocks */
    bool system_first_only; /* later system messages vanish */
};

struct chat {
    struct chat_format format;
    struct buf system; /* format.system's text, where a template had its own */
    bool guessed;
};

/* The format of a --chat name. NULL (class model) if there is none such. */
const struct chat_format *chat_format_named(const char *name);

/* Fill *chat from a template's text: by hash, else by marks. 0, or -1 (class model). */
int chat_format_of(struct chat *chat, struct span template);
#endif
