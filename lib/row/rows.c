/* rows.c: from input to work to output, one row at a time. See cli.h. */
#include "row/cli_own.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS_PERCENT_FROM = 100 }; /* rows before --max-errors P% is judged */

/* What was given: {"temperature":"HASH",...}, so that a run to be resumed can say which
 * option differs. Hashes, because values may be secrets (--extra). */
static void put_given(struct buf *out, struct buf *all, const struct options *options)
{
    const char *comma = "";
    char hex[33];
    buf_char(out, '{');
    for (int i = 0; i < options->count; i++) {
        size_t from = all->len;
        if (!options_identity(options, i, all) || all->bad)
            continue;
        key_hex(hex, all->data + from, all->len - from);
        buf_print(out, "%s\"%s\":\"%.8s\"", comma, options->list[i]->name, hex);
        comma = ",";
    }
    buf_char(out, '}');
}

/* The options hash (of the program, what changes row bytes, and cli_identity()), and the
 * stamp: the object that says what made the rows. 0 or -1 (memory). */
static int seal_identity(struct cli_private *own, const char *program)
{
    struct buf all = {0}, stamp = {0};
    buf_text(&all, program);
    buf_char(&all, '\n');
    put_given(&own->given, &all, &own->options);
    if (own->plan.path && own->plan.errors)
        buf_text(&all, "errors apart\n");
    buf_add(&all, own->identity.data, own->identity.len);
    key_hex(own->hash, all.data, all.len);
    bool bad = all.bad;
    buf_free(&all);
    buf_text(&stamp, "{\"program\":");
    json_put_text(&stamp, span_of(program));
    buf_print(&stamp, ",\"version\":\"%s\",\"options\":\"%s\"", CAPMILL_VERSION,
              own->hash);
    buf_add(&stamp, own->stamp.data, own->stamp.len);
    const struct option_value *seed = options_value(&own->options, "seed");
    if (seed)
        buf_print(&stamp, ",\"seed\":%lld",
                  seed->count ? strtoll(seed->texts[seed->count - 1], NULL, 10) : 0LL);
    buf_char(&stamp, '}');
    buf_free(&own->stamp);
    own->stamp = stamp;
    return bad || stamp.bad || own->given.bad ? fail_memory() : 0;
}

/* Open the output, before the first row. 0 or -1: the run stops. */
static int begin(struct cli *cli)
{
    struct cli_private *own = cli->own;
    if (own->begun)
        return 0;
    own->begun = true;
    int sealed = seal_identity(own, cli->page->name);
    struct journal_head head = {cli->page->name,
                                own->hash,
                                {own->stamp.data, own->stamp.len},
                                {own->given.data, own->given.len}};
    if (sealed < 0 || sink_open(&own->sink, &own->plan, &head) < 0) {
        say(&own->say, "%s", fail_text());
        cli_stop(cli, STOP_SETUP);
        return -1;
    }
    own->started = true;
    if (own->sink.before.rows > 0)
        cli_note(cli, "%s: going on behind %" PRId64 " rows", own->plan.path,
                 own->sink.before.rows);
    if (own->sink.error) {
        cli_stop(cli, STOP_OUTPUT);
        return -1;
    }
    return 0;
}

/* "photos.jsonl:12 (id=cat)" */
static void put_place(struct buf *out, const struct row *row)
{
    if (row->own->media) {
        buf_text(out, row->file);
        return;
    }
    buf_print(out, "%s:%" PRId64, row->file, row->line);
    if (!row->has_id)
        return;
    struct buf id = {0};
    struct span key = row->id;
    if (json_text(key, &id) < 0)
        buf_add(&id, key.s, key.n);
    buf_text(out, " (id=");
    buf_add(out, id.data, id.len < 80 ? id.len : 80);
    buf_text(out, id.len < 80 ? ")" : "...)");
    buf_free(&id);
}

static void report(struct cli *cli, const struct row *row, const char *why)
{
    struct buf place = {0};
    put_place(&place, row);
    const char *text = buf_string(&place);
    size_t n = place.len;
    if (!text || (row->own->media && strncmp(why, text, n) == 0))
        say(&cli->own->say, "%s", why); /* it names the file itself */
    else
        say(&cli->own->say, "%s: %s", text, why);
    buf_free(&place);
}

void cli_say(struct cli *cli, const struct row *row, const char *format, ...)
{
    char *why = NULL;
    va_list args;
    va_start(args, format);
    if (row && vasprintf(&why, format, args) >= 0) {
        report(cli, row, why);
        free(why);
    } else if (!row) {
        say_list(&cli->own->say, format, args);
    }
    va_end(args);
}

void cli_text_output(struct cli *cli)
{
    cli->own->text_output = true;
}

void cli_dry_run(struct cli *cli)
{
    struct cli_private *own = cli->own;
    own->plan = (struct sink_plan){0};
    own->text_output = true;
}

