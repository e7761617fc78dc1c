/* math_unit.c: the unit behind an answer: "\text{ cm}^2", "5 m", "3 apples". */
#include "answer/math_clean.h"

/* The words that math-verify takes for units, where nothing else follows. */
static const char units[] =
    "integerpoint|feet|sue|digit|pound|meal|edge|student|children ticket|multiple|east|"
    "degree|mph|kmph|ft|m square| m east|sq m|deg|mile|monkey|prime|ratio|profit of "
    "rs|rd|"
    "o|gm|lb|tile|per|dm|lt|gain|ab|way|west|t|h|no change|men|soldier|pie|bc|excess|st|"
    "inches|noon|cent|by|gal|kmh|c|acre|rise|th|π r 2|sq|mark|l|toy|coin|gallon|° "
    "f|profit|"
    "minw|yr|women|am|pm|hr|cu cm|square|are|rupee|rounds|cubic|cc|mtr|s|ohm|number|day|"
    "hour|minute|min|second|man|woman|sec|cube|mt|sq inch|mp|∏ cm ³|hectare|more|unit|cm "
    "2|"
    "kg|g|month|km|m|cm|mm|apple|liter|loss|yard|pure|year|increase|decrease|d|less|"
    "Surface|"
    "litre|pi sq m|metre|meter|inch|rs|"
    /* in these a point stands for any character, as in the reference's expressions */
    "q .|p . m|a .|b .|c .|d .|e .|f .|g .|h .|a . m|sq . m|cu . m|rs .|s .";

static bool is_unit(const char *text, size_t n)
{
    for (const char *at = units, *end; *at; at = end + (*end == '|')) {
        end = strchrnul(at, '|');
        size_t size = (size_t)(end - at), i = 0;
        if (size == n) {
            while (i < n && (at[i] == text[i] || at[i] == '.')) i++;
            if (i == n)
                return true;
        }
    }
    return false;
}

static struct span drop_text_unit(struct span s)
{
    size_t n = s.n, at, skip;
    if (n >= 2 && s.s[n - 2] == '^' && s.s[n - 1] >= '0' && s.s[n - 1] <= '9')
        n -= 2;
    else if (n >= 4 && s.s[n - 1] == '}' && s.s[n - 4] == '{' && s.s[n - 3] == '^' &&
             s.s[n - 2] >= '0' && s.s[n - 2] <= '9' && n >= 5 && s.s[n - 5] == '}')
        n -= 4;
    if (n == 0 || s.s[n - 1] != '}')
        return s;
    for (at = 0; at < n; at++)
        if (math_at(s, at, "\\text{", &skip) || math_at(s, at, "\\mbox{", &skip)) {
            struct span rest = math_trim((struct span){s.s, at});
            return rest.n ? rest : s;
        }
    return s;
}

static struct span drop_word_unit(struct span s)
{
    enum { LONGEST = 24 };
    size_t end = s.n, from;
    while (end && math_space(s.s[end - 1])) end--;
    from =
        math_spaces(s, 0); /* a unit alone is no unit: "km" is the product of k and m */
    if (end > LONGEST + from)
        from = end - LONGEST;
    for (size_t i = from; i + 1 < end; i++) {
        char c = s.s[i];
        if (!(c >= '0' && c <= '9') && c != '}' && !math_space(c))
            continue;
        size_t at = math_spaces(s, i + 1);
        if (at >= end)
            break;
        for (size_t blank = i + 1; blank <= at; blank++) { /* " m east" has a space */
            const char *text = s.s + blank;
            size_t n = end - blank;
            if (is_unit(text, n) ||
                (n > 1 && text[n - 1] == 's' && is_unit(text, n - 1)) ||
                (n > 2 && memcmp(text + n - 2, "es", 2) == 0 && is_unit(text, n - 2)))
                return (struct span){s.s, i + 1};
        }
    }
    return s;
}

struct span math_drop_unit(struct span s)
{
    s = drop_text_unit(s);
    return drop_word_unit(drop_word_unit(s));
}
