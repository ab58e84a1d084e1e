#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Write the seeds of fuzz_identify into identify/: the fields that tell a label and a UUID, and nothing else."""
import os
import struct

out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "identify")
os.makedirs(out, exist_ok=True)


def write(name, b):
    with open(os.path.join(out, name), "wb") as f:
        f.write(b)


# FAT12: boot sector, one sector of FAT, the root with a label behind it.
b = bytearray(4096)
b[0:11] = b"\xeb\x3c\x90MSDOS5.0"
struct.pack_into("<HBHBHHBH", b, 0x0b, 512, 1, 1, 1, 16, 8, 0xf8, 1)
b[0x26] = 0x29
struct.pack_into("<I", b, 0x27, 0x12345678)
b[0x36:0x3e] = b"FAT12   "
b[510:512] = b"\x55\xaa"
b[1024:1036] = b"SEED       \x08"
write("fat12", b)
# FAT32: the root in cluster 2, whose chain goes on with 3, where the label is.
b = bytearray(8192)
b[0:11] = b"\xeb\x58\x90MSDOS5.0"
struct.pack_into("<HBHBHHBH", b, 0x0b, 512, 1, 1, 1, 0, 16, 0xf8, 0)
struct.pack_into("<I", b, 0x24, 1)
struct.pack_into("<I", b, 0x2c, 2)
b[0x42] = 0x29
struct.pack_into("<I", b, 0x43, 0x12345678)
b[510:512] = b"\x55\xaa"
struct.pack_into("<IIII", b, 512, 0x0ffffff8, 0xfffffff, 3, 0xfffffff)
for at in range(1024, 1536, 32):
    b[at:at + 12] = b"FILE    TXT "
b[1536:1548] = b"SEED       \x08"
write("fat32", b)
# exFAT: the root in cluster 2.
b = bytearray(8192)
b[0:11] = b"\xeb\x76\x90EXFAT   "
b[510:512] = b"\x55\xaa"
struct.pack_into("<IIIIII", b, 0x50, 2, 1, 8, 4, 2, 0x12345678)
b[0x6c] = 9
struct.pack_into("<I", b, 1024 + 8, 0xffffffff)
b[4096:4098] = b"\x83\x04"
b[4098:4106] = "seed".encode("utf-16le")
write("exfat", b)
# HFS+: volume header, header node of the catalog, its first leaf.
b = bytearray(16384)
b[1024:1028] = b"H+\0\4"
struct.pack_into(">I", b, 1024 + 0x28, 4096)
struct.pack_into(">II", b, 1024 + 0x120, 2, 2)
struct.pack_into(">I", b, 8192 + 0x18, 1)
struct.pack_into(">H", b, 8192 + 0x20, 4096)
b[12288 + 8] = 0xff
struct.pack_into(">HIH", b, 12288 + 14, 14, 1, 4)
b[12288 + 22:12288 + 30] = "seed".encode("utf-16be")
write("hfsplus", b)
# ISO 9660 with Joliet.
b = bytearray(0x8000 + 3 * 2048)
b[0x8000:0x8006] = b"\1CD001"
b[0x8028:0x8048] = b"SEED_AND_MORE_OF_IT_TOO".ljust(32)
b[0x832d:0x833e] = b"20240506070809" + b"10\0"
b[0x8800:0x8806] = b"\2CD001"
b[0x8828:0x8848] = "Seed and more of".encode("utf-16be")
b[0x8858:0x885b] = b"%/E"
b[0x9000:0x9006] = b"\xffCD001"
write("iso9660", b)
# UDF with blocks of 512 bytes: the anchor, and a sequence of three.
b = bytearray(264 * 512)
b[0x8001:0x8006] = b"BEA01"
b[0x8801:0x8806] = b"NSR02"
struct.pack_into("<H", b, 256 * 512, 2)
struct.pack_into("<I", b, 256 * 512 + 12, 256)
struct.pack_into("<II", b, 256 * 512 + 16, 1536, 260)
at = 260 * 512
struct.pack_into("<H", b, at, 1)
b[at + 72:at + 89] = b"\x080011223344556677"
b[at + 199] = 17
at += 512
struct.pack_into("<H", b, at, 6)
b[at + 84:at + 89] = b"\x08seed"
b[at + 211] = 5
at += 512
struct.pack_into("<H", b, at, 8)
write("udf", b)
# Volumes.
b = bytearray(4096)
b[:8] = b"LUKS\xba\xbe\0\2"
b[0x18:0x1c] = b"seed"
b[0xa8:0xa8 + 36] = b"00112233-4455-6677-8899-aabbccddeeff"
write("luks", b)
b = bytearray(2048)
b[512:520] = b"LABELONE"
struct.pack_into("<I", b, 512 + 0x14, 32)
b[536:544] = b"LVM2 001"
b[544:576] = b"abcdefghijklmnopqrstuvwxyz012345"
write("lvm", b)
b = bytearray(131072)
struct.pack_into("<III", b, 65536, 0xa92b4efc, 0, 90)
struct.pack_into("<I", b, 65536 + 0x14, 1)
write("md09", b)
b = bytearray(8192)
struct.pack_into("<II", b, 4096, 0xa92b4efc, 1)
b[4096 + 16:4096 + 32] = bytes(range(16))
b[4096 + 32:4096 + 36] = b"seed"
write("md1", b)


def pair(name, value):
    p = struct.pack(">I", len(name)) + name + bytes(-len(name) % 4) + value
    return struct.pack(">II", 8 + len(p), 8 + len(p)) + p


b = bytearray(21000)
z = b"\1\1\0\0" + struct.pack(">II", 0, 1) + pair(b"name", struct.pack(">III", 9, 1, 4) + b"seed")
z += pair(b"pool_guid", struct.pack(">IIQ", 8, 1, 77)) + bytes(8)
b[16384:16384 + len(z)] = z
write("zfs", b)
