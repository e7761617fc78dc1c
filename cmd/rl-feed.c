/* rl-feed: ticks in (what rl-step says of its steps), the rows of the next batch out. */
#include "base/fail.h"
#include "row/cli.h"
#include "row/reader.h"
#include "train/ring_data.h"
#include "train/ring_order.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_option options[] = {
    {"data", 0, CLI_LIST, "FILE", "rows to train on; may be given again", false},
    {"batch", 0, CLI_INT, "N", "rows of a step (128)", false},
    {"ahead", 0, CLI_INT, "K", "batches sent before their turn (0: on policy)", false},
    {"epochs", 0, CLI_INT, "N", "end after each row was sent N times (1)", false},
    {"steps", 0, CLI_INT, "N", "end after step N (as the epochs give)", false},
    {"seed", 0, CLI_INT, "N", "seed of the order of the rows (0)", false},
    {"dry-run", 0, CLI_FLAG, NULL, "say rows and steps to come, send nothing", false},
    {0}};
static const struct cli_page page = {"rl-feed",
                                     "--data FILE [option ...] < ticks",
                                     "Send the rows of the next batch, step by step.",
                                     CLI_NO_ROWS,
                                     options,
                                     NULL};

/* What was sent of one step beside its batch. */
struct refill {
    int64_t step, given;
    struct order_more more;
};

enum { AHEAD_MAX = 64 };

struct feed_run {
    struct cli *cli;
    struct ring_data data;
    int64_t batch, ahead, last; /* the last step */
    uint64_t seed;
    int64_t next;    /* the step whose batch is sent next */
    int64_t version; /* the newest that a tick told of; -1: none yet */
    struct refill refills[AHEAD_MAX + 2]; /* by step modulo their number */
    int64_t line, bad;                    /* ticks read; those of no known form */
    bool gone;                            /* nobody reads the rows */
    bool done; /* the last step's tick was seen: the output is closed */
};

enum { FEED_STOPPED = -2 }; /* no failure to be told: a signal, or nobody reads */

/* -- Rows out -------------------------------------------------------------------------
 */

/* Write bytes so that a signal ends the wait for a pipe. 0, -1 or FEED_STOPPED. */
static int put(struct feed_run *r, const char *s, size_t n)
{
    struct pollfd fds[2] = {{.fd = STDOUT_FILENO, .events = POLLOUT},
                            {.fd = cli_wait(r->cli)->wake_fd, .events = POLLIN}};
    while (n > 0) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return fail(FAIL_INTERNAL, "poll: %s", strerror(errno));
        if (fds[1].revents)
            return FEED_STOPPED;
        /* a pipe that is ready takes this much without blocking */
        ssize_t wrote = write(STDOUT_FILENO, s, n < 4096 ? n : 4096);
        if (wrote < 0 && errno == EPIPE)
            return r->gone = true, FEED_STOPPED;
        if (wrote < 0 && errno != EINTR && errno != EAGAIN) {
            r->gone = true;
            return fail(FAIL_INTERNAL, "standard output: %s", strerror(errno));
        }
        s += wrote > 0 ? wrote : 0;
        n -= wrote > 0 ? (size_t)wrote : 0;
    }
    return 0;
}

static int64_t version_for(const struct feed_run *r, int64_t step)
{
    return step - 1 > r->ahead ? step - 1 - r->ahead : 0;
}

/* Send data row `index` as number i of `of` of a step. As put(). */
static int send_row(struct feed_run *r, int64_t index, int64_t step, int64_t i,
                    int64_t of)
{
    struct row row;
    struct buf text = {0}, line = {0};
    if (ring_data_row(&r->data, index, page.name, &row) < 0)
        return -1;
    buf_print(&text, "{\"step\":%lld,\"i\":%lld,\"of\":%lld,\"version\":%lld}",
              (long long)step, (long long)i, (long long)of,
              (long long)version_for(r, step));
    int status = buf_ok(&text);
    if (status == 0)
        status = row_set(&row, "_rl", (struct span){text.data, text.len});
    if (status == 0)
        status = row_render(&row, &line);
    buf_char(&line, '\n');
    if (status == 0 && (status = buf_ok(&line)) == 0)
        status = put(r, line.data, line.len);
    buf_free(&text);
    buf_free(&line);
    row_free(&row);
    return status;
}

static struct refill *refill_of(struct feed_run *r, int64_t step)
{
    return &r->refills[step % (AHEAD_MAX + 2)];
}

/* The batches that the versions seen let in. As put(). */
static int send_batches(struct feed_run *r)
{
    int status = 0;
    for (; status == 0 && r->next <= r->last && r->version >= version_for(r, r->next);
         r->next++) {
        *refill_of(r, r->next) =
            (struct refill){r->next, 0, {r->seed, r->data.count, r->batch, r->next, 0}};
        for (int64_t i = 0; status == 0 && i < r->batch; i++) {
            int64_t index = order_row(r->seed, r->data.count, r->batch, r->next, i);
            status = send_row(r, index, r->next, i, r->batch);
        }
    }
    return status;
}

static int send_more(struct feed_run *r, int64_t step, int64_t want)
{
    struct refill *f = refill_of(r, step);
    int64_t from = r->batch + f->given, of = from + want;
    int status = 0;
    f->given += want;
    for (int64_t i = from; status == 0 && i < of; i++)
        status = send_row(r, order_more(&f->more), step, i, of);
    return status;
}

/* -- Ticks in -------------------------------------------------------------------------
 */

static int bad_tick(struct feed_run *r, const char *why)
{
    cli_say(r->cli, NULL, "stdin:%lld: no tick: %s", (long long)r->line, why);
    r->bad++;
    return 0;
}

