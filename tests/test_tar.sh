#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vitrine tar: what GNU tar, bsdtar and Python unpack is what the guest has; as root with everything that tar can hold.
set -euo pipefail

here=$(realpath "$(dirname "$0")")
V=$(realpath "${VTR_COMMAND:-build/release/vitrine}")
export V
# shellcheck source=tests/environment.sh
. "$(dirname "$0")/environment.sh"
for tool in mke2fs debugfs tar python3; do
	command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
tar --version | grep -q GNU || { echo "skipped: tar is not GNU tar"; exit 77; }
T=$(mktemp -d)
mounted=
trap '[ -z "$mounted" ] || umount "$T/mnt"; chmod -R u+rwx "$T" 2>/dev/null || true; rm -rf "$T"' EXIT
cd "$T"
die() { echo "FAILED: $*" >&2; cat err >&2 2>/dev/null; exit 1; }

# ------------------------------------------------------------------------------------------------------ a rich tree
mkdir -p src/etc src/empty mnt
echo hello >src/etc/plain
: >src/nothing
noise 1 511 >src/s511
noise 2 512 >src/s512
noise 3 513 >src/s513
noise 4 300000 >src/big
long=$(printf '%0250d' 7)
mkdir -p "src/deep/$long/$long/$long"
echo far >"src/deep/$long/$long/$long/$long"
ln -s "$(printf '/%0200d' 1)$(printf '/%0200d' 2)" src/longlink
echo a100 >"src/$(printf '%0100d' 1)"
echo a101 >"src/$(printf '%0101d' 1)"
echo n >"src/new
line"
echo u >src/ümlaut
echo b >"src/$(printf 'caf\351')"
ln -s "$(printf 'caf\351')" src/badlink
echo e >"src/=equals = sign"
echo s >'src/  spaces  '
echo three >src/one
ln src/one src/etc/two
ln src/one "src/deep/$long/three"
ln src/"$(printf 'caf\351')" "src/$(printf 'hard\377')"
ln -s one src/link
ln -s /absolute src/abslink
mkfifo src/pipe
truncate -s 9G src/sparse
for at in 0 1000000 5000000000 9663676415; do printf 'data' | dd of=src/sparse bs=1 seek=$at conv=notrunc status=none; done
truncate -s 9663676416 src/sparse
truncate -s 2M src/hole
touch -d '1969-12-31 23:59:57 UTC' src/s511
touch -d '1901-12-14 00:00:00 UTC' src/s512
touch -d '2030-01-01 00:00:00 UTC' src/s513
chmod 4755 src/etc/plain
chmod 2755 src/etc
chmod 1777 src/empty
xattrs=
if setfattr -n user.bin -v 0x00ff3d0a00 src/one 2>/dev/null; then
	setfattr -n user.text -v value src/etc
	setfattr -n user.big -v "$(printf '%01000d' 5)" src/big
	setfattr -n user.empty src/big
	xattrs='--xattrs user.'
fi
seconds=
truncate -s 64M img
if real_root && mke2fs -q -F -t ext4 -b 4096 img && mount -o loop img mnt 2>/dev/null; then
	mounted=1
	touch -d '2300-01-01 00:00:00.5 UTC' src/nothing
	touch -d '1969-12-31 23:59:58.25 UTC' src/etc/plain
	ln -P src/link src/link2
	mknod src/null c 1 3
	mknod src/disk b 259 70000
	chown 70000:3000000000 src/big
	chown 4000000000:5 src/nothing
	chown -h 3:4 src/link
	chmod 4755 src/etc/plain
	xattrs="$xattrs --xattrs trusted. --xattrs security. --xattrs system."
	setfattr -h -n trusted.t -v 0x0001 src/link 2>/dev/null || true
	setfattr -n security.selinux -v system_u:object_r:etc_t:s0 src/etc/plain 2>/dev/null || true
	! command -v setfacl >/dev/null || setfacl -m u:1234:rw,g:99:r src/one || true
	! command -v setfacl >/dev/null || setfacl -d -m u:1234:rwx,m:rx src/empty || true
	! command -v setcap >/dev/null || setcap cap_net_raw+ep src/s513 || true
	cp -a src/. mnt/
	umount mnt
	mounted=
else
	seconds=--seconds
	find src -depth -print0 | while IFS= read -r -d '' p; do touch -h -d "@$(stat -c %Y -- "$p")" -- "$p"; done
	# mke2fs would write 9 GiB of holes as they are.
	mke2fs -q -F -t ext4 -b 4096 -d src img
