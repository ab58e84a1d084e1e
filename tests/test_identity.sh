#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What tells filesystems and volumes apart, as a listing has it without opening them: type, label, UUID. blkid is the
# judge of images that the filesystems' own tools make, and of those in $VITRINE_CORPUS.
set -euo pipefail

cd "$(dirname "$0")/.."
# shellcheck source=tests/expect.sh
. tests/expect.sh
for tool in blkid python3; do
	command -v "$tool" >/dev/null || { echo "skip: no $tool"; exit 77; }
done

# make NAME SIZE COMMAND…: an image of this name, or a word about the tool that is missing
make()
{
	local name=$1 size=$2
	shift 2
	command -v "$1" >/dev/null || { echo "skipped: no $1"; return; }
	truncate -s "$size" "$name"
	"$@" "$name" >made 2>&1 || { cat made; die "$*"; }
}
make fat12 1440K mkfs.vfat -F 12 -n "F TWELVE"
make fat16 16M mkfs.vfat -F 16 -n SIXTEEN -i 12345678
make fat32 40M mkfs.vfat -F 32 -n THIRTYTWO
make fat-none 16M mkfs.vfat
make exfat 8M mkfs.exfat -L "grün"
make ntfs 8M mkntfs -F -q -f -L "Täglich"
make ntfs-none 8M mkntfs -F -q -f
make ext4 4M mke2fs -q -F -t ext4 -L "with blank"
make ext2-old 4M mke2fs -q -F -r 0
make xfs 320M mkfs.xfs -q -L ex
make btrfs 128M mkfs.btrfs -q -L "butter fs"
make swap 4M mkswap -q -L pages
make f2fs 64M mkfs.f2fs -q -l "fläsh"
make jfs 32M mkfs.jfs -q -L journaled
make nilfs2 140M mkfs.nilfs2 -q -L logged
make reiserfs 64M mkfs.reiserfs -q -ff -l rei
make udf 8M mkudffs --label=universal --media-type=hd
make minix 4M mkfs.minix
make luks1 20M true
make luks2 20M true
for v in 0.90 0.90be 1.0 1.1 1.2; do
	make md$v 8M true
done
mkdir -p files
echo x >files/x
! command -v mkfs.erofs >/dev/null || mkfs.erofs -L read erofs files >made 2>&1 || true # old ones know no label
! command -v xorriso >/dev/null || {
	xorriso -as mkisofs -quiet -V PLAIN -o iso files
	xorriso -as mkisofs -quiet -J -V "Joliet and a long label" -o joliet files
	xorriso -as mkisofs -quiet -J -V short -o joliet-short files
} >made 2>&1
! command -v mksquashfs >/dev/null || mksquashfs files squashfs -quiet >made 2>&1
if command -v cryptsetup >/dev/null; then
	printf key >key
	cryptsetup -q luksFormat --type luks1 --pbkdf-force-iterations 1000 luks1 key
	cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --label crypt luks2 key
fi

# Superblocks of md, as include/uapi/linux/raid/md_p.h has them, with their sums.
python3 - <<'X'
import struct

