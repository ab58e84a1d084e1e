#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The command as people and programs use it: exit statuses, text, JSON, checksums, hostile names, and that reading
# changes nothing and opens nothing but what it was given.
set -euo pipefail

# shellcheck source=tests/environment.sh
. "$(dirname "$0")/environment.sh"
V=${VTR_COMMAND:-build/release/vitrine}
V=$(realpath "$V")
for tool in mke2fs debugfs sfdisk qemu-img python3 sha256sum; do
	command -v "$tool" >/dev/null || { echo "skip: no $tool"; exit 77; }
done
T=$(mktemp -d)
[ -n "${KEEP:-}" ] || trap 'rm -rf "$T"' EXIT
cd "$T"
passed=0
ok() { passed=$((passed + 1)); }
die() { echo "FAILED: $*" >&2; cat err >&2 2>/dev/null; exit 1; }
# expect STATUS COMMAND…: run it, keep its output in out and err
expect() {
	local want=$1 got=0
	shift
	"$@" >out 2>err </dev/null || got=$?
	[ "$got" = "$want" ] || { cat out err >&2; die "status $got, expected $want: $*"; }
	ok
}
hasnt() { ! grep -qF -- "$2" "$1" || die "$1 has \"$2\""; ok; }
has() { grep -qF -- "$2" "$1" || { cat "$1" >&2; die "$1 has no \"$2\""; }; ok; }

# --- a guest: 32 MiB disk, one ext4 partition, a small system with names of every byte
mkdir -p tree/etc tree/bin tree/usr/lib tree/var/lib/dpkg tree/names tree/deep/er
cat >tree/etc/os-release <<'X'
ID=debian
PRETTY_NAME="Sample GNU/Linux 12"
VERSION_ID="12"
X
echo sample >tree/etc/hostname
echo '/dev/sda1 / ext4 defaults 0 1' >tree/etc/fstab
printf 'Package: a\nStatus: install ok installed\nVersion: 1.0\nArchitecture: all\n\n' >tree/var/lib/dpkg/status
ln -s etc/hostname tree/link
ln -s /etc tree/abs
ln -s loop tree/loop
truncate -s 3M tree/sparse
printf 'x' | dd of=tree/sparse bs=1 seek=2000000 conv=notrunc status=none
python3 - <<'X'
import os
for b in range(1, 256):
    if b not in (0x2f,):
        name = b'tree/names/n' + bytes([b]) + b'e'
        open(name, 'wb').write(bytes([b]) * b)
open('tree/names/\u202eevil\u2066', 'w').write('bidi')
open(b'tree/names/\x1b]0;title\x07', 'wb').write(b'esc')
X
truncate -s 32M fs.img
mke2fs -q -F -t ext4 -d tree -E root_owner=0:0 fs.img >/dev/null 2>&1
truncate -s 34M disk.raw
echo 'label: dos
start=2048, size=65536, type=83, bootable' | sfdisk -q disk.raw
dd if=fs.img of=disk.raw bs=1M seek=1 conv=notrunc status=none
qemu-img convert -O qcow2 disk.raw disk.qcow2
sha256sum disk.raw disk.qcow2 >before

# --- usage
expect 2 "$V"
expect 0 "$V" --help
expect 0 "$V" --version
expect 2 "$V" nosuchverb disk.qcow2
for verb in inspect info layout ls stat cat hash export; do
	expect 0 "$V" $verb -h
	has out "usage: vitrine $verb"
	expect 2 "$V" $verb
	expect 2 "$V" $verb --no-such-option disk.qcow2
	expect 2 "$V" $verb --limit nonsense=1 disk.qcow2 x
done
expect 2 "$V" ls --sector-size 513 disk.qcow2
expect 1 "$V" inspect missing.qcow2
has err "missing.qcow2"
expect 1 "$V" inspect .
has err "a directory"
expect 2 "$V" cat disk.qcow2

