#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs of Windows that hold no code: headers, and the resource of a version. mk-pe.py FOLDER"""
import os
import struct
import sys


def pad(data, to=4):
    return data + bytes(-len(data) % to)


def node(name, value, kind, below=b""):
    """A node of the version: a text's length is in characters."""
    head = name.encode("utf-16-le") + b"\0\0"
    body = pad(bytes(6) + head)
    data = value.encode("utf-16-le") + b"\0\0" if kind else value
    body = pad(body + data) + below if below else body + data
    return struct.pack("<HHH", len(body), len(data) // 2 if kind else len(data), kind) + body[6:]


def version(numbers, strings):
    a, b, c, d = numbers
    fixed = struct.pack("<13I", 0xfeef04bd, 0x10000, a << 16 | b, c << 16 | d, a << 16 | b, c << 16 | d, 0x3f, 0, 0x40004,
                        1, 0, 0, 0)
    table = node("040904B0", b"", 0, b"".join(pad(node(k, v, 1)) for k, v in strings)) if strings else b""
    below = node("StringFileInfo", b"", 0, table) if strings else b""
    return node("VS_VERSION_INFO", fixed, 0, pad(below) if below else b"")


def resources(data, rva, language):
    def table(number, to):
        return struct.pack("<IIHHHHII", 0, 0, 4, 0, 0, 1, number, to)

    tree = table(16, 0x80000018) + table(1, 0x80000030) + table(language, 0x48)
    tree += struct.pack("<IIII", rva + 0x58, len(data), 0, 0)
    return tree + data


def program(machine, numbers=None, strings=(), language=0x409):
    plus = machine in (0x8664, 0xaa64)
    at = 0x80
    rsrc = resources(version(numbers, strings), 0x1000, language) if numbers else b""
    dirs = struct.pack("<6I", 0, 0, 0, 0, 0x1000 if rsrc else 0, len(rsrc)) + bytes(13 * 8)
    optional = struct.pack("<H", 0x20b if plus else 0x10b).ljust(0x44, b"\0") + struct.pack("<H", 1)
    optional = optional.ljust(0x6c if plus else 0x5c, b"\0") + struct.pack("<I", 16) + dirs
    sections = struct.pack("<8sIIIIIIHHI", b".rsrc", len(rsrc), 0x1000, (len(rsrc) + 511) & ~511, 0x200, 0, 0, 0, 0,
                           0x40000040) if rsrc else b""
    dos = b"MZ".ljust(0x3c, b"\0") + struct.pack("<I", at)
    head = dos.ljust(at, b"\0") + b"PE\0\0"
    head += struct.pack("<HHIIIHH", machine, 1 if rsrc else 0, 0x66388159, 0, 0, len(optional), 0x22)
    return (head + optional + sections).ljust(0x200, b"\0") + pad(rsrc, 512)


SEEDS = {
    "x86_64": program(0x8664, (10, 0, 19041, 3803), [
        ("CompanyName", "Microsoft Corporation"), ("FileDescription", "NT Kernel & System"),
        ("FileVersion", "10.0.19041.3803 (WinBuild.160101.0800)"), ("OriginalFilename", "ntkrnlmp.exe"),
        ("ProductName", "Microsoft® Windows® Operating System"), ("ProductVersion", "10.0.19041.3803")]),
    "i386": program(0x14c, (5, 1, 2600, 5512), [("ProductName", "Microsoft® Windows® Operating System")], 0x407),
    "aarch64": program(0xaa64, (10, 0, 22621, 1)),
    "alpha": program(0x184, (4, 0, 1381, 4)),
    "bare": program(0x8664),
}

if __name__ == "__main__":
    for name, data in SEEDS.items():
        with open(os.path.join(sys.argv[1], name), "wb") as f:
            f.write(data)
