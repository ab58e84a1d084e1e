# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced: disks with systems that tests/mk-windows.py makes, without root. Needs mke2fs, sfdisk, python3.
# shellcheck shell=bash

windows_tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# windows_fs KIND IMAGE SIZE: its files on ext4, or with wimlib-imagex and mkntfs on NTFS.
windows_fs()
{
	local kind=$1 image=$2 size=$3
	rm -rf "$image.tree"
	mkdir "$image.tree"
	python3 "$windows_tests/mk-windows.py" "$kind" "$image.tree"
	find "$image.tree" -exec touch -h -d '2024-05-06 07:08:09 UTC' {} +
	windows_fs_of "$image.tree" "$image" "$size"
}

# windows_fs_of FOLDER IMAGE SIZE
windows_fs_of()
{
	rm -f "$2"
	truncate -s "$3" "$2"
	if [ "${windows_ntfs:-}" ]; then
		mkntfs -q -F -f -s 512 -p 2048 -H 255 -S 63 "$2" >/dev/null 2>&1
		wimlib-imagex capture "$1" "$2.wim" --compress=none --config=/dev/null >/dev/null # else it leaves out hiberfil.sys
		wimlib-imagex apply "$2.wim" 1 "$2" >/dev/null
		rm "$2.wim"
	else
		mke2fs -q -F -t ext4 -O ^has_journal -d "$1" "$2"
	fi
}

# windows_disk KIND IMAGE: a whole disk, as the hives of the system say it: C:, and D: with a file in it.
windows_disk()
{
	local kind=$1 image=$2 c=1 d=40
	windows_fs "$kind" "$image.c" 30M
	mkdir -p "$image.d.tree/Stuff"
	echo data >"$image.d.tree/Stuff/Data.txt"
	windows_fs_of "$image.d.tree" "$image.d" 20M
	truncate -s 72M "$image"
	case $kind in
	win11 | server2022)
		c=10 d=41
		windows_ntfs='' windows_fs esp "$image.esp" 8M
		sfdisk -q --wipe never --wipe-partitions never "$image" <<-'END'
			label: gpt
			label-id: 5A170000-0000-4000-8000-0000000000D0
			start=2048, size=16384, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=5A170000-0000-4000-8000-0000000000D1
			start=20480, size=61440, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, uuid=5A170000-0000-4000-8000-0000000000D2
			start=83968, size=40960, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, uuid=5A170000-0000-4000-8000-0000000000D3
		END
		dd if="$image.esp" of="$image" bs=1M seek=1 conv=notrunc status=none
		;;
	*)
		printf 'label: dos\nlabel-id: 0x1234abcd\nstart=2048, size=61440, type=7, bootable\nstart=81920, size=40960, type=7\n' |
			sfdisk -q --wipe never --wipe-partitions never "$image"
		;;
	esac
	dd if="$image.c" of="$image" bs=1M seek=$c conv=notrunc status=none
	dd if="$image.d" of="$image" bs=1M seek=$d conv=notrunc status=none
	rm -rf "$image".*
}
