/* cli.c: begin and end of a program: its options, its set-up, its exit status. */
#include "base/folder.h"
#include "base/jansson_memory.h"
#include "row/cli_own.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* -- Messages ------------------------------------------------------------------------ */

int cli_bad_usage(struct cli *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_list(&cli->own->say, format, args);
    va_end(args);
    say(&cli->own->say, "try %s --help", cli->page->name);
    cli->own->unusable = true;
    cli->status = CLI_USAGE;
    return -1;
}

void cli_note(struct cli *cli, const char *format, ...)
{
    va_list args;
    if (!cli->own->verbose)
        return;
    va_start(args, format);
    say_list(&cli->own->say, format, args);
    va_end(args);
}

int cli_identity(struct cli *cli, const char *name, const char *text)
{
    struct cli_private *own = cli->own;
    assert(!own->begun && "the identity is sealed with the first row");
    buf_print(&own->identity, "%s=%s\n", name, text);
    buf_char(&own->stamp, ',');
    json_put_text(&own->stamp, span_of(name));
    buf_char(&own->stamp, ':');
    json_put_text(&own->stamp, span_of(text));
    return own->identity.bad || own->stamp.bad ? fail_memory() : 0;
}

int cli_hash(struct cli *cli, const char *name, const char *text)
{
    assert(!cli->own->begun && "the identity is sealed with the first row");
    buf_print(&cli->own->identity, "%s=%s\n", name, text);
    return buf_ok(&cli->own->identity);
}

int cli_identity_text(struct cli *cli, const char *name, const char *text)
{
    char hex[33];
    key_hex(hex, text, strlen(text));
    return cli_identity(cli, name, hex);
}

/* -- Option values ------------------------------------------------------------------- */

static const struct option_value *value(const struct cli *cli, const char *name)
{
    const struct option_value *v = options_value(&cli->own->options, name);
    assert(v && "an option that no table has");
    return v;
}

bool cli_has(const struct cli *cli, const char *name)
{
    return value(cli, name)->count > 0;
}

const char *cli_text(const struct cli *cli, const char *name, const char *otherwise)
{
    const struct option_value *v = value(cli, name);
    return v->count > 0 ? v->texts[v->count - 1] : otherwise;
}

int cli_list(const struct cli *cli, const char *name, const char *const **values)
{
    const struct option_value *v = value(cli, name);
    *values = v->texts;
    return v->count;
}

int64_t cli_int(struct cli *cli, const char *name, int64_t otherwise, int64_t least,
                int64_t most)
{
    const char *text = cli_text(cli, name, NULL);
    int64_t x;
    if (!text)
        return otherwise;
    if (option_int(text, &x) && x >= least && x <= most)
        return x;
    if (most == INT64_MAX)
        cli_bad_usage(cli, "--%s %s: not an integer of at least %" PRId64, name, text,
                      least);
    else
        cli_bad_usage(cli, "--%s %s: not an integer from %" PRId64 " to %" PRId64, name,
                      text, least, most);
    return otherwise;
}

double cli_real(struct cli *cli, const char *name, double otherwise, double least,
                double most)
{
    const char *text = cli_text(cli, name, NULL);
    double x;
    if (!text)
        return otherwise;
    if (option_real(text, &x) && x >= least && x <= most)
        return x;
    if (most >= 1e300)
        cli_bad_usage(cli, "--%s %s: not a number of at least %g", name, text, least);
    else
        cli_bad_usage(cli, "--%s %s: not a number from %g to %g", name, text, least,
                      most);
    return otherwise;
}

int cli_preset(struct cli *cli, const char *name, const char *value, const char *from)
{
    return options_preset(&cli->own->options, name, value, from);
}

void cli_settings(const struct cli *cli, struct buf *out)
{
    options_rows(&cli->own->options, out);
}

int cli_usable(const struct cli *cli)
{
    return cli->own->unusable ? -1 : 0;
}

/* -- Start --------------------------------------------------------------------------- */

void cli_stop(struct cli *cli, enum stop why)
{
    struct cli_private *own = cli->own;
    int before = STOP_NOT;
    /* What lets rows in flight be written gives way to what does not. */
    while (!atomic_compare_exchange_weak(&own->stop, &before, (int)why))
        if (stop_cuts_short((enum stop)before) ||
            (before != STOP_NOT && !stop_cuts_short(why)))
            return;
    uint64_t one = 1;
    if (own->wait.wake_fd >= 0 && write(own->wait.wake_fd, &one, sizeof one) < 0)
        return; /* it is readable already */
}

void cli_give_up(struct cli *cli, const char *format, ...)
{
    struct cli_private *own = cli->own;
    if (atomic_exchange(&own->given_up, true))
        return;
    va_list args;
    va_start(args, format);
    say_list(&own->say, format, args);
    va_end(args);
    cli_stop(cli, STOP_GIVEN_UP);
}

