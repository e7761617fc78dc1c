/* chat_format.c: see chat_format.h. */
#include "text/chat_format.h"
#include "base/fail.h"
#include "base/sha256.h"

#include <string.h>

#define HELPFUL "You are a helpful assistant."
#define QWEN "You are Qwen, created by Alibaba Cloud. " HELPFUL

/* <|im_start|>role, newline, content, <|im_end|>, newline. */
static const struct chat_marks chatml = {"",           "<|im_start|>", "\n",
                                         "<|im_end|>", "\n",           false};
static const struct chat_marks llama3 = {"<|begin_of_text|>",
                                         "<|start_header_id|>",
                                         "<|end_header_id|>\n\n",
                                         "<|eot_id|>",
                                         "",
                                         true};

static const struct chat_format formats[] = {
    {.name = "qwen2", .system = HELPFUL},
    {.name = "qwen2_5", .system = QWEN},
    {.name = "qwen3", .think = true},
    {.name = "qwen2_5_vl", .system = HELPFUL, .vision = true, .vision_id = true},
    {.name = "qwen3_vl", .vision = true, .vision_id = true, .system_first_only = true},
    {.name = "chatml", .vision = true},
    {.name = "llama3", .marks = &llama3},
};

/* The published templates (SHA-256 of the text). */
static const struct {
    const char *hash, *name;
} published[] = {
    {"793202280c0910ab26bc6eb57c8212c2417324c6d8c4efd0d10d59092ab3e3eb", "qwen2"},
    {"cd8e9439f0570856fd70470bf8889ebd8b5d1107207f67a5efb46e342330527f", "qwen2_5"},
    {"87a2728cb8dc9fe424d624542f6060ec05a1d285ebbec578bb078900e33396b5", "qwen3"},
    {"a0bc6f6fc7a29a80017a433e8f03a1cc1236e838a944a2d034295a60c4f2fddb", "qwen2_5_vl"},
    {"3636d0f0bd6bef02654cdffdc447b79cb2cef8ab02cc75267345946291a489e4", "qwen3_vl"},
    {"b3e3fa7cdeceec1d3dfe0d17b77724baf3857714e688f3a700261567e96140eb", "internvl3_5"},
};

int chat_format_named(struct chat_format *format, const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(name, formats[i].name) == 0) {
            *format = formats[i];
            if (!format->marks)
                format->marks = &chatml;
            return 0;
        }
    if (strcmp(name, "internvl3_5") == 0)
        return fail(FAIL_MODEL, "the chat format %s is not in this version", name);
    return fail(FAIL_MODEL,
                "no chat format \"%.80s\": qwen2, qwen2_5, qwen3, qwen2_5_vl, qwen3_vl, "
                "chatml or llama3",
                name);
}

/* Where what is first found in text, or NULL. */
static const char *find(struct span text, const char *what)
{
    return text.n > 0 ? memmem(text.s, text.n, what, strlen(what)) : NULL;
}

static struct span from(struct span text, const char *at)
{
    return (struct span){at, text.n - (size_t)(at - text.s)};
}

/* Copy the text of a literal up to <|im_end|> into out. quote is the one that opened the
 * literal, escapes and all, or 0 for text outside of expressions. false if the literal
 * ends, or an expression begins, before <|im_end|>: then it is no plain text. */
static bool copy_literal(struct span text, char quote, struct buf *out)
{
    const char *end = find(text, "<|im_end|>");
    if (!end)
        return false;
    text.n = (size_t)(end - text.s);
    if (!quote) {
        buf_add(out, text.s, text.n);
        return !find(text, "{{") && !find(text, "{%") && !find(text, "{#");
    }
    for (size_t i = 0; i < text.n; i++) {
        char c = text.s[i];
        if (c == quote)
            return false;
        if (c == '\\' && i + 1 < text.n) {
            c = text.s[++i];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        }
        buf_char(out, c);
    }
    return true;
}

/* The template's own default system text: the first `<|im_start|>system`, newline, plain
 * text, `<|im_end|>`, in a string or outside. */
static bool find_system(struct span template, struct buf *out)
{
    static const char opening[] = "<|im_start|>system";
    struct span rest = template;
    for (const char *at; (at = find(rest, opening)); rest = from(rest, at + 1)) {
        struct span text = from(rest, at + sizeof opening - 1);
        char quote = at > template.s ? at[-1] : 0;
        buf_clear(out);
        if (text.n > 1 && text.s[0] == '\n') {
            if (copy_literal(from(text, text.s + 1), 0, out))
                return true;
        } else if (text.n > 2 && text.s[0] == '\\' && text.s[1] == 'n' &&
                   (quote == '\'' || quote == '"')) {
            if (copy_literal(from(text, text.s + 2), quote, out))
                return true;
        }
    }
    buf_clear(out);
    return false;
}

/* Llama 3's own template. Those from 3.1 on write dates into the system turn and are not
 * this format. */
static bool is_llama3(struct span template)
{
    return find(template, "<|start_header_id|>") && find(template, "<|end_header_id|>") &&
           find(template, "<|eot_id|>") && find(template, "bos_token") &&
           find(template, "| trim") && !find(template, "<|im_start|>") &&
           !find(template, "Today Date") && !find(template, "strftime");
}

static int guess(struct chat *chat, struct span template)
{
    bool vision = find(template, "<|vision_start|>") && find(template, "<|image_pad|>");
    bool system = find_system(template, &chat->system);
    bool cuts = find(template, "</think>") != NULL;
    const char *name = "chatml";
    if (is_llama3(template)) {
        chat->guessed = true;
        return chat_format_named(&chat->format, "llama3");
    }
    if (find(template, "bos_token") || !find(template, "<|im_start|>") ||
        !find(template, "<|im_end|>") ||
        (cuts && (vision || !find(template, "last_query_index") ||
                  !find(template, "enable_thinking"))))
        return fail(FAIL_MODEL, "an unknown chat template: name its format with --chat");
    if (cuts)
        name = "qwen3";
    else if (system)
        name = vision ? "qwen2_5_vl" : "qwen2_5";
    else if (vision && (find(template, "messages[0].role == 'system'") ||
                        find(template, "messages[0]['role'] == 'system'")))
        name = "qwen3_vl";
    if (chat_format_named(&chat->format, name) < 0)
        return -1;
    chat->format.vision = vision;
    chat->format.vision_id = vision && find(template, "add_vision_id");
    chat->guessed = true;
    chat->format.system = system ? buf_string(&chat->system) : NULL;
    if (system && !vision && strcmp(chat->format.system, HELPFUL) == 0)
        chat->format.name = "qwen2";
    return buf_ok(&chat->system);
}

int chat_format_of(struct chat *chat, struct span template)
{
    char hash[SHA256_TEXT];
    sha256_text(template.s, template.n, hash);
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        if (strcmp(hash, published[i].hash) == 0)
            return chat_format_named(&chat->format, published[i].name);
    }
    return guess(chat, template);
}
