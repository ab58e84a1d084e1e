#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Make a registry hive (regf 1.5) out of text: mk-hive.py OUT <TEXT

    [Key\\Below]                a key, and those above it
    name="text"                REG_SZ; "" around name may be left out, @ is the default value
    name=expand:"%x%"          REG_EXPAND_SZ
    name=multi:"a","b"         REG_MULTI_SZ
    name=1f  name=dword:1f     REG_DWORD, hexadecimal
    name=qword:1f              REG_QWORD
    name=hex:01,02             REG_BINARY; hex(7):… any type
Lines that start with ; are comments. A backslash in texts is a backslash.
"""
import re
import struct
import sys

TIME = 133594744890000000  # 2024-05-06 07:08:09 UTC


class Key:
    def __init__(self, name):
        self.name, self.keys, self.values = name, {}, []

    def below(self, path):
        key = self
        for part in path.split("\\"):
            if part:
                key = key.keys.setdefault(part.upper(), Key(part))
        return key


def utf16(text):
    return text.encode("utf-16-le")


def strings(text):
    return re.findall(r'"([^"]*)"', text)


def value(text):
    m = re.match(r"(?:(dword|qword|expand|multi|hex(?:\([0-9a-f]+\))?):)?(.*)$", text, re.S)
    kind, rest = m.group(1) or "", m.group(2)
    if kind.startswith("hex"):
        number = int(kind[4:-1], 16) if "(" in kind else 3
        return number, bytes(int(b, 16) for b in rest.split(",") if b.strip())
    if kind == "expand":
        return 2, utf16(strings(rest)[0] + "\0")
    if kind == "multi":
        return 7, utf16("".join(s + "\0" for s in strings(rest)) + "\0")
    if kind == "qword":
        return 11, struct.pack("<Q", int(rest, 16))
    if rest.startswith('"'):
        return 1, utf16(rest[1:rest.rindex('"')] + "\0")
    return 4, struct.pack("<I", int(rest, 16))


def parse(lines):
    root = key = Key("ROOT")
    for line in lines:
        line = line.rstrip("\n").lstrip("\t")
        if not line.strip() or line.startswith(";"):
            continue
        if line.startswith("["):
            key = root.below(line[1:line.rindex("]")])
            continue
        m = re.match(r'("[^"]*"|[^="]+)=(.*)$', line, re.S)
        name = m.group(1).strip('"')
        key.values.append(("" if name == "@" else name,) + value(m.group(2)))
    return root


class Bins:
    """Cells one after the other; bins of 4096 bytes and more."""

    def __init__(self):
        self.data = bytearray()
        self.used = self.end = 0

    def cell(self, content):
        size = (len(content) + 4 + 7) & ~7
        if self.used + size > self.end:
            if self.used < self.end:
                struct.pack_into("<i", self.data, self.used, self.end - self.used)
            new = (size + 32 + 4095) & ~4095
            at = len(self.data)
            self.data += struct.pack("<4sIIQQI", b"hbin", at, new, 0, TIME if at == 0 else 0, 0) + bytes(new - 32)
            self.used, self.end = at + 32, at + new
        at = self.used
        struct.pack_into("<i", self.data, at, -size)
        self.data[at + 4:at + 4 + len(content)] = content
        self.used += size
        return at

    def finish(self):
        if self.used < self.end:
            struct.pack_into("<i", self.data, self.used, self.end - self.used)


def name_bytes(name):
    try:
        return name.encode("latin-1"), True
    except UnicodeEncodeError:
        return utf16(name), False


def lh(name):
    h = 0
    for u in struct.unpack("<%dH" % (len(utf16(name.upper())) // 2), utf16(name.upper())):
        h = (h * 37 + u) & 0xffffffff
    return h


def write_value(bins, name, kind, data):
    raw, narrow = name_bytes(name)
    if len(data) <= 4:
        size, at = len(data) | 0x80000000, struct.unpack("<I", data.ljust(4, b"\0"))[0]
    elif len(data) <= 16344:
        size, at = len(data), bins.cell(data)
    else:
        parts = [bins.cell(data[i:i + 16344]) for i in range(0, len(data), 16344)]
        listing = bins.cell(struct.pack("<%dI" % len(parts), *parts))
        size, at = len(data), bins.cell(struct.pack("<2sHI", b"db", len(parts), listing))
    return bins.cell(struct.pack("<2sHIIIHH", b"vk", len(raw), size, at, kind, 1 if narrow else 0, 0) + raw)


def write_key(bins, key, parent, security, root):
    raw, narrow = name_bytes(key.name)
    at = bins.cell(bytes(76 + len(raw)))
    children = [(k.name, write_key(bins, k, at, security, False)) for _, k in sorted(key.keys.items())]
    subkeys = values = 0xffffffff
    if children:
        lists = [bins.cell(struct.pack("<2sH", b"lh", len(part)) + b"".join(struct.pack("<II", c, lh(n)) for n, c in part))
                 for part in (children[i:i + 500] for i in range(0, len(children), 500))]
        subkeys = lists[0]
        if len(lists) > 1:
            subkeys = bins.cell(struct.pack("<2sH%dI" % len(lists), b"ri", len(lists), *lists))
    if key.values:
        made = [write_value(bins, *v) for v in key.values]
        values = bins.cell(struct.pack("<%dI" % len(made), *made))
    flags = (0x2c if root else 0x20) if narrow else (0x0c if root else 0)
    struct.pack_into("<2sHQ15IHH", bins.data, at + 4, b"nk", flags, TIME, 0, parent, len(children), 0, subkeys,
                     0xffffffff, len(key.values), values, security, 0xffffffff,
                     max([2 * len(n) for n, _ in children], default=0), 0,
                     max([2 * len(v[0]) for v in key.values], default=0), max([len(v[2]) for v in key.values], default=0),
                     0, len(raw), 0)
    bins.data[at + 4 + 76:at + 4 + 76 + len(raw)] = raw
    return at


def count(key):
    return 1 + sum(count(k) for k in key.keys.values())


def hive(root):
    bins = Bins()
    # The root is the first cell of most; the security descriptor comes before it here, which is as good.
    descriptor = bytes.fromhex("01000480140000002400000000000000340000000102000000000005200000002002000001020000000000052000"
                               "0000200200000200080001000000")
    security = bins.cell(bytes(20 + len(descriptor)))
    at = write_key(bins, root, 0, security, True)
    struct.pack_into("<2sHIIII", bins.data, security + 4, b"sk", 0, security, security, count(root), len(descriptor))
    bins.data[security + 24:security + 24 + len(descriptor)] = descriptor
    bins.finish()
    head = bytearray(4096)
    struct.pack_into("<4sIIQIIIIIII", head, 0, b"regf", 1, 1, TIME, 1, 5, 0, 1, at, len(bins.data), 1)
    total = 0
    for word in struct.unpack_from("<127I", head):
        total ^= word
    total = {0: 1, 0xffffffff: 0xfffffffe}.get(total, total)
    struct.pack_into("<I", head, 508, total)
    return bytes(head) + bytes(bins.data)


if __name__ == "__main__":
    with open(sys.argv[1], "wb") as f:
        f.write(hive(parse(sys.stdin)))
