#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Interfaces in random files against netplan and NetworkManager themselves. compare-network.py takes more trees.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/sbin:/usr/sbin

# Debian's packages of Python are Debian's Python's, which need not be the first one.
python=
for p in python3 /usr/bin/python3; do
	[ -n "$python" ] || ! "$p" -c 'import yaml' 2>/dev/null || python=$p
done
[ -n "$python" ] || { echo "SKIPPED: no python3 with yaml"; exit 77; }
"$python" "$here/compare-network.py" "$VTR_COMMAND" "${SEED:-1}" "${COUNT:-12}"
