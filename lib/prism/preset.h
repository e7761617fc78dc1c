/* preset.h: how a benchmark's questions are put to a judge and scored, as a data file:
 * share/benchmarks/NAME.json, described in capmill-benchmarks(7).
 *
 * A preset says what rows leave open. What a row says itself wins: its `kind` over the
 * preset's, its `options` over where the preset expects them, a finished `prompt` (as
 * CapRL publishes them) over the preset's prompts, which are then not used at all.
 */
#ifndef PRESET_H
#define PRESET_H
#include "answer/answer.h"
#include "qa/wording.h"

/* By what rule the published script scores this benchmark (--rules published). */
enum preset_published {
    PRESET_MATH,  /* the boxed answer, mathematically equal */
    PRESET_CHART, /* that, or relaxed accuracy at the scales 1, 0.01 and 100 */
    PRESET_INFO,  /* either of these, or ANLS */
};
const char *preset_published_name(enum preset_published rule); /* "math", ... */

/* Where the options of multiple-choice questions stand in rows of this benchmark. */
enum preset_options {
    PRESET_NONE,     /* open answers */
    PRESET_ROW,      /* in the row's `options` */
    PRESET_QUESTION, /* in the question's text, with their letters */
    PRESET_PICTURE,  /* drawn in the picture, with their letters */
};

/* Zeroed, it has nothing. */
struct preset {
    char *name;            /* owned: the file's name without folder and ".json" */
    char *title;           /* owned: a table's heading, "ChartQA" */
    char *category;        /* owned: the row's key, dotted, that breaks the score down */
    enum answer_kind kind; /* of rows that name none */
    enum preset_published published;
    enum preset_options options;
    int letters; /* where options stand in no row: as many, A, B, ..., may be answered;
                    else 0 */
    struct wording choice, open; /* owned: prompts for questions of kind choice and for
                                    all other ones; one of them may be missing */
};

/* Read a preset: a path where the name has a slash or ends in ".json", else
 * share/benchmarks/NAME.json. 0, or -1 with *p empty (class refused, model or internal):
 * no such preset (the text lists those there are), no JSON, a key or value that no preset
 * has (named), a key missing, a prompt with a wrong place. */
int preset_read(struct preset *p, const char *name_or_path);
void preset_close(struct preset *p); /* leaves *p empty */

/* What is put into a prompt. Spans are borrowed; options empty where the row lists none,
 * else a line each with its letter, as everywhere: "A) red\nB) blue". */
struct preset_question {
    enum answer_kind kind; /* the row's, else the preset's */
    struct span caption, question, options;
};

/* Append the judge's prompt for a question. Options that the row lists and the prompt has
 * no place for follow the question, so that they are never lost. What is put in is never
 * read for places. 0, or -1: memory, or (class refused) the preset has no prompt for such
 * a kind: preset_asks() tells beforehand. */
int preset_fill(const struct preset *p, const struct preset_question *q, struct buf *out);
bool preset_asks(const struct preset *p, enum answer_kind kind);
#endif
