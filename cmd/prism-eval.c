/* prism-eval: captions measured by what a judge that cannot see the picture answers from
 * them. Rows with questions in, the same with captions, predictions and scores out.
 */
#include "base/replace.h"
#include "model/options.h"
#include "model/work.h"
#include "prism/captioner.h"
#include "prism/compare.h"
#include "prism/compat.h"
#include "prism/judge.h"
#include "prism/manifest.h"
#include "prism/summary.h"
#include "row/cli.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct cli_option options[] = {
    {"judge", 0, CLI_TEXT, "SPEC", "the blind judge (or -m)", true},
    {"captioner", 0, CLI_TEXT, "SPEC", "who captions pictures without captions", true},
    {"captions", 0, CLI_TEXT, "FILE", "captions that are there: rows by image or id",
     false},
    {"keep", 0, CLI_TEXT, "FILE",
     "keep captions that are made in FILE (FILE of -o with .captions.jsonl)", true},
    {"preset", 0, CLI_TEXT, "NAME|FILE",
     "a benchmark's prompts, kind of answer, categories (chartqa, ...)", false},
    {"kind", 0, CLI_TEXT, "KIND",
     "of rows that name none: choice, relaxed, anls, vqa, math, exact or items", false},
    {"rules", 0, CLI_TEXT, "ours|published", "rules to score by (ours)", false},
    {"letter", 0, CLI_TEXT, "RULE",
     "how a choice is read: alone, first-char or anywhere (alone)", false},
    {"prompt", 0, CLI_TEXT, "TEXT",
     "what the captioner is asked (Please describe this image in detail.)", false},
    {"system", 0, CLI_TEXT, "TEXT", "a system turn for the captioner (none)", false},
    {"judge-prompt-file", 0, CLI_TEXT, "FILE",
     "how any question is put: {caption}, {question}, {options} (prism-*.txt)", false},
    {"judge-temperature", 0, CLI_REAL, "X", "sampling of the judge; 0 is greedy (0)",
     false},
    {"judge-max-tokens", 0, CLI_INT, "N", "tokens of the judge's reply at most (512)",
     false},
    {"rejudge", 0, CLI_FLAG, NULL, "judge the captions that rows have themselves", false},
    {"compare", 0, CLI_FLAG, NULL, "no rows: compare two results, A and B", true},
    {"figures", 0, CLI_FLAG, NULL, "no rows: sum up results, such as shards'", true},
    {"caprl-compat", 0, CLI_TEXT, "DIR",
     "write the published script's two files into DIR, by its rules", false},
    {"caprl-tag", 0, CLI_TEXT, "TAG", "in the names of these files (the preset)", true},
    {"caprl-step", 0, CLI_INT, "N", "in the names of these files (0)", true},
    {"summary", 0, CLI_TEXT, "FILE", "write what it comes to as JSON to FILE", true},
    {0}};
static const struct cli_option *const groups[] = {
    model_option_table, sampling_option_table, picture_option_table, NULL};
static const struct cli_page page = {
    "prism-eval",
    "--judge SPEC --captions FILE [option ...] [file ...]",
    "Measure captions by what can be answered from them.",
    CLI_ROWS,
    options,
    groups};

/* What every row's work needs; read-only while rows are worked on, but for store and
 * summary, which have locks. */
struct job {
    struct cli *cli;
    struct model_options judge_options, captioner_options;
    struct item_defaults defaults;
    struct judge judge;
    struct captioner captioner;
    struct store *store;
    uint64_t seed;
    bool rejudge;
    const char *output;   /* -o FILE; NULL: rows are counted as they are done */
    struct compat compat; /* folder NULL: not asked for */
    struct summary summary;
    int64_t flawed;       /* rows counted in summary that count as failed, too */
    pthread_mutex_t lock; /* of summary and flawed */
};

