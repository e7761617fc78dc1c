/* launch.c: see launch.h. */
#include "comm/launch.h"
#include "base/fail.h"
#include "comm/comm.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Slurm comes last: inside its jobs its variables are set for mpirun's processes too, and
 * they are those of the step that started mpirun. */
static const struct launcher {
    const char *name, *rank, *world, *local;
} launchers[] = {
    {"torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK"},
    {"Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
     "OMPI_COMM_WORLD_LOCAL_RANK"},
    {"MPICH", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"},
    {"Slurm", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"},
};

/* A number from 0 to most; -1: it is none. */
static int number(const char *text, int most)
{
    char *end;
    errno = 0;
    long n = text && *text ? strtol(text, &end, 10) : -1;
    return n < 0 || *end || errno || n > most ? -1 : (int)n;
}

static int from_environment(struct launch *l)
{
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
        const struct launcher *by = &launchers[i];
        const char *rank = getenv(by->rank), *world = getenv(by->world);
        if (!rank || !world)
            continue;
        l->rank = number(rank, COMM_RANKS_MOST);
        l->world = number(world, COMM_RANKS_MOST);
        l->local = number(getenv(by->local), COMM_RANKS_MOST);
        if (l->rank < 0 || l->world < 1 || l->rank >= l->world)
            return fail(FAIL_REFUSED, "%s: %s=%s and %s=%s are no rank of at most %d",
                        by->name, by->rank, rank, by->world, world, COMM_RANKS_MOST);
        return 0;
    }
    return fail(FAIL_REFUSED,
                "--ranks env: neither torchrun nor mpirun nor srun has said which rank "
                "this is (RANK, OMPI_COMM_WORLD_RANK, PMI_RANK, SLURM_PROCID)");
}

/* Where rank 0 is: --rendezvous, or as launchers say it. */
static int rendezvous_read(struct launch *l, const char *given)
{
    const char *host = getenv("MASTER_ADDR"), *text = getenv("MASTER_PORT");
    const char *taken = getenv("TORCHELASTIC_USE_AGENT_STORE");
    int n = 0, port = text ? number(text, 65534) : 29500;
    if (taken && strcmp(taken, "True") == 0)
        port++; /* torchrun itself listens there */
    if (given)
        n = snprintf(l->rendezvous, sizeof l->rendezvous, "%s", given);
    else if (host && port <= 0)
        return fail(FAIL_REFUSED, "MASTER_PORT=%s: no port", text);
    else if (host)
        n = snprintf(l->rendezvous, sizeof l->rendezvous,
                     strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port);
    else
        return fail(FAIL_REFUSED, "say where the ranks meet: --rendezvous HOST:PORT of "
                                  "rank 0 (or MASTER_ADDR and MASTER_PORT)");
    return n < (int)sizeof l->rendezvous ? 0
                                         : fail(FAIL_REFUSED, "--rendezvous: too long");
}

int launch_read(struct launch *l, const char *ranks, int rank, const char *rendezvous)
{
    *l = (struct launch){.world = 1, .local = -1};
    if (!ranks)
        return rank >= 0 || rendezvous
                   ? fail(FAIL_REFUSED, "--rank and --rendezvous need --ranks")
                   : 0;
    if (strcmp(ranks, "env") == 0) {
        if (rank >= 0)
            return fail(FAIL_REFUSED, "--ranks env says which rank this is: no --rank");
        if (from_environment(l) < 0)
            return -1;
    } else {
        l->world = number(ranks, COMM_RANKS_MOST);
        l->rank = rank;
        if (l->world < 1)
            return fail(FAIL_REFUSED, "--ranks %s: not env, nor from 1 to %d", ranks,
                        COMM_RANKS_MOST);
        if (rank < 0 && l->world > 1)
            return fail(FAIL_REFUSED, "which of the %d ranks is this? --rank, from 0 on",
                        l->world);
        l->rank = rank < 0 ? 0 : rank;
        if (l->rank >= l->world)
            return fail(FAIL_REFUSED, "--rank %d: there are ranks 0 to %d", rank,
                        l->world - 1);
    }
    return l->world > 1 ? rendezvous_read(l, rendezvous) : 0;
}
