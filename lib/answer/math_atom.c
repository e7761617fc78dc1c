/* math_atom.c: the smallest parts of expressions: numbers, names, groups, fractions,
 * matrices. */
#include "answer/math_reader.h"

static struct math_node *no_real(struct math_reader *r, struct math_node *a)
{
    if (a && !r->real)
        a->flags |= MATH_NOT_REAL;
    return a;
}

/* A symbol of that name, in lower case; pi and gamma are the constants. */
static struct math_node *name_symbol(struct math_reader *r, struct span name)
{
    char *lower = NULL;
    for (size_t i = 0; i < name.n; i++)
        if (name.s[i] >= 'A' && name.s[i] <= 'Z') {
            if (!lower && (lower = math_alloc(r->w, name.n)))
                memcpy(lower, name.s, name.n);
            if (!lower)
                return NULL;
            lower[i] |= 32;
        }
    if (lower)
        name.s = lower;
    if (span_is(name, "pi"))
        return math_constant(r->w, MATH_PI);
    if (span_is(name, "gamma"))
        return math_constant(r->w, MATH_EULER);
    return no_real(r, math_symbol(r->w, name.s, name.n));
}

/* The text of tokens from..to, as an index of a name: "_{12}", "_a". */
static bool add_index(struct math_reader *r, int from, int to, struct span *name)
{
    size_t n = 0;
    for (int i = from; i < to; i++) n += r->tokens[i].text.n;
    char *text = math_alloc(r->w, name->n + n + 4), *at = text;
    if (!text)
        return false;
    at = (char *)mempcpy(at, name->s, name->n);
    *at++ = '_';
    if (n > 1)
        *at++ = '{';
    for (int i = from; i < to; i++)
        at = mempcpy(at, r->tokens[i].text.s, r->tokens[i].text.n);
    if (n > 1)
        *at++ = '}';
    *name = (struct span){text, (size_t)(at - text)};
    return true;
}

/* _ and what follows: an atom, or a list in braces. */
static bool read_index(struct math_reader *r, struct span *name)
{
    int from = ++r->at;
    if (math_take(r, MATH_T_BRACE)) {
        do {
            if (!math_read_sum(r))
                return false;
        } while (math_take(r, MATH_T_COMMA));
        return add_index(r, from + 1, r->at, name) && math_take(r, MATH_T_UNBRACE);
    }
    return math_read_atom(r) && add_index(r, from, r->at, name);
}

struct math_node *math_read_name(struct math_reader *r, struct span *name)
{
    struct math_token t = r->tokens[r->at];
    if (t.kind != MATH_T_LETTER)
        return NULL;
    r->at++;
    *name = t.text;
    if (math_peek(r) == MATH_T_LOW && !read_index(r, name))
        return NULL;
    if (t.op == 0 && span_is(*name, "I"))
        return math_constant(r->w, MATH_I);
    return name_symbol(r, *name);
}

struct math_node *math_read_braced(struct math_reader *r)
{
    if (!math_take(r, MATH_T_BRACE))
        return NULL;
    struct math_node *a = math_read_sum(r);
    return a && math_take(r, MATH_T_UNBRACE) ? a : NULL;
}

struct math_node *math_read_power(struct math_reader *r)
{
    if (!math_take(r, MATH_T_HIGH))
        return NULL;
    if (math_peek(r) == MATH_T_BRACE)
        return math_read_braced(r);
    if (r->depth >= MATH_DEPTH_MAX)
        return NULL;
    r->depth++;
    struct math_node *a = math_read_atom(r);
    r->depth--;
    return a;
}

