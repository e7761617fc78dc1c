/* net_fetch(): what may be asked, and what may not, whatever rows and servers say. */
#include "net-run.h"

/* Fetch "http://HOST:PORT" + path; the class of the failure, -1: it went well. */
static int fetch(const struct server_run *server, const char *host, const char *path,
                 const char *const *hosts, int count, size_t *bytes)
{
    char url[512];
    struct buf out = {0};
    buf_text(&out, "before");
    snprintf(url, sizeof url, "http://%s:%d%s", host, server->port, path);
    int rc = net_fetch(&out, url, hosts, count, 100000);
    CHECK(out.len >= 6 && memcmp(out.data, "before", 6) == 0, "what was there is gone");
    CHECK(rc == 0 || out.len == 6, "a failure leaves bytes");
    *bytes = out.len - 6;
    buf_free(&out);
    return rc == 0 ? -1 : (int)fail_kind();
}

static const char *const loopback[] = {"127.0.0.1"};

static void what_is_listed_is_fetched(void)
{
    static const char *const hosts[] = {"example.com", "127.0.0.1"};
    struct server_run a;
    size_t n;
    server_start(&a, "");
    CHECK(fetch(&a, "127.0.0.1", "/bytes/1000", loopback, 1, &n) == -1 && n == 1000,
          "%zu: %s", n, fail_text());
    CHECK(fetch(&a, "127.0.0.1", "/bytes/0", hosts, 2, &n) == -1 && n == 0, "%s",
          fail_text());
    CHECK(fetch(&a, "127.0.0.1", "/bytes/100000", hosts, 2, &n) == -1 && n == 100000,
          "%s", fail_text());
    server_stop(&a);
}

static void what_fails_has_its_class(void)
{
    struct server_run a;
    size_t n;
    server_start(&a, "--huge 20");
    CHECK(fetch(&a, "127.0.0.1", "/bytes/100001", loopback, 1, &n) == FAIL_TOO_LARGE,
          "%s", fail_text());
    CHECK(fetch(&a, "127.0.0.1", "/status/404", loopback, 1, &n) == FAIL_MEDIA &&
              has(fail_text(), "HTTP 404, not found"),
          "%s", fail_text());
    CHECK(fetch(&a, "127.0.0.1", "/status/403", loopback, 1, &n) == FAIL_MEDIA, "%s",
          fail_text());
    CHECK(server_seen(&a, "/status/403").requests == 1, "no use in asking again");
    CHECK(fetch(&a, "127.0.0.1", "/status/503", loopback, 1, &n) == FAIL_MEDIA, "%s",
          fail_text());
    CHECK(server_seen(&a, "/status/503").requests == 3, "%d tries",
          server_seen(&a, "/status/503").requests);
    /* Not unpacked: what is small on its way is small here. */
    CHECK(fetch(&a, "127.0.0.1", "/bomb", loopback, 1, &n) == -1 && n < 100000, "%zu: %s",
          n, fail_text());
    server_stop(&a);
    CHECK(fetch(&a, "127.0.0.1", "/", loopback, 1, &n) == FAIL_MEDIA, "%s", fail_text());
}

static void hosts_that_are_not_listed_are_not_asked(void)
{
    static const char *const hosts[] = {"127.0.0.1",  "::1",        "localhost",
                                        "2130706433", "127.0.0.1.", "127.1"};
    static const char *const listed[] = {"example.com", "127.0.0.1.example.com", "0.0.1",
                                         "27.0.0.1", ""};
    struct server_run a;
    size_t n;
    server_start(&a, "");
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        CHECK(fetch(&a, hosts[i], "/bytes/5", listed, 5, &n) == FAIL_REFUSED, "%s: %s",
              hosts[i], fail_text());
        CHECK(fetch(&a, hosts[i], "/bytes/5", NULL, 0, &n) == FAIL_REFUSED, "%s: %s",
              hosts[i], fail_text());
    }
    CHECK(server_seen(&a, NULL).requests == 0, "it was asked");
    server_stop(&a);
}

