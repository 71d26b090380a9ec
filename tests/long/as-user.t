#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The real images as an ordinary user without subordinate ids.
exec bash "$(dirname "$0")/../e2e/as-user.t" "$(dirname "$0")/real.bats"
