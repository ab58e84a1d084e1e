#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Write what libvhdi reads of a VHD or VHDX: read-vhdi.py OUT IMAGE [PARENT [ITS-PARENT…]]"""
import sys

import pyvhdi

files = []
for path in sys.argv[2:]:
    f = pyvhdi.file()
    f.open(path)
    files.append(f)
for child, parent in zip(reversed(files[:-1]), reversed(files[1:])):
    child.set_parent(parent)
image = files[0]
with open(sys.argv[1], "wb") as out:
    left = image.get_media_size()
    while left > 0:
        data = image.read_buffer(min(left, 1 << 20))
        if not data:
            sys.exit("libvhdi gives no more")
        out.write(data)
        left -= len(data)
