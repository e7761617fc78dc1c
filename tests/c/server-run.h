/* server-run.h: start and stop the fault server (fault-server-driver) from a C test, and
 * read its log. */
#ifndef SERVER_RUN_H
#define SERVER_RUN_H
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct server_run {
    pid_t pid;
    int port;
    char url[64]; /* "http://127.0.0.1:PORT/v1" */
    char log[64]; /* path */
};

enum { SERVER_WORDS = 64 };

/* The driver lies beside the test program. */
static inline void server_program(char *path, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", path, size - 32);
    path[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(path, '/');
    strcpy(slash ? slash + 1 : path, "fault-server-driver");
}

/* Start a server with these options, words separated by one space. Ends the test program
 * if it does not start. */
static inline void server_start(struct server_run *r, const char *options)
{
    char program[4096], words[2048], *argv[SERVER_WORDS] = {NULL}, line[32];
    int out[2], count = 0, fd;
    server_program(program, sizeof program);
    snprintf(r->log, sizeof r->log, "/tmp/server-log-XXXXXX");
    if ((fd = mkstemp(r->log)) < 0 || pipe2(out, O_CLOEXEC) < 0) {
        perror("server_start");
        exit(1);
    }
    close(fd);
    snprintf(words, sizeof words, "driver --log %s %s", r->log, options);
    char *save = NULL;
    for (char *w = strtok_r(words, " ", &save); w && count < SERVER_WORDS - 1;
         w = strtok_r(NULL, " ", &save))
        argv[count++] = w;
    r->pid = fork();
    if (r->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* no test leaves a server behind */
        dup2(out[1], STDOUT_FILENO);
        execv(program, argv);
        _exit(127);
    }
    close(out[1]);
    FILE *f = fdopen(out[0], "r");
    if (r->pid < 0 || !f || !fgets(line, sizeof line, f)) {
        fprintf(stderr, "%s does not start\n", program);
        exit(1);
    }
    fclose(f);
    r->port = atoi(line);
    snprintf(r->url, sizeof r->url, "http://127.0.0.1:%d/v1", r->port);
}

static inline void server_stop(struct server_run *r)
{
    kill(r->pid, SIGKILL);
    while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    unlink(r->log);
}

/* What the log says, in figures. */
struct server_seen {
    int requests, faults, in_flight; /* the most at a time */
};

/* Of the requests with this marker (NULL: all). */
static inline struct server_seen server_seen(const struct server_run *r,
                                             const char *marker)
{
    struct server_seen seen = {0};
    char line[1024], fault[64], mark[256];
    int in_flight;
    FILE *f = fopen(r->log, "r");
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "%*d %d %*s %*d %63s %*d %255s", &in_flight, fault, mark) != 3 ||
            (marker && strcmp(marker, mark) != 0))
            continue;
        seen.requests++;
        seen.faults += strcmp(fault, "-") != 0;
        if (in_flight > seen.in_flight)
            seen.in_flight = in_flight;
    }
    if (f)
        fclose(f);
    return seen;
}
#endif
