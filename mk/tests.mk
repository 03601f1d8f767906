# Tests, against a build of their own that has the failpoints (build-test). tests/run runs and counts them.
UNITSRC  := $(wildcard tests/unit/test_*.c)
UNITS    := $(UNITSRC:tests/unit/%.c=$(BUILD)/tests/%)
TESTMAKE := $(MAKE) --no-print-directory BUILD=build-test TESTING=1
TESTRUN  := SKYNET_BUILD=build-test PYTHON='$(PYTHON)' tests/run

$(UNITS): $(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALLLDFLAGS) -o $@ $< $(LIB) -lcmocka -lev $(LIBS_default)

.PHONY: unit-programs load-program unit pytest bats check
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
