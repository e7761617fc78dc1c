/* prefix.h: prompts that begin alike share keys and values, whichever request they are
 * of, at work or ended.
 *
 * The pages of prompts are known by the ids in them and before them: a tree with a node
 * for each page, whose path from the root spells what is in it. A new prompt takes over
 * the full pages along its path, and copies what it has in common with a page that it
 * leaves midway. A row's numbers do not depend on the pass that it was computed in
 * (text.c), so what is taken over has the bits that computing it again would give.
 *
 * A known page that nobody uses any more is kept, as long as that costs nothing: it
 * counts as free in every promise (kv_reserve()), and goes, the one left longest ago
 * first, when a page is wanted and none is free, or when pages in use and kept would
 * become more than were ever in use at once. Whoever uses a page uses those before it and
 * leaves them later, so what is oldest is always a leaf of the tree.
 */
#ifndef PREFIX_H
#define PREFIX_H
#include "engine/pass.h"

struct prefix;

/* Share the pages of a kv, which has it as kv->prefix until prefix_close(). 0, or -1
 * (memory). */
int prefix_open(struct kv *kv);
void prefix_close(struct kv *kv); /* kept pages are free again */

/* Let the empty pages of a prompt begin with what is known of ids[limit], and no more
 * than that. How many positions they then hold, which need not be computed; or -1
 * (memory). What is copied from a page of somebody at work is copied by the pass, which
 * may be the one that computes it. */
int prefix_take(struct kv *kv, struct kv_pages *pages, const int32_t *ids, int limit,
                struct pass *pass);

/* From now on these pages are known to hold ids[len]. All of that has been computed, or
 * will be by the pass that is next, and nobody writes there any more. (Without memory to
 * know them they stay unknown.) */
void prefix_learn(struct kv *kv, const struct kv_pages *pages, const int32_t *ids,
                  int len);

/* Nothing is known any more: a pass has failed. */
void prefix_forget(struct kv *kv);

/* -- For kv.c ---------------------------------------------------------------------------
 */

/* Nobody uses a page any more: true if it is known, and now kept. */
bool prefix_keep(struct prefix *p, int page);
void prefix_use(struct prefix *p, int page); /* a kept page is in use again */

/* A page will be taken from the free ones: see to it that there is one and that no more
 * are kept than should be. */
void prefix_yield(struct prefix *p);
int prefix_kept(const struct prefix *p); /* pages */
#endif
