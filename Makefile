# SPDX-License-Identifier: Apache-2.0
# gpurun: the only build.  "make help" lists the targets.
#
# Nothing is linked but libc: the libraries of LIBS are loaded when they are used, and only their
# headers are needed here.  BUILD= and BIN= move the output; CFLAGS, CPPFLAGS and LDFLAGS from
# outside come after ours.
VERSION := 0.1.0

BUILD   ?= build
BIN     ?= gpurun
ifeq ($(origin CC),default)
CC      := gcc
endif
HOSTCC  ?= $(CC)
CLANG   ?= clang
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr/local
DESTDIR ?=
JOBS    ?= $(shell nproc)

LIBS := json-c libarchive libcrypto libisal liblzma libseccomp libzstd yaml-0.1 zlib
LIBS_CFLAGS := $(shell pkg-config --cflags $(LIBS))
ifneq ($(.SHELLSTATUS),0)
$(warning headers are missing: tests/install build)
endif

# ---- flags ----------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wformat=2 -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla -Walloca \
	-Wconversion -Wsign-conversion -Wimplicit-fallthrough -Wswitch-enum -Wnull-dereference \
	-Wdate-time
# Tried one by one; the ones that this compiler takes are kept in $(FLAGS_MK).
PROBE_WARN := -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wformat-signedness \
	-Wformat-overflow=2 -Wformat-truncation=2 -Wjump-misses-init -Wtrampolines \
	-Wstack-usage=16384
PROBE_HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection=full \
	-mbranch-protection=standard -fno-common -fno-delete-null-pointer-checks \
	-fno-strict-overflow -fno-strict-aliasing -fstrict-flex-arrays=3
# hides -Wmaybe-uninitialized from gcc 12: never in a build that is made for its warnings
PROBE_RELEASE := -ftrivial-auto-var-init=zero
PROBE_LINK := -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,-z,separate-code -Wl,-z,nodlopen \
	-Wl,--as-needed -Wl,--build-id=sha1

