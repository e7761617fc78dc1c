/* bench-prism: the second stage of prism-eval on the local core: rows in order, 8 with
 * each caption, a request a row.
 *
 * Usage: bench-prism DIR THREADS [CAPTIONS]. Prints JSON. Captions have 500 tokens,
 * questions with their options 60, replies 32. Shared: --max-batch 16 as it is by
 * default, a worker for each, as prism-eval has. Unshared: --max-batch 1 and no sharing
 * of what prompts begin with; every row costs the same there, so that a sample is enough:
 * ALONE rows, taken before and after the shared ones. The replies must be the same.
 * Beside the two: rows shared, with --max-batch 1. Processor seconds a row (*_cpu_s) tell
 * about a machine that has other work. */
#include "machine.h"
#include "words.h"

#include <pthread.h>
#include <string.h>

enum {
    CAPTION = 500,
    QUESTION = 60,
    REPLY = 32,
    QUESTIONS = 8,
    CAPTIONS_MAX = 8,
    ROWS_MAX = QUESTIONS * CAPTIONS_MAX,
    WORKERS = 16,
    ALONE = 4,
    NARROW = 8
};

struct row {
    struct buf text;
    struct turn_part part;
    struct turn turn;
    struct reply reply;
};

/* Rows that workers take in order. */
struct work {
    struct model *model;
    struct row *rows;
    int count, next;
    pthread_mutex_t lock;
};

static int take(struct work *w)
{
    pthread_mutex_lock(&w->lock);
    int i = w->next < w->count ? w->next++ : -1;
    pthread_mutex_unlock(&w->lock);
    return i;
}

static void *run_rows(void *context)
{
    struct work *w = context;
    for (int i; (i = take(w)) >= 0;) {
        struct row *row = &w->rows[i];
        struct request r = {.turns = &row->turn,
                            .count = 1,
                            .n = 1,
                            .top_p = 1,
                            .repetition_penalty = 1,
                            .max_tokens = REPLY,
                            .ignore_eos = true,
                            .loop_stop = true};
        if (model_generate(w->model, &r, &row->reply) != 0)
            words_die(fail_text());
    }
    return NULL;
}

/* Seconds that rows took, and of all processors together. */
struct took {
    double wall, cpu;
};

static struct took run(struct model *m, struct row *rows, int count, int workers)
{
    struct work w = {m, rows, count, 0, PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread[WORKERS];
    double start = machine_now();
    clock_t used = clock();
    for (int i = 0; i < workers; i++)
        if (pthread_create(&thread[i], NULL, run_rows, &w) != 0)
            words_die("no thread");
    for (int i = 0; i < workers; i++) pthread_join(thread[i], NULL);
    return (struct took){machine_now() - start,
                         (double)(clock() - used) / CLOCKS_PER_SEC};
}

static void fill(struct row *rows, struct model *m, int captions)
{
    for (int c = 0; c < captions; c++) {
        struct buf caption = {0};
        buf_text(&caption, "Here is the caption of a picture.\n\nCaption:");
        words_add(m, &caption, CAPTION, (unsigned)c + 7);
        for (int q = 0; q < QUESTIONS; q++) {
            struct row *row = &rows[c * QUESTIONS + q];
            buf_add(&row->text, caption.data, caption.len);
            buf_text(&row->text, "\n\nQuestion:");
            words_add(m, &row->text, QUESTION, 100u * (unsigned)c + (unsigned)q);
            if (buf_ok(&row->text) < 0)
                words_die("out of memory");
            row->part = (struct turn_part){.text = {row->text.data, row->text.len}};
            row->turn = (struct turn){TURN_USER, &row->part, 1};
        }
        buf_free(&caption);
    }
}

static struct model *open_judge(const char *dir, int threads, int max_batch, bool shared)
{
    struct model_options options = {.device = "cpu",
                                    .threads = threads,
                                    .ctx = 2048,
                                    .max_batch = max_batch,
                                    .unshared = !shared};
    struct model *m = model_open(dir, &options);
    if (!m)
        words_die(fail_text());
    return m;
}

/* Row i must have the reply of row j of another list. */
static void same_reply(const struct row *a, const struct row *b)
{
    const struct completion *x = a->reply.completions, *y = b->reply.completions;
    if (x->tokens != REPLY || x->text.len != y->text.len ||
        memcmp(x->text.data, y->text.data, x->text.len) != 0)
        words_die("replies are not 32 tokens, or not the same shared and unshared");
}

static void rows_free(struct row *rows, int count)
{
    for (int i = 0; i < count; i++) {
        buf_free(&rows[i].text);
        reply_free(&rows[i].reply);
    }
    free(rows);
}

int main(int argc, char *argv[])
{
    int captions = argc > 3 ? atoi(argv[3]) : 2, threads = argc > 2 ? atoi(argv[2]) : 0;
    if (argc < 3 || argc > 4 || captions < 1 || captions > CAPTIONS_MAX)
        return fprintf(stderr, "usage: bench-prism DIR THREADS [CAPTIONS]\n"), 2;
    int count = captions * QUESTIONS;
    struct model *wide = open_judge(argv[1], threads, WORKERS, true);
    struct model *narrow = open_judge(argv[1], threads, 1, true);
    struct model *alone = open_judge(argv[1], threads, 1, false);
    struct row *rows = calloc(ROWS_MAX, sizeof *rows);
    struct row *other = calloc(ROWS_MAX, sizeof *other);
    if (!rows || !other)
        words_die("out of memory");
    fill(rows, wide, captions);
    fill(other, wide, captions);
    int tokens = words_tokens(wide, rows[0].part.text);
    run(alone, other, 1, 1); /* pages in the weights */
    reply_free(&other[0].reply);

    struct took before = run(alone, other, ALONE / 2, 1);
    struct took shared = run(wide, rows, count, WORKERS);
    struct took after = run(alone, other + ALONE / 2, ALONE - ALONE / 2, 1);
    for (int i = 0; i < ALONE; i++) {
        same_reply(&rows[i], &other[i]);
        reply_free(&other[i].reply);
    }
    struct took narrowed = run(narrow, other, NARROW, 1);
    for (int i = 0; i < NARROW; i++) same_reply(&rows[i], &other[i]);
    double unshared_s = (before.wall + after.wall) / ALONE,
           shared_s = shared.wall / count;
    printf("{\"threads\":%d,\"rows\":%d,\"sample\":%d,\"prompt_tokens\":%d,"
           "\"shared_rows_s\":%.3f,\"narrow_rows_s\":%.3f,\"unshared_rows_s\":%.3f,"
           "\"ratio\":%.2f,\"shared_cpu_s\":%.2f,\"narrow_cpu_s\":%.2f,"
           "\"unshared_cpu_s\":%.2f}\n",
           threads, count, ALONE, tokens, 1 / shared_s, NARROW / narrowed.wall,
           1 / unshared_s, unshared_s / shared_s, shared.cpu / count,
           narrowed.cpu / NARROW, (before.cpu + after.cpu) / ALONE);
    rows_free(rows, count);
    rows_free(other, count);
    model_close(wide);
    model_close(narrow);
    model_close(alone);
    return 0;
}
