/* chat-fuzz.c: any bytes as messages: contents come out whole and as contents; any bytes
 * as a template: recognised or refused. */
#include "base/fail.h"
#include "fuzz.h"
#include "text/chat.h"
#include "text/chat_format.h"

#include <stdio.h>
#include <stdlib.h>

enum { MESSAGES = 6, PARTS = 3 };

/* Cut the bytes at each NUL into parts; a few bits of the first ones choose the rest. */
static void render(const struct chat *chat, const uint8_t *data, size_t size)
{
    struct chat_part part[MESSAGES * PARTS];
    struct chat_message message[MESSAGES] = {0};
    unsigned bits = size > 1 ? data[0] | data[1] << 8 : 0;
    struct chat_options options = {bits & 1, (enum chat_think)((bits >> 1 & 3) % 3),
                                   bits >> 3 & 1};
    const char *at = (const char *)data, *end = at + size;
    for (int i = 0; i < MESSAGES * PARTS; i++) {
        const char *nul = at < end ? memchr(at, 0, (size_t)(end - at)) : NULL;
        const char *stop = nul ? nul : end;
        part[i] = (struct chat_part){CHAT_TEXT, {at, (size_t)(stop - at)}};
        if (part[i].text.n == 1 && *at < 3)
            part[i].kind = (enum chat_part_kind) * at;
        at = nul ? nul + 1 : end;
    }
    for (int i = 0; i < MESSAGES; i++) {
        message[i].role = (enum chat_role)((bits >> (4 + 2 * i) & 3) % 3);
        message[i].parts = part + (size_t)i * PARTS;
        message[i].count = (int)(size >> i) % (PARTS + 1);
    }
    struct chat_prompt p;
    int count = (int)(size % (MESSAGES + 1));
    if (chat_render(chat, message, count, &options, &p) < 0) {
        check(fail_kind() == FAIL_TYPE && !p.parts && !p.text.data, "a failure");
        return;
    }
    size_t total = 0;
    for (size_t i = 0; i < p.count; i++) {
        check(p.parts[i].text.s == p.text.data + total, "part out of place");
        check(p.parts[i].mode != TOKEN_KEEP, "mode");
        total += p.parts[i].text.n;
    }
    check(total == p.text.len, "text left over");
    chat_prompt_free(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"qwen2",      "qwen2_5",  "qwen3",
                                        "qwen2_5_vl", "qwen3_vl", "chatml"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct chat *chat = chat_open(".", names[i]);
        check(chat, "open");
        render(chat, data, size);
        chat_close(chat);
    }
    struct chat guessed = {0};
    if (chat_format_of(&guessed, (struct span){(const char *)data, size}) == 0)
        render(&guessed, data, size);
    buf_free(&guessed.system);
    return 0;
}
