/* rows.c: see rows.h. */
#include "answer/rows.h"
#include "answer/grade.h"
#include "row/json_edit.h"

/* ["no_answer"]; s NULL where there is none. The buffer is out's own. */
static void put_flags(struct buf *out, unsigned flags)
{
    const char *comma = "";
    buf_char(out, '[');
    for (int i = 0; i < ANSWER_FLAGS; i++)
        if (flags >> i & 1) {
            buf_print(out, "%s\"%s\"", comma, answer_flag_names[i]);
            comma = ",";
        }
    buf_char(out, ']');
}

static int set_score(struct row *row, const char *key, double score)
{
    struct buf out = {0};
    json_put_real(&out, score);
    int status =
        buf_ok(&out) < 0 ? -1 : row_set(row, key, (struct span){out.data, out.len});
    buf_free(&out);
    return status;
}

/* `score_flags` of a row with one prediction. */
static int set_flags(struct row *row, unsigned flags)
{
    struct buf out = {0};
    if (!flags && !row_has(row, "score_flags"))
        return 0;
    put_flags(&out, flags);
    int status = buf_ok(&out) < 0
                     ? -1
                     : row_set(row, "score_flags", (struct span){out.data, out.len});
    buf_free(&out);
    return status;
}

/* A prediction's object with its score, the letter that was read, and flags. */
static void put_prediction(struct buf *out, const struct answer_prediction *p,
                           const struct answer_task *task)
{
    struct buf score = {0}, flags = {0};
    char letter[] = "\"A\"";
    bool choice = task->kind == ANSWER_CHOICE && task->rules == ANSWER_OURS;
    bool read = p->verdict.choice >= 0 && p->verdict.choice < ANSWER_OPTIONS_MAX;
    if (p->failed) {
        buf_add(out, p->json.s, p->json.n);
        return;
    }
    json_put_real(&score, p->verdict.score);
    put_flags(&flags, p->verdict.flags);
    letter[1] = (char)('A' + (read ? p->verdict.choice : 0));
    struct json_member_edit edits[] = {
        {"score", {score.data, score.len}},
        {"flags", p->verdict.flags ? (struct span){flags.data, flags.len}
                                   : (struct span){NULL, 0}},
        {"letter", read ? (struct span){letter, 3} : (struct span){"null", 4}}};
    json_put_edited(out, p->json, edits, choice ? 3 : 2);
    out->bad |= score.bad || flags.bad;
    buf_free(&score);
    buf_free(&flags);
}

static int set_predictions(const struct answer_row *a, struct row *row)
{
    struct buf out = {0};
    buf_char(&out, '[');
    for (int i = 0; i < a->count; i++) {
        if (i)
            buf_char(&out, ',');
        put_prediction(&out, &a->predictions[i], &a->task);
    }
    buf_char(&out, ']');
    int status = buf_ok(&out) < 0
                     ? -1
                     : row_set(row, "predictions", (struct span){out.data, out.len});
    buf_free(&out);
    return status;
}

static int score_all(const struct answer_rules_of_rows *rules, struct answer_row *a,
                     struct row *row)
{
    if (a->task.kind == ANSWER_JUDGE && rules->grading)
        return grade_row(rules->grading, a, row);
    for (int i = 0; i < a->count; i++) {
        struct answer_prediction *p = &a->predictions[i];
        if (!p->failed && answer_score(&a->task, p->text, &p->verdict) < 0)
            return -1;
    }
    return 0;
}

int answer_row_score(const struct answer_rules_of_rows *rules, struct row *row,
                     struct answer_sums *sums)
{
    struct answer_row a;
    double sum = 0, best = 0;
    int scored = 0, status;
    if (answer_row_read(&a, rules, row) < 0)
        return -1;
    if ((status = score_all(rules, &a, row)) != 0)
        return status;
    for (int i = 0; i < a.count; i++) {
        const struct answer_verdict *v = &a.predictions[i].verdict;
        if (a.predictions[i].failed)
            continue;
        sum += v->score;
        best = v->score > best ? v->score : best;
        scored++;
    }
    if (scored == 0)
        return fail(FAIL_MISSING, "\"predictions\": none without an error");
    if (a.list && set_predictions(&a, row) < 0)
        return -1;
    if (set_score(row, "score", sum / scored) < 0)
        return -1;
    if (a.list ? set_score(row, "best", best) < 0
               : set_flags(row, a.predictions->verdict.flags) < 0)
        return -1;
    answer_sums_add(sums, a.task.kind, sum / scored, best);
    sums->failed += a.count - scored;
    for (int i = 0; i < a.count; i++)
        if (!a.predictions[i].failed)
            answer_sums_flags(sums, a.predictions[i].verdict.flags);
    return 0;
}
