#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compare two trees of the host: same-tree.py A B [--mode-mask OCTAL] [--owner] [--devices] [--xattrs PREFIX]… [--seconds]
[--skip NAME]…

Every path, type, mode, time, link target, content, which names are one file, where files have holes; owners, device
nodes and extended attributes when asked. Prints what differs, and exits with 1 when anything does."""
import argparse
import hashlib
import os
import stat
import sys


def holes(path, size):
    """Bytes of data as the host's filesystem has them."""
    data = at = 0
    fd = os.open(path, os.O_RDONLY)
    try:
        while at < size:
            try:
                start = os.lseek(fd, at, os.SEEK_DATA)
            except OSError:
                break
            at = os.lseek(fd, start, os.SEEK_HOLE)
            data += at - start
    finally:
        os.close(fd)
    return data


def contents(path, size):
    h = hashlib.sha256()
    if holes(path, size) == 0 or size > 1 << 30:
        return 'sparse'
    with open(path, 'rb') as f:
        for block in iter(lambda: f.read(1 << 20), b''):
            h.update(block)
    return h.hexdigest()


def read(top, o):
    out, first = {}, {}
    top = os.fsencode(top)
    stack = [b'']
    while stack:
        d = stack.pop()
        for name in sorted(os.listdir(top + d)):
            path = d + b'/' + name
            if path.lstrip(b'/') in [os.fsencode(s) for s in o.skip]:
                continue
            st = os.lstat(top + path)
            e = {'type': stat.S_IFMT(st.st_mode)}
            if e['type'] in (stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK) and not o.devices:
                continue
            if e['type'] != stat.S_IFLNK:
                e['mode'] = oct(st.st_mode & o.mode_mask)
            e['mtime'] = st.st_mtime_ns // 10**9 if o.seconds else st.st_mtime_ns
            if o.owner:
                e['owner'] = (st.st_uid, st.st_gid)
            if e['type'] in (stat.S_IFCHR, stat.S_IFBLK):
                e['dev'] = (os.major(st.st_rdev), os.minor(st.st_rdev))
            if e['type'] == stat.S_IFLNK:
                e['target'] = os.readlink(top + path)
            if e['type'] == stat.S_IFDIR:
                stack.append(path)
            if e['type'] == stat.S_IFREG:
                e['size'] = st.st_size
                e['contents'] = contents(top + path, st.st_size)
                e['data'] = holes(top + path, st.st_size)
            if e['type'] != stat.S_IFDIR and st.st_nlink > 1:
                e['inode'] = st.st_ino
                first.setdefault(st.st_ino, path)
                first[st.st_ino] = min(path, first[st.st_ino])
            if o.xattrs and not (e['type'] == stat.S_IFLNK and 'user.' in o.xattrs):
                names = [n for n in os.listxattr(top + path, follow_symlinks=False)
                         if any(n.startswith(p) for p in o.xattrs)]
                e['xattrs'] = {n: os.getxattr(top + path, n, follow_symlinks=False) for n in names}
            out[path] = e
    for e in out.values():
        if 'inode' in e:
            e['one file with'] = first[e.pop('inode')]
    return out


def same(a, b):
    if a is None or b is None:
        return False
    # Filesystems round holes to their blocks: what was sparse must not be filled.
    da, db = a.get('data', 0), b.get('data', 0)
    if db > da + 65536:
        return False
    return {k: v for k, v in a.items() if k != 'data'} == {k: v for k, v in b.items() if k != 'data'}


def main():
    p = argparse.ArgumentParser()
    p.add_argument('a')
    p.add_argument('b')
    p.add_argument('--mode-mask', type=lambda s: int(s, 8), default=0o7777)
    p.add_argument('--owner', action='store_true')
    p.add_argument('--devices', action='store_true')
    p.add_argument('--seconds', action='store_true')
    p.add_argument('--xattrs', action='append', default=[])
    p.add_argument('--skip', action='append', default=['lost+found'])
    o = p.parse_args()
    a, b = read(o.a, o), read(o.b, o)
    wrong = 0
    for path in sorted(a.keys() | b.keys()):
        if not same(a.get(path), b.get(path)):
            wrong += 1
            if wrong <= 20:
                print(path, '\n\t', a.get(path), '\n\t', b.get(path))
    print('%d entries, %d differ' % (len(a), wrong))
    sys.exit(1 if wrong else 0)


main()
