#ifndef CSIGNALS_H
#define CSIGNALS_H

// A process that links this holds back SIGHUP, SIGINT, SIGTERM, SIGUSR1 and SIGUSR2 before the first line of its main
// runs, before the constructors of its libraries even: what is sent to a gateway that has just been started waits until
// it is ready, instead of ending it. Earlier than that no code of the program runs.

/// Gives these signals back what the process was started with. For commands that do not wait for them.
void cs_release_signals(void);

/// Programs that libraries start (`pam_exec`) get signals as this process was started with them: held back or ignored,
/// nothing could end them. Call once, before there are other threads.
void cs_spare_children(void);

#endif
