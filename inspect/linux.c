/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a Linux system says of itself: os-release(5), lsb-release, the release files that were before them; hostname(5),
 * machine-id(5), localtime(5); the package database and the init. Distributions, package formats and managers have
 * the names that virt-inspector gives them.
 */
#include "inspect/inspect.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/fold.h"

#define LINUX_INIT_HOPS 8u /* symlinks from /sbin/init to what it is */

/* A text that was found, and the file that it was found in. */
struct linux_text {
	char *text; /* owned; NULL: unknown */
	size_t len;
	const char *path;
};

struct linux_release {
	struct vtr_os *os;
	const char *path; /* the file that is being read */
	struct linux_text distro, product, version, codename, variant, build, like;
	struct linux_text id, name, long_version; /* of the file that is being read */
	struct linux_text version_id;		  /* os-release's own */
};

static void linux_release_done(struct linux_release *r)
{
	struct linux_text *all[] = { &r->distro, &r->product, &r->version, &r->codename,     &r->variant,   &r->build,
				     &r->like,	 &r->id,      &r->name,	   &r->long_version, &r->version_id };

	for (size_t i = 0; i < VTR_COUNT(all); i++)
		free(all[i]->text);
}

/* Remember a text; an empty one is none. */
static int linux_set(struct linux_release *r, struct linux_text *t, const char *text, size_t len, struct vtr_error *err)
{
	char *copy;

	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	while (len > 0 && (*text == ' ' || *text == '\t')) {
		text++;
		len--;
	}
	if (len == 0)
		return 0;
	copy = vtr_strndup(text, len, err);
	if (!copy)
		return -1;
	free(t->text);
	*t = (struct linux_text){ copy, len, r->path };
	return 0;
}

static int linux_set_text(struct linux_release *r, struct linux_text *t, const char *text, struct vtr_error *err)
{
	return linux_set(r, t, text, strlen(text), err);
}

static bool linux_digit_is(char c)
{
	return c >= '0' && c <= '9';
}

/* The first number of the text: digits, and more of them after single dots. Its length; *at is where. */
static size_t linux_number(const char **at, const char *text, size_t len)
{
	size_t i = 0, end;

	while (i < len && !linux_digit_is(text[i]))
		i++;
	for (end = i; end < len && (linux_digit_is(text[end]) ||
				    (text[end] == '.' && end > i && end + 1 < len && linux_digit_is(text[end + 1])));
	     end++)
		;
	*at = text + i;
	return end - i;
}

/* ----------------------------------------------------------------------------------------------------- os-release */

struct linux_id {
	const char *id, *distro;
};

/* Where virt-inspector's name is another than ID. */
static const struct linux_id linux_ids[] = {
	{ "alpine", "alpinelinux" },
	{ "arch", "archlinux" },
	{ "kali", "kalilinux" },
	{ "ol", "oraclelinux" },
	{ "openEuler", "openeuler" },
	{ "opensuse-leap", "opensuse" },
	{ "opensuse-tumbleweed", "opensuse" },
	{ "opensuse-microos", "opensuse" },
	{ "pld", "pldlinux" },
	{ "scientific", "scientificlinux" },
	{ "sled", "sles" },
	{ "sles_sap", "sles" },
	{ "void", "voidlinux" },
};

/* DISTRIB_ID of lsb-release. */
static const struct linux_id linux_lsb_ids[] = {
	{ "Arch", "archlinux" }, { "CoreOS", "coreos" },	  { "Debian", "debian" }, { "LinuxMint", "linuxmint" },
	{ "Mageia", "mageia" },	 { "MandrivaLinux", "mandriva" }, { "Ubuntu", "ubuntu" }, { "Gentoo", "gentoo" },
	{ "Kali", "kalilinux" }, { "VoidLinux", "voidlinux" },
};

static const char *linux_id_find(const struct linux_id *ids, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(ids[i].id, id) == 0)
			return ids[i].distro;
	return NULL;
}

/* What a name in an assignment is for. */
struct linux_key {
	const char *name;
	size_t member; /* offset in struct linux_release */
};

#define LINUX_MEMBER(m) offsetof(struct linux_release, m)
static const struct linux_key linux_os_release_keys[] = {
	{ "ID", LINUX_MEMBER(id) },
	{ "ID_LIKE", LINUX_MEMBER(like) },
	{ "NAME", LINUX_MEMBER(name) },
	{ "PRETTY_NAME", LINUX_MEMBER(product) },
	{ "VERSION", LINUX_MEMBER(long_version) },
	{ "VERSION_ID", LINUX_MEMBER(version) },
	{ "VERSION_CODENAME", LINUX_MEMBER(codename) },
	{ "VARIANT_ID", LINUX_MEMBER(variant) },
	{ "BUILD_ID", LINUX_MEMBER(build) },
	{ NULL, 0 },
};

static const struct linux_key linux_lsb_keys[] = {
	{ "DISTRIB_ID", LINUX_MEMBER(id) },
	{ "DISTRIB_RELEASE", LINUX_MEMBER(version) },
	{ "DISTRIB_CODENAME", LINUX_MEMBER(codename) },
	{ "DISTRIB_DESCRIPTION", LINUX_MEMBER(product) },
	{ NULL, 0 },
};