static const struct store_captions *find_captions(struct job *job, struct row *row,
                                                  const struct item *item, int *status)
{
    bool deferred = false;
    const struct store_captions *c =
        store_get(job->store, item->picture, row->has_id ? row->id : (struct span){0});
    *status = -1;
    if (c || !job->captioner.model)
        return c;
    if (!item->picture.s) {
        fail(FAIL_MISSING, "no \"image\"");
        return NULL;
    }
    c = captioner_ask(&job->captioner, job->store, row, item->picture, &deferred);
    if (!c && fail_kind() == FAIL_INTERNAL && store_broken(job->store)) {
        cli_give_up(job->cli, "%s", fail_text()); /* says nothing about the row */
        *status = CLI_ABANDON;
    } else if (!c)
        *status =
            model_status(job->cli, job->captioner.model, deferred ? MODEL_DEFERRED : -1);
    return c;
}

/* Without -o nobody can read the rows again: they are counted as they are written. */
static int count_row(struct job *job, const struct row *row)
{
    struct buf text = {0};
    if (job->output)
        return 0;
    int status = row_render(row, &text);
    if (status == 0) {
        pthread_mutex_lock(&job->lock);
        status = summary_add(&job->summary, (struct span){text.data, text.len},
                             row->number, job->defaults.category);
        job->flawed += row->flawed;
        pthread_mutex_unlock(&job->lock);
    }
    buf_free(&text);
    return status;
}

/* Judge a row's captions. A status for cli_map(). */
static int judge_row(struct job *job, struct row *row, const struct item *item,
                     const struct store_captions *c)
{
    struct prediction *predictions =
        row_alloc(row, (size_t)c->count * sizeof *predictions);
    if (!predictions)
        return -1;
    int status =
        judge_ask(&job->judge, row, item, c, row_random(row, job->seed, 0), predictions);
    if (status != 0)
        return model_status(job->cli, job->judge.model, status);
    return judge_set(&job->judge, row, c, predictions) < 0 ? -1 : count_row(job, row);
}

static int eval_row(void *context, struct row *row)
{
    struct job *job = context;
    struct item item;
    int status = item_read(&item, row, &job->defaults);
    if (status < 0)
        return -1;
    if (job->rejudge) {
        struct store_captions *own = store_own(row->text);
        status = own ? judge_row(job, row, &item, own) : -1;
        store_disown(own);
        return status;
    }
    const struct store_captions *c = find_captions(job, row, &item, &status);
    return c ? judge_row(job, row, &item, c) : status;
}

/* -- Set-up
 * ------------------------------------------------------------------------------ */

static void read_compat(struct job *job, struct cli *cli)
{
    struct compat *c = &job->compat;
    c->folder = cli_text(cli, "caprl-compat", NULL);
    c->tag = cli_text(cli, "caprl-tag", cli_text(cli, "preset", "capmill"));
    c->step = cli_int(cli, "caprl-step", 0, 0, INT64_MAX);
    if (!c->folder && (cli_has(cli, "caprl-tag") || cli_has(cli, "caprl-step")))
        cli_bad_usage(cli, "--caprl-tag, --caprl-step: without --caprl-compat DIR");
    else if (c->folder && !job->output)
        cli_bad_usage(cli, "--caprl-compat: without -o FILE, which its files are made "
                           "from");
    else if (c->folder && strchr(c->tag, '/'))
        cli_bad_usage(cli, "--caprl-tag %s: not part of a file's name", c->tag);
}

static void read_kinds(struct job *job, struct cli *cli)
{
    const char *kind = cli_text(cli, "kind", NULL),
               *letter = cli_text(cli, "letter", "alone");
    job->defaults.kind = -1;
    if (kind && strcmp(kind, "judge") == 0)
        cli_bad_usage(cli, "--kind judge: score with --kind exact, then answer-score "
                           "--kind judge");
    else if (kind && (job->defaults.kind = answer_kind_named(kind, strlen(kind))) < 0)
        cli_bad_usage(
            cli, "--kind %s: not choice, relaxed, anls, vqa, math, exact or items", kind);
    job->judge.rules = option_choice(cli, "rules", "ours|published", 0) == 1
                           ? ANSWER_PUBLISHED
                           : ANSWER_OURS;
    if (job->compat.folder) {
        if (cli_has(cli, "rules") && job->judge.rules == ANSWER_OURS)
            cli_bad_usage(cli, "--caprl-compat scores by the published rules, not ours");
        job->judge.rules = ANSWER_PUBLISHED;
        job->judge.keep_tokens = true;
    }
    int rule = letter_rule_named(letter);
    if (rule < 0)
        cli_bad_usage(cli, "--letter %s: not alone, first-char or anywhere", letter);
    job->judge.letter = (enum letter_rule)rule;
}

