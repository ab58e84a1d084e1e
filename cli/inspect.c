/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vitrine inspect: which system is this, and what is on it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/records.h"

extern const struct cli_verb cli_verb_inspect;

struct inspect {
	struct cli c;
	bool no_packages, list_packages, brief;
	const char *sbom;
};

enum { OPT_PACKAGES = CLI_LONG, OPT_NO_PACKAGES, OPT_BRIEF, OPT_SBOM };

static bool inspect_option(void *arg, int opt, const char *value)
{
	struct inspect *in = arg;

	if (opt == OPT_PACKAGES)
		in->list_packages = true;
	else if (opt == OPT_BRIEF)
		in->brief = in->no_packages = true;
	else if (opt == OPT_SBOM)
		in->sbom = value;
	else
		in->no_packages = true;
	return true;
}

static const char *inspect_value(const struct vtr_os *os, const char *key)
{
	const struct vtr_fact *f = vtr_os_fact(os, key);

	return f ? f->value : NULL;
}

static void inspect_line(const char *title, const char *value)
{
	if (value)
		printf("  %-13s %s\n", title, value); /* facts are escaped already */
}

/* "3 (deb, apt), 1 half-installed; 2 removed, their settings are left": packages that are there, and what is with them. */
static void inspect_packages_print(const struct vtr_os *os, const char *format, const char *manager, bool counted)
{
	static const char *const states[] = { "half-installed",	  "unpacked",	      "half-configured",
					      "triggers-awaited", "triggers-pending", NULL };
	size_t there = 0, removed = 0, n[sizeof(states) / sizeof(states[0])] = { 0 };
	const struct vtr_package *p;

	for (size_t i = 0; (p = vtr_os_package(os, i)); i++) {
		size_t s = 0;

		there += vtr_package_is_there(p);
		removed += strcmp(p->status, "config-files") == 0;
		while (states[s] && strcmp(states[s], p->status) != 0)
			s++;
		n[s] += states[s] != NULL;
	}
	printf("  %-13s ", "packages");
	if (counted && there > 0)
		printf("%zu ", there);
	printf("(%s%s%s%s)", format, manager ? ", " : "", manager ? manager : "", counted ? "" : ", not read");
	for (size_t s = 0; states[s]; s++)
		if (n[s] > 0)
			printf(", %zu %s", n[s], states[s]);
	if (removed > 0)
		printf("; %zu removed, with settings left", removed);
	putchar('\n');
}

/* The count of packages; -1: they are not read, which is said unless the format is one that we do not know. */
static ssize_t inspect_packages(struct inspect *in, struct vtr_os *os)
{
	struct vtr_error err = { 0 };
	ssize_t n = vtr_os_read_packages(os, &err);

	if (n < 0 && err.code != VTR_EUNSUPPORTED)
		cli_partial(&in->c, &err);
	return n;
}

static void inspect_records(struct inspect *in, struct vtr_os *os)
{
	struct vtr_error err = { 0 };

	if (!in->brief && vtr_os_read_records(os, &err) < 0)
		cli_partial(&in->c, &err);
}

/* Why a filesystem of the disks is not in the tree. */
static const char *inspect_unmounted(struct inspect *in, const struct vtr_os *os, const struct vtr_mount *m)
{
	int i = m->device && !m->mounted && m->path[0] == '/' ? vtr_guest_find_device(in->c.guest, m->device, NULL)
							      : -1;

	if (i < 0)
		return "";
	if (!vtr_guest_device(in->c.guest, (size_t)i)->has_fs || !vtr_guest_fs(in->c.guest, (size_t)i, NULL))
		return ", not read";
	for (size_t k = 0; k < vtr_os_mounts(os); k++) {
		const struct vtr_mount *other = vtr_os_mount(os, k);

		if (other->mounted && other->device && strcmp(other->device, m->device) == 0)
			return ", mounted elsewhere";
	}
	return ", no such directory";
}

static void inspect_mounts_print(struct inspect *in, const struct vtr_os *os)
{
	int width = 9;

	for (size_t i = 0; i < vtr_os_mounts(os); i++) {
		const struct vtr_mount *m = vtr_os_mount(os, i);

		if (m->device && (int)strlen(m->device) > width)
			width = (int)strlen(m->device);
	}
	for (size_t i = 0; i < vtr_os_mounts(os); i++) {
		const struct vtr_mount *m = vtr_os_mount(os, i);

		printf("  %-13s %-*s  ", i == 0 ? "mounts" : "", width, m->device ? m->device : "-");
		cli_puts(stdout, m->path);
		printf(" (");
		cli_puts(stdout, m->type);
		if (!m->device && m->spec[0] != '\\' &&
		    m->spec[0] != '_') { /* the long name of a device says nothing */
			fputs(", ", stdout);
			cli_puts(stdout, m->spec);
		}
		printf("%s)\n", inspect_unmounted(in, os, m));
	}
}

