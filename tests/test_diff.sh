#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What differs between two images, against the trees that they were made of: what Python sees there, and diff -rq.
set -euo pipefail

cd "$(dirname "$0")/.."
# shellcheck source=tests/manual-guest.sh
. tests/manual-guest.sh
need mke2fs debugfs sfdisk qemu-img python3 diff
# shellcheck source=tests/expect.sh
. tests/expect.sh

# --- two trees of some thousand files, which differ in every way
ROOT=$(real_root && echo 1 || echo 0) python3 - <<'X'
import os, random, shutil
random.seed(3)
os.makedirs("a")
dirs = [b"a"]
for i in range(120):
    d = random.choice(dirs) + b"/d%d" % i + (bytes([random.choice([9, 32, 45, 46, 200, 255])]) if i % 5 == 0 else b"")
    os.mkdir(d)
    dirs.append(d)
files = []
for i in range(2500):
    f = random.choice(dirs) + b"/f%d" % i
    with open(f, "wb") as o:
        o.write(random.randbytes(random.choice([0, 1, 100, 5000, 70000])))
    os.chmod(f, random.choice([0o644, 0o600, 0o4755]))
    files.append(f)
links = []
for i in range(200):
    l = random.choice(dirs) + b"/l%d" % i
    os.symlink(b"t%d" % i, l)
    links.append(l)
for i in range(20):
    os.link(files[i], random.choice(dirs) + b"/hard%d" % i)
    os.mkfifo(random.choice(dirs) + b"/fifo%d" % i)
shutil.copytree(b"a", b"b", symlinks=True, copy_function=shutil.copy2, ignore=lambda d, n: [x for x in n if x.startswith(b"fifo")])
for root, ds, fs in os.walk(b"a"):
    for f in fs:
        if f.startswith(b"fifo"):
            os.mkfifo(b"b" + os.path.join(root, f)[1:])


def other(p):
    return b"b" + p[1:]


for n, f in enumerate(random.sample(files, 400)):
    g = other(f)
    st = os.lstat(g)
    kind = n % 10
    if kind == 0:
        os.unlink(g)
    elif kind == 1:
        os.chmod(g, 0o640)
    elif kind == 2 and st.st_size:  # the same size and time, another byte
        with open(g, "r+b") as o:
            b = o.read(1)
            o.seek(0)
            o.write(bytes([b[0] ^ 1]))
        os.utime(g, ns=(st.st_atime_ns, st.st_mtime_ns))
    elif kind == 3:
        with open(g, "ab") as o:
            o.write(b"more")
    elif kind == 4:
        os.unlink(g)
        os.symlink(b"x", g)
    elif kind == 5:
        os.unlink(g)
        os.mkdir(g)
        open(g + b"/below", "w").close()
    elif kind == 6:
        os.utime(g, (1, 1))
    elif kind == 7:
        open(g + b"-new", "w").close()
    elif kind == 8 and os.environ["ROOT"] == "1":
        os.chown(g, 1000, 7)
    elif kind == 9:
        try:
            os.setxattr(g, b"user.note", b"x" * (n % 50))
        except OSError:
            pass
for l in random.sample(links, 40):
    os.unlink(other(l))
    os.symlink(b"elsewhere", other(l))
shutil.rmtree(other(random.choice([d for d in dirs[1:]])))
X
for t in a b; do
	truncate -s 160M $t.img
	mke2fs -q -F -t ext4 -d $t $t.img
done
expect 0 "$V" diff a.img a.img
[ ! -s out ] || die "an image differs from itself"
expect 1 "$V" diff --json a.img b.img
mv out files.json
expect 1 "$V" diff a.img b.img
mv out files.text
expect 1 "$V" diff --times --json a.img b.img
mv out times.json
expect 1 "$V" diff --json b.img a.img
mv out back.json
diff -rq --no-dereference a b >diff.txt || true
python3 - <<'X' || die "the trees differ otherwise"
import hashlib, json, os, re, stat


def tree(top):
    out = {}
    for root, ds, fs in os.walk(top):
        for n in ds + fs + ([b""] if root == top else []):
            p = os.path.join(root, n) if n else root
            st = os.lstat(p)
            link = os.readlink(p) if stat.S_ISLNK(st.st_mode) else None
            digest = None
            if stat.S_ISREG(st.st_mode):
                with open(p, "rb") as f:
                    digest = hashlib.sha256(f.read()).hexdigest()
            xattrs = {x: os.getxattr(p, x, follow_symlinks=False) for x in os.listxattr(p, follow_symlinks=False)
                      if x.startswith("user.")}
            out[b"/" + p[len(top) + 1:]] = (st, link, digest, xattrs)
    return out


