#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The programs in docs/examples/ compile against the public header and the shared library alone, run, and say what is
# right; the header serves C++, too; and the README shows one of them, word for word.
set -euo pipefail

cd "$(dirname "$0")/.."
# shellcheck source=tests/manual-guest.sh
. tests/manual-guest.sh
# shellcheck source=tests/environment.sh
. tests/environment.sh
need mke2fs debugfs sfdisk qemu-img "${CC:-cc}"
top=$PWD
build=$(realpath "${VTR_BUILD:-$(dirname "${VTR_COMMAND:-build/release/vitrine}")}")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
manual_guest

fail()
{
	echo "FAILED: $*" >&2
	exit 1
}

# A library that was built with sanitizers asks the same of its programs.
flags=()
case ${build##*/} in
asan) flags=("-fsanitize=address,undefined") ;;
tsan) flags=(-fsanitize=thread) ;;
cov) flags=(--coverage) ;;
esac
strict=(-Wall -Wextra -Wpedantic -Werror)
link=(-I "$top/api" -L "$build" -lvitrine "-Wl,-rpath,$build")

# The README's own line for the source tree works as it stands, where the libraries are in build/release.
line=$(sed -n 's/^    \(cc docs\/examples\/inspect\.c .*\)/\1/p' "$top/README.md")
[ -n "$line" ] || fail "README.md has no line that compiles docs/examples/inspect.c"
if [ "${build##*/}" = release ]; then
	[[ $line == *' -o build/inspect' ]] || fail "README.md: $line"
	(cd "$top" && eval "${line/% -o build\/inspect/ -o \"$dir/readme\"}") || fail "README.md: $line"
	./readme guest.qcow2 | grep -q 'Debian' || fail "README.md: what it compiles does not run"
fi

for name in inspect layers volumes; do
	"${CC:-cc}" -std=c11 "${strict[@]}" "${flags[@]}" -o "$name" "$top/docs/examples/$name.c" "${link[@]}"
	lines=$(wc -l <"$top/docs/examples/$name.c")
	[ "$lines" -lt 80 ] || fail "$name.c has $lines lines"
done

expect()
{
	local status=$1 text=$2 got=0
	shift 2
	"$@" >out 2>err || got=$?
	[ "$got" = "$status" ] || fail "$*: exit status $got, expected $status: $(cat out err)"
	grep -qF -- "$text" out err || fail "$*: it says $(cat out err), expected $text"
}
expect 0 '/dev/sda2: Debian GNU/Linux 12 (bookworm), 3 packages' ./inspect guest.qcow2
expect 1 'policy: overlay.qcow2: ' ./inspect overlay.qcow2
expect 1 'not found: ' ./inspect missing.qcow2
expect 1 'usage: ' ./inspect
expect 0 www ./layers guest.qcow2 2 /etc/hostname
expect 0 'VERSION_ID="12"' ./layers guest.qcow2 2 /etc/os-release
expect 1 'not found: no partition 7' ./layers guest.qcow2 7 /etc/hostname
expect 1 'not found: /nosuch' ./layers guest.qcow2 1 /nosuch
expect 1 'is a dir' ./layers guest.qcow2 2 /etc
expect 2 'usage: ' ./layers guest.qcow2
expect 1 'usage: ' ./volumes vt-one/lin
expect 1 'not found: ' ./volumes vt-one/lin guest.qcow2
if command -v xz >/dev/null; then
	for i in 1 2 3; do
		xz -dc "$top/tests/images/lvm2-$i.img.xz" >"lvm2-$i.img"
	done
	expect 1 'vt-one/lin, complete' ./volumes vt-one/none lvm2-1.img lvm2-2.img lvm2-3.img
	while read -r lv sum; do
		[ "$(./volumes "vt-one/$lv" lvm2-1.img lvm2-2.img lvm2-3.img | sha256sum)" = "$sum  -" ] ||
			fail "volumes vt-one/$lv is not what the kernel reads"
	done <"$top/tests/images/lvm2.tsv"
else
	echo "skipped: no xz"
fi

# Every function of the header links from C++.
if command -v "${CXX:-c++}" >/dev/null; then
	{
		printf '#include <vitrine.h>\n#include <cstdio>\nvoid *const all[] = {\n'
		sed -n 's/^VTR_API [^(]*[ *]\(vtr_[a-z0-9_]*\)(.*/\treinterpret_cast<void *>(\1),/p' "$top/api/vitrine.h"
		printf '};\nint main()\n{\n\tfor (void *p : all)\n\t\tif (!p)\n\t\t\treturn 1;\n\tstd::puts(vtr_version());\n}\n'
	} >all.cc
	[ "$(grep -c reinterpret_cast all.cc)" = "$(grep -c '^VTR_API ' "$top/api/vitrine.h")" ] ||
		fail "some functions of vitrine.h were not found"
	"${CXX:-c++}" -std=c++11 "${strict[@]}" "${flags[@]}" -o all all.cc "${link[@]}"
	./all >/dev/null
else
	echo "no C++ compiler: the header is not tried with one"
fi

# The one block of C in the README.
sed -n '/^```c$/,/^```$/p' "$top/README.md" | sed '1d;$d' >readme.c
cmp readme.c "$top/docs/examples/inspect.c" || fail "README.md does not show docs/examples/inspect.c"

# The driver of docs/adding-a-format.md, in a copy of the sources.
if [ -n "${VTR_SLOW:-}" ] && pkg-config --exists cmocka; then
	mkdir copy
	(cd "$top" && cp -a Makefile scripts api base formats partitions volumes fs registry inspect cli fuzz tests docs "$dir/copy")
	cd copy
	awk '/^`[a-z]+\/[a-z_]+\.c`:$/ { gsub(/[`:]/, ""); file = $0 }
		/^```$/ { file = ""; code = 0 }
		code { print >file }
		/^```c$/ && file != "" { code = 1 }' docs/adding-a-format.md
	sed -n '/^    mkdir fuzz/,/^$/s/^    //p' docs/adding-a-format.md >seed.sh
	bash -e seed.sh
	line=$(sed -n 's/^    \(X(tiny) X(raw)\)$/\1/p' docs/adding-a-format.md)
	sed -i "s/X(raw)/${line:?}/" formats/formats.c
	env -u MAKEFLAGS -u MAKELEVEL -u VARIANT -u WERROR make -s CFLAGS="-O0 -U_FORTIFY_SOURCE" -j2 build/release/vitrine build/release/tests/test_tiny build/release/fuzz/fuzz_tiny >/dev/null
	build/release/tests/test_tiny 2>&1
	build/release/fuzz/fuzz_tiny fuzz/seeds/tiny
	[ "$(build/release/vitrine export fuzz/seeds/tiny/disk -)" = disk ] || fail "tiny is not read"
	cd ..
else
	echo "docs/adding-a-format.md is tried with VTR_SLOW=1 and cmocka only"
fi
echo "3 examples, the header from C++, and the README's example are right"
