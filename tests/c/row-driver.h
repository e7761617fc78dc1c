/* row-driver.h: a row program for the tests of lib/row: adds "twice" = 2 * n to rows. The
 * tests run themselves as this program; row-driver.c makes a program of its own of it. */
#ifndef ROW_DRIVER_H
#define ROW_DRIVER_H
#include "row/cli.h"

#include <stdio.h>
#include <time.h>

static const struct cli_option driver_options[] = {
    {"workers", 'w', CLI_INT, "N", "rows in flight, by cli_map(); 0: a plain loop (0)",
     true},
    {"delay", 0, CLI_INT, "US", "microseconds that a row takes (0)", true},
    {"fail", 0, CLI_INT, "N", "rows whose n is a multiple of N fail (0: none)", false},
    {"flaky", 0, CLI_FLAG, NULL, "no row fails, whatever --fail says", true},
    {"drop", 0, CLI_INT, "N", "rows whose n is a multiple of N are left out (loop only)",
     false},
    {"abandon", 0, CLI_FLAG, NULL, "rows in flight are abandoned on a signal", true},
    {"root", 0, CLI_TEXT, "DIR", "where the pictures of rows lie (.)", false},
    {"seed", 0, CLI_INT, "N", "seed (0)", false},
    {"tag", 0, CLI_LIST, "TEXT", "given several times", false},
    {"maybe", 0, CLI_MAYBE, "K", "a value or none", false},
    {0}};
static const struct cli_page driver_page = {"row-driver",
                                            "[option ...] [file ...]",
                                            "Double the numbers of rows.",
                                            CLI_ROWS_OR_MEDIA,
                                            driver_options,
                                            NULL};

struct driver_job {
    struct cli *cli;
    int64_t delay, fail, drop;
    bool abandon;
};

static int driver_work(void *context, struct row *row)
{
    const struct driver_job *job = context;
    struct timespec pause = {0, job->delay * 1000};
    struct buf json = {0};
    int64_t n = 1;
    if (job->delay > 0)
        nanosleep(&pause, NULL);
    if (job->abandon && cli_stopping(job->cli))
        return CLI_ABANDON;
    if (row_has(row, "image"))
        return 0;
    if (row_int(row, "n", &n) < 0)
        return -1;
    if (job->fail > 0 && n % job->fail == 0)
        return fail(FAIL_MODEL, "n is %d", (int)n);
    json_put_int(&json, 2 * n);
    int rc = row_set(row, "twice", (struct span){json.data, json.len});
    buf_free(&json);
    return rc;
}

static inline int driver_main(int argc, char *argv[])
{
    struct cli cli;
    struct row row;
    if (cli_start(&cli, &driver_page, argc, argv) != 0)
        return cli.status;
    int workers = (int)cli_int(&cli, "workers", 0, 0, 64);
    struct driver_job job = {&cli, cli_int(&cli, "delay", 0, 0, 999999),
                             cli_int(&cli, "fail", 0, 0, INT64_MAX),
                             cli_int(&cli, "drop", 0, 0, INT64_MAX),
                             cli_has(&cli, "abandon")};
    if (cli_has(&cli, "flaky"))
        job.fail = 0;
    if (cli_usable(&cli) < 0 || cli_identity(&cli, "model", "none") < 0)
        return cli_quit(&cli);
    if (workers > 0) {
        cli_map(&cli, workers, driver_work, &job);
        return cli_end(&cli);
    }
    while (rows_next(&cli, &row)) {
        int64_t n;
        if (driver_work(&job, &row) < 0)
            row_fail(&row);
        if (!row.bad && job.drop > 0 && row_int(&row, "n", &n) == 0 && n % job.drop == 0)
            rows_drop(&cli, &row);
        else
            rows_write(&cli, &row);
    }
    return cli_end(&cli);
}
#endif
