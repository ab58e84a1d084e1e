#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vitrine reg: hives by themselves and in a guest, what is asked of them, and what hivexregedit says of the same.
set -euo pipefail

cd "$(dirname "$0")/.."
# shellcheck source=tests/manual-guest.sh
. tests/manual-guest.sh
need python3 mke2fs qemu-img
# shellcheck source=tests/expect.sh
. tests/expect.sh

"$top/tests/mk-hive.py" hives .
"$top/tests/mk-hive.py" lost lost
"$top/tests/mk-hive.py" guest win
truncate -s 16M win.raw
mke2fs -q -F -t ext4 -d win win.raw
qemu-img convert -O qcow2 win.raw win.qcow2
find . -type f -print0 | xargs -0 sha256sum >"$dir.sums"
mv "$dir.sums" sums

# --- the command line
for args in "" "get" "none first" "first" "get first" "find first" "ls first a b" "export first a b" \
	"get --deleted first types" "ls --raw first" "export -R first" "find --raw first a b" \
	"export --deleted first" "export --log a --log a --log a --log a first"; do
	# shellcheck disable=SC2086
	expect 2 "$V" reg $args
	has err usage
done
expect 0 "$V" reg -h
has out 'get|ls|export|find'
expect 2 "$V" reg ls --log first win.raw HKLM
has err 'those of a guest are found'

# --- a value
expect 0 "$V" reg get first types sz
is text
expect 0 "$V" reg get first '\TYPES\' SZ
is text
expect 0 "$V" reg --json get first types multi
is '{"name":"multi","type":"REG_MULTI_SZ","value":["a","bc"],"hex":"610000006200630000000000"}'
expect 0 "$V" reg get first types ''
is 'the default'
expect 0 "$V" reg get first types multi
is $'a\nbc'
expect 0 "$V" reg get first types 'multi gaps'
[ "$(od -An -c out | tr -d ' \n')" = 'a\n\nb\n\n' ] || die "empty strings of a list"
expect 0 "$V" reg get first types expand
is '%SystemRoot%\x'
expect 0 "$V" reg get first types binary
is 000102030405060708090a0b0c0d0e0f10111213
expect 0 "$V" reg get first types dword
is 305419896
expect 0 "$V" reg get first types 'dword long'
is 0000000000000000
expect 0 "$V" reg get first types 'quote"\'
is '"\\n\x1B\u{202E}'
expect 0 "$V" reg get --raw first types sz
[ "$(od -An -tx1 out | tr -d ' \n')" = 74006500780074000000 ] || die "raw bytes"
expect 0 "$V" reg get --security first types
is 'O:SYG:SYD:(A;OICI;KA;;;SY)'
expect 0 "$V" reg get --json --security first types
grep -qE '"security_hex":"0100048014000000[0-9a-f]{128}"' out || die "security"
expect 1 "$V" reg get first types nothing
has err 'no value "nothing"'
expect 1 "$V" reg get first nothing
has err 'no key "nothing"'
expect 0 "$V" reg get first types
has out 'qword  REG_QWORD  9223372036854775813 (0x8000000000000005)'
has out '(default)  REG_SZ  "the default"'
has out 'type  0xffff0012  010203040506'
expect 3 "$V" reg get lost '' cut
is 313233343536373800000000
has err '100 bytes, the cell at'

# --- listing, finding
expect 0 "$V" reg ls first lists
[ "$(wc -l <out)" = 6 ] || die "six lists"
expect 0 "$V" reg ls -R first lists
[ "$(grep -c REG_DWORD out)" = 60 ] || die "sixty values"
has out '\lists\rilf\rilf09'
expect 0 "$V" reg ls --json first lists
[ "$(wc -l <out)" = 7 ] || die "a key and its subkeys"
expect 0 "$V" reg find --values first '' MULTI
[ "$(wc -l <out)" = 4 ] || die "four values"
expect 0 "$V" reg find --whole --values first '' MULTI
[ "$(wc -l <out)" = 1 ] || die "one value"
expect 1 "$V" reg find first '' 'not in it'
[ ! -s out ] || die "nothing"

# --- logs beside a file are opened when that is allowed
expect 0 "$V" reg get dirty a v
is 'state 1'
has err '--follow'
expect 0 "$V" reg get --follow dirty a v
is 'state 4'
[ ! -s err ] || die "nothing to warn of"
expect 0 "$V" reg get --allow-dir . dirty a v
is 'state 4'
expect 0 "$V" reg get --log dirty.LOG1 dirty a v
is 'state 3'
expect 0 "$V" reg get --follow --no-replay dirty a v
is 'state 1'
expect 0 "$V" reg get --follow old a v
is 'state 2'
expect 1 "$V" reg ls dirty.LOG1
has err 'a transaction log'

