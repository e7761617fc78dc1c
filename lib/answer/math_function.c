/* math_function.c: functions by their names, roots, sums, limits, integrals. */
#include "answer/math_reader.h"

static struct math_node *unknown(struct math_reader *r, const char *name,
                                 struct math_node **args, int count)
{
    struct math_node *a = math_node(r->w, MATH_CALL, MATH_F_UNKNOWN, count);
    for (int i = 0; i < count; i++)
        if (!args[i])
            return NULL;
    if (a) {
        a->name = span_of(name);
        memcpy(a->args, args, (size_t)count * sizeof *args);
    }
    return a;
}

/* The index and the power between a function's name and its argument, in any order. */
static bool read_marks(struct math_reader *r, struct math_node **index,
                       struct math_node **power)
{
    *index = *power = NULL;
    for (int i = 0; i < 2; i++) {
        if (!*power && math_peek(r) == MATH_T_HIGH) {
            if (!(*power = math_read_power(r)))
                return false;
        } else if (!*index && math_take(r, MATH_T_LOW)) {
            *index =
                math_peek(r) == MATH_T_BRACE ? math_read_braced(r) : math_read_atom(r);
            if (!*index)
                return false;
        }
    }
    return true;
}

static struct math_node *read_parentheses(struct math_reader *r)
{
    int from = r->at;
    struct math_node *a;
    if (math_take(r, MATH_T_OPEN) && (a = math_read_sum(r)) && math_take(r, MATH_T_CLOSE))
        return a;
    r->at = from;
    return math_read_argument(r);
}

static bool is_minus_one(const struct math_node *a)
{
    return a && math_is_integer(a) && fmpz_equal_si(fmpq_numref(a->q), -1);
}

/* \sin, \log ... : one argument. */
static struct math_node *read_one(struct math_reader *r, int op)
{
    struct math_node *index, *power, *argument, *a;
    struct math_work *w = r->w;
    if (!read_marks(r, &index, &power) || !(argument = read_parentheses(r)))
        return NULL;
    if (is_minus_one(power) && ((op >= MATH_F_SIN && op <= MATH_F_COT) ||
                                (op >= MATH_F_SINH && op <= MATH_F_TANH))) {
        op += op <= MATH_F_COT ? MATH_F_ASIN - MATH_F_SIN : MATH_F_ASINH - MATH_F_SINH;
        power = NULL;
    }
    if (op == MATH_F_LOG || op == -1) {
        if (!index)
            index = op == -1 ? math_constant(w, MATH_E) : math_integer(w, 10);
        a = math_node2(w, MATH_CALL, MATH_F_LOG, argument, index);
    } else if (op == -2) {
        a = math_node2(w, MATH_POWER, 0, math_constant(w, MATH_E), argument);
    } else if (op == -3) {
        return NULL; /* of a matrix: \begin{vmatrix} is the form that is read */
    } else {
        a = math_node1(w, MATH_CALL, op, argument);
    }
    return power ? math_node2(w, MATH_POWER, 0, a, power) : a;
}

/* \max(a, b, ...). */
static struct math_node *read_many(struct math_reader *r, int op)
{
    enum { MANY_MAX = 50 };
    struct math_node *index, *power, *args[MANY_MAX], *a;
    int count = 0;
    if (!read_marks(r, &index, &power) || !math_take(r, MATH_T_OPEN))
        return NULL;
    do {
        if (count == MANY_MAX || !(args[count++] = math_read_sum(r)))
            return NULL;
    } while (math_take(r, MATH_T_COMMA));
    if (!math_take(r, MATH_T_CLOSE) || !(a = math_node(r->w, MATH_CALL, op, count)))
        return NULL;
    memcpy(a->args, args, (size_t)count * sizeof *args);
    return power ? math_node2(r->w, MATH_POWER, 0, a, power) : a;
}

/* f(x), f[x, y]: one atom, or a list. f(x + 1) is a product. */
static struct math_node *read_call(struct math_reader *r)
{
    enum { ARGUMENTS = 20 };
    struct math_node *args[ARGUMENTS], *power = NULL, *a;
    struct span name;
    int count = 0, from, close;
    if (!math_read_name(r, &name))
        return NULL;
    if (math_peek(r) == MATH_T_HIGH && !(power = math_read_power(r)))
        return NULL;
    bool braced = math_take(r, MATH_T_BRACE);
    close = math_take(r, MATH_T_OPEN)     ? MATH_T_CLOSE
            : math_take(r, MATH_T_SQUARE) ? MATH_T_UNSQUARE
                                          : 0;
    if (!close)
        return NULL;
    from = r->at;
    if ((args[0] = math_read_atom(r)) && math_peek(r) == close) {
        count = 1;
    } else {
        r->at = from;
        do {
            if (math_peek(r) == close && count == 1)
                break;
            if (count == ARGUMENTS || !(args[count++] = math_read_sum(r)))
                return NULL;
        } while (math_take(r, MATH_T_COMMA));
        if (count == 1 && r->tokens[r->at - 1].kind != MATH_T_COMMA)
            return NULL;
    }
    if (!math_take(r, close) || (braced && !math_take(r, MATH_T_UNBRACE)))
        return NULL;
    if (!(a = unknown(r, "", args, count)))
        return NULL;
    a->name = name;
    return power ? math_node2(r->w, MATH_POWER, 0, a, power) : a;
}

