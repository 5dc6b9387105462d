# tests: the programs that `make test` runs, and its long campaigns; included by ../Makefile.
#
#   make tests      every test program                     make bench        tests/bench/
#   make crash      N=1000 SEED=, kill -9 at seeded instants
#   make powerloss  SEED=, the power fails after every call of publishing and of the database
#   make faults     EACH=0 SEED=, the n-th malloc, open, write, sync ... fails, for every n
#   make model      ACTIONS=10000 SEED=, random actions against a model of what must come of them
#   make guests     MINUTES=10, people holding locks in the database
#   make scale      100,000 files, a million jobs
#   make soak       HOURS=8 (or 0.5) SEED=, random load; memory, descriptors and threads stay flat
#   make fuzz       FUZZ_S=60 (each) TARGETS="tiff png ...", libFuzzer on every parser

.PHONY: tests bench crash powerloss faults model guests scale soak fuzz fuzzers

TESTLIB_SRC := $(wildcard tests/lib/*.c)
TESTLIB_OBJ := $(TESTLIB_SRC:%.c=$(BUILD)/%.o)
TEST_SRC := $(wildcard tests/test_*.c)
TEST_BIN := $(TEST_SRC:%.c=$(BUILD)/%)
# What is preloaded into the programs: it kills, fails and records at the n-th call, or holds while a file is there.
PRELOAD_SRC := $(wildcard tests/preload/*.c)
PRELOAD := $(BUILD)/tests/preload.so
BENCH_SRC := $(wildcard tests/bench/*.c)
BENCH_BIN := $(BENCH_SRC:%.c=$(BUILD)/%)
# Every fuzz_X.c is a program; the other files in tests/fuzz/ are what they share.
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN := $(FUZZ_SRC:%.c=$(BUILD)/%)
FUZZKIT_SRC := $(filter-out $(FUZZ_SRC) tests/fuzz/main.c tests/fuzz/corpus.c,$(wildcard tests/fuzz/*.c))
FUZZKIT_OBJ := $(FUZZKIT_SRC:%.c=$(BUILD)/%.o)
# libFuzzer brings its own main; without it tests/fuzz/main.c drives the targets.
FUZZ_MAIN := $(if $(FUZZER),,$(BUILD)/tests/fuzz/main.o)
TEST_OBJ := $(TESTLIB_OBJ) $(TEST_BIN:%=%.o) $(BENCH_BIN:%=%.o) $(FUZZ_BIN:%=%.o) $(FUZZKIT_OBJ) \
	$(BUILD)/tests/fuzz/main.o

# An archive, so that a test with doubles of a module does not get a helper that needs the real one.
$(BUILD)/tests/testlib.a: $(TESTLIB_OBJ)
	@mkdir -p $(@D)
	@rm -f $@
	$(SAY) AR $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/tests/test_%: $(BUILD)/tests/test_%.o $(BUILD)/tests/testlib.a $(BUILD)/libpairmill.a
	$(SAY) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(TEST_LIBS) $(LIBS)

$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/tests/testlib.a $(BUILD)/libpairmill.a
	$(SAY) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# Without a sanitizer, whatever the programs have: it stands before theirs.
$(PRELOAD): $(PRELOAD_SRC) $(wildcard tests/preload/*.h)
	@mkdir -p $(@D)
	$(SAY) LD $@
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE -I. -O2 -g $(WARN) -fPIC -shared -pthread -o $@ $(PRELOAD_SRC) -ldl

# An archive, as above: one of its files stands in for a module of the product.
$(BUILD)/tests/fuzz/kit.a: $(FUZZKIT_OBJ)
	@mkdir -p $(@D)
	@rm -f $@
	$(SAY) AR $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(FUZZ_MAIN) $(BUILD)/tests/fuzz/kit.a \
		$(BUILD)/libpairmill.a
	$(SAY) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(if $(FUZZER),-fsanitize=fuzzer) -o $@ $^ $(LIBS) -lz

$(BUILD)/tests/fuzz/corpus: $(BUILD)/tests/fuzz/corpus.o
	$(SAY) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

fuzzers: $(FUZZ_BIN)
tests: $(TEST_BIN) $(FUZZ_BIN) $(PRELOAD)
bench: $(BENCH_BIN)

# --- campaigns: the long versions of what make test does in small ---

# kill -9 at N seeded instants over 500 pairs; SEED=S repeats a campaign.
crash: $(BIN) $(PRELOAD)
	BUILD=$(BUILD) $(PYTHON) tests/campaign/crash.py --kills $(or $(N),1000) --seed "$(SEED)"

# The power fails after every call of publishing and of the database, in many ways each.
powerloss: $(BIN) $(PRELOAD)
	BUILD=$(BUILD) $(PYTHON) tests/campaign/powerloss.py --seed "$(SEED)"

# People at the database, for as long as it takes: a reader for MINUTES (10) under load, write locks.
guests: $(BIN)
	@BUILD=$(BUILD) PYTHON=$(PYTHON) sh tests/campaign/guests.sh

# The n-th malloc, open, read, write, sync, rename ... fails, for every n; EACH=N: N of each kind.
faults: $(BIN) $(PRELOAD)
	BUILD=$(BUILD) $(PYTHON) tests/campaign/faults.py --each $(or $(EACH),0) --seed "$(SEED)"

scale: all
	FILES=100000 BUILD=$(BUILD) PYTHON=$(PYTHON) sh tests/e2e/22-many-files.sh
	$(BUILD)/pairmill bench queue

model: all
	BUILD=$(BUILD) $(PYTHON) tests/campaign/model.py --actions $(or $(ACTIONS),10000) $(if $(SEED),--seed $(SEED))

soak: all
	BUILD=$(BUILD) $(PYTHON) tests/campaign/soak.py --minutes $$(awk 'BEGIN { print 60 * $(or $(HOURS),8) }') $(if $(SEED),--seed $(SEED))

# --- fuzzing ---

FUZZ_CC ?= $(shell sh -c 'command -v clang || command -v clang-14')
FUZZ_S ?= 60
FUZZ_SAN := address,undefined,float-cast-overflow

# What is found lies in $(BUILD)/fuzz/fuzz/found/; tests/fuzz/run says how to repeat it.
fuzz:
	@$(MAKE) --no-print-directory deps
	@printf '#include <stddef.h>\nint LLVMFuzzerTestOneInput(const char *d, size_t n) { return d && n ? 0 : 0; }\n' | \
	    $(or $(FUZZ_CC),false) -fsanitize=fuzzer,$(FUZZ_SAN) -x c -o /dev/null - 2>/dev/null || \
	    { echo "make fuzz needs clang and its libFuzzer: apt-get install clang-14 libclang-rt-14-dev" >&2; exit 1; }
	@$(MAKE) --no-print-directory -j$$(nproc) fuzzers CC=$(FUZZ_CC) BUILD=$(BUILD)/fuzz FUZZER=1 \
	    SAN=fuzzer-no-link,$(FUZZ_SAN) OPT='-O1 -g'
	@BUILD=$(BUILD)/fuzz FUZZ_S=$(FUZZ_S) sh tests/fuzz/run $(TARGETS)
