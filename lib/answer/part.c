/* part.c: which part of a reply answers. */
#include "answer/answer_own.h"
#include "answer/chars.h"

/* The first tag in text, or the end. */
static const char *find(struct span text, const char *tag)
{
    const char *found = text.n ? memmem(text.s, text.n, tag, strlen(tag)) : NULL;
    return found ? found : text.s + text.n;
}

static bool has(struct span text, const char *tag)
{
    return find(text, tag) < text.s + text.n;
}

/* What stands behind the last tag; all of it where there is none. *there: there is. */
static struct span behind_last(struct span text, const char *tag, bool *there)
{
    size_t n = strlen(tag);
    *there = false;
    for (const char *end = text.s + text.n, *at; (at = find(text, tag)) < end;) {
        *there = true;
        text = (struct span){at + n, (size_t)(end - at) - n};
    }
    return text;
}

struct span answer_part_kept(struct span reply, bool *cut)
{
    bool thought, tagged;
    struct span part;
    *cut = false;
    if (reply.n == 0 || !memchr(reply.s, '<', reply.n))
        return reply;
    part = behind_last(reply, "</think>", &thought);
    if (has(part, "<think>")) {
        *cut = true;
        return (struct span){reply.s, 0};
    }
    struct span last = behind_last(part, "<answer>", &tagged);
    /* of two the last that is closed: "<answer>B</answer> as the <answer> tag says" */
    if (tagged && !has(last, "</answer>") && has(part, "</answer>")) {
        struct span closed;
        const char *end = part.s + part.n;
        bool there;
        closed = behind_last(part, "</answer>", &there);
        end = closed.s - strlen("</answer>");
        closed = behind_last((struct span){part.s, (size_t)(end - part.s)}, "<answer>",
                             &there);
        if (there)
            return chars_strip(closed);
    }
    if (tagged)
        last.n = (size_t)(find(last, "</answer>") - last.s);
    else if (!thought)
        return reply;
    return chars_strip(last);
}

struct span answer_part(struct span reply, bool *cut)
{
    return chars_strip(answer_part_kept(reply, cut));
}

/* The length of what stands before the brace that closes text; text.n if none does. */
static size_t closed_at(struct span text)
{
    size_t open = 1, i = 0;
    for (; i < text.n; i++) {
        if (text.s[i] == '\\')
            i++;
        else if (text.s[i] == '{')
            open++;
        else if (text.s[i] == '}' && --open == 0)
            break;
    }
    return i < text.n ? i : text.n;
}

struct span answer_boxed(struct span text)
{
    bool there;
    if (text.n == 0 || !memchr(text.s, '\\', text.n))
        return text;
    struct span inside = behind_last(text, "\\boxed{", &there);
    size_t n = there ? closed_at(inside) : 0;
    if (!there || n == inside.n)
        return text;
    return chars_strip((struct span){inside.s, n});
}
