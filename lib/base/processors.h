/* processors.h: how many processors this process may use: what "all processors" means. */
#ifndef PROCESSORS_H
#define PROCESSORS_H

/* Those that the process is bound to (taskset, a Slurm step, a container's cpuset), of
 * all that are there. At least 1. */
int processors_usable(void);
#endif