bool cli_stopping(const struct cli *cli)
{
    return cli->own->stop != STOP_NOT;
}

bool cli_input_closed(const struct cli *cli)
{
    const struct feed *f = &cli->own->feed;
    struct pollfd fd = {.fd = STDIN_FILENO};
    bool is_read = false;
    for (int i = 0; i < f->count; i++) is_read = is_read || strcmp(f->args[i], "-") == 0;
    return is_read && poll(&fd, 1, 0) > 0 && (fd.revents & POLLHUP);
}

int cli_heed_signals(struct cli *cli)
{
    return watch_start(cli);
}

const struct stream_wait *cli_wait(const struct cli *cli)
{
    return &cli->own->wait;
}

static void set_waiting(void *context, bool yes)
{
    struct cli *cli = context;
    struct cli_private *own = cli->own;
    own->waiting = yes;
    if (!yes || cli->page->input == CLI_NO_ROWS)
        return;
    sink_flush(&own->sink);
    if (own->sink.error)
        cli_stop(cli, own->sink.error == EPIPE ? STOP_PIPE : STOP_OUTPUT);
}

enum { CLOSED_IN = 1, CLOSED_OUT = 2 };

/* A file must never land on a descriptor of 0 to 2 that came closed: rows or messages
 * would be written into it. What is put there is opened the wrong way round, so that
 * reading and writing fail as they did. Which of 0 and 1 were closed. */
static int guard_descriptors(void)
{
    int closed = 0;
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        closed |= fd == 0 ? CLOSED_IN : fd == 1 ? CLOSED_OUT : 0;
        if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            _exit(CLI_USAGE);
    }
    return closed;
}

/* Print text on standard output; the status. */
static int print_page(struct cli *cli, struct buf *text)
{
    int status = CLI_OK;
    if (text->bad || output_write(STDOUT_FILENO, text->data, text->len) < 0) {
        say(&cli->own->say, "standard output: %s", strerror(text->bad ? ENOMEM : errno));
        status = CLI_USAGE;
    }
    buf_free(text);
    return status;
}

/* --help and its like. true: cli->status is the program's. */
static bool answered(struct cli *cli)
{
    const struct options *options = &cli->own->options;
    const char *shell = cli_text(cli, "completion", NULL);
    struct buf text = {0};
    if (cli_has(cli, "help")) {
        help_page(&text, options, cli->page);
    } else if (cli_has(cli, "version")) {
        buf_print(&text, "%s (capmill) %s\n", cli->page->name, CAPMILL_VERSION);
    } else if (cli_has(cli, "options")) {
        help_names(&text, options);
    } else if (shell && strcmp(shell, "bash") == 0) {
        help_completion(&text, options, cli->page->name);
    } else if (shell) {
        cli_bad_usage(cli, "--completion %s: only bash is known", shell);
        return true;
    } else {
        return false;
    }
    cli->status = print_page(cli, &text);
    return true;
}

/* A whole number at s up to the byte end. Behind it, or NULL. */
static const char *parse_count(const char *s, char end, int64_t *x)
{
    char *stop;
    if (*s < '0' || *s > '9')
        return NULL;
    errno = 0;
    *x = strtoll(s, &stop, 10);
    return errno == 0 && *stop == end ? stop + (end != '\0') : NULL;
}