struct linux_assigning {
	struct linux_release *r;
	const struct linux_key *keys;
};

static int linux_assigned(void *arg, const char *name, size_t name_len, const char *value, size_t value_len,
			  struct vtr_error *err)
{
	struct linux_assigning *a = arg;

	for (const struct linux_key *k = a->keys; k->name; k++)
		if (strlen(k->name) == name_len && memcmp(k->name, name, name_len) == 0)
			return linux_set(a->r, (struct linux_text *)((char *)a->r + k->member), value, value_len, err);
	return 0;
}

/* 1: the file is there and was read, 0: not, -1. */
static int linux_keys_read(struct linux_release *r, const char *path, const struct linux_key *keys,
			   struct vtr_error *err)
{
	struct linux_assigning a = { r, keys };
	VTR_FREE char *text = NULL;
	size_t len;
	int there = vtr_os_slurp(&text, &len, r->os, path, r->os->ctx->lim.text_file, err);

	if (there <= 0)
		return there;
	r->path = path;
	return vtr_assignments(text, len, linux_assigned, &a, err) < 0 ? -1 : 1;
}

/* VERSION="12 (bookworm)", where there is no VERSION_CODENAME: one word in brackets at the end. */
static int linux_codename_guess(struct linux_release *r, struct vtr_error *err)
{
	const char *v = r->long_version.text, *open = v ? strrchr(v, '(') : NULL;
	size_t len = open ? strcspn(open + 1, ") \t") : 0;

	if (len == 0 || r->codename.text || r->variant.text || strcmp(open + 1 + len, ")") != 0)
		return 0;
	return linux_set(r, &r->codename, open + 1, len, err);
}

static int linux_os_release_read(struct linux_release *r, struct vtr_error *err)
{
	/* NixOS and Guix may make /etc when they start. */
	static const char *const more[] = { "/nix/var/nix/profiles/system/etc/os-release",
					    "/var/guix/profiles/system/etc/os-release" };
	const char *known;
	int there = linux_keys_read(r, "/etc/os-release", linux_os_release_keys, err);

	if (there == 0 || (there > 0 && !r->id.text && !r->product.text && !r->name.text))
		there = linux_keys_read(r, "/usr/lib/os-release", linux_os_release_keys, err);
	for (size_t i = 0; i < VTR_COUNT(more) && there == 0; i++)
		there = linux_keys_read(r, more[i], linux_os_release_keys, err);
	if (there <= 0)
		return there;
	if (r->version.text && linux_set(r, &r->version_id, r->version.text, r->version.len, err) < 0)
		return -1;
	if (r->id.text) {
		known = linux_id_find(linux_ids, VTR_COUNT(linux_ids), r->id.text);
		if (!known && strncmp(r->id.text, "opensuse-", 9) == 0)
			known = "opensuse";
		if (linux_set_text(r, &r->distro, known ? known : r->id.text, err) < 0)
			return -1;
	}
	if (!r->product.text && r->name.text) {
		struct vtr_str s = { 0 };
		VTR_FREE char *both = NULL;

		vtr_str_put(&s, r->name.text, r->name.len);
		if (r->long_version.text) {
			vtr_str_put(&s, " ", 1);
			vtr_str_put(&s, r->long_version.text, r->long_version.len);
		}
		both = vtr_str_take(&s, err);
		if (!both || linux_set_text(r, &r->product, both, err) < 0)
			return -1;
	}
	return linux_codename_guess(r, err);
}

/* All of it when os-release told nothing; else the code name that old Ubuntus have here alone. */
static int linux_lsb_read(struct linux_release *r, struct vtr_error *err)
{
	struct linux_release lsb = { .os = r->os };
	struct linux_text *to[] = { &r->codename, &r->product, &r->version };
	struct linux_text *from[] = { &lsb.codename, &lsb.product, &lsb.version };
	size_t take = r->distro.text ? 1 : VTR_COUNT(to);
	const char *distro;
	int there = linux_keys_read(&lsb, "/etc/lsb-release", linux_lsb_keys, err), rc = -1;

	if (there <= 0 || !lsb.id.text) { /* Red Hat Enterprise Linux 3 to 7: LSB_VERSION alone */
		linux_release_done(&lsb); /* a failure may have left some of it */
		return there < 0 ? -1 : 0;
	}
	distro = linux_id_find(linux_lsb_ids, VTR_COUNT(linux_lsb_ids), lsb.id.text);
	if (!distro) {
		vtr_ascii_lower_text(lsb.id.text);
		distro = lsb.id.text;
	}
	if (r->distro.text && strcmp(r->distro.text, distro) != 0)
		take = 0;
	r->path = lsb.path;
	if (!r->distro.text && linux_set_text(r, &r->distro, distro, err) < 0)
		goto out;
	for (size_t i = 0; i < take; i++)
		if (!to[i]->text && from[i]->text && linux_set(r, to[i], from[i]->text, from[i]->len, err) < 0)
			goto out;
	rc = 0;
out:
	linux_release_done(&lsb);
	return rc;
}

/* -------------------------------------------------------------------------------------------------- release files */

/* The first line of a file says it all. In order: derived distributions have their parents' files too. */
struct linux_release_file {
	const char *path;
	const char *sign;   /* in the line, or this row is not meant; NULL: whatever it says */
	const char *distro; /* what it is */
	const char *title;  /* before a line that is a number alone, or for a file that is empty */
};

