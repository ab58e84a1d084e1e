#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What "reg export" prints of a guest's hives, hivexregedit reads into an empty hive: it then has the same keys and values, as
# hivexregedit itself prints both. And "reg find" over all hives of a guest, some of them damaged.
set -euo pipefail

cd "$(dirname "$0")/.."
for tool in mke2fs python3 iconv; do
	command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
# shellcheck source=tests/expect.sh
. tests/expect.sh

python3 "$top/tests/mk-windows.py" win11 win
cat >more.py <<'X'
"""Hives that hold what regedit's format can: every type, names of any letters, large values."""
import importlib.machinery, importlib.util, os, sys
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("mk", sys.argv[1])
mk = importlib.util.module_from_spec(importlib.util.spec_from_loader("mk", loader))
loader.exec_module(mk)
K = mk.Key
types = [v for v in mk.all_types() if all(ord(c) >= 0x20 and c != "\u202e" for c in v[0])]
names = [(n, mk.SZ, mk.sz(n)) for n in ('"', "\\", 'a"b\\c"', "a=b", "[x]", "\u00e9t\u00e9", "\u65e5\u672c", "\U0001f600", "; x", "-", "a" * 255, "@", " x ")]
numbers = [("t%x" % t, t, bytes(range(n))) for t in list(range(13)) + [0x7fffffff, 0xffffffff] for n in (0, 1, 4, 7, 8)]
numbers = [(n + "-%d" % len(d), t, d) for n, t, d in numbers]
big = [("big", mk.BINARY, bytes(i * 7 & 255 for i in range(100000))), ("text", mk.SZ, mk.sz("long " * 3000))]
write = lambda path, root: (os.makedirs(os.path.dirname(path), exist_ok=True), mk.write(path, mk.Hive(root).bytes()))
write("win/Windows/System32/config/DRIVERS", K("ROOT", K("types", values=types), K("names", *[
    K(n) for n in ("[k]", "k]", "a b", "\u00e9", "\u65e5\u672c", "\U0001f600", "k=\"", "-k", ";k", "(k)")], values=names),
    K("numbers", values=numbers), K("big", values=big), K("deep", K("er", K("still", values=[("", mk.DWORD, mk.dword(7))]))),
    values=[("", mk.SZ, mk.sz("of the root"))]))
write("win/Users/alice/AppData/Local/Microsoft/Windows/UsrClass.dat", K("ROOT", K(".md", values=[("", mk.SZ, mk.sz("alice.md"))])))
mk.write("empty", mk.Hive(K("ROOT")).bytes())
X
python3 more.py "$top/tests/mk-hive.py"
truncate -s 32M win.raw
mke2fs -q -F -t ext4 -O ^has_journal -d win win.raw
expect 0 "$V" reg ls win.raw
sed 's/ .*//' out | grep -v '^HKU.S-1-5-18$' >roots
sed -n 's/^\([^ ]*\)  *\(.*\)/\1\t\2/p' out >files
grep -q DRIVERS roots && grep -q 'HKU.S-1-5-21.*_Classes' roots && [ "$(wc -l <roots)" -ge 8 ] || die "too few hives"

