#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Writes the seeds of fuzz_qcow2 into the folder qcow2 beside itself: small images made by qemu-img and qemu-io (7.2).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$here/qcow2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$out"
rm -f "$out"/*
cd "$tmp"

# io IMAGE COMMAND…: as the guest would.
io() {
	image=$1
	shift
	for c; do
		qemu-io -f qcow2 -c "$c" "$image" >/dev/null
	done
}

# make NAME OPTIONS SIZE
make() {
	qemu-img create -q -f qcow2 -o "$2" "$1" "$3"
}

make plain2 compat=0.10,cluster_size=512 32k
io plain2 'write -P 1 0 700' 'write -P 2 9k 512' 'write -P 3 32256 512'
make plain3 compat=1.1,cluster_size=512,refcount_bits=1 40001
io plain3 'write -P 1 100 700' 'write -P 2 20k 1k' 'write -z 21k 1k' 'write -z -u 1k 512'
make lazy cluster_size=1k,lazy_refcounts=on,refcount_bits=64 64k
io lazy 'write -P 1 1k 2k'
make zlib cluster_size=512,compression_type=zlib 16k
io zlib 'write -c -P 1 0 512' 'write -c -P 2 1k 512' 'write -P 3 2k 512' 'write -c -P 4 15872 512'
make zstd cluster_size=4k,compression_type=zstd 32k
io zstd 'write -c -P 1 0 4k' 'write -c -P 2 8k 4k'
make subclusters cluster_size=16k,extended_l2=on 64k
io subclusters 'write -P 1 512 600' 'write -z 2k 1k' 'write -P 2 20k 512' 'discard 20k 512' 'write -z -u 32k 16k'
make snapshots cluster_size=512 8k
io snapshots 'write -P 1 0 512'
qemu-img snapshot -c first snapshots
io snapshots 'write -P 2 0 1k'
qemu-img snapshot -c second snapshots
io snapshots 'write -P 3 512 1k'
make metadata cluster_size=512,preallocation=metadata 4k
make bitmap cluster_size=512 8k
qemu-img bitmap --add bitmap b0
make empty cluster_size=512 0

# A chain: the last byte of a name chooses the image, modulo 3.
chain() {
	name=$1 first=$2 second=$3
	for f in "$first" "$second"; do
		truncate -s $((($(stat -c %s "$f") + 511) / 512 * 512)) "$f"
	done
	printf 'chain%b%b' "\\0$(printf %o $(($(stat -c %s "$first") / 512)))" \
		"\\0$(printf %o $(($(stat -c %s "$second") / 512)))" >"$out/$name"
	cat "$first" "$second" >>"$out/$name"
	[ $# -lt 4 ] || cat "$4" >>"$out/$name"
}
qemu-img create -q -f qcow2 -o cluster_size=512 1 8k
io 1 'write -P 7 0 8k'
yes | head -c 3000 > ./2
qemu-img create -q -f qcow2 -F raw -b 2 -o cluster_size=512 mid 6k
io mid 'write -P 9 1k 512'
mv mid 1-mid
cp 1-mid 4
qemu-img create -q -f qcow2 -F qcow2 -b 4 -o cluster_size=512 top 9k
io top 'write -P 8 2k 512' 'write -z 4k 512'
chain chain3 top 4 2
qemu-img create -q -f qcow2 -F raw -b 4 -o cluster_size=1k,extended_l2=off over 12k
chain chain-raw over 2
qemu-img create -q -f qcow2 -o cluster_size=512,data_file=4 data 8k 2>/dev/null
io data 'write -P 5 512 1k'
chain data-file data 4
qemu-img create -q -f qcow2 -o cluster_size=512,data_file=4d,data_file_raw=on data-raw 8k 2>/dev/null
io data-raw 'write -P 5 512 1k'
chain data-file-raw data-raw 4d

for f in plain2 plain3 lazy zlib zstd subclusters snapshots metadata bitmap empty; do
	cp "$f" "$out/"
done
