#define _GNU_SOURCE
#include "creactor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

// Sockets: what is sent and received (past the C library, see `cr_epoll_wait`), addresses, options.

long cr_receive(int fd, void *buffer, size_t capacity) {
    for (;;) {
        long count = syscall(SYS_recvfrom, fd, buffer, capacity, MSG_DONTWAIT, NULL, NULL);
        if (count >= 0) return count;
        if (errno != EINTR) return -errno;
    }
}

long cr_send(int fd, const void *bytes, size_t count) {
    for (;;) {
        long sent = syscall(SYS_sendto, fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
        if (sent >= 0) return sent;
        if (errno != EINTR) return -errno;
    }
}

void cr_shutdown_sending(int fd) { shutdown(fd, SHUT_WR); }

int cr_close(int fd) { return close(fd) < 0 ? -errno : 0; }

int cr_close_abortive(int fd) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    return cr_close(fd);
}

static socklen_t to_sockaddr(const struct cr_address *address, struct sockaddr_storage *out) {
    memset(out, 0, sizeof *out);
    if (address->family == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)out;
        in->sin_family = AF_INET;
        in->sin_port = htons(address->port);
        memcpy(&in->sin_addr, address->address, 4);
        return sizeof *in;
    }
    if (address->family == 6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(address->port);
        in6->sin6_scope_id = address->scope;
        memcpy(&in6->sin6_addr, address->address, 16);
        return sizeof *in6;
    }
    struct sockaddr_un *un = (struct sockaddr_un *)out;
    un->sun_family = AF_UNIX;
    size_t length = strnlen(address->path, sizeof address->path);
    if (length >= sizeof un->sun_path) length = sizeof un->sun_path - 1;
    memcpy(un->sun_path, address->path, length);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
}

static void from_sockaddr(const struct sockaddr_storage *in, struct cr_address *out) {
    memset(out, 0, sizeof *out);
    if (in->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)in;
        out->family = 4;
        out->port = ntohs(v4->sin_port);
        memcpy(out->address, &v4->sin_addr, 4);
    } else if (in->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)in;
        out->port = ntohs(v6->sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
            out->family = 4;
            memcpy(out->address, &v6->sin6_addr.s6_addr[12], 4);
        } else {
            out->family = 6;
            out->scope = v6->sin6_scope_id;
            memcpy(out->address, &v6->sin6_addr, 16);
        }
    } else {
        out->family = 1;
    }
}

int cr_listen_tcp(const struct cr_address *address, int backlog) {
    struct sockaddr_storage storage;
    socklen_t length = to_sockaddr(address, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&storage, length) < 0 || listen(fd, backlog) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

/// An existing socket file is probed first: a live peer is EADDRINUSE, a dead file is removed.
static int clear_stale_socket(const struct sockaddr_storage *storage, socklen_t length, const char *path) {
    struct stat status;
    if (lstat(path, &status) < 0) return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(status.st_mode)) return -EADDRINUSE;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe < 0) return -errno;
    int connected = connect(probe, (const struct sockaddr *)storage, length);
    int error = connected < 0 ? errno : 0;
    close(probe);
    // Only a refusal proves that nobody listens; anything else may be a socket of another kind or of another user.
    if (error != ECONNREFUSED && error != ENOENT) return -EADDRINUSE;
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int cr_listen_unix(const char *path, int backlog, int mode) {
    struct cr_address address = {.family = 1};
    if (strlen(path) >= sizeof address.path) return -ENAMETOOLONG;
    strcpy(address.path, path);
    struct sockaddr_storage storage;
    socklen_t length = to_sockaddr(&address, &storage);
    int stale = clear_stale_socket(&storage, length, path);
    if (stale < 0) return stale;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    // The file must never be open to more than `mode` allows, not even between bind and chmod.
    mode_t previous = umask(0777 & ~mode);
    int bound = bind(fd, (struct sockaddr *)&storage, length);
    int error = errno;
    umask(previous);
    if (bound < 0) {
        close(fd);
        return -error;
    }
    if (chmod(path, mode) < 0 || listen(fd, backlog) < 0) {
        error = -errno;
        close(fd);
        unlink(path);
        return error;
    }
    return fd;
}

uint16_t cr_local_port(int fd) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    struct cr_address address;
    if (getsockname(fd, (struct sockaddr *)&storage, &length) < 0) return 0;
    from_sockaddr(&storage, &address);
    return address.port;
}

