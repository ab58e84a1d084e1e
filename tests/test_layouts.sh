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

# The mounts of the i-th system in out, as "PATH=DEVICE …", of those that are mounted.
mounts_are()
{
	python3 - "$@" <<'X' || die "mounts of system $1"
import json, sys
got = {m["path"]: m.get("device") or "-" for m in json.load(open("out"))["operating_systems"][int(sys.argv[1])]["mounts"] if m["mounted"]}
want = dict(a.split("=") for a in sys.argv[2:])
sys.exit(0 if got == want else "%s, expected %s" % (got, want))
X
	ok
}
empty()
{
	rm -rf nothing
	mkdir nothing
	fs nothing "$1" 8M "${@:2}"
}

# --- what keeps a filesystem out of the tree is told as it is: no directory for it, or a driver that is missing
rm -rf words
root words debian 12 "Debian 12"
printf 'LABEL=a / ext4\nLABEL=b /nowhere ext4\n/dev/sda3 /srv xfs nofail\nnas:/x /mnt nfs noauto\ntmpfs /tmp tmpfs\n' >words/etc/fstab
mkdir words/srv
fs words p1 8M -L a
empty p2 -L b
printf 'label: gpt\nsize=8MiB\nsize=8MiB\nsize=8MiB\n' | disk words.img p1 p2 p5
expect 0 "$V" inspect words.img
has out "/dev/sda2  /nowhere (ext4, no such directory)"
has out "-          /mnt (nfs, nas:/x)"
has out "-          /tmp (tmpfs, tmpfs)"
has out "/dev/sda3  /srv (xfs, not read)"

# --- nothing in /etc: os-release(5) is in /usr/lib, and /usr may be a link, as that of Bottlerocket is
mkdir -p stateless/x86_64-sys-root/usr/lib stateless/etc
ln -s x86_64-sys-root/usr stateless/usr
printf 'ID=bottlerocket\nVERSION_ID=1.20.0\nPRETTY_NAME="Bottlerocket OS 1.20.0"\n' >stateless/usr/lib/os-release
fs stateless p1 8M
sed 's/1\.20\.0/1.19.5/' -i stateless/usr/lib/os-release
fs stateless p2 8M
expect 0 "$V" inspect --json p1
fact_is 0 distro bottlerocket
fact_is 0 version 1.20.0

# --- two sets of partitions: the attributes of the boot partitions say which one starts; bit 48 on is the priority,
# 52 on are tries, 56 is success (signpost's README). A set without tries and success is not taken.
boot=6B636168-7420-6568-2070-6C616E657421
set=5526016A-1A97-4EA4-B39A-B7C8C6CA4502
for row in '48,56 49,56 1' '49,56 48,56 0' '49 48,56 1' '48,56 49,52 1' '48,56 48,49 0'; do
	# shellcheck disable=SC2086 # words are wanted
	set -- $row
	empty p3
	disk slots p3 p1 p3 p2 <<X
label: gpt
size=8MiB, type=$boot, name=BOTTLEROCKET-BOOT-A, attrs="GUID:$1"
size=8MiB, type=$set, name=BOTTLEROCKET-ROOT-A
size=8MiB, type=$boot, name=BOTTLEROCKET-BOOT-B, attrs="GUID:$2"
size=8MiB, type=$set, name=BOTTLEROCKET-ROOT-B
X
	set=5526016A-1A97-4EA4-B39A-B7C8C6CA4502
	expect 0 "$V" inspect --json slots
	fact_is "$3" role default
	fact_is $((1 - $3)) role alternative
	expect 0 "$V" cat slots /usr/lib/os-release
	if [ "$3" = 0 ]; then has out 1.20.0; else has out 1.19.5; fi
done
disk slots p1 p2 <<X
label: gpt
size=8MiB, type=$set, name=BOTTLEROCKET-ROOT-A
size=8MiB, type=$set, name=BOTTLEROCKET-ROOT-B
X
expect 1 "$V" cat slots /usr/lib/os-release
has err "choose with --root: /dev/sda1 /dev/sda2"

# --- /usr on a partition of its own, two of them: Container Linux, after and before its first start
usr=5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6
for v in 1 2; do
	mkdir -p "u$v"/{bin,lib,lib64,sbin,share}
	printf 'ID=flatcar\nVERSION_ID=3815.2.%s\nPRETTY_NAME="Flatcar Container Linux 3815.2.%s"\n' $v $v >"u$v/lib/os-release"
	fs "u$v" "usr$v" 8M
