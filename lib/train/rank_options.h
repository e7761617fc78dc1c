/* rank_options.h: options by which several processes run a program together. */
#ifndef RANK_OPTIONS_H
#define RANK_OPTIONS_H
#include "comm/launch.h"
#include "row/cli.h"

/* clang-format off */
#define RANK_OPTIONS                                                                     \
    {"", 0, CLI_FLAG, NULL, "Several processes", false},                                 \
    {"ranks", 0, CLI_TEXT, "N|env",                                                      \
     "N processes share the run; env: as srun, mpirun, torchrun say (1)", true},         \
    {"rank", 0, CLI_INT, "I", "this is process I, from 0", true},                        \
    {"rendezvous", 0, CLI_TEXT, "HOST:PORT",                                             \
     "where process 0 is (MASTER_ADDR:MASTER_PORT)", true},                              \
    {"rank-timeout", 0, CLI_INT, "S", "seconds to wait for another process (1800)", true}
/* clang-format on */

struct rank_options {
    struct launch launch;
    double timeout;  /* seconds */
    char device[16]; /* "cuda:1", of rank_options_device() */
};

/* Bad ones are told and show in cli_usable(). */
void rank_options_read(struct rank_options *o, struct cli *cli);

/* The device of this rank where all are told the same: "cuda" is a GPU for each rank of a
 * machine whose number there is known, unless CUDA_VISIBLE_DEVICES shows it one alone. */
const char *rank_options_device(struct rank_options *o, const char *device);

/* Meet the others. *comm: NULL if there are none; comm_close() it. 0 or -1 (comm.h). */
struct comm;
int rank_options_open(const struct rank_options *o, struct cli *cli, struct comm **comm);
#endif