static const struct linux_release_file linux_release_files[] = {
	{ "/etc/openmandriva-release", "OpenMandriva", "openmandriva", NULL },
	{ "/etc/opencloudos-release", "OpenCloudOS", "opencloudos", NULL },
	{ "/etc/tencentos-release", "TencentOS", "tencentos", NULL },
	{ "/etc/oracle-release", "Oracle Linux", "oraclelinux", NULL },
	{ "/etc/almalinux-release", "AlmaLinux", "almalinux", NULL },
	{ "/etc/rocky-release", "Rocky Linux", "rocky", NULL },
	{ "/etc/circle-release", "Circle Linux", "circle", NULL },
	{ "/etc/centos-release", "CentOS", "centos", NULL },
	{ "/etc/altlinux-release", NULL, "altlinux", NULL },
	{ "/etc/mageia-release", NULL, "mageia", NULL },
	{ "/etc/mandriva-release", NULL, "mandriva", NULL },
	{ "/etc/fedora-release", "Fedora", "fedora", NULL },
	{ "/etc/redhat-release", "Fedora", "fedora", NULL },
	{ "/etc/redhat-release", "Red Hat", "rhel", NULL },
	{ "/etc/redhat-release", "CentOS", "centos", NULL },
	{ "/etc/redhat-release", "Circle Linux", "circle", NULL },
	{ "/etc/redhat-release", "Rocky Linux", "rocky", NULL },
	{ "/etc/redhat-release", "AlmaLinux", "almalinux", NULL },
	{ "/etc/redhat-release", "Scientific Linux", "scientificlinux", NULL },
	{ "/etc/redhat-release", NULL, "redhat-based", NULL },
	{ "/etc/debian_version", NULL, "debian", "Debian GNU/Linux" },
	{ "/etc/anolis-release", NULL, "anolis", NULL },
	{ "/etc/openEuler-release", NULL, "openeuler", NULL },
	{ "/etc/neokylin-release", NULL, "neokylin", NULL },
	{ "/etc/photon-release", NULL, "photon", NULL },
	{ "/etc/system-release", "Amazon Linux", "amzn", NULL },
	{ "/etc/pardus-release", NULL, "pardus", NULL },
	{ "/etc/arch-release", NULL, "archlinux", "Arch Linux" },
	{ "/etc/gentoo-release", NULL, "gentoo", NULL },
	{ "/etc/meego-release", NULL, "meego", NULL },
	{ "/etc/slackware-version", NULL, "slackware", NULL },
	{ "/etc/ttylinux-target", NULL, "ttylinux", NULL },
	{ "/etc/SuSE-release", "Enterprise", "sles", NULL },
	{ "/etc/SuSE-release", "Novell Linux Desktop", "sles", NULL },
	{ "/etc/SuSE-release", "SUSE", "opensuse", NULL },
	{ "/etc/SuSE-release", "SuSE Linux", "opensuse", NULL },
	{ "/etc/SuSE-release", NULL, "suse-based", NULL },
	{ "/etc/cirros/version", NULL, "cirros", "CirrOS" },
	{ "/etc/br-version", NULL, "buildroot", "Buildroot" },
	{ "/etc/alpine-release", NULL, "alpinelinux", "Alpine Linux" },
	{ "/etc/frugalware-release", NULL, "frugalware", NULL },
	{ "/etc/pld-release", NULL, "pldlinux", NULL },
	{ "/etc/NIXOS", NULL, "nixos", "NixOS" },
};

/* The first line that is neither empty nor a comment, without blanks around it. 1, 0: none, -1. */
static int linux_line_read(char **out, size_t *out_len, struct vtr_os *os, const char *path, struct vtr_error *err)
{
	VTR_FREE char *text = NULL;
	struct vtr_lines lines;
	const char *line;
	size_t len;
	int there = vtr_os_slurp(&text, &len, os, path, os->ctx->lim.text_file, err);

	if (there <= 0)
		return there;
	lines = (struct vtr_lines){ text, text + len };
	while (vtr_lines_next(&lines, &line, &len) > 0) {
		while (len > 0 && (*line == ' ' || *line == '\t')) {
			line++;
			len--;
		}
		while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
			len--;
		if (len == 0 || *line == '#')
			continue;
		*out = vtr_strndup(line, len, err);
		*out_len = len;
		return *out ? 1 : -1;
	}
	return 0;
}