fi
debugfs -w -R 'rmdir lost+found' img 2>/dev/null

"$V" tar img / >tar 2>err || die "status $?"
[ ! -s err ] || die "it says something"
"$V" tar img / | cmp - tar || die "two runs differ"
[ "$(stat -c %s tar)" -lt 20000000 ] || die "holes are filled"
[ $(($(stat -c %s tar) % 10240)) = 0 ] || die "the last record is not whole"

# GNU tar, with all that the user may set.
mkdir gnu
if real_root; then
	tar -xpf tar --xattrs --xattrs-include='*' --acls --numeric-owner -C gnu 2>err || die "tar -x"
	# shellcheck disable=SC2086 # options are words
	python3 "$here/same-tree.py" src gnu --owner --devices $xattrs $seconds || die "GNU tar has another tree"
else
	# shellcheck disable=SC2086
	tar -xpf tar ${xattrs:+--xattrs --xattrs-include='user.*'} -C gnu 2>err || die "tar -x"
	# shellcheck disable=SC2086
	python3 "$here/same-tree.py" src gnu --devices --mode-mask 777 $xattrs $seconds || die "GNU tar has another tree"
	# fakeroot keeps owners and devices.
	if command -v fakeroot >/dev/null; then
		mkdir fake
		fakeroot tar -xpf tar -C fake 2>err || die "fakeroot tar -x"
	fi
fi
# bsdtar, too, which adds the fraction of a time before 1970 where POSIX subtracts it.
if command -v bsdtar >/dev/null; then
	mkdir bsd
	bsdtar -xpf tar --numeric-owner -C bsd 2>err || ! real_root || die "bsdtar -x"
	python3 "$here/same-tree.py" src bsd --devices --mode-mask 777 --seconds --skip etc/plain || die "bsdtar has another tree"
else
	echo "bsdtar is not installed: not tried"
fi

# Python's reader, which is strict about records, against the tree itself.
python3 - <<'X' || die "Python has another tree"
import hashlib, os, stat, subprocess, tarfile
t = tarfile.open('tar', errors='surrogateescape', encoding='utf-8')
seen = {}
first = {}
for m in t:
    name = os.fsencode(m.name)
    assert not name.startswith(b'/') and b'..' not in name.split(b'/'), name
    assert name not in seen, name
    seen[name] = m
    if name in (b'.', b''):
        continue
    st = os.lstat(os.path.join(b'src', name))
    assert abs(float(m.pax_headers['mtime']) - st.st_mtime_ns / 1e9) < 1.01, (name, m.pax_headers['mtime'])
    if os.path.exists('src/disk'):
        assert (m.uid, m.gid) == (st.st_uid, st.st_gid), name
    if m.islnk():
        assert os.fsencode(m.linkname) in seen, m.linkname
        a = os.lstat(os.path.join(b'src', os.fsencode(m.linkname)))
        assert a.st_ino == st.st_ino, name
        continue
    kind = {tarfile.REGTYPE: stat.S_IFREG, tarfile.GNUTYPE_SPARSE: stat.S_IFREG, tarfile.DIRTYPE: stat.S_IFDIR,
            tarfile.SYMTYPE: stat.S_IFLNK, tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK,
            tarfile.FIFOTYPE: stat.S_IFIFO}[m.type]
    assert kind == stat.S_IFMT(st.st_mode), name
    if kind != stat.S_IFLNK:
        assert m.mode == st.st_mode & 0o7777, (name, oct(m.mode))
    else:
        assert os.fsencode(m.linkname) == os.readlink(os.path.join(b'src', name)), name
    if kind == stat.S_IFREG:
        assert m.size == st.st_size, (name, m.size)
        if m.size < 1 << 24:
            assert t.extractfile(m).read() == open(os.path.join(b'src', name), 'rb').read(), name
want = set()
for d, dirs, files in os.walk(b'src'):
    want |= {os.path.relpath(os.path.join(d, n), b'src') for n in dirs + files}
assert want == {n for n in seen if n not in (b'.', b'')}, want ^ set(seen)
print(len(seen), 'members')
X

