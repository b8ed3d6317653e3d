/* Opens TCP connections. */
#ifndef DIAL_H
#define DIAL_H

/* Tries every address of `host`, each for at most `wait_ms`. NULL and a non-blocking socket, or what went
 * wrong. */
const char *dial(const char *host, const char *port, int wait_ms, int *connected);

#endif
