/* chat_format.h: what the chat formats differ in. Inside lib/text. */
#ifndef CHAT_FORMAT_H
#define CHAT_FORMAT_H
#include "base/buf.h"
#include "base/span.h"
#include <stdbool.h>

/* What is written around messages: open, role, opened, content, end, ended. */
struct chat_marks {
    const char *first; /* before the first message */
    const char *open, *opened;
    const char *end; /* one token: it ends a turn */
    const char *ended;
    bool trim; /* white space around contents is cut off */
};

struct chat_format {
    const char *name;
    const struct chat_marks *marks; /* NULL in the table: ChatML's */
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

/* The format of a --chat name. 0, or -1 (class model) if there is none such. */
int chat_format_named(struct chat_format *format, const char *name);

/* Fill *chat from a template's text: by hash, else by marks. 0, or -1 (class model). */
int chat_format_of(struct chat *chat, struct span template);
#endif
