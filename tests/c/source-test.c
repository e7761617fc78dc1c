/* source-test.c: the bytes behind a reference, and what is refused. */
#include "check.h"
#include "golden.h"

#include "base/fail.h"
#include "media/base64.h"
#include "media/source.h"

#include <sys/socket.h>
#include <sys/un.h>

static char folder[] = "build/tests/source-XXXXXX";

static void write_file(const char *name, const char *text, size_t n)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (f) {
        fwrite(text, 1, n, f);
        fclose(f);
    }
}

static void check_read(const char *root, const char *ref, const char *want, size_t n)
{
    struct buf out = {0};
    buf_text(&out, "kept,");
    CHECK(source_read(&out, root, span_of(ref)) == 0, "%s: %s", ref, fail_text());
    CHECK(out.len == n + 5 && memcmp(out.data, "kept,", 5) == 0 &&
              (n == 0 || memcmp(out.data + 5, want, n) == 0),
          "%s: %zu bytes", ref, out.len);
    buf_free(&out);
}

static void check_fails(const char *root, struct span ref, enum fail_class kind,
                        const char *text)
{
    struct buf out = {0};
    CHECK(source_read(&out, root, ref) == -1, "%.*s passed", (int)ref.n, ref.s);
    CHECK(fail_kind() == kind && strcmp(fail_text(), text) == 0, "%s, not %s",
          fail_text(), text);
    buf_free(&out);
}

static void paths_are_read(void)
{
    char path[400], here[200] = "";
    write_file("a b.txt", "hello", 5);
    write_file("empty", "", 0);
    check_read(folder, "a b.txt", "hello", 5);
    check_read(folder, "./empty", "", 0);
    snprintf(path, sizeof path, "%s/a b.txt", folder);
    check_read(NULL, path, "hello", 5);
    check_read("", path, "hello", 5);
    CHECK(getcwd(here, sizeof here) != NULL, "getcwd");
    snprintf(path, sizeof path, "%s/%s/a b.txt", here, folder);
    check_read("no/such/root", path, "hello", 5); /* absolute */
    snprintf(path, sizeof path, "file://%s/%s/a%%20b.txt", here, folder);
    check_read(NULL, path, "hello", 5);
    snprintf(path, sizeof path, "FILE://localhost%s/%s/a b.txt", here, folder);
    check_read(NULL, path, "hello", 5);
}

static void a_large_file_is_read_whole(void)
{
    size_t n = 3 << 20;
    char *big = malloc(n);
    for (size_t i = 0; i < n; i++) big[i] = (char)(i * 7 >> 3);
    write_file("big", big, n);
    check_read(folder, "big", big, n);
    free(big);
    check_read(NULL, "/proc/self/comm", "source-test\n",
               12); /* says that it has 0 bytes */
}

static void what_is_no_file_is_named(void)
{
    char path[300], text[400];
    snprintf(text, sizeof text, "%s: a folder, not a picture", folder);
    check_fails(NULL, span_of(folder), FAIL_MEDIA, text);
    snprintf(path, sizeof path, "%s/fifo", folder);
    CHECK(mkfifo(path, 0600) == 0, "mkfifo");
    check_fails(folder, span_of("fifo"), FAIL_MEDIA, "fifo: a FIFO, not a picture");
    check_fails(NULL, span_of("/dev/zero"), FAIL_MEDIA,
                "/dev/zero: a device, not a picture");
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof name.sun_path, "%s/socket", folder);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof name) == 0, "bind");
    check_fails(folder, span_of("socket"), FAIL_MEDIA, "socket: a socket, not a picture");
    if (fd >= 0)
        close(fd);
    snprintf(path, sizeof path, "%s/loop", folder);
    CHECK(symlink("loop", path) == 0, "symlink");
    check_fails(folder, span_of("loop"), FAIL_MEDIA,
                "loop: Too many levels of symbolic links");
    check_fails(folder, span_of("none.jpg"), FAIL_MEDIA, "none.jpg: no such file");
    check_fails(folder, span_of("a b.txt/x"), FAIL_MEDIA, "a b.txt/x: no such file");
    check_fails(folder, span_of(""), FAIL_MEDIA, "an empty path");
    check_fails(folder, (struct span){"a\0b", 3}, FAIL_MEDIA,
                "a?b: a NUL byte in the path");
}

static void a_file_over_the_limit_is_refused(void)
{
    char path[300];
    write_file("huge", "", 0);
    snprintf(path, sizeof path, "%s/huge", folder);
    CHECK(truncate(path, (off_t)SOURCE_BYTES_MAX + 1) == 0, "truncate"); /* holes only */
    check_fails(folder, span_of("huge"), FAIL_TOO_LARGE, "huge: over 256 MB");
}

