#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What every verb prints with --json, of a guest whose names and texts have odd bytes: JSON that a terminal can bear, with
# the bytes of what is no UTF-8 beside it.
set -euo pipefail

cd "$(dirname "$0")/.."
# shellcheck source=tests/manual-guest.sh
. tests/manual-guest.sh
need python3 mke2fs qemu-img
# shellcheck source=tests/expect.sh
. tests/expect.sh

mkdir tree
manual_tree tree '\076\0'
"$top/tests/mk-hive.py" hives .
python3 - "$top" <<'X'
import os, sys
sys.path.insert(0, sys.argv[1] + "/tests")
import importlib
hive = importlib.import_module("mk-hive")
ODD = [b"esc\x1b[31mred", b"c1\xc2\x9b1m", b"del\x7f", b"tab\tline\n", b'quote"back\\slash', b"rtl\xe2\x80\xaetxt", b"tag\xf3\xa0\x81\x81",
       b"mark\xef\xbb\xbf", b"latin\xe9", b"raw\x9b31m", b"cut\xe2\x82", b"over\xc0\xaf", b"half\xed\xa0\x80", b"fine\xc3\xa9\xf0\x9f\x98\x80"]
os.mkdir("tree/odd")
for name in ODD:
    with open(b"tree/odd/" + name, "wb") as f:
        f.write(b"needle " + name.replace(b"\n", b"") + b"\n")
    os.symlink(b"to-" + name, b"tree/odd/link-" + name)
    if name != ODD[0]:
        os.mkdir(b"tree/home/" + name)
with open("tree/etc/hostname", "wb") as f:
    f.write(b"h\xe9\x1bst\n")
with open("tree/etc/passwd", "ab") as f:
    for i, name in enumerate(ODD):
        f.write(b"u%d:x:%d:%d:" % (i, 1000 + i, 1000 + i) + name.replace(b"\n", b"") + b":/home/u:/bin/sh\n")
with open("tree/var/log/syslog", "ab") as f:
    for name in ODD:
        f.write(b"May  6 07:09:00 www odd[1]: " + name.replace(b"\n", b"") + b"\n")
with open("tree/var/lib/dpkg/status", "ab") as f:
    for i, name in enumerate(ODD):
        f.write(b"\nPackage: odd%d\nStatus: install ok installed\nArchitecture: all\nVersion: 1\nDescription: " % i + name.replace(b"\n", b"") + b"\n")
K = hive.Key
text = [n.decode("utf-8") for n in ODD if n.decode("utf-8", "ignore").encode() == n]
root = K("ROOT", *[K(t.replace("\\", "/"), values=[(t, hive.SZ, hive.sz(t)), ("list", hive.MULTI, hive.multi(t, "b"))]) for t in text])
with open("odd.hive", "wb") as f:
    f.write(hive.Hive(root).bytes())
X
printf 'UUID=5a170000-0000-4000-8000-000000000002 / ext4 errors=\351\033 0 1\nLABEL=l\351\033 /srv/m\303\251\351 ext4 x 0 0\n' >tree/etc/fstab
truncate -s 16M raw.img
mke2fs -q -F -t ext4 -L "$(printf 'l\351\033[1m')" -U 5a170000-0000-4000-8000-000000000002 -d tree raw.img
image=$(printf 'g\351\033[7mu.qcow2')
qemu-img convert -O qcow2 raw.img "$image"
qemu-img snapshot -c "$(printf 's\351\033[7m')" "$image"
cp raw.img other.img
debugfs -w -R 'rm /odd/fine'"$(printf '\303\251\360\237\230\200')" other.img 2>/dev/null

# run STATUS NAME VERB…: what is printed becomes NAME
run()
{
	local name=$2
	expect "$1" "$V" "${@:3}"
	[ -s out ] || die "${*:3}: nothing is printed"
	cp out "$name.json"
}
run 0 inspect inspect --json "$image"
run 0 cyclonedx inspect --sbom cyclonedx "$image"
run 0 spdx inspect --sbom spdx "$image"
run 0 info info --json "$image"
run 0 layout layout --json "$image"
run 0 df df --json "$image"
run 0 ls ls --json "$image" /odd
run 0 lsr ls -R --json "$image" /odd
run 0 find find --json "$image" /odd
mapfile -d '' -t paths < <(find tree/odd tree/home -mindepth 1 -print0 | sed -z 's/^tree//')
run 0 stat stat --json "$image" "${paths[@]}"
run 0 hash hash --json -R "$image" /odd
run 0 grep grep -r --json --text needle "$image" /odd
run 0 log log --json "$image"
run 1 diff diff --json "$image" other.img
run 0 map map --json "$image"
run 0 compare compare --json "$image" raw.img
run 0 reg reg export --json odd.hive
run 0 regls reg ls --json odd.hive
run 0 regfind reg find --json odd.hive l
run 0 first reg export --json first

