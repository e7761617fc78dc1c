/* rl_loss.h: the losses of reinforcement learning, as functions of numbers alone.
 *
 * With lr = logp - old and r = exp(lr), A the advantage of the sequence:
 *   token loss: max(-A r, -A clip(r, 1 - low, 1 + high)) (PPO, Schulman et al., arXiv
 *     1707.06347; high above low: DAPO's clip-higher, arXiv 2503.14476);
 *   dual clip: where A < 0 at most -A c (Ye et al., arXiv 1912.09729);
 *   GSPO (Zheng et al., arXiv 2507.18071): r is exp(mean of lr over the sequence); the
 *     gradient of a token flows through its own logp;
 *   KL: k1 = logp - ref, k2 = (logp - ref)^2 / 2, k3 = exp(ref - logp) - (ref - logp) - 1
 *     (Schulman, "Approximating KL divergence", 2020), times beta, added to the token
 *     loss and differentiated as written; or taken from the reward;
 *   entropy bonus: minus a coefficient times the entropy.
 * Aggregation: the weight of a token, see enum rl_aggregate. All sums are in double, in
 * the order of tokens.
 */
#ifndef RL_LOSS_H
#define RL_LOSS_H
#include <stdbool.h>

enum rl_advantage {
    RL_STD,  /* (R - mean) / (std + 1e-6), std unbiased (GRPO, arXiv 2402.03300) */
    RL_MEAN, /* R - mean (Dr. GRPO, arXiv 2503.20783) */
};

enum rl_aggregate {
    RL_SEQUENCE_MEAN, /* mean over sequences of the mean over tokens (GRPO) */
    RL_TOKEN_MEAN,    /* mean over all tokens (DAPO) */
    RL_FIXED,         /* sum / (sequences * constant) (Dr. GRPO) */
};

enum rl_kl { RL_KL_NONE, RL_K1, RL_K2, RL_K3 };

struct rl_loss {
    enum rl_advantage advantage;
    enum rl_aggregate aggregate;
    double fixed;     /* tokens a sequence counts as, RL_FIXED */
    double low, high; /* how far the ratio goes below and above 1 */
    double dual;      /* c; 0: no dual clip */
    bool sequence;    /* one ratio a sequence (GSPO) */
    enum rl_kl kl;
    bool kl_in_reward; /* beta * KL of old against ref is taken from the reward instead */
    double beta;
    double entropy; /* coefficient of the bonus */
    int overlong;   /* tokens up to which length costs nothing more is paid: the longest
                       caption; 0: off */
    int overlong_buffer;    /* tokens before that in which the cost grows to 1 */
    double overlong_weight; /* of the cost */
};

/* Advantages of a group. reward and advantage [count]; *std: unbiased (0 for one). */
void rl_advantages(double *advantage, const double *reward, int count,
                   enum rl_advantage how, double *mean, double *std);

/* DAPO's soft overlong punishment of a caption of so many tokens: 0 up to overlong -
 * overlong_buffer, then falling to -1 at overlong, -1 beyond; times its weight. */
double rl_overlong(const struct rl_loss *o, int tokens);

/* One token's KL estimate, and its derivative in logp where d is not NULL. */
double rl_kl(enum rl_kl kind, double logp, double ref, double *d);

/* One sequence. Arrays [tokens]; the caller's. */
struct rl_sequence {
    int tokens;
    double advantage;
    const float *logp, *old;
    const float *ref;     /* NULL: no KL */
    const float *entropy; /* NULL: no bonus, not summed */
    float *dlogp;         /* out: d loss / d logp; NULL: not wanted */
    float *dentropy;      /* out: d loss / d entropy; NULL: not wanted */
    float *token_loss;    /* out: before aggregation; NULL: not wanted */
};

/* What a minibatch has in all: what means are taken over. */
struct rl_whole {
    double sequences, tokens;
};

/* Sums over sequences. Zeroed at first. */
struct rl_sums {
    double loss, policy;            /* aggregated: in all, and of the token loss alone */
    double kl, entropy;             /* aggregated likewise, before their coefficients */
    double token_kl, token_entropy; /* plain sums over tokens */
    double clipped, clipped_low, clipped_high; /* tokens whose clipped loss counts; those
                                                  with a ratio below (A < 0), above */
    double tokens;
};

/* Add a sequence's share of the loss of a minibatch. */
void rl_sequence_add(struct rl_sums *sums, const struct rl_sequence *s,
                     const struct rl_loss *o, const struct rl_whole *whole);
#endif
