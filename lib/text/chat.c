/* chat.c: chat_render(). What a template writes around contents is our text, where
 * special tokens count; contents are text alone. */
#include "text/chat.h"
#include "base/fail.h"
#include "text/chat_format.h"
#include "text/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A part while the text still grows. */
struct piece {
    size_t at, n;
    enum token_mode mode;
};

struct render {
    const struct chat_format *format;
    const struct chat_options *options;
    struct buf text;
    struct buf pieces; /* of struct piece */
    struct buf joined; /* a content of several parts */
    int pictures, videos;
};

/* Add text; what follows text of the same mode becomes one piece with it. */
static void add(struct render *r, struct span text, enum token_mode mode)
{
    struct piece *last = NULL;
    if (text.n == 0)
        return;
    if (r->pieces.len > 0)
        last = (struct piece *)(void *)(r->pieces.data + r->pieces.len) - 1;
    if (last && last->mode == mode) {
        last->n += text.n;
    } else {
        struct piece piece = {r->text.len, text.n, mode};
        buf_add(&r->pieces, &piece, sizeof piece);
    }
    buf_add(&r->text, text.s, text.n);
}

static void ours(struct render *r, const char *text)
{
    add(r, span_of(text), TOKEN_SPECIAL);
}

static void content(struct render *r, struct span text)
{
    add(r, text, TOKEN_TEXT);
}

static void open_turn(struct render *r, enum chat_role role)
{
    static const char *const names[] = {
        [CHAT_SYSTEM] = "system", [CHAT_USER] = "user", [CHAT_ASSISTANT] = "assistant"};
    ours(r, r->format->marks->open);
    ours(r, names[role]);
    ours(r, r->format->marks->opened);
}

static void close_turn(struct render *r)
{
    ours(r, r->format->marks->end);
    ours(r, r->format->marks->ended);
}

static void add_media(struct render *r, enum chat_part_kind kind)
{
    int number = kind == CHAT_IMAGE ? ++r->pictures : ++r->videos;
    if (r->options->vision_id && r->format->vision_id) {
        char id[32];
        snprintf(id, sizeof id, "%s %d: ", kind == CHAT_IMAGE ? "Picture" : "Video",
                 number);
        ours(r, id);
    }
    ours(r, kind == CHAT_IMAGE ? "<|vision_start|><|image_pad|><|vision_end|>"
                               : "<|vision_start|><|video_pad|><|vision_end|>");
}

static void add_parts(struct render *r, const struct chat_message *m, bool media)
{
    for (int i = 0; i < m->count; i++) {
        if (m->parts[i].kind == CHAT_TEXT)
            content(r, m->parts[i].text);
        else if (media)
            add_media(r, m->parts[i].kind);
    }
}

/* A message's text parts as one. Borrowed from the message or from r->joined. */
static struct span joined(struct render *r, const struct chat_message *m)
{
    if (m->count == 1)
        return m->parts[0].text;
    buf_clear(&r->joined);
    for (int i = 0; i < m->count; i++)
        buf_add(&r->joined, m->parts[i].text.s, m->parts[i].text.n);
    return (struct span){r->joined.data, r->joined.len};
}

static const char *find(struct span text, const char *what)
{
    return text.n > 0 ? memmem(text.s, text.n, what, strlen(what)) : NULL;
}

/* What is behind the last `what`; text itself where there is none. */
static struct span after_last(struct span text, const char *what)
{
    for (const char *at; (at = find(text, what));) {
        at += strlen(what);
        text = (struct span){at, text.n - (size_t)(at - text.s)};
    }
    return text;
}

/* White space as the templates' trim filter knows it: Python's str.isspace(). */
static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xA0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

static struct span strip_space(struct span text)
{
    size_t begin = text.n, end = 0, n;
    for (size_t i = 0; i < text.n; i += n) {
        uint32_t c;
        int cut;
        n = utf8_next(text.s + i, text.n - i, &c, &cut);
        if (is_space(c))
            continue;
        begin = begin < i ? begin : i;
        end = i + n;
    }
    return end ? (struct span){text.s + begin, end - begin} : (struct span){"", 0};
}

static struct span strip_newlines(struct span text, bool left, bool right)
{
    while (left && text.n > 0 && *text.s == '\n') text.s++, text.n--;
    while (right && text.n > 0 && text.s[text.n - 1] == '\n') text.n--;
    return text;
}

/* qwen3: the question that the assistant's last turns answer: the last user message that
 * is no tool's response; the last message if there is none. */
