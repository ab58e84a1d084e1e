#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# --exclude, against GNU tar over the tree that the image is made of.
set -euo pipefail

cd "$(dirname "$0")/.."
for tool in mke2fs python3 tar; do
	command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
tar --version | grep -q GNU || { echo "skipped: tar is not GNU tar"; exit 77; }
# shellcheck source=tests/expect.sh
. tests/expect.sh

# The tree has the same absolute path on the host and in the image, so that patterns mean the same.
python3 - "$dir/tree" <<'X'
import os, random, sys
R = random.Random(5)
top = os.fsencode(sys.argv[1])
letters = [b"a", b"b", b"c", b"B", b".", b"-", b"_", b"1", b"[", b"]", b"*", b"?", b"\\", b" ", b"!", b"x.log", b"\xe9", b"\xff"]
dirs = [top]
for d in (b"", b"/var", b"/var/cache", b"/var/cache/a", b"/srv", b"/srv/cache", b"/srv/var", b"/.git", b"/a", b"/a/a", b"/a/a/b", "/éé€€é".encode()):
    os.mkdir(top + d)
    dirs.append(top + d)
for i in range(300):
    d = R.choice(dirs)
    path = d + b"/" + b"".join(R.choice(letters) for _ in range(R.randint(1, 4)))
    if os.path.basename(path) in (b".", b"..") or os.path.lexists(path):
        continue
    kind = R.random()
    if kind < 0.25 and d.count(b"/") < top.count(b"/") + 4:
        os.mkdir(path)
        dirs.append(path)
    elif kind < 0.35:
        os.symlink(R.choice([b".", b"nowhere", os.path.basename(R.choice(dirs))]), path)
    else:
        open(path, "w").close()
X
mkdir -p "root${dir%/*}"
mkdir "root$dir"
cp -a tree "root$dir/tree"
truncate -s 8M image
mke2fs -q -F -t ext4 -d root image

python3 - "$V" "$dir/tree" <<'X' || die "members differ"
import io, os, random, subprocess, sys, tarfile
V, TREE = sys.argv[1:]
R = random.Random(29)


def members(*command):
    p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if p.returncode != 0:
        return [p.stderr]
    return sorted(os.fsencode(m.name) for m in tarfile.open(fileobj=io.BytesIO(p.stdout), errors="surrogateescape"))


def gnu(*options, start=TREE):
    return members("tar", "-c", *options, start)


def ours(*options, start=TREE):
    return members(V, "tar", *options, "image", start)


every = set(gnu())
assert every == set(ours()) and len(every) > 200
up = os.path.dirname(TREE).encode()
names = [b"/" + n for n in sorted(every)]
bad = n = some = 0


def check(options, start=TREE):
    global bad, n, some
    a, b = gnu(*options, start=start), ours(*options, start=start)
    n += 1
    some += 0 < len(a) < len(every)
    if a != b:
        bad += 1
        if bad < 12:
            print("patterns:", options, "start:", start)
            print("  left out by vitrine alone:", sorted(set(a) - set(b))[:5])
            print("  left out by tar alone:", sorted(set(b) - set(a))[:5])


# Patterns of the manual, and of everybody's scripts. The GNU C library takes a pattern for one of bytes where it does not fit as
# one of characters, so that "??" fits an "é": names that are not ASCII are long here.
fixed = ["var", "/var", "var/", "var/cache", "cache", "cache/", "*/cache", "var/*", "var/cache/*", "*.log", "*.log/", ".git", "./var",
         ".", "..", "./", "/", "*", "*/", "?", ".*", "*a", "a*", "a/a", "a/a/", "a//a", "tree/var", TREE, TREE + "/", TREE + "/var", TREE + "/*",
         TREE[1:] + "/var", "tree", "*/var/cache", "srv/cache", "va?", "v[a]r", "[!a]*", "[^a]", "var[/]cache", "var?cache", "v*e",
         "\\var", "v\\ar", "var\\", "*\\", "\\*", "\\\\", "*\\\\", "[", "[a", "[]", "[]]", "[[]", "a]", "[a-c]", "[c-a]", "[a-]", "[-a]", "[\\]]",
         "[[:digit:]]", "[![:space:]]*", "[[:punct:]]", "é", "éé€€é", "?é€€[aé]", "*é", "?" * 5, "é€", b"\xe9", b"*\xe9*", b"[\xe9]", b"\xff", b"\xff*", b"?\xff", b"a*\xe9"]
for p in fixed:
    # A host's tar takes "./" for what stands before the names; the image's root has nothing before it.
    check([b"--exclude=" + (p if isinstance(p, bytes) else os.fsencode(p))])
parts = [b"*", b"*", b"?", b"a", b"b", b"B", b"c", b".", b"1", b"-", b"[a-c]", b"[!a-c]", b"[^b]", b"[]a]", b"[[]", b"[a", b"\\*", b"\\[", b"\\\\", b"x",
         b"*.log", b"_", b"[.-2]", b"[a-]", b"/", b"/", b"var", b"cache", b"\xe9", b"\xff", b"\xc3\xa9", b"[/]", b"\\a"]
