#include "connection.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dial.h"
#include "json.h"

enum { CONNECT_MS = 2000, KEEP_ALIVE_MS = 30000, MAX_SILENT_PINGS = 2, READ_SIZE = 64 * 1024 };

/* Above this many unsent bytes nothing more is read: a server that does not take our replies gets no work
 * done. */
static const size_t out_high_water = 4 * 1024 * 1024;

int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What a server says goes to a terminal: only printable ASCII may. */
static void describe(struct connection *connection, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void describe(struct connection *connection, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(connection->problem, sizeof connection->problem, format, arguments);
    va_end(arguments);
    for (char *byte = connection->problem; *byte != '\0'; byte++) {
        if (*byte < 0x20 || *byte > 0x7e) *byte = '?';
    }
}

static void fail(struct connection *connection, const char *why)
{
    if (connection->broken) return;
    connection->broken = true;
    describe(connection, "%s", why);
}

static void queue(struct connection *connection, const void *bytes, size_t count)
{
    if (!connection->broken && !buffer_append(&connection->out, bytes, count))
        fail(connection, "out of memory");
}

static void queue_text(struct connection *connection, const char *text)
{
    queue(connection, text, strlen(text));
}

void connection_subscribe(struct connection *connection, unsigned subscription, const char *subject,
                          const char *queue_group)
{
    bool ok =
        buffer_format(&connection->out, "SUB %s %s%s%u\r\n", subject, queue_group == NULL ? "" : queue_group,
                      queue_group == NULL ? "" : " ", subscription);
    if (!ok) fail(connection, "out of memory");
}

void connection_unsubscribe(struct connection *connection, unsigned subscription)
{
    if (!buffer_format(&connection->out, "UNSUB %u\r\n", subscription)) fail(connection, "out of memory");
}

void connection_publish(struct connection *connection, const char *subject, size_t subject_length,
                        const void *payload, size_t length)
{
    queue_text(connection, "PUB ");
    queue(connection, subject, subject_length);
    if (!buffer_format(&connection->out, " %zu\r\n", length)) fail(connection, "out of memory");
    queue(connection, payload, length);
    queue_text(connection, "\r\n");
}

static void accept_info(struct connection *connection, const struct operation *info)
{
    connection->informed = true;
    connection->tls_required = json_find_true(info->text, info->text_length, "tls_required");
    connection->max_payload =
        json_find_number(info->text, info->text_length, "max_payload", connection->max_payload);
}

static void accept_error(struct connection *connection, const struct operation *error)
{
    static const char permissions[] = "'Permissions Violation";
    int length = error->text_length < 200 ? (int)error->text_length : 200;
    bool refusal = error->text_length >= sizeof permissions - 1 &&
                   strncasecmp(error->text, permissions, sizeof permissions - 1) == 0;
    if (connection->broken) return;
    if (refusal) connection->refused = true;
    else connection->broken = true;
    describe(connection, "the server says %.*s", length, error->text);
}

static void accept_operation(struct connection *connection, const struct operation *operation)
{
    switch (operation->kind) {
    case OPERATION_INFO: accept_info(connection, operation); break;
    case OPERATION_MESSAGE: connection->on_message(connection->context, connection, operation); break;
    case OPERATION_PING: queue_text(connection, "PONG\r\n"); break;
    case OPERATION_PONG: connection->pongs++; break;
    case OPERATION_ERROR: accept_error(connection, operation); break;
    case OPERATION_INVALID: fail(connection, operation->text); break;
    case OPERATION_OK:
    case OPERATION_INCOMPLETE: break;
    }
}

/* Works off what was received. True when it stopped early because too much is unsent. */
static bool process(struct connection *connection)
{
    while (!connection->broken) {
        if (connection->out.length > out_high_water) return true;
        struct operation operation = parse_operation(buffer_bytes(&connection->in), connection->in.length);
        if (operation.kind == OPERATION_INCOMPLETE) return false;
        accept_operation(connection, &operation);
        buffer_consume(&connection->in, operation.size);
    }
    return false;
}

static void send_queued(struct connection *connection)
{
    while (connection->out.length > 0 && !connection->broken) {
        ssize_t sent =
            send(connection->socket, buffer_bytes(&connection->out), connection->out.length, MSG_NOSIGNAL);
        if (sent >= 0) buffer_consume(&connection->out, (size_t)sent);
        else if (errno == EAGAIN || errno == EWOULDBLOCK) return;
        else if (errno != EINTR)
            buffer_free(&connection->out); /* receiving tells why: its last words may still be unread */
    }
}

static void receive(struct connection *connection)
{
    if (!buffer_reserve(&connection->in, READ_SIZE)) {
        fail(connection, "out of memory");
        return;
    }
    ssize_t count = recv(connection->socket, buffer_end(&connection->in), READ_SIZE, 0);
    if (count > 0) {
        connection->in.length += (size_t)count;
        connection->heard_at = monotonic_ms();
        connection->silent_pings = 0;
    } else if (count == 0) {
        fail(connection, "the server closed the connection");
    } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        fail(connection, strerror(errno));
    }
}

