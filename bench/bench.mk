# bench/bench.mk - the load tool and the peers it is compared with, into build/bench/.
# Included by GNUmakefile; `make -f bench/bench.mk` at the top works as well.
CC          ?= gcc
PYTHON      ?= /usr/bin/python3
BUILD       ?= build
BENCH_OUT   := $(BUILD)/bench
# Its own flags, so that no sanitizer or failpoint build changes what is measured with.
BENCH_FLAGS := -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -pthread $(WARN)

BENCH_PROGRAMS    := $(BENCH_OUT)/wiload $(BENCH_OUT)/echo_worker
BENCH_WILOAD_OBJS := $(addprefix $(BENCH_OUT)/,wiload.o wiload_options.o wiload_publish.o \
	wiload_consume.o wiload_report.o workitem.o amqp_util.o)
BENCH_ECHO_OBJS   := $(addprefix $(BENCH_OUT)/,echo_worker.o amqp_util.o)

.PHONY: bench-programs bench
bench-programs: $(BENCH_PROGRAMS)

# BENCH_ARGS="--quick", for example; bench/run --help lists them.
bench: bench-programs
	$(PYTHON) bench/run $(BENCH_ARGS)

$(BENCH_OUT)/%.o: bench/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(BENCH_FLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BENCH_OUT)/wiload: $(BENCH_WILOAD_OBJS)
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ -lrabbitmq -lm

$(BENCH_OUT)/echo_worker: $(BENCH_ECHO_OBJS)
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ -lrabbitmq

-include $(sort $(BENCH_WILOAD_OBJS:.o=.d) $(BENCH_ECHO_OBJS:.o=.d))
