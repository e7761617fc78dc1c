/* pair_form.c: see pair_form.h. */
#include "reward/pair_form.h"

#include <strings.h>

int pair_form_of(enum pair_form *form, const char *name)
{
    static const char *const names[] = {"rows", "trl", "llamafactory"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            *form = (enum pair_form)i;
            return 0;
        }
    return fail(FAIL_REFUSED, "\"%s\" is not rows, trl or llamafactory", name);
}

static void put_span(struct buf *out, struct span s)
{
    buf_add(out, s.s, s.n);
}

/* A string's bytes between its quotes: still escaped. */
static void put_inner(struct buf *out, struct span json)
{
    buf_add(out, json.s + 1, json.n - 2);
}

/* Is a reference (a JSON string) a path below some folder, and no URL? */
static bool is_relative(struct span json)
{
    const char *s = json.s + 1, *end = json.s + json.n - 1, *at = s;
    while (at < end && (*at | 0x20) >= 'a' && (*at | 0x20) <= 'z') at++;
    if (at > s && at + 1 < end && *at == ':') /* (a slash may be escaped: "\/") */
        return at[1] != '/' && at[1] != '\\' && strncasecmp(s, "data:", 5) != 0;
    return s < end && *s != '/' && !(*s == '\\' && s[1] == '/');
}

/* "images":["a.png"] with root before relative paths. */
static void put_media(struct buf *out, const char *name, const struct asked *a,
                      enum asked_kind kind, const char *root)
{
    struct buf folder = {0};
    const char *comma = "";
    if (root)
        json_put_text(&folder, span_of(root));
    out->bad = out->bad || folder.bad;
    buf_print(out, "\"%s\":[", name);
    for (int t = 0; t < a->count; t++)
        for (int i = 0; i < a->turns[t].count; i++) {
            const struct asked_part *part = &a->turns[t].parts[i];
            if (part->kind != kind)
                continue;
            buf_print(out, "%s\"", comma);
            if (root && !folder.bad && is_relative(part->json)) {
                put_inner(out, (struct span){folder.data, folder.len});
                buf_char(out, '/');
            }
            put_inner(out, part->json);
            buf_char(out, '"');
            comma = ",";
        }
    buf_text(out, "],");
    buf_free(&folder);
}

static void put_head(struct buf *out, const struct row *row)
{
    buf_char(out, '{');
    if (row->has_id) {
        buf_text(out, "\"id\":");
        put_span(out, row->id);
        buf_char(out, ',');
    }
}

static void put_scores(struct buf *out, const struct pair *pair)
{
    buf_text(out, ",\"score_chosen\":");
    json_put_real(out, pair->chosen.total);
    buf_text(out, ",\"score_rejected\":");
    json_put_real(out, pair->rejected.total);
    buf_char(out, '}');
}

/* -- TRL -------------------------------------------------------------------------------
 */

static void put_message(struct buf *out, const struct asked_turn *turn, bool parts)
{
    static const char *const roles[] = {"system", "user", "assistant"};
    buf_print(out, "{\"role\":\"%s\",\"content\":%s", roles[turn->role],
              parts ? "[" : "\"");
    for (int i = 0; i < turn->count; i++) {
        const struct asked_part *part = &turn->parts[i];
        if (parts && i > 0)
            buf_char(out, ',');
        if (!parts) {
            put_inner(out, part->json);
        } else if (part->kind == ASKED_IMAGE) {
            buf_text(out, "{\"type\":\"image\"}");
        } else {
            buf_text(out, "{\"type\":\"text\",\"text\":");
            put_span(out, part->json);
            buf_char(out, '}');
        }
    }
    buf_text(out, parts ? "]}" : "\"}");
}

static void put_answer(struct buf *out, const char *name, struct span text, bool parts)
{
    struct asked_part part = {ASKED_TEXT, text};
    const struct asked_turn turn = {ASKED_ASSISTANT, &part, 1};
    buf_print(out, ",\"%s\":[", name);
    put_message(out, &turn, parts);
    buf_char(out, ']');
}

