#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vitrine grep against GNU grep on the tree that the image was made of: the same lines, the same status.
set -euo pipefail

V=$(realpath "${VTR_COMMAND:-build/release/vitrine}")
# shellcheck source=tests/environment.sh
. "$(dirname "$0")/environment.sh"
for tool in mke2fs debugfs grep python3; do
	command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
grep --version | grep -q 'GNU grep' || { echo "skipped: grep is not GNU grep"; exit 77; }
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T"
die() { echo "FAILED: $*" >&2; exit 1; }

mkdir -p src/etc/sub src/bin src/empty src/holes src/raw
cat >src/etc/passwd <<'X'
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
Root-Beer:x:2:2::/:/bin/false
a.b*c[d]e^f$g+h?(i){j}|k\l
root
rootroot root_root root-root (root)
éclair Éclair œuvre

  tabs	and  blanks
the end
X
printf 'no newline at the end' >src/etc/nonl
printf 'one\r\ntwo\r\nroot\r\n' >src/etc/dos
: >src/etc/zero
printf '\n\n\n' >src/etc/blank
printf 'root\0hidden\nplain root\n\0\0root' >src/bin/nuls
printf 'text first\nroot here\n' >src/bin/late
head -c 200000 /dev/zero | tr '\0' 'x' | fold -w 79 >>src/bin/late
printf '\nroot again\0root\n' >>src/bin/late
printf 'latin \351 root\nroot fine\n' >src/raw/latin1
noise 1 300000 >src/raw/random
head -c 150000 /dev/zero | tr '\0' y >src/etc/sub/longline
echo ' root' >>src/etc/sub/longline
seq 1 30000 >src/etc/sub/numbers
python3 -c '
for i in range(4000): print("line %d of %s: %s" % (i, "root" if i % 97 == 0 else "nobody", "z" * (i % 300)))' >src/etc/sub/log
printf 'abc\nabcabc\nab\nxabcx\n' >src/etc/sub/abc
ln -s ../passwd src/etc/sub/link
mkfifo src/pipe
cp /bin/true src/raw/program
truncate -s 20M src/holes/hole
printf 'root' | dd of=src/holes/hole bs=1 seek=15000000 conv=notrunc status=none
mke2fs -q -F -t ext4 -b 4096 -d src img 64M
debugfs -w -R 'rmdir lost+found' img 2>/dev/null

compared=0 failed=0
compare()
{
	local a=0 b=0
	(cd src && grep "$@") >truth 2>truth.err </dev/null || a=$?
	# The image comes after the pattern, or where it would be.
	local words=() given= taken=
	for w in "$@"; do
		if [ -z "$taken" ] && [[ $w != -* ]] && [ -z "$value" ]; then
			if [ -n "$given" ]; then words+=(img "$w"); else words+=("$w" img); fi
			taken=1
		else
			words+=("$w")
		fi
		case $w in -e) given=1 value=1 ;; -m) value=1 ;; *) value= ;; esac
	done
	timeout 60 "$V" grep "${words[@]}" >out 2>err </dev/null || b=$?
	sed -n 's/^grep: \(.*: binary file matches\)$/vitrine: \1/p' truth.err | sort - truth >truth.sorted
	sed -n '/: binary file matches$/p' err | sort - out >sorted
	compared=$((compared + 1))
	# What grep calls trouble is 2.
	[ $a != 2 ] || a=3
	if ! cmp -s sorted truth.sorted || [ $a != $b ]; then
		failed=$((failed + 1))
		echo "FAILED: grep $*: status $b, of grep(1) $a"
		head -n 5 err truth.err || true
		diff -a truth.sorted sorted | cut -c1-200 | head -n 10 || true
	fi
}
value=

# Each pattern with each option makes some 800 comparisons. Without VTR_SLOW every fifth is made: each pattern and each
# option still take part, as the lists of options have 18, 9 and 8 members.
turn=0
ours() { turn=$((turn + 1)); [ -n "${VTR_SLOW:-}" ] || [ $((turn % 5)) = 0 ]; }

patterns=(root '^root' 'root$' '^root$' 'r..t' 'ro*t' '[Rr]oot' '[[:digit:]]\+' '^$' '.' '' 'x*' 'a.b' '\.' 'r\(oo\)t' '\(ab*c\)\1'
	'nosuchthing' '[^[:alnum:]_ ]' 'é' '[éœ]' 'œ.vre' 'z\{250,\}' 'line 3[0-9]* of' '\<root\>' '\broot' '\w\+:x' $'root\ndaemon')
