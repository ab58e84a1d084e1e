#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cut what a journal has in reserve after its last object, and say so in its header: shrink-journal.py FILE."""
import struct
import sys

with open(sys.argv[1], "r+b") as f:
    head = f.read(208)
    header, tail = struct.unpack_from("<Q", head, 0x58)[0], struct.unpack_from("<Q", head, 0x88)[0]
    f.seek(tail + 8)
    end = tail + (struct.unpack("<Q", f.read(8))[0] + 7 & ~7)
    f.seek(0x60)
    f.write(struct.pack("<Q", end - header))
    f.truncate(end)
