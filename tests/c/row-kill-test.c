/* row-kill-test: kill -9 at any moment, then --resume: none lost, doubled or torn.
 * 20 kills; LONG=1 makes it 300. */
#include "row-run.h"

#include <time.h>

static unsigned dice(unsigned *state)
{
    *state = *state * 1103515245u + 12345u;
    return *state >> 16;
}

/* What is run again and again; the undisturbed run has the same options. */
static const struct {
    const char *name, *options;
    bool errors; /* failed rows go to their own file */
} modes[] = {
    {"one worker", "-w 1 --fail 7", false},
    {"four workers", "-w 4 --fail 7", false},
    {"four workers, errors apart", "-w 4 --fail 7 --errors %s.err", true},
    {"a loop, errors apart", "--fail 7 --drop 5 --errors %s.err", true},
    {"four workers, a shard", "-w 4 --fail 7 --shard 1/3", false},
    {"one worker, a shard, errors apart", "-w 1 --fail 7 --shard 2/3 --errors %s.err",
     true},
};
enum { MODES = sizeof modes / sizeof *modes };

static void command(char *to, size_t size, int mode, const char *file, const char *more)
{
    char options[256];
    snprintf(options, sizeof options, modes[mode].options, file);
    snprintf(to, size, "-o %s %s %s rows", file, options, more);
}

static void write_rows(void)
{
    struct buf text = {0};
    for (int i = 0; i < 3000; i++) {
        if (i % 50 == 7)
            buf_print(&text, "broken %d\n", i % 200);
        else if (i % 3 == 0)
            buf_print(&text, "{\"n\":%d}\n", i % 60); /* no id, and many equal lines */
        else
            buf_print(&text, "{\"id\":\"%d\",\"n\":%d,\"s\":\"%.*s\"}\n", i % 40, i,
                      i % 90,
                      "-----------------------------------------------------------------"
                      "-------------------------");
    }
    put_file("rows", text.data, text.len);
    buf_free(&text);
}

/* Is every key in the journal once? (Its lines' beginnings differ in key or occurrence.)
 */
static void check_journal(const char *path)
{
    char shell[256];
    snprintf(shell, sizeof shell,
             "[ -z \"$(sed 's/,\"end\".*//' %s | sort | uniq -d)\" ]", path);
    run_shell(shell);
}

/* One run, killed *kills times at most (each counts down), then finished. */
static void kill_and_resume(int mode, int *kills, unsigned *state, const char *extra)
{
    char line[512], name[128];
    int killed = 0, status = -1;
    run_shell("rm -f got* want*");
    command(line, sizeof line, mode, "want", "");
    CHECK(run(line, NULL, "out", NULL) == 1, "%s: undisturbed", modes[mode].name);
    snprintf(name, sizeof name, "--resume --delay 300 %s", extra);
    command(line, sizeof line, mode, "got", name);
    while (*kills > 0 && killed < 4) {
        pid_t pid = run_start(line, NULL, "out", NULL);
        usleep(dice(state) % 600 * 1000);
        kill(pid, SIGKILL);
        status = run_wait(pid);
        if (status != 1000 + SIGKILL)
            break; /* it had come to its end */
        killed++;
        --*kills;
    }
    snprintf(name, sizeof name, "--resume %s", extra);
    command(line, sizeof line, mode, "got", name);
    status = run(line, NULL, "out", "err");
    CHECK(status == 0 || status == 1, "%s: %d", modes[mode].name, status);
    CHECK(same_files("want", "got"), "%s: after %d kills", modes[mode].name, killed);
    if (modes[mode].errors)
        CHECK(same_files("want.err", "got.err"), "%s: errors", modes[mode].name);
    check_journal("got.journal");
    CHECK(run(line, NULL, "out", "err") == 0, "%s: finished", modes[mode].name);
    CHECK(same_files("want", "got"), "%s: finished", modes[mode].name);
}

static void a_killed_run_resumes_to_the_same_bytes(void)
{
    int kills = getenv("LONG") ? 300 : 20;
    unsigned state = (unsigned)time(NULL) ^ (unsigned)getpid();
    const char *seed = getenv("SEED");
    if (seed)
        state = (unsigned)atoi(seed);
    fprintf(stderr, "SEED=%u\n", state);
    for (int mode = 0; kills > 0 && check_case_failures == 0; mode = (mode + 1) % MODES)
        kill_and_resume(mode, &kills, &state, "");
}

