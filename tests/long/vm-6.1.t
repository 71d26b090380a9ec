#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The smoke test on Linux 6.1.
exec bash "$(dirname "$0")/../vm/run.sh" bookworm
