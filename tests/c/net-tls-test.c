/* TLS peers are verified: by openssl(1)'s test server, where that program is installed.
 */
#include "net-run.h"

#include <fcntl.h>
#include <sys/stat.h>

struct tls_server {
    pid_t pid;
    char url[64];
};

static char folder[] = "/tmp/net-tls-XXXXXX";

/* A self-signed certificate for a name: NAME.pem, key and certificate in one file. */
static bool make_certificate(const char *name, const char *alternative)
{
    char command[512];
    snprintf(command, sizeof command,
             "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -keyout %s.key -out "
             "%s.crt -days 2 -subj /CN=%s -addext subjectAltName=%s >log 2>&1 && "
             "cat %s.key %s.crt >%s.pem",
             folder, name, name, name, alternative, name, name, name);
    return system(command) == 0;
}

static bool tls_start(struct tls_server *s, const char *certificate)
{
    char path[128], line[256];
    int out[2], port = 0;
    snprintf(path, sizeof path, "%s/%s.pem", folder, certificate);
    if (pipe2(out, O_CLOEXEC) < 0)
        return false;
    s->pid = fork();
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(out[1], STDOUT_FILENO);
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, STDIN_FILENO);
        dup2(null, STDERR_FILENO);
        execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", path,
               "-www", (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    FILE *f = fdopen(out[0], "r");
    while (f && port == 0 && fgets(line, sizeof line, f))
        sscanf(line, "ACCEPT 127.0.0.1:%d", &port);
    if (f)
        fclose(f);
    snprintf(s->url, sizeof s->url, "https://127.0.0.1:%d/v1", port);
    return port > 0;
}

/* Ask with these roots. The failure's text: openssl's server answers no POST, so that
 * there always is one; it is about the certificate or it is not. */
static bool is_refused(const struct tls_server *s, const char *variable, const char *root)
{
    static const char *const all[] = {"CURL_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE"};
    struct ask a = {.text = "x"};
    char path[128];
    for (int i = 0; i < 3; i++) unsetenv(all[i]);
    snprintf(path, sizeof path, "%s/%s.crt", folder, root);
    setenv(variable, path, 1);
    struct net *n = net_to(s->url, 0, 1);
    ask_once(n, &a, 0);
    net_close(n);
    CHECK(a.rc == -1, "answered");
    CHECK(a.failure.kind == FAIL_HTTP || a.failure.kind == FAIL_TIMEOUT, "%s",
          a.failure.text);
    return has(a.failure.text, "certificate");
}

static void only_peers_with_a_certificate_that_is_trusted_are_asked(void)
{
    struct tls_server s;
    NEED(tls_start(&s, "right"), "openssl s_server does not start");
    CHECK(is_refused(&s, "NONE", "right"), "self-signed");
    CHECK(is_refused(&s, "CURL_CA_BUNDLE", "other"), "signed by another");
    CHECK(!is_refused(&s, "CURL_CA_BUNDLE", "right"), "known");
    CHECK(!is_refused(&s, "SSL_CERT_FILE", "right"), "known");
    kill(s.pid, SIGKILL);
    waitpid(s.pid, NULL, 0);
}

static void a_certificate_for_another_name_is_refused(void)
{
    struct tls_server s;
    NEED(tls_start(&s, "other"), "openssl s_server does not start");
    CHECK(is_refused(&s, "CURL_CA_BUNDLE", "other"), "not its name");
    kill(s.pid, SIGKILL);
    waitpid(s.pid, NULL, 0);
}

int main(void)
{
    char command[64];
    if (!mkdtemp(folder))
        return 1;
    if (!make_certificate("right", "IP:127.0.0.1") ||
        !make_certificate("other", "DNS:example.com")) {
        puts("ok TLS peers are verified # skip no openssl(1)");
    } else {
        CASE(only_peers_with_a_certificate_that_is_trusted_are_asked);
        CASE(a_certificate_for_another_name_is_refused);
    }
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) != 0 || (check_cases > 0 && check_end());
}
