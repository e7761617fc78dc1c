/* extract.h: from a model's text to multiple-choice questions. */
#ifndef EXTRACT_H
#define EXTRACT_H
#include "base/buf.h"
#include "base/span.h"

/* Append to qa a JSON array of the questions found in text [{question, options, answer,
 * warnings?}] and to rejects one of what was refused [{n, reason, text}], both [] if
 * empty. Returns the number of question blocks seen (0: text has none), or -1 (memory).
 * Linear in the text's length. Rules: capmill(7), "Question text". */
int extract_questions(struct span text, struct buf *qa, struct buf *rejects);
#endif
