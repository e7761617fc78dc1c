/* ids.h: a growing list of token ids. */
#ifndef IDS_H
#define IDS_H
#include <stddef.h>
#include <stdint.h>

struct ids {
    int32_t *id; /* owned */
    size_t n, cap;
};

/* A token and the natural logarithm of its probability. */
struct token_chance {
    int32_t id;
    float logprob;
};

int ids_add(struct ids *ids, int32_t id); /* 0, or -1 (memory) */
void ids_free(struct ids *ids);           /* leaves it empty */
#endif