# --- a guest
for image in win.raw win.qcow2; do
	expect 0 "$V" reg get "$image" 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion' ProductName
	is 'Windows 10 Pro'
	expect 0 "$V" reg get "$image" 'HKLM\SYSTEM\CurrentControlSet\Control\Session Manager' pendingfilerenameoperations
	is $'\\??\\C:\\old\n\n\\??\\C:\\new\n!\\??\\C:\\to'
	expect 0 "$V" reg get "$image" 'HKCU\Software\Editor' Font
	is Consolas
	expect 0 "$V" reg get --hive /users/EVA/ntuser.dat "$image" 'Software\Editor' Font
	is Consolas
	expect 0 "$V" reg export --prefix 'HKEY_CURRENT_USER' -d sda "$image" HKCU
	has out '[HKEY_CURRENT_USER\Software\Editor]'
	expect 0 "$V" reg ls "$image" 'hkey_local_machine\'
	is 'HKLM\SYSTEM       /Windows/System32/config/SYSTEM
HKLM\SOFTWARE     /Windows/System32/config/SOFTWARE
HKLM\SAM          /Windows/System32/config/SAM'
	expect 0 "$V" reg ls "$image"
	[ "$(wc -l <out)" = 7 ] || die "the roots: $(cat out)"
	has out 'HKU\S-1-5-21-1004336348-1177238915-682003330-1001_Classes  /Users/eva/AppData/Local/Microsoft/Windows/UsrClass.dat'
	expect 0 "$V" reg ls --json "$image" HKU
	has out '{"key":"HKU\\.DEFAULT","path":"/Windows/System32/config/DEFAULT"}'
	expect 1 "$V" reg export "$image" HKLM
	has err 'name what is below HKLM'
done
expect 0 "$V" reg ls -a win.qcow2 HKCC
is 'Pref  REG_DWORD  1 (0x1)'
expect 1 "$V" reg ls win.raw 'HKLM\SECURITY'
has err 'there is no file System32/config/SECURITY'
expect 1 "$V" reg ls --hive /none win.raw
has err none

# Logs in a guest are found beside the hive, whatever their case.
mkdir -p logs/Windows/System32/config
cp dirty logs/Windows/System32/config/SYSTEM
cp dirty.LOG1 logs/Windows/System32/config/system.log1
cp dirty.LOG2 logs/Windows/System32/config/SYSTEM.LOG2
truncate -s 4M logs.raw
mke2fs -q -F -t ext2 -d logs logs.raw
expect 0 "$V" reg get logs.raw 'HKLM\SYSTEM\a' v
is 'state 4'

# --- JSON is strict, and what is printed has no control bytes
for hive in first odd deleted lost; do
	status=0
	[ $hive != lost ] || status=3
	expect $status "$V" reg export --json --deleted $hive
	python3 - <<'X' || die "JSON of $hive"
import json
lines = open("out", "rb").read().decode("utf-8").split("\n")
assert lines.pop() == "" and len(lines) > 0
for l in lines:
    json.loads(l)
    assert not any(ord(c) < 0x20 or 0x7f <= ord(c) < 0xa0 for c in l), l
X
	expect $status "$V" reg export $hive
	! tr -d '\n' <out | LC_ALL=C grep -q '[[:cntrl:]]' || die "control bytes"
	ok
done

# --- hivexregedit, which prints NULs and other control characters in names as they are
if command -v hivexregedit >/dev/null; then
	for hive in big big3 deep deleted first3; do
		PERL_UNICODE=S hivexregedit --export $hive '\' 2>/dev/null | sed 's/\x00/\\x00/g' >want
		expect 0 "$V" reg export $hive
		cmp -s out want || die "$hive is not as hivexregedit has it: $(diff out want | head -5)"
		ok
	done
	PERL_UNICODE=S hivexregedit --export --prefix 'HKLM\X' first '\lists' >want
	expect 0 "$V" reg export --prefix 'HKLM\X' first lists
	cmp -s out want || die "with a prefix"
	ok
else
	echo "hivexregedit is not installed: no comparison"
fi

# --- and nothing was written
sha256sum -c --quiet sums || die "something was changed"
ok
echo "$passed checks passed"
