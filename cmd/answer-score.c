/* answer-score: score predicted answers against the right ones, by a named rule. */
#include "answer/grade.h"
#include "answer/math.h"
#include "answer/rows.h"
#include "base/replace.h"
#include "model/options.h"
#include "model/work.h"
#include "row/cli.h"

static const char kinds[] = "choice|relaxed|anls|vqa|math|exact|judge|items|auto";

static const struct cli_option options[] = {
    {"kind", 0, CLI_TEXT, "KIND",
     "choice, relaxed, anls, vqa, math, exact, judge, items; auto: the row's `kind` "
     "(auto)",
     false},
    {"rules", 0, CLI_TEXT, "ours|published",
     "published: as CapRL's evaluation scores, faults included (ours)", false},
    {"letter", 0, CLI_TEXT, "RULE",
     "choice: how a letter is read: alone, first-char or anywhere (alone)", false},
    {"stats", 0, CLI_TEXT, "FILE", "write to FILE what the rows come to", true},
    {"", 0, CLI_FLAG, NULL, "Judging (kind judge)", true},
    {"scale", 0, CLI_TEXT, "SCALE", "binary, three or five grades (binary)", false},
    {"score", 0, CLI_TEXT, "expected|sampled",
     "grade by probability, or by a reply that is read (expected; endpoints: sampled)",
     false},
    {"prompt-file", 0, CLI_TEXT, "FILE",
     "how it is asked: {question}, {answer}, {prediction} (grade-SCALE.txt)", false},
    REPLY_OPTIONS("0", "1: off", "16"),
    {0}};
static const struct cli_option *const groups[] = {model_option_table, NULL};
static const struct cli_page page = {"answer-score",
                                     "[option ...] [file ...]",
                                     "Score predicted answers by a named rule.",
                                     CLI_ROWS,
                                     options,
                                     groups};

/* What every row's work needs; read-only while rows are worked on, but for the sums. */
struct job {
    struct cli *cli;
    struct answer_rules_of_rows rules;
    struct grading grading;
    struct model_options model_options;
    const char *spec, *stats_path; /* NULL: not asked for */
    struct answer_sums sums;
};

static int grade_one(void *context, struct row *row)
{
    struct job *job = context;
    struct grading grading = job->grading;
    struct answer_rules_of_rows rules = job->rules;
    grading.request.deadline_ms = model_deadline(grading.model);
    rules.grading = &grading;
    int status = answer_row_score(&rules, row, &job->sums);
    math_thread_end(); /* threads come and go: a row may be this one's last */
    return model_status(job->cli, grading.model, status);
}

static void score_rows(struct job *job, struct cli *cli)
{
    struct row row;
    while (rows_next(cli, &row)) {
        if (answer_row_score(&job->rules, &row, &job->sums) < 0)
            row_fail(&row);
        rows_write(cli, &row);
    }
    math_thread_end();
}

/* --stats, once no more rows come. What this run did not see it does not count. */
static int write_stats(const struct job *job, struct cli *cli)
{
    struct cli_counts rows;
    struct buf out = {0};
    cli_count(cli, &rows);
    buf_print(&out, "{\"program\":\"answer-score\",\"complete\":%s,\"rules\":\"%s\",",
              rows.whole ? "true" : "false",
              job->rules.rules == ANSWER_OURS ? "ours" : "published");
    buf_print(&out,
              "\"rows\":{\"in\":%lld,\"failed\":%lld,\"passed\":%lld,\"before\":%lld},",
              (long long)rows.rows, (long long)rows.failed, (long long)rows.passed,
              (long long)rows.before);
    answer_sums_put(&job->sums, &out);
    buf_text(&out, "}\n");
    int rc = buf_ok(&out) < 0 ? -1 : file_replace(job->stats_path, out.data, out.len);
    buf_free(&out);
    return rc;
}

static void say_sums(const struct job *job, struct cli *cli)
{
    struct buf out = {0};
    answer_sums_say(&job->sums, &out);
    const char *text = buf_string(&out);
    cli_note(cli, "score %s", text ? text : "");
    buf_free(&out);
}

