/* chat_reply.c: see chat_reply.h. */
#include "model/chat_reply.h"
#include "base/fail.h"
#include "net/said.h"
#include "row/json.h"

#include <math.h>
#include <stdlib.h>

/* -- Errors -------------------------------------------------------------------------- */

void chat_error_put(struct buf *out, struct span error, const char *key)
{
    static const char *const keys[] = {"message", "detail", "error", "code", "type"};
    char text[SAID_MAX];
    struct buf said = {0};
    if (json_type(error) == JSON_STRING) {
        json_text(error, &said);
    } else {
        for (size_t i = 0; i < sizeof keys / sizeof *keys && said.len == 0; i++) {
            struct span value = json_get(error, keys[i]);
            if (json_type(value) == JSON_STRING)
                json_text(value, &said);
            else if (json_type(value) == JSON_NUMBER)
                buf_add(&said, value.s, value.n);
        }
        if (said.len == 0)
            buf_add(&said, error.s, error.n);
    }
    said_clean(text, (struct span){said.data, said.len}, key);
    buf_text(out, text);
    out->bad = out->bad || said.bad;
    buf_free(&said);
}

/* fail() with what the server said behind it. Returns status. */
static int fail_said(int status, enum fail_class kind, const char *what, struct span said,
                     const char *key)
{
    struct buf text = {0};
    chat_error_put(&text, said, key);
    if (buf_string(&text))
        fail(kind, "%s: %s", what, text.data);
    else
        fail_memory();
    buf_free(&text);
    return status;
}

/* The list of choices of a body: 0 or CHAT_AGAIN. */
static int find_choices(struct span body, struct span *choices, const char *key)
{
    if (json_check(body) < 0) {
        fail_in("the reply is no JSON");
        struct failure why; /* of class json, which is about rows */
        fail_save(&why);
        return fail(FAIL_PARSE, "%s", why.text);
    }
    struct span error = json_get(body, "error");
    if (json_given(error))
        return fail_said(CHAT_AGAIN, FAIL_HTTP, "the server says", error, key);
    *choices = json_get(body, "choices");
    if (json_type(*choices) != JSON_ARRAY)
        return fail(FAIL_PARSE, "the reply has no list of choices");
    return 0;
}

/* Is the choice a whole answer? 0; CHAT_FINAL (refused): the server or the model refuses;
 * CHAT_AGAIN (http): the server broke off, and what there is of a text is half of one. */
static int check_choice(struct span choice, const char *key)
{
    struct span refusal = json_find(choice, "message.refusal");
    if (json_type(refusal) == JSON_STRING && refusal.n > 2)
        return fail_said(CHAT_FINAL, FAIL_REFUSED, "the model refuses", refusal, key);
    struct span error = json_get(choice, "error"); /* OpenRouter's */
    if (json_given(error))
        return fail_said(CHAT_AGAIN, FAIL_HTTP, "the server says", error, key);
    struct buf buf = {0};
    struct span value = json_get(choice, "finish_reason"), reason = {"", 0};
    int status = 0;
    if (json_type(value) == JSON_STRING && json_text(value, &buf) == 0 && buf.len > 0)
        reason = (struct span){buf.data, buf.len};
    if (span_is(reason, "content_filter")) {
        fail(FAIL_REFUSED, "the server's content filter stopped the reply");
        status = CHAT_FINAL;
    } else if (span_is(reason, "abort") || span_is(reason, "error")) {
        fail(FAIL_HTTP, "the server broke the reply off (finish_reason %.*s)",
             (int)reason.n, reason.s);
        status = CHAT_AGAIN;
    }
    buf_free(&buf);
    return status;
}

/* -- Samples ------------------------------------------------------------------------- */

/* "stop" or "length"; NULL with the reason: it is neither a text nor null. */
static const char *read_finish(struct span choice)
{
    struct span value = json_get(choice, "finish_reason");
    struct buf reason = {0};
    const char *finish = "stop";
    if (!json_given(value))
        return finish;
    if (json_text(value, &reason) < 0) {
        buf_free(&reason);
        fail(FAIL_PARSE, "finish_reason is no text");
        return NULL;
    }
    struct span text = {reason.data, reason.len};
    if (span_is(text, "length") || span_is(text, "max_tokens"))
        finish = "length";
    buf_free(&reason);
    return finish;
}

