#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Write ext_base.h, the volumes that fuzz_ext and fuzz_stack patch, and their seeds. Needs e2fsprogs.

A seed is one byte that names a volume, then records of 8 bytes: le32 place, u8 operation, u8 value, le16 value.
"""
import os
import struct
import subprocess
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
UUID = "5f0c1a52-3d54-4b6f-8b5e-0123456789ab"
ENV = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin", E2FSPROGS_FAKE_TIME="1700000000",
           MKE2FS_CONFIG="/dev/null", SOURCE_DATE_EPOCH="1700000000")

OS_RELEASE = 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12"\nVERSION_ID="12"\n'
DPKG = ("Package: dash\nStatus: install ok installed\nVersion: 0.5.12-2\nArchitecture: amd64\n\n"
        "Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\nArchitecture: amd64\nSource: glibc\n")


def tree(top):
    """What lies in each volume; every time and owner is fixed."""
    for d in ("etc", "var/lib/dpkg", "bin", "boot", "many", "home/a"):
        os.makedirs(os.path.join(top, d))
    files = {"etc/os-release": OS_RELEASE, "etc/hostname": "glass\n", "etc/fstab": "/dev/sda1 / ext4 ro 0 1\n",
             "var/lib/dpkg/status": DPKG, "home/a/short": "inline\n", "home/a/long": "0123456789abcdef" * 9,
             "home/a/blocks": "vitrine " * 2000}
    for name, text in files.items():
        with open(os.path.join(top, name), "w") as f:
            f.write(text)
    with open(os.path.join(top, "home/a/sparse"), "wb") as f:
        for at in (0, 20000, 300000, 70000000):
            f.seek(at)
            f.write(b"data")
    with open(os.path.join(top, "bin/sh"), "wb") as f:
        f.write(b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 3, 62, 1) + bytes(40))
    for i in range(45):
        with open(os.path.join(top, f"many/a-name-that-fills-a-directory-block-{i:03}"), "w"):
            pass
    os.symlink("etc/hostname", os.path.join(top, "fast"))
    os.symlink("../home/" * 12 + "a", os.path.join(top, "home/slow"))
    os.symlink("loop", os.path.join(top, "loop"))
    for name, dirs, names in os.walk(top):
        for n in dirs + names + ["."]:
            os.utime(os.path.join(name, n), (1700000000, 1700000000), follow_symlinks=False)


COMMON = ["set_inode_field /home/a uid 1000", "mknod pipe p", "mknod null c 1 3", "mknod wide b 300 70000", "mknod a/slash p",
          'ea_set /home/a/short user.one "a value"', 'ea_set /home/a/long security.selinux "system_u:object_r:etc_t:s0"',
          'ea_set /etc user.of-a-directory "x"']
VOLUMES = [  # size in blocks of 1 KiB, arguments of mke2fs, commands of debugfs
    (200, "-I 256 -O none,filetype,sparse_super,extents,inline_data,metadata_csum,64bit,ea_inode,ext_attr,dir_index", []),
    (240, "-I 128 -O none,filetype,sparse_super,large_file,dir_index,ext_attr", []),
    (240, "-I 256 -O none,filetype,sparse_super,large_file,dir_index,ext_attr,meta_bg,encrypt,casefold -E encoding=utf8",
     ["set_inode_field /home flags 0x40000000", "set_inode_field /many flags 0x800"]),
    (240, "-I 256 -O none,filetype,sparse_super,extents,flex_bg,uninit_bg,quota,ext_attr,large_file", []),
]


def volume(work, i, blocks, arguments, commands):
    top, image = os.path.join(work, f"tree{i}"), os.path.join(work, f"{i}.img")
    tree(top)
    subprocess.run(f"mke2fs -q -F -b 1024 -m 0 -N 96 -U {UUID} -L glass -E root_owner=0:0 "
                   f"{arguments} -d {top} {image} {blocks}", shell=True, check=True, env=ENV)
    lines = [c for c in COMMON if i != 2 or "/home/a/long" not in c] + commands + [f"set_super_value hash_seed {UUID}"]
    subprocess.run(["debugfs", "-w", "-f", "-", image], input="\n".join(lines), text=True, check=True, env=ENV,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(image, "rb") as f:
        return f.read()


def record(place, op, byte, word):
    return struct.pack("<IBBH", place, op, byte, word)


def main():
    with tempfile.TemporaryDirectory() as work, open(os.path.join(HERE, "ext_base.h"), "w") as out:
        out.write("/* SPDX-License-Identifier: LGPL-2.1-or-later */\n"
                  "/* Volumes to be patched, deflated. Written by mk-ext-base.py. */\n"
                  "#ifndef FUZZ_EXT_BASE_H\n#define FUZZ_EXT_BASE_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n")
        sizes = []
        for i, v in enumerate(VOLUMES):
            image = volume(work, i, *v)
            packed = zlib.compress(image, 9)
            sizes.append(len(image))
            out.write(f"static const uint8_t ext_base_{i}[] = {{\n")
            for at in range(0, len(packed), 24):
                out.write("\t" + ", ".join(map(str, packed[at:at + 24])) + ",\n")
            out.write("};\n\n")
        out.write("static const struct ext_base {\n\tconst uint8_t *packed;\n\tsize_t packed_len, len;\n} ext_bases[] = {\n")
        for i, size in enumerate(sizes):
            out.write(f"\t{{ ext_base_{i}, sizeof(ext_base_{i}), {size} }},\n")
        out.write("};\n\n#endif\n")
    for target in ("ext", "stack"):
        os.makedirs(os.path.join(HERE, "seeds", target), exist_ok=True)
        for i in range(len(VOLUMES)):
            with open(os.path.join(HERE, "seeds", target, f"base-{i}"), "wb") as f:
                f.write(bytes([i]))
            with open(os.path.join(HERE, "seeds", target, f"patched-{i}"), "wb") as f:
                f.write(bytes([i]) + record(0x400, 0x83, 0, 96) + record(300, 1, 0xff, 0) + record(900, 2, 0, 0x7fff) +
                        record(2000, 5, 1, 64))


if __name__ == "__main__":
    main()
