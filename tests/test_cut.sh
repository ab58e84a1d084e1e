#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An image that was cut at half is one warning, whatever is asked of it; what follows from that is counted. Files that are lost
# by it are named, ten of them. Fifty damaged cells of a hive are ten warnings and a count, whatever their keys are called.
set -euo pipefail

cd "$(dirname "$0")/.."
for tool in mke2fs sfdisk qemu-img python3; do
	command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
# shellcheck source=tests/expect.sh
. tests/expect.sh

mkdir -p tree/etc tree/data
printf 'ID=debian\nVERSION_ID="12"\n' >tree/etc/os-release
for d in $(seq 1 40); do
	mkdir "tree/data/d$d"
	noise "$d" 200000 >"tree/data/d$d/f1"
	echo "line $d" | tee "tree/data/d$d/s1" >"tree/data/d$d/s2"
done
truncate -s 24M fs
mke2fs -q -F -t ext4 -b 1024 -d tree fs
truncate -s 26M full.raw
printf 'label: dos\nstart=2048, size=49152, type=83, bootable\n' | sfdisk -q full.raw
dd if=fs of=full.raw bs=1M seek=1 conv=notrunc,sparse status=none
for format in qcow2 vmdk; do
	qemu-img convert -O $format full.raw "cut.$format"
	# At the end of a cluster: of one that is cut, the rest reads as zeros, which is a warning of its own.
	truncate -s "$(($(stat -c %s "cut.$format") / 131072 * 65536))" "cut.$format"
done
head -c 6M full.raw >cut.raw
head -c 6M fs >cut.fs

# quiet WARNINGS LOSSES COMMAND…: at most so many warnings that are no counts, and messages of files; each with a count
quiet()
{
	local warnings=$1 losses=$2 status=0
	shift 2
	"$V" "$@" >out 2>err </dev/null || status=$?
	[ "$(grep -c '^vitrine: warning: ' err)" -le "$warnings" ] || die "too many warnings: $*"
	[ "$(grep -vc '^vitrine: warning: \|^vitrine: … and ' err)" -le "$losses" ] || die "too many losses: $*"
	[ "$(grep -c '^vitrine: … and ' err)" -le 2 ] || die "too many counts: $*"
	[ "$status" != 0 ] || [ ! -s err ] || die "something was lost, and the status is 0: $*"
	ok
}

for image in cut.raw cut.fs cut.qcow2 cut.vmdk; do
	for command in info layout df 'inspect --json' 'log' map; do
		# shellcheck disable=SC2086
		quiet 1 1 $command $image
	done
	quiet 1 1 compare $image full.raw
	quiet 1 1 export --force $image "$image.out"
	quiet 1 1 stat $image /etc/os-release
	quiet 1 1 cat $image /etc/os-release
	quiet 1 1 cat $image /data/d9/f1
	for command in 'ls -R' find 'hash -R'; do
		# shellcheck disable=SC2086
		quiet 1 11 $command $image /
	done
	quiet 1 11 grep -r line $image /
	mkdir "$image.got"
	quiet 1 11 get $image / "$image.got"
	quiet 1 11 tar -f "$image.tar" $image
	quiet 1 11 diff $image full.raw
	# The exit status says that it is not all there.
	expect 3 "$V" ls -R $image /
	grep -q '^vitrine: warning: ' err || die "$image: no warning"
done
# Of two images that are cut, each is told.
expect 3 "$V" diff --quick cut.qcow2 cut.vmdk
[ "$(grep -c '^vitrine: warning: ' err)" = 2 ] && has err ': cut.qcow2: ' && has err ': cut.vmdk: '

python3 - "$top/tests/mk-hive.py" <<'X'
import importlib.machinery, importlib.util, sys
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("mk", sys.argv[1])
mk = importlib.util.module_from_spec(importlib.util.spec_from_loader("mk", loader))
loader.exec_module(mk)
words = "red green blue alpha beta gamma delta one two three".split()
keys = [mk.Key("my %s key of %s" % (a, b), values=[("v", mk.SZ, mk.sz("text"))]) for a in words for b in words[:5]]
h = mk.Hive(mk.Key("ROOT", *keys))
for k in keys:
    h.patch(h.where["\\" + k.name + "\\\\v"] + 4, b"xx")
mk.write("cells", h.bytes())
X
for command in 'ls -R' export 'export --json' 'find cells text'; do
	[ "$command" = 'find cells text' ] || command="$command cells"
	# shellcheck disable=SC2086
	expect 3 "$V" reg $command
	[ "$(grep -c '^vitrine: warning: ' err)" = 10 ] && has err '… and 40 more like this: ' || die "fifty cells: $command"
done
echo "$passed checks passed"
