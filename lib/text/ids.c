/* ids.c: see ids.h. */
#include "text/ids.h"
#include "base/fail.h"

#include <stdlib.h>

int ids_add(struct ids *ids, int32_t id)
{
    if (ids->n == ids->cap) {
        size_t cap = ids->cap ? ids->cap * 2 : 64;
        int32_t *grown =
            cap > SIZE_MAX / sizeof *grown ? NULL : realloc(ids->id, cap * sizeof *grown);
        if (!grown)
            return fail_memory();
        ids->id = grown;
        ids->cap = cap;
    }
    ids->id[ids->n++] = id;
    return 0;
}

void ids_free(struct ids *ids)
{
    free(ids->id);
    *ids = (struct ids){0};
}