static void inspect_print(struct inspect *in, struct vtr_os *os)
{
	static const struct {
		const char *key, *title;
	} lines[] = {
		{ "type", "type" },
		{ "distro", "distribution" },
		{ "version", "version" },
		{ "display_version", "release" },
		{ "service_pack", "service pack" },
		{ "codename", "codename" },
		{ "edition", "edition" },
		{ "variant", "variant" },
		{ "arch", "architecture" },
		{ "hostname", "hostname" },
		{ "domain", "domain" },
		{ "workgroup", "workgroup" },
		{ "init", "init" },
		{ "timezone", "time zone" },
		{ "machine_id", "machine id" },
		{ "registered_owner", "owner" },
		{ "product_id", "product id" },
		{ "install_date", "installed on" },
		{ "system_root", "system root" },
		{ "control_set", "control set" },
		{ "locale", "locale" },
		{ "keymap", "keymap" },
		{ "model", "model" },
		{ "base", "base" },
		{ "kernel_snap", "kernel snap" },
		{ "grade", "grade" },
		{ "generation", "generation" },
		{ "generations", "generations" },
		{ "deployment", "deployment" },
		{ "origin", "origin" },
		{ "role", "role" },
		{ "boot_loader", "boot loader" },
		{ "firmware", "firmware" },
		{ "boot_default", "boot entry" },
		{ "boot_next", "next boot" },
		{ "boot_storage_drivers", "boot drivers" },
		{ "selinux", "selinux" },
		{ "apparmor", "apparmor" },
		{ "cloud_init", "cloud-init" },
		{ "container", "container" },
		{ "medium", "medium" },
		{ "last_boot", "last boot" },
		{ "last_shutdown", "last shutdown" },
		{ "fast_startup", "fast startup" },
		{ "hibernation", "hibernation" },
		{ "pending_reboot", "restart for" },
		{ "pending_renames", "to be renamed" },
		{ "group_policy", "group policy" },
	};
	const char *product = inspect_value(os, "product_name"), *format = inspect_value(os, "package_format");
	const char *manager = inspect_value(os, "package_manager"), *type = inspect_value(os, "type");
	size_t listed = 0;
	ssize_t n;

	inspect_records(in, os);
	if (!product)
		product = type && strcmp(type, "windows") == 0 ? "Windows" : "an unknown system";
	printf("%s: %s\n", vtr_os_name(os), product);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *value = inspect_value(os, lines[i].key);

		/* There is but one of some. */
		if (strcmp(lines[i].key, "distro") != 0 || !value || !type || strcmp(value, type) != 0)
			inspect_line(lines[i].title, value);
	}
	if (format) {
		n = in->no_packages ? 0 : inspect_packages(in, os);
		inspect_packages_print(os, format, manager, n >= 0);
	}
	if (!in->brief)
		cli_records_print(os);
	inspect_mounts_print(in, os);
	for (size_t i = 0; in->list_packages && vtr_os_package(os, i); i++) {
		const struct vtr_package *p = vtr_os_package(os, i);
		bool whole = strcmp(p->status, "installed") == 0;

		if (!vtr_package_is_there(p))
			continue;
		printf("  %-13s %s %s %s%s%s%s\n", listed++ == 0 ? "installed" : "", p->name, p->version, p->arch,
		       whole ? "" : " (", whole ? "" : p->status, whole ? "" : ")");
	}
}

static void inspect_facts_json(struct cli_stream *s, const struct vtr_os *os)
{
	json_t *o = json_object();
	const struct vtr_fact *f;

	for (size_t i = 0; (f = vtr_os_fact_at(os, i)); i++)
		cli_json_set_fact(o, f->key, f->value, cli_json_is_escaped(os));
	cli_stream_put_all(s, o);
}

