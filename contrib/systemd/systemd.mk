# SPDX-License-Identifier: Apache-2.0
# systemd.mk - part of the Makefile: the units of the optional service gpurun devd, for root
UNITDIR ?= $(PREFIX)/lib/systemd/system

install-devd: install
	install -D -m 0644 contrib/systemd/gpurun-devd.socket $(DESTDIR)$(UNITDIR)/gpurun-devd.socket
	sed 's|@BINDIR@|$(PREFIX)/bin|' 'contrib/systemd/gpurun-devd@.service' \
		>'$(DESTDIR)$(UNITDIR)/gpurun-devd@.service'
	chmod 0644 '$(DESTDIR)$(UNITDIR)/gpurun-devd@.service'

.PHONY: install-devd