/* "VERSION = 11", "PATCHLEVEL = 4", "CODENAME = Harlequin" of /etc/SuSE-release. */
static int linux_suse_read(struct linux_release *r, struct vtr_error *err)
{
	static const char *const keys[] = { "VERSION", "PATCHLEVEL", "CODENAME" };
	const char *values[VTR_COUNT(keys)] = { NULL }, *line;
	size_t lens[VTR_COUNT(keys)] = { 0 }, len;
	VTR_FREE char *text = NULL, *version = NULL;
	struct vtr_lines lines;
	struct vtr_str s = { 0 };
	int there = vtr_os_slurp(&text, &len, r->os, r->path, r->os->ctx->lim.text_file, err);

	if (there <= 0)
		return there;
	lines = (struct vtr_lines){ text, text + len };
	while (vtr_lines_next(&lines, &line, &len) > 0) {
		for (size_t i = 0; i < VTR_COUNT(keys); i++) {
			size_t at = strlen(keys[i]);

			if (len <= at || memcmp(line, keys[i], at) != 0)
				continue;
			while (at < len && (line[at] == ' ' || line[at] == '\t'))
				at++;
			if (at == len || line[at++] != '=')
				continue;
			while (at < len && (line[at] == ' ' || line[at] == '\t'))
				at++;
			values[i] = line + at;
			lens[i] = len - at;
		}
	}
	if (values[2] && linux_set(r, &r->codename, values[2], lens[2], err) < 0)
		return -1;
	if (!values[0])
		return 0;
	vtr_str_put(&s, values[0], lens[0]);
	if (values[1]) {
		vtr_str_put(&s, ".", 1);
		vtr_str_put(&s, values[1], lens[1]);
	}
	version = vtr_str_take(&s, err);
	return version ? linux_set_text(r, &r->version, version, err) : -1;
}

/* "Red Hat Enterprise Linux AS release 4 (Nahant Update 8)" is 4.8. */
static int linux_line_version(struct linux_release *r, const char *line, size_t len, struct vtr_error *err)
{
	const char *release = strstr(line, "release "), *update = strstr(line, " Update "), *at, *minor;
	const char *from = release ? release : line;
	size_t n = linux_number(&at, from, len - (size_t)(from - line)), minor_len;
	VTR_FREE char *both = NULL;
	struct vtr_str s = { 0 };

	if (n == 0)
		return 0;
	if (!update || memchr(at, '.', n))
		return linux_set(r, &r->version, at, n, err);
	minor_len = linux_number(&minor, update, len - (size_t)(update - line));
	vtr_str_put(&s, at, n);
	if (minor_len > 0) {
		vtr_str_put(&s, ".", 1);
		vtr_str_put(&s, minor, minor_len);
	}
	both = vtr_str_take(&s, err);
	return both ? linux_set_text(r, &r->version, both, err) : -1;
}

/* One row of the table: 1: it was this, 0: not, -1. */
static int linux_release_file_read(struct linux_release *r, const struct linux_release_file *f, struct vtr_error *err)
{
	VTR_FREE char *line = NULL, *titled = NULL;
	struct vtr_str s = { 0 };
	struct vtr_stat st;
	size_t len = 0;
	int there = vtr_os_look(NULL, &st, r->os, f->path, 0, err);

	if (there <= 0 || st.type != VTR_TYPE_FILE)
		return there < 0 ? -1 : 0;
	there = linux_line_read(&line, &len, r->os, f->path, err);
	if (there < 0)
		return -1;
	if (f->sign && (!line || !strstr(line, f->sign)))
		return 0;
	r->path = f->path;
	if (linux_set_text(r, &r->distro, f->distro, err) < 0)
		return -1;
	if (f->title && (!line || linux_digit_is(*line) || strcmp(f->distro, "debian") == 0)) {
		vtr_str_puts(&s, f->title);
		if (line) {
			vtr_str_put(&s, " ", 1);
			vtr_str_put(&s, line, len);
		}
		titled = vtr_str_take(&s, err);
		if (!titled || linux_set_text(r, &r->product, titled, err) < 0)
			return -1;
	} else if (line && linux_set(r, &r->product, line, len, err) < 0) {
		return -1;
	}
	if (strcmp(f->path, "/etc/SuSE-release") == 0)
		return linux_suse_read(r, err) < 0 ? -1 : 1;
	return line && linux_line_version(r, line, len, err) < 0 ? -1 : 1;
}

/*
 * os-release of Debian and of the rebuilt Red Hats has the major version alone, and another file the point release:
 * that is the version then.
 */
static int linux_point_read(struct linux_release *r, struct vtr_error *err)
{
	static const struct linux_id points[] = {
		{ "almalinux", "/etc/almalinux-release" }, { "centos", "/etc/centos-release" },
		{ "circle", "/etc/circle-release" },	   { "debian", "/etc/debian_version" },
		{ "rhel", "/etc/redhat-release" },	   { "rocky", "/etc/rocky-release" },
	};
	const char *path = r->distro.text ? linux_id_find(points, VTR_COUNT(points), r->distro.text) : NULL, *at;
	VTR_FREE char *line = NULL;
	size_t len, n;
	int there;

	if (!path || (r->version.text && strchr(r->version.text, '.')))
		return 0;
	there = linux_line_read(&line, &len, r->os, path, err);
	if (there <= 0)
		return there;
	n = linux_number(&at, line, len);
	if (n == 0 || (strcmp(r->distro.text, "debian") == 0 && (at != line || n != len))) /* "trixie/sid" */
		return 0;
	/* It must go on where os-release stops, or it is a file that somebody forgot. */
	if (r->version.text &&
	    (n <= r->version.len || strncmp(r->version.text, at, r->version.len) != 0 || at[r->version.len] != '.'))
		return 0;
	r->path = path;
	return linux_set(r, &r->version, at, n, err);
}

static int linux_add(struct linux_release *r, const char *key, const struct linux_text *t, struct vtr_error *err)
{
	return t->text ? vtr_os_add_fact(r->os, key, t->text, t->len, t->path, err) : 0;
}