static void inspect_mounts_json(struct cli_stream *s, const struct vtr_os *os)
{
	cli_stream_begin(s, "mounts", '[');
	for (size_t i = 0; i < vtr_os_mounts(os); i++) {
		const struct vtr_mount *m = vtr_os_mount(os, i);
		json_t *e = json_object();

		cli_json_set(e, "path", m->path);
		cli_json_set(e, "device", m->device);
		cli_json_set(e, "spec", m->spec);
		cli_json_set(e, "type", m->type);
		cli_json_set(e, "options", m->options);
		json_object_set_new(e, "mounted", json_boolean(m->mounted));
		cli_json_set(e, "why", m->why);
		cli_stream_put(s, NULL, e);
	}
	cli_stream_end(s);
}

static json_t *inspect_package_json(const struct vtr_package *p, bool escaped)
{
	json_t *e = json_object();

	cli_json_set_fact(e, "name", p->name, escaped);
	cli_json_set_fact(e, "version", p->version, escaped);
	cli_json_set_fact(e, "arch", p->arch, escaped);
	cli_json_set_fact(e, "source", p->source, escaped);
	cli_json_set_fact(e, "source_version", p->source_version, escaped);
	cli_json_set_fact(e, "status", p->status, escaped);
	if (p->installed_size)
		json_object_set_new(e, "installed_size", cli_json_u64(p->installed_size));
	if (p->install_time) {
		const struct vtr_time t = { .sec = p->install_time, .set = true };
		char buf[64];

		cli_json_set(e, "install_time", cli_time(buf, &t, true));
	}
	cli_json_set_fact(e, "summary", p->summary, escaped);
	cli_json_set_fact(e, "vendor", p->vendor, escaped);
	cli_json_set_fact(e, "id", p->id, escaped);
	cli_json_set_fact(e, "user", p->user, escaped);
	cli_json_set_fact(e, "location", p->location, escaped);
	return e;
}

static void inspect_packages_json(struct cli_stream *s, struct inspect *in, struct vtr_os *os)
{
	const struct vtr_package *p;

	if (inspect_packages(in, os) < 0) {
		cli_stream_put(s, "packages", json_null());
		return;
	}
	cli_stream_begin(s, "packages", '[');
	for (size_t i = 0; (p = vtr_os_package(os, i)); i++)
		cli_stream_put(s, NULL, inspect_package_json(p, cli_json_is_escaped(os)));
	cli_stream_end(s);
}

static void inspect_sources_json(struct cli_stream *s, const struct vtr_os *os)
{
	const struct vtr_fact *f;

	cli_stream_begin(s, "sources", '{');
	for (size_t i = 0; (f = vtr_os_fact_at(os, i)); i++) {
		json_t *e = json_object();

		cli_json_set(e, "device", f->device);
		cli_json_set(e, "path", f->path);
		cli_json_set_fact(e, "key", f->reg_key, cli_json_is_escaped(os));
		cli_json_set_fact(e, "value", f->reg_value, cli_json_is_escaped(os));
		cli_stream_put(s, f->key, e);
	}
	cli_stream_end(s);
}

static void inspect_json(struct cli_stream *s, struct inspect *in, struct vtr_os *os)
{
	json_t *root = json_object();

	inspect_records(in, os);
	cli_stream_begin(s, NULL, '{');
	json_object_set_new(root, "root", json_string(vtr_os_root(os)));
	if (strcmp(vtr_os_root_dir(os), "/") != 0)
		cli_json_set(root, "root_dir", vtr_os_root_dir(os));
	cli_stream_put_all(s, root);
	inspect_facts_json(s, os);
	inspect_mounts_json(s, os);
	if (!in->brief)
		cli_records_json(s, os);
	if (!in->no_packages)
		inspect_packages_json(s, in, os);
	inspect_sources_json(s, os);
	cli_stream_end(s);
}

/* The i-th system of those that are asked for. */
static struct vtr_os *inspect_os(const struct inspect *in, int i)
{
	return in->c.os ? in->c.os : vtr_guest_os(in->c.guest, (size_t)i);
}

/* SOURCE_DATE_EPOCH, the only clock; not set where it is none, or no number. */
static struct vtr_time inspect_created(void)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	struct vtr_time t = { 0 };

	if (!text || !*text || strspn(text, "0123456789") != strlen(text))
		return t;
	errno = 0;
	t.sec = strtoll(text, NULL, 10);
	t.set = errno == 0 && t.sec <= 253402300799; /* the year 9999 */
	return t;
}

