/* progress.c: how far a run is: a bar on a terminal, a line each 30 s with --progress. */
#include "row/cli_own.h"

#include <stdio.h>
#include <unistd.h>

enum { PROGRESS_LINE_S = 30 };
static const double bar_every = 0.25, bar_first = 1; /* seconds */

static double seconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) +
           1e-9 * (double)(now.tv_nsec - start->tv_nsec);
}

/* "ETA 1:02:03", or "" while nothing is known. */
static void put_eta(char *text, size_t size, double seconds, int done)
{
    text[0] = '\0';
    if (done <= 0 || seconds < 1)
        return;
    double left = seconds * (FEED_ALL - done) / done;
    if (left > 8640000)
        return;
    int s = (int)(left + 0.5);
    if (s >= 3600)
        snprintf(text, size, ", ETA %d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, size, ", ETA %d:%02d", s / 60, s % 60);
}

void progress_show(struct cli *cli, struct progress *p, bool last)
{
    struct cli_private *own = cli->own;
    /* Rows on the same terminal would tear the bar apart. */
    bool bar = own->say.tty && (own->plan.path || !isatty(STDOUT_FILENO));
    double seconds = seconds_since(&own->start);
    char eta[32], failed[48] = "", text[200];
    if ((!bar && !own->progress) || cli->page->input == CLI_NO_ROWS)
        return;
    if (p->next == 0)
        p->next = bar ? bar_first : PROGRESS_LINE_S;
    if (seconds < p->next && !(last && own->progress && !bar))
        return;
    p->next = seconds + (bar ? bar_every : PROGRESS_LINE_S);
    long long rows = own->rows, bad = own->failed;
    put_eta(eta, sizeof eta, seconds, last ? 0 : own->feed.done);
    if (bad > 0)
        snprintf(failed, sizeof failed, ", %lld failed", bad);
    snprintf(text, sizeof text, "%lld rows, %.3g/s%s%s", rows,
             seconds > 0 ? (double)rows / seconds : 0, failed, eta);
    if (bar) {
        char line[256];
        snprintf(line, sizeof line, "%.40s: %s", own->say.name, text);
        say_bar(&own->say, last ? "" : line);
    } else {
        say(&own->say, "%s", text);
    }
}
