#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Write the NTFS volumes of the tests, ntfs-*.img.xz, and what is in them, ntfs-*.tsv. Needs root, FUSE, ntfs-3g and wimtools.

A list has a row for each file: path, type (d f l c b p s, S for a named stream), size, sha256, target. Contents are those
that were written; names, types and sizes are what NTFS-3G's mount shows, but for reparse points that it does not know.
Files of the overlay filter are compressed by libwim, whose chunks are those of Windows.
"""
import ctypes
import hashlib
import lzma
import os
import random
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
random.seed(20)

WIM = ctypes.CDLL("libwim.so.15")
WIM.wimlib_create_compressor.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_uint, ctypes.POINTER(ctypes.c_void_p)]
WIM.wimlib_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p]
WIM.wimlib_compress.restype = ctypes.c_size_t
WIM.wimlib_free_compressor.argtypes = [ctypes.c_void_p]
MODES = {"xpress4k": (1, 4096, 0), "lzx": (2, 32768, 1), "xpress8k": (1, 8192, 2), "xpress16k": (1, 16384, 3)}


def text(n):
    """Something that compresses, and has the calls that LZX translates."""
    out = bytearray()
    while len(out) < n:
        r = random.random()
        if r < 0.4:
            out += b"The quick brown fox %d jumps over. " % random.randrange(50)
        elif r < 0.6:
            out += b"\xe8" + struct.pack("<i", random.choice([100, -20, 70000, 11999990, 12000000, -5]))
        elif r < 0.8 and out:
            at = random.randrange(len(out))
            out += out[at:at + random.randrange(3, 400)]
        else:
            out += random.randbytes(random.randrange(1, 30))
    return bytes(out[:n])


def wof_stream(data, mode):
    kind, chunk, algorithm = MODES[mode]
    c = ctypes.c_void_p()
    assert WIM.wimlib_create_compressor(kind, chunk, 50, ctypes.byref(c)) == 0
    chunks = []
    for at in range(0, len(data), chunk):
        piece = data[at:at + chunk]
        buf = ctypes.create_string_buffer(len(piece))
        n = WIM.wimlib_compress(piece, len(piece), buf, len(piece) - 1, c) if len(piece) > 1 else 0
        chunks.append(buf.raw[:n] if n else piece)
    WIM.wimlib_free_compressor(c)
    offsets, at = [], 0
    for piece in chunks:
        offsets.append(at)
        at += len(piece)
    return b"".join(struct.pack("<I", o) for o in offsets[1:]) + b"".join(chunks), algorithm


class Volume:
    def __init__(self, name, size, mkntfs, work):
        self.name, self.rows = name, {}
        self.image, self.top = os.path.join(work, name), os.path.join(work, "m")
        with open(self.image, "wb") as f:
            f.truncate(size)
        subprocess.run(["mkntfs", "-q", "-F", "-L", name, *mkntfs, self.image], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        os.makedirs(self.top, exist_ok=True)

    def fill(self, what, special="interix"):
        subprocess.run(["ntfs-3g", "-o", "compression,streams_interface=windows,special_files=" + special, self.image,
                        self.top], check=True)
        try:
            what(self)
        finally:
            subprocess.run(["umount", self.top], check=True)
            time.sleep(0.5)

    def at(self, path):
        return os.path.join(self.top, path)

    def row(self, path, kind, size="-", data=None, target=""):
        sha = hashlib.sha256(data).hexdigest() if data is not None else ""
        self.rows[path] = (kind, str(len(data)) if data is not None else str(size), sha, target)

    def dir(self, path):
        parts = path.split("/")
        for i in range(1, len(parts) + 1):
            if "/".join(parts[:i]) not in self.rows:
                os.mkdir(self.at("/".join(parts[:i])))
                self.row("/".join(parts[:i]), "d")

    def put(self, path, data):
        if "/" in path:
            self.dir(os.path.dirname(path))
        with open(self.at(path), "wb") as f:
            f.write(data)
        self.row(path, "f", data=data)

    def stream(self, path, name, data):
        with open(self.at(path) + ":" + name, "wb") as f:
            f.write(data)
        self.row(path + ":" + name, "S", data=data)

    def xattr(self, path, name, value):
        os.setxattr(self.at(path), "system.ntfs_" + name, value)

    def reparse(self, path, tag, body, kind, target="", is_dir=False):
        if is_dir:
            os.mkdir(self.at(path))
        else:
            with open(self.at(path), "wb") as f:
                f.truncate(5000 if kind == "f" else 0)
        self.xattr(path, "reparse_data", struct.pack("<IHH", tag, len(body), 0) + body)
        self.row(path, kind, target=target, size=len(target.encode()) if kind == "l" else 5000 if kind == "f" else "-")

    def link(self, path, tag, substitute, target, is_dir=False, relative=None):
        s, p = substitute.encode("utf-16-le"), substitute.replace("\\??\\", "").encode("utf-16-le")
        flags = b"" if relative is None else struct.pack("<I", relative)
        body = struct.pack("<HHHH", 0, len(s), len(s) + 2, len(p)) + flags + s + b"\0\0" + p + b"\0\0"
        self.reparse(path, tag, body, "l", target, is_dir)

    def wof(self, path, data, mode):
        s, algorithm = wof_stream(data, mode)
        with open(self.at(path), "wb") as f:
            f.truncate(len(data))
        with open(self.at(path) + ":WofCompressedData", "wb") as f:
            f.write(s)
        self.xattr(path, "reparse_data", struct.pack("<IHHIIII", 0x80000017, 16, 0, 1, 2, 1, algorithm))
        self.row(path, "f", data=data)
        self.row(path + ":WofCompressedData", "S", data=s)

    def save(self, patch=None):
        with open(self.image, "rb") as f:
            image = bytearray(f.read())
        if patch:
            patch(image)
        with open(os.path.join(HERE, f"ntfs-{self.name}.img.xz"), "wb") as f:
            f.write(lzma.compress(bytes(image), preset=9 | lzma.PRESET_EXTREME))
        with open(os.path.join(HERE, f"ntfs-{self.name}.tsv"), "w") as f:
            for path in sorted(self.rows, key=os.fsencode):
                f.write("\t".join((path,) + self.rows[path]) + "\n")


def basic(v):
    """What every geometry gets: resident and not, a directory that has blocks, fragments, a stream, a link."""
    v.put("small", b"resident\n")
    v.put("empty", b"")
    v.put("dir/large", text(30000))
    for i in range(60):
        v.put(f"many/a name that takes some room in its directory {i:03}", b"%d" % i)
    for i in range(40):
        for n in ("one", "two"):
            with open(v.at(n), "ab") as f:
                f.write(bytes([65 + i % 26]) * 700)
    for n in ("one", "two"):
        v.row(n, "f", data=b"".join(bytes([65 + i % 26]) * 700 for i in range(40)))
    v.stream("small", "beside", b"a stream")
    os.link(v.at("small"), v.at("dir/hard"))
    v.row("dir/hard", "f", data=b"resident\n")
    v.rows["dir/hard:beside"] = v.rows["small:beside"]


def full(v):
    basic(v)
    # Compressed: what is written into such a directory is.
    v.dir("packed")
    v.xattr("packed", "attrib", struct.pack("<I", 0x10 | 0x800))
    v.put("packed/text", text(200000))
    v.put("packed/holes", text(40000) + bytes(150000) + text(1000))
    v.put("packed/random", random.randbytes(70000))
    v.put("packed/resident", b"short")
    # Sparse.
    with open(v.at("sparse"), "wb") as f:
        data = bytearray(3_000_100)
        for at in (0, 70_000, 1_000_001, 3_000_000):
            f.seek(at)
            f.write(b"#" * 100)
            data[at:at + 100] = b"#" * 100
    v.row("sparse", "f", data=bytes(data))
    # The overlay filter.
    v.dir("overlay")
    for mode in MODES:
        for size in (1, 4096, 32768, 32769, 90000):
            v.wof(f"overlay/{mode}-{size}", text(size), mode)
        v.wof(f"overlay/{mode}-random", random.randbytes(9000), mode)
        v.wof(f"overlay/{mode}-zeros", bytes(100000), mode)
    # An attribute list: many links, many streams.
    v.put("list", b"has a list\n")
    for i in range(30):
        os.link(v.at("list"), v.at(f"dir/link-{i:02}"))
        v.row(f"dir/link-{i:02}", "f", data=b"has a list\n")
    for i in range(12):
        v.stream("list", f"stream {i:02}", b"%02d " % i * 40)
    for i in range(30):
        for k in range(12):
            v.rows[f"dir/link-{i:02}:stream {k:02}"] = v.rows[f"list:stream {k:02}"]
    v.dir("streams")
    v.stream("streams", "of a directory", b"d")
    v.stream("streams", "Zone.Identifier", b"[ZoneTransfer]\r\nZoneId=3\r\n")
    # Names.
    v.put("names/" + "n" * 255, b"long")
    v.put("names/\u00dcber-\u65e5\u672c", b"unicode")
    v.put("names/\U0001f600", b"a pair")
    v.put("names/Case", b"upper")
    v.put("names/case", b"lower")
    v.put("names/trailing.", b"dot")
    v.put("names/Mixed Case Name.Text", b"mixed")
    v.xattr("names/Mixed Case Name.Text", "dos_name", b"MIXEDC~1.TEX")
    # Reparse points. Targets are those that Windows would go to.
    v.link("to-dir", 0xA0000003, "\\??\\C:\\dir", "/dir", is_dir=True)
    v.link("to-volume", 0xA0000003, "\\??\\Volume{12345678-1234-1234-1234-123456789abc}\\",
           "/Volume{12345678-1234-1234-1234-123456789abc}/", is_dir=True)
    v.link("to-other", 0xA0000003, "\\??\\E:\\elsewhere\\x", "/E:/elsewhere/x", is_dir=True)
    v.link("absolute", 0xA000000C, "\\??\\c:\\names\\Case", "/names/Case", relative=0)
    v.link("relative", 0xA000000C, "dir\\..\\small", "dir/../small", relative=1)
    v.link("share", 0xA000000C, "\\??\\UNC\\server\\share", "//server/share", relative=0)
    v.link("rooted", 0xA000000C, "\\dir\\large", "/dir/large", relative=1)
    v.reparse("linux", 0xA000001D, b"\2\0\0\0dir/large", "l", "dir/large")
    alias = "".join(s + "\0" for s in ("Package_1", "Package_1!App", "C:\\dir\\large", "0")).encode("utf-16-le")
    v.reparse("alias.exe", 0x8000001B, b"\3\0\0\0" + alias, "l", "/dir/large")
    v.reparse("dedup", 0x80000013, bytes(64), "f")
    v.reparse("placeholder", 0x9000001A, bytes(16), "f")
    v.reparse("wimboot", 0x80000017, struct.pack("<II", 1, 1) + bytes(32), "f")
    os.symlink("dir/large", v.at("interix"))
    v.row("interix", "l", 9, target="dir/large")
    os.mknod(v.at("null"), 0o20666, os.makedev(1, 3))
    v.row("null", "c")
    # What stat tells.
    v.put("facts", b"facts")
    v.xattr("facts", "attrib", struct.pack("<I", 0x23))
    v.xattr("facts", "times", struct.pack("<QQQQ", 116444736000000001, 132514847999999999, 125911584000000000, 1))
    v.xattr("facts", "object_id", bytes(range(1, 17)))
    v.xattr("facts", "ea", b"".join((
        struct.pack("<IBBH", 20, 0, 6, 4) + b"$LXUID\0" + struct.pack("<I", 1000) + b"\0",
        struct.pack("<IBBH", 20, 0, 6, 4) + b"$LXGID\0" + struct.pack("<I", 1001) + b"\0",
        struct.pack("<IBBH", 20, 0, 6, 4) + b"$LXMOD\0" + struct.pack("<I", 0o100640) + b"\0",
        struct.pack("<IBBH", 24, 0, 8, 5) + b"USER.TAG\0value\0\0")))
    sid = lambda *sub: struct.pack("<BBHI", 1, len(sub), 0, 0x05000000) + struct.pack(f"<{len(sub)}I", *sub)
    ace = lambda kind, flags, mask, s: struct.pack("<BBHI", kind, flags, 8 + len(s), mask) + s
    aces = (ace(0, 0, 0x1F01FF, sid(18)) + ace(0, 0x0B, 0xE0010000, sid(11)) + ace(1, 0x10, 0x1301BF, sid(32, 545)) +
            ace(0, 0, 0x120089, sid(21, 1, 2, 3, 1001)))
    acl = struct.pack("<BBHHH", 2, 0, 8 + len(aces), 4, 0) + aces
    owner, group = sid(32, 544), sid(21, 1, 2, 3, 513)
    v.xattr("facts", "acl", struct.pack("<BBHIIII", 1, 0, 0x9404, 20, 20 + len(owner), 0, 20 + len(owner) + len(group)) +
            owner + group + acl)
    v.dir("sensitive")
    v.put("sensitive/Name", b"N")


def holes(v):
    """Free space in pieces of two clusters."""
    v.dir("a")
    n = 0
    try:
        while True:
            with open(v.at(f"a/{n}"), "wb", buffering=0) as f:
                assert f.write(b"%07d" % n * 100) == 700
            n += 1
    except (OSError, AssertionError):
        if os.path.exists(v.at(f"a/{n}")):
            os.unlink(v.at(f"a/{n}"))
    for i in range(n):
        if i % 2:
            os.unlink(v.at(f"a/{i}"))
        else:
            v.row(f"a/{i}", "f", 700)


def comb(v):
    """A file in as many pieces as there are."""
    holes(v)
    v.put("comb", b"comb" * 250000)


def mft(v):
    """An MFT that grew into the pieces, so that its own record has a list of attributes."""
    holes(v)
    v.dir("b")
    try:
        for i in range(9999):
            with open(v.at(f"b/{i}"), "wb"):
                pass
            v.row(f"b/{i}", "f", 0)
    except OSError:
        pass


def wsl(v):
    os.mkfifo(v.at("fifo"))
    v.row("fifo", "p")
    os.mknod(v.at("socket"), 0o140666)
    v.row("socket", "s")
    os.mknod(v.at("zero"), 0o20666, os.makedev(1, 5))
    v.row("zero", "c")
    # After it NTFS-3G mounts no more for writing.
    v.put("hiberfil.sys", b"wake up, session of the tests")


def sensitive(image):
    """Mark the directory "sensitive" as case-sensitive, which NTFS-3G cannot: version 1 in $STANDARD_INFORMATION."""
    name = "sensitive".encode("utf-16-le")
    for at in range(0, len(image), 1024):
        if image[at:at + 4] == b"FILE" and image[at + 0x16] & 2 and name in image[at:at + 1024]:
            attr = at + struct.unpack_from("<H", image, at + 0x14)[0]
            assert struct.unpack_from("<I", image, attr)[0] == 0x10
            value = attr + struct.unpack_from("<H", image, attr + 0x14)[0]
            struct.pack_into("<II", image, value + 0x24, 0, 1)


# Name, bytes, arguments of mkntfs.
GEOMETRIES = [("c512", 4 << 20, ["-c", "512"]), ("c64k", 24 << 20, ["-c", "65536"]), ("c2m", 96 << 20, ["-c", "2097152"]),
              ("s4096", 8 << 20, ["-s", "4096", "-c", "4096"]), ("s1024", 8 << 20, ["-s", "1024", "-c", "2048"])]


def main():
    only = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        for name, size, arguments in GEOMETRIES:
            if only and name not in only:
                continue
            v = Volume(name, size, arguments, work)
            v.fill(basic)
            v.save()
        for name, size, fill in (("comb", 12 << 20, comb), ("mft", 12 << 20, mft)):
            if not only or name in only:
                v = Volume(name, size, ["-c", "512"], work)
                v.fill(fill)
                v.save()
        if not only or "full" in only:
            v = Volume("full", 12 << 20, ["-c", "4096"], work)
            v.fill(full)
            v.fill(wsl, "wsl")
            v.save(sensitive)


if __name__ == "__main__":
    main()
