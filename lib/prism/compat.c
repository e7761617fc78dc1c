/* compat.c: see compat.h. */
#include "prism/compat.h"
#include "answer/math.h"
#include "base/fail.h"
#include "base/replace.h"
#include "prism/python_json.h"
#include "row/json.h"
#include "row/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* -- Figures
 * ----------------------------------------------------------------------------- */

struct series {
    double *list; /* [count]; owned */
    size_t count, room;
};

static int add(struct series *s, double x)
{
    if (s->count == s->room) {
        size_t room = s->room ? 2 * s->room : 1024;
        double *list = realloc(s->list, room * sizeof *list);
        if (!list)
            return fail_memory();
        s->list = list;
        s->room = room;
    }
    s->list[s->count++] = x;
    return 0;
}

/* As numpy adds up (pairwise, eight sums at once): the published means to the last bit.
 */
static double pairwise(const double *x, size_t n)
{
    double sum = 0, part[8];
    if (n < 8) {
        for (size_t i = 0; i < n; i++) sum += x[i];
        return sum;
    }
    if (n > 128) {
        size_t half = n / 2 - n / 2 % 8;
        return pairwise(x, half) + pairwise(x + half, n - half);
    }
    size_t i = 8;
    memcpy(part, x, sizeof part);
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++) part[k] += x[i + (size_t)k];
    sum = ((part[0] + part[1]) + (part[2] + part[3])) +
          ((part[4] + part[5]) + (part[6] + part[7]));
    for (; i < n; i++) sum += x[i];
    return sum;
}

static double mean(const struct series *s)
{
    return s->count ? pairwise(s->list, s->count) / (double)s->count : 0;
}

/* -- One row
 * ----------------------------------------------------------------------------- */

static const char *const ours[] = {"captions", "predictions", "score", "best", "_run"};

static void put_sample(struct buf *out, struct span row)
{
    struct span key, value;
    const char *comma = "";
    buf_char(out, '{');
    for (size_t at = 0; json_member(row, &at, &key, &value);) {
        bool skip = false;
        for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
            skip |= json_key_is(key, (struct span){ours[i], strlen(ours[i])});
        if (skip)
            continue;
        buf_text(out, comma);
        buf_add(out, key.s, key.n);
        buf_char(out, ':');
        buf_add(out, value.s, value.n);
        comma = ",";
    }
    buf_char(out, '}');
}

/* What the published script's parser (LaTeX alone, the first match) takes from a reply.
 */
static int put_parsed(struct buf *out, struct span prediction)
{
    struct math_rules rules = math_defaults();
    struct fuel fuel = {MATH_FUEL_DEFAULT};
    struct buf text = {0}, parsed = {0};
    rules.plain = false;
    rules.first = true;
    int status = json_text(json_get(prediction, "text"), &text);
    if (status == 0 &&
        math_text((struct span){text.data, text.len}, &rules, &fuel, &parsed) < 0)
        status = -1;
    json_put_text(out, (struct span){parsed.data, parsed.len});
    buf_free(&text);
    buf_free(&parsed);
    return status;
}

static void put_tokens(struct buf *out, struct span prediction)
{
    int64_t tokens;
    struct span value = json_get(prediction, "tokens");
    if (value.s && json_int(value, &tokens) == 0)
        json_put_int(out, tokens);
    else
        buf_text(out, "null");
}

/* Texts of captions or predictions, in the one list that holds both. */
static void put_texts(struct buf *out, struct span list)
{
    struct span element;
    for (size_t at = 0; json_each(list, &at, &element);) {
        struct span text =
            json_type(element) == JSON_STRING ? element : json_get(element, "text");
        if (out->data[out->len - 1] != '[')
            buf_char(out, ',');
        buf_add(out, text.s, text.n);
    }
}

/* The row's scores. How many; 0 where one is missing, -1 (memory). */
static int read_scores(struct span predictions, struct series *scores)
{
    struct span element;
    scores->count = 0;
    for (size_t at = 0; json_each(predictions, &at, &element);) {
        double x;
        struct span value = json_get(element, "score");
        if (!value.s || json_type(json_get(element, "text")) != JSON_STRING ||
            json_double(value, &x) < 0)
            return 0;
        if (add(scores, x) < 0)
            return -1;
    }
    return (int)scores->count;
}

