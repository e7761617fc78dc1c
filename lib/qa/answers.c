/* answers.c: see answers.h. */
#include "qa/answers.h"
#include "model/conversation.h"
#include "row/json_edit.h"

#include <stdlib.h>

enum way { VISUAL, TEXT, WAYS };

/* What became of one question. */
struct outcome {
    const struct ask_answer *answers[WAYS]; /* [n[]]; NULL: not asked this way */
    int n[WAYS];
    bool failed;
    struct failure why;
    int attempts;
};

/* A row's questions on their way. */
struct work {
    struct model *model;
    const struct answers_rules *rules;
    struct row *row;
    struct random_key key;
    struct questions questions;
    struct turn_part *pictures; /* [picture_count], the row's */
    int picture_count;
    struct outcome *outcomes;   /* [questions.count] */
    struct ask_result *results; /* [WAYS][questions.count], what answers point into */
    bool deferred;
};

/* Some questions' verdicts, in order of question: a part for each. */
static void share_out(struct outcome *outcomes, enum way way,
                      const struct ask_result *result)
{
    for (int i = 0; i < result->count; i++) {
        struct outcome *o = &outcomes[result->answers[i].question];
        if (o->n[way]++ == 0)
            o->answers[way] = &result->answers[i];
    }
}

/* Put count questions from the first on. ask()'s status. */
static int put(struct work *w, enum way way, int first, int count, int part,
               int *attempts)
{
    struct ask_rules rules = w->rules->ask;
    struct ask_subject subject = {.system = w->rules->system};
    struct ask_result *result = &w->results[way * w->questions.count + first];
    if (way == VISUAL) {
        subject.pictures = w->pictures;
        subject.picture_count = w->picture_count;
    }
    rules.request.attempts = attempts;
    int status = ask(w->model, &rules, &subject, w->questions.items + first, count,
                     w->key, part, result);
    if (status == 0)
        share_out(w->outcomes + first, way, result);
    w->deferred |= status == MODEL_DEFERRED;
    return status;
}

/* Does the failure concern more than the question: the run stops, or the pictures cannot
 * be shown to this model? */
static bool ends_row(const struct work *w, enum way way)
{
    const struct request *r = &w->rules->ask.request;
    enum fail_class kind = fail_kind();
    return model_down(w->model) || (r->abandon && r->abandon(r->abandon_context)) ||
           (way == VISUAL &&
            (kind == FAIL_MEDIA || kind == FAIL_TOO_LARGE || kind == FAIL_TYPE));
}

/* One question after the other, so that one that fails takes no other along. */
static int put_each(struct work *w, enum way way)
{
    for (int i = 0; i < w->questions.count; i++) {
        struct outcome *o = &w->outcomes[i];
        int attempts = 0;
        if (o->failed || put(w, way, i, 1, (1 + i) * WAYS + way, &attempts) >= 0)
            continue;
        if (ends_row(w, way)) {
            w->row->attempts += attempts;
            return -1;
        }
        o->failed = true;
        o->attempts = attempts;
        fail_save(&o->why);
        fail_in("qa[%d]", i);
        row_flaw(w->row);
    }
    return 0;
}

/* A local model computes once what the prompts of a row have in common, if they are put
 * together; with an endpoint nothing is won, and a failure would cost all of them. */
static int put_all(struct work *w, enum way way)
{
    if (model_scores(w->model) != MODEL_SCORES_TEXTS)
        return put_each(w, way);
    for (int i = 0; i < w->questions.count; i++)
        if (w->outcomes[i].failed)
            return put_each(w, way);
    int status = put(w, way, 0, w->questions.count, way, &w->row->attempts);
    return status < 0 && !ends_row(w, way) ? put_each(w, way) : status;
}

/* {"acc":0.75,"n":4,"answers":["A",null,...],"p":[...]} */
static void put_way(struct buf *b, const struct work *w, const struct question *q,
                    const struct ask_answer *answers, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += answers[i].p;
    buf_text(b, "{\"acc\":");
    json_put_real(b, sum / n);
    buf_print(b, ",\"n\":%d,\"answers\":[", n);
    for (int i = 0; i < n; i++) {
        int chosen = answers[i].chosen;
        buf_text(b, i ? "," : "");
        if (chosen < 0 || chosen >= q->count)
            buf_text(b, "null");
        else
            buf_print(b, "\"%c\"", 'A' + chosen);
    }
    buf_char(b, ']');
    if (w->rules->ask.score == ASK_EXPECTED) {
        buf_text(b, ",\"p\":[");
        for (int i = 0; i < n; i++) {
            buf_text(b, i ? "," : "");
            json_put_real(b, answers[i].p);
        }
        buf_char(b, ']');
    }
    buf_char(b, '}');
}