# --- facts
expect 0 "$V" inspect disk.qcow2
has out "Sample GNU/Linux 12"
has out "packages      1 (deb, apt)"
[ ! -s err ] || die "inspect says: $(cat err)"
expect 0 "$V" layout disk.qcow2
has out "/dev/sda1"
expect 0 "$V" info disk.qcow2
has out "qcow2"
expect 0 "$V" inspect disk.raw
expect 1 "$V" inspect --limit entries=1 --format qcow2 disk.raw
expect 1 "$V" ls --device /dev/sdz disk.qcow2
has err "/dev/sda1"

# --- one rule for all members of JSON: the guest's bytes, and _hex where they are no UTF-8
mkdir -p json/etc/systemd/system/multi-user.target.wants json/usr/lib json/bin
printf 'ID=debian\nVERSION_ID=12\nPRETTY_NAME="tab\there \\\\ back \342\200\256 \377"\n' >json/etc/os-release
printf '[Service]\nExecStart=/bin/x\n' >'json/etc/systemd/system/a\x2db.service'
ln -s '../a\x2db.service' 'json/etc/systemd/system/multi-user.target.wants/a\x2db.service'
echo '/dev/disk/by-label/my\x20data /srv ext4 defaults 0 0' >json/etc/fstab
mke2fs -q -F -t ext4 -d json json.img 8M >/dev/null 2>&1
got=0
"$V" inspect --json json.img >out 2>err || got=$?
python3 - <<'X' || die "members of JSON are escaped"
import json
o = json.load(open("out"))["operating_systems"][0]
assert [s["name"] for s in o["services"] if s["name"].startswith("a")] == ["a\\x2db.service"], o["services"]
assert [s["source"]["path"] for s in o["services"] if s["name"].startswith("a")] == [
    "/etc/systemd/system/multi-user.target.wants/a\\x2db.service"]
assert any(m["spec"] == "/dev/disk/by-label/my\\x20data" for m in o["mounts"]), o["mounts"]
name = o["product_name"]
assert name == "tab\there \\ back \u202e \ufffd", name
assert bytes.fromhex(o["product_name_hex"]) == b"tab\there \\ back \xe2\x80\xae \xff"
X
ok

# --- paths stay in the guest
expect 0 "$V" cat disk.qcow2 /link
[ "$(cat out)" = sample ] || die "cat /link"
expect 0 "$V" cat disk.qcow2 ../../../../abs/hostname
[ "$(cat out)" = sample ] || die "cat through links"
expect 1 "$V" cat disk.qcow2 /loop
has err "symlinks=40"
expect 1 "$V" cat disk.qcow2 /etc
expect 1 "$V" cat disk.qcow2 /nope
has err "no such file"
expect 0 "$V" cat --device sda1 disk.qcow2 /sparse
cmp out tree/sparse

# --- hash is sha256sum's own format
expect 0 "$V" hash -R disk.qcow2 names
(cd tree && sha256sum -c ../out) >sums || die "sha256sum -c refuses it"
[ "$(grep -c OK sums)" -ge 255 ] || die "$(wc -l <sums) files hashed"
expect 0 "$V" hash disk.qcow2 /sparse
has out "$(sha256sum <tree/sparse | cut -d' ' -f1)"
expect 1 "$V" hash disk.qcow2 /etc