static void read_judging(struct job *job, struct cli *cli)
{
    struct grading *g = &job->grading;
    const char *scale = cli_text(cli, "scale", "binary");
    if (!(g->scale = grade_scale_named(scale)))
        cli_bad_usage(cli, "--scale %s: not one of binary, three, five", scale);
    option_choice(cli, "score", "expected|sampled", 0);
    g->request = (struct request){.n = 1,
                                  .top_p = 1,
                                  .repetition_penalty = 1,
                                  .max_tokens = 16,
                                  .loop_stop = true,
                                  .abandon = model_abandon,
                                  .abandon_context = cli};
    reply_options_read(&g->request, cli);
    g->seed = (uint64_t)cli_int(cli, "seed", 0, 0, INT64_MAX);
}

/* Options into the job. The status of cli_usable(). */
static int read_options(struct job *job, struct cli *cli)
{
    int kind = option_choice(cli, "kind", kinds, ANSWER_ITEMS + 1);
    job->cli = cli;
    job->rules.kind = kind == ANSWER_ITEMS + 1 ? ANSWER_AUTO : kind;
    job->rules.rules =
        (enum answer_rules)option_choice(cli, "rules", "ours|published", ANSWER_OURS);
    job->rules.letter = (enum letter_rule)option_choice(
        cli, "letter", "alone|first-char|anywhere", LETTER_ALONE);
    job->spec = cli_text(cli, "model", NULL);
    model_options_read(&job->model_options, cli);
    if (!cli_has(cli, "think"))
        job->model_options.think = -1;
    read_judging(job, cli);
    job->stats_path = cli_text(cli, "stats", NULL);
    if (job->stats_path && (cli_check_file(cli, job->stats_path) < 0 ||
                            file_replaceable(job->stats_path) < 0))
        return cli_bad_usage(cli, "%s", fail_text());
    if (job->rules.kind == ANSWER_JUDGE && !job->spec)
        return cli_bad_usage(cli, "--kind judge: no judge: give -m JUDGE");
    if (job->spec && kind >= 0 && kind != ANSWER_JUDGE && kind <= ANSWER_ITEMS)
        return cli_bad_usage(cli, "-m: --kind %s asks no model",
                             answer_kind_name((enum answer_kind)kind));
    return cli_usable(cli);
}

/* The judge, where one is named. 0 or -1. */
static int open_judge(struct job *job, struct cli *cli)
{
    static const char *const places[] = {"question", "answer", "prediction", NULL};
    struct grading *g = &job->grading;
    if (!job->spec)
        return 0;
    if (!(g->model = model_open(job->spec, &job->model_options)))
        return -1;
    enum model_scores scores = model_scores(g->model);
    g->expected = option_choice(cli, "score", "expected|sampled",
                                scores == MODEL_SCORES_TEXTS ? 0 : 1) == 0;
    if (g->expected && scores == MODEL_SCORES_NONE)
        return fail(FAIL_REFUSED,
                    "this model tells no probabilities: use --score sampled");
    if (wording_open(&g->wording, cli_text(cli, "prompt-file", NULL), g->scale->prompt,
                     places, 3) < 0 ||
        cli_identity(cli, "model", model_hash(g->model)) < 0 ||
        cli_identity_text(cli, "prompt", g->wording.text.data) < 0)
        return -1;
    cli_note(cli, "%s", model_notes(g->model));
    return 0;
}

int main(int argc, char *argv[])
{
    struct cli cli;
    struct job job = {0};
    int status = 0;
    if (cli_start(&cli, &page, argc, argv) != 0)
        return cli.status;
    if (read_options(&job, &cli) < 0 || open_judge(&job, &cli) < 0) {
        status = cli_quit(&cli);
        model_close(job.grading.model);
    } else {
        if (job.spec)
            cli_map(&cli, model_workers(job.grading.model), grade_one, &job);
        else
            score_rows(&job, &cli);
        say_sums(&job, &cli);
        if (job.stats_path && write_stats(&job, &cli) < 0)
            cli_give_up(&cli, "%s", fail_text());
        if (job.spec)
            model_end(&cli, job.grading.model);
    }
    wording_close(&job.grading.wording);
    return status ? status : cli_end(&cli);
}
