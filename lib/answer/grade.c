/* grade.c: see grade.h. */
#include "answer/grade.h"
#include "answer/answer_own.h"
#include "base/fail.h"

#include <math.h>
#include <stdlib.h>

static const struct grade_scale scales[] = {
    {"binary", "grade-binary.txt", {"no", "yes"}, 2},
    {"three", "grade-three.txt", {"0", "1", "2"}, 3},
    {"five", "grade-five.txt", {"1", "2", "3", "4", "5"}, 5},
};

const struct grade_scale *grade_scale_named(const char *name)
{
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        if (strcmp(scales[i].name, name) == 0)
            return &scales[i];
    return NULL;
}

/* One row's grading: what is put to the model for each prediction that is asked about. */
struct grading_of_row {
    const struct grading *g;
    struct answer_row *row;
    struct random_key key;
    struct buf text; /* all prompts, one behind the other */
    size_t *ends;    /* [count] */
    int *which;      /* [count] the prediction's place */
    struct turn_part *parts;
    struct turn *turns;
    int count;
};

static double value(const struct grade_scale *s, int grade)
{
    return (double)grade / (s->count - 1);
}

/* -- Reading a reply -------------------------------------------------------------------
 */

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c & 0x80;
}

static struct span skip(struct span t)
{
    while (t.n && t.s[0] && strchr(" \t\r\n*\"'([:=_#`", t.s[0])) t.s++, t.n--;
    return t;
}

/* Does word stand here, in any case and as a word of its own? Its length, or 0. */
static size_t word_at(struct span t, const char *word)
{
    size_t n = strlen(word);
    if (t.n < n || (t.n > n && is_word(t.s[n])))
        return 0;
    for (size_t i = 0; i < n; i++)
        if ((t.s[i] >= 'A' && t.s[i] <= 'Z' ? t.s[i] | 0x20 : t.s[i]) != word[i])
            return 0;
    return n;
}

/* "The final grade is": any of these words, in any order. */
static struct span skip_lead_in(struct span t)
{
    static const char *const words[] = {"the",      "my",     "final",   "grade",
                                        "score",    "rating", "verdict", "judgement",
                                        "judgment", "answer", "is"};
    for (bool more = true; more;) {
        more = false;
        t = skip(t);
        for (size_t i = 0; i < sizeof words / sizeof *words && !more; i++) {
            size_t n = word_at(t, words[i]);
            t.s += n;
            t.n -= n;
            more = n > 0;
        }
    }
    return t;
}

int grade_read(struct span reply, const struct grade_scale *scale)
{
    bool cut;
    struct span t = skip_lead_in(answer_boxed(answer_part(reply, &cut)));
    for (int i = 0; i < scale->count; i++) {
        size_t n = word_at(t, scale->labels[i]);
        /* 4.5 and 4,5 are no grade of this scale */
        bool part = n + 1 < t.n && (t.s[n] == '.' || t.s[n] == ',') &&
                    t.s[n + 1] >= '0' && t.s[n + 1] <= '9';
        if (n > 0 && !part)
            return i;
    }
    return -1;
}

/* -- Asking ----------------------------------------------------------------------------
 */

/* The golds, a line each. */
static void list_golds(const struct answer_task *task, struct buf *out)
{
    for (int i = 0; i < task->gold_count; i++) {
        if (i)
            buf_char(out, '\n');
        buf_add(out, task->golds[i].s, task->golds[i].n);
    }
}

static int write_prompts(struct grading_of_row *r, struct span question)
{
    struct buf golds = {0};
    int status = 0;
    list_golds(&r->row->task, &golds);
    for (int i = 0; i < r->row->count && status == 0; i++) {
        struct answer_prediction *p = &r->row->predictions[i];
        bool cut = false;
        struct span part = answer_part(p->text, &cut);
        if (p->failed)
            continue;
        p->verdict = (struct answer_verdict){.gold = -1, .choice = -1};
        if (part.n == 0) {
            p->verdict.flags = ANSWER_NO_ANSWER | (cut ? ANSWER_CUT : 0u);
            continue;
        }
        struct wording_values v = {
            .question = question, .answer = {golds.data, golds.len}, .prediction = part};
        status = buf_ok(&golds) < 0 ? -1 : wording_fill(&r->g->wording, &v, &r->text);
        r->which[r->count] = i;
        r->ends[r->count++] = r->text.len;
    }
    buf_free(&golds);
    return status;
}

static void write_turns(struct grading_of_row *r)
{
    for (int i = 0; i < r->count; i++) {
        size_t from = i ? r->ends[i - 1] : 0;
        r->parts[i].text = (struct span){r->text.data + from, r->ends[i] - from};
        r->turns[i] = (struct turn){TURN_USER, &r->parts[i], 1};
    }
}