# --- a file that says of itself that it is huge: holes are not produced for hours
mke2fs -q -F -t ext4 huge.img 8M 2>/dev/null
debugfs -w -R "write tree/sparse big" huge.img >/dev/null 2>&1
debugfs -w -R "sif big size 0xfffffffffff" huge.img 2>/dev/null
for cmd in "3 hash huge.img /big" "3 hash -R huge.img /" "1 cat huge.img /big"; do
	expect "${cmd%% *}" timeout 60 "$V" ${cmd#* }
	has err "big: bytes of a file: 17592186044415 needed, limit file=1099511627776"
done
expect 1 "$V" cat --limit file=100 --device sda1 disk.qcow2 /sparse
has err "limit file=100"
[ ! -s out ] || die "something was printed of what is too large"
# Where its holes are known, they take no room in a stream.
expect 0 timeout 60 "$V" tar huge.img /big
[ "$(wc -c <out)" -lt 3000000 ] || die "the stream has the holes"
expect 3 "$V" tar --limit file=100 huge.img /big
has err "limit file=100"
tar -tf out >names.out || die "the stream is not whole"
[ ! -s names.out ] || die "the file is in the stream"

# --- names are harmless in text; JSON is strict, and has every byte
for cmd in "ls -lR" "ls names" "ls -R" "hash -R --json" "ls -R --json" "ls -lR --json"; do
	set -- $cmd
	verb=$1
	shift
	args=() paths=()
	for a in "$@"; do case $a in -*) args+=("$a") ;; *) paths+=("$a") ;; esac; done
	expect 0 "$V" "$verb" "${args[@]}" disk.qcow2 "${paths[@]}"
	python3 - out <<'X' || die "$cmd prints something harmful"
import sys, unicodedata
t = open(sys.argv[1], 'rb').read().decode('utf-8')
bad = [c for c in t if c != '\n' and unicodedata.category(c) in ('Cc', 'Cf', 'Zl', 'Zp')]
sys.exit(1 if bad else 0)
X
done
expect 0 "$V" ls --json disk.qcow2 names
python3 - out <<'X' || die "ls --json loses a name"
import json, os, sys
def strict(s): raise ValueError(s)
want = set(os.listdir(b'tree/names'))
got = set()
for line in open(sys.argv[1], encoding='utf-8', errors='strict'):
    o = json.loads(line, parse_constant=strict)
    raw = bytes.fromhex(o['path_hex']) if 'path_hex' in o else o['path'].encode()
    got.add(raw.split(b'/')[-1])
sys.exit(0 if got == want else print(want ^ got) or 1)
X
ok
for cmd in "inspect" "info" "layout"; do
	expect 0 "$V" $cmd --json disk.qcow2
	python3 -c 'import json,sys; json.load(open("out", encoding="utf-8"))' || die "$cmd --json"
	cp out out1
	"$V" $cmd --json disk.qcow2 >out2
	cmp out1 out2 || die "$cmd --json differs from one run to the next"
	ok
done
expect 0 "$V" stat --json disk.qcow2 /sparse /link
python3 - <<'X' || die "stat --json"
import json
a = json.load(open('out'))
assert [f['type'] for f in a] == ['file', 'symlink'], a
assert a[0]['size'] == 3 << 20 and a[1]['target'] == 'etc/hostname'
X
ok

# --- export
expect 0 "$V" export disk.qcow2 new.raw
cmp new.raw disk.raw
# Where the host has holes, and allocates at once, a disk that is nearly all zeros takes little.
truncate -s 32M hole
if [ "$(stat -c %b hole)" -lt 1024 ]; then
	sync new.raw
	[ $(($(stat -c '%b * %B' new.raw))) -lt $((16 << 20)) ] || die "export is not sparse"
