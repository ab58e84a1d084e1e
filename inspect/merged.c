/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Directories that are read as one: of files with the same name the one in the first directory counts, and all of them are
 * read in the order of their names. systemd, netplan, sysctl and many others read their drop-ins so.
 */
#include <stdlib.h>

#include "base/checked.h"
#include "inspect/records.h"

struct merged_listing {
	struct vtr_merged *m;
	const char *suffix;
};

static int merged_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	const struct merged_listing *l = arg;
	struct vtr_merged *m = l->m;
	struct vtr_merged_file *f;

	if (*e->name == '.' || !vtr_span_ends(vtr_span_of(e->name), l->suffix) ||
	    (e->type != VTR_TYPE_FILE && e->type != VTR_TYPE_SYMLINK))
		return 0;
	if (VTR_OVER(os->ctx, records, m->n_files + 1, "files of merged directories", err) < 0 ||
	    !VTR_GROW(m->files, m->n_files, m->cap_files, err))
		return -1;
	f = &m->files[m->n_files];
	*f = (struct vtr_merged_file){ .path = vtr_strndup(e->path, strlen(e->path), err), .order = m->n_files };
	m->n_files += f->path != NULL;
	return f->path ? 0 : -1;
}

static const char *merged_name(const struct vtr_merged_file *f)
{
	return strrchr(f->path, '/') + 1;
}

static int merged_compare(const void *pa, const void *pb)
{
	const struct vtr_merged_file *a = pa, *b = pb;
	int c = strcmp(merged_name(a), merged_name(b));

	return c != 0 ? c : (a->order > b->order) - (a->order < b->order);
}

void vtr_merged_done(struct vtr_merged *m)
{
	for (size_t i = 0; i < m->n_files; i++)
		free(m->files[i].path);
	free(m->files);
	free(m->paths);
	*m = (struct vtr_merged){ .n = 0 };
}

int vtr_os_merge(struct vtr_merged *m, struct vtr_os *os, const char *const *dirs, size_t n, const char *suffix,
		 struct vtr_error *err)
{
	struct merged_listing l = { m, suffix };

	*m = (struct vtr_merged){ .n = 0 };
	for (size_t i = 0; i < n; i++)
		if (vtr_os_list(os, dirs[i], merged_entry, &l, err) < 0)
			goto fail;
	m->paths = vtr_calloc(m->n_files + 1, sizeof(*m->paths), err);
	if (!m->paths)
		goto fail;
	if (m->n_files > 0)
		qsort(m->files, m->n_files, sizeof(*m->files), merged_compare);
	for (size_t i = 0; i < m->n_files; i++)
		if (i == 0 || strcmp(merged_name(&m->files[i]), merged_name(&m->files[i - 1])) != 0)
			m->paths[m->n++] = m->files[i].path;
	return 0;
fail:
	vtr_merged_done(m);
	return -1;
}

int vtr_os_merged_texts(struct vtr_os *os, const char *const *dirs, size_t n, const char *suffix, vtr_text_fn *fn,
			struct vtr_error *err)
{
	struct vtr_merged m;
	int rc = vtr_os_merge(&m, os, dirs, n, suffix, err);

	for (size_t i = 0; rc == 0 && i < m.n; i++)
		rc = vtr_os_text(os, m.paths[i], fn, err) < 0 ? -1 : 0;
	vtr_merged_done(&m);
	return rc;
}
