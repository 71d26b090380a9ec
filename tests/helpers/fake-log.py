#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fake-log.py journal|dgram|stream SOCKET OUT - stands in for journald or syslogd

Each message becomes a line of OUT: of the journal's protocol an object of its fields, of syslog a
string.  Runs until it is killed."""
import json
import os
import socket
import sys


def journal(data):
    """KEY, newline, size, value, newline; or KEY=value, newline."""
    fields = {}
    while data:
        line, _, rest = data.partition(b"\n")
        if b"=" in line:
            key, _, value = line.partition(b"=")
        else:
            size = int.from_bytes(rest[:8], "little")
            key, value, rest = line, rest[8 : 8 + size], rest[8 + size + 1 :]
        fields[key.decode()] = value.decode()
        data = rest
    return fields


def datagrams(s):
    while True:
        yield s.recv(1 << 20)


def messages(s):
    """Of a stream: each ends with a NUL."""
    s.listen()
    while True:
        connection = s.accept()[0]
        data = b""
        while part := connection.recv(1 << 16):
            data += part
            *whole, data = data.split(b"\0")
            yield from whole


kind, path, out = sys.argv[1:]
stream = kind == "stream"
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
if os.path.exists(path):
    os.unlink(path)
s.bind(path)
os.chmod(path, 0o666)
with open(out, "a", buffering=1) as f:
    for data in messages(s) if stream else datagrams(s):
        print(json.dumps(journal(data) if kind == "journal" else data.decode()), file=f)
