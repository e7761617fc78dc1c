/* pass.c: see pass.h. */
#include "engine/pass.h"
#include "base/fail.h"

#include <stdlib.h>
#include <string.h>

int pass_list_add(struct pass_list *list, const void *item, size_t size)
{
    if (list->count == list->cap) {
        int cap = list->cap ? list->cap * 2 : 64;
        void *items = realloc(list->items, (size_t)cap * size);
        if (!items)
            return fail_memory();
        list->items = items;
        list->cap = cap;
    }
    memcpy((char *)list->items + (size_t)list->count++ * size, item, size);
    return 0;
}

int pass_sequence(struct pass *p, const struct kv_pages *pages)
{
    return pass_list_add(&p->sequences, &pages, sizeof pages) < 0
               ? -1
               : p->sequences.count - 1;
}

int pass_row(struct pass *p, const struct pass_row *row)
{
    return pass_list_add(&p->rows, row, sizeof *row);
}

int pass_feature(struct pass *p, const struct features *features, int at)
{
    int row = p->rows.count - 1;
    if (p->pictures.count > 0) {
        struct pass_picture *last = p->pictures.items;
        last += p->pictures.count - 1;
        if (last->features == features && last->row + last->count == row &&
            last->first + last->count == at) {
            last->count++;
            return 0;
        }
    }
    return pass_list_add(&p->pictures, &(struct pass_picture){features, at, row, 1},
                         sizeof(struct pass_picture));
}

int pass_want(struct pass *p)
{
    int row = p->rows.count - 1;
    return pass_list_add(&p->wants, &row, sizeof row);
}

void pass_clear(struct pass *p)
{
    p->rows.count = p->sequences.count = p->pictures.count = 0;
    p->copies.count = p->wants.count = 0;
}

void pass_free(struct pass *p)
{
    free(p->rows.items);
    free(p->sequences.items);
    free(p->pictures.items);
    free(p->copies.items);
    free(p->wants.items);
    *p = (struct pass){0};
}
