/* The parts of the network client that need no network: pauses, endpoints, addresses,
 * and what servers say. */
#include "base/fail.h"
#include "check.h"
#include "net/address.h"
#include "net/backoff.h"
#include "net/endpoints.h"
#include "net/said.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

/* -- backoff ----------------------------------------------------------------------------
 */

static void what_may_pass_is_tried_again(void)
{
    static const int again[] = {408, 409, 425, 429, 500, 501, 502, 503, 504, 529, 599};
    static const int never[] = {100, 200, 201, 204, 301, 400, 401, 402, 403,
                                404, 405, 410, 413, 422, 451, 600, 0};
    for (size_t i = 0; i < sizeof again / sizeof *again; i++)
        CHECK(backoff_worth(again[i]), "%d", again[i]);
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        CHECK(!backoff_worth(never[i]), "%d", never[i]);
}

static void pauses_double_up_to_a_cap_and_are_drawn_from_zero_on(void)
{
    static const int64_t want[] = {500,   1000,  2000,  4000, 8000,
                                   16000, 32000, 60000, 60000};
    for (int k = 0; k < 9; k++) {
        CHECK(backoff_ceiling(k, 500) == want[k], "%d", k);
        CHECK(backoff_pause(k, 500, -1, 0) == 0, "%d", k);
        CHECK(backoff_pause(k, 500, -1, 0.5) == want[k] / 2, "%d", k);
    }
    CHECK(backoff_ceiling(1000000, 500) == BACKOFF_CAP_MS, "no overflow");
    CHECK(backoff_total(5, 500) == 15500 && backoff_total(0, 500) == 0, "sums");
    CHECK(backoff_pause(0, 500, 2000, 0.5) == 2250, "behind what the server asked for");
}

static void retry_after_is_read_and_capped(void)
{
    static const struct {
        const char *value;
        int64_t ms;
    } cases[] = {
        {"0", 0},
        {"1", 1000},
        {"59", 59000},
        {"60", BACKOFF_CAP_MS},
        {"1000000000", BACKOFF_CAP_MS},
        {"99999999999999999999999999", BACKOFF_CAP_MS},
        {"5  ", 5000},
        {"-5", -1},
        {"-1000000000", -1},
        {"+5", -1},
        {"", -1},
        {"soon", -1},
        {"1.5", -1},
        {"5 minutes", -1},
        {"0x10", -1},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 0},
        {"Sun Nov  6 08:49:37 1994", 0},
        {"Thu, 01 Jan 2026 00:00:10 GMT", 10000}, /* now is ten seconds before */
        {"Thursday, 01-Jan-26 00:00:10 GMT", 10000},
        {"Fri, 02 Jan 2026 00:00:00 GMT", BACKOFF_CAP_MS},
        {"Fri, 31 Dec 9999 23:59:59 GMT", BACKOFF_CAP_MS},
        {"Thu, 99 Foo 2026 00:00:10 GMT", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms = backoff_retry_after(cases[i].value, 1767225600);
        CHECK(ms == cases[i].ms, "\"%s\": %lld", cases[i].value, (long long)ms);
    }
}

/* -- endpoints ----------------------------------------------------------------------- */

static const char *const urls[] = {"http://a:1/v1", "http://b:1/v1/", "https://c/v1"};

static void open_some(struct endpoints *e, int count)
{
    if (endpoints_open(e, urls, count) < 0) {
        fprintf(stderr, "endpoints_open: %s\n", fail_text());
        exit(1);
    }
    e->pause_ms = 100;
    e->linger_ms = 1000;
}

/* One try that comes to this. Which endpoint. */
static int make_try(struct endpoints *e, enum endpoint_result result, uint64_t call,
                    int64_t now)
{
    bool probe;
    int which = endpoints_pick(e, -1, now, &probe);
    if (which >= 0)
        endpoints_done(e, which, probe, result, call, now);
    return which;
}

