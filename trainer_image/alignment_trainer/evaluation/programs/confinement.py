"""A process that confines itself, then runs the program on its standard input; a script of the standard library alone.

It may write only in its working folder and read only what Python needs. It can start no process, open no socket, and neither
signal, slow nor read another process. Where the kernel does not let it confine itself, it runs no program.
"""

import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_FILTER = 38, 22, 2

_READABLE = (sys.base_prefix, "/usr/lib", "/lib", "/lib64", "/etc/ld.so.cache", "/dev/null", "/dev/urandom")
_READ, _READ_FILE = 1 | 4 | 8, 1 | 4
"""Landlock's rights to execute, to read a file, to read a folder."""

_FORBIDDEN = {
    "x86_64": (
        # socket, io_uring_setup; fork, vfork; setpgid, setsid; kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo
        *(41, 425, 57, 58, 109, 112, 62, 200, 234, 129, 297),
        # pidfd_open, pidfd_send_signal, pidfd_getfd; ptrace, process_vm_readv, process_vm_writev, process_madvise; unshare, setns
        *(434, 424, 438, 101, 310, 311, 440, 272, 308),
        # sched_setaffinity, sched_setscheduler, sched_setparam, sched_setattr, setpriority, ioprio_set; move_pages, migrate_pages
        *(203, 144, 142, 314, 141, 251, 279, 256),
        # what landlock leaves open: truncate, before Linux 6.2; all forms of chmod, chown, utime, setxattr and removexattr
        *(76, 90, 91, 268, 452, 92, 93, 94, 260, 132, 235, 261, 280, 188, 189, 190, 197, 198, 199),
    ),
    # the same; this machine has no fork, no vfork, and fewer forms
    "aarch64": (
        *(198, 425, 154, 157, 129, 130, 131, 138, 240),
        *(434, 424, 438, 117, 270, 271, 440, 97, 268),
        *(122, 119, 118, 274, 140, 30, 239, 238),
        *(45, 52, 53, 452, 54, 55, 88, 5, 6, 7, 14, 15, 16),
    ),
}
_PRLIMIT = {"x86_64": 302, "aarch64": 261}
_FCNTL = {"x86_64": 72, "aarch64": 25}
_IOCTL = {"x86_64": 16, "aarch64": 29}
_SET_OWNER = {"fcntl": (8, 15), "ioctl": (0x8901, 0x8902)}
"""F_SETOWN and F_SETOWN_EX, FIOSETOWN and SIOCSPGRP: whom the kernel signals when a file is ready."""
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3, _CLONE_THREAD, _FOREIGN_CALLS = 435, 0x10000, 0x40000000
_ALLOW, _KILL, _REFUSE, _UNKNOWN = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06


_TOKEN_BYTES, _OPEN_FILES = 32, 64


def main(seconds: int, memory: int, file_bytes: int, processes: int) -> None:
    """Run the program; it has succeeded if the token was printed, whatever the exit code says."""
    tokens, program = [os.read(0, _TOKEN_BYTES)], _rest()
    # What the program could read again from its standard input is gone.
    os.dup2(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC), 0)
    compiled = compile(program, "program.py", "exec", dont_inherit=True)
    _limit(seconds, memory, file_bytes, processes)
    _forbid_privileges()
    _forbid_files()
    _forbid_calls()
    # While the program runs, no name of this frame holds the token.
    _end(tokens.pop(), _run(compiled))


def _run(compiled: CodeType) -> bool:
    exec(compiled, {"__name__": "__main__"})
    return True


def _rest() -> bytes:
    return b"".join(iter(lambda: os.read(0, 1 << 16), b""))


def _end(token: bytes, _: bool) -> None:
    os.write(1, token)
    # A thread that the program left behind must not be waited for.
    os._exit(0)


def _limit(seconds: int, memory: int, file_bytes: int, processes: int) -> None:
    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NPROC, processes),
        # A file that is removed while it is open has no place in the folder.
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, known = resource.getrlimit(what)
        hard = most if known == resource.RLIM_INFINITY else min(most, known)
        resource.setrlimit(what, (hard, hard))


def _forbid_privileges() -> None:
    _checked(_libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _forbid_files() -> None:
    """Let the process write in its working folder alone, and read what Python needs (landlock)."""
    call = _libc().syscall
    rights = _rights(_checked(call(444, None, 0, 1)))
    ruleset = _checked(call(444, struct.pack("=Q", rights), 8, 0))
    for path, allowed in ((Path.cwd(), rights), *((Path(path), _READ) for path in _READABLE)):
        if path.exists():
            folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
            given = allowed if path.is_dir() else allowed & _READ_FILE
            _checked(call(445, ruleset, 1, struct.pack("=Qi", given, folder), 0))
            os.close(folder)
    _checked(call(446, ruleset, 0))
    os.close(ruleset)


def _rights(version: int) -> int:
    """Return all rights to files that a version of landlock knows."""
    return (1 << 13) - 1 | sum(1 << bit for bit, since in ((13, 2), (14, 3), (15, 5)) if version >= since)


def _forbid_calls() -> None:
    """Refuse the system calls for sockets and other processes (seccomp); threads remain."""
    code = b"".join(_filter(platform.machine()))
    held = ctypes.create_string_buffer(code)
    described = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(held)))
    _checked(_libc().prctl(_PR_SET_SECCOMP, _SECCOMP_FILTER, described, 0, 0))


def _filter(machine: str) -> Iterator[bytes]:
    """Yield the instructions of the filter: each looks at the number of a system call, some at an argument."""

    def unless(test: int, value: int, answer: int) -> Iterator[bytes]:
        yield struct.pack("=HBBI", test, 0, 1, value)
        yield struct.pack("=HBBI", _RETURN, 0, 0, answer)

    def unless_argument(number: int, place: int, test: int, value: int) -> Iterator[bytes]:
        yield struct.pack("=HBBI", _EQUAL, 0, 4, number)
        yield struct.pack("=HBBI", _LOAD, 0, 0, 16 + 8 * place)
        yield from unless(test, value, _REFUSE)
        yield struct.pack("=HBBI", _LOAD, 0, 0, 0)

    yield struct.pack("=HBBI", _LOAD, 0, 0, 4)
    yield struct.pack("=HBBI", _EQUAL, 1, 0, _ARCHITECTURE[machine])
    yield struct.pack("=HBBI", _RETURN, 0, 0, _KILL)
    yield struct.pack("=HBBI", _LOAD, 0, 0, 0)
    # calls of another kind on the same processor, whose numbers differ
    yield from unless(_AT_LEAST, _FOREIGN_CALLS, _REFUSE)
    for number in _FORBIDDEN[machine]:
        yield from unless(_EQUAL, number, _REFUSE)
    # limits of another process
    yield from unless_argument(_PRLIMIT[machine], 0, _AT_LEAST, 1)
    for number, call in ((_FCNTL[machine], "fcntl"), (_IOCTL[machine], "ioctl")):
        for what in _SET_OWNER[call]:
            yield from unless_argument(number, 1, _EQUAL, what)
    # the C library then takes clone, whose flags the filter can see
    yield from unless(_EQUAL, _CLONE3, _UNKNOWN)
    yield struct.pack("=HBBI", _EQUAL, 0, 3, _CLONE[machine])
    yield struct.pack("=HBBI", _LOAD, 0, 0, 16)
    yield struct.pack("=HBBI", _ANY_BIT, 1, 0, _CLONE_THREAD)
    yield struct.pack("=HBBI", _RETURN, 0, 0, _REFUSE)
    yield struct.pack("=HBBI", _RETURN, 0, 0, _ALLOW)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
