/* rollout_gen.h: how a row was sampled (its `gen`): whether that fits what is trained,
 * and its prompt, made again. Inside lib/train's rollout.
 */
#ifndef ROLLOUT_GEN_H
#define ROLLOUT_GEN_H
#include "train/rollout.h"

/* Temperature and version into r. 0, or -1 (class refused): no `gen`, another model, chat
 * format or prompt, a distribution that was cut. */
int rollout_gen(struct rollout *r, const struct rollout_rules *rules, struct row *row);

/* The prompt as `caption` made it, with pictures, into e, which has none. 0 or -1. */
int rollout_prompt(struct example *e, const struct rollout_rules *rules, struct row *row);
#endif
