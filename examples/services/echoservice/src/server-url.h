/* Server addresses from NATS_URL: one or several, separated by commas. */
#ifndef SERVER_URL_H
#define SERVER_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

enum { MAX_SERVERS = 16, MAX_HOST = 256, MAX_CREDENTIAL = 2048 };

/* [nats://][user:password@|token@]host[:port], IPv6 addresses in brackets. */
struct server_url {
    char host[MAX_HOST];
    char port[6];
    bool ipv6_literal;
    bool has_scheme;
    bool has_port;
    char user[MAX_CREDENTIAL]; /* empty when there is none */
    char password[MAX_CREDENTIAL];
    char token[MAX_CREDENTIAL]; /* set instead of user and password */
};

struct server_list {
    struct server_url servers[MAX_SERVERS];
    size_t count;
};

/* NULL when `text` was understood, else what is wrong with it (never quoting it: it may hold a password). */
const char *parse_server_list(const char *text, struct server_list *list);

/* Appends the addresses as they were written, without their credentials. */
bool describe_server_list(const struct server_list *list, struct buffer *out);

/* Appends one address as it was written, without its credentials. */
bool describe_server(const struct server_url *server, struct buffer *out);

#endif
