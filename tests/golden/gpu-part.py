#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""gpu-part.py STATUS PLAN STDERR - of a plan what GPUs put into it, one operation a line."""
import json
import re
import sys

status, plan, err = sys.argv[1], open(sys.argv[2]).read(), open(sys.argv[3]).read()


def section(name, entries):
    lines = ",\n".join("  " + json.dumps(e) for e in entries)
    return f' "{name}": [\n{lines}\n ]' if entries else f' "{name}": []'


parts = [f' "status": {status}', section("said", err.splitlines())]
if plan:
    plan = json.loads(plan)
    ops = plan["container"]["ops"]
    env = plan["process"]["env"]
    parts += [
        section("gpus", plan["gpus"]),
        section("ops", [o for o in ops if re.match("gpu|nvidia", o["why"])]),
        section("env", [e for e in env if re.match("CUDA|NVIDIA|LD_", e)]),
        section("notes", plan["notes"]),
        section("warnings", plan["warnings"]),
    ]
print("{\n" + ",\n".join(parts) + "\n}")
