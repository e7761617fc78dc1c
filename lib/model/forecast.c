/* forecast.c: see forecast.h. */
#include "model/forecast.h"

#include <stdio.h>
#include <stdlib.h>

static void explain_row(struct cli *cli, const struct row *row,
                        const struct request_plan *plan)
{
    struct buf b = {0};
    if (plan->prompt_tokens)
        buf_print(&b, "prompt of %d tokens", plan->prompt_tokens);
    else
        buf_print(&b, "prompt with %d pictures", plan->picture_count);
    for (int i = 0; i < plan->picture_count; i++) {
        const struct picture_plan *p = &plan->pictures[i];
        buf_print(&b, "; picture %d: %dx%d", i + 1, p->width, p->height);
        if (p->tokens) /* else scaling is the endpoint's business */
            buf_print(&b, " scaled to %dx%d, grid %dx%d, %d tokens", p->fit_width,
                      p->fit_height, p->grid_w, p->grid_h, p->tokens);
    }
    if (buf_string(&b))
        cli_say(cli, row, "%s", b.data);
    buf_free(&b);
}

int forecast_add(struct forecast *f, struct cli *cli, struct model *model,
                 const struct row *row, const struct request *request, bool explain)
{
    struct request_plan plan;
    if (model_plan(model, request, &plan) < 0)
        return -1;
    f->rows++;
    f->pictures += plan.picture_count;
    f->prompt_tokens += plan.prompt_tokens;
    if (explain)
        explain_row(cli, row, &plan);
    free(plan.pictures);
    return 0;
}

void forecast_say(const struct forecast *f, struct cli *cli,
                  const struct request *request)
{
    char prompt[64] = "";
    if (f->prompt_tokens) /* an endpoint's are not known */
        snprintf(prompt, sizeof prompt, "%ld prompt tokens, ", f->prompt_tokens);
    cli_say(cli, NULL, "%ld rows, %ld pictures: %ld requests, %sat most %ld new tokens",
            f->rows, f->pictures, f->rows, prompt,
            f->rows * request->n * request->max_tokens);
}
