# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by every test that is a script: what the tools print and make depends on none of the user's settings.
# tests/part_images.c does the same for tests that are programs.
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C.UTF-8 TZ=UTC
# LANGUAGE goes before LC_ALL in all locales but C.
unset LANGUAGE POSIXLY_CORRECT SOURCE_DATE_EPOCH BLOCKSIZE BLOCK_SIZE DF_BLOCK_SIZE TAR_OPTIONS XZ_OPT XZ_DEFAULTS
umask 022

# noise SEED LENGTH: bytes without a pattern, the same ones each time
noise() { python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(int(sys.argv[1])).randbytes(int(sys.argv[2])))' "$1" "$2"; }

# Whether we are root of the machine: root of a user namespace can neither mount, nor make devices, nor give files away.
real_root() { [ "$(id -u)" = 0 ] && [ "$(tr -s ' ' </proc/self/uid_map)" = " 0 0 4294967295" ]; }
