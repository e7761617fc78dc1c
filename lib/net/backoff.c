/* backoff.c: see backoff.h. Full jitter: Brooker, "Exponential Backoff And Jitter", AWS
 * Architecture Blog, 2015: of many clients that failed together none come back together.
 */
#include "net/backoff.h"

#include <curl/curl.h>
#include <string.h>

bool backoff_worth(int status)
{
    switch (status) {
    case 408: /* request timeout */
    case 409: /* conflict: a lock that somebody else holds */
    case 425: /* too early */
    case 429: /* too many requests */ return true;
    default: return status >= 500 && status <= 599;
    }
}

int64_t backoff_ceiling(int k, int64_t base_ms)
{
    int64_t ms = base_ms;
    while (k-- > 0 && ms < BACKOFF_CAP_MS) ms *= 2;
    return ms < BACKOFF_CAP_MS ? ms : BACKOFF_CAP_MS;
}

int64_t backoff_total(int retries, int64_t base_ms)
{
    int64_t sum = 0;
    for (int k = 0; k < retries; k++) sum += backoff_ceiling(k, base_ms);
    return sum;
}

int64_t backoff_pause(int k, int64_t base_ms, int64_t retry_after_ms, double unit)
{
    int64_t jitter = (int64_t)((double)backoff_ceiling(k, base_ms) * unit);
    return jitter + (retry_after_ms > 0 ? retry_after_ms : 0);
}

int64_t backoff_retry_after(const char *value, time_t now)
{
    size_t digits = strspn(value, "0123456789");
    if (digits > 0) {
        int64_t seconds = 0;
        for (size_t i = 0; i < digits && seconds <= BACKOFF_CAP_MS; i++)
            seconds = 10 * seconds + (value[i] - '0');
        if (value[digits + strspn(value + digits, " \t")] != '\0')
            return -1;
        return seconds < BACKOFF_CAP_MS / 1000 ? seconds * 1000 : BACKOFF_CAP_MS;
    }
    if (!strchr(value, ':')) /* curl_getdate() also takes dates without a time of day */
        return -1;
    time_t then = curl_getdate(value, NULL);
    if (then == (time_t)-1)
        return -1;
    if (then <= now)
        return 0;
    return then - now < BACKOFF_CAP_MS / 1000 ? (then - now) * 1000 : BACKOFF_CAP_MS;
}
