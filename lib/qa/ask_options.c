/* ask_options.c: see ask_options.h. */
#include "qa/ask_options.h"
#include "model/options.h"

const struct cli_option ask_option_table[] = {
    {"", 0, CLI_FLAG, NULL, "Judging", true},
    {"score", 0, CLI_TEXT, "expected|sampled",
     "judge by probability, or by a reply that is read (expected; endpoints: sampled)",
     false},
    {"answer", 0, CLI_TEXT, "letter|text",
     "answer by an option's letter, or in its words (letter)", false},
    {"letter", 0, CLI_TEXT, "RULE",
     "how a reply's letter is read: alone, first-char or anywhere (alone)", false},
    {0}};

static const char scores[] = "expected|sampled";

void ask_options_read(struct ask_rules *rules, struct cli *cli)
{
    int form = option_choice(cli, "answer", "letter|text", ASK_LETTER);
    int letter = option_choice(cli, "letter", "alone|first-char|anywhere", LETTER_ALONE);
    rules->form = form < 0 ? ASK_LETTER : (enum ask_form)form;
    rules->letter = letter < 0 ? LETTER_ALONE : (enum letter_rule)letter;
    option_choice(cli, "score", scores, ASK_EXPECTED);
}

int ask_score_choose(struct ask_rules *rules, struct cli *cli, const struct model *model)
{
    int score = option_choice(cli, "score", scores, (int)ask_best_score(model));
    rules->score = (enum ask_score)score;
    return ask_possible(model, rules);
}
