# SPDX-License-Identifier: LGPL-2.1-or-later
# One file, no recursion, no list of sources to keep: what lies in the folders is built.
#
#	make			the library and the command, in build/release
#	make check		the quick tests, offline
#	make check-all		lint, the slow tests, and the tests again with sanitizers
#	make lint		warnings, layout, the arrows of the design; only=NAME for one of them
#	make fuzz TIME=60	all fuzz targets, seconds for each; only=NAME for one of them
#	make mutants N=20	change N bounds and checks of the parsers, one at a time: does a test notice? SEED=, only=FILE
#	make bench		against the tools that people use today
#	make install		with DESTDIR, PREFIX, LIBDIR…
#	make STATIC=1		the command as one static file, build/static/vitrine
#
# V=1 shows the commands. VARIANT=asan (tsan, cov, fuzz) builds in a tree of its own. CC, CPPFLAGS, CFLAGS, LDFLAGS are
# the user's.
VERSION := $(shell sed -n 's/^\#define VTR_VERSION_\(MAJOR\|MINOR\|PATCH\) //p' api/vitrine.h | paste -sd.)
SOVERSION := 0

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions

# STATIC=1 builds one file that needs nothing of the machine that runs it, and that starts in a third of the time.
STATIC ?= 0
VARIANT ?= $(if $(filter-out 0,$(STATIC)),static,release)
B := build/$(VARIANT)

ifeq ($(VARIANT),fuzz)
CC := clang
endif

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings \
	-Wformat=2 -Wvla
# WERROR=1 makes warnings errors, so that the lint for them need not compile all again: check-all sets it.
WERROR ?= 0
FLAGS.release := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong $(if $(filter 1,$(WERROR)),-Werror)
FLAGS.static  := $(FLAGS.release) -DVTR_STATIC
FLAGS.asan    := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
FLAGS.tsan    := -O1 -fsanitize=thread
FLAGS.cov     := -O0 --coverage
FLAGS.fuzz    := $(FLAGS.asan) -fsanitize=fuzzer-no-link -DVTR_FUZZING
FLAGS.lint-gcc   := $(FLAGS.release) -Werror
FLAGS.lint-clang := -O0 -Werror
# GCC without optimisation sees variables as uninitialized that are not; the release build looks for those.
FLAGS.lint-musl  := -O0 -Werror -Wno-maybe-uninitialized
FLAGS.lint-arm64 := -O0 -Werror -Wno-maybe-uninitialized
FLAGS := $(FLAGS.$(VARIANT))

# The library's packages; the command's; the tests'.
PKG := ext2fs expat com_err libdeflate libzstd zlib liblzma liblz4 libcrypto sqlite3
# NTFS is read without libntfs-3g, which is under the GPL: it is there to be compared with. NTFS=0 builds without.
NTFS ?= 1
ifneq ($(NTFS),0)
PKG += libntfs-3g
CPPFLAGS_NTFS := -DVTR_NTFS3G
endif
PKG_CLI := jansson
PKG_STATIC := $(if $(filter static,$(VARIANT)),--static)
PKG_TEST := cmocka hivex
PKG_CFLAGS := $(shell pkg-config --cflags $(PKG) $(PKG_CLI) 2>/dev/null)
# Older distributions have no bzip2.pc.
PKG_LIBS := $(shell pkg-config $(PKG_STATIC) --libs $(PKG) 2>/dev/null) -lbz2 -ldl -pthread
CLI_LIBS := $(shell pkg-config $(PKG_STATIC) --libs $(PKG_CLI) 2>/dev/null)
TEST_LIBS := $(shell pkg-config --libs $(PKG_TEST) 2>/dev/null)
# What reads the streams that the command writes, in fuzz_tar alone; empty where it is not installed.
ARCHIVE_LIBS := $(shell pkg-config --libs libarchive 2>/dev/null)
ARCHIVE_FLAGS := $(if $(ARCHIVE_LIBS),-DFUZZ_LIBARCHIVE $(shell pkg-config --cflags libarchive))

