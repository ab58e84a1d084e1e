#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Interfaces in random files against netplan and NetworkManager themselves. compare-network.py takes more trees.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/sbin:/usr/sbin

command -v python3 >/dev/null || { echo "SKIPPED: no python3"; exit 77; }
python3 "$here/compare-network.py" "$VTR_COMMAND" "${SEED:-1}" "${COUNT:-12}"
