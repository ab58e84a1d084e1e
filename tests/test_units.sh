#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Units of systemd in random trees, against systemctl and systemd themselves. compare-units.py takes more trees.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/sbin:/usr/sbin

for tool in systemctl mke2fs python3; do
	command -v $tool >/dev/null || { echo "SKIPPED: no $tool"; exit 77; }
done
# Versions differ in what they say of odd links; this one was compared at length.
version=$(systemctl --version | awk 'NR == 1 { print $2 }')
[ "$version" = 252 ] || { echo "SKIPPED: systemd $version, not 252"; exit 77; }
python3 "$here/compare-units.py" "$VTR_COMMAND" "${SEED:-1}" "${COUNT:-12}"
