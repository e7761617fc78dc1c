/* said.c: see said.h. */
#include "net/said.h"
#include "base/fail.h"
#include "row/json.h"
#include "row/scan.h"

#include <stdlib.h>

enum { LOOK_MAX = 4096 }; /* no more of a text is read to fill a message */

static bool starts(struct span s, const char *with, size_t n)
{
    return n > 0 && s.n >= n && memcmp(s.s, with, n) == 0;
}

/* The bytes of the character that s begins with; 0 if it may not stand in a message:
 * white space, controls (C0, DEL, C1), and what is not UTF-8, all `*skip` bytes long. */
static size_t character(struct span s, size_t *skip)
{
    unsigned char c = (unsigned char)s.s[0];
    *skip = 1;
    if (c < 0x80)
        return c > 0x20 && c != 0x7f ? 1 : 0;
    int n = scan_utf8(s.s, s.s + s.n);
    if (n < 0) {
        *skip = (size_t)-n;
        return 0;
    }
    *skip = (size_t)n;
    if (n == 2 && c == 0xc2 && (unsigned char)s.s[1] < 0xa0)
        return 0;
    return (size_t)n;
}

void said_clean(char text[SAID_MAX], struct span raw, const char *key)
{
    static const char hidden[] = "[key]";
    size_t at = 0, key_n = key ? strlen(key) : 0, used = 0;
    bool space = false;
    if (raw.n > LOOK_MAX)
        raw.n = LOOK_MAX;
    while (at < raw.n) {
        struct span rest = {raw.s + at, raw.n - at};
        bool secret = key_n && starts(rest, key, key_n);
        size_t n = key_n, skip = key_n;
        const char *put = hidden;
        if (secret) {
            n = sizeof hidden - 1;
        } else {
            put = rest.s;
            n = character(rest, &skip);
        }
        at += skip;
        if (n == 0) {
            space = used > 0;
            continue;
        }
        if (used + n + space + 4 >= SAID_MAX) { /* room for "..." */
            memcpy(text + used, "...", 3);
            used += 3;
            break;
        }
        if (space)
            text[used++] = ' ';
        memcpy(text + used, put, n);
        used += n;
        space = false;
    }
    text[used] = '\0';
}

/* The string that tells the reason in a reply that is JSON; s NULL if there is none. */
static struct span find_reason(struct span body)
{
    static const char *const paths[] = {"error.message", "error", "message", "detail",
                                        "error.msg"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct span value = json_find(body, paths[i]);
        if (value.s && json_type(value) == JSON_STRING)
            return value;
    }
    return (struct span){0};
}

void said_read(char text[SAID_MAX], struct span body, const char *key)
{
    struct failure before;
    struct buf decoded = {0};
    struct span reason = {0};
    fail_save(&before); /* that a body is no JSON is no failure of ours */
    if (body.n > 0 && json_check(body) == 0)
        reason = find_reason(body);
    if (reason.s && json_text(reason, &decoded) == 0 && !decoded.bad && decoded.len > 0)
        said_clean(text, (struct span){decoded.data, decoded.len}, key);
    else
        said_clean(text, body, key);
    buf_free(&decoded);
    fail_again(&before);
}
