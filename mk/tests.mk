# Tests, against a build of their own that has the failpoints (build-test). tests/run runs and counts them.
UNITSRC  := $(wildcard tests/unit/test_*.c)
UNITS    := $(UNITSRC:tests/unit/%.c=$(BUILD)/tests/%)
TESTMAKE := $(MAKE) --no-print-directory BUILD=build-test TESTING=1
TESTRUN  := SKYNET_BUILD=build-test PYTHON='$(PYTHON)' tests/run

$(UNITS): $(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALLLDFLAGS) -o $@ $< $(LIB) -lcmocka -lev $(LIBS_default)

.PHONY: unit-programs unit pytest bats check
unit-programs: $(UNITS)

unit:
	@$(TESTMAKE) unit-programs
	@$(TESTRUN) unit

bats:
	@$(TESTMAKE) all
	@$(TESTRUN) bats

pytest:
	@$(TESTRUN) pytest

# Everything, and one line at the end; a suite that fails does not hide the next.
check: deps-check
	@$(TESTMAKE) all unit-programs
	@$(TESTRUN) unit pytest bats
