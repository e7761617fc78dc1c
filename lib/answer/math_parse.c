/* math_parse.c: answers as a whole: lists, sets, tuples, intervals, relations.
 *
 * The forms, in the order in which they are tried, are those of latex2sympy2_extended's
 * grammar: "x = 1, 2" (one symbol, several values), then lists of relations, then
 * operations on sets.
 */
#include "answer/math_reader.h"

enum { ELEMENTS_MAX = 1000 };

/* The elements of a list, in groups that semicolons part. */
struct list {
    struct math_node **items; /* [count] */
    int count, room, groups;
    int *group; /* [count] which group an item is of */
};

static bool list_add(struct math_reader *r, struct list *l, struct math_node *item)
{
    if (!item || l->count == ELEMENTS_MAX)
        return false;
    if (l->count == l->room) {
        int room = l->room * 2 + 4;
        struct math_node **items = math_alloc(r->w, (size_t)room * sizeof *items);
        int *group = math_alloc(r->w, (size_t)room * sizeof *group);
        if (!items || !group)
            return false;
        if (l->count) {
            memcpy(items, l->items, (size_t)l->count * sizeof *items);
            memcpy(group, l->group, (size_t)l->count * sizeof *group);
        }
        l->items = items;
        l->group = group;
        l->room = room;
    }
    l->group[l->count] = l->groups;
    l->items[l->count++] = item;
    return true;
}

static struct math_node *gather(struct math_reader *r, enum math_kind kind,
                                const struct list *l, int from, int count)
{
    struct math_node *a = math_node(r->w, kind, 0, count);
    if (a && count)
        memcpy(a->args, l->items + from, (size_t)count * sizeof *a->args);
    return a;
}

/* One item is itself; several are a set; groups of several are a set of tuples. */
static struct math_node *list_value(struct math_reader *r, const struct list *l)
{
    if (l->count == 1)
        return l->items[0];
    if (l->groups == 1 || l->groups == l->count)
        return gather(r, MATH_SET, l, 0, l->count);
    struct math_node *set = math_node(r->w, MATH_SET, 0, l->groups);
    for (int i = 0, g = 0, n; set && i < l->count; i += n, g++) {
        for (n = 1; i + n < l->count && l->group[i + n] == l->group[i];) n++;
        if (!(set->args[g] = gather(r, MATH_TUPLE, l, i, n)))
            return NULL;
    }
    return set;
}

static struct math_node *read_set(struct math_reader *r);

/* left RELATION right, and on: a chain holds what each step says of its neighbours. */
static struct math_node *relate(struct math_reader *r, struct math_node *left, int op,
                                struct math_node *right)
{
    if (!math_is_relation(left))
        return math_node2(r->w, MATH_RELATION, op, left, right);
    struct math_node *last =
        left->kind == MATH_CHAIN ? left->args[left->count - 1] : left;
    struct math_node *step = math_node2(r->w, MATH_RELATION, op, last->args[1], right);
    int before = left->kind == MATH_CHAIN ? left->count : 1;
    struct math_node *chain =
        step && before < 100 ? math_node(r->w, MATH_CHAIN, 0, before + 1) : NULL;
    if (!chain)
        return NULL;
    for (int i = 0; i < before; i++)
        chain->args[i] = left->kind == MATH_CHAIN ? left->args[i] : left;
    chain->args[before] = step;
    return chain;
}

static struct math_node *read_relation(struct math_reader *r)
{
    struct math_node *left = math_read_sum(r);
    while (left) {
        struct math_token t = r->tokens[r->at];
        if (t.kind != MATH_T_EQUAL && t.kind != MATH_T_SAME && t.kind != MATH_T_ABOUT &&
            t.kind != MATH_T_RELATION)
            break;
        r->at++;
        struct math_node *right = math_read_sum(r);
        if (!right)
            return NULL;
        if (t.kind == MATH_T_ABOUT) /* a symbol is its value; else what is exact stays */
            left = math_only_symbols(left) ? right : left;
        else
            left = relate(r, left, t.kind == MATH_T_RELATION ? t.op : MATH_EQ, right);
    }
    return left;
}

/* What ends an element of a list. */
static bool at_end(const struct math_reader *r)
{
    switch (math_peek(r)) {
    case MATH_T_END:
    case MATH_T_COMMA:
    case MATH_T_SEMICOLON:
    case MATH_T_CLOSE:
    case MATH_T_UNSQUARE:
    case MATH_T_UNBRACE:
    case MATH_T_UNCURLY: return true;
    default: return false;
    }
}