fi
expect 1 "$V" export disk.qcow2 new.raw
has err "--force"
expect 0 "$V" export -f disk.qcow2 new.raw
"$V" export disk.qcow2 - | cmp - disk.raw || die "export -"
"$V" export --device sda1 disk.qcow2 - | cmp - fs.img || die "export --device"
[ "$(ls new.raw*)" = new.raw ] || die "export leaves something behind"
cp disk.qcow2 own.qcow2
expect 1 "$V" export -f own.qcow2 own.qcow2
has err "the image itself"
cmp own.qcow2 disk.qcow2
qemu-img create -q -f qcow2 -b own.qcow2 -F qcow2 overlay.qcow2
expect 1 "$V" export -f --follow overlay.qcow2 own.qcow2
cmp own.qcow2 disk.qcow2
expect 1 "$V" hash disk.qcow2 ''
expect 2 "$V" cat --json disk.qcow2 /link
expect 2 "$V" info --format nosuch disk.qcow2
has err "qcow2"
# Every verb, also where it has little to say, tells of a full disk once, and ends in silence when nobody reads.
printf '%s\n' --version --help "ls --help" "inspect disk.qcow2" "info disk.qcow2" "layout disk.qcow2" "df disk.qcow2" \
	"ls disk.qcow2" "ls -lR disk.qcow2 /" "stat disk.qcow2 /" "cat disk.qcow2 /sparse" "cat disk.qcow2 /link" \
	"hash -R disk.qcow2" "find disk.qcow2" "grep a disk.qcow2 /link" "tar disk.qcow2" "export disk.qcow2 -" \
	"map disk.qcow2" "compare disk.qcow2 disk.raw" "get -v disk.qcow2 /link verbose" >commands
closed()
{
	# shellcheck disable=SC2086
	{ got=0; "$V" $line 2>err || got=$?; echo $got >status; } | true || true
	got=$(cat status)
}
while read -r line; do
	if [ -e /dev/full ]; then
		got=0
		# shellcheck disable=SC2086
		"$V" $line >/dev/full 2>err || got=$?
		[ $got = 1 ] || die "$line: a full disk is not told: $got"
		[ "$(grep -c 'No space left on device' err)" = 1 ] || die "$line: a full disk"
		ok
	fi
	rm -rf verbose
	closed
	# What fits into the pipe before its end closes is no failure.
	[ $got = 141 ] || [ $got = 0 ] || die "$line: a closed pipe: $got"
	[ ! -s err ] || die "$line: a closed pipe is told of"
	rm -rf verbose
	(trap '' PIPE && closed && [ $got -le 1 ]) || die "$line: a closed pipe with SIGPIPE ignored"
	rm -rf verbose
	ok
done <commands
line="export disk.qcow2 -"
closed
[ $got = 141 ] || die "a pipe that is closed early: $got"

# What the caller has closed is no file that is opened later.
expect 1 bash -c '"$1" export --sha256 disk.raw closed.raw >&-' bash "$V"
cmp closed.raw disk.raw

# --- what is nearly right
expect 2 "$V" isnpect disk.qcow2
has err "did you mean inspect?"
expect 2 "$V" xyzzy disk.qcow2
hasnt err "did you mean"
expect 2 "$V" ls --jsno disk.qcow2
has err "unknown option --jsno; did you mean --json?"
expect 2 "$V" ls --xyzzy disk.qcow2
hasnt err "did you mean"
expect 2 "$V" ls --fo disk.qcow2
has err "--fo: which of --format, --follow?"
expect 2 "$V" ls --json=1 disk.qcow2
has err "no value belongs to --json=1"
expect 2 "$V" ls --device
has err "--device needs a value"
expect 2 "$V" log --since yesterday disk.qcow2
has err "--since yesterday: a value that it does not take"
has err "--since TIME     from this time on"
expect 2 "$V" get --max-bytes many disk.qcow2 / x
has err "--max-bytes many: "
expect 2 "$V" export -O vmdk disk.qcow2 x
has err "-O vmdk: "
expect 2 "$V" export --to vmdk disk.qcow2 x
has err "--to vmdk: "
has err "raw (sparse) or qcow2"
# Letters as fingers have them from ls(1) and df(1).
expect 0 "$V" ls -l disk.qcow2 /etc
cp out long
for letters in -al -la -lA -l1 -1al -alR; do
	expect 0 "$V" ls $letters disk.qcow2 /etc
	[ $letters = -alR ] || cmp out long || die "ls $letters"
