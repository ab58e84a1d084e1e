#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Write ext-fast.img.xz and ext-fast-inline.img.xz, volumes whose last changes are in fast commits alone, and beside each a
# list of what Linux shows of it: mk-ext-fast.sh. Needs root, loop devices, and ext4 with fast_commit in the kernel. Those
# in the repository were written and listed by Linux 6.18.44, with mke2fs 1.47.0.
#
# A line of the list: path, type, mode, uid, gid, links, size, SHA-256 of a file's contents or a link's target; tabs.
set -euo pipefail
cd "$(dirname "$0")"
HERE=$PWD
T=$(mktemp -d)
trap 'cd /; umount -q "$T/m" || true; rm -rf "$T"' EXIT
mkdir "$T/m"
for name in ext-fast ext-fast-inline; do
	cd "$T"
	features=fast_commit
	[ $name = ext-fast ] || features=fast_commit,inline_data
	rm -f live
	truncate -s 8M live
	E2FSPROGS_FAKE_TIME=1700000000 mke2fs -q -F -t ext4 -b 1024 -I 256 -N 512 -O $features,^resize_inode \
		-J size=1,fast_commit_size=64 live
	mount -o loop,commit=300 live m
	python3 - m <<'X2'
import ctypes, os, sys
libc = ctypes.CDLL(None)
os.chdir(sys.argv[1])
def write(path, data, off=0, flags=os.O_CREAT):
    fd = os.open(path, os.O_RDWR | flags, 0o644)
    os.pwrite(fd, data, off)
    os.fsync(fd)
    os.close(fd)
def text(n, c='x'):
    return (''.join('%s%06d\n' % (c, i) for i in range(n // 8 + 1)))[:n].encode()
for d in ('d', 'many', 'gone'):
    os.mkdir(d)
for i in range(60):
    write('many/a-name-that-fills-a-block-%02d' % i, b'')
for i in range(40):  # a tree of extents: every other block
    write('tree', text(1024, chr(97 + i % 26)), i * 2048)
for name, n in (('short', 30), ('blocks', 9000), ('hole', 40000), ('cut', 20000), ('old', 100), ('linked', 10), ('rm', 5000)):
    write('d/' + name, text(n))
write('gone/in', b'in')
os.setxattr('d/blocks', 'user.a', b'value')
os.sync()
write('first', b'1')  # a transaction that is committed, which fast commits need
os.sync()
# From here on, fast commits: nothing that Linux must commit as a whole (symbolic links, devices, attributes).
write('d/new', text(5000))
write('d/empty', b'')
write('tree', text(3000, 'T'), 3 * 1024)
write('tree', text(50, 'E'), 200 * 1024)
write('d/short', text(30), 30)
for path, mode, off, n in (('d/hole', 3, 5000, 20000), ('d/blocks', 0x10, 1024, 3000), ('d/cut', 1, 30000, 9000), ('tree', 3, 9000, 30000),
                           ('d/new', 0, 4096, 9000)):
    fd = os.open(path, os.O_RDWR)
    if libc.fallocate(fd, mode, ctypes.c_long(off), ctypes.c_long(n)) != 0:
        sys.exit('fallocate ' + path)
    os.fsync(fd)
    os.close(fd)
fd = os.open('d/cut', os.O_RDWR)
os.ftruncate(fd, 7777)
os.fchmod(fd, 0o4750)
os.fchown(fd, 70000, 80000)
os.fsync(fd)
os.close(fd)
os.link('d/linked', 'd/link-to')
os.link('d/linked', 'many/link-to')
os.unlink('d/linked')
os.rename('d/old', 'gone/renamed')
os.unlink('d/rm')
write('d/again', text(300, 'A'))  # the inode that was d/rm's, perhaps
os.mkdir('d/sub')
write('d/sub/in', b'sub')
os.mkdir('d/sub/deeper')
write('d/sub/deeper/in', b'deeper')
os.mkdir('d/passing')
os.rmdir('d/passing')
for i in range(0, 60, 7):
    os.unlink('many/a-name-that-fills-a-block-%02d' % i)
write('many/over', b'over')
write('many/other', b'other')
os.rename('many/other', 'many/over')
write('last', b'last')
X2
	cp live "$HERE/$name.img"
	umount m
	cp "$HERE/$name.img" shown
	mount -o loop shown m
	python3 - m >"$HERE/$name.tsv" <<'X3'
import hashlib, os, stat, sys
def line(path):
    st = os.lstat(path)
    what = ''
    kind = {stat.S_IFREG: 'file', stat.S_IFDIR: 'dir', stat.S_IFLNK: 'symlink'}[stat.S_IFMT(st.st_mode)]
    if kind == 'file':
        what = hashlib.sha256(open(path, 'rb').read()).hexdigest()
    if kind == 'symlink':
        what = os.readlink(path)
    print(path[1:] or '/', kind, '%04o' % (st.st_mode & 0o7777), st.st_uid, st.st_gid, st.st_nlink, st.st_size, what, sep='\t')
os.chdir(sys.argv[1])
for top, dirs, files in os.walk('.'):
    dirs.sort()
    line(top)
    for f in sorted(files):
        line(top + '/' + f)
X3
	umount m
	xz -9ef "$HERE/$name.img"
done
