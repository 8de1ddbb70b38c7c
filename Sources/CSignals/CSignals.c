#define _GNU_SOURCE
#include "csignals.h"

#include <signal.h>
#include <stddef.h>

/// As the process was started.
static sigset_t inherited;

static void hold_signals(int argument_count, char **arguments, char **environment) {
    (void)argument_count;
    (void)arguments;
    (void)environment;
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

void cs_release_signals(void) { sigprocmask(SIG_SETMASK, &inherited, NULL); }
