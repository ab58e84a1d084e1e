#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vitrine df against what df(1) prints of the kernel's mount of the same image; without root, against dumpe2fs.
set -euo pipefail

V=$(realpath "${VTR_COMMAND:-build/release/vitrine}")
# shellcheck source=tests/environment.sh
. "$(dirname "$0")/environment.sh"
for tool in mke2fs dumpe2fs python3; do
	command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
T=$(mktemp -d)
mounted=
trap '[ -z "$mounted" ] || umount "$T/mnt"; rm -rf "$T"' EXIT
cd "$T"
die() { echo "FAILED: $*" >&2; exit 1; }

mkdir -p mnt tree/d
noise 1 3000000 >tree/d/file
for n in 1 2 3 4 5; do echo $n >tree/d/$n; done
n=0
while read -r size options; do
	rm -f img
	truncate -s "$size" img
	# shellcheck disable=SC2086 # options are words
	mke2fs -q -F $options -d tree img
	"$V" df -k img >out
	"$V" df -i img >iout
	"$V" df --json img >json
	# shellcheck disable=SC2046 # words are wanted
	python3 - $(dumpe2fs -h img 2>/dev/null | sed -n 's/^\(Free blocks\|Block size\|Inode count\|Free inodes\): *//p' | paste -sd' ') <<'X' || die "df $size $options is not dumpe2fs'"
import json, sys
inodes, free, free_inodes, bs = map(int, sys.argv[1:])
f, = json.load(open('json'))['filesystems']
assert f['size'] - f['used'] == free * bs, (f, free, bs)
assert f['inodes'] == inodes and f['inodes_used'] == inodes - free_inodes, f
X
	if real_root && mount -o loop,ro img mnt 2>/dev/null; then
		mounted=1
		df -k --output=size,used,avail,pcent mnt | sed 1d | tr -s ' ' >truth
		sed 1d out | awk '{ printf " %s %s %s %s\n", $3, $4, $5, $6 }' | tr -s ' ' | diff -w truth - || die "df -k $size $options"
		df --output=itotal,iused,iavail,ipcent mnt | sed 1d >truth
		sed 1d iout | awk '{ print $3, $4, $5, $6 }' >got
		diff -w <(tr -s ' ' <truth) got || die "df -i $size $options"
		umount mnt
		mounted=
	fi
	n=$((n + 1))
done <<'X'
8M -t ext2
8M -t ext2 -b 1024 -m 0
8M -t ext3
16M -t ext4 -b 1024
64M -t ext4
64M -t ext4 -m 50
64M -t ext4 -O bigalloc -C 16384
64M -t ext4 -O ^extents,^64bit -b 1024
2G -t ext4
300M -t ext4 -N 500
5M -t ext4 -b 1024 -m 30
X
got=0
"$V" df img nothing >out 2>&1 || got=$?
[ $got = 2 ] || die "status $got for a second argument"
echo "$n filesystems compared"