done
mkdir -p booted/{etc,usr,home,var}
ln -s usr/bin booted/bin
ln -s usr/lib booted/lib
ln -s ../usr/lib/os-release booted/etc/os-release
echo core >booted/etc/hostname
fs booted p1 8M
empty p2
for row in '48,56 49,56 2' '49,56 48,56 1' '48,56 49 1'; do
	for state in p1 p2; do
		# shellcheck disable=SC2086 # words are wanted
		set -- $row
		disk coreos usr1 usr2 $state <<X
label: gpt
size=8MiB, type=$usr, name=USR-A, attrs="GUID:$1"
size=8MiB, type=$usr, name=USR-B, attrs="GUID:$2"
size=8MiB, type=3884DD41-8582-4404-B9A8-E9B84F2DF50E, name=ROOT
X
		expect 0 "$V" inspect --json coreos
		fact_is 0 root /dev/sda3
		fact_is 0 version "3815.2.$3"
		if [ $state = p1 ]; then
			fact_is 0 hostname core
			mounts_are 0 /=/dev/sda3 "/usr=/dev/sda$3"
		else
			mounts_are 0 /=- "/usr=/dev/sda$3"
		fi
		expect 0 "$V" ls coreos /lib/
		has out os-release
	done
done
# The other /usr is empty until the first update.
disk coreos usr1 p2 p1 <<X
label: gpt
size=8MiB, type=$usr, name=USR-A, attrs="GUID:48"
size=8MiB, type=$usr, name=USR-B, attrs="GUID:49,56"
size=8MiB, type=3884DD41-8582-4404-B9A8-E9B84F2DF50E, name=ROOT
X
expect 0 "$V" inspect --json coreos
fact_is 0 version 3815.2.1

# --- discoverable /usr (UAPI.2): by the root's processor, by the version in the name; and without any root
disk dps usr1 usr2 <<X
label: gpt
size=8MiB, type=8484680C-9521-48C6-9C11-B0720656F69E, name=os_9
size=8MiB, type=8484680C-9521-48C6-9C11-B0720656F69E, name=os_10
X
expect 0 "$V" inspect --json dps
fact_is 0 root /dev/sda2
fact_is 0 version 3815.2.2
[ "$(python3 -c 'import json; print(len(json.load(open("out"))["operating_systems"]))')" = 1 ] || die "an old /usr is a system"
expect 0 "$V" ls -R --json dps /
empty p3
disk dps usr1 usr2 p1 p3 p3 <<X
label: gpt
size=8MiB, type=8484680C-9521-48C6-9C11-B0720656F69E
size=8MiB, type=B0E01050-EE5F-4390-949A-9101B17104E9
size=8MiB, type=B921B045-1DF0-41C3-AF44-4C6F280D3FAE
size=8MiB, type=4D21B016-B534-45C2-A9FB-5C16E091FD2D
size=8MiB, type=933AC7E1-2EB4-4F13-B844-0E14E2AEF915, attrs="GUID:63"
X
expect 0 "$V" inspect --json dps
fact_is 0 version 3815.2.2
mounts_are 0 /=/dev/sda3 /usr=/dev/sda2 /var=/dev/sda4

# --- NixOS: /etc is made of the store, and may be made at the start; /nix may be a filesystem of its own
mkdir -p nix/nix/store/{a-etc/etc,b-nixos-system,c-systemd} nix/nix/var/nix/profiles nix/{bin,etc,usr/bin,var}
printf 'ID=nixos\nVERSION_ID="24.05"\nPRETTY_NAME="NixOS 24.05 (Uakari)"\n' >nix/nix/store/a-etc/etc/os-release
printf 'UUID=5a220000-0000-4000-8000-00000000000a / ext4\nUUID=5a220000-0000-4000-8000-00000000000b /nix ext4\n' >nix/nix/store/a-etc/etc/fstab
ln -s /nix/store/a-etc/etc nix/nix/store/b-nixos-system/etc
ln -s /nix/store/c-systemd nix/nix/store/b-nixos-system/systemd
for n in 9 10; do ln -s /nix/store/b-nixos-system nix/nix/var/nix/profiles/system-$n-link; done
ln -s system-10-link nix/nix/var/nix/profiles/system
fs nix p1 8M
expect 0 "$V" inspect --json p1
fact_is 0 product_name "NixOS 24.05 (Uakari)"
fact_is 0 generation 10
fact_is 0 generations "9 10"
fact_is 0 init systemd
mv nix/nix store
mkdir nix/nix
ln -s /nix/store/a-etc/etc nix/etc/static
ln -s /etc/static/fstab nix/etc/fstab
ln -s /etc/static/os-release nix/etc/os-release
fs nix p1 8M -U 5a220000-0000-4000-8000-00000000000a
fs store p2 8M -U 5a220000-0000-4000-8000-00000000000b
printf 'label: gpt\nsize=8MiB\nsize=8MiB\n' | disk nixos p1 p2
expect 0 "$V" inspect --json nixos
fact_is 0 product_name "NixOS 24.05 (Uakari)"
mounts_are 0 /=/dev/sda1 /nix=/dev/sda2
printf 'label: gpt\nsize=8MiB\nsize=8MiB\n' | disk nixos p3 p2
expect 0 "$V" inspect --json nixos # its root is made in memory
fact_is 0 product_name "NixOS 24.05 (Uakari)"
mounts_are 0 /=- /nix=/dev/sda2