/* The first two numbers of a version; a minor one that is not said is 0. */
static int linux_versions_add(struct linux_release *r, struct vtr_error *err)
{
	const struct linux_text *v = &r->version;
	size_t n, major;
	const char *at;

	if (!v->text)
		return 0;
	n = linux_number(&at, v->text, v->len);
	for (major = 0; major < n && at[major] != '.'; major++)
		;
	if (n == 0 || vtr_os_add_fact(r->os, "major_version", at, major, v->path, err) < 0)
		return n == 0 ? 0 : -1;
	if (major == n && strncmp(at + n, "Update", 6) == 0 && linux_digit_is(at[n + 6])) { /* NeoKylin: V7Update6 */
		at += n + 6;
		return vtr_os_add_fact(r->os, "minor_version", at, strspn(at, "0123456789"), v->path, err);
	}
	if (major == n)
		return vtr_os_add_fact(r->os, "minor_version", "0", 1, v->path, err);
	at += major + 1;
	while (at[0] == '0' && linux_digit_is(at[1])) /* 24.04: a number, as virt-inspector has it */
		at++;
	return vtr_os_add_fact(r->os, "minor_version", at, strspn(at, "0123456789"), v->path, err);
}

/* The short id of osinfo-db(5)'s, by the rules that virt-inspector has for it. */
static int linux_osinfo_add(struct linux_release *r, struct vtr_error *err)
{
	static const char *const whole[] = { "archlinux", "gentoo", "voidlinux" };
	const struct vtr_fact *major_fact = vtr_os_fact(r->os, "major_version");
	const struct vtr_fact *minor_fact = vtr_os_fact(r->os, "minor_version");
	unsigned long major = major_fact ? strtoul(major_fact->value, NULL, 10) : 0;
	unsigned long minor = minor_fact ? strtoul(minor_fact->value, NULL, 10) : 0;
	const char *d = r->distro.text;
	char id[96];

	if (!d)
		return 0;
	for (size_t i = 0; i < VTR_COUNT(whole); i++)
		if (strcmp(d, whole[i]) == 0)
			return vtr_os_add_fact(r->os, "osinfo", d, strlen(d), r->distro.path, err);
	if (major == 0 && minor == 0)
		return 0;
	if ((strcmp(d, "centos") == 0 && major >= 8) || (strcmp(d, "circle") == 0 && major >= 8) ||
	    (strcmp(d, "rocky") == 0 && major >= 8) || (strcmp(d, "debian") == 0 && major >= 4) ||
	    strcmp(d, "fedora") == 0 || strcmp(d, "mageia") == 0 || (strcmp(d, "sles") == 0 && minor == 0))
		snprintf(id, sizeof(id), "%.40s%lu", d, major);
	else if (strcmp(d, "centos") == 0 && major == 7)
		snprintf(id, sizeof(id), "centos7.0");
	else if (strcmp(d, "sles") == 0)
		snprintf(id, sizeof(id), "sles%lusp%lu", major, minor);
	else if (strcmp(d, "ubuntu") == 0)
		snprintf(id, sizeof(id), "ubuntu%lu.%02lu", major, minor);
	else if (strcmp(d, "altlinux") == 0 && major >= 8)
		snprintf(id, sizeof(id), "alt%lu.%lu", major, minor);
	else
		snprintf(id, sizeof(id), "%.40s%lu.%lu", d, major, minor);
	return vtr_os_add_fact(r->os, "osinfo", id, strlen(id), r->distro.path, err);
}

static int linux_release_read(struct linux_release *r, struct vtr_error *err)
{
	if (linux_os_release_read(r, err) < 0 || linux_lsb_read(r, err) < 0)
		return -1;
	for (size_t i = 0; i < VTR_COUNT(linux_release_files) && !r->distro.text; i++)
		if (linux_release_file_read(r, &linux_release_files[i], err) < 0)
			return -1;
	if (linux_point_read(r, err) < 0 || linux_add(r, "distro", &r->distro, err) < 0 ||
	    linux_add(r, "product_name", &r->product, err) < 0 || linux_add(r, "version", &r->version, err) < 0 ||
	    linux_versions_add(r, err) < 0 || linux_add(r, "codename", &r->codename, err) < 0)
		return -1;
	if (linux_add(r, "variant", &r->variant, err) < 0 || linux_add(r, "build_id", &r->build, err) < 0)
		return -1;
	if (linux_add(r, "id", &r->id, err) < 0 || linux_add(r, "version_id", &r->version_id, err) < 0)
		return -1;
	return linux_osinfo_add(r, err);
}

/* -------------------------------------------------------------------------------------------------- host and time */

struct linux_one {
	const char *name;
	struct linux_text *out;
	struct linux_release *r;
};

static int linux_one_assigned(void *arg, const char *name, size_t name_len, const char *value, size_t value_len,
			      struct vtr_error *err)
{
	struct linux_one *one = arg;

	if (strlen(one->name) != name_len || memcmp(one->name, name, name_len) != 0)
		return 0;
	return linux_set(one->r, one->out, value, value_len, err);
}

