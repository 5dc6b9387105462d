# pairmill: `make demo` and `make test` are all a newcomer needs; both install what is missing.
#
#   make            build everything into build/          make deps     apt-get what is missing
#   make demo       see it work on real photographs        make test     build and run every test
#   make san        the suite under ASan+UBSan, then TSan  make lint     cppcheck and clang-tidy
#   make crash powerloss faults model guests scale soak fuzz    long tests: tests/tests.mk
#   make gpu-faults gpu-mutants gpu-spills                      long tests: tests/fakecuda/fakecuda.mk
#   make install    DESTDIR= PREFIX=/usr/local             make format   clang-format in place
#
# Variables: BUILD (build), CUDA=auto|yes|no, SAN=address,undefined, WERROR=1, OPT=-O2, V=1 (show commands).

BUILD ?= build
PREFIX ?= /usr/local
CUDA ?= auto
OPT ?= -O2 -g
PKG_CONFIG ?= pkg-config
PYTHON ?= /usr/bin/python3
VERSION := 0.1.0
.DEFAULT_GOAL := all

PKGS := libuv sqlite3 fftw3f libtiff-4 libpng inih libxxhash libsystemd
TEST_PKGS := cmocka zlib

# What Debian 12 calls everything `make demo` and `make test` use; `make deps` installs what is missing.
DEPS := gcc g++ libc6-dev make pkg-config libuv1-dev libsqlite3-dev libfftw3-dev libtiff-dev libpng-dev \
	libinih-dev libxxhash-dev libsystemd-dev libcmocka-dev zlib1g-dev sqlite3 \
	python3 python3-numpy python3-scipy python3-tifffile python3-pil python3-xxhash \
	lomiri-wallpapers-16.04 lomiri-wallpapers-20.04

WARN := -Wall -Wextra -Wshadow -Wconversion -Wdouble-promotion -Wmissing-prototypes -Wvla \
	-Wstrict-prototypes -Wpointer-arith -Wformat=2 $(if $(WERROR),-Werror)

include worker/gpu/gpu.mk

# Goals that need no libraries must work on a machine that has none yet.
NO_LIBS := clean deps demo test san fuzz lint format help
GOALS := $(or $(MAKECMDGOALS),all)
NEEDS_LIBS := $(filter-out $(NO_LIBS),$(GOALS))
ifneq ($(NEEDS_LIBS),)
MISSING := $(shell $(PKG_CONFIG) --print-errors --exists $(PKGS) 2>&1 || echo "run: make deps")
$(if $(MISSING),$(error $(MISSING)))
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS))
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS))
TEST_LIBS := $(shell $(PKG_CONFIG) --libs $(TEST_PKGS) 2>/dev/null)
endif

SAN_FLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
# The commands themselves are shown with V=1.
Q := $(if $(V),,@)
SAY = $(if $(V),@:,@echo) "  "

ALL_CFLAGS = -std=c17 -D_GNU_SOURCE -DPM_VERSION='"$(VERSION)"' -I. -I$(BUILD)/gen $(OPT) $(WARN) \
	-pthread -ffp-contract=off $(PKG_CFLAGS) $(SAN_FLAGS) $(CFLAGS)
LIBS = $(PKG_LIBS) -ldl -lm -pthread

SRC := $(filter-out %/main.c,$(wildcard common/*.c common/formats/*.c worker/*.c worker/align/*.c \
	worker/kernels/*.c worker/gpu/*.c daemon/*.c cli/*.c))
LIB_OBJ := $(SRC:%.c=$(BUILD)/%.o) $(BUILD)/gen/sql.o
BIN := $(BUILD)/pairmilld $(BUILD)/pairmill
MAIN_OBJ := $(BUILD)/daemon/main.o $(BUILD)/cli/main.o
SQL := $(sort $(wildcard sql/*.sql sql/*/*.sql))

.PHONY: all deps demo test check san lint format install clean help
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BIN) $(PLUGIN)

help:
	@sed -n '2,11s/^# \{0,1\}//p' Makefile

$(BUILD)/libpairmill.a: $(LIB_OBJ)
	@rm -f $@
	$(SAY) AR $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/pairmilld: $(BUILD)/daemon/main.o $(BUILD)/libpairmill.a
	$(SAY) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/pairmill: $(BUILD)/cli/main.o $(BUILD)/libpairmill.a
	$(SAY) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# Kernels are the hot loops: they get -O3 whatever the rest has.
