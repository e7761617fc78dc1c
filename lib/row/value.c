/* value.c: see value.h. */
#include "row/value.h"
#include "row/scan.h"

/* From offset 0 of the text. */
static const char *text_of(struct value v)
{
    return v.json.s - v.entry->at;
}

/* Where what ends before the offset end ends without the white space behind it. */
static uint32_t trim(const char *text, uint32_t end)
{
    while (scan_space(text[end - 1])) end--;
    return end;
}

/* *v becomes the value at entry. Its fields are written one by one: a struct copied right
 * after it was put together waits for the parts to reach the cache. */
static inline void take(struct value *v, const char *text, const struct tape_entry *entry)
{
    char c = text[entry->at];
    uint32_t end =
        c == '{' || c == '[' ? entry[entry->link - 1].at + 1 : trim(text, entry->link);
    v->json.s = text + entry->at;
    v->json.n = end - entry->at;
    v->entry = entry;
}

/* The entry behind that of a value. */
static const struct tape_entry *behind(const char *text, const struct tape_entry *entry)
{
    char c = text[entry->at];
    return entry + (c == '{' || c == '[' ? entry->link : 1);
}

/* The entry at cursor *at of a container that opens with open; NULL at its end. */
static const struct tape_entry *entry_at(struct value v, char open, size_t at)
{
    if (*v.json.s != open)
        return NULL;
    const struct tape_entry *entry = v.entry + (at ? at : 1);
    return entry == v.entry + v.entry->link - 1 ? NULL : entry;
}

struct value value_root(struct span text, const struct tape_entry *tape)
{
    struct value root = {text, NULL};
    if (tape)
        take(&root, text.s, tape);
    return root;
}

bool value_each(struct value list, size_t *at, struct value *element)
{
    if (!list.entry) {
        element->entry = NULL;
        return json_each(list.json, at, &element->json);
    }
    const struct tape_entry *entry = entry_at(list, '[', *at);
    if (!entry)
        return false;
    take(element, text_of(list), entry);
    *at = (size_t)(behind(text_of(list), entry) - list.entry);
    return true;
}

bool value_member(struct value object, size_t *at, struct span *key, struct value *member)
{
    if (!object.entry) {
        member->entry = NULL;
        return json_member(object.json, at, key, &member->json);
    }
    const struct tape_entry *entry = entry_at(object, '{', *at);
    if (!entry)
        return false;
    const char *text = text_of(object);
    key->s = text + entry->at;
    key->n = trim(text, entry->link) - entry->at;
    take(member, text, entry + 1);
    *at = (size_t)(behind(text, entry + 1) - object.entry);
    return true;
}

/* One of 64 bits, by a key's length and first byte. */
static uint64_t mark_of(const char *key, size_t n)
{
    return (uint64_t)1 << ((n ^ (n ? (unsigned char)*key : 0)) & 63);
}

/* value_pick() with a tape. */
static void pick(struct value object, const struct span names[], struct value found[],
                 int count)
{
    if (*object.json.s != '{')
        return;
    const char *text = text_of(object);
    const struct tape_entry *entry = object.entry + 1;
    const struct tape_entry *end = object.entry + object.entry->link - 1;
    uint64_t marks = 0; /* of the names: most other keys have another mark */
    for (int i = 0; i < count; i++) marks |= mark_of(names[i].s, names[i].n);
    for (; entry < end; entry = behind(text, entry + 1)) {
        const char *key = text + entry->at + 1; /* without its quotes */
        size_t n = trim(text, entry->link) - entry->at - 2;
        int i = marks & mark_of(key, n) ? 0 : count;
        while (i < count && (n != names[i].n || memcmp(key, names[i].s, n) != 0)) i++;
        /* The shortest key with an escape has two bytes: "\/" */
        if (i == count && n >= 2 && memchr(key, '\\', n))
            for (i = 0; i < count; i++)
                if (json_key_is((struct span){key - 1, n + 2}, names[i]))
                    break;
        if (i < count)
            take(&found[i], text, entry + 1);
    }
}

void value_pick(struct value object, const struct span names[], struct value found[],
                int count)
{
    struct value member;
    struct span key;
    for (int i = 0; i < count; i++) found[i] = (struct value){0};
    if (object.entry) {
        pick(object, names, found, count);
        return;
    }
    for (size_t at = 0; value_member(object, &at, &key, &member);)
        for (int i = 0; i < count; i++)
            if (json_key_is(key, names[i])) {
                found[i] = member;
                break;
            }
}

static struct value get(struct value object, struct span key)
{
    struct value found;
    value_pick(object, &key, &found, 1);
    return found;
}

struct value value_get(struct value object, const char *key)
{
    return get(object, span_of(key));
}

struct value value_find(struct value object, const char *path)
{
    for (;;) {
        size_t n = strcspn(path, ".");
        object = get(object, (struct span){path, n});
        if (!object.json.s || !path[n])
            return object;
        path += n + 1;
    }
}