int cr_accept(int listener, struct cr_address *peer) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    memset(&storage, 0, sizeof storage.ss_family);
    for (;;) {
        int fd = accept4(listener, (struct sockaddr *)&storage, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            from_sockaddr(&storage, peer);
            return fd;
        }
        if (errno != EINTR) return -errno;
    }
}

int cr_peek(int fd) {
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

int cr_unacknowledged(int fd) {
    int count = 0;
    return ioctl(fd, SIOCOUTQ, &count) < 0 ? -errno : count;
}

int cr_connect(const struct cr_address *address, int *in_progress) {
    struct sockaddr_storage storage;
    socklen_t length = to_sockaddr(address, &storage);
    *in_progress = 0;
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (connect(fd, (struct sockaddr *)&storage, length) == 0) return fd;
    if (errno == EINPROGRESS) {
        *in_progress = 1;
        return fd;
    }
    int error = -errno;
    close(fd);
    return error;
}

int cr_socket_error(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 ? errno : error;
}

_Static_assert(EAI_NONAME == CR_NAME_UNKNOWN && EAI_AGAIN < 0 && EAI_FAIL < 0, "errors of getaddrinfo are passed on");

static int resolve(const char *host, uint16_t port, int flags, struct cr_address *out, int capacity) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    struct addrinfo *list = NULL;
    int error = getaddrinfo(host, NULL, &hints, &list);
    if (error != 0) return error == EAI_NODATA ? CR_NAME_UNKNOWN : error;
    int count = 0;
    for (struct addrinfo *item = list; item != NULL && count < capacity; item = item->ai_next) {
        struct sockaddr_storage storage;
        if (item->ai_addrlen > sizeof storage) continue;
        memset(&storage, 0, sizeof storage);
        memcpy(&storage, item->ai_addr, item->ai_addrlen);
        from_sockaddr(&storage, &out[count]);
        if (out[count].family == 1) continue;
        out[count].port = port;
        count++;
    }
    freeaddrinfo(list);
    return count;
}

int cr_resolve(const char *host, uint16_t port, struct cr_address *out, int capacity) {
    return resolve(host, port, 0, out, capacity);
}

const char *cr_resolve_error_text(int result) { return gai_strerror(result); }

int cr_host_name(const struct cr_address *address, char *name, size_t capacity) {
    struct sockaddr_storage storage;
    socklen_t length = to_sockaddr(address, &storage);
    int error = getnameinfo((struct sockaddr *)&storage, length, name, capacity, NULL, 0, NI_NAMEREQD);
    if (error == 0) return 0;
    return error == EAI_NONAME || error == EAI_FAIL || error == EAI_OVERFLOW ? 1 : -1;
}

int64_t cr_peer_user(int fd) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -errno;
    return peer.uid;
}

int cr_parse_numeric(const char *text, uint16_t port, struct cr_address *out) {
    return resolve(text, port, AI_NUMERICHOST, out, 1) == 1;
}

// The system's own value for 0. A fresh socket has it; this one may have had another before a reload.
static void set_keepalive(int fd, int option, int value) {
    if (value == 0) {
        int fresh = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fresh < 0) return;
        socklen_t size = sizeof value;
        int result = getsockopt(fresh, IPPROTO_TCP, option, &value, &size);
        close(fresh);
        if (result < 0) return;
    }
    setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value);
}

void cr_set_tcp_options(int fd, const struct cr_socket_options *options) {
    // Said either way: a listening socket may have had other options before a reload.
    int no_delay = options->no_delay != 0;
    int keepalive = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &keepalive, sizeof keepalive);
    set_keepalive(fd, TCP_KEEPIDLE, options->keepalive_idle_seconds);
    set_keepalive(fd, TCP_KEEPCNT, options->keepalive_count);
    set_keepalive(fd, TCP_KEEPINTVL, options->keepalive_interval_seconds);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &options->user_timeout_milliseconds, sizeof(int));
    if (options->buffer_bytes > 0) cr_set_buffer(fd, options->buffer_bytes);
}

void cr_set_buffer(int fd, int bytes) {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

void cr_set_low_water(int fd, int bytes) {
    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

void cr_set_defer_accept(int fd, int seconds) {
    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds);
}
