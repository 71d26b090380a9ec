# SPDX-License-Identifier: Apache-2.0
# spank.mk - part of the Makefile: Slurm's plugin, for the Slurm whose headers are here
# (libslurm-dev).  Slurm's own declarations are not const.
SPANKDIR ?= /usr/lib/$(shell $(CC) -print-multiarch)/slurm-wlm

spank: $(BUILD)/spank/gpurun.so

$(BUILD)/spank/gpurun.so: contrib/spank/gpurun.c $(BUILD)/flags.stamp
	@mkdir -p $(@D)
	$(call say,SPANK)$(CC) -std=gnu17 $(filter-out -Wwrite-strings,$(WARN)) $(if $(WERROR),-Werror) \
		$(FLAGS_warn) $(CFLAGS) -D_GNU_SOURCE -DGPURUN='"$(PREFIX)/bin/gpurun"' -fPIC -shared -o $@ $<

install-spank: spank
	install -D -m 0644 $(BUILD)/spank/gpurun.so $(DESTDIR)$(SPANKDIR)/gpurun.so

.PHONY: spank install-spank
