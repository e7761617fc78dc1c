/* match.c: see match.h. Texts are compared in normalization form C, so that it does not
 * matter how a model spells an accent; case is folded one character at a time, which
 * keeps the work linear in the text's length. */
#include "qa/match.h"
#include "base/fail.h"
#include "text/nfc.h"
#include "text/utf8.h"

#include <assert.h>
#include <utf8proc.h>

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span trim(struct span t)
{
    while (t.n && is_space(t.s[0])) t.s++, t.n--;
    while (t.n && is_space(t.s[t.n - 1])) t.n--;
    return t;
}

bool match_same(struct span a, struct span b)
{
    a = trim(a);
    b = trim(b);
    return a.n == b.n && (a.n == 0 || memcmp(a.s, b.s, a.n) == 0);
}

/* ASCII alone is in normalization form C: append it in lower case. false: it is not. */
static bool fold_ascii(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.s[i] >= 0x80)
            return false;
    char *room = buf_room(out, text.n);
    for (size_t i = 0; room && i < text.n; i++)
        room[i] =
            (char)(text.s[i] >= 'A' && text.s[i] <= 'Z' ? text.s[i] | 0x20 : text.s[i]);
    out->len += room ? text.n : 0;
    return room;
}

/* Text without a full stop at its end, normalised, case folded. Upper case comes first on
 * the way to lower case, so that both forms of sigma become one. 0 or -1 (memory). */
static int fold(struct span text, struct buf *out)
{
    static const char wide[] = "\xe3\x80\x82"; /* the ideographic full stop */
    struct buf scratch = {0};
    text = trim(text);
    if (text.n && text.s[text.n - 1] == '.')
        text.n--;
    else if (text.n >= 3 && memcmp(text.s + text.n - 3, wide, 3) == 0)
        text.n -= 3;
    text = trim(text);
    if (fold_ascii(text, out))
        return 0;
    int status = nfc_text(text, true, &scratch, &text);
    for (size_t at = 0; status == 0 && at < text.n;) {
        uint32_t c;
        int short_by;
        char *room = buf_room(out, 4);
        at += utf8_next(text.s + at, text.n - at, &c, &short_by);
        if (room)
            out->len += utf8_put(
                room, (uint32_t)utf8proc_tolower(utf8proc_toupper((utf8proc_int32_t)c)));
        else
            status = -1;
    }
    buf_free(&scratch);
    return status < 0 ? fail_memory() : 0;
}

/* Among options that are marked, the one they all are. */
static int only(const bool *hit, const struct span *options, int count, int right)
{
    int first = -1;
    for (int i = 0; i < count; i++) {
        if (!hit[i])
            continue;
        if (first < 0)
            first = i;
        else if (!match_same(options[i], options[first]))
            return -1;
    }
    return first >= 0 && right >= 0 && right < count && hit[right] ? right : first;
}

int match_option(struct span reply, const struct span *options, int count, int right)
{
    enum { MOST = 64 };
    bool hit[MOST] = {false}, any = false;
    struct buf folded = {0}, other = {0};
    int status = 0;
    assert(count <= MOST);
    for (int i = 0; i < count; i++) any |= hit[i] = match_same(reply, options[i]);
    if (!any && (status = fold(reply, &folded)) == 0)
        for (int i = 0; i < count && status == 0 && folded.len; i++) {
            buf_clear(&other);
            status = fold(options[i], &other);
            hit[i] = match_same((struct span){folded.data, folded.len},
                                (struct span){other.data, other.len});
        }
    buf_free(&folded);
    buf_free(&other);
    return status < 0 ? -2 : only(hit, options, count, right);
}
