/* answer.c: see answer.h. JSON by jansson, so that no code under test answers itself. */
#include "server/answer.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <xxhash.h>

enum { OPTIONS_MAX = 26, PICTURE_WORDS = 5, TOP_MAX = 20 };

/* What a conversation says. */
struct talk {
    struct buf last;     /* text of the last user turn */
    struct buf pictures; /* bytes of all pictures, and the words that they show */
    uint64_t hash;       /* of messages and seed */
    bool pictured;
    char words[PICTURE_WORDS][16]; /* what "can be seen" in the pictures */
};

/* One sample of an answer, in tokens: words with the space before them. */
struct sample {
    struct buf text;
    char letters[OPTIONS_MAX + 1]; /* that the first token is drawn from; or "" */
};

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t both[2] = {a, b};
    return XXH3_64bits(both, sizeof both);
}

static int base64_value(int c)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Append the bytes of a data: URI. */
static void add_picture(struct buf *out, const char *uri)
{
    const char *s = strstr(uri, ";base64,");
    unsigned bits = 0;
    int have = 0, v;
    for (s = s ? s + 8 : ""; (v = base64_value(*s)) >= 0; s++) {
        bits = bits << 6 | (unsigned)v;
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_char(out, (char)(bits >> have & 255));
        }
    }
}

/* Append a message's text; its pictures go to t->pictures. */
static void add_content(struct talk *t, json_t *content, struct buf *text)
{
    size_t i;
    json_t *part;
    if (json_is_string(content))
        buf_text(text, json_string_value(content));
    json_array_foreach(content, i, part)
    {
        const char *s = json_string_value(json_object_get(part, "text"));
        const char *url =
            json_string_value(json_object_get(json_object_get(part, "image_url"), "url"));
        if (s)
            buf_text(text, s);
        if (url) {
            t->pictured = true;
            add_picture(&t->pictures, url);
        }
    }
}

static void read_talk(struct talk *t, json_t *request)
{
    size_t i;
    json_t *message, *messages = json_object_get(request, "messages");
    *t = (struct talk){0};
    json_array_foreach(messages, i, message)
    {
        const char *role = json_string_value(json_object_get(message, "role"));
        struct buf other = {0};
        bool user = role && strcmp(role, "user") == 0;
        if (user)
            buf_clear(&t->last);
        add_content(t, json_object_get(message, "content"), user ? &t->last : &other);
        buf_free(&other);
    }
    uint64_t picture = XXH3_64bits(t->pictures.data, t->pictures.len);
    for (int k = 0; t->pictured && k < PICTURE_WORDS; k++) {
        snprintf(t->words[k], sizeof t->words[k], "thing%04x",
                 (unsigned)mix(picture, (uint64_t)k) & 0xffff);
        buf_print(&t->pictures, " %s.", t->words[k]);
    }
    char *dump = json_dumps(messages, JSON_COMPACT | JSON_ENCODE_ANY);
    t->hash = dump ? XXH3_64bits(dump, strlen(dump)) : 0;
    free(dump);
    t->hash =
        mix(t->hash, (uint64_t)json_integer_value(json_object_get(request, "seed")));
    buf_string(&t->last);
    buf_string(&t->pictures);
}

static void free_talk(struct talk *t)
{
    buf_free(&t->last);
    buf_free(&t->pictures);
}

/* -- Judging --------------------------------------------------------------------------
 */

struct shown_option {
    char letter;
    struct span text;
};

/* Is a line an option: space, "- ", "(", a letter, one of `).:`, text? */
static bool read_option(struct span line, struct shown_option *o)
{
    size_t i = 0;
    while (i < line.n && strchr(" \t-*(", line.s[i])) i++;
    if (i + 2 >= line.n || line.s[i] < 'A' || line.s[i] > 'Z' ||
        !strchr(").:", line.s[i + 1]))
        return false;
    o->letter = line.s[i];
    for (i += 2; i < line.n && isspace((unsigned char)line.s[i]); i++) {
    }
    while (line.n > i && isspace((unsigned char)line.s[line.n - 1])) line.n--;
    o->text = (struct span){line.s + i, line.n - i};
    return true;
}

/* The last run of options of a text, and where what is before them ends: at a line
 * "Question...", else at the first option. */
