#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Write the seeds of fuzz_ntfs_record, as fuzz/fuzz_ntfs_record.c reads them. Needs libwim for the overlay filter's chunks."""
import ctypes
import os
import struct

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ntfs_record")
STANDARD, LIST, NAME, OBJECT, SD, DATA, ROOT, ALLOC, BITMAP, REPARSE, EA = 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 14
NONE, I30, SDS, SII, SDH, WOF, S, TWO = range(8)
LZNT1, SPARSE, EFS = 1, 2, 3
C512, C1K, C2K, C4K, R4K, I4K, NO_MIRROR, PASS, LETTER, LIMITS = 0, 1, 2, 3, 4, 8, 16, 32, 64, 128
MFT = 8192


def record(ino, directory=False, base=0, plain=False):
    return bytes([0, ino, 2 * directory | 4 * bool(base) | 8 * plain]) + (bytes([base]) if base else b"")


def resident(kind, value, name=NONE, flags=0):
    return bytes([1, kind, name, flags]) + struct.pack("<H", len(value)) + value


def mapped(kind, pairs, size, name=NONE, flags=0, unit=0, first=0, valid=None):
    return (bytes([2, kind, name, flags, unit, first]) + size.to_bytes(3, "little") +
            (size if valid is None else valid).to_bytes(3, "little") + bytes([len(pairs)]) + pairs)


def stored(kind, data, name=NONE, flags=0, unit=0, first=0, size=0):
    return (bytes([3, kind, name, flags, unit, first]) + size.to_bytes(3, "little") + struct.pack("<H", len(data)) + data)


def place(at, data):
    return b"\4" + at.to_bytes(3, "little") + struct.pack("<H", len(data)) + data


def patch(at, data):
    return b"\5" + struct.pack("<HB", at, len(data)) + data


def name(text, space=1):
    return bytes([6, space, len(text)]) + text


OWN = b"\7"


def standard(attributes=0x20, v3=True, versions=0, version=0, security=0):
    v = struct.pack("<QQQQIIII", 1 << 56, 2 << 56, 3 << 56, 4 << 56, attributes, versions, version, 0)
    return resident(STANDARD, v + (struct.pack("<IIQQ", 7, security, 0, 99) if v3 else b""))


def file_name(text, attributes=0x20, parent=5, space=1):
    return (struct.pack("<Q", parent | (parent + 1) << 48) + bytes(48) + struct.pack("<II", attributes, 0) +
            bytes([len(text), space]) + text.decode().encode("utf-16-le"))


def entry(head, key, below=None, last=False):
    body = key + bytes(-len(key) % 8)
    flags = (below is not None) | 2 * last
    n = 16 + len(body) + (8 if below is not None else 0)
    return head + struct.pack("<HHHH", n, len(key), flags, 0) + body + (struct.pack("<Q", below) if below is not None else b"")


def dirent(ino, text, below=None, **rest):
    return entry(struct.pack("<Q", ino | (ino + 1) << 48), file_name(text, **rest), below)


def end(below=None):
    return entry(bytes(8), b"", below, True)


def node(entries):
    body = b"".join(entries)
    return struct.pack("<IIII", 16, 16 + len(body), 16 + len(body), any(e[12] & 1 for e in entries)) + body


def index_root(entries, kind=0x30, block=1024, name=I30):
    return resident(ROOT, struct.pack("<III", kind, 1, block) + b"\2\0\0\0" + node(entries), name)


