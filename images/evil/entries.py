#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""entries.py OUT ENTRY... - a tar of exactly these entries, in this order:
    f:NAME:TEXT  d:NAME:MODE  l:NAME:TARGET  h:NAME:TARGET  s:NAME:TEXT (set-uid file)  c:NAME:MAJOR,MINOR
entries.py -x TAR... - what a simple extractor makes of them, here
"""
import io
import sys
import tarfile

TYPES = {"f": tarfile.REGTYPE, "s": tarfile.REGTYPE, "d": tarfile.DIRTYPE, "l": tarfile.SYMTYPE,
         "h": tarfile.LNKTYPE, "c": tarfile.CHRTYPE}


def entry(word):
    kind, name, rest = word.split(":", 2)
    info, data = tarfile.TarInfo(name), b""
    info.type, info.mode = TYPES[kind], 0o4755 if kind == "s" else 0o644
    if kind in "fs":
        data = rest.encode()
    elif kind in "lh":
        info.linkname = rest
    elif kind == "d":
        info.mode = int(rest, 8)
    else:
        info.devmajor, info.devminor = map(int, rest.split(","))
    info.size = len(data)
    return info, io.BytesIO(data)


if sys.argv[1] == "-x":
    trust = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
    for name in sys.argv[2:]:
        tarfile.open(name).extractall(**trust)
else:
    with tarfile.open(sys.argv[1], "w", format=tarfile.PAX_FORMAT) as tar:
        for word in sys.argv[2:]:
            tar.addfile(*entry(word))
