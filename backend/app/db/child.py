"""Turn this process into a lesser user's program that does not outlive its parent.

`python -IS child.py PARENT SIGNAL UID GID PROGRAM [ARGUMENT…]`; UID and GID are -1 to stay who we
are. A program of its own, of the standard library alone, because code between fork and exec of a
process with threads may find any lock taken, or die.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522


def become(uid: int, gid: int, libc: ctypes.CDLL | None) -> None:
    """Drop to a user, who keeps the right to pass through root's private home."""
    if libc:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if libc:
        _keep_read_search(libc)


def _keep_read_search(libc: ctypes.CDLL) -> None:
    """The kernel may refuse (a container without it): callers try before they rely on it."""
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    bit = 1 << CAP_DAC_READ_SEARCH
    data = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    libc.capset(ctypes.byref(header), ctypes.byref(data))
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH, 0, 0)


def main(arguments: list[str]) -> None:
    """Drop, ask for the signal, and become the program; returns only by an error."""
    parent, death_signal, uid, gid = (int(argument) for argument in arguments[:4])
    program = arguments[4:]
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if uid >= 0:
        become(uid, gid, libc)
    if libc:
        # After the user switch, which clears it.
        libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
    os.execvp(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
