#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the seeds of fuzz_mbr and fuzz_gpt, beside itself. The layouts are as small as they can be."""
import os
import struct
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
EFI = bytes.fromhex("28732ac11ff8d211ba4b00a0c93ec93b")
LINUX = bytes.fromhex("af3dc60f838472478e793d69d8477de4")


def put(disk, at, data):
    disk[at:at + len(data)] = data


def record(disk, at, *entries, ident=0):
    """A boot record: entries are (flag, type, start, count)."""
    put(disk, at + 440, struct.pack("<I", ident))
    for i, (flag, kind, start, count) in enumerate(entries):
        put(disk, at + 446 + 16 * i, struct.pack("<B3xB3xII", flag, kind, start, count))
    put(disk, at + 510, b"\x55\xaa")


def save(folder, name, data):
    os.makedirs(os.path.join(HERE, folder), exist_ok=True)
    with open(os.path.join(HERE, folder, name), "wb") as f:
        f.write(data)


def mbr(sector, sectors=8):
    disk = bytearray(sector * sectors)
    record(disk, 0, (0x80, 0x83, 1, 1), (0, 5, 2, 5), (0, 0x82, 7, 1), ident=0x1234abcd)
    record(disk, 2 * sector, (0, 0x83, 1, 2), (0, 5, 3, 2))
    record(disk, 5 * sector, (0, 0x8e, 1, 1))
    return disk


def gpt_header(disk, sector, lba, other, table, last):
    body = bytes(disk[table * sector:table * sector + 512])
    head = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, lba, other, 3, last - 2,
                       bytes(range(16)), table, 4, 128, zlib.crc32(body))
    put(disk, lba * sector, head[:16] + struct.pack("<I", zlib.crc32(head)) + head[20:])


def gpt(sector, sectors=9):
    disk = bytearray(sector * sectors)
    last = sectors - 1
    record(disk, 0, (0, 0xee, 1, last))
    table = EFI + bytes([0xa1] * 16) + struct.pack("<QQQ", 3, 3, 4) + "efi".encode("utf-16le").ljust(72, b"\0")
    table += LINUX + bytes([0xa2] * 16) + struct.pack("<QQQ", 4, last - 2, 0)
    table += "r\u00f6\u00f6t \U0001f5a5".encode("utf-16le").ljust(72, b"\0")
    put(disk, 2 * sector, table)
    put(disk, (last - 1) * sector, table)
    gpt_header(disk, sector, 1, last, 2, last)
    gpt_header(disk, sector, last, 1, last - 1, last)
    return disk


def main():
    save("mbr", "chain-512", mbr(512))
    save("mbr", "chain-4096", mbr(4096, 6))
    disk = mbr(512)
    put(disk, 5 * 512 + 462, struct.pack("<B3xB3xII", 0, 5, 0, 2))
    save("mbr", "loop", disk)
    disk = bytearray(512)
    record(disk, 0, ident=0xcafe)
    save("mbr", "bare", disk)
    put(disk, 0, b"\xeb\x3c\x90mkfs.fat\0\2\4\4\0\2\0\2\0\2\xf8")
    save("mbr", "fat", disk)
    disk = bytearray(2048)
    put(disk, 0, b"ER\2\0")
    put(disk, 512, b"PM\0\0\0\0\0\3")
    save("mbr", "apm", disk)
    disk = bytearray(1024)
    put(disk, 512, struct.pack("<I", 0x82564557))
    put(disk, 644, struct.pack("<I", 0x82564557))
    save("mbr", "bsd", disk)

    save("gpt", "both-512", gpt(512))
    save("gpt", "both-4096", gpt(4096, 7))
    disk = gpt(512)
    disk[512:1536] = bytes(1024)
    save("gpt", "backup-alone", disk)
    disk = gpt(512)
    record(disk, 0, (0, 0xee, 1, 2), (0x80, 0x83, 4, 3))
    save("gpt", "hybrid", disk)
    save("gpt", "grown", gpt(512) + bytes(1024))
    save("gpt", "cut", gpt(512)[:2560])


main()
