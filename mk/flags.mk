# Compiler flags. TESTING=1 builds in the failpoints, SANITIZE=1 the sanitizers, WERROR=1 is for CI.
OPT      ?= -O2
WARN     := -Wall -Wextra -Wformat=2 -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wvla -Wundef -Wcast-qual -Wwrite-strings
HARDEN   := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fPIE
HARDENLD := -pie -Wl,-z,relro,-z,now
ifeq ($(WERROR),1)
WARN     += -Werror
endif
ifeq ($(TESTING),1)
DEFS     += -DSN_TESTING=1
endif
ifeq ($(SANITIZE),1)
OPT      := -O1
HARDEN   := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
HARDENLD := -fsanitize=address,undefined
endif
ALLCFLAGS = -std=c11 -D_GNU_SOURCE -DSN_VERSION=\"$(VERSION)\" -g $(OPT) $(WARN) $(HARDEN) $(DEFS) -Ilib -MMD -MP $(CFLAGS)
ALLLDFLAGS = $(HARDENLD) -Wl,--as-needed -pthread $(LDFLAGS)
