/* merges.c: see merges.h. */
#include "text/merges.h"
#include "base/fail.h"
#include "text/alphabet.h"

/* The ids of left, right and both, whose bytes end at middle and at the end. */
static int find_ids(const struct merges *m, const struct vocab *v, size_t middle,
                    int32_t ids[3])
{
    struct span both = {m->bytes.data, m->bytes.len};
    ids[0] = vocab_find(v, (struct span){both.s, middle});
    ids[1] = vocab_find(v, (struct span){both.s + middle, both.n - middle});
    /* Vocabularies count the bytes and then the merges: a cheap first guess. */
    size_t guess = m->count + 256;
    ids[2] = guess < (size_t)v->size && v->token[guess].flags == TOKEN_PRESENT &&
                     vocab_is(v, (int32_t)guess, both)
                 ? (int32_t)guess
                 : vocab_find(v, both);
    if (ids[0] < 0 || ids[1] < 0 || ids[2] < 0)
        return fail(FAIL_MODEL, "a token that is not in the vocabulary");
    return 0;
}

int merges_add(struct merges *m, const struct vocab *v, struct span left,
               struct span right)
{
    int32_t ids[3];
    buf_clear(&m->bytes);
    if (alphabet_bytes(left, &m->bytes) < 0)
        return fail_in("merge %zu", m->count);
    size_t middle = m->bytes.len;
    if (alphabet_bytes(right, &m->bytes) < 0 || find_ids(m, v, middle, ids) < 0)
        return fail_in("merge %zu", m->count);
    buf_add(&m->ids, ids, sizeof ids);
    m->count++;
    return buf_ok(&m->ids);
}

int merges_add_line(struct merges *m, const struct vocab *v, struct span both)
{
    const char *space = both.n > 0 ? memchr(both.s, ' ', both.n) : NULL;
    if (!space)
        return fail(FAIL_MODEL, "merge %zu: not two tokens", m->count);
    size_t n = (size_t)(space - both.s);
    return merges_add(m, v, (struct span){both.s, n},
                      (struct span){space + 1, both.n - n - 1});
}

int merges_finish(struct merges *m, struct vocab *v)
{
    if (vocab_start_merges(v, m->count) < 0)
        return -1;
    for (size_t i = 0; i < m->count; i++) {
        int32_t ids[3];
        memcpy(ids, m->ids.data + i * sizeof ids, sizeof ids);
        vocab_add_merge(v, ids[0], ids[1], (uint32_t)i, ids[2]);
    }
    return 0;
}

void merges_free(struct merges *m)
{
    buf_free(&m->ids);
    buf_free(&m->bytes);
}
