# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: LGPL-2.1-or-later
# For tests that run the command: a folder of their own to work in, and what is expected of a command.
# Sourced from the top of the tree. V: the command; top: the tree; dir: the folder.
V=$(realpath "${VTR_COMMAND:-build/release/vitrine}")
top=$PWD
dir=$(mktemp -d)
[ -n "${KEEP:-}" ] || trap 'rm -rf "$dir"' EXIT
# shellcheck source=tests/environment.sh
. tests/environment.sh
cd "$dir"
passed=0
ok() { passed=$((passed + 1)); }
die()
{
	echo "FAILED: $*"
	cat out err 2>/dev/null || true
	exit 1
}
# expect STATUS COMMAND…: out and err are what it printed
expect()
{
	local want=$1 got=0
	shift
	"$@" >out 2>err </dev/null || got=$?
	[ "$got" = "$want" ] || die "status $got, expected $want: $*"
	ok
}
has() { grep -qF -- "$2" "$1" || die "$1 has no \"$2\""; ok; }
hasnt() { ! grep -qF -- "$2" "$1" || die "$1 has \"$2\""; ok; }
is() { [ "$(cat out)" = "$1" ] || die "\"$1\" expected"; ok; }
