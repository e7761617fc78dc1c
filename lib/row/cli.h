/* cli.h: the manners every program keeps: options, input, output, messages, exit status.
 *
 *     int main(int argc, char *argv[])
 *     {
 *         struct cli cli;
 *         if (cli_start(&cli, &page, argc, argv) != 0)
 *             return cli.status;
 *         ... cli_map(&cli, workers, work, context) or a loop over rows_next() ...
 *         return cli_end(&cli);
 *     }
 *
 * cli.c and its neighbours are the one place that writes messages or picks the status.
 */
#ifndef CLI_H
#define CLI_H
#include "row/row.h"
#include <stdint.h>

enum cli_status {
    CLI_OK = 0,
    CLI_BAD_ROWS = 1,     /* some rows failed */
    CLI_USAGE = 2,        /* usage or set-up */
    CLI_TOO_MANY = 3,     /* over --max-errors */
    CLI_INTERRUPTED = 75, /* interrupted, out of space, or nobody reads: resumable */
};

enum cli_kind {
    CLI_FLAG,  /* --name */
    CLI_INT,   /* --name N, range checked when read */
    CLI_REAL,  /* --name X */
    CLI_TEXT,  /* --name TEXT */
    CLI_MAYBE, /* --name (the value is "") or --name=TEXT */
    CLI_LIST,  /* may be given several times: --name TEXT --name TEXT */
};

/* One option. Name "" is a heading: its help text stands above what follows in --help.
 * Help NULL: the option works and is not shown. */
struct cli_option {
    const char *name; /* long name, without dashes */
    char letter;      /* short form, or 0 */
    enum cli_kind kind;
    const char *arg;  /* what the value is, for --help; NULL for a flag */
    const char *help; /* one line, its default in parentheses at the end */
    bool no_hash;     /* does not change row bytes: not in the options hash (--threads) */
};

enum cli_input {
    CLI_ROWS,          /* files of rows, or stdin */
    CLI_ROWS_OR_MEDIA, /* ... and pictures and folders named as arguments */
    CLI_NO_ROWS,       /* no row input: arguments are the program's own */
};

/* A program's page. The tables end with a zeroed entry. */
struct cli_page {
    const char *name;    /* "caption" */
    const char *usage;   /* "[option ...] [file ...]" */
    const char *purpose; /* one line for --help */
    enum cli_input input;
    const struct cli_option *options; /* its own */
    const struct cli_option *const
        *groups; /* shared tables (model, sampling, ...), NULL-ended; may be NULL */
};

struct cli {
    int status; /* what main returns if cli_start() is not 0 */
    const struct cli_page *page;
    int args; /* arguments after the options (CLI_NO_ROWS) */
    char **arg;
    struct cli_private *own;
};

/* Read options, check input and output, set up signals. (The output is opened, and with
 * --resume cut, before the first row: only then is the run's identity complete.) 0, or
 * nonzero when main should return cli->status: --help and --version (printed to stdout,
 * 0), --completion bash, bad usage or set-up (message printed, 2). A row program's
 * standard options (-o, --resume, --force, --retry-errors, --errors,
 * --max-errors, --id-key, --shard, --limit, --unordered, --progress, --stamp, -v, ...)
 * come by themselves. */
int cli_start(struct cli *cli, const struct cli_page *page, int argc, char *argv[]);

/* Option values. Asking for a name that no table has is our mistake (assert). */
bool cli_has(const struct cli *cli, const char *name);
const char *cli_text(const struct cli *cli, const char *name, const char *otherwise);
int cli_list(const struct cli *cli, const char *name,
             const char *const **values); /* count */
/* Range-checked numbers: out of [least, most] (or not a number) prints a message that
 * names the option and its range, and sets cli->status 2; see cli_usable(). */
int64_t cli_int(struct cli *cli, const char *name, int64_t otherwise, int64_t least,
                int64_t most);
double cli_real(struct cli *cli, const char *name, double otherwise, double least,
                double most);
/* Give an option a value, unless the command line has; `from` says where it is from (both
 * are copied). Before it is read. 0, or -1 (refused: no such option; memory). */
int cli_preset(struct cli *cli, const char *name, const char *value, const char *from);
/* Append all settings, a row each: {"option","value","from"}; from is "given", what
 * cli_preset() was told, or "default" (then the value is what --help shows in
 * parentheses). */
void cli_settings(const struct cli *cli, struct buf *out);
/* 0 if all options read so far were good, else -1 (main returns cli_quit()). */
int cli_usable(const struct cli *cli);

