/* media.c: see media.h. */
#include "model/media.h"
#include "row/json.h"

bool media_is_there(struct span value)
{
    struct span element;
    size_t at = 0;
    if (json_type(value) == JSON_ARRAY)
        return json_each(value, &at, &element);
    return json_given(value) && !span_is(value, "\"\"");
}

struct span media_of_part(struct span part)
{
    struct span url = json_find(part, "image_url.url");
    if (!url.s)
        url = json_get(part, "image_url"); /* a bare string is seen in the wild */
    if (json_given(url))
        return url;
    url = json_get(part, "image");
    return json_given(url) ? url : (struct span){0};
}

static bool next_part(struct media_walk *walk, struct span *ref)
{
    struct span part;
    while (walk->parts.s && json_each(walk->parts, &walk->part_at, &part))
        if ((*ref = media_of_part(part)).s)
            return true;
    walk->parts = (struct span){0};
    walk->part_at = 0;
    return false;
}

bool media_next(struct span value, struct media_walk *walk, struct span *ref)
{
    struct span element, content;
    if (json_type(value) != JSON_ARRAY) {
        *ref = value;
        return value.s && walk->at++ == 0;
    }
    for (;;) {
        if (next_part(walk, ref))
            return true;
        if (!json_each(value, &walk->at, &element))
            return false;
        content = json_get(element, "content");
        if (json_type(content) == JSON_ARRAY) {
            walk->parts = content;
        } else if (json_type(content) == JSON_STRING) {
            continue; /* a message of text alone */
        } else if (json_type(element) != JSON_OBJECT) {
            *ref = element;
            return true;
        } else if ((*ref = media_of_part(element)).s) {
            return true;
        } else if (!json_get(element, "text").s) {
            *ref = element; /* neither: for the caller to refuse */
            return true;
        }
    }
}

struct span media_lone(struct span value)
{
    struct media_walk walk = {0};
    struct span first, more;
    if (json_type(value) != JSON_ARRAY || !media_next(value, &walk, &first))
        return value;
    return media_next(value, &walk, &more) ? value : first;
}
