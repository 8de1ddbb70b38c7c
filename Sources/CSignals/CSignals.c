#define _GNU_SOURCE
#include "csignals.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

/// As the process was started.
static sigset_t inherited;
static struct sigaction broken_pipe, file_limit;

static void hold_signals(int argument_count, char **arguments, char **environment) {
    (void)argument_count;
    (void)arguments;
    (void)environment;
    sigaction(SIGPIPE, NULL, &broken_pipe);
    sigaction(SIGXFSZ, NULL, &file_limit);
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGHUP);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGUSR1);
    sigaddset(&held, SIGUSR2);
    // Other threads, which the constructors of libraries may start, inherit it.
    sigprocmask(SIG_BLOCK, &held, &inherited);
}

__attribute__((section(".preinit_array"), used)) static void (*first_of_all)(int, char **, char **) = hold_signals;

static void as_started(void) {
    sigaction(SIGPIPE, &broken_pipe, NULL);
    sigaction(SIGXFSZ, &file_limit, NULL);
    sigprocmask(SIG_SETMASK, &inherited, NULL);
}

void cs_spare_children(void) { pthread_atfork(NULL, NULL, as_started); }

void cs_release_signals(void) { sigprocmask(SIG_SETMASK, &inherited, NULL); }
