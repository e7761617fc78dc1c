/* qa-answer: how well a model answers a row's questions with the picture and without it.
 */
#include "model/options.h"
#include "model/work.h"
#include "qa/answers.h"
#include "qa/ask_options.h"
#include "row/cli.h"

static const struct cli_option options[] = {
    {"with", 0, CLI_TEXT, "both|image|text",
     "ask with the picture, without it, or both (both)", false},
    {"rotations", 0, CLI_INT, "N", "orders of the options a question is put in (4)",
     false},
    {"prompt-file", 0, CLI_TEXT, "FILE",
     "how a question is put: {question}, {options} (answer-letter.txt, answer-text.txt)",
     false},
    {"system", 0, CLI_TEXT, "TEXT", "a system turn before the question (none)", false},
    {"dry-run", 0, CLI_FLAG, NULL,
     "say rows, questions and requests to come; ask nothing", false},
    REPLY_OPTIONS("0.6", "1: off", "10; in words 64"),
    {0}};
static const struct cli_option *const groups[] = {ask_option_table, model_option_table,
                                                  picture_option_table, NULL};
static const struct cli_page page = {"qa-answer",
                                     "-m MODEL [option ...] [file ...]",
                                     "Answer questions with the picture and without it.",
                                     CLI_ROWS,
                                     options,
                                     groups};

/* What every row's work needs; read-only while rows are worked on. */
struct job {
    struct cli *cli;
    struct model *model;
    struct model_options model_options;
    struct answers_rules rules;
    struct wording wording;
    uint64_t seed;
    bool dry_run;
    _Atomic long long rows, questions, requests; /* --dry-run's sums */
};

static int count_row(struct job *job, struct row *row)
{
    struct questions q;
    if (questions_read(&q, row) < 0)
        return -1;
    job->rows++;
    job->questions += q.count;
    job->requests += (job->rules.visual + job->rules.text) *
                     ask_judgements(&job->rules.ask, q.items, q.count);
    return CLI_DROP;
}

static int answer_row(void *context, struct row *row)
{
    struct job *job = context;
    struct answers_rules rules = job->rules;
    if (job->dry_run)
        return count_row(job, row);
    rules.ask.request.deadline_ms = model_deadline(job->model);
    int status = answers_set(job->model, &rules, row, row_random(row, job->seed, 0));
    return model_status(job->cli, job->model, status);
}

/* Options into the job. The status of cli_usable(). */
static int read_options(struct job *job, struct cli *cli)
{
    struct answers_rules *r = &job->rules;
    job->cli = cli;
    model_options_read(&job->model_options, cli);
    if (!cli_has(cli, "think"))
        job->model_options.think = -1;
    int with = option_choice(cli, "with", "both|image|text", 0);
    r->visual = with != 2;
    r->text = with != 1;
    r->root = cli_text(cli, "root", NULL);
    r->allow_url = cli_text(cli, "allow-url", NULL);
    r->system = cli_text(cli, "system", NULL);
    ask_options_read(&r->ask, cli);
    r->ask.orders = (int)cli_int(cli, "rotations", 4, 1, QUESTION_OPTIONS_MAX);
    r->ask.wording = &job->wording;
    r->ask.request = (struct request){.n = 1,
                                      .temperature = 0.6,
                                      .top_p = 1,
                                      .repetition_penalty = 1,
                                      .max_tokens = r->ask.form == ASK_TEXT ? 64 : 10,
                                      .loop_stop = true,
                                      .abandon = model_abandon,
                                      .abandon_context = cli};
    reply_options_read(&r->ask.request, cli);
    picture_options_read(&job->model_options, &r->ask.request, cli);
    job->seed = (uint64_t)cli_int(cli, "seed", 0, 0, INT64_MAX);
    job->dry_run = cli_has(cli, "dry-run");
    if (job->dry_run) {
        cli_dry_run(cli);
        job->model_options.endpoint.batch_out = NULL;
    }
    if (!cli_has(cli, "model"))
        return cli_bad_usage(cli, "no model: give -m MODEL");
    return cli_usable(cli);
}

static int open_wording(struct job *job)
{
    static const char *const places[] = {"question", "options", NULL};
    bool letter = job->rules.ask.form == ASK_LETTER;
    return wording_open(&job->wording, cli_text(job->cli, "prompt-file", NULL),
                        letter ? "answer-letter.txt" : "answer-text.txt", places,
                        letter ? 2 : 1);
}

static int set_up(struct job *job, struct cli *cli)
{
    if (read_options(job, cli) < 0 || open_wording(job) < 0)
        return -1;
    job->model = model_open(cli_text(cli, "model", NULL), &job->model_options);
    if (!job->model || ask_score_choose(&job->rules.ask, cli, job->model) < 0 ||
        cli_identity(cli, "model", model_hash(job->model)) < 0 ||
        cli_identity_text(cli, "prompt", job->wording.text.data) < 0)
        return -1;
    cli_note(cli, "%s", model_notes(job->model));
    return 0;
}

int main(int argc, char *argv[])
{
    struct cli cli;
    struct job job = {0};
    int status = 0;
    if (cli_start(&cli, &page, argc, argv) != 0)
        return cli.status;
    if (set_up(&job, &cli) < 0) {
        status = cli_quit(&cli);
        model_close(job.model);
    } else {
        cli_map(&cli, model_workers(job.model), answer_row, &job);
        if (job.dry_run)
            cli_say(&cli, NULL, "%lld rows, %lld questions: %lld requests", job.rows,
                    job.questions, job.requests);
        model_end(&cli, job.model);
    }
    wording_close(&job.wording);
    return status ? status : cli_end(&cli);
}