static bool number(struct span line, const char *key, int64_t *x)
{
    return json_int(json_get(line, key), x) == 0 && *x >= 0;
}

static int take_want(struct feed_run *r, struct span line)
{
    int64_t step, want;
    if (!number(line, "step", &step) || !number(line, "want", &want) || want > 1 << 24)
        return bad_tick(r, "\"step\" and \"want\" are whole numbers");
    if (step <= r->version || step >= r->next || refill_of(r, step)->step != step)
        return bad_tick(r, "more is wanted of a step that is not under way");
    return send_more(r, step, want);
}

/* One line that rl-step wrote. As put(). */
static int take_tick(struct feed_run *r, struct span line)
{
    int64_t step, version;
    if (json_check(line) < 0)
        return bad_tick(r, fail_text());
    if (json_get(line, "error").s)
        return 0; /* a row that failed there, on its way out */
    if (json_get(line, "want").s)
        return take_want(r, line);
    if (!number(line, "step", &step))
        return bad_tick(r, "no \"step\"");
    if (!number(line, "version", &version))
        version = step; /* one version a step */
    if (json_get(line, "hello").s) {
        r->version = version;
        r->next = step + 1;
    } else if (version > r->version) {
        r->version = version;
    }
    return 0;
}

/* Whoever reads the rows sees their end. */
static void close_output(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDOUT_FILENO) < 0)
        close(STDOUT_FILENO);
    if (null >= 0)
        close(null);
}

/* Ticks to their end. 0, -1 or FEED_STOPPED. */
static int run(struct feed_run *r, struct reader *ticks)
{
    struct line line;
    int status = 0, got;
    while (status == 0 && (got = reader_next(ticks, &line)) == 1) {
        r->line = line.number;
        status = r->done ? 0 : take_tick(r, line.text);
        free(line.block);
        if (status == 0 && !r->done)
            status = send_batches(r);
        if (status == 0 && !r->done && r->version >= r->last) {
            close_output(); /* the ring winds down; its last ticks are still read */
            r->done = true;
        }
    }
    if (status == 0 && got == STREAM_STOPPED)
        status = FEED_STOPPED;
    return status == 0 && got == STREAM_FAILED ? -1 : status;
}

/* -- Set-up and end -------------------------------------------------------------------
 */

static void bad_row(void *context, const struct row *row)
{
    struct feed_run *r = context;
    cli_say(r->cli, row, "%s", row->why.text);
}

static bool stop(void *context)
{
    struct feed_run *r = context;
    return cli_stopping(r->cli);
}

/* How many steps there are to make. 0 or -1. */
static int count_steps(struct feed_run *r)
{
    struct cli *cli = r->cli;
    int64_t epochs = cli_int(cli, "epochs", 1, 1, 1000000);
    int64_t steps = cli_int(cli, "steps", 0, 1, INT64_MAX / 2);
    int64_t most = r->data.count * epochs / r->batch;
    if (r->data.count == 0)
        return fail(FAIL_MISSING, "--data: no row to train on");
    if (steps && !cli_has(cli, "epochs"))
        most = steps;
    r->last = steps && steps < most ? steps : most;
    if (r->last > 0)
        return 0;
    return fail(FAIL_REFUSED, "%lld rows%s are fewer than the %lld of one step (--batch)",
                (long long)r->data.count, epochs > 1 ? ", so often," : "",
                (long long)r->batch);
}

/* 0, -1 or FEED_STOPPED. */
static int feed(struct feed_run *r, const char *const *files, int count)
{
    if (ring_data_open(&r->data, files, count, page.name, bad_row, r, stop) < 0 ||
        count_steps(r) < 0)
        return -1;
    if (cli_has(r->cli, "dry-run")) {
        cli_say(r->cli, NULL, "%lld rows, %lld a step: %lld steps",
                (long long)r->data.count, (long long)r->batch, (long long)r->last);
        return 0;
    }
    struct reader *ticks = reader_open("-", cli_wait(r->cli));
    if (!ticks)
        return -1;
    int status = run(r, ticks);
    reader_close(ticks);
    if (status == 0 && !r->done)
        cli_say(r->cli, NULL,
                "no more ticks: the ring stopped at step %lld of %lld; the same command "
                "goes on",
                (long long)(r->version > 0 ? r->version : 0), (long long)r->last);
    return status == 0 && !r->done ? FEED_STOPPED : status;
}

int main(int argc, char *argv[])
{
    struct cli cli;
    const char *const *files;
    if (cli_start(&cli, &page, argc, argv) != 0)
        return cli.status;
    struct feed_run r = {.cli = &cli, .version = -1, .next = 1};
    r.batch = cli_int(&cli, "batch", 128, 1, 1 << 24);
    r.ahead = cli_int(&cli, "ahead", 0, 0, AHEAD_MAX);
    r.seed = (uint64_t)cli_int(&cli, "seed", 0, 0, INT64_MAX);
    int count = cli_list(&cli, "data", &files);
    if (cli.args > 0)
        cli_bad_usage(&cli, "%s: rows to train on are named by --data", cli.arg[0]);
    else if (count == 0)
        cli_bad_usage(&cli, "no rows to train on: give --data FILE");
    if (cli_usable(&cli) < 0 || cli_heed_signals(&cli) < 0)
        return cli_quit(&cli);
    int status = feed(&r, files, count);
    int64_t bad = r.bad + r.data.bad;
    ring_data_close(&r.data);
    if (status == -1) {
        bool gone = r.gone;
        int ended = cli_quit(&cli);
        return gone ? CLI_INTERRUPTED : ended;
    }
    int ended = cli_end(&cli);
    if (ended != CLI_OK)
        return ended;
    return status == FEED_STOPPED ? CLI_INTERRUPTED : bad ? CLI_BAD_ROWS : CLI_OK;
}
