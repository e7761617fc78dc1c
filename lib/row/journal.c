/* journal.c: see journal.h. */
#include "row/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct key journal_key(const struct row *row)
{
    return key_at(key_of(row->has_id, row->id.s, row->id.n), row->occurrence);
}

void journal_put_head(struct buf *out, const struct journal_head *head)
{
    buf_add(out, head->stamp.s, head->stamp.n - 1);
    buf_text(out, ",\"given\":");
    buf_add(out, head->given.s, head->given.n);
    buf_text(out, "}\n");
}

void journal_put_row(struct buf *out, const struct row *row, int64_t end,
                     int64_t errors_end, bool ok)
{
    if (row->has_id && row->id.n <= JOURNAL_ID) {
        buf_text(out, "{\"id\":");
        buf_add(out, row->id.s, row->id.n);
    } else if (row->has_id) {
        struct key key = key_of(true, row->id.s, row->id.n);
        buf_print(out, "{\"id_hash\":\"%016" PRIx64 "%016" PRIx64 "\"", key.hi, key.lo);
    } else {
        buf_print(out, "{\"line\":\"%.*s\"", (int)row->id.n, row->id.s);
    }
    buf_print(out, ",\"n\":%" PRId64 ",\"end\":%" PRId64, row->occurrence, end);
    if (errors_end >= 0)
        buf_print(out, ",\"errors_end\":%" PRId64, errors_end);
    buf_text(out, ok ? ",\"ok\":true}\n" : ",\"ok\":false}\n");
}

/* The text inside a string span that holds no escapes. */
static struct span bare(struct span string)
{
    if (json_type(string) != JSON_STRING)
        return (struct span){0};
    return (struct span){string.s + 1, string.n - 2};
}

static bool parse_hash(struct span text, struct key *key)
{
    char hi[17] = {0}, lo[17] = {0}, *end;
    if (text.n != 32)
        return false;
    memcpy(hi, text.s, 16);
    memcpy(lo, text.s + 16, 16);
    key->hi = strtoull(hi, &end, 16);
    if (*end)
        return false;
    key->lo = strtoull(lo, &end, 16);
    return !*end;
}

/* The key of a journal's line. */
static bool parse_key(struct span line, struct key *key)
{
    struct span id = json_get(line, "id"), text;
    if (id.s) {
        *key = key_of(true, id.s, id.n);
        return true;
    }
    if ((text = bare(json_get(line, "line"))).s) {
        *key = key_of(false, text.s, text.n);
        return true;
    }
    text = bare(json_get(line, "id_hash"));
    return text.s && parse_hash(text, key);
}

/* Take in one row's line. 1, 0 if it does not count, -1 (memory). */
static int load_row(struct journal_state *state, struct span line, int64_t size,
                    int64_t errors_size)
{
    struct done entry = {.from = state->end};
    int64_t n, errors_end = 0;
    struct span errors;
    if (json_check(line) < 0 || !parse_key(line, &entry.key) ||
        json_int(json_get(line, "n"), &n) < 0 ||
        json_int(json_get(line, "end"), &entry.to) < 0)
        return 0;
    errors = json_get(line, "errors_end");
    if (errors.s && json_int(errors, &errors_end) < 0)
        return 0;
    if (entry.to < state->end || entry.to > size || errors_end < state->errors_end ||
        errors_end > errors_size)
        return 0;
    entry.ok = json_type(json_get(line, "ok")) == JSON_TRUE;
    entry.key = key_at(entry.key, n);
    if (done_set_add(&state->done, entry) < 0)
        return -1;
    state->end = entry.to;
    state->errors_end = errors_end;
    state->rows++;
    state->failed += !entry.ok;
    return 1;
}

/* Append the members of a that b lacks or has otherwise, as " PREFIXname". */
static void put_differing(struct buf *out, const char *prefix, struct span a,
                          struct span b, bool lacking_only)
{
    struct span key, value;
    char name[64];
    for (size_t at = 0; json_member(a, &at, &key, &value);) {
        if (key.n - 2 >= sizeof name)
            continue;
        memcpy(name, key.s + 1, key.n - 2);
        name[key.n - 2] = '\0';
        struct span other = json_get(b, name);
        if (!other.s || (!lacking_only && !span_equal(value, other)))
            buf_print(out, " %s%s", prefix, name);
    }
}

/* Say which options differ between a journal's first line and this run. */
static int refuse_options(struct span line, const char *path,
                          const struct journal_head *head)
{
    static const char *const parts[] = {"model", "prompt"};
    struct buf names = {0};
    struct span given = json_get(line, "given");
    put_differing(&names, "--", head->given, given, false);
    put_differing(&names, "--", given, head->given, true);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!span_equal(json_get(line, parts[i]), json_get(head->stamp, parts[i])))
            buf_print(&names, " %s", parts[i]);
    const char *text = buf_string(&names);
    fail(FAIL_REFUSED,
         "%s: the options differ from those of the run to be resumed:%s (give the same "
         "ones, or --force to start anew)",
         path, text && *text ? text : " what they refer to");
    buf_free(&names);
    return -1;
}

/* 1, 0 if the line is no first line, -1 (refused). */
static int load_head(struct span line, const char *path, const struct journal_head *head)
{
    struct span program, options;
    if (json_check(line) < 0)
        return 0;
    program = bare(json_get(line, "program"));
    options = bare(json_get(line, "options"));
    if (!program.s || !options.s)
        return 0;
    if (!span_is(program, head->program))
        return fail(FAIL_REFUSED, "%s: written by %.*s, not by %s", path,
                    (int)(program.n < 64 ? program.n : 64), program.s, head->program);
    if (!span_is(options, head->options))
        return refuse_options(line, path, head);
    return 1;
}

int journal_load(struct journal_state *state, const char *path,
                 const struct journal_head *head, int64_t size, int64_t errors_size)
{
    FILE *f = fopen(path, "re");
    char *text = NULL;
    size_t cap = 0;
    ssize_t n;
    int rc = 0;
    *state = (struct journal_state){0};
    if (!f)
        return errno == ENOENT ? 0 : fail(FAIL_REFUSED, "%s: %s", path, strerror(errno));
    while ((n = getline(&text, &cap, f)) > 0 && text[n - 1] == '\n') {
        struct span line = {text, (size_t)n - 1};
        int more = state->length == 0 ? load_head(line, path, head)
                                      : load_row(state, line, size, errors_size);
        if (more < 0)
            rc = -1;
        if (more < 1)
            break;
        rc = 1;
        state->length += n;
    }
    free(text);
    fclose(f);
    return rc;
}

void journal_state_free(struct journal_state *state)
{
    done_set_free(&state->done);
}
