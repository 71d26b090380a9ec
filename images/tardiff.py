#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tardiff.py BELOW ABOVE OUT - the layer that turns the tree of one root file system tar into
that of another: what is new or differs, and a whiteout for what is gone."""
import hashlib
import io
import posixpath
import sys
import tarfile


def name_of(member):
    return posixpath.normpath(member.name).lstrip("/")


def identity(tar, member):
    """Everything about an entry that a layer would have to say again."""
    digest = None
    if member.isreg():
        digest = hashlib.sha256(tar.extractfile(member).read()).digest()
    return (member.type, member.mode, member.uid, member.gid, member.linkname, digest)


def read_tree(path):
    with tarfile.open(path) as tar:
        return {name_of(m): identity(tar, m) for m in tar}


def add_parents(names, tree):
    """The directories above each name, so that the layer can stand alone."""
    wanted = set(names)
    for name in names:
        while name := posixpath.dirname(name):
            if name in tree:
                wanted.add(name)
    return wanted


def whiteouts(below, above):
    """The topmost gone paths; one whose parent is no directory any more needs none."""
    gone = {n for n in below if n not in above}
    for name in sorted(gone):
        parent = posixpath.dirname(name)
        if parent not in gone and (not parent or above[parent][0] == tarfile.DIRTYPE):
            yield posixpath.join(parent, ".wh." + posixpath.basename(name))


def main(below_path, above_path, out_path):
    below, above = read_tree(below_path), read_tree(above_path)
    changed = {n for n, i in above.items() if below.get(n) != i and n != "."}
    # a hardlink needs its target in the same layer
    links = {i[4] for n, i in above.items() if n in changed and i[0] == tarfile.LNKTYPE}
    changed |= {posixpath.normpath(t).lstrip("/") for t in links}
    deleted = list(whiteouts(below, above))
    wanted = add_parents(changed | set(deleted), above)
    with tarfile.open(above_path) as tar, tarfile.open(
        out_path, "w", format=tarfile.PAX_FORMAT
    ) as out:
        for member in tar:
            if name_of(member) in wanted:
                out.addfile(member, tar.extractfile(member) if member.isreg() else None)
        for name in deleted:
            out.addfile(tarfile.TarInfo(name), io.BytesIO())


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
