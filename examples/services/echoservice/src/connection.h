/* One connection to one NATS server: handshake, framing, keep-alive. It never reconnects by itself. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "protocol.h"
#include "server-url.h"

struct connection;
typedef void message_handler(void *context, struct connection *connection, const struct operation *message);

struct connection {
    int socket; /* -1: not connected */
    struct buffer in;
    struct buffer out;
    uint64_t max_payload;
    bool informed; /* the server's INFO has arrived */
    bool tls_required;
    uint64_t pongs;        /* PONGs received */
    unsigned silent_pings; /* PINGs sent since the server was last heard */
    int64_t heard_at;      /* milliseconds, monotonic */
    bool broken;           /* `problem` says why; only connection_close() helps */
    bool refused;          /* the server refused a subscription or a publish; `problem` says which */
    char problem[256];     /* printable */
    message_handler *on_message;
    void *context;
};

enum { WATCHED_FD_READY = 1 };

int64_t monotonic_ms(void);

/* Connects and introduces itself; then the caller subscribes. False: `problem` says why, it is closed again.
 */
bool connection_open(struct connection *connection, const struct server_url *server,
                     message_handler *on_message, void *context);

/* Queues bytes for the server. */
void connection_subscribe(struct connection *connection, unsigned subscription, const char *subject,
                          const char *queue_group);
void connection_unsubscribe(struct connection *connection, unsigned subscription);
void connection_publish(struct connection *connection, const char *subject, size_t subject_length,
                        const void *payload, size_t length);

/* Sends and receives once, waiting at most `wait_ms`. WATCHED_FD_READY when `watched_fd` (or -1) is readable.
 */
int connection_step(struct connection *connection, int wait_ms, int watched_fd);

/* Waits until the server has worked off everything sent so far. False: too late, or broken. */
bool connection_flush(struct connection *connection, int wait_ms);

/* PINGs a silent server; breaks the connection when it stays silent. Call it now and then. */
void connection_keep_alive(struct connection *connection);

void connection_close(struct connection *connection);

#endif
