#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is ambiguous is chosen by the option that the message names, in every verb; what is there and not read is named.
set -euo pipefail

cd "$(dirname "$0")/.."
# shellcheck source=tests/expect.sh
. tests/expect.sh
for tool in mke2fs sfdisk python3; do
	command -v "$tool" >/dev/null || { echo "skip: no $tool"; exit 77; }
done

# verb VERB IMAGE [OPTION…]: run a verb that looks at files on an image, with what it takes
verb()
{
	local name=$1 image=$2
	shift 2
	case $name in
	ls | find | tar) "$V" "$name" "$@" "$image" / ;;
	cat | stat | hash) "$V" "$name" "$@" "$image" /etc/hostname ;;
	grep) "$V" grep "$@" o "$image" /etc/hostname ;;
	get) rm -rf got && mkdir got && "$V" get "$@" "$image" /etc/hostname got ;;
	diff) "$V" diff "$@" "$image" "$image" ;;
	inspect | layout | df | map | info) "$V" "$name" "$@" "$image" ;;
	export) "$V" export "$@" -d sda1 "$image" out.raw && rm -f out.raw ;;
	*) die "$name?" ;;
	esac
}
paths='ls find tar cat stat hash grep get'

mkdir -p one/etc two/etc
echo one >one/etc/hostname
echo two >two/etc/hostname
for i in one two; do
	truncate -s 4M $i.fs
	mke2fs -q -F -t ext4 -L $i -d $i $i.fs
done

# --- an MBR over a former GPT, without a protective entry: sfdisk wrote the GPT, what is at 1 MiB is the MBR's.
# UEFI 2.10, 5.2.3, wants the entry, and Linux does; blkid (util-linux 2.38) says PTTYPE="dos".
truncate -s 32M stale
printf 'label: gpt\nstart=20480, size=8192, name=old\nsize=8192\n' | sfdisk -q stale
dd if=one.fs of=stale bs=1M seek=1 conv=notrunc status=none
dd if=two.fs of=stale bs=1M seek=10 conv=notrunc status=none
python3 - <<'X'
import struct
f = open('stale', 'r+b')
f.seek(440)
f.write(b'\x11\x22\x33\x44\0\0' + struct.pack('<B3sB3sII', 0x80, b'\0\2\0', 0x83, b'\0\0\0', 2048, 8192) + bytes(48) + b'\x55\xaa')
X
expect 0 "$V" layout stale
has err "--table gpt reads the GPT"
has out "44332211"
expect 0 "$V" cat stale /etc/hostname
is one
expect 0 "$V" cat --table gpt stale /etc/hostname
is two
expect 0 "$V" cat --table mbr --table sda=gpt stale /etc/hostname
is two
expect 0 "$V" cat --table /dev/sda=gpt stale /etc/hostname
is two
for v in $paths diff inspect layout df map info export; do
	for t in mbr gpt; do
		status=0
		[ "$v" != inspect ] || status=1 # there is no system
		expect $status verb $v stale --table $t
		! grep -q "$t gpt reads" err || [ "$t" = mbr ] || die "$v --table gpt tells of the GPT"
	done
done
expect 0 "$V" info --measure --table gpt stale
has out "2, 2 of them"
expect 0 "$V" info --measure stale
has out "1, 1 of them"
expect 0 "$V" layout --table none stale
hasnt out sda1
expect 2 "$V" ls --table dos stale
has err "none, gpt, mbr"
expect 1 "$V" ls --table sdb=gpt stale /
has err 'no device "sdb": there is /dev/sda'
cp one.fs bare
expect 1 "$V" ls --table gpt bare /
has err "there is no gpt partition table"

# --- two filesystems on one device, whose signs are equally strong: an NTFS boot sector before an ext4
cp one.fs both
printf 'NTFS    ' | dd of=both bs=1 seek=3 conv=notrunc status=none
printf '\125\252' | dd of=both bs=1 seek=510 conv=notrunc status=none
expect 1 "$V" cat both /etc/hostname
has err "--fs ext or --fs ntfs"
for v in $paths diff inspect layout df; do
	status=0
	[ "$v" != inspect ] || status=1
	expect $status verb $v both --fs ext
	hasnt err "signs of"
	expect $status verb $v both --fs sda=ext4
	hasnt err "signs of"
