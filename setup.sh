#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# setup.sh - from a fresh clone on Debian 12 to a running container: installs the packages that
# are missing (with sudo when you are not root), builds gpurun, makes a sample image (one static
# program that prints what it sees inside) and starts it.
set -euo pipefail
cd "$(dirname "$0")"
tests/install build test
make -j"$(nproc)"
mkdir -p build
sh images/hello-gpu/build.sh build/hello-gpu.tar
echo "+ ./gpurun build/hello-gpu.tar" >&2
exec ./gpurun build/hello-gpu.tar
