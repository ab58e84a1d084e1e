#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Systems that are laid out otherwise, and choosing one of several: what the command finds, and that what its messages
# advise works. Expected values are those that were written into the images; of OSTree, what ostree(1) itself says.
set -euo pipefail

cd "$(dirname "$0")/.."
for tool in mke2fs sfdisk python3; do
	PATH=$PATH:/usr/sbin:/sbin command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
# shellcheck source=tests/expect.sh
. tests/expect.sh
export PATH=$PATH:/usr/sbin:/sbin

# A root tree: folder, ID, VERSION_ID, PRETTY_NAME.
root()
{
	mkdir -p "$1"/{etc,usr/bin,usr/lib,var/lib,boot,home}
	ln -s usr/bin "$1/bin"
	ln -s usr/lib "$1/lib"
	ln -s ../usr/lib/os-release "$1/etc/os-release"
	printf 'ID=%s\nVERSION_ID=%s\nPRETTY_NAME="%s"\n' "$2" "$3" "$4" >"$1/usr/lib/os-release"
}

# A filesystem of a folder: folder, image, size, more arguments.
fs()
{
	mke2fs -q -F -t ext4 -O ^has_journal "${@:4}" -d "$1" "$2" "$3" >/dev/null
}

# Filesystems of 8 MiB into a disk behind each other, the first at 1 MiB. The lines of sfdisk come from standard input.
disk()
{
	local out=$1 at=1 part
	shift
	rm -f "$out"
	truncate -s "$((2 + 8 * $#))M" "$out"
	sfdisk -q "$out"
	for part in "$@"; do
		dd if="$part" of="$out" bs=1M seek=$at conv=notrunc status=none
		at=$((at + 8))
	done
}

# A fact of the i-th system, from 0, of the JSON in the file out; "" when there is none.
fact()
{
	python3 -c 'import json, sys; print(json.load(open("out"))["operating_systems"][int(sys.argv[1])].get(sys.argv[2], ""))' "$@"
}
fact_is()
{
	local got
	got=$(fact "$1" "$2")
	[ "$got" = "$3" ] || die "$2 of system $1 is \"$got\", expected \"$3\""
	ok
}

# --- two systems on a disk, each with a /home of its own
for n in 1 2; do
	root "r$n" debian "1$n" "Debian 1$n"
	mkdir -p "h$n/user$n"
	printf 'UUID=5a220000-0000-4000-8000-00000000000%s / ext4 defaults 0 1\n' "$n" >"r$n/etc/fstab"
	printf 'UUID=5a220000-0000-4000-8000-00000000000%s /home ext4 defaults 0 2\n' $((n + 2)) >>"r$n/etc/fstab"
	fs "r$n" "p$n" 8M -U "5a220000-0000-4000-8000-00000000000$n"
	fs "h$n" "p$((n + 2))" 8M -U "5a220000-0000-4000-8000-00000000000$((n + 2))"
done
printf 'label: gpt\nsize=8MiB\nsize=8MiB\nsize=8MiB\nsize=8MiB\n' | disk two p1 p2 p3 p4
expect 1 "$V" ls two /home
has err "several operating systems: choose with --root: /dev/sda1 /dev/sda2"
# shellcheck disable=SC2013 # words are wanted
for what in $(sed 's/.*--root://' err); do # the advice works, and nothing else is advised
	expect 0 "$V" ls --root "$what" two /home
	has out "user${what#/dev/sda}"
done
expect 0 "$V" ls --root 2 two /home
has out user2
expect 0 "$V" ls -d sda2 two /home
has out user2
expect 0 "$V" ls -d sda4 two /
has out user2
expect 0 "$V" cat --root sda1 two /etc/os-release
has out "VERSION_ID=11"
expect 1 "$V" cat --root 3 two /etc/os-release
has err 'no operating system "3": there is: /dev/sda1 /dev/sda2'
expect 1 "$V" cat --root sda4 two /etc/os-release
has err "/dev/sda4 is the root of no operating system"
expect 2 "$V" ls --root 1 -d sda1 two /
has err "one of them"
expect 2 "$V" layout --root 1 two
expect 2 "$V" map --root 1 two
expect 0 "$V" inspect --json --root sda2 two
fact_is 0 version 12
[ "$(python3 -c 'import json; print(len(json.load(open("out"))["operating_systems"]))')" = 1 ] || die "inspect --root: more than one"
expect 0 "$V" inspect --sbom cyclonedx --root 2 two
has out '"version": "12"'
expect 0 "$V" diff --facts -d sda1 two two
expect 2 "$V" diff --facts -d sda3 two two
has err "no operating system"

# --- no system, several filesystems: only those that can be read are advised
printf 'XFSB' >p5
truncate -s 8M p5
printf 'label: gpt\nsize=8MiB\nsize=8MiB\nsize=8MiB\n' | disk none p3 p5 p4
expect 1 "$V" ls none /
has err "choose with --device: /dev/sda1 /dev/sda3; /dev/sda2 has xfs (not read)"
# shellcheck disable=SC2013 # words are wanted
for what in $(sed 's/.*--device:\([^;]*\).*/\1/' err); do
	expect 0 "$V" ls -d "$what" none /
