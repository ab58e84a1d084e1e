#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vitrine get: a zoo of trees that want to escape, of which nothing may land outside the destination; and honest trees,
# which come out as they are.
set -euo pipefail

here=$(realpath "$(dirname "$0")")
V=$(realpath "${VTR_COMMAND:-build/release/vitrine}")
export V
# shellcheck source=tests/environment.sh
. "$(dirname "$0")/environment.sh"
for tool in mke2fs debugfs python3; do
	command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
T=$(mktemp -d)
mounted=
cleanup()
{
	[ -z "$mounted" ] || umount "$T/mnt"
	chmod -R u+rwx "$T" 2>/dev/null || true
	rm -rf "$T"
}
trap cleanup EXIT
cd "$T"
die() { echo "FAILED: $*" >&2; cat err >&2 2>/dev/null; exit 1; }
expect() {
	local want=$1 got=0
	shift
	"$@" >out 2>err </dev/null || got=$?
	[ "$got" = "$want" ] || die "status $got, expected $want: $*"
}
has() { grep -qF -- "$2" "$1" || { cat "$1" >&2; die "$1 has no \"$2\""; }; }

# ------------------------------------------------------------------------------------------------------------ the zoo
python3 - <<'END'
import ctypes, os, shutil, socket, stat, struct, subprocess, sys, threading, time

V = os.environ['V']
MARK = b'PLACEHOLDER%04d'
EVIL = 'vitrine-evil-%d' % os.getpid()
libc = ctypes.CDLL(None, use_errno=True)
cases = failed = 0


def listing(top, leave_out):
    """All that is there, with what a write would change."""
    out = {}
    for d, dirs, files in os.walk(os.fsencode(top)):
        for n in dirs + files:
            p = os.path.join(d, n)
            if p == os.fsencode(leave_out):
                continue
            st = os.lstat(p)
            e = [st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, st.st_size]
            if stat.S_ISREG(st.st_mode):
                e.append(open(p, 'rb').read())
            out[p] = e
        dirs[:] = [n for n in dirs if os.path.join(d, n) != os.fsencode(leave_out)]
    return out


