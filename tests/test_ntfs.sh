#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The command on NTFS: listings, streams and what stat tells, against what tests/images/mk-ntfs.py wrote.
set -euo pipefail

# shellcheck source=tests/environment.sh
. "$(dirname "$0")/environment.sh"
V=$(realpath "${VTR_COMMAND:-build/release/vitrine}")
images=$PWD/tests/images
command -v xz >/dev/null || { echo "skip: no xz"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
xz -dc "$images/ntfs-full.img.xz" >"$work/full"
cd "$work"

same()
{
	local what=$1 want=$2 got=$3

	[ "$want" = "$got" ] || {
		printf '%s:\n%s\nexpected:\n%s\n' "$what" "$got" "$want" >&2
		exit 1
	}
}

# Names, types and targets.
cut -f1 "$images/ntfs-full.tsv" | grep -v : | LC_ALL=C sort >want
"$V" ls -R full / | sed 's,^/,,' | LC_ALL=C sort >got
diff want got
awk -F'\t' '$5 { print $1 " -> " $5 }' "$images/ntfs-full.tsv" | grep -v : | LC_ALL=C sort >want
"$V" ls -lR full / | sed -n 's,^l.* /\(.* -> .*\),\1,p' | grep -v : | LC_ALL=C sort >got
diff want got

# Contents, of the overlay filter too, and of streams.
awk -F'\t' '$4 && $2 == "f" { print $4 "  /" $1 }' "$images/ntfs-full.tsv" | LC_ALL=C sort >want
"$V" hash -R full / | grep -v -e /dedup -e /placeholder -e /wimboot | LC_ALL=C sort >got || true
diff want got
same stream 'a stream' "$("$V" cat full /small:beside)"
same 'stream in capitals' 'a stream' "$("$V" cat full '/SMALL:Beside:$data')"
same 'stream, hashed' "$(printf 'a stream' | sha256sum | cut -d' ' -f1)" "$("$V" hash full /small:beside | cut -d' ' -f1)"

same streams '   stream: beside, 8 bytes, 0 allocated' "$("$V" stat --streams full /small | grep stream:)"
"$V" stat --json --streams --security full /facts >facts.json
grep -q '"sddl": "O:BAG:S-1-5-21-1-2-3-513D:PAI' facts.json
grep -q '"object_id": "04030201-0605-0807-090A-0B0C0D0E0F10"' facts.json
"$V" stat --json full /facts | grep -q sddl && exit 1

status=0
"$V" cat full /dedup 2>err || status=$?
same 'status of what is elsewhere' 1 "$status"
grep -q 'data deduplication' err
"$V" layout full | grep -q '"full"'
"$V" df full | grep -q ntfs
