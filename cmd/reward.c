/* reward: what captions are worth. Rows with captions and questions in, the same with
 * rewards out.
 */
#include "model/options.h"
#include "model/settings.h"
#include "model/work.h"
#include "qa/ask_options.h"
#include "reward/score.h"
#include "reward/table.h"
#include "row/cli.h"

#include <limits.h>

static const struct cli_option options[] = {
    {"rotations", 0, CLI_INT, "N",
     "orders of the options a question is put in (all cyclic ones)", false},
    {"rounds", 0, CLI_INT, "N",
     "sampled: questions drawn for each caption; 0: each in its rotations (8)", false},
    {"all-qa", 0, CLI_FLAG, NULL,
     "sampled: put every question once, its options as they stand", false},
    {"cannot", 0, CLI_TEXT, "TEXT|off",
     "a last option for what the caption does not say (see reward(1))", false},
    {"prompt-file", 0, CLI_TEXT, "FILE",
     "how a question is put: {caption}, {question}, {options} (judge-letter.txt)", false},
    {"video-prompt-file", 0, CLI_TEXT, "FILE",
     "the same for rows with a video (judge-letter-video.txt, or --prompt-file)", false},
    {"", 0, CLI_FLAG, NULL, "Reward", true},
    {"format-weight", 0, CLI_REAL, "X",
     "weight of time stamps (0.2 in rows with a video, else 0)", false},
    {"len-weight", 0, CLI_REAL, "X", "weight of length (0.2)", false},
    {"len-full", 0, CLI_INT, "N", "length counts 1 up to N tokens (2048)", false},
    {"len-zero", 0, CLI_INT, "N", "... and nothing from N tokens on (3072)", false},
    {"token-cost", 0, CLI_REAL, "X", "what the total loses for each token (0)", false},
    {"flag-cost", 0, CLI_REAL, "X", "what the total loses for each flag (0)", false},
    {"preset", 0, CLI_TEXT, "NAME", "settings of a paper: caprl, caprl++", false},
    {"explain", 0, CLI_FLAG, NULL, "add the verdict on each question", false},
    {"text", 0, CLI_FLAG, NULL,
     "print a table for the eye, no rows: what captions answer and miss", false},
    {"dry-run", 0, CLI_FLAG, NULL,
     "say rows, captions and judgements to come; judge nothing", false},
    REPLY_OPTIONS("0.6", "1: off", "10; in words 64"),
    {0}};
static const struct cli_option *const groups[] = {ask_option_table, model_option_table,
                                                  NULL};
static const struct cli_page page = {"reward",
                                     "-m JUDGE [option ...] [file ...]",
                                     "Reward captions by what a judge can answer from "
                                     "them.",
                                     CLI_ROWS,
                                     options,
                                     groups};

/* What every row's work needs; read-only while rows are worked on. */
struct job {
    struct cli *cli;
    struct model_options model_options;
    struct reward_rules rules;
    struct wording wording, video_wording;
    uint64_t seed;
    bool text, dry_run;
    _Atomic long long rows, captions, judgements; /* --dry-run's sums */
};

static int count_row(struct job *job, struct row *row)
{
    struct reward_plan plan;
    if (reward_plan_make(&plan, &job->rules, row) < 0)
        return -1;
    job->rows++;
    job->captions += plan.captions;
    job->judgements += plan.judgements;
    return CLI_DROP;
}

static int reward_row(void *context, struct row *row)
{
    struct job *job = context;
    struct reward_rules rules = job->rules;
    struct reward_scores scores;
    if (job->dry_run)
        return count_row(job, row);
    if (rules.judge)
        rules.ask.request.deadline_ms = model_deadline(rules.judge);
    int status = reward_scores_make(&scores, &rules, row, row_random(row, job->seed, 0));
    if (status == 0)
        status = job->text ? reward_table_set(&scores, row)
                           : reward_scores_set(&scores, &rules, row);
    reward_scores_free(&scores);
    return status;
}

static void read_judging(struct job *job, struct cli *cli)
{
    struct ask_rules *ask = &job->rules.ask;
    ask_options_read(ask, cli);
    ask->orders = (int)cli_int(cli, "rotations", 0, 1, QUESTION_OPTIONS_MAX);
    ask->rounds = (int)cli_int(cli, "rounds", 8, 0, 4096);
    ask->all_qa = cli_has(cli, "all-qa");
    if (ask->all_qa && cli_has(cli, "rounds"))
        cli_bad_usage(cli, "--rounds and --all-qa exclude each other");
    ask->cannot = cli_text(
        cli, "cannot",
        ask->form == ASK_TEXT ? "not stated" : "cannot be answered from the description");
    if (strcmp(ask->cannot, "off") == 0)
        ask->cannot = NULL;
    else if (!*ask->cannot)
        cli_bad_usage(cli, "--cannot: the text is empty (--cannot off leaves it out)");
    ask->wording = &job->wording;
    job->rules.video_wording = &job->video_wording;
    ask->request = (struct request){.n = 1,
                                    .temperature = 0.6,
                                    .top_p = 1,
                                    .repetition_penalty = 1,
                                    .max_tokens = ask->form == ASK_TEXT ? 64 : 10,
                                    .loop_stop = true,
                                    .abandon = model_abandon,
                                    .abandon_context = cli};
    reply_options_read(&ask->request, cli);
}