class Image:
    """A small ext2 whose directory entries can be given any name, inode and type."""

    def __init__(self, build, size='2M'):
        shutil.rmtree('tree', ignore_errors=True)
        os.mkdir('tree')
        self.n = 0
        self.patches = []
        self.commands = []
        build(self)
        if os.path.exists('img'):
            os.unlink('img')
        subprocess.run(['mke2fs', '-q', '-F', '-t', 'ext2', '-b', '1024', '-O', '^metadata_csum,^dir_index', '-I', '256', '-N', '4096' if size == '8M' else '512',
                        '-d', 'tree', 'img', size], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if self.commands:
            r = subprocess.run(['debugfs', '-w', '-f', '/dev/stdin', 'img'], input='\n'.join(self.commands).encode(),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        data = bytearray(open('img', 'rb').read())
        for mark, name, inode, kind in self.patches:
            at = data.find(mark)
            assert at > 8, mark
            if callable(inode):
                inode = inode()
            if inode is not None:
                data[at - 8:at - 4] = struct.pack('<I', inode)
            if kind is not None:
                data[at - 1] = kind
            if name is not None:
                # Room for long ones is what the entry before the next one has.
                room = struct.unpack_from('<H', data, at - 4)[0] - 8
                assert len(name) <= room, (name, room)
                data[at:at + len(mark)] = b'\0' * len(mark)
                data[at:at + len(name)] = name
                data[at - 2] = len(name)
        open('img', 'wb').write(data)

    def mark(self, name=None, inode=None, kind=None, pad=0):
        mark = MARK % self.n + b'.' * pad
        self.n += 1
        self.patches.append((mark, name, inode, kind))
        return 'tree', mark.decode()

    def put(self, kind, name, where=''):
        """Something of this name, which need not be one."""
        pad = max(0, len(name) - 15)
        _, mark = self.mark(name, pad=pad)
        p = os.path.join('tree', where, mark)
        if kind == 'file':
            open(p, 'w').write('evil')
        elif kind == 'dir':
            os.mkdir(p)
            open(p + '/' + EVIL, 'w').write('evil')
        else:
            os.symlink('../outside/canary', p)

    def file(self, path, text='evil'):
        os.makedirs(os.path.dirname('tree/' + path) or '.', exist_ok=True)
        open('tree/' + path, 'w').write(text)

    def inode(self, path):
        out = subprocess.run(['debugfs', '-R', 'stat ' + path, 'img'], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL).stdout.decode()
        return int(out.split('Inode: ')[1].split()[0])


def case(name, build, plant=None, options=(), status=(0, 1, 3), check=None, size='2M', during=None, runs=1):
    global cases, failed
    cases += 1
    shutil.rmtree('case', ignore_errors=True)
    os.makedirs('case/outside/dir')
    os.mkdir('case/dest')
    open('case/outside/canary', 'w').write('alive')
    open('case/outside/dir/canary', 'w').write('alive')
    image = Image(build, size)
    if plant:
        plant()
    before = listing('case', 'case/dest')
    stop = threading.Event()
    worker = threading.Thread(target=during, args=(stop,)) if during else None
    if worker:
        worker.start()
    for _ in range(runs):
        try:
            r = subprocess.run([V, 'get', *options, 'img', '/.', 'case/dest'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, timeout=60)
        except subprocess.TimeoutExpired:
            r = None
            break
    if worker:
        stop.set()
        worker.join()
    wrong = []
    if r is None:
        wrong.append('it hangs')
    else:
        if r.returncode not in status:
            wrong.append('status %d' % r.returncode)
        if any(b < 32 and b not in (10, 13) for b in r.stderr):
            wrong.append('control bytes in messages')
    after = listing('case', 'case/dest')
    for p in sorted(before.keys() | after.keys()):
        if during and p in before and p in after and before[p][:3] + before[p][4:] == after[p][:3] + after[p][4:]:
            continue
        if before.get(p) != after.get(p):
            wrong.append('%r: %r became %r' % (p, before.get(p), after.get(p)))
    for p in ('/' + EVIL, '/tmp/' + EVIL, EVIL, '../' + EVIL):
        if os.path.lexists(p):
            wrong.append('%s is there' % p)
    # Some paths are longer than the host opens.
    for _, dirs, files, fd in os.fwalk(b'case/dest'):
        for n in dirs + files:
            st = os.stat(n, dir_fd=fd, follow_symlinks=False)
            if stat.S_ISBLK(st.st_mode) or stat.S_ISCHR(st.st_mode):
                wrong.append('a device node: %r' % n)
            if st.st_mode & 0o7000 and not stat.S_ISLNK(st.st_mode) and '--setid' not in options:
                wrong.append('set-id bits: %r' % n)
            if n.startswith(b'.vitrine-') and '.vitrine-1-0' not in name:
                wrong.append('left behind: %r' % n)
    if not wrong and check:
        try:
            check(r)
        except Exception as e:
            wrong.append('check: %r' % e)
    if wrong:
        failed += 1
        print('FAILED: %s: %s' % (name, '; '.join(wrong)))
        if r:
            print(r.stderr.decode(errors='replace'))


def there(path, text=None):
    def check(_):
        assert os.path.lexists('case/dest/' + path), path
        if text is not None:
            assert open('case/dest/' + path).read() == text, path
    return check


# Names, of each type.
evil = EVIL.encode()
names = [b'.', b'..', b'', b'../' + evil, b'../../' + evil, b'../outside/canary', b'/' + evil, b'/tmp/' + evil, b'a/b',
         b'a/../../' + evil, b'./' + evil, b'x/', b'/', b'//', b'..//' + evil, b'..\0', b'\0', b'a\0b', b'../\0', b'...',
         b'.. ', b'..\\' + evil, b'C:\\x', b'-rf', b'~', b'~root', b'con', b'\x1b]0;title\x07', b'\n', b'a\nb',
         bytes(range(1, 32)), b'\x7f\x80\xff', '\u202egpj.sh'.encode(), b'x' * 255, b'\xff' * 255, b'$(touch ' + evil + b')',
         b'.vitrine-1-0', b'*', b'%s%n', b'|x']
for n in names:
    for kind in ('file', 'dir', 'link'):
        case('%s named %r' % (kind, n), lambda i, k=kind, m=n: i.put(k, m))

# A link, and what pretends to lie below it: in each order of the names, of entries of the same name.
for first, second in (('link', 'dir'), ('dir', 'link')):
    def two(i, a=first, b=second, to='../outside'):
        for kind in (a, b):
            _, m = i.mark(b'x')
            if kind == 'link':
                os.symlink(to, 'tree/' + m)
            else:
                os.mkdir('tree/' + m)
                open('tree/' + m + '/canary', 'w').write('evil')
    case('%s, then %s of the same name' % (first, second), two)
    case('absolute %s, then %s' % (first, second), lambda i, t=two: t(i, to=os.path.abspath('case/outside')))


def two_files(i):
    _, m = i.mark(b'x')
    os.symlink('../outside/canary', 'tree/' + m)
    _, m = i.mark(b'x')
    open('tree/' + m, 'w').write('evil')


case('link and file of the same name', two_files)


# The same below a folder that is made here, where several threads write: one of two comes out, and always the same.
def twice(i, kinds):
    os.mkdir('tree/d')
    for n in range(40):
        open('tree/d/a%d' % n, 'w').write('%d' % n * 500)
    for n, kind in enumerate(kinds):
        _, m = i.mark(b'x')
        if kind == 'file':
            open('tree/d/' + m, 'w').write('evil %d' % n)
        elif kind == 'link':
            os.symlink('../../outside/canary', 'tree/d/' + m)
        else:
            os.mkdir('tree/d/' + m)
            open('tree/d/' + m + '/canary', 'w').write('evil')


def same_again(_):
    def what():
        p = 'case/dest/d/x'
        return os.readlink(p) if os.path.islink(p) else os.path.isdir(p) or open(p).read()
    for n in range(40):
        assert open('case/dest/d/a%d' % n).read() == '%d' % n * 500, n
    first = what()
    for threads in (1, 2, 3, 8, 8, 8):
        shutil.rmtree('case/dest')
        os.mkdir('case/dest')
        subprocess.run([V, 'get', '--limit', 'threads=%d' % threads, 'img', '/.', 'case/dest'], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert what() == first, (threads, what(), first)


for kinds in (('file', 'file'), ('file', 'link'), ('link', 'file'), ('file', 'dir'), ('dir', 'file'), ('file', 'file', 'file')):
    case('%s of the same name in a folder' % ', '.join(kinds), lambda i, k=kinds: twice(i, k), check=same_again)


def chain(i):
    os.symlink('b', 'tree/a')
    os.symlink('c', 'tree/b')
    os.symlink('../outside', 'tree/c')
    i.file('d/a/canary')


case('a chain of links', chain)


def linked_link(i):
    os.symlink('../outside/canary', 'tree/a')
    os.link('tree/a', 'tree/b', follow_symlinks=False)
    i.file('c/canary')


case('a link of two names', linked_link, status=(0,))
case('an absolute link', lambda i: os.symlink('/etc/passwd', 'tree/x'), status=(0,),
     check=lambda _: os.readlink('case/dest/x') == '/etc/passwd' or 1 / 0)
case('a link to itself', lambda i: os.symlink('x', 'tree/x'), status=(0,))
case('a long link', lambda i: os.symlink('/'.join(['..'] * 300), 'tree/x'), status=(0,))

# Entries that lead to what is no child of theirs.
for what, inode in (('the root', 2), ('no inode', 0x7fffffff), ('the bad blocks', 1), ('the resize inode', 7), ('one unused', 500)):
    for kind in (1, 2, 7):
        def entry(i, n=inode, k=kind):
            i.file('d/f')
            _, m = i.mark(b'x', inode=n, kind=k)
            open('tree/d/' + m, 'w').close()
        case('an entry of type %d that is %s' % (kind, what), entry)


def cycle(i, target):
    i.file('d/e/f')
    _, m = i.mark(b'loop', inode=lambda: i.inode(target), kind=2)
    open('tree/d/e/' + m, 'w').close()


case('a directory in itself', lambda i: cycle(i, '/d/e'), status=(3,))
case('a directory below itself', lambda i: cycle(i, '/d'), status=(3,))


def hard_dir(i):
    i.file('d/f')
    _, m = i.mark(b'again', inode=lambda: i.inode('/d'), kind=2)
    open('tree/' + m, 'w').close()


case('a directory of two names', hard_dir, status=(3,))


def deep(i):
    i.file('/'.join(['d'] * 200) + '/f')


case('deep directories', deep, status=(0,), check=there('/'.join(['d'] * 200) + '/f', 'evil'))


def deep_long(i):
    at = os.open('tree', os.O_RDONLY)
    for _ in range(40):
        os.mkdir('n' * 200, dir_fd=at)
        at2 = os.open('n' * 200, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = at2
    os.close(os.open('f', os.O_CREAT | os.O_WRONLY, dir_fd=at))
    os.symlink('x', 'l', dir_fd=at)
    os.close(at)


case('paths longer than the host opens', deep_long, status=(0,),
     check=lambda _: subprocess.run('find case/dest -name f -o -name l | wc -l', shell=True, stdout=subprocess.PIPE
                                    ).stdout.strip() == b'2' or 1 / 0)

# What is no plain file.


def devices(i):
    i.commands = ['mknod null c 1 3', 'mknod sda b 8 0', 'mknod pipe p', 'set_inode_field /sock mode 0140755']
    i.file('sock', '')


case('devices', devices, status=(0,), check=lambda r: os.listdir('case/dest') in ([], ['lost+found']) or 1 / 0)


def setid(i):
    i.file('su')
    i.file('d/f')
    i.commands = ['set_inode_field /su mode 0104755', 'set_inode_field /d mode 042777', 'set_inode_field /d/f mode 0107777']


case('set-id files', setid, status=(0,), check=there('d/f'))
for size in (1 << 42, (1 << 63) - 1, (1 << 64) - 1):
    def bomb(i, s=size):
        i.file('bomb')
        i.file('small')
        i.commands = ['set_inode_field /bomb size 0x%x' % s]
    case('a file of %d bytes' % size, bomb, status=(3,), check=lambda r: b'--max-file' in r.stderr and there('small')(r) or
         not os.path.exists('case/dest/bomb') or 1 / 0)


def many_bombs(i):
    for n in range(8):
        i.file('bomb%d' % n)
        i.commands.append('set_inode_field /bomb%d size 0xffffff00' % n)


case('files that are too much together', many_bombs, status=(1,), check=lambda r: b'--max-bytes' in r.stderr or 1 / 0)
case('more bytes than allowed', lambda i: [i.file('f%d' % n, 'x' * 5000) for n in range(5)], options=['--max-allocated', '8K'],
     status=(1,), check=lambda r: b'--max-allocated' in r.stderr or 1 / 0)
case('more files than allowed', lambda i: [i.file('d/f%d' % n, '') for n in range(3000)], options=['--max-files', '1000'],
     size='8M', status=(1,), check=lambda r: b'--max-files' in r.stderr and len(os.listdir('case/dest/d')) < 1000 or 1 / 0)

# What somebody has put into the destination before.


def plant_link(to, name='x'):
    return lambda: os.symlink(to, 'case/dest/' + name)


case('a planted link to a directory', lambda i: i.file('x/canary'), plant_link('../outside'), status=(3,))
case('a planted absolute link', lambda i: i.file('x/canary'), lambda: os.symlink(os.path.abspath('case/outside'), 'case/dest/x'),
     status=(3,))
case('a planted link to ..', lambda i: i.file('x/outside/canary'), plant_link('..'), status=(3,))
case('a planted link to a file', lambda i: i.file('x'), plant_link('../outside/canary'), status=(0,), check=there('x', 'evil'))
case('a planted link to nothing', lambda i: i.file('x'), plant_link('../outside/new'), status=(0,), check=there('x', 'evil'))
case('a planted link below', lambda i: i.file('d/e/canary'),
     lambda: (os.mkdir('case/dest/d'), os.symlink('../../outside', 'case/dest/d/e')), status=(3,))
case('a planted link and --update', lambda i: i.file('x', 'alive'), plant_link('../outside/canary'), options=['-u'], status=(0,),
     check=there('x', 'alive'))
case('a planted link and --no-clobber', lambda i: i.file('x'), plant_link('../outside/canary'), options=['-n'], status=(0,))
case('a planted hard link', lambda i: i.file('x'), lambda: os.link('case/outside/canary', 'case/dest/x'), status=(0,),
     check=there('x', 'evil'))


def plant_socket():
    s = socket.socket(socket.AF_UNIX)
    s.bind('case/dest/x')
    s.close()


def two_names(i):
    i.file('a')
    os.link('tree/a', 'tree/b')


case('a planted hard link, and a file of two names', two_names, lambda: os.link('case/outside/canary', 'case/dest/b'), status=(0,),
     check=there('b', 'evil'))
case('hard links and --no-clobber', two_names, lambda: open('case/dest/a', 'w').write('mine'), options=['-n'], status=(0,),
     check=lambda r: (there('a', 'mine')(r), there('b', 'evil')(r)))
case('a planted pipe', lambda i: i.file('x'), lambda: os.mkfifo('case/dest/x'), status=(3,),
     check=lambda r: stat.S_ISFIFO(os.lstat('case/dest/x').st_mode) and b'a FIFO is there' in r.stderr or 1 / 0)
case('a planted pipe and --force', lambda i: i.file('x'), lambda: os.mkfifo('case/dest/x'), options=['-f'], status=(3,),
     check=lambda r: stat.S_ISFIFO(os.lstat('case/dest/x').st_mode) or 1 / 0)
case('a planted socket', lambda i: i.file('x'), plant_socket, status=(3,),
     check=lambda r: stat.S_ISSOCK(os.lstat('case/dest/x').st_mode) and b'a socket is there' in r.stderr or 1 / 0)
case('a pipe from an earlier run', lambda i: i.commands.append('mknod x p'), lambda: os.mkfifo('case/dest/x'),
     options=['--devices'], status=(0,), check=lambda r: stat.S_ISFIFO(os.lstat('case/dest/x').st_mode) or 1 / 0)
case('a planted pipe for a directory', lambda i: i.file('x/y'), lambda: os.mkfifo('case/dest/x'), status=(3,))
case('a planted directory', lambda i: i.file('x'), lambda: os.mkdir('case/dest/x'), status=(3,),
     check=lambda _: os.path.isdir('case/dest/x') or 1 / 0)
case('a planted file for a directory', lambda i: i.file('x/y'), lambda: open('case/dest/x', 'w').close(), status=(3,))
case('a planted directory for a link', lambda i: os.symlink('../outside', 'tree/x'), lambda: os.mkdir('case/dest/x'), status=(3,))
case('a planted link for a link', lambda i: os.symlink('new', 'tree/x'), plant_link('../outside'), status=(0,),
     check=lambda _: os.readlink('case/dest/x') == 'new' or 1 / 0)
case('a read-only directory from before', lambda i: i.file('d/f'), lambda: os.mkdir('case/dest/d', 0o500), status=(0,),
     check=there('d/f', 'evil'))


# Somebody exchanges a directory and a link all the while.
def exchange(stop):
    while not stop.is_set():
        libc.renameat2(-100, b'case/dest/x', -100, b'case/dest/y', 2)


case('directory and link are exchanged', lambda i: [i.file('x/d%d/f%d' % (n % 7, n)) for n in range(300)],
     lambda: (os.mkdir('case/dest/x'), [os.makedirs('case/outside/d%d' % n) for n in range(7)],
              os.symlink('../outside', 'case/dest/y')), during=exchange, runs=40, size='8M')

print('%d hostile trees, %d failed' % (cases, failed))
sys.exit(failed > 0)
END

# Hostile volumes of NTFS: made with ntfs-3g, and then given names that no driver makes.
if [ "$(id -u)" = 0 ] && [ -e /dev/fuse ] && command -v mkntfs >/dev/null && command -v ntfs-3g >/dev/null &&
	command -v setfattr >/dev/null; then
	rm -rf case ntfs.img
	mkdir -p mnt case/outside case/dest case/tar
	echo alive >case/outside/canary
	truncate -s 4M ntfs.img
	mkntfs -q -F ntfs.img >/dev/null 2>&1
	if ntfs-3g -o streams_interface=xattr ntfs.img mnt 2>/dev/null; then
		mounted=1
		python3 - <<'END'
import json, os, struct, subprocess
names = ['..', '.', 'a/b', '../evil', '../../evil', '/tmp/vitrine-evil', 'x/', '..\\evil', '\\evil', 'C:\\x', 'CON', 'nul.txt',
         'a:b', 'x:$DATA', '..:s', 'x ', 'x.', '\x01', '\x1b[2J', '\u202e', '\ud800', '\0x', '*', '$MFT', '~', 'x' * 255]
patches = []
for i, name in enumerate(names):
    for k, kind in enumerate(('file', 'dir')):
        mark = chr(0x4e00 + 2 * i + k) * len(name)
        if kind == 'file':
            open('mnt/' + mark[:80] if len(name) > 80 else 'mnt/' + mark, 'w').write('evil')
        else:
            os.mkdir('mnt/' + (mark[:80] if len(name) > 80 else mark))
            open('mnt/' + (mark[:80] if len(name) > 80 else mark) + '/vitrine-evil', 'w').write('evil')
        if len(name) <= 80:
            patches.append((mark, name))
# Links that lead out, and what pretends to lie below them.
os.symlink('../outside', 'mnt/out')
os.symlink('../outside/canary', 'mnt/file')
os.symlink(os.path.abspath('case/outside/canary'), 'mnt/absolute')
for name in ('out', 'file'):
    mark = chr(0x5000 + len(patches)) * len(name)
    os.mkdir('mnt/' + mark)
    open('mnt/' + mark + '/canary', 'w').write('evil')
    patches.append((mark, name))
# Mount points and symbolic links of Windows ([MS-FSCC] 2.1.2.4, 2.1.2.5).
def reparse(name, tag, target, relative):
    os.mkdir('mnt/' + name)
    t = target.encode('utf-16-le')
    head = struct.pack('<HHHH', 0, len(t), len(t) + 2, len(t)) + (struct.pack('<I', relative) if tag == 0xa000000c else b'')
    body = head + t + b'\0\0' + t + b'\0\0'
    data = struct.pack('<IHH', tag, len(body), 0) + body
    subprocess.run(['setfattr', '-n', 'system.ntfs_reparse_data', '-v', '0x' + data.hex(), 'mnt/' + name], check=True)
reparse('junction', 0xa0000003, '\\??\\C:\\..\\..\\outside', 0)
reparse('wlink', 0xa000000c, '..\\..\\outside\\canary', 1)
reparse('wabs', 0xa000000c, '\\??\\' + os.path.abspath('case/outside').replace('/', '\\'), 0)
reparse('odd', 0x8000ffff, 'x', 0)
# Streams of odd names, and a file of two names.
open('mnt/streams', 'w').write('x')
for s in ('..\\evil', 'a', ' ', '..'):
    try:
        os.setxattr('mnt/streams', 'user.' + s, b'evil')
    except OSError:
        pass
os.mkdir('mnt/links')
os.link('mnt/streams', 'mnt/links/second')
json.dump([p for p in patches], open('patches', 'w'))
END
		umount mnt
		mounted=
		python3 - <<'END'
import json
data = bytearray(open('ntfs.img', 'rb').read())
n = 0
for mark, name in json.load(open('patches')):
    old, new = mark.encode('utf-16-le'), name.encode('utf-16-le', 'surrogatepass')
    at = -1
    while (at := data.find(old, at + 1)) >= 0:
        # A FILE_NAME has its length and namespace before it.
        if at >= 2 and data[at - 2] == len(mark) and data[at - 1] <= 3:
            data[at:at + len(old)] = new
            n += 1
assert n >= 60, n
open('ntfs.img', 'wb').write(data)
END
		state() { find "$1" -printf '%p %y %m %s %T@ %l\n' | LC_ALL=C sort; cat case/outside/canary; }
		for options in "" "-f --setid --devices --xattrs user" "-u --limit threads=1"; do
			state case/outside >before
			rm -rf /tmp/vitrine-evil
			got=0
			# shellcheck disable=SC2086
			"$V" get $options ntfs.img / case/dest >out 2>err || got=$?
			[ $got = 3 ] || [ $got = 0 ] || die "get of hostile NTFS $options: $got"
			state case/outside >after
			cmp before after || die "get of hostile NTFS leaves its destination"
			[ ! -e /tmp/vitrine-evil ] && [ ! -e case/evil ] && [ ! -e evil ] || die "get of hostile NTFS leaves its destination"
			[ "$(ls case)" = "$(printf 'dest\noutside\ntar')" ] || die "get of hostile NTFS leaves its destination"
			[ "$(cat case/dest/links/second)" = x ] && [ case/dest/streams -ef case/dest/links/second ] ||
				die "a hard link of NTFS"
			! find case/dest -name '.vitrine-*' | grep . || die "something is left behind"
		done
		got=0
		"$V" tar ntfs.img >case/stream.tar 2>err || got=$?
		[ $got = 3 ] || [ $got = 0 ] || die "tar of hostile NTFS: $got"
		python3 - <<'END' || die "tar of hostile NTFS has members that lead out, or one twice"
import tarfile
names = [m.name for m in tarfile.open('case/stream.tar', errors='surrogateescape')]
assert len(names) > 25, names
for n in names:
    assert not n.startswith('/') and '..' not in n.split('/') and '' not in n.split('/'), n
assert len(set(names)) == len(names), names
END
		rm case/stream.tar
	fi
fi

# Where the kernel has no openat2(), or forbids it.
if command -v strace >/dev/null && strace -qq -o /dev/null -e inject=openat2:error=ENOSYS true 2>/dev/null; then
	export ASAN_OPTIONS=detect_leaks=0 # which does not work beside strace
	rm -rf case/dest tree img
	mkdir -p case/dest tree/a/b/c tree/a/d
	echo x | tee tree/a/b/c/f tree/a/b/g >tree/a/d/h
	ln -s f tree/a/b/c/l
	mke2fs -q -F -t ext2 -d tree img 1M
	ASAN_OPTIONS=detect_leaks=0 strace -qq -o /dev/null -e inject=openat2:error=ENOSYS "$V" get img /. case/dest
	python3 "$here/same-tree.py" tree case/dest --seconds >same || { cat same; die "without openat2"; }
	rm -rf case/dest/a/b
	ln -s ../../outside case/dest/a/b
	expect 3 env ASAN_OPTIONS=detect_leaks=0 strace -qq -o /dev/null -e inject=openat2:error=ENOSYS "$V" get img /. case/dest
	[ ! -e case/outside/g ] && [ ! -e case/outside/c ] || die "without openat2 a planted link is followed"
fi

# ------------------------------------------------------------------------------------------------------ honest trees
rm -rf tree case img
mkdir -p src/share "src/empty dir"
for d in /usr/share/zoneinfo /usr/share/bash-completion; do
	[ ! -d $d ] || cp -a $d src/share/
done
ln -s share/zoneinfo src/link
ln -s /absolute/nowhere src/absolute
echo 'of three names' >src/one
ln src/one src/two
ln src/one "src/share/three"
ln -s x src/sym1
ln -P src/sym1 src/sym2
truncate -s 300M src/hole
for at in 0 5000000 299999999; do printf 'data' | dd of=src/hole bs=1 seek=$at conv=notrunc status=none; done
truncate -s 1M src/allhole
: >src/nothing
printf 'x' >"src/$(printf 'caf\351')"
printf 'x' >"src/$(printf '%0255d' 0)"
mkdir -p src/deep/"$(printf '%0120d' 0)/$(printf '%0120d' 1)/$(printf '%0120d' 2)"
touch src/deep/"$(printf '%0120d' 0)/$(printf '%0120d' 1)/$(printf '%0120d' 2)/f"
chmod 751 src/share
chmod 400 src/one
chmod 1777 "src/empty dir"
touch -d '1969-12-31 23:59:58 UTC' src/nothing
touch -d '2100-02-03 04:05:06 UTC' src/allhole
attrs=
if command -v setfattr >/dev/null && setfattr -n user.binary -v 0x00ff0a3d src/two 2>/dev/null; then
	setfattr -n user.text -v hello "src/empty dir"
	attrs='--xattrs user.'
fi

mkfs_from_src()
{
	truncate -s 400M img
	seconds=--seconds
	if real_root && mke2fs -q -F -t ext4 img && mkdir -p mnt && mount -o loop img mnt 2>/dev/null; then
		mounted=1
		cp -a src/. mnt/
		umount mnt
		mounted=
		seconds=
	else
		# What mke2fs does not bring along: links of several names, times after 2038, nanoseconds.
		rm src/sym2
		touch -d '2030-02-03 04:05:06 UTC' src/allhole
		find src -depth -print0 | while IFS= read -r -d '' p; do touch -h -d "@$(stat -c %Y -- "$p")" -- "$p"; done
		mke2fs -q -F -t ext4 -d src img
	fi
}
! real_root || {
	mknod src/null c 1 3
	mknod src/disk b 8 1
	mkfifo src/pipe
	chown 1234:70000 src/nothing
	chown -h 5:6 src/link
	install -m 4755 /bin/true src/suid
	command -v setfacl >/dev/null && setfacl -m u:77:r src/one -d -m g:88:rwx src/share 2>/dev/null
	command -v setcap >/dev/null && setcap cap_net_raw+ep src/suid 2>/dev/null
	setfattr -n trusted.t -v v src/link -h 2>/dev/null
} || true
mkfs_from_src
expect 0 "$V" get img / dest
python3 "$here/same-tree.py" src dest --mode-mask 777 $seconds || die "a tree differs"
expect 0 "$V" get --limit threads=1 img / dest.1
python3 "$here/same-tree.py" src dest.1 --mode-mask 777 $seconds || die "a tree differs with one thread"
rm -rf dest.1
# Where files cannot be made without a name, or not named, or not written.
if command -v strace >/dev/null && strace -qq -o /dev/null -e inject=linkat:error=EPERM true 2>/dev/null; then
	fails() {
		local want=$1 calls=$2 how=$3
		shift 3
		expect $want env ASAN_OPTIONS=detect_leaks=0 strace -f --seccomp-bpf -qq -o /dev/null -e trace=$calls \
			-e inject=$calls:$how "$V" get img "$@"
	}
	fails 0 access,faccessat,faccessat2 error=ENOENT / dest.2
	python3 "$here/same-tree.py" src dest.2 --mode-mask 777 $seconds || die "a tree differs with names from the start"
	mkdir dest.3 dest.4
	fails 3 linkat error=EPERM /deep /share/bash-completion dest.3
	has err "naming it: Operation not permitted"
	[ -z "$(find dest.3 -type f)" ] || die "files have names that could not be given"
	fails 1 pwrite64 error=ENOSPC:when=20+ /share dest.4
	[ "$(grep -c 'No space left' err)" = 1 ] || die "a full disk is told more than once"
	[ -n "$(find dest.4 -type f)" ] || die "nothing before the disk was full"
	! diff -rq --no-dereference dest.4 src | grep differ || die "a full disk leaves half a file"
	rm -rf dest.[234]
fi
if [ -n "$attrs" ]; then
	expect 0 "$V" get -p img / dest.p
	python3 "$here/same-tree.py" src dest.p --mode-mask 777 $attrs $seconds || die "a tree differs with -p"
fi
if real_root; then
	expect 0 "$V" get -p --xattrs all --setid --devices img / dest.all
	python3 "$here/same-tree.py" src dest.all --owner --devices --xattrs user. --xattrs security. --xattrs trusted. \
		--xattrs system. $seconds || die "a tree differs with all that there is"
fi

# As cp(1): what DEST means.
expect 0 "$V" get img /one here
cmp here src/one
mkdir into
expect 0 "$V" get img /one /share into
cmp into/one src/one
[ -e into/share/three ] || die "no into/share/three"
expect 0 "$V" get img /share/. into/
[ -e into/three ] || die "the contents of a directory"
expect 1 "$V" get img /one /two nowhere
expect 1 "$V" get img /one nowhere/deeper
expect 1 "$V" get img /nosuch into
has err "no such file"
expect 2 "$V" get img
expect 2 "$V" get img /one
expect 2 "$V" get --max-file x img /one into
expect 2 "$V" get --xattrs some img /one into
expect 0 "$V" get -v img /one into
has out "/one"

# As cp(1): a link that is named is followed by a file, and one that leads nowhere is not written through.
echo old >real
ln -s real led
ln -s nothing dangling
expect 0 "$V" get img /one led
cmp real src/one
[ "$(readlink led)" = real ] || die "a link that was named is replaced by a file"
expect 1 "$V" get img /one dangling
has err "dangling: a symbolic link that leads nowhere"
[ "$(readlink dangling)" = nothing ] && [ ! -e nothing ] || die "a link that leads nowhere is written through"
expect 0 "$V" get img /link led
[ "$(readlink led)" = share/zoneinfo ] || die "a link does not replace a link"
# What is neither a file nor a directory is never replaced; with -f it is written to.
mkfifo fifo
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("sock")'
expect 1 "$V" get img /one fifo
has err "fifo: a FIFO is there; --force writes to it"
expect 0 "$V" get -n img /one fifo
cat fifo >poured &
expect 0 "$V" get -f img /one fifo
wait $!
cmp poured src/one
[ -p fifo ] || die "a FIFO is replaced"
head -c 100 fifo >poured &
expect 141 "$V" get -f img /hole fifo
[ ! -s err ] || die "a FIFO whose reader has gone is told of"
wait $!
expect 1 "$V" get -f img /share fifo
expect 1 "$V" get -f img /sym1 fifo
expect 1 "$V" get -f img /one sock
has err "sock: a socket is there"
[ -p fifo ] && [ -S sock ] || die "a FIFO or a socket is replaced"
if mknod null c 1 3 2>/dev/null; then
	ln -s null tonull
	mkdir dev
	mknod dev/one c 1 3
	for to in null tonull; do
		expect 1 "$V" get img /one $to
		has err "$to: a character device is there"
		expect 0 "$V" get -f img /one $to
	done
	expect 3 "$V" get -f img /one dev
	has err "/one: a character device is there"
	[ -c null ] && [ -L tonull ] && [ -c dev/one ] || die "a device is replaced"
fi
# Who can write to the destination gains nothing by exchanging what is being made: metadata is not set by name.
if command -v strace >/dev/null && strace -qq -o /dev/null -e inject=mknodat:delay_exit=1 true 2>/dev/null; then
	mkdir tree.p race
	mkfifo tree.p/pipe
	mke2fs -q -F -t ext2 -d tree.p img.p 1M
	debugfs -w -R 'set_inode_field /pipe mode 014777' img.p >/dev/null 2>&1
	echo victim >victim
	chmod 600 victim
	: >go
	while [ -e go ]; do
		for temp in race/.vitrine-*; do
			[ ! -p "$temp" ] || { ln -s ../victim race/swap && mv -T race/swap "$temp"; } 2>/dev/null || true
		done
	done &
	for call in mknodat openat fchmodat chmod; do
		ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o /dev/null -e trace=$call -e inject=$call:delay_exit=20000:delay_enter=20000 \
			"$V" get --devices --setid img.p /pipe race >out 2>err || true
		[ "$(stat -c %a victim)" = 600 ] || die "the mode of another file is set"
		rm -f race/pipe race/swap
	done
	rm go
	wait $!
fi

# What is there already.
rm -f into/one
echo mine >into/one
expect 0 "$V" get -n img /one into
[ "$(cat into/one)" = mine ] || die "--no-clobber replaces"
expect 0 "$V" get img /one into
cmp into/one src/one
ino=$(stat -c %i into/one)
expect 0 "$V" get -u img /one into
[ "$(stat -c %i into/one)" = "$ino" ] || die "--update copies what is the same"
touch -d '2001-02-03 04:05:06 UTC' into/one
expect 0 "$V" get -u img /one into
[ "$(stat -c %i into/one)" != "$ino" ] || die "--update leaves what differs"

# The image is not replaced by what comes out of it.
cp src/one two.tmp
mkdir self
cp --sparse=always img self/one
sha256sum self/one >sum
expect 3 "$V" get self/one /one self
sha256sum -c --quiet sum
has err "image"

# A signal ends it by the signal, so that a loop of the shell ends, too.
python3 - <<'END' || die "the end is not by the signal"
import os, signal, subprocess, sys
for s in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
    os.mkfifo('hold')
    p = subprocess.Popen([os.environ['V'], 'get', '-f', 'img', '/hole', 'hold'], stderr=subprocess.DEVNULL)
    fd = os.open('hold', os.O_RDONLY)
    os.read(fd, 10)
    p.send_signal(s)
    assert p.wait(60) == -s, (s, p.returncode)
    os.close(fd)
    os.unlink('hold')
    # What the caller ignores stays ignored.
    os.mkfifo('hold')
    p = subprocess.Popen([os.environ['V'], 'get', '-f', 'img', '/share', 'hold/..'], stderr=subprocess.DEVNULL,
                         preexec_fn=lambda: signal.signal(s, signal.SIG_IGN))
    p.send_signal(s)
    assert p.wait(60) == 1, (s, p.returncode)
    os.unlink('hold')
END

# An interruption leaves no half-written file, and the next run goes on.
mkdir cut
for delay in 0.02 0.05 0.1 0.2; do
	timeout -s INT $delay "$V" get -u img /. cut >/dev/null 2>&1 || true
	! find cut -name '.vitrine-*' | grep . || die "an interruption leaves something behind"
done
# Nor does an end without warning, where files have no name until they are whole.
for delay in 0.02 0.04 0.08; do
	rm -rf killed
	mkdir killed
	(timeout -s KILL $delay "$V" get img /. killed || true) >/dev/null 2>&1
	! diff -rq --no-dereference -x hole killed src | grep differ || die "half a file has its name"
done
expect 0 "$V" get -u img /. cut
python3 "$here/same-tree.py" src cut --mode-mask 777 $seconds >same || { cat same; die "going on after an interruption"; }

# A full disk.
if real_root && mount -t tmpfs -o size=1M none mnt 2>/dev/null; then
	mounted=1
	expect 1 "$V" get img /share mnt
	has err "No space left"
	! find mnt -name '.vitrine-*' | grep . || die "a full disk leaves something behind"
	umount mnt
	mounted=
fi
echo passed
