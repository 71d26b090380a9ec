# SPDX-License-Identifier: Apache-2.0
# fuzz.mk - part of the Makefile: libFuzzer programs (tests/fuzz/README.md), built by clang with
# AddressSanitizer and UBSan.  FUZZ_TARGETS="tar_diff layers" takes only those.
FUZZ_SECONDS ?= 20
FUZZ_TARGETS ?= $(patsubst tests/fuzz/f_%.c,%,$(sort $(wildcard tests/fuzz/f_*.c)))
FUZZ := $(FUZZ_TARGETS:%=$(BUILD)/fuzzers/f_%)
FUZZ_TEST := $(sort $(wildcard tests/fuzz/*.t))
# what the long runs find is kept here, until "make fuzz-merge" takes the useful part of it
FUZZ_FOUND ?= $(BUILD)/fuzz/found
FUZZ_MAKE = $(MAKE) BUILD=$(BUILD)/$(1) CC=$(CLANG) VARIANT=$(1) CFLAGS='-O1 -g'

FLAGS_fuzzcov = -fsanitize=fuzzer-no-link -fprofile-instr-generate -fcoverage-mapping

$(BUILD)/fuzzers/f_decode: FUZZ_LIBS := -lbz2 -llzma -lz -lzstd
$(BUILD)/fuzzers/f_tar_diff: FUZZ_LIBS := -larchive
$(BUILD)/fuzzers/f_seccomp_json: FUZZ_LIBS := -lseccomp

$(BUILD)/fuzzers/f_%: tests/fuzz/f_%.c $(wildcard tests/fuzz/*.h tests/helpers/*.h) $(BUILD)/libgpurun.a
	@mkdir -p $(@D)
	$(call say,FUZZ)$(CC) $(CPPFLAGS) -Itests/helpers $(ALL_CFLAGS) -fsanitize=fuzzer -o $@ \
		$(filter %.c %.a,$^) $(FUZZ_LIBS) -ldl

# An archive's entries as the unpacker reads them, for tests/fuzz/gnu-tar.t
$(BUILD)/tarls: tests/fuzz/tarls.c $(BUILD)/libgpurun.a
	$(call say,LINK)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -o $@ $^ $(ALL_LDFLAGS) -ldl

check check-long: $(BUILD)/tarls

fuzzers: $(FUZZ)

# each for a while; for as long as FUZZ_SECONDS says, JOBS at a time; what they found becomes seeds
fuzz-smoke fuzz fuzz-merge:
	$(call FUZZ_MAKE,fuzz) fuzzers
	tests/fuzz/run $(@:fuzz-%=%) $(BUILD)/fuzz/fuzzers $(FUZZ_FOUND) $(FUZZ_SECONDS) $(JOBS) $(FUZZ_TARGETS)

fuzz-cov:
	$(call FUZZ_MAKE,fuzzcov) fuzzers
	tests/fuzz/cov-report $(BUILD)/fuzzcov

.PHONY: fuzzers fuzz fuzz-smoke fuzz-merge fuzz-cov
