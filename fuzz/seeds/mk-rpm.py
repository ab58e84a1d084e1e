#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seeds for fuzz_rpm: headers, and small databases of the three kinds with two of them. mk-rpm.py DIR"""
import os
import sqlite3
import struct
import sys
import tempfile
import zlib

PAGE = 512


def header(items, region=False):
    data, index = b"", []
    for tag, kind, value in items:
        align = {4: 4, 5: 8}.get(kind, 1)
        data += bytes(-len(data) % align)
        if kind in (4, 5):
            value, count = struct.pack(">I" if kind == 4 else ">Q", value), 1
        else:
            count = len(value)
            value = b"".join(v.encode() + b"\0" for v in value)
        index.append((tag, kind, len(data), count))
        data += value
    if region:
        trailer = struct.pack(">IIiI", 63, 7, -16 * (len(index) + 1), 16)
        index.insert(0, (63, 7, len(data), 16))
        data += trailer
    return struct.pack(">II", len(index), len(data)) + b"".join(struct.pack(">4I", *i) for i in index) + data


BIG = header([(100, 8, ["C", "de"]), (1000, 6, ["bash"]), (1001, 6, ["5.2"]), (1002, 6, ["1.fc38"]), (1003, 4, 2),
              (1004, 9, ["The shell", "Die Shell"]), (1008, 4, 1700000000), (1009, 4, 256), (1011, 6, ["Fedora"]),
              (1022, 6, ["x86_64"]), (1044, 6, ["bash-5.2-1.fc38.src.rpm"]), (5009, 5, 1 << 33)], True)
SMALL = header([(1000, 6, ["a"]), (1001, 6, ["1"]), (1044, 6, ["(none)"])])


def bdb(order):
    pages = [bytearray(PAGE) for _ in range(4)]

    def put(page, at, what, *values):
        struct.pack_into(order + what, pages[page], at, *values)

    put(0, 12, "III", 0x061561, 9, PAGE)
    pages[0][25] = 8
    put(0, 32, "I", 3)
    put(0, 72, "I", 1)
    put(0, 96, "II", 1, 1)
    for number, page in enumerate(pages):
        put(number, 8, "I", number)
    chunk = PAGE - 26
    over = [BIG[i:i + chunk] for i in range(0, len(BIG), chunk)]
    while len(pages) < 3 + len(over):
        pages.append(bytearray(PAGE))
        put(len(pages) - 1, 8, "I", len(pages) - 1)
    for i, part in enumerate(over):
        put(3 + i, 16, "I", 4 + i if i + 1 < len(over) else 0)
        put(3 + i, 20, "HH", 1, len(part))
        pages[3 + i][25] = 7
        pages[3 + i][26:26 + len(part)] = part
    pairs = {1: [(0, b"\1\0\0\0\2"), (1, b"\3\0\0\0" + struct.pack(order + "II", 3, len(BIG)))], 2: [(2, b"\1" + SMALL)]}
    for page, items in pairs.items():
        at, n = PAGE, 0
        for key, value in items:
            for item in (b"\1" + struct.pack(order + "I", key), value):
                at -= len(item)
                pages[page][at:at + len(item)] = item
                put(page, 26 + 2 * n, "H", at)
                n += 1
        put(page, 20, "HH", n, at)
        pages[page][25] = 13 if page == 1 else 2
    return b"".join(bytes(p) for p in pages)


def ndb():
    slots, blobs = [], b""
    for number, blob in ((1, BIG), (2, SMALL)):
        start = 4096 + len(blobs)
        body = struct.pack("<4sIII", b"BlbS", number, 1, len(blob)) + blob
        body += bytes(-(len(body) + 12) % 16)
        body += struct.pack("<II4s", zlib.adler32(body), len(blob), b"BlbE")
        slots.append(struct.pack("<4sIII", b"Slot", number, start // 16, len(body) // 16))
        blobs += body
    out = struct.pack("<4s4I12x", b"RpmP", 0, 1, 1, 3) + b"".join(slots)
    while len(out) < 4096:
        out += struct.pack("<4s12x", b"Slot")
    return out + blobs


def sqlite(log):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "db")
        c = sqlite3.connect(path, isolation_level=None)
        c.execute("PRAGMA page_size=512")
        if log:
            c.execute("PRAGMA journal_mode=WAL")
            c.execute("PRAGMA wal_autocheckpoint=0")
        c.execute("CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
        c.execute("INSERT INTO Packages(blob) VALUES(?)", (BIG,))
        if log:
            c.execute("PRAGMA wal_checkpoint(RESTART)")
        c.execute("INSERT INTO Packages(blob) VALUES(?)", (SMALL,))
        with open(path, "rb") as f:
            db = f.read()
        if not log:
            return db
        with open(path + "-wal", "rb") as f:
            return struct.pack("<I", len(db)) + db + f.read()


SEEDS = {"header": b"\0" + BIG, "header-small": b"\0" + SMALL, "bdb-le": b"\1" + bdb("<"), "bdb-be": b"\1" + bdb(">"),
         "ndb": b"\2" + ndb(), "sqlite": b"\3" + sqlite(False), "sqlite-wal": b"\4" + sqlite(True)}
for name, seed in SEEDS.items():
    with open(os.path.join(sys.argv[1], name), "wb") as f:
        f.write(seed)
