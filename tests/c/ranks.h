/* ranks.h: a process for each rank of a test, and what came of each. */
#ifndef RANKS_H
#define RANKS_H
#include "comm/comm.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RANKS_MOST = 8 };

/* What a rank does, and what it leaves in *outcome, which is zeroed. */
typedef void ranks_work(const struct comm_options *o, void *context, void *outcome);

/* Run ranks 0 .. world - 1 and wait for all. outcomes [world] of so many bytes each: that
 * of a rank that died is left as it was. */
static void ranks_run(int world, const char *rendezvous, double timeout, ranks_work *work,
                      void *context, void *outcomes, size_t bytes)
{
    pid_t pid[RANKS_MOST];
    int pipes[RANKS_MOST][2];
    for (int r = 0; r < world; r++) {
        if (pipe(pipes[r]) < 0 || (pid[r] = fork()) < 0)
            abort();
        if (pid[r] > 0) {
            close(pipes[r][1]);
            continue;
        }
        const struct comm_options o = {
            .rank = r, .world = world, .rendezvous = rendezvous, .timeout = timeout};
        void *mine = calloc(1, bytes);
        if (!mine)
            abort();
        work(&o, context, mine);
        (void)!write(pipes[r][1], mine, bytes);
        _exit(0);
    }
    for (int r = 0; r < world; r++) {
        (void)!read(pipes[r][0], (char *)outcomes + (size_t)r * bytes, bytes);
        close(pipes[r][0]);
        waitpid(pid[r], NULL, 0);
    }
}
#endif
