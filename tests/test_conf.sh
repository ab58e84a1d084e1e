#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Configuration in random files against the programs that read them. compare-conf.py takes more trees.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/sbin:/usr/sbin

command -v python3 >/dev/null || { echo "SKIPPED: no python3"; exit 77; }
python3 "$here/compare-conf.py" "$VTR_COMMAND" "${SEED:-1}" "${COUNT:-12}"
