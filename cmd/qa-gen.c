/* qa-gen: have a model write questions about pictures. */
#include "model/conversation.h"
#include "model/forecast.h"
#include "model/options.h"
#include "model/work.h"
#include "qa/wording.h"
#include "row/cli.h"

static const struct cli_option options[] = {
    {"questions", 0, CLI_INT, "N", "questions asked for (5)", false},
    {"prompt-file", 0, CLI_TEXT, "FILE", "what to ask, with a place {n} (qa-gen.txt)",
     false},
    {"system", 0, CLI_TEXT, "TEXT", "a system turn before the prompt (none)", false},
    {"dry-run", 0, CLI_FLAG, NULL, "say rows, tokens and requests to come; ask nothing",
     false},
    {"explain", 0, CLI_FLAG, NULL, "say on stderr how each row is prepared", true},
    REPLY_OPTIONS("0.1", "1.05", "2048"),
    {0}};
static const struct cli_option *const groups[] = {model_option_table,
                                                  picture_option_table, NULL};
static const struct cli_page page = {
    "qa-gen",
    "-m MODEL [option ...] [file | picture | folder ...]",
    "Write questions about pictures.",
    CLI_ROWS_OR_MEDIA,
    options,
    groups};

/* What every row's work needs; read-only while rows are worked on. */
struct job {
    struct cli *cli;
    struct model *model;
    struct model_options model_options;
    struct conversation_options conversation;
    struct request request; /* all but turns, key and deadline */
    struct buf prompt;
    uint64_t seed;
    bool dry_run, explain;
    struct forecast forecast; /* --dry-run's sums */
};

static int write_reply(struct job *job, struct row *row, const struct reply *reply)
{
    const struct completion *c = &reply->completions[0];
    struct buf b = {0};
    json_put_text(&b, (struct span){c->text.data, c->text.len});
    int status =
        buf_ok(&b) < 0 ? -1 : row_set(row, "qa_response", (struct span){b.data, b.len});
    buf_free(&b);
    if (strcmp(c->finish, "stop") != 0)
        cli_note(job->cli, "%s:%lld: the reply ended by %s after %d tokens", row->file,
                 (long long)row->line, c->finish, c->tokens);
    return status;
}

static int generate_row(void *context, struct row *row)
{
    struct job *job = context;
    struct conversation c;
    struct request request = job->request;
    struct reply reply;
    int status = conversation_ask(&c, row, &job->conversation);
    if (status == 0) {
        request.turns = c.turns;
        request.count = c.count;
        request.key = row_random(row, job->seed, 0);
        request.deadline_ms = model_deadline(job->model);
        request.attempts = &row->attempts;
        if (job->dry_run || job->explain)
            status = forecast_add(&job->forecast, job->cli, job->model, row, &request,
                                  job->explain);
    }
    if (status == 0 && job->dry_run)
        status = CLI_DROP;
    else if (status == 0 &&
             (status = model_generate(job->model, &request, &reply)) == 0) {
        status = write_reply(job, row, &reply);
        reply_free(&reply);
    }
    conversation_free(&c);
    return model_status(job->cli, job->model, status);
}

/* Options into the job. The status of cli_usable(). */
static int read_options(struct job *job, struct cli *cli)
{
    job->cli = cli;
    model_options_read(&job->model_options, cli);
    job->request = (struct request){.n = 1,
                                    .temperature = 0.1,
                                    .top_p = 1,
                                    .repetition_penalty = 1.05,
                                    .max_tokens = 2048,
                                    .loop_stop = true,
                                    .abandon = model_abandon,
                                    .abandon_context = cli};
    reply_options_read(&job->request, cli);
    picture_options_read(&job->model_options, &job->request, cli);
    job->conversation =
        (struct conversation_options){.root = cli_text(cli, "root", NULL),
                                      .allow_url = cli_text(cli, "allow-url", NULL),
                                      .system = cli_text(cli, "system", NULL)};
    job->seed = (uint64_t)cli_int(cli, "seed", 0, 0, INT64_MAX);
    job->dry_run = cli_has(cli, "dry-run");
    if (job->dry_run) {
        cli_dry_run(cli);
        job->model_options.endpoint.batch_out = NULL;
    }
    job->explain = cli_has(cli, "explain");
    if (!cli_has(cli, "model"))
        return cli_bad_usage(cli, "no model: give -m MODEL");
    return cli_usable(cli);
}

/* The prompt is the same for all rows: written out once. */
static int write_prompt(struct job *job)
{
    static const char *const places[] = {"n", NULL};
    int n = (int)cli_int(job->cli, "questions", 5, 1, 1000);
    struct wording w;
    if (cli_usable(job->cli) < 0 ||
        wording_open(&w, cli_text(job->cli, "prompt-file", NULL), "qa-gen.txt", places,
                     0) < 0)
        return -1;
    int status = wording_fill(&w, &(struct wording_values){.n = n}, &job->prompt);
    wording_close(&w);
    job->conversation.prompt = buf_string(&job->prompt);
    return status;
}

static int set_up(struct job *job, struct cli *cli)
{
    if (read_options(job, cli) < 0 || write_prompt(job) < 0)
        return -1;
    job->model = model_open(cli_text(cli, "model", NULL), &job->model_options);
    if (!job->model || cli_identity(cli, "model", model_hash(job->model)) < 0 ||
        cli_identity_text(cli, "prompt", job->conversation.prompt) < 0)
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
        cli_map(&cli, model_workers(job.model), generate_row, &job);
        if (job.dry_run)
            forecast_say(&job.forecast, &cli, &job.request);
        model_end(&cli, job.model);
    }
    if (status == 0)
        status = cli_end(&cli);
    buf_free(&job.prompt);
    return status;
}