def want(a, b, times):
    out = {}
    for p in set(a) | set(b):
        if p not in a or p not in b:
            out[p] = "removed" if p in a else "added"
            continue
        (s, l, d, x), (t, m, e, y) = a[p], b[p]
        what = set()
        fs, ft = stat.S_IFMT(s.st_mode), stat.S_IFMT(t.st_mode)
        if fs != ft:
            what.add("type")
        if stat.S_IMODE(s.st_mode) != stat.S_IMODE(t.st_mode) and not stat.S_ISLNK(s.st_mode) & stat.S_ISLNK(t.st_mode):
            what.add("mode")
        if (s.st_uid, s.st_gid) != (t.st_uid, t.st_gid):
            what.add("owner")
        if fs == ft and d is not None and s.st_size != t.st_size:
            what.add("size")
        if fs == ft and d != e:
            what.add("content")
        if fs == ft and l != m:
            what.add("target")
        if x != y:
            what.add("xattrs")
        if times and int(s.st_mtime) != int(t.st_mtime):  # mke2fs writes seconds
            what.add("mtime")
        if what:
            out[p] = what
    return out


def got(name):
    out = {}
    for line in open(name, "rb"):
        o = json.loads(line)
        p = bytes.fromhex(o["path_hex"]) if "path_hex" in o else o["path"].encode()
        if p.startswith(b"/lost+found"):
            continue
        assert p not in out, p
        out[p] = set(o["what"]) if o["change"] == "changed" else o["change"]
        assert ("a" in o) == (o["change"] != "added") and ("b" in o) == (o["change"] != "removed")
        if "content" in out[p] and "size" not in out[p]:
            assert o["a"]["sha256"] == a[p][2] and o["b"]["sha256"] == b[p][2], o
    return out


def same(x, y):
    for p in set(x) | set(y):
        # mke2fs gives the root directory a mode and a time of its own.
        assert p == b"/" or x.get(p) == y.get(p), (p, x.get(p), y.get(p))


a, b = tree(b"a"), tree(b"b")
files = got("files.json")
same(want(a, b, False), files)
same(want(a, b, True), got("times.json"))
a, b = b, a
same(want(a, b, False), got("back.json"))
# diff(1) sees contents, targets and types, and of a tree on one side its top.
told = set()
for line in open("diff.txt", "rb"):
    line = line.rstrip(b"\n")
    m = re.match(rb"Only in [ab]/?(.*): (.*)$", line)
    if m:
        told.add(b"/" + m.group(1) + (b"/" if m.group(1) else b"") + m.group(2))
        continue
    m = re.match(rb"(?:Files|Symbolic links|File) a/(.*?) (?:and b/|is a)", line)
    assert m, line
    told.add(b"/" + m.group(1))
ours = {p for p, w in files.items() if isinstance(w, str) or w & {"type", "content", "target"}}
tops = {p for p in ours if not any(q != p and p.startswith(q + b"/") and (isinstance(files[q], str) or "type" in files[q]) for q in ours)}
assert tops == told - {p for p in told if b"/fifo" in p}, (tops ^ told)
text = open("files.text", "rb").read().count(b"\n")
assert text == sum(1 for _ in open("files.json")), text
print("%d files, %d differ, %d of them for diff -rq, too" % (len(a), len(files), len(tops)))
X
ok
top=$(cd a && find . -maxdepth 1 -type d -name 'd*[0-9]' | sort | sed -n '1s,^\./,,p')
"$V" diff a.img b.img "/$top" >out 2>err || true
grep -E "^[-+~] /$top([/ ]|$)" files.text | diff - out || die "a path"
ok
expect 2 "$V" diff a.img b.img /nowhere
has err "/nowhere: neither image has it"
expect 2 "$V" diff a.img
expect 2 "$V" diff a.img missing.img
expect 2 "$V" diff a.img b.img --packages
has err "no operating system is found"

# --- an overlay: what was changed above a shared image, and nothing else; --quick sees the same
manual_guest
qemu-img convert -O raw guest.qcow2 new.raw
dd if=new.raw of=root.fs bs=1M skip=5 count=16 status=none
sed 's/Version: 2.36-9+deb12u4/Version: 2.36-9+deb12u10/; s/5.36.0-7+deb12u1$/5.36.0-7~bpo1/; s/base-files/base-passwd/' \
	<(debugfs -R 'cat /var/lib/dpkg/status' root.fs 2>/dev/null) >status
