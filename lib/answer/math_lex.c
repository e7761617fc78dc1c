/* math_lex.c: LaTeX cut into tokens. The longest match wins, as in TeX-like grammars made
 * by generators: "dx" is one differential, "\inx" is \in and x.
 */
#include "answer/math_lex.h"
#include "answer/math_own.h"

struct word {
    const char *text;
    short kind, op;
};

/* clang-format off */
static const struct word commands[] = { /* what may follow a backslash */
    {",", MATH_T_SKIP, 0}, {":", MATH_T_SKIP, 0}, {";", MATH_T_SKIP, 0}, {"!", MATH_T_SKIP, 0},
    {"thinspace", MATH_T_SKIP, 0}, {"medspace", MATH_T_SKIP, 0}, {"thickspace", MATH_T_SKIP, 0},
    {"quad", MATH_T_SKIP, 0}, {"qquad", MATH_T_SKIP, 0}, {"negthinspace", MATH_T_SKIP, 0},
    {"negmedspace", MATH_T_SKIP, 0}, {"negthickspace", MATH_T_SKIP, 0}, {"$", MATH_T_SKIP, 0},
    {"vrule", MATH_T_SKIP, 0}, {"vcenter", MATH_T_SKIP, 0}, {"vbox", MATH_T_SKIP, 0},
    {"vskip", MATH_T_SKIP, 0}, {"vspace", MATH_T_SKIP, 0}, {"hfil", MATH_T_SKIP, 0},
    {"over", MATH_T_DIVIDE, 0}, {"div", MATH_T_DIVIDE, 0}, {"times", MATH_T_TIMES, 0},
    {"cdot", MATH_T_TIMES, 0}, {"mod", MATH_T_MOD, 0},
    {"(", MATH_T_OPEN, 0}, {")", MATH_T_CLOSE, 0}, {"lgroup", MATH_T_OPEN, 0},
    {"rgroup", MATH_T_CLOSE, 0}, {"{", MATH_T_CURLY, 0}, {"}", MATH_T_UNCURLY, 0},
    {"lbrace", MATH_T_CURLY, 0}, {"rbrace", MATH_T_UNCURLY, 0}, {"lbrack", MATH_T_SQUARE, 0},
    {"rbrack", MATH_T_UNSQUARE, 0}, {"phantom", MATH_T_PHANTOM, 0}, {"boxed", MATH_T_BOXED, 0},
    {"lvert", MATH_T_BAR, 0}, {"rvert", MATH_T_BAR, 0}, {"vert", MATH_T_BAR, 0},
    {"|", MATH_T_NORM, 0}, {"langle", MATH_T_OTHER, 0}, {"rangle", MATH_T_OTHER, 0},
    {"lfloor", MATH_T_FLOOR, 0}, {"rfloor", MATH_T_UNFLOOR, 0}, {"llcorner", MATH_T_FLOOR, 0},
    {"lrcorner", MATH_T_UNFLOOR, 0}, {"lceil", MATH_T_CEIL, 0}, {"rceil", MATH_T_UNCEIL, 0},
    {"ulcorner", MATH_T_CEIL, 0}, {"urcorner", MATH_T_UNCEIL, 0},
    {"lim", MATH_T_LIMIT, 0}, {"to", MATH_T_TOWARDS, 0}, {"rightarrow", MATH_T_TOWARDS, 0},
    {"Rightarrow", MATH_T_TOWARDS, 0}, {"longrightarrow", MATH_T_TOWARDS, 0},
    {"Longrightarrow", MATH_T_TOWARDS, 0}, {"int", MATH_T_INTEGRAL, 0},
    {"sum", MATH_T_ADD_UP, 0}, {"prod", MATH_T_MULTIPLY, 0},
    {"log", MATH_T_FUNCTION, MATH_F_LOG}, {"ln", MATH_T_FUNCTION, -1}, {"exp", MATH_T_FUNCTION, -2},
    {"sin", MATH_T_FUNCTION, MATH_F_SIN}, {"cos", MATH_T_FUNCTION, MATH_F_COS},
    {"tan", MATH_T_FUNCTION, MATH_F_TAN}, {"csc", MATH_T_FUNCTION, MATH_F_CSC},
    {"sec", MATH_T_FUNCTION, MATH_F_SEC}, {"cot", MATH_T_FUNCTION, MATH_F_COT},
    {"arcsin", MATH_T_FUNCTION, MATH_F_ASIN}, {"arccos", MATH_T_FUNCTION, MATH_F_ACOS},
    {"arctan", MATH_T_FUNCTION, MATH_F_ATAN}, {"arccsc", MATH_T_FUNCTION, MATH_F_ACSC},
    {"arcsec", MATH_T_FUNCTION, MATH_F_ASEC}, {"arccot", MATH_T_FUNCTION, MATH_F_ACOT},
    {"sinh", MATH_T_FUNCTION, MATH_F_SINH}, {"cosh", MATH_T_FUNCTION, MATH_F_COSH},
    {"tanh", MATH_T_FUNCTION, MATH_F_TANH}, {"arsinh", MATH_T_FUNCTION, MATH_F_ASINH},
    {"arcosh", MATH_T_FUNCTION, MATH_F_ACOSH}, {"artanh", MATH_T_FUNCTION, MATH_F_ATANH},
    {"arcsinh", MATH_T_FUNCTION, MATH_F_ASINH}, {"arccosh", MATH_T_FUNCTION, MATH_F_ACOSH},
    {"arctanh", MATH_T_FUNCTION, MATH_F_ATANH}, {"floor", MATH_T_FUNCTION, MATH_F_FLOOR},
    {"ceil", MATH_T_FUNCTION, MATH_F_CEIL}, {"det", MATH_T_FUNCTION, -3},
    {"gamma", MATH_T_GAMMA, 0}, {"Gamma", MATH_T_GAMMA, 0}, {"sqrt", MATH_T_SQRT, 0},
    {"gcd", MATH_T_FUNCTIONS, MATH_F_GCD}, {"lcm", MATH_T_FUNCTIONS, MATH_F_LCM},
    {"max", MATH_T_FUNCTIONS, MATH_F_MAX}, {"min", MATH_T_FUNCTIONS, MATH_F_MIN},
    {"frac", MATH_T_FRACTION, 0}, {"dfrac", MATH_T_FRACTION, 0}, {"tfrac", MATH_T_FRACTION, 0},
    {"cfrac", MATH_T_FRACTION, 0}, {"binom", MATH_T_BINOMIAL, 0}, {"tbinom", MATH_T_BINOMIAL, 0},
    {"dbinom", MATH_T_BINOMIAL, 0}, {"choose", MATH_T_CHOOSE, 0},
    {"operatorname", MATH_T_OPERATOR, 0},
    {"begin{matrix}", MATH_T_MATRIX, 0}, {"begin{pmatrix}", MATH_T_MATRIX, 0},
    {"begin{bmatrix}", MATH_T_MATRIX, 0}, {"end{matrix}", MATH_T_UNMATRIX, 0},
    {"end{pmatrix}", MATH_T_UNMATRIX, 0}, {"end{bmatrix}", MATH_T_UNMATRIX, 0},
    {"end{array}", MATH_T_UNARRAY, 0}, {"begin{vmatrix}", MATH_T_DETERMINANT, 0},
    {"end{vmatrix}", MATH_T_UNDETERMINANT, 0}, {"\\", MATH_T_ROW, 0},
    {"exponentialE", MATH_T_EXP, 0}, {"in", MATH_T_IN, 0}, {"notin", MATH_T_NOT_IN, 0},
    {"equiv", MATH_T_SAME, 0}, {"approx", MATH_T_ABOUT, 0}, {"lt", MATH_T_RELATION, MATH_LT},
    {"leq", MATH_T_RELATION, MATH_LE}, {"le", MATH_T_RELATION, MATH_LE},
    {"leqslant", MATH_T_RELATION, MATH_LE}, {"gt", MATH_T_RELATION, MATH_GT},
    {"geq", MATH_T_RELATION, MATH_GE}, {"ge", MATH_T_RELATION, MATH_GE},
    {"geqslant", MATH_T_RELATION, MATH_GE}, {"ne", MATH_T_RELATION, MATH_NE},
    {"neq", MATH_T_RELATION, MATH_NE}, {"not\\equiv", MATH_T_RELATION, MATH_NE},
    {"infty%", MATH_T_INFINITY, 0}, {"infty\\%", MATH_T_INFINITY, 0}, {"infty", MATH_T_INFINITY, 0},
    {"$\\infty", MATH_T_INFINITY, 0}, {"partial", MATH_T_PARTIAL, 0},
    {"mathbb{N}", MATH_T_REALM, 'N'}, {"mathbb{Z}", MATH_T_REALM, 'Z'},
    {"mathbb{Q}", MATH_T_REALM, 'Q'}, {"mathbb{R}", MATH_T_REALM, 'R'},
    {"mathbb{C}", MATH_T_REALM, 'C'}, {"emptyset", MATH_T_REALM, '0'},
    {"{\\}", MATH_T_REALM, '0'}, {"lbrace\\rbrace", MATH_T_REALM, '0'},
    {"cup", MATH_T_UNION, 0}, {"cap", MATH_T_INTERSECTION, 0}, {"setminus", MATH_T_SET_MINUS, 0},
    {"pm", MATH_T_PLUS_MINUS, 0}, {"mp", MATH_T_PLUS_MINUS, 0},
    {"supseteq", MATH_T_SUPERSET, 0}, {"subseteq", MATH_T_SUBSET, 0},
    {"xrightarrow", MATH_T_OTHER, 0}, {"xRightarrow", MATH_T_OTHER, 0},
    {"leftrightarrow", MATH_T_OTHER, 0}, {"Leftrightarrow", MATH_T_OTHER, 0},
    {"alpha", MATH_T_LETTER, 1}, {"beta", MATH_T_LETTER, 1}, {"delta", MATH_T_LETTER, 1},
    {"Delta", MATH_T_LETTER, 1}, {"epsilon", MATH_T_LETTER, 1}, {"varepsilon", MATH_T_LETTER, 1},
    {"zeta", MATH_T_LETTER, 1}, {"eta", MATH_T_LETTER, 1}, {"theta", MATH_T_LETTER, 1},
    {"Theta", MATH_T_LETTER, 1}, {"vartheta", MATH_T_LETTER, 1}, {"iota", MATH_T_LETTER, 1},
    {"kappa", MATH_T_LETTER, 1}, {"lambda", MATH_T_LETTER, 1}, {"Lambda", MATH_T_LETTER, 1},
    {"mu", MATH_T_LETTER, 1}, {"nu", MATH_T_LETTER, 1}, {"xi", MATH_T_LETTER, 1},
    {"Xi", MATH_T_LETTER, 1}, {"omicron", MATH_T_LETTER, 1}, {"pi", MATH_T_LETTER, 1},
    {"Pi", MATH_T_LETTER, 1}, {"varpi", MATH_T_LETTER, 1}, {"rho", MATH_T_LETTER, 1},
    {"varrho", MATH_T_LETTER, 1}, {"sigma", MATH_T_LETTER, 1}, {"Sigma", MATH_T_LETTER, 1},
    {"varsigma", MATH_T_LETTER, 1}, {"tau", MATH_T_LETTER, 1}, {"upsilon", MATH_T_LETTER, 1},
    {"Upsilon", MATH_T_LETTER, 1}, {"phi", MATH_T_LETTER, 1}, {"Phi", MATH_T_LETTER, 1},
    {"varphi", MATH_T_LETTER, 1}, {"chi", MATH_T_LETTER, 1}, {"psi", MATH_T_LETTER, 1},
    {"Psi", MATH_T_LETTER, 1}, {"omega", MATH_T_LETTER, 1}, {"Omega", MATH_T_LETTER, 1},
    {"Bbbk", MATH_T_LETTER, 1}, {"wp", MATH_T_LETTER, 1}, {"nabla", MATH_T_LETTER, 1},
    {"bigstar", MATH_T_LETTER, 1}, {"angle", MATH_T_LETTER, 1}, {"nexists", MATH_T_LETTER, 1},
    {"measuredangle", MATH_T_LETTER, 1}, {"clubsuit", MATH_T_LETTER, 1},
    {"varnothing", MATH_T_LETTER, 1}, {"Diamond", MATH_T_LETTER, 1},
    {"complement", MATH_T_LETTER, 1}, {"diamondsuit", MATH_T_LETTER, 1},
    {"imath", MATH_T_LETTER, 1}, {"heartsuit", MATH_T_LETTER, 1}, {"jmath", MATH_T_LETTER, 1},
    {"triangle", MATH_T_LETTER, 1}, {"spadesuit", MATH_T_LETTER, 1}, {"ell", MATH_T_LETTER, 1},
    {"hbar", MATH_T_LETTER, 1}, {"square", MATH_T_LETTER, 1}, {"sharp", MATH_T_LETTER, 1},
    {"flat", MATH_T_LETTER, 1}, {"natural", MATH_T_LETTER, 1}, {"prime", MATH_T_LETTER, 1},
    {"Im", MATH_T_LETTER, 1}, {"Re", MATH_T_LETTER, 1}, {"blacksquare", MATH_T_LETTER, 1},
};
/* Commands with a braced text that is a name: \vec{v}, \text{dogs}. op: 0 the name is the
 * text alone; 1 bar, 2 vec, 3 tilde, 4 math, 5 the command's own name goes before it. */
