/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding Windows on a filesystem, and what it is: the folder of the system, its hives, the product and its version, its
 * names. A system's folder has System32\config with the hives in it, whatever the folder is called; the usual names are
 * looked at first, and another name needs more signs, since copies of a system's folder lie about in backups.
 */
#include "inspect/windows/windows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/fold.h"
#include "fs/fs.h"
#include "inspect/pe.h"

#define WIN_ROOTS 16u /* systems on one filesystem */

#define WIN_NT "Microsoft\\Windows NT\\CurrentVersion"

/* Where the setup of some version puts it; ReactOS has the same hives. */
static const char *const win_folders[] = {
	"Windows", "WINNT",   "WINNT35", "WINNT40", "WTSRV",  "WIN",
	"WIN32",   "WIN2000", "WINXP",	 "I386",    "MININT", "ReactOS",
};

/* ---------------------------------------------------------------------------------------------------------- finding */

struct win_finding {
	char **known, **others; /* names of folders */
	size_t n_known, n_others, cap_known, cap_others;
	struct vtr_error *err;
};

static int win_find_emit(void *arg, const struct vtr_dirent *d)
{
	struct win_finding *f = arg;
	bool known = false;
	char *name;

	if (d->type != VTR_TYPE_DIR && d->type != VTR_TYPE_UNKNOWN)
		return 0;
	for (size_t i = 0; i < VTR_COUNT(win_folders) && !known; i++)
		known = vtr_ascii_casecmp(d->name, win_folders[i]) == 0;
	if (!known && (f->n_others >= 64 || d->name[0] == '$' || d->name[0] == '.'))
		return 0;
	if (known ? !VTR_GROW(f->known, f->n_known, f->cap_known, f->err)
		  : !VTR_GROW(f->others, f->n_others, f->cap_others, f->err))
		return -1;
	name = vtr_strndup(d->name, d->name_len, f->err);
	if (!name)
		return -1;
	if (known)
		f->known[f->n_known++] = name;
	else
		f->others[f->n_others++] = name;
	return 0;
}

static void win_finding_done(struct win_finding *f)
{
	for (size_t i = 0; i < f->n_known; i++)
		free(f->known[i]);
	for (size_t i = 0; i < f->n_others; i++)
		free(f->others[i]);
	free(f->known);
	free(f->others);
}

/* Something below a folder: 1, 0, -1. any_case: as Windows itself would find it. */
static int win_there(struct vtr_os *os, const char *folder, const char *path, int type, bool any_case,
		     struct vtr_error *err)
{
	VTR_FREE char *whole = NULL;
	struct vtr_str s = { 0 };
	struct vtr_stat st;
	int there;

	vtr_str_puts(&s, "/");
	vtr_str_puts(&s, folder);
	vtr_str_puts(&s, "/");
	vtr_str_puts(&s, path);
	whole = vtr_str_take(&s, err);
	if (!whole)
		return -1;
	there = vtr_os_look(NULL, &st, os, whole, any_case ? VTR_WALK_ICASE : 0, err);
	return there > 0 ? st.type == type : there;
}

/* The first of these that is there, up to NULL: 1, 0, -1. */
static int win_there_any(struct vtr_os *os, const char *folder, const char *const *paths, struct vtr_error *err)
{
	int there = 0;

	for (size_t i = 0; there == 0 && paths[i]; i++)
		there = win_there(os, folder, paths[i], VTR_TYPE_FILE, true, err);
	return there;
}

/* 1: it is one, or no folder; 0: it is a folder; -1. */
static int win_is_link(struct vtr_os *os, const char *folder, struct vtr_error *err)
{
	VTR_FREE char *path = NULL;
	struct vtr_str s = { 0 };
	struct vtr_stat st;
	int there;

	vtr_str_puts(&s, "/");
	vtr_str_puts(&s, folder);
	path = vtr_str_take(&s, err);
	there = path ? vtr_os_look(NULL, &st, os, path, VTR_WALK_NOFOLLOW, err) : -1;
	return there < 0 ? -1 : there == 0 || st.type != VTR_TYPE_DIR;
}