for p in "${patterns[@]}"; do
	for options in '' -i -v -c -n -o -w -x -l -L -q '-i -w' '-v -c' '-n -o' '-c -w' '-i -x' '-m 2' '-on -i'; do
		# GNU grep does not even look when nothing can be selected.
		[ "$options$p" != '-v -c' ] || continue
		ours || continue
		# shellcheck disable=SC2086 # options are words
		compare -r $options "$p" etc
	done
	compare -r "$p" bin
	compare -rc "$p" bin
	compare -rl "$p" etc bin
	compare -r --text "$p" bin/nuls
done
# In lines that are no UTF-8 a character is a byte here, and nothing there.
for p in root '^root' 'root$' nosuchthing '' 'r\(oo\)t' '[Rr]oot' ELF; do
	compare -r "$p" raw
	compare -rc "$p" raw
	compare -rl "$p" raw
done
extended=('ro+t' 'root|daemon' '(ab)+c' '^(root|the)' 'x{3}' 'o{2}' '(a|ab)(c|bcd)?' '[0-9]+:[0-9]+' '^[^:]*:x:[0-9]{1}:' '\(i\)' 'a?b?c?' 'é|œ' '(^| )root( |$)')
for p in "${extended[@]}"; do
	for options in -E '-E -i' '-E -v' '-E -o' '-E -w' '-E -x' '-E -c' '-E -n' '-E -ow'; do
		ours || continue
		# shellcheck disable=SC2086
		compare -r $options "$p" etc
	done
done
fixed=('a.b*c[d]e' '^' '$' '.' '|k\l' '(i){j}' root '' '?(' 'ROOT')
for p in "${fixed[@]}"; do
	for options in -F '-F -i' '-F -v' '-F -o' '-F -w' '-F -x' '-F -c' '-F -n -i'; do
		ours || continue
		# shellcheck disable=SC2086
		compare -r $options "$p" etc
	done
done
compare root etc/passwd
compare -n root etc/passwd
compare -H root etc/passwd
compare root etc/passwd etc/dos
compare -c root etc/passwd etc/dos etc/zero
compare --no-filename root etc/passwd etc/dos
compare --no-filename -r root etc
compare -e root -e daemon etc/passwd
compare -F -e root -e x: -o etc/passwd
compare -r -I root etc bin
compare -r -I -c root etc bin
compare root etc/sub/link
compare -r root etc/sub/link
compare root nosuch
compare root nosuch etc/passwd
compare -s root nosuch
compare -q root nosuch etc/passwd
compare -q root etc/passwd nosuch
compare -q nothere etc/passwd
compare -m 0 root etc/passwd
compare -m 1 -c root etc/passwd
compare -r root bin
compare -c '' etc/zero
compare -c '' etc/blank
compare -c '' etc/nonl
compare --text root bin/nuls
compare --text -c root bin/nuls bin/late raw/latin1
compare --text -o 'root' bin/nuls
compare -c -v root bin/nuls
compare -c root bin/late
compare root holes/hole

usage() {
	local got=0
	"$V" grep "$@" >out 2>err </dev/null || got=$?
	[ $got = 2 ] || { cat err; die "status $got, expected 2: grep $*"; }
}
usage
usage root
usage root img
usage -E '(' img etc
usage '\(' img etc
usage -m x root img etc
usage -e
got=0
"$V" grep root nosuch.img etc >out 2>err || got=$?
[ $got = 3 ] || die "status $got for an image that is not there"
[ "$("$V" grep -a img -c root etc/passwd)" = "$(grep -c root src/etc/passwd)" ] || die "-a"
"$V" grep --json -r root img etc bin >out
python3 - <<'X' || die "--json"
import json
lines = [json.loads(l) for l in open('out', encoding='utf-8')]
assert {'path': 'etc/passwd', 'line': 1, 'text': 'root:x:0:0:root:/root:/bin/bash'} in lines
assert {'path': 'bin/nuls', 'binary': True} in lines
X
# Holes are not read.
debugfs -w -R 'sif /holes/hole size 0xfffffffff000' img 2>/dev/null
timeout 60 "$V" grep -c root img holes/hole >out || die "a file of holes takes too long"
echo "$compared comparisons, $failed differ"
[ $failed = 0 ]
