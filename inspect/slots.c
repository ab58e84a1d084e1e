/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which of several partitions a machine starts from. ChromeOS and what descends from it (Container Linux, Bottlerocket)
 * keep two sets and write into the GPT's attributes which one is to be tried: bits 48 to 51 priority, 52 to 55 tries
 * left, 56 successful; the set with the highest priority that was successful or has tries left is taken. Of discoverable
 * partitions (UAPI.2) the one whose name is the newest version is.
 */
#include <string.h>

#include "base/checked.h"
#include "fs/tree.h"
#include "inspect/inspect.h"
#include "partitions/types.h"

#define SLOTS_CHROME_ROOT "3CB8E202-3B7E-47DD-8A3C-7FF2A13CFCEC"
#define SLOTS_CHROME_KERNEL "FE3A2A5D-4F32-41A7-B725-ACCC3285A309"
#define SLOTS_BOTTLEROCKET_ROOT "5526016A-1A97-4EA4-B39A-B7C8C6CA4502"
#define SLOTS_BOTTLEROCKET_BOOT "6B636168-7420-6568-2070-6C616E657421"
#define SLOTS_COREOS_USR "5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6"

static const struct vtr_part *slots_part(const struct vtr_inspect *in, size_t device)
{
	const struct vtr_device *d = &in->devices[device];

	return d->of ? vtr_parts_at(d->of, d->part) : NULL;
}

/* 1 to 16: it may be started, the higher the sooner; 0: it may not. */
static unsigned slots_priority(const struct vtr_part *p)
{
	unsigned priority = (unsigned)(p->attributes >> 48 & 15), tries = (unsigned)(p->attributes >> 52 & 15);
	bool successful = p->attributes >> 56 & 1;

	return priority > 0 && (successful || tries > 0) ? priority + 1 : 0;
}

/* Numbers in names are compared as numbers: "web_9" comes before "web_10". */
static int slots_compare_names(const struct vtr_part *a, const struct vtr_part *b)
{
	return strverscmp(a->name, b->name);
}

bool vtr_slots_usr_is(const struct vtr_part *p)
{
	return p && (strcmp(p->type_guid, SLOTS_COREOS_USR) == 0 || vtr_gpt_usr_arch(p->type_guid) >= 0);
}

bool vtr_slots_root_is(const struct vtr_part *p)
{
	static const char *const more[] = {
		"3884DD41-8582-4404-B9A8-E9B84F2DF50E", /* Container Linux */
		"BE9067B9-EA49-4F15-B4F6-F36F8C9E1818",
		SLOTS_CHROME_ROOT,
		SLOTS_BOTTLEROCKET_ROOT,
	};

	for (size_t i = 0; p && i < VTR_COUNT(more); i++)
		if (strcmp(p->type_guid, more[i]) == 0)
			return true;
	return p && vtr_gpt_root_arch(p->type_guid) >= 0;
}

bool vtr_slots_chrome_is(const struct vtr_part *p)
{
	return p && strcmp(p->type_guid, SLOTS_CHROME_ROOT) == 0;
}

/* Whether a filesystem has the contents of a /usr: 1, 0: it has not, or cannot be read, -1. */
static int slots_usr_filled(const struct vtr_inspect *in, size_t device, struct vtr_error *err)
{
	static const char *const names[] = { "lib", "bin", "share" };
	struct vtr_fs *fs;
	uint64_t node;
	int there = vtr_inspect_fs(&fs, in, device, err);

	for (size_t i = 0; there > 0 && i < VTR_COUNT(names); i++) {
		struct vtr_error e = { 0 };

		if (vtr_fs_lookup(&node, NULL, fs, vtr_fs_root(fs), names[i], strlen(names[i]), &e) == 0)
			return 1;
		if (vtr_inspect_excuse(in->ctx, &e, err, "%s: %s", in->devices[device].name, names[i]) < 0)
			return -1;
	}
	return there < 0 ? -1 : 0;
}

/* Whether b is to be taken rather than a: both are /usr partitions of the same disk as the root. */
static bool slots_better(const struct vtr_part *a, const struct vtr_part *b, int arch)
{
	bool a_fits = arch < 0 || vtr_gpt_usr_arch(a->type_guid) == arch;
	bool b_fits = arch < 0 || vtr_gpt_usr_arch(b->type_guid) == arch;
	unsigned a_first = slots_priority(a), b_first = slots_priority(b);

	if (a_fits != b_fits)
		return b_fits;
	if (strcmp(a->type_guid, b->type_guid) != 0)
		return false;
	if (strcmp(a->type_guid, SLOTS_COREOS_USR) == 0)
		return b_first > a_first;
	return slots_compare_names(a, b) < 0;
}