/* Redo failed rows: the result equals a run in which they had not failed. */
static void failed_rows_are_redone_in_their_places(void)
{
    unsigned state = 4711;
    int kills = getenv("LONG") ? 60 : 6;
    for (int mode = 0; mode < MODES; mode++) {
        char line[512];
        run_shell("rm -f got* want*");
        command(line, sizeof line, mode, "want", "--flaky");
        run(line, NULL, "out", NULL);
        command(line, sizeof line, mode, "got", "");
        run(line, NULL, "out", NULL);
        CHECK(!same_files("want", "got"), "%s: rows failed", modes[mode].name);
        for (int i = 0; i < 2 && kills > 0; i++, kills--) {
            command(line, sizeof line, mode, "got",
                    "--resume --retry-errors --flaky --delay 1000");
            pid_t pid = run_start(line, NULL, "out", NULL);
            usleep(dice(&state) % 400 * 1000);
            kill(pid, SIGKILL);
            run_wait(pid);
        }
        command(line, sizeof line, mode, "got", "--resume --retry-errors --flaky");
        run(line, NULL, "out", "err");
        CHECK(same_files("want", "got"), "%s: redone", modes[mode].name);
        if (modes[mode].errors)
            CHECK(same_files("want.err", "got.err"), "%s: errors", modes[mode].name);
        CHECK(access("got.redo", F_OK) < 0 && access("got.redo.journal", F_OK) < 0,
              "%s: nothing is left behind", modes[mode].name);
    }
}

static void a_link_stays_one_and_leads_to_the_rows(void)
{
    run_shell("rm -rf got* want* far; mkdir far; ln -s far/got got");
    CHECK(run("-o want --fail 7 --flaky rows", NULL, "out", NULL) == 1, "%s", "want");
    CHECK(run("-o got --fail 7 rows", NULL, "out", "err") == 1, "%s",
          "leads nowhere yet");
    CHECK(run("-o got --fail 7 --resume --retry-errors --flaky rows", NULL, "out",
              "err") == 1,
          "%s", "redone");
    run_shell("[ -L got ] && cmp far/got want && [ \"$(ls far)\" = got ]");
}

/* Damage that a crash can leave. */
static void torn_tails_are_cut(void)
{
    char line[512];
    run_shell("rm -f got* want*");
    command(line, sizeof line, 2, "want", "");
    run(line, NULL, "out", NULL);
    command(line, sizeof line, 2, "got", "--resume");
    static const char *const damages[] = {
        "printf '{\"torn' >>got; printf torn >>got.err",
        "printf '{\"id\":\"1\",\"n\":99' >>got.journal",
        "truncate -s -50 got",
        "truncate -s 5000 got",
        "truncate -s 100 got.err",
        "truncate -s -3 got.journal",
        "head -100 got.journal >j && mv j got.journal",
        "head -1 got.journal >j && mv j got.journal",
        "printf '\\0\\0\\0\\0\\0\\0\\0\\0\\n' >>got.journal; printf '\\0\\0\\0\\0' >>got",
        "rm got",
        "rm got got.journal got.err",
        ": >got; : >got.journal",
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        run_shell("cp want got && cp want.err got.err && cp want.journal got.journal");
        run_shell(damages[i]);
        int status = run(line, NULL, "out", "err");
        CHECK(status == 0 || status == 1, "%s: %d", damages[i], status);
        CHECK(same_files("want", "got"), "%s", damages[i]);
        CHECK(same_files("want.err", "got.err"), "%s", damages[i]);
        check_journal("got.journal");
    }
}

static void what_does_not_belong_together_is_refused(void)
{
    char line[512];
    run_shell("rm -f got* want*");
    command(line, sizeof line, 0, "got", "");
    run(line, NULL, "out", NULL);
    char *before = get_file("got", NULL), *after;
    CHECK(run("-o got --resume -w 1 --fail 8 rows", NULL, "out", "err") == 2, "%s",
          "--fail");
    CHECK(run("-o got --resume -w 1 --fail 7 --errors e rows", NULL, "out", "err") == 2,
          "%s", "--errors");
    CHECK(run("-o got --resume -w 4 --fail 7 rows", NULL, "out", "err") == 0, "%s", "-w");
    run_shell("sed -i 's/row-driver/another/' got.journal");
    CHECK(run("-o got --resume -w 1 --fail 7 rows", NULL, "out", "err") == 2, "%s",
          "program");
    run_shell("rm got.journal");
    CHECK(run("-o got --resume -w 1 --fail 7 rows", NULL, "out", "err") == 2, "%s",
          "journal");
    after = get_file("got", NULL);
    CHECK(strcmp(before, after) == 0, "%s", "nothing was changed");
    free(before);
    free(after);
    run_shell("rm -f got*");
    pid_t pid = run_start("-o got --resume -w 1 --delay 5000 rows", NULL, "out", NULL);
    usleep(150000);
    CHECK(run("-o got --resume -w 1 rows", NULL, "out", "err") == 2, "%s", "two at once");
    CHECK(run("-o got --force -w 1 rows", NULL, "out", "err") == 2, "%s", "two at once");
    kill(pid, SIGKILL);
    run_wait(pid);
}

int main(void)
{
    run_setup();
    write_rows();
    CASE(a_killed_run_resumes_to_the_same_bytes);
    CASE(failed_rows_are_redone_in_their_places);
    CASE(a_link_stays_one_and_leads_to_the_rows);
    CASE(torn_tails_are_cut);
    CASE(what_does_not_belong_together_is_refused);
    run_cleanup();
    return check_end();
}
