#include "buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t smallest_capacity = 16 * 1024;
static const size_t kept_capacity = 4 * 1024 * 1024;

bool buffer_reserve(struct buffer *buffer, size_t extra)
{
    if (buffer->capacity - buffer->start - buffer->length >= extra) return true;
    if (extra > SIZE_MAX / 4 || buffer->length > SIZE_MAX / 4) return false;

    size_t needed = buffer->length + extra;
    if (needed <= buffer->capacity && buffer->start >= buffer->length) {
        memmove(buffer->data, buffer->data + buffer->start, buffer->length);
        buffer->start = 0;
        return true;
    }

    size_t capacity = buffer->capacity == 0 ? smallest_capacity : buffer->capacity;
    while (capacity < needed) capacity *= 2;
    unsigned char *data = malloc(capacity);
    if (data == NULL) return false;
    if (buffer->length > 0) memcpy(data, buffer->data + buffer->start, buffer->length);
    free(buffer->data);
    buffer->data = data;
    buffer->start = 0;
    buffer->capacity = capacity;
    return true;
}

bool buffer_append(struct buffer *buffer, const void *bytes, size_t count)
{
    if (!buffer_reserve(buffer, count)) return false;
    if (count > 0) memcpy(buffer_end(buffer), bytes, count);
    buffer->length += count;
    return true;
}

bool buffer_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0 || !buffer_reserve(buffer, (size_t)length + 1)) return false;

    va_start(arguments, format);
    int written = vsnprintf((char *)buffer_end(buffer), (size_t)length + 1, format, arguments);
    va_end(arguments);
    if (written != length) return false;
    buffer->length += (size_t)length;
    return true;
}

void buffer_consume(struct buffer *buffer, size_t count)
{
    if (count < buffer->length) {
        buffer->start += count;
        buffer->length -= count;
        return;
    }
    buffer->start = 0;
    buffer->length = 0;
    if (buffer->capacity > kept_capacity) buffer_free(buffer);
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}
