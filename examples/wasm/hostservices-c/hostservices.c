/*
 * The host services from C. The last part of the trigger subject says which one: …kv, …objectstore, …messaging
 * or …http, which calls the server at URL. As in examples/js/hostservices.
 */
#include <nex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A text of this program and its length, as the calls take them. */
#define TEXT(text) (text), sizeof(text) - 1

struct bytes {
  char *data;
  size_t length;
};

/* Ends the invocation as failed, with the reason in the workload's log. */
static _Noreturn void fail(const char *what, const char *reason) {
  fprintf(stderr, "%s: %s\n", what, reason);
  exit(1);
}

static struct bytes result(void) {
  struct bytes bytes;
  bytes.data = nex_take_result(&bytes.length);
  if (bytes.data == NULL) fail("result", "out of memory");
  return bytes;
}

/* The result of a call that must succeed. */
static struct bytes need(const char *what, int status) {
  struct bytes bytes = result();
  if (status != NEX_OK) fail(what, bytes.data);
  return bytes;
}

static struct bytes read_payload(void) {
  struct bytes bytes = {NULL, 0};
  size_t capacity = 0;
  for (;;) {
    if (bytes.length == capacity) {
      capacity = capacity == 0 ? 4096 : 2 * capacity;
      bytes.data = realloc(bytes.data, capacity);
      if (bytes.data == NULL) fail("payload", "out of memory");
    }
    size_t count = fread(bytes.data + bytes.length, 1, capacity - bytes.length, stdin);
    if (count == 0) return bytes;
    bytes.length += count;
  }
}

static void write_reply(struct bytes bytes) {
  fwrite(bytes.data, 1, bytes.length, stdout);
}

static void log_list(const char *title, struct bytes list) {
  size_t position = 0, length;
  for (const char *item; (item = nex_next(list.data, list.length, &position, &length)) != NULL;)
    fprintf(stderr, "%s: %.*s\n", title, (int)length, item);
}

/* Keeps one value and deletes the other; replies with the kept one. */
static void use_kv(struct bytes payload) {
  need("set", nex_kv_set(TEXT("hello"), payload.data, payload.length));
  need("delete", nex_kv_delete(TEXT("hello")));
  need("set", nex_kv_set(TEXT("hello2"), payload.data, payload.length));
  if (nex_kv_get(TEXT("hello")) != NEX_NOT_FOUND) fail("get", "the deleted key is there");
  log_list("key", need("keys", nex_kv_keys()));
  write_reply(need("get", nex_kv_get(TEXT("hello2"))));
}

static void use_object_store(struct bytes payload) {
  need("put", nex_object_store_put(TEXT("hello"), payload.data, payload.length));
  need("delete", nex_object_store_delete(TEXT("hello")));
  need("put", nex_object_store_put(TEXT("hello2"), payload.data, payload.length));
  log_list("object", need("list", nex_object_store_list()));
  write_reply(need("get", nex_object_store_get(TEXT("hello2"))));
}

/* Replies with one answer, then each of many, a line each. */
static void use_messaging(struct bytes payload) {
  need("publish", nex_messaging_publish(TEXT("hello.world"), payload.data, payload.length));
  write_reply(need("request",
                   nex_messaging_request(TEXT("hello.world.request"), payload.data, payload.length)));
  struct bytes answers =
      need("requestMany",
           nex_messaging_request_many(TEXT("hello.world.request.many"), payload.data, payload.length));
  size_t position = 0, length;
  for (const char *item; (item = nex_next(answers.data, answers.length, &position, &length)) != NULL;)
    printf("\n%.*s", (int)length, item);
}

/* Posts the payload; replies with status, type and body. */
static void use_http(struct bytes payload) {
  const char *url = getenv("URL");
  if (url == NULL) fail("http", "URL is not set");
  int status = nex_http_request(TEXT("POST"), url, strlen(url), TEXT("X-Example: hostservices\n"), payload.data,
                                payload.length, 0);
  struct bytes body = need("post", status);
  size_t length = nex_http_headers_length();
  char *headers = calloc(1, length + 1);
  if (headers == NULL) fail("headers", "out of memory");
  nex_http_headers_read(0, headers, length);
  const char *type = strstr(headers, "Content-Type: ");
  printf("%d %.*s ", (int)nex_http_status(), type == NULL ? 0 : (int)strcspn(type, "\n"), type == NULL ? "" : type);
  write_reply(body);
}

int main(int argc, char **argv) {
  const char *subject = argc > 1 ? argv[1] : "";
  const char *dot = strrchr(subject, '.');
  const char *service = dot == NULL ? subject : dot + 1;
  struct bytes payload = read_payload();
  if (strcmp(service, "kv") == 0) use_kv(payload);
  else if (strcmp(service, "objectstore") == 0) use_object_store(payload);
  else if (strcmp(service, "messaging") == 0) use_messaging(payload);
  else if (strcmp(service, "http") == 0) use_http(payload);
  else fail("unknown service", service);
  return 0;
}
