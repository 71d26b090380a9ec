#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A bundle of the OCI runtime specification: make one, and compare what it asks for with what
a process inside sees.

    oci-bundle.py config UID GID     a config.json on stdout whose command reports what it sees
    oci-bundle.py check DIR < REPORT compare the report with DIR/config.json; one line a difference

The checks are of the specification, so any runtime can be put to them.  What the specification
leaves open (the order of mounts, further attributes, names of nobody) is not compared.
"""
import json
import os
import re
import sys

# Runs inside; needs a shell, cat, ls, stat, readlink, tr and wc.
REPORT = r"""
p=/proc/$$
part() { echo "== $1"; }
part env; tr '\0' '\n' < $p/environ
part cwd; readlink $p/cwd
part status; cat $p/status
part limits; cat $p/limits
part mounts; cat $p/mountinfo
part uid_map; cat $p/uid_map
part gid_map; cat $p/gid_map
part hostname; cat /proc/sys/kernel/hostname
part namespaces; for n in cgroup ipc mnt net pid user uts; do echo $n $(readlink $p/ns/$n); done
part devices; for d in /dev/*; do echo $(stat -c '%F:%t:%T' $d) $d; done
part interfaces; ls /sys/class/net
part hidden; for f in HIDDEN; do
	if [ -d $f ]; then echo $f $(ls -A $f | wc -l); elif [ -e $f ]; then echo $f $(head -c1 $f 2>/dev/null | wc -c); fi
done
part locked; for f in LOCKED; do
	if [ -d $f ]; then (: > $f/made) 2>/dev/null; [ ! -e $f/made ] || echo $f
	elif [ -e $f ]; then (: >> $f) 2>/dev/null && echo $f; fi
done
"""

MASKED = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware",
          "/no/such/path"]
READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
CAPS = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
CAP_NUMBER = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_FOWNER": 3, "CAP_KILL": 5,
              "CAP_NET_BIND_SERVICE": 10, "CAP_AUDIT_WRITE": 29}
LIMIT = {"RLIMIT_NOFILE": "Max open files", "RLIMIT_CORE": "Max core file size",
         "RLIMIT_STACK": "Max stack size", "RLIMIT_NPROC": "Max processes",
         "RLIMIT_CPU": "Max cpu time"}
NODES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9),
         "tty": (5, 0)}
NAMESPACES = {"cgroup": "cgroup", "ipc": "ipc", "mount": "mnt", "network": "net", "pid": "pid",
              "user": "user", "uts": "uts"}


def mount(destination, kind, *options, source=None):
    return {"destination": destination, "type": kind, "source": source or kind,
            "options": list(options)}


def config(uid, gid):
    script = REPORT.replace("HIDDEN", " ".join(MASKED)).replace("LOCKED", " ".join(READONLY))
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": ["/bin/sh", "-c", script],
            "env": ["HOME=/root", "PATH=/usr/bin:/bin", "TERM=xterm", "ODD=a b=c\td\ne"],
            "cwd": "/tmp",
            "capabilities": {k: CAPS for k in ("bounding", "effective", "permitted")},
            "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 200, "hard": 300}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "bundle",
        "mounts": [
            mount("/proc", "proc"),
            mount("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
            mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666",
                  "mode=0620"),
            mount("/dev/shm", "tmpfs", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
            mount("/dev/mqueue", "mqueue", "nosuid", "noexec", "nodev"),
            mount("/sys", "sysfs", "nosuid", "noexec", "nodev", "ro"),
        ],
        "annotations": {"org.example.note": "kept by whoever wants it"},
        "linux": {
            "uidMappings": [{"containerID": 0, "hostID": uid, "size": 1}],
            "gidMappings": [{"containerID": 0, "hostID": gid, "size": 1}],
            "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "user", "mount")],
            "maskedPaths": MASKED,
            "readonlyPaths": READONLY,
        },
    }


# ---- the comparison ---------------------------------------------------------------------------

def sections(text):
    parts, name = {}, None
    for line in text.split("\n"):
        if line.startswith("== "):
            name = line[3:]
            parts[name] = []
        elif name:
            parts[name].append(line)
    return {k: "\n".join(v).strip("\n") for k, v in parts.items()}


def mounts_of(text):
    """destination -> (type, attributes, options of the file system), the topmost last."""
    result = {}
    for line in text.split("\n"):
        left, right = line.split(" - ")
        f, kind = left.split(), right.split()
        result.setdefault(f[4], []).append((kind[0], f[5].split(","), kind[2].split(",")))
    return result


def bits(names):
    return sum(1 << CAP_NUMBER[n] for n in names)


def size_of(text):
    number, unit = re.fullmatch(r"(\d+)([kmg]?)", text).groups()
    return int(number) * {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[unit]


def same(what, got, want):
    return [] if got == want else ["%s: %r, should be %r" % (what, got, want)]


def check_process(c, r):
    p = c["process"]
    bad = same("cwd", r["cwd"], p["cwd"])
    bad += same("env", r["env"], "\n".join(p["env"]))
    status = dict(re.findall(r"^(\w+):\t(.*)$", r["status"], re.M))
    bad += same("uid", status["Uid"], "\t".join([str(p["user"]["uid"])] * 4))
    bad += same("gid", status["Gid"], "\t".join([str(p["user"]["gid"])] * 4))
    if p.get("noNewPrivileges"):
        bad += same("NoNewPrivs", status["NoNewPrivs"], "1")
    if c["linux"].get("seccomp"):
        bad += same("Seccomp", status["Seccomp"], "2")
    caps = p.get("capabilities", {})
    bad += same("CapBnd", int(status["CapBnd"], 16), bits(caps.get("bounding", [])))
    # root has the bounding set after execve, another id what is ambient
    held = caps.get("bounding" if p["user"]["uid"] == 0 else "ambient", [])
    bad += same("CapEff", int(status["CapEff"], 16), bits(held))
    bad += same("CapAmb", int(status["CapAmb"], 16), bits(caps.get("ambient", [])))
    for limit in p.get("rlimits", []):
        row = re.search(r"^%s +(\S+) +(\S+)" % LIMIT[limit["type"]], r["limits"], re.M)
        bad += same(limit["type"], row.groups(), (str(limit["soft"]), str(limit["hard"])))
    return bad


def check_ids(c, r):
    bad = []
    for kind in ("uid", "gid"):
        m = c["linux"].get(kind + "Mappings")
        if m:
            want = [str(m[0][k]) for k in ("containerID", "hostID", "size")]
            bad += same(kind + "_map", r[kind + "_map"].split(), want)
    return bad


def check_namespaces(c, r):
    bad = []
    asked = {n["type"] for n in c["linux"]["namespaces"]} | {"user", "mount"}
    inside = dict(line.split() for line in r["namespaces"].split("\n"))
    for name, link in NAMESPACES.items():
        own = inside[link] != os.readlink("/proc/self/ns/" + link)
        bad += same("own %s namespace" % name, own, name in asked)
    if c.get("hostname"):
        bad += same("hostname", r["hostname"], c["hostname"])
    if "network" in asked:
        bad += same("interfaces", r["interfaces"], "lo")
    return bad


def check_mount(m, there):
    dst, options = m["destination"], m.get("options", [])
    if not there:
        return ["%s: is not mounted" % dst]
    kind, attrs, data = there[-1]
    bad = []
    if not {"bind", "rbind"} & set(options):
        bad += same("%s: type" % dst, kind, m["type"])
    for o in options:
        if o in ("ro", "nosuid", "nodev", "noexec") and o not in attrs:
            bad.append("%s: not %s" % (dst, o))
        if o.startswith("size=") and kind == "tmpfs":
            size = [d for d in data if d.startswith("size=")]
            bad += same("%s: size" % dst, size_of(size[0][5:]), size_of(o[5:]))
        if o.startswith("mode=") and kind == "tmpfs" and int(o[5:], 8) != 0o1777:
            modes = [int(d[5:], 8) for d in data if d.startswith("mode=")]
            bad += same("%s: mode" % dst, modes, [int(o[5:], 8)])
    return bad


def check_files(c, r):
    there = mounts_of(r["mounts"])
    bad = same("/: read-only", "ro" in there["/"][-1][1], c["root"].get("readonly", False))
    for m in c.get("mounts", []):
        bad += check_mount(m, there.get(m["destination"]))
    masked = c["linux"].get("maskedPaths", [])
    for line in r["hidden"].split("\n") if r["hidden"] else []:
        path, content = line.split()
        if path in masked:
            bad += same("%s: bytes or entries" % path, content, "0")
    for path in r["locked"].split():
        if path in c["linux"].get("readonlyPaths", []):
            bad.append("%s: can be written" % path)
    return bad


def check_devices(c, r):
    nodes = {}
    for line in r["devices"].split("\n"):
        text, path = line.rsplit(" ", 1)
        kind, major, minor = text.rsplit(":", 2)
        nodes[path] = kind, int(major, 16), int(minor, 16)
    bad = []
    for name, number in NODES.items():
        want = ("character special file",) + number
        bad += same("/dev/" + name, nodes.get("/dev/" + name), want)
    for path, node in nodes.items():
        if "special" in node[0] and path[5:] not in NODES and path != "/dev/ptmx":
            bad.append("%s: a node that nobody asked for" % path)
    return bad


def main():
    if sys.argv[1] == "config":
        json.dump(config(int(sys.argv[2]), int(sys.argv[3])), sys.stdout)
        return 0
    with open(os.path.join(sys.argv[2], "config.json"), encoding="utf-8") as f:
        c = json.load(f)
    r = sections(sys.stdin.read())
    bad = []
    for check in (check_process, check_ids, check_namespaces, check_files, check_devices):
        bad += check(c, r)
    print("\n".join(bad) if bad else "all as config.json says")
    return 1 if bad else 0


sys.exit(main())
