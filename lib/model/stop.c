/* stop.c: see stop.h. */
#include "model/stop.h"
#include "base/fail.h"

#include <stdlib.h>
#include <string.h>

struct stop_state {
    struct decoder decoder;
    struct buf text;
    int seen; /* tokens decoded so far */
};

int stop_open(struct stop_watch *w, const struct tokenizer *t, const char *const *stop,
              int stop_count, int samples)
{
    *w = (struct stop_watch){t, stop, stop_count, samples, NULL};
    if (stop_count == 0)
        return 0;
    w->state = calloc((size_t)samples, sizeof *w->state);
    if (!w->state)
        return fail_memory();
    for (int i = 0; i < samples; i++) w->state[i].decoder.skip_special = true;
    return 0;
}

void stop_close(struct stop_watch *w)
{
    for (int i = 0; w->state && i < w->samples; i++) buf_free(&w->state[i].text);
    free(w->state);
    w->state = NULL;
}

bool stop_seen(void *watch, int sample, const int32_t *ids, int count)
{
    struct stop_watch *w = watch;
    struct stop_state *s = &w->state[sample];
    size_t before = s->text.len;
    for (; s->seen < count; s->seen++)
        decoder_push(&s->decoder, w->tokenizer, ids[s->seen], &s->text);
    for (int i = 0; i < w->stop_count; i++) {
        size_t n = strlen(w->stop[i]);
        size_t from =
            before < n ? 0 : before - n + 1; /* a match must end in what is new */
        if (s->text.len - from >= n &&
            memmem(s->text.data + from, s->text.len - from, w->stop[i], n))
            return true;
    }
    return false;
}

void stop_cut(struct buf *text, const char *const *stop, int stop_count)
{
    for (int i = 0; i < stop_count; i++) {
        char *at =
            text->len ? memmem(text->data, text->len, stop[i], strlen(stop[i])) : NULL;
        if (at)
            text->len = (size_t)(at - text->data);
    }
}
