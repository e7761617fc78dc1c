/* endpoint.h: OpenAI-compatible servers, or batch files for them, as model.h's functions
 * see them.
 */
#ifndef ENDPOINT_H
#define ENDPOINT_H
#include "model/model.h"

struct endpoint;

/* The servers of SPEC (endpoint_spec.h). Nothing is sent yet. NULL: refused. */
struct endpoint *endpoint_open(const char *spec, const struct model_options *options);
int endpoint_finish(struct endpoint *e);
void endpoint_close(struct endpoint *e);
const char *endpoint_hash(const struct endpoint *e);
const char *endpoint_notes(const struct endpoint *e);
int endpoint_workers(const struct endpoint *e);
bool endpoint_down(struct endpoint *e);
int64_t endpoint_deadline(const struct endpoint *e);

/* As their namesakes in model.h. A reply with fewer samples than were asked for is kept,
 * and the rest asked for again, with another seed; every reply must bring one at least.
 */
int endpoint_generate_all(struct endpoint *e, const struct request *requests,
                          struct reply *replies, int count);
int endpoint_score_all(struct endpoint *e, const struct request *request,
                       struct score_item *items, int count);
int endpoint_plan(const struct request *request, struct request_plan *plan);
#endif
