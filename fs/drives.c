/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Paths as Windows writes them ("Naming Files, Paths, and Namespaces"; object names of the kernel as they stand in its
 * registry), for trees that know their drives. What is understood leads to the root of a filesystem and a path from it;
 * from there on it is a walk like any other.
 */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/fold.h"
#include "base/text.h"
#include "fs/tree.h"

#define DRIVES_GUID 36u

void vtr_tree_drives_done(struct vtr_tree *t)
{
	for (size_t i = 0; i < t->n_drives; i++)
		vtr_fs_unref(t->drives[i].fs);
	free(t->drives);
	free(t->system_root);
}

int vtr_tree_add_drive(struct vtr_tree *t, char letter, const char *volume, struct vtr_fs *fs, struct vtr_error *err)
{
	struct vtr_tree_drive d = { .letter = vtr_ascii_upper(letter) };

	if (letter != 0 && !vtr_ascii_is_letter(letter))
		return vtr_fail(err, VTR_EUSAGE, "drives have letters from A to Z");
	if (letter != 0 && vtr_tree_drive(t, letter))
		return vtr_fail(err, VTR_EUSAGE, "drive %c: is there already", d.letter);
	if (volume && strlen(volume) != DRIVES_GUID)
		return vtr_fail(err, VTR_EUSAGE, "the GUID of a volume has %u characters", DRIVES_GUID);
	if (VTR_OVER(t->ctx, devices, t->n_drives + 1, "drives", err) < 0 ||
	    !VTR_GROW(t->drives, t->n_drives, t->cap_drives, err))
		return -1;
	for (unsigned i = 0; volume && i < DRIVES_GUID; i++)
		d.volume[i] = vtr_ascii_lower(volume[i]);
	d.fs = vtr_fs_ref(fs);
	if (letter != 0)
		fs->letter = fs->letter == 0 || fs->letter == d.letter ? d.letter : '?';
	t->drives[t->n_drives++] = d;
	return 0;
}

struct vtr_fs *vtr_tree_drive(const struct vtr_tree *t, char letter)
{
	for (size_t i = 0; i < t->n_drives; i++)
		if (t->drives[i].letter != 0 && t->drives[i].letter == vtr_ascii_upper(letter))
			return t->drives[i].fs;
	return NULL;
}

int vtr_tree_set_system_root(struct vtr_tree *t, const char *path, struct vtr_error *err)
{
	char *copy = vtr_strndup(path, strlen(path), err);

	if (!copy)
		return -1;
	free(t->system_root);
	t->system_root = copy;
	return 0;
}

/* ---------------------------------------------------------------------------------------------------------- paths */

static bool drives_ends(char c)
{
	return c == '/' || c == 0;
}

static int drives_none(const struct vtr_tree *t, char letter, struct vtr_error *err)
{
	char there[3 * 26 + 1];
	size_t n = 0;

	for (char c = 'A'; c <= 'Z'; c++)
		if (vtr_tree_drive(t, c)) {
			there[n++] = ' ';
			there[n++] = c;
			there[n++] = ':';
		}
	there[n] = 0;
	return vtr_fail(err, VTR_ENOTFOUND, "no drive %c: among the guest's disks: there is%s", vtr_ascii_upper(letter),
			n ? there : " none");
}

/*
 * What names a volume: "C:", "Volume{GUID}". 1: it is one, with the text after it; 0: it is none; -1: it is not among
 * the guest's.
 */
static int drives_volume(struct vtr_fs **out, const char **rest, const struct vtr_tree *t, const char *p,
			 struct vtr_error *err)
{
	if (vtr_ascii_is_letter(p[0]) && p[1] == ':' && drives_ends(p[2])) {
		*out = vtr_tree_drive(t, p[0]);
		*rest = p + 2;
		return *out ? 1 : drives_none(t, p[0], err);
	}
	if (vtr_ascii_ncasecmp(p, "Volume{", 7) != 0 || strnlen(p + 7, DRIVES_GUID + 1) <= DRIVES_GUID ||
	    p[7 + DRIVES_GUID] != '}' || !drives_ends(p[8 + DRIVES_GUID]))
		return 0;
	for (size_t i = 0; i < t->n_drives; i++) {
		if (vtr_ascii_ncasecmp(t->drives[i].volume, p + 7, DRIVES_GUID) == 0) {
			*out = t->drives[i].fs;
			*rest = p + 8 + DRIVES_GUID;
			return 1;
		}
	}
	return vtr_fail(err, VTR_ENOTFOUND, "no volume %.*s among the guest's disks", (int)DRIVES_GUID + 2, p + 6);
}

