/* bench-run: run a command some times and say how long it took and how much memory it
 * held. Usage: bench-run RUNS COMMAND [ARG ...]. Prints JSON: median and least wall
 * seconds, least processor seconds, largest resident set in bytes. The command's output
 * is thrown away; its failure is ours. */
#include "machine.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    int runs = argc > 2 ? atoi(argv[1]) : 0;
    double *wall = runs > 0 ? calloc((size_t)runs, sizeof *wall) : NULL;
    double cpu = 0;
    long most = 0;
    if (!wall)
        return fprintf(stderr, "usage: bench-run RUNS COMMAND [ARG ...]\n"), 2;
    for (int i = 0; i < runs; i++) {
        struct rusage use;
        int status;
        double start = machine_now();
        pid_t pid = fork();
        if (pid == 0) {
            int null = open("/dev/null", O_WRONLY);
            dup2(null, 1);
            execvp(argv[2], argv + 2);
            _exit(127);
        }
        if (pid < 0 || wait4(pid, &status, 0, &use) < 0 || status != 0)
            return fprintf(stderr, "bench-run: %s failed\n", argv[2]), 1;
        wall[i] = machine_now() - start;
        double used = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                      1e-6 * (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
        cpu = i == 0 || used < cpu ? used : cpu;
        most = use.ru_maxrss > most ? use.ru_maxrss : most;
    }
    qsort(wall, (size_t)runs, sizeof *wall, machine_by_size);
    printf("{\"runs\":%d,\"wall_s\":%.6f,\"wall_min_s\":%.6f,\"cpu_min_s\":%.6f,"
           "\"max_rss\":%ld}\n",
           runs, wall[runs / 2], wall[0], cpu, most * 1024);
    free(wall);
    return 0;
}
