/* json_edit.c: see json_edit.h. */
#include "row/json_edit.h"

#include <assert.h>

enum { EDITS_MAX = 8 };

/* Bytes on their way from the object to the buffer. */
struct copy {
    struct buf *out;
    const char *from;                     /* what comes before it is copied or left out */
    bool some;                            /* a member was put */
    const struct json_member_edit *edits; /* [count] */
    struct span last[EDITS_MAX];          /* the value that counts of each, if there */
    int count;
};

/* The number of the edit for a raw key (quotes included), or -1. An escaped spelling is
 * the same key. */
static int edit_of(struct copy *c, struct span key)
{
    struct buf decoded = {0};
    struct span name = {key.s + 1, key.n - 2};
    int found = -1;
    if (memchr(name.s, '\\', name.n) && json_text(key, &decoded) == 0)
        name = (struct span){decoded.data, decoded.len};
    c->out->bad |= decoded.bad;
    for (int i = 0; i < c->count && found < 0; i++)
        if (span_is(name, c->edits[i].key))
            found = i;
    buf_free(&decoded);
    return found;
}

static void copy_to(struct copy *c, const char *end)
{
    buf_add(c->out, c->from, (size_t)(end - c->from));
    c->from = end;
}

/* One member of the object. The bytes before its key (a comma and white space) belong to
 * it, but for the first that is put: there the brace and the white space behind it were
 * copied already. */
static void put_member(struct copy *c, struct span key, struct span value)
{
    const char *end = value.s + value.n;
    int e = edit_of(c, key);
    if (e >= 0 && (c->last[e].s != value.s || !c->edits[e].value.s)) {
        c->from = end; /* left out */
        return;
    }
    if (!c->some)
        c->from = key.s;
    copy_to(c, e < 0 ? end : value.s);
    if (e >= 0)
        buf_add(c->out, c->edits[e].value.s, c->edits[e].value.n);
    c->from = end;
    c->some = true;
}

void json_put_edited(struct buf *out, struct span object,
                     const struct json_member_edit *edits, int count)
{
    struct copy c = {.out = out, .from = object.s, .edits = edits, .count = count};
    struct span key, value;
    const char *end = object.s + object.n - 1; /* the closing brace */
    bool first = true;
    assert(count <= EDITS_MAX);
    for (int i = 0; i < count; i++) c.last[i] = json_get(object, edits[i].key);
    while (*end != '}') end--;
    for (size_t at = 0; json_member(object, &at, &key, &value); first = false) {
        if (first)
            copy_to(&c, key.s);
        put_member(&c, key, value);
    }
    copy_to(&c, end);
    for (int i = 0; i < count; i++) {
        if (!edits[i].value.s || c.last[i].s)
            continue;
        buf_print(out, "%s\"%s\":", c.some ? "," : "", edits[i].key);
        buf_add(out, edits[i].value.s, edits[i].value.n);
        c.some = true;
    }
    buf_char(out, '}');
}