size = 8 << 20
for name, at in (("1.0", (size // 512 - 16 & ~7) * 512), ("1.1", 0), ("1.2", 4096)):
    sb = bytearray(256)
    struct.pack_into("<III", sb, 0, 0xa92b4efc, 1, 0)
    sb[16:32] = bytes(range(0xa0, 0xb0))
    sb[32:37] = b"arr:0"
    struct.pack_into("<Q", sb, 0x90, at // 512)
    struct.pack_into("<Q", sb, 0x50, size // 512)
    total = sum(struct.unpack("<64I", sb))
    struct.pack_into("<I", sb, 0xd8, ((total & 0xffffffff) + (total >> 32)) & 0xffffffff)
    with open("md" + name, "r+b") as f:
        f.seek(at)
        f.write(sb)
for name, order in (("0.90", "<"), ("0.90be", ">")):
    w = [0] * 1024
    w[0], w[1], w[2], w[5] = 0xa92b4efc, 0, 90, 0x11223344
    w[13:16] = [0x55667788, 0x99aabbcc, 0xddeeff01]
    w[152 // 4] = 0
    total = sum(w)
    w[38] = ((total & 0xffffffff) + (total >> 32)) & 0xffffffff
    with open("md" + name, "r+b") as f:
        f.seek((size & ~65535) - 65536)
        f.write(struct.pack(order + "1024I", *w))
X

# What has a signature alone: offset, and where it is negative from the end; the bytes.
python3 - <<'X'
signatures = {
    "isw": (-1024, b"Intel Raid ISM Cfg Sig. 1.0.00"), "promise": (-63 * 512, b"Promise Technology, Inc."),
    "nvidia": (-1024, b"NVIDIA"), "lsi": (-512, b"$XIDE$"), "vdo": (0, b"dmvdo001"), "snapshot": (0, b"SnAp"),
    "bluestore": (0, b"bluestore block device"), "ubi": (0, b"UBI#"), "asm": (32, b"ORCLDISK"),
    "suspend": (4086, b"S1SUSPEND"), "suspend64": (65526, b"ULSUSPEND"), "hibernated": (4086, b"LINHIB0001"),
    "vxfs": (1024, b"\xf5\xfc\x01\xa5"), "vxfs-be": (8192, b"\xa5\x01\xfc\xf5"), "romfs": (0, b"-rom1fs-"),
    "ubifs": (0, b"\x31\x18\x10\x06"), "bfs": (0, b"\xce\xfa\xad\x1b"), "sqsh": (0, b"sqsh"),
    "zonefs": (0, b"SFOZ"), "reiser4": (65536, b"ReIsEr4"), "vmfs-volume": (1048576, b"\x0d\xd0\x01\xc0"),
    "ddf": (-512, b"\xde\x11\xde\x11"),
}
for name, (at, magic) in signatures.items():
    for shift in (0, 1):  # and one byte beside it, where nothing is
        image = bytearray(4 << 20)
        at += len(image) if at < 0 else 0
        image[at + shift:at + shift + len(magic)] = magic
        with open("sig-%s%s" % (name, "-beside" if shift else ""), "wb") as f:
            f.write(image[:4 << 20])
X

cat >judge.py <<'X'
import os, subprocess, sys
import json

def blkid(path):
    out = {}
    for key in ("TYPE", "LABEL", "UUID"):
        value = subprocess.run(["blkid", "-c", "/dev/null", "-p", "-o", "value", "-s", key, path],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        out[key] = value[:-1].decode("utf-8", "replace") if value else None
    return out


def vitrine(path):
    r = subprocess.run([sys.argv[1], "layout", "--format", "raw", "--table", "none", "--json", path],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    d = json.loads(r.stdout.decode("utf-8"))["devices"][0]
    return {"TYPE": d.get("type"), "LABEL": d.get("label"), "UUID": d.get("uuid")}


failed = 0
for path in sys.argv[2:]:
    theirs, mine = blkid(path), vitrine(path)
    if path.startswith("sig-"):  # no more than the type
        theirs["UUID"] = mine["UUID"]
    if theirs["TYPE"] is None and not path.endswith("-beside"):
        if "/" not in path:
            print("skipped: blkid does not know %s" % path)
        continue
    if mine != theirs:
        print("%s: %s, blkid says %s" % (path, mine, theirs))
        failed += 1
sys.exit(failed > 0)
X

images=()
for i in *; do
	case $i in
	out | err | made | key | files | *.py) ;;
	*) images+=("$i") ;;
	esac
done
python3 judge.py "$V" "${images[@]}" || die "labels and UUIDs differ"
ok
n=${#images[@]}

# BitLocker To Go has the boot sector of a FAT, and its identifier at 0x1a8 (libbde's format documentation, 2.2): no FAT.
if [ -f fat32 ]; then
	cp fat32 togo
	printf '\073\326\147\111\051\056\330\112\203\231\366\243\071\343\320\001' | dd of=togo bs=1 seek=424 conv=notrunc status=none
	expect 0 "$V" layout togo
	has out BitLocker
	hasnt out vfat
	expect 1 "$V" ls togo
	has err BitLocker
fi

# A UUID that is text is printable, or none: the last character that is, and the first that is not.
truncate -s 4096 odd
printf 'LUKS\272\276\0\1' | dd of=odd conv=notrunc status=none
for c in 176 177; do
	printf "0011\\$c" | dd of=odd bs=1 seek=168 conv=notrunc status=none
	expect 0 "$V" layout --json odd
	uuid=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["devices"][0].get("uuid"))' <out)
	[ "$uuid" = "$([ $c = 176 ] && echo '0011~' || echo None)" ] || die "UUID $uuid"
	ok
done

# A volume is found by its label whatever its place: the root first, what fstab names after and before it.
if [ -f ntfs ] && [ -f fat16 ] && command -v sfdisk >/dev/null; then
	mkdir -p root/{etc,usr/bin,usr/lib,var/lib,data,boot}
	printf 'ID=debian\nVERSION_ID=12\n' >root/etc/os-release
	printf 'UUID=9e0d0b0e-0000-4000-8000-000000000001 / ext4 defaults 0 1\nLABEL=Täglich /data ntfs defaults 0 0\nLABEL=SIXTEEN /boot vfat defaults 0 0\n' >root/etc/fstab
	truncate -s 8M root.fs
	mke2fs -q -F -t ext4 -U 9e0d0b0e-0000-4000-8000-000000000001 -d root root.fs
	for order in "root.fs ntfs fat16" "fat16 ntfs root.fs"; do
		rm -f disk
		truncate -s 40M disk
		at=2048
		for i in $order; do
			sectors=$(($(stat -c %s $i) / 512))
			echo "start=$at, size=$sectors"
			dd if=$i of=disk bs=512 seek=$at conv=notrunc,sparse status=none
			at=$((at + sectors))
		done >parts
		{ echo 'label: gpt'; cat parts; } | sfdisk -q disk >/dev/null
		expect 0 "$V" inspect --brief disk
		has out "/dev/sda2  /data"
		grep -Eq '/dev/sda[13] +/boot' out || die "order $order: no /boot"
	done
	expect 0 "$V" layout --json disk
	[ "$(python3 -c 'import json, sys; print([d.get("label") for d in json.load(sys.stdin)["devices"]])' <out)" = \
		"[None, 'SIXTEEN', 'Täglich', None]" ] || die "labels of the partitions"
fi

# blkid prints bytes of DDF's identifier that are no text, and a UUID that VMFS keeps elsewhere.
if [ -n "${VITRINE_CORPUS:-}" ]; then
	mkdir corpus
	for i in "$VITRINE_CORPUS"/{fat,exfat,iso,ntfs,xfs,volume,zfs,apfs,crypt,squashfs}/*; do
		o=corpus/$(basename "$i")
		case $i in
		*ddf* | *vmfs_volume*) continue ;;
		*.xz) xz -dc "$i" ;;
		*.gz) gzip -dc "$i" ;;
		*.bz2) bzip2 -dc "$i" ;;
		*) [ -f "$i" ] && cat "$i" ;;
		esac >"$o" || true
	done
	python3 judge.py "$V" corpus/* || die "labels and UUIDs of the corpus differ"
	ok
	n=$((n + $(find corpus -type f | wc -l)))
fi
echo "$passed checks passed, $n images"
