#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Facts of Linux systems that lie in several files, in trees that are made for one question each: repositories, users of
# nsswitch.conf's databases, boot entries, kernels. Where the expected values are from is said beside them.
set -euo pipefail

cd "$(dirname "$0")/.."
V=$(realpath "${VTR_COMMAND:-build/release/vitrine}")
for tool in mke2fs python3; do
	PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || {
		echo "SKIPPED: no $tool"
		exit 77
	}
done
here=$PWD
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# shellcheck source=tests/environment.sh
. tests/environment.sh
cd "$dir"
V=$V PATH=$PATH:/usr/sbin:/sbin python3 -B "$here/tests/linux-trees.py"