static void a_listed_name_opens_no_private_address(void)
{
    /* Names that resolve to the loopback, and other ways to write it */
    static const char *const names[] = {"localhost", "LOCALHOST", "localhost."};
    struct server_run a;
    size_t n;
    server_start(&a, "");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int kind = fetch(&a, names[i], "/bytes/5", &names[i], 1, &n);
        CHECK(kind == FAIL_REFUSED || (i == 2 && kind == FAIL_MEDIA), "%s: %s", names[i],
              fail_text());
    }
    CHECK(server_seen(&a, NULL).requests == 0, "it was asked");
    /* An address is listed as itself, however the URL writes it; no other comes with it
     */
    CHECK(fetch(&a, "2130706433", "/bytes/5", loopback, 1, &n) == -1, "%s", fail_text());
    CHECK(fetch(&a, "0x7f.0.0.1", "/bytes/5", loopback, 1, &n) == -1, "%s", fail_text());
    CHECK(fetch(&a, "127.0.0.2", "/bytes/5", loopback, 1, &n) == FAIL_REFUSED, "%s",
          fail_text());
    CHECK(fetch(&a, "[::ffff:127.0.0.1]", "/bytes/5", loopback, 1, &n) == FAIL_REFUSED,
          "%s", fail_text());
    server_stop(&a);
}

static void redirects_are_checked_like_the_first_url(void)
{
    static const char *const both[] = {"127.0.0.1", "localhost"};
    static const char *const bad[] = {
        "file:///etc/passwd",         "http://169.254.169.254/latest",
        "ftp://127.0.0.1/x",          "gopher://127.0.0.1/x",
        "http://example.com/x",       "http://127.0.0.2:80/",
        "//169.254.169.254/x",        "http://u:p@127.0.0.1/x",
        "dict://127.0.0.1:11211/stat"};
    struct server_run a;
    char path[256];
    size_t n;
    server_start(&a, "");
    snprintf(path, sizeof path, "/to/http://127.0.0.1:%d/bytes/7", a.port);
    CHECK(fetch(&a, "127.0.0.1", path, loopback, 1, &n) == -1 && n == 7, "%zu: %s", n,
          fail_text());
    CHECK(fetch(&a, "127.0.0.1", "/to//bytes/8", loopback, 1, &n) == -1 && n == 8,
          "%zu: %s", n, fail_text());
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(path, sizeof path, "/to/%s", bad[i]);
        int kind = fetch(&a, "127.0.0.1", path, loopback, 1, &n);
        CHECK(kind == FAIL_REFUSED, "%s: class %d: %s", bad[i], kind, fail_text());
    }
    snprintf(path, sizeof path, "/to/http://localhost:%d/bytes/7", a.port);
    CHECK(fetch(&a, "127.0.0.1", path, both, 2, &n) == FAIL_REFUSED, "%s", fail_text());
    CHECK(server_seen(&a, "/bytes/7").requests == 1, "the name led there");
    /* Round and round */
    CHECK(fetch(&a, "127.0.0.1", "/loop", loopback, 1, &n) == FAIL_REFUSED &&
              has(fail_text(), "redirects"),
          "%s", fail_text());
    CHECK(server_seen(&a, "/loop").requests == 6, "%d",
          server_seen(&a, "/loop").requests);
    server_stop(&a);
}

static void what_is_no_url_is_refused(void)
{
    static const char *const bad[] = {"",
                                      "picture.png",
                                      "file:///etc/passwd",
                                      "http://",
                                      "http://127.0.0.1:99999/",
                                      "http:///x",
                                      "ftp://127.0.0.1/x",
                                      "http://u:p@127.0.0.1/",
                                      "http://127.0.0.1\\@evil/",
                                      "http://a b/",
                                      "http://127.0.0.1:80:80/",
                                      "data:,x",
                                      "HTTP://127.0.0.1\r\nHost: x/"};
    struct buf out = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(net_fetch(&out, bad[i], loopback, 1, 1000) == -1 &&
                  fail_kind() == FAIL_REFUSED,
              "%s: %s", bad[i], fail_text());
    buf_free(&out);
}

/* A proxy would hide the address from the check: none is used. */
static void no_proxy_is_used(void)
{
    struct server_run a;
    size_t n;
    server_start(&a, "");
    setenv("http_proxy", "http://127.0.0.1:9", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:9", 1);
    CHECK(fetch(&a, "127.0.0.1", "/bytes/5", loopback, 1, &n) == -1, "%s", fail_text());
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    server_stop(&a);
}

int main(void)
{
    CASE(what_is_listed_is_fetched);
    CASE(what_fails_has_its_class);
    CASE(hosts_that_are_not_listed_are_not_asked);
    CASE(a_listed_name_opens_no_private_address);
    CASE(redirects_are_checked_like_the_first_url);
    CASE(what_is_no_url_is_refused);
    CASE(no_proxy_is_used);
    return check_end();
}
