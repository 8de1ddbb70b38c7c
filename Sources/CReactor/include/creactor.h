#ifndef CREACTOR_H
#define CREACTOR_H

// The few system interfaces that Swift cannot import: epoll, eventfd, accept4, thread-local storage, signals.
// Every function that can fail returns a negative errno; nothing here keeps state but `cr_current`.
// System headers stay in the .c file: a public header that includes them clashes with Swift's Glibc module.

#include "cring.h"

#include <stddef.h>
#include <stdint.h>

/// Same layout as the kernel's `struct epoll_event`, with its 64 bits of data as two words.
struct cr_event {
    uint32_t events;
#if !defined(__x86_64__)
    uint32_t padding;
#endif
    uint32_t slot;
    uint32_t generation;
};

int cr_epoll_create(void);
int cr_epoll_add(int epoll, int fd, uint32_t events, uint32_t slot, uint32_t generation);
int cr_epoll_modify(int epoll, int fd, uint32_t events, uint32_t slot, uint32_t generation);
int cr_epoll_remove(int epoll, int fd);
/// Returns the number of events, 0 on timeout or interruption.
int cr_epoll_wait(int epoll, struct cr_event *events, int capacity, int timeout_milliseconds);

int cr_eventfd(void);
void cr_eventfd_signal(int fd);
void cr_eventfd_drain(int fd);
/// Blocks the thread until it has been signalled, and drains it.
void cr_eventfd_await(int fd);

/// A descriptor that becomes readable when the time set by `cr_timer_set` has come, or a negative errno.
int cr_timer(void);
/// Replaces the time of a timer, in microseconds of the monotonic clock.
void cr_timer_set(int fd, int64_t monotonic_microseconds);

/// Bytes received, 0 at end of stream, or a negative errno.
long cr_receive(int fd, void *buffer, size_t capacity);
/// Bytes taken by the kernel, or a negative errno. Never raises SIGPIPE.
long cr_send(int fd, const void *bytes, size_t count);
void cr_shutdown_sending(int fd);
int cr_close(int fd);
/// Closes with a reset instead of an orderly end (RST on TCP).
int cr_close_abortive(int fd);

/// A socket address in a flat form. `family`: 4, 6 or 1 (unix); `address` in network order; `path` for unix.
struct cr_address {
    int32_t family;
    uint16_t port;
    uint8_t address[16];
    uint32_t scope;
    char path[108];
};

int cr_listen_tcp(const struct cr_address *address, int backlog);
int cr_listen_unix(const char *path, int backlog, int mode);
uint16_t cr_local_port(int fd);
/// A non-blocking, close-on-exec descriptor or a negative errno; `peer` is filled in.
int cr_accept(int listener, struct cr_address *peer);
/// Starts a non-blocking connect. Returns the descriptor or a negative errno; `*in_progress` tells whether to wait.
/// -EAGAIN: the queue of a unix socket is full, and nobody will tell when it has room.
int cr_connect(const struct cr_address *address, int *in_progress);
/// 1 when bytes wait in the kernel or the stream has ended; takes nothing.
int cr_peek(int fd);
/// Bytes sent, the end of the stream included, of which the peer's system has not said that they have come; over a unix
/// socket, those that the peer has not read. A negative errno when that cannot be told.
int cr_unacknowledged(int fd);
/// The pending error of a socket as a positive errno, 0 when there is none.
int cr_socket_error(int fd);
#define CR_NAME_UNKNOWN (-2)
/// Resolves a host name; blocking, for helper threads only. Returns the number of addresses, CR_NAME_UNKNOWN, or
/// another negative value when that cannot be told now.
int cr_resolve(const char *host, uint16_t port, struct cr_address *out, int capacity);
/// The system's own words for a negative result of `cr_resolve`.
const char *cr_resolve_error_text(int result);
/// The host name of an address; blocking, for helper threads only. Returns 0, a positive value when the address has no
/// name, or a negative one when that cannot be told now.
int cr_host_name(const struct cr_address *address, char *name, size_t capacity);
/// The user at the other end of a unix socket, or a negative errno.
int64_t cr_peer_user(int fd);
/// 1 when `text` is a numeric address and `out` was filled in, else 0.
int cr_parse_numeric(const char *text, uint16_t port, struct cr_address *out);

/// Of what keepalives are, 0 is the system's own value.
struct cr_socket_options {
    int32_t keepalive_idle_seconds;
    int32_t keepalive_count;
    int32_t keepalive_interval_seconds;
    int32_t user_timeout_milliseconds;
    int32_t buffer_bytes;
    int32_t no_delay;
};
void cr_set_tcp_options(int fd, const struct cr_socket_options *options);
void cr_set_buffer(int fd, int bytes);
/// How many bytes have to be there before a TCP socket counts as readable; an end or an error always counts.
void cr_set_low_water(int fd, int bytes);
/// How long the kernel keeps connections to a listening TCP socket whose clients have sent nothing; 0: not at all.
void cr_set_defer_accept(int fd, int seconds);

int64_t cr_monotonic_nanoseconds(void);
/// Soft limit of open descriptors after raising it: to the hard limit where that is finite, but not beyond a million,
/// and to `wanted` as far as the hard limit allows. Never lowers it. A negative errno when there is no telling.
int64_t cr_raise_descriptor_limit(int64_t wanted);

/// Blocks the given signals for the calling thread and the threads it starts later.
void cr_block_signals(const int *signals, int count);
/// Waits for one of the given blocked signals and returns it.
int cr_wait_signal(const int *signals, int count);
/// Writes to a peer that has gone, or beyond the largest size of files (RLIMIT_FSIZE), end with an error instead of
/// ending the process. For the whole process.
void cr_ignore_write_signals(void);

/// Overwrites with zeros, whatever the compiler thinks of it. Null is fine when `count` is 0.
void cr_wipe(void *start, long count);

/// One pointer per thread: the worker that runs on it.
void *cr_current(void);
void cr_set_current(void *worker);
void cr_name_thread(const char *name);
/// CPU time of the calling thread.
int64_t cr_thread_nanoseconds(void);
/// What tells of the calling thread's waits, or a negative errno.
int cr_thread_waits_open(void);
/// How long that thread has waited for a processor, in nanoseconds; negative where that cannot be told.
int64_t cr_thread_waits(int fd);

#endif
