/* turns.h: a training row's conversation: OpenAI messages, LLaVA / ShareGPT
 * conversations, or pictures with a caption. */
#ifndef TRAIN_TURNS_H
#define TRAIN_TURNS_H
#include "model/conversation.h"
#include "train/example.h"

/* All turns, assistants' included, with their media read. 0 or -1 (missing, type, media).
 * conversation_free() in both cases. */
int turns_read(struct conversation *c, struct row *row, const struct example_options *o);

/* The turns of `conversations` alone; likewise. Of o root and system are read. */
int turns_conversations(struct conversation *c, struct row *row,
                        const struct conversation_options *o);
#endif
