# What can be found without running anything, the sanitizer build, coverage. Each lint-X is a target of its own; `lint`
# runs all of them, whether or not one fails.
LINT := format tidy cppcheck shell man python layers size
CFILES = $(shell mk/files.sh c)
SOURCES = $(filter %.c,$(CFILES))
# Macros of these that make loops: cppcheck does not read system headers by itself.
MACROS = $(filter %/queue.h %/uthash.h,$(shell printf '\043include <sys/queue.h>\n\043include <uthash.h>\n' | $(CC) -xc -M - 2>/dev/null))

.PHONY: lint $(LINT:%=lint-%) asan coverage compile_commands.json

lint: deps-lint
	@$(MAKE) --no-print-directory -k $(LINT:%=lint-%)

lint-format:
	@clang-format --dry-run -Werror $(CFILES)

# Reads what would be compiled, so that a file without a rule is not checked with flags that it never has.
compile_commands.json:
	@mk/compile-commands.sh $(MAKE) --no-print-directory -Bn BUILD=build-test TESTING=1 all unit-programs bench-programs fuzz-program >$@.new
	@mv $@.new $@

lint-tidy: compile_commands.json
	@sed -n 's/^ *"file": "\(.*\)".*/\1/p' compile_commands.json | sort -u | xargs -P2 -n6 mk/tidy.sh $(BUILD)/tidy

lint-cppcheck:
	@cppcheck -j2 --quiet --std=c11 --library=posix --library=gnu --enable=warning,performance,portability \
		--inline-suppr --suppressions-list=mk/cppcheck.supp --error-exitcode=1 \
		--template='{file}:{line}: {severity}: {message} [{id}]' \
		-D_GNU_SOURCE -D__linux__ -DSN_TESTING=1 -DSN_VERSION='"$(VERSION)"' -Ilib $(MACROS:%=--include=%) $(SOURCES)

lint-shell:
	@shellcheck -x -P SCRIPTDIR:libexec/lib:tests/lib $(shell mk/files.sh sh)

# The pages against the programs, so these are needed.
lint-man: all
	@mandoc -Tlint -W warning docs/man/*.[1-8]
	@mk/man-check.sh $(OUT)

lint-python:
	@PYTHONPYCACHEPREFIX=$(BUILD)/pycache $(PYTHON) -m py_compile $(shell mk/files.sh py)
	@if $(PYTHON) -c 'import pyflakes' 2>/dev/null; then $(PYTHON) -m pyflakes $(shell mk/files.sh py); fi

lint-layers:
	@mk/layers.sh

lint-size:
	@mk/size.sh

asan:
	@$(MAKE) --no-print-directory BUILD=build-asan TESTING=1 SANITIZE=1 unit-programs
	@mk/asan.sh build-asan

# The unit tests' alone: what bats starts ends by _exit and kill, which writes no counts.
coverage:
	@$(MAKE) --no-print-directory BUILD=build-coverage TESTING=1 OPT=-O0 HARDEN= CFLAGS=--coverage LDFLAGS=--coverage unit-programs
	@find build-coverage -name '*.gcda' -delete
	@SKYNET_BUILD=build-coverage tests/run unit
	@mk/coverage.sh build-coverage
