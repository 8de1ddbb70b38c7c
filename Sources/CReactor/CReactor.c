#define _GNU_SOURCE
#include "creactor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(struct cr_event) == sizeof(struct epoll_event), "cr_event mirrors epoll_event");

int cr_epoll_create(void) {
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int control(int epoll, int operation, int fd, uint32_t events, uint32_t slot, uint32_t generation) {
    struct epoll_event event = {.events = events, .data.u64 = ((uint64_t)generation << 32) | slot};
    return epoll_ctl(epoll, operation, fd, &event) < 0 ? -errno : 0;
}

int cr_epoll_add(int epoll, int fd, uint32_t events, uint32_t slot, uint32_t generation) {
    return control(epoll, EPOLL_CTL_ADD, fd, events, slot, generation);
}

int cr_epoll_modify(int epoll, int fd, uint32_t events, uint32_t slot, uint32_t generation) {
    return control(epoll, EPOLL_CTL_MOD, fd, events, slot, generation);
}

int cr_epoll_remove(int epoll, int fd) { return control(epoll, EPOLL_CTL_DEL, fd, 0, 0, 0); }

// The three calls that every message makes go past the C library's wrappers, which are cancellation points: with more
// than one thread they change the thread's cancellation state before and after by two atomic operations.

int cr_epoll_wait(int epoll, struct cr_event *events, int capacity, int timeout_milliseconds) {
    long count = syscall(SYS_epoll_pwait, epoll, events, capacity, timeout_milliseconds, NULL, 0);
    return count < 0 ? 0 : (int)count;
}

int cr_eventfd(void) {
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void cr_eventfd_signal(int fd) {
    uint64_t one = 1;
    ssize_t ignored = write(fd, &one, sizeof one);
    (void)ignored;
}

void cr_eventfd_drain(int fd) {
    uint64_t value;
    ssize_t ignored = read(fd, &value, sizeof value);
    (void)ignored;
}

void cr_eventfd_await(int fd) {
    struct pollfd bell = {.fd = fd, .events = POLLIN};
    while (poll(&bell, 1, -1) != 1) {
    }
    cr_eventfd_drain(fd);
}

int cr_timer(void) {
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void cr_timer_set(int fd, int64_t monotonic_microseconds) {
    // A time of zero would switch it off.
    int64_t at = monotonic_microseconds > 0 ? monotonic_microseconds : 1;
    struct itimerspec when = {.it_value = {at / 1000000, at % 1000000 * 1000}};
    timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL);
}

int64_t cr_monotonic_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t cr_raise_descriptor_limit(int64_t wanted) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    if (limit.rlim_cur == RLIM_INFINITY) return INT64_MAX;
    const rlim_t ample = 1048576;
    rlim_t target = wanted > 0 ? (rlim_t)wanted : 0;
    if (limit.rlim_max != RLIM_INFINITY) {
        if (target < ample) target = ample;
        if (target > limit.rlim_max) target = limit.rlim_max;
    }
    if (target > limit.rlim_cur) {
        struct rlimit raised = {.rlim_cur = target, .rlim_max = limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit.rlim_cur = target;
    }
    return (int64_t)limit.rlim_cur;
}

static sigset_t signal_set(const int *signals, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
    return set;
}

void cr_block_signals(const int *signals, int count) {
    sigset_t set = signal_set(signals, count);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int cr_wait_signal(const int *signals, int count) {
    sigset_t set = signal_set(signals, count);
    int signal = 0;
    while (sigwait(&set, &signal) != 0) {
    }
    return signal;
}

void cr_ignore_write_signals(void) {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

int64_t cr_thread_nanoseconds(void) {
    struct timespec time = {0, 0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int cr_thread_waits_open(void) {
    int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int64_t cr_thread_waits(int fd) {
    char text[80];
    ssize_t count = pread(fd, text, sizeof text - 1, 0);
    if (count <= 0) return -1;
    text[count] = 0;
    char *second = strchr(text, ' ');
    return second == NULL ? -1 : strtoll(second, NULL, 10);
}

static __thread void *current;

void *cr_current(void) { return current; }
void cr_set_current(void *worker) { current = worker; }

void cr_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

void cr_wipe(void *start, long count) {
    if (count > 0) explicit_bzero(start, (size_t)count);
}
