#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""devd.py GPURUN SOCKET LOG - what systemd does with gpurun-devd.socket (Accept=yes): for each
connection a "gpurun devd" that has it as descriptor 3."""
import os
import signal
import socket
import sys

gpurun, path, log = sys.argv[1:4]
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(path + ".new")
os.chmod(path + ".new", 0o666)
s.listen(16)
os.rename(path + ".new", path)
while True:
    c, _ = s.accept()
    if os.fork() == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
        if c.fileno() == 3:
            os.set_inheritable(3, True)
        else:
            os.dup2(c.fileno(), 3)
        os.execve(gpurun, [gpurun, "devd"],
                  {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid()), "PATH": os.environ["PATH"]})
    c.close()