static int find_options(struct span text, struct shown_option *options, size_t *caption)
{
    int count = 0;
    size_t question = text.n;
    *caption = text.n;
    for (size_t at = 0; at < text.n;) {
        const char *end = memchr(text.s + at, '\n', text.n - at);
        struct span line = {text.s + at, end ? (size_t)(end - text.s) - at : text.n - at};
        struct shown_option o;
        size_t lead = 0;
        while (lead < line.n && strchr(" #*", line.s[lead])) lead++;
        if (line.n >= lead + 8 && strncasecmp(line.s + lead, "question", 8) == 0)
            question = at;
        if (read_option(line, &o) && (o.letter == 'A' || count > 0)) {
            if (o.letter == 'A') {
                count = 0;
                *caption = question < at ? question : at;
            }
            if (o.letter == 'A' + count && count < OPTIONS_MAX)
                options[count++] = o;
        }
        at += line.n + 1;
    }
    return count;
}

static bool occurs(struct span needle, const char *hay, size_t n)
{
    for (size_t i = 0; needle.n > 0 && i + needle.n <= n; i++)
        if (strncasecmp(hay + i, needle.s, needle.n) == 0)
            return true;
    return false;
}

static bool cannot(struct span option)
{
    static const char *const ways[] = {"cannot",     "can not",         "can't",
                                       "not stated", "not be answered", "not mentioned"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (occurs(span_of(ways[i]), option.s, option.n))
            return true;
    return false;
}

/* The longest option that the caption or the pictures hold; else the cannot-answer
 * option; else any. */
static int pick_option(struct talk *t, const struct shown_option *options, int count,
                       size_t caption)
{
    int best = -1, way_out = -1;
    for (int i = 0; i < count; i++) {
        struct span text = options[i].text;
        if (cannot(text))
            way_out = i;
        else if ((occurs(text, t->last.data, caption) ||
                  occurs(text, t->pictures.data, t->pictures.len)) &&
                 (best < 0 || text.n > options[best].text.n))
            best = i;
    }
    if (best >= 0)
        return best;
    return way_out >= 0 ? way_out : (int)(t->hash % (uint64_t)count);
}

static bool judge(struct talk *t, struct sample *s)
{
    struct shown_option options[OPTIONS_MAX];
    size_t caption;
    int count = find_options((struct span){t->last.data, t->last.len}, options, &caption);
    if (count < 2)
        return false;
    int pick = pick_option(t, options, count, caption);
    buf_char(&s->text, options[pick].letter);
    s->letters[0] = options[pick].letter; /* the likeliest first */
    for (int i = 0, k = 1; i < count; i++)
        if (i != pick)
            s->letters[k++] = options[i].letter;
    return true;
}

/* -- Questions, echo -------------------------------------------------------------------
 */

static void make_questions(struct talk *t, struct sample *s)
{
    for (int k = 0; k < PICTURE_WORDS; k++) {
        uint64_t h = mix(t->hash, 100 + (uint64_t)k);
        int right = (int)(h % 4);
        char word[16];
        snprintf(word, sizeof word, "%s", t->words[k]);
        if (!t->pictured)
            snprintf(word, sizeof word, "thing%04x", (unsigned)(h >> 48));
        buf_print(&s->text, "#### %d. **What is in place %d?**\n", k + 1, k + 1);
        for (int i = 0; i < 4; i++) {
            char other[24];
            snprintf(other, sizeof other, "other%03x%c", (unsigned)h >> 8 & 0xfff,
                     'a' + i);
            buf_print(&s->text, "   - %c) %s\n", 'A' + i, i == right ? word : other);
        }
        buf_print(&s->text, "**Answer:** %c) %s\n------\n", 'A' + right, word);
    }
}

/* A text that depends on the conversation and on the sample; of what pictures show, each
 * thing in half of the samples. */
static void echo(struct talk *t, int i, struct sample *s)
{
    uint64_t h = mix(t->hash, (uint64_t)i);
    buf_print(&s->text, "Reply %016llx.", (unsigned long long)h);
    for (int k = 0; t->pictured && k < PICTURE_WORDS; k++)
        if (h >> k & 1)
            buf_print(&s->text, " It shows %s.", t->words[k]);
    buf_text(&s->text, " You said: ");
    size_t n = t->last.len < 60 ? t->last.len : 60;
    while (n > 0 && n < t->last.len && ((unsigned char)t->last.data[n] & 0xC0) == 0x80)
        n--;
    buf_add(&s->text, t->last.data, n);
}

static bool has(struct talk *t, const char *text)
{
    return occurs(span_of(text), t->last.data, t->last.len);
}

static void make_sample(const struct answer_rules *rules, struct talk *t, int i,
                        struct sample *s)
{
    enum answer_mode mode = rules->mode;
    *s = (struct sample){0};
    if (rules->reply) {
        buf_text(&s->text, rules->reply);
        return;
    }
    if ((mode == ANSWER_JUDGE || mode == ANSWER_AUTO) &&
        !(mode == ANSWER_AUTO && has(t, "multiple-choice questions")) && judge(t, s))
        return;
    if (mode == ANSWER_QA || (mode == ANSWER_AUTO && has(t, "multiple-choice questions")))
        make_questions(t, s);
    else
        echo(t, i, s);
}

/* -- As JSON ---------------------------------------------------------------------------
 */

/* The length of the token at s: space, then a word. */
static size_t token(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n && isspace((unsigned char)s[i])) i++;
    while (i < n && !isspace((unsigned char)s[i])) i++;
    return i;
}

