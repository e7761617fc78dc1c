/* manifest.h: what figures were made with: models, prompts, sampling, rules, seed. */
#ifndef PRISM_MANIFEST_H
#define PRISM_MANIFEST_H
#include "prism/captioner.h"
#include "prism/judge.h"
#include "row/cli.h"

/* The judge's prompts and rules into a run's identity. 0 or -1 (memory). */
int manifest_identity(struct cli *cli, const struct judge *judge);

/* Hash of all that a caption depends on but its picture: what kept captions are known by.
 */
void manifest_made(const struct captioner *captioner, char made[33]);

/* Append it as a JSON object: version, judge, captioner, file of captions and its
 * store_hash(), rules, preset, prompts as they are, sampling, seed. captioner may be
 * NULL, captions (the file) too. */
void manifest_put(struct buf *out, const struct judge *judge,
                  const struct captioner *captioner, const char *captions,
                  const char *captions_hash, uint64_t seed);
#endif
