#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compare a tree that vitrine reads with the same tree on a mount: compare-tree.py VITRINE IMAGE MOUNT [OPTION…]

Every path, type, mode, owner, size, time, link count, device number, link target, extended attribute and content.
Prints what differs, and exits with 1 when anything does. --fast-commits (first of the options): times and sizes of
directories may differ, since Linux sets them anew and allocates blocks when it replays fast commits."""
import hashlib
import json
import os
import stat
import subprocess
import sys

TYPES = {stat.S_IFREG: 'file', stat.S_IFDIR: 'dir', stat.S_IFLNK: 'symlink', stat.S_IFCHR: 'char', stat.S_IFBLK: 'block',
         stat.S_IFIFO: 'fifo', stat.S_IFSOCK: 'socket'}


def from_mount(top):
    out = {}
    top = os.fsencode(top)
    stack = [b'']
    while stack:
        d = stack.pop()
        for name in os.listdir(top + d):
            path = d + b'/' + name
            st = os.lstat(top + path)
            e = {'type': TYPES[stat.S_IFMT(st.st_mode)], 'mode': '%04o' % (st.st_mode & 0o7777), 'uid': st.st_uid,
                 'gid': st.st_gid, 'nlink': st.st_nlink, 'ino': st.st_ino, 'mtime': st.st_mtime_ns}
            if e['type'] in ('file', 'dir', 'symlink'):
                e['size'] = st.st_size
            if e['type'] in ('char', 'block'):
                e['dev'] = (os.major(st.st_rdev), os.minor(st.st_rdev))
            if e['type'] == 'symlink':
                e['target'] = os.readlink(top + path)
            e['xattrs'] = {os.fsencode(x): os.getxattr(top + path, x, follow_symlinks=False)
                           for x in os.listxattr(top + path, follow_symlinks=False)}
            if e['type'] == 'dir':
                stack.append(path)
            if e['type'] == 'file':
                h = hashlib.sha256()
                with open(top + path, 'rb') as f:
                    for block in iter(lambda: f.read(1 << 20), b''):
                        h.update(block)
                e['sha256'] = h.hexdigest()
            out[path] = e
    return out


def nanoseconds(text):
    import calendar
    import time
    day, frac = text[:-1].split('.')
    return calendar.timegm(time.strptime(day, '%Y-%m-%dT%H:%M:%S')) * 10**9 + int(frac)


def raw(o, key):
    return bytes.fromhex(o[key + '_hex']) if key + '_hex' in o else o[key].encode()


def from_vitrine(command, image, options):
    def run(paths, *args):
        p = subprocess.run([command, *args, *options, image, *paths], capture_output=True, check=False)
        if p.returncode not in (0, 3):
            sys.exit('%s: %s' % (args, p.stderr.decode(errors='replace')))
        if p.stderr:
            sys.stderr.write(p.stderr.decode(errors='replace'))
        return p.stdout

    def lines(*args):
        return [json.loads(line) for line in run(['/'], *args).splitlines()]
    out = {}
    for o in lines('ls', '-R', '--json'):
        e = {k: o[k] for k in ('type', 'mode', 'uid', 'gid', 'nlink', 'ino')}
        e['mtime'] = nanoseconds(o['mtime'])
        if o['type'] in ('file', 'dir', 'symlink'):
            e['size'] = int(o['size'])
        if o['type'] in ('char', 'block'):
            e['dev'] = (o['major'], o['minor'])
        if o['type'] == 'symlink':
            e['target'] = raw(o, 'target') if 'target' in o else None
        out[raw(o, 'path')] = e
    paths = list(out)
    for i in range(0, len(paths), 200):
        for o in json.loads(run(paths[i:i + 200], 'stat', '--json')):
            out[raw(o, 'path')]['xattrs'] = {x['name'].encode(): bytes.fromhex(x['hex']) if 'hex' in x else x['value'].encode()
                                             for x in o['xattrs']}
    for o in lines('hash', '-R', '--json'):
        out[raw(o, 'path')]['sha256'] = o['sha256']
    return out


def main():
    command, image, mount, *options = sys.argv[1:]
    fast = options[:1] == ['--fast-commits']
    a, b = from_mount(mount), from_vitrine(command, image, options[fast:])
    for e in [*a.values(), *b.values()] if fast else []:
        if e['type'] == 'dir':
            del e['mtime'], e['size']
    wrong = 0
    for path in sorted(a.keys() | b.keys()):
        if a.get(path) != b.get(path):
            wrong += 1
            if wrong <= 20:
                print(path, 'mount:', a.get(path), 'vitrine:', b.get(path))
    print('%d entries, %d differ' % (len(a), wrong))
    sys.exit(1 if wrong else 0)


main()
