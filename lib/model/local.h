/* local.h: a model directory on this machine, as model.h's functions see it. */
#ifndef LOCAL_H
#define LOCAL_H
#include "model/model.h"

struct local;

/* Tokenizer, chat format, picture limits and weights of a directory. NULL (class model).
 */
struct local *local_open(const char *dir, const struct model_options *options);
void local_close(struct local *l);
/* As model_reload(). */
int local_reload(struct local *l, const char *dir);
/* As model_take(). */
int local_take(struct local *l, const char *folder, int64_t version);
const char *local_hash(const struct local *l);
const char *local_chat_name(const struct local *l);
void local_pixels(const struct local *l, int64_t *least, int64_t *most);
const char *local_notes(const struct local *l);
int local_workers(const struct local *l);

/* As their namesakes in model.h. */
int local_generate(struct local *l, const struct request *request, struct reply *reply);
int local_score_all(struct local *l, const struct request *request,
                    const struct score_item *items, int count);
int local_plan(struct local *l, const struct request *request, struct request_plan *plan);
#endif