static int last_query(struct render *r, const struct chat_message *m, int count)
{
    static const char open[] = "<tool_response>", shut[] = "</tool_response>";
    const size_t on = sizeof open - 1, sn = sizeof shut - 1;
    for (int i = count - 1; i >= 0; i--) {
        if (m[i].role != CHAT_USER)
            continue;
        struct span text = joined(r, &m[i]);
        bool response = text.n >= on && memcmp(text.s, open, on) == 0 && text.n >= sn &&
                        memcmp(text.s + text.n - sn, shut, sn) == 0;
        if (!response)
            return i;
    }
    return count - 1;
}

/* qwen3: an assistant's turn. Reasoning is cut out of turns before the last question and
 * put into a think block in those after it. */
static void add_thinking(struct render *r, const struct chat_message *m, bool after_query,
                         bool last)
{
    struct span text = joined(r, m), reasoning = m->reasoning;
    const char *end;
    if (!reasoning.s && (end = find(text, "</think>"))) {
        reasoning = (struct span){text.s, (size_t)(end - text.s)};
        reasoning = after_last(strip_newlines(reasoning, false, true), "<think>");
        reasoning = strip_newlines(reasoning, true, false);
        text = strip_newlines(after_last(text, "</think>"), true, false);
    }
    if (after_query && (last || reasoning.n > 0)) {
        ours(r, "<think>\n");
        content(r, strip_newlines(reasoning, true, true));
        ours(r, "\n</think>\n\n");
        text = strip_newlines(text, true, false);
    }
    content(r, text);
}

static int check(const struct chat_format *format, const struct chat_message *m,
                 int count)
{
    if (count <= 0)
        return fail(FAIL_TYPE, "no messages");
    for (int i = 0; i < count; i++)
        for (int k = 0; k < m[i].count; k++)
            if (m[i].parts[k].kind != CHAT_TEXT && !format->vision)
                return fail(FAIL_TYPE, "messages[%d]: the chat format %s takes text only",
                            i, format->name);
    return 0;
}

static void render(struct render *r, const struct chat_message *m, int count)
{
    const struct chat_format *f = r->format;
    int query = f->think ? last_query(r, m, count) : 0;
    ours(r, f->marks->first);
    if (f->system && m[0].role != CHAT_SYSTEM) {
        open_turn(r, CHAT_SYSTEM);
        ours(r, f->system);
        close_turn(r);
    }
    for (int i = 0; i < count; i++) {
        bool only_text = f->system_first_only && m[i].role == CHAT_SYSTEM;
        if (only_text && i > 0)
            continue;
        open_turn(r, m[i].role);
        if (f->think && m[i].role == CHAT_ASSISTANT)
            add_thinking(r, &m[i], i > query, i == count - 1);
        else if (f->marks->trim)
            content(r, strip_space(joined(r, &m[i])));
        else
            add_parts(r, &m[i], !only_text);
        close_turn(r);
    }
    if (r->options->generation_prompt) {
        open_turn(r, CHAT_ASSISTANT);
        if (f->think && r->options->think == CHAT_THINK_OFF)
            ours(r, "<think>\n\n</think>\n\n");
    }
}

/* The pieces as parts of the finished text. */
static int finish(struct render *r, struct chat_prompt *out)
{
    size_t count = r->pieces.len / sizeof(struct piece);
    if (buf_ok(&r->text) < 0 || buf_ok(&r->pieces) < 0 || buf_ok(&r->joined) < 0)
        return -1;
    out->parts = calloc(count + 1, sizeof *out->parts);
    if (!out->parts)
        return fail_memory();
    for (size_t i = 0; i < count; i++) {
        struct piece piece;
        memcpy(&piece, r->pieces.data + i * sizeof piece, sizeof piece);
        out->parts[i] =
            (struct token_part){{r->text.data + piece.at, piece.n}, piece.mode};
    }
    out->count = count;
    out->text = r->text;
    r->text = (struct buf){0};
    return 0;
}

int chat_render(const struct chat *chat, const struct chat_message *messages, int count,
                const struct chat_options *options, struct chat_prompt *out)
{
    struct render r = {.format = &chat->format, .options = options};
    *out = (struct chat_prompt){0};
    if (check(r.format, messages, count) < 0)
        return -1;
    render(&r, messages, count);
    int result = finish(&r, out);
    buf_free(&r.text);
    buf_free(&r.pieces);
    buf_free(&r.joined);
    return result;
}

void chat_prompt_free(struct chat_prompt *p)
{
    free(p->parts);
    buf_free(&p->text);
    *p = (struct chat_prompt){0};
}
