/* fault.h: the ways in which the fault server misbehaves. */
#ifndef SERVER_FAULT_H
#define SERVER_FAULT_H
#include "base/span.h"
#include "server/answer.h"
#include "server/http.h"

struct fault_options {
    int drip_ms;       /* between two bytes of a drip */
    int stall_ms;      /* that a stall lasts before the connection is closed */
    int huge_mb;       /* of a body that is too large, also behind gzip */
    const char *other; /* where "redirect-other" points to */
};

/* What becomes of the connection. */
enum fault_end { FAULT_KEEP, FAULT_CLOSE, FAULT_RESET };

/* Is this the name of a fault? "refuse", which the accepting side does, is one. */
bool fault_known(const char *name);

/* Answer a chat request with the fault named, well where name is "". */
enum fault_end fault_answer(const char *name, const struct fault_options *options,
                            const struct answer_rules *rules, struct client *c,
                            const struct http_request *r);

/* Send a gzip stream of zeros, mb megabytes when unpacked. */
void fault_bomb(struct client *c, int mb);
#endif
