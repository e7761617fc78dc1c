/* stop.h: stop strings, looked for while tokens arrive. */
#ifndef STOP_H
#define STOP_H
#include "base/buf.h"
#include "text/tokenizer.h"
#include <stdbool.h>

/* The texts of a request's samples so far. */
struct stop_watch {
    const struct tokenizer *tokenizer;
    const char *const *stop;
    int stop_count, samples;
    struct stop_state *state; /* [samples] */
};

/* 0, or -1 (memory). Borrows the stop strings. stop_close() in both cases. */
int stop_open(struct stop_watch *w, const struct tokenizer *t, const char *const *stop,
              int stop_count, int samples);
void stop_close(struct stop_watch *w);

/* engine_generation.stop: has sample's text reached a stop string with its last token? */
bool stop_seen(void *watch, int sample, const int32_t *ids, int count);

/* Cut text before the first place where a stop string begins. */
void stop_cut(struct buf *text, const char *const *stop, int stop_count);
#endif
