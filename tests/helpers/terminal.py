#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""terminal.py SCRIPT COMMAND... - run COMMAND on a terminal of its own and talk to it.

SCRIPT is a file, or text when it holds a newline; one step a line:
    expect REGEX     until the output since the last match contains it (10 s, WAIT=seconds)
    refuse REGEX     it must not be in the output so far
    send TEXT        with Python's escapes: \\r \\x03
    resize ROWS COLS
    saved            the terminal's settings must be those of the start
    end [STATUS]     end of output; the command must have ended (128+n: by signal n)
Exit status 0, or 1 with the failed step and what the terminal showed on stderr.
"""
import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

WAIT = float(os.environ.get("WAIT", "10"))


class Failure(Exception):
    pass


class Terminal:
    def __init__(self, argv):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            for sig in (signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE):
                signal.signal(sig, signal.SIG_DFL)
            os.execvp(argv[0], argv)
        self.text, self.seen, self.open = "", 0, True
        self.resize(24, 80)
        self.start = termios.tcgetattr(self.fd)

    def resize(self, rows, cols):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def read(self, timeout):
        """One piece of output, "" after the timeout or at the end."""
        if not self.open or not select.select([self.fd], [], [], timeout)[0]:
            return ""
        try:
            piece = os.read(self.fd, 65536)
        except OSError as err:
            if err.errno != errno.EIO:
                raise
            piece = b""
        self.open = bool(piece)
        self.text += piece.decode(errors="replace")
        return piece

    def step_expect(self, pattern):
        end = time.monotonic() + WAIT
        while not (found := re.search(pattern, self.text[self.seen :])):
            left = end - time.monotonic()
            if left <= 0 or not self.open:
                raise Failure("not seen")
            self.read(left)
        self.seen += found.end()

    def step_refuse(self, pattern):
        if re.search(pattern, self.text):
            raise Failure("seen")

    def step_send(self, text):
        os.write(self.fd, text.encode().decode("unicode_escape").encode("latin-1"))

    def step_resize(self, size):
        self.resize(*map(int, size.split()))

    def step_saved(self, _):
        if termios.tcgetattr(self.fd) != self.start:
            raise Failure("settings differ")

    def step_end(self, want):
        end = time.monotonic() + WAIT
        while self.open and time.monotonic() < end:
            self.read(end - time.monotonic())
        if self.open:
            raise Failure("still running")
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        status = 128 - status if status < 0 else status
        if want and status != int(want):
            raise Failure(f"status {status}")


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    script = sys.argv[1]
    if "\n" not in script:
        with open(script, encoding="utf-8") as f:
            script = f.read()
    terminal = Terminal(sys.argv[2:])
    try:
        for line in script.splitlines():
            verb, _, rest = line.strip().partition(" ")
            if verb and not verb.startswith("#"):
                try:
                    getattr(terminal, "step_" + verb)(rest)
                except Failure as err:
                    sys.exit(f"terminal.py: {line.strip()}: {err}\n--- terminal\n{terminal.text}\n---")
    finally:
        if terminal.pid:
            os.kill(terminal.pid, signal.SIGKILL)
        os.close(terminal.fd)


if __name__ == "__main__":
    main()