/* Cut at the first stop string and at max_tokens. The tokens left, the reason. */
static int cut_sample(json_t *request, struct sample *s, const char **finish)
{
    json_t *stop = json_object_get(request, "stop"), *one;
    json_int_t most = json_integer_value(json_object_get(request, "max_tokens"));
    size_t i, at = 0;
    int tokens = 0;
    *finish = "stop";
    json_array_foreach(stop, i, one)
    {
        char *hit =
            buf_string(&s->text) ? strstr(s->text.data, json_string_value(one)) : 0;
        if (hit)
            s->text.len = (size_t)(hit - s->text.data);
    }
    while (at < s->text.len && (most <= 0 || tokens < most)) {
        at += token(s->text.data + at, s->text.len - at);
        tokens++;
    }
    if (at < s->text.len)
        *finish = "length";
    s->text.len = at;
    return tokens;
}

static json_t *token_object(const char *s, size_t n, double logprob)
{
    json_t *bytes = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(bytes, json_integer((unsigned char)s[i]));
    json_t *text = json_stringn(s, n); /* NULL inside a cut character */
    return json_pack("{s:o,s:f,s:o}", "token", text ? text : json_string("\xef\xbf\xbd"),
                     "logprob", logprob, "bytes", bytes);
}

/* The likeliest at a place: letters where the sample is one, else the token and others.
 */
static json_t *top_list(const struct answer_rules *rules, const struct sample *s,
                        const char *text, size_t n, bool first, int top)
{
    json_t *list = json_array();
    size_t letters = first ? strlen(s->letters) : 0;
    double rest = letters > 1 ? (1 - rules->sure) / ((double)letters - 1) : 0;
    for (int i = 0; i < top; i++) {
        char other[24];
        snprintf(other, sizeof other, " other%d", i);
        if (letters == 0 && i == 0)
            json_array_append_new(list, token_object(text, n, -0.25));
        else if (letters == 0)
            json_array_append_new(list, token_object(other, strlen(other), -2.0 - i));
        else if ((size_t)i < letters)
            json_array_append_new(
                list, token_object(&s->letters[i], 1, log(i == 0 ? rules->sure : rest)));
    }
    return list;
}

static json_t *logprobs(const struct answer_rules *rules, json_t *request,
                        const struct sample *s)
{
    json_t *content = json_array();
    int top = (int)json_integer_value(json_object_get(request, "top_logprobs"));
    for (size_t at = 0, n; at < s->text.len; at += n) {
        n = token(s->text.data + at, s->text.len - at);
        bool first = at == 0;
        double p = first && *s->letters ? log(rules->sure) : -0.25;
        json_t *o = token_object(s->text.data + at, n, p);
        json_object_set_new(o, "top_logprobs",
                            top_list(rules, s, s->text.data + at, n, first,
                                     top < TOP_MAX ? top : TOP_MAX));
        json_array_append_new(content, o);
    }
    return json_pack("{s:o}", "content", content);
}