def index_block(vcn, entries, block=1024):
    fix = 8 + 2 * (block // 512)
    first = 0x18 + 16 + fix
    first += -first % 8
    body = b"".join(entries)
    head = struct.pack("<4sHHQQ", b"INDX", 0x28, block // 512 + 1, 0, vcn)
    head += struct.pack("<IIII", first - 0x18, first - 0x18 + len(body), block - 0x18, any(e[12] & 1 for e in entries))
    return (head + bytes(first - len(head)) + body).ljust(block, b"\0")


def listed(kind, ino, first=0, text=NONE):
    names = ["", "$I30", "$SDS", "$SII", "$SDH", "WofCompressedData", "s", "stream two"]
    n = names[text].encode("utf-16-le")
    size = 0x1a + len(n) + (-(0x1a + len(n)) % 8)
    return (struct.pack("<IHBBQQH", kind << 4, size, len(n) // 2, 0x1a, first, ino | (ino + 1) << 48, 0) + n).ljust(size, b"\0")


def lznt1(data):
    """Chunks with one phrase in each: enough to be unpacked."""
    out = b""
    for at in range(0, len(data), 4096):
        n = min(4096, len(data) - at)
        body = b"\2" + data[at:at + 1] + struct.pack("<H", n - 4) if n > 4 else b"\0" + data[at:at + n]
        out += struct.pack("<H", 0xb000 | len(body) - 1) + body
    return out + b"\0\0"


def wof(data, kind, chunk):
    wim = ctypes.CDLL("libwim.so.15")
    wim.wimlib_create_compressor.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_uint, ctypes.POINTER(ctypes.c_void_p)]
    wim.wimlib_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p]
    wim.wimlib_compress.restype = ctypes.c_size_t
    c = ctypes.c_void_p()
    assert wim.wimlib_create_compressor(kind, chunk, 50, ctypes.byref(c)) == 0
    chunks, offsets, total = [], [], 0
    for at in range(0, len(data), chunk):
        piece = data[at:at + chunk]
        buf = ctypes.create_string_buffer(len(piece))
        n = wim.wimlib_compress(piece, len(piece), buf, len(piece) - 1, c)
        chunks.append(buf.raw[:n] if n else piece)
        offsets.append(total)
        total += len(chunks[-1])
    return b"".join(struct.pack("<I", o) for o in offsets[1:]) + b"".join(chunks)


def reparse(tag, body):
    return resident(REPARSE, struct.pack("<IHH", tag, len(body), 0) + body)


def link(tag, target, flags=None):
    t = target.encode("utf-16-le")
    return reparse(tag, struct.pack("<HHHH", 0, len(t), len(t) + 2, len(t)) +
                   (b"" if flags is None else struct.pack("<I", flags)) + t + b"\0\0" + t + b"\0\0")


def overlay(algorithm, provider=2, version=1):
    return reparse(0x80000017, struct.pack("<IIII", version, provider, 1, algorithm))


def eas(*pairs):
    out = b""
    for i, (k, v) in enumerate(pairs):
        body = bytes([0, len(k)]) + struct.pack("<H", len(v)) + k + b"\0" + v
        body += bytes(-len(body) % 4)
        out += struct.pack("<I", len(body) + 4 if i + 1 < len(pairs) else 0) + body
    return out


def sid(*subs):
    return bytes([1, len(subs), 0, 0, 0, 0, 0, 5]) + struct.pack(f"<{len(subs)}I", *subs)


def descriptor():
    owner, group = sid(32, 544), sid(21, 1, 2, 3, 1001)
    ace = lambda kind, flags, mask, who: struct.pack("<BBHI", kind, flags, 8 + len(who), mask) + who
    thing = struct.pack("<BBHII", 5, 0, 12 + 16 + len(owner), 0x100, 1) + bytes(range(16)) + owner
    aces = [ace(0, 3, 0x1f01ff, owner), ace(1, 0x10, 0x120089, group), thing]
    acl = struct.pack("<BBHHH", 4, 0, 8 + sum(map(len, aces)), len(aces), 0) + b"".join(aces)
    at = 20
    return (struct.pack("<BBHIIII", 1, 0, 0x8404, at, at + len(owner), 0, at + len(owner) + len(group)) + owner + group + acl)


def hash_of(sd):
    h = 0
    for at in range(0, len(sd) & ~3, 4):
        h = (struct.unpack_from("<I", sd, at)[0] + (h << 3 | h >> 29)) & 0xffffffff
    return h


def secure(sd, ids, blocks=False):
    sds, rows, at = b"", [], 0
    for i in ids:
        row = struct.pack("<IIQI", hash_of(sd), i, at, 20 + len(sd))
        rows.append(entry(struct.pack("<HHI", 0x14, 20, 0), struct.pack("<I", i) + row))
        sds += (row + sd).ljust((20 + len(sd) + 15) & ~15, b"\0")
        at = len(sds)
    out = record(9) + stored(DATA, sds, SDS)
    if not blocks:
        return out + index_root(rows + [end()], 0, name=SII)
    return (out + index_root([entry(rows[0][:8], rows[0][16:40], 0), end(2)], 0, name=SII) +
            stored(ALLOC, index_block(0, rows[:1] + [end()]) + index_block(2, rows[1:] + [end()]), SII))


TEXT = b"The quick brown fox jumps over the lazy dog. " * 120


def seeds():
    yield "empty", C512, b""
    yield "file", C512, record(16) + standard() + name(b"a") + resident(DATA, b"resident")
    yield "plain", C1K, record(16, plain=True) + standard(0x1) + name(b"long name.text") + name(b"LONGNA~1.TEX", 2) + \
        name(b"other") + stored(DATA, TEXT[:1500]) + resident(OBJECT, bytes(range(64)))
    yield "posix", C2K, record(16) + standard(0xffffffff, v3=False) + name(b"a", 0) + stored(DATA, TEXT[:100])
    yield "valid", C512, record(16, plain=True) + mapped(DATA, bytes.fromhex("2104a00011040800"), 4096, valid=700)
    yield "sparse", C4K, record(16) + mapped(DATA, bytes.fromhex("210120000102110101010100"), 18000, flags=SPARSE)
    yield "nt4-hole", C512, record(16) + mapped(DATA, bytes.fromhex("1102ff110240110220"), 3000)
    yield "streams", C512, record(16) + standard() + resident(DATA, b"x") + resident(DATA, b"one", S) + \
        stored(DATA, TEXT[:800], TWO) + record(17, True) + standard(0x10) + index_root([end()]) + resident(DATA, b"of dir", S)
    yield "efs", C512, record(16) + standard(0x4020) + stored(DATA, TEXT[:600], flags=EFS) + stored(DATA, TEXT[:60], S, EFS)
    packed = lznt1(TEXT[:5000])
    yield "lznt1", C512, record(16) + standard(0x820) + stored(DATA, packed, flags=LZNT1, unit=4, size=5000) + \
        record(17) + stored(DATA, lznt1(bytes(8000)) + bytes(30), flags=LZNT1, unit=4, size=8000)
    yield "lznt1-plain", C512, record(16) + stored(DATA, TEXT[:2048], flags=LZNT1, unit=2, size=2000) + \
        mapped(DATA, bytes.fromhex("0110"), 4000, S, LZNT1, 4)
    yield "lznt1-hole", C1K, record(16) + mapped(DATA, bytes.fromhex("2101200001021102040001ff"), 6000, NONE, LZNT1, 2)
    yield "lznt1-4k", C4K, record(16, plain=True) + stored(DATA, lznt1(TEXT[:5000] * 3), flags=LZNT1, unit=4, size=15000)
    for text, kind, chunk, algorithm, n in (("xpress4k", 1, 4096, 0, 5200), ("lzx", 2, 32768, 1, 5200),
                                            ("xpress8k", 1, 8192, 2, 9000), ("xpress16k", 1, 16384, 3, 5000)):
        data = (TEXT * 4)[:n]
        yield "wof-" + text, C512, record(16) + standard(0x420) + mapped(DATA, b"\2" + struct.pack("<H", -(-n // 512)), n) + \
            stored(DATA, wof(data, kind, chunk), WOF) + overlay(algorithm)
    yield "wof-tiny", C512, record(16) + standard(0x420) + mapped(DATA, b"\1\1", 7) + resident(DATA, b"7 bytes", WOF) + overlay(0)
    yield "wof-wim", C512, record(16) + standard(0x420) + resident(DATA, b"") + overlay(0, provider=1) + \
        record(17) + overlay(9) + record(18) + overlay(0, version=2) + record(19) + overlay(1) + record(20) + \
        resident(DATA, b"12345") + stored(DATA, b"1", WOF, LZNT1) + overlay(0)
    yield "symlink", C512, record(16) + standard(0x420) + link(0xa000000c, "b\\..\\c", 1) + \
        record(17) + link(0xa000000c, "\\??\\C:\\a", 0) + record(18, True) + link(0xa0000003, "\\??\\D:\\a\\b") + index_root([end()])
    yield "junction", C512, record(16, True) + link(0xa0000003, "\\??\\Volume{656b1715-ecf6-11df-92e6-806e6f6e6963}\\") + \
        index_root([end()]) + record(17, True) + link(0xa0000003, "\\\\?\\UNC\\server\\share") + record(18) + link(0xa000000c, "\\b", 0)
    yield "lx", C512, record(16) + reparse(0xa000001d, b"\2\0\0\0b/c") + \
        resident(EA, eas((b"$LXUID", b"\1\2\3\4"), (b"$LXGID", b"\5\6\7\0"), (b"$LXMOD", struct.pack("<I", 0o120777)))) + \
        record(17) + reparse(0x80000023, b"") + record(18) + reparse(0x80000024, b"") + record(19) + reparse(0x80000025, b"") + \
        resident(EA, eas((b"$LXDEV", struct.pack("<II", 8, 1)), (b"user.x", b"y" * 40))) + record(20) + reparse(0x80000026, b"")
    yield "alias", C512, record(16) + reparse(0x8000001b, b"\3\0\0\0" + "P\0I\0C:\\a\0000\0".encode("utf-16-le"))
    yield "elsewhere", C512, record(16) + resident(DATA, b"x") + reparse(0x80000013, bytes(16)) + record(17) + standard(0x401420) + \
        resident(DATA, b"x") + reparse(0x9000301a, b"cloud") + record(18) + reparse(0x12345678, bytes(24)) + record(19) + \
        stored(REPARSE, struct.pack("<IHH", 0xa000001d, 5, 0) + b"\2\0\0\0x")
    yield "interix", C512, record(16) + standard(4) + resident(DATA, b"IntxLNK\1" + "b/c".encode("utf-16-le")) + \
        record(17) + standard(4) + resident(DATA, b"IntxCHR\0" + struct.pack("<QQ", 5, 1)) + \
        record(18) + standard(4) + resident(DATA, b"IntxBLK\0" + struct.pack("<QQ", 8, 0))
    yield "eas-stored", C512, record(16) + stored(EA, eas((b"A", b"1"), (b"LONG.NAME", b"v" * 300))) + resident(DATA, b"")
    ext = resident(LIST, listed(STANDARD, 16) + listed(NAME, 12) + listed(DATA, 13) + listed(DATA, 14, 2) + listed(DATA, 15, 0, S))
    parts = record(12, base=16) + name(b"far") + record(13, base=16) + stored(DATA, TEXT[:1024], size=2500) + \
        record(14, base=16) + stored(DATA, TEXT[:1500], first=2) + record(15, base=16) + stored(DATA, TEXT[:300], S)
    yield "list", C512, record(16) + standard() + ext + parts
    whole = listed(STANDARD, 16) + listed(DATA, 13) + listed(DATA, 14, 2) + listed(NAME, 99) + listed(NAME, 17)
    yield "list-stored", C512, record(16) + standard() + stored(LIST, whole) + parts
    clusters = 24 * 1024 // 512
    yield "mft-list", C512, record(0) + mapped(DATA, bytes.fromhex("211c1000"), 24 * 1024) + resident(BITMAP, b"\xff\xff\xff") + \
        resident(LIST, listed(DATA, 0) + listed(DATA, 13, 0x1c)) + \
        record(13, base=0) + patch(0x20, b"\0\0\0\0\0\0\1\0") + mapped(DATA, bytes.fromhex("21142c00"), 0, first=0x1c) + \
        record(16) + resident(DATA, b"x") + record(17) + resident(DATA, b"y")
    yield "mft-mirror", C512, place(4096, b"") + record(0) + OWN + patch(0, b"BAAD") + record(16) + resident(DATA, b"x")
    small = [dirent(17, b"alpha"), dirent(18, b"B"), dirent(17, b"Zeta", parent=16)]
    files = record(17) + resident(DATA, b"x") + record(18) + resident(DATA, b"y")
    yield "dir", C512, record(16, True) + standard(0x10) + index_root(small + [end()]) + files
    yield "dir-case", C512, record(16, True) + standard(0x10, version=1) + \
        index_root([dirent(17, b"B"), dirent(18, b"b"), end()]) + files
    blocks = index_block(0, small[:1] + [end()]) + index_block(2, [dirent(17, b"C"), end()])
    yield "dir-blocks", C512, record(16, True) + standard(0x10) + index_root([dirent(18, b"B", 0), end(2)]) + \
        stored(ALLOC, blocks, I30) + resident(BITMAP, b"\3", I30) + files
    deep = index_block(0, [dirent(17, b"Alpha", 2), end(4)]) + index_block(2, [dirent(18, b"AAA"), end()]) + \
        index_block(4, [dirent(18, b"Az", 6), end(6)]) + index_block(6, [dirent(17, b"An"), dirent(18, b"B", space=2), end()])
    yield "dir-deep", C512, record(16, True) + standard(0x10) + index_root([dirent(18, b"B", 0), end(0)]) + \
        stored(ALLOC, deep, I30) + stored(BITMAP, b"\x0f", I30) + files
    yield "dir-circle", C512, record(16, True) + index_root([end(0)]) + \
        stored(ALLOC, index_block(0, [dirent(17, b"Q", 0), end(0)]), I30) + resident(BITMAP, b"\1", I30) + files
    yield "dir-4k", C4K | R4K | I4K, record(16, True) + index_root([end(0)], block=4096) + \
        stored(ALLOC, index_block(0, small + [end()], 4096)[:1000], I30) + resident(BITMAP, b"\1", I30) + files
    yield "dir-no-bitmap", C1K, record(16, True) + index_root([end(0)]) + \
        stored(ALLOC, index_block(0, [dirent(17, b"Q"), end()]), I30) + files
    yield "dir-c4k-i1k", C4K, record(16, True) + index_root([end(2)]) + \
        stored(ALLOC, index_block(0, [end()]) + index_block(2, [dirent(17, b"Q"), end()]), I30) + resident(BITMAP, b"\3", I30) + files
    sd = descriptor()
    yield "sd", C512, record(16) + resident(SD, sd) + resident(DATA, b"x") + record(17) + stored(SD, sd)
    yield "secure", C512, secure(sd, [0x100, 0x101]) + record(16) + standard(security=0x101) + record(17) + standard(security=0x102)
    yield "secure-blocks", C512, secure(sd, [0x100, 0x101, 0x105], True) + record(16) + standard(security=0x105) + \
        record(17) + standard(security=0x100)
    yield "dirty", C512, record(2) + pages(log(0, 2), log(1, 0)) + \
        record(3) + resident(6, "label".encode("utf-16-le")) + resident(7, bytes(8) + b"\3\1\1\0") + \
        record(5, True) + standard(6) + index_root([dirent(16, b"hiberfil.sys"), dirent(17, b"x"), end()]) + \
        record(16) + resident(DATA, b"hibr") + record(17) + resident(DATA, b"y")
    yield "log-chkd", C512, record(2) + pages(b"CHKD" + log(5, 2)[4:]) + record(16) + resident(DATA, b"")
    yield "log-old", C512, record(2) + pages(log(9, 0), log(3, 2)) + record(3) + resident(7, bytes(8) + b"\1\2\0\0")
    capitals = b"".join(struct.pack("<H", c - 32 if 97 <= c < 123 else c) for c in range(256))
    yield "upcase", C4K, record(10) + mapped(DATA, bytes.fromhex("2101220001" + "1f"), 131072) + place(0x22 * 4096, capitals) + \
        record(16, True) + index_root(small + [end()]) + files
    yield "bitmap-runs", C512, record(6) + stored(DATA, b"\xff" * 40) + record(0) + \
        mapped(DATA, bytes.fromhex("21301000"), 24 * 1024) + stored(BITMAP, b"\xff\xff\xff")
    yield "boot-copy", C512, place(3, b"XXXX") + record(16) + resident(DATA, b"x")
    yield "letter", C512 | LETTER, record(16) + link(0xa000000c, "\\??\\C:\\c", 0) + record(17) + \
        link(0xa000000c, "\\??\\D:\\c", 0) + record(18) + resident(DATA, b"x")
    yield "limits", C512 | LIMITS, record(16) + standard() + ext + parts + record(17, True) + standard(0x10) + \
        index_root([dirent(18, b"B", 0), end(0)]) + stored(ALLOC, deep, I30) + stored(BITMAP, b"\x0f" * 200, I30) + \
        record(18) + mapped(DATA, b"".join(bytes([0x11, 1, 2]) for i in range(80)), 40000)
    yield "pass", C512 | PASS, record(16, True) + standard(0x10) + index_root(small + [end()]) + files + record(12, base=17) + \
        name(b"far") + record(19) + resident(LIST, listed(DATA, 12)) + record(20) + standard(4) + resident(DATA, b"IntxLNK\1b\0") + \
        record(21) + overlay(0) + record(22) + patch(0, b"BAAD") + record(23) + standard(0x20) + name(b"n") + stored(DATA, b"xyz")
    yield "pass-4k", C4K | R4K | PASS, record(16) + standard() + name(b"A~1", 2) + name(b"a long", 1) + resident(DATA, b"x" * 2000)
    yield "cut", C512, record(16) + standard() + resident(DATA, b"x" * 40) + patch(0x18, struct.pack("<I", 0xa0)) + \
        record(17) + resident(DATA, b"x") + patch(0x4c, struct.pack("<I", 4)) + record(18) + patch(0x14, b"\3")


def log(lsn, flags):
    page = struct.pack("<4sHHQIIHHH", b"RSTR", 0x1e, 9, 0, 4096, 4096, 0x30, 1, 1)
    return page.ljust(0x30, b"\0") + struct.pack("<QHHHH", lsn, 1, 0xffff, 0, flags)


def pages(*all):
    """Restart pages, in clusters far behind the others."""
    return mapped(DATA, bytes.fromhex("2110000100"), 8192) + \
        b"".join(place(0x20000 + 4096 * i, p) for i, p in enumerate(all))


def main():
    os.makedirs(OUT, exist_ok=True)
    for text, shape, body in seeds():
        with open(os.path.join(OUT, text), "wb") as f:
            f.write(bytes([shape]) + body)


if __name__ == "__main__":
    main()