/* Make a row of what the feed brought. 1, or 0: memory is out and the run stops. */
static int make_row(struct cli *cli, struct row *row, struct feed_item *item)
{
    struct cli_private *own = cli->own;
    struct failure why;
    fail_save(&why);
    if (row_begin(row, cli->page->name, own->id_key, item->line.block, item->line.text,
                  &own->tokens) < 0) {
        say(&own->say, "%s:%" PRId64 ": %s", item->media ? "" : item->file,
            item->line.number, fail_text());
        cli_stop(cli, STOP_OUTPUT);
        return 0;
    }
    row->file = item->file;
    row->line = item->line.number;
    row->number = own->read++;
    row->own->media = item->media;
    if (item->bad) {
        fail_again(&why);
        row_fail(row);
    }
    struct key key = key_of(row->has_id, row->id.s, row->id.n);
    row->occurrence = key_counts_add(&own->counts, key);
    if (row->occurrence < 0) {
        say(&own->say, "%s", fail_text());
        cli_stop(cli, STOP_OUTPUT);
        row_free(row);
        return 0;
    }
    return 1;
}

int rows_take(struct cli *cli, struct row *row)
{
    struct cli_private *own = cli->own;
    struct feed_item item = {0};
    if (begin(cli) < 0)
        return 0;
    while (own->stop == STOP_NOT && !own->ended) {
        if (own->limit >= 0 && own->chosen >= own->limit) {
            own->ended = true;
            break;
        }
        int rc = feed_next(&own->feed, &item);
        if (rc == STREAM_FAILED) {
            say(&own->say, "%s", fail_text());
            own->lost = true;
            continue;
        }
        if (rc == STREAM_END) {
            own->ended = true;
            if (own->feed.skipped > 0)
                cli_note(cli,
                         "left out %" PRId64 " files and links: hidden, or without a "
                         "picture's extension",
                         own->feed.skipped);
        }
        if (rc != 1 || !make_row(cli, row, &item))
            break;
        if (row->number % own->shards != own->shard) {
            row_free(row);
            continue;
        }
        own->chosen++;
        rc = sink_done(&own->sink, row);
        if (rc == 1) {
            row_free(row);
            continue;
        }
        if (rc < 0) {
            say(&own->say, "%s", fail_text());
            cli_stop(cli, STOP_OUTPUT);
            row_free(row);
            break;
        }
        own->worked++;
        return rc == 2 || row->bad || row->passed_error ? 2 : 1;
    }
    own->waiting = true; /* no more input: what is done goes out at once */
    return 0;
}

bool failed_too_often(const struct cli_private *own, bool last)
{
    long long failed = own->failed + own->sink.before.failed;
    long long rows = own->rows + own->sink.before.rows;
    if (own->max_errors >= 0 && failed > own->max_errors)
        return true;
    return own->max_percent >= 0 && rows > 0 && (last || rows >= ROWS_PERCENT_FROM) &&
           100.0 * (double)failed > own->max_percent * (double)rows;
}

/* Append what made this row to its _run list. */
static void add_stamp(const struct cli_private *own, struct row *row)
{
    struct span before = json_get(row->text, "_run");
    struct buf run = {0};
    if (json_type(before) == JSON_ARRAY) {
        struct span first;
        size_t at = 0;
        buf_add(&run, before.s, before.n - 1);
        buf_text(&run, json_each(before, &at, &first) ? "," : "");
    } else if (before.s) {
        fail(FAIL_TYPE,
             "_run is no list: --stamp adds to what stages before have written");
        row_fail(row);
        return;
    } else {
        buf_char(&run, '[');
    }
    buf_add(&run, own->stamp.data, own->stamp.len);
    buf_char(&run, ']');
    if (buf_ok(&run) < 0 || row_set(row, "_run", (struct span){run.data, run.len}) < 0)
        row_fail(row);
    buf_free(&run);
}

void rows_stamp(const struct cli *cli, struct row *row)
{
    if (cli->own->stamp_rows && !row->bad)
        add_stamp(cli->own, row);
}

void rows_deliver(struct cli *cli, struct row *row, bool dropped)
{
    struct cli_private *own = cli->own;
    enum stop why = own->stop;
    if (stop_cuts_short(why)) {
        own->abandoned = true;
        row_free(row);
        return;
    }
    bool copied = row->own->copied.s != NULL || row->own->dropped;
    if (copied) {
        row->bad = row->flawed = false;
        dropped = row->own->dropped;
    }
    if (own->stamp_rows && !row->bad && !row->passed_error && !copied && !dropped)
        add_stamp(own, row);
    own->rows++;
    own->copied += copied;
    own->passed += row->passed_error && !row->bad && !copied;
    if (row->bad || row->flawed) {
        own->failed++;
        report(cli, row, row->why.text);
    }
    if (own->text_output && !own->plan.errors)
        dropped = dropped || row->bad || row->passed_error;
    else
        dropped = dropped && !row->bad;
    sink_put(&own->sink, row, dropped);
    row_free(row);
    if (own->waiting)
        sink_flush(&own->sink);
    if (own->sink.error)
        cli_stop(cli, own->sink.error == EPIPE ? STOP_PIPE : STOP_OUTPUT);
    else if (failed_too_often(own, false))
        cli_stop(cli, STOP_ERRORS);
}

bool rows_next(struct cli *cli, struct row *row)
{
    int rc;
    while ((rc = rows_take(cli, row)) == 2) rows_deliver(cli, row, false);
    return rc == 1;
}

void rows_write(struct cli *cli, struct row *row)
{
    rows_deliver(cli, row, false);
}

void rows_drop(struct cli *cli, struct row *row)
{
    rows_deliver(cli, row, true);
}