done
printf 'label: gpt\nsize=8MiB\nsize=8MiB\n' | disk none p5 p5
expect 1 "$V" ls none /
has err "no filesystem can be read: /dev/sda1 has xfs (not read), /dev/sda2 has xfs (not read)"

# --- OSTree, as ostree(1) lays it out: /boot in the same filesystem, and in one of its own
if command -v ostree >/dev/null; then
	export OSTREE_SYSROOT_DEBUG=mutable-deployments # else they get chattr +i
	ostree --repo=repo init --mode=archive >/dev/null
	sysroot=$PWD/sysroot
	mkdir sysroot
	ostree admin init-fs --modern sysroot
	ostree admin os-init --sysroot="$sysroot" test-os >/dev/null
	for n in 1 2; do
		rm -rf tree
		root tree fedora 40 "Fedora Linux 40.$n"
		mv tree/etc tree/usr/etc
		rm -r tree/home tree/var
		mkdir -p tree/{var,sysroot,proc} "tree/usr/lib/modules/6.8.$n"
		ln -s sysroot/ostree tree/ostree
		ln -s var/home tree/home
		echo "kernel $n" >"tree/usr/lib/modules/6.8.$n/vmlinuz"
		ostree --repo=repo commit -b test/os --tree=dir=tree >/dev/null
		ostree --repo=sysroot/ostree/repo pull-local repo test/os >/dev/null
		ostree admin deploy --sysroot="$sysroot" --os=test-os --retain test/os >/dev/null 2>&1
	done
	mkdir -p sysroot/ostree/deploy/test-os/var/home/eva
	# "  test-os CHECKSUM.0", the default one first
	mapfile -t deployed < <(ostree admin status --sysroot="$sysroot" | awk '$1 == "test-os" { print $2 } $2 == "test-os" { print $3 }')
	[ ${#deployed[@]} = 2 ] || die "ostree admin status names ${#deployed[@]} deployments"
	fs sysroot whole 16M
	mv sysroot/boot boot
	mkdir sysroot/boot
	fs sysroot p1 8M
	fs boot p2 8M
	printf 'label: gpt\nsize=8MiB\nsize=8MiB\n' | disk apart p1 p2
	for image in whole apart; do
		root=/dev/sda
		[ $image = whole ] || root=/dev/sda1
		expect 0 "$V" inspect --json $image
		for n in 0 1; do
			fact_is $n root $root
			fact_is $n root_dir "/ostree/deploy/test-os/deploy/${deployed[n]}"
			fact_is $n deployment "${deployed[n]}"
			fact_is $n stateroot test-os
			fact_is $n origin test/os
			fact_is $n product_name "Fedora Linux 40.$((2 - n))"
		done
		fact_is 0 role default
		fact_is 1 role alternative
		python3 - $image $root <<'X' || die "mounts of $image"
import json, sys
boot = '/dev/sda' if sys.argv[1] == 'whole' else '/dev/sda2'
for s in json.load(open('out'))['operating_systems']:
    got = {m['path']: m['device'] for m in s['mounts'] if m['mounted']}
    assert got == {'/': sys.argv[2], '/sysroot': sys.argv[2], '/var': sys.argv[2], '/boot': boot}, got
    assert s['kernels'][0]['version'] == '6.8.' + s['product_name'][-1], s['kernels']
X
		# Paths are those of the one that starts; another is named by itself, or as inspect prints it.
		expect 0 "$V" cat $image /etc/os-release
		has out "Fedora Linux 40.2"
		for what in "${deployed[1]}" "${deployed[1]:0:10}" "$root:/ostree/deploy/test-os/deploy/${deployed[1]}" 2; do
			expect 0 "$V" cat --root "$what" $image /usr/lib/os-release
			has out "Fedora Linux 40.1"
		done
		expect 0 "$V" cat -d $root $image /usr/lib/os-release
		has out "Fedora Linux 40.2"
		expect 0 "$V" ls $image /home/
		has out eva
		expect 0 "$V" ls $image /boot
		has out loader
		expect 0 "$V" ls $image /ostree/deploy
		has out test-os
		# Its tree is finite, and a file has one node below / and below /sysroot.
		expect 0 "$V" find $image / -samefile /etc/os-release -maxdepth 9
		has out "/sysroot/ostree/deploy/test-os/deploy/${deployed[0]}/"
	done
	expect 0 "$V" inspect --sbom spdx whole
	[ "$(grep -c OPERATING_SYSTEM out)" = 1 ] || die "a bill of materials of what does not run"
	# Nothing says which one starts: it has to be chosen, and can be.
	rm -r boot/loader* p2
	fs boot p2 8M
	printf 'label: gpt\nsize=8MiB\nsize=8MiB\n' | disk apart p1 p2
	expect 1 "$V" cat apart /etc/os-release
	has err "choose with --root: /dev/sda1:/ostree/deploy/test-os/deploy/"
	# shellcheck disable=SC2013 # words are wanted
	for what in $(sed 's/.*--root://' err); do
		expect 0 "$V" cat --root "$what" apart /etc/os-release
		has out "Fedora Linux 40"
	done
else
	echo "ostree is not installed: its deployments are not compared"
fi
echo "$passed passed, 0 failed"
