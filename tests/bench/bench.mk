# SPDX-License-Identifier: Apache-2.0
# bench.mk - part of the Makefile: measurements (tests/bench/BASELINE.md), of $(GPURUN).  They print
# tables, and at the end each mark with what was measured; none of them fails because it is slow.
BENCH_START := start gpus load growth-start counts
BENCH_COLD := $(notdir $(wildcard tests/bench/cold tests/bench/growth-cold))
# in the order above, with nothing else running
bench: BENCH := $(BENCH_START) $(BENCH_COLD)
bench-start: BENCH := $(BENCH_START)
bench-cold: BENCH := $(BENCH_COLD)

bench bench-start bench-cold: $(BIN)
	@mkdir -p $(BUILD)/bench && rm -f $(BUILD)/bench/marks
	@for b in $(BENCH); do \
		echo; echo "==== $$b"; \
		GPURUN_BENCH_MARKS=$(abspath $(BUILD))/bench/marks tests/bench/$$b || exit 1; done
	@echo; echo "==== marks"; cat $(BUILD)/bench/marks

.PHONY: bench bench-start bench-cold
