/* launch.h: which rank a process is: said by options, or by what started it. */
#ifndef LAUNCH_H
#define LAUNCH_H

struct launch {
    int rank, world;
    int local; /* its number on its machine, for a GPU of its own; -1: not known */
    char rendezvous[512]; /* comm.h; "" with one rank */
};

/* ranks: NULL (one process), "N", or "env": what torchrun (RANK, WORLD_SIZE, MASTER_ADDR,
 * MASTER_PORT), Open MPI (OMPI_COMM_WORLD_RANK, ..SIZE), MPICH and Intel MPI (PMI_RANK,
 * PMI_SIZE) or Slurm (SLURM_PROCID, SLURM_NTASKS) have set, in this order. rank: -1 if it
 * is not given; rendezvous: NULL likewise. 0, or -1 (refused): what is missing. */
int launch_read(struct launch *l, const char *ranks, int rank, const char *rendezvous);
#endif