/* A row's entry, a list by list, since only rewards are floats. */
static int put_entry(struct buf *out, struct span row, const struct series *scores)
{
    struct span predictions = json_get(row, "predictions"), element;
    struct buf part[4] = {0};
    int status = 0;
    put_sample(&part[0], row);
    for (int i = 1; i < 4; i++) buf_char(&part[i], '[');
    for (size_t at = 0, i = 0; status == 0 && json_each(predictions, &at, &element);
         i++) {
        buf_text(&part[1], i ? "," : "");
        buf_text(&part[2], i ? "," : "");
        status = put_parsed(&part[1], element);
        put_tokens(&part[2], element);
    }
    put_texts(&part[3], json_get(row, "captions"));
    put_texts(&part[3], predictions);
    for (int i = 1; i < 4; i++) buf_char(&part[i], ']');
    buf_char(out, '[');
    for (int i = 0; status == 0 && i < 4; i++) {
        buf_text(out, i ? "," : "");
        python_line(out, 2);
        status = buf_ok(&part[i]);
        if (status == 0)
            status = python_put(out, (struct span){part[i].data, part[i].len}, 2);
        for (size_t k = 0; i == 0 && k < scores->count; k++) {
            buf_text(out, k ? "," : ",\n        [");
            python_line(out, 3);
            python_put_float(out, scores->list[k]);
        }
        if (i == 0) {
            python_line(out, 2);
            buf_char(out, ']');
        }
    }
    python_line(out, 1);
    buf_char(out, ']');
    for (int i = 0; i < 4; i++) buf_free(&part[i]);
    return status < 0 ? -1 : buf_ok(out);
}

/* -- Files
 * ------------------------------------------------------------------------------- */

static int path_of(struct buf *path, const struct compat *c, const char *what)
{
    buf_clear(path);
    buf_print(path, "%s/Prism_%s_step_%s_%" PRId64 "_final.json", c->folder, c->tag, what,
              c->step);
    return buf_string(path) ? 0 : -1;
}

int compat_check(const struct compat *c)
{
    struct buf path = {0};
    int status = 0;
    if (mkdir(c->folder, 0777) < 0 && errno != EEXIST)
        return fail(FAIL_REFUSED, "%s: %s", c->folder, strerror(errno));
    if (path_of(&path, c, "details") < 0 || file_replaceable(path.data) < 0 ||
        path_of(&path, c, "eval") < 0 || file_replaceable(path.data) < 0)
        status = -1;
    buf_free(&path);
    return status;
}

/* All that the two files are made from. */
struct tally {
    struct buf details;
    struct series scores, means, bests;
    int64_t left_out;
};

static int take_row(struct tally *t, struct span row)
{
    struct span predictions = json_get(row, "predictions"),
                error = json_get(row, "error");
    int n = 0;
    if (!error.s || json_type(error) == JSON_NULL)
        n = read_scores(predictions, &t->scores);
    if (n <= 0) {
        t->left_out += n == 0;
        return n;
    }
    double best = t->scores.list[0];
    for (int i = 1; i < n; i++)
        best = t->scores.list[i] > best ? t->scores.list[i] : best;
    buf_text(&t->details, t->means.count ? "," : "[");
    python_line(&t->details, 1);
    return add(&t->means, mean(&t->scores)) < 0 || add(&t->bests, best) < 0
               ? -1
               : put_entry(&t->details, row, &t->scores);
}

static int read_rows(struct tally *t, const char *path)
{
    struct reader *r = reader_open(path, NULL);
    struct line line = {0};
    int rc = STREAM_END, status = r ? 0 : -1;
    while (status == 0 && (rc = reader_next(r, &line)) == 1) {
        status = json_check(line.text);
        if (status == 0)
            status = take_row(t, line.text);
        if (status < 0)
            fail_in("%s:%" PRId64, path, line.number);
        free(line.block);
    }
    if (r)
        reader_close(r);
    return status < 0 || rc != STREAM_END ? -1 : 0;
}

static int write_files(const struct compat *c, struct tally *t)
{
    struct buf path = {0}, eval = {0};
    buf_text(&t->details, t->means.count ? "\n]" : "[]");
    if (t->means.count) {
        buf_text(&eval, "[\"BoN: ");
        python_put_float(&eval, mean(&t->bests));
        buf_text(&eval, " Mean: ");
        python_put_float(&eval, mean(&t->means));
        buf_text(&eval, "\"]");
    } else { /* the script's own zeros are integers */
        buf_text(&eval, "[\"BoN: 0 Mean: 0\"]");
    }
    int status = buf_ok(&t->details) < 0 || buf_ok(&eval) < 0 ? -1 : 0;
    if (status == 0 && (status = path_of(&path, c, "details")) == 0)
        status = file_replace(path.data, t->details.data, t->details.len);
    if (status == 0 && (status = path_of(&path, c, "eval")) == 0)
        status = file_replace(path.data, eval.data, eval.len);
    buf_free(&path);
    buf_free(&eval);
    return status;
}

int compat_write(const struct compat *c, const char *rows, int64_t *left_out)
{
    struct tally t = {0};
    int status = read_rows(&t, rows);
    if (status == 0)
        status = write_files(c, &t);
    *left_out = t.left_out;
    buf_free(&t.details);
    free(t.scores.list);
    free(t.means.list);
    free(t.bests.list);
    return status;
}
