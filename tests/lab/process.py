"""Programs that run while the lab runs: started, waited for, stopped, each by its own id."""

import ctypes
import os
import re
import resource
import subprocess
import time
from signal import SIGKILL, SIGTERM

PR_SET_PDEATHSIG = 1
FILE_MAX = 4 << 30  # bytes of a file that a program may write: a log without end ends it
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # baresip colours its log
_libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """What went wrong, as a sentence for the person at the terminal."""


def wait_until(ready, what, timeout_s=10.0, interval_s=0.02, watch=()):
    """Polls `ready` until it answers something true and returns that. A program of `watch` that
    ends meanwhile ends the wait at once."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = ready()
        if answer:
            return answer
        for program in watch:
            program.check()
        if time.monotonic() >= deadline:
            raise LabError(f"not within {timeout_s:g} s: {what}")
        time.sleep(interval_s)


def run(argv, timeout_s=20, check=True, **options):
    """Runs a command to its end. Returns the finished process with its output as text."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=timeout_s, check=False,
                              **options)
    except FileNotFoundError as error:
        raise LabError(f"{argv[0]} is not there: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{' '.join(argv)}: no end after {timeout_s} s") from error
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(argv)}: exit status {done.returncode}\n{done.stderr.strip()}")
    return done


class Program:
    """One running program with its log file."""

    def __init__(self, name, argv, log, keep=False, env=None):
        self.name = name
        self.argv = argv
        self.log = log
        self.keep = keep  # survives us
        self.env = env
        self.process = None
        self.stopped = False  # by us

    def start(self):
        """Returns at once. Must be called from the main thread: the kernel ends the program when
        the thread that started it ends."""
        parent = os.getpid()
        self.stopped = False

        def prepare():
            resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_MAX, FILE_MAX))
            if self.keep:
                return
            _libc.prctl(PR_SET_PDEATHSIG, SIGKILL)
            if os.getppid() != parent:  # it went before we asked
                os._exit(1)

        with open(self.log, "ab") as log:
            try:
                self.process = subprocess.Popen(
                    self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env,
                    start_new_session=True,  # Ctrl-C is for us; we stop things in order
                    preexec_fn=prepare)
            except FileNotFoundError as error:
                raise LabError(f"{self.argv[0]} is not there: {error.strerror}") from error
        return self

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def ended(self):
        """How it ended by itself, as a sentence with the end of its log; None while it runs."""
        if self.process is None or self.stopped or self.alive():
            return None
        status = self.process.returncode
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        program = os.path.basename(self.argv[0])
        name = self.name if self.name == program else f"{self.name} ({program})"
        return f"{name} ended by itself: {how}; its log ends\n{self.log_tail()}"

    def check(self):
        if not self.alive():
            raise LabError(self.ended() or f"{self.name} does not run")

    def send_signal(self, number):
        if self.alive():
            self.process.send_signal(number)

    def stop(self, number=SIGTERM, timeout_s=5):
        """Ends it and waits; kills it after the time given. Returns its exit status."""
        if self.process is None:
            return None
        self.stopped = self.stopped or self.alive()
        self.send_signal(number)
        return self.wait_end(timeout_s)

    def wait_end(self, timeout_s):
        """Waits until it has ended, at most so long; then kills it. Returns its exit status."""
        try:
            return self.process.wait(max(0.01, timeout_s))
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self.end_children()

    def end_children(self):
        """Those that outlive it, as a killed Kamailio's do, which then log without end. They are in
        the group that it was started in."""
        try:
            os.killpg(self.pid, SIGKILL)
        except ProcessLookupError:
            pass  # there are none

    def kill(self):
        self.stop(SIGKILL)

    def log_text(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                return log.read()
        except FileNotFoundError:
            return ""

    def log_tail(self, lines=15):
        text = ESCAPES.sub("", self.log_text())
        return "\n".join("    " + line for line in text.splitlines()[-lines:])


def stop_all(programs, timeout_s=5):
    """Asks all of them to end at once, waits for all, kills what is left."""
    started = [program for program in programs if program.process is not None]
    for program in started:
        program.send_signal(SIGTERM)
    deadline = time.monotonic() + timeout_s
    for program in started:
        program.wait_end(deadline - time.monotonic())
