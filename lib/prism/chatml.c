/* chatml.c: see chatml.h. */
#include "prism/chatml.h"
#include "base/fail.h"

#include <string.h>

static const char start_mark[] = "<|im_start|>", end_mark[] = "<|im_end|>",
                  picture_mark[] = "<|vision_start|><|image_pad|><|vision_end|>";

/* Where mark stands in text, or NULL. */
static const char *find(struct span text, const char *mark)
{
    return text.n ? memmem(text.s, text.n, mark, strlen(mark)) : NULL;
}

static bool begins(struct span text, const char *mark)
{
    size_t n = strlen(mark);
    return text.n >= n && memcmp(text.s, mark, n) == 0;
}

static struct span behind(struct span text, const char *at)
{
    return (struct span){at, (size_t)(text.s + text.n - at)};
}

bool chatml_is(struct span prompt)
{
    return find(prompt, start_mark) != NULL;
}

/* "user\n" at the start of *rest, which moves behind it. 0 or -1. */
static int read_role(struct span *rest, enum turn_role *role)
{
    static const char *const names[] = {"system\n", "user\n", "assistant\n"};
    for (int i = 0; i < 3; i++)
        if (begins(*rest, names[i])) {
            *role = (enum turn_role)i;
            *rest = behind(*rest, rest->s + strlen(names[i]));
            return 0;
        }
    if (span_is(*rest, "assistant")) { /* trimmed: the reply is to begin here */
        *role = TURN_ASSISTANT;
        rest->n = 0;
        return 0;
    }
    return fail(FAIL_TYPE, "a turn of \"%.*s\"", (int)(rest->n < 20 ? rest->n : 20),
                rest->s);
}

/* A turn's text: split it at its picture. 0 or -1. */
static int split_turn(struct chatml_turn *turn, struct span text)
{
    const char *at = find(text, picture_mark);
    turn->before = text;
    if (!at)
        return 0;
    turn->picture = true;
    turn->before.n = (size_t)(at - text.s);
    turn->after = behind(text, at);
    while (begins(turn->after, picture_mark))
        turn->after = behind(turn->after, turn->after.s + strlen(picture_mark));
    if (find(turn->after, picture_mark))
        return fail(FAIL_TYPE,
                    "pictures in two places: one caption cannot stand for both");
    return 0;
}

/* A pad without its marks would reach the judge as text. */
static int refuse_lone_pad(const struct chatml_turn *turn)
{
    static const char *const pads[] = {"<|image_pad|>", "<|video_pad|>"};
    for (int i = 0; i < 2; i++)
        if (find(turn->before, pads[i]) || find(turn->after, pads[i]))
            return fail(FAIL_TYPE, "%s that is no picture part (%s)", pads[i],
                        picture_mark);
    return 0;
}

static bool is_space(struct span text)
{
    size_t i = 0;
    while (i < text.n && memchr(" \t\r\n", text.s[i], 4)) i++;
    return i == text.n;
}

int chatml_read(struct chatml_turn turns[CHATML_TURNS_MAX], struct span prompt)
{
    int count = 0, pictures = 0;
    struct span rest = prompt;
    while (!is_space(rest)) {
        while (rest.n && memchr(" \t\r\n", rest.s[0], 4)) rest = behind(rest, rest.s + 1);
        if (!begins(rest, start_mark))
            return fail(FAIL_TYPE, "text between turns: \"%.*s\"",
                        (int)(rest.n < 20 ? rest.n : 20), rest.s);
        if (count == CHATML_TURNS_MAX)
            return fail(FAIL_TYPE, "more than %d turns", CHATML_TURNS_MAX);
        rest = behind(rest, rest.s + strlen(start_mark));
        struct chatml_turn *turn = &turns[count++];
        *turn = (struct chatml_turn){0};
        if (read_role(&rest, &turn->role) < 0)
            return -1;
        const char *end = find(rest, end_mark), *next = find(rest, start_mark);
        if (!end && !next && turn->role == TURN_ASSISTANT && is_space(rest)) {
            count--; /* what the judge is to write */
            break;
        }
        if (!end || (next && next < end))
            return fail(FAIL_TYPE, "a turn without <|im_end|>");
        if (split_turn(turn, (struct span){rest.s, (size_t)(end - rest.s)}) < 0 ||
            refuse_lone_pad(turn) < 0)
            return -1;
        pictures += turn->picture;
        rest = behind(rest, end + strlen(end_mark));
    }
    if (pictures == 0)
        return fail(FAIL_TYPE,
                    "no picture part (%s): a judge would answer without the "
                    "caption",
                    picture_mark);
    if (pictures > 1)
        return fail(FAIL_TYPE,
                    "pictures in two turns: one caption cannot stand for both");
    return count;
}