/* a \pm b gives two elements. */
static bool read_plus_minus(struct math_reader *r, struct list *l)
{
    struct math_node *left = NULL, *right;
    if (math_peek(r) != MATH_T_PLUS_MINUS && !(left = math_read_sum(r)))
        return false;
    if (!math_take(r, MATH_T_PLUS_MINUS) || !(right = math_read_sum(r)) || !at_end(r))
        return false;
    struct math_node *minus = math_negative(r->w, right);
    if (!left)
        return list_add(r, l, minus) && list_add(r, l, right);
    return list_add(r, l, math_join(r->w, MATH_SUM, left, right)) &&
           list_add(r, l, math_join(r->w, MATH_SUM, left, minus));
}

static bool read_element(struct math_reader *r, struct list *l, bool relations)
{
    int from = r->at;
    struct math_node *a;
    if (read_plus_minus(r, l))
        return true;
    r->at = from;
    if ((a = read_set(r)) && at_end(r))
        return list_add(r, l, a);
    r->at = from;
    a = relations ? read_relation(r) : math_read_sum(r);
    return a && at_end(r) && list_add(r, l, a);
}

static bool read_list(struct math_reader *r, struct list *l, bool relations)
{
    *l = (struct list){0};
    do {
        do {
            if (!read_element(r, l, relations))
                return false;
        } while (math_take(r, MATH_T_COMMA));
        l->groups++;
    } while (math_take(r, MATH_T_SEMICOLON));
    return true;
}

static bool holds_unreal(const struct math_node *a, int depth)
{
    if (a->kind == MATH_SYMBOL || depth > MATH_DEPTH_MAX)
        return (a->flags & MATH_NOT_REAL) != 0;
    for (int i = 0; i < a->count; i++)
        if (holds_unreal(a->args[i], depth + 1))
            return true;
    return false;
}

/* An interval that would hold nothing, as (5, 2), is a tuple; [2, 2] is a set. */
static struct math_node *make_interval(struct math_reader *r, struct math_node *low,
                                       struct math_node *high, unsigned open)
{
    int order = math_order(r->w, high, low);
    bool both = open == (MATH_OPEN_LOW | MATH_OPEN_HIGH);
    if (holds_unreal(low, 0) || holds_unreal(high, 0))
        return NULL;
    if ((both && order <= 0) || (!open && order < 0))
        return math_node2(r->w, MATH_TUPLE, 0, low, high);
    if (!open && order == 0)
        return math_node1(r->w, MATH_SET, 0, low);
    if (order <= 0)
        return math_node(r->w, MATH_REALM, '0', 0);
    struct math_node *a = math_node2(r->w, MATH_INTERVAL, 0, low, high);
    if (a)
        a->flags = open;
    return a;
}

static struct math_node *read_interval(struct math_reader *r)
{
    struct math_node *low, *high;
    unsigned open = math_take(r, MATH_T_OPEN)     ? MATH_OPEN_LOW
                    : math_take(r, MATH_T_SQUARE) ? 0
                                                  : 99;
    if (open == 99 || !(low = math_read_sum(r)) || !math_take(r, MATH_T_COMMA) ||
        !(high = math_read_sum(r)))
        return NULL;
    if (math_take(r, MATH_T_CLOSE))
        return make_interval(r, low, high, open | MATH_OPEN_HIGH);
    return math_take(r, MATH_T_UNSQUARE) ? make_interval(r, low, high, open) : NULL;
}

static struct math_node *read_tuple(struct math_reader *r)
{
    struct list l;
    int close = math_take(r, MATH_T_OPEN)     ? MATH_T_CLOSE
                : math_take(r, MATH_T_SQUARE) ? MATH_T_UNSQUARE
                                              : 0;
    if (!close || !read_list(r, &l, true) || !math_take(r, close))
        return NULL;
    return l.count == 1 ? l.items[0] : gather(r, MATH_TUPLE, &l, 0, l.count);
}

static struct math_node *read_braces(struct math_reader *r)
{
    struct list l;
    bool boxed = math_take(r, MATH_T_BOXED);
    int close = math_take(r, MATH_T_BRACE)             ? MATH_T_UNBRACE
                : !boxed && math_take(r, MATH_T_CURLY) ? MATH_T_UNCURLY
                                                       : 0;
    if (!close || !read_list(r, &l, true) || !math_take(r, close))
        return NULL;
    return boxed ? list_value(r, &l) : gather(r, MATH_SET, &l, 0, l.count);
}

static struct math_node *read_set_anew(struct math_reader *r)
{
    int from = r->at;
    struct math_node *a;
    switch (math_peek(r)) {
    case MATH_T_REALM: return math_node(r->w, MATH_REALM, r->tokens[r->at++].op, 0);
    case MATH_T_BRACE:
        if (r->tokens[from + 1].kind == MATH_T_UNBRACE) {
            r->at += 2;
            return math_node(r->w, MATH_REALM, '0', 0);
        }
        return read_braces(r);
    case MATH_T_CURLY:
    case MATH_T_BOXED: return read_braces(r);
    case MATH_T_OPEN:
    case MATH_T_SQUARE:
        if ((a = read_interval(r)))
            return a;
        r->at = from;
        return read_tuple(r);
    default: return NULL;
    }
}