for i in range(int(os.environ.get("PATTERNS", "300"))):
    patterns = []
    for k in range(R.choice([1, 1, 1, 2])):
        if R.random() < 0.6:  # the end of a path, with something for some of its letters
            name = R.choice(names)
            name = name[R.choice([0] + [j for j in range(len(name)) if name[j:j + 1] == b"/"]) + R.choice([0, 1, 1]):]
            pattern = b""
            for c in (name[j:j + 1] for j in range(len(name))):
                quoted = b"\\" + c if c in b"*?[\\" else c
                pattern += quoted if R.random() < 0.7 or c >= b"\x80" else R.choice([b"?", b"*", b"[%s]" % c if c not in b"!^]\\" else b"?", b"\\" + c])
            if R.random() < 0.3:
                pattern = pattern[:R.randint(1, len(pattern))] + R.choice([b"*", b"", b"/"])
        else:
            pattern = b"".join(R.choice(parts) for _ in range(R.randint(1, 5)))
        # What "[.x.]" and "[=x=]" mean is a matter of the locale.
        if not (b"[." in pattern or b"[=" in pattern):
            patterns.append(b"--exclude=" + pattern)
    check(patterns)
# A start that lies in what is excluded, or has dots in it.
for p in ("var", "cache", "tree/var", "*/var", TREE + "/var", "var/cache/a", "/var", "*r"):
    check(["--exclude=" + p], start=TREE + "/var/cache")
# A file of patterns.
open("patterns", "wb").write(b"var/cache  \n\n*.log\n \nb\t\n\xe9*\n?c")
check(["--exclude-from=patterns"])
check(["--exclude-from=patterns", "--exclude=a"])
print("%d lists of patterns, %d that leave out some" % (n, some))
sys.exit(bad > 0 or some < n / 4)
X
ok

# ./ in front is the root, as for tar in a folder of that name.
mkdir tree2
cp -a tree/var tree/srv tree/a tree2
truncate -s 8M image2
mke2fs -q -F -t ext4 -d tree2 image2
names() { python3 -c 'import sys, tarfile; [print(ascii(m.name)) for m in tarfile.open(fileobj=sys.stdin.buffer, mode="r|")]' | sed "s|^'\./|'|" | LC_ALL=C sort; }
for pattern in ./var ./a/a ./cache ./srv/c* './?' ./var/cache/ cache; do
	diff <(tar -C tree2 -c --exclude="$pattern" . | names) <("$V" tar --exclude="$pattern" --exclude=lost+found image2 | names) || die "$pattern"
	ok
done

# Every verb that walks has the same: what it leaves out is not there.
find tree2 -type d -name cache -prune -o -type f -print | sed 's|^tree2||' | LC_ALL=C sort >left
[ -s left ] || die "no files are left"
"$V" find --exclude=cache --exclude=lost+found image2 -type f -print0 | tr '\0' '\n' | LC_ALL=C sort >got
cmp left got || die find
"$V" ls -R --json --exclude=cache --exclude=lost+found image2 | python3 -c '
import json, os, sys
for line in sys.stdin:
    o = json.loads(line)
    if o["type"] == "file":
        sys.stdout.buffer.write((bytes.fromhex(o["path_hex"]) if "path_hex" in o else o["path"].encode()) + b"\n")' | LC_ALL=C sort >got
cmp left got || die "ls -R"
"$V" hash -R --json --exclude=cache image2 / | python3 -c '
import json, sys
for line in sys.stdin:
    o = json.loads(line)
    sys.stdout.buffer.write((bytes.fromhex(o["path_hex"]) if "path_hex" in o else o["path"].encode()) + b"\n")' | LC_ALL=C sort >got
cmp left got || die hash
mkdir gotten
expect 0 "$V" get --exclude=cache --exclude='/lost+found' image2 / gotten
find gotten -type f | sed 's|^gotten||' | LC_ALL=C sort >got
cmp left got || die get
[ -z "$(find gotten -name cache)" ] || die "get: a folder that is left out"
expect 0 "$V" get --exclude=*.log image2 /var gotten
# Empty files have no lines: -L names all that are searched.
"$V" grep -rL --exclude=cache x image2 / >got || true
[ "$(wc -l <got)" = "$(wc -l <left)" ] || die grep
ok
cp image2 image3
debugfs -w -R "write left /srv/cache/new" image3 >/dev/null 2>&1
debugfs -w -R "write left /a/new" image3 >/dev/null 2>&1
expect 1 "$V" diff image2 image3
has out "+ /srv/cache/new"
has out "+ /a/new"
expect 1 "$V" diff --exclude=cache image2 image3
is "+ /a/new"
expect 0 "$V" diff --exclude=cache --exclude=new image2 image3
expect 1 "$V" diff image2 image3 /srv
expect 0 "$V" diff --exclude=srv image2 image3 /srv

# What is damaged and left out is not read: no warning.
block=$(debugfs -R "blocks /srv/cache" image2 2>/dev/null | awk '{print $1}')
cp image2 image4
head -c 1024 /dev/zero | tr '\0' '\377' | dd of=image4 bs=1024 seek="$block" conv=notrunc status=none
expect 3 "$V" hash -R image4 /
expect 0 "$V" hash -R --exclude=srv/cache image4 /

expect 2 "$V" tar --exclude-from=nowhere image2
has err "--exclude-from nowhere: No such file or directory"
expect 2 "$V" stat --exclude=x image2 /a
has err "--exclude has no effect here"
expect 2 "$V" tar image2 --exclude
echo "$passed checks"
