/* vqa.c: answers as the VQA evaluation normalises them (Antol et al., arXiv 1505.00468),
 * in the form that VLM evaluation kits use, oddities included: where the text has a comma
 * between digits, or the sign stands beside a space anywhere, the sign goes; else it
 * becomes a space; and only the first 32 full stops go. */
#include "answer/answer_own.h"
#include "answer/chars.h"
#include "base/buf.h"
#include "base/fail.h"
#include "text/utf8.h"

static const char signs[] = ";/[]\"{}()=+\\_-><@`,?!";

/* What becomes of each sign: gone, or a space. */
struct fate {
    bool gone[128];
};

/* Is there a decimal digit of any script at i? */
static bool digit_at(struct span t, size_t i)
{
    uint32_t c;
    if (i >= t.n)
        return false;
    chars_next(t.s + i, t.n - i, &c);
    return chars_digit(c) >= 0;
}

static void decide(struct fate *fate, struct span t)
{
    bool comma = false, before = false; /* before: the last character is a digit */
    *fate = (struct fate){{false}};
    for (size_t i = 0, n; i < t.n; i += n) {
        uint32_t c;
        n = chars_next(t.s + i, t.n - i, &c);
        if (c == ',' && before && digit_at(t, i + 1))
            comma = true;
        before = chars_digit(c) >= 0;
        if (c < 128 &&
            ((i > 0 && t.s[i - 1] == ' ') || (i + 1 < t.n && t.s[i + 1] == ' ')))
            fate->gone[c] = true;
    }
    for (const char *s = signs; *s; s++) fate->gone[(int)*s] |= comma;
}

/* Signs and full stops out of t, line ends and tabs as spaces. */
static void drop_signs(struct buf *out, struct span t)
{
    struct fate fate;
    struct buf scratch = {0};
    size_t stops = 0;
    decide(&fate, t);
    for (size_t i = 0; i < t.n; i++) {
        char c = t.s[i];
        if (c == '\0' || !strchr(signs, c))
            buf_char(&scratch, c);
        else if (!fate.gone[(int)c])
            buf_char(&scratch, ' ');
    }
    struct span s = {scratch.data, scratch.len};
    for (size_t i = 0; i < s.n; i++)
        if (s.s[i] == '.' && stops < 32 && !digit_at(s, i + 1))
            stops++;
        else
            buf_char(out, s.s[i]);
    out->bad |= scratch.bad;
    buf_free(&scratch);
}

static void put_lower(struct buf *out, const struct points *p)
{
    for (size_t i = 0; i < p->n; i++) {
        char *room = buf_room(out, 4);
        if (room)
            out->len += utf8_put(room, p->at[i]);
    }
}

/* The words of lower [collapsed], each as what stands for it. */
static void put_words(struct buf *out, struct span lower)
{
    bool first = true;
    for (size_t i = 0, n; i < lower.n; i += n + 1) {
        const char *s = lower.s + i, *end = memchr(s, ' ', lower.n - i), *put = s;
        char word[32];
        n = end ? (size_t)(end - s) : lower.n - i;
        size_t length = n;
        if (n < sizeof word && !memchr(s, '\0', n)) {
            memcpy(word, s, n);
            word[n] = '\0';
            if (!(put = vqa_word(word)))
                continue;
            length = strlen(put);
        }
        if (!first)
            buf_char(out, ' ');
        buf_add(out, put, length);
        first = false;
    }
}

int vqa_normalize(struct span answer, struct buf *out)
{
    struct buf text = {0};
    struct points p = {.at = NULL};
    int status = -1;
    char *copy = buf_room(&text, answer.n + 1);
    if (!copy)
        return fail_memory();
    for (size_t i = 0; i < answer.n; i++)
        copy[i] = (char)(answer.s[i] == '\n' || answer.s[i] == '\t' ? ' ' : answer.s[i]);
    struct span t = chars_strip((struct span){copy, answer.n});
    struct buf plain = {0};
    drop_signs(&plain, t);
    buf_clear(&text);
    if (buf_ok(&plain) == 0 &&
        points_lower(&p, (struct span){plain.data, plain.len}, true) == 0) {
        put_lower(&text, &p);
        points_free(&p);
        put_words(out, (struct span){text.data, text.len});
        status = buf_ok(&text) < 0 ? -1 : buf_ok(out);
    }
    buf_free(&plain);
    buf_free(&text);
    return status;
}
