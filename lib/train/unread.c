/* unread.c: see unread.h. Field names: OpenAI's chat and fine-tuning formats,
 * LLaMA-Factory's and ms-swift's. */
#include "train/unread.h"
#include "base/fail.h"
#include "row/json.h"

bool unread_empty(struct span value)
{
    static const char *const nothing[] = {"null",   "\"\"",   "[]",      "{}",
                                          "\"[]\"", "\"{}\"", "\"null\""};
    struct span first;
    size_t at = 0;
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        if (span_is(value, nothing[i]))
            return true;
    return json_type(value) == JSON_ARRAY && !json_each(value, &at, &first);
}

/* A turn that is learnt as all others are. */
static bool is_one(struct span value)
{
    double x;
    return json_type(value) == JSON_TRUE || json_type(value) == JSON_NULL ||
           (json_double(value, &x) == 0 && x == 1);
}

/* Is it a turn that is learnt? Of others a weight says nothing. */
static bool is_learnt(struct span message)
{
    struct span role = json_get(message, "role"), from = json_get(message, "from");
    return span_is(role, "\"assistant\"") || span_is(from, "\"gpt\"") ||
           span_is(from, "\"assistant\"");
}

static int refuse_in(struct span message)
{
    static const char *const contents[] = {"tools", "tool_calls", "function_call",
                                           "reasoning_content"};
    static const char *const weights[] = {"weight", "loss_weight", "loss"};
    struct span value;
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++)
        if ((value = json_get(message, contents[i])).s && !unread_empty(value))
            return fail(FAIL_REFUSED, "\"%s\" is not trained here", contents[i]);
    for (size_t i = 0; is_learnt(message) && i < sizeof weights / sizeof *weights; i++)
        if ((value = json_get(message, weights[i])).s && !is_one(value))
            return fail(FAIL_REFUSED, "\"%s\": every assistant's turn is learnt alike",
                        weights[i]);
    return 0;
}

int unread_refuse(struct row *row)
{
    static const char *const lists[] = {"messages", "conversations", "prompt", "chosen",
                                        "rejected"};
    struct span message;
    bool tools = row_has(row, "tools") && !unread_empty(row_value(row, "tools"));
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct span list = row_value(row, lists[i]);
        size_t at = 0;
        if (!list.s || json_type(list) != JSON_ARRAY)
            continue;
        if (tools)
            return fail(FAIL_REFUSED, "\"tools\" is not trained here");
        for (int n = 0; json_each(list, &at, &message); n++)
            if (json_type(message) == JSON_OBJECT && refuse_in(message) < 0)
                return fail_in("%s[%d]", lists[i], n);
    }
    return 0;
}