static void urls_that_will_not_do_are_refused(void)
{
    static const char *const bad[] = {
        "",           "ftp://h/v1",        "file:///etc/passwd", "http://",
        "http://h?x", "http://u:p@h/v1",   "http://h/v1#frag",   "gopher://h/",
        "http://h /", "http://h:99999/v1", "http://[::1/v1",     "javascript:alert(1)",
        "h/v1",       "http://token@h/v1"};
    struct endpoints e;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(endpoints_open(&e, &bad[i], 1) == -1 && fail_kind() == FAIL_REFUSED,
              "%s: %s", bad[i], fail_text());
        CHECK(!strstr(fail_text(), "token") && !strstr(fail_text(), "u:p"), "%s",
              fail_text());
    }
    CHECK(endpoints_open(&e, urls, 0) == -1, "none at all");
    open_some(&e, 3);
    CHECK(strcmp(e.items[1].base, "http://b:1/v1") == 0, "%s", e.items[1].base);
    endpoints_close(&e);
}

static void the_least_busy_is_asked_and_equals_in_turn(void)
{
    struct endpoints e;
    bool probe;
    int got[3] = {0};
    open_some(&e, 3);
    for (int i = 0; i < 9; i++) got[endpoints_pick(&e, -1, 0, &probe)]++;
    CHECK(got[0] == 3 && got[1] == 3 && got[2] == 3, "%d %d %d", got[0], got[1], got[2]);
    endpoints_return(&e, 1, false);
    CHECK(endpoints_pick(&e, -1, 0, &probe) == 1 && !probe, "the one with two");
    endpoints_return(&e, 2, false);
    CHECK(endpoints_pick(&e, 2, 0, &probe) != 2, "not the one to avoid");
    endpoints_close(&e);
    open_some(&e, 1);
    CHECK(endpoints_pick(&e, 0, 0, &probe) == 0, "there is no other");
    endpoints_close(&e);
}

static void useless_answers_make_an_endpoint_less_wanted_but_never_down(void)
{
    struct endpoints e;
    bool probe;
    open_some(&e, 2);
    for (int i = 0; i < 100; i++) {
        int which = endpoints_pick(&e, 1, 0, &probe);
        endpoints_done(&e, which, probe, ENDPOINT_POOR, (uint64_t)i, 0);
    }
    CHECK(!e.items[0].down, "down");
    int asked = 0; /* with as many open as it takes */
    for (int i = 0; i < 32; i++) asked += endpoints_pick(&e, -1, 0, &probe) == 0;
    CHECK(asked >= 1 && asked <= 4, "%d", asked);
    endpoints_done(&e, 0, false, ENDPOINT_GOOD, 1, 0);
    CHECK(e.items[0].doubt == 0, "forgiven");
    endpoints_close(&e);
}

static void one_call_alone_never_takes_an_endpoint_down(void)
{
    struct endpoints e;
    open_some(&e, 1);
    for (int i = 0; i < 1000; i++) make_try(&e, ENDPOINT_STRUCK, 7, i);
    CHECK(!endpoints_all_down(&e), "down by one");
    for (int i = 0; i < 1000; i++)
        make_try(&e, ENDPOINT_STRUCK, (uint64_t)i % (ENDPOINT_STRIKES - 1), i);
    CHECK(endpoints_all_down(&e), "four more calls, with the first five");
    endpoints_close(&e);
    open_some(&e, 1);
    for (uint64_t i = 0; i < 1000; i++)
        make_try(&e, i % 4 ? ENDPOINT_STRUCK : ENDPOINT_GOOD, i, 0);
    CHECK(!endpoints_all_down(&e), "others succeed between them");
    endpoints_close(&e);
}

static void what_nobody_reaches_is_down_and_comes_back_by_a_probe(void)
{
    struct endpoints e;
    bool probe;
    int64_t now = 0;
    open_some(&e, 2);
    for (int i = 0; i < ENDPOINT_STRIKES; i++) {
        CHECK(!e.items[0].down, "%d", i);
        CHECK(endpoints_pick(&e, 1, now, &probe) == 0 && !probe, "%d", i);
        endpoints_done(&e, 0, probe, ENDPOINT_UNREACHED, 1, now);
    }
    CHECK(e.items[0].down && !endpoints_all_down(&e), "down");
    for (int i = 0; i < 10; i++)
        CHECK(make_try(&e, ENDPOINT_GOOD, 1, now) == 1, "the other is used");
    for (int64_t pause = 100; pause <= BACKOFF_CAP_MS;
         pause = 2 * pause < BACKOFF_CAP_MS || pause == BACKOFF_CAP_MS ? 2 * pause
                                                                       : BACKOFF_CAP_MS) {
        CHECK(endpoints_next(&e) == now + pause, "%lld", (long long)pause);
        CHECK(endpoints_pick(&e, 0, now + pause - 1, &probe) == 1, "too early");
        endpoints_done(&e, 1, probe, ENDPOINT_GOOD, 1, now);
        now += pause;
        CHECK(endpoints_pick(&e, 0, now, &probe) == 0 && probe, "a probe");
        CHECK(endpoints_pick(&e, -1, now, &probe) == 1 && !probe, "one probe at a time");
        endpoints_done(&e, 1, probe, ENDPOINT_GOOD, 1, now);
        endpoints_done(&e, 0, true, ENDPOINT_UNREACHED, 1, now);
    }
    now = endpoints_next(&e);
    CHECK(make_try(&e, ENDPOINT_POOR, 1, now) == 0, "a refusal is a sign of life");
    CHECK(!e.items[0].down && endpoints_next(&e) == INT64_MAX, "back");
    endpoints_close(&e);
}

