/* stats.c: see stats.h. */
#include "qa/stats.h"
#include "row/json.h"

#include <math.h>

/* The place of a letter in picks: "B" is 1. */
static int pick_of(struct span value)
{
    if (json_type(value) == JSON_NULL || json_type(value) == JSON_NONE)
        return STATS_NONE;
    if (value.n == 3 && value.s[0] == '"' && value.s[1] >= 'A' &&
        value.s[1] < 'A' + STATS_LETTERS)
        return value.s[1] - 'A';
    return STATS_OTHER;
}

static void add_side(struct stats_side *side, double acc, struct span answers)
{
    /* Half a billionth up: 0.15 belongs to [0.15, 0.20), however 0.15 * 20 is rounded. */
    int bin = (int)(acc * STATS_BINS + 5e-10);
    struct span answer;
    side->bins[bin < STATS_BINS ? bin : STATS_BINS - 1]++;
    side->count++;
    side->sum += acc;
    for (size_t at = 0; json_each(answers, &at, &answer);) side->picks[pick_of(answer)]++;
}

/* Count the text of a question that is kept. */
static int add_text(struct stats *s, struct span question)
{
    struct key key = key_of(true, question.s, question.n);
    double before = (double)key_counts_add(&s->texts, key), now = before + 1;
    if (before < 0)
        return -1;
    s->repeats += now * log(now) - (before > 0 ? before * log(before) : 0);
    return 0;
}

int stats_add(struct stats *s, const struct measured *m, enum verdict verdict)
{
    int pick = pick_of(m->answer);
    s->questions[verdict]++;
    s->answers[pick]++;
    if (!m->failed) {
        add_side(&s->visual, m->visual, m->visual_answers);
        add_side(&s->text, m->text, m->text_answers);
    }
    if (verdict != VERDICT_KEPT)
        return 0;
    s->answers_kept[pick]++;
    return m->question.s ? add_text(s, m->question) : 0;
}

double stats_effective(const struct stats *s)
{
    /* H = -sum (c/n) ln (c/n) = ln n - (sum c ln c) / n */
    double n = (double)s->questions[VERDICT_KEPT];
    return n > 0 ? exp(log(n) - s->repeats / n) : 0;
}

static void put_count(struct buf *out, const char *name, int64_t n)
{
    buf_print(out, "\"%s\":", name);
    json_put_int(out, n);
}

static void put_picks(struct buf *out, const char *name, const int64_t picks[STATS_PICKS])
{
    buf_print(out, "\"%s\":{", name);
    for (int i = 0; i < STATS_LETTERS; i++)
        put_count(out, (const char[]){(char)('A' + i), '\0'}, picks[i]),
            buf_char(out, ',');
    put_count(out, "none", picks[STATS_NONE]);
    buf_char(out, ',');
    put_count(out, "other", picks[STATS_OTHER]);
    buf_char(out, '}');
}

static void put_side(struct buf *out, const char *name, const struct stats_side *side)
{
    buf_print(out, "\"%s\":{\"mean\":", name);
    json_put_real(out, side->count ? side->sum / (double)side->count : NAN);
    buf_text(out, ",\"histogram\":[");
    for (int i = 0; i < STATS_BINS; i++) {
        buf_text(out, i ? "," : "");
        json_put_int(out, side->bins[i]);
    }
    buf_text(out, "]}");
}

void stats_put(const struct stats *s, struct buf *out)
{
    static const char *const reasons[VERDICTS] = {"kept", "visual", "text",
                                                  "both", "error",  "duplicate"};
    int64_t all = 0;
    for (int i = 0; i < VERDICTS; i++) all += s->questions[i];
    buf_text(out, "\"questions\":{");
    put_count(out, "in", all);
    buf_char(out, ',');
    put_count(out, reasons[VERDICT_KEPT], s->questions[VERDICT_KEPT]);
    buf_text(out, ",\"effective\":");
    json_put_real(out, stats_effective(s));
    buf_text(out, ",\"dropped\":{");
    for (int i = VERDICT_KEPT + 1; i < VERDICTS; i++) {
        put_count(out, reasons[i], s->questions[i]);
        buf_char(out, i + 1 < VERDICTS ? ',' : '}');
    }
    buf_text(out, "},\"letters\":{");
    put_picks(out, "answer", s->answers);
    buf_char(out, ',');
    put_picks(out, "kept", s->answers_kept);
    buf_char(out, ',');
    put_picks(out, "visual", s->visual.picks);
    buf_char(out, ',');
    put_picks(out, "text", s->text.picks);
    buf_text(out, "},");
    put_side(out, "visual", &s->visual);
    buf_char(out, ',');
    put_side(out, "text", &s->text);
}

void stats_free(struct stats *s)
{
    key_counts_free(&s->texts);
    *s = (struct stats){0};
}