static void urls_are_refused(void)
{
    check_fails(NULL, span_of("http://h/cat.jpg"), FAIL_REFUSED,
                "http://h/cat.jpg: URLs are not fetched");
    check_fails(NULL, span_of("HTTPS://h/cat.jpg"), FAIL_REFUSED,
                "HTTPS://h/cat.jpg: URLs are not fetched");
    check_fails(NULL, span_of("s3://bucket/cat.jpg"), FAIL_REFUSED,
                "s3://bucket/cat.jpg: URLs are not fetched");
    check_fails(NULL, span_of("file://host/cat.jpg"), FAIL_REFUSED,
                "file://host/cat.jpg: a file on another host");
}

static void data_uris_are_decoded(void)
{
    check_read(NULL, "data:image/png;base64,aGVsbG8=", "hello", 5);
    check_read(NULL, "data:image;base64,aGVsbG8=", "hello", 5);
    check_read(NULL, "data:;base64,aGVsbG8=", "hello", 5);
    check_read(NULL, "DATA:image/jpeg;charset=x;BASE64,aGVsbG8", "hello", 5);
    check_read(NULL, "data:image/png;base64,aGVs%62G8%3D", "hello", 5);
    check_read(NULL, "data:image/png;base64,aGVs\r\nbG8=\n", "hello", 5);
    check_read(NULL, "data:image/png;base64,%2b/%2F%2B", "\xFB\xFF\xFE", 3);
    check_read(NULL, "data:image/png;base64,", "", 0);
}

static void bad_data_uris_are_errors(void)
{
    static const char *const bad[] = {
        "data:image/png;base64,aGVsbG8==", "data:image/png;base64,aGVsb",
        "data:image/png;base64,aGVs*G8=",  "data:image/png;base64,aG=sbG8=",
        "data:image/png;base64,====",      "data:image/png;base64,a",
        "data:image/png;base64,aGVs%ZZ",   "data:image/png;base64,aGVsbG8=x",
    };
    char text[100];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(text, sizeof text, "data: URI (%zu bytes): bad base64", strlen(bad[i]));
        check_fails(NULL, span_of(bad[i]), FAIL_MEDIA, text);
    }
    check_fails(NULL, span_of("data:image/png;base64"), FAIL_MEDIA,
                "data: URI (21 bytes): no comma in it");
    check_fails(NULL, span_of("data:text/plain,hi"), FAIL_MEDIA,
                "data: URI (18 bytes): not base64");
}

/* Every length, against an encoder written here. */
static void base64_gives_every_byte_back(void)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 151 + 13);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        struct buf text = {0}, out = {0};
        for (size_t i = 0; i < n; i += 3) {
            uint32_t v = 0;
            for (size_t k = i; k < i + 3; k++) v = v << 8 | (k < n ? bytes[k] : 0u);
            for (size_t k = 0; k < 4; k++)
                buf_char(&text, k > n - i ? '=' : letters[v >> (18 - 6 * k) & 63]);
        }
        CHECK(base64_decode(&out, (struct span){text.data, text.len}) == 0, "%zu", n);
        CHECK(out.len == n && (n == 0 || memcmp(out.data, bytes, n) == 0), "%zu", n);
        buf_free(&text);
        buf_free(&out);
    }
}

static void names_are_short_and_harmless(void)
{
    char name[16];
    source_name(name, sizeof name, span_of("cat.jpg"));
    CHECK(strcmp(name, "cat.jpg") == 0, "%s", name);
    source_name(name, sizeof name, span_of("a\n\x1B[2Jb"));
    CHECK(strcmp(name, "a??[2Jb") == 0, "%s", name);
    source_name(name, sizeof name,
                span_of("0123456789abc\xC3\xA9\xC3\xA9")); /* é is cut whole */
    CHECK(strcmp(name, "0123456789abc\xC3\xA9") == 0, "%s", name);
    source_name(name, sizeof name, span_of("0123456789abcd\xC3\xA9"));
    CHECK(strcmp(name, "0123456789abcd") == 0, "%s", name);
    source_name(name, 1, span_of("cat"));
    CHECK(name[0] == '\0', "no room");
}

static void remove_folder(void)
{
    static const char *const names[] = {"a b.txt", "empty", "big", "fifo",
                                        "socket",  "loop",  "huge"};
    char path[300];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

int main(void)
{
    mkdir("build", 0777);
    mkdir("build/tests", 0777);
    if (!mkdtemp(folder)) {
        perror(folder);
        return 1;
    }
    CASE(paths_are_read);
    CASE(a_large_file_is_read_whole);
    CASE(what_is_no_file_is_named);
    CASE(a_file_over_the_limit_is_refused);
    CASE(urls_are_refused);
    CASE(data_uris_are_decoded);
    CASE(bad_data_uris_are_errors);
    CASE(base64_gives_every_byte_back);
    CASE(names_are_short_and_harmless);
    remove_folder();
    return check_end();
}