int vtr_slots_usr(size_t *out, const struct vtr_inspect *in, size_t root, struct vtr_error *err)
{
	const struct vtr_part *at = slots_part(in, root), *best = NULL;
	int arch = at ? vtr_gpt_root_arch(at->type_guid) : -1;

	for (size_t i = 0; at && i < in->n_devices; i++) {
		const struct vtr_part *p = in->devices[i].of == in->devices[root].of ? slots_part(in, i) : NULL;
		int filled;

		if (!vtr_slots_usr_is(p) || p->attributes & VTR_SLOTS_NO_AUTO)
			continue;
		filled = slots_usr_filled(in, i, err);
		if (filled < 0)
			return -1;
		if (filled == 0 || (best && !slots_better(best, p, arch)))
			continue;
		best = p;
		*out = i;
	}
	return best != NULL;
}

/* ----------------------------------------------------------------------------------------------------------- roots */

/* The partition that keeps the attributes for a root: the one of the other type whose name ends in the same letter. */
static unsigned slots_root_priority(const struct vtr_inspect *in, size_t device)
{
	static const struct {
		const char *root, *boot;
	} kinds[] = { { SLOTS_CHROME_ROOT, SLOTS_CHROME_KERNEL },
		      { SLOTS_BOTTLEROCKET_ROOT, SLOTS_BOTTLEROCKET_BOOT } };
	const struct vtr_part *root = slots_part(in, device);
	size_t len = strlen(root->name);

	for (size_t k = 0; k < VTR_COUNT(kinds) && len > 0; k++) {
		if (strcmp(root->type_guid, kinds[k].root) != 0)
			continue;
		for (size_t i = 0; i < vtr_parts_count(in->devices[device].of); i++) {
			const struct vtr_part *p = vtr_parts_at(in->devices[device].of, i);
			size_t n = strlen(p->name);

			if (n > 0 && strcmp(p->type_guid, kinds[k].boot) == 0 && p->name[n - 1] == root->name[len - 1])
				return slots_priority(p);
		}
	}
	return 0;
}

static ssize_t slots_device(const struct vtr_inspect *in, const struct vtr_os *os)
{
	for (size_t i = 0; i < in->n_devices; i++)
		if (strcmp(in->devices[i].name, os->root) == 0)
			return (ssize_t)i;
	return -1;
}

/* How two roots of one type and one disk compare: > 0: a starts, < 0: b; 0: nothing says it. */
static int slots_compare_roots(const struct vtr_inspect *in, size_t a, size_t b)
{
	const struct vtr_part *pa = slots_part(in, a), *pb = slots_part(in, b);
	unsigned first = slots_root_priority(in, a), second = slots_root_priority(in, b);

	if (first != second)
		return first > second ? 1 : -1;
	if (vtr_gpt_root_arch(pa->type_guid) < 0 || !pa->name[0] || !pb->name[0])
		return 0;
	return slots_compare_names(pa, pb);
}

int vtr_slots_roles(struct vtr_os **v, size_t n, const struct vtr_inspect *in, struct vtr_error *err)
{
	for (size_t i = 0; i < n; i++) {
		ssize_t a = slots_device(in, v[i]);
		const struct vtr_part *pa = a >= 0 ? slots_part(in, (size_t)a) : NULL;
		size_t peers = 0, wins = 0, losses = 0;
		const char *role;

		if (!vtr_slots_root_is(pa) || v[i]->dir)
			continue;
		for (size_t k = 0; k < n; k++) {
			ssize_t b = k != i && !v[k]->dir ? slots_device(in, v[k]) : -1;
			const struct vtr_part *pb = b >= 0 ? slots_part(in, (size_t)b) : NULL;
			int order;

			if (!pb || in->devices[a].of != in->devices[b].of || strcmp(pa->type_guid, pb->type_guid) != 0)
				continue;
			order = slots_compare_roots(in, (size_t)a, (size_t)b);
			peers++;
			wins += order > 0;
			losses += order < 0;
		}
		role = losses > 0 ? "alternative" : peers > 0 && wins == peers ? "default" : NULL;
		if (!role)
			continue;
		v[i]->alternative = losses > 0;
		if (vtr_os_add_fact_on(v[i], "role", role, strlen(role), "/", v[i]->tree->root, err) < 0)
			return -1;
	}
	return 0;
}