python3 - *.json <<'X' || die "that is no JSON for programs"
import json, re, sys

# What vitrine.h says that vtr_escape() escapes: controls, and what changes how a terminal shows the rest.
HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
                    "\U000e0000-\U000e007f]")
UTF16 = ("reg", "regls", "regfind", "first")
seen, hexes = {}, 0


def fits(text, raw):
    """Each byte that belongs to no character is one U+FFFD."""
    want, at = "", 0
    while at < len(raw):
        for n in (1, 2, 3, 4):
            try:
                want += raw[at:at + n].decode("utf-8")
                at += n
                break
            except UnicodeDecodeError:
                pass
        else:
            want += "\ufffd"
            at += 1
    return text == want and "\ufffd" in text


def walk(name, v):
    global hexes
    if isinstance(v, dict):
        for k, x in v.items():
            walk(name, x)
            if name in UTF16:
                continue
            pairs = list(zip(x, v.get(k + "_hex") or [None] * len(x))) if isinstance(x, list) else [(x, v.get(k + "_hex"))]
            for text, hx in pairs:
                if isinstance(text, str) and ("\ufffd" in text or hx is not None):
                    assert hx is not None, "%s: %s of %r has no bytes" % (name, k, v)
                    assert fits(text, bytes.fromhex(hx)), "%s: %s of %r: the bytes are others" % (name, k, v)
                    hexes += 1
                if isinstance(text, str):
                    seen.setdefault(name, set()).add(bytes.fromhex(hx) if hx else text.encode("utf-8"))
    elif isinstance(v, list):
        for x in v:
            walk(name, x)


for path in sys.argv[1:]:
    name = path[:-5]
    with open(path, "rb") as f:
        raw = f.read().decode("utf-8")
    bad = HIDDEN.search(raw)
    assert not bad, "%s has a raw %r: %r" % (name, bad.group(), raw[max(0, bad.start() - 40):bad.end() + 10])
    assert not re.search(r"\\u[0-9a-f]*[A-F]", raw), name + ": capitals in an escape"
    try:
        docs = [json.loads(raw)]
    except ValueError:
        docs = [json.loads(line) for line in raw.splitlines()]
    for d in docs:
        walk(name, d)
names = [b"esc\x1b[31mred", b"c1\xc2\x9b1m", b"del\x7f", b"tab\tline\n", b'quote"back\\slash', b"rtl\xe2\x80\xaetxt",
         b"tag\xf3\xa0\x81\x81", b"mark\xef\xbb\xbf", b"latin\xe9", b"raw\x9b31m", b"cut\xe2\x82", b"over\xc0\xaf", b"half\xed\xa0\x80",
         b"fine\xc3\xa9\xf0\x9f\x98\x80"]
for name in ("ls", "lsr", "find", "stat", "hash", "grep"):
    for n in names:
        assert b"/odd/" + n in seen[name], "%s: no %r" % (name, n)
for name in ("find", "stat", "ls"):
    for n in names:
        assert b"to-" + n in seen[name], "%s: no target %r" % (name, n)
line = [n.replace(b"\n", b"") for n in names]
for n in line:
    assert b"needle " + n in seen["grep"], n
    assert n in seen["log"], n
    assert n in seen["inspect"], n
assert b"h\xe9\x1bst" in seen["inspect"]
assert b"s\xe9\x1b[7m" in seen["info"]
assert b"l\xe9\x1b[1m" in seen["layout"]
assert any(b"g\xe9\x1b[7mu.qcow2" in t for t in seen["info"])
assert b"/odd/fine\xc3\xa9\xf0\x9f\x98\x80" in seen["diff"]
print("%d texts with bytes beside them" % hexes)
X
ok
echo "$passed checks"