static const struct word accents[] = {
    {"acute", 0, 5}, {"bar", 0, 1}, {"overline", 0, 1}, {"breve", 0, 5}, {"check", 0, 5},
    {"widecheck", 0, 5}, {"dot", 0, 5}, {"ddot", 0, 5}, {"grave", 0, 5}, {"hat", 0, 5},
    {"tilde", 0, 3}, {"widetilde", 0, 3}, {"vec", 0, 2}, {"overrightarrow", 0, 2},
    {"bm", 0, 5}, {"boldsymbol", 0, 5}, {"text", 0, 0}, {"textit", 0, 0}, {"textbf", 0, 0},
    {"textnormal", 0, 0}, {"mathbb", 0, 4}, {"mathbin", 0, 4}, {"mathbf", 0, 4},
    {"mathcal", 0, 4}, {"mathfrak", 0, 4}, {"mathit", 0, 4}, {"mathnormal", 0, 4},
    {"mathop", 0, 4}, {"mathopen", 0, 4}, {"mathord", 0, 4}, {"mathrel", 0, 4},
    {"mathring", 0, 4}, {"mathrm", 0, 4}, {"mathscr", 0, 4}, {"mathsf", 0, 4},
    {"mathtt", 0, 4}, {"mathclose", 0, 4}, {"mathinner", 0, 4}, {"mathpunct", 0, 4},
    {"mbox", 0, 0},
};
static const struct word words[] = { /* without a backslash */
    {"arsinh", MATH_T_WORD, MATH_F_ASINH}, {"arcsinh", MATH_T_WORD, MATH_F_ASINH},
    {"arcosh", MATH_T_WORD, MATH_F_ACOSH}, {"arccosh", MATH_T_WORD, MATH_F_ACOSH},
    {"artanh", MATH_T_WORD, MATH_F_ATANH}, {"arctanh", MATH_T_WORD, MATH_F_ATANH},
    {"gcd", MATH_T_WORD, MATH_F_GCD}, {"lcm", MATH_T_WORD, MATH_F_LCM},
    {"floor", MATH_T_WORD, MATH_F_FLOOR}, {"ceil", MATH_T_WORD, MATH_F_CEIL},
    {"eye", MATH_T_WORD, -1}, {"zeros", MATH_T_WORD, -1}, {"ones", MATH_T_WORD, -1},
    {"cols", MATH_T_WORD, -1}, {"rows", MATH_T_WORD, -1}, {"diag", MATH_T_WORD, -1},
    {"norm", MATH_T_WORD, -1}, {"rank", MATH_T_WORD, -1}, {"trace", MATH_T_WORD, -1},
    {"tr", MATH_T_WORD, -1}, {"rref", MATH_T_WORD, -1}, {"hstack", MATH_T_WORD, -1},
    {"vstack", MATH_T_WORD, -1}, {"orth", MATH_T_WORD, -1}, {"ortho", MATH_T_WORD, -1},
    {"orthogonal", MATH_T_WORD, -1}, {"orthogonalize", MATH_T_WORD, -1},
    {"nullspace", MATH_T_WORD, -1}, {"eig", MATH_T_WORD, -1}, {"eigen", MATH_T_WORD, -1},
    {"diagonalize", MATH_T_WORD, -1}, {"eigenvals", MATH_T_WORD, -1},
    {"eigenvalues", MATH_T_WORD, -1}, {"eigenvects", MATH_T_WORD, -1},
    {"eigenvectors", MATH_T_WORD, -1}, {"svd", MATH_T_WORD, -1}, {"SVD", MATH_T_WORD, -1},
    {"matrix", MATH_T_OTHER, 0}, {"pmatrix", MATH_T_OTHER, 0}, {"bmatrix", MATH_T_OTHER, 0},
    {"vmatrix", MATH_T_OTHER, 0},
};
static const struct word signs[] = { /* neither letters, digits nor a backslash */
    {"+", MATH_T_PLUS, 0}, {"∔", MATH_T_PLUS, 0}, {"⊕", MATH_T_PLUS, 0}, {"⊞", MATH_T_PLUS, 0},
    {"-", MATH_T_MINUS, 0}, {"−", MATH_T_MINUS, 0}, {"∸", MATH_T_MINUS, 0},
    {"*", MATH_T_TIMES, 0}, {"×", MATH_T_TIMES, 0}, {"⋅", MATH_T_TIMES, 0}, {"⋄", MATH_T_TIMES, 0},
    {"⊡", MATH_T_TIMES, 0}, {"∗", MATH_T_TIMES, 0}, {"⋆", MATH_T_TIMES, 0}, {"∘", MATH_T_TIMES, 0},
    {"∙", MATH_T_TIMES, 0}, {"⊗", MATH_T_TIMES, 0}, {"⊠", MATH_T_TIMES, 0}, {"/", MATH_T_DIVIDE, 0},
    {"÷", MATH_T_DIVIDE, 0}, {"∕", MATH_T_DIVIDE, 0}, {":", MATH_T_DIVIDE, 0},
    {"(", MATH_T_OPEN, 0}, {")", MATH_T_CLOSE, 0}, {"{", MATH_T_BRACE, 0}, {"}", MATH_T_UNBRACE, 0},
    {"[", MATH_T_SQUARE, 0}, {"]", MATH_T_UNSQUARE, 0}, {"|", MATH_T_BAR, 0},
    {"&", MATH_T_COLUMN, 0}, {"_", MATH_T_LOW, 0}, {"^", MATH_T_HIGH, 0},
    {";", MATH_T_SEMICOLON, 0}, {",", MATH_T_COMMA, 0}, {".", MATH_T_OTHER, 0},
    {"^T", MATH_T_TRANSPOSE, 0}, {"^{T}", MATH_T_TRANSPOSE, 0}, {"'", MATH_T_TRANSPOSE, 0},
    {"^\\circ", MATH_T_DEGREE, 0}, {"^\\degree", MATH_T_DEGREE, 0}, {"^\\circle", MATH_T_DEGREE, 0},
    {"^°", MATH_T_DEGREE, 0}, {"^{\\circ}", MATH_T_DEGREE, 0}, {"^{\\degree}", MATH_T_DEGREE, 0},
    {"^{\\circle}", MATH_T_DEGREE, 0}, {"^{°}", MATH_T_DEGREE, 0},
    {"=", MATH_T_EQUAL, 0}, {"≡", MATH_T_EQUAL, 0}, {"≟", MATH_T_EQUAL, 0}, {"≐", MATH_T_EQUAL, 0},
    {"≔", MATH_T_EQUAL, 0}, {"==", MATH_T_SAME, 0}, {"~=", MATH_T_ABOUT, 0}, {"≈", MATH_T_ABOUT, 0},
    {"≃", MATH_T_ABOUT, 0}, {"≅", MATH_T_ABOUT, 0}, {"<", MATH_T_RELATION, MATH_LT},
    {"≪", MATH_T_RELATION, MATH_LT}, {"≤", MATH_T_RELATION, MATH_LE}, {"≦", MATH_T_RELATION, MATH_LE},
    {"<=", MATH_T_RELATION, MATH_LE}, {">", MATH_T_RELATION, MATH_GT}, {"≫", MATH_T_RELATION, MATH_GT},
    {"≥", MATH_T_RELATION, MATH_GE}, {"≧", MATH_T_RELATION, MATH_GE}, {">=", MATH_T_RELATION, MATH_GE},
    {"!=", MATH_T_RELATION, MATH_NE}, {"!==", MATH_T_RELATION, MATH_NE},
    {"≠", MATH_T_RELATION, MATH_NE}, {"!", MATH_T_FACTORIAL, 0}, {"<->", MATH_T_OTHER, 0},
    {"<=>", MATH_T_OTHER, 0}, {"ℕ", MATH_T_REALM, 'N'}, {"ℤ", MATH_T_REALM, 'Z'},
    {"ℚ", MATH_T_REALM, 'Q'}, {"ℝ", MATH_T_REALM, 'R'}, {"ℂ", MATH_T_REALM, 'C'},
    {"∅", MATH_T_REALM, '0'}, {"∪", MATH_T_UNION, 0}, {"∩", MATH_T_INTERSECTION, 0},
    {"∖", MATH_T_SET_MINUS, 0}, {"±", MATH_T_PLUS_MINUS, 0}, {"∓", MATH_T_PLUS_MINUS, 0},
    {"⊇", MATH_T_SUPERSET, 0}, {"⊆", MATH_T_SUBSET, 0}, {"∉", MATH_T_NOT_IN, 0},
};
/* Greek as one character, and the command it stands for. */
static const char *const greek[][2] = {
    {"α", "alpha"}, {"β", "beta"}, {"γ", "gamma"}, {"Γ", "Gamma"}, {"δ", "delta"},
    {"Δ", "Delta"}, {"ε", "epsilon"}, {"ϵ", "varepsilon"}, {"ζ", "zeta"}, {"η", "eta"},
    {"θ", "theta"}, {"Θ", "Theta"}, {"ϑ", "vartheta"}, {"ι", "iota"}, {"κ", "kappa"},
    {"λ", "lambda"}, {"Λ", "Lambda"}, {"μ", "mu"}, {"ν", "nu"}, {"ξ", "xi"}, {"Ξ", "Xi"},
    {"π", "pi"}, {"Π", "Pi"}, {"ρ", "rho"}, {"ς", "varsigma"}, {"σ", "sigma"},
    {"Σ", "Sigma"}, {"τ", "tau"}, {"υ", "upsilon"}, {"φ", "phi"}, {"Φ", "Phi"},
    {"ϕ", "varphi"}, {"χ", "chi"}, {"ψ", "psi"}, {"Ψ", "Psi"}, {"ω", "omega"},
    {"Ω", "Omega"}, {"ο", "omicron"}, {"ϱ", "varrho"}, {"ϖ", "varpi"},
};
/* clang-format on */

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static bool starts(struct span s, const char *text, size_t *n)
{
    *n = strlen(text);
    return *n <= s.n && s.s[0] == text[0] && memcmp(s.s, text, *n) == 0;
}