/* A letter may carry its power and its index in either order. */
static struct math_node *read_letter(struct math_reader *r)
{
    struct span name = r->tokens[r->at].text;
    struct math_node *power = NULL, *a;
    if (r->tokens[r->at + 1].kind == MATH_T_HIGH) {
        int letter = r->at++;
        if (!(power = math_read_power(r)))
            return NULL;
        int behind = r->at;
        if (math_peek(r) == MATH_T_LOW && !read_index(r, &name))
            return NULL;
        a = behind != r->at ? name_symbol(r, name) : NULL;
        if (!a) {
            r->at = letter;
            a = r->tokens[letter].op == 0 && span_is(name, "I")
                    ? math_constant(r->w, MATH_I)
                    : name_symbol(r, name);
            r->at = behind;
        }
        return math_node2(r->w, MATH_POWER, 0, a, power);
    }
    if (!(a = math_read_name(r, &name)))
        return NULL;
    if (math_peek(r) != MATH_T_HIGH)
        return a;
    power = math_read_power(r);
    return math_node2(r->w, MATH_POWER, 0, a, power);
}

static struct math_node *scientific(struct math_reader *r, struct span text)
{
    const char *e = memchr(text.s, 'E', text.n);
    size_t mantissa = (size_t)(e - text.s), i = mantissa + 1;
    bool negative = text.s[i] == '-';
    long exponent = 0;
    struct math_node *a = math_decimal(r->w, (struct span){text.s, mantissa});
    for (i += text.s[i] == '-' || text.s[i] == '+'; i < text.n; i++)
        if ((exponent = exponent * 10 + (text.s[i] - '0')) > 2000)
            return NULL;
    if (!a)
        return NULL;
    fmpz_t ten;
    fmpz_init_set_ui(ten, 10);
    fmpz_pow_ui(ten, ten, (ulong)exponent);
    if (negative)
        fmpq_div_fmpz(a->q, a->q, ten);
    else
        fmpq_mul_fmpz(a->q, a->q, ten);
    fmpz_clear(ten);
    a->flags = MATH_FLOAT;
    return a;
}

struct math_node *math_read_atom(struct math_reader *r)
{
    struct math_token t = r->tokens[r->at];
    struct span name = t.text;
    struct math_node *a;
    switch (t.kind) {
    case MATH_T_LETTER: return read_letter(r);
    case MATH_T_INFINITY: r->at++; return math_constant(r->w, MATH_INFINITY);
    case MATH_T_NUMBER:
        r->at++;
        a = math_decimal(r->w, t.text);
        return math_peek(r) == MATH_T_LOW && !read_index(r, &name) ? NULL : a;
    case MATH_T_PERCENT:
        r->at++;
        return math_node1(r->w, MATH_PERCENT, 0, math_decimal(r->w, t.text));
    case MATH_T_SCIENTIFIC: r->at++; return scientific(r, t.text);
    case MATH_T_BIG_E: r->at++; return no_real(r, math_symbol(r->w, "e", 1));
    case MATH_T_DIFFERENTIAL: {
        char *text = math_alloc(r->w, t.text.n + 1);
        r->at++;
        if (!text)
            return NULL;
        text[0] = 'd';
        memcpy(text + 1, t.text.s, t.text.n);
        return no_real(r, math_symbol(r->w, text, t.text.n + 1));
    }
    case MATH_T_GAMMA: r->at++; return math_constant(r->w, MATH_EULER);
    default: return NULL;
    }
}

static struct math_node *read_group(struct math_reader *r, int close)
{
    r->at++;
    struct math_node *a = math_read_sum(r);
    return a && math_take(r, close) ? a : NULL;
}

static struct math_node *read_fraction(struct math_reader *r)
{
    r->at++;
    struct math_node *top = math_read_braced(r);
    bool derivative = top && math_peek(r) == MATH_T_BRACE &&
                      r->tokens[r->at + 1].kind == MATH_T_DIFFERENTIAL &&
                      r->tokens[r->at + 2].kind == MATH_T_UNBRACE;
    struct math_node *bottom = top ? math_read_braced(r) : NULL;
    if (derivative && bottom) {
        struct math_node *a = math_node2(r->w, MATH_CALL, MATH_F_UNKNOWN, top, bottom);
        if (a)
            a->name = span_of("derivative");
        return a;
    }
    return math_quotient(r->w, top, bottom);
}

static struct math_node *read_binomial(struct math_reader *r)
{
    r->at++;
    struct math_node *n = math_read_braced(r), *k = n ? math_read_braced(r) : NULL;
    return math_node2(r->w, MATH_CALL, MATH_F_BINOMIAL, n, k);
}