static struct math_node *read_set(struct math_reader *r)
{
    struct math_memo *memo = &r->sets[r->at];
    if (memo->end == 0) {
        if (r->depth >= MATH_DEPTH_MAX || !math_burn(r->w, 4))
            return NULL;
        r->depth++;
        memo->node = read_set_anew(r);
        r->depth--;
        memo->end = memo->node ? r->at + 1 : -1;
    }
    if (memo->end < 0)
        return NULL;
    r->at = memo->end - 1;
    return memo->node;
}

/* -- Operations on sets --------------------------------------------------- */

static struct math_node *read_union(struct math_reader *r, int level);

static struct math_node *read_set_group(struct math_reader *r)
{
    int from = r->at;
    struct math_node *a;
    if (r->depth < MATH_DEPTH_MAX && math_take(r, MATH_T_OPEN)) {
        r->depth++;
        a = read_union(r, 0);
        r->depth--;
        if (a && math_take(r, MATH_T_CLOSE))
            return a;
        r->at = from;
    }
    return read_set(r);
}

static struct math_node *as_set(struct math_reader *r, struct math_node *a)
{
    struct math_node *set = a;
    if (a->kind == MATH_TUPLE && (set = math_node(r->w, MATH_SET, 0, a->count)))
        memcpy(set->args, a->args, (size_t)a->count * sizeof *a->args);
    return set;
}

/* Level 0: \setminus, 1: \cup, 2: \cap. */
static struct math_node *read_union(struct math_reader *r, int level)
{
    static const struct {
        int token;
        enum math_kind kind;
    } levels[] = {{MATH_T_SET_MINUS, MATH_MINUS},
                  {MATH_T_UNION, MATH_UNION},
                  {MATH_T_INTERSECTION, MATH_INTERSECTION}};
    if (level == 3)
        return read_set_group(r);
    struct math_node *a = read_union(r, level + 1), *b;
    while (a && math_take(r, levels[level].token)) {
        if (!(b = read_union(r, level + 1)))
            return NULL;
        a = math_node2(r->w, levels[level].kind, 0, as_set(r, a), as_set(r, b));
    }
    return a;
}

/* x, or (x, y). */
static struct math_node *read_names(struct math_reader *r)
{
    struct list l = {0};
    bool many = math_take(r, MATH_T_OPEN);
    do {
        int kind = math_peek(r);
        if ((kind != MATH_T_LETTER && kind != MATH_T_GAMMA) ||
            !list_add(r, &l, math_read_atom(r)))
            return NULL;
    } while (many && math_take(r, MATH_T_COMMA));
    if (many && !math_take(r, MATH_T_CLOSE))
        return NULL;
    l.groups = 1;
    return l.count == 1 ? l.items[0] : gather(r, MATH_TUPLE, &l, 0, l.count);
}

static struct math_node *read_set_relation(struct math_reader *r)
{
    int from = r->at, op;
    struct math_node *left = read_names(r), *right;
    if (r->depth < MATH_DEPTH_MAX && left &&
        ((op = math_peek(r)) == MATH_T_IN || op == MATH_T_EQUAL || op == MATH_T_NOT_IN)) {
        r->at++;
        r->depth++;
        right = read_set_relation(r);
        r->depth--;
        return math_node2(r->w, MATH_RELATION, op == MATH_T_NOT_IN ? MATH_NE : MATH_EQ,
                          left, right);
    }
    r->at = from;
    left = read_union(r, 0);
    if (left && (math_peek(r) == MATH_T_SUBSET || math_peek(r) == MATH_T_SUPERSET))
        return NULL; /* a claim, not an answer */
    return left;
}

/* -- The whole ------------------------------------------------------------ */

/* 12,345,678.9 alone is a number, not a list. */
static struct math_node *grouped_number(struct math_work *w, struct span text)
{
    char *plain = math_alloc(w, text.n + 1);
    size_t n = 0, i = 0, digits = 0, groups = 0;
    while (i < text.n && text.s[i] == ' ') i++;
    while (text.n > i && text.s[text.n - 1] == ' ') text.n--;
    if (!plain)
        return NULL;
    if (i < text.n && text.s[i] == '-')
        plain[n++] = text.s[i++];
    for (; i < text.n; i++) {
        char c = text.s[i];
        if (c >= '0' && c <= '9') {
            plain[n++] = c;
            digits++;
        } else if (c == ',') {
            if (groups ? digits != 3 : digits < 1 || digits > 3)
                return NULL;
            groups++;
            digits = 0;
        } else {
            break;
        }
    }
    if (!groups || digits != 3 || (i < text.n && text.s[i] != '.'))
        return NULL;
    if (plain[0] == '0' && i == text.n) { /* 0,123: a decimal comma */
        if (groups > 1)
            return NULL;
        memmove(plain + 2, plain + 1, n - 1);
        plain[1] = '.';
        n++;
    }
    if (i < text.n && i + 1 < text.n)
        while (i < text.n) plain[n++] = text.s[i++];
    return math_decimal(w, (struct span){plain, n});
}

