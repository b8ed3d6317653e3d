/* What a NATS server says, one operation at a time. */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

enum {
    MAX_LINE = 64 * 1024, /* longest control line; INFO with many cluster addresses is the longest there is */
    MAX_MESSAGE = 64 * 1024 * 1024, /* largest message accepted, whatever max_payload the server claims */
};

enum operation_kind {
    OPERATION_INCOMPLETE,
    OPERATION_INVALID,
    OPERATION_INFO,
    OPERATION_MESSAGE,
    OPERATION_PING,
    OPERATION_PONG,
    OPERATION_OK,
    OPERATION_ERROR
};

/* Points into the parsed bytes. */
struct operation {
    enum operation_kind kind;
    size_t size;      /* bytes it occupies on the wire */
    const char *text; /* INFO: the JSON; ERROR: what the server said; INVALID: what is wrong */
    size_t text_length;
    uint64_t subscription; /* MESSAGE, and the members below */
    const char *reply;
    size_t reply_length;          /* 0: no reply is wanted */
    const unsigned char *payload; /* without the headers */
    size_t payload_length;
};

/* Reads the operation at the front of `bytes`. INCOMPLETE: come back with more; INVALID: this is not NATS. */
struct operation parse_operation(const unsigned char *bytes, size_t length);

#endif
