/* captions.h: what a model said, as row fields. */
#ifndef CAPTIONS_H
#define CAPTIONS_H
#include "model/model.h"
#include "row/row.h"

/* Set `captions` (and `caption` when there is one) from a reply; ids, logprobs and
 * alternatives where the request wanted them. 0 or -1. */
int captions_set(struct row *row, const struct reply *reply,
                 const struct request *request);

/* Set `gen`: all that is needed to rebuild the prompt and the distribution exactly.
 * system may be NULL; prompt.s is NULL for a row with messages. version: the policy's,
 * 0 where the model stays as it is. */
int captions_set_gen(struct row *row, const struct model *model,
                     const struct request *request, const struct model_options *options,
                     int64_t seed, const char *system, struct span prompt,
                     int64_t version);
#endif
