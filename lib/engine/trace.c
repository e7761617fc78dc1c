/* trace.c: a whole prompt in one pass, with everything on the way shown (engine_trace).
 */
#include "engine/schedule.h"

static int trace_rows(struct schedule *s, struct request *r)
{
    int len = r->prompt->len;
    if (kv_grow(&s->kv, &r->pages, len) < 0)
        return -1;
    pass_clear(&s->pass);
    int sequence = pass_sequence(&s->pass, &r->pages);
    if (sequence < 0)
        return -1;
    for (int i = 0; i < len; i++)
        if (schedule_prompt_row(s, r, sequence) < 0 || pass_want(&s->pass) < 0)
            return -1;
    if (text_forward(&s->text, &s->pass, &r->probe) < 0)
        return -1;
    return text_probe_output(&s->text, &s->pass, &r->probe);
}

int trace_run(struct schedule *s, struct request *r)
{
    if (features_make(&r->features, s->m, r->prompt, &r->probe) < 0)
        return -1;
    return trace_rows(s, r);
}
