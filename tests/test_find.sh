#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vitrine find against GNU find: the same expressions, the same bytes. As root the truth is the kernel's mount of the same
# image, else the tree that the image was made of.
set -euo pipefail

V=$(realpath "${VTR_COMMAND:-build/release/vitrine}")
# shellcheck source=tests/environment.sh
. "$(dirname "$0")/environment.sh"
for tool in mke2fs debugfs find python3; do
	command -v "$tool" >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
find --version 2>/dev/null | grep -q GNU || { echo "skipped: find is not GNU find"; exit 77; }
T=$(mktemp -d)
mounted=
trap '[ -z "$mounted" ] || umount "$T/truth"; rm -rf "$T"' EXIT
cd "$T"
die() { echo "FAILED: $*" >&2; exit 1; }

mkdir -p src/{etc/sub,usr/share/Doc,var/log,empty,a/b/c/d/e/f,names} truth
cat >src/etc/passwd <<'X'
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1::/:/bin/false
www:x:4242:4343::/:/bin/false
X
printf 'root:x:0:\ndaemon:x:1:\nweb:x:4343:www\n' >src/etc/group
for n in 0 1 2 511 512 513 1023 1024 1025 4096 70000 1048576 1048577 3000000; do head -c $n /dev/zero | tr '\0' x >src/var/log/s$n; done
truncate -s 90M src/var/log/hole
n=0
for mode in 0000 0400 0644 0755 0777 4755 2755 1777 6711 0640 0111 0222 0444; do
	echo $n >src/etc/sub/m$mode
	chmod $mode src/etc/sub/m$mode
	n=$((n + 1))
