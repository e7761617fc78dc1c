/* pair_stats.c: see pair_stats.h. */
#include "reward/pair_stats.h"

#include <math.h>

static void add_side(struct pair_side *side, const struct pairs_caption *c)
{
    side->reward += c->total;
    if (c->tokens >= 0) {
        side->tokens += c->tokens;
        side->counted++;
    }
}

void pair_stats_add(struct pair_stats *s, const struct pairs *p,
                    enum pairs_verdict verdict)
{
    s->rows[verdict]++;
    s->captions += p->count + p->failed;
    s->failed += p->failed;
    for (int i = 0; i < p->made_count; i++) {
        double margin = p->made[i].chosen.total - p->made[i].rejected.total;
        s->least = s->pairs == 0 || margin < s->least ? margin : s->least;
        s->most = s->pairs == 0 || margin > s->most ? margin : s->most;
        s->pairs++;
        add_side(&s->chosen, &p->made[i].chosen);
        add_side(&s->rejected, &p->made[i].rejected);
    }
}

static void put_real(struct buf *out, const char *name, double x)
{
    buf_print(out, "\"%s\":", name);
    json_put_real(out, x);
}

/* (NaN is written as null) */
static double mean(double sum, int64_t n)
{
    return n ? sum / (double)n : NAN;
}

static void put_side(struct buf *out, const char *name, const struct pair_side *side,
                     int64_t pairs)
{
    buf_print(out, ",\"%s\":{", name);
    put_real(out, "reward", mean(side->reward, pairs));
    buf_char(out, ',');
    put_real(out, "tokens", mean(side->tokens, side->counted));
    buf_char(out, '}');
}

void pair_stats_put(const struct pair_stats *s, struct buf *out)
{
    static const char *const reasons[PAIRS_VERDICTS] = {NULL, "few", "equal", "margin",
                                                        "same"};
    buf_text(out, "\"dropped\":{");
    for (int i = PAIRS_FEW; i < PAIRS_VERDICTS; i++)
        buf_print(out, "%s\"%s\":%lld", i > PAIRS_FEW ? "," : "", reasons[i],
                  (long long)s->rows[i]);
    buf_print(out, "},\"pairs\":%lld,\"captions\":{\"in\":%lld,\"failed\":%lld}",
              (long long)s->pairs, (long long)s->captions, (long long)s->failed);
    buf_text(out, ",\"margin\":{");
    put_real(out, "mean", mean(s->chosen.reward - s->rejected.reward, s->pairs));
    buf_char(out, ',');
    put_real(out, "min", s->pairs ? s->least : NAN);
    buf_char(out, ',');
    put_real(out, "max", s->pairs ? s->most : NAN);
    buf_char(out, '}');
    put_side(out, "chosen", &s->chosen, s->pairs);
    put_side(out, "rejected", &s->rejected, s->pairs);
}
