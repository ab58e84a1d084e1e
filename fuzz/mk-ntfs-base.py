#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Write ntfs_base.h, the volumes that fuzz_ntfs patches, and its seeds. Needs what tests/images/mk-ntfs.py needs.

What is the same in every volume is left out, so that patches land where it matters: the boot code, the definitions of
attributes, and the table of capitals, which fuzz_ntfs puts in place again.
"""
import importlib.util
import os
import struct
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("mk_ntfs", os.path.join(HERE, "../tests/images/mk-ntfs.py"))
mk = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mk)


def small(v):
    v.put("hiberfil.sys", b"wake")
    v.put("a/short", b"resident")
    v.put("a/long", mk.text(9000))
    for i in range(14):
        v.put(f"many/a-name-that-fills-an-index-block-{i:02}", b"")
    v.stream("a/short", "beside", b"stream")
    v.stream("a", "of-dir", b"d" * 700)
    v.dir("packed")
    v.xattr("packed", "attrib", struct.pack("<I", 0x10 | 0x800))
    v.put("packed/text", mk.text(12000))
    with open(v.at("sparse"), "wb") as f:
        f.write(b"x" * 600)
        f.seek(90000)
        f.write(b"y" * 600)
    for mode in mk.MODES:
        v.wof("o-" + mode, mk.text(9000 if mode != "lzx" else 33000), mode)
    v.put("list", b"has a list")
    for i in range(6):
        os.link(v.at("list"), v.at(f"a/link-{i}"))
        v.stream("list", f"s{i}", b"%d" % i * 60)
    v.link("loop", 0xA000000C, "loop", "loop", relative=1)
    v.link("junction", 0xA0000003, "\\??\\C:\\a", "/a", is_dir=True)
    v.reparse("linux", 0xA000001D, b"\2\0\0\0a/long", "l", "a/long")
    v.reparse("alias", 0x8000001B, b"\3\0\0\0" + "P\0I\0C:\\a\0000\0".encode("utf-16-le"), "l", "/a")
    v.reparse("dedup", 0x80000013, bytes(16), "f")
    os.symlink("a/short", v.at("interix"))
    v.put("facts", b"f")
    v.xattr("facts", "object_id", bytes(range(1, 17)))
    v.xattr("facts", "times", struct.pack("<QQQQ", 1 << 56, 2 << 56, 3 << 56, 1))
    v.xattr("facts", "ea", struct.pack("<IBBH", 20, 0, 6, 4) + b"$LXMOD\0" + struct.pack("<I", 0o100640) + b"\0" +
            struct.pack("<IBBH", 24, 0, 8, 5) + b"USER.TAG\0value\0\0")


VOLUMES = [(1200 << 10, ["-c", "512"]), (2400 << 10, ["-c", "4096"])]


def main():
    with tempfile.TemporaryDirectory() as work, open(os.path.join(HERE, "ntfs_base.h"), "w") as out:
        out.write("/* SPDX-License-Identifier: LGPL-2.1-or-later */\n"
                  "/* Volumes to be patched, deflated. Written by mk-ntfs-base.py. */\n"
                  "#ifndef FUZZ_NTFS_BASE_H\n#define FUZZ_NTFS_BASE_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n")
        rows = []
        for i, (size, arguments) in enumerate(VOLUMES):
            v = mk.Volume(f"fuzz{i}", size, arguments, work)
            v.fill(small)
            with open(v.image, "rb") as f:
                image = bytearray(f.read())
            image[0x54:0x1fe] = bytes(0x1fe - 0x54)
            image[0x200:0x2000] = bytes(0x1e00)
            upcase = image.find(struct.pack("<97H", *range(97)))
            image[upcase:upcase + 131072] = bytes(131072)
            attrdef = image.find("$STANDARD_INFORMATION".encode("utf-16-le"))
            image[attrdef:attrdef + 2560] = bytes(2560)
            packed = zlib.compress(bytes(image), 9)
            out.write(f"static const uint8_t ntfs_base_{i}[] = {{\n")
            for at in range(0, len(packed), 24):
                out.write("\t" + ", ".join(map(str, packed[at:at + 24])) + ",\n")
            out.write("};\n\n")
            rows.append(f"\t{{ ntfs_base_{i}, sizeof(ntfs_base_{i}), {size}, {upcase} }},\n")
        out.write("static const struct ntfs_base {\n\tconst uint8_t *packed;\n\tsize_t packed_len, len, upcase;\n"
                  "} ntfs_bases[] = {\n" + "".join(rows) + "};\n\n#endif\n")
    os.makedirs(os.path.join(HERE, "seeds/ntfs"), exist_ok=True)
    record = lambda place, op, byte, word: struct.pack("<IBBH", place, op, byte, word)
    for i in range(len(VOLUMES)):
        with open(os.path.join(HERE, f"seeds/ntfs/base-{i}"), "wb") as f:
            f.write(bytes([i]))
        with open(os.path.join(HERE, f"seeds/ntfs/patched-{i}"), "wb") as f:
            f.write(bytes([i]) + record(0x30, 0x83, 0, 96) + record(3000, 1, 0xff, 0) + record(9000, 2, 0, 0x7fff) +
                    record(20000, 5, 1, 64))


if __name__ == "__main__":
    main()
