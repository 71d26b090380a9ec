# gpurun: the only build.  "make", "make check", "make install PREFIX=/usr/local DESTDIR=...".
# SPDX-License-Identifier: Apache-2.0
BUILD  ?= build
CC     ?= gcc
CFLAGS ?= -O2 -g
WARN   := -Wall -Wextra -Wformat=2 -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	  -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla \
	  -Wconversion -Wsign-conversion -Wimplicit-fallthrough -Wswitch-enum -Wnull-dereference
CPPFLAGS += -Iinclude -I$(BUILD)/gen -D_GNU_SOURCE
ALL_CFLAGS = -std=gnu17 $(WARN) -fPIE -fvisibility=hidden $(CFLAGS)

MODULES := base host gpu image store state plan profile run cli
SRC := $(foreach m,$(MODULES),$(sort $(wildcard src/$(m)/*.c)))
OBJ := $(SRC:%.c=$(BUILD)/%.o)
LIBOBJ := $(filter-out $(BUILD)/src/cli/main.o,$(OBJ))
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard tests/unit/t_*.c)))

all: gpurun

gpurun: $(OBJ)
	$(CC) -pie $(LDFLAGS) -o $@ $^ -ldl

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/unit/%: tests/unit/%.c $(LIBOBJ)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests/helpers $(ALL_CFLAGS) -pie $(LDFLAGS) -o $@ $^ -ldl

unit: $(UNIT)
	prove -e '' $(UNIT)

clean:
	rm -rf $(BUILD) gpurun

.PHONY: all unit clean
-include $(OBJ:.o=.d)