# --- Guix, which did not have os-release for long
mkdir -p guix/var/guix/profiles guix/gnu/store/s-system guix/etc guix/bin
ln -s /gnu/store/s-system guix/var/guix/profiles/system-3-link
ln -s system-3-link guix/var/guix/profiles/system
fs guix p1 8M
expect 0 "$V" inspect --json p1
fact_is 0 distro guix
fact_is 0 generation 3

# --- Ubuntu Core: modeenv as snapd's own tests have it
mkdir -p core/system-data/{etc,var/lib/snapd/seed,home} core/user-data/eva seed/systems/20191216
echo pi >core/system-data/etc/hostname
cat >core/system-data/var/lib/snapd/modeenv <<'X'
mode=run
recovery_system=20191216
base=core20_3.snap
current_kernels=pc-kernel_5.snap
model=my-brand/my-model-uc20
grade=dangerous
X
fs core p1 8M -L ubuntu-data
fs seed p2 8M -L ubuntu-seed
printf 'label: gpt\nsize=8MiB\nsize=8MiB\n' | disk uc p2 p1
expect 0 "$V" inspect --json uc
has err "core20_3.snap, which is not read"
fact_is 0 distro ubuntu-core
fact_is 0 version 20
fact_is 0 product_name "Ubuntu Core 20"
fact_is 0 model my-brand/my-model-uc20
fact_is 0 base core20_3.snap
fact_is 0 kernel_snap pc-kernel_5.snap
fact_is 0 grade dangerous
fact_is 0 hostname pi
fact_is 0 root_dir /system-data
mounts_are 0 /=/dev/sda2 /home=/dev/sda2 /var/lib/snapd/seed=/dev/sda1
expect 0 "$V" ls uc /home /var/lib/snapd/seed/systems
has out /home/eva

# The seed alone: the model's assertion as snapd documents it.
mkdir -p seed/snaps seed/systems/20250101
printf 'type: model\nauthority-id: b\nbrand-id: b\nmodel: old\nbase: core18\n\nsig\n' >seed/systems/20191216/model
printf 'type: model\nbrand-id: canonical\nmodel: ubuntu-core-22-pi\nbase: core22\ngrade: signed\n\nmodel: no\n' >seed/systems/20250101/model
fs seed p2 8M -L ubuntu-seed
printf 'label: gpt\nsize=8MiB\n' | disk uc p2
expect 0 "$V" inspect --json uc
has err "not installed yet"
fact_is 0 distro ubuntu-core
fact_is 0 product_name "Ubuntu Core 22"
fact_is 0 model canonical/ubuntu-core-22-pi
fact_is 0 grade signed
mounts_are 0 /=- /ubuntu-seed=/dev/sda1
printf 'label: gpt\nsize=8MiB\nsize=8MiB\n' | disk uc p2 p1
expect 0 "$V" inspect --json uc
fact_is 0 product_name "Ubuntu Core 20"
[ "$(python3 -c 'import json; print(len(json.load(open("out"))["operating_systems"]))')" = 1 ] || die "the seed is a system, too"