static int win_is(struct vtr_os *os, const char *folder, bool known, struct vtr_error *err)
{
	static const char *const hives[] = { "System32/config/SYSTEM", "System32/config/SOFTWARE",
					     "System32/setupreg.hiv", NULL };
	static const char *const programs[] = { "System32/ntoskrnl.exe", "System32/cmd.exe", "System32/ntdll.dll",
						NULL };
	static const char *const spelled[] = { "System32", "system32", "SYSTEM32" };
	int there = 0, more;

	if (known) {
		there = win_there(os, folder, "System32/config", VTR_TYPE_DIR, true, err);
	} else if ((more = win_is_link(os, folder, err)) != 0) {
		return more < 0 ? -1 : 0; /* it leads to a folder that is looked at, or to another volume */
	} else { /* cheap, for what is most likely no such folder: filesystems of Windows do not mind the case */
		for (size_t i = 0; i < VTR_COUNT(spelled) && there == 0; i++)
			there = win_there(os, folder, spelled[i], VTR_TYPE_DIR, false, err);
		if (there > 0)
			there = win_there(os, folder, "System32/config", VTR_TYPE_DIR, true, err);
	}
	if (there <= 0)
		return there;
	there = win_there_any(os, folder, hives, err);
	more = there < 0 || (there > 0 && known) ? there : win_there_any(os, folder, programs, err);
	return there < 0 || more < 0 ? -1 : known ? there || more : there && more;
}

int vtr_windows_find(char ***out, size_t *n, struct vtr_os *os, struct vtr_error *err)
{
	struct vtr_error e = { 0 };
	struct win_finding f = { .err = &e };
	struct vtr_place root;
	char **found = NULL;
	size_t count = 0, cap = 0;
	int rc = vtr_os_look(&root, NULL, os, "/", 0, err);

	if (rc <= 0) {
		*out = NULL;
		*n = 0;
		return rc;
	}
	/* What was seen of a damaged root is looked at. */
	if (vtr_fs_readdir(root.fs, root.node, win_find_emit, &f, &e) < 0 &&
	    vtr_inspect_excuse(os->ctx, &e, err, "%s: /", os->root) < 0) {
		win_finding_done(&f);
		return -1;
	}
	rc = 0;
	for (size_t pass = 0; rc >= 0 && pass < 2; pass++) {
		char **names = pass == 0 ? f.known : f.others;

		for (size_t i = 0; rc >= 0 && i < (pass == 0 ? f.n_known : f.n_others) && count < WIN_ROOTS; i++) {
			rc = win_is(os, names[i], pass == 0, err);
			if (rc <= 0)
				continue;
			if (!VTR_GROW(found, count, cap, err)) {
				rc = -1;
				break;
			}
			found[count++] = vtr_steal(names[i]);
		}
	}
	win_finding_done(&f);
	if (rc < 0) {
		while (count > 0)
			free(found[--count]);
		free(found);
		return -1;
	}
	*out = found;
	*n = count;
	return 0;
}

const char *vtr_windows_folder(const struct vtr_os *os)
{
	return os->windows ? os->windows->root : NULL;
}

void vtr_windows_free(struct vtr_os *os)
{
	struct vtr_windows *w = os->windows;

	if (!w)
		return;
	vtr_win_close(&w->system);
	vtr_win_close(&w->software);
	vtr_win_close(&w->sam);
	vtr_win_close(&w->security);
	vtr_win_close(&w->user);
	free(w->root);
	free(w->sid);
	free(w);
	os->windows = NULL;
}

/* ------------------------------------------------------------------------------------------------- product, version */

struct win_version {
	uint64_t major, minor, build, revision;
	bool has_version, has_build, has_revision, server;
};

