#include "service.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "json.h"

#define NAME "EchoService"
#define VERSION "1.0.0"
#define SUBJECT "svc.echo"
#define QUEUE_GROUP "q"

/* Subscription numbers: the endpoint, then three for each verb: everyone, everyone of this name, this
 * instance. */
enum { ENDPOINT = 1, FIRST_CONTROL = 2, FORMS = 3 };
enum verb { PING, INFO, STATS, VERBS };
static const char *const verb_names[VERBS] = {"PING", "INFO", "STATS"};

/* The texts of the Go service framework. */
static const char no_reply_error[] = "NATS error when sending response: nats: message does not have a reply";
static const char too_large_error[] = "NATS error when sending response: nats: maximum payload exceeded";

static bool random_id(char *id, size_t length)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (size_t used = 0; used < length;) {
        unsigned char byte;
        if (getrandom(&byte, 1, 0) != 1) return false;
        if (byte < 248) id[used++] = digits[byte % 62];
    }
    id[length] = '\0';
    return true;
}

bool service_init(struct service *service)
{
    *service = (struct service){.last_error = ""};
    struct timespec now;
    struct tm utc;
    char seconds[24];
    if (clock_gettime(CLOCK_REALTIME, &now) != 0 || gmtime_r(&now.tv_sec, &utc) == NULL) return false;
    if (strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc) == 0) return false;
    snprintf(service->started, sizeof service->started, "%s.%09ldZ", seconds, now.tv_nsec);
    return random_id(service->id, sizeof service->id - 1);
}

void service_subscribe(struct connection *connection, const struct service *service)
{
    connection_subscribe(connection, ENDPOINT, SUBJECT, QUEUE_GROUP);
    for (unsigned verb = 0; verb < VERBS; verb++) {
        unsigned first = FIRST_CONTROL + verb * FORMS;
        char subject[80];
        snprintf(subject, sizeof subject, "$SRV.%s", verb_names[verb]);
        connection_subscribe(connection, first, subject, NULL);
        snprintf(subject, sizeof subject, "$SRV.%s." NAME, verb_names[verb]);
        connection_subscribe(connection, first + 1, subject, NULL);
        snprintf(subject, sizeof subject, "$SRV.%s." NAME ".%s", verb_names[verb], service->id);
        connection_subscribe(connection, first + 2, subject, NULL);
    }
}

void service_unsubscribe(struct connection *connection)
{
    for (unsigned subscription = ENDPOINT; subscription < FIRST_CONTROL + VERBS * FORMS; subscription++) {
        connection_unsubscribe(connection, subscription);
    }
}

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* NULL, or why the request got no reply. */
static const char *echo(struct connection *connection, const struct operation *request)
{
    if (request->reply_length == 0) return no_reply_error;
    if (request->payload_length > connection->max_payload) return too_large_error;
    connection_publish(connection, request->reply, request->reply_length, request->payload,
                       request->payload_length);
    return NULL;
}

static void handle_request(struct service *service, struct connection *connection,
                           const struct operation *request)
{
    uint64_t begin = monotonic_ns();
    const char *error = echo(connection, request);
    service->requests++;
    service->processing_ns += monotonic_ns() - begin;
    if (error == NULL) return;
    service->errors++;
    service->last_error = error;
}

static bool write_identity(struct buffer *out, const struct service *service, const char *type)
{
    return buffer_format(out,
                         "{\"name\":\"" NAME "\",\"id\":\"%s\",\"version\":\"" VERSION "\",\"metadata\":{},"
                         "\"type\":\"io.nats.micro.v1.%s_response\"",
                         service->id, type);
}

static bool write_endpoint(struct buffer *out)
{
    return buffer_format(out, "\"endpoints\":[{\"name\":\"default\",\"subject\":\"" SUBJECT
                              "\",\"queue_group\":\"" QUEUE_GROUP "\"");
}

static bool write_stats(struct buffer *out, const struct service *service)
{
    uint64_t average = service->requests == 0 ? 0 : service->processing_ns / service->requests;
    return write_identity(out, service, "stats") &&
           buffer_format(out, ",\"started\":\"%s\",", service->started) && write_endpoint(out) &&
           buffer_format(out, ",\"num_requests\":%" PRIu64 ",\"num_errors\":%" PRIu64 ",\"last_error\":",
                         service->requests, service->errors) &&
           json_append_string(out, service->last_error) &&
           buffer_format(out, ",\"processing_time\":%" PRIu64 ",\"average_processing_time\":%" PRIu64 "}]}",
                         service->processing_ns, average);
}

static bool write_answer(struct buffer *out, const struct service *service, enum verb verb)
{
    switch (verb) {
    case PING: return write_identity(out, service, "ping") && buffer_format(out, "}");
    case INFO:
        return write_identity(out, service, "info") && buffer_format(out, ",\"description\":\"\",") &&
               write_endpoint(out) && buffer_format(out, ",\"metadata\":{}}]}");
    case STATS: return write_stats(out, service);
    case VERBS: break;
    }
    return false;
}

static void handle_control(const struct service *service, struct connection *connection,
                           const struct operation *request, enum verb verb)
{
    struct buffer answer = {0};
    if (request->reply_length > 0 && write_answer(&answer, service, verb) &&
        answer.length <= connection->max_payload) {
        connection_publish(connection, request->reply, request->reply_length, buffer_bytes(&answer),
                           answer.length);
    }
    buffer_free(&answer);
}

void service_handle(void *context, struct connection *connection, const struct operation *message)
{
    struct service *service = context;
    if (message->subscription == ENDPOINT) {
        handle_request(service, connection, message);
    } else if (message->subscription >= FIRST_CONTROL &&
               message->subscription < FIRST_CONTROL + VERBS * FORMS) {
        handle_control(service, connection, message,
                       (enum verb)((message->subscription - FIRST_CONTROL) / FORMS));
    }
}