static int put_trl(struct buf *out, const struct row *row, const struct asked *a,
                   const struct pair *pair, const char *root)
{
    bool parts = a->images > 0; /* a set of texts alone has strings */
    if (a->videos)
        return fail(FAIL_REFUSED, "TRL's form has no place for a video");
    put_head(out, row);
    if (a->images)
        put_media(out, "images", a, ASKED_IMAGE, root);
    buf_text(out, "\"prompt\":[");
    for (int t = 0; t < a->count; t++) {
        buf_text(out, t ? "," : "");
        put_message(out, &a->turns[t], parts);
    }
    buf_char(out, ']');
    put_answer(out, "chosen", pair->chosen.text, parts);
    put_answer(out, "rejected", pair->rejected.text, parts);
    put_scores(out, pair);
    return buf_ok(out);
}

/* -- LLaMA-Factory ---------------------------------------------------------------------
 */

/* A text must not hold what LLaMA-Factory takes for a picture's place. */
static int no_tag(struct span json, const char *where)
{
    static const char *const tags[] = {"<image>", "<video>", "<audio>"};
    struct buf text = {0};
    int status = 0;
    if (memchr(json.s, '\\', json.n) && (status = json_text(json, &text)) == 0)
        json = (struct span){text.data, text.len};
    for (int i = 0; status == 0 && i < 3; i++)
        if (json.n && memmem(json.s, json.n, tags[i], strlen(tags[i])))
            status =
                fail(FAIL_TYPE, "%s: holds \"%s\", which LLaMA-Factory takes for a tag",
                     where, tags[i]);
    buf_free(&text);
    return status;
}

static int put_turn(struct buf *out, const struct asked_turn *turn, const char *where)
{
    static const char *const names[] = {"system", "human", "gpt"};
    buf_print(out, "{\"from\":\"%s\",\"value\":\"", names[turn->role]);
    for (int i = 0; i < turn->count; i++) {
        const struct asked_part *part = &turn->parts[i];
        if (part->kind == ASKED_IMAGE)
            buf_text(out, "<image>");
        else if (part->kind == ASKED_VIDEO)
            buf_text(out, "<video>");
        else if (no_tag(part->json, where) < 0)
            return -1;
        else
            put_inner(out, part->json);
    }
    buf_text(out, "\"}");
    return 0;
}

static int put_gpt(struct buf *out, const char *name, struct span text)
{
    struct asked_part part = {ASKED_TEXT, text};
    const struct asked_turn turn = {ASKED_ASSISTANT, &part, 1};
    buf_print(out, ",\"%s\":", name);
    return put_turn(out, &turn, name);
}

static int put_llamafactory(struct buf *out, const struct row *row, const struct asked *a,
                            const struct pair *pair, const char *root)
{
    put_head(out, row);
    if (a->images)
        put_media(out, "images", a, ASKED_IMAGE, root);
    if (a->videos)
        put_media(out, "videos", a, ASKED_VIDEO, root);
    buf_text(out, "\"conversations\":[");
    for (int t = 0; t < a->count; t++) {
        buf_text(out, t ? "," : "");
        if (put_turn(out, &a->turns[t], "prompt") < 0)
            return -1;
    }
    buf_char(out, ']');
    if (put_gpt(out, "chosen", pair->chosen.text) < 0 ||
        put_gpt(out, "rejected", pair->rejected.text) < 0)
        return -1;
    put_scores(out, pair);
    return buf_ok(out);
}

int pair_form_put(struct buf *out, enum pair_form form, const struct row *row,
                  const struct asked *asked, const struct pair *pair, const char *root)
{
    return form == PAIR_TRL ? put_trl(out, row, asked, pair, root)
                            : put_llamafactory(out, row, asked, pair, root);
}
