# Tests, against a build of their own that has the failpoints (build-test). tests/run runs and counts them.
UNITSRC  := $(wildcard tests/unit/test_*.c)
UNITS    := $(UNITSRC:tests/unit/%.c=$(BUILD)/tests/%)
TESTMAKE := $(MAKE) --no-print-directory BUILD=build-test TESTING=1
TESTRUN  := SKYNET_BUILD=build-test PYTHON='$(PYTHON)' tests/run

$(UNITS): $(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALLLDFLAGS) -o $@ $< $(LIB) -lcmocka -lev $(LIBS_default)

FUZZ_S   ?= 10
$(BUILD)/tests/fuzz: $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/fuzz/*.c)) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALLLDFLAGS) -o $@ $^ $(LIBS_default)

.PHONY: unit-programs load-program fuzz-program unit pytest bats check fuzz faults
fuzz-program: $(BUILD)/tests/fuzz

# Broken input for what reads the bytes of others, under the sanitizers: each target for FUZZ_S seconds.
fuzz:
	@$(MAKE) --no-print-directory BUILD=build-asan TESTING=1 SANITIZE=1 fuzz-program
	@build-asan/tests/fuzz -t $(FUZZ_S)

# What docs/SPOOL.md promises: every failpoint, and the full load (20,000 workitems) with kills and restarts.
faults: load-program
	@$(TESTMAKE) all
	@SKYNET_FULL=1 BATS_FILES='tests/bats/failpoints.bats tests/bats/faults.bats' $(TESTRUN) bats

unit-programs: $(UNITS)

# The load of faults.bats; never of a testing build.
load-program:
	@$(MAKE) --no-print-directory BUILD=build bench-programs

unit:
	@$(TESTMAKE) unit-programs
	@$(TESTRUN) unit

bats: load-program
	@$(TESTMAKE) all
	@$(TESTRUN) bats

pytest:
	@$(TESTRUN) pytest

# Everything, and one line at the end; a suite that fails does not hide the next.
check: deps-check
	@$(TESTMAKE) all unit-programs
	@$(MAKE) --no-print-directory load-program
	@$(TESTRUN) unit pytest bats