# --- fstab's bind mounts, and why something is not mounted
rm -rf r1
root r1 debian 12 "Debian 12"
mkdir -p r1/srv/real/sub r1/var/www r1/data r1/mnt
touch r1/srv/real/sub/file
cat >r1/etc/fstab <<'X'
UUID=5a220000-0000-4000-8000-000000000001 / ext4 defaults 0 1
/srv/real/sub /var/www none bind 0 0
/data/in /mnt none rw,rbind 0 0
/srv/none /home none bind 0 0
UUID=5a220000-0000-4000-8000-000000000002 /data ext4 defaults 0 2
UUID=5a220000-0000-4000-8000-00000000000f /x ext4 defaults 0 2
UUID=5a220000-0000-4000-8000-000000000002 /y ext4 defaults 0 2
UUID=5a220000-0000-4000-8000-00000000000e none swap sw 0 0
server:/nfs /nfs nfs defaults 0 0
X
rm -rf h1
mkdir -p h1/in
touch h1/in/other
fs r1 p1 8M -U 5a220000-0000-4000-8000-000000000001
fs h1 p2 8M -U 5a220000-0000-4000-8000-000000000002
printf 'label: gpt\nsize=8MiB\nsize=8MiB\n' | disk bind p1 p2
expect 0 "$V" ls bind /var/www /mnt
has out /var/www/file
has out /mnt/other
expect 0 "$V" inspect --json bind
python3 - <<'X' || die "mounts"
import json
m = {x["path"] + x["type"]: x for x in json.load(open("out"))["operating_systems"][0]["mounts"]}
assert m["/var/wwwnone"]["mounted"] and m["/var/wwwnone"]["device"] == "/dev/sda1", m
assert m["/mntnone"]["mounted"] and m["/mntnone"]["device"] == "/dev/sda2", m
assert not m["/homenone"]["mounted"] and "there is no directory /srv/none" in m["/homenone"]["why"], m
assert m["/xext4"]["why"] == "not among the devices", m
assert not m["/yext4"]["mounted"] and m["/yext4"]["why"], m
assert all("why" not in m[k] for k in ["noneswap", "/nfsnfs", "/ext4", "/dataext4", "/var/wwwnone"]), m
X
ok

# --- ChromeOS: directories of STATE are bound into the tree
rm -rf r1 h1
root r1 chromeos 120 "ChromeOS 120"
mkdir -p r1/mnt/stateful_partition r1/usr/local h1/home/user h1/var/log h1/dev_image/bin
rmdir r1/var/lib
fs r1 p1 8M
fs h1 p2 8M
printf 'label: gpt\nsize=8MiB, name=STATE\nsize=8MiB, name=ROOT-A, type=3CB8E202-3B7E-47DD-8A3C-7FF2A13CFCEC\n' | disk cros p2 p1
expect 0 "$V" ls cros /home /var /usr/local
for what in /home/user /var/log /usr/local/bin; do
	has out $what
done
expect 0 "$V" inspect --json cros
mounts_are 0 /=/dev/sda2 /mnt/stateful_partition=/dev/sda1 /home=/dev/sda1 /var=/dev/sda1 /usr/local=/dev/sda1

# --- bootc's composefs: refused by name
rm -rf h1
mkdir -p h1/composefs/{images,objects,streams} h1/state/deploy/0123/var
fs h1 p1 8M
expect 1 "$V" inspect p1
has err "a system of bootc in /composefs/images: EROFS is not read"

# --- Android: the system as root with its vendor partition; a system partition alone; Android-x86's directory
mkdir -p android/{system/bin,vendor,data} vendor
cat >android/system/build.prop <<'X'
# begin build properties
ro.build.id=TQ3A.230805.001
ro.build.version.release=13
ro.product.model=Cuttlefish
ro.product.cpu.abilist=arm64-v8a,armeabi-v7a
X
echo ro.vendor.build.id=V >vendor/build.prop
fs android p1 8M
fs vendor p2 8M
printf 'label: gpt\nsize=8MiB, name=vendor_b\nsize=8MiB, name=system_a\nsize=8MiB, name=vendor_a\n' | disk droid p3 p1 p2
expect 0 "$V" inspect --json droid
fact_is 0 distro android
fact_is 0 product_name "Android 13"
fact_is 0 arch aarch64
fact_is 0 model Cuttlefish
fact_is 0 build_id TQ3A.230805.001
mounts_are 0 /=/dev/sda2 /vendor=/dev/sda3
mkdir android/system/framework
fs android/system p1 8M
expect 0 "$V" inspect --json p1
fact_is 0 product_name "Android 13"
mounts_are 0 /=- /system=/dev/sda
mkdir -p x86
mv android x86/android-9.0-r2
fs x86 p1 8M
expect 0 "$V" inspect --json p1
fact_is 0 product_name "Android 13"
fact_is 0 root_dir /android-9.0-r2
echo "$passed passed, 0 failed"
