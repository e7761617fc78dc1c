/* net-run.h: calls through lib/net against the fault server, as tests make them. */
#ifndef NET_RUN_H
#define NET_RUN_H
#include "base/fail.h"
#include "check.h"
#include "net/net.h"
#include "row/json.h"
#include "server-run.h"

/* One chat request, and what came of it. */
struct ask {
    const char *text; /* of the user's turn; put "marker:WORD" in it to find it again */
    int n;            /* samples; 0: 1 */
    const char *want; /* must occur in the reply; NULL: anything goes */
    /* Out: */
    int rc, attempts, accepted; /* accepted: how often accept() said yes */
    struct failure failure;
    int64_t ms; /* that it took */
};

static inline int ask_body(void *context, int endpoint, int attempt, struct buf *out)
{
    const struct ask *a = context;
    (void)endpoint, (void)attempt;
    buf_print(out,
              "{\"model\":\"any\",\"n\":%d,\"messages\":[{\"role\":\"user\",\"content\":",
              a->n ? a->n : 1);
    json_put_text(out, span_of(a->text));
    buf_text(out, "}]}");
    return buf_ok(out);
}

/* Is the body a chat completion with n choices, each with a text? */
static inline int ask_accept(void *context, int endpoint, struct span body)
{
    struct ask *a = context;
    struct span choices, choice;
    unsigned seen = 0;
    size_t at = 0;
    (void)endpoint;
    if (json_check(body) < 0)
        return fail(FAIL_PARSE, "no JSON");
    choices = json_get(body, "choices");
    while (json_each(choices, &at, &choice)) {
        int64_t index = -1;
        struct span content = json_find(choice, "message.content");
        if (json_type(content) != JSON_STRING ||
            json_int(json_get(choice, "index"), &index) < 0 || index < 0 || index > 31)
            return fail(FAIL_PARSE, "a choice without a text");
        seen |= 1u << index;
    }
    if (seen != (1u << (a->n ? a->n : 1)) - 1)
        return fail(FAIL_PARSE, "not every choice");
    if (a->want && !memmem(body.s, body.n, a->want, strlen(a->want)))
        return fail(FAIL_PARSE, "an answer to another question");
    a->accepted++;
    return 0;
}

static inline struct net_call ask_call(struct ask *a)
{
    return (struct net_call){.path = "/chat/completions",
                             .body = ask_body,
                             .accept = ask_accept,
                             .context = a};
}

/* Make one call; deadline_ms from now, 0: none. */
static inline void ask_once(struct net *n, struct ask *a, int deadline_ms)
{
    struct net_call call = ask_call(a);
    int64_t start = net_now_ms();
    call.deadline_ms = deadline_ms ? start + deadline_ms : 0;
    a->accepted = 0;
    a->rc = net_post_all(n, &call, 1);
    a->attempts = call.attempts;
    a->ms = net_now_ms() - start;
    if (a->rc < 0)
        fail_save(&a->failure);
}

/* A net with short pauses over one server; ends the test program if it does not open. */
static inline struct net *net_to(const char *url, int retries, double timeout)
{
    struct net_options o = {.urls = &url,
                            .count = 1,
                            .concurrency = 8,
                            .timeout = timeout,
                            .retries = retries,
                            .backoff = 0.02,
                            .max_reply = 1 << 20};
    struct net *n = net_open(&o);
    if (!n) {
        fprintf(stderr, "net_open: %s\n", fail_text());
        exit(1);
    }
    return n;
}

static inline bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}
#endif
