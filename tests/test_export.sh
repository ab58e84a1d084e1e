#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Exporting, mapping, comparing and measuring whole disks, against qemu-img: its checks, its comparisons, its maps, its
# count of fragmented clusters.
set -euo pipefail

cd "$(dirname "$0")/.."
# shellcheck source=tests/manual-guest.sh
. tests/manual-guest.sh
need qemu-img qemu-io python3 sha256sum cmp
# shellcheck source=tests/expect.sh
. tests/expect.sh

# --- disks: text that compresses, noise that does not, zeros, holes; some end within a sector
python3 - <<'X'
import os, random
random.seed(5)
def disk(name, size, pieces):
    with open(name, "wb") as f:
        f.truncate(size)
        for i in range(pieces):
            at = random.randrange(size)
            n = min(random.choice([1, 500, 4096, 65536, 200000, 700000]), size - at)
            kind = random.randrange(4)
            f.seek(at)
            f.write(random.randbytes(n) if kind == 0 else bytes(n) if kind == 1
                    else (b"the quick brown fox %d\n" % i * (n // 20 + 1))[:n])
disk("a.raw", 24 << 20, 60)
disk("odd.raw", 3 * 65536 + 777, 4)
disk("noise.raw", 9 << 20, 0)
with open("noise.raw", "r+b") as f:
    f.write(random.randbytes(9 << 20))
open("empty.raw", "wb")
open("zero.raw", "wb").truncate(5 << 20)
X

# --- to qcow2: every compression, clusters small enough that refcounts need several blocks
for disk in a odd noise empty; do
	sum=$(sha256sum <$disk.raw)
	for how in "" "--compress zlib" "--compress zlib --level 1" "--compress zstd" "--compress zstd --level 7" \
		"--cluster-size 512 --compress zstd" "--cluster-size 4096 --compress zlib" \
		"--cluster-size 2097152" "--cluster-size 2097152 --compress zstd"; do
		# shellcheck disable=SC2086
		expect 0 "$V" export -f --format raw -O qcow2 $how --sha256 $disk.raw new.qcow2
		[ "$(cat out)" = "${sum%-}new.qcow2" ] || die "$disk $how: sha256"
		qemu-img check -q new.qcow2 >out 2>err || die "$disk $how: qemu-img check"
		qemu-img compare -q -f raw -F qcow2 $disk.raw new.qcow2 >out 2>err || die "$disk $how: qemu-img compare"
		expect 0 "$V" compare --format raw --format-b qcow2 $disk.raw new.qcow2
	done
done
"$V" export -f --format raw -O qcow2 zero.raw new.qcow2
expect 0 qemu-img map --output=json new.qcow2
[ "$(grep -c start out)" = 1 ] || die "zeros are stored"
for threads in 1 2 5; do
	"$V" export -f --format raw --limit threads=$threads -O qcow2 --compress zlib a.raw threads-$threads.qcow2
	cmp threads-$threads.qcow2 threads-1.qcow2
done
ok

# --- raw, a pipe, and their digests
qemu-img convert -c -O qcow2 -o cluster_size=2M a.raw a.qcow2
for from in a.qcow2 odd.raw zero.raw empty.raw; do
	disk=${from%.*}.raw
	sum=$(sha256sum <"$disk")
	expect 0 "$V" export -f --sha256 $from copy.raw
	[ "$(cat out)" = "${sum%-}copy.raw" ] || die "$from: sha256"
	cmp copy.raw "$disk"
	expect 0 "$V" export --sha256 $from -
	[ "$(cat err)" = "$sum" ] || die "$from: sha256 of a pipe"
	cmp out "$disk"
	"$V" export $from - | cmp - "$disk"
	printf before >behind
	"$V" export $from - >>behind
	{ printf before; cat "$disk"; } | cmp - behind
	: >behind
	"$V" export $from - >>behind
	cmp behind "$disk"
	"$V" export $from - >behind
	cmp behind "$disk"
done
expect 1 "$V" export -O qcow2 a.raw copy.raw
has err "--force replaces it"
expect 2 "$V" export -O qcow2 a.raw -
expect 2 "$V" export --compress zlib a.raw x.raw
expect 2 "$V" export -O qcow2 --level 3 a.raw x.qcow2
expect 2 "$V" export -O vmdk a.raw x.vmdk
expect 2 "$V" export -O qcow2 --compress lzo a.raw x.qcow2
expect 1 "$V" export -O qcow2 --cluster-size 5000 a.raw x.qcow2
has err "a power of two"
expect 1 "$V" export -O qcow2 --compress zlib --level 10 a.raw x.qcow2
has err "zlib has 1 to 9"
[ ! -e x.qcow2 ] && [ ! -e x.raw ] || die "what failed left a file"

# --- the name says which format, or --to; what is not written is refused by name
expect 0 "$V" export -f odd.raw named.qcow2
qemu-img check -q -f qcow2 named.qcow2
qemu-img compare -q -f raw -F qcow2 odd.raw named.qcow2
expect 0 "$V" export -f -O raw odd.raw named.qcow2
cmp odd.raw named.qcow2
for name in x.vmdk x.VHDX ./x.vdi x.raw.gz; do
	expect 2 "$V" export odd.raw $name
	has err "$name: this format is not written; --to raw"
	[ ! -e $name ] || die "$name is written"
done
expect 0 "$V" export -O raw odd.raw x.vmdk
cmp odd.raw x.vmdk
rm x.vmdk named.qcow2
mkdir dir.vmdk
expect 0 "$V" export odd.raw dir.vmdk/plain
if command -v script >/dev/null; then
	expect 2 script -qec "'$V' export odd.raw -" /dev/null
	has out "a disk is not for a terminal"
fi

# --- what FILE is: nothing but a file is replaced, and a device or a FIFO is written to
mkfifo fifo
ln -s target.raw link.raw
ln -s nothing dangling.raw
: >target.raw
chmod 600 target.raw
expect 1 "$V" export odd.raw fifo
has err "fifo: a FIFO is there; --force writes to it"
expect 1 "$V" export -f -O qcow2 odd.raw fifo
has err "fifo: a FIFO: what is written needs a regular file"
cat fifo >copy &
expect 0 "$V" export -f odd.raw fifo
wait $!
cmp copy odd.raw
[ -p fifo ] || die "a FIFO is replaced"
expect 1 "$V" export odd.raw link.raw
has err "--force replaces it"
expect 0 "$V" export -f odd.raw link.raw
cmp target.raw odd.raw
[ -L link.raw ] || die "a link is replaced"
[ "$(stat -c %a target.raw)" = 600 ] || die "others can read what they could not"
expect 1 "$V" export -f odd.raw dangling.raw
has err "leads nowhere"
[ -L dangling.raw ] && [ ! -e nothing ] || die "a link that leads nowhere is written through"
expect 1 "$V" export -f -O raw odd.raw dir.vmdk
ln -s odd.raw self.raw
expect 1 "$V" export -f odd.raw self.raw
has err "it is the image itself"
if mknod null c 1 3 2>/dev/null; then
	expect 1 "$V" export odd.raw null
	has err "null: a character device is there"
	expect 0 "$V" export -f odd.raw null
	[ -c null ] || die "a device is replaced"
fi
rm -rf fifo link.raw target.raw dangling.raw dir.vmdk self.raw null copy

# --- chains, and their maps
qemu-img create -q -f qcow2 base.qcow2 8M
qemu-io -c "write -P 1 64k 200k" -c "write -z 1M 128k" -c "write -c -P 3 2M 64k" -c "write -c -P 4 2112k 64k" \
	-c "write -P 7 3M 1M" base.qcow2 >/dev/null
qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 top.qcow2 10M
qemu-io -c "write -P 2 128k 64k" -c "write -z 3M 64k" -c "write -P 9 9M 10k" top.qcow2 >/dev/null
qemu-img create -q -f qcow2 -b a.raw -F raw over.qcow2 30M
qemu-io -c "write -P 2 1M 64k" over.qcow2 >/dev/null
qemu-img create -q -f qcow2 -b top.qcow2 -F qcow2 third.qcow2 10M
qemu-img create -q -f qcow2 -o preallocation=falloc,cluster_size=512 small.qcow2 1M
qemu-img create -q -f qcow2 -o preallocation=metadata full.qcow2 20M
qemu-img create -q -f qcow2 -o extended_l2=on sub.qcow2 4M
qemu-io -c "write -P 1 6k 3k" -c "write -z 70k 5k" -c "write -P 5 1M 300k" sub.qcow2 >/dev/null
cat >maps.py <<'X'
import json, sys
ours = [json.loads(line) for line in open("ours")]
theirs = json.load(open("theirs"))

# qemu-img looks for holes within clusters, and says where holes of a raw file would be.
def plain(e):
    e = {k: v for k, v in e.items() if k not in ("file", "compressed")}
    if e["data"]:
        e["zero"] = False
    else:
        e.pop("offset", None)
    return e

def join(list_):
    out = []
    for e in map(plain, list_):
        last = out[-1] if out else None
        if last and all(last.get(k) == e.get(k) for k in ("depth", "present", "zero", "data")) and \
                ("offset" in last) == ("offset" in e) and \
                ("offset" not in e or last["offset"] + last["length"] == e["offset"]):
            last["length"] += e["length"]
        else:
            out.append(dict(e))
    return out

a, b = join(ours), join(theirs)
for x, y in zip(a, b):
    if x != y:
        sys.exit("ours %s\ntheirs %s" % (x, y))
if len(a) != len(b):
    sys.exit("%d stretches, qemu-img has %d" % (len(a), len(b)))
for x, y in zip(ours, ours[1:]):
    if x["start"] + x["length"] != y["start"]:
        sys.exit("a gap behind %s" % x)
    same = [x[k] == y[k] for k in ("depth", "present", "zero", "data", "compressed")]
    if all(same) and x.get("offset", -1) + x["length"] == y.get("offset", -2) and x["file"] == y["file"]:
        sys.exit("%s and %s are not joined" % (x, y))
X
# What the host tells of holes is the same before and after it has written them back only where they are written back.
sync a.raw
for image in base.qcow2 top.qcow2 over.qcow2 third.qcow2 small.qcow2 full.qcow2 sub.qcow2 a.qcow2 a.raw new.qcow2 \
	threads-1.qcow2; do
	format=${image##*.}
	"$V" map --json --follow $image >ours
	qemu-img map --output=json -f "$format" $image >theirs
	python3 maps.py >out 2>err || die "map of $image"
	"$V" map --follow $image | awk 'NR > 1 { print $1, $2, $4 }' >text
	[ "$(wc -l <text)" = "$(wc -l <ours)" ] || die "map of $image: text"
	[ $image = a.raw ] || "$V" export -f -O qcow2 --compress zstd --follow $image flat.qcow2
	[ $image = a.raw ] || qemu-img compare -q $image flat.qcow2 || die "$image is exported with other contents"
	ok
done
expect 1 "$V" map top.qcow2
has err "--follow"
# Of a chain, the file that is damaged is named.
cp base.qcow2 sound.qcow2
python3 - <<'X'
import struct
with open("base.qcow2", "r+b") as f:
    def table(off):
        f.seek(off)
        return struct.unpack(">Q", f.read(8))[0] & (1 << 56) - 1
    f.seek(table(table(40)) + 8 * 3)
    f.write(struct.pack(">Q", 1 << 63 | 0x7f0000000000))
X
damaged()
{
	expect "$@"
	has err "base.qcow2: qcow2: L2 table at "
	has err ": entry 3 points past the end of the file (0x7f0000000000 > "
}
damaged 1 "$V" map --follow top.qcow2
damaged 3 "$V" info --follow top.qcow2
damaged 1 "$V" export -f --follow top.qcow2 copy.raw
damaged 2 "$V" compare --follow top.qcow2 sound.qcow2
mv sound.qcow2 base.qcow2
expect 0 "$V" map --json --follow top.qcow2
has out '"file":"top.qcow2"'
has out 'base.qcow2"'

# --- compare: sizes, the first byte that differs
cp a.raw b.raw
expect 0 "$V" compare a.qcow2 b.raw
has out "the disks are equal"
printf 'x' | dd of=b.raw bs=1 seek=20000001 conv=notrunc status=none
expect 1 "$V" compare a.qcow2 b.raw
has out "first at byte 20000001 (0x1312d01)"
expect 1 "$V" compare --json b.raw a.qcow2
has out '"first_difference": 20000001'
cp a.raw b.raw
truncate -s +70001 b.raw
expect 0 "$V" compare --format raw a.raw b.raw
has out "what is longer is zero"
expect 1 "$V" compare --strict a.raw b.raw
has out "first at byte $((24 << 20)) ("
printf 'x' >>b.raw
expect 1 "$V" compare b.raw a.qcow2
has out "first at byte $(((24 << 20) + 70001)) ("
expect 1 "$V" compare a.qcow2 b.raw
expect 1 "$V" compare empty.raw noise.raw
has out "first at byte 0 ("
expect 0 "$V" compare empty.raw zero.raw
expect 0 "$V" compare -a a.raw -a a.qcow2
expect 2 "$V" compare a.raw
expect 2 "$V" compare a.raw b.raw zero.raw
expect 2 "$V" compare a.raw nosuch
expect 2 "$V" compare top.qcow2 a.raw
has err "--follow"
python3 - "$V" <<'X' >out 2>err || die "random differences"
import random, subprocess, sys
random.seed(9)
data = open("a.raw", "rb").read()
for i in range(6):
    at = random.randrange(len(data) - 1)
    other = bytearray(data)
    other[at] ^= 1 << random.randrange(8)
    first = at
    for later in range(3):
        other[random.randrange(at + 1, len(data))] ^= 0x80
    open("c.raw", "wb").write(other)
    r = subprocess.run([sys.argv[1], "compare", "--format-b", "raw", "--json", "a.qcow2", "c.raw"],
                       stdout=subprocess.PIPE)
    assert r.returncode == 1 and b'"first_difference": %d\n' % first in r.stdout.replace(b",", b""), (first, r)
X
ok

# --- info: what is stored, and how fragmented; qemu-img check counts the same clusters
qemu-img create -q -f qcow2 frag.qcow2 16M
python3 - <<'X' | qemu-io frag.qcow2 >/dev/null
import random
random.seed(1)
clusters = list(range(200))
random.shuffle(clusters)
for c in clusters[:120]:
    print("write -P %d %dk 64k" % (c % 250 + 1, 64 * c))
X
for image in frag.qcow2 base.qcow2 small.qcow2 full.qcow2 new.qcow2; do
	"$V" info --measure --json $image >ours
	qemu-img check --output=json $image >theirs
	python3 - <<'X' >out 2>err || die "what info says of $image"
import json
ours, theirs = json.load(open("ours"))["images"][0], json.load(open("theirs"))
u, cluster = ours["usage"], ours["cluster_size"]
assert u["data"] + u["zero"] + u["absent"] == ours["virtual_size"], u
packed = u["compressed"] // cluster
assert u["data"] // cluster == theirs.get("allocated-clusters", 0), (u, theirs)
# Compressed clusters count as fragmented there.
if not packed and "fragments" in u:
    assert u["fragments"] - 1 == theirs.get("fragmented-clusters", 0), (u, theirs)
assert u.get("aligned_4k", True) == (cluster >= 4096), u
X
	ok
done
"$V" info frag.qcow2 >out
has out "fragmented"
expect 0 "$V" info --json --follow top.qcow2
python3 - <<'X' >out2 2>err || die "info of a chain"
import json
d = json.load(open("out"))["images"][0]
assert d["usage"] == dict(d["usage"], data=131072, zero=65536), d["usage"]
assert d["chain"][0]["usage"]["compressed"] == 131072, d["chain"]
X
ok
printf '<?xml version="1.0"?><plist><string>com.apple.diskimage.sparsebundle</string></plist>' >unread.img
truncate -s 1M unread.img
expect 1 "$V" info unread.img
has out "sparsebundle (Apple sparse bundle)"
has out "1 MiB (1048576 bytes)"
has err "unread.img: sparsebundle"
expect 2 "$V" info --any-parent frag.qcow2

# --- a parent that is another, and one that was changed
qemu-img create -q -f vmdk below.vmdk 4M
qemu-io -f vmdk -c "write -P 5 0 1M" below.vmdk >/dev/null
qemu-img create -q -f vmdk -b below.vmdk -F vmdk above.vmdk
qemu-io -f vmdk -c "write -P 6 1M 64k" above.vmdk >/dev/null
expect 0 "$V" info --follow above.vmdk
has out "parent matches    yes"
expect 0 "$V" info --json --follow above.vmdk
python3 - <<'X' >out2 2>err || die "info of a VMDK chain"
import json
d = json.load(open("out"))["images"][0]
assert d["parent_matches"] and d["parent_id"] == d["chain"][0]["content_id"], d
assert d["usage"]["data"] == 65536 and d["usage"]["absent"] == (4 << 20) - 65536, d["usage"]
assert d["chain"][0]["usage"]["data"] == 1 << 20, d["chain"]
X
expect 0 "$V" export -f -O qcow2 --compress zlib --follow above.vmdk flat.qcow2
qemu-img compare -q above.vmdk flat.qcow2
ok
qemu-io -f vmdk -c "write -P 7 2M 1M" below.vmdk >/dev/null
expect 3 "$V" info --follow above.vmdk
has out "parent matches    no"
expect 1 "$V" map --follow above.vmdk
has err "--any-parent reads it all the same"
expect 3 "$V" map --follow --any-parent above.vmdk
expect 2 "$V" compare --follow above.vmdk a.raw
expect 3 "$V" export -f --follow --any-parent above.vmdk copy.raw
[ "$(tail -c +2097153 copy.raw | head -c 4 | od -An -tx1)" = " 07 07 07 07" ] || die "the other parent is not read"

# --- an image of 60 TiB costs what is in it
qemu-img create -q -f qcow2 huge.qcow2 60T
qemu-io -c "write -P 1 59T 64k" huge.qcow2 >/dev/null
expect 0 timeout 60 "$V" info huge.qcow2
has out "65536 bytes"
expect 0 timeout 60 "$V" map huge.qcow2
expect 0 timeout 60 "$V" export -O qcow2 huge.qcow2 huge2.qcow2
qemu-img check -q huge2.qcow2
expect 0 timeout 60 "$V" compare huge.qcow2 huge2.qcow2

# --- tables that many parts of the disk share: what they say more of than there is ends, and comes at once to a pipe
python3 - <<'X'
import struct
n, size = 4 << 20, 1 << 16
head = bytearray(size)
struct.pack_into(">4sIQIIQIIQQIIQQQQII", head, 0, b"QFI\xfb", 3, 0, 0, 16, n * size // 8 * size, 0, n, 3 * size, size, 1,
                 0, 0, 0, 0, 0, 4, 104)
with open("shared.qcow2", "wb") as f:
    f.write(head + struct.pack(">Q", 2 * size))
    f.seek(3 * size)
    f.write(struct.pack(">Q", 3 * size + 8 * n | 1 << 63) * n)
    f.write(struct.pack(">QQ", 1, 0) * (size // 16))
X
for cmd in "1 map shared.qcow2" "1 export -f -O qcow2 shared.qcow2 shared.out" "2 compare shared.qcow2 shared.qcow2"; do
	expect "${cmd%% *}" timeout 60 "$V" ${cmd#* } --limit steps=100000
	has err "limit steps=100000"
done
[ "$(timeout 60 "$V" export shared.qcow2 - 2>err | head -c 100M | wc -c)" = 104857600 ] || die "zeros do not come"

echo "$passed checks"
