#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The smoke test on Linux 6.12.
exec bash "$(dirname "$0")/../vm/run.sh" trixie