static void put_error(struct buf *b, const struct outcome *o)
{
    buf_print(b, "{\"class\":\"%s\",\"message\":", fail_name(o->why.kind));
    json_put_text(b, span_of(o->why.text));
    if (o->attempts > 0)
        buf_print(b, ",\"attempts\":%d", o->attempts);
    buf_char(b, '}');
}

/* A question's object, with what became of it. A way that was not asked stays as it is,
 * and so does an error while such a way has no result: it may be why. */
static void put_question(struct buf *out, const struct work *w, int i)
{
    static const char *const names[WAYS] = {"visual", "text"};
    const struct question *q = &w->questions.items[i];
    const struct outcome *o = &w->outcomes[i];
    const bool asked[WAYS] = {w->rules->visual, w->rules->text};
    struct buf values[WAYS + 1] = {{0}};
    struct json_member_edit edits[WAYS + 1];
    int count = 0;
    bool error_stays = false;
    for (int way = 0; way < WAYS; way++) {
        struct buf *b = &values[way];
        if (!asked[way]) {
            error_stays =
                !o->failed && json_type(json_get(q->json, names[way])) != JSON_OBJECT;
            continue;
        }
        if (!o->failed)
            put_way(b, w, q, o->answers[way], o->n[way]);
        edits[count++] = (struct json_member_edit){names[way], {b->data, b->len}};
        out->bad |= b->bad;
    }
    if (o->failed)
        put_error(&values[WAYS], o);
    if (!error_stays)
        edits[count++] =
            (struct json_member_edit){"error", {values[WAYS].data, values[WAYS].len}};
    out->bad |= values[WAYS].bad;
    json_put_edited(out, q->json, edits, count);
    for (int k = 0; k <= WAYS; k++) buf_free(&values[k]);
}

/* Set `qa`: the list with its questions changed, all other bytes as they are. */
static int write_questions(const struct work *w)
{
    struct span array = w->questions.array;
    struct buf out = {0};
    const char *from = array.s;
    for (int i = 0; i < w->questions.count; i++) {
        struct span json = w->questions.items[i].json;
        buf_add(&out, from, (size_t)(json.s - from));
        put_question(&out, w, i);
        from = json.s + json.n;
    }
    buf_add(&out, from, (size_t)(array.s + array.n - from));
    int status =
        buf_ok(&out) < 0 ? -1 : row_set(w->row, "qa", (struct span){out.data, out.len});
    buf_free(&out);
    return status;
}

static int run(struct work *w)
{
    size_t n = (size_t)w->questions.count;
    w->outcomes = calloc(n + 1, sizeof *w->outcomes);
    w->results = calloc(WAYS * n + 1, sizeof *w->results);
    if (!w->outcomes || !w->results)
        return fail_memory();
    if ((w->rules->visual && put_all(w, VISUAL) < 0) ||
        (w->rules->text && put_all(w, TEXT) < 0))
        return -1;
    return w->deferred ? MODEL_DEFERRED : write_questions(w);
}

int answers_set(struct model *model, const struct answers_rules *rules, struct row *row,
                struct random_key key)
{
    struct work w = {.model = model, .rules = rules, .row = row, .key = key};
    struct conversation c = {0};
    const struct conversation_options media = {.root = rules->root,
                                               .allow_url = rules->allow_url};
    int status = questions_read(&w.questions, row);
    if (status == 0 && rules->visual) {
        w.picture_count = conversation_pictures(&c, row, &media, &w.pictures);
        status = w.picture_count < 0 ? -1 : 0;
    }
    if (status == 0 && w.questions.count > 0)
        status = run(&w);
    for (int i = 0; w.results && i < WAYS * w.questions.count; i++)
        ask_result_free(&w.results[i]);
    free(w.outcomes);
    free(w.results);
    conversation_free(&c);
    return status;
}