/* "6.3" of CurrentVersion; what is no such text says nothing. */
static void win_version_text(struct win_version *v, const char *text)
{
	struct vtr_span s = vtr_span_of(text), a, b;

	if (vtr_span_field(&a, &s, '.') && vtr_span_field(&b, &s, '.') && vtr_span_u64(&v->major, a, 1000) &&
	    vtr_span_u64(&v->minor, b, 1000))
		v->has_version = true;
}

/* The short id that virt-inspector prints, which are those of libosinfo; NULL: there is none. */
static const char *win_osinfo(const struct win_version *v, const char *product)
{
	static const struct {
		unsigned major, minor;
		const char *client, *server;
	} ids[] = {
		{ 3, 1, "winnt3.1", "winnt3.1" },  { 3, 10, "winnt3.1", "winnt3.1" },
		{ 3, 50, "winnt3.5", "winnt3.5" }, { 3, 51, "winnt3.51", "winnt3.51" },
		{ 4, 0, "winnt4.0", "winnt4.0" },  { 5, 0, "win2k", "win2k" },
		{ 5, 1, "winxp", "winxp" },	   { 6, 0, "winvista", "win2k8" },
		{ 6, 1, "win7", "win2k8r2" },	   { 6, 2, "win8", "win2k12" },
		{ 6, 3, "win8.1", "win2k12r2" },
	};

	if (v->major == 5 && v->minor == 2)
		return strstr(product, "XP") ? "winxp" : strstr(product, "R2") ? "win2k3r2" : "win2k3";
	if (v->major == 10 && v->minor == 0 && v->server)
		return strstr(product, "2025")	 ? "win2k25"
		       : strstr(product, "2022") ? "win2k22"
		       : strstr(product, "2019") ? "win2k19"
						 : "win2k16";
	if (v->major == 10 && v->minor == 0)
		return v->has_build ? v->build >= 22000 ? "win11" : "win10" : NULL;
	for (size_t i = 0; i < VTR_COUNT(ids); i++)
		if (ids[i].major == v->major && ids[i].minor == v->minor)
			return v->server ? ids[i].server : ids[i].client;
	return NULL;
}

/* A client of build 22000 or later is called Windows 10 in its registry all the same. */
static char *win_product(const struct win_version *v, const char *name, struct vtr_error *err)
{
	static const char ten[] = "Windows 10";
	const char *at = v->major == 10 && v->build >= 22000 && !v->server ? strstr(name, ten) : NULL;
	struct vtr_str s = { 0 };

	if (at) {
		vtr_str_put(&s, name, (size_t)(at - name));
		vtr_str_puts(&s, "Windows 11");
		name = at + sizeof(ten) - 1;
	}
	vtr_str_puts(&s, name);
	return vtr_str_take(&s, err);
}

enum {
	V_PRODUCT,
	V_EDITION,
	V_VARIANT,
	V_VERSION,
	V_MAJOR,
	V_MINOR,
	V_BUILD,
	V_BUILD_OLD,
	V_UBR,
	V_DISPLAY,
	V_RELEASE,
	V_LAB,
	V_LAB_OLD,
	V_SERVICE_PACK,
	V_INSTALL_DATE,
	V_PRODUCT_ID,
	V_OWNER,
	V_ORGANIZATION,
	V_SYSTEM_ROOT,
	V_COUNT,
};

static const char *const win_version_values[V_COUNT] = {
	"ProductName",
	"EditionID",
	"InstallationType",
	"CurrentVersion",
	"CurrentMajorVersionNumber",
	"CurrentMinorVersionNumber",
	"CurrentBuildNumber",
	"CurrentBuild",
	"UBR",
	"DisplayVersion",
	"ReleaseId",
	"BuildLabEx",
	"BuildLab",
	"CSDVersion",
	"InstallDate",
	"ProductId",
	"RegisteredOwner",
	"RegisteredOrganization",
	"SystemRoot",
};

static int win_nt_fact(struct vtr_os *os, const char *fact, const char *text, const char *value, struct vtr_error *err)
{
	return text && *text ? vtr_win_fact(os, fact, text, &os->windows->software, WIN_NT, value, err) : 0;
}