/* The captioner's own options, where nobody captions: most likely meant for the judge. */
static void say_idle_options(struct cli *cli)
{
    static const struct {
        const char *name, *instead;
    } idle[] = {{"prompt", "; the judge's is --judge-prompt-file"},
                {"system", ""},
                {"keep", ""},
                {"samples", ""},
                {"temperature", "; the judge's is --judge-temperature"},
                {"top-p", ""},
                {"top-k", ""},
                {"min-p", ""},
                {"repetition-penalty", ""},
                {"presence-penalty", ""},
                {"max-tokens", "; the judge's is --judge-max-tokens"},
                {"stop", ""}};
    for (size_t i = 0; i < sizeof idle / sizeof *idle; i++)
        if (cli_has(cli, idle[i].name))
            cli_say(cli, NULL,
                    "--%s is the captioner's, and there is none (--captioner): it does "
                    "nothing%s",
                    idle[i].name, idle[i].instead);
}

static int read_options(struct job *job, struct cli *cli)
{
    job->cli = cli;
    model_options_read(&job->judge_options, cli);
    job->captioner_options = job->judge_options;
    if (!cli_has(cli, "think"))
        job->judge_options.think = -1;
    job->captioner_options.chat = NULL; /* --chat is the judge's */
    job->captioner.request = (struct request){.n = 1,
                                              .temperature = 1,
                                              .top_p = 1,
                                              .repetition_penalty = 1,
                                              .max_tokens = 2048,
                                              .abandon = model_abandon,
                                              .abandon_context = cli};
    request_options_read(&job->captioner.request, cli);
    picture_options_read(&job->captioner_options, &job->captioner.request, cli);
    job->judge.request = (struct request){
        .n = 1,
        .temperature = cli_real(cli, "judge-temperature", 0, 0, 100),
        .top_p = 1,
        .repetition_penalty = 1,
        .max_tokens = (int)cli_int(cli, "judge-max-tokens", 512, 1, 1 << 24),
        .loop_stop = true,
        .abandon = model_abandon,
        .abandon_context = cli};
    job->seed = (uint64_t)cli_int(cli, "seed", 0, 0, INT64_MAX);
    job->captioner.seed = job->seed;
    job->captioner.conversation = (struct conversation_options){
        .root = cli_text(cli, "root", NULL),
        .allow_url = cli_text(cli, "allow-url", NULL),
        .system = cli_text(cli, "system", NULL),
        .prompt = cli_text(cli, "prompt", "Please describe this image in detail."),
        .prompt_given = cli_has(cli, "prompt")};
    job->output = cli_text(cli, "output", NULL);
    if (job->output && strcmp(job->output, "-") == 0)
        job->output = NULL;
    read_compat(job, cli);
    read_kinds(job, cli);
    if (cli_has(cli, "ids") || cli_has(cli, "logprobs"))
        cli_bad_usage(cli, "--ids, --logprobs: captions with these come from caption(1)");
    if (!cli_has(cli, "judge") && !cli_has(cli, "model"))
        return cli_bad_usage(cli, "no judge: give --judge SPEC");
    job->rejudge = cli_has(cli, "rejudge");
    if (job->rejudge + cli_has(cli, "captioner") + cli_has(cli, "captions") == 0)
        return cli_bad_usage(cli, "no captions: give --captions FILE or --captioner SPEC "
                                  "(--rejudge where rows have them)");
    if (job->rejudge && (cli_has(cli, "captioner") || cli_has(cli, "captions")))
        return cli_bad_usage(cli, "--rejudge takes the rows' own captions, no others");
    if (cli_has(cli, "captioner") &&
        (cli_has(cli, "batch-out") || cli_has(cli, "batch-in")))
        return cli_bad_usage(cli, "--batch-out, --batch-in: caption(1) first, then "
                                  "--captions FILE: a batch is one stage");
    if (!cli_has(cli, "captioner") && cli_usable(cli) == 0)
        say_idle_options(cli);
    return cli_usable(cli);
}

