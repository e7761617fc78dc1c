/* judge.c: see judge.h. */
#include "prism/judge.h"
#include "answer/math.h"
#include "model/work.h"

#include <stdlib.h>
#include <string.h>

/* -- Prompts
 * ----------------------------------------------------------------------------- */

/* A copy of a buffer that lives as long as the row. */
static int keep(struct row *row, const struct buf *b, struct span *text)
{
    char *copy = buf_ok(b) < 0 ? NULL : row_alloc(row, b->len + 1);
    if (!copy)
        return -1;
    if (b->len)
        memcpy(copy, b->data, b->len);
    *text = (struct span){copy, b->len};
    return 0;
}

static int put_options(struct buf *out, const struct item *item)
{
    for (int i = 0; i < item->option_count; i++) {
        buf_print(out, "%s%c) ", i ? "\n" : "", 'A' + i);
        buf_add(out, item->options[i].s, item->options[i].n);
    }
    return buf_ok(out);
}

static struct turn_part *new_turns(struct row *row, struct turn **turns, int count)
{
    struct turn_part *parts = row_alloc(row, (size_t)count * 3 * sizeof *parts);
    *turns = row_alloc(row, (size_t)count * sizeof **turns);
    if (!parts || !*turns)
        return NULL;
    memset(parts, 0, (size_t)count * 3 * sizeof *parts);
    memset(*turns, 0, (size_t)count * sizeof **turns);
    return parts;
}

/* One user turn with the caption and the question. */
static int ask_plain(const struct judge *j, struct row *row, const struct item *item,
                     struct span caption, struct request *request)
{
    struct buf options = {0}, text = {0};
    struct turn *turns;
    struct turn_part *part = new_turns(row, &turns, 1);
    int status = !part ? -1 : j->hide_options ? 0 : put_options(&options, item);
    const struct preset_question q = {
        item->kind, caption, item->question, {options.data, options.len}};
    if (status == 0 && (status = preset_fill(&j->prompts, &q, &text)) == 0)
        status = keep(row, &text, &part->text);
    buf_free(&options);
    buf_free(&text);
    if (status < 0)
        return -1;
    turns[0] = (struct turn){TURN_USER, part, 1};
    request->turns = turns;
    request->count = 1;
    return 0;
}

/* The prompt's own turns, with the caption in the picture's place. */
static int ask_finished(const struct judge *j, struct row *row, const struct item *item,
                        struct span caption, struct request *request)
{
    struct turn *turns;
    struct turn_part *parts = new_turns(row, &turns, item->turn_count);
    for (int i = 0; parts && i < item->turn_count; i++, parts += 3) {
        const struct chatml_turn *from = &item->turns[i];
        struct buf text = {0};
        int n = 0;
        parts[n++].text = from->before;
        if (from->picture) {
            const struct wording_values values = {.caption = caption};
            int status = wording_fill(&j->place, &values, &text);
            if (status == 0)
                status = keep(row, &text, &parts[n++].text);
            buf_free(&text);
            if (status < 0)
                return -1;
            parts[n++].text = from->after;
        }
        turns[i] = (struct turn){from->role, parts, n};
    }
    if (!parts)
        return -1;
    request->turns = turns;
    request->count = item->turn_count;
    return 0;
}

/* -- Asking
 * ------------------------------------------------------------------------------ */

/* The first caption that needs no asking of its own: itself, or an equal one before it.
 */
static int first_equal(const struct judge *j, const struct store_captions *c, int i)
{
    for (int k = 0; j->request.temperature == 0 && k < i; k++)
        if (c->texts[k].s && span_equal(c->texts[k], c->texts[i]))
            return k;
    return i;
}

static int score(const struct judge *j, struct row *row, const struct item *item,
                 const struct completion *said, struct prediction *p)
{
    const struct answer_task task = {.kind = item->kind,
                                     .rules = j->rules,
                                     .letter = j->letter,
                                     .golds = item->golds,
                                     .gold_count = item->gold_count,
                                     .options = item->options,
                                     .option_count = item->option_count};
    p->tokens = said->tokens;
    if (keep(row, &said->text, &p->text) < 0)
        return -1;
    int status = answer_score(&task, p->text, &p->verdict);
    if (task.kind == ANSWER_MATH || task.rules == ANSWER_PUBLISHED)
        math_thread_end(); /* a row may be its thread's last */
    return status < 0 ? fail_in("\"answer\"") : 0;
}

