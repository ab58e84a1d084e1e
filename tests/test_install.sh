#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What "make install" installs is enough: programs in C and C++ are built against it alone, shared and static, and
# "make uninstall" leaves nothing behind.
set -euo pipefail

# shellcheck source=tests/environment.sh
. tests/environment.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# Variables that make was given are kept, for the same build; its job server is not at hand here.
MAKEFLAGS=$(sed -E 's/ *(-j[0-9]*|--jobserver-[a-z]+=[^ ]*)//g' <<<"${MAKEFLAGS-}")
export MAKEFLAGS
make=(make -s --no-print-directory DESTDIR="$tmp/dest" PREFIX=/opt/vitrine)
"${make[@]}" install >/dev/null
prefix=$tmp/dest/opt/vitrine

version=$(sed -n 's/^#define VTR_VERSION_[A-Z]* //p' api/vitrine.h | paste -sd.)
[ "$("$prefix/bin/vitrine" --version)" = "vitrine $version" ]
readelf -d "$prefix/lib/libvitrine.so" | grep -q 'SONAME.*\[libvitrine\.so\.[0-9]*\]'
for page in docs/man/*.[13]; do
	[ ! -e "$page" ] || cmp "$page" "$prefix/share/man/man${page##*.}/${page##*/}"
done
bash -n "$prefix/share/bash-completion/completions/vitrine"
# Nothing tells where it was built.
if grep -rlF "$PWD" "$prefix"; then
	exit 1
fi

cat >"$tmp/program.c" <<'C'
#include <stdio.h>
#include <vitrine.h>

int main(void)
{
	struct vtr_error err = { 0 };
	struct vtr_ctx *ctx = vtr_ctx_new(NULL, &err);
	struct vtr_blk *b = NULL;

	if (!ctx || vtr_blk_memory(&b, ctx, "abcd", 4, &err) < 0)
		return 1;
	printf("%s %d\n", vtr_version(), (int)vtr_blk_size(b));
	vtr_blk_unref(b);
	vtr_ctx_unref(ctx);
	return 0;
}
C
sed 's/= { 0 }/= {}/' "$tmp/program.c" >"$tmp/program.cc"

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=
flags() { pkg-config --define-variable=prefix="$prefix" --define-variable=libdir="$prefix/lib" \
	--define-variable=includedir="$prefix/include" "$@" vitrine; }
[ "$(flags --modversion)" = "$version" ]

# build COMPILER SOURCE NAME FLAG…
build()
{
	local compiler=$1 source=$2 name=$3
	shift 3
	# In the place of the source's tree: only what is installed may be seen.
	(cd "$tmp" && "$compiler" -Wall -Wextra -Werror -o "$name" "$source" "$@")
}
read -ra cflags <<<"$(flags --cflags)"
read -ra libs <<<"$(flags --libs)"
read -ra static <<<"$(flags --static --libs)"
static=("${static[@]/#-lvitrine/-l:libvitrine.a}")

for language in cc:program.c c++:program.cc; do
	compiler=${language%%:*} source=${language#*:}
	command -v "$compiler" >/dev/null || {
		echo "skipped: no $compiler"
		exit 77
	}
	build "$compiler" "$source" "shared-$compiler" "${cflags[@]}" "${libs[@]}"
	[ "$(LD_LIBRARY_PATH=$prefix/lib "$tmp/shared-$compiler")" = "$version 4" ]
	if "$tmp/shared-$compiler" 2>/dev/null; then
		echo "shared-$compiler runs without the library"
		exit 1
	fi
	build "$compiler" "$source" "static-$compiler" "${cflags[@]}" "${static[@]}"
	[ "$("$tmp/static-$compiler")" = "$version 4" ]
done

"${make[@]}" uninstall >/dev/null
[ -z "$(find "$tmp/dest" -type f -o -type l)" ]