static json_t *choice(const struct answer_rules *rules, json_t *request, struct talk *t,
                      int i, enum answer_flaw flaw, int *tokens)
{
    struct sample s;
    const char *finish;
    make_sample(rules, t, i, &s);
    *tokens += cut_sample(request, &s, &finish);
    json_t *text = json_stringn(s.text.data ? s.text.data : "", s.text.len);
    json_t *content =
        flaw == FLAW_NULL_CONTENT || !text ? json_null() : json_incref(text);
    json_t *o = json_pack("{s:i,s:{s:s,s:o},s:s}", "index",
                          flaw == FLAW_TWICE && i > 0 ? i - 1 : i, "message", "role",
                          "assistant", "content", content, "finish_reason", finish);
    if (!rules->no_logprobs && json_is_true(json_object_get(request, "logprobs")))
        json_object_set_new(o, "logprobs", logprobs(rules, request, &s));
    else
        json_object_set_new(o, "logprobs", json_null());
    json_decref(text);
    buf_free(&s.text);
    return o;
}

static int refuse(struct buf *out, int status, const char *message)
{
    buf_print(out, "{\"error\":{\"message\":\"%s\",\"type\":\"invalid_request_error\"}}",
              message);
    return status;
}

void answer_look(struct span body, struct question_seen *seen)
{
    const char *at = body.n ? memmem(body.s, body.n, "marker:", 7) : NULL;
    size_t n = 0, left = at ? body.n - (size_t)(at + 7 - body.s) : 0;
    seen->hash = XXH3_64bits(body.s, body.n);
    for (at = at ? at + 7 : NULL; at && n < left && n < sizeof seen->marker - 1; n++) {
        if (!isalnum((unsigned char)at[n]) && !strchr("-_.", at[n]))
            break;
        seen->marker[n] = at[n];
    }
    if (n == 0)
        seen->marker[n++] = '-';
    seen->marker[n] = '\0';
}

int answer_chat(const struct answer_rules *rules, struct span body, enum answer_flaw flaw,
                struct buf *out)
{
    json_error_t error;
    json_t *request = json_loadb(body.s, body.n, JSON_ALLOW_NUL, &error), *list;
    if (!json_is_array(json_object_get(request, "messages"))) {
        json_decref(request);
        return refuse(out, 400, "no messages");
    }
    if (flaw == FLAW_ERROR) {
        json_decref(request);
        return refuse(out, 200, "the engine is dead");
    }
    json_t *asked = json_object_get(request, "n");
    int n = asked ? (int)json_integer_value(asked) : 1, tokens = 0;
    if (n < 1 || n > 1024) {
        json_decref(request);
        return refuse(out, 400, "n is out of range");
    }
    struct talk t;
    read_talk(&t, request);
    list = json_array();
    for (int i = 0; i < n - (flaw == FLAW_FEWER) && flaw != FLAW_EMPTY_CHOICES; i++) {
        json_t *o = choice(rules, request, &t, i, flaw, &tokens);
        if (flaw == FLAW_SHUFFLED)
            json_array_insert_new(list, 0, o);
        else
            json_array_append_new(list, o);
    }
    json_t *model = json_object_get(request, "model");
    json_t *reply =
        json_pack("{s:s,s:s,s:O,s:{s:i,s:i}}", "id", "chatcmpl-1", "object",
                  "chat.completion", "model", model ? model : json_null(), "usage",
                  "prompt_tokens", (int)(t.last.len / 4), "completion_tokens", tokens);
    if (flaw == FLAW_NO_CHOICES)
        json_decref(list);
    else
        json_object_set_new(reply, "choices", list);
    char *text = json_dumps(reply, JSON_COMPACT);
    char *end = text && flaw == FLAW_CUT_UTF8 ? strstr(text, "\",\"role\"") : NULL;
    if (!end && flaw == FLAW_CUT_UTF8 && text)
        end = strstr(text, "\"},\"finish_reason");
    if (end) { /* the first byte of a two-byte character, and no second */
        buf_add(out, text, (size_t)(end - text));
        buf_char(out, '\xc3');
        buf_text(out, end);
    } else {
        buf_text(out, text ? text : "");
    }
    free(text);
    json_decref(reply);
    json_decref(request);
    free_talk(&t);
    return 200;
}
