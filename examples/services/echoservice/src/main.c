/* Echo service: answers every request on svc.echo with its own payload. NATS_URL says where the server is. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "connection.h"
#include "server-url.h"
#include "service.h"

enum {
    FLUSH_MS = 2000,
    DRAIN_MS = 1500,
    FIRST_DELAY_MS = 100,
    MAX_DELAY_MS = 5000,
    HELD_MS = 10000,
    TICK_MS = 5000
};

static volatile sig_atomic_t serving;
static volatile sig_atomic_t stopping;
static int stop_pipe[2];

/* The first signal while serving drains, a second one ends at once; without a connection there is nothing to
 * drain. */
static void on_stop_signal(int signal_number)
{
    (void)signal_number;
    if (!serving) _exit(0);
    if (stopping) _exit(1);
    stopping = 1;
    int saved = errno;
    ssize_t written = write(stop_pipe[1], "", 1);
    (void)written;
    errno = saved;
}

static bool handle_signals(void)
{
    if (pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK) != 0) return false;
    struct sigaction stop = {.sa_handler = on_stop_signal};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    return sigaction(SIGINT, &stop, NULL) == 0 && sigaction(SIGTERM, &stop, NULL) == 0 &&
           sigaction(SIGPIPE, &ignore, NULL) == 0;
}

/* A closed stdout would otherwise be the number of the next socket. */
static bool open_standard_streams(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0) return errno == ENOENT || errno == EACCES;
    close(fd);
    return true;
}

static const char *configured_url(void)
{
    const char *url = getenv("NATS_URL");
    return url == NULL || url[strspn(url, " \t\r\n")] == '\0' ? "nats://127.0.0.1:4222" : url;
}

/* Connects and subscribes; when it returns true the server routes requests to us. */
static bool start_service(struct connection *connection, const struct server_url *server,
                          struct service *service)
{
    if (!connection_open(connection, server, service_handle, service)) return false;
    service_subscribe(connection, service);
    if (connection_flush(connection, FLUSH_MS) && !connection->refused) {
        serving = 1;
        return true;
    }
    connection_close(connection);
    return false;
}

static void report(const char *what, const struct server_url *server, const char *why)
{
    struct buffer line = {0};
    bool ok = buffer_format(&line, "%s ", what) && describe_server(server, &line) &&
              (why == NULL || buffer_format(&line, ": %s", why)) && buffer_append(&line, "\n", 1);
    if (ok) (void)fwrite(buffer_bytes(&line), 1, line.length, stderr);
    buffer_free(&line);
}

/* Tries each server once, from `*current` on. */
static bool start_on_any(struct connection *connection, const struct server_list *list, size_t *current,
                         struct service *service, bool quiet)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct server_url *server = &list->servers[*current];
        if (start_service(connection, server, service)) return true;
        if (!quiet) report("Cannot serve on", server, connection->problem);
        *current = (*current + 1) % list->count;
    }
    return false;
}

/* Returns when the connection broke or a signal asked to stop. */
static void serve(struct connection *connection, const struct server_url *server)
{
    bool reported = false;
    while (!connection->broken && !stopping) {
        if (connection_step(connection, TICK_MS, stop_pipe[0]) == WATCHED_FD_READY) return;
        connection_keep_alive(connection);
        if (connection->refused && !reported && !connection->broken)
            report("Refused by", server, connection->problem);
        reported = reported || connection->refused;
    }
}

/* Takes no new requests, answers those on their way, and makes sure the server has the answers: the first
 * PONG follows the last request, the second one our last answer. */
static void drain(struct connection *connection)
{
    service_unsubscribe(connection);
    if (connection_flush(connection, DRAIN_MS)) (void)connection_flush(connection, DRAIN_MS);
}

/* 3/4 to 5/4 of an exponential delay. */
static int delay_ms(unsigned failures)
{
    int delay = FIRST_DELAY_MS;
    for (unsigned i = 1; i < failures && delay < MAX_DELAY_MS; i++) delay *= 2;
    if (delay > MAX_DELAY_MS) delay = MAX_DELAY_MS;
    return delay * 3 / 4 + rand() % (delay / 2);
}

/* Serves for ever: returns only after a signal. */
static void serve_and_reconnect(struct connection *connection, const struct server_list *list, size_t current,
                                struct service *service)
{
    unsigned failures = 0;
    for (;;) {
        int64_t since = monotonic_ms();
        serve(connection, &list->servers[current]);
        if (stopping && !connection->broken) drain(connection);
        serving = 0;
        connection_close(connection);
        if (stopping) return;

        report("Lost the connection to", &list->servers[current], connection->problem);
        if (monotonic_ms() - since >= HELD_MS) failures = 0;
        current = (current + 1) % list->count;
        bool serving_again = false;
        for (bool quiet = false; !serving_again; quiet = true) {
            if (failures > 0) (void)poll(NULL, 0, delay_ms(failures));
            failures++;
            serving_again = start_on_any(connection, list, &current, service, quiet);
        }
        report("Serving again on", &list->servers[current], NULL);
    }
}

int main(void)
{
    static struct server_list list;
    struct connection connection;
    struct service service;

    if (!open_standard_streams() || !handle_signals() || !service_init(&service)) {
        fprintf(stderr, "Cannot start: %s\n", strerror(errno));
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    srand((unsigned)monotonic_ms() ^ (unsigned)getpid());

    const char *problem = parse_server_list(configured_url(), &list);
    if (problem != NULL) {
        fprintf(stderr, "Cannot read NATS_URL: %s\n", problem);
        return 1;
    }
    struct buffer urls = {0};
    if (describe_server_list(&list, &urls))
        printf("Echo service using NATS url '%.*s'\n", (int)urls.length, (const char *)buffer_bytes(&urls));
    buffer_free(&urls);

    size_t current = 0;
    if (!start_on_any(&connection, &list, &current, &service, false)) return 1;
    puts("Starting echo service");
    serve_and_reconnect(&connection, &list, current, &service);
    return 0;
}
