/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is started in a runlevel: links of System V's, OpenRC's and runit's. */
#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"
#include "inspect/units.h"

/* A link that starts something in a runlevel. */
struct runlevels {
	struct runlevels_link {
		char *name, *path;
		const struct vtr_fs *fs;
		char level[24];
	} * links;
	size_t n, cap;
	const char *level;
	bool sysv; /* names are S20name and K20name */
};

static void runlevels_done(struct runlevels *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->links[i].name);
		free(r->links[i].path);
	}
	free(r->links);
}

static int runlevels_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct runlevels *r = arg;
	const char *name = e->name;
	struct runlevels_link *l;

	if (r->sysv) {
		if (name[0] != 'S' || name[1] < '0' || name[1] > '9' || name[2] < '0' || name[2] > '9' || name[3] == 0)
			return 0;
		name += 3;
	} else if (*name == '.') {
		return 0;
	}
	if (VTR_OVER(os->ctx, records, r->n + 1, "links of runlevels", err) < 0 ||
	    !VTR_GROW(r->links, r->n, r->cap, err))
		return -1;
	l = &r->links[r->n++];
	*l = (struct runlevels_link){ .name = vtr_strndup(name, strlen(name), err), .fs = e->fs };
	l->path = vtr_strndup(e->path, strlen(e->path), err);
	snprintf(l->level, sizeof(l->level), "%s", r->level);
	return l->name && l->path ? 0 : -1;
}

static int runlevels_compare(const void *pa, const void *pb)
{
	const struct runlevels_link *a = pa, *b = pb;
	int c = strcmp(a->name, b->name);

	return c != 0 ? c : strcmp(a->path, b->path);
}

static int runlevels_add(struct vtr_os *os, const char *manager, const struct runlevels_link *first, size_t n,
			 struct vtr_error *err)
{
	struct vtr_str levels = { 0 };
	struct vtr_draft d;
	int rc;

	for (size_t i = 0; i < n; i++)
		vtr_list_put(&levels, vtr_span_of(first[i].level));
	vtr_draft_begin_on(&d, os, "services", first->path, first->fs, err);
	vtr_draft_text(&d, "name", first->name);
	vtr_draft_text(&d, "manager", manager);
	vtr_draft_text(&d, "state", "enabled");
	vtr_draft_list(&d, "runlevels", &levels);
	rc = vtr_draft_end(&d);
	vtr_str_done(&levels);
	return rc;
}

/*
 * systemd-sysv-generator(8): a unit of the same name stands in for the script, and so does a mask.
 * 1, 0, -1.
 */
static int runlevels_unit_has(const struct vtr_units *u, const char *name, struct vtr_error *err)
{
	struct vtr_span base = vtr_span_of(name);
	VTR_FREE char *unit = NULL;
	struct vtr_str s = { 0 };

	if (vtr_span_ends(base, ".sh"))
		base.len -= 3;
	vtr_str_put(&s, base.p, base.len);
	vtr_str_puts(&s, ".service");
	unit = vtr_str_take(&s, err);
	return unit ? vtr_units_find(u, "", unit) != NULL : -1;
}

static int runlevels_emit(struct runlevels *r, struct vtr_os *os, const char *manager, const struct vtr_units *u,
			  struct vtr_error *err)
{
	int rc = 0;

	if (r->n > 0)
		qsort(r->links, r->n, sizeof(*r->links), runlevels_compare);
	for (size_t i = 0, n; rc == 0 && i < r->n; i += n) {
		for (n = 1; i + n < r->n && strcmp(r->links[i].name, r->links[i + n].name) == 0; n++)
			;
		rc = u ? runlevels_unit_has(u, r->links[i].name, err) : 0;
		rc = rc == 0 ? runlevels_add(os, manager, &r->links[i], n, err) : rc < 0 ? -1 : 0;
	}
	return rc;
}

static int runlevels_sysv_read(struct vtr_os *os, const struct vtr_units *u, struct vtr_error *err)
{
	static const char *const dirs[] = { "/etc", "/etc/rc.d", "/etc/init.d" };
	/* What is started at a shutdown, in 0 and 6, is no service. */
	static const char *const levels[] = { "S", "1", "2", "3", "4", "5" };
	struct runlevels r = { .sysv = true };
	int rc = 0;

	for (size_t d = 0; rc == 0 && d < VTR_COUNT(dirs) && r.n == 0; d++) {
		for (size_t i = 0; rc == 0 && i < VTR_COUNT(levels); i++) {
			char dir[40];

			snprintf(dir, sizeof(dir), "%s/rc%s.d", dirs[d], levels[i]);
			r.level = levels[i];
			rc = vtr_os_list(os, dir, runlevels_entry, &r, err);
		}
	}
	if (rc == 0)
		rc = runlevels_emit(&r, os, "sysvinit", u, err);
	runlevels_done(&r);
	return rc;
}

/* OpenRC: a directory for each of its runlevels. */
static int runlevels_openrc_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct runlevels *r = arg;

	if (e->type != VTR_TYPE_DIR)
		return 0;
	r->level = e->name;
	return vtr_os_list(os, e->path, runlevels_entry, r, err);
}

static int runlevels_openrc_read(struct vtr_os *os, struct vtr_error *err)
{
	struct runlevels r = { .sysv = false };
	int rc = vtr_os_list(os, "/etc/runlevels", runlevels_openrc_entry, &r, err);

	if (rc == 0)
		rc = runlevels_emit(&r, os, "openrc", NULL, err);
	runlevels_done(&r);
	return rc;
}

static int runlevels_runit_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const dirs[] = { "/etc/runit/runsvdir/default", "/etc/service", NULL };
	struct runlevels r = { .level = "default" };
	const char *dir = NULL;
	int rc = vtr_os_there_any(&dir, os, dirs, err);

	if (rc > 0)
		rc = vtr_os_list(os, dir, runlevels_entry, &r, err);
	if (rc == 0)
		rc = runlevels_emit(&r, os, "runit", NULL, err);
	runlevels_done(&r);
	return rc;
}

int vtr_runlevels_read(struct vtr_os *os, const struct vtr_units *u, struct vtr_error *err)
{
	if (runlevels_sysv_read(os, u, err) < 0)
		return -1;
	if (u) /* systemd does not read what the others have */
		return 0;
	return runlevels_openrc_read(os, err) < 0 ? -1 : runlevels_runit_read(os, err);
}
