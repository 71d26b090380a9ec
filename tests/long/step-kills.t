#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/e2e/step.bats, whose ranks are killed in front of every system call instead of some.
cd "$(dirname "$0")/../.." || exit 1
export GPURUN_STEP_STRIDE=1
exec bash tests/e2e/as-user.t "$PWD/tests/e2e/step.bats"