/* The longest of words that s starts with, at least as long as *size. */
static bool longest(const struct word *list, size_t count, struct span s,
                    struct math_token *t, size_t skip, size_t *size)
{
    bool found = false;
    size_t n;
    for (size_t i = 0; i < count; i++)
        if (starts(s, list[i].text, &n) && n + skip > *size) {
            *t = (struct math_token){list[i].kind, list[i].op, {s.s, n}};
            *size = n + skip;
            found = true;
        }
    return found;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A text's name: spaces out (and parentheses, for the plain text commands). */
static bool accent_name(struct math_work *w, const struct word *accent, struct span inner,
                        struct math_token *t)
{
    static const char *const before[] = {"", "bar", "vec", "tilde", "math"};
    const char *prefix = accent->op < 5 ? before[accent->op] : accent->text;
    char *name = math_alloc(w, inner.n + strlen(prefix) + 3);
    size_t n = 0;
    if (!name)
        return false;
    if (*prefix)
        n = (size_t)(stpcpy(stpcpy(name, prefix), "{") - name);
    for (size_t i = 0; i < inner.n; i++)
        if (inner.s[i] != ' ' && (*prefix || (inner.s[i] != '(' && inner.s[i] != ')')))
            name[n++] = inner.s[i];
    if (*prefix)
        name[n++] = '}';
    *t = (struct math_token){MATH_T_LETTER, 2, {name, n}};
    return true;
}

static bool lex_accent(struct math_work *w, struct span s, struct math_token *t,
                       size_t *size)
{
    struct math_token command;
    size_t n = 0, from;
    struct span rest = {s.s + 1, s.n - 1};
    if (!longest(accents, LENGTH(accents), rest, &command, 0, &n))
        return false;
    const struct word *accent = accents;
    while (strlen(accent->text) != n || memcmp(accent->text, rest.s, n) != 0) accent++;
    n++;
    if (n < s.n && is_space(s.s[n]))
        n++;
    if (n >= s.n || s.s[n] != '{')
        return false;
    from = ++n;
    while (n < s.n && s.s[n] != '}') n++;
    if (n >= s.n || n + 1 <= *size)
        return false;
    *size = n + 1;
    return accent_name(w, accent, (struct span){s.s + from, n - from}, t);
}

/* \begin{array}{ccc} */
static bool lex_array(struct span s, struct math_token *t, size_t *size)
{
    size_t n;
    if (!starts(s, "\\begin{array}{", &n))
        return false;
    while (n < s.n && (s.s[n] == 'c' || s.s[n] == 'l' || s.s[n] == 'r')) n++;
    if (n >= s.n || s.s[n] != '}')
        return false;
    *size = n + 1;
    *t = (struct math_token){MATH_T_ARRAY, 0, {s.s, *size}};
    return true;
}

static void lex_number(struct span s, struct math_token *t, size_t *size)
{
    size_t n = 0, end, spaces;
    while (n < s.n && is_digit(s.s[n])) n++;
    if (n + 1 < s.n && s.s[n] == '.' && is_digit(s.s[n + 1]))
        for (n++; n < s.n && is_digit(s.s[n]);) n++;
    if (n == 0)
        return;
    *t = (struct math_token){MATH_T_NUMBER, 0, {s.s, n}};
    *size = n;
    if (n < s.n && s.s[n] == 'E') {
        end = n + 1;
        end += end < s.n && (s.s[end] == '-' || s.s[end] == '+');
        if (end < s.n && is_digit(s.s[end])) {
            while (end < s.n && is_digit(s.s[end])) end++;
            *t = (struct math_token){MATH_T_SCIENTIFIC, 0, {s.s, end}};
            *size = end;
            return;
        }
    }
    spaces = n < s.n && is_space(s.s[n]);
    for (size_t slash = 0; slash < 2; slash++)
        if (n + spaces + slash < s.n && s.s[n + spaces + slash] == '%' &&
            (!slash || s.s[n + spaces] == '\\')) {
            t->kind = MATH_T_PERCENT; /* text is the number alone */
            *size = n + spaces + slash + 1;
        }
}

static void lex_letter(struct span s, struct math_token *t, size_t *size)
{
    char c = s.s[0];
    *t = (struct math_token){MATH_T_LETTER, 0, {s.s, 1}};
    *size = 1;
    if (c == 'e')
        t->kind = MATH_T_EXP;
    if (c == 'E')
        t->kind = MATH_T_BIG_E;
    if (c == 'd') { /* dx, d \theta */
        size_t n = 1, from;
        while (n < s.n && is_space(s.s[n])) n++;
        from = n;
        if (n < s.n && is_letter(s.s[n])) {
            n++;
        } else if (n + 1 < s.n && s.s[n] == '\\' && is_letter(s.s[n + 1])) {
            from = ++n;
            while (n < s.n && is_letter(s.s[n])) n++;
        }
        if (n > from) {
            *t = (struct math_token){MATH_T_DIFFERENTIAL, 0, {s.s + from, n - from}};
            *size = n;
        }
    }
    longest(words, LENGTH(words), s, t, 0, size);
}

static bool lex_one(struct math_work *w, struct span s, struct math_token *t,
                    size_t *size)
{
    char c = s.s[0];
    *size = 0;
    if (is_space(c)) {
        t->kind = MATH_T_SKIP;
        *size = 1;
    } else if (c == '\\' && s.n > 1) {
        longest(commands, LENGTH(commands), (struct span){s.s + 1, s.n - 1}, t, 1, size);
        lex_accent(w, s, t, size);
        lex_array(s, t, size);
    } else if (is_letter(c)) {
        lex_letter(s, t, size);
    } else if (is_digit(c) || c == '.') {
        lex_number(s, t, size);
        if (*size == 0)
            longest(signs, LENGTH(signs), s, t, 0, size);
    } else {
        longest(signs, LENGTH(signs), s, t, 0, size);
        for (size_t i = 0, n; *size == 0 && i < LENGTH(greek); i++)
            if (starts(s, greek[i][0], &n)) {
                *t = (struct math_token){MATH_T_LETTER, 1, span_of(greek[i][1])};
                *size = n;
            }
    }
    return *size > 0;
}

struct math_token *math_lex(struct math_work *w, struct span text, int *count)
{
    enum { TOKENS_MAX = 20000 };
    struct math_token *tokens = NULL, t;
    int room = 0, n = 0;
    size_t size;
    for (size_t at = 0; at <= text.n; at += size) {
        if (n == room) {
            struct math_token *more =
                math_alloc(w, (size_t)(room = room * 2 + 32) * sizeof *more);
            if (!more)
                return NULL;
            if (n)
                memcpy(more, tokens, (size_t)n * sizeof *more);
            tokens = more;
        }
        if (at == text.n) {
            tokens[n] = (struct math_token){MATH_T_END, 0, {text.s + text.n, 0}};
            *count = n;
            return tokens;
        }
        if (n == TOKENS_MAX || !math_burn(w, 8) ||
            !lex_one(w, (struct span){text.s + at, text.n - at}, &t, &size))
            return NULL;
        if (t.kind != MATH_T_SKIP)
            tokens[n++] = t;
    }
    return NULL;
}
