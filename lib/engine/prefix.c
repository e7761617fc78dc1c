/* prefix.c: see prefix.h. */
#include "engine/prefix.h"
#include "base/fail.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A known page. */
struct node {
    struct node *parent, *child; /* its first child */
    struct node *next;           /* the parent's next child */
    struct node *older, *newer;  /* of kept pages: in the order in which they were left */
    int page, len;               /* ids in it, KV_PAGE if it is full */
    int32_t ids[KV_PAGE];
};

struct prefix {
    struct kv *kv;      /* borrowed */
    struct node root;   /* no page */
    struct node **node; /* [kv->pages], owned; NULL: not known */
    struct node *oldest, *newest;
    int kept;
    int most; /* pages in use at once, ever */
};

int prefix_open(struct kv *kv)
{
    struct prefix *p = calloc(1, sizeof *p);
    if (!p)
        return fail_memory();
    p->kv = kv;
    p->node = calloc((size_t)kv->pages, sizeof *p->node);
    if (!p->node) {
        free(p);
        return fail_memory();
    }
    kv->prefix = p;
    return 0;
}

void prefix_close(struct kv *kv)
{
    if (!kv->prefix)
        return;
    prefix_forget(kv);
    free(kv->prefix->node);
    free(kv->prefix);
    kv->prefix = NULL;
}

int prefix_kept(const struct prefix *p)
{
    return p->kept;
}

/* -- Kept pages -----------------------------------------------------------------------
 */

bool prefix_keep(struct prefix *p, int page)
{
    struct node *n = p->node[page];
    if (!n)
        return false;
    n->older = p->newest;
    n->newer = NULL;
    *(n->older ? &n->older->newer : &p->oldest) = n;
    p->newest = n;
    p->kept++;
    return true;
}

void prefix_use(struct prefix *p, int page)
{
    struct node *n = p->node[page];
    *(n->older ? &n->older->newer : &p->oldest) = n->newer;
    *(n->newer ? &n->newer->older : &p->newest) = n->older;
    p->kept--;
}

/* The page that was left longest ago is free, and not known any more. */
static void give_up_oldest(struct prefix *p)
{
    struct node *n = p->oldest, **at = &n->parent->child;
    assert(!n->child);
    while (*at != n) at = &(*at)->next;
    *at = n->next;
    prefix_use(p, n->page);
    p->node[n->page] = NULL;
    p->kv->free_pages[p->kv->free_count++] = n->page;
    free(n);
}

void prefix_yield(struct prefix *p)
{
    int wanted = kv_in_use(p->kv) + 1;
    p->most = wanted > p->most ? wanted : p->most;
    while (p->kept > 0 && wanted + p->kept > p->most) give_up_oldest(p);
}

void prefix_forget(struct kv *kv)
{
    struct prefix *p = kv->prefix;
    if (!p)
        return;
    for (struct node *n = p->oldest; n; n = n->newer)
        kv->free_pages[kv->free_count++] = n->page;
    for (int i = 0; i < kv->pages; i++) {
        free(p->node[i]);
        p->node[i] = NULL;
    }
    p->root.child = p->oldest = p->newest = NULL;
    p->kept = 0;
}

/* -- The tree -------------------------------------------------------------------------
 */

/* How many of ids[limit] a node begins with. */
static int common(const struct node *n, const int32_t *ids, int limit)
{
    int len = n->len < limit ? n->len : limit, i = 0;
    while (i < len && n->ids[i] == ids[i]) i++;
    return i;
}

/* The child that has exactly ids[len]. */
static struct node *find(const struct node *parent, const int32_t *ids, int len)
{
    struct node *n = parent->child;
    while (n && (n->len != len || common(n, ids, len) < len)) n = n->next;
    return n;
}

static struct node *add(struct prefix *p, struct node *parent, int page,
                        const int32_t *ids, int len)
{
    struct node *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    *n = (struct node){.parent = parent, .next = parent->child, .page = page, .len = len};
    memcpy(n->ids, ids, (size_t)len * sizeof *ids);
    parent->child = n;
    p->node[page] = n;
    return n;
}

/* A kept page's node is this page's from now on, which is in use and holds the same. */
static void replace(struct prefix *p, struct node *n, int page)
{
    prefix_use(p, n->page);
    p->node[n->page] = NULL;
    p->kv->free_pages[p->kv->free_count++] = n->page;
    p->node[page] = n;
    n->page = page;
}

void prefix_learn(struct kv *kv, const struct kv_pages *pages, const int32_t *ids,
                  int len)
{
    struct node *n = kv->prefix ? &kv->prefix->root : NULL;
    for (int at = 0; n && at < len; at += KV_PAGE) {
        int count = len - at < KV_PAGE ? len - at : KV_PAGE;
        int page = pages->page[at / KV_PAGE];
        struct node *child = find(n, ids + at, count);
        if (!child)
            child = add(kv->prefix, n, page, ids + at, count);
        else if (child->page != page && kv->references[child->page] == 0)
            replace(kv->prefix, child, page);
        /* nothing is known behind a page that it does not use */
        n = child && child->page == page ? child : NULL;
    }
}

/* -- Taking over ----------------------------------------------------------------------
 */

/* The child that has most in common with ids[limit]; *count of them. */
static const struct node *nearest(const struct node *parent, const int32_t *ids,
                                  int limit, int *count)
{
    const struct node *best = NULL;
    *count = 0;
    for (const struct node *n = parent->child; n; n = n->next) {
        int same = common(n, ids, limit);
        if (same > *count) {
            *count = same;
            best = n;
        }
    }
    return best;
}

/* Copy the beginning of a page into a new one behind pages. What is in use stays so until
 * the pass is over; a kept page may have become somebody else's by then. `places`, or 0:
 * there is no page to spare while the old one is held; or -1 (memory). */
static int copy_part(struct kv *kv, struct kv_pages *pages, int from, int places,
                     struct pass *pass)
{
    bool kept = kv->references[from] == 0;
    if (kept && kv_in_use(kv) + 2 > kv->pages)
        return 0;
    struct kv_pages held = {0};
    if (kept && kv_add(kv, &held, from) < 0)
        return -1;
    int status = kv_grow(kv, pages, pages->count * KV_PAGE + places);
    if (status == 0 && kept) {
        kv_copy(kv, from, pages->page[pages->count - 1], places);
    } else if (status == 0) {
        struct pass_copy copy = {from, pages->page[pages->count - 1], places};
        status = pass_list_add(&pass->copies, &copy, sizeof copy);
    }
    kv_drop(kv, &held);
    return status < 0 ? -1 : places;
}

int prefix_take(struct kv *kv, struct kv_pages *pages, const int32_t *ids, int limit,
                struct pass *pass)
{
    const struct node *n, *next;
    int at = 0, part;
    assert(pages->count == 0);
    if (!kv->prefix)
        return 0;
    for (n = &kv->prefix->root; at + KV_PAGE <= limit; n = next, at += KV_PAGE) {
        next = find(n, ids + at, KV_PAGE);
        if (!next)
            break;
        if (kv_add(kv, pages, next->page) < 0)
            return -1;
    }
    next = nearest(n, ids + at, limit - at, &part);
    if (next && (part = copy_part(kv, pages, next->page, part, pass)) < 0)
        return -1;
    return at + part;
}
