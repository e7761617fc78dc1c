/* compat.h: a result as CapRL's Prism evaluation writes it (InternLM/CapRL,
 * Prism_Evaluation/Eval_CapRL.py), for tools that read its files.
 *
 *     Prism_TAG_step_details_STEP_final.json, indented by 4:
 *         [[original_sample, rewards[n], parsed[n], lengths[n],
 *           captions[n] + replies[n]]]
 *     Prism_TAG_step_eval_STEP_final.json:
 *         ["BoN: 0.541 Mean: 0.3255"]
 */
#ifndef PRISM_COMPAT_H
#define PRISM_COMPAT_H
#include <stdint.h>

struct compat {
    const char *folder, *tag; /* borrowed */
    int64_t step;
};

/* Can both files be written? Asked before work begins; the folder is made where it is
 * not there. 0 or -1 (refused). */
int compat_check(const struct compat *c);

/* Write both from the rows of a file that prism-eval wrote. Rows with an error, and those
 * of which a caption had one, have no place in this form: *left_out counts them. lengths
 * are predictions' `tokens`, null where unknown. 0, or -1 naming what could not be read
 * or written. */
int compat_write(const struct compat *c, const char *rows, int64_t *left_out);
#endif
