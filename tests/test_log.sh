#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What a guest has logged: journals against journalctl, with every filter, and classic files by what RFC 3164 says of
# their lines.
set -euo pipefail

cd "$(dirname "$0")/.."
# shellcheck source=tests/manual-guest.sh
. tests/manual-guest.sh
need mke2fs debugfs python3 gzip
# shellcheck source=tests/expect.sh
. tests/expect.sh

# --- classic files: three years, a rotation that is compressed, zones, lines that are none
mkdir -p classic/{bin,usr/lib,boot,etc,var/log}
echo /dev/sda / ext4 defaults 0 1 >classic/etc/fstab
printf 'ID=debian\nVERSION_ID=12\n' >classic/etc/os-release
cat >syslog.2 <<'X'
Nov  3 10:00:00 www cron[12]: one
Dec 31 23:59:59 www kernel: [  1.5] two
Jan  1 00:00:01 www sshd[77]: three
X
gzip -c syslog.2 >classic/var/log/syslog.2.gz
gzip -c /dev/null >>classic/var/log/syslog.2.gz
cat >classic/var/log/syslog.1 <<'X'
Feb 28 23:00:00 www a: four
Dec 31 23:59:59 www last message repeated 2 times
Jan  1 00:00:00 www b[1]: five
Dec 31 23:59:58 www late: six
X
printf '2024-05-06T09:08:09.123456+02:00 www app[5]: seven\n\033[31mno time\377\n2024-05-06T07:08:10Z www ap\033p: eight' >classic/var/log/syslog
printf 'May  6 07:08:09 www login: nine\n' >classic/var/log/auth.log
printf 'LZIP\001xxx' >classic/var/log/syslog.9.lz
printf '<34>1 2022-10-11T22:14:15.003Z www su 9 ID47 [a@1 b="c"] zero\n' | xz >classic/var/log/syslog.8.xz
touch -d '2023-01-02' classic/var/log/syslog.2.gz
touch -d '2024-01-02' classic/var/log/syslog.1
touch -d '2024-05-06 10:00' classic/var/log/{syslog,auth.log}
truncate -s 8M classic.img
mke2fs -q -F -t ext4 -d classic classic.img
expect 3 "$V" log classic.img
has err "/var/log/syslog.9.lz: compressed by lzip, which is not read"
diff -u - out <<'X' || die "classic lines"
2022-10-11 22:14:15 www su[9]: zero
2022-11-03 10:00:00 www cron[12]: one
2022-12-31 23:59:59 www kernel: [  1.5] two
2023-01-01 00:00:01 www sshd[77]: three
2023-02-28 23:00:00 www a: four
2023-12-31 23:59:59 www last message repeated 2 times
2024-01-01 00:00:00 www b[1]: five
2023-12-31 23:59:58 www late: six
2024-05-06 07:08:09 www login: nine
2024-05-06 07:08:09 www app[5]: seven
\x1B[31mno time\xFF
2024-05-06 07:08:10 www ap\x1Bp: eight
X
ok
expect 3 "$V" log -n 2 classic.img
diff -u - out <<'X' || die "the last two"
\x1B[31mno time\xFF
2024-05-06 07:08:10 www ap\x1Bp: eight
X
expect 3 "$V" log -k classic.img
[ "$(cat out)" = '2022-12-31 23:59:59 www kernel: [  1.5] two' ] || die "-k: $(cat out)"
expect 0 "$V" log -t sshd --file /var/log/syslog.2.gz classic.img
has out three
[ "$(wc -l <out)" = 1 ] || die "-t: $(cat out)"
expect 3 "$V" log -p crit classic.img
[ "$(cat out)" = '2022-10-11 22:14:15 www su[9]: zero' ] || die "-p: $(cat out)"
has err "/var/log/syslog: -p: 3 lines do not say their priority: left out"
# The zone of the caller, in and out.
TZ=Europe/Rome expect 3 "$V" log --since '2022-10-12 00:14:15' --until '2022-10-12 00:14:16' classic.img
[ "$(cat out)" = '2022-10-12 00:14:15 www su[9]: zero' ] || die "TZ: $(cat out)"
expect 3 "$V" log --since 2023-01-01T00:00:01Z --until '2023-12-31 23:59:58' classic.img
[ "$(wc -l <out)" = 3 ] || die "--since: $(cat out)"
expect 3 "$V" log --json classic.img
python3 - <<'X' || die "JSON"
import json
lines = [json.loads(l) for l in open("out", encoding="utf-8")]
assert len(lines) == 12, len(lines)
assert lines[0] == {"time": "2022-10-11T22:14:15.003000000Z", "path": "/var/log/syslog.8.xz", "host": "www", "ident": "su",
                    "pid": 9, "priority": 2, "facility": 4, "msgid": "ID47", "structured_data": '[a@1 b="c"]',
                    "message": "zero"}, lines[0]
assert lines[9] == {"time": "2024-05-06T07:08:09.123456000Z", "path": "/var/log/syslog", "host": "www", "ident": "app",
                    "pid": 5, "message": "seven"}, lines[9]
assert lines[10] == {"path": "/var/log/syslog", "message": "\x1b[31mno time\ufffd", "message_hex": b"\x1b[31mno time\xff".hex()}
X
ok
expect 1 "$V" log -u ssh classic.img
has err "classic log files do not say that"
for bad in '-n x' '-p 9' '-p err..x' '--since yesterday' '--since 2024-13-01' '-o xml'; do
	# shellcheck disable=SC2086
	expect 2 "$V" log $bad classic.img
done
head -c 60 classic/var/log/syslog.2.gz >cut.gz
printf 'write cut.gz cut.gz\nwrite classic/etc/fstab none\n' >cmd
{
	printf 'junk\0\n'
	noise 1 100000
} >noise
printf 'write noise noise\n' >>cmd
debugfs -w -f cmd classic.img >/dev/null 2>&1
expect 3 "$V" log --file /cut.gz classic.img
has err "/cut.gz: gzip: "
# What is named as a journal and is none is a damaged journal, not lines.
printf 'write /dev/null x\nwrite zeros.journal zeros.journal\n' >cmd
head -c 8192 /dev/zero >zeros.journal
sed -i 1d cmd
debugfs -w -f cmd classic.img >/dev/null 2>&1
expect 3 "$V" log --file /zeros.journal classic.img
has err "/zeros.journal: no journal: its signature is missing"
[ ! -s out ] || die "zeros are lines"
expect 0 "$V" log --file /noise classic.img
! grep -qP '[\x00-\x08\x0b-\x1f\x7f]' out || die "control characters"

# --- journals
command -v journalctl >/dev/null && [ -x /lib/systemd/systemd-journal-remote ] || {
	echo "$passed checks; journals are not: no journalctl, or no systemd-journal-remote"
	exit 0
}
mkdir -p guest/{bin,usr/lib,boot,etc,var/log/journal/0123456789abcdef0123456789abcdef}
cp classic/etc/* guest/etc
python3 - <<'X'
import random, struct
random.seed(5)
boots = [b"%032x" % (b + 1) for b in range(4)]
for f in range(3):
    with open("in.%d" % f, "wb") as out:
        for i in range(f, 3000, 3):
            boot = i // 750
            out.write(b"__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n_HOSTNAME=www\n"
                      % (1714979289000000 + i * 1000003, 1000 + (i - boot * 750) * 1000003, boots[boot]))
            kernel = i % 7 == 0
            out.write(b"_TRANSPORT=%s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=%s\n"
                      % (b"kernel" if kernel else b"stdout", i % 8, b"kernel" if kernel else b"id%d" % (i % 5)))
            if not kernel:
                out.write(b"_PID=%d\n_UID=%d\n" % (1 if i % 11 == 0 else i, i % 2))
                if i % 11 == 0:
                    out.write(b"UNIT=u%d.service\n" % (i % 3))
                else:
                    out.write(b"_SYSTEMD_UNIT=u%d.service\n_SYSTEMD_SLICE=s%d.slice\n" % (i % 3, i % 2))
                if i % 13 == 0:
                    out.write(b"OBJECT_SYSTEMD_UNIT=u%d.service\n" % (i % 2))
                if i % 17 == 0:
                    out.write(b"COREDUMP_UNIT=u0.service\nMESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1\n")
            data = b"line %d\nand \xc3\xa9" % i + (b"\xff\0" if i % 10 == 0 else b"") + (b" long" * 300 if i % 40 == 0 else b"")
            out.write(b"MESSAGE\n" + struct.pack("<Q", len(data)) + data + b"\n")
            if i % 9 == 0:
                out.write(b"TWICE=a\nTWICE=b%d\n" % i)
            out.write(b"\n")
X
journals=guest/var/log/journal/0123456789abcdef0123456789abcdef
for f in 0 1 2; do
	SYSTEMD_JOURNAL_COMPACT=$((f % 2)) /lib/systemd/systemd-journal-remote --split-mode=none --compress=yes \
		-o $journals/file$f.journal in.$f >/dev/null 2>&1
	"$top"/tests/shrink-journal.py $journals/file$f.journal
done
truncate -s 32M guest.img
mke2fs -q -F -t ext4 -d guest guest.img
cat >compare.py <<'X'
import json, sys

theirs = [json.loads(l) for l in open("theirs", "rb")]
ours = [json.loads(l) for l in open("out", "rb")]
assert len(theirs) == len(ours), "%d entries, journalctl has %d" % (len(ours), len(theirs))
skip = ("__CURSOR", "__REALTIME_TIMESTAMP", "__MONOTONIC_TIMESTAMP")


def theirs_bytes(v):
    if isinstance(v, list) and v and all(isinstance(x, int) for x in v):
        return [bytes(v)]
    return [theirs_bytes(x)[0] for x in v] if isinstance(v, list) else [v.encode()]


def ours_bytes(o, k):
    v = o.get(k + "_hex")
    if v is not None:
        return [bytes.fromhex(x) for x in (v if isinstance(v, list) else [v])]
    v = o[k]
    return [x.encode() for x in (v if isinstance(v, list) else [v])]


for t, o in zip(theirs, ours):
    us = int(t["__REALTIME_TIMESTAMP"])
    assert o["time"].endswith(".%06d000Z" % (us % 1000000)), (t, o)
    assert o["monotonic_us"] == int(t["__MONOTONIC_TIMESTAMP"]) and o["boot_id"] == t["_BOOT_ID"]
    f = o["fields"]
    f.setdefault("_BOOT_ID", o["boot_id"])
    names = {k for k in t if k not in skip}
    assert names == {k for k in f if not k.endswith("_hex")}, (names, f)
    for k in names:
        assert sorted(theirs_bytes(t[k])) == sorted(ours_bytes(f, k)), (k, t[k], f[k])
X
total=0
# same OURS… -- THEIRS…
from=(-D "$journals")
same()
{
	local ours=()
	while [ "$1" != -- ]; do
		ours+=("$1")
		shift
	done
	shift
	expect 0 "$V" log --json "${ours[@]}" guest.img
	journalctl -q "${from[@]}" -o json -a "$@" >theirs 2>/dev/null || true
	python3 compare.py 2>err || die "log ${ours[*]}"
	total=$((total + $(wc -l <out)))
	ok
}
same --
[ "$(wc -l <out)" = 3000 ] || die "$(wc -l <out) entries"
same -n 100 -- -n 100
same -u u1 -- -u u1
same -u u0.service -u s1.slice -- -u u0.service -u s1.slice
same -t id1 -t kernel -- -t id1 -t kernel
same -p err -- -p err
same -p warning..info -- -p warning..info
same -p 7 -- -p 7
same -b 0 -- -b 0
same -b -2 -- -b -2
same -b 1 -- -b 1
same -b 00000000000000000000000000000003 -n 7 -- -b 00000000000000000000000000000003 -n 7
same -k -b -1 -- -k -b -1
same --since '2024-05-06 07:30:00' --until '2024-05-06T07:40:00Z' -- --since '2024-05-06 07:30:00' --until '2024-05-06 07:40:00'
same -u u2 -p notice -n 20 -- -u u2 -p notice -n 20
from=(--file "$journals/file1.journal")
same --file "/${journals#guest/}/file1.journal" --
expect 0 "$V" log --list-boots guest.img
[ "$(wc -l <out)" = 4 ] || die "boots"
has out '  -3 00000000000000000000000000000001 2024-05-06 07:08:09 to 2024-05-06 07:20:38'
expect 1 "$V" log -b -4 guest.img
has err "the journals have 4 boots"
expect 0 "$V" log -n 1 guest.img
diff -u - out <<'X' || die "short"
2024-05-06 07:58:08 www id4[2999]: line 2999
    and é
X
cp $journals/file0.journal guest/var/log/journal/again.journal # the same entries in two files are told once
printf 'write %s /var/log/journal/again.journal\n' guest/var/log/journal/again.journal >cmd
debugfs -w -f cmd guest.img >/dev/null 2>&1
expect 0 "$V" log --json guest.img
[ "$(wc -l <out)" = 3000 ] || die "$(wc -l <out) entries with a copy"
truncate -s 100000 guest/var/log/journal/again.journal
printf 'rm /var/log/journal/again.journal\nwrite %s /var/log/journal/again.journal\n' guest/var/log/journal/again.journal >cmd
debugfs -w -f cmd guest.img >/dev/null 2>&1
expect 3 "$V" log --json guest.img
[ "$(wc -l <out)" = 3000 ] || die "$(wc -l <out) entries with one that is cut"
has err "its header says"
echo "$passed checks, $total entries as journalctl has them"