static struct math_node *read_root(struct math_reader *r)
{
    struct math_node *degree = NULL, *a;
    if (math_take(r, MATH_T_SQUARE) &&
        (!(degree = math_read_sum(r)) || !math_take(r, MATH_T_UNSQUARE)))
        return NULL;
    if (!(a = math_read_braced(r)))
        return NULL;
    if (!degree)
        degree = math_integer(r->w, 2);
    return math_node2(r->w, MATH_POWER, 0, a,
                      math_quotient(r->w, math_integer(r->w, 1), degree));
}

/* \sum_{k=1}^{n} and \prod: the form with both bounds. */
static struct math_node *read_range(struct math_reader *r, int op)
{
    struct math_node *variable = NULL, *first = NULL, *last = NULL, *term;
    for (int i = 0; i < 2; i++)
        if (math_take(r, MATH_T_LOW)) {
            if (!math_take(r, MATH_T_BRACE) || !(variable = math_read_sum(r)) ||
                (!math_take(r, MATH_T_EQUAL) && !math_take(r, MATH_T_SAME)) ||
                !(first = math_read_sum(r)) || !math_take(r, MATH_T_UNBRACE))
                return NULL;
        } else if (!(last = math_read_power(r))) {
            return NULL;
        }
    if (!first || !last || variable->kind != MATH_SYMBOL ||
        !(term = math_read_product(r)))
        return NULL;
    struct math_node *a = math_node(r->w, MATH_CALL, op, 4);
    if (a) {
        a->args[0] = term;
        a->args[1] = variable;
        a->args[2] = first;
        a->args[3] = last;
    }
    return a;
}

static struct math_node *read_limit(struct math_reader *r)
{
    struct math_node *args[3];
    struct span name;
    bool below = false;
    if (!math_take(r, MATH_T_LOW) || !math_take(r, MATH_T_BRACE) ||
        !(args[1] = math_read_name(r, &name)) || !math_take(r, MATH_T_TOWARDS) ||
        !(args[2] = math_read_sum(r)))
        return NULL;
    if (math_take(r, MATH_T_HIGH)) {
        if (!math_take(r, MATH_T_BRACE))
            return NULL;
        below = math_peek(r) == MATH_T_MINUS;
        if ((!math_take(r, MATH_T_MINUS) && !math_take(r, MATH_T_PLUS)) ||
            !math_take(r, MATH_T_UNBRACE))
            return NULL;
    }
    if (!math_take(r, MATH_T_UNBRACE) || !(args[0] = math_read_product(r)))
        return NULL;
    return unknown(r, below ? "limit below" : "limit above", args, 3);
}

static struct math_node *read_integral(struct math_reader *r)
{
    struct math_node *args[4] = {NULL};
    int count = 1;
    if (!read_marks(r, &args[1], &args[2]))
        return NULL;
    if (args[1] && args[2])
        count = 3;
    else if (args[1] || args[2])
        return NULL;
    if (!(args[0] = math_read_sum(r))) /* the differential is one of its factors */
        return NULL;
    return unknown(r, "integral", args, count);
}

/* \operatorname{...} */
static struct math_node *read_operator(struct math_reader *r)
{
    if (!math_take(r, MATH_T_BRACE) || math_peek(r) != MATH_T_WORD)
        return NULL;
    int op = r->tokens[r->at++].op;
    if (op < 0 || !math_take(r, MATH_T_UNBRACE))
        return NULL; /* functions of matrices are not read */
    return op == MATH_F_GCD || op == MATH_F_LCM ? read_many(r, op) : read_one(r, op);
}

struct math_node *math_read_function(struct math_reader *r)
{
    struct math_token t = r->tokens[r->at];
    if (t.kind == MATH_T_LETTER)
        return read_call(r);
    if (t.kind == MATH_T_FUNCTION && t.op >= 0 && t.op == MATH_F_UNKNOWN)
        return NULL;
    r->at++;
    switch (t.kind) {
    case MATH_T_FUNCTION: return read_one(r, t.op);
    case MATH_T_GAMMA: return read_one(r, MATH_F_GAMMA);
    case MATH_T_FUNCTIONS: return read_many(r, t.op);
    case MATH_T_OPERATOR: return read_operator(r);
    case MATH_T_SQRT: return read_root(r);
    case MATH_T_ADD_UP: return read_range(r, MATH_F_ADD_UP);
    case MATH_T_MULTIPLY: return read_range(r, MATH_F_MULTIPLY);
    case MATH_T_LIMIT: return read_limit(r);
    case MATH_T_INTEGRAL: return read_integral(r);
    case MATH_T_EXP: {
        struct math_node *e = math_constant(r->w, MATH_E), *power;
        if (math_peek(r) != MATH_T_HIGH)
            return e;
        power = math_read_power(r);
        if (power && power->kind == MATH_CALL && power->op == MATH_F_LOG &&
            power->args[1]->kind == MATH_CONSTANT && power->args[1]->op == MATH_E)
            return power->args[0]; /* so that e^{\ln x} is the symbol x */
        return math_node2(r->w, MATH_POWER, 0, e, power);
    }
    default: r->at--; return NULL;
    }
}
