#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Journals of ext3 and ext4 that wait to be replayed. What is read must be what e2fsck makes of a copy, and what the
# kernel shows of one; the image itself stays as it is. Journals are written with debugfs (each checksum format, block
# numbers of 32 and 64 bits, revokes, escaped blocks, transactions without a commit), and by the kernel, as root: copies
# of a mounted filesystem's file while something writes to it. VTR_SLOW=1 takes 36 such copies, and 36 of one that makes
# fast commits, of which at least 30 must be compared.
set -euo pipefail

V=$(realpath "${VTR_COMMAND:-build/release/vitrine}")
HERE=$(realpath "$(dirname "$0")")
# shellcheck source=tests/environment.sh
. "$(dirname "$0")/environment.sh"
for tool in mke2fs debugfs e2fsck dumpe2fs python3; do
	command -v "$tool" >/dev/null || { echo "skip: no $tool"; exit 77; }
done
T=$(mktemp -d)
cd "$T"
passed=0
worker='' loop=''
# Also where a test fails partway: what writes is ended before what it writes to is unmounted.
cleanup() {
	cd /
	if [ -n "$worker" ]; then
		kill "$worker" 2>/dev/null || true
		wait "$worker" 2>/dev/null || true
	fi
	for m in dropped copy run host; do
		umount -q "$T/$m" 2>/dev/null || { ! mountpoint -q "$T/$m" || umount -l "$T/$m"; }
		[ $m != copy ] || [ -z "$loop" ] || losetup -d "$loop" 2>/dev/null || true
	done
	rm -rf "$T"
}
trap cleanup EXIT
die() { echo "FAILED: $*" >&2; exit 1; }
expect() { # WHAT GOT WANT
	[ "$2" = "$3" ] || die "$1: got \"$2\", expected \"$3\""
	passed=$((passed + 1))
}

block() { # CHAR: a block of it
	head -c 1024 /dev/zero | tr '\0' "$1"
}
# Read /file from IMAGE as letters, a run of equal ones as one.
letters() {
	{ "$V" cat "${@:2}" "$1" /file 2>err || [ $? = 3 ]; } | tr -s 'A-Za-z' | tr -dc 'A-Za-z'
}
# What e2fsck's own replay makes of a copy.
checked() {
	cp "$1" fsck.img
	e2fsck -fy fsck.img >fsck.log 2>&1 || [ $? -lt 4 ] || { cat fsck.log >&2; die "e2fsck gives up"; }
	debugfs -R 'cat /file' fsck.img 2>/dev/null | tr -s 'A-Za-z' | tr -dc 'A-Za-z'
}

for features in '^64bit,^metadata_csum' '64bit,^metadata_csum' '64bit,metadata_csum'; do
	rm -f base.img
	truncate -s 8M base.img
	mke2fs -q -F -t ext4 -b 1024 -O "$features" base.img
	block A >a; block A >>a; block A >>a
	debugfs -w -R 'write a file' base.img >/dev/null 2>&1
	read -r b1 b2 b3 <<<"$(debugfs -R 'blocks file' base.img 2>/dev/null)"
	[ "$((b3 - b1))" = 2 ] || die "the file is not in one piece: $b1 $b2 $b3"
	block B >bb; block C >cc; block D >ddd
	printf '\300\073\071\230' >magic; block E | tail -c +5 >>magic
	cat bb cc >bbcc
	for sums in '' '-c' '-c -v 2' '-c -v 3'; do
		name="$features $sums"
		# Two blocks, one of them written twice; then a transaction that was not committed.
		cp base.img j.img
		debugfs -w j.img >/dev/null 2>&1 <<X
journal_open $sums
journal_write -b $b1,$b2 bbcc
journal_write -b $b1 ddd
journal_write -c -b $b3 ddd
journal_close
X
		sha256sum j.img >before
		expect "$name: two transactions" "$(letters j.img)" "$(checked j.img)"
		expect "$name: which are these" "$(letters j.img)" DCA
		expect "$name: as it lies" "$(letters j.img --no-replay)" A
		sha256sum -c --quiet before || die "$name: the image changed"

		# A block that is revoked is not put back; a later write counts again. A block that looks like the journal's own.
		cp base.img j.img
		debugfs -w j.img >/dev/null 2>&1 <<X
