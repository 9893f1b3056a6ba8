# The few commands that people type; meson builds. Prerequisites on Debian 12: apt install make git.
#
#   make            build/lodge
#   make run        from nothing to the console of a running Debian guest
#   make check      every test, against a build with sanitizers
#   make bench      the measures that have a target, against bare QEMU and libvirt
#   make fuzz       libFuzzer on every parser, FUZZ_SECONDS each
#   make install    into PREFIX (/usr/local), below DESTDIR
#   make uninstall  what the last of those put in place, with the same words
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
MESON ?= meson
NINJA ?= ninja
packages = scripts/install-packages

.DEFAULT_GOAL = all
.PHONY: all run check bench fuzz install uninstall clean

all: build/build.ninja
	$(NINJA) -C build lodge

build/build.ninja:
	@$(packages) --check build
	$(MESON) setup --prefix=$(PREFIX) build

build-asan/build.ninja:
	$(MESON) setup -Db_sanitize=address,undefined -Doptimization=1 -Ddebug=true build-asan

build-fuzz/build.ninja:
	CC=clang $(MESON) setup -Db_sanitize=address,undefined -Dwerror=false -Dfuzz=true build-fuzz

run:
	@$(packages) build run
	@$(MAKE) --no-print-directory all
	@exec scripts/make-run

check:
	@$(packages) build run test
	@$(MAKE) --no-print-directory all build-asan/build.ninja
	$(NINJA) -C build-asan
	@exec tests/run --build build-asan $(TESTS)

bench:
	@$(packages) build run bench
	@$(MAKE) --no-print-directory all
	@bench/run $(BENCH)
	@[ -n "$(BENCH)" ] || [ "$$(id -u)" -ne 0 ] || bench/network

fuzz:
	@$(packages) build fuzz
	@$(MAKE) --no-print-directory build-fuzz/build.ninja
	$(NINJA) -C build-fuzz fuzz-targets
	@exec tests/fuzz/run build-fuzz $(FUZZ_SECONDS) $(FUZZ)

install: build/build.ninja
	$(MESON) configure build -Dprefix=$(PREFIX)
	$(NINJA) -C build installed
	DESTDIR=$(DESTDIR) $(MESON) install -C build --no-rebuild --quiet

uninstall:
	$(NINJA) -C build uninstall
	packaging/polkit remove $(DESTDIR)$(PREFIX)

clean:
	rm -rf build build-asan build-fuzz