$(BUILD)/worker/kernels/%.o $(BUILD)/worker/align/symmetry.o: OPT += -O3

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(SAY) CC $@
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/gen/sql.o: $(BUILD)/gen/sql.c
	$(SAY) CC $@
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The folders, too: a statement that was renamed or is gone leaves them newer.
$(BUILD)/gen/sql.c: sql/embed.awk $(SQL) $(sort $(dir $(SQL)))
	@mkdir -p $(@D)
	$(SAY) SQL $@
	$(Q)awk -f sql/embed.awk $(SQL) > $@.part && mv $@.part $@

include tests/tests.mk tests/fakecuda/fakecuda.mk

# Installs only what is missing, and asks apt only then: an installed machine needs no root.
deps:
	@missing=; for p in $(DEPS); do \
	    dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q '^install ok installed' || missing="$$missing $$p"; \
	done; \
	if [ -n "$$missing" ]; then \
	    echo "installing:$$missing"; \
	    sudo=; if [ "$$(id -u)" != 0 ]; then sudo=sudo; fi; \
	    $$sudo apt-get update -qq && \
	    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null || \
	    { echo "make deps: could not install$$missing; install them by hand and try again" >&2; exit 1; }; \
	fi

demo: deps
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@BUILD=$(BUILD) PYTHON=$(PYTHON) tests/demo.sh

test: deps
	@$(MAKE) --no-print-directory -j$$(nproc) WERROR=1 all tests
	@$(MAKE) --no-print-directory WERROR=1 check

# Everything that is checked, on a machine that has the packages. TESTS="a b" picks some by name.
check: $(BIN) $(TEST_BIN) $(PRELOAD) $(FUZZ_BIN)
	@BUILD=$(BUILD) PYTHON=$(PYTHON) tests/run $(TESTS)

san:
	@$(MAKE) --no-print-directory deps
	$(MAKE) -j$$(nproc) all tests BUILD=$(BUILD)/asan SAN=address,undefined OPT='-O1 -g'
	$(MAKE) check BUILD=$(BUILD)/asan SAN=address,undefined OPT='-O1 -g'
	$(MAKE) -j$$(nproc) all tests BUILD=$(BUILD)/tsan SAN=thread OPT='-O1 -g'
	$(MAKE) check BUILD=$(BUILD)/tsan SAN=thread OPT='-O1 -g'

# One process a file: from its second file on clang-tidy 14 takes every va_list for uninitialized.
TIDY_SRC := $(SRC) cli/main.c daemon/main.c

lint:
	@cppcheck --version >/dev/null 2>&1 && clang-tidy --version >/dev/null 2>&1 || \
	    { echo "make lint needs: apt-get install cppcheck clang-tidy" >&2; exit 1; }
	cppcheck --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	    --suppress=missingIncludeSystem --quiet -j $$(nproc) -I. -I$(BUILD)/gen common worker daemon cli
	@echo "clang-tidy: $(words $(TIDY_SRC)) files"
	@printf '%s\n' $(TIDY_SRC) | xargs -P $$(nproc) -n 1 sh -c ' \
	    said=$$(clang-tidy --quiet "$$1" -- -std=c17 -D_GNU_SOURCE -DPM_VERSION=\"x\" -I. $$0 2>&1) || \
	    { echo "$$said"; exit 1; }' "$$($(PKG_CONFIG) --cflags $(PKGS))"

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/pairmill \
	    $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/lib/sysusers.d \
	    $(DESTDIR)$(PREFIX)/lib/tmpfiles.d $(DESTDIR)$(PREFIX)/share/doc/pairmill
	install -m 755 $(BUILD)/pairmill $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $(BUILD)/pairmilld $(DESTDIR)$(PREFIX)/libexec/pairmill/
	$(if $(PLUGIN),install -d $(DESTDIR)$(PREFIX)/lib/pairmill)
	$(if $(PLUGIN),install -m 755 $(PLUGIN) $(DESTDIR)$(PREFIX)/lib/pairmill/)
	sed 's|@PREFIX@|$(PREFIX)|g' systemd/pairmilld.service > $(BUILD)/pairmilld.service
	install -m 644 $(BUILD)/pairmilld.service $(DESTDIR)$(PREFIX)/lib/systemd/system/
	install -m 644 systemd/pairmill.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/pairmill.conf
	install -m 644 systemd/pairmill.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/pairmill.conf
	install -m 644 systemd/pairmill.conf systemd/pairmilld-gpu.conf README.md LICENSE \
	    $(DESTDIR)$(PREFIX)/share/doc/pairmill/

clean:
	rm -rf $(BUILD)

-include $(patsubst %.o,%.d,$(LIB_OBJ) $(MAIN_OBJ) $(TEST_OBJ))
