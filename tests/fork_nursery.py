"""Starts Python programs as forks of a process that has loaded their libraries, in place of `python -m MODULE`.

Such a program has a process, arguments, environment, files, signals and exit code of its own, and its parent is the process that
started it, as always. So have the programs that it starts itself. Only /proc/PID/cmdline and environ are those of the process
that was forked.
"""

import atexit
import contextlib
import ctypes
import inspect
import multiprocessing
import os
import pickle
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing import process, resource_tracker
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

STARTED_VARIABLE = "TESTS_STARTED_PROGRAMS"
"""Names a file to which each program adds its process ID and the last word of its module."""
_LOADED = ("alignment_operator.", "alignment_trainer", "mlflow", "uvicorn")
_READ_ENVIRONMENT = ("mlflow.server", "mlflow.server.fastapi_app")
"""Modules that read the environment while they are loaded; each program loads them again."""
_SET_DEATH_SIGNAL, _SET_NAME, _SET_SUBREAPER = 1, 15, 36
_STOPS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_MAIN_PROCESS = multiprocessing.current_process()
_MESSAGE_BYTES, _MOST_FILES = 1 << 18, 16


class Program(NamedTuple):
    """What is started."""

    words: tuple[str, ...]
    environment: Mapping[str, str]
    folder: str
    starts_session: bool

    @property
    def module(self) -> str:
        """Return the module that it runs."""
        return self.words[self.words.index("-m") + 1]


class Nursery:
    """Starts programs from another process, of which they are forks; they become children of this one.

    The kernel makes them so: it gives a process whose parent has ended to the nearest ancestor that asked for such processes.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def start(self, program: Program, files: Sequence[int]) -> int:
        """Start a program with these files, of which the first three are its standard ones, and return its process ID."""
        with self._lock:
            _control(_SET_SUBREAPER, 1)
            try:
                socket.send_fds(self._connection, [pickle.dumps(program)], list(files))
                return int(self._connection.recv(64))
            finally:
                _control(_SET_SUBREAPER, 0)

    def close(self) -> None:
        """End the other process."""
        self._connection.close()


@contextlib.contextmanager
def starting_from(nursery: Nursery) -> Iterator[None]:
    """Let subprocess start a program from a nursery if it is a module whose libraries are loaded there."""
    by_exec = subprocess.Popen._execute_child
    signature = inspect.signature(by_exec)

    def start(*given: Any) -> None:
        popen, *_ = given
        asked = signature.bind(*given).arguments
        if not _is_loaded(asked) or _in_another_way(asked):
            by_exec(*given)
            return
        pipes = [asked[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        standard = [own if pipe == -1 else pipe for own, pipe in enumerate(pipes)]
        popen.pid = nursery.start(_program(asked), [*standard, *asked["pass_fds"]])
        popen._child_created = True
        popen._close_pipe_fds(*(asked[f"{name}{end}"] for name in ("p2c", "c2p", "err") for end in ("read", "write")))

    subprocess.Popen._execute_child = start
    try:
        yield
    finally:
        subprocess.Popen._execute_child = by_exec


def _is_loaded(asked: Mapping[str, Any]) -> bool:
    if not isinstance(asked["args"], (list, tuple)):
        return False
    words = list(map(os.fsdecode, asked["args"]))
    if words[:1] != [sys.executable] or "-m" not in words:
        return False
    options, (module, *_) = words[1 : words.index("-m")], words[words.index("-m") + 1 :]
    return set(options) <= {"-u"} and module.startswith(_LOADED)


def _in_another_way(asked: Mapping[str, Any]) -> bool:
    return bool(asked["shell"] or asked["preexec_fn"] or asked["executable"] or asked["process_group"] != -1)


def _program(asked: Mapping[str, Any]) -> Program:
    environment = dict(os.environ) if asked["env"] is None else asked["env"]
    return Program(
        words=tuple(map(os.fsdecode, asked["args"])),
        environment={os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()},
        folder=os.fsdecode(asked["cwd"] or Path.cwd()),
        starts_session=asked["start_new_session"],
    )


def serve(requests: socket.socket) -> NoReturn:
    """Be the process of which programs are forks, until the one that asks for them closes the connection."""
    _control(_SET_DEATH_SIGNAL, signal.SIGKILL)
    # A signal that arrives before the program has begun waits for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    own = requests.detach()
    # A process that reads a pipe to its end must not wait until this one closes it too.
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)
    os.closerange(3, own)
    os.closerange(own + 1, 1 << 16)
    _forget_parent()
    requests = socket.socket(fileno=own)
    while True:
        message, files, _, _ = socket.recv_fds(requests, _MESSAGE_BYTES, _MOST_FILES)
        if not message:
            os._exit(0)
        requests.send(str(_forked(pickle.loads(message), files, requests)).encode())


def _forget_parent() -> None:
    """Let multiprocessing take this process for a main process, whose helpers are still to be started."""
    process._current_process = _MAIN_PROCESS
    process._parent_process = None
    resource_tracker._resource_tracker.__init__()
    multiprocessing.set_start_method(None, force=True)


def _forked(program: Program, files: Sequence[int], requests: socket.socket) -> int:
    reading, writing = os.pipe()
    between = os.fork()
    if between == 0:
        between = os.getpid()
        child = os.fork()
        if child == 0:
            for unused in (reading, writing, requests.detach()):
                os.close(unused)
            _begin(program, files, between)
        os.write(writing, str(child).encode())
        os._exit(0)
    for given in (writing, *files):
        os.close(given)
    os.waitpid(between, 0)
    child = int(os.read(reading, 64))
    os.close(reading)
    return child


def _begin(program: Program, files: Sequence[int], between: int) -> NoReturn:
    while os.getppid() == between:
        time.sleep(0.001)
    for standard, given in enumerate(files[:3]):
        os.dup2(given, standard)
        os.close(given)
    # Multiprocessing has opened another one.
    sys.stdin = os.fdopen(0, closefd=False)
    for number in _STOPS - {signal.SIGINT}:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    atexit._clear()
    os.environ.clear()
    os.environ.update(program.environment)
    os.chdir(program.folder)
    if program.starts_session:
        os.setsid()
    _note(program)
    # Made now: a process that runs has threads, whose locks a fork would take over.
    own, served = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        serve(served)
    served.close()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
    with starting_from(Nursery(own)):
        code = _run(program)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _run(program: Program) -> int:
    for name in _READ_ENVIRONMENT:
        sys.modules.pop(name, None)
    sys.argv = [program.module, *program.words[program.words.index("-m") + 2 :]]
    try:
        try:
            runpy.run_module(program.module, run_name="__main__", alter_sys=True)
        finally:
            threading._shutdown()
            atexit._run_exitfuncs()
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _note(program: Program) -> None:
    name = program.module.rpartition(".")[2]
    _control(_SET_NAME, ctypes.c_char_p(name.encode()[:15]))
    if path := program.environment.get(STARTED_VARIABLE):
        with Path(path).open("a") as started:
            started.write(f"{os.getpid()} {name}\n")


def _control(option: int, value: Any) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
