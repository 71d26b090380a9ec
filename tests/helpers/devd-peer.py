#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""devd-peer.py CASE,... CGROUP [OTHER] - conversations with gpurun devd as a peer that means no good; for
each prints its name, the code and the text of the answer, and how many descriptors came with it."""
import array
import errno
import os
import socket
import struct
import sys

names, own = sys.argv[1].split(","), sys.argv[2]
other = sys.argv[3] if len(sys.argv) > 3 else "/"
MAGIC, ANY, RW = 0x44757067, 0xFFFFFFFF, 6
base = [(99, 1, n, RW) for n in (3, 5, 7, 8, 9)] + [(99, 5, 0, RW), (99, 5, 2, RW), (99, 136, ANY, RW)]


def request(rules=base, magic=MAGIC, version=1, n=None):
    head = struct.pack("=4I", magic, version, len(rules) if n is None else n, 0)
    return head + b"".join(struct.pack("=4I", *r) for r in rules)


def directory(path):
    return os.open(path, os.O_PATH | os.O_DIRECTORY)


cases = {
    "good": lambda: (request(), [directory(own)]),
    "magic": lambda: (request(magic=1), [directory(own)]),
    "version": lambda: (request(version=2), [directory(own)]),
    "short": lambda: (request()[:-4], [directory(own)]),
    "tiny": lambda: (b"x", [directory(own)]),
    "long": lambda: (request() + b"x", [directory(own)]),
    "huge": lambda: (request() + b"x" * 20000, [directory(own)]),
    "count": lambda: (request(n=ANY), [directory(own)]),
    "many": lambda: (request(base + [(99, 200, i, RW) for i in range(250)]), [directory(own)]),
    "type": lambda: (request(base + [(120, 1, 1, RW)]), [directory(own)]),
    "major": lambda: (request(base + [(99, 4096, 1, RW)]), [directory(own)]),
    "any-major": lambda: (request(base + [(99, ANY, ANY, RW)]), [directory(own)]),
    "minor": lambda: (request(base + [(99, 1, 1 << 20, RW)]), [directory(own)]),
    "access": lambda: (request(base + [(99, 1, 1, 8)]), [directory(own)]),
    "starve": lambda: (request([]), [directory(own)]),
    "starve-one": lambda: (request(base[1:]), [directory(own)]),
    "no-fd": lambda: (request(), []),
    "two-fds": lambda: (request(), [directory(own)] * 2),
    "many-fds": lambda: (request(), [directory(own)] * 100),
    "not-cgroup": lambda: (request(), [directory("/tmp")]),
    "file": lambda: (request(), [os.open(own + "/cgroup.procs", os.O_RDONLY)]),
    "socket": lambda: (request(), [socket.socket().fileno()]),
    "other": lambda: (request(), [directory(other)]),
    "stall": lambda: (None, []),
}



def converse(case):
    message, fds = cases[case]()
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(20)
    s.connect("/run/gpurun/devd.sock")
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    if message is not None:
        s.sendmsg([message], rights)
    data, control, _, _ = s.recvmsg(4096, 4096)
    if len(data) != 268:
        sys.exit("an answer of %d bytes" % len(data))
    _, _, code, text = struct.unpack("=IIi256s", data)
    links = sum(len(c[2]) // 4 for c in control)
    print(case, errno.errorcode.get(code, code), links, text.split(b"\0")[0].decode() or "granted", flush=True)
    for c in control:  # unless they are to be held
        for fd in array.array("i", c[2][: len(c[2]) // 4 * 4]) if "--hold" not in sys.argv else []:
            os.close(fd)


for name in names:
    converse(name)
if "--hold" in sys.argv:  # until stdin is closed
    sys.stdin.read()
