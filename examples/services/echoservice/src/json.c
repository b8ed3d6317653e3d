#include "json.h"

#include <string.h>

struct span {
    const char *text;
    size_t length;
};

bool json_append_string(struct buffer *out, const char *text)
{
    bool ok = buffer_append(out, "\"", 1);
    for (const unsigned char *byte = (const unsigned char *)text; ok && *byte != '\0'; byte++) {
        if (*byte == '"' || *byte == '\\') ok = buffer_format(out, "\\%c", *byte);
        else if (*byte < 0x20 || *byte == 0x7f) ok = buffer_format(out, "\\u%04x", *byte);
        else ok = buffer_append(out, byte, 1);
    }
    return ok && buffer_append(out, "\"", 1);
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static size_t skip_space(const char *json, size_t length, size_t at)
{
    while (at < length && is_space(json[at])) at++;
    return at;
}

/* Offset just behind the string that opens at `at`; `length` when it does not end. */
static size_t skip_string(const char *json, size_t length, size_t at)
{
    for (at++; at < length; at++) {
        if (json[at] == '\\') at++;
        else if (json[at] == '"') return at + 1;
    }
    return length;
}

/* Offset of the comma or bracket that ends the value at `at`; nested values are passed over. */
static size_t skip_value(const char *json, size_t length, size_t at)
{
    size_t depth = 0;
    while (at < length) {
        char byte = json[at];
        if (byte == '"') {
            at = skip_string(json, length, at);
            continue;
        }
        if (byte == '{' || byte == '[') depth++;
        if (depth == 0 && (byte == ',' || byte == '}' || byte == ']')) return at;
        if (byte == '}' || byte == ']') depth--;
        at++;
    }
    return length;
}

static bool find_member(const char *json, size_t length, const char *key, struct span *value)
{
    size_t key_length = strlen(key);
    size_t at = skip_space(json, length, 0);
    if (at >= length || json[at] != '{') return false;
    at++;
    for (;;) {
        at = skip_space(json, length, at);
        if (at >= length || json[at] != '"') return false;
        size_t name = at + 1;
        at = skip_string(json, length, at);
        size_t name_length = at > name ? at - name - 1 : 0;
        at = skip_space(json, length, at);
        if (at >= length || json[at] != ':') return false;
        at = skip_space(json, length, at + 1);
        size_t end = skip_value(json, length, at);
        if (end >= length) return false;
        if (name_length == key_length && memcmp(json + name, key, key_length) == 0) {
            size_t last = end;
            while (last > at && is_space(json[last - 1])) last--;
            *value = (struct span){.text = json + at, .length = last - at};
            return true;
        }
        if (json[end] != ',') return false;
        at = end + 1;
    }
}

uint64_t json_find_number(const char *json, size_t length, const char *key, uint64_t fallback)
{
    struct span value;
    if (!find_member(json, length, key, &value) || value.length == 0 || value.length > 18) return fallback;
    uint64_t number = 0;
    for (size_t i = 0; i < value.length; i++) {
        if (value.text[i] < '0' || value.text[i] > '9') return fallback;
        number = number * 10 + (uint64_t)(value.text[i] - '0');
    }
    return number;
}

bool json_find_true(const char *json, size_t length, const char *key)
{
    struct span value;
    return find_member(json, length, key, &value) && value.length == 4 && memcmp(value.text, "true", 4) == 0;
}
