/* label.c: see label.h. */
#include "qa/label.h"

/* The bytes of prefix if text begins with it, else 0. */
static size_t starts(struct span text, const char *prefix)
{
    size_t n = strlen(prefix);
    return text.n >= n && memcmp(text.s, prefix, n) == 0 ? n : 0;
}

static size_t starts_any(struct span text, const char *const *prefixes)
{
    size_t n = 0;
    while (*prefixes && n == 0) n = starts(text, *prefixes++);
    return n;
}

static struct span behind(struct span text, size_t n)
{
    return (struct span){text.s + n, text.n - n};
}

static const char *const spaces[] = {" ",  "\t",       "\n",           "\r",
                                     "\f", "\xC2\xA0", "\xE3\x80\x80", NULL};

struct span label_trim(struct span text)
{
    for (size_t n; (n = starts_any(text, spaces)) > 0;) text = behind(text, n);
    for (bool again = true; again;) {
        again = false;
        for (int i = 0; spaces[i]; i++) {
            size_t n = strlen(spaces[i]);
            if (text.n >= n && memcmp(text.s + text.n - n, spaces[i], n) == 0) {
                text.n -= n;
                again = true;
            }
        }
    }
    return text;
}

size_t label_letter(struct span text, int *place)
{
    const unsigned char *s = (const unsigned char *)text.s;
    if (text.n >= 1 && s[0] >= 'A' && s[0] <= 'Z') {
        *place = s[0] - 'A';
        return 1;
    }
    /* U+FF21 to U+FF3A */
    if (text.n >= 3 && s[0] == 0xEF && s[1] == 0xBC && s[2] >= 0xA1 && s[2] <= 0xBA) {
        *place = s[2] - 0xA1;
        return 3;
    }
    return 0;
}

struct label label_read(struct span option)
{
    /* Brackets; and what may follow a letter: what needs a space behind it, first. */
    static const char *const open[] = {"(", "\xEF\xBC\x88", NULL};
    static const char *const close[] = {")", "\xEF\xBC\x89", NULL};
    static const char *const loose[] = {".", ":", NULL};
    static const char *const firm[] = {"\xE3\x80\x81", "\xEF\xBC\x8E", "\xEF\xBC\x9A",
                                       NULL}; /* U+3001, U+FF0E, U+FF1A */
    struct label none = {-1, option};
    struct span text = label_trim(option);
    size_t bracket = starts_any(text, open), n;
    int place;
    text = behind(text, bracket);
    if ((n = label_letter(text, &place)) == 0)
        return none;
    text = behind(text, n);
    if ((n = starts_any(text, close)) == 0 && bracket == 0) {
        if ((n = starts_any(text, loose)) > 0) {
            struct span rest = behind(text, n);
            if (rest.n > 0 && (unsigned char)*rest.s < 0x80 && !starts_any(rest, spaces))
                return none;
        } else {
            n = starts_any(text, firm);
        }
    }
    if (n == 0)
        return none;
    return (struct label){place, label_trim(behind(text, n))};
}

void label_strip(struct span *options, int count)
{
    for (int i = 0; i < count; i++)
        if (label_read(options[i]).place != i)
            return;
    for (int i = 0; i < count; i++) options[i] = label_read(options[i]).text;
}

bool label_same(struct span a, struct span b)
{
    a = label_trim(a);
    b = label_trim(b);
    return a.n == b.n && (a.n == 0 || memcmp(a.s, b.s, a.n) == 0);
}