static struct math_node *read_whole(struct math_reader *r, struct span text)
{
    struct list l;
    struct math_node *names = read_names(r), *a;
    if (names && (math_peek(r) == MATH_T_IN || math_peek(r) == MATH_T_EQUAL)) {
        r->at++;
        if (read_list(r, &l, false) && math_peek(r) == MATH_T_END)
            return math_node2(r->w, MATH_RELATION, MATH_EQ, names, list_value(r, &l));
    }
    r->at = 0;
    if (read_list(r, &l, true) && math_peek(r) == MATH_T_END)
        return (a = grouped_number(r->w, text)) ? a : list_value(r, &l);
    r->at = 0;
    a = read_set_relation(r);
    return a && math_peek(r) == MATH_T_END ? a : NULL;
}

/* Does the text speak of complex numbers or matrices? Its symbols are not real then. */
static bool speaks_complex(struct span s)
{
    static const char *const marks[] = {"\\mathbb{C}",
                                        "\\text{i}",
                                        "\\det",
                                        "\\operatorname{tr}",
                                        "\\operatorname{rank}",
                                        "\\text{rank}",
                                        "\\arg{",
                                        "\\Re{",
                                        "\\Im{",
                                        "\\operatorname{Re}",
                                        "\\operatorname{Im}",
                                        "\\text{Re}",
                                        "\\text{Im}",
                                        "\\imath"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (s.n >= strlen(marks[i]) && memmem(s.s, s.n, marks[i], strlen(marks[i])))
            return true;
    for (size_t i = 0; i < s.n; i++) { /* i as a word */
        unsigned char before = i ? (unsigned char)s.s[i - 1] : ' ';
        unsigned char behind = i + 1 < s.n ? (unsigned char)s.s[i + 1] : ' ';
        if (s.s[i] == 'i' && !((before | 32) >= 'a' && (before | 32) <= 'z') &&
            !((behind | 32) >= 'a' && (behind | 32) <= 'z') && before != '_' &&
            behind != '_' && !(before >= '0' && before <= '9') &&
            !(behind >= '0' && behind <= '9') && before < 128 && behind < 128)
            return true;
    }
    return false;
}

static struct math_node *parse_once(struct math_work *w, struct span text)
{
    struct math_reader r = {.w = w, .real = !speaks_complex(text)};
    if (!(r.tokens = math_lex(w, text, &r.count)) || r.count == 0)
        return NULL;
    size_t size = ((size_t)r.count + 1) * sizeof *r.sums;
    r.sums = math_alloc(w, size);
    r.sets = math_alloc(w, size);
    return r.sums && r.sets ? read_whole(&r, text) : NULL;
}

/* a = b = c where it did not parse: c alone. */
static struct span last_side(struct span text)
{
    size_t from = 0, parts = 1;
    if (memchr(text.s, ',', text.n) || memchr(text.s, ';', text.n))
        return text;
    for (size_t i = 0; i < text.n; i++)
        if (text.s[i] == '=' && !(i && strchr("\\<!>", text.s[i - 1]) && text.s[i - 1])) {
            from = i + 1;
            parts++;
        }
    return parts > 2 ? (struct span){text.s + from, text.n - from} : text;
}

/* \text{16}, \mathrm{-1/2}: what is nothing but a number is one, also as a text. */
static struct math_node *text_number(struct math_work *w, struct math_node *a)
{
    size_t signs = 0, slashes = 0;
    if (!a || a->kind != MATH_SYMBOL || a->name.n == 0)
        return a;
    for (size_t i = 0; i < a->name.n; i++) {
        char c = a->name.s[i];
        signs += c == '-' && i > 0;
        slashes += c == '/';
        if (!(c >= '0' && c <= '9') && c != '-' && c != '/' && c != '.' && c != ',')
            return a;
    }
    if (signs > 0 || slashes > 1)
        return a;
    struct math_node *number = memchr(a->name.s, ',', a->name.n)
                                   ? grouped_number(w, a->name)
                                   : math_plain(w, a->name);
    return number ? number : a;
}

struct math_node *math_parse(struct math_work *w, struct span text)
{
    if (text.n == 0)
        return NULL;
    struct math_node *a = parse_once(w, text);
    if (!a && !w->spent) {
        struct span last = last_side(text);
        if (last.n != text.n && last.n)
            a = parse_once(w, last);
    }
    return text_number(w, a);
}
