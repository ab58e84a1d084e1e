#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# map against qemu-img map (7.2 when this was written), for each format of which the manual says that they agree, and those
# of which it says where they do not.
set -euo pipefail

cd "$(dirname "$0")/.."
# shellcheck source=tests/manual-guest.sh
. tests/manual-guest.sh
need qemu-img python3
# shellcheck source=tests/expect.sh
. tests/expect.sh

python3 - <<'X'
import random
r = random.Random(1)
with open("d.raw", "wb") as f:
    f.truncate(64 << 20)
    for i in range(30):
        f.seek(r.randrange(0, (64 << 20) - 200000))
        f.write(r.randbytes(r.randrange(1, 150000)))
X
for format in qcow2 qcow qed vmdk vpc vdi parallels vhdx; do
	qemu-img convert -O $format d.raw d.$format
	qemu-img map --output=json -f $format d.$format >theirs
	expect 0 "$V" map --json d.$format
	python3 - $format <<'X' || die "$format"
import json, sys

format = sys.argv[1]
keys = ("start", "length", "depth", "present", "zero", "data", "offset")
theirs = [{k: e.get(k) for k in keys} for e in json.load(open("theirs"))]
ours = [{k: e.get(k) for k in keys} for e in map(json.loads, open("out"))]
if format in ("vdi", "vpc"):  # blocks that are not there: QEMU calls them present
    for e in ours:
        e["present"] = e["present"] or e["zero"]
if format == "vhdx":  # QEMU says that all is data, and not where
    assert len(theirs) == 1 and sum(e["length"] for e in ours) == theirs[0]["length"], theirs
    sys.exit(0)
if ours != theirs:
    for a, b in zip(ours, theirs):
        if a != b:
            print(a, b, sep="\n")
            break
    sys.exit(1)
X
	ok
done
echo "$passed checks"
