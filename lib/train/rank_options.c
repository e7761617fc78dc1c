/* rank_options.c: see rank_options.h. */
#include "train/rank_options.h"
#include "base/fail.h"
#include "comm/comm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rank_options_read(struct rank_options *o, struct cli *cli)
{
    o->timeout = (double)cli_int(cli, "rank-timeout", 1800, 1, 1000000);
    if (launch_read(&o->launch, cli_text(cli, "ranks", NULL),
                    (int)cli_int(cli, "rank", -1, 0, COMM_RANKS_MOST),
                    cli_text(cli, "rendezvous", NULL)) < 0)
        cli_bad_usage(cli, "%s", fail_text());
}

const char *rank_options_device(struct rank_options *o, const char *device)
{
    const char *seen = getenv("CUDA_VISIBLE_DEVICES");
    bool alone = seen && *seen && !strchr(seen, ',');
    if (o->launch.world < 2 || o->launch.local < 0 || alone ||
        strcmp(device, "cuda") != 0)
        return device;
    snprintf(o->device, sizeof o->device, "cuda:%d", o->launch.local);
    return o->device;
}

static bool stopping(void *context)
{
    const struct cli *cli = context;
    return cli_stopping(cli);
}

int rank_options_open(const struct rank_options *o, struct cli *cli, struct comm **comm)
{
    const struct comm_options how = {.rank = o->launch.rank,
                                     .world = o->launch.world,
                                     .rendezvous = o->launch.rendezvous,
                                     .timeout = o->timeout,
                                     .stop = stopping,
                                     .context = cli};
    *comm = NULL;
    return how.world > 1 && !(*comm = comm_open(&how)) ? -1 : 0;
}
