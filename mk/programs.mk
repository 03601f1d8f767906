# One library, and the programs on top of it. libexec/X/*.c is the program X, libexec/X.c and spool-tools/X.c too;
# libexec/X.sh and spool-tools/X.sh are scripts. amqp-call shares link.c, and with it librabbitmq, with the bridge.
OUT      := $(BUILD)/libexec/skynet
LIBSRC   := $(wildcard lib/*/*.c)
LIBOBJ   := $(LIBSRC:%.c=$(BUILD)/obj/%.o)
LIB      := $(BUILD)/libskynet.a

CALLSRC  := $(wildcard libexec/amqp-spool/amqp-call*.c)
BIGPROGS := amqp-spool exo exo-python exo-exec exo-so
ONEPROGS := $(basename $(notdir $(wildcard libexec/*.c spool-tools/*.c)))
SCRIPTS  := $(basename $(notdir $(wildcard libexec/*.sh spool-tools/*.sh)))

PYCFLAGS := $(shell pkg-config --cflags python3-embed 2>/dev/null | sed 's/-I/-isystem /g')
PYLIBS   := $(shell pkg-config --libs python3-embed 2>/dev/null)

LIBS_amqp-spool := -lacl -lrabbitmq -lssl -lcrypto -lnettle -lcjson -lsqlite3 -linih -lev
LIBS_amqp-call  := -lrabbitmq -lssl -lcrypto -lnettle -lcjson -linih
LIBS_exo        := -lcjson -linih -lev
LIBS_exo-python := $(PYLIBS) -lnettle -linih -lcjson
LIBS_exo-so     := -lnettle -linih -lcjson -ldl
LIBS_exo-exec   := -lnettle -linih -lcjson
LIBS_default    := -lacl -lcjson -linih -lnettle -lsqlite3

PROGS    := $(BIGPROGS:%=$(OUT)/%) $(OUT)/amqp-call $(ONEPROGS:%=$(OUT)/%)
LINKS    := $(SCRIPTS:%=$(OUT)/%) $(OUT)/python $(OUT)/sv-templates

# Participants in C, for tests and the demo; nothing that is installed.
EXAMPLES := $(BUILD)/examples/prime $(BUILD)/examples/tally.so

all: $(PROGS) $(LINKS) $(EXAMPLES)

$(BUILD)/obj/libexec/exo-python/%.o: DEFS += $(PYCFLAGS)

$(BUILD)/obj/libexec/exo-so/%.o: DEFS += -Iinclude

$(BUILD)/examples/%: examples/c/%.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -g $(OPT) $(WARN) -o $@ $<

$(BUILD)/examples/%.so: examples/so/%.c include/skynet/participant.h
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -g $(OPT) $(WARN) -Iinclude -fPIC -shared -o $@ $<

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALLCFLAGS) -c -o $@ $<

$(LIB): $(LIBOBJ)
	rm -f $@
	ar rcs $@ $^

define BIG
$(OUT)/$(1): $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out $(CALLSRC),$(wildcard libexec/$(1)/*.c))) $(LIB)
	@mkdir -p $$(@D)
	$$(CC) $$(ALLLDFLAGS) -o $$@ $$^ $$(LIBS_$(1))
endef
$(foreach p,$(BIGPROGS),$(eval $(call BIG,$(p))))

$(OUT)/amqp-call: $(CALLSRC:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/libexec/amqp-spool/link.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALLLDFLAGS) -o $@ $^ $(LIBS_amqp-call)

$(ONEPROGS:%=$(OUT)/%): $(OUT)/%: $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALLLDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(LIBS_default)
$(foreach s,$(wildcard libexec/*.c spool-tools/*.c),$(eval $(OUT)/$(basename $(notdir $(s))): $(BUILD)/obj/$(s:.c=.o)))

$(SCRIPTS:%=$(OUT)/%): $(OUT)/%:
	@mkdir -p $(@D)
	ln -sfn $(abspath $(firstword $(wildcard libexec/$*.sh spool-tools/$*.sh))) $@

$(OUT)/python $(OUT)/sv-templates:
	@mkdir -p $(@D)
	ln -sfn ../../../$(@F) $@

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