done
expect 0 "$V" cat --fs ntfs --fs /dev/sda=ext both /etc/hostname
is one
expect 1 "$V" cat --fs ntfs both /etc/hostname
has err "ntfs: "
# A type for all devices is for those that have its signs; for one, it is tried.
expect 0 "$V" cat --fs ntfs bare /etc/hostname
expect 1 "$V" cat --fs ntfs -d sda bare /etc/hostname
has err "ntfs: "
expect 2 "$V" ls --fs nothing bare
has err "ext, ntfs"
expect 1 "$V" ls --fs sdc1=ext bare /
has err 'no device "sdc1"'
expect 2 "$V" map --fs ext bare
expect 2 "$V" compare --table mbr bare bare

# --- LUKS on the whole disk: every verb says so
truncate -s 4M luks
printf 'LUKS\272\276\0\1' | dd of=luks conv=notrunc status=none
for v in $paths diff inspect df; do
	status=1
	case $v in
	diff) status=2 ;;
	grep) status=3 ;;
	esac
	expect $status verb $v luks
	has err LUKS
	[ "$v" = inspect ] || [ "$v" = df ] || { expect $status verb $v luks -d sda; has err LUKS; }
done
expect 1 "$V" log luks
has err LUKS
expect 0 "$V" layout luks
has out LUKS

# --- one that can be read beside others that cannot: it is not taken for the machine, and both are named
truncate -s 16M beside
printf 'label: dos\nstart=2048, size=8192, type=83\nstart=10240, size=8192, type=8e\nsize=4096, type=83\n' | sfdisk -q beside
dd if=one.fs of=beside bs=1M seek=1 conv=notrunc status=none
printf 'LUKS\272\276\0\2' | dd of=beside bs=1 seek=$((5 * 1048576)) conv=notrunc status=none
printf 'XFSB' | dd of=beside bs=1 seek=$((9 * 1048576)) conv=notrunc status=none
expect 1 "$V" cat beside /etc/hostname
has err "choose with --device: /dev/sda1; /dev/sda2 has LUKS encrypted volume (not read), /dev/sda3 has xfs (not read)"
# What it says to choose can be chosen.
for d in $(sed -n 's/.*choose with --device: \([^;]*\).*/\1/p' err); do
	expect 0 "$V" cat --device "$d" beside /etc/hostname
	is one
done
expect 1 "$V" cat -d sda2 beside /etc/hostname
has err "/dev/sda2: LUKS encrypted volume: recognised, and not read"
expect 1 "$V" cat -d sda3 beside /etc/hostname
has err "/dev/sda3: XFS"
expect 1 "$V" cat -d sda beside /etc/hostname
has err "/dev/sda: it is a disk with partitions (mbr): choose one of them"

