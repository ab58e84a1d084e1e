#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""
Registry hives and their logs, written from "Windows registry file format specification" (M. Suhanov).

	mk-hive.py hives DIR	what tests/test_hive.c reads
	mk-hive.py guest DIR	the files of a Windows system that holds nothing but its registry
	mk-hive.py lost FILE	a hive of one value whose data are cut, and one that is a tombstone
	mk-hive.py seeds DIR	seeds of the fuzz targets: hive/ and hivelog/, and their words, hive.dict
	mk-hive.py big FILE MB	a hive of about so many megabytes, alike to SOFTWARE
"""
import os
import struct
import sys

SZ, EXPAND, BINARY, DWORD, DWORD_BE, LINK, MULTI, QWORD = 1, 2, 3, 4, 5, 6, 7, 11
NONE = 0xFFFFFFFF
TIME = 133596688890123456  # 2024-05-08T19:08:09.0123456Z


def sz(text):
    return (text + "\0").encode("utf-16-le")


def multi(*texts):
    return "".join(t + "\0" for t in texts + ("",)).encode("utf-16-le")


def dword(n):
    return struct.pack("<I", n)


class Key:
    def __init__(self, name, *children, values=(), kind=None, class_name=None, flags=0, time=TIME, utf16=None):
        self.name, self.children, self.values, self.kind = name, list(children), list(values), kind
        self.class_name, self.flags, self.time, self.utf16 = class_name, flags, time, utf16


def latin(name):
    return all(ord(c) < 256 for c in name)


class Hive:
    """Cells in bins. Offsets are from the first bin."""

    def __init__(self, root, minor=5, seq=(1, 1), name="\\SystemRoot\\test", segment=16344):
        self.minor, self.seq, self.name, self.segment = minor, seq, name, segment
        self.head, self.align = (8, 16) if minor == 1 else (4, 8)
        self.bins = bytearray()
        self.bin_start = self.at = 0
        self.where = {}
        self.root = NONE
        sd = bytes.fromhex("010004801400000020000000000000002c000000"  # owner, group, DACL
                           "010100000000000512000000" "010100000000000512000000"
                           "02001c000100000000031400" "3f000f00" "010100000000000512000000")
        self.sk = self.alloc(b"sk\0\0" + struct.pack("<IIII", 0, 0, 1, len(sd)) + sd)
        self.patch(self.sk + self.head + 4, struct.pack("<II", self.sk, self.sk))
        self.root = self.key(root, NONE, "", True)
        self.close()

    def alloc(self, data, free=False):
        size = -(-(len(data) + self.head) // self.align) * self.align
        if self.at + size > len(self.bins):
            self.close()
            self.bin_start = len(self.bins)
            bin_size = -(-(size + 32) // 4096) * 4096
            self.bins += struct.pack("<4sIIQQI", b"hbin", self.bin_start, bin_size, 0, TIME, 0) + bytes(bin_size - 32)
            self.at, self.last = self.bin_start + 32, NONE
        off, self.at = self.at, self.at + size
        cell = struct.pack("<i", size if free else -size)
        if self.head == 8:
            cell += struct.pack("<I", self.last)
            self.last = off - self.bin_start
        self.bins[off:off + size] = (cell + data).ljust(size, b"\0")
        return off

    def close(self):
        """What is left of a bin is a free cell."""
        left = len(self.bins) - self.at
        if left:
            self.patch(self.at, struct.pack("<i", left))
            self.at = len(self.bins)

    def patch(self, at, data):
        self.bins[at:at + len(data)] = data

    def put_name(self, name, utf16):
        if utf16 is None:
            utf16 = self.minor == 1 or not latin(name)
        return name.encode("utf-16-le", "surrogatepass") if utf16 else name.encode("latin-1"), utf16

    def key(self, k, parent, path, is_root=False):
        name, utf16 = self.put_name(k.name, k.utf16)
        flags = k.flags | (0 if utf16 else 0x20) | (0xC if is_root else 0)
        off = self.alloc(b"nk" + bytes(74) + name)
        path = "" if is_root else path + "\\" + k.name
        self.where[path] = off
        class_off, class_len = NONE, 0
        if k.class_name is not None:
            data = k.class_name.encode("utf-16-le")
            class_off, class_len = self.alloc(data), len(data)
        subs = sorted(k.children, key=lambda c: c.name.upper())
        offs = [(self.key(c, off, path), c.name) for c in subs]
        values = [self.value(v, path) for v in k.values]
        value_list = self.alloc(struct.pack("<%dI" % len(values), *values)) if values else NONE
        sub_list = self.subkeys(offs, k.kind) if offs else NONE
        self.patch(off + self.head, struct.pack(
            "<2sHQIIIIIIIIIIIIIIIHH", b"nk", flags, k.time, 0, parent if parent != NONE else 0, len(offs), 0, sub_list,
            NONE, len(values), value_list, self.sk, class_off, 0, 0, 0, 0, 0, len(name), class_len))
        return off

    def leaf(self, offs, kind):
        data = kind.encode() + struct.pack("<H", len(offs))
        for off, name in offs:
            data += struct.pack("<I", off)
            if kind == "lf":
                data += name.encode("latin-1", "replace")[:4].ljust(4, b"\0")
            elif kind == "lh":
                h = 0
                for c in name.upper():
                    h = (h * 37 + ord(c)) & 0xFFFFFFFF
                data += struct.pack("<I", h)
        return self.alloc(data)

    def subkeys(self, offs, kind):
        kind = kind or ("li" if self.minor < 3 else "lf" if self.minor < 5 else "lh")
        if not kind.startswith("ri"):
            return self.leaf(offs, kind)
        sub = kind[2:] or "lh"
        leaves = [self.leaf(offs[i:i + 3], sub) for i in range(0, len(offs), 3)]
        return self.alloc(b"ri" + struct.pack("<H", len(leaves)) + struct.pack("<%dI" % len(leaves), *leaves))

    def value(self, v, path):
        name, kind, data = v[:3]
        raw, utf16 = self.put_name(name, v[3] if len(v) > 3 else None)
        off = self.alloc(bytes(20) + raw)
        size, at = len(data), NONE
        if len(data) <= 4:
            size |= 0x80000000
            at = struct.unpack("<I", data.ljust(4, b"\0"))[0]
        elif len(data) > self.segment and self.minor >= 4:
            parts = [self.alloc(data[i:i + self.segment] + bytes(4)) for i in range(0, len(data), self.segment)]
            listed = self.alloc(struct.pack("<%dI" % len(parts), *parts))
            at = self.alloc(b"db" + struct.pack("<HI", len(parts), listed))
        else:
            at = self.alloc(data)
        self.patch(off + self.head, struct.pack("<2sHIIIHH", b"vk", len(raw), size, at, kind,
                                                0 if utf16 or self.minor == 1 else 1, 0) + raw)
        self.where[path + "\\\\" + name] = off
        return off

    def free(self, what):
        """Mark a cell as free, without joining it to its neighbours."""
        off = what if isinstance(what, int) else self.where[what]
        size = struct.unpack_from("<i", self.bins, off)[0]
        self.patch(off, struct.pack("<i", abs(size)))

    def base(self, kind=0, seq=None, size=None):
        b = struct.pack("<4sIIQIIIIIII", b"regf", *(seq or self.seq), TIME, 1, self.minor, kind, 1, self.root,
                        size or len(self.bins), 1)
        b += self.name[-31:].encode("utf-16-le").ljust(64, b"\0")
        b = b.ljust(508, b"\0")
        x = 0
        for (w,) in struct.iter_unpack("<I", b):
            x ^= w
        return b + struct.pack("<I", {0: 1, NONE: NONE - 1}.get(x, x))

    def bytes(self):
        return self.base().ljust(4096, b"\0") + bytes(self.bins)


# ---------------------------------------------------------------------------------------------------------------- logs

def marvin(data):
    def mix(lo, hi):
        hi ^= lo
        lo = (((lo << 20 | lo >> 12) & NONE) + hi) & NONE
        hi = ((hi << 9 | hi >> 23) & NONE) ^ lo
        lo = (((lo << 27 | lo >> 5) & NONE) + hi) & NONE
        return lo, (hi << 19 | hi >> 13) & NONE

    lo, hi = 0x7A4E55C5, 0x82EF4D88
    whole = len(data) & ~3
    for (w,) in struct.iter_unpack("<I", data[:whole]):
        lo, hi = mix((lo + w) & NONE, hi)
    last = 0x80
    for b in reversed(data[whole:]):
        last = last << 8 | b
    lo, hi = mix(*mix((lo + last) & NONE, hi))
    return struct.pack("<II", lo, hi)


def changed(before, after):
    """Pages that differ."""
    return [p for p in range(0, len(after), 4096) if before[p:p + 4096] != after[p:p + 4096]]


def entry(seq, before, after):
    pages = changed(before, after)
    body = b"".join(struct.pack("<II", p, 4096) for p in pages) + b"".join(bytes(after[p:p + 4096]) for p in pages)
    size = -(-(40 + len(body)) // 512) * 512
    body = body.ljust(size - 40, b"\0")
    head = struct.pack("<4sIIIII", b"HvLE", size, 0, seq, len(after), len(pages)) + marvin(body)
    return head + marvin(head) + body


def new_log(hive, seq, entries):
    return hive.base(6, (seq, seq)) + b"".join(entries)


def old_log(hive, before, after, seq):
    bits = bytearray(len(after) // 4096)
    for p in changed(before, after):
        bits[p // 4096] = 0xFF
    vector = b"DIRT" + bits
    return hive.base(1, (seq, seq), len(after)) + vector.ljust(-(-len(vector) // 512) * 512, b"\0") + \
        b"".join(bytes(after[p:p + 4096]) for p in changed(before, after))


# --------------------------------------------------------------------------------------------------------------- hives

def all_types():
    return [
        ("", SZ, sz("the default")), ("none", 0, b""), ("sz", SZ, sz("text")), ("sz no nul", SZ, sz("text")[:-2]),
        ("sz odd", SZ, sz("text")[:-1]), ("sz nul", SZ, sz("one\0two")), ("sz empty", SZ, b""),
        ("expand", EXPAND, sz("%SystemRoot%\\x")), ("binary", BINARY, bytes(range(20))),
        ("dword", DWORD, dword(0x12345678)), ("dword short", DWORD, b"\1\2"), ("dword long", DWORD, bytes(8)),
        ("dword be", DWORD_BE, b"\x12\x34\x56\x78"), ("link", LINK, "\\Registry\\Machine\\X".encode("utf-16-le")),
        ("multi", MULTI, multi("a", "bc")), ("multi gaps", MULTI, multi("a", "", "b", "")), ("multi none", MULTI, b"\0\0"),
        ("multi open", MULTI, "a\0b".encode("utf-16-le")), ("resources", 8, bytes(16)), ("full", 9, b"\1"),
        ("required", 10, b"\1\2\3\4\5"), ("qword", QWORD, struct.pack("<Q", 2**63 + 5)),
        ("type", 0xFFFF0012, b"\1\2\3\4\5\6"), ("quote\"\\", SZ, sz("\"\\\n\x1b\u202e")),
        ("na\u00efve", SZ, sz("\u00e9")), ("\u65e5\u672c", SZ, sz("\u8a9e \U0001f600")), ("nul\0in", DWORD, dword(1)), ("utf16", DWORD, dword(2), True),
    ]


def first():
    return Key("ROOT", Key("types", values=all_types(), class_name="Klasse"),
               Key("lists", *[Key(kind, *[Key("%s%02d" % (kind, i), values=[("n", DWORD, dword(i))]) for i in range(10)],
                                  kind=kind) for kind in ("li", "lf", "lh", "ri", "rili", "rilf")]),
               Key("text/html"), Key("\u00c4rger"), Key("\u65e5\u672c\u8a9e"), Key("Link", values=[
                   ("SymbolicLinkValue", LINK, "\\Registry\\Machine\\Software".encode("utf-16-le"))], flags=0x10))


def odd():
    """What libhivex refuses."""
    return Key("ROOT", Key("\udc00y", values=[("\ud800x", SZ, b"\0\xd8x\0\0\0")]), Key("esc\x1b[0m\u009b"))


def big_data():
    data = bytes(i * 7 & 255 for i in range(40000))
    return Key("ROOT", Key("big", values=[("16344", BINARY, data[:16344]), ("16345", BINARY, data[:16345]),
                                          ("32688", BINARY, data[:32688]), ("40000", BINARY, data)]))


def deep(n):
    k = Key("k%d" % n)
    for i in range(n - 1, 0, -1):
        k = Key("k%d" % i, k)
    return Key("ROOT", k)


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def dirty(folder):
    """A hive between two states of it; the pages of the second are in its logs."""
    def state(n):
        return Hive(Key("ROOT", Key("a", values=[("v", SZ, sz("state %d" % n))]),
                        *[Key("k%d" % i, values=[("b", BINARY, bytes([n]) * 3000)]) for i in range(4)]), seq=(4, 3))

    one, two, three, four = (state(n) for n in range(1, 5))
    write(folder + "/dirty", one.bytes())
    write(folder + "/dirty.LOG1", new_log(one, 3, [entry(3, one.bins, two.bins), entry(4, two.bins, three.bins)]))
    write(folder + "/dirty.LOG2", new_log(one, 5, [entry(5, three.bins, four.bins)]))
    write(folder + "/dirty.whole", four.bytes())
    write(folder + "/old", one.bytes())
    write(folder + "/old.LOG1", old_log(one, one.bins, two.bins, 4))
    bad = bytearray(one.bytes())
    bad[508:512] = b"INVL"
    write(folder + "/badbase", bad)
    write(folder + "/badbase.LOG1", old_log(one, one.bins, two.bins, 4))
    grown = Hive(Key("ROOT", Key("a", values=[("v", SZ, sz("state 9"))]),
                     *[Key("k%d" % i, values=[("b", BINARY, b"\t" * 3000)]) for i in range(9)]), seq=(4, 3))
    write(folder + "/grown", one.bytes())
    write(folder + "/grown.LOG1", new_log(one, 4, [entry(4, one.bins, grown.bins)]))


def deleted(folder):
    h = Hive(Key("ROOT", Key("kept", values=[("v1", SZ, sz("123")), ("v2", SZ, sz("456"))]),
                 Key("gone", Key("below", values=[("x", DWORD, dword(7))]), values=[("long", SZ, sz("long text"))])))
    # The key and all below it: its records stay, nothing leads to them.
    for what in ("\\gone", "\\gone\\below", "\\gone\\\\long", "\\gone\\below\\\\x", "\\kept\\\\v2"):
        h.free(what)
    root, kept = h.root + 4, h.where["\\kept"] + 4
    listed = struct.unpack_from("<I", h.bins, root + 28)[0] + 4
    # "gone" sorts before "kept".
    h.bins[listed + 4:listed + 12] = h.bins[listed + 12:listed + 20]
    h.patch(listed + 2, struct.pack("<H", 1))
    h.patch(root + 20, struct.pack("<I", 1))
    h.patch(kept + 36, struct.pack("<I", 1))
    write(folder + "/deleted", h.bytes())


def hives(folder):
    for name, root, minor in (("first", first(), 5), ("first3", first(), 3), ("odd", odd(), 5), ("nt31", Key(
            "ROOT", Key("Alpha", Key("Beta"), values=[("v", SZ, sz("NT 3.1")), ("n", DWORD, dword(31))])), 1),
                              ("big", big_data(), 5), ("big3", big_data(), 3), ("deep", deep(600), 5)):
        write("%s/%s" % (folder, name), Hive(root, minor).bytes())
    dirty(folder)
    deleted(folder)


# --------------------------------------------------------------------------------------------------------------- guest

SID = "S-1-5-21-1004336348-1177238915-682003330-1001"


def guest(folder):
    def hive(path, root, **more):
        path = os.path.join(folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write(path, Hive(root, name=path, **more).bytes())

    config = "Windows/System32/config/"
    hive(config + "SYSTEM", Key(
        "ROOT", Key("Select", values=[("Current", DWORD, dword(2)), ("Default", DWORD, dword(1))]),
        Key("ControlSet001", Key("Control", Key("ComputerName", Key("ComputerName", values=[
            ("ComputerName", SZ, sz("OLD-NAME"))])))),
        Key("ControlSet002", Key("Control", Key("ComputerName", Key("ComputerName", values=[
            ("ComputerName", SZ, sz("DESKTOP-7"))])), Key("Session Manager", values=[
                ("PendingFileRenameOperations", MULTI, multi("\\??\\C:\\old", "", "\\??\\C:\\new", "!\\??\\C:\\to"))])),
            Key("Hardware Profiles", Key("0001", values=[("Pref", DWORD, dword(1))]), Key("Current", values=[
                ("SymbolicLinkValue", LINK, "\\Registry\\Machine\\System\\CurrentControlSet\\Hardware Profiles\\0001"
                 .encode("utf-16-le"))], flags=0x10)))))
    hive(config + "SOFTWARE", Key(
        "ROOT", Key("Classes", Key(".txt", values=[("", SZ, sz("txtfile"))]), Key("Wow6432Node", values=[
            ("SymbolicLinkValue", LINK, "\\REGISTRY\\MACHINE\\SOFTWARE\\Loop".encode("utf-16-le"))], flags=0x10)),
        Key("Loop", values=[("SymbolicLinkValue", LINK, "\\Registry\\Machine\\Software\\Loop".encode("utf-16-le"))],
            flags=0x10),
        Key("Microsoft", Key("Windows NT", Key("CurrentVersion", Key("ProfileList", Key(SID, values=[
            ("ProfileImagePath", EXPAND, sz("C:\\Users\\eva"))]), Key("S-1-5-18", values=[
                ("ProfileImagePath", EXPAND, sz("%systemroot%\\system32\\config\\systemprofile"))])), values=[
                    ("ProductName", SZ, sz("Windows 10 Pro")), ("CurrentBuild", SZ, sz("19045")),
                    ("InstallDate", DWORD, dword(1714977689)), ("UBR", DWORD, dword(4291)),
                    ("DigitalProductId", BINARY, bytes(range(8)))], class_name="GenericClass")))))
    hive(config + "SAM", Key("ROOT", Key("SAM")))
    hive(config + "DEFAULT", Key("ROOT", Key("Environment", values=[("TEMP", EXPAND, sz("%USERPROFILE%\\T"))])))
    hive("Users/eva/NTUSER.DAT", Key("ROOT", Key("Software", Key("Editor", values=[("Font", SZ, sz("Consolas"))]))))
    hive("Users/eva/AppData/Local/Microsoft/Windows/UsrClass.dat", Key("ROOT", Key(".md", values=[
        ("", SZ, sz("Editor.md"))])))


def lost(path):
    h = Hive(Key("ROOT", values=[("cut", BINARY, b"12345678"), ("layer", 0, b"")]))
    h.patch(h.where["\\\\cut"] + 8, struct.pack("<I", 100))
    h.patch(h.where["\\\\layer"] + 20, struct.pack("<H", 3))
    write(path, h.bytes())


def seeds(folder):
    def few(kind=None, minor=5, values=None):
        return Hive(Key("R", Key("a", Key("b"), Key("\u65e5"), kind=kind, values=values or [
            ("", SZ, sz("x")), ("m", MULTI, multi("a", "b"))], class_name="C")), minor)

    def put(name, data):
        os.makedirs(os.path.dirname(folder + "/" + name), exist_ok=True)
        write(folder + "/" + name, data)

    def logs(hive, *rest):
        parts = [hive.bytes()] + list(rest) + [b""] * (2 - len(rest))
        return struct.pack("<HHH", len(parts[0]) // 512, len(parts[1]) // 512, 0) + b"".join(parts)

    for kind in ("li", "lf", "lh", "ri"):
        put("hive/" + kind, few(kind).bytes())
    put("hive/nt31", few(minor=1).bytes())
    put("hive/types", Hive(Key("R", values=all_types())).bytes())
    put("hive/big", Hive(Key("R", values=[("big", BINARY, b"data" * 4090)]), segment=16344).bytes())
    put("hive/odd", Hive(odd()).bytes())
    put("hive/loop", bytes(loop(few())))
    put("hive/many", Hive(Key("R", values=[("%02d" % (97 * i % 70), DWORD, dword(i)) for i in range(70)])).bytes())
    put("hive/astral", Hive(Key("R", Key("\U0001f600k", Key("\U0001f601"), class_name="\U0001f602"), values=[
        ("\U0001f603", SZ, sz("\U0001f604\u20ac")), ("e", MULTI, multi("\U0001f605", "", "e"))])).bytes())
    put("hive/link", Hive(Key("R", Key("l", flags=0x10, values=[
        ("SymbolicLinkValue", 6, "\\Registry\\Machine".encode("utf-16-le"))]), Key("a" * 255, Key("\\b")))).bytes())
    write(folder + "/hive/dirty", Hive(Key("R"), seq=(2, 1)).bytes())
    deleted(folder + "/hive")
    one, two = (Hive(Key("R", Key("k", values=[("v", SZ, sz(t))])), seq=(4, 3)) for t in ("one", "two"))
    three = Hive(Key("R", Key("k", values=[("v", BINARY, b"three" * 900)])), seq=(4, 3))
    put("hivelog/new", logs(one, new_log(one, 3, [entry(3, one.bins, two.bins)]),
                            new_log(one, 4, [entry(4, two.bins, three.bins)])))
    put("hivelog/old", logs(one, old_log(one, one.bins, three.bins, 4)))
    bad = logs(one, old_log(one, one.bins, two.bins, 4))
    put("hivelog/badbase", bad[:6 + 508] + b"INVL" + bad[6 + 512:])
    words = ["regf", "hbin", "nk", "vk", "sk", "lf", "lh", "li", "ri", "db", "DIRT", "HvLE"]
    words += ["\\x00\\x00\\x00\\x80", "\\xff\\xff\\xff\\xff", "\\x20\\x00\\x00\\x00", "\\xf8\\xff\\xff\\xff",
              "\\xd8\\x3f\\x00\\x00", "\\xd9\\x3f\\x00\\x00"]
    with open(folder + "/hive.dict", "w") as f:
        f.write("# SPDX-License-Identifier: LGPL-2.1-or-later\n" + "".join('"%s"\n' % w for w in words))


def loop(h):
    """A key that has itself as a subkey."""
    key = h.where["\\a"]
    listed = struct.unpack_from("<I", h.bins, key + 4 + 28)[0]
    h.patch(listed + 8, struct.pack("<I", key))
    return h.bytes()


def big(path, megabytes):
    keys, i = [], 0
    while i < megabytes * 1290:
        keys.append(Key("{%08X-0000-4000-8000-00AA00%06X}" % (i * 2654435761 & NONE, i), Key("InprocServer32", values=[
            ("", EXPAND, sz("%%SystemRoot%%\\System32\\library%d.dll" % i)), ("ThreadingModel", SZ, sz("Both"))]),
            Key("Version", values=[("", SZ, sz("1.%d" % i))]), values=[
                ("", SZ, sz("Object number %d" % i)), ("AppID", BINARY, bytes(i * k & 255 for k in range(40))),
                ("Flags", DWORD, dword(i))]))
        i += 1
    folders = [Key("Group%03d" % n, *keys[n * 500:n * 500 + 500]) for n in range(-(-len(keys) // 500))]
    write(path, Hive(Key("ROOT", Key("Classes", *folders))).bytes())


if __name__ == "__main__":
    sys.setrecursionlimit(20000)
    if len(sys.argv) == 3 and sys.argv[1] == "hives":
        hives(sys.argv[2])
    elif len(sys.argv) == 3 and sys.argv[1] == "guest":
        guest(sys.argv[2])
    elif len(sys.argv) == 3 and sys.argv[1] == "lost":
        lost(sys.argv[2])
    elif len(sys.argv) == 3 and sys.argv[1] == "seeds":
        seeds(sys.argv[2])
    elif len(sys.argv) == 4 and sys.argv[1] == "big":
        big(sys.argv[2], int(sys.argv[3]))
    else:
        sys.exit(__doc__)