/* A count in 0..INT32_MAX at a path; -1 where there is none. */
static int read_count(struct span value, const char *path)
{
    int64_t x;
    struct span number = json_find(value, path);
    if (json_type(number) != JSON_NUMBER || json_int(number, &x) < 0 || x < 0 ||
        x > INT32_MAX)
        return -1;
    return (int)x;
}

static int count_logprobs(struct span choice)
{
    struct span list = json_find(choice, "logprobs.content"), token;
    size_t at = 0;
    int n = 0;
    if (json_type(list) != JSON_ARRAY)
        return -1;
    while (json_each(list, &at, &token)) n++;
    return n;
}

/* Which missing sample a choice is for: its number among those; -1: none. */
static int64_t read_index(struct span choice, int place)
{
    int64_t index;
    struct span value = json_get(choice, "index");
    if (!json_given(value))
        return place;
    return json_type(value) == JSON_NUMBER && json_int(value, &index) == 0 ? index : -1;
}

/* The sample whose turn among slots[count] is index; NULL: none, or taken already. */
static struct completion *find_slot(struct chat_samples *s, const int *slots, int count,
                                    int64_t index)
{
    if (index < 0 || index >= count)
        return NULL;
    struct completion *c = &s->completions[slots[index]];
    return c->finish ? NULL : c;
}

/* Did the tokens run out in hidden reasoning, before the text began? Some servers say so
 * by null, some by an empty text. */
static bool ends_in_reasoning(struct span choice, const char *finish)
{
    static const char *const names[] = {"message.reasoning_content", "message.reasoning"};
    if (strcmp(finish, "length") != 0 ||
        !span_is(json_find(choice, "message.content"), "\"\""))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct span value = json_find(choice, names[i]);
        if (json_type(value) == JSON_STRING && value.n > 2)
            return true;
    }
    return false;
}

/* One choice into its sample. 1; 0: it holds none, with the reason; or CHAT_FINAL. */
static int take_choice(struct completion *c, struct span choice, const char *key)
{
    int status = check_choice(choice, key);
    if (status < 0)
        return status == CHAT_FINAL ? CHAT_FINAL : 0;
    struct span content = json_find(choice, "message.content");
    const char *finish = read_finish(choice);
    if (!finish)
        return 0;
    if (json_type(content) != JSON_STRING) {
        fail(FAIL_PARSE, "a choice without a text: content is %s",
             json_given(content) ? "no string" : "null or missing");
        return 0;
    }
    if (ends_in_reasoning(choice, finish)) {
        fail(FAIL_PARSE, "a choice without a text: it ends in reasoning");
        return 0;
    }
    buf_clear(&c->text);
    if (json_text(content, &c->text) < 0 || buf_ok(&c->text) < 0)
        return 0;
    c->finish = finish;
    c->tokens = count_logprobs(choice);
    return 1;
}

int chat_reply_take(struct chat_samples *s, struct span body, const char *key)
{
    struct span choices, choice;
    size_t at = 0;
    int asked = 0, came = 0, place = 0, rc;
    if (find_choices(body, &choices, key) < 0)
        return CHAT_AGAIN;
    int *slots = malloc(((size_t)s->n + 1) * sizeof *slots);
    if (!slots)
        return fail_memory();
    for (int i = 0; i < s->n; i++)
        if (!s->completions[i].finish)
            slots[asked++] = i;
    fail(FAIL_PARSE, "the reply has no choices");
    for (; json_each(choices, &at, &choice); place++) {
        struct completion *c = find_slot(s, slots, asked, read_index(choice, place));
        if (!c)
            continue;
        if ((rc = take_choice(c, choice, key)) < 0) {
            came = rc;
            break;
        }
        came += rc;
    }
    if (came > 0) {
        int reasoning =
            read_count(body, "usage.completion_tokens_details.reasoning_tokens");
        int total = read_count(body, "usage.completion_tokens");
        int prompt = read_count(body, "usage.prompt_tokens");
        if (asked == 1 && total >= 0)
            s->completions[slots[0]].tokens =
                reasoning > 0 && reasoning <= total ? total - reasoning : total;
        s->prompt_tokens = prompt > 0 ? prompt : s->prompt_tokens;
        s->missing -= came;
    }
    free(slots);
    return came == 0 ? CHAT_AGAIN : came;
}

/* -- Scores -------------------------------------------------------------------------- */

static struct span without_spaces(struct span text)
{
    while (text.n > 0 && *text.s == ' ') text.s++, text.n--;
    return text;
}