# --- names
long() { sed 's/^HKLM/HKEY_LOCAL_MACHINE/; s/^HKU/HKEY_USERS/' <<<"$1"; }
while IFS= read -r root; do
	expect 0 "$V" reg export win.raw "$root"
	cp out export.reg
	grep -qxF "[$(long "$root")]" export.reg || die "no key is the root"
	[ -z "$(grep '^\[' export.reg | grep -vF "[$(long "$root")]" | grep -vF "[$(long "$root")\\")" ] || die "keys without their hive"
	expect 0 "$V" reg export --json win.raw "$root"
	python3 - "$root" <<'X' || die "keys of JSON"
import json, sys
keys = [json.loads(line)["key"] for line in open("out", encoding="utf-8")]
assert keys[0] == sys.argv[1] and all(k.startswith(sys.argv[1] + "\\") for k in keys[1:])
X
	expect 0 "$V" reg ls -R win.raw "$root"
	grep -v '^  ' out | grep . | python3 -c '
import sys
lines = sys.stdin.read().split("\n")[:-1]
assert lines[0] == sys.argv[1] and all(l.startswith(sys.argv[1] + "\\") for l in lines[1:])' "$root" || die "keys of ls -R"
	ok
	# --- UTF-16 is the same text
	"$V" reg export --utf16 win.raw "$root" >wide.reg
	[ "$(head -c 2 wide.reg | od -An -tx1 | tr -d ' \n')" = fffe ] || die "no byte order mark"
	iconv -f UTF-16 -t UTF-8 wide.reg >wide.txt
	[ "$(grep -c $'\r$' wide.txt)" = "$(wc -l <wide.txt)" ] || die "lines without CR"
	tr -d '\r' <wide.txt | cmp - export.reg || die "UTF-16 differs"
	ok
	# --- and back
	command -v hivexregedit >/dev/null || continue
	file=win$(awk -F'\t' -v root="$root" '$1 == root { print $2 }' files)
	PERL_UNICODE=S hivexregedit --export "$file" '\' >want 2>/dev/null
	for reg in export.reg wide.txt; do
		cp empty merged
		PERL_UNICODE=SD hivexregedit --merge --prefix "$(long "$root")" merged "$reg" || die "hivexregedit does not read it"
		PERL_UNICODE=S hivexregedit --export merged '\' >got 2>/dev/null
		cmp got want || die "$root: $(diff got want | cut -c1-200 | head -5)"
		ok
	done
done <roots
command -v hivexregedit >/dev/null || echo "hivexregedit is not installed: nothing is read back"

# Other names of a key are those of its hive; --prefix is put in their place.
expect 0 "$V" reg export win.raw 'HKLM\SYSTEM\CurrentControlSet\Control\ComputerName'
has out '[HKEY_LOCAL_MACHINE\SYSTEM\ControlSet001\Control\ComputerName]'
expect 0 "$V" reg export --prefix 'HKEY_CURRENT_USER' win.raw 'HKU\.DEFAULT'
has out '[HKEY_CURRENT_USER]'
hasnt out HKEY_USERS
expect 0 "$V" reg ls -R --prefix 'HKLM\OFFLINE\' win/Windows/System32/config/DRIVERS deep
is 'HKLM\OFFLINE\deep

HKLM\OFFLINE\deep\er

HKLM\OFFLINE\deep\er\still
  (default)  REG_DWORD  7 (0x7)'
expect 0 "$V" reg find --prefix X win/Windows/System32/config/DRIVERS 'of the root'
is 'X  (default)  REG_SZ  "of the root"'
expect 0 "$V" reg find win/Windows/System32/config/DRIVERS 'of the root'
is '\  (default)  REG_SZ  "of the root"'
expect 0 "$V" reg find --json --prefix 'X\' win/Windows/System32/config/DRIVERS still
has out '{"key":"X\\deep\\er\\still"}'
expect 2 "$V" reg find --prefix X win.raw still
expect 2 "$V" reg export --utf16 --json win.raw 'HKLM\DRIVERS'
expect 2 "$V" reg ls --utf16 win.raw 'HKLM\DRIVERS'

# Names that a .reg file cannot hold are other names there, and that is said. No name makes a line of its own.
python3 - "$top/tests/mk-hive.py" <<'X'
import importlib.machinery, importlib.util, sys
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("mk", sys.argv[1])
mk = importlib.util.module_from_spec(importlib.util.spec_from_loader("mk", loader))
loader.exec_module(mk)
mk.write("lines", mk.Hive(mk.Key("ROOT", mk.Key("a]\r\n\r\n[-HKEY_USERS\\x"), mk.Key("b\x1bc\x00d", values=[("e\nf", mk.SZ, mk.sz("x"))]))).bytes())
X
for format in '' --utf16; do
	# shellcheck disable=SC2086
	expect 0 "$V" reg export $format --prefix HKEY_USERS lines
	[ "$(grep -c 'they are escaped' err)" = 1 ] || die "one warning"
	[ -z "$format" ] || { iconv -f UTF-16 -t UTF-8 out | tr -d '\r' >text && mv text out; }
	[ "$(grep -c '^\[' out)" = 3 ] && ! grep -q '^\[-' out || die "a name makes a line"
	has out 'e\nf'
done

# --- find, over the whole guest: what each hive has by itself
search() { # TEXT OPTION…
	local text=$1
	shift
	while IFS= read -r root; do
		"$V" reg find "$@" win.raw "$root" "$text" || [ $? = 1 ]
	done <roots >want
	expect 0 "$V" reg find "$@" win.raw "$text"
	cmp out want || die "find $text"
	tr -s '\\' <out | cut -d'\' -f1,2 | sort -u | wc -l
}
[ "$(search Windows)" -ge 3 ] || die "hives that say Windows"
[ "$(search alice --data)" -ge 2 ] || die "hives that say alice"
[ "$(search e --json)" -ge 6 ] || die "hives that have an e"
expect 0 "$V" reg find win.raw 'HKEY_USERS' alice
hasnt out 'HKLM\'
expect 0 "$V" reg find win.raw 'hklm\' still
is 'HKLM\DRIVERS\deep\er\still'
expect 1 "$V" reg find win.raw 'no such text anywhere'
expect 2 "$V" reg find win.raw

# A hive that is damaged is one warning, and the others are searched. One file of two users is searched once.
damage() { # FILE COMMAND…: of the guest
	cp -r win bad
	local file=bad/$1
	shift
	"$@" "$file"
	truncate -s 0 bad.raw && truncate -s 32M bad.raw
	mke2fs -q -F -t ext4 -O ^has_journal -d bad bad.raw
	rm -r bad
}
config=Windows/System32/config
expect 0 "$V" reg find win.raw Windows
cp out all
head_of() { dd if=/dev/zero of="$1" bs=4096 count=1 conv=notrunc status=none; }
half() { truncate -s "$(($(stat -c %s "$1") / 8192 * 4096))" "$1"; }
for file in SYSTEM DRIVERS SAM SECURITY; do
	[ -e win/$config/$file ] || continue
	damage $config/$file head_of
	expect 3 "$V" reg find bad.raw Windows
	# Inspection reads SYSTEM, too, and names the disk.
	[ "$(grep -c 'warning: HKLM' err)" = 1 ] && [ "$(grep -vc 'warning: /dev/sda: ' err)" = 1 ] || die "$file: one warning"
	has err "HKLM\\\\$file"
	grep -v "^HKLM.$file" all | cmp - out || die "$file: the rest is searched"
done
# Who the users are, SOFTWARE says.
damage $config/SOFTWARE head_of
expect 3 "$V" reg find bad.raw Windows
has err 'HKLM\\SOFTWARE'
has err 'users: '
grep '^HKLM' all | grep -v '^HKLM.SOFTWARE' >want
grep '^HKLM' out | cmp - want || die "SOFTWARE: the rest is searched"
damage $config/DRIVERS half
expect 3 "$V" reg find bad.raw Windows
[ "$(wc -l <err)" -le 12 ] || die "half of a hive: many warnings"
echo "$passed checks passed"
