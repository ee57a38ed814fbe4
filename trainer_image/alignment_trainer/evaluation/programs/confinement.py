"""A process that confines itself, then runs the program on its standard input; a script of the standard library alone.

It may write only in its working folder, read only what Python needs, and start no process, open no socket and signal none.
What the kernel does not let an ordinary user forbid stays open: `trial.openings` finds out by trying.
"""

import contextlib
import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_FILTER = 38, 22, 2

_READABLE = (sys.base_prefix, "/usr/lib", "/lib", "/lib64", "/etc/ld.so.cache", "/dev/null", "/dev/urandom")
_READ, _READ_FILE = 1 | 4 | 8, 1 | 4
"""Landlock's rights to execute, to read a file, to read a folder."""

_FORBIDDEN = {
    # socket, io_uring_setup; fork, vfork; setpgid, setsid; kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo,
    # pidfd_send_signal; ptrace, process_vm_writev; unshare, setns
    "x86_64": (41, 425, 57, 58, 109, 112, 62, 200, 234, 129, 297, 424, 101, 311, 272, 308),
    # the same; this machine has no fork and no vfork
    "aarch64": (198, 425, 154, 157, 129, 130, 131, 138, 240, 424, 117, 271, 97, 268),
}
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3, _CLONE_THREAD, _FOREIGN_CALLS = 435, 0x10000, 0x40000000
_ALLOW, _KILL, _REFUSE, _UNKNOWN = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06


def main(seconds: int, memory: int, file_bytes: int, processes: int) -> None:
    """Run the program; it has succeeded if it printed what its end prints, whatever the exit code says."""
    program = sys.stdin.read()
    compiled = compile(program, "program.py", "exec", dont_inherit=True)
    _limit(seconds, memory, file_bytes, processes)
    for confine in (_forbid_privileges, _forbid_files, _forbid_calls):
        # A kernel without one of them still has the others.
        with contextlib.suppress(OSError, KeyError):
            confine()
    exec(compiled, {"__name__": "__main__"})
    # A thread that the program left behind must not be waited for.
    os._exit(0)


def _limit(seconds: int, memory: int, file_bytes: int, processes: int) -> None:
    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NPROC, processes),
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
    """Refuse the system calls for sockets, processes and signals (seccomp); threads remain."""
    code = b"".join(_filter(platform.machine()))
    held = ctypes.create_string_buffer(code)
    described = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(held)))
    _checked(_libc().prctl(_PR_SET_SECCOMP, _SECCOMP_FILTER, described, 0, 0))


def _filter(machine: str) -> Iterator[bytes]:
    """Yield the instructions of the filter: each looks at the number of a system call, some at its first argument."""

    def unless(test: int, value: int, answer: int) -> Iterator[bytes]:
        yield struct.pack("=HBBI", test, 0, 1, value)
        yield struct.pack("=HBBI", _RETURN, 0, 0, answer)

    yield struct.pack("=HBBI", _LOAD, 0, 0, 4)
    yield struct.pack("=HBBI", _EQUAL, 1, 0, _ARCHITECTURE[machine])
    yield struct.pack("=HBBI", _RETURN, 0, 0, _KILL)
    yield struct.pack("=HBBI", _LOAD, 0, 0, 0)
    # calls of another kind on the same processor, whose numbers differ
    yield from unless(_AT_LEAST, _FOREIGN_CALLS, _REFUSE)
    for number in _FORBIDDEN[machine]:
        yield from unless(_EQUAL, number, _REFUSE)
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
