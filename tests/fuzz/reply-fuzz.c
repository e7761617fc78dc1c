/* reply-fuzz.c: any bytes as what an endpoint says: as a reply to a generation, to a
 * scoring, and as a line of a batch's results. Nothing is invented: what counts as an
 * answer stands in the bytes. */
#include "base/fail.h"
#include "model/batch.h"
#include "model/chat_reply.h"
#include "row/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s: %s\n", what, fail_text());
    abort();
}

static void as_samples(struct span body, int n)
{
    struct completion c[8] = {0};
    struct chat_samples s = {c, n, n, 0};
    for (int round = 0; round < 3; round++) {
        int before = s.missing, have = 0, came = chat_reply_take(&s, body, "key");
        for (int i = 0; i < n; i++) {
            have += c[i].finish != NULL;
            check(!c[i].finish || c[i].tokens >= -1, "tokens");
        }
        if (came == CHAT_FINAL) {
            check(fail_kind() == FAIL_REFUSED, "a final failure of another class");
            break;
        }
        check(came == CHAT_AGAIN || came > 0, "neither a failure nor a sample");
        check(before - s.missing == (came > 0 ? came : 0), "miscounted");
        check(n - s.missing == have, "missing does not fit the samples");
        check(came < 0 || json_get(body, "choices").s, "samples without choices");
    }
    for (int i = 0; i < n; i++) buf_free(&c[i].text);
}

static void as_scores(struct span body)
{
    const struct span texts[] = {{"A", 1}, {" B", 2}, {"", 0}};
    double p[3];
    int status = chat_reply_score(body, texts, 3, p, "key");
    if (status != 0) {
        check(status == CHAT_AGAIN || fail_kind() == FAIL_REFUSED ||
                  fail_kind() == FAIL_PARSE,
              "class");
        return;
    }
    bool any = false;
    for (int i = 0; i < 3; i++) {
        check(!isnan(p[i]) && p[i] <= 0, "no log-probability");
        any = any || !isinf(p[i]);
    }
    check(any, "scores without a listed text");
}

static void as_batch(const uint8_t *data, size_t size)
{
    char name[] = "/tmp/reply-fuzz-XXXXXX";
    int fd = mkstemp(name);
    check(fd >= 0 && write(fd, data, size) == (ssize_t)size, "temporary file");
    close(fd);
    struct batch_in *b = batch_in_open(name);
    struct buf line = {0};
    struct span body;
    if (b && batch_in_find(b, "id", &line, &body) == 0)
        check(json_type(body) == JSON_OBJECT, "a body that is no object");
    batch_in_close(b);
    buf_free(&line);
    unlink(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1); /* of just this size: an overrun is seen */
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    struct span body = {copy, size};
    as_samples(body, 1);
    as_samples(body, 4);
    as_scores(body);
    free(copy);
    as_batch(data, size);
    return 0;
}
