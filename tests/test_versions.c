/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The order of packages' versions. What is expected was recorded from dpkg 1.21.22 (--compare-versions), rpm 4.18.0
 * (rpm.labelCompare), libalpm 13.0.2 (alpm_pkg_vercmp), apk-tools 3 (apk_version_compare) and Portage 3.0
 * (portage.versions.vercmp). tests/test_versions.sh asks those that are installed for thousands more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/vitrine.h"
#include "base/checked.h"

static const struct versions_pair {
	const char *format, *a, *b;
	int order;
} versions_pairs[] = {
	/* the revision is what follows the last hyphen, and is taken off first */
	{ "deb", "1.0-1", "1.0+dfsg-1", -1 },
	{ "deb", "7-1", "7a-1", -1 },
	{ "deb", "1.1.1-1", "1.1.1d-0+deb10u1", -1 },
	{ "deb", "1.0-9", "1.0-10", -1 },
	{ "deb", "1-2-3", "1-1-4", 1 },
	{ "deb", "1.0", "1.0-0", 0 },
	{ "deb", "1.0~rc1-1", "1.0-1", -1 },
	{ "deb", "1.0~~", "1.0~", -1 },
	{ "deb", "1.0a", "1.0+", -1 },
	{ "deb", "1:1.0", "2.0", 1 },
	{ "deb", "0:1.0", "1.0", 0 },
	{ "deb", "1.00", "1.0", 0 },
	{ "deb", "99999999999999999999999999", "100000000000000000000000000", -1 },
	{ "deb", "2.36-9+deb12u4", "2.36-9+deb12u10", -1 },
	{ "deb", "5.36.0-7+deb12u1", "5.36.0-7~bpo1", 1 },
	{ "opkg", "1.0-r9", "1.0-r10", -1 },
	{ "windows", "10.0.19041.1", "10.0.19041.10", -1 },
	{ NULL, "1.9", "1.10", -1 },
	/* rpm: separators only part segments; digits are newer than letters; "~" and "^" */
	{ "rpm", "1.0-1", "1.0_1-1", -1 },
	{ "rpm", "1.0-1.fc40", "1.0-1.fc41", -1 },
	{ "rpm", "1.0.0-1", "1.0a-1", 1 },
	{ "rpm", "1.0~rc1-1", "1.0-1", -1 },
	{ "rpm", "1.0^git1-1", "1.0-1", 1 },
	{ "rpm", "1.0^git1-1", "1.0.1-1", -1 },
	{ "rpm", "1.0^git1~pre-1", "1.0^git1-1", -1 },
	{ "rpm", "1:0.9-1", "2.0-1", 1 },
	{ "rpm", "1.0.-1", "1.0-1", 0 },
	{ "rpm", "1.0a-1", "1.0-1", 1 },
	{ "rpm", "5.14.0-70.el9", "5.14.0-362.el9", -1 },
	/* pacman: the length of separators counts, letters at the end are older than the end */
	{ "pacman", "1.0a-1", "1.0-1", -1 },
	{ "pacman", "1.0.a-1", "1.0-1", 1 },
	{ "pacman", "1.0.1-1", "1.0-1", 1 },
	{ "pacman", "1.0-1", "1.0", 0 },
	{ "pacman", "1..0", "1.0", 1 },
	{ "pacman", "1:1.0-1", "2.0-1", 1 },
	{ "pacman", "6.9.arch1-1", "6.10.arch1-1", -1 },
	/* apk: suffixes before and after the end, the fraction, the hash, the revision */
	{ "apk", "1.0_alpha", "1.0", -1 },
	{ "apk", "1.0_p1", "1.0", 1 },
	{ "apk", "1.0_git20200101", "1.0_p1", -1 },
	{ "apk", "1.0.0_pre20191002222144-r0", "1.0.0_pre20210530193627-r0", -1 },
	{ "apk", "0.1.0_alpha_pre2", "0.1.0_alpha", -1 },
	{ "apk", "2.3.0b-r9", "2.3.0b-r10", -1 },
	{ "apk", "1.06-r6", "1.1", -1 },
	{ "apk", "1.02.07", "1.02.10-r1", -1 },
	{ "apk", "6b-r7", "6-r8", 1 },
	{ "apk", "1.3-r0", "1.3.1-r0", -1 },
	{ "apk", "100_git01_hg0-r01", "100_git01_hg-r01", 1 },
	{ "apk", "9.010_hg1_svn2", "9.010_hg_svn", -1 },
	{ "apk", "0~12-r10", "0~abc1-r10", -1 },
	/* Package Manager Specification, 3.3 */
	{ "ebuild", "1.05", "1.1", -1 },
	{ "ebuild", "1.010", "1.01", 0 },
	{ "ebuild", "1.0", "1", 1 },
	{ "ebuild", "12.2.5", "12.2b", 1 },
	{ "ebuild", "1_p", "1_p0", 0 },
	{ "ebuild", "1_alpha4", "1_beta3", -1 },
	{ "ebuild", "1.0-r0", "1.0", 0 },
	{ "ebuild", "1.0-r2", "1.0-r10", -1 },
	{ "ebuild", "1_pre2_p1", "1_pre2", 1 },
};

static int versions_sign(int c)
{
	return (c > 0) - (c < 0);
}

static void versions_are_in_their_managers_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < VTR_COUNT(versions_pairs); i++) {
		const struct versions_pair *p = &versions_pairs[i];
		int there = versions_sign(vtr_package_version_compare(p->format, p->a, p->b));
		int back = versions_sign(vtr_package_version_compare(p->format, p->b, p->a));

		if (there != p->order || back != -p->order)
			fail_msg("%s: %s and %s: %d and %d, expected %d", p->format ? p->format : "none", p->a, p->b,
				 there, back, p->order);
	}
}

/* Any bytes have a place, and the order is the same from both sides. */
static void versions_of_no_rule_have_an_order(void **state)
{
	static const char *const texts[] = { "",    ":",  "-",	  "~",	  "^",	"_",	"_p",  ".",   "..",  "1.",
					     "1:",  ":1", "1-",	  "-1",	  "-r", "1-r",	"1-r", "1_x", "a",   "\xff",
					     "1~~", "~1", "1_p_", "1..1", "^1", "1^^1", "--",  "::",  "1:-", "\x01" };
	static const char *const formats[] = { "deb", "rpm", "apk", "pacman", "ebuild", "opkg", NULL };

	(void)state;
	for (size_t f = 0; f < VTR_COUNT(formats); f++) {
		for (size_t i = 0; i < VTR_COUNT(texts); i++) {
			assert_int_equal(0, vtr_package_version_compare(formats[f], texts[i], texts[i]));
			for (size_t k = 0; k < i; k++)
				assert_int_equal(
					versions_sign(vtr_package_version_compare(formats[f], texts[i], texts[k])),
					-versions_sign(vtr_package_version_compare(formats[f], texts[k], texts[i])));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_are_in_their_managers_order),
		cmocka_unit_test(versions_of_no_rule_have_an_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
