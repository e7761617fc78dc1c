/* math_lex.h: the tokens of LaTeX. */
#ifndef MATH_LEX_H
#define MATH_LEX_H
enum math_token_kind {
    MATH_T_END,
    MATH_T_SKIP, /* spaces of all widths: never handed out */
    MATH_T_PLUS,
    MATH_T_MINUS,
    MATH_T_TIMES,
    MATH_T_DIVIDE, /* also a ratio's colon */
    MATH_T_MOD,
    MATH_T_OPEN,   /* ( */
    MATH_T_CLOSE,  /* ) */
    MATH_T_SQUARE, /* [ */
    MATH_T_UNSQUARE,
    MATH_T_BRACE, /* { */
    MATH_T_UNBRACE,
    MATH_T_CURLY, /* \{ */
    MATH_T_UNCURLY,
    MATH_T_BOXED,
    MATH_T_PHANTOM,
    MATH_T_BAR,
    MATH_T_NORM,
    MATH_T_FLOOR,
    MATH_T_UNFLOOR,
    MATH_T_CEIL,
    MATH_T_UNCEIL,
    MATH_T_LIMIT,
    MATH_T_TOWARDS,
    MATH_T_INTEGRAL,
    MATH_T_ADD_UP,    /* \sum */
    MATH_T_MULTIPLY,  /* \prod */
    MATH_T_FUNCTION,  /* op: one argument, parentheses or not */
    MATH_T_FUNCTIONS, /* op: gcd, lcm, max, min */
    MATH_T_GAMMA,
    MATH_T_SQRT,
    MATH_T_FRACTION,
    MATH_T_BINOMIAL,
    MATH_T_CHOOSE,
    MATH_T_OPERATOR, /* \operatorname */
    MATH_T_WORD,     /* a name that \operatorname{} knows: gcd, trace */
    MATH_T_MATRIX,
    MATH_T_UNMATRIX,
    MATH_T_ARRAY,
    MATH_T_UNARRAY,
    MATH_T_DETERMINANT,
    MATH_T_UNDETERMINANT,
    MATH_T_COLUMN,
    MATH_T_ROW,
    MATH_T_LOW,  /* _ */
    MATH_T_HIGH, /* ^ */
    MATH_T_COMMA,
    MATH_T_SEMICOLON,
    MATH_T_DIFFERENTIAL,
    MATH_T_EXP, /* e */
    MATH_T_BIG_E,
    MATH_T_LETTER, /* also Greek ones, signs and \text{}: text is the name */
    MATH_T_NUMBER,
    MATH_T_SCIENTIFIC, /* 1E5 */
    MATH_T_PERCENT,    /* 5% */
    MATH_T_IN,
    MATH_T_NOT_IN,
    MATH_T_EQUAL,    /* = */
    MATH_T_SAME,     /* == */
    MATH_T_ABOUT,    /* ~= */
    MATH_T_RELATION, /* op: enum math_relation */
    MATH_T_FACTORIAL,
    MATH_T_INFINITY,
    MATH_T_PARTIAL,
    MATH_T_REALM, /* op: 'N' ... */
    MATH_T_UNION,
    MATH_T_INTERSECTION,
    MATH_T_SET_MINUS,
    MATH_T_PLUS_MINUS,
    MATH_T_SUPERSET,
    MATH_T_SUBSET,
    MATH_T_TRANSPOSE,
    MATH_T_DEGREE,
    MATH_T_OTHER, /* known to the lexer, of no use to the parser */
};
#endif