/* {n \choose k}, else a group. */
static struct math_node *read_brace(struct math_reader *r)
{
    r->at++;
    struct math_node *a = math_read_sum(r);
    if (a && math_take(r, MATH_T_CHOOSE))
        a = math_node2(r->w, MATH_CALL, MATH_F_BINOMIAL, a, math_read_sum(r));
    return a && math_take(r, MATH_T_UNBRACE) ? a : NULL;
}

struct math_node *math_read_matrix(struct math_reader *r)
{
    enum { ELEMENTS_MAX = 400 };
    struct math_node *some[ELEMENTS_MAX], *a;
    int start = r->tokens[r->at++].kind, columns = 0, column = 0, count = 0;
    int end = start == MATH_T_MATRIX  ? MATH_T_UNMATRIX
              : start == MATH_T_ARRAY ? MATH_T_UNARRAY
                                      : MATH_T_UNDETERMINANT;
    for (;;) {
        if (count == ELEMENTS_MAX || !(some[count++] = math_read_sum(r)))
            return NULL;
        column++;
        if (math_take(r, MATH_T_COLUMN))
            continue;
        if (columns && column != columns)
            return NULL;
        columns = column;
        column = 0;
        bool row = math_take(r, MATH_T_ROW);
        if (math_take(r, end))
            break;
        if (!row)
            return NULL;
    }
    if (!(a = math_node(r->w, MATH_MATRIX, columns, count)))
        return NULL;
    memcpy(a->args, some, (size_t)count * sizeof *some);
    return a;
}

/* The Leibniz sum; only for what answers hold: up to 4 by 4. */
static struct math_node *determinant(struct math_reader *r, struct math_node **e, int n,
                                     int stride, unsigned used)
{
    struct math_node *sum = NULL;
    int sign = 1;
    for (int c = 0; c < stride; c++) {
        if (used & 1u << c)
            continue;
        struct math_node *term = e[c];
        if (n > 1)
            term = math_join(r->w, MATH_PRODUCT, term,
                             determinant(r, e + stride, n - 1, stride, used | 1u << c));
        if (sign < 0)
            term = math_negative(r->w, term);
        sum = sum ? math_join(r->w, MATH_SUM, sum, term) : term;
        sign = -sign;
    }
    return sum;
}

struct math_node *math_read_part(struct math_reader *r, bool functions)
{
    int from = r->at;
    struct math_node *a;
    if (functions) {
        if ((a = math_read_function(r)))
            return a;
        r->at = from;
    }
    switch (math_peek(r)) {
    case MATH_T_OPEN: return read_group(r, MATH_T_CLOSE);
    case MATH_T_SQUARE: return read_group(r, MATH_T_UNSQUARE);
    case MATH_T_CURLY: return read_group(r, MATH_T_UNCURLY);
    case MATH_T_BRACE: return read_brace(r);
    case MATH_T_BOXED:
    case MATH_T_PHANTOM: r->at++; return math_read_braced(r);
    case MATH_T_BAR:
        return math_node1(r->w, MATH_CALL, MATH_F_ABS, read_group(r, MATH_T_BAR));
    case MATH_T_FLOOR:
        return math_node1(r->w, MATH_CALL, MATH_F_FLOOR, read_group(r, MATH_T_UNFLOOR));
    case MATH_T_CEIL:
        return math_node1(r->w, MATH_CALL, MATH_F_CEIL, read_group(r, MATH_T_UNCEIL));
    case MATH_T_FRACTION: return read_fraction(r);
    case MATH_T_BINOMIAL: return read_binomial(r);
    case MATH_T_MATRIX:
    case MATH_T_ARRAY: return math_read_matrix(r);
    case MATH_T_DETERMINANT:
        a = math_read_matrix(r);
        return a && a->op * a->op == a->count && a->op <= 4
                   ? determinant(r, a->args, a->op, a->op, 0)
                   : NULL;
    default: return math_read_atom(r);
    }
}
