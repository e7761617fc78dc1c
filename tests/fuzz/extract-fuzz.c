/* extract-fuzz: any bytes as a model's question text: both lists are JSON, every block is
 * a question or a refusal, and each question is one that a row's reader accepts. */
#include "qa/extract.h"
#include "qa/question.h"
#include "row/row_own.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s: %s\n", what, fail_text());
    abort();
}

static int count(struct span array)
{
    struct span element;
    int n = 0;
    for (size_t at = 0; json_each(array, &at, &element);) n++;
    return n;
}

/* What was written is read back. */
static void read_back(struct span qa, int want)
{
    struct row row;
    struct questions questions;
    char *line = malloc(qa.n + 8);
    if (!line)
        return;
    int n = sprintf(line, "{\"qa\":");
    memcpy(line + n, qa.s, qa.n);
    line[n + (int)qa.n] = '}';
    struct span text = {line, (size_t)n + qa.n + 1};
    check(row_begin(&row, "fuzz", "id", line, text, NULL) == 0 && !row.bad, "row");
    check(questions_read(&questions, &row) == 0, "refused by the reader");
    check(questions.count == want, "a question was lost");
    row_free(&row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf qa = {0}, rejects = {0};
    /* A copy of just this size, so that reading past its end is seen. */
    char *text = malloc(size ? size : 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    int blocks = extract_questions((struct span){text, size}, &qa, &rejects);
    struct span good = {qa.data, qa.len}, bad = {rejects.data, rejects.len};
    check(blocks >= 0, "memory");
    check(json_check(good) == 0, "qa is no JSON");
    check(json_check(bad) == 0, "qa_rejects is no JSON");
    check(count(good) + count(bad) == blocks, "a block was lost");
    read_back(good, count(good));
    buf_free(&qa);
    buf_free(&rejects);
    free(text);
    return 0;
}