/* A single assignment of a file as a fact. */
static int linux_assignment_add(struct vtr_os *os, const char *key, const char *path, const char *name,
				struct vtr_error *err)
{
	struct linux_release r = { .os = os, .path = path };
	struct linux_one one = { name, &r.id, &r };
	VTR_FREE char *text = NULL;
	size_t len;
	int there, rc;

	if (vtr_os_fact(os, key))
		return 0;
	there = vtr_os_slurp(&text, &len, os, path, os->ctx->lim.text_file, err);
	if (there <= 0)
		return there;
	rc = vtr_assignments(text, len, linux_one_assigned, &one, err);
	if (rc == 0)
		rc = linux_add(&r, key, &r.id, err);
	linux_release_done(&r);
	return rc;
}

/* The first line of a file as a fact. */
static int linux_line_add(struct vtr_os *os, const char *key, const char *path, struct vtr_error *err)
{
	VTR_FREE char *line = NULL;
	size_t len;
	int there;

	if (vtr_os_fact(os, key))
		return 0;
	there = linux_line_read(&line, &len, os, path, err);
	return there <= 0 ? there : vtr_os_add_fact(os, key, line, len, path, err);
}

static int linux_hostname_read(struct vtr_os *os, struct vtr_error *err)
{
	if (linux_line_add(os, "hostname", "/etc/hostname", err) < 0 ||
	    linux_line_add(os, "hostname", "/etc/HOSTNAME", err) < 0 ||
	    linux_assignment_add(os, "hostname", "/etc/sysconfig/network", "HOSTNAME", err) < 0)
		return -1;
	return linux_assignment_add(os, "hostname", "/etc/conf.d/hostname", "hostname", err);
}

static int linux_machine_id_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const paths[] = { "/etc/machine-id", "/var/lib/dbus/machine-id" };

	for (size_t i = 0; i < VTR_COUNT(paths); i++) {
		VTR_FREE char *line = NULL;
		size_t len = 0;
		int there = linux_line_read(&line, &len, os, paths[i], err);

		if (there < 0)
			return -1;
		if (there > 0 && len == 32 && strspn(line, "0123456789abcdefABCDEF") == 32)
			return vtr_os_add_fact(os, "machine_id", line, len, paths[i], err);
	}
	return 0; /* none yet, or "uninitialized" */
}

static int linux_timezone_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char zoneinfo[] = "zoneinfo/";
	const struct vtr_fs *fs = NULL;
	VTR_FREE char *target = NULL;
	int there = vtr_os_readlink(&target, &fs, os, "/etc/localtime", err);
	const char *zone = there > 0 ? strstr(target, zoneinfo) : NULL;

	if (there < 0)
		return -1;
	if (zone) {
		zone += strlen(zoneinfo);
		if (strncmp(zone, "posix/", 6) == 0 || strncmp(zone, "right/", 6) == 0)
			zone += 6;
		if (vtr_os_add_fact_on(os, "timezone", zone, strlen(zone), "/etc/localtime", fs, err) < 0)
			return -1;
	}
	if (linux_line_add(os, "timezone", "/etc/timezone", err) < 0 ||
	    linux_assignment_add(os, "timezone", "/etc/sysconfig/clock", "ZONE", err) < 0)
		return -1;
	return linux_assignment_add(os, "timezone", "/etc/sysconfig/clock", "TIMEZONE", err);
}

/* ------------------------------------------------------------------------------------------------------- packages */

struct linux_packaging {
	const char *distro, *format, *manager; /* manager NULL: by the version, see linux_yum_is() */
};

static const struct linux_packaging linux_packagings[] = {
	{ "alpinelinux", "apk", "apk" },   { "almalinux", "rpm", NULL },
	{ "altlinux", "rpm", "apt" },	   { "archlinux", "pacman", "pacman" },
	{ "centos", "rpm", NULL },	   { "circle", "rpm", NULL },
	{ "debian", "deb", "apt" },	   { "fedora", "rpm", NULL },
	{ "gentoo", "ebuild", "portage" }, { "kalilinux", "deb", "apt" },
	{ "kylin", "rpm", NULL },	   { "linuxmint", "deb", "apt" },
	{ "mageia", "rpm", "urpmi" },	   { "mandriva", "rpm", "urpmi" },
	{ "meego", "rpm", "yum" },	   { "neokylin", "rpm", "dnf" },
	{ "opencloudos", "rpm", "dnf" },   { "openeuler", "rpm", "dnf" },
	{ "openmandriva", "rpm", "dnf" },  { "opensuse", "rpm", "zypper" },
	{ "oraclelinux", "rpm", NULL },	   { "pardus", "pisi", "pisi" },
	{ "redhat-based", "rpm", NULL },   { "rhel", "rpm", NULL },
	{ "rocky", "rpm", NULL },	   { "scientificlinux", "rpm", NULL },
	{ "sles", "rpm", "zypper" },	   { "suse-based", "rpm", "zypper" },
	{ "tencentos", "rpm", "dnf" },	   { "ubuntu", "deb", "apt" },
	{ "voidlinux", "xbps", "xbps" },
};

