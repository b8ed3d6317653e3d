#include "protocol.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct token {
    const char *text;
    size_t length;
};

enum { MAX_TOKENS = 5 };

static struct operation invalid(const char *why)
{
    return (struct operation){.kind = OPERATION_INVALID, .text = why, .text_length = strlen(why)};
}

/* Splits at spaces and tabs. False when there are more than MAX_TOKENS. */
static bool split(const char *line, size_t length, struct token *tokens, size_t *count)
{
    *count = 0;
    for (size_t at = 0; at < length;) {
        if (line[at] == ' ' || line[at] == '\t') {
            at++;
            continue;
        }
        if (*count == MAX_TOKENS) return false;
        size_t first = at;
        while (at < length && line[at] != ' ' && line[at] != '\t') at++;
        tokens[(*count)++] = (struct token){.text = line + first, .length = at - first};
    }
    return true;
}

static bool parse_number(struct token token, uint64_t most, uint64_t *number)
{
    if (token.length == 0 || token.length > 18) return false;
    *number = 0;
    for (size_t i = 0; i < token.length; i++) {
        if (token.text[i] < '0' || token.text[i] > '9') return false;
        *number = *number * 10 + (uint64_t)(token.text[i] - '0');
    }
    return *number <= most;
}

/* MSG subject sid [reply] size, HMSG subject sid [reply] header_size size; then the bytes and a line end. */
static struct operation parse_message(const char *arguments, size_t length, bool with_headers,
                                      const unsigned char *body, size_t available)
{
    struct token tokens[MAX_TOKENS];
    size_t count = 0;
    size_t sizes = with_headers ? 2 : 1;
    if (!split(arguments, length, tokens, &count) || (count != 2 + sizes && count != 3 + sizes)) {
        return invalid("a message line has the wrong number of arguments");
    }

    uint64_t subscription = 0;
    uint64_t total = 0;
    uint64_t headers = 0;
    bool ok = parse_number(tokens[1], UINT64_MAX, &subscription) &&
              parse_number(tokens[count - 1], MAX_MESSAGE, &total);
    if (ok && with_headers) ok = parse_number(tokens[count - 2], total, &headers);
    if (!ok) return invalid("a message line has a size or subscription that cannot be");

    if (available < total + 2) return (struct operation){.kind = OPERATION_INCOMPLETE};
    if (memcmp(body + total, "\r\n", 2) != 0) return invalid("a message does not end where it said");

    bool has_reply = count == 3 + sizes;
    return (struct operation){
        .kind = OPERATION_MESSAGE,
        .size = (size_t)total + 2,
        .subscription = subscription,
        .reply = has_reply ? tokens[2].text : "",
        .reply_length = has_reply ? tokens[2].length : 0,
        .payload = body + headers,
        .payload_length = (size_t)(total - headers),
    };
}

static bool is_verb(const char *line, size_t verb_length, const char *verb)
{
    return verb_length == strlen(verb) && strncasecmp(line, verb, verb_length) == 0;
}

static struct operation parse_line(const char *line, size_t length, const unsigned char *body,
                                   size_t available)
{
    size_t verb = 0;
    while (verb < length && line[verb] != ' ' && line[verb] != '\t') verb++;
    const char *rest = line + verb;
    size_t rest_length = length - verb;
    while (rest_length > 0 && (rest[0] == ' ' || rest[0] == '\t')) rest++, rest_length--;

    if (is_verb(line, verb, "MSG")) return parse_message(rest, rest_length, false, body, available);
    if (is_verb(line, verb, "HMSG")) return parse_message(rest, rest_length, true, body, available);
    struct operation operation = {.text = rest, .text_length = rest_length};
    if (is_verb(line, verb, "PING")) operation.kind = OPERATION_PING;
    else if (is_verb(line, verb, "PONG")) operation.kind = OPERATION_PONG;
    else if (is_verb(line, verb, "+OK")) operation.kind = OPERATION_OK;
    else if (is_verb(line, verb, "INFO")) operation.kind = OPERATION_INFO;
    else if (is_verb(line, verb, "-ERR")) operation.kind = OPERATION_ERROR;
    else return invalid("an operation is unknown");
    return operation;
}

struct operation parse_operation(const unsigned char *bytes, size_t length)
{
    size_t searched = length < MAX_LINE ? length : MAX_LINE;
    const unsigned char *end = searched == 0 ? NULL : memchr(bytes, '\n', searched);
    if (end == NULL) {
        return length < MAX_LINE ? (struct operation){.kind = OPERATION_INCOMPLETE}
                                 : invalid("a line is too long");
    }

    size_t line_size = (size_t)(end - bytes) + 1;
    size_t line_length = line_size - 1;
    if (line_length > 0 && bytes[line_length - 1] == '\r') line_length--;
    if (line_length == 0) return invalid("a line is empty");
    if (memchr(bytes, '\r', line_length) != NULL || memchr(bytes, '\0', line_length) != NULL) {
        return invalid("a line has a control character");
    }

    struct operation operation =
        parse_line((const char *)bytes, line_length, bytes + line_size, length - line_size);
    if (operation.kind != OPERATION_INCOMPLETE) operation.size += line_size;
    return operation;
}