/* A value that is a fact as it is. */
static int win_nt_copy(struct vtr_os *os, const char *fact, const struct win_value *v, struct vtr_error *err)
{
	return win_nt_fact(os, fact, v->text, v->name, err);
}

static void win_version_values_read(struct win_version *v, const struct win_value *of)
{
	struct vtr_span build = vtr_span_of(of[V_BUILD].text	   ? of[V_BUILD].text
					    : of[V_BUILD_OLD].text ? of[V_BUILD_OLD].text
								   : "");

	if (of[V_VERSION].text)
		win_version_text(v, of[V_VERSION].text);
	if (of[V_MAJOR].has_number && of[V_MINOR].has_number) {
		v->major = of[V_MAJOR].number;
		v->minor = of[V_MINOR].number;
		v->has_version = true;
	}
	v->has_build = vtr_span_u64(&v->build, build, UINT32_MAX);
	v->has_revision = of[V_UBR].has_number;
	v->revision = of[V_UBR].number;
}

/* Whether it is a server: by what setup wrote, or by what the kernel is licensed as. */
static int win_read_type(struct win_version *v, struct vtr_os *os, const struct win_value *variant,
			 struct vtr_error *err)
{
	struct vtr_windows *w = os->windows;
	struct win_value type = { .name = "ProductType" };
	char path[WIN_DEPTH];
	uint32_t key;
	int rc = vtr_win_key(&key, os, &w->system, 0, vtr_win_set(path, w, "Control\\ProductOptions"), err);

	if (rc > 0)
		rc = vtr_win_values(&type, 1, os, &w->system, key, err);
	if (rc < 0)
		return -1;
	v->server = variant->text ? strstr(variant->text, "Server") != NULL
				  : type.text && vtr_ascii_casecmp(type.text, "WinNT") != 0;
	if (variant->text && *variant->text)
		rc = win_nt_copy(os, "variant", variant, err);
	else if (type.text)
		rc = vtr_win_fact(os, "variant", v->server ? "Server" : "Client", &w->system, path, "ProductType", err);
	vtr_win_values_done(&type, 1);
	return rc < 0 ? -1 : 0;
}

static int win_add_version(struct vtr_os *os, const struct win_version *v, const struct win_value *of,
			   struct vtr_error *err)
{
	const char *value = of[V_MAJOR].has_number ? "CurrentMajorVersionNumber" : "CurrentVersion";
	char text[128], number[32];
	int n;

	if (v->has_version) {
		n = snprintf(text, sizeof(text), "%" PRIu64 ".%" PRIu64, v->major, v->minor);
		if (v->has_build)
			n += snprintf(text + n, sizeof(text) - (size_t)n, ".%" PRIu64, v->build);
		if (v->has_build && v->has_revision)
			snprintf(text + n, sizeof(text) - (size_t)n, ".%" PRIu64, v->revision);
		if (win_nt_fact(os, "version", text, value, err) < 0)
			return -1;
		snprintf(number, sizeof(number), "%" PRIu64, v->major);
		if (win_nt_fact(os, "major_version", number, value, err) < 0)
			return -1;
		snprintf(number, sizeof(number), "%" PRIu64, v->minor);
		if (win_nt_fact(os, "minor_version", number,
				of[V_MINOR].has_number ? "CurrentMinorVersionNumber" : "CurrentVersion", err) < 0)
			return -1;
	}
	if (v->has_build) {
		snprintf(number, sizeof(number), "%" PRIu64, v->build);
		if (win_nt_fact(os, "build", number, of[V_BUILD].text ? "CurrentBuildNumber" : "CurrentBuild", err) < 0)
			return -1;
	}
	if (v->has_revision) {
		snprintf(number, sizeof(number), "%" PRIu64, v->revision);
		return win_nt_fact(os, "revision", number, "UBR", err);
	}
	return 0;
}

static int win_add_product(struct vtr_os *os, const struct win_version *v, const struct win_value *of,
			   struct vtr_error *err)
{
	VTR_FREE char *product = NULL;
	char text[64];
	const char *osinfo;

