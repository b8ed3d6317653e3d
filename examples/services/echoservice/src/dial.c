#include "dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* 0, or the error number. */
static int finish_connect(int fd, int wait_ms)
{
    struct pollfd watched = {.fd = fd, .events = POLLOUT};
    int ready;
    do {
        ready = poll(&watched, 1, wait_ms);
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) return ETIMEDOUT;
    if (ready < 0) return errno;

    int problem = 0;
    socklen_t size = sizeof problem;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0 ? errno : problem;
}

static int connect_to(const struct addrinfo *address, int wait_ms, int *connected)
{
    int fd =
        socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->ai_protocol);
    if (fd < 0) return errno;

    int problem = connect(fd, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
    if (problem == EINPROGRESS) problem = finish_connect(fd, wait_ms);
    if (problem != 0) {
        close(fd);
        return problem;
    }
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    *connected = fd;
    return 0;
}

const char *dial(const char *host, const char *port, int wait_ms, int *connected)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *addresses = NULL;
    int unresolved = getaddrinfo(host, port, &hints, &addresses);
    if (unresolved != 0) return gai_strerror(unresolved);

    int problem = EADDRNOTAVAIL;
    for (const struct addrinfo *address = addresses; address != NULL && problem != 0;
         address = address->ai_next) {
        problem = connect_to(address, wait_ms, connected);
    }
    freeaddrinfo(addresses);
    return problem == 0 ? NULL : strerror(problem);
}