# Parts of the tree, and names that lead around.
[ "$("$V" tar img /etc/plain | tar -t)" = etc/plain ] || die "one file"
[ "$("$V" tar img etc /link | tar -t | paste -sd' ')" = "etc/ etc/plain etc/two link" ] || die "two paths"
[ "$("$V" tar img ../../etc/../etc/./plain | tar -t)" = etc/plain ] || die "a path with dots"
[ "$("$V" tar img /etc/. | tar -t | head -n 1)" = etc/ ] || die "a path that ends in a dot"
got=0
"$V" tar img /nosuch >out 2>err || got=$?
[ $got = 1 ] || die "status $got for a path that is not there"
{ "$V" tar img /nosuch 2>/dev/null || true; } | tar -t >out || die "the stream is not whole"

# ---------------------------------------------------------------------------------------- what no kernel would write
python3 - <<'X' || die "a hostile tree"
import io, os, shutil, struct, subprocess, tarfile
V = os.environ['V']
n = 0


def stream(build, commands=(), patch=None, status=(0, 3)):
    global n
    n += 1
    shutil.rmtree('tree', ignore_errors=True)
    os.mkdir('tree')
    build()
    if os.path.exists('bad'):
        os.unlink('bad')
    subprocess.run(['mke2fs', '-q', '-F', '-t', 'ext4', '-b', '1024', '-O', '^metadata_csum,^dir_index,^has_journal', '-d', 'tree',
                    'bad', '2M'], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(['debugfs', '-w', '-f', '/dev/stdin', 'bad'], input='\n'.join(commands).encode(), stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True)
    if patch:
        data = bytearray(open('bad', 'rb').read())
        mark, name = patch
        at = data.find(mark)
        assert at > 0
        data[at:at + len(name)] = name
        data[at - 2] = len(name)
        open('bad', 'wb').write(data)
    r = subprocess.run([V, 'tar', 'bad', '/'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert r.returncode in status, (r.returncode, r.stderr)
    t = tarfile.open(fileobj=io.BytesIO(r.stdout), errors='surrogateescape')
    members = {m.name: m for m in t}
    for name in members:
        assert not name.startswith('/') and '..' not in name.split('/'), name
    return members, r


def mark():
    open('tree/PLACEHOLDERPLACEHOLDER', 'w').write('x')


for name in (b'..', b'.', b'../evil', b'../../evil', b'/etc/evil', b'a/b', b'..\0', b'a\0b', b'x/..', b'//'):
    stream(mark, patch=(b'PLACEHOLDERPLACEHOLDER', name))
for name in (b'\n10 path=x', b'\x1b[2J', b'....', b'..a', b'\xff\xfe'):
    members, _ = stream(mark, patch=(b'PLACEHOLDERPLACEHOLDER', name), status=(0,))
    assert os.fsdecode(name) in members, members

# Sizes that no disk has: the holes are kept.
for size in ((1 << 42) + 7, 1 << 62, (1 << 63) - 1):
    members, r = stream(mark, ['sif /PLACEHOLDERPLACEHOLDER size 0x%x' % size])
    assert len(r.stdout) < 100000, len(r.stdout)
    m = members.get('PLACEHOLDERPLACEHOLDER')
    assert m is None or m.size == size, m.size

# A socket has no place in the format.
members, r = stream(mark, ['sif /PLACEHOLDERPLACEHOLDER mode 0140644'], status=(0,))
assert 'PLACEHOLDERPLACEHOLDER' not in members and b'socket' in r.stderr
# Times at the ends of what ext4 has.
for sec, extra in ((0x80000000, 0), (0x7fffffff, 3), (0, 0xfffffffc)):
    stream(mark, ['sif /PLACEHOLDERPLACEHOLDER mtime @0x%x' % sec, 'sif /PLACEHOLDERPLACEHOLDER mtime_extra 0x%x' % extra])
print(n, 'hostile trees')
X

# To a file, which gets its name when it is whole.
"$V" tar img >stream
"$V" tar -f new.tar img
cmp new.tar stream
! "$V" tar -f new.tar img 2>err || die "a file that is there is replaced"
grep -q -- '--force replaces it' err || die "what would replace a file"
echo old >new.tar
ln -s new.tar link.tar
"$V" tar --force --file link.tar img /etc
[ -L link.tar ] && [ "$(tar -tf new.tar | sed 1q)" = etc/ ] || die "a link is not followed"
! "$V" tar --force -f img img 2>err || die "the image is replaced"
mkfifo fifo
! "$V" tar -f fifo img 2>err || die "a FIFO is written to"
cat fifo >copy &
"$V" tar --force -f fifo img
wait $!
cmp copy stream
[ -p fifo ] || die "a FIFO is replaced"
"$V" tar -f - img | cmp - stream
echo passed
