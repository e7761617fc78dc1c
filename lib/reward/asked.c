/* asked.c: see asked.h. Field names: capmill(7). */
#include "reward/asked.h"
#include "model/media.h"

/* A part of a turn. 0 or -1. */
static int set_part(struct asked *a, struct asked_part *part, enum asked_kind kind,
                    struct span json)
{
    static const char *const names[] = {"text", "image", "video"};
    if (json_type(json) != JSON_STRING)
        return fail(FAIL_TYPE, "%s: not a string", names[kind]);
    *part = (struct asked_part){kind, json};
    a->images += kind == ASKED_IMAGE;
    a->videos += kind == ASKED_VIDEO;
    return 0;
}

/* The path of a video: a string, or {path} that is not cut. */
static int video_path(struct span value, struct span *path)
{
    *path = value;
    if (json_type(value) != JSON_OBJECT)
        return 0;
    if (json_given(json_get(value, "start")) || json_given(json_get(value, "end")))
        return fail(FAIL_REFUSED, "video: a start or an end has no place in this form");
    *path = json_get(value, "path");
    return path->s ? 0 : fail(FAIL_MISSING, "video: no \"path\"");
}

/* -- Messages --------------------------------------------------------------------------
 */

static int read_part(struct asked *a, struct asked_part *part, struct span element)
{
    struct span image = media_of_part(element), video, path;
    if (json_type(element) != JSON_OBJECT)
        return fail(FAIL_TYPE, "a part is no object");
    if (image.s)
        return set_part(a, part, ASKED_IMAGE, image);
    if (!json_given(video = json_find(element, "video_url.url")))
        video = json_get(element, "video");
    if (json_given(video))
        return video_path(video, &path) < 0 ? -1 : set_part(a, part, ASKED_VIDEO, path);
    struct span text = json_get(element, "text");
    return text.s ? set_part(a, part, ASKED_TEXT, text)
                  : fail(FAIL_TYPE, "a part is neither text nor image nor video");
}

static int read_content(struct asked *a, struct asked_turn *turn, struct row *row,
                        struct span content)
{
    struct span element;
    size_t at = 0, n = 0;
    if (json_type(content) == JSON_STRING) {
        if (!(turn->parts = row_alloc(row, sizeof *turn->parts)))
            return -1;
        turn->count = 1;
        return set_part(a, turn->parts, ASKED_TEXT, content);
    }
    if (json_type(content) != JSON_ARRAY)
        return fail(FAIL_TYPE, "content: neither a string nor a list");
    while (json_each(content, &at, &element)) n++;
    if (!(turn->parts = row_alloc(row, (n + 1) * sizeof *turn->parts)))
        return -1;
    for (at = 0; json_each(content, &at, &element); turn->count++)
        if (read_part(a, &turn->parts[turn->count], element) < 0)
            return -1;
    return 0;
}

static int read_role(struct span message, enum asked_role *role)
{
    static const char *const names[] = {"\"system\"", "\"user\"", "\"assistant\""};
    struct span value = json_get(message, "role");
    for (int i = 0; i < 3; i++)
        if (value.s && span_is(value, names[i])) {
            *role = (enum asked_role)i;
            return 0;
        }
    return value.s ? fail(FAIL_TYPE, "role is not system, user or assistant")
                   : fail(FAIL_MISSING, "no \"role\"");
}

/* Behind a's turns, which have room. */
static int read_messages(struct asked *a, struct row *row, struct span list)
{
    struct span message;
    size_t at = 0;
    for (int i = 0; json_each(list, &at, &message); i++) {
        struct asked_turn *turn = &a->turns[a->count++];
        *turn = (struct asked_turn){0};
        if (json_type(message) != JSON_OBJECT)
            return fail(FAIL_TYPE, "messages[%d]: no object", i);
        if (read_role(message, &turn->role) < 0 ||
            read_content(a, turn, row, json_get(message, "content")) < 0)
            return fail_in("messages[%d]", i);
    }
    return 0;
}

/* -- Media and a question --------------------------------------------------------------
 */

/* The field that names the row's media, and of which kind they are. */
static int media_field(struct row *row, enum asked_kind *kind, struct span *value)
{
    static const struct {
        const char *name;
        enum asked_kind kind;
    } fields[] = {{"image", ASKED_IMAGE},
                  {"images", ASKED_IMAGE},
                  {"image_path", ASKED_IMAGE},
                  {"video", ASKED_VIDEO},
                  {"videos", ASKED_VIDEO}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (media_is_there(row_value(row, fields[i].name))) {
            *value = row_value(row, fields[i].name);
            *kind = fields[i].kind;
            return 0;
        }
    return fail(FAIL_MISSING, "no \"image\", \"images\", \"video\" or \"messages\"");
}

/* Step through what a media field names. */
static bool media_step(enum asked_kind kind, struct span value, struct media_walk *walk,
                       struct span *ref)
{
    if (kind == ASKED_IMAGE)
        return media_next(value, walk, ref);
    if (json_type(value) == JSON_ARRAY)
        return json_each(value, &walk->at, ref);
    *ref = value;
    return walk->at++ == 0;
}

static int read_media(struct asked *a, struct row *row, struct span prompt)
{
    struct asked_turn *turn = &a->turns[a->count++];
    struct media_walk walk = {0};
    enum asked_kind kind = ASKED_IMAGE;
    struct span value, ref;
    size_t n = 0;
    if (media_field(row, &kind, &value) < 0)
        return -1;
    while (media_step(kind, value, &walk, &ref)) n++;
    *turn = (struct asked_turn){.role = ASKED_USER,
                                .parts = row_alloc(row, (n + 1) * sizeof *turn->parts)};
    if (!turn->parts)
        return -1;
    for (walk = (struct media_walk){0}; media_step(kind, value, &walk, &ref);)
        if ((kind == ASKED_VIDEO && video_path(ref, &ref) < 0) ||
            set_part(a, &turn->parts[turn->count++], kind, ref) < 0)
            return -1;
    const char *const names[] = {"prompt", "gen.prompt"};
    for (int i = 0; i < 2; i++)
        if (row_has(row, names[i])) {
            prompt = row_value(row, names[i]);
            break;
        }
    return set_part(a, &turn->parts[turn->count++], ASKED_TEXT, prompt) < 0
               ? fail_in("prompt")
               : 0;
}

int asked_read(struct asked *a, struct row *row, struct span prompt)
{
    struct span list = {0}, message, system = row_value(row, "gen.system");
    size_t at = 0, n = 2;
    *a = (struct asked){0};
    bool messages = row_has(row, "messages");
    if (messages && row_array(row, "messages", &list) < 0)
        return -1;
    while (messages && json_each(list, &at, &message)) n++;
    if (!(a->turns = row_alloc(row, n * sizeof *a->turns)))
        return -1;
    if (json_given(system)) {
        struct asked_turn *turn = &a->turns[a->count++];
        *turn = (struct asked_turn){ASKED_SYSTEM, row_alloc(row, sizeof *turn->parts), 1};
        if (!turn->parts || set_part(a, turn->parts, ASKED_TEXT, system) < 0)
            return fail_in("gen.system");
    }
    return messages ? read_messages(a, row, list) : read_media(a, row, prompt);
}