/* Set-up failed: print "NAME: fail_text()", close everything, return 2. */
int cli_quit(struct cli *cli);
/* A usage mistake: prints "NAME: text" and a hint at --help. Returns -1. */
int cli_bad_usage(struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A message on stderr about a row (as its failure would be told), or about the run where
 * row is NULL. For what the user asked to be told (--explain). Any thread. */
void cli_say(struct cli *cli, const struct row *row, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Standard output carries text and no rows (--text): failed rows go to --errors FILE, or
 * are told on stderr alone. Before the first row. */
void cli_text_output(struct cli *cli);
/* For programs without rows, which signals end at once: from here on SIGINT and SIGTERM
 * make cli_stopping() true, and cli_quit() a message and status 75. 0 or -1. */
int cli_heed_signals(struct cli *cli);
/* What such a program gives to readers of its own (reader.h): their waiting ends when the
 * run must stop. After cli_heed_signals(). */
struct stream_wait;
const struct stream_wait *cli_wait(const struct cli *cli);
/* Nothing is written, neither rows nor files (--dry-run): failed rows are told on stderr
 * alone. Before the first row. */
void cli_dry_run(struct cli *cli);
/* A remark on stderr, with -v only. Any thread. */
void cli_note(struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Say what becomes part of the run's identity (options hash; _run with --stamp; the
 * journal's first line) besides the options: "model", hash. Before the first row. 0 or
 * -1 (memory). */
int cli_identity(struct cli *cli, const char *name, const char *value);
int cli_identity_text(struct cli *cli, const char *name, const char *text); /* its hash */
/* Part of the options hash alone. */
int cli_hash(struct cli *cli, const char *name, const char *value);

/* -- Rows in, rows out ------------------------------------------------------------------
 */

/* Pictures and folders among the arguments (CLI_ROWS_OR_MEDIA: what is no row file by its
 * content) become rows {"id":PATH,"image":PATH}. PATH is relative to the working folder,
 * so naming them together with --root is refused. JSON cannot hold a path that is not
 * UTF-8: such a row fails, and its message names the file.
 *
 * --max-errors P% is judged from the 100th row on, and at the end. A resumed run counts
 * the failures of the runs before, unless it finds nothing left to do. */

/* The next row that is this run's to do: of its shard, within --limit, not done before.
 * Error rows pass to the output by themselves. false at the end, or when the run must
 * stop (signal, --max-errors, output gone). Blank lines are skipped. Free it with
 * rows_write() or rows_drop(). */
bool rows_next(struct cli *cli, struct row *row);
/* Write the row (failed ones as error rows, to --errors where given, with their message
 * on stderr) and free it. */
void rows_write(struct cli *cli, struct row *row);
/* What rows_write() would add for --stamp, now: for a program that renders rows itself
 * (row_render(), row_replace()). A row whose _run is no list fails. */
void rows_stamp(const struct cli *cli, struct row *row);
void rows_drop(struct cli *cli, struct row *row); /* done, nothing to write (filters) */

/* Ordered parallel map: up to `workers` threads, started as rows need them, run
 * work(context, row) on rows in flight; results are written in input order (--unordered:
 * as they finish). work() changes the row with row_set() and returns 0, or -1 with the
 * reason in fail_text(): the row then becomes an error row. At most 2 * workers rows are
 * in flight, so memory does not grow with input. Output is flushed whenever no complete
 * input line is waiting. On SIGINT/SIGTERM no new row starts; rows in flight whose work()
 * returns CLI_ABANDON are left undone. */
enum {
    CLI_ABANDON = -2, /* leave the row undone */
    CLI_DROP = 1,     /* done, and nothing to write for it */
};
void cli_map(struct cli *cli, int workers, int (*work)(void *context, struct row *row),
             void *context);
/* Has a signal asked the run to stop? For long work inside one row. Any thread. */
bool cli_stopping(const struct cli *cli);
/* Has standard input, where rows come from it, been closed by all who wrote to it? What
 * they wrote may still be read. Never true of a file or a terminal. Any thread. */
bool cli_input_closed(const struct cli *cli);

/* Stop the run as a signal would, with a message (told once) and status 75: no new row
 * starts, rows in flight that come back as CLI_ABANDON stay undone, --resume goes on. For
 * a failure that says nothing about rows: every endpoint is down. Any thread. */
void cli_give_up(struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Is path, which the program means to write besides its rows (--stats FILE), no input or
 * output of this run? 0, or -1 (class refused). */
int cli_check_file(const struct cli *cli, const char *path);

/* What became of the rows. Brings what is finished to the output first, so that rows that
 * cannot be written are not counted as done. Behind the last row. */
struct cli_counts {
    int64_t rows, failed; /* that this run did; failed ones among them */
    int64_t passed;       /* that came in with `error`, among rows, and not in failed */
    int64_t before;       /* that earlier runs did (--resume) */
    bool whole;           /* all input was read, and nothing stopped the run */
};
void cli_count(struct cli *cli, struct cli_counts *counts);

/* Flush, fsync and close everything; print what went wrong in sum. Returns the status. */
int cli_end(struct cli *cli);
#endif