echo mail >hostname
cat >cmd <<'X'
rm /etc/hostname
write hostname /etc/hostname
rm /var/lib/dpkg/status
write status /var/lib/dpkg/status
sif /etc/passwd mode 0100600
X
debugfs -w -f cmd root.fs >/dev/null 2>&1
dd if=root.fs of=new.raw bs=1M seek=5 conv=notrunc status=none
expect 1 "$V" diff --packages guest.qcow2 new.raw
diff -u - out <<'X' || die "packages"
- package base-files amd64 12.4+deb12u5
+ package base-passwd amd64 12.4+deb12u5
~ package libc6 amd64 2.36-9+deb12u4 -> 2.36-9+deb12u10 (upgraded)
~ package perl-base amd64 5.36.0-7+deb12u1 -> 5.36.0-7~bpo1 (downgraded)
X
expect 1 "$V" diff --facts --json guest.qcow2 new.raw
has out '{"change":"changed","fact":"hostname","a_value":"www","b_value":"mail"}'
expect 1 "$V" diff --quick guest.qcow2 new.raw
cut -d' ' -f1,2 out >quick
expect 1 "$V" diff guest.qcow2 new.raw
cut -d' ' -f1,2 out | cmp - quick
has out '~ /etc/passwd (mode 0644 -> 0600)'
has out '~ /etc/hostname (size 4 -> 5, content, xattrs)'
expect 0 "$V" diff --packages --facts --files guest.qcow2 snap.qcow2
expect 0 "$V" diff --follow guest.qcow2 overlay.qcow2
expect 0 "$V" diff -a guest.qcow2 --with snap.qcow2
# A directory that one side cannot read is lost, not different.
cp root.fs broken.fs
block=$(debugfs -R 'bmap /etc 0' broken.fs 2>/dev/null)
noise 1 4096 | dd of=broken.fs bs=4096 seek="$block" conv=notrunc status=none
expect 3 "$V" diff root.fs broken.fs
! grep -q '^[-+] /etc/' out || die "lost files are told as different: $(cat out)"

# --- what a system has many of
for r in sa sb; do
	mkdir -p $r/etc/systemd/system/multi-user.target.wants $r/usr/lib/systemd/system $r/bin
	printf 'ID=debian\n' >$r/etc/os-release
	printf '[Service]\nExecStart=/bin/x\n[Install]\nWantedBy=multi-user.target\n' >$r/usr/lib/systemd/system/x.service
	printf 'root:x:0:0:root:/root:/bin/bash\nbin:x:2:2::/bin:/bin/sh\n' >$r/etc/passwd
done
sed -i '/^bin/d' sb/etc/passwd
sed -i 's,/bin/bash,/bin/sh,' sb/etc/passwd
echo 'eve:x:0:0::/root:/bin/bash' >>sb/etc/passwd
ln -s /usr/lib/systemd/system/x.service sb/etc/systemd/system/multi-user.target.wants/
for r in sa sb; do mke2fs -q -F -t ext4 -d $r $r.img 8M >/dev/null; done
expect 1 "$V" diff --facts sa.img sb.img
grep -q '^- users bin (uid 2, ' out || die "a user that is gone"
grep -q '^+ users eve (uid 0, .*shell /bin/bash' out || die "another user with uid 0"
grep -q '^~ users root (.*shell /bin/bash -> /bin/sh' out || die "another shell"
grep -q "^~ services x.service (state disabled -> enabled" out || die "a service that is enabled"
[ "$(wc -l <out)" = 4 ] || die "more than that"
expect 1 "$V" diff --facts --json sa.img sb.img
python3 - <<'X' || die "records in JSON"
import json
lines = [json.loads(line) for line in open("out")]
got = {(o["record"], o.get("b_record", o.get("a_record"))["name"]): o for o in lines}
assert len(got) == len(lines) == 4, lines
assert got["users", "eve"]["change"] == "added" and got["users", "eve"]["b_record"]["uid"] == 0
assert got["users", "bin"]["change"] == "removed" and "b_record" not in got["users", "bin"]
assert got["users", "root"]["a_record"]["shell"] == "/bin/bash" and got["users", "root"]["b_record"]["shell"] == "/bin/sh"
assert got["services", "x.service"]["change"] == "changed"
assert got["services", "x.service"]["b_record"]["state"] == "enabled"
X
ok
expect 0 "$V" diff --facts sa.img sa.img
[ ! -s out ] || die "a system differs from itself"
ok
# One of many, in another order.
seq 3000 | awk '{ print "u" $1 ":x:" $1 + 1000 ":100::/:/bin/sh" }' >>sa/etc/passwd
mke2fs -q -F -t ext4 -d sa many-a.img 8M >/dev/null
(tac sa/etc/passwd && echo "u0:x:1000:100::/:/bin/sh") >users
mv users sa/etc/passwd
mke2fs -q -F -t ext4 -d sa many-b.img 8M >/dev/null
expect 1 "$V" diff --facts many-a.img many-b.img
[ "$(wc -l <out)" = 1 ] || die "more than one user"
has out "+ users u0 (uid 1000, "

# --- directories with two names each, 2^20 paths: each is entered once, and what is said of them is bounded
mke2fs -q -F -t ext2 -b 1024 -N 64 dag.img 1M
(
	for i in $(seq 0 20); do echo "mkdir d$i"; done
	for i in $(seq 0 19); do printf 'link d%d d%d/a\nlink d%d d%d/b\n' $((i + 1)) "$i" $((i + 1)) "$i"; done
	echo "link / d20/root"
) >cmd
debugfs -w -f cmd dag.img >/dev/null 2>&1
expect 3 "$V" diff --limit entries=200 dag.img dag.img
[ ! -s out ] || die "an image differs from itself"
[ "$(wc -l <err)" -lt 20 ] || die "messages without an end"
grep -qE '^vitrine: … and [0-9]+ more like this: directory inode ' err || die "what was left out is not counted"
ok
echo "$passed checks"
