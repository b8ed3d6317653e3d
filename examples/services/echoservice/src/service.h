/* The echo endpoint, visible to NATS service discovery ($SRV.PING, $SRV.INFO, $SRV.STATS). */
#ifndef SERVICE_H
#define SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "connection.h"

/* Lives as long as the process: its identity and figures survive reconnects. */
struct service {
    char id[23];
    char started[40]; /* RFC 3339, UTC */
    uint64_t requests;
    uint64_t errors;
    const char *last_error; /* empty when there was none */
    uint64_t processing_ns;
};

/* False when the system has no randomness for the id. */
bool service_init(struct service *service);

void service_subscribe(struct connection *connection, const struct service *service);
void service_unsubscribe(struct connection *connection);

/* A message_handler; the context is the service. */
void service_handle(void *context, struct connection *connection, const struct operation *message);

#endif