# --- ranges that no partition takes, as sfdisk -F (util-linux 2.38) has them; what is less than 1 MiB is alignment
unused()
{
	expect 0 "$V" layout --json "$1"
	python3 - <<'X'
import json
t = json.load(open("out"))["devices"][0]["partition_table"]
print(" ".join("%d+%d" % (u["start"] // 512, u["size"] // 512) for u in t["unallocated"]))
X
}
truncate -s 64M gaps
printf 'label: gpt\nfirst-lba: 2048\nstart=4096, size=8192, name=part\nstart=40960, size=8192\n' | sfdisk -q gaps
dd if=two.fs of=gaps bs=512 seek=4096 conv=notrunc status=none
theirs=$(sfdisk -F gaps | awk '/^ *[0-9]+ +[0-9]+ +[0-9]+ / { printf "%s%s+%s", n++ ? " " : "", $1, $3 }')
[ "$(unused gaps)" = "$theirs" ] || die "unallocated: $(unused gaps), sfdisk: $theirs"
expect 0 "$V" layout gaps
has out "unallocated"
has out 'name "part" label "two"'
truncate -s 64M gaps.mbr
printf 'label: dos\nstart=2048, size=8192, type=83\nstart=20480, size=65536, type=5\nstart=22528, size=4096, type=83\nstart=40960, size=4096, type=83\n' |
	sfdisk -q gaps.mbr
# By hand: behind the first partition, in the extended one between the logical ones and behind them, and at the end.
[ "$(unused gaps.mbr)" = "10240+10240 26624+14336 45056+40960 86016+45056" ] || die "unallocated: $(unused gaps.mbr)"
ok

# --- files that an image names: what the message advises opens them. vmx NAME FILE: a flat VMDK
vmx()
{
	printf '# Disk DescriptorFile\nversion=1\nCID=deadbeef\nparentCID=ffffffff\ncreateType="monolithicFlat"\nRW 8192 FLAT "%s" 0\n' \
		"$2" >"$1"
}
# advised: run cat on x.vmdk with each option that err names
advised()
{
	local n=0 option
	cp err advice
	while read -r option; do
		eval "expect 0 \"\$V\" cat $option x.vmdk /etc/hostname"
		is one
		n=$((n + 1))
	done < <(grep -oE -- "--follow|--allow-dir ('[^']*'|[^ ]+)" advice)
	[ "$n" = "$1" ] || die "$n pieces of advice, $1 expected: $(cat advice)"
}
cp one.fs x-flat.vmdk
vmx x.vmdk "/vmfs/volumes/5f/vm one/x-flat.vmdk" # as another host had it
expect 1 "$V" cat x.vmdk /etc/hostname
advised 2
mkdir "the folder"
mv x-flat.vmdk "the folder"
vmx x.vmdk "$PWD/the folder/x-flat.vmdk"
expect 1 "$V" cat --allow-dir /usr x.vmdk /etc/hostname
has err "is not opened"
advised 2
vmx x.vmdk "the folder/x-flat.vmdk"
expect 1 "$V" cat x.vmdk /etc/hostname
advised 2
vmx x.vmdk "/vmfs/volumes/5f/x-flat.vmdk"
expect 1 "$V" cat --follow x.vmdk /etc/hostname
has err 'there is no "x-flat.vmdk" beside the image'

# --- archives and descriptors are no disks
python3 -c 'import zipfile; zipfile.ZipFile("a.zip", "w").write("one.fs")'
tar cf a.tar one.fs
printf '<?xml version="1.0"?><Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1"><References><File href="one.fs" id="f"/></References><DiskSection><Disk diskId="d" fileRef="f"/></DiskSection></Envelope>' >a.ovf
for i in a.zip a.tar; do
	expect 1 "$V" ls $i /
	has err "unpack it, and name the disk image in it"
done
expect 1 "$V" ls a.ovf /
has err '"one.fs" is its disk: name that'
expect 0 "$V" ls -a one.fs /
expect 1 "$V" info a.zip
has out "a.zip: zip (ZIP archive)"
expect 1 "$V" ls --format vmdk one.fs /
has err "it has the signs of a raw disk with ext2/ext3/ext4"

# --- an option that a message names exists: the words are those of the sources, the options those of the help
for v in $("$V" --help | sed -n 's/^  \([a-z]\+\) \+[A-Z][a-z].*/\1/p'); do
	"$V" "$v" -h
done >help
(cd "$top" && grep -rh --include='*.c' -- '".*--[a-z]' base formats partitions volumes fs registry inspect api cli) |
	grep -o '"[^"]*"' | grep -vE '^"--[a-z-]+=?"$' | grep -oE -- '(^|[^-[:alnum:]])--[a-z][a-z0-9-]+' | sed 's/^[^-]*//' | sort -u >named
[ "$(wc -l <named)" -gt 10 ] || die "only $(wc -l <named) options are named in messages"
while read -r option; do
	grep -qE -- "$option([ ,]|\$)" help || case $option in
	--help | --version) ;;
	*) die "a message names $option, which no verb has" ;;
	esac
	ok
done <named

echo "$passed checks passed"
