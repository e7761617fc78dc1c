/* write.c: rewards as fields of a row. See score.h; names and order: capmill(7). */
#include "base/fail.h"
#include "reward/score.h"
#include "row/json_edit.h"

static void put_real(struct buf *b, const char *key, double x)
{
    buf_print(b, "\"%s\":", key);
    json_put_real(b, x);
}

/* The option picked, by its letter; the one behind the last is the cannot-answer option.
 */
static void put_letter(struct buf *b, int chosen)
{
    if (chosen < 0)
        buf_text(b, "null");
    else
        buf_print(b, "\"%c\"", 'A' + chosen);
}

static void put_answers(struct buf *b, const struct ask_result *judged,
                        enum ask_score score)
{
    buf_text(b, ",\"answers\":[");
    for (int i = 0; i < judged->count; i++) {
        const struct ask_answer *a = &judged->answers[i];
        buf_print(b, "%s{\"q\":%d,\"order\":%d,", i ? "," : "", a->question, a->order);
        if (score == ASK_EXPECTED) {
            put_real(b, "p", a->p);
        } else {
            buf_text(b, "\"letter\":");
            put_letter(b, a->chosen);
        }
        buf_print(b, ",\"right\":%s}", a->right ? "true" : "false");
    }
    buf_char(b, ']');
}

static void put_flags(struct buf *b, unsigned flags)
{
    const char *comma = "";
    buf_text(b, ",\"flags\":[");
    for (int i = 0; i < REWARD_FLAGS; i++) {
        if (!(flags & 1u << i))
            continue;
        buf_print(b, "%s\"%s\"", comma, reward_flag_name((enum reward_flag)(1u << i)));
        comma = ",";
    }
    buf_char(b, ']');
}

static void put_reward(struct buf *b, const struct reward_rules *rules,
                       const struct reward *r, const struct ask_result *judged)
{
    buf_char(b, '{');
    put_real(b, "total", r->total);
    if (rules->judge) {
        buf_char(b, ',');
        put_real(b, "acc", judged->acc);
        buf_char(b, ',');
        put_real(b, "se", judged->se);
    }
    buf_char(b, ',');
    put_real(b, "format", r->format);
    if (r->len >= 0) {
        buf_char(b, ',');
        put_real(b, "len", r->len);
    }
    if (rules->judge && rules->explain)
        put_answers(b, judged, rules->ask.score);
    if (r->flags)
        put_flags(b, r->flags);
    buf_char(b, '}');
}

static void put_error(struct buf *b, const struct reward *r)
{
    buf_print(
        b, "{\"stage\":\"reward\",\"class\":\"%s\",\"message\":", fail_name(r->why.kind));
    json_put_text(b, span_of(r->why.text));
    if (r->attempts > 0)
        buf_print(b, ",\"attempts\":%d", r->attempts);
    buf_char(b, '}');
}

/* A caption's object with its verdict: a reward or an error, and not what an earlier run
 * said. One that came in with an error has no reward, and else stays as it is. */
static void put_caption(struct buf *b, const struct reward_scores *s,
                        const struct reward_rules *rules, int i)
{
    const struct reward_caption *c = &s->captions.items[i];
    const struct reward *r = &s->items[i];
    struct buf value = {0}, made = {0};
    struct span object = c->json;
    struct json_member_edit edits[2] = {{.key = "reward"}, {.key = "error"}};
    int count = 2;
    if (r->state == REWARD_JUDGED) {
        put_reward(&value, rules, r, &s->items[c->first].judged);
        edits[0].value = (struct span){value.data, value.len};
    } else if (r->state == REWARD_FAILED) {
        put_error(&value, r);
        edits[1].value = (struct span){value.data, value.len};
    } else {
        count = 1; /* its error stays */
    }
    if (!object.s) {
        buf_text(&made, "{\"text\":");
        buf_add(&made, c->raw.s, c->raw.n);
        buf_char(&made, '}');
        object = (struct span){made.data, made.len};
    }
    b->bad = b->bad || value.bad || made.bad;
    if (!b->bad)
        json_put_edited(b, object, edits, count);
    buf_free(&value);
    buf_free(&made);
}

/* The list with every other byte as it came. */
static void put_captions(struct buf *b, const struct reward_scores *s,
                         const struct reward_rules *rules, struct span list)
{
    const char *from = list.s;
    if (!list.s)
        buf_char(b, '[');
    for (int i = 0; i < s->captions.count; i++) {
        struct span object = s->captions.items[i].json;
        if (list.s) {
            buf_add(b, from, (size_t)(object.s - from));
            from = object.s + object.n;
        }
        put_caption(b, s, rules, i);
    }
    if (list.s)
        buf_add(b, from, (size_t)(list.s + list.n - from));
    else
        buf_char(b, ']');
}

static void put_group(struct buf *b, const struct reward_group *g)
{
    buf_char(b, '{');
    put_real(b, "mean", g->mean);
    buf_char(b, ',');
    put_real(b, "std", g->std);
    buf_char(b, ',');
    put_real(b, "min", g->min);
    buf_char(b, ',');
    put_real(b, "max", g->max);
    buf_print(b, ",\"n\":%d,\"failed\":%d}", g->n, g->failed);
}

/* row_set() the buffer's text, then empty it. */
static int set(struct row *row, const char *key, struct buf *b)
{
    if (buf_ok(b) < 0 || row_set(row, key, (struct span){b->data, b->len}) < 0)
        return -1;
    buf_clear(b);
    return 0;
}

/* The first failure is the row's: told, and counted. */
static void flaw(const struct reward_scores *s, struct row *row)
{
    for (int i = 0; i < s->captions.count; i++) {
        if (s->items[i].state != REWARD_FAILED)
            continue;
        fail_again(&s->items[i].why);
        if (s->captions.items[i].json.s)
            fail_in("captions[%d]", i);
        row_flaw(row);
        return;
    }
}

int reward_scores_set(const struct reward_scores *s, const struct reward_rules *rules,
                      struct row *row)
{
    struct buf b = {0};
    struct span list =
        row_has(row, "captions") ? row_value(row, "captions") : (struct span){0};
    put_captions(&b, s, rules, list);
    int status = set(row, "captions", &b);
    if (status == 0) {
        put_group(&b, &s->group);
        status = set(row, "reward_group", &b);
    }
    buf_free(&b);
    if (status == 0)
        flaw(s, row);
    return status;
}
