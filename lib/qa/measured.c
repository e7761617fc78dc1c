/* measured.c: see measured.h. */
#include "qa/measured.h"
#include "base/fail.h"
#include "row/json.h"

/* The accuracy in object, which is the question's member called side. */
static int read_side(struct value object, const char *side, int number, double *acc,
                     struct span *answers)
{
    static const struct span names[] = {{"acc", 3}, {"answers", 7}};
    struct value found[2];
    value_pick(object, names, found, 2);
    enum json_type type = json_type(found[0].json);
    *answers = found[1].json;
    if (type == JSON_NONE || type == JSON_NULL)
        return fail(FAIL_MISSING, "qa[%d]: no number \"%s.acc\"", number, side);
    if (type != JSON_NUMBER || json_double(found[0].json, acc) < 0)
        return fail(FAIL_TYPE, "qa[%d]: \"%s.acc\" is no number", number, side);
    if (*acc < 0 || *acc > 1)
        return fail(FAIL_TYPE, "qa[%d]: \"%s.acc\" is %g, not a fraction from 0 to 1",
                    number, side, *acc);
    return 0;
}

int measured_read(struct measured *m, struct value question, int number)
{
    enum { VISUAL, TEXT, ERROR, QUESTION, ANSWER, NAMES };
    static const struct span names[NAMES] = {
        {"visual", 6}, {"text", 4}, {"error", 5}, {"question", 8}, {"answer", 6}};
    struct value found[NAMES];
    *m = (struct measured){.json = question.json};
    if (json_type(question.json) != JSON_OBJECT)
        return fail(FAIL_TYPE, "qa[%d] is no object", number);
    value_pick(question, names, found, NAMES);
    m->question = found[QUESTION].json;
    m->answer = found[ANSWER].json;
    m->failed = found[ERROR].json.s && json_type(found[ERROR].json) != JSON_NULL;
    if (m->failed)
        return 0;
    if (read_side(found[VISUAL], "visual", number, &m->visual, &m->visual_answers) < 0)
        return -1;
    return read_side(found[TEXT], "text", number, &m->text, &m->text_answers);
}