static int parse_row_options(struct cli *cli)
{
    struct cli_private *own = cli->own;
    const char *shard = cli_text(cli, "shard", NULL), *s;
    const char *errors = cli_text(cli, "max-errors", NULL);
    char percent[32];
    if (shard && (!(s = parse_count(shard, '/', &own->shard)) ||
                  !parse_count(s, '\0', &own->shards) || own->shard >= own->shards))
        return cli_bad_usage(cli, "--shard %s: must be I/N with I from 0 to N-1", shard);
    if (errors && !parse_count(errors, '\0', &own->max_errors)) {
        size_t n = strlen(errors);
        if (n < 2 || n > sizeof percent || errors[n - 1] != '%')
            return cli_bad_usage(cli, "--max-errors %s: must be N or P%%", errors);
        memcpy(percent, errors, n - 1);
        percent[n - 1] = '\0';
        if (!option_real(percent, &own->max_percent) || own->max_percent < 0 ||
            own->max_percent > 100)
            return cli_bad_usage(
                cli, "--max-errors %s: must be N or P%%, P from 0 to 100", errors);
        own->max_errors = -1;
    }
    own->limit = cli_int(cli, "limit", -1, 0, INT64_MAX);
    own->id_key = cli_text(cli, "id-key", "id");
    own->unordered = cli_has(cli, "unordered");
    own->stamp_rows = cli_has(cli, "stamp");
    own->progress = cli_has(cli, "progress");
    own->plan = (struct sink_plan){.path = cli_text(cli, "output", NULL),
                                   .errors = cli_text(cli, "errors", NULL),
                                   .resume = cli_has(cli, "resume"),
                                   .force = cli_has(cli, "force"),
                                   .retry = cli_has(cli, "retry-errors")};
    if (own->plan.path && strcmp(own->plan.path, "-") == 0)
        own->plan.path = NULL;
    static const char *const names[] = {"id-key", "output", "errors"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!*cli_text(cli, names[i], "-"))
            return cli_bad_usage(cli, "--%s: the name is empty", names[i]);
    if (own->plan.errors && strcmp(own->plan.errors, "-") == 0)
        return cli_bad_usage(cli, "--errors -: name a file (/dev/stdout where the rows "
                                  "themselves go to -o FILE)");
    if (own->plan.resume && !own->plan.path)
        return cli_bad_usage(cli, "--resume needs -o FILE");
    if (own->plan.retry && !own->plan.resume)
        return cli_bad_usage(cli, "--retry-errors needs --resume");
    if (own->plan.resume && own->plan.force)
        return cli_bad_usage(cli, "--resume and --force exclude each other");
    return cli_usable(cli);
}

/* Are rows read from standard input? */
static bool reads_stdin(const struct cli *cli)
{
    bool reads = cli->args == 0;
    for (int i = 0; i < cli->args; i++) reads = reads || strcmp(cli->arg[i], "-") == 0;
    return reads;
}

/* Would writing path destroy one of the inputs? */
static int check_overlap(const struct cli *cli, const char *path)
{
    bool same = path && reads_stdin(cli) && path_same(path, "/dev/stdin");
    for (int i = 0; path && i < cli->args; i++)
        same = same || path_same(path, cli->arg[i]);
    return same ? fail(FAIL_REFUSED, "%s: is an input of this run too", path) : 0;
}

int cli_check_file(const struct cli *cli, const char *path)
{
    const struct sink_plan *plan = &cli->own->plan;
    const char *const outputs[] = {plan->path, plan->errors};
    for (int i = 0; i < 2; i++)
        if (outputs[i] && (strcmp(outputs[i], path) == 0 || path_same(outputs[i], path)))
            return fail(FAIL_REFUSED, "%s: is an output of this run already", path);
    return check_overlap(cli, path);
}

/* What can be checked before a model is loaded. */
static int set_up_rows(struct cli *cli, int closed)
{
    struct cli_private *own = cli->own;
    bool media = cli->page->input == CLI_ROWS_OR_MEDIA;
    if (reads_stdin(cli) && (closed & CLOSED_IN))
        return fail(FAIL_REFUSED, "standard input is closed");
    if (!own->plan.path && (closed & CLOSED_OUT))
        return fail(FAIL_REFUSED, "standard output is closed");
    if (feed_open(&own->feed, cli->arg, cli->args, media, &own->wait) < 0 ||
        sink_check(&own->plan) < 0 ||
        check_overlap(cli, own->plan.path ? own->plan.path : "/dev/stdout") < 0 ||
        check_overlap(cli, own->plan.errors) < 0)
        return -1;
    own->feed.absolute = options_find(&own->options, "root") >= 0 && cli_has(cli, "root");
    /* Pictures named as arguments are relative to the working folder, rows' to --root. */
    if (media && options_find(&own->options, "root") >= 0 && cli_has(cli, "root") &&
        feed_has_media(&own->feed))
        return fail(FAIL_REFUSED,
                    "--root is for rows, not for pictures and folders named "
                    "as arguments");
    return watch_start(cli);
}

static void release(struct cli *cli)
{
    struct cli_private *own = cli->own;
    watch_end(cli);
    if (own->begun)
        sink_close(&own->sink, false);
    feed_close(&own->feed);
    key_counts_free(&own->counts);
    tokens_free(&own->tokens);
    buf_free(&own->identity);
    buf_free(&own->stamp);
    buf_free(&own->given);
    options_free(&own->options);
    say_close(&own->say);
    free(own);
    cli->own = NULL;
}

