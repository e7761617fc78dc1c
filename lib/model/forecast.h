/* forecast.h: --explain and --dry-run: how rows are prepared, and what it comes to. */
#ifndef FORECAST_H
#define FORECAST_H
#include "model/model.h"
#include "row/cli.h"

/* Sums over rows, added up by any number of threads. Zeroed at first. */
struct forecast {
    _Atomic long rows, pictures, prompt_tokens;
};

/* Plan a row's request and add it; explain: say its sizes on stderr. 0 or -1 as
 * model_plan(). */
int forecast_add(struct forecast *f, struct cli *cli, struct model *model,
                 const struct row *row, const struct request *request, bool explain);

/* Say the sums on stderr, one request like this one a row. */
void forecast_say(const struct forecast *f, struct cli *cli,
                  const struct request *request);
#endif
