#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The order of packages' versions, against the managers that are installed: dpkg, rpm through its Python module, pacman
# through its library.
set -euo pipefail

cd "$(dirname "$0")/.."
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
built=$(realpath "${VTR_BUILD:-build/release}")
! grep -q __asan_init "$built/libvitrine.so.0" || { echo "skipped: python3 cannot load a library with sanitizers"; exit 77; }
# shellcheck source=tests/expect.sh
. tests/expect.sh

python3 - "$built/libvitrine.so.0" <<'X' || die "versions in another order"
import ctypes, random, shutil, subprocess, sys

sys.path.append("/usr/lib/python3/dist-packages")
compare = ctypes.CDLL(sys.argv[1]).vtr_package_version_compare
compare.argtypes = [ctypes.c_char_p] * 3
rnd = random.Random(7)
sign = lambda c: (c > 0) - (c < 0)
bad = 0


def text(letters, most):
    return "".join(rnd.choice(letters) for _ in range(rnd.randint(1, most)))


def pairs(letters, n, make):
    for _ in range(n):
        a = make()
        b = list(a)
        for _ in range(rnd.randint(0, 2)):
            at = rnd.randrange(len(b) + 1)
            b[at : at + rnd.randint(0, 1)] = rnd.choice(["", letters[rnd.randrange(len(letters))]])
        yield a, "".join(b) if b and rnd.random() < 0.7 else make()


def check(form, a, b, want):
    global bad
    got = sign(compare(form.encode(), a.encode(), b.encode()))
    if got != want:
        bad += 1
        print("%s: %s %s: %d, expected %d" % (form, a, b, got, want))


def debian():
    v = rnd.choice(["", "", "1:", "2:", "01:"]) + str(rnd.randrange(12)) + text("001239abz.+~", 7)
    return v + (rnd.choice(["", "-"]) and "-" + text("0129az.+~", 5))


n = 0
for a, b in pairs("001239abz.+~-", 400, debian) if shutil.which("dpkg") else []:
    if not a[0].isdigit() or not b[:1].isdigit():
        continue
    for op, want in (("lt", -1), ("eq", 0), ("gt", 1)):
        r = subprocess.run(["dpkg", "--compare-versions", a, op, b], stderr=subprocess.PIPE)
        if r.returncode == 0 and not r.stderr:
            check("deb", a, b, want)
            n += 1
            break
print("dpkg: %d pairs" % n)


def evr(v):
    epoch, release = None, None
    head, colon, rest = v.partition(":")
    if colon and not head.strip("0123456789"):
        epoch, v = head or "0", rest
    if "-" in v:
        v, release = v.rsplit("-", 1)
    return epoch, v, release


n = 0
try:
    import rpm
except ImportError:
    rpm = None
for a, b in pairs("0011239abcfc.._~^-+:z", 5000, lambda: text("0011239abcfc.._~^-+:z", 12)) if rpm else []:
    try:
        check("rpm", a, b, sign(rpm.labelCompare(evr(a), evr(b))))
        n += 1
    except ValueError:  # no version
        pass
print("rpm: %d pairs" % n)
n = 0
alpm = None
for so in range(11, 18):
    try:
        alpm = alpm or ctypes.CDLL("libalpm.so.%d" % so)
    except OSError:
        pass
if alpm:
    alpm.alpm_pkg_vercmp.argtypes = [ctypes.c_char_p] * 2
for a, b in pairs("0011239abcfc.._~+-:rz", 5000, lambda: text("0011239abcfc.._~+-:rz", 12)) if alpm else []:
    if all(":" not in v or v.split(":")[0].isdigit() for v in (a, b)):
        check("pacman", a, b, sign(alpm.alpm_pkg_vercmp(a.encode(), b.encode())))
        n += 1
print("pacman: %d pairs" % n)
sys.exit(bad > 0)
X
ok
echo "$passed checks"