/* The prompts: a preset's, or the common ones. */
static int open_prompts(struct job *job)
{
    static const char *const places[] = {"caption", "question", "options", NULL};
    static const char *const place[] = {"caption", NULL};
    const char *preset = cli_text(job->cli, "preset", NULL);
    struct preset *p = &job->judge.prompts;
    if (wording_open(&job->judge.place, NULL, "prism-place.txt", place, 1) < 0)
        return -1;
    const char *file = cli_text(job->cli, "judge-prompt-file", NULL);
    if (preset) {
        if (preset_read(p, preset) < 0)
            return -1;
        if (job->defaults.kind < 0)
            job->defaults.kind = (int)p->kind;
    }
    if (preset && file)
        return fail(FAIL_REFUSED, "--preset and --judge-prompt-file exclude each other");
    if (!preset &&
        (wording_open(&p->choice, file, "prism-choice.txt", places, file ? 2 : 3) < 0 ||
         wording_open(&p->open, file, "prism-open.txt", places, 2) < 0))
        return -1;
    job->judge.hide_options = file && !wording_has(&p->choice, "options");
    job->defaults.category = p->category ? p->category : "category";
    return cli_identity_text(job->cli, "prompt", job->captioner.conversation.prompt) <
                       0 ||
                   manifest_identity(job->cli, &job->judge) < 0
               ? -1
               : 0;
}

/* Rows must not take the place of the captions that they are made from. 0 or -1. */
static int check_captions(const struct job *job, const char *path)
{
    struct stat in, out;
    if (job->output && stat(path, &in) == 0 && stat(job->output, &out) == 0 &&
        in.st_dev == out.st_dev && in.st_ino == out.st_ino)
        return fail(FAIL_REFUSED, "--captions %s: is the output, too", path);
    return 0;
}

/* Captions that are there, and where those that are made are kept. */
static int open_store(struct job *job)
{
    const char *captions = cli_text(job->cli, "captions", NULL);
    const char *keep = cli_text(job->cli, "keep", NULL);
    struct buf name = {0};
    char made[33];
    if (!(job->store = store_new()) ||
        (captions &&
         (check_captions(job, captions) < 0 || store_load(job->store, captions) < 0)))
        return -1;
    if (captions)
        cli_note(job->cli,
                 "%s: captions for %ld pictures and ids, %ld rows with an error",
                 captions, store_count(job->store), store_left_out(job->store));
    if (!job->captioner.model || (!keep && !job->output))
        return 0;
    buf_text(&name, keep ? keep : job->output);
    buf_text(&name, keep ? "" : ".captions.jsonl");
    manifest_made(&job->captioner, made);
    int status = buf_string(&name) && cli_check_file(job->cli, name.data) == 0
                     ? store_keep(job->store, name.data, made)
                     : -1;
    if (status == 0)
        cli_note(job->cli, "%s: captions for %ld pictures", name.data,
                 store_count(job->store));
    buf_free(&name);
    return status;
}

