"""Many clients at once."""

import threading


def in_threads(count, work):
    """Runs `work(number)` in `count` threads; raises the first problem."""
    problems = []

    def run(number):
        try:
            work(number)
        except BaseException as problem:  # noqa: BLE001 - told to the main thread
            problems.append(problem)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(80)
        assert not thread.is_alive(), "a client hangs"
    if problems:
        raise problems[0]
