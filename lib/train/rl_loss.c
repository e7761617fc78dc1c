/* rl_loss.c: see rl_loss.h. */
#include "train/rl_loss.h"

#include <math.h>
#include <stddef.h>

void rl_advantages(double *advantage, const double *reward, int count,
                   enum rl_advantage how, double *mean, double *std)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < count; i++) sum += reward[i];
    *mean = count > 0 ? sum / count : 0;
    for (int i = 0; i < count; i++) squares += (reward[i] - *mean) * (reward[i] - *mean);
    *std = count > 1 ? sqrt(squares / (count - 1)) : 0;
    for (int i = 0; i < count; i++)
        advantage[i] = (reward[i] - *mean) / (how == RL_STD ? *std + 1e-6 : 1);
}

double rl_overlong(const struct rl_loss *o, int tokens)
{
    int over = tokens - (o->overlong - o->overlong_buffer);
    if (o->overlong == 0 || over <= 0)
        return 0;
    double share = tokens >= o->overlong ? 1 : (double)over / o->overlong_buffer;
    return -o->overlong_weight * share;
}

double rl_kl(enum rl_kl kind, double logp, double ref, double *d)
{
    double x = logp - ref, value = 0, slope = 0;
    switch (kind) {
    case RL_KL_NONE: break;
    case RL_K1:
        value = x;
        slope = 1;
        break;
    case RL_K2:
        value = x * x / 2;
        slope = x;
        break;
    case RL_K3:
        value = expm1(-x) + x;
        slope = -expm1(-x);
        break;
    }
    if (d)
        *d = slope;
    return value;
}

/* The share of the loss that a token of a sequence has. */
static double token_weight(const struct rl_loss *o, const struct rl_whole *whole,
                           int tokens)
{
    switch (o->aggregate) {
    case RL_SEQUENCE_MEAN: return 1 / (whole->sequences * tokens);
    case RL_TOKEN_MEAN: return 1 / whole->tokens;
    default: return 1 / (whole->sequences * o->fixed);
    }
}

/* A token's loss for a ratio, and its derivative in logp. */
static double token_loss(struct rl_sums *sums, const struct rl_loss *o, double a,
                         double ratio, double *d)
{
    double least = 1 - o->low, most = 1 + o->high;
    double bounded = ratio < least ? least : ratio > most ? most : ratio;
    double loss = -a * ratio, clipped = -a * bounded;
    *d = -a * ratio;
    if (clipped > loss) {
        loss = clipped;
        *d = 0;
        sums->clipped++;
        sums->clipped_low += a < 0;
        sums->clipped_high += a > 0;
    }
    if (o->dual > 0 && a < 0 && loss > -a * o->dual) {
        loss = -a * o->dual;
        *d = 0;
    }
    return loss;
}

void rl_sequence_add(struct rl_sums *sums, const struct rl_sequence *s,
                     const struct rl_loss *o, const struct rl_whole *whole)
{
    double weight = token_weight(o, whole, s->tokens), mean = 0;
    bool kl = s->ref && o->kl != RL_KL_NONE;
    for (int i = 0; i < s->tokens; i++) mean += (double)s->logp[i] - (double)s->old[i];
    mean /= s->tokens > 0 ? s->tokens : 1;
    for (int i = 0; i < s->tokens; i++) {
        double logp = (double)s->logp[i], d, slope = 0;
        double ratio = exp(o->sequence ? mean : logp - (double)s->old[i]);
        double loss = token_loss(sums, o, s->advantage, ratio, &d);
        double divergence = kl ? rl_kl(o->kl, logp, (double)s->ref[i], &slope) : 0;
        double beta = o->kl_in_reward ? 0 : o->beta;
        double entropy = s->entropy ? (double)s->entropy[i] : 0;
        sums->policy += weight * loss;
        sums->kl += weight * divergence;
        sums->entropy += weight * entropy;
        sums->loss += weight * (loss + beta * divergence - o->entropy * entropy);
        sums->token_kl += divergence;
        sums->token_entropy += entropy;
        if (s->token_loss)
            s->token_loss[i] = (float)loss;
        if (s->dlogp)
            s->dlogp[i] = (float)(weight * (d + beta * slope));
        if (s->dentropy)
            s->dentropy[i] = (float)(-weight * o->entropy);
    }
    sums->tokens += s->tokens;
}
