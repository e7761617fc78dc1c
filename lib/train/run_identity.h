/* run_identity.h: what a run is besides its rows: the options that decide its numbers,
 * and its model. A checkpoint keeps them, and a run goes on only with the same, so that
 * it ends in the bits of one that was never stopped.
 *
 * Left out is what changes no more than the last digits of sums, and may have to be
 * another on another machine: --micro-tokens, --pack, --ranks, --device; and --steps and
 * --epochs, which say how far a run goes.
 */
#ifndef RUN_IDENTITY_H
#define RUN_IDENTITY_H
#include "train/run.h"

struct json_t;

/* A flat object: options by their names, with null where one is not given; "model": a
 * hash (hex). New, the caller's; NULL: model, memory. */
struct json_t *run_identity(const struct run_options *o);

/* Is a run's identity that of a checkpoint? (What an older checkpoint does not have is
 * not looked at.) 0, or -1 (refused) with the option's name. */
int run_identity_check(const struct json_t *now, const struct json_t *then);

/* The model's hash of an identity; borrowed. */
const char *run_identity_model(const struct json_t *identity);
#endif
