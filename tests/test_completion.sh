#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What bash offers when people press the tab key.
set -euo pipefail

# shellcheck source=tests/environment.sh
. "$(dirname "$0")/environment.sh"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
ln -s "${VTR_COMMAND:-$PWD/build/release/vitrine}" "$tmp/vitrine"
# A machine may be slow: what is asked of an image gets a minute here.
# shellcheck source=scripts/completion.bash
source <(sed 's/--timeout 3/--timeout 60/' scripts/completion.bash)
cd "$tmp"
# There is no line to edit here.
compopt() { :; }

# complete_words WORD…: the last one is being typed. COMPREPLY, sorted, on one line each.
complete_words()
{
	COMP_WORDS=("$tmp/vitrine" "$@")
	COMP_CWORD=$#
	_vitrine
	printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort
}

expect()
{
	local wanted=$1 got
	shift
	got=$(complete_words "$@")
	[ "$got" = "$wanted" ] || {
		printf 'vitrine %s\nwanted:\n%s\ngot:\n%s\n' "$*" "$wanted" "$got"
		exit 1
	}
}

# Verbs: all that help lists.
expect inspect insp
expect stat st
[ "$(complete_words '' | grep -c '^[a-z]')" = "$("$tmp/vitrine" --help | grep -c '^  [a-z]* ')" ]

# Options: the verb's own, and everybody's.
expect $'--no-packages\n--no-replay' inspect --no
expect --extents stat --ext
expect --json ls --js
expect $'--exclude\n--exclude-from' tar --excl
expect '' stat --excl
expect '' tar --exclude ''
expect $'4096\n512' ls --sector-size ''
expect '' ls --limit ''

# Files of the host.
touch disk.qcow2 'disk two.raw'
expect 'disk.qcow2' ls disk.q
expect 'disk.qcow2' tar --exclude-from disk.q
expect 'disk.qcow2' info disk.qcow2 disk.q
expect 'disk.qcow2' diff disk.raw disk.q
expect 'disk.qcow2' log -n 5 disk.q
expect '' log -n ''
expect $'cyclonedx\nspdx' inspect --sbom ''
expect $'qcow2\nraw' export -O ''
expect zstd export --compress zs
expect --sha256 export --sha
expect 'disk.qcow2' export -O qcow2 disk.q
expect 'disk.qcow2' compare --strict disk.raw disk.q

# What to do with the registry comes before its image.
expect $'export\nfind\nget\nls' reg ''
expect export reg ex
expect 'disk.qcow2' reg get disk.q
expect '--prefix' reg export --pre

# Paths of the guest.
command -v mke2fs >/dev/null || {
	echo "skipped: no mke2fs for paths of the guest"
	exit 77
}
mkdir -p root/etc/apt root/etc/alternatives root/usr
touch 'root/etc/a file' root/etc/hostname 'root/etc/1 2001-01-01 10:10 x'
printf 'x' >root/etc/$'a\033[31mred'
ln -s hostname root/etc/hosts
truncate -s 8M disk.raw
mke2fs -q -F -d root -E root_owner=0:0 disk.raw >messages 2>&1
cp disk.raw 'my disk.raw'
expect $'/etc/\n/lost+found/\n/usr/' ls disk.raw /
[ "$(complete_words ls disk.raw /etc/ | grep -c .)" = 6 ]
expect $'/etc/a\\ file\n/etc/alternatives/\n/etc/apt/' ls disk.raw /etc/a
expect '/etc/1\ 2001-01-01\ 10:10\ x' ls disk.raw /etc/1
expect '/etc/a\ file' ls disk.raw '/etc/a\ f'
expect $'/etc/hostname\n/etc/hosts' stat --json disk.raw /etc/ho
expect '/etc/hosts' cat --device /dev/sda --format raw 'my\ disk.raw' /etc/hosts
expect '/etc/hosts' cat -a disk.raw /etc/hosts
expect '' cat disk.raw etc/ho
expect '' cat no-such.raw /etc/ho
