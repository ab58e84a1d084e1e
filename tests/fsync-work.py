#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keep a filesystem busy with changes that ext4 records in fast commits, each followed by fsync(2), until a file STOP is
there: fsync-work.py DIRECTORY SEED STOP."""
import ctypes
import os
import random
import sys

TOP, SEED, STOP = sys.argv[1:]
R = random.Random(int(SEED))
LIBC = ctypes.CDLL(None, use_errno=True)
DIRS = ['%s/d%d' % (TOP, i) for i in range(4)]
KINDS = (['create'] * 6 + ['append'] * 3 + ['write', 'truncate', 'punch', 'allocate', 'zero', 'holes', 'mode', 'link', 'mkdir', 'rmdir'] +
         ['unlink', 'rename'] * 3)


def synced(path, change=None):
    fd = os.open(path, os.O_RDWR)
    if change:
        change(fd)
    os.fsync(fd)
    os.close(fd)


def fresh():
    return '%s/%s%d' % (R.choice(DIRS), 'f' * R.choice([0, 0, 3, 60, 200]), R.randrange(60))


def some():
    d = R.choice(DIRS)
    names = [n for n in os.listdir(d) if os.path.isfile(d + '/' + n)]
    return d + '/' + R.choice(names) if names else None


def allocate(mode, size, longest):
    return lambda fd: LIBC.fallocate(fd, mode, ctypes.c_long(R.randrange(size + 1)), ctypes.c_long(R.randrange(1, longest)))


def holes(fd):
    for i in range(20):
        os.pwrite(fd, b'h' * 10, os.fstat(fd).st_size + 9000)


def step(kind):
    if kind == 'create':
        with open(fresh(), 'wb') as f:
            f.write(os.urandom(R.choice([0, 1, 30, 100, 5000, 70000])))
            f.flush()
            os.fsync(f.fileno())
        return
    if kind == 'mkdir':
        d = fresh()
        os.mkdir(d)
        with open(d + '/in', 'wb') as f:
            f.write(b'in')
            f.flush()
            os.fsync(f.fileno())
        return
    if kind == 'rmdir':
        d = R.choice(DIRS)
        for name in os.listdir(d):
            if os.path.isdir(d + '/' + name):
                os.unlink(d + '/' + name + '/in')
                os.rmdir(d + '/' + name)
                return
        return
    path = some()
    if not path:
        return
    size = os.path.getsize(path)
    if kind == 'unlink':
        os.unlink(path)
    elif kind == 'link':
        to = fresh()
        os.link(path, to)
        synced(to)
    elif kind == 'rename':
        to = fresh()
        os.rename(path, to)
        synced(to)
    elif kind == 'mode':
        os.chmod(path, R.choice([0o600, 0o644, 0o4755]))
        os.chown(path, R.randrange(70000), R.randrange(70000))
        synced(path)
    else:
        synced(path, {
            'append': lambda fd: os.pwrite(fd, os.urandom(R.choice([1, 900, 20000])), size),
            'write': lambda fd: os.pwrite(fd, os.urandom(R.choice([1, 4096, 9000])), R.randrange(size + 1)),
            'truncate': lambda fd: os.ftruncate(fd, R.randrange(size + 5000)),
            'punch': allocate(3, size, 30000),
            'allocate': allocate(R.choice([0, 1]), size, 90000),
            'zero': allocate(R.choice([0x10, 0x11]), size, 30000),
            'holes': holes,
        }[kind])


def main():
    for d in DIRS:
        os.makedirs(d, exist_ok=True)
    while not os.path.exists(STOP):
        try:
            step(R.choice(KINDS))
        except OSError:
            pass  # full, or no such file any more: the next change


main()
