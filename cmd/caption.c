/* caption: describe pictures. Rows (or pictures and folders) in, rows with captions out.
 */
#include "model/captions.h"
#include "model/conversation.h"
#include "model/follow.h"
#include "model/forecast.h"
#include "model/model.h"
#include "model/options.h"
#include "model/prompt_file.h"
#include "model/work.h"
#include "row/cli.h"

static const struct cli_option options[] = {
    {"prompt", 0, CLI_TEXT, "TEXT",
     "what to ask where a row has no prompt (Please describe this image in detail.)",
     false},
    {"prompt-file", 0, CLI_TEXT, "FILE", "read the prompt from FILE", false},
    {"system", 0, CLI_TEXT, "TEXT", "a system turn before the prompt (none)", false},
    {"text", 0, CLI_FLAG, NULL, "print captions alone, no rows", false},
    {"follow", 0, CLI_FLAG, NULL,
     "the model is a policy that is trained: take up each new version", false},
    {"dry-run", 0, CLI_FLAG, NULL,
     "say rows, tokens and requests to come; caption nothing", false},
    {"explain", 0, CLI_FLAG, NULL, "say on stderr how each row is prepared", true},
    {0}};
static const struct cli_option *const groups[] = {
    model_option_table, sampling_option_table, picture_option_table, NULL};
static const struct cli_page page = {
    "caption",
    "-m MODEL [option ...] [file | picture | folder ...]",
    "Describe pictures.",
    CLI_ROWS_OR_MEDIA,
    options,
    groups};

/* What every row's work needs; read-only while rows are worked on. */
struct job {
    struct cli *cli;
    struct model *model;   /* NULL with --follow */
    struct follow *follow; /* NULL without */
    struct model_options model_options;
    struct conversation_options conversation;
    struct request request; /* all but turns and key */
    int64_t seed;
    bool text, dry_run, explain;
    struct forecast forecast; /* --dry-run's sums */
};

/* --text: the captions, a line each, take the row's place. */
static int write_text(struct row *row, const struct reply *reply)
{
    struct buf b = {0};
    for (int i = 0; i < reply->count; i++) {
        if (i)
            buf_char(&b, '\n');
        buf_add(&b, reply->completions[i].text.data, reply->completions[i].text.len);
    }
    int status = buf_ok(&b) < 0 ? -1 : row_replace(row, (struct span){b.data, b.len});
    buf_free(&b);
    return status;
}

/* Put the reply into the row. */
static int write_reply(struct job *job, struct row *row, struct model *model,
                       int64_t version, const struct request *request,
                       const struct reply *reply)
{
    if (job->text)
        return write_text(row, reply);
    if (captions_set(row, reply, request) < 0)
        return -1;
    if (!request->want_ids)
        return 0;
    bool own = row_has(row, "messages");
    struct span prompt = span_of(job->conversation.prompt);
    if (!own && row_has(row, "prompt") && row_text(row, "prompt", &prompt) < 0)
        return -1;
    return captions_set_gen(row, model, request, &job->model_options, job->seed,
                            job->conversation.system, own ? (struct span){0} : prompt,
                            version);
}

/* Caption a row with a model, whose weights are of this version. */
static int caption_by(struct job *job, struct row *row, struct model *model,
                      int64_t version)
{
    struct conversation c;
    struct request request = job->request;
    struct reply reply;
    int status = conversation_read(&c, row, &job->conversation);
    if (status == 0) {
        request.turns = c.turns;
        request.count = c.count;
        request.key = row_random(row, (uint64_t)job->seed, (uint64_t)version);
        request.deadline_ms = model_deadline(model);
        request.attempts = &row->attempts;
        if (job->dry_run || job->explain)
            status = forecast_add(&job->forecast, job->cli, model, row, &request,
                                  job->explain);
    }
    if (status == 0 && job->dry_run)
        status = CLI_DROP;
    else if (status == 0 && (status = model_generate(model, &request, &reply)) == 0) {
        status = write_reply(job, row, model, version, &request, &reply);
        reply_free(&reply);
    }
    conversation_free(&c);
    return model_status(job->cli, model, status);
}