/* log(exp(a) + exp(b)): servers list tokens at -9999, which no sum of exp() shows. */
static double log_add(double a, double b)
{
    if (a < b)
        return log_add(b, a);
    return isinf(b) ? a : a + log1p(exp(b - a));
}

/* A listed token's log-probability. 0, or -1: it is none. */
static int read_logprob(struct span entry, double *logprob)
{
    struct span value = json_get(entry, "logprob");
    if (json_type(value) != JSON_NUMBER || json_double(value, logprob) < 0)
        return -1;
    return *logprob <= 1e-3 ? 0 : -1; /* rounding may put a sure token a little above 0 */
}

/* Add the probability of one listed token to the texts that it equals. How many; -1: such
 * a token has none, and to leave it out would be to call it impossible; or memory. */
static int add_token(struct span entry, const struct span *texts, int count, double *sums)
{
    struct buf token = {0};
    double logprob;
    int found = 0;
    if (json_type(json_get(entry, "token")) != JSON_STRING)
        return 0;
    if (json_text(json_get(entry, "token"), &token) < 0 || buf_ok(&token) < 0) {
        buf_free(&token);
        return -1;
    }
    struct span have = without_spaces((struct span){token.data, token.len});
    for (int i = 0; i < count && found >= 0; i++) {
        struct span want = without_spaces(texts[i]);
        if (have.n != want.n || (have.n && memcmp(have.s, want.s, have.n) != 0))
            continue;
        if (read_logprob(entry, &logprob) < 0) {
            fail(FAIL_PARSE, "an answer's log-probability is no number");
            found = -1;
        } else {
            sums[i] = log_add(sums[i], logprob);
            found++;
        }
    }
    buf_free(&token);
    return found;
}

/* The same for all listed tokens; *listed: how many there are. */
static int add_tokens(struct span top, const struct span *texts, int count, double *sums,
                      int *listed)
{
    struct span entry;
    int all = 0, found;
    *listed = 0;
    for (size_t at = 0; json_each(top, &at, &entry); ++*listed) {
        if ((found = add_token(entry, texts, count, sums)) < 0)
            return -1;
        all += found;
    }
    return all;
}

/* Is the token that was sampled among the listed ones? By its raw JSON text. */
static bool is_listed(struct span sampled, struct span top)
{
    struct span entry, a = json_get(sampled, "token"), b;
    for (size_t at = 0; json_each(top, &at, &entry);) {
        b = json_get(entry, "token");
        if (a.s && b.s && a.n == b.n && memcmp(a.s, b.s, a.n) == 0)
            return true;
    }
    return false;
}

static int no_logprobs(void)
{
    fail(FAIL_REFUSED,
         "the endpoint gives no log-probabilities: use --score sampled there");
    return CHAT_FINAL;
}

int chat_reply_score(struct span body, const struct span *texts, int count,
                     double *logprob, const char *key)
{
    struct span choices, choice, token;
    size_t at = 0;
    int listed, status;
    if (find_choices(body, &choices, key) < 0)
        return CHAT_AGAIN;
    if (!json_each(choices, &at, &choice))
        return fail(FAIL_PARSE, "the reply has no choices");
    if ((status = check_choice(choice, key)) < 0)
        return status;
    struct span list = json_find(choice, "logprobs.content");
    if (json_type(list) != JSON_ARRAY)
        return no_logprobs();
    at = 0;
    if (!json_each(list, &at, &token)) {
        fail(FAIL_PARSE, "the reply ends before its first token");
        return CHAT_FINAL;
    }
    struct span top = json_get(token, "top_logprobs");
    for (int i = 0; i < count; i++) logprob[i] = -INFINITY;
    int found = add_tokens(top, texts, count, logprob, &listed), sampled = 0;
    if (found < 0)
        return CHAT_FINAL;
    if (listed == 0) /* the sampled token alone would make it certain */
        return no_logprobs();
    if (!is_listed(token, top) && (sampled = add_token(token, texts, count, logprob)) < 0)
        return CHAT_FINAL;
    if (found + sampled == 0) {
        fail(FAIL_PARSE, "none of the %d answers is among the %d likeliest tokens", count,
             listed);
        return CHAT_FINAL;
    }
    for (int i = 0; i < count; i++) logprob[i] = fmin(logprob[i], 0);
    return 0;
}
