"""Sockets of another process."""

import contextlib
import ctypes
import errno
import os
import socket

import pytest

#: pidfd_getfd(2), which the library may have no function for; the number is the same on all processors.
PIDFD_GETFD = 438


@contextlib.contextmanager
def sockets_of(process):
    """The TCP sockets that a process has, each as a socket of our own that is the same to the kernel."""
    library = ctypes.CDLL(None, use_errno=True)
    whole = os.pidfd_open(process.pid)
    found = []
    try:
        for number in os.listdir(f"/proc/{process.pid}/fd"):
            copy = library.syscall(PIDFD_GETFD, whole, int(number), 0)
            if copy < 0:
                if ctypes.get_errno() == errno.EBADF:
                    # Closed meanwhile.
                    continue
                pytest.skip(f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
            try:
                one = socket.socket(fileno=copy)
            except OSError:
                os.close(copy)
                continue
            found.append(one)
        yield [one for one in found if one.family == socket.AF_INET]
    finally:
        for one in found:
            one.close()
        os.close(whole)
