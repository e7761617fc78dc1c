/* dpo_loss.h: direct preference optimization (Rafailov et al., arXiv 2305.18290), in
 * numbers alone.
 *
 * p and r are sums of log-probabilities of an answer's tokens, from the policy and from
 * the reference; c the chosen answer, j the rejected one:
 *
 *     z = beta ((p_c - r_c) - (p_j - r_j))
 *     loss = -(1 - s) log sigmoid(z) - s log sigmoid(-z)
 *
 * With s = 0 (no label smoothing) it is the paper's; s is the share of pairs whose label
 * is taken to be the wrong way round (Mitchell, "A note on DPO with noisy preferences").
 */
#ifndef DPO_LOSS_H
#define DPO_LOSS_H

struct dpo_rules {
    double beta;
    double smoothing; /* s: 0 to 0.5 */
};

/* Sums of log-probabilities of one pair. */
struct dpo_sums {
    double chosen, rejected, reference_chosen, reference_rejected;
};

struct dpo_loss {
    double loss;
    double chosen, rejected; /* implicit rewards: beta (p - r) */
    double slope;            /* d loss / d p_chosen; that of p_rejected is its opposite */
};

struct dpo_loss dpo_loss(const struct dpo_rules *rules, const struct dpo_sums *sums);
#endif
