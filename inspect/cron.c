/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is run by the clock: crontab(5) of the system and of its users, anacrontab(5), and the scripts of
 * /etc/cron.daily and its like. Timers of systemd are in inspect/services.c.
 */
#include "base/checked.h"
#include "inspect/records.h"

/* The first n words of the line, with the blanks between them; *rest is what follows. False: there are fewer. */
static bool cron_words(struct vtr_span *out, struct vtr_span *rest, unsigned n)
{
	struct vtr_span word = { NULL, 0 };

	*out = vtr_span_trim(*rest);
	for (unsigned i = 0; i < n; i++)
		if (!vtr_span_word(&word, rest))
			return false;
	out->len = (size_t)(word.p + word.len - out->p);
	return true;
}

/* NAME = value: a name is made of letters, and an equals sign follows it. */
static bool cron_assignment_is(struct vtr_span line)
{
	size_t i = 0;

	if (*line.p == '"' || *line.p == '\'')
		return true;
	while (i < line.len &&
	       ((line.p[i] | 0x20) >= 'a' || line.p[i] == '_' || (i > 0 && line.p[i] >= '0' && line.p[i] <= '9')))
		i++;
	line = vtr_span_trim(vtr_span_skip(line, i));
	return i > 0 && line.len > 0 && *line.p == '=';
}

static int cron_add(struct vtr_os *os, const char *path, struct vtr_span schedule, struct vtr_span user,
		    struct vtr_span command, struct vtr_error *err)
{
	struct vtr_draft d;

	vtr_draft_begin(&d, os, "cron", path, err);
	vtr_draft_words(&d, "schedule", schedule);
	vtr_draft_span(&d, "user", user);
	vtr_draft_span(&d, "command", command);
	return vtr_draft_end(&d);
}

static int cron_parse(struct vtr_os *os, const char *path, const char *text, size_t len, const char *owner,
		      struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line, schedule, user, word;

	while (vtr_span_line(&line, &rest)) {
		line = vtr_span_trim(line);
		if (line.len == 0 || *line.p == '#' || cron_assignment_is(line))
			continue;
		/* cronie: a minus in front, not to be logged. */
		if (*line.p == '-' && line.len > 1)
			line = vtr_span_skip(line, 1);
		if (!cron_words(&schedule, &line, *line.p == '@' ? 1 : 5))
			continue;
		user = owner ? vtr_span_of(owner) : (struct vtr_span){ "", 0 };
		if (!owner && !vtr_span_word(&user, &line))
			continue;
		line = vtr_span_trim(line);
		word = line;
		if (vtr_span_word(&word, &line) &&
		    cron_add(os, path, schedule, user, (struct vtr_span){ word.p, word.len + line.len }, err) < 0)
			return -1;
	}
	return 0;
}

int vtr_crontab_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	return cron_parse(os, path, text, len, NULL, err);
}

int vtr_crontab_user_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	const char *slash = strrchr(path, '/');

	return cron_parse(os, path, text, len, slash ? slash + 1 : path, err);
}

/* period delay job command: a period in days, or @monthly. */
int vtr_anacrontab_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line, period, job;

	while (vtr_span_line(&line, &rest)) {
		VTR_FREE char *schedule = NULL;
		struct vtr_str s = { 0 };

		line = vtr_span_trim(line);
		if (line.len == 0 || *line.p == '#' || cron_assignment_is(line) || !vtr_span_word(&period, &line) ||
		    !cron_words(&job, &line, 2) || vtr_span_trim(line).len == 0)
			continue;
		vtr_str_put(&s, period.p, period.len);
		if (*period.p != '@')
			vtr_str_puts(&s, " days");
		schedule = vtr_str_take(&s, err);
		if (!schedule ||
		    cron_add(os, path, vtr_span_of(schedule), vtr_span_of("root"), vtr_span_trim(line), err) < 0)
			return -1;
	}
	return 0;
}

/* cron(8) of Debian: names of letters, digits, _ and -. Elsewhere dots are read, but not the leavings of packages. */
static bool cron_name_is(const char *name)
{
	static const char *const leavings[] = { "~",	     ".rpmsave",   ".rpmnew",	".rpmorig",
						".dpkg-old", ".dpkg-dist", ".dpkg-new", ".swp" };

	for (size_t i = 0; i < VTR_COUNT(leavings); i++)
		if (vtr_span_ends(vtr_span_of(name), leavings[i]))
			return false;
	return *name != '.' && *name != '#';
}

static int cron_table_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	if (e->type == VTR_TYPE_DIR || !cron_name_is(e->name))
		return 0;
	return vtr_os_text(os, e->path, arg ? vtr_crontab_user_parse : vtr_crontab_parse, err) < 0 ? -1 : 0;
}

static int cron_script_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct vtr_stat st;
	int there;

	/* run-parts(8): what is executable. */
	if (!cron_name_is(e->name))
		return 0;
	there = vtr_os_look(NULL, &st, os, e->path, 0, err);
	if (there <= 0 || st.type != VTR_TYPE_FILE || !(st.mode & 0111))
		return there < 0 ? -1 : 0;
	return cron_add(os, e->path, vtr_span_of(arg), vtr_span_of("root"), vtr_span_of(e->path), err);
}

int vtr_cron_read(struct vtr_os *os, struct vtr_error *err)
{
	static const char *const tables[] = { "/var/spool/cron/crontabs", "/var/spool/cron/tabs", "/etc/crontabs" };
	static const struct {
		const char *dir;
		char schedule[12];
	} scripts[] = {
		{ "/etc/cron.hourly", "@hourly" },     { "/etc/cron.daily", "@daily" },
		{ "/etc/cron.weekly", "@weekly" },     { "/etc/cron.monthly", "@monthly" },
		{ "/etc/cron.yearly", "@yearly" },     { "/etc/periodic/15min", "*/15" },
		{ "/etc/periodic/hourly", "@hourly" }, { "/etc/periodic/daily", "@daily" },
		{ "/etc/periodic/weekly", "@weekly" }, { "/etc/periodic/monthly", "@monthly" },
	};
	static const char user[] = "user";
	struct vtr_place seen[VTR_COUNT(tables)];
	size_t n = 0;
	int there;

	if (vtr_os_text(os, "/etc/crontab", vtr_crontab_parse, err) < 0 ||
	    vtr_os_list(os, "/etc/cron.d", cron_table_entry, NULL, err) < 0)
		return -1;
	/* Alpine's first is a symlink to the last. */
	for (size_t i = 0; i < VTR_COUNT(tables); i++) {
		struct vtr_place place = { 0 };
		bool again = false;

		there = vtr_os_look(&place, NULL, os, tables[i], 0, err);
		for (size_t j = 0; j < n; j++)
			again = again || (seen[j].fs == place.fs && seen[j].node == place.node);
		if (there < 0 ||
		    (there > 0 && !again && vtr_os_list(os, tables[i], cron_table_entry, (void *)user, err) < 0))
			return -1;
		if (there > 0)
			seen[n++] = place;
	}
	/* Red Hat's tables lie where the others have a directory of them. */
	if (vtr_os_list(os, "/var/spool/cron", cron_table_entry, (void *)user, err) < 0 ||
	    vtr_os_text(os, "/etc/anacrontab", vtr_anacrontab_parse, err) < 0)
		return -1;
	for (size_t i = 0; i < VTR_COUNT(scripts); i++)
		if (vtr_os_list(os, scripts[i].dir, cron_script_entry, (void *)scripts[i].schedule, err) < 0)
			return -1;
	return 0;
}