static int caption_row(void *context, struct row *row)
{
    struct job *job = context;
    struct model *model;
    int64_t version;
    if (!job->follow)
        return caption_by(job, row, job->model, 0);
    int status = follow_begin(job->follow, row, &model, &version);
    if (status != 0)
        return status;
    status = caption_by(job, row, model, version);
    follow_end(job->follow);
    return status;
}

/* Options into the job. The status of cli_usable(). */
static int read_options(struct job *job, struct cli *cli, struct buf *prompt)
{
    job->cli = cli;
    model_options_read(&job->model_options, cli);
    job->request = (struct request){.n = 1,
                                    .temperature = 1,
                                    .top_p = 1,
                                    .repetition_penalty = 1,
                                    .max_tokens = 2048,
                                    .abandon = model_abandon,
                                    .abandon_context = cli};
    request_options_read(&job->request, cli);
    picture_options_read(&job->model_options, &job->request, cli);
    job->seed = cli_int(cli, "seed", 0, 0, INT64_MAX);
    job->text = cli_has(cli, "text");
    if (job->text)
        cli_text_output(cli);
    job->dry_run = cli_has(cli, "dry-run");
    job->explain = cli_has(cli, "explain");
    if (job->dry_run) {
        cli_dry_run(cli);
        job->model_options.endpoint.batch_out = NULL;
    }
    bool given = cli_has(cli, "prompt") || cli_has(cli, "prompt-file");
    job->conversation = (struct conversation_options){
        .root = cli_text(cli, "root", NULL),
        .allow_url = cli_text(cli, "allow-url", NULL),
        .system = cli_text(cli, "system", NULL),
        .prompt = cli_text(cli, "prompt", "Please describe this image in detail."),
        .prompt_given = given};
    if (cli_has(cli, "follow") && job->dry_run)
        return cli_bad_usage(cli, "--follow and --dry-run exclude each other");
    if (cli_has(cli, "prompt") && cli_has(cli, "prompt-file"))
        return cli_bad_usage(cli, "--prompt and --prompt-file exclude each other");
    if (!cli_has(cli, "model"))
        return cli_bad_usage(cli, "no model: give -m MODEL (-m pocket works with nothing "
                                  "downloaded)");
    if (cli_has(cli, "prompt-file")) {
        if (prompt_file_read(prompt, cli_text(cli, "prompt-file", NULL)) < 0)
            return cli_bad_usage(cli, "%s", fail_text());
        job->conversation.prompt = prompt->data;
    }
    return cli_usable(cli);
}

/* The model, or what follows it. 0 or -1. */
static int open_model(struct job *job)
{
    struct cli *cli = job->cli;
    const char *spec = cli_text(cli, "model", NULL);
    if (cli_has(cli, "follow")) {
        job->follow = follow_open(cli, spec, &job->model_options);
        return job->follow ? cli_identity(cli, "model", spec) : -1;
    }
    job->model = model_open(spec, &job->model_options);
    return job->model ? cli_identity(cli, "model", model_hash(job->model)) : -1;
}

int main(int argc, char *argv[])
{
    struct cli cli;
    struct job job = {0};
    struct buf prompt = {0};
    if (cli_start(&cli, &page, argc, argv) != 0)
        return cli.status;
    if (read_options(&job, &cli, &prompt) < 0) {
        buf_free(&prompt);
        return cli_quit(&cli);
    }
    if (open_model(&job) < 0 ||
        cli_identity_text(&cli, "prompt", job.conversation.prompt) < 0) {
        model_close(job.model);
        follow_close(job.follow);
        buf_free(&prompt);
        return cli_quit(&cli);
    }
    if (job.model)
        cli_note(&cli, "%s", model_notes(job.model));
    cli_map(&cli,
            job.model ? model_workers(job.model) : follow_workers(&job.model_options),
            caption_row, &job);
    if (job.dry_run)
        forecast_say(&job.forecast, &cli, &job.request);
    if (job.model)
        model_end(&cli, job.model);
    follow_close(job.follow);
    int status = cli_end(&cli);
    buf_free(&prompt);
    return status;
}