/* A package format's database. */
static const struct linux_id linux_databases[] = {
	{ "deb", "/var/lib/dpkg/status" },
	{ "deb", "/var/lib/dpkg/status.d" },
	{ "rpm", "/var/lib/rpm/rpmdb.sqlite" },
	{ "rpm", "/var/lib/rpm/Packages" },
	{ "rpm", "/var/lib/rpm/Packages.db" },
	{ "rpm", "/usr/lib/sysimage/rpm/rpmdb.sqlite" },
	{ "rpm", "/usr/lib/sysimage/rpm/Packages.db" },
	{ "rpm", "/usr/lib/sysimage/rpm/Packages" },
	{ "rpm", "/usr/share/rpm/rpmdb.sqlite" },
	{ "apk", "/lib/apk/db/installed" },
	{ "apk", "/usr/lib/apk/db/installed" },
	{ "pacman", "/var/lib/pacman/local" },
	{ "nix", "/nix/var/nix/db/db.sqlite" },
	{ "pkgtool", "/var/lib/pkgtools/packages" },
	{ "pkgtool", "/var/log/packages" },
	{ "ebuild", "/var/db/pkg" },
	{ "xbps", "/var/db/xbps" },
	{ "pisi", "/var/lib/pisi/package" },
	{ "opkg", "/usr/lib/opkg/status" },
	{ "opkg", "/var/lib/opkg/status" },
};

/* A manager's program, for a distribution that is not in the table. The first that is there. */
static const struct linux_packaging linux_managers[] = {
	{ "/usr/bin/apt", "deb", "apt" },
	{ "/usr/bin/apt-get", "deb", "apt" },
	{ "/usr/bin/dnf", "rpm", "dnf" },
	{ "/usr/bin/dnf5", "rpm", "dnf" },
	{ "/usr/bin/microdnf", "rpm", "dnf" },
	{ "/usr/bin/tdnf", "rpm", "tdnf" },
	{ "/usr/bin/zypper", "rpm", "zypper" },
	{ "/usr/sbin/urpmi", "rpm", "urpmi" },
	{ "/usr/bin/yum", "rpm", "yum" },
	{ "/usr/bin/apt-get", "rpm", "apt" },
	{ "/sbin/apk", "apk", "apk" },
	{ "/usr/bin/pacman", "pacman", "pacman" },
	{ "/usr/bin/emerge", "ebuild", "portage" },
	{ "/usr/bin/xbps-install", "xbps", "xbps" },
	{ "/bin/opkg", "opkg", "opkg" },
	{ "/sbin/installpkg", "pkgtool", "pkgtool" },
	{ "/run/current-system/sw/bin/nix", "nix", "nix" },
};

/* 1: the database of this format (NULL: of any) is there; *db is which. */
static int linux_database_find(const struct linux_id **db, struct vtr_os *os, const char *format, struct vtr_error *err)
{
	for (size_t i = 0; i < VTR_COUNT(linux_databases); i++) {
		int there = 0;

		if (!format || strcmp(linux_databases[i].id, format) == 0)
			there = vtr_os_look(NULL, NULL, os, linux_databases[i].distro, 0, err);
		if (there < 0)
			return -1;
		if (there > 0) {
			*db = &linux_databases[i];
			return 1;
		}
	}
	return 0;
}

static const struct linux_packaging *linux_packaging_find(const char *distro)
{
	for (size_t i = 0; distro && i < VTR_COUNT(linux_packagings); i++)
		if (strcmp(linux_packagings[i].distro, distro) == 0)
			return &linux_packagings[i];
	return NULL;
}

/* Red Hat's had up2date up to 4, yum up to 7, and dnf from 8; Fedora has dnf from 22 if it is there. */
static int linux_redhat_manager(const char **out, struct vtr_os *os, const char *distro, struct vtr_error *err)
{
	const struct vtr_fact *major = vtr_os_fact(os, "major_version");
	unsigned long n = major ? strtoul(major->value, NULL, 10) : 0;
	int there;

	*out = NULL;
	if (strcmp(distro, "fedora") != 0) {
		*out = n >= 8 ? "dnf" : n >= 5 ? "yum" : n >= 2 ? "up2date" : NULL;
		return 0;
	}
	there = n >= 22 ? vtr_os_look(NULL, NULL, os, "/usr/bin/dnf", 0, err) : 0;
	if (there >= 0 && n >= 1)
		*out = there ? "dnf" : "yum";
	return there < 0 ? -1 : 0;
}

static int linux_manager_read(struct vtr_os *os, const char *format, struct vtr_error *err)
{
	for (size_t i = 0; i < VTR_COUNT(linux_managers); i++) {
		const struct linux_packaging *m = &linux_managers[i];
		int there = strcmp(m->format, format) == 0 ? vtr_os_look(NULL, NULL, os, m->distro, 0, err) : 0;

		if (there < 0)
			return -1;
		if (there > 0)
			return vtr_os_add_fact(os, "package_manager", m->manager, strlen(m->manager), m->distro, err);
	}
	return 0;
}

/*
 * The distribution says which format it has, and the database that it is there. Where it is not (it may lie on a
 * filesystem that cannot be read) the distribution is believed, unless there is a database of another format.
 */
