#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# "make STATIC=1" gives a command that needs no shared library, and that answers like the other one.
set -euo pipefail

# shellcheck source=tests/environment.sh
. tests/environment.sh
[ -n "${VTR_SLOW-}" ] || {
	echo "skipped: VTR_SLOW is not set"
	exit 77
}
MAKEFLAGS=$(sed -E 's/ *(-j[0-9]*|--jobserver-[a-z]+=[^ ]*)//g' <<<"${MAKEFLAGS-}")
export MAKEFLAGS
# Whether it works does not depend on much optimisation, which takes time.
make -s --no-print-directory STATIC=1 VARIANT=static WERROR=0 CFLAGS=-O1 -j"$(nproc)" >/dev/null
static=$PWD/build/static/vitrine
! readelf -d "$static" | grep NEEDED
[ "$("$static" --version)" = "$("$VTR_COMMAND" --version)" ]
VTR_COMMAND=$static bash tests/test_command.sh
VTR_COMMAND=$static bash tests/test_export.sh