static int inspect_write(void *arg, const char *text, size_t len)
{
	(void)arg;
	return fwrite(text, 1, len, stdout) == len ? 0 : 1;
}

/* Of the images, by their names without folders. A failure to write is told by cli_flush(). */
static void inspect_sbom(struct inspect *in)
{
	struct vtr_sbom how = { .format = vtr_sbom_format(in->sbom), .os = in->c.os, .created = inspect_created() };
	struct vtr_error err = { .code = VTR_ENOMEM, .text = "out of memory" };
	char *subject = NULL;
	size_t len;
	FILE *f = open_memstream(&subject, &len);

	for (size_t i = 0; f && i < in->c.n_images; i++) {
		const char *slash = strrchr(in->c.images[i], '/');

		fprintf(f, "%s%s", i > 0 ? ", " : "", slash && slash[1] ? slash + 1 : in->c.images[i]);
	}
	how.subject = f && fclose(f) == 0 ? subject : NULL;
	if (!how.subject || vtr_sbom_write(in->c.guest, &how, inspect_write, NULL, &err) < 0)
		cli_error(&in->c, &err);
	free(subject);
}

/* No system: what there is, and whether it could have been read. */
static void inspect_say_none(struct cli *c)
{
	struct vtr_error err = { .code = VTR_ENOTFOUND };
	size_t at = (size_t)snprintf(err.text, sizeof(err.text), "no operating system is found"), n = 0;

	for (size_t i = 0; i < vtr_guest_devices(c->guest) && at < 600; i++) {
		const struct vtr_device *d = vtr_guest_device(c->guest, i);

		if (d->has_fs && vtr_guest_fs(c->guest, i, NULL))
			at += (size_t)snprintf(err.text + at, sizeof(err.text) - at, "%s%s has %s", n++ ? ", " : ": ",
					       d->name, d->content);
	}
	cli_say_unread(c, &err, n ? ", " : ": ");
	cli_error(c, &err);
}

static int inspect_run(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "packages", no_argument, NULL, OPT_PACKAGES },
		{ "no-packages", no_argument, NULL, OPT_NO_PACKAGES },
		{ "brief", no_argument, NULL, OPT_BRIEF },
		{ "sbom", required_argument, NULL, OPT_SBOM },
		{ 0 },
	};
	struct inspect in = { 0 };
	struct vtr_error err = { 0 };
	struct cli_stream json = { 0 };
	int n;

	if (!cli_begin(&in.c, &cli_verb_inspect, &argc, &argv, "", longs, inspect_option, &in))
		return cli_end(&in.c);
	if (argc > 0) {
		cli_usage(&in.c, "one image; -a for more");
		return cli_end(&in.c);
	}
	if (in.sbom && !vtr_sbom_format(in.sbom)) {
		cli_usage(&in.c, "--sbom %s: cyclonedx or spdx", in.sbom);
		return cli_end(&in.c);
	}
	if (!cli_open_guest(&in.c))
		return cli_end(&in.c);
	if (in.c.root)
		n = cli_root(&in.c) ? 1 : -1;
	else
		n = vtr_guest_inspect(in.c.guest, &err);
	if (n < 0) {
		if (!in.c.root)
			cli_error(&in.c, &err);
	} else if (in.sbom && n > 0) {
		inspect_sbom(&in);
	} else if (in.c.json) {
		cli_stream_begin(&json, NULL, '{');
		cli_stream_begin(&json, "operating_systems", '[');
		for (int i = 0; i < n; i++)
			inspect_json(&json, &in, inspect_os(&in, i));
		cli_stream_end(&json);
		cli_stream_end(&json);
	} else {
		for (int i = 0; i < n; i++) {
			if (i > 0)
				putchar('\n');
			inspect_print(&in, inspect_os(&in, i));
		}
	}
	if (n == 0)
		inspect_say_none(&in.c);
	cli_flush(&in.c);
	return cli_end(&in.c);
}

const struct cli_verb cli_verb_inspect = {
	.name = "inspect",
	.summary = "Tell which operating system this is, and what is on it",
	.usage = "[options] IMAGE",
	.options = "      --packages       list the installed packages in the text, too\n"
		   "      --no-packages    do not read the list of packages\n"
		   "      --brief          only what the system is, and its mounts\n"
		   "      --sbom FORM      a bill of materials instead: cyclonedx or spdx, in JSON\n",
	.without = CLI_NO_DEVICE | CLI_NO_EXCLUDE,
	.run = inspect_run,
};
