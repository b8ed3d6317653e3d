#include "server-url.h"

#include <string.h>

static int hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9') return byte - '0';
    if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
    return -1;
}

/* Copies `length` bytes with percent escapes resolved. */
static bool decode(const char *text, size_t length, char *out, size_t capacity)
{
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        char byte = text[i];
        if (byte == '%') {
            if (i + 2 >= length) return false;
            int high = hex_digit(text[i + 1]);
            int low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0 || (high == 0 && low == 0)) return false;
            byte = (char)(high * 16 + low);
            i += 2;
        }
        if (used + 1 >= capacity) return false;
        out[used++] = byte;
    }
    out[used] = '\0';
    return true;
}

static const char *parse_credentials(const char *text, size_t length, struct server_url *server)
{
    const char *colon = memchr(text, ':', length);
    if (colon == NULL) {
        return decode(text, length, server->token, sizeof server->token)
                   ? NULL
                   : "the token is too long or badly escaped";
    }
    size_t user_length = (size_t)(colon - text);
    bool ok = decode(text, user_length, server->user, sizeof server->user) &&
              decode(colon + 1, length - user_length - 1, server->password, sizeof server->password);
    return ok ? NULL : "user or password is too long or badly escaped";
}

static bool is_host_byte(char byte, bool ipv6)
{
    if ((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z'))
        return true;
    return byte != '\0' && strchr(ipv6 ? ":.%" : ".-_", byte) != NULL;
}

static const char *parse_host(const char *text, size_t length, bool ipv6, struct server_url *server)
{
    if (length == 0) return "the host is missing";
    if (length >= sizeof server->host) return "the host is too long";
    for (size_t i = 0; i < length; i++) {
        if (!is_host_byte(text[i], ipv6)) return "the host has a character that does not belong there";
    }
    memcpy(server->host, text, length);
    server->host[length] = '\0';
    server->ipv6_literal = ipv6;
    return NULL;
}

static const char *parse_port(const char *text, size_t length, struct server_url *server)
{
    unsigned port = 0;
    for (size_t i = 0; i < length && i < 5; i++) {
        if (text[i] < '0' || text[i] > '9') return "the port is not a number";
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    if (length == 0 || length > 5 || port == 0 || port > 65535) return "the port is not between 1 and 65535";
    memcpy(server->port, text, length);
    server->port[length] = '\0';
    server->has_port = true;
    return NULL;
}

static const char *parse_address(const char *text, size_t length, struct server_url *server)
{
    memcpy(server->port, "4222", 5);
    if (length > 0 && text[0] == '[') {
        const char *bracket = memchr(text, ']', length);
        if (bracket == NULL) return "the closing bracket of the IPv6 address is missing";
        size_t host_length = (size_t)(bracket - text) - 1;
        size_t rest = length - host_length - 2;
        const char *problem = parse_host(text + 1, host_length, true, server);
        if (problem != NULL || rest == 0) return problem;
        return bracket[1] == ':' ? parse_port(bracket + 2, rest - 1, server)
                                 : "text follows the IPv6 address";
    }
    const char *colon = memchr(text, ':', length);
    size_t host_length = colon == NULL ? length : (size_t)(colon - text);
    const char *problem = parse_host(text, host_length, false, server);
    if (problem != NULL || colon == NULL) return problem;
    return parse_port(colon + 1, length - host_length - 1, server);
}

static const char *parse_server(const char *text, size_t length, struct server_url *server)
{
    static const char scheme[] = "nats://";
    *server = (struct server_url){0};
    if (length >= sizeof scheme - 1 && memcmp(text, scheme, sizeof scheme - 1) == 0) {
        server->has_scheme = true;
        text += sizeof scheme - 1;
        length -= sizeof scheme - 1;
    }
    for (size_t i = 0; i + 2 < length; i++) {
        if (text[i] == '@') break;
        if (memcmp(text + i, "://", 3) == 0) return "only nats:// is spoken here (no TLS, no WebSocket)";
    }
    while (length > 0 && text[length - 1] == '/') length--;

    size_t host = length;
    while (host > 0 && text[host - 1] != '@') host--;
    if (host > 0) {
        const char *problem = parse_credentials(text, host - 1, server);
        if (problem != NULL) return problem;
    }
    return parse_address(text + host, length - host, server);
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

const char *parse_server_list(const char *text, struct server_list *list)
{
    list->count = 0;
    for (const char *at = text;;) {
        size_t length = strcspn(at, ",");
        const char *first = at;
        size_t kept = length;
        while (kept > 0 && is_space(first[0])) first++, kept--;
        while (kept > 0 && is_space(first[kept - 1])) kept--;
        if (kept > 0) {
            if (list->count == MAX_SERVERS) return "there are more than 16 servers";
            const char *problem = parse_server(first, kept, &list->servers[list->count]);
            if (problem != NULL) return problem;
            list->count++;
        }
        if (at[length] == '\0') return list->count > 0 ? NULL : "it names no server";
        at += length + 1;
    }
}

bool describe_server(const struct server_url *server, struct buffer *out)
{
    return buffer_format(out, server->ipv6_literal ? "%s[%s]%s%s" : "%s%s%s%s",
                         server->has_scheme ? "nats://" : "", server->host, server->has_port ? ":" : "",
                         server->has_port ? server->port : "");
}

bool describe_server_list(const struct server_list *list, struct buffer *out)
{
    bool ok = true;
    for (size_t i = 0; ok && i < list->count; i++) {
        ok = (i == 0 || buffer_append(out, ",", 1)) && describe_server(&list->servers[i], out);
    }
    return ok;
}