done
# shellcheck disable=SC1083 # braces over two lines
touch src/names/{README,readme.TXT,Readme.md,.hidden,'with space','*star','back\slash',-dash,ümlaut,ÜMLAUT,'new
line',$'tab\there',$'bad\377utf8','[set]',x.tar.gz,'dq"'} src/empty.file
ln src/etc/passwd src/etc/hard
ln src/etc/passwd src/usr/share/hard2
ln -s passwd src/etc/link
ln -s /absolute/target src/abs
ln -s nowhere src/broken
ln -s ../etc src/usr/etc
ln -s loop src/loop
mkfifo src/var/pipe
for age in 0 1 2 3 30 59 60 61 1439 1440 1441 2880 2881 10080 43200 525600; do
	touch -d "$age minutes ago 10 seconds ago" src/a/age$age
done
touch -d '1969-12-31 23:59:58 UTC' src/a/before
touch -d '2035-01-02 03:04:05.5 UTC' src/a/later
touch -d '2020-02-29 12:00:00 UTC' src/a/leap
touch -d '2020-03-01 12:00:00.000000001 UTC' src/a/b/march

truncate -s 64M img
if real_root && mke2fs -q -F -t ext4 img && mount -o loop img truth 2>/dev/null; then
	cp -a src/. truth/
	mknod truth/null c 1 3
	mknod truth/disk b 8 17
	chown daemon:daemon truth/var truth/var/log/s5*
	touch -d '1969-12-31 23:59:58.25 UTC' truth/names/.hidden
	chown 70000:0 truth/a/leap
	chown -h 1:1 truth/abs
	umount truth
	mount -o loop,ro img truth
	mounted=1
	cat >./more <<'X'
-ls
-user daemon
-group daemon
-user 70000
! -user root
-nouser
-nogroup
-type b -o -type c
-inum +20
-inum -14
-printf %i_%b_%k_%u_%g_%n_%p\n
( -newermt @0 -printf %A@_%C@_%T@\n )
-newerct 2001-01-01
-size +1 -ls
X
else
	chmod u+r src/etc/sub/* # for mke2fs
	find src -depth -print0 | while IFS= read -r -d '' p; do touch -h -d "@$(stat -c %Y -- "$p")" -- "$p"; done
	mke2fs -q -F -t ext4 -b 4096 -E root_owner="$(id -u):$(id -g)" -d src img
	debugfs -w -R 'rmdir lost+found' img 2>/dev/null
	rmdir truth
	ln -s src truth
	: >./more
fi

# Times are of the caller's zone, with its summer.
export TZ=CET-1CEST,M3.5.0,M10.5.0/3
# What people write, one expression a line; paths are "." unless the line starts with @.
cat >expressions <<'X'

-print
-name README
-name readme*
-iname readme*
-iname ümlaut
-name ?mlaut
-name .*
-name *
-name *\\*
-name [*
-name \[set]
-name *[[:space:]]*
-name bad?utf8
-path ./etc/*
-path *b/c*
-wholename ./etc
-ipath ./ETC/*
! -path ./etc*
-regextype posix-extended -regex .*/m[0-9]+
-regextype posix-extended -regex \./(etc|usr)/[^/]*
-regextype posix-extended -regex etc
-regextype posix-extended -iregex .*README.*
-regextype posix-basic -regex .*/m[0-9]\{4\}
-type f
-type d
-type l
-type p
-type f,l
-type d,p,s
-size 0
-size 1
-size +1
-size -2
-size 512c
-size +1023c -size -1026c
-size 1k
-size +1k
-size -1M
-size 1M
-size 2M
-size +1M
-size +10M
-size 256w
-size 8b
-mtime 0
-mtime 1
-mtime -1
-mtime +1
-mtime -2
-mtime +6
-mtime 7
-mmin 1
-mmin -2
-mmin 60
-mmin +60
-mmin -1440
-mmin +1440
-mmin -61
-newer etc/passwd
-newer a/leap
! -newer a/leap
-newermt 2020-03-01
-newermt 2020-03-01T12:00:00
-newermt @0
! -newermt @0
-newermm a/b/march
-perm 644
-perm 0
-perm -644
-perm /222
-perm /000
-perm -111
-perm -4000
-perm /6000
-perm /7000
-perm u=rw,g=r,o=r
-perm -u+x
-perm /u=w,g=w
-perm /a+x
-perm -g=s
-perm a=rwx,+t
! -perm -o+r
-links 3
-links +1
-links -2 -type f
-samefile etc/hard
-samefile etc/link
-lname pass*
-lname */*
-ilname *TARGET
-empty
-empty -type d
! -empty -type f
-maxdepth 0
-maxdepth 1
-maxdepth 2 -type d
-mindepth 1
-mindepth 4
-mindepth 2 -maxdepth 3
-depth
-depth -mindepth 2
-name etc -prune
-name etc -prune -o -print
-path ./a/b -prune -o -type f -print
( -name etc -o -name a ) -prune -o -name *s* -print
-type d ! -name . -prune
-depth -name b -prune -o -print
-xdev
-mount -name s*
-true
-false
-not -type f
! ! -type f
! ( -type f -o -type d )
-type f -a -size +1 -a -perm 644
-type f -o -type d -name e*
-type f -and -name s* -or -name etc
-type d , -type f
-type d -print , -name s* -print
-name etc -print -print
-type f -false -o -name abs
( ( ( -name abs ) ) )
-print0
-name a* -print0
-name s* -ls
-type l -ls
-uid +100000
-gid -1
-printf %p\n
-printf [%P][%f][%h][%H]\n
-printf %s_%m_%#m_%04m_%M_%n\n
-printf %l_%y_%Y_%p\n
-printf %d:%03d:%5d:%-5d|%p\n
-printf %t\n
-newermt @0 -printf %T@_%p\n
-printf %TY-%Tm-%Td_%TH:%TM:%TS_%Tj_%Ta_%Tb_%p\n
-printf %T+_%TT_%TX_%TD_%p\n
-printf %20f|%-20f|%.3f|%10.2f|\n
-printf %p\0
-printf a\tb\\c\101\x\n%%\n
-printf %f\cnothing
-printf %y%%%s
-type f -printf F%f\n -o -type d -printf D%f\n
@etc var -name p*
@etc/ -maxdepth 1
@./etc//
@etc/passwd
@etc/link -ls
@a/b/c a -type d
@etc -printf %p|%P|%f|%h|%H|%d\n
@etc/ -printf %p|%P|%f|%h|%H|%d\n
@names -print
@var/log -size +2M -printf %f_%s\n
@empty -empty
X
cat more >>expressions

compared=0 failed=0
while IFS= read -r line; do
	# Inodes, sizes of directories and blocks are those of the filesystem, and so is the time of its root.
	case $mounted:$line in
	:*-ls* | :*%t* | :*%T* | :*%A@* | :*-newer*) continue ;;
	:*-size* | :*%s*) [ "$(stat -c %s src/empty)" = 4096 ] || continue ;;
	esac
	read -ra words <<<"$line"
	paths=(.)
	if [[ $line == @* ]]; then
		words[0]=${words[0]#@}
		paths=()
		while [ ${#words[@]} -gt 0 ] && [[ ${words[0]} != [-\(\!]* ]]; do
			paths+=("${words[0]}")
			words=("${words[@]:1}")
		done
	fi
	# Directories are read in another order by the kernel: what has no order is compared without.
	sorter=(sort)
	case $line in *print0* | *'\0'* | *cnothing* | *'%%%s'*) sorter=(sort -z) ;; esac
	# What find(1) says before and after is the same, else an age went past its minute meanwhile: once more.
	while :; do
		a=0 b=0
		(cd truth && find "${paths[@]}" "${words[@]}") >truth.out 2>truth.err || a=$?
		"$V" find img "${paths[@]}" "${words[@]}" >out 2>err || b=$?
		case $line in *min* | *time* | *newer*) ;; *) break ;; esac
		(cd truth && find "${paths[@]}" "${words[@]}") >truth.again 2>/dev/null || true
		! cmp -s truth.out truth.again || break
	done
	case $line in *'\0'* | *print0*) ;; *cnothing* | *'%%%s'*) for f in out truth.out; do fold -w 1 $f >folded; mv folded $f; done; sorter=(sort) ;; esac
	# Columns grow with what came before.
	case $line in *-ls*) for f in out truth.out; do tr -s ' ' <$f >squeezed; mv squeezed $f; done ;; esac
	"${sorter[@]}" -o truth.sorted truth.out
	"${sorter[@]}" -o sorted out
	compared=$((compared + 1))
	if ! cmp -s truth.sorted sorted || [ $a != $b ]; then
		failed=$((failed + 1))
		echo "FAILED: find ${paths[*]} ${words[*]}: status $b, of find(1) $a"
		cat err truth.err
		diff -a truth.sorted sorted | head -n 10 || true
	fi
done <expressions

# Each directory comes after what lies in it.
"$V" find img . -depth >out
python3 - <<'X' || die "-depth"
seen = set()
for line in open('out', 'rb').read().split(b'\n')[:-1]:
    assert not any(line.startswith(s + b'/') for s in seen), line
    seen.add(line)
X
# -quit ends the search.
[ "$("$V" find img . -maxdepth 1 -name etc -print -quit)" = ./etc ] || die "-quit"
[ "$("$V" find img a etc -print -quit)" = a ] || die "-quit of the second path"
# GNU find prints the fraction of times before 1970 as if it counted forward; the guest has names of its own.
if [ -n "$mounted" ]; then
	[ "$("$V" find img names/.hidden -printf %T@)" = -1.7500000000 ] || die "a time before 1970"
fi
[ -z "$("$V" find img / -user www)$("$V" find img / -group web)" ] || die "-user"
# Without a path, and with options.
[ "$("$V" find img -maxdepth 0)" = / ] || die "no path"
[ "$("$V" find -a img /etc -maxdepth 0)" = /etc ] || die "-a"
[ "$("$V" find img / -maxdepth 1 -name etc -printf '%p|%P|%f|%h|%H|%d\n')" = "/etc|etc|etc||/|1" ] || die "the root"
"$V" find --json img / -type l -name link >out
python3 -c 'import json; o = json.load(open("out")); assert o["path"] == "/etc/link" and o["target"] == "passwd"' || die "--json"
"$V" find --json img / >out
[ "$(wc -l <out)" = "$("$V" find img / -printf x | wc -c)" ] || die "--json has not one line for each"
usage() {
	local got=0
	"$V" find img "$@" >out 2>err </dev/null || got=$?
	[ $got = 2 ] || { cat err; die "status $got, expected 2: find $*"; }
}
usage -nosuch
usage -exec true ';'
usage -delete
usage -name
usage '('
usage '(' -name x
usage -name x ')'
usage !
usage -type q
usage -type f,
usage -size 1q
usage -size
usage -perm rwx
usage -perm 99
usage -mtime x
usage -newermt yesterday
usage -user nosuchuser
usage -regex '('
usage -printf %q
usage -printf %
usage -printf %T
usage -maxdepth x
usage -name a -o
usage -name a paths
got=0
"$V" find img /nosuch / -maxdepth 0 >out 2>err || got=$?
[ $got = 1 ] && [ "$(cat out)" = / ] || die "a path that is not there"
got=0
"$V" find --json img / -print0 >out 2>err || got=$?
[ $got = 2 ] || die "--json -print0"
# Bounded, whatever the expression.
python3 -c 'print("( " * 5000 + "-true" + " )" * 5000)' >deep
read -ra words <deep
usage "${words[@]}"
echo "$compared expressions compared, $failed differ"
[ $failed = 0 ]