static void set_verdict(struct grading_of_row *r, int i, double score)
{
    struct answer_verdict *v = &r->row->predictions[r->which[i]].verdict;
    v->score = score;
    v->gold = score > 0 ? 0 : -1;
}

/* The mean score under the labels' probabilities, relative to their sum. 0 or -1. */
static int mean_score(const struct grade_scale *s, const double *logprob, double *score)
{
    double most = -INFINITY, sum = 0;
    *score = 0;
    for (int k = 0; k < s->count; k++) most = fmax(most, logprob[k]);
    if (!isfinite(most))
        return fail(FAIL_MODEL, "no grade has a probability");
    for (int k = 0; k < s->count; k++) {
        double p = exp(logprob[k] - most);
        sum += p;
        *score += p * value(s, k);
    }
    *score /= sum;
    return isfinite(*score) ? 0 : fail(FAIL_MODEL, "a grade's probability is no number");
}

static int ask_expected(struct grading_of_row *r)
{
    const struct grade_scale *s = r->g->scale;
    struct score_item *items = calloc((size_t)r->count, sizeof *items);
    double(*logprobs)[GRADE_LABELS_MAX] = calloc((size_t)r->count, sizeof *logprobs);
    struct span texts[GRADE_LABELS_MAX];
    const bool end[GRADE_LABELS_MAX] = {false};
    struct request request = r->g->request;
    int status = -1;
    if (!items || !logprobs) {
        fail_memory();
        goto out;
    }
    for (int k = 0; k < s->count; k++) texts[k] = span_of(s->labels[k]);
    for (int i = 0; i < r->count; i++)
        items[i] = (struct score_item){.turns = &r->turns[i],
                                       .count = 1,
                                       .texts = texts,
                                       .end = end,
                                       .text_count = s->count,
                                       .logprob = logprobs[i]};
    request.key = r->key;
    request.part = 0;
    status = model_score_all(r->g->model, &request, items, r->count);
    for (int i = 0; i < r->count && status == 0; i++) {
        double score;
        if ((status = mean_score(s, logprobs[i], &score)) == 0)
            set_verdict(r, i, score);
    }
out:
    free(items);
    free(logprobs);
    return status;
}

static int read_reply(struct grading_of_row *r, int i, const struct reply *reply)
{
    struct span text = {NULL, 0};
    if (reply->count > 0)
        text = (struct span){reply->completions[0].text.data,
                             reply->completions[0].text.len};
    int grade = grade_read(text, r->g->scale);
    if (grade < 0)
        return fail(FAIL_PARSE, "the judge's reply has no grade: \"%.*s\"",
                    text.n < 60 ? (int)text.n : 60, text.s ? text.s : "");
    set_verdict(r, i, value(r->g->scale, grade));
    return 0;
}

static int ask_replies(struct grading_of_row *r)
{
    struct request *requests = calloc((size_t)r->count, sizeof *requests);
    struct reply *replies = calloc((size_t)r->count, sizeof *replies);
    int status = -1;
    if (!requests || !replies) {
        fail_memory();
        goto out;
    }
    for (int i = 0; i < r->count; i++) {
        requests[i] = r->g->request;
        requests[i].turns = &r->turns[i];
        requests[i].count = 1;
        requests[i].n = 1;
        requests[i].key = r->key;
        requests[i].part = i;
    }
    status = model_generate_all(r->g->model, requests, replies, r->count);
    for (int i = 0; i < r->count && status == 0; i++)
        status = read_reply(r, i, &replies[i]);
out:
    for (int i = 0; replies && i < r->count; i++) reply_free(&replies[i]);
    free(requests);
    free(replies);
    return status;
}

int grade_row(const struct grading *g, struct answer_row *a, struct row *row)
{
    static const uint64_t purpose = 0x6772616465; /* "grade" */
    struct random_key key = row_random(row, g->seed, 0);
    struct grading_of_row r = {.g = g, .row = a};
    size_t n = (size_t)a->count + 1;
    struct span question;
    int status = -1;
    if (row_text(row, "question", &question) < 0)
        return -1;
    r.key = random_key_of(purpose, &key, sizeof key);
    r.ends = calloc(n, sizeof *r.ends);
    r.which = calloc(n, sizeof *r.which);
    r.parts = calloc(n, sizeof *r.parts);
    r.turns = calloc(n, sizeof *r.turns);
    if (!r.ends || !r.which || !r.parts || !r.turns)
        fail_memory();
    else if ((status = write_prompts(&r, question)) == 0 && r.count > 0) {
        write_turns(&r);
        status = g->expected ? ask_expected(&r) : ask_replies(&r);
    }
    buf_free(&r.text);
    free(r.ends);
    free(r.which);
    free(r.parts);
    free(r.turns);
    return status;
}
