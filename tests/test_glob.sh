#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Patterns in paths, against glob(3) of the C library over the tree that the image is made of.
set -euo pipefail

cd "$(dirname "$0")/.."
for tool in mke2fs python3; do
	command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
# shellcheck source=tests/expect.sh
. tests/expect.sh

python3 - tree <<'X'
import os, random, sys
R = random.Random(11)
top = sys.argv[1].encode()
letters = [b"a", b"b", b"c", b"B", b".", b"-", b"_", b"1", b"2", b"[", b"]", b"*", b"?", b"\\", b" ", b"!", b"x.log"]
os.mkdir(top)
os.mkdir(top + b"/lost+found")
dirs = [top]
for i in range(400):
    d = R.choice(dirs)
    path = d + b"/" + b"".join(R.choice(letters) for _ in range(R.randint(1, 4)))
    if os.path.basename(path) in (b".", b"..") or os.path.lexists(path):
        continue
    kind = R.random()
    if kind < 0.25 and d.count(b"/") < 3:
        os.mkdir(path)
        dirs.append(path)
    elif kind < 0.35:
        os.symlink(R.choice([b".", b"nowhere", os.path.basename(R.choice(dirs))]), path)
    else:
        open(path, "w").close()
X
truncate -s 8M image
mke2fs -q -F -t ext4 -d tree image
rm -rf host
mkdir host

python3 - "$V" <<'X' || die "patterns differ"
import ctypes, locale, os, random, subprocess, sys
V = sys.argv[1]
R = random.Random(23)
locale.setlocale(locale.LC_ALL, "C.UTF-8")
LIBC = ctypes.CDLL(None)


class Glob(ctypes.Structure):
    _fields_ = [("n", ctypes.c_size_t), ("v", ctypes.POINTER(ctypes.c_char_p)), ("rest", ctypes.c_void_p * 16)]


def glob(pattern):
    g = Glob()
    if LIBC.glob(pattern, 0, None, ctypes.byref(g)) != 0:
        return []
    # Shells leave out "." and ".." where they are not written: they are in no directory here.
    return [p for p in (g.v[i][1:] for i in range(g.n))
            if all(a == b or a not in (b".", b"..") for a, b in zip(p.split(b"/"), pattern[1:].split(b"/")))]


parts = ["*", "*", "?", "a", "b", "B", "c", ".", "1", "-", "[a-c]", "[!a-c]", "[^b]", "[]a]", "[[]", "[a", "\\*", "\\[", "\\\\", "x", "*.log", "_", "[.-2]", "[a-]"]
names = [p[4:] for p in subprocess.run(["find", "tree", "-mindepth", "1"], stdout=subprocess.PIPE).stdout.decode(errors="surrogateescape").split("\n") if p]
os.chdir("tree")
bad = n = hits = 0
for i in range(int(os.environ.get("PATTERNS", "500"))):
    if i % 3 == 0:  # a name of the tree, with something for some of its letters
        pattern = ""
        for c in R.choice(names):
            pattern += c if c == "/" or R.random() < 0.5 else R.choice(["?", "*", "[%s]" % c if c not in "!^]\\" else "?", "\\" + c])
    else:
        pattern = "/" + "/".join("".join(R.choice(parts) for _ in range(R.randint(1, 3))) for _ in range(R.randint(1, 3)))
        if set("*?[") & set(pattern.split("/")[-1]):
            pattern += R.choice(["", "", "", "/"])
    # What "[.x.]" and "[=x=]" mean is a matter of the locale.
    if not set("*?[") & set(pattern) or "[." in pattern or "[=" in pattern or "[:" in pattern:
        continue
    # What a backslash at the end of a name keeps is not defined.
    if "//" in pattern or "\n" in pattern or any((len(p) - len(p.rstrip("\\"))) % 2 for p in pattern.split("/")):
        continue
    # A path that is there as it is written comes first.
    want = [pattern.encode()] if os.path.lexists("." + pattern) and (pattern[-1] != "/" or os.path.isdir("." + pattern)) else glob(("." + pattern).encode())
    r = subprocess.run([V, "find", "../image", pattern, "-maxdepth", "0", "-printf", "%p\\0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    got = [p for p in r.stdout.split(b"\0") if p]
    n += 1
    hits += len(want)
    if got != want or (r.returncode != 0) != (not want):
        bad += 1
        print("%r: %r, expected %r: %s" % (pattern, got, want, r.stderr.decode(errors="replace")))
print("%d patterns, %d paths, %d differ" % (n, hits, bad))
sys.exit(bad > 0 or n < 250 or hits < 200)
X
ok

# Each verb takes them; what matches nothing is an error.
expect 1 "$V" ls image '/nosuch*'
has err '/nosuch*: no path matches'
expect 1 "$V" tar image '/nosuch*'
[ ! -s out ] || die "tar wrote something"
expect 1 "$V" get image '/nosuch*' host
mkdir sub
echo one >sub/x1.conf
echo two >sub/x2.conf
echo hidden >sub/.x3.conf
truncate -s 2M small
mke2fs -q -F -d sub small
expect 0 "$V" cat small '/*.conf'
is "$(printf 'one\ntwo')"
expect 0 "$V" cat small '/.*.conf'
is hidden
expect 0 "$V" get small '/x*.conf' host
[ "$(cat host/x1.conf host/x2.conf)" = "$(printf 'one\ntwo')" ] || die "get took other files"
expect 0 "$V" hash small '/x[12].conf'
[ "$(wc -l <out)" = 2 ] || die "two hashes expected"
expect 0 "$V" grep two small '/x*'
is /x2.conf:two
expect 0 "$V" stat --json small '/x?.conf'
expect 0 "$V" find small '/x*' -name '*2*'
is /x2.conf
expect 0 "$V" tar -f t.tar small '/x*'
[ "$(tar -tf t.tar)" = "$(printf 'x1.conf\nx2.conf')" ] || die "tar took other files"
# Characters are those of UTF-8.
echo e >sub/é.txt
mke2fs -q -F -d sub small
expect 0 "$V" cat small '/?.txt'
is e
expect 1 "$V" cat small '/??.txt'
expect 0 "$V" cat small '/[à-ê].txt'
is e
expect 0 "$V" cat small '/x[[:digit:]].conf'
is "$(printf 'one\ntwo')"
expect 0 "$V" cat small '/x[![:alpha:]1].conf'
is two
expect 1 "$V" cat small '/x[[:alpha:]].conf'
# Limits.
expect 1 "$V" ls --limit entries=1 small '/x*'
has err 'limit entries=1'
echo "$passed checks"
