/* sums.c: see sums.h. */
#include "answer/sums.h"
#include "base/buf.h"
#include "row/json.h"

#include <math.h>

static const double unit = 1099511627776.0; /* 2^40 */

const char *const answer_flag_names[ANSWER_FLAGS] = {"no_answer", "fuel", "cut"};

void answer_sums_add(struct answer_sums *s, enum answer_kind kind, double score,
                     double best)
{
    struct answer_sum *sum = &s->kinds[kind];
    sum->rows++;
    sum->score += llround(score * unit);
    sum->best += llround(best * unit);
}

void answer_sums_flags(struct answer_sums *s, unsigned flags)
{
    s->predictions++;
    for (int i = 0; i < ANSWER_FLAGS; i++) s->flags[i] += flags >> i & 1;
}

static int64_t rows_of(const struct answer_sums *s, int64_t *score, int64_t *best)
{
    int64_t rows = *score = *best = 0;
    for (int i = 0; i < ANSWER_KINDS; i++) {
        rows += s->kinds[i].rows;
        *score += s->kinds[i].score;
        *best += s->kinds[i].best;
    }
    return rows;
}

int64_t answer_sums_rows(const struct answer_sums *s)
{
    int64_t score, best;
    return rows_of(s, &score, &best);
}

/* NAN without rows: null as JSON. */
static double mean(int64_t sum, int64_t rows)
{
    return rows ? (double)sum / unit / (double)rows : NAN;
}

double answer_sums_mean(const struct answer_sums *s)
{
    int64_t score, best, rows = rows_of(s, &score, &best);
    return mean(score, rows);
}

static void put_sum(struct buf *out, int64_t rows, int64_t score, int64_t best)
{
    buf_text(out, "\"score\":");
    json_put_real(out, mean(score, rows));
    buf_text(out, ",\"best\":");
    json_put_real(out, mean(best, rows));
    buf_print(out, ",\"scored\":%lld", (long long)rows);
}

void answer_sums_put(const struct answer_sums *s, struct buf *out)
{
    int64_t score, best, rows = rows_of(s, &score, &best);
    const char *comma = "";
    put_sum(out, rows, score, best);
    buf_print(out, ",\"predictions\":{\"scored\":%lld,\"failed\":%lld},\"kinds\":{",
              (long long)s->predictions, (long long)s->failed);
    for (int i = 0; i < ANSWER_KINDS; i++)
        if (s->kinds[i].rows) {
            buf_print(out, "%s\"%s\":{", comma, answer_kind_name((enum answer_kind)i));
            put_sum(out, s->kinds[i].rows, s->kinds[i].score, s->kinds[i].best);
            buf_char(out, '}');
            comma = ",";
        }
    buf_text(out, "},\"flags\":{");
    for (int i = 0; i < ANSWER_FLAGS; i++)
        buf_print(out, "%s\"%s\":%lld", i ? "," : "", answer_flag_names[i],
                  (long long)s->flags[i]);
    buf_char(out, '}');
}

void answer_sums_say(const struct answer_sums *s, struct buf *out)
{
    int64_t score, best, rows = rows_of(s, &score, &best);
    if (!rows) {
        buf_text(out, "no row was scored");
        return;
    }
    buf_print(out, "%.4g over %lld row%s", mean(score, rows), (long long)rows,
              rows == 1 ? "" : "s");
    for (int i = 0, first = 1; i < ANSWER_KINDS; i++)
        if (s->kinds[i].rows) {
            buf_print(out, "%s %s %.4g (%lld)", first ? ":" : ",",
                      answer_kind_name((enum answer_kind)i),
                      mean(s->kinds[i].score, s->kinds[i].rows),
                      (long long)s->kinds[i].rows);
            first = 0;
        }
    for (int i = 0; i < ANSWER_FLAGS; i++)
        if (s->flags[i])
            buf_print(out, "; %s: %lld", answer_flag_names[i], (long long)s->flags[i]);
}
