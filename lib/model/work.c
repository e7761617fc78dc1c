/* work.c: see work.h. */
#include "model/work.h"
#include "base/fail.h"
#include "net/net.h"

#include <string.h>

int model_failed(struct cli *cli, struct model *m)
{
    if (cli_stopping(cli))
        return CLI_ABANDON;
    if (!model_down(m))
        return -1;
    switch (fail_kind()) {
    case FAIL_HTTP:
    case FAIL_TIMEOUT:
        if (strncmp(fail_text(), NET_DOWN, strlen(NET_DOWN)) == 0)
            cli_give_up(cli, "%s", fail_text());
        else
            cli_give_up(cli, NET_DOWN ": %s", fail_text());
        return CLI_ABANDON;
    case FAIL_INTERNAL: /* the batch cannot be written */
        cli_give_up(cli, "%s", fail_text());
        return CLI_ABANDON;
    default: return -1; /* the row's own: a picture that is none */
    }
}

int model_status(struct cli *cli, struct model *m, int status)
{
    if (status == MODEL_DEFERRED)
        return CLI_DROP;
    return status < 0 ? model_failed(cli, m) : status;
}

void model_end(struct cli *cli, struct model *m)
{
    if (m && !cli_stopping(cli) && model_finish(m) < 0)
        cli_give_up(cli, "%s", fail_text());
    model_close(m);
}

bool model_abandon(void *cli)
{
    return cli_stopping(cli);
}
