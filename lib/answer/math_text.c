/* math_text.c: what is found in a text, as text. */
#include "answer/math_own.h"
#include "base/buf.h"
#include "base/fail.h"

int math_text(struct span text, const struct math_rules *rules, struct fuel *fuel,
              struct buf *out)
{
    struct math_work w = {.fuel = fuel};
    struct math_found found = math_extract(&w, text, rules);
    int status = w.spent ? 1 : 0;
    if (status == 0)
        buf_add(out, found.text.s, found.text.n);
    math_work_free(&w);
    return buf_ok(out) < 0 ? -1 : status;
}