static void read_weights(struct reward_rules *rules, struct cli *cli)
{
    rules->weights = (struct reward_weights){
        .format = cli_real(cli, "format-weight", 0.2, 0, 1000),
        .length = cli_real(cli, "len-weight", 0.2, 0, 1000),
        .token_cost = cli_real(cli, "token-cost", 0, 0, 1000),
        .flag_cost = cli_real(cli, "flag-cost", 0, 0, 1000),
    };
    rules->format_everywhere = cli_has(cli, "format-weight");
    rules->len_full = (double)cli_int(cli, "len-full", 2048, 0, INT_MAX);
    rules->len_zero = (double)cli_int(cli, "len-zero", 3072, 0, INT_MAX);
}

/* Options into the job. The status of cli_usable(). */
static int read_options(struct job *job, struct cli *cli)
{
    job->cli = job->rules.cli = cli;
    model_options_read(&job->model_options, cli);
    if (!cli_has(cli, "think"))
        job->model_options.think = -1;
    read_judging(job, cli);
    read_weights(&job->rules, cli);
    job->rules.explain = cli_has(cli, "explain");
    job->seed = (uint64_t)cli_int(cli, "seed", 0, 0, INT64_MAX);
    job->dry_run = cli_has(cli, "dry-run");
    if (job->dry_run)
        cli_dry_run(cli);
    job->text = cli_has(cli, "text");
    if (job->text)
        cli_text_output(cli);
    if (!cli_has(cli, "model"))
        return cli_bad_usage(cli, "no judge: give -m JUDGE, or -m none for format and "
                                  "length alone");
    return cli_usable(cli);
}

static int open_wordings(struct job *job)
{
    static const char *const places[] = {"caption", "question", "options", NULL};
    bool letter = job->rules.ask.form == ASK_LETTER;
    const char *path = cli_text(job->cli, "prompt-file", NULL);
    const char *video = cli_text(job->cli, "video-prompt-file", path);
    int needed = letter ? 3 : 2;
    if (wording_open(&job->wording, path, letter ? "judge-letter.txt" : "judge-text.txt",
                     places, needed) < 0 ||
        wording_open(&job->video_wording, video,
                     letter ? "judge-letter-video.txt" : "judge-text.txt", places,
                     needed) < 0)
        return -1;
    return cli_identity_text(job->cli, "prompt", job->wording.text.data) < 0 ||
                   cli_identity_text(job->cli, "video_prompt",
                                     job->video_wording.text.data) < 0
               ? -1
               : 0;
}

static int open_judge(struct job *job, struct cli *cli)
{
    const char *spec = cli_text(cli, "model", NULL);
    if (strcmp(spec, "none") == 0)
        return cli_identity(cli, "model", "none");
    job->rules.judge = model_open(spec, &job->model_options);
    if (!job->rules.judge ||
        ask_score_choose(&job->rules.ask, cli, job->rules.judge) < 0 ||
        cli_identity(cli, "model", model_hash(job->rules.judge)) < 0)
        return -1;
    cli_note(cli, "%s", model_notes(job->rules.judge));
    return open_wordings(job);
}

int main(int argc, char *argv[])
{
    struct cli cli;
    struct job job = {0};
    int status = 0;
    if (cli_start(&cli, &page, argc, argv) != 0)
        return cli.status;
    if (settings_preset(&cli) < 0 || read_options(&job, &cli) < 0 ||
        (job.dry_run && cli_has(&cli, "preset") && settings_print(&cli) < 0) ||
        open_judge(&job, &cli) < 0) {
        status = cli_quit(&cli);
        model_close(job.rules.judge);
    } else {
        struct model *judge = job.rules.judge;
        cli_map(&cli, judge ? model_workers(judge) : 1, reward_row, &job);
        if (job.dry_run)
            cli_say(&cli, NULL, "%lld rows, %lld captions: %lld judgements", job.rows,
                    job.captions, job.judgements);
        model_end(&cli, job.rules.judge);
    }
    wording_close(&job.wording);
    wording_close(&job.video_wording);
    return status ? status : cli_end(&cli);
}