/* A prefix, without regard to case: the text after it, or NULL. */
static const char *drives_after(const char *p, const char *prefix)
{
	size_t len = strlen(prefix);

	return vtr_ascii_ncasecmp(p, prefix, len) == 0 ? p + len : NULL;
}

/* The text is that of path, with slashes alone. */
static int drives_enter(const char **rest, struct vtr_fs **from, bool *system, const struct vtr_tree *t,
			const char *path, const char *text, struct vtr_fs *link, struct vtr_error *err)
{
	/* Win32's device namespaces and the kernel's, whose names are links to devices; a link may have lost the prefix. */
	static const char *const spaces[] = { "//?/", "//./",
					      "/?"
					      "?/",
					      "/GLOBAL?"
					      "?/",
					      "/DosDevices/" };
	const char *p = NULL;
	int rc = drives_volume(from, rest, t, text, err);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	for (size_t i = 0; i < VTR_COUNT(spaces) && !p; i++)
		p = drives_after(text, spaces[i]);
	if (p) {
		rc = drives_volume(from, rest, t, p, err);
		if (rc == 0 && vtr_ascii_ncasecmp(p, "UNC/", 4) == 0)
			return vtr_fail(err, VTR_ENOTFOUND, "a share of the network");
		if (rc == 0)
			return vtr_fail(err, VTR_ENOTFOUND, "no drive, and no volume");
		return rc < 0 ? -1 : 0;
	}
	if (link && text[0] == '/' && (rc = drives_volume(from, rest, t, text + 1, err)) != 0)
		return rc < 0 ? -1 : 0;
	p = drives_after(text, "%SystemRoot%");
	if (!p)
		p = drives_after(text, "%windir%");
	if (!p && path[0] == '\\')
		p = drives_after(text, "/SystemRoot");
	*system = p && drives_ends(*p) && t->system_root;
	if (!*system)
		p = drives_after(text, "%SystemDrive%");
	if (p && drives_ends(*p)) {
		*from = t->root;
		*rest = p;
		return 0;
	}
	if (text[0] == '/' && text[1] == '/' && (link || (path[0] == '\\' && path[1] == '\\')))
		return vtr_fail(err, VTR_ENOTFOUND, "a share of the network");
	*rest = text;
	*from = text[0] != '/' ? NULL : link ? link : t->root;
	return 0;
}

int vtr_tree_enter(char **rest, struct vtr_fs **from, const struct vtr_tree *t, const char *path, struct vtr_fs *link,
		   struct vtr_error *err)
{
	VTR_FREE char *text = vtr_strndup(path, strlen(path), err);
	struct vtr_str out = { 0 };
	const char *left;
	bool system = false;
	char *whole;

	if (!text)
		return -1;
	for (char *p = text; *p; p++)
		if (*p == '\\')
			*p = '/';
	if (drives_enter(&left, from, &system, t, path, text, link, err) < 0)
		return -1;
	if (system)
		vtr_str_puts(&out, t->system_root);
	vtr_str_puts(&out, left);
	if (out.len == 0)
		vtr_str_puts(&out, "/");
	whole = vtr_str_take(&out, err);
	if (!whole)
		return -1;
	*rest = whole;
	return 0;
}

int vtr_tree_path(char **out, const struct vtr_tree *t, const char *path, struct vtr_error *err)
{
	VTR_FREE char *rest = NULL, *again = NULL;
	struct vtr_str s = { 0 };
	struct vtr_fs *from, *twice;
	bool letter = false;

	if (t->n_drives == 0) {
		*out = vtr_strndup(path, strlen(path), err);
		return *out ? 0 : -1;
	}
	if (vtr_tree_enter(&rest, &from, t, path, NULL, err) < 0)
		return vtr_at(err, "%s", path);
	/* "C:\\DosDevices\\D:" keeps its letter, since without it it would be D:. */
	if (from == t->root &&
	    (vtr_tree_enter(&again, &twice, t, rest, NULL, NULL) < 0 || twice != from || strcmp(again, rest) != 0))
		letter = true;
	for (size_t i = 0; from && (letter || from != t->root) && i < t->n_drives; i++) {
		if (t->drives[i].fs != from)
			continue;
		if (t->drives[i].letter)
			vtr_str_putf(&s, "%c:", t->drives[i].letter);
		else
			vtr_str_putf(&s, "//?/Volume{%s}", t->drives[i].volume);
		break;
	}
	if (rest[0] != '/' && s.len > 0)
		vtr_str_puts(&s, "/");
	vtr_str_puts(&s, rest);
	*out = vtr_str_take(&s, err);
	return *out ? 0 : -1;
}