static int open_all(struct job *job)
{
    struct cli *cli = job->cli;
    const char *judge = cli_text(cli, "judge", cli_text(cli, "model", NULL));
    const char *captioner = cli_text(cli, "captioner", NULL);
    const char *summary = cli_text(cli, "summary", NULL);
    if (summary && (cli_check_file(cli, summary) < 0 || file_replaceable(summary) < 0))
        return -1;
    if (job->compat.folder && compat_check(&job->compat) < 0)
        return -1;
    job->judge.model = model_open(judge, &job->judge_options);
    if (!job->judge.model || cli_identity(cli, "model", model_hash(job->judge.model)) < 0)
        return -1;
    cli_note(cli, "judge: %s", model_notes(job->judge.model));
    if (captioner) {
        job->captioner.model = model_open(captioner, &job->captioner_options);
        if (!job->captioner.model ||
            cli_identity(cli, "captioner", model_hash(job->captioner.model)) < 0)
            return -1;
        cli_note(cli, "captioner: %s", model_notes(job->captioner.model));
    }
    return open_prompts(job) < 0 ? -1 : open_store(job);
}

/* -- End
 * --------------------------------------------------------------------------------- */

static void say_table(struct cli *cli, struct buf *table)
{
    char *text = table->len ? (char *)buf_string(table) : NULL, *rest = text, *line;
    while (text && (line = strsep(&rest, "\n")))
        if (*line)
            cli_say(cli, NULL, "%s", line);
}

static int write_compat(struct job *job)
{
    int64_t left_out = 0;
    int status = compat_write(&job->compat, job->output, &left_out);
    if (status == 0 && left_out)
        cli_say(job->cli, NULL,
                "%s: %" PRId64
                " rows with an error are left out: figures are of the rest",
                job->compat.folder, left_out);
    return status;
}

/* What the whole benchmark comes to, rows of earlier runs included. 0 or -1. */
static int sum_up(struct job *job)
{
    const char *path = cli_text(job->cli, "summary", NULL);
    const char *errors = cli_text(job->cli, "errors", NULL);
    struct buf json = {0}, table = {0};
    struct cli_counts counts;
    char hash[33];
    int status = 0;
    cli_count(job->cli, &counts);
    if (!counts.whole)
        return 0; /* a part's figures would pass for the benchmark's */
    if (job->output)
        status = summary_read(&job->summary, job->output, job->defaults.category);
    else
        job->summary.failed = counts.failed + counts.passed - job->flawed;
    if (status == 0 && job->output && errors)
        status = summary_read(&job->summary, errors, job->defaults.category);
    if (status == 0)
        status = summary_measure(&job->summary, job->seed);
    if (status == 0)
        status = summary_table(&job->summary, &table);
    if (status == 0)
        say_table(job->cli, &table);
    if (status == 0 && path) {
        buf_char(&json, '{');
        status = summary_put(&job->summary, job->seed, &json);
        buf_text(&json, ",\"manifest\":");
        store_hash(job->store, hash);
        manifest_put(&json, &job->judge, job->captioner.model ? &job->captioner : NULL,
                     cli_text(job->cli, "captions", NULL), hash, job->seed);
        buf_text(&json, "}\n");
        if (status == 0)
            status = buf_ok(&json) < 0 ? -1 : file_replace(path, json.data, json.len);
    }
    buf_free(&json);
    buf_free(&table);
    return status < 0 || !job->compat.folder ? status : write_compat(job);
}

static void release(struct job *job)
{
    preset_close(&job->judge.prompts);
    wording_close(&job->judge.place);
    summary_free(&job->summary);
    store_free(job->store);
    pthread_mutex_destroy(&job->lock);
}

/* -- Results that are there: no rows, no model
 * ----------------------------------------- */

/* Where they are written to. 0 or -1. */
static int check_summary(struct cli *cli)
{
    const char *path = cli_text(cli, "summary", NULL);
    if (cli_has(cli, "output"))
        cli_bad_usage(cli, "-o FILE: what --compare and --figures write goes to standard "
                           "output and --summary FILE");
    if (cli_usable(cli) < 0)
        return -1;
    return path && (cli_check_file(cli, path) < 0 || file_replaceable(path) < 0) ? -1 : 0;
}

/* The program's status: json as --summary FILE, table for the eye; status < 0: there are
 * none. */