# VARIANT: release, warn, asan, fuzz, cov (the last four build through the targets below)
VARIANT ?= release
FORTIFY = $(if $(filter -O0,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
FLAGS_MK := $(BUILD)/flags-$(notdir $(firstword $(CC))).mk
ifneq ($(filter-out clean help dist,$(or $(MAKECMDGOALS),all)),)
include $(FLAGS_MK)
endif
FLAGS_release = $(OK_HARDEN) $(FORTIFY) $(OK_RELEASE)
FLAGS_warn    = $(OK_HARDEN) $(FORTIFY)
FLAGS_asan    = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_fuzz    = -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

override CPPFLAGS := -Iinclude -I$(BUILD)/gen -D_GNU_SOURCE -DGPURUN_VERSION='"$(VERSION)"' \
	$(LIBS_CFLAGS) $(CPPFLAGS)
ALL_CFLAGS = -std=gnu17 $(WARN) $(OK_WARN) $(if $(WERROR),-Werror) -fPIE -fvisibility=hidden \
	-ffile-prefix-map=$(CURDIR)=. $(FLAGS_$(VARIANT)) $(CFLAGS)
ALL_LDFLAGS = -pie $(OK_LINK) -ffile-prefix-map=$(CURDIR)=. $(FLAGS_$(VARIANT)) $(LDFLAGS)
BANNED := -include gpurun/banned.h

# ---- what is built --------------------------------------------------------------------------
MODULES := base host gpu job image store state oci plan profile audit run cli
SRC := $(foreach m,$(MODULES),$(sort $(wildcard src/$(m)/*.c)))
OBJ := $(SRC:%.c=$(BUILD)/%.o)
LIBOBJ := $(filter-out $(BUILD)/src/cli/main.o,$(OBJ))
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard tests/unit/t_*.c)))
ARCHES := x86_64 aarch64
GEN := $(ARCHES:%=$(BUILD)/gen/seccomp_%.h)
POLICIES := seccomp/default.policy seccomp/unpack.policy
LINT := $(sort $(wildcard tests/lint/*.t))
LINT_SLOW := $(sort $(wildcard tests/lint/slow/*.t))
GOLDEN := $(sort $(wildcard tests/golden/*.t tests/golden/*.bats))
E2E := $(sort $(wildcard tests/e2e/*.t tests/e2e/*.bats))
LONG := $(sort $(wildcard tests/long/*.t tests/long/*.bats))
PROVE := prove -j$(JOBS) --exec tests/run-tap
export BUILD VERSION CC
export GPURUN ?= $(abspath $(BIN))

# One short line a step; V=1 shows the commands.
say = $(if $(V),,@echo '  $(1)	$@' &&)

all: $(BIN)

$(BIN): $(OBJ)
	$(call say,LINK)$(CC) $(ALL_LDFLAGS) -o $@ $^ -ldl

$(BUILD)/src/%.o: src/%.c $(BUILD)/flags.stamp
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS) $(BANNED) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/src/host/%.o $(BUILD)/src/cli/%.o: BANNED += -DGPURUN_MAY_GETENV

$(BUILD)/unit/%.o: tests/unit/%.c $(BUILD)/flags.stamp
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS) -Itests/helpers $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Tests take what they need of everything but main.
$(BUILD)/libgpurun.a: $(LIBOBJ)
	@rm -f $@
	$(call say,AR)ar rcs $@ $^

$(BUILD)/unit/%: $(BUILD)/unit/%.o $(BUILD)/libgpurun.a
	$(call say,LINK)$(CC) $(ALL_LDFLAGS) -o $@ $^ -ldl

.SECONDARY: $(UNIT:=.o)

# The seccomp compiler runs here and now; it writes the filters of every architecture.
$(BUILD)/seccomp-gen: seccomp/gen.c
	@mkdir -p $(@D)
	$(call say,HOSTCC)$(HOSTCC) -std=gnu17 -O1 -Wall -Wextra -D_GNU_SOURCE $(LIBS_CFLAGS) -o $@ $< -lseccomp

$(BUILD)/gen/seccomp_%.h: $(BUILD)/seccomp-gen $(POLICIES)
	@mkdir -p $(@D)
	$(call say,GEN)$(BUILD)/seccomp-gen $* $(POLICIES) $@ $(BUILD)/gen/seccomp-$*.txt

$(BUILD)/src/profile/builtin.o $(BUILD)/unit/t_profile_builtin.o $(BUILD)/unit/t_profile_policy.o: $(GEN)

# doctor's probe: plain flags in every variant, linked with an empty library of libcuda's name.
PROBE_CC := $(CC) -std=gnu17 -Os -Wall -Wextra -ffreestanding -fno-stack-protector -fPIC -shared -nostdlib -s \
	-fno-asynchronous-unwind-tables -fvisibility=hidden -Wl,--build-id=none,-z,norelro,-z,noseparate-code
$(BUILD)/gen/cuda_probe.h: src/probe/cuda_probe.c $(BUILD)/flags.stamp
	@mkdir -p $(@D) && $(PROBE_CC) -Wl,-soname,libcuda.so.1 -o $(@D)/libcuda.so.1 -x c /dev/null
	$(call say,PROBE)$(PROBE_CC) -Wl,-e,_start,--no-as-needed -o $(@:.h=) $< $(@D)/libcuda.so.1
	@od -An -v -tx1 $(@:.h=) | sed 's/ \(..\)/0x\1,/g' >$@
$(BUILD)/src/cli/doctor_probe.o: $(BUILD)/gen/cuda_probe.h

# Rebuild everything when the compiler or a flag changed.
$(BUILD)/flags.stamp: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(CC) $(CPPFLAGS) $(ALL_CFLAGS))' >$@.new; \
	if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(FLAGS_MK): Makefile
	@mkdir -p $(@D)
	@probe() { \
		var=$$1; shift; kept=; \
		for flag; do \
			echo 'int main(void) { return 0; }' | $(CC) -Werror $$flag -x c -o $@.probe - \
				2>/dev/null && kept="$$kept $$flag"; \
		done; \
		echo "$$var :=$$kept"; \
	}; \
	{ probe OK_WARN $(PROBE_WARN); probe OK_HARDEN $(PROBE_HARDEN); \
	probe OK_RELEASE $(PROBE_RELEASE); probe OK_LINK $(PROBE_LINK); } >$@; rm -f $@.probe

# ---- tests ----------------------------------------------------------------------------------
# Everything that CI runs: one prove, whose last line is the verdict.
check: $(BIN) $(UNIT)
	$(PROVE) $(FUZZ_TEST) $(LINT) $(UNIT) $(GOLDEN) $(E2E)

check-long: $(BIN) $(UNIT)
	$(PROVE) $(FUZZ_TEST) $(LINT) $(LINT_SLOW) $(UNIT) $(GOLDEN) $(E2E) $(LONG)

unit: $(UNIT)
	$(PROVE) $(UNIT)

e2e: $(BIN)
	$(PROVE) $(E2E)

lint: $(BIN)
	$(PROVE) $(LINT) $(LINT_SLOW)

tidy: $(GEN) $(BUILD)/gen/cuda_probe.h
	tests/tidy '$(subst ','\'',$(CPPFLAGS))'

# Rewrites the golden files; read the difference before it is committed.
golden: $(BIN) $(GEN)
	GOLDEN_UPDATE=1 $(PROVE) $(GOLDEN)

asan:
	$(MAKE) VARIANT=asan BUILD=$(BUILD)/asan BIN=$(BUILD)/asan/gpurun CFLAGS='-O1 -g' \
		GPURUN=$(abspath $(BUILD)/asan/gpurun) all unit e2e

# Two builds in directories of different length give the same bytes.
repro:
	rm -rf $(BUILD)/repro && mkdir -p $(BUILD)/repro/a $(BUILD)/repro/another-length
	for d in a another-length; do \
		cp -r Makefile include src seccomp $(BUILD)/repro/$$d/ && \
		$(MAKE) -C $(BUILD)/repro/$$d BUILD=build BIN=gpurun all || exit 1; \
	done
	sha256sum $(BUILD)/repro/*/gpurun
	cmp $(BUILD)/repro/a/gpurun $(BUILD)/repro/another-length/gpurun

# ---- install, dist --------------------------------------------------------------------------
DATA := $(DESTDIR)$(PREFIX)/share
# Ubuntu >= 24.04 lets only programs with a profile make user namespaces; APPARMOR=1 or 0 decides.
APPARMOR ?= $(if $(wildcard /etc/apparmor.d/abi/4.0),1,0)

install: $(BIN)
	install -D -m 0755 $(BIN) $(DESTDIR)$(PREFIX)/bin/gpurun
	for f in $(wildcard man/*.[1-8]); do \
		install -D -m 0644 $$f $(DATA)/man/man$${f##*.}/$${f##*/} || exit 1; done
	install -D -m 0644 completions/gpurun.bash $(DATA)/bash-completion/completions/gpurun
	install -D -m 0644 completions/_gpurun $(DATA)/zsh/site-functions/_gpurun
	install -D -m 0644 completions/gpurun.fish $(DATA)/fish/vendor_completions.d/gpurun.fish
	for f in $(wildcard LICENSE README.md contrib/gpurun.conf contrib/site.d/*.json); do \
		install -D -m 0644 $$f $(DATA)/doc/gpurun/$${f##*/} || exit 1; done
ifeq ($(APPARMOR),1)
	install -d $(DESTDIR)/etc/apparmor.d
	sed 's|@BINDIR@|$(PREFIX)/bin|' contrib/apparmor/gpurun >$(DESTDIR)/etc/apparmor.d/gpurun
	chmod 0644 $(DESTDIR)/etc/apparmor.d/gpurun
endif

dist:
	@mkdir -p $(BUILD)
	git archive --prefix=gpurun-$(VERSION)/ HEAD | gzip -9n >$(BUILD)/gpurun-$(VERSION).tar.gz
	cd $(BUILD) && sha256sum gpurun-$(VERSION).tar.gz | tee gpurun-$(VERSION).tar.gz.sha256

clean:
	rm -rf $(BUILD) $(BIN)

help:
	@echo 'all         build ./gpurun (WERROR=1: warnings are errors; V=1: commands; CC=, CFLAGS=, BUILD=)'
	@echo 'check       lint, unit, golden and end-to-end tests: what CI runs (unit, e2e: those alone)'
	@echo 'check-long  the same and everything that takes longer'
	@echo 'lint tidy   rules of the source, warnings at two levels; clang-tidy and cppcheck'
	@echo 'asan cov    build and test with AddressSanitizer and UBSan; line coverage by module'
	@echo 'bench       what starts and unpacking cost, against floors and peers (bench-start, bench-cold)'
	@echo 'fuzz-smoke  every fuzzer for FUZZ_SECONDS=$(FUZZ_SECONDS) (fuzz, fuzz-merge, fuzz-cov: tests/fuzz/README.md)'
	@echo 'compat      public suites of archives and sandboxes, fetched from Debian'
	@echo 'golden      rewrite the golden files'
	@echo 'repro       build twice in different directories and compare'
	@echo 'install     PREFIX=$(PREFIX) DESTDIR= APPARMOR=0|1'
	@echo 'spank       the plugin for srun in $(BUILD)/spank; install-spank: SPANKDIR=$(SPANKDIR)'
	@echo 'install-devd  the same and the units of gpurun devd: UNITDIR=$(UNITDIR)'
	@echo 'dist clean  release archive of HEAD; remove what was built'

FORCE:
.PHONY: all check check-long unit e2e lint tidy golden asan repro install \
	dist clean help FORCE
-include $(OBJ:.o=.d) $(UNIT:=.d) contrib/spank/spank.mk tests/bench/bench.mk tests/cov.mk \
	tests/compat/compat.mk tests/fuzz/fuzz.mk contrib/systemd/systemd.mk