LAYERS := base formats partitions volumes fs registry inspect api
SRC := $(sort $(wildcard $(foreach d,$(LAYERS),$d/*.c $d/*/*.c)))
OBJ := $(SRC:%.c=$B/%.o)
CLI_SRC := $(sort $(wildcard cli/*.c))
CLI_OBJ := $(CLI_SRC:%.c=$B/%.o)
TEST_SRC := $(sort $(wildcard tests/test_*.c))
TEST := $(TEST_SRC:%.c=$B/%)
TEST_HELP := $(patsubst %.c,$B/%.o,$(sort $(filter-out $(TEST_SRC),$(wildcard tests/*.c))))
# Programs of users are not built with sanitizers: what is installed is tried as released.
TEST_SH := $(filter-out $(if $(filter-out release,$(VARIANT)),%/test_install.sh),$(sort $(wildcard tests/test_*.sh)))
FUZZ_SRC := $(sort $(wildcard fuzz/fuzz_*.c))
FUZZ := $(FUZZ_SRC:%.c=$B/%)
FUZZ_HELP := $(patsubst %.c,$B/%.o,$(sort $(filter-out $(FUZZ_SRC) fuzz/replay.c,$(wildcard fuzz/*.c))))
EXAMPLE_SRC := $(sort $(wildcard docs/examples/*.c))
EXAMPLE := $(EXAMPLE_SRC:%.c=$B/%)
OBJECTS := $(OBJ) $(CLI_OBJ) $(patsubst %.c,$B/%.o,$(TEST_SRC) $(FUZZ_SRC) $(EXAMPLE_SRC) fuzz/replay.c) $(TEST_HELP) \
	$(FUZZ_HELP)

LIB := $B/libvitrine.a
SO := $B/libvitrine.so.$(VERSION)
CMD := $B/vitrine

Q := $(if $(V),,@)
say = $(if $(V),,@printf '%-6s %s\n' '$(1)' '$(2)')

.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: all objects library-objects print-libraries examples check check-all lint fuzz fuzz-programs mutants \
	mutants-run bench install uninstall clean FORCE
all: $(LIB) $(if $(filter static,$(VARIANT)),,$(SO)) $(CMD)

# Where the source lies is not in what is built.
COMPILE = $(CC) -std=gnu11 -g -fPIC -fvisibility=hidden -pthread -MMD -MP -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
	-ffile-prefix-map='$(CURDIR)'=. $(WARN) $(PKG_CFLAGS) $(CPPFLAGS_NTFS) $(FLAGS) $(CPPFLAGS) $(CFLAGS)
LINK = $(CC) $(FLAGS) $(CFLAGS) -Wl,--as-needed -Wl,-z,relro,-z,now $(LDFLAGS)

# Other flags, or another list of sources, and all is made again.
remember = mkdir -p $(@D); printf '%s\n' "$$TEXT" | cmp -s - $@ || printf '%s\n' "$$TEXT" >$@
$B/flags: export TEXT = $(COMPILE) $(LINK) $(PKG_LIBS) $(CLI_LIBS) $(ARCHIVE_LIBS)
$B/flags: FORCE
	@$(remember)
$B/sources: export TEXT = $(SRC) $(CLI_SRC) $(TEST_HELP) $(FUZZ_HELP)
$B/sources: FORCE
	@$(remember)

$B/%.o: %.c $B/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) -c -o $@ $<

# The programs in the documentation see what an installed program sees.
$B/docs/examples/%.o: CPPFLAGS += -Iapi

objects: $(OBJECTS)
library-objects: $(OBJ) $(CLI_OBJ)

$(LIB): $(OBJ) $B/sources
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $(OBJ)

$(SO): $(OBJ) $B/sources
	$(call say,LINK,$@)
	$(Q)$(LINK) -shared -Wl,-soname,libvitrine.so.$(SOVERSION) $(NO_UNDEFINED) -o $@ $(OBJ) $(PKG_LIBS)
	@ln -sf $(@F) $B/libvitrine.so.$(SOVERSION)
	@ln -sf $(@F) $B/libvitrine.so
# Clang's sanitizers leave their symbols to the program.
NO_UNDEFINED = $(if $(findstring sanitize,$(FLAGS) $(CFLAGS)),,-Wl,--no-undefined)

# libcrypto and libntfs-3g have functions that load name services and modules, which a static program cannot do well;
# vitrine calls none of them, and the linker need not warn.
STATIC_FLAGS := $(if $(filter static,$(VARIANT)),-static-pie -Xlinker --no-warnings)
$(CMD): $(CLI_OBJ) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(LINK) $(STATIC_FLAGS) -o $@ $^ $(CLI_LIBS) $(PKG_LIBS)

$B/tests/test_%: $B/tests/test_%.o $(TEST_HELP) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(TEST_LIBS) $(PKG_LIBS)

$B/docs/examples/%: $B/docs/examples/%.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(PKG_LIBS)

examples: $(EXAMPLE)

# A fuzz target is a libFuzzer program in its own variant; everywhere else it replays the files that it is given.
FUZZ_MAIN := $(if $(filter fuzz,$(VARIANT)),,$B/fuzz/replay.o)
$B/fuzz/fuzz_%: $B/fuzz/fuzz_%.o $(FUZZ_HELP) $(FUZZ_MAIN) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(LINK) $(if $(FUZZ_MAIN),,-fsanitize=fuzzer) -o $@ $(filter %.o,$^) $(LIB) $(FUZZ_LIBS) $(PKG_LIBS)

# This one runs a part of the command.
$B/fuzz/fuzz_tar.o: private CPPFLAGS += $(ARCHIVE_FLAGS)
$B/fuzz/fuzz_tar: $(filter-out $B/cli/main.o,$(CLI_OBJ))
$B/fuzz/fuzz_tar: private FUZZ_LIBS := $(ARCHIVE_LIBS) $(CLI_LIBS)

fuzz-programs: $(FUZZ)

# The tests run from here. They find the command, and the folder that all of this is built in, in the environment.
check: all examples $(TEST) $(FUZZ)
	@VTR_COMMAND='$(CURDIR)/$(CMD)' VTR_BUILD='$(CURDIR)/$B' scripts/run-tests $B/logs $(TEST) $(TEST_SH) \
		$(foreach f,$(FUZZ:$B/fuzz/fuzz_%=%),'$B/fuzz/fuzz_$f fuzz/seeds/$f fuzz/regress/$f')

# Each part is run, whether or not one before it failed; the last line is the sum of theirs. A part without a summary
# was not built.
PARTS := lint release asan
check-all:
	@mkdir -p build; rm -f $(PARTS:%=build/%/logs/summary) build/summary; failed=0; \
	echo '== lint'; $(MAKE) --no-print-directory WERROR=1 lint || failed=1; \
	echo '== tests'; VTR_SLOW=1 $(MAKE) --no-print-directory WERROR=1 VARIANT=release check || failed=1; \
	echo '== tests with sanitizers'; $(MAKE) --no-print-directory VARIANT=asan check || failed=1; \
	for part in $(PARTS); do cat build/$$part/logs/summary 2>/dev/null || echo '0 passed, 1 failed, 0 skipped'; done | \
	awk '{ p += $$1; f += $$3; s += $$5 } END { print p " passed, " f " failed, " s " skipped" }' >build/summary; \
	for part in $(PARTS); do sed "s|^FAILED |FAILED $$part: |" build/$$part/logs/failures 2>/dev/null; done; \
	echo; cat build/summary; exit $$failed

LINTS := warnings-gcc warnings-clang musl arm64 headers arrows doors errors exports abi licence scripts format
lint: all
	@VTR_BUILD=$B WERROR=$(WERROR) WARN='$(WARN)' PKG_CFLAGS='$(PKG_CFLAGS)' LAYERS='$(LAYERS)' scripts/run-tests build/lint/logs \
		$(foreach l,$(or $(only),$(LINTS)),'scripts/lint $l')

# After a change of the ABI that is meant: what lint compares with.
abi: all
	@VTR_BUILD=$B scripts/lint write-abi

TIME ?= 60
fuzz:
	+@$(MAKE) --no-print-directory VARIANT=fuzz fuzz-programs
	$(if $(ARCHIVE_LIBS),,@echo 'skipped: fuzz_tar: libarchive is not installed')
	@scripts/fuzz $(TIME) $(filter-out $(if $(ARCHIVE_LIBS),,tar),$(or $(only),$(FUZZ_SRC:fuzz/fuzz_%.c=%)))

# N=0: all of only=, which names files and folders.
N ?= 20
SEED ?= 1
mutants:
	+@$(MAKE) --no-print-directory VARIANT=asan mutants-run
mutants-run: export COMPILE_COMMAND = $(COMPILE)
mutants-run: $(LIB) $(CMD) $(TEST_SRC:%.c=$B/%.o) $(FUZZ_SRC:%.c=$B/%.o) $(TEST_HELP) $(FUZZ_HELP) $B/fuzz/replay.o
	@B='$B' LINK='$(LINK)' LIBS='$(PKG_LIBS)' TEST_LIBS='$(TEST_LIBS)' CLI_LIBS='$(CLI_LIBS)' CLI_OBJ='$(CLI_OBJ)' \
		TEST_HELP='$(TEST_HELP)' FUZZ_HELP='$(FUZZ_HELP)' scripts/mutants -n $(N) -s $(SEED) $(only)

# For programs that link the static library.
print-libraries:
	@echo $(PKG_LIBS)

bench: all
	@VITRINE='$(CURDIR)/$(CMD)' bench/run

# man1 and man3, by the last letter of their names.
MAN := $(sort $(wildcard docs/man/*.1 docs/man/*.3))
install: all
	install -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(LIBDIR)/pkgconfig' '$(DESTDIR)$(INCLUDEDIR)' \
		'$(DESTDIR)$(COMPLETIONDIR)' '$(DESTDIR)$(MANDIR)/man1' '$(DESTDIR)$(MANDIR)/man3'
	install -m 755 $(CMD) '$(DESTDIR)$(BINDIR)/vitrine'
	install -m 644 api/vitrine.h '$(DESTDIR)$(INCLUDEDIR)/vitrine.h'
	install -m 644 $(LIB) '$(DESTDIR)$(LIBDIR)/libvitrine.a'
ifneq ($(VARIANT),static)
	install -m 755 $(SO) '$(DESTDIR)$(LIBDIR)/libvitrine.so.$(VERSION)'
	ln -sf libvitrine.so.$(VERSION) '$(DESTDIR)$(LIBDIR)/libvitrine.so.$(SOVERSION)'
	ln -sf libvitrine.so.$(SOVERSION) '$(DESTDIR)$(LIBDIR)/libvitrine.so'
endif
	printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' 'includedir=$(INCLUDEDIR)' '' 'Name: vitrine' \
		'Description: Look inside virtual-machine disk images' 'Version: $(VERSION)' \
		'Requires.private: $(PKG)' 'Libs: -L$${libdir} -lvitrine' 'Libs.private: -lbz2 -ldl -pthread' \
		'Cflags: -I$${includedir}' >'$(DESTDIR)$(LIBDIR)/pkgconfig/vitrine.pc'
	install -m 644 scripts/completion.bash '$(DESTDIR)$(COMPLETIONDIR)/vitrine'
	$(foreach m,$(MAN),install -m 644 $m '$(DESTDIR)$(MANDIR)/man$(patsubst .%,%,$(suffix $m))/'$(newline))

uninstall:
	rm -f '$(DESTDIR)$(BINDIR)/vitrine' '$(DESTDIR)$(INCLUDEDIR)/vitrine.h' \
		'$(DESTDIR)$(LIBDIR)'/libvitrine.a '$(DESTDIR)$(LIBDIR)'/libvitrine.so* \
		'$(DESTDIR)$(LIBDIR)/pkgconfig/vitrine.pc' '$(DESTDIR)$(COMPLETIONDIR)/vitrine'
	$(foreach m,$(MAN),rm -f '$(DESTDIR)$(MANDIR)/man$(patsubst .%,%,$(suffix $m))/$(notdir $m)'$(newline))

define newline


endef

clean:
	rm -rf build

-include $(OBJECTS:.o=.d)
