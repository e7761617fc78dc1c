/* row-run.h: run the driver program (this test itself, by fork) and look at what it did.
 */
#ifndef ROW_RUN_H
#define ROW_RUN_H
#include "check.h"
#include "row-driver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char run_folder[64]; /* where the tests' files lie; also the working folder */

static inline void run_setup(void)
{
    snprintf(run_folder, sizeof run_folder, "/tmp/row-test-XXXXXX");
    if (!mkdtemp(run_folder) || chdir(run_folder) < 0) {
        perror(run_folder);
        exit(1);
    }
}

static inline void run_shell(const char *command)
{
    if (system(command) != 0)
        CHECK(false, "%s", command);
}

static inline void run_cleanup(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", run_folder);
    if (chdir("/") < 0 || system(command) != 0)
        perror(command);
}

static inline void put_file(const char *path, const char *text, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(text, 1, n, f) != n || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}

/* A file's content, NUL behind it; "" if there is none. free() it. */
static inline char *get_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    size_t cap = 1 << 16, n = 0, got;
    char *text = malloc(cap + 1);
    while (f && (got = fread(text + n, 1, cap - n, f)) > 0) {
        n += got;
        if (n == cap)
            text = realloc(text, (cap *= 2) + 1);
    }
    if (f)
        fclose(f);
    text[n] = '\0';
    if (size)
        *size = n;
    return text;
}

static inline bool same_files(const char *a, const char *b)
{
    size_t n, m;
    char *x = get_file(a, &n), *y = get_file(b, &m);
    bool same = n == m && memcmp(x, y, n) == 0;
    free(x);
    free(y);
    return same;
}

/* Start the driver with the words of line as arguments. Streams go to the files in, out
 * and err; NULL: /dev/null, "-": closed, "inherit": as they are. */
static inline pid_t run_start(const char *line, const char *in, const char *out,
                              const char *err)
{
    fflush(stdout);
    fflush(stderr);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    const char *const paths[3] = {in, out, err};
    char words[1024], *argv[64] = {(char *)"row-driver"};
    int argc = 1;
    for (int fd = 0; fd < 3; fd++) {
        if (paths[fd] && strcmp(paths[fd], "inherit") == 0)
            continue;
        close(fd);
        bool closed = !paths[fd] || strcmp(paths[fd], "-") == 0;
        if (open(closed ? "/dev/null" : paths[fd],
                 fd == 0 ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC, 0600) < 0)
            _exit(99);
    }
    /* open() takes the lowest descriptor: those closed on purpose are closed last */
    for (int fd = 0; fd < 3; fd++)
        if (paths[fd] && strcmp(paths[fd], "-") == 0)
            close(fd);
    snprintf(words, sizeof words, "%s", line);
    for (char *w = strtok(words, " "); w && argc < 63; w = strtok(NULL, " "))
        argv[argc++] = w;
    exit(driver_main(argc, argv));
}

static inline int run_wait(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Run it: exit status (1000 + signal if it was killed). */
static inline int run(const char *line, const char *in, const char *out, const char *err)
{
    return run_wait(run_start(line, in, out, err));
}

/* Run on the text in; what comes out on stdout and stderr, until the next call. */
static char *run_out, *run_err;
static inline int run_on(const char *line, const char *text, size_t n)
{
    put_file("in", text, n);
    int status = run(line, "in", "out", "err");
    free(run_out);
    free(run_err);
    run_out = get_file("out", NULL);
    run_err = get_file("err", NULL);
    return status;
}
static inline int run_text(const char *line, const char *text)
{
    return run_on(line, text, strlen(text));
}

static inline bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static inline int count_lines(const char *text)
{
    int n = 0;
    while ((text = strchr(text, '\n'))) n++, text++;
    return n;
}
#endif
