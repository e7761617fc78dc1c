/* bench-judge: a reward's work with and without sharing what its prompts have in common.
 *
 * Usage: bench-judge DIR THREADS [CAPTIONS]. Prints JSON. The work is 8 captions of 500
 * tokens, each with 5 questions (question and options: 60 tokens) in 4 orders, answered
 * by letter. Shared: one model_score_all() a caption. Unshared: the same prompts one by
 * one through model_score(), 4 of them in flight, so that passes are full here too, with
 * a model that shares nothing between requests.
 * CAPTIONS (2) of the 8 are measured, one after the other; of each, all 20 prompts shared
 * and, since every prompt costs the same there, the first 4 unshared. Both must give the
 * same bits. */
#include "base/fail.h"
#include "machine.h"
#include "words.h"

#include <pthread.h>

enum {
    CAPTION = 500,
    QUESTION = 60,
    QUESTIONS = 5,
    ORDERS = 4,
    OPTIONS = 4,
    PROMPTS = QUESTIONS * ORDERS,
    SAMPLE = 4,
    CAPTIONS_MAX = 8
};

/* One prompt, and what came out for its letters. */
struct judged {
    struct model *model;
    struct buf text;
    struct turn_part part;
    struct turn turn;
    double shared[OPTIONS], alone[OPTIONS];
    pthread_t thread;
};

static const struct span letters[OPTIONS] = {{"A", 1}, {"B", 1}, {"C", 1}, {"D", 1}};
static const bool ends[OPTIONS];

static struct request request_of(const struct turn *turn)
{
    return (struct request){.turns = turn, .count = 1, .n = 1};
}

/* Prompt `order` of question `q` about a caption: options shifted. */
static void fill(struct judged *j, struct model *m, struct span caption, int q, int order)
{
    struct buf options[OPTIONS] = {{0}};
    j->model = m;
    j->text.len = 0;
    buf_text(&j->text, "Caption:");
    buf_add(&j->text, caption.s, caption.n);
    int before = words_tokens(m, (struct span){j->text.data, j->text.len});
    buf_text(&j->text, "\n\nQuestion:");
    words_add(m, &j->text, 15, (unsigned)q);
    for (int i = 0; i < OPTIONS; i++) {
        int option = (i + order) % OPTIONS;
        buf_print(&j->text, "\n%c)", 'A' + i);
        buf_text(&options[i], "");
        words_add(m, &options[i], 6, (unsigned)(100 * q + option));
        buf_add(&j->text, options[i].data, options[i].len);
        buf_free(&options[i]);
    }
    buf_text(&j->text, "\nLetter:");
    int tokens = words_tokens(m, (struct span){j->text.data, j->text.len}) - before;
    if (buf_ok(&j->text) < 0 || tokens > QUESTION)
        words_die("a question is too long");
    j->part = (struct turn_part){.text = {j->text.data, j->text.len}};
    j->turn = (struct turn){TURN_USER, &j->part, 1};
}

static double score_shared(struct model *m, struct judged *judged)
{
    struct score_item items[PROMPTS];
    struct request r = request_of(NULL);
    for (int i = 0; i < PROMPTS; i++)
        items[i] = (struct score_item){&judged[i].turn, 1, letters, ends, OPTIONS,
                                       judged[i].shared};
    double start = machine_now();
    if (model_score_all(m, &r, items, PROMPTS) != 0)
        words_die(fail_text());
    return machine_now() - start;
}

static void *score_one(void *context)
{
    struct judged *j = context;
    struct request r = request_of(&j->turn);
    if (model_score(j->model, &r, letters, ends, OPTIONS, j->alone) != 0)
        words_die(fail_text());
    return NULL;
}

static double score_alone(struct judged *judged)
{
    double start = machine_now();
    for (int i = 0; i < SAMPLE; i++)
        if (pthread_create(&judged[i].thread, NULL, score_one, &judged[i]) != 0)
            words_die("no thread");
    for (int i = 0; i < SAMPLE; i++) pthread_join(judged[i].thread, NULL);
    return machine_now() - start;
}

int main(int argc, char *argv[])
{
    int captions = argc > 3 ? atoi(argv[3]) : 2;
    if (argc < 3 || argc > 4 || captions < 1 || captions > CAPTIONS_MAX)
        return fprintf(stderr, "usage: bench-judge DIR THREADS [CAPTIONS]\n"), 2;
    struct model_options options = {
        .device = "cpu", .threads = atoi(argv[2]), .ctx = 2048};
    struct model *m = model_open(argv[1], &options);
    options.unshared = true;
    struct model *unshared = m ? model_open(argv[1], &options) : NULL;
    if (!unshared)
        words_die(fail_text());
    struct judged *judged = calloc(PROMPTS, sizeof *judged);
    double shared[CAPTIONS_MAX], alone[CAPTIONS_MAX], ratio[CAPTIONS_MAX];
    int prompt = 0;
    if (!judged)
        words_die("out of memory");
    for (int c = 0; c < captions; c++) {
        struct buf caption = {0};
        buf_text(&caption, "");
        words_add(m, &caption, CAPTION, (unsigned)c + 7);
        for (int i = 0; i < PROMPTS; i++)
            fill(&judged[i], m, (struct span){caption.data, caption.len}, i / ORDERS,
                 i % ORDERS);
        prompt = words_tokens(m, judged[0].part.text);
        for (int i = 0; i < PROMPTS; i++) judged[i].model = unshared;
        if (c == 0)
            score_one(&judged[0]); /* pages in the weights */
        shared[c] = PROMPTS / score_shared(m, judged);
        alone[c] = SAMPLE / score_alone(judged);
        ratio[c] = shared[c] / alone[c];
        for (int i = 0; i < SAMPLE; i++)
            if (memcmp(judged[i].shared, judged[i].alone, sizeof judged[i].alone) != 0)
                words_die("shared and unshared differ");
        buf_free(&caption);
    }
    printf("{\"threads\":%s,\"captions\":%d,\"prompts\":%d,\"sample\":%d,"
           "\"prompt_tokens\":%d,\"shared_questions_s\":%.3f,"
           "\"unshared_questions_s\":%.3f,\"ratio\":%.2f}\n",
           argv[2], captions, PROMPTS, SAMPLE, prompt, machine_median(shared, captions),
           machine_median(alone, captions), machine_median(ratio, captions));
    for (int i = 0; i < PROMPTS; i++) buf_free(&judged[i].text);
    free(judged);
    model_close(m);
    model_close(unshared);
    return 0;
}