static void all_are_lost_when_all_stay_down_and_nothing_is_under_way(void)
{
    struct endpoints e;
    bool probe;
    open_some(&e, 2);
    for (int i = 0; i < 2 * ENDPOINT_STRIKES; i++) {
        CHECK(!endpoints_all_down(&e), "%d", i);
        make_try(&e, ENDPOINT_UNREACHED, 1, 0);
    }
    CHECK(endpoints_all_down(&e) && !endpoints_lost(&e, 999), "not yet");
    CHECK(endpoints_pick(&e, -1, 50, &probe) == -1, "nobody to ask");
    CHECK(endpoints_lost(&e, 1000), "lost");
    int which = endpoints_pick(&e, -1, 1000, &probe);
    CHECK(which >= 0 && probe && !endpoints_lost(&e, 2000), "a probe is out");
    endpoints_return(&e, which, probe);
    CHECK(endpoints_pick(&e, -1, 1000, &probe) == which && probe,
          "a probe that was given up says nothing");
    endpoints_done(&e, which, probe, ENDPOINT_GOOD, 1, 2000);
    CHECK(!endpoints_lost(&e, 3000) && !endpoints_all_down(&e), "one is back");
    endpoints_close(&e);
}

/* -- addresses ----------------------------------------------------------------------- */

static bool public_text(const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        return address_public((struct sockaddr *)&in);
    CHECK(inet_pton(AF_INET6, text, &in6.sin6_addr) == 1, "%s", text);
    return address_public((struct sockaddr *)&in6);
}

