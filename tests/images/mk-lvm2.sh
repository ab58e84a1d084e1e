#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A volume group over three small physical volumes, of which the last has no metadata of its own, made by lvm2 (2.03.16)
# without device mapper; needs root, for loop devices. Each sector of a volume has its name and number. lvm2.tsv has the
# SHA-256 of each volume as the kernel reads it, in libguestfs's appliance.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
devices=()
trap 'losetup -d "${devices[@]}"; rm -rf "$work"' EXIT
filter=
for i in 1 2 3; do
	truncate -s 2M "$work/lvm2-$i.img"
	devices+=("$(losetup --show -f "$work/lvm2-$i.img")")
	filter+="\"a|^${devices[-1]}\$|\","
done
L()
{
	local command=$1
	shift
	lvm "$command" --driverloaded n --config "devices{filter=[$filter\"r|.*|\"] use_devicesfile=0 scan_lvs=0}
		backup{backup=0 archive=0} activation{udev_sync=0 udev_rules=0 monitoring=0}" "$@" 2>/dev/null
}
L pvcreate -q --metadatasize 64k --dataalignment 64k "${devices[0]}" "${devices[1]}"
L pvcreate -q --metadatasize 64k --dataalignment 64k --pvmetadatacopies 0 "${devices[2]}"
L vgcreate -q -s 64k vt-one "${devices[@]}"
new() { L lvcreate -q -an -Zn -Wn "$@" >/dev/null; }
new -n lin -l 3 vt-one "${devices[0]}"
new -n a-b_c.d -l 2 vt-one "${devices[0]}"
L lvextend -q -l +2 vt-one/lin "${devices[0]}" >/dev/null
L lvextend -q -l +2 vt-one/lin "${devices[2]}" >/dev/null
new -n two -i 2 -I 8k -l 4 vt-one "${devices[1]}" "${devices[2]}"
new -n three -i 3 -I 4k -l 6 vt-one
new -n zero --type zero -l 2 vt-one
new -n gone --type error -l 2 vt-one
L lvs --noheadings --units b --nosuffix -o lv_name,seg_start_pe,seg_size_pe,seg_pe_ranges,stripe_size --separator ';' vt-one >"$work/lvs"

# Extents start at 128 KiB, and where there is no metadata at 64 KiB (pvs -o pe_start).
python3 - "$work" "${devices[@]}" <<'X'
import sys
work, devices = sys.argv[1], sys.argv[2:]
images = [open("%s/lvm2-%d.img" % (work, i + 1), "r+b") for i in range(3)]
for line in open(work + "/lvs"):
    name, start, size, ranges, stripe = line.strip().split(";")
    if not ranges:
        continue
    start, size, stripe = int(start), int(size), int(stripe) or 65536
    legs = []
    for r in ranges.split():
        device, pes = r.rsplit(":", 1)
        legs.append((images[devices.index(device)], int(pes.split("-")[0])))
    for s in range(size * 128):
        byte = s * 512
        chunk = byte // stripe if len(legs) > 1 else 0
        image, pe = legs[chunk % len(legs)]
        within = byte if len(legs) == 1 else chunk // len(legs) * stripe + byte % stripe
        image.seek((131072 if image is not images[2] else 65536) + pe * 65536 + within)
        image.write(("%s %d\n" % (name, start * 128 + s)).encode().ljust(512, b"."))
X
commands=(run)
for lv in a-b_c.d lin three two zero; do
	commands+=(: checksum-device sha256 "/dev/vt-one/$lv")
done
losetup -d "${devices[@]}"
devices=()
guestfish --ro -a "$work/lvm2-1.img" -a "$work/lvm2-2.img" -a "$work/lvm2-3.img" "${commands[@]}" |
	paste <(printf '%s\n' a-b_c.d lin three two zero) - >lvm2.tsv
trap 'rm -rf "$work"' EXIT
for i in 1 2 3; do
	xz -9e -c "$work/lvm2-$i.img" >"lvm2-$i.img.xz"
done
