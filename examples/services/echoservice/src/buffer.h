/* A byte queue that grows as bytes arrive: append at the end, consume from the front. */
#ifndef BUFFER_H
#define BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct buffer {
    unsigned char *data;
    size_t start;  /* offset of the first byte that is not consumed yet */
    size_t length; /* bytes not consumed yet */
    size_t capacity;
};

/* Makes room for `extra` bytes after the last one. False when memory runs out; the buffer is unchanged then.
 */
bool buffer_reserve(struct buffer *buffer, size_t extra);

bool buffer_append(struct buffer *buffer, const void *bytes, size_t count);

/* Appends formatted text of any length. */
bool buffer_format(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Drops `count` bytes (at most all) from the front, and gives memory back after a large message. */
void buffer_consume(struct buffer *buffer, size_t count);

/* Forgets the content and frees the memory. */
void buffer_free(struct buffer *buffer);

static inline const unsigned char *buffer_bytes(const struct buffer *buffer)
{
    return buffer->data == NULL ? (const unsigned char *)"" : buffer->data + buffer->start;
}

/* Where the next byte goes; valid for as many bytes as were reserved. */
static inline unsigned char *buffer_end(struct buffer *buffer)
{
    return buffer->data + buffer->start + buffer->length;
}

#endif
