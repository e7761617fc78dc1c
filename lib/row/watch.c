/* watch.c: two threads beside the work. One waits for SIGINT, SIGTERM and SIGHUP (which
 * all threads block, so that no handler and no global is needed) and shows progress; the
 * other brings finished rows to the disk and into the journal every quarter of a second.
 *
 * The first signal lets rows in flight finish or be abandoned; the second ends at once:
 * what the journal holds is safe either way.
 */
#include "row/cli_own.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    WATCH_TICK_MS = 250,
    WATCH_STUCK = 8, /* ticks that a stopped run waits for a reader that does not read */
};

/* The signals to wait for: those that nobody (nohup, a shell's &) has us ignore. */
static void choose_signals(sigset_t *set)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction now;
    sigemptyset(set);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaddset(set, signals[i]);
}

static void take_signal(struct cli *cli)
{
    struct cli_private *own = cli->own;
    struct signalfd_siginfo info;
    if (read(own->watch.signal_fd, &info, sizeof info) != sizeof info)
        return;
    if (!own->started && cli->page->input != CLI_NO_ROWS)
        _exit(CLI_INTERRUPTED); /* nothing was written yet: nothing to bring to an end */
    if (own->stop == STOP_SIGNAL)
        _exit(CLI_INTERRUPTED);
    cli_stop(cli, STOP_SIGNAL);
}

/* Is a row being written at this moment? */
static bool writing(struct sink *s)
{
    if (pthread_mutex_trylock(&s->lock) != 0)
        return true;
    pthread_mutex_unlock(&s->lock);
    return false;
}

static void *watch(void *context)
{
    struct cli *cli = context;
    struct cli_private *own = cli->own;
    struct progress progress = {0};
    struct pollfd fds[2] = {{.fd = own->watch.signal_fd, .events = POLLIN},
                            {.fd = own->watch.end_fd, .events = POLLIN}};
    for (int stuck = 0; stuck < WATCH_STUCK;) {
        int ready = poll(fds, 2, WATCH_TICK_MS);
        if (ready > 0 && fds[1].revents) {
            progress_show(cli, &progress, true);
            return NULL;
        }
        if (ready > 0 && fds[0].revents)
            take_signal(cli);
        if (own->stop == STOP_SIGNAL && !own->sink.file && writing(&own->sink))
            stuck++;
        else
            stuck = 0;
        progress_show(cli, &progress, false);
    }
    _exit(CLI_INTERRUPTED); /* a pipe that nobody reads */
}

static void *keep(void *context)
{
    struct cli *cli = context;
    struct cli_private *own = cli->own;
    struct pollfd end = {.fd = own->watch.end_fd, .events = POLLIN};
    while (poll(&end, 1, WATCH_TICK_MS) <= 0) {
        if (!own->started)
            continue;
        sink_commit(&own->sink);
        if (own->sink.error)
            cli_stop(cli, own->sink.error == EPIPE ? STOP_PIPE : STOP_OUTPUT);
    }
    return NULL;
}

int watch_start(struct cli *cli)
{
    struct cli_private *own = cli->own;
    struct watch *w = &own->watch;
    sigset_t set;
    signal(SIGPIPE, SIG_IGN); /* a write fails with EPIPE instead */
    signal(SIGXFSZ, SIG_IGN); /* ... and with EFBIG */
    choose_signals(&set);
    own->wait.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return fail(FAIL_INTERNAL, "cannot block signals");
    w->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (own->wait.wake_fd < 0 || w->end_fd < 0 || w->signal_fd < 0)
        return fail(FAIL_INTERNAL, "cannot wait for signals: %s", strerror(errno));
    if ((errno = pthread_create(&w->watcher, NULL, watch, cli)) != 0)
        return fail(FAIL_INTERNAL, "cannot start a thread: %s", strerror(errno));
    w->watching = true;
    if ((errno = pthread_create(&w->keeper, NULL, keep, cli)) != 0)
        return fail(FAIL_INTERNAL, "cannot start a thread: %s", strerror(errno));
    w->keeping = true;
    return 0;
}

void watch_end(struct cli *cli)
{
    struct cli_private *own = cli->own;
    struct watch *w = &own->watch;
    uint64_t one = 1;
    if (w->end_fd >= 0)
        while (write(w->end_fd, &one, sizeof one) < 0 && errno == EINTR) {
        }
    if (w->watching)
        pthread_join(w->watcher, NULL);
    if (w->keeping)
        pthread_join(w->keeper, NULL);
    w->watching = w->keeping = false;
    if (w->signal_fd >= 0)
        close(w->signal_fd);
    if (w->end_fd >= 0)
        close(w->end_fd);
    if (own->wait.wake_fd >= 0)
        close(own->wait.wake_fd);
    w->signal_fd = w->end_fd = own->wait.wake_fd = -1;
}