static void only_everybodys_addresses_are_public(void)
{
    static const char *const yes[] = {
        "1.1.1.1",         "8.8.8.8",          "9.255.255.255",   "11.0.0.0",
        "100.63.255.255",  "100.128.0.0",      "126.255.255.255", "128.0.0.0",
        "169.253.255.255", "169.255.0.0",      "172.15.255.255",  "172.32.0.0",
        "192.167.255.255", "192.169.0.0",      "198.17.255.255",  "198.20.0.0",
        "223.255.255.255", "2606:4700::1111",  "2a00:1450::1",    "2001:4860:4860::8888",
        "::ffff:8.8.8.8",  "64:ff9b::808:808", "2000::1"};
    static const char *const no[] = {"0.0.0.0",
                                     "0.1.2.3",
                                     "10.0.0.1",
                                     "10.255.255.255",
                                     "100.64.0.1",
                                     "100.127.255.255",
                                     "127.0.0.1",
                                     "127.255.255.254",
                                     "169.254.169.254",
                                     "172.16.0.1",
                                     "172.31.255.255",
                                     "192.0.0.1",
                                     "192.0.2.1",
                                     "192.88.99.1",
                                     "192.168.0.1",
                                     "198.18.0.1",
                                     "198.19.255.255",
                                     "198.51.100.7",
                                     "203.0.113.9",
                                     "224.0.0.1",
                                     "239.255.255.255",
                                     "240.0.0.1",
                                     "255.255.255.255",
                                     "::",
                                     "::1",
                                     "::127.0.0.1",
                                     "::ffff:127.0.0.1",
                                     "::ffff:10.0.0.1",
                                     "::ffff:169.254.169.254",
                                     "64:ff9b::7f00:1",
                                     "64:ff9b::a9fe:a9fe",
                                     "64:ff9b:1::1",
                                     "100::1",
                                     "2001::1",
                                     "2001:db8::1",
                                     "2001:1ff::1",
                                     "2002:7f00:1::",
                                     "3fff::1",
                                     "fc00::1",
                                     "fd12:3456::1",
                                     "fe80::1",
                                     "fec0::1",
                                     "ff02::1",
                                     "4000::1"};
    struct sockaddr local = {.sa_family = AF_UNIX};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        CHECK(public_text(yes[i]), "%s", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        CHECK(!public_text(no[i]), "%s", no[i]);
    CHECK(!address_public(&local), "a path");
}

/* -- what servers say ---------------------------------------------------------------- */

static void a_servers_reason_is_found_and_made_safe(void)
{
    static const struct {
        const char *body, *said;
    } cases[] = {
        {"{\"error\":{\"message\":\"no such model\",\"type\":\"x\"}}", "no such model"},
        {"{\"error\":\"dead\"}", "dead"},
        {"{\"message\":\"too long\",\"object\":\"error\"}", "too long"},
        {"{\"detail\":\"Not Found\"}", "Not Found"},
        {"{\"detail\":[{\"loc\":[\"body\"]}]}", "{\"detail\":[{\"loc\":[\"body\"]}]}"},
        {"{\"error\":{\"message\":\"\"}}", "{\"error\":{\"message\":\"\"}}"},
        {"", ""},
        {"<h1>Bad\r\n  Gateway</h1>\n", "<h1>Bad Gateway</h1>"},
        {"a\x1b[31mb\tc\x7f\x01", "a [31mb c"},
        {"{\"error\":\"a\\u001b]0;x\\u0007b\\u0000c\\u009bd\"}", "a ]0;x b c d"},
        {"\xff\xfe ok \xc3", "ok"},
        {"na\xc3\xafve \xe2\x80\xa6", "na\xc3\xafve \xe2\x80\xa6"},
        {"{\"error\":\"key sk-123 is wrong, sk-123!\"}", "key [key] is wrong, [key]!"},
        {"Bearer sk-123", "Bearer [key]"},
    };
    char text[SAID_MAX], long_text[1000];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        said_read(text, span_of(cases[i].body), "sk-123");
        CHECK(strcmp(text, cases[i].said) == 0, "%s: %s", cases[i].body, text);
    }
    memset(long_text, 'x', sizeof long_text);
    said_read(text, (struct span){long_text, sizeof long_text}, NULL);
    CHECK(strlen(text) < SAID_MAX && strcmp(text + strlen(text) - 4, "x...") == 0, "%s",
          text);
    for (size_t i = 0; i + 2 < sizeof long_text; i += 2)
        memcpy(long_text + i, "\xc3\xa9", 2);
    said_read(text, (struct span){long_text, sizeof long_text - 2}, NULL);
    CHECK(strcmp(text + strlen(text) - 5, "\xc3\xa9...") == 0, "cut inside: %s", text);
    /* The key where the text is cut */
    memset(long_text, 'x', sizeof long_text);
    for (size_t at = 280; at < 330; at++) {
        char body[400];
        memset(body, 'x', sizeof body);
        memcpy(body + at, "sk-123", 6);
        said_clean(text, (struct span){body, sizeof body}, "sk-123");
        CHECK(!strstr(text, "sk-"), "%zu: %s", at, text);
    }
    fail(FAIL_MEDIA, "before");
    said_read(text, span_of("no json"), NULL);
    CHECK(strcmp(fail_text(), "before") == 0, "%s", fail_text());
}

int main(void)
{
    CASE(what_may_pass_is_tried_again);
    CASE(pauses_double_up_to_a_cap_and_are_drawn_from_zero_on);
    CASE(retry_after_is_read_and_capped);
    CASE(urls_that_will_not_do_are_refused);
    CASE(the_least_busy_is_asked_and_equals_in_turn);
    CASE(useless_answers_make_an_endpoint_less_wanted_but_never_down);
    CASE(one_call_alone_never_takes_an_endpoint_down);
    CASE(what_nobody_reaches_is_down_and_comes_back_by_a_probe);
    CASE(all_are_lost_when_all_stay_down_and_nothing_is_under_way);
    CASE(only_everybodys_addresses_are_public);
    CASE(a_servers_reason_is_found_and_made_safe);
    return check_end();
}
