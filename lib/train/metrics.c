/* metrics.c: see metrics.h. */
#include "train/metrics.h"
#include "train/tensorboard.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void put(struct metric *list, int *n, const char *before, const char *name,
                int decimals, double value)
{
    if (isfinite(value))
        list[(*n)++] = (struct metric){before, name, decimals, value};
}

int metrics_list(struct metric list[METRICS_MOST], const struct run_metrics *m,
                 const char *const *extra)
{
    int n = 0;
    put(list, &n, "", "step", 0, (double)m->step);
    put(list, &n, "", "epoch", 0, (double)m->epoch);
    put(list, &n, "", "loss", -1, m->loss);
    put(list, &n, "", "eval_loss", -1, m->eval_loss);
    put(list, &n, "", "lr", -1, m->lr);
    put(list, &n, "", "grad_norm", -1, m->grad_norm);
    for (int i = 0; extra && extra[i] && isfinite(m->loss); i++)
        put(list, &n, "", extra[i], -1, m->extra[i]);
    for (int i = 0; extra && extra[i] && isfinite(m->eval_loss); i++)
        put(list, &n, "eval_", extra[i], -1, m->eval_extra[i]);
    put(list, &n, "", "num_tokens", 0, (double)m->tokens);
    put(list, &n, "", "rows", 0, (double)m->rows);
    put(list, &n, "", "failed", 0, (double)m->failed);
    put(list, &n, "", "step_time", 4, m->seconds);
    put(list, &n, "", "tokens_per_second", 1, (double)m->tokens / m->seconds);
    put(list, &n, "", "peak_share", 3, m->peak_share);
    return n;
}

void metrics_row(struct buf *b, const struct metric *list, int count)
{
    for (int i = 0; i < count; i++) {
        const struct metric *m = &list[i];
        buf_print(b, "%c\"%s%s\":", i ? ',' : '{', m->before, m->name);
        if (m->decimals < 0)
            buf_print(b, "%.9g", m->value);
        else
            buf_print(b, "%.*f", m->decimals, m->value);
    }
    buf_char(b, '}');
}

int metrics_chart(struct tensorboard *t, const struct metric *list, int count)
{
    char tag[128];
    int64_t step = 0;
    for (int i = 0; i < count; i++) {
        snprintf(tag, sizeof tag, "%s%s", list[i].before, list[i].name);
        if (strcmp(tag, "step") == 0)
            step = (int64_t)list[i].value;
        else if (tensorboard_add(t, tag, list[i].value) < 0)
            return -1;
    }
    return tensorboard_step(t, step);
}