/* Requests for the captions to be asked about. How many, or -1. */
static int make_requests(const struct judge *j, struct row *row, const struct item *item,
                         const struct store_captions *c, struct random_key key,
                         struct request *requests)
{
    int count = 0;
    for (int i = 0; i < c->count; i++) {
        if (!c->texts[i].s || first_equal(j, c, i) != i)
            continue;
        struct request *r = &requests[count++];
        *r = j->request;
        r->n = 1;
        r->key = key;
        r->part = i;
        r->attempts = &row->attempts;
        r->deadline_ms = model_deadline(j->model);
        if ((item->turns ? ask_finished(j, row, item, c->texts[i], r)
                         : ask_plain(j, row, item, c->texts[i], r)) < 0)
            return -1;
    }
    return count;
}

int judge_ask(const struct judge *j, struct row *row, const struct item *item,
              const struct store_captions *c, struct random_key key,
              struct prediction *predictions)
{
    struct request *requests = calloc((size_t)c->count, sizeof *requests);
    struct reply *replies = calloc((size_t)c->count, sizeof *replies);
    int count = 0, at = 0, status = requests && replies ? 0 : fail_memory();
    if (status == 0 && !item->turns && !preset_asks(&j->prompts, item->kind))
        status = fail(FAIL_REFUSED, "the preset has no prompt for questions of kind %s",
                      answer_kind_name(item->kind));
    if (status == 0)
        status = (count = make_requests(j, row, item, c, key, requests)) < 0 ? -1 : 0;
    if (status == 0 && count > 0)
        status = model_generate_all(j->model, requests, replies, count);
    bool asked = status == 0 && count > 0;
    for (int i = 0; status == 0 && i < c->count; i++) {
        int first = c->texts[i].s ? first_equal(j, c, i) : i;
        predictions[i] = (struct prediction){.failed = !c->texts[i].s};
        if (first != i)
            predictions[i] = predictions[first];
        else if (!predictions[i].failed)
            status = score(j, row, item, &replies[at++].completions[0], &predictions[i]);
    }
    for (int i = 0; asked && i < count; i++) reply_free(&replies[i]);
    free(requests);
    free(replies);
    return status;
}

/* -- Results
 * ----------------------------------------------------------------------------- */

static void put_flags(struct buf *out, unsigned flags)
{
    static const struct {
        unsigned flag;
        const char *name;
    } names[] = {{ANSWER_NO_ANSWER, "no_answer"},
                 {ANSWER_NO_FUEL, "no_fuel"},
                 {ANSWER_CUT, "cut"}};
    const char *before = ",\"flags\":[";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (flags & names[i].flag) {
            buf_print(out, "%s\"%s\"", before, names[i].name);
            before = ",";
        }
    buf_text(out, *before == ',' && before[1] == '\0' ? "]" : "");
}

static void put_prediction(const struct judge *j, struct buf *out,
                           const struct prediction *p)
{
    if (p->failed) {
        buf_text(out, "{\"error\":{\"stage\":\"prism-eval\",\"class\":\"missing\","
                      "\"message\":\"the caption has an error\"}}");
        return;
    }
    buf_text(out, "{\"text\":");
    json_put_text(out, p->text);
    if (p->verdict.choice >= 0)
        buf_print(out, ",\"letter\":\"%c\"", 'A' + p->verdict.choice);
    buf_text(out, ",\"score\":");
    json_put_real(out, p->verdict.score);
    if (j->keep_tokens && p->tokens >= 0)
        buf_print(out, ",\"tokens\":%d", p->tokens);
    put_flags(out, p->verdict.flags);
    buf_char(out, '}');
}

int judge_set(const struct judge *j, struct row *row, const struct store_captions *c,
              const struct prediction *predictions)
{
    struct buf list = {0}, mean = {0}, best = {0};
    double sum = 0, most = 0;
    int count = 0;
    buf_char(&list, '[');
    for (int i = 0; i < c->count; i++) {
        const struct prediction *p = &predictions[i];
        buf_text(&list, i ? "," : "");
        put_prediction(j, &list, p);
        if (p->failed)
            continue;
        sum += p->verdict.score;
        most = count == 0 || p->verdict.score > most ? p->verdict.score : most;
        count++;
    }
    buf_char(&list, ']');
    int status = count ? 0 : fail(FAIL_MISSING, "every caption has an error");
    if (status == 0) {
        json_put_real(&mean, sum / count);
        json_put_real(&best, most);
        if (row_set(row, "captions", c->json) < 0 ||
            row_set(row, "predictions", (struct span){list.data, list.len}) < 0 ||
            row_set(row, "score", (struct span){mean.data, mean.len}) < 0 ||
            row_set(row, "best", (struct span){best.data, best.len}) < 0)
            status = -1;
    }
    if (status == 0 && (buf_ok(&list) < 0 || buf_ok(&mean) < 0 || buf_ok(&best) < 0))
        status = -1;
    if (status == 0 && count < c->count) {
        fail(FAIL_MISSING, "%d of %d captions have an error", c->count - count, c->count);
        row_flaw(row);
    }
    buf_free(&list);
    buf_free(&mean);
    buf_free(&best);
    return status;
}
