# SPDX-License-Identifier: LGPL-2.1-or-later
# One file, no recursion, no list of sources to keep: what lies in the folders is built.
#
#	make				the library and the command, in build/release
#	make check			the quick tests, offline
#	make check-all			and sanitizers, slow tests, lint
#	make lint fuzz bench install	see below
VERSION := $(shell sed -n 's/^\#define VTR_VERSION_\(MAJOR\|MINOR\|PATCH\) //p' api/vitrine.h | paste -sd.)
SOVERSION := 0

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
VARIANT ?= release
B := build/$(VARIANT)

ifneq ($(filter fuzz,$(VARIANT)),)
CC := clang
endif

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings \
	-Wformat=2 -Wvla
FLAGS.release := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong
FLAGS.asan    := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
FLAGS.tsan    := -O1 -fsanitize=thread
FLAGS.cov     := -O0 --coverage
FLAGS.fuzz    := $(FLAGS.asan) -fsanitize=fuzzer-no-link -DVTR_FUZZING
FLAGS := $(FLAGS.$(VARIANT))

# The library's packages; the command's; the tests'.
PKG := ext2fs com_err libdeflate libzstd zlib libcrypto
PKG_CLI := jansson
PKG_TEST := cmocka
PKG_CFLAGS := $(shell pkg-config --cflags $(PKG) $(PKG_CLI) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKG) 2>/dev/null) -pthread
CLI_LIBS := $(shell pkg-config --libs $(PKG_CLI) 2>/dev/null)
TEST_LIBS := $(shell pkg-config --libs $(PKG_TEST) 2>/dev/null)

LAYERS := base formats partitions volumes fs registry inspect api
SRC := $(sort $(wildcard $(foreach d,$(LAYERS),$d/*.c $d/*/*.c)))
OBJ := $(SRC:%.c=$B/%.o)
CLI_SRC := $(sort $(wildcard cli/*.c))
CLI_OBJ := $(CLI_SRC:%.c=$B/%.o)
TEST_SRC := $(sort $(wildcard tests/test_*.c))
TEST := $(TEST_SRC:%.c=$B/%)
TEST_HELP := $(patsubst %.c,$B/%.o,$(filter-out $(TEST_SRC),$(wildcard tests/*.c)))
FUZZ_SRC := $(sort $(wildcard fuzz/fuzz_*.c))

LIB := $B/libvitrine.a
SO := $B/libvitrine.so.$(VERSION)
CMD := $B/vitrine

# V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '%-6s %s\n' '$(1)' '$(2)')

.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: all check check-all lint fuzz bench install clean
all: $(LIB) $(SO) $(CMD)

COMPILE = $(CC) -std=gnu11 -g -fPIC -fvisibility=hidden -pthread -MMD -MP -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
	$(WARN) $(PKG_CFLAGS) $(FLAGS) $(CPPFLAGS) $(CFLAGS)
LINK = $(CC) $(FLAGS) $(CFLAGS) $(LDFLAGS)

$B/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(COMPILE) -c -o $@ $<

$(LIB): $(OBJ)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $^

$(SO): $(OBJ)
	$(call say,LINK,$@)
	$(Q)$(LINK) -shared -Wl,-soname,libvitrine.so.$(SOVERSION) -Wl,--no-undefined -o $@ $^ $(PKG_LIBS)
	@ln -sf $(@F) $B/libvitrine.so.$(SOVERSION)
	@ln -sf $(@F) $B/libvitrine.so

$(CMD): $(CLI_OBJ) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(CLI_LIBS) $(PKG_LIBS)

$B/tests/test_%: $B/tests/test_%.o $(TEST_HELP) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $^ $(TEST_LIBS) $(PKG_LIBS)

check: all $(TEST)
	@set -e; for t in $(TEST); do echo "== $$t"; VTR_COMMAND=$(CMD) $$t; done

clean:
	rm -rf build

-include $(OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TEST:=.d) $(TEST_HELP:.o=.d)