static int linux_packages_read(struct linux_release *r, struct vtr_error *err)
{
	struct vtr_os *os = r->os;
	const struct linux_packaging *p = linux_packaging_find(r->distro.text);
	const struct linux_id *db = NULL;
	const char *manager = NULL, *path;
	int there = p ? linux_database_find(&db, os, p->format, err) : 0;

	if (there == 0)
		there = linux_database_find(&db, os, NULL, err);
	if (there < 0)
		return -1;
	if (p && db && strcmp(db->id, p->format) != 0)
		p = NULL;
	if (!p && !db)
		return 0;
	path = db ? db->distro : r->distro.path;
	if (vtr_os_add_fact(os, "package_format", db ? db->id : p->format, strlen(db ? db->id : p->format), path, err) <
	    0)
		return -1;
	if (!p)
		return linux_manager_read(os, db->id, err);
	manager = p->manager;
	if (!manager && linux_redhat_manager(&manager, os, p->distro, err) < 0)
		return -1;
	if (!manager)
		return linux_manager_read(os, p->format, err);
	return vtr_os_add_fact(os, "package_manager", manager, strlen(manager), r->distro.path, err);
}

/* ----------------------------------------------------------------------------------------------------------- init */

/* What a program's path says of the init that it is. */
static const struct linux_id linux_init_names[] = {
	{ "systemd", "systemd" }, { "openrc", "openrc" }, { "runit", "runit" }, { "upstart", "upstart" },
	{ "dinit", "dinit" },	  { "s6-", "s6" },	  { "finit", "finit" }, { "sysvinit", "sysvinit" },
};

/* And where a path tells nothing, something that only this init has. */
static const struct linux_id linux_init_signs[] = {
	{ "openrc", "/sbin/openrc" },
	{ "openrc", "/usr/sbin/openrc" },
	{ "upstart", "/sbin/initctl" },
	{ "systemd", "/usr/lib/systemd/systemd" },
	{ "systemd", "/nix/var/nix/profiles/system/systemd" },
	{ "shepherd", "/var/guix/profiles/system/profile/bin/shepherd" },
	{ "systemd", "/lib/systemd/systemd" },
	{ "runit", "/etc/runit/1" },
};

static int linux_init_add(struct vtr_os *os, const char *name, const char *path, const struct vtr_fs *fs,
			  struct vtr_error *err)
{
	return fs ? vtr_os_add_fact_on(os, "init", name, strlen(name), path, fs, err)
		  : vtr_os_add_fact(os, "init", name, strlen(name), path, err);
}

/* *path becomes what its symlink says: absolute, or in the directory of the link. */
static int linux_link_apply(char **path, const char *target, struct vtr_error *err)
{
	const char *slash = strrchr(*path, '/');
	struct vtr_str s = { 0 };
	char *next;

	if (*target != '/' && slash)
		vtr_str_put(&s, *path, (size_t)(slash + 1 - *path));
	vtr_str_puts(&s, target);
	next = vtr_str_take(&s, err);
	if (!next)
		return -1;
	free(*path);
	*path = next;
	return 0;
}

static int linux_init_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char start[] = "/sbin/init";
	VTR_FREE char *path = vtr_strndup(start, strlen(start), err);
	bool busybox = false;
	struct vtr_stat st;
	int there = path ? 1 : -1;

	for (unsigned hop = 0; there > 0 && hop < LINUX_INIT_HOPS; hop++) {
		const struct vtr_fs *fs = NULL;
		VTR_FREE char *target = NULL;

		there = vtr_os_readlink(&target, &fs, os, path, err);
		if (there <= 0)
			break;
		for (size_t i = 0; i < VTR_COUNT(linux_init_names); i++)
			if (strstr(target, linux_init_names[i].id))
				return linux_init_add(os, linux_init_names[i].distro, start, hop == 0 ? fs : NULL, err);
		busybox = busybox || strstr(target, "busybox");
		if (linux_link_apply(&path, target, err) < 0)
			return -1;
	}
	if (there < 0)
		return -1;
	for (size_t i = 0; i < VTR_COUNT(linux_init_signs); i++) {
		there = vtr_os_look(NULL, NULL, os, linux_init_signs[i].distro, 0, err);
		if (there < 0)
			return -1;
		if (there > 0 && strcmp(linux_init_signs[i].id, "upstart") == 0) /* sysvinit may have an initctl too */
			there = vtr_os_look(NULL, NULL, os, "/etc/init/rc.conf", 0, err);
		if (there != 0)
			return there < 0 ? -1
					 : linux_init_add(os, linux_init_signs[i].id, linux_init_signs[i].distro, NULL,
							  err);
	}
	if (busybox)
		return linux_init_add(os, "busybox", start, NULL, err);
	there = vtr_os_look(NULL, &st, os, "/etc/inittab", 0, err);
	if (there > 0)
		there = vtr_os_look(NULL, &st, os, start, 0, err);
	if (there > 0 && st.type == VTR_TYPE_FILE)
		return linux_init_add(os, "sysvinit", start, NULL, err);
	return there < 0 ? -1 : 0;
}

int vtr_linux_read(struct vtr_os *os, struct vtr_error *err)
{
	struct linux_release r = { .os = os };
	int rc = linux_release_read(&r, err);

	if (rc == 0)
		rc = linux_hostname_read(os, err);
	if (rc == 0)
		rc = linux_packages_read(&r, err);
	if (rc == 0)
		rc = linux_init_read(os, err);
	if (rc == 0)
		rc = linux_machine_id_read(os, err);
	if (rc == 0)
		rc = linux_timezone_read(os, err);
	linux_release_done(&r);
	return rc;
}