journal_open $sums
journal_write -b $b1,$b2 bbcc
journal_write -r $b1,$b2
journal_write -b $b2 ddd
journal_write -b $b3 magic
journal_close
X
		expect "$name: revokes" "$(letters j.img)" "$(checked j.img)"
		expect "$name: escapes" "$("$V" cat j.img /file 2>err | sha256sum)" "$(debugfs -R 'cat /file' fsck.img 2>/dev/null | sha256sum)"
		# debugfs 1.47 writes checksums for revoke blocks that e2fsck does not accept but with metadata_csum and version 3.
		case $name in
		'64bit,metadata_csum'*'-v 3' | *' ') expect "$name: which are these" "$(letters j.img)" ADE ;;
		esac

		# A damaged block in the log: what came before counts, and with checksums it is told.
		cp base.img j.img
		debugfs -w j.img >/dev/null 2>&1 <<X
journal_open $sums
journal_write -b $b1 bb
journal_write -b $b2 cc
journal_close
X
		python3 - j.img <<'X'
import sys
p = sys.argv[1]
d = bytearray(open(p, 'rb').read())
at = d.rfind(b'C' * 1024)
d[at + 500] ^= 0x20
open(p, 'wb').write(d)
X
		got=0
		"$V" cat j.img /file >out 2>err || got=$?
		case $sums in
		'') expect "$name: damage that nothing tells" $got 0 ;;
		*)
			expect "$name: damage is told" $got 3
			grep -q 'checksum' err || die "$name: $(cat err)"
			expect "$name: the damaged block stays out" "$(tr -s 'A-Za-z' <out | tr -dc 'A-Za-z')" BA
			;;
		esac
	done
done

# A journal with transactions, and a superblock that says none waits: Linux drops them, e2fsck -y replays them.
cp base.img j.img
debugfs -w j.img >/dev/null 2>&1 <<X
journal_open
journal_write -b $b1 bb
journal_close
X
expect "it waits" "$(letters j.img)" BA
debugfs -w -R 'feature ^needs_recovery' j.img >/dev/null 2>&1
got=0
"$V" cat j.img /file >out 2>err || got=$?
expect "a journal that is dropped: status" $got 3
grep -q 'its journal has transactions, and the superblock says that none waits' err || die "nothing is said: $(cat err)"
expect "a journal that is dropped" "$(tr -s 'A-Za-z' <out | tr -dc 'A-Za-z')" A
if real_root && losetup -f >/dev/null 2>&1 && grep -qw ext4 /proc/filesystems; then
	mkdir dropped
	if mount -o loop j.img dropped 2>/dev/null; then
		expect "as Linux does" "$(tr -s 'A-Za-z' <dropped/file | tr -dc 'A-Za-z')" A
		umount dropped
	fi
fi

# A journal on another device that is not there.
rm -f ext.img jdev.img
truncate -s 8M ext.img
truncate -s 2M jdev.img
mke2fs -q -F -b 1024 -O journal_dev jdev.img
mke2fs -q -F -t ext4 -b 1024 ext.img
tune2fs -O ^has_journal ext.img >/dev/null 2>&1
debugfs -w -R "ssv journal_uuid 12345678-1234-1234-1234-123456789abc" ext.img 2>/dev/null
debugfs -w -R "feature has_journal needs_recovery" ext.img >/dev/null 2>&1
debugfs -w -R "ssv journal_inum 0" ext.img 2>/dev/null
got=0
"$V" ls ext.img / >out 2>err || got=$?
expect "an external journal is refused" $got 3
grep -q '12345678-1234-1234-1234-123456789abc' err || die "its UUID is not named: $(cat err)"
debugfs -w -R "feature ^needs_recovery" ext.img >/dev/null 2>&1
block A >a
block A >>a
debugfs -w -R 'write a file' ext.img >/dev/null 2>&1
read -r b1 b2 <<<"$(debugfs -R 'blocks file' ext.img 2>/dev/null)"
uuid=$(dumpe2fs -h jdev.img 2>/dev/null | sed -n 's/^Filesystem UUID: *//p')
debugfs -w -R "ssv journal_uuid $uuid" ext.img 2>/dev/null
debugfs -w -R "ssv journal_dev 0x801" ext.img 2>/dev/null
block D >ddd
debugfs -w ext.img >/dev/null 2>&1 <<X
journal_open -f jdev.img
journal_write -b $b2 ddd
journal_close
X
cp jdev.img fsckj.img
cp ext.img fsck.img
e2fsck -fy -j fsckj.img fsck.img >fsck.log 2>&1 || [ $? -lt 4 ] || die "e2fsck: $(cat fsck.log)"
expect "e2fsck takes the journal from its device" \
	"$(debugfs -R 'cat /file' fsck.img 2>/dev/null | tr -s 'A-Za-z' | tr -dc 'A-Za-z')" AD