int cli_start(struct cli *cli, const struct cli_page *page, int argc, char *argv[])
{
    int closed = guard_descriptors(), first;
    jansson_memory();
    *cli = (struct cli){.page = page, .status = CLI_USAGE};
    struct cli_private *own = calloc(1, sizeof *own);
    if (!own) {
        struct say without;
        say_open(&without, page->name);
        say(&without, "out of memory");
        say_close(&without);
        return -1;
    }
    cli->own = own;
    own->shards = 1;
    own->max_errors = -1;
    own->max_percent = -1;
    own->wait = (struct stream_wait){-1, set_waiting, cli};
    own->watch.signal_fd = own->watch.end_fd = -1;
    clock_gettime(CLOCK_MONOTONIC, &own->start);
    say_open(&own->say, page->name);
    if (options_open(&own->options, page) < 0)
        return cli_quit(cli);
    if (options_parse(&own->options, argc, argv, &first) < 0) {
        cli_bad_usage(cli, "%s", fail_text());
        release(cli);
        return -1;
    }
    cli->args = argc - first;
    cli->arg = argv + first;
    own->verbose = cli_has(cli, "verbose");
    if (answered(cli) || (page->input != CLI_NO_ROWS && parse_row_options(cli) < 0)) {
        release(cli);
        return -1;
    }
    if (page->input != CLI_NO_ROWS && set_up_rows(cli, closed) < 0)
        return cli_quit(cli);
    cli->status = CLI_OK;
    return 0;
}

/* -- End ----------------------------------------------------------------------------- */

int cli_quit(struct cli *cli)
{
    bool stopped = cli->page->input == CLI_NO_ROWS && cli_stopping(cli);
    if (!cli->own->unusable && !cli->own->given_up) /* else the message is out already */
        say(&cli->own->say, "%s", stopped ? "interrupted" : fail_text());
    watch_end(cli);
    release(cli);
    return cli->status = stopped ? CLI_INTERRUPTED : CLI_USAGE;
}

/* The run stopped early: say why. The status. */
static int report_stop(struct cli *cli, enum stop why)
{
    struct cli_private *own = cli->own;
    bool file = own->plan.path && !path_is_stream(own->plan.path);
    const char *hint = file ? "; --resume goes on from here" : "";
    switch (why) {
    case STOP_SETUP: return CLI_USAGE;
    case STOP_PIPE: return CLI_INTERRUPTED; /* quietly: the reader had enough */
    case STOP_ERRORS:
        say(&own->say, "stopped: more failed rows than --max-errors %s",
            cli_text(cli, "max-errors", ""));
        return CLI_TOO_MANY;
    case STOP_OUTPUT:
        if (own->sink.error)
            say(&own->say, "%s: %s%s", own->sink.error_name, strerror(own->sink.error),
                hint);
        return CLI_INTERRUPTED;
    case STOP_GIVEN_UP: say(&own->say, "stopped%s", hint); return CLI_INTERRUPTED;
    default: say(&own->say, "interrupted%s", hint); return CLI_INTERRUPTED;
    }
}

void cli_count(struct cli *cli, struct cli_counts *counts)
{
    struct cli_private *own = cli->own;
    if (own->started) {
        sink_flush(&own->sink);
        if (own->sink.error)
            cli_stop(cli, own->sink.error == EPIPE ? STOP_PIPE : STOP_OUTPUT);
    }
    *counts =
        (struct cli_counts){.rows = own->rows - own->copied,
                            .failed = own->failed,
                            .passed = own->passed,
                            .before = own->sink.before.rows + own->copied,
                            .whole = own->ended && !own->abandoned && !own->lost &&
                                     (own->stop == STOP_NOT || own->stop == STOP_SIGNAL)};
}

static int end_rows(struct cli *cli)
{
    struct cli_private *own = cli->own;
    watch_end(cli);
    enum stop why = own->stop;
    if (!own->begun) /* the program never asked for a row */
        return why == STOP_NOT ? cli->status : report_stop(cli, why);
    bool whole = own->ended && !own->abandoned && !own->lost;
    if (own->started) { /* else the output could not be opened */
        long long before = own->worked > 0 ? own->sink.before.failed : 0;
        bool over = failed_too_often(own, true) && own->worked > 0;
        own->failed += before;
        if (sink_close(&own->sink, whole && !stop_cuts_short(why)) < 0)
            why = own->sink.error == EPIPE ? STOP_PIPE : STOP_OUTPUT;
        else if (over)
            why = STOP_ERRORS;
    }
    if (why != STOP_NOT && !(why == STOP_SIGNAL && whole))
        return report_stop(cli, why);
    if (own->lost)
        return CLI_USAGE;
    if (!whole)
        return CLI_INTERRUPTED;
    return own->failed > 0 ? CLI_BAD_ROWS : CLI_OK;
}

int cli_end(struct cli *cli)
{
    int status = cli->status;
    if (cli->page->input != CLI_NO_ROWS)
        status = end_rows(cli);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (errno != EPIPE)
            say(&cli->own->say, "standard output: %s", strerror(errno));
        status = CLI_INTERRUPTED;
    }
    release(cli);
    return cli->status = status;
}
