/* choice-table-test: replies as models write them, each with the option that its reader
 * would take it for; null where a reader could not tell, which must score 0 whatever is
 * right. */
#include "check.h"
#include "golden.h"

#include "answer/answer.h"
#include "base/buf.h"
#include "base/fail.h"

#include <jansson.h>

enum { OPTIONS_MAX = 26 };

/* One reply against each option as the right one: 1 where it is taken for it, else 0. */
static void score_reply(const char *name, struct span reply, const struct span *options,
                        int count, int want)
{
    for (int gold = 0; gold < count; gold++) {
        char letter = (char)('A' + gold);
        struct span golds[] = {{&letter, 1}, options[gold]};
        for (int form = 0; form < 2; form++) { /* the gold as a letter, and as a text */
            struct answer_task task = {.kind = ANSWER_CHOICE,
                                       .golds = &golds[form],
                                       .gold_count = 1,
                                       .options = options,
                                       .option_count = count};
            struct answer_verdict v;
            if (answer_score(&task, reply, &v) < 0) {
                CHECK(0, "%s: %s", name, fail_text());
                continue;
            }
            CHECK(v.score == (gold == want), "%s: %c as the right one scores %g, read %d",
                  name, letter, v.score, v.choice);
            CHECK(v.choice == want, "%s: read option %d, not %d", name, v.choice, want);
            CHECK(!(v.flags & ANSWER_NO_ANSWER) == (want >= 0), "%s: flags %u", name,
                  v.flags);
        }
    }
}

static void replies_are_read_as_a_reader_would(void)
{
    FILE *file = fopen(golden_path("choice.jsonl"), "r");
    char line[4096];
    int count = 0;
    NEED(file, "no choice.jsonl");
    for (; fgets(line, sizeof line, file); count++) {
        json_t *row = json_loads(line, 0, NULL);
        const json_t *reply = json_object_get(row, "reply"),
                     *choice = json_object_get(row, "choice"),
                     *texts = json_object_get(row, "options");
        struct span options[OPTIONS_MAX];
        int option_count = (int)json_array_size(texts);
        for (int i = 0; i < option_count && i < OPTIONS_MAX; i++)
            options[i] = span_of(json_string_value(json_array_get(texts, (size_t)i)));
        score_reply(line,
                    (struct span){json_string_value(reply), json_string_length(reply)},
                    options, option_count,
                    json_is_null(choice) ? -1 : (int)json_integer_value(choice));
        json_decref(row);
    }
    fclose(file);
    CHECK(count >= 60, "%d replies", count);
}

int main(void)
{
    CASE(replies_are_read_as_a_reader_would);
    return check_end();
}