static int show(struct cli *cli, int status, struct buf *json, struct buf *table)
{
    const char *path = cli_text(cli, "summary", NULL);
    if (status == 0 && (buf_ok(json) < 0 || buf_ok(table) < 0))
        status = -1;
    if (status < 0)
        return cli_quit(cli);
    say_table(cli, table);
    if (path && file_replace(path, json->data, json->len) < 0)
        cli_give_up(cli, "%s", fail_text());
    return cli_end(cli);
}

/* --compare A B. The program's status. */
static int compare(struct cli *cli)
{
    uint64_t seed = (uint64_t)cli_int(cli, "seed", 0, 0, INT64_MAX);
    struct buf changed = {0}, table = {0}, json = {0};
    struct compared c;
    if (cli->args != 2)
        cli_bad_usage(cli, "--compare: give two files that prism-eval wrote");
    int status = check_summary(cli);
    if (status == 0)
        status = compare_files(&c, cli->arg[0], cli->arg[1], seed, &changed);
    if (status == 0) {
        if (changed.len)
            fwrite(changed.data, 1, changed.len, stdout);
        compare_table(&table, &c);
        compare_put(&json, &c, seed);
    }
    status = show(cli, status, &json, &table);
    buf_free(&changed);
    buf_free(&table);
    buf_free(&json);
    return status;
}

/* --figures FILE ... The program's status. */
static int figures(struct cli *cli)
{
    uint64_t seed = (uint64_t)cli_int(cli, "seed", 0, 0, INT64_MAX);
    const char *preset = cli_text(cli, "preset", NULL);
    struct buf table = {0}, json = {0};
    struct summary s = {0};
    struct preset p = {0};
    if (cli->args == 0)
        cli_bad_usage(cli, "--figures: give files that prism-eval wrote");
    int status = check_summary(cli);
    if (status == 0 && preset)
        status = preset_read(&p, preset);
    for (int i = 0; i < cli->args && status == 0; i++)
        status = summary_read(&s, cli->arg[i], p.category ? p.category : "category");
    if (status == 0 && s.count == 0)
        status = fail(FAIL_REFUSED, "%s: no row with a score", cli->arg[0]);
    if (status == 0 && (status = summary_measure(&s, seed)) == 0) {
        buf_char(&json, '{');
        summary_put(&s, seed, &json);
        buf_text(&json, "}\n");
        summary_table(&s, &table);
    }
    status = show(cli, status, &json, &table);
    preset_close(&p);
    summary_free(&s);
    buf_free(&table);
    buf_free(&json);
    return status;
}

/* How many rows are worked on at once. Most rows wait for captions of a picture that
 * another row has asked for: those behind them must be looked at to keep a captioner
 * busy, which takes as many requests at once as it would anyway. */
static int workers(const struct job *job)
{
    enum { ROWS_A_PICTURE = 8, MOST = 512 };
    int judging = model_workers(job->judge.model);
    if (!job->captioner.model)
        return judging;
    int captioning = ROWS_A_PICTURE * model_workers(job->captioner.model);
    captioning = captioning > MOST ? MOST : captioning;
    return captioning > judging ? captioning : judging;
}

int main(int argc, char *argv[])
{
    struct cli cli;
    struct job job = {0};
    if (cli_start(&cli, &page, argc, argv) != 0)
        return cli.status;
    if (cli_has(&cli, "compare"))
        return compare(&cli);
    if (cli_has(&cli, "figures"))
        return figures(&cli);
    pthread_mutex_init(&job.lock, NULL);
    if (read_options(&job, &cli) < 0 || open_all(&job) < 0) {
        int status = cli_quit(&cli);
        model_close(job.captioner.model);
        model_close(job.judge.model);
        release(&job);
        return status;
    }
    cli_map(&cli, workers(&job), eval_row, &job);
    if (sum_up(&job) < 0)
        cli_give_up(&cli, "%s", fail_text());
    if (job.captioner.model)
        model_end(&cli, job.captioner.model);
    model_end(&cli, job.judge.model);
    release(&job);
    return cli_end(&cli);
}