int connection_step(struct connection *connection, int wait_ms, int watched_fd)
{
    bool stopped_early = false;
    do {
        stopped_early = process(connection);
        send_queued(connection);
    } while (stopped_early && connection->out.length <= out_high_water && !connection->broken);
    if (connection->broken) return 0;

    struct pollfd watched[2] = {
        {.fd = connection->socket,
         .events = (short)((stopped_early ? 0 : POLLIN) | (connection->out.length > 0 ? POLLOUT : 0))},
        {.fd = watched_fd, .events = POLLIN},
    };
    if (poll(watched, 2, wait_ms < 0 ? 0 : wait_ms) <= 0) return 0;
    if ((watched[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) receive(connection);
    process(connection);
    send_queued(connection);
    return watched[1].revents != 0 ? WATCHED_FD_READY : 0;
}

bool connection_flush(struct connection *connection, int wait_ms)
{
    int64_t deadline = monotonic_ms() + wait_ms;
    uint64_t before = connection->pongs;
    queue_text(connection, "PING\r\n");
    while (!connection->broken && connection->pongs == before) {
        int64_t left = deadline - monotonic_ms();
        if (left <= 0) {
            describe(connection, "the server does not answer");
            return false;
        }
        connection_step(connection, (int)left, -1);
    }
    return !connection->broken;
}

void connection_keep_alive(struct connection *connection)
{
    int64_t silence = monotonic_ms() - connection->heard_at;
    if (silence < (int64_t)KEEP_ALIVE_MS * (connection->silent_pings + 1)) return;
    if (connection->silent_pings == MAX_SILENT_PINGS) {
        fail(connection, "the server does not answer");
        return;
    }
    connection->silent_pings++;
    queue_text(connection, "PING\r\n");
}

static bool queue_credentials(const struct server_url *server, struct buffer *out)
{
    if (server->token[0] != '\0') {
        return buffer_format(out, ",\"auth_token\":") && json_append_string(out, server->token);
    }
    if (server->user[0] == '\0') return true;
    return buffer_format(out, ",\"user\":") && json_append_string(out, server->user) &&
           buffer_format(out, ",\"pass\":") && json_append_string(out, server->password);
}

static bool introduce(struct connection *connection, const struct server_url *server)
{
    int64_t deadline = monotonic_ms() + CONNECT_MS;
    while (!connection->informed && !connection->broken) {
        int64_t left = deadline - monotonic_ms();
        if (left <= 0) fail(connection, "the server does not introduce itself");
        else connection_step(connection, (int)left, -1);
    }
    if (connection->broken) return false;
    if (connection->tls_required) {
        fail(connection, "the server requires TLS, which this service does not speak");
        return false;
    }
    bool ok =
        buffer_format(
            &connection->out,
            "CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":false,\"name\":\"EchoService\","
            "\"lang\":\"c\",\"version\":\"1.0.0\",\"protocol\":1,\"echo\":true,\"headers\":true") &&
        queue_credentials(server, &connection->out) && buffer_format(&connection->out, "}\r\n");
    if (!ok) fail(connection, "out of memory");
    return ok;
}

bool connection_open(struct connection *connection, const struct server_url *server,
                     message_handler *on_message, void *context)
{
    *connection = (struct connection){.socket = -1,
                                      .max_payload = 1024 * 1024,
                                      .heard_at = monotonic_ms(),
                                      .on_message = on_message,
                                      .context = context};
    const char *problem = dial(server->host, server->port, CONNECT_MS, &connection->socket);
    if (problem != NULL) fail(connection, problem);
    else if (introduce(connection, server)) return true;
    connection_close(connection);
    return false;
}

void connection_close(struct connection *connection)
{
    if (connection->socket >= 0) close(connection->socket);
    connection->socket = -1;
    buffer_free(&connection->in);
    buffer_free(&connection->out);
}
