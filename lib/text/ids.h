/* ids.h: a growing list of token ids. */
#ifndef IDS_H
#define IDS_H
#include <stddef.h>
#include <stdint.h>

struct ids {
    int32_t *id; /* owned */
    size_t n, cap;
};

int ids_add(struct ids *ids, int32_t id); /* 0, or -1 (memory) */
void ids_free(struct ids *ids);           /* leaves it empty */
#endif
