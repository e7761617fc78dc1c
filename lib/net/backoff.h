/* backoff.h: what may be tried again, and after how long. Pure functions. */
#ifndef BACKOFF_H
#define BACKOFF_H
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { BACKOFF_CAP_MS = 60000 }; /* no pause asks for more, whoever wants it */

/* May the same request succeed later, after this HTTP status? */
bool backoff_worth(int status);

/* The longest pause behind the k-th failed try (from 0): base_ms, doubled each time, up
 * to the cap. */
int64_t backoff_ceiling(int k, int64_t base_ms);

/* All pauses of so many retries, at their longest. */
int64_t backoff_total(int retries, int64_t base_ms);

/* The pause to make: full jitter (unit, uniform in [0, 1), of the ceiling), behind what
 * the server asked for (ms; negative: nothing). */
int64_t backoff_pause(int k, int64_t base_ms, int64_t retry_after_ms, double unit);

/* A Retry-After header's value, seconds or an HTTP date (RFC 9110, section 10.2.3), in
 * ms from now, 0 to the cap; -1 if it says nothing that makes sense. */
int64_t backoff_retry_after(const char *value, time_t now);
#endif
