/* value.c: metadata values: reading past them with every bound checked. */
#include "base/fail.h"
#include "gguf/parts.h"

/* The format lets arrays hold arrays. Nobody writes more than one such level. */
enum { NESTING_MAX = 4 };

bool cursor_u32(struct cursor *c, uint32_t *value)
{
    if (cursor_left(c) < sizeof *value)
        return false;
    memcpy(value, c->at, sizeof *value);
    c->at += sizeof *value;
    return true;
}

bool cursor_u64(struct cursor *c, uint64_t *value)
{
    if (cursor_left(c) < sizeof *value)
        return false;
    memcpy(value, c->at, sizeof *value);
    c->at += sizeof *value;
    return true;
}

bool cursor_text(struct cursor *c, struct span *value)
{
    struct cursor rest = *c;
    uint64_t n;
    if (!cursor_u64(&rest, &n) || n > cursor_left(&rest))
        return false;
    *value = (struct span){rest.at, (size_t)n};
    c->at = rest.at + n;
    return true;
}

/* Bytes of a number of this type, or 0: text, array, unknown. */
static uint64_t number_bytes(uint32_t type)
{
    switch (type) {
    case VALUE_U8:
    case VALUE_I8:
    case VALUE_BOOL: return 1;
    case VALUE_U16:
    case VALUE_I16: return 2;
    case VALUE_U32:
    case VALUE_I32:
    case VALUE_F32: return 4;
    case VALUE_U64:
    case VALUE_I64:
    case VALUE_F64: return 8;
    default: return 0;
    }
}

static int short_of(const char *what)
{
    return fail(FAIL_MODEL, "the file ends inside %s", what);
}

/* Past `count` numbers of `each` bytes. */
static int numbers_skip(struct cursor *c, uint32_t type, uint64_t count, uint64_t each)
{
    if (count > cursor_left(c) / each)
        return short_of(count == 1 ? "a value" : "an array");
    for (uint64_t i = 0; type == VALUE_BOOL && i < count; i++)
        if (c->at[i] != 0 && c->at[i] != 1)
            return fail(FAIL_MODEL, "a bool is %d", (unsigned char)c->at[i]);
    c->at += count * each;
    return 0;
}

static int skip(struct cursor *c, uint32_t type, int nesting);

static int array_skip(struct cursor *c, int nesting)
{
    uint32_t type;
    uint64_t count, each;
    if (nesting >= NESTING_MAX)
        return fail(FAIL_MODEL, "arrays are nested over %d deep", NESTING_MAX);
    if (!cursor_u32(c, &type) || !cursor_u64(c, &count))
        return short_of("an array");
    if ((each = number_bytes(type)) > 0)
        return numbers_skip(c, type, count, each);
    if (count > cursor_left(c) / 8) /* a text or an array has a length at least */
        return short_of("an array");
    if (count == 0 && type > VALUE_F64)
        return fail(FAIL_MODEL, "an array of unknown type %u", (unsigned)type);
    for (; count > 0; count--)
        if (skip(c, type, nesting + 1) < 0)
            return -1;
    return 0;
}

static int skip(struct cursor *c, uint32_t type, int nesting)
{
    struct span text;
    uint64_t each = number_bytes(type);
    if (each > 0)
        return numbers_skip(c, type, 1, each);
    if (type == VALUE_TEXT)
        return cursor_text(c, &text) ? 0 : short_of("a text");
    if (type == VALUE_ARRAY)
        return array_skip(c, nesting);
    return fail(FAIL_MODEL, "a value of unknown type %u", (unsigned)type);
}

int value_skip(struct cursor *c, uint32_t type)
{
    return skip(c, type, 0);
}