expect "and so do we, where it is there" "$("$V" cat -a ext.img -a jdev.img /file | tr -s 'A-Za-z' | tr -dc 'A-Za-z')" AD
got=0
"$V" ls -d sda jdev.img / >out 2>err || got=$?
expect "a journal device is no filesystem" $got 1
grep -q 'jbd: recognised, and not read' err || die "it is not named: $(cat err)"

# --- journals of other people's volumes: contents as after e2fsck, but for what e2fsck moves
if [ -n "${VITRINE_CORPUS:-}" ]; then
	for file in "$VITRINE_CORPUS"/ext/e2fsprogs-j_* "$VITRINE_CORPUS"/ext/e2fsprogs-f_journal-*; do
		case $file in
		*.gz) gzip -dc "$file" >j.img ;;
		*.bz2) bzip2 -dc "$file" >j.img ;;
		*) xz -dc "$file" >j.img ;;
		esac
		dumpe2fs -h j.img 2>/dev/null | grep -q 'needs_recovery' || continue
		cp j.img fsck.img
		e2fsck -fy fsck.img >fsck.log 2>&1 || [ $? -lt 4 ] || continue
		rm -rf tree
		mkdir tree
		debugfs -R 'rdump / tree' fsck.img >/dev/null 2>&1
		want=$(cd tree && find . -type f ! -path './lost+found/*' -exec sha256sum {} + | LC_ALL=C sort -k2)
		have=$({ "$V" hash -R j.img / 2>err || [ $? = 3 ]; } | sed 's|  /|  ./|' | sed '/  .\/journal$/d' | LC_ALL=C sort -k2)
		expect "$(basename "$file")" "$have" "$want"
	done
fi

# --- the kernel's own journals
if ! real_root || ! losetup -f >/dev/null 2>&1 || ! grep -qw ext4 /proc/filesystems; then
	echo "no root or no loop devices: copies of a mounted filesystem are skipped"
	echo "$passed passed, 0 failed, 1 skipped"
	exit 0
fi
copies=4
[ -z "${VTR_SLOW:-}" ] || copies=12
mkdir run copy host
# Copies that share blocks with the original are made in an instant, as a snapshot is; XFS has them.
clone=(cp --sparse=always)
if command -v mkfs.xfs >/dev/null && grep -qw xfs /proc/filesystems; then
	truncate -s 1G host.img
	if mkfs.xfs -q -m reflink=1 host.img && mount -o loop host.img host 2>/dev/null; then
		clone=(cp --reflink=always)
	fi
fi
work() { # keep a filesystem busy: every kind of change, and some commits
	local i=0
	while [ -e busy ]; do
		i=$((i + 1))
		local d=run/d$((i % 7))
		mkdir -p $d
		head -c $((RANDOM * 3)) /dev/urandom >$d/f$((i % 50))
		ln -sf x$i $d/l$((i % 20))
		ln -f $d/f$((i % 50)) $d/h$((i % 30))
		rm -f $d/f$((i % 13))
		mv $d/l$((i % 20)) run/m$((i % 9))
		[ $((i % 11)) != 0 ] || rm -rf run/d$(((i + 3) % 7))
		[ $((i % 5)) != 0 ] || sync -f run
	done
}
for options in '-t ext4' '-t ext3' '-t ext4 -b 1024 -O 64bit,bigalloc'; do
	rm -f host/live.img
	truncate -s 32M host/live.img
	# shellcheck disable=SC2086 # words are wanted
	mke2fs -q -F $options host/live.img >/dev/null 2>&1
	mount -o loop,commit=1 host/live.img run
	touch busy
	work >/dev/null 2>&1 &
	worker=$!
	for i in $(seq $copies); do
		sleep 0.$((RANDOM % 4 + 1))
		"${clone[@]}" host/live.img host/snap.img
		"${clone[@]}" host/snap.img host/mounted.img
		loop=$(losetup -f --show host/mounted.img)
		if mount -o ro "$loop" copy 2>/dev/null; then
			python3 "$HERE/compare-tree.py" "$V" host/snap.img copy >differences 2>&1 || {
				cat differences >&2
				die "$options, copy $i is not what the kernel makes of it"
			}
			passed=$((passed + 1))
			umount copy
		fi
		losetup -d "$loop"
		loop=''
	done
	rm busy
	wait $worker || true
	worker=''
	umount run
