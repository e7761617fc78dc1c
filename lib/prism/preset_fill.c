/* preset_fill.c: a preset's prompt for one question. */
#include "base/fail.h"
#include "prism/preset.h"

static const struct wording *prompt_of(const struct preset *p, enum answer_kind kind)
{
    return kind == ANSWER_CHOICE ? &p->choice : &p->open;
}

bool preset_asks(const struct preset *p, enum answer_kind kind)
{
    return prompt_of(p, kind)->text.len > 0;
}

int preset_fill(const struct preset *p, const struct preset_question *q, struct buf *out)
{
    const struct wording *w = prompt_of(p, q->kind);
    struct wording_values v = {
        .caption = q->caption, .question = q->question, .options = q->options, .n = 1};
    struct buf joined = {0};
    if (!preset_asks(p, q->kind))
        return fail(FAIL_REFUSED, "preset %s has no prompt for questions of kind %s",
                    p->name, answer_kind_name(q->kind));
    if (q->options.n > 0 && !wording_has(w, "options")) {
        buf_add(&joined, q->question.s, q->question.n);
        buf_char(&joined, '\n');
        buf_add(&joined, q->options.s, q->options.n);
        v.question = (struct span){joined.data, joined.len};
    }
    int status = buf_ok(&joined) < 0 ? -1 : wording_fill(w, &v, out);
    buf_free(&joined);
    return status;
}
