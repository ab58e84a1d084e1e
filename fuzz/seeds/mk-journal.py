#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Small files of systemd's journal, by docs/JOURNAL_FILE_FORMAT.md: mk-journal.py FOLDER. journalctl reads them."""
import lzma
import os
import struct
import sys

M32, M64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF
XZ, LZ4, KEYED, ZSTD, COMPACT = 1, 2, 4, 8, 16
FILE_ID = bytes(range(1, 17))


def rot(v, n, bits=32):
    return (v << n | v >> (bits - n)) & ((1 << bits) - 1)


def jenkins(data):
    a = b = c = (0xDEADBEEF + len(data)) & M32
    if not data:
        return c << 32 | b
    while len(data) > 12:
        x, y, z = struct.unpack_from("<3I", data)
        a, b, c, data = (a + x) & M32, (b + y) & M32, (c + z) & M32, data[12:]
        a = (a - c & M32) ^ rot(c, 4)
        c = c + b & M32
        b = (b - a & M32) ^ rot(a, 6)
        a = a + c & M32
        c = (c - b & M32) ^ rot(b, 8)
        b = b + a & M32
        a = (a - c & M32) ^ rot(c, 16)
        c = c + b & M32
        b = (b - a & M32) ^ rot(a, 19)
        a = a + c & M32
        c = (c - b & M32) ^ rot(b, 4)
        b = b + a & M32
    x, y, z = struct.unpack("<3I", data.ljust(12, b"\0"))
    a, b, c = (a + x) & M32, (b + y) & M32, (c + z) & M32
    c = (c ^ b) - rot(b, 14) & M32
    a = (a ^ c) - rot(c, 11) & M32
    b = (b ^ a) - rot(a, 25) & M32
    c = (c ^ b) - rot(b, 16) & M32
    a = (a ^ c) - rot(c, 4) & M32
    b = (b ^ a) - rot(a, 14) & M32
    c = (c ^ b) - rot(b, 24) & M32
    return c << 32 | b