done

# Fast commits: no whole transaction is written but where Linux must. It refuses a copy whose area of fast commits is
# full to the last block (its reader goes on to the block after it); such copies do not count. On a mount that is
# read-only it cannot replay names.

# Directories that come after others with the same inode: the kernel leaves out those whose inode kept its block.
mkdir_after() { # PYTHON: what changes after the last whole transaction
	rm -f host/live.img
	truncate -s 64M host/live.img
	mke2fs -q -F -t ext4 -O fast_commit -b 1024 host/live.img >/dev/null 2>&1 || return 0
	mount -o loop,commit=300 host/live.img run || return 0
	mkdir run/old
	echo one >run/first
	sync -f run
	echo two >run/second
	sync -f run
	(cd run && python3 -c "
import os
def w(path):
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    os.write(fd, b'in')
    os.fsync(fd)
    os.close(fd)
$1
w('end')
")
	"${clone[@]}" host/live.img host/snap.img
	umount run
	"${clone[@]}" host/snap.img host/mounted.img
	loop=$(losetup -f --show host/mounted.img)
	if mount "$loop" copy 2>/dev/null; then
		python3 "$HERE/compare-tree.py" "$V" host/snap.img copy --fast-commits >differences 2>said || {
			cat differences said >&2
			die "$1: not what the kernel makes of it"
		}
		passed=$((passed + 1))
		[ -e copy/d2 ] || grep -q 'the blocks of an older one' said || die "$1: nothing is said"
		umount copy
	fi
	losetup -d "$loop"
	loop=''
}
mkdir_after "os.mkdir('d1'); w('d1/in'); os.unlink('d1/in'); os.rmdir('d1'); os.mkdir('d2'); w('d2/in')"
mkdir_after "os.mkdir('d1'); w('first'); os.rmdir('d1'); os.mkdir('d2'); w('d2/in')"
mkdir_after "os.rmdir('old'); os.mkdir('d2'); w('d2/in')"
mkdir_after "os.mkdir('d1'); os.rmdir('d1'); os.mkdir('d2'); w('d2/in')"
mkdir_after "os.unlink('first'); os.mkdir('d2'); w('d2/in')"

kept=$passed
for options in '-b 1024' '-b 1024 -I 256 -O inline_data' '-b 4096'; do
	rm -f host/live.img
	truncate -s 64M host/live.img
	# shellcheck disable=SC2086 # words are wanted
	mke2fs -q -F -t ext4 -O fast_commit $options host/live.img >/dev/null 2>&1 || break
	mount -o loop,commit=300 host/live.img run || break
	rm -f stop
	python3 "$HERE/fsync-work.py" run $RANDOM stop >/dev/null 2>&1 &
	worker=$!
	for i in $(seq $copies); do
		sleep 0.$((RANDOM % 8 + 1))
		"${clone[@]}" host/live.img host/snap.img
		"${clone[@]}" host/snap.img host/mounted.img
		loop=$(losetup -f --show host/mounted.img)
		if mount "$loop" copy 2>/dev/null; then
			python3 "$HERE/compare-tree.py" "$V" host/snap.img copy --fast-commits >differences 2>&1 || {
				cat differences >&2
				die "fast commits, $options, copy $i is not what the kernel makes of it"
			}
			passed=$((passed + 1))
			umount copy
		fi
		losetup -d "$loop"
		loop=''
	done
	touch stop
	wait $worker || true
	worker=''
	umount run
done
least=$copies
[ -z "${VTR_SLOW:-}" ] || least=30
[ ! -e /sys/fs/ext4/features/fast_commit ] || [ $((passed - kept)) -ge $least ] ||
	die "only $((passed - kept)) copies of fast commits were mounted"
echo "$passed passed, 0 failed"