done
expect 0 "$V" ls -ld disk.qcow2 /etc
[ "$(wc -l <out)" = 1 ] || die "ls -ld"
has out "/etc"
expect 0 "$V" ls -d sda1 disk.qcow2 /etc
has out "hostname"
expect 0 "$V" ls -a disk.qcow2 /etc
has out "hostname"
expect 0 "$V" ls -h
has out "usage: vitrine ls"
expect 2 "$V" ls -lz disk.qcow2
# numfmt (GNU coreutils) rounds up, as ls -h does.
expect 0 "$V" ls -l disk.qcow2 /
awk '$1 ~ /^-/ { print $5 }' out | numfmt --to=iec >sizes
for how in "-lh disk.qcow2" "-h -l disk.qcow2" "-hl disk.qcow2"; do
	# shellcheck disable=SC2086
	expect 0 "$V" ls $how /
	[ "$(awk '$1 ~ /^-/ { print $5 }' out)" = "$(cat sizes)" ] || die "ls $how"
done
expect 0 "$V" df --json disk.qcow2
size=$(sed -n 's/^ *"size": \([0-9]*\),*$/\1/p' out)
for how in "-h iec" "-H si" "-hT iec"; do
	expect 0 "$V" df ${how% *} disk.qcow2
	[ "$(awk 'NR == 2 { print $3 }' out)" = "$(numfmt --to=${how#* } $size)" ] || die "df $how"
done
expect 0 "$V" df -h
has out "usage: vitrine df"
# Sizes and times with units: the limit says which number it is.
for unit in 64:64 1k:1024 1K:1024 1KiB:1024 2m:2097152 1kB:1000 1G:1073741824; do
	expect 2 "$V" ls --limit "nosuch=${unit%:*}" disk.qcow2
	expect 0 "$V" ls --limit "alloc=${unit%:*}" --limit alloc=64M disk.qcow2
done
expect 3 "$V" hash --limit file=1k disk.qcow2 /sparse
has err "limit file=1024"
for bad in 1x 1kk k -1 +1 "" " 1" 1.5k 99999999999999999999 16E; do
	expect 2 "$V" ls --limit "alloc=$bad" disk.qcow2
done
for good in 0 10 10s 5m 500ms 1h 1d; do
	expect 0 "$V" ls --timeout $good disk.qcow2
done
for bad in 5x s 1ss -5 ""; do
	expect 2 "$V" ls --timeout "$bad" disk.qcow2
	has err "--timeout $bad: "
done

# --- damage: what can be read is delivered, each loss is named, the status is 3
cp fs.img bad.img
ino=$(debugfs -R 'stat /deep' fs.img 2>/dev/null | sed -n 's/^Inode: \([0-9]*\).*/\1/p')
block=$(debugfs -R "blocks <$ino>" fs.img 2>/dev/null | tr -dc '0-9\n' | head -n1)
bs=$(dumpe2fs -h fs.img 2>/dev/null | sed -n 's/^Block size: *//p')
printf '\377\377\377\377' | dd of=bad.img bs=1 seek=$((block * bs + 4)) conv=notrunc status=none
expect 3 "$V" ls -R bad.img
has out "/etc/hostname"
has err "directory inode $ino"

# --- the header's extents
expect 0 "$V" stat --extents disk.qcow2 /sparse
has out "extent:"

# --- nothing but the image was opened, nothing was written
sha256sum -c --quiet before || die "an image changed"
if command -v strace >/dev/null && strace -qq -o /dev/null true 2>/dev/null; then
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e trace=open,openat,openat2,connect,execve -o trace "$V" ls -lR disk.qcow2 >/dev/null
	if grep -vE 'ENOENT|/lib/|/usr/lib|/etc/ld\.so|locale|openssl|/proc/|/sys/|"disk.qcow2"|execve\(' trace; then
		die "it opened something else"
	fi
	if grep -E '"disk.qcow2".*(O_RDWR|O_WRONLY)' trace; then
		die "the image is opened for writing"
	fi
	ok
fi
echo "$passed passed, 0 failed"
