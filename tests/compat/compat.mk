# SPDX-License-Identifier: Apache-2.0
# compat.mk - part of the Makefile: public suites (tests/compat/README.md), fetched when they run
compat: $(BIN)
	$(PROVE) $(wildcard tests/compat/*.t)

.PHONY: compat
