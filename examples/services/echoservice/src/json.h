/* The little JSON this service needs: quoting strings, and reading flat members of the server's INFO. */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

/* Appends `text` as a JSON string with its quotes. */
bool json_append_string(struct buffer *out, const char *text);

/* Value of the top-level number `key`; `fallback` when it is absent or not a plain non-negative integer. */
uint64_t json_find_number(const char *json, size_t length, const char *key, uint64_t fallback);

/* Whether the top-level member `key` is true. */
bool json_find_true(const char *json, size_t length, const char *key);

#endif
