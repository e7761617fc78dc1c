/* table.c: see table.h.
 *
 *     cat
 *       1.200  A cat on a mat.
 *              answers 0.998  What is on the mat? a cat
 *              misses  0.012  What color is the mat? red
 */
#include "reward/table.h"
#include "base/fail.h"

/* Text on one line, its control characters as spaces (U+0080 to U+009F, too): a terminal
 * is not theirs to steer. */
static void put_line(struct buf *b, struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.s[i];
        bool second = c == 0xC2 && i + 1 < text.n && (unsigned char)text.s[i + 1] < 0xA0;
        buf_char(b, c < 0x20 || c == 0x7F || second ? ' ' : (char)c);
        i += second;
    }
}

static void put_id(struct buf *b, const struct row *row)
{
    struct buf text = {0};
    struct span id = row->id;
    if (row->has_id && json_type(id) == JSON_STRING && json_text(id, &text) == 0)
        id = (struct span){text.data, text.len};
    put_line(b, id);
    b->bad = b->bad || text.bad;
    buf_free(&text);
}

/* A caption's questions, those with a right answer more often than not (or none) first.
 */
static void put_questions(struct buf *b, const struct questions *q,
                          const struct ask_result *judged, bool answered)
{
    for (int i = 0; i < q->count; i++) {
        const struct question *item = &q->items[i];
        double sum = 0;
        int n = 0;
        for (int k = 0; k < judged->count; k++) {
            if (judged->answers[k].question != i)
                continue;
            sum += judged->answers[k].p;
            n++;
        }
        if (n == 0 || (sum / n > 0.5) != answered)
            continue;
        buf_print(b, "\n         %-8s%.3f  ", answered ? "answers" : "misses", sum / n);
        put_line(b, item->text);
        buf_char(b, ' ');
        put_line(b, item->options[item->answer]);
    }
}

static void put_caption(struct buf *b, const struct reward_scores *s, int i)
{
    const struct reward_caption *c = &s->captions.items[i];
    const struct reward *r = &s->items[i];
    buf_text(b, "\n  ");
    if (r->state == REWARD_JUDGED)
        buf_print(b, "%.3f  ", r->total);
    else
        buf_text(b, "error  ");
    if (r->state == REWARD_JUDGED)
        put_line(b, c->text.n ? c->text : span_of("(empty)"));
    else
        put_line(b, span_of(r->state == REWARD_FAILED ? r->why.text : "came with one"));
    if (r->state != REWARD_JUDGED)
        return;
    for (int k = 0; k < REWARD_FLAGS; k++)
        if (r->flags & 1u << k)
            buf_print(b, "\n         flag    %s",
                      reward_flag_name((enum reward_flag)(1u << k)));
    put_questions(b, &s->questions, &s->items[c->first].judged, true);
    put_questions(b, &s->questions, &s->items[c->first].judged, false);
}

int reward_table_set(const struct reward_scores *s, struct row *row)
{
    struct buf b = {0};
    put_id(&b, row);
    for (int i = 0; i < s->captions.count; i++) put_caption(&b, s, i);
    int status = buf_ok(&b) < 0 ? -1 : row_replace(row, (struct span){b.data, b.len});
    buf_free(&b);
    return status;
}
