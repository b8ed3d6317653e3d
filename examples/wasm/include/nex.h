/*
 * Host services for WebAssembly functions: the import module "nex" of the Nex node.
 *
 * Every call waits for its answer and gives a status, one of NEX_…: 200 when it succeeded. The node then keeps
 * the result, or the text of the error (UTF-8) with any other status, until the next call: read it with
 * nex_result_length and nex_result_read, or nex_take_result. Calls of the group "Reading" leave it as it is.
 *
 * Pointers and lengths are of this module's memory; one that reaches outside of it ends the invocation. Names,
 * subjects and URLs are UTF-8 and at most 64 KiB, bodies at most 32 MiB; the node's configuration may allow less.
 * Nothing is kept from one invocation to the next.
 *
 * Build: clang --target=wasm32-wasi -Os -I path/to/include -o function.wasm function.c
 */
#ifndef NEX_H
#define NEX_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NEX_OK 200
/* The call is malformed: an invalid key, subject or URL, text that is no UTF-8. */
#define NEX_BAD_REQUEST 400
/* The node's configuration does not allow it. */
#define NEX_FORBIDDEN 403
/* No such key or object, or the service is switched off. */
#define NEX_NOT_FOUND 404
/* A name, a body or an answer is larger than its limit. */
#define NEX_TOO_LARGE 413
/* Too many calls in this invocation, or at the same time. */
#define NEX_TOO_MANY_CALLS 429
/* Anything else: no answer in time, no connection to NATS, … */
#define NEX_FAILED 500

#define NEX_IMPORT(name) __attribute__((import_module("nex"), import_name(name)))

/* Key-value. */

/* Result: the value. */
NEX_IMPORT("kv_get") int32_t nex_kv_get(const char *key, size_t key_length);

/* No result. */
NEX_IMPORT("kv_set")
int32_t nex_kv_set(const char *key, size_t key_length, const void *value, size_t value_length);

/* No result. */
NEX_IMPORT("kv_delete") int32_t nex_kv_delete(const char *key, size_t key_length);

/* Result: a list of the keys, for nex_next. */
NEX_IMPORT("kv_keys") int32_t nex_kv_keys(void);

/* Object store. */

/* Result: the object's bytes. */
NEX_IMPORT("object_store_get") int32_t nex_object_store_get(const char *name, size_t name_length);

/* Result: JSON with the object's "name", "size", "digest" and more. */
NEX_IMPORT("object_store_put")
int32_t nex_object_store_put(const char *name, size_t name_length, const void *value, size_t value_length);

/* No result. */
NEX_IMPORT("object_store_delete") int32_t nex_object_store_delete(const char *name, size_t name_length);

/* Result: a list, for nex_next, of JSON as nex_object_store_put gives it. */
NEX_IMPORT("object_store_list") int32_t nex_object_store_list(void);

/* Messaging. */

/* No result. */
NEX_IMPORT("messaging_publish")
int32_t nex_messaging_publish(const char *subject, size_t subject_length, const void *payload,
                              size_t payload_length);

/* Result: the answer. */
NEX_IMPORT("messaging_request")
int32_t nex_messaging_request(const char *subject, size_t subject_length, const void *payload,
                              size_t payload_length);

/* Result: a list of the answers that came in time, for nex_next; without any it is empty. */
NEX_IMPORT("messaging_request_many")
int32_t nex_messaging_request_many(const char *subject, size_t subject_length, const void *payload,
                                   size_t payload_length);

/* HTTP. */

/* Gives redirects to the function instead of following them. */
#define NEX_HTTP_NO_REDIRECTS 1

/*
 * Makes a request. `method` is GET, HEAD, POST, PUT, PATCH or DELETE; `headers` are lines "Name: value\n", or none.
 * Result: the body of the answer as the server sent it, only unpacked, whatever its HTTP status is: NEX_OK says no
 * more than that an answer came.
 */
NEX_IMPORT("http_request")
int32_t nex_http_request(const char *method, size_t method_length, const char *url, size_t url_length,
                         const char *headers, size_t headers_length, const void *body, size_t body_length,
                         uint32_t flags);

/* Reading. */

/* HTTP status of the last answer; 0 when the last call was no request or got no answer. */
NEX_IMPORT("http_status") int32_t nex_http_status(void);

/* Bytes of the last answer's headers: lines "Name: value\n", names like Content-Type. */
NEX_IMPORT("http_headers_length") size_t nex_http_headers_length(void);

/* As nex_result_read, from the headers. */
NEX_IMPORT("http_headers_read") size_t nex_http_headers_read(size_t offset, void *buffer, size_t length);

/* Bytes of the result or of the text of the error. */
NEX_IMPORT("result_length") size_t nex_result_length(void);

/* Copies at most `length` bytes of the result, from `offset` on; gives how many it has copied. */
NEX_IMPORT("result_read") size_t nex_result_read(size_t offset, void *buffer, size_t length);

/*
 * A copy of the whole result in memory of its own, with a '\0' after it that `length` does not count; free it. NULL when
 * there is not enough memory.
 */
static inline char *nex_take_result(size_t *length) {
  size_t size = nex_result_length();
  char *bytes = malloc(size + 1);
  if (bytes == NULL) return NULL;
  *length = nex_result_read(0, bytes, size);
  bytes[*length] = '\0';
  return bytes;
}

/*
 * The next item of a list: each is four bytes of length, the lowest first, then the bytes. Start with `position` 0; NULL
 * at the end.
 */
static inline const char *nex_next(const char *list, size_t list_length, size_t *position, size_t *item_length) {
  if (list_length - *position < 4) return NULL;
  const unsigned char *head = (const unsigned char *)list + *position;
  size_t length =
      (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
  if (list_length - *position - 4 < length) return NULL;
  *position += 4 + length;
  *item_length = length;
  return (const char *)head + 4;
}

#endif
