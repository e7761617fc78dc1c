/* metrics.c: see metrics.h. */
#include "train/metrics.h"

#include <math.h>

static void put_real(struct buf *b, const char *before, const char *name, double x)
{
    if (isfinite(x))
        buf_print(b, ",\"%s%s\":%.9g", before, name, x);
}

void metrics_row(struct buf *b, const struct run_metrics *m, const char *const *extra,
                 int64_t failed)
{
    buf_print(b, "{\"step\":%lld,\"epoch\":%lld", (long long)m->step,
              (long long)m->epoch);
    put_real(b, "", "loss", m->loss);
    put_real(b, "", "eval_loss", m->eval_loss);
    put_real(b, "", "lr", m->lr);
    put_real(b, "", "grad_norm", m->grad_norm);
    for (int i = 0; extra && extra[i] && isfinite(m->loss); i++)
        put_real(b, "", extra[i], m->extra[i]);
    for (int i = 0; extra && extra[i] && isfinite(m->eval_loss); i++)
        put_real(b, "eval_", extra[i], m->eval_extra[i]);
    buf_print(b, ",\"num_tokens\":%lld,\"rows\":%lld,\"failed\":%lld",
              (long long)m->tokens, (long long)m->rows, (long long)failed);
    buf_print(b, ",\"step_time\":%.4f,\"tokens_per_second\":%.1f}", m->seconds,
              (double)m->tokens / m->seconds);
}