def siphash(data, key):
    k0, k1 = struct.unpack("<2Q", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rounds(n):
        for _ in range(n):
            v[0] = v[0] + v[1] & M64
            v[1] = rot(v[1], 13, 64) ^ v[0]
            v[0] = rot(v[0], 32, 64)
            v[2] = v[2] + v[3] & M64
            v[3] = rot(v[3], 16, 64) ^ v[2]
            v[0] = v[0] + v[3] & M64
            v[3] = rot(v[3], 21, 64) ^ v[0]
            v[2] = v[2] + v[1] & M64
            v[1] = rot(v[1], 17, 64) ^ v[2]
            v[2] = rot(v[2], 32, 64)

    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 255])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 255
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def pack(flags, data):
    """A payload of 64 bytes and more, compressed; and the object's flags."""
    if len(data) < 64:
        return 0, data
    if flags & XZ:
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 0}]
        return 1, lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_NONE, filters=filters)
    # The other two are written without looking for anything: first as it is, then the last byte 40 times.
    head, last = data[:-40], data[-1:]
    if data[-41:] != last * 41:
        return 0, data
    if flags & LZ4:
        n = len(head) - 15
        literals = bytes([0xFF]) + b"\xff" * (n // 255) + bytes([n % 255]) + head
        block = literals + struct.pack("<H", 1) + bytes([35 - 4 - 15]) + bytes([0x50]) + last * 5
        return 2, struct.pack("<Q", len(data)) + block
    if flags & ZSTD:
        frame = struct.pack("<IBI", 0xFD2FB528, 0xA0, len(data))
        frame += struct.pack("<I", len(head) << 3)[:3] + head
        return 4, frame + struct.pack("<I", 1 | 1 << 1 | 40 << 3)[:3] + last
    return 0, data


class Journal:
    def __init__(self, flags, buckets=5, array=2):
        self.flags, self.width, self.array = flags, 4 if flags & COMPACT else 8, array
        self.out = bytearray(272)
        self.objects, self.data, self.fields, self.arrays_of = 0, {}, {}, {}
        self.count = {}
        self.table = self.add(4, bytes(16 * buckets)) + 16
        self.field_table = self.add(5, bytes(16 * 3)) + 16
        self.buckets, self.entries = buckets, 0
        self.chain = [0]  # of entry arrays: as link() has it
        self.first = self.last = (0, 0, 0, bytes(16))
        self.first_array = 0

    def hash(self, data):
        return siphash(data, FILE_ID) if self.flags & KEYED else jenkins(data)

    def get(self, at):
        return struct.unpack_from("<Q", self.out, at)[0]

    def put(self, at, *values):
        struct.pack_into("<%dQ" % len(values), self.out, at, *values)

    def add(self, kind, payload, flags=0):
        self.out += bytes(-len(self.out) % 8)
        at = len(self.out)
        self.out += struct.pack("<BB6xQ", kind, flags, 16 + len(payload)) + payload
        self.objects += 1
        self.count[kind] = self.count.get(kind, 0) + 1
        self.tail = at
        return at

    def hang(self, table, buckets, digest, at):
        """Into a hash table's chain."""
        slot = table + 16 * (digest % buckets)
        if self.get(slot):
            self.put(self.get(slot + 8) + 24, at)
        else:
            self.put(slot, at)
        self.put(slot + 8, at)

    def field(self, data):
        if data in self.data:
            return self.data[data]
        digest = self.hash(data)
        flags, payload = pack(self.flags, data)
        extra = bytes(8) if self.flags & COMPACT else b""
        at = self.add(1, struct.pack("<6Q", digest, 0, 0, 0, 0, 0) + extra + payload, flags)
        self.hang(self.table, self.buckets, digest, at)
        name = data.split(b"=")[0]
        if name not in self.fields:
            self.fields[name] = self.add(2, struct.pack("<3Q", self.hash(name), 0, 0) + name)
            self.hang(self.field_table, 3, self.hash(name), self.fields[name])
        head = self.fields[name] + 32
        self.put(at + 32, self.get(head))
        self.put(head, at)
        self.data[data] = at
        return at

    def link(self, chain, entry, set_first):
        """Put an entry at the end of a chain: [entries, last array, its items, its used ones]."""
        if len(chain) < 4 or chain[2] == chain[3]:
            items = self.array if len(chain) < 4 else chain[2] * 2
            at = self.add(6, bytes(8 + items * self.width))
            if len(chain) < 4:
                set_first(at)
            else:
                self.put(chain[1] + 16, at)
            chain[1:] = [at, items, 0]
        struct.pack_into("<I" if self.width == 4 else "<Q", self.out, chain[1] + 24 + chain[3] * self.width, entry)
        chain[3] += 1
        chain[0] += 1

    def entry(self, realtime, monotonic, boot, fields):
        places = sorted({self.field(f) for f in fields})
        by = {at: data for data, at in self.data.items()}
        xor = 0
        for at in places:
            xor ^= jenkins(by[at])
        self.entries += 1
        stamp = struct.pack("<3Q16sQ", self.entries, realtime, monotonic, boot, xor)
        items = b"".join(struct.pack("<I", at) if self.width == 4 else struct.pack("<2Q", at, self.hash(by[at])) for at in places)
        entry = self.add(3, stamp + items)

        def first(at):
            self.first_array = at

        self.link(self.chain, entry, first)
        for at in places:
            count = self.get(at + 56)
            if count == 0:
                self.put(at + 40, entry)
            else:
                chain = self.arrays_of.setdefault(at, [0])
                self.link(chain, entry, lambda array, at=at: self.put(at + 48, array))
            self.put(at + 56, count + 1)
        self.last = (self.entries, realtime, monotonic, boot)
        if self.entries == 1:
            self.first = self.last

    def bytes(self, state=0):
        self.out += bytes(-len(self.out) % 8)
        head = struct.pack("<8sIIB7x", b"LPKSHHRH", 0, self.flags, state) + FILE_ID + b"\xaa" * 16 + self.last[3] + b"\xbb" * 16
        head += struct.pack("<15Q", 272, len(self.out) - 272, self.table, 16 * self.buckets, self.field_table, 48, self.tail,
                            self.objects, self.entries, self.last[0], self.first[0], self.first_array, self.first[1],
                            self.last[1], self.last[2])
        head += struct.pack("<6Q2IQ", self.count.get(1, 0), self.count.get(2, 0), 0, self.count.get(6, 0), 0, 0, 0, 0, 0)
        self.out[:len(head)] = head
        return bytes(self.out)


def journal(flags, entries, state=0):
    j = Journal(flags)
    boots = [b"\x11" * 16, b"\x22" * 16]
    for i in range(entries):
        fields = [b"PRIORITY=%d" % (i % 8), b"SYSLOG_IDENTIFIER=id%d" % (i % 2), b"MESSAGE=number %d" % i, b"_HOSTNAME=www",
                  b"_SYSTEMD_UNIT=u%d.service" % (i % 3), b"_PID=%d" % (100 + i)]
        if i % 3 == 0:
            fields.append(b"LONG=%d and more" % i + b"." * 100 + b"x" * 80)
        if i % 4 == 1:
            fields.append(b"BINARY=\0\xff\n" + bytes([i]))
        if i % 4 == 2:
            fields += [b"TWICE=one", b"TWICE=two %d" % i]
        boot = boots[2 * i >= entries]
        fields.append(b"_BOOT_ID=" + boot.hex().encode())
        j.entry(1714979289000000 + 1000003 * i, 5000000 + 1000003 * i, boot, fields)
    return j.bytes(state)


os.makedirs(sys.argv[1], exist_ok=True)
made = {
    "regular": journal(0, 7),
    "keyed": journal(KEYED, 7),
    "compact": journal(KEYED | COMPACT, 7),
    "xz": journal(XZ, 4),
    "lz4": journal(LZ4 | KEYED, 4),
    "zstd": journal(ZSTD | KEYED | COMPACT, 4),
    "empty": journal(KEYED, 0),
    "online": journal(0, 3, 1),
    "cut": journal(KEYED, 7)[:-800],
}
for name, data in made.items():
    with open(os.path.join(sys.argv[1], name), "wb") as f:
        f.write(data)