	if (of[V_PRODUCT].text && *of[V_PRODUCT].text) {
		product = win_product(v, of[V_PRODUCT].text, err);
	} else if (v->has_version) { /* NT 4 and before do not say it */
		snprintf(text, sizeof(text), "Windows NT %s%" PRIu64 ".%" PRIu64, v->server ? "Server " : "", v->major,
			 v->minor);
		product = vtr_strndup(text, strlen(text), err);
	} else {
		return 0;
	}
	if (!product ||
	    win_nt_fact(os, "product_name", product, of[V_PRODUCT].text ? "ProductName" : "CurrentVersion", err) < 0)
		return -1;
	osinfo = v->has_version ? win_osinfo(v, product) : NULL;
	return osinfo ? win_nt_fact(os, "osinfo", osinfo,
				    of[V_MAJOR].has_number ? "CurrentMajorVersionNumber" : "CurrentVersion", err)
		      : 0;
}

static int win_read_product(struct vtr_os *os, struct vtr_error *err)
{
	struct win_value of[V_COUNT] = { 0 };
	struct win_version v = { 0 };
	uint32_t key;
	int rc;

	for (size_t i = 0; i < V_COUNT; i++)
		of[i].name = win_version_values[i];
	rc = vtr_win_key(&key, os, &os->windows->software, 0, WIN_NT, err);
	if (rc > 0)
		rc = vtr_win_values(of, V_COUNT, os, &os->windows->software, key, err);
	if (rc == 0) {
		win_version_values_read(&v, of);
		if (win_read_type(&v, os, &of[V_VARIANT], err) < 0 || win_add_product(os, &v, of, err) < 0 ||
		    win_add_version(os, &v, of, err) < 0 || win_nt_copy(os, "edition", &of[V_EDITION], err) < 0 ||
		    win_nt_copy(os, "display_version", of[V_DISPLAY].text ? &of[V_DISPLAY] : &of[V_RELEASE], err) < 0 ||
		    win_nt_copy(os, "build_id", of[V_LAB].text ? &of[V_LAB] : &of[V_LAB_OLD], err) < 0 ||
		    win_nt_copy(os, "service_pack", &of[V_SERVICE_PACK], err) < 0 ||
		    win_nt_copy(os, "product_id", &of[V_PRODUCT_ID], err) < 0 ||
		    win_nt_copy(os, "registered_owner", &of[V_OWNER], err) < 0 ||
		    win_nt_copy(os, "registered_organization", &of[V_ORGANIZATION], err) < 0 ||
		    win_nt_copy(os, "system_root", &of[V_SYSTEM_ROOT], err) < 0 ||
		    (of[V_INSTALL_DATE].has_number && of[V_INSTALL_DATE].number > 0 &&
		     vtr_win_fact_time(os, "install_date", (int64_t)of[V_INSTALL_DATE].number, 0,
				       &os->windows->software, WIN_NT, "InstallDate", err) < 0))
			rc = -1;
	}
	vtr_win_values_done(of, V_COUNT);
	return rc < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------------------------------------------ the kernel */

/* What the kernel's own file says: the architecture, and the version where no hive says it. */
static int win_read_kernel(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const files[] = { "System32/ntoskrnl.exe", "System32/ntdll.dll", "System32/cmd.exe" };
	struct vtr_windows *w = os->windows;

	for (size_t i = 0; i < VTR_COUNT(files); i++) {
		VTR_UNREF struct vtr_blk *b = NULL;
		struct vtr_pe_version version;
		struct vtr_error e = { 0 };
		struct vtr_place place;
		struct vtr_stat st;
		struct vtr_pe pe;
		char path[WIN_DEPTH], text[64];
		const char *arch;
		int there;

		snprintf(path, sizeof(path), "%s/%s", w->root, files[i]);
		there = vtr_os_look(&place, &st, os, path, VTR_WALK_ICASE, err);
		if (there < 0)
			return -1;
		if (there == 0 || st.type != VTR_TYPE_FILE)
			continue;
		if (vtr_fs_file_blk(&b, place.fs, place.node, &e) < 0 || vtr_pe_read(&pe, b, &e) < 0) {
			vtr_error_at(&e, "%s: %s", os->root, path);
			if (vtr_win_excuse(os, NULL, &e, err) < 0)
				return -1;
			continue;
		}
		arch = vtr_pe_arch(pe.machine);
		if (arch && vtr_os_add_fact_on(os, "arch", arch, strlen(arch), path, place.fs, err) < 0)
			return -1;
		if (vtr_os_fact(os, "version") || i == 2) /* a shell may be of another version */
			return 0;
		there = vtr_pe_read_version(&version, &pe, b, &e);
		if (there < 0) {
			vtr_error_at(&e, "%s: %s", os->root, path);
			return vtr_win_excuse(os, NULL, &e, err);
		}
		if (there == 0 || !version.has_fixed)
			return 0;
		snprintf(text, sizeof(text), "%u.%u.%u.%u", version.product[0], version.product[1], version.product[2],
			 version.product[3]);
		if (vtr_os_add_fact_on(os, "version", text, strlen(text), path, place.fs, err) < 0)
			return -1;
		snprintf(text, sizeof(text), "%u", version.product[0]);
		if (vtr_os_add_fact_on(os, "major_version", text, strlen(text), path, place.fs, err) < 0)
			return -1;
		snprintf(text, sizeof(text), "%u", version.product[1]);
		if (vtr_os_add_fact_on(os, "minor_version", text, strlen(text), path, place.fs, err) < 0)
			return -1;
		snprintf(text, sizeof(text), "%u", version.product[2]);
		return vtr_os_add_fact_on(os, "build", text, strlen(text), path, place.fs, err);
	}
	return 0;
}

/* Where there is no program, or none that tells: what setup found, and the folder that only 64 bits have. */
static int win_read_arch(struct vtr_os *os, struct vtr_error *err)
{
	static const struct {
		const char *windows, *arch;
	} names[] = {
		{ "AMD64", "x86_64" }, { "ARM64", "aarch64" }, { "x86", "i386" },    { "IA64", "ia64" },
		{ "ARM", "arm" },      { "ALPHA", "alpha" },   { "MIPS", "mipsel" }, { "PPC", "ppcle" },
	};
	struct vtr_windows *w = os->windows;
	struct win_value v = { .name = "PROCESSOR_ARCHITECTURE" };
	const struct vtr_fact *told;
	const char *arch = NULL;
	char path[WIN_DEPTH], folder[WIN_DEPTH];
	uint32_t key;
	int rc;

	if (win_read_kernel(os, err) < 0)
		return -1;
	rc = vtr_win_key(&key, os, &w->system, 0, vtr_win_set(path, w, "Control\\Session Manager\\Environment"), err);
	if (rc > 0)
		rc = vtr_win_values(&v, 1, os, &w->system, key, err);
	if (rc < 0)
		return -1;
	for (size_t i = 0; v.text && i < VTR_COUNT(names); i++)
		if (vtr_ascii_casecmp(v.text, names[i].windows) == 0)
			arch = names[i].arch;
	vtr_win_values_done(&v, 1);
	told = vtr_os_fact(os, "arch");
	if (told && arch && strcmp(told->value, arch) != 0)
		vtr_warn(os->ctx, VTR_OK, "%s: %s is of a program for %s, the registry says %s", os->root, told->path,
			 told->value, arch);
	if (!told && arch)
		return vtr_win_fact(os, "arch", arch, &w->system, path, "PROCESSOR_ARCHITECTURE", err);
	if (told)
		return 0;
	snprintf(folder, sizeof(folder), "%s/SysWOW64", w->root);
	rc = vtr_os_look(NULL, NULL, os, folder, VTR_WALK_ICASE, err);
	return rc > 0 ? vtr_os_add_text(os, "arch", "x86_64", folder, err) : rc;
}

/* ----------------------------------------------------------------------------------------------------------- names */

static int win_read_set(struct vtr_os *os, struct vtr_error *err)
{
	struct vtr_windows *w = os->windows;
	struct win_value v[] = { { .name = "Current" }, { .name = "Default" } };
	uint64_t number;
	const char *value;
	uint32_t key;
	int rc = vtr_win_key(&key, os, &w->system, 0, "Select", err);

	if (rc > 0)
		rc = vtr_win_values(v, 2, os, &w->system, key, err);
	if (rc < 0)
		return -1;
	value = v[0].number > 0 ? v[0].name : v[1].name;
	number = v[0].number > 0 ? v[0].number : v[1].number;
	vtr_win_values_done(v, 2);
	if (number > 0 && number < 1000) {
		snprintf(w->set, sizeof(w->set), "ControlSet%03u", (unsigned)number);
		rc = vtr_win_key(&key, os, &w->system, 0, w->set, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			vtr_warn(os->ctx, VTR_ECORRUPT, "%s: HKLM\\SYSTEM\\Select: %s is %u, and there is no %s",
				 os->root, value, (unsigned)number, w->set);
		return vtr_win_fact(os, "control_set", w->set, &w->system, "Select", value, err);
	}
	/* What was never started has one all the same: an image of an installation that is to be set up. */
	rc = vtr_win_key(&key, os, &w->system, 0, "ControlSet001", err);
	snprintf(w->set, sizeof(w->set), "ControlSet001");
	if (rc > 0)
		rc = vtr_win_fact(os, "control_set", w->set, &w->system, "ControlSet001", NULL, err);
	return rc < 0 ? -1 : 0;
}

static int win_set_fact(struct vtr_os *os, const char *fact, const char *path, const char *value, struct vtr_error *err)
{
	char whole[WIN_DEPTH];

	if (vtr_os_fact(os, fact))
		return 0;
	return vtr_win_fact_read(os, fact, &os->windows->system, vtr_win_set(whole, os->windows, path), value, err);
}

static int win_read_names(struct vtr_os *os, struct vtr_error *err)
{
	static const char tcpip[] = "Services\\Tcpip\\Parameters", name[] = "Control\\ComputerName\\ComputerName";

	if (win_set_fact(os, "hostname", tcpip, "Hostname", err) < 0 ||
	    win_set_fact(os, "hostname", tcpip, "NV Hostname", err) < 0 ||
	    win_set_fact(os, "hostname", name, "ComputerName", err) < 0 ||
	    win_set_fact(os, "computer_name", name, "ComputerName", err) < 0 ||
	    win_set_fact(os, "domain", tcpip, "Domain", err) < 0 ||
	    win_set_fact(os, "domain", tcpip, "NV Domain", err) < 0)
		return -1;
	return 0;
}

static int win_read_zone(struct vtr_os *os, struct vtr_error *err)
{
	struct vtr_windows *w = os->windows;
	struct win_value v[] = { { .name = "TimeZoneKeyName" }, { .name = "StandardName" } };
	char path[WIN_DEPTH];
	const struct win_value *of;
	const char *iana;
	uint32_t key;
	int rc = vtr_win_key(&key, os, &w->system, 0, vtr_win_set(path, w, "Control\\TimeZoneInformation"), err);

	if (rc > 0)
		rc = vtr_win_values(v, 2, os, &w->system, key, err);
	of = v[0].text && *v[0].text ? &v[0] : &v[1];
	/* "@tzres.dll,-212" is a number of a text in a library. */
	if (rc == 0 && of->text && *of->text && of->text[0] != '@') {
		iana = vtr_win_zone(of->text);
		if (vtr_win_fact(os, "timezone_name", of->text, &w->system, path, of->name, err) < 0 ||
		    (iana && vtr_win_fact(os, "timezone", iana, &w->system, path, of->name, err) < 0))
			rc = -1;
	}
	vtr_win_values_done(v, 2);
	return rc < 0 ? -1 : 0;
}

/*
 * Environments that are started to install or to mend another system. The key MiniNT alone does not say it: some set it in
 * a system of their own, for what an environment is allowed.
 */
static int win_read_medium(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const starts[] = { "System32/winpeshl.exe", "System32/wpeinit.exe", "System32/startnet.cmd",
					      "System32/setupreg.hiv", NULL };
	static const char *const recovery[] = { "System32/RecEnv.exe", "System32/recovery/RecEnv.exe", NULL };
	struct vtr_windows *w = os->windows;
	const struct vtr_fact *variant = vtr_os_fact(os, "variant");
	const struct win_hive *hive = &w->software;
	const char *value = NULL;
	char path[WIN_DEPTH] = WIN_NT "\\WinPE";
	uint32_t key;
	int pe = vtr_win_key(&key, os, &w->software, 0, path, err), there;

	if (pe == 0 && variant && vtr_ascii_casecmp(variant->value, "WindowsPE") == 0) {
		snprintf(path, sizeof(path), WIN_NT);
		value = "InstallationType";
		pe = 1;
	}
	if (pe == 0) {
		hive = &w->system;
		pe = vtr_win_key(&key, os, hive, 0, vtr_win_set(path, w, "Control\\MiniNT"), err);
		if (pe > 0)
			pe = win_there_any(os, w->root + 1, starts, err);
	}
	if (pe <= 0)
		return pe;
	there = win_there_any(os, w->root + 1, recovery, err);
	if (there < 0)
		return -1;
	return vtr_win_fact(os, "medium", there > 0 ? "recovery" : "pe", hive, path, value, err);
}

int vtr_windows_read(struct vtr_os *os, const struct vtr_inspect *in, size_t device, const char *folder,
		     struct vtr_error *err)
{
	static const struct {
		const char *file, *name;
		size_t at;
		bool needed;
	} hives[] = {
		{ "SYSTEM", "HKLM\\SYSTEM", offsetof(struct vtr_windows, system), true },
		{ "SOFTWARE", "HKLM\\SOFTWARE", offsetof(struct vtr_windows, software), true },
	};
	struct vtr_windows *w = vtr_calloc(1, sizeof(*w), err);
	VTR_FREE char *config = NULL;
	struct vtr_str s = { 0 };

	if (!w)
		return -1;
	os->windows = w;
	vtr_str_puts(&s, "/");
	vtr_str_puts(&s, folder);
	w->root = vtr_str_take(&s, err);
	if (!w->root || vtr_tree_set_system_root(os->tree, w->root, err) < 0)
		return -1;
	for (size_t i = 0; i < VTR_COUNT(hives); i++) {
		char path[WIN_DEPTH];

		snprintf(path, sizeof(path), "%s/System32/config/%s", w->root, hives[i].file);
		if (vtr_win_open((struct win_hive *)((char *)w + hives[i].at), os, path, hives[i].name, hives[i].needed,
				 err) < 0)
			return -1;
	}
	vtr_str_puts(&s, w->root);
	vtr_str_puts(&s, "/System32/config");
	config = vtr_str_take(&s, err);
	if (!config || vtr_os_add_text(os, "type", "windows", config, err) < 0 ||
	    vtr_os_add_text(os, "distro", "windows", config, err) < 0)
		return -1;
	if (win_read_set(os, err) < 0 || win_read_product(os, err) < 0 || win_read_arch(os, err) < 0 ||
	    win_read_names(os, err) < 0 || win_read_zone(os, err) < 0 || win_read_medium(os, err) < 0 ||
	    vtr_win_drives_read(os, in, device, err) < 0 || vtr_win_boot_read(os, in, device, err) < 0 ||
	    vtr_win_fact_read(os, "machine_id", &w->software, "Microsoft\\Cryptography", "MachineGuid", err) < 0 ||
	    vtr_os_add_text(os, "system_root", w->root, config, err) < 0)
		return -1;
	return vtr_os_add_text(os, "package_format", "windows", config, err);
}
