# SPDX-License-Identifier: Apache-2.0
# cov.mk - line coverage by module (clang, llvm-cov): make cov
#
# The counters lie in a file that is mapped before main, one for each program: processes count
# into it that end by SIGKILL, behind a new root or below a seccomp filter, and nothing has to be
# written at their end.
FLAGS_cov = -fprofile-instr-generate=$(abspath $(BUILD))/counters/%m%c -fcoverage-mapping \
	-mllvm -runtime-counter-relocation

cov:
	rm -rf $(BUILD)/cov
	-$(MAKE) VARIANT=cov BUILD=$(BUILD)/cov BIN=$(BUILD)/cov/gpurun CC=$(CLANG) CFLAGS='-O1 -g' \
		GPURUN=$(abspath $(BUILD)/cov/gpurun) cov-run
	tests/cov-report $(BUILD)/cov

# Other users count into the file as well.
cov-run: $(BIN) $(UNIT)
	mkdir -p -m 1777 $(BUILD)/counters && umask 0 && $(BIN) version >/dev/null
	$(PROVE) $(UNIT) $(GOLDEN) $(E2E)

.PHONY: cov cov-run
