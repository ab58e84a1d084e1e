/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Software bills of materials: CycloneDX 1.5 (ECMA-424 is its successor) and SPDX 2.3, both in JSON, with package URLs as the
 * purl specification has them. Nothing is invented: there are no dependencies or licences, since the database does not say
 * them.
 *
 * The same guest gives the same bytes. The document's identifier is a UUID of version 5 over all the rest of it, and stands
 * at its beginning. So the document is made twice: once to be hashed, once to be written.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/ctx.h"
#include "base/hash.h"
#include "base/text.h"
#include "inspect/inspect.h"

#define SBOM_BUFFER 16384u
#define SBOM_DEPTH 8u

/* The namespace of our identifiers: a UUID of version 4, drawn once. */
static const uint8_t sbom_namespace[16] = { 0x6f, 0x1c, 0x0d, 0x5e, 0x93, 0x27, 0x4b, 0x8a,
					    0xa4, 0x60, 0x2d, 0xe1, 0x7b, 0x3f, 0x58, 0xc9 };

/* One system: what the package URLs of its packages have in common. */
struct sbom_system {
	struct vtr_os *os;
	const char *type, *vendor; /* purl type, and namespace: "" none */
	struct vtr_str distro;	   /* "debian-12"; "" unknown */
	bool lower;		   /* names are written in small letters */
	bool epoch_apart;	   /* the epoch is a qualifier */
	bool programs;		   /* packages are what users start */
	struct vtr_str ref;	   /* "os-sda1" */
};

struct sbom_named {
	uint64_t hash; /* of what it is called */
	size_t i;      /* the how manieth it is of all */
};

struct sbom {
	struct vtr_guest *g;
	const struct vtr_sbom *how;
	bool spdx;
	char created[48]; /* "": not known */
	struct vtr_str subject;
	uint32_t *nth; /* of each system and package: the how manieth of its name, from 1 */
	size_t at;     /* the next of these */
	struct vtr_str purl, ref, text, id, system_id;
	/* what is written */
	vtr_write *write;
	void *arg;
	struct vtr_hash *hash; /* it is hashed, not written, and has no spaces; NULL: it is written */
	unsigned depth;
	bool any[SBOM_DEPTH];
	char kinds[SBOM_DEPTH];
	int result; /* nothing is put any more; -1: *err is set */
	struct vtr_error *err;
	size_t len;
	char buf[SBOM_BUFFER];
};

int vtr_sbom_format(const char *name)
{
	return strcmp(name, "cyclonedx") == 0 ? VTR_SBOM_CYCLONEDX : strcmp(name, "spdx") == 0 ? VTR_SBOM_SPDX : 0;
}

static const char *sbom_fact(const struct vtr_os *os, const char *key)
{
	const struct vtr_fact *f = vtr_os_fact(os, key);

	return f ? f->value : NULL;
}

/* What a name of SPDX and CycloneDX has room for. */
static bool sbom_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.';
}

/* ------------------------------------------------------------------------------------------------------------- JSON */

static void sbom_flush(struct sbom *b)
{
	if (b->result == 0 && b->len > 0)
		b->result =
			b->hash ? vtr_hash_update(b->hash, b->buf, b->len, b->err) : b->write(b->arg, b->buf, b->len);
	b->len = 0;
}

static int sbom_put(void *arg, const char *p, size_t len)
{
	struct sbom *b = arg;

	while (len > 0 && b->result == 0) {
		size_t n = VTR_MIN(len, SBOM_BUFFER - b->len);

		memcpy(b->buf + b->len, p, n);
		b->len += n;
		p += n;
		len -= n;
		if (b->len == SBOM_BUFFER)
			sbom_flush(b);
	}
	return b->result;
}

static void sbom_puts(struct sbom *b, const char *text)
{
	sbom_put(b, text, strlen(text));
}

static void sbom_line(struct sbom *b)
{
	if (b->hash)
		return;
	sbom_puts(b, "\n");
	for (unsigned i = 0; i < b->depth; i++)
		sbom_puts(b, "  ");
}

/* What comes before a value: a comma, its line, its key. */
static void sbom_next(struct sbom *b, const char *key)
{
	if (b->depth > 0) {
		if (b->any[b->depth - 1])
			sbom_puts(b, ",");
		b->any[b->depth - 1] = true;
		sbom_line(b);
	}
	if (key) {
		sbom_puts(b, "\"");
		sbom_puts(b, key); /* ours: it needs no escape */
		sbom_puts(b, b->hash ? "\":" : "\": ");
	}
}

static void sbom_begin(struct sbom *b, const char *key, char kind)
{
	sbom_next(b, key);
	sbom_put(b, &kind, 1);
	b->kinds[b->depth] = kind;
	b->any[b->depth++] = false;
}

static void sbom_end(struct sbom *b)
{
	b->depth--;
	if (b->any[b->depth])
		sbom_line(b);
	sbom_puts(b, b->kinds[b->depth] == '{' ? "}" : "]");
}

static void sbom_word(struct sbom *b, const char *key, const char *word)
{
	sbom_next(b, key);
	sbom_puts(b, word);
}

/* NULL is no member. The texts of the library's facts and packages are UTF-8. */
static void sbom_text(struct sbom *b, const char *key, const char *text)
{
	if (!text)
		return;
	sbom_next(b, key);
	sbom_puts(b, "\"");
	vtr_json_escape(text, strlen(text), sbom_put, b);
	sbom_puts(b, "\"");
}

static void sbom_uuid_text(char out[37], struct sbom *b)
{
	uint8_t h[VTR_HASH_MAX];

	if (b->result == 0)
		b->result = vtr_hash_final(h, b->hash, b->err);
	if (b->result != 0)
		return;
	/* RFC 9562, section 5.5 */
	h[6] = (uint8_t)((h[6] & 0x0f) | 0x50);
	h[8] = (uint8_t)((h[8] & 0x3f) | 0x80);
	vtr_uuid_text(out, h);
}

/* --------------------------------------------------------------------------------------------------- package URLs */

/* Percent-encode as purl does: what is not alphanumeric, ".-_~" or ":". */
static void sbom_put_encoded(struct vtr_str *s, const char *text, size_t len, bool lower)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (lower && c >= 'A' && c <= 'Z')
			vtr_str_put(s, &(char){ (char)(c + 0x20) }, 1);
		else if (sbom_plain((char)c) || (c && strchr("-_~:", c)))
			vtr_str_put(s, text + i, 1);
		else
			vtr_str_putf(s, "%%%02X", c);
	}
}

static void sbom_put_qualifier(struct vtr_str *s, const char **sep, const char *key, const char *value, size_t len)
{
	if (len == 0)
		return;
	vtr_str_putf(s, "%s%s=", *sep, key);
	sbom_put_encoded(s, value, len, false);
	*sep = "&";
}

/* The package URL, into b->purl. Qualifiers are in the order of their names. */
static void sbom_purl(struct sbom *b, const struct sbom_system *s, const struct vtr_package *p)
{
	const char *version = p->version, *colon = s->epoch_apart ? strchr(version, ':') : NULL, *sep = "?";
	size_t digits = colon ? (size_t)(colon - version) : 0;
	struct vtr_str *out = &b->purl;

	out->len = 0;
	if (strspn(version, "0123456789") < digits)
		digits = 0;
	if (digits > 0)
		version = colon + 1;
	vtr_str_putf(out, "pkg:%s/", s->type);
	if (s->vendor[0]) {
		sbom_put_encoded(out, s->vendor, strlen(s->vendor), true);
		vtr_str_puts(out, "/");
	}
	sbom_put_encoded(out, p->name, strlen(p->name), s->lower);
	if (version[0]) {
		vtr_str_puts(out, "@");
		sbom_put_encoded(out, version, strlen(version), false);
	}
	sbom_put_qualifier(out, &sep, "arch", p->arch ? p->arch : "", p->arch ? strlen(p->arch) : 0);
	sbom_put_qualifier(out, &sep, "distro", s->distro.p, s->distro.len);
	if (digits > 0 && !(digits == 1 && p->version[0] == '0'))
		sbom_put_qualifier(out, &sep, "epoch", p->version, digits);
	if (p->source && (strcmp(p->source, p->name) != 0 || p->source_version)) {
		sbom_put_qualifier(out, &sep, "upstream", p->source, strlen(p->source));
		if (p->source_version) {
			vtr_str_puts(out, "%40");
			sbom_put_encoded(out, p->source_version, strlen(p->source_version), false);
		}
	}
}

/*
 * The distribution as os-release has it: scanners choose their data by ID and VERSION_ID. For systems of before
 * os-release it is what theirs would be.
 */
static const char *sbom_distro(const struct vtr_os *os)
{
	static const char *const names[][2] = {
		{ "alpinelinux", "alpine" },
		{ "archlinux", "arch" },
		{ "kalilinux", "kali" },
		{ "oraclelinux", "ol" },
		{ "pldlinux", "pld" },
		{ "redhat-based", "rhel" },
		{ "scientificlinux", "scientific" },
		{ "voidlinux", "void" },
	};
	const char *id = sbom_fact(os, "id"), *distro = sbom_fact(os, "distro");

	if (id)
		return id;
	for (size_t i = 0; distro && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i][0], distro) == 0)
			return names[i][1];
	return distro;
}

/*
 * VERSION_ID; for a rolling release, which has none, BUILD_ID. Before os-release it is the version, and of Debian's "6.0.10"
 * what its security data goes by, the first number. NULL: there is none.
 */
static const char *sbom_release(const struct vtr_os *os)
{
	const char *distro = sbom_fact(os, "distro"), *version = sbom_fact(os, "version_id");

	if (version)
		return version;
	if (sbom_fact(os, "id"))
		return sbom_fact(os, "build_id");
	return sbom_fact(os, distro && strcmp(distro, "debian") == 0 ? "major_version" : "version");
}

/* How a package format's URLs are made. What has no type of its own is generic. */
static void sbom_system_init(struct sbom_system *s, struct vtr_os *os)
{
	static const struct {
		const char *format, *type, *vendor; /* vendor NULL: the distribution */
		bool lower, epoch_apart;
	} types[] = {
		{ "deb", "deb", NULL, true, false },
		{ "rpm", "rpm", NULL, false, true },
		{ "apk", "apk", NULL, true, false },
		{ "pacman", "alpm", NULL, true, false },
	};
	const char *format = sbom_fact(os, "package_format"), *distro = sbom_distro(os);
	const char *version = sbom_release(os), *root = vtr_os_name(os);

	*s = (struct sbom_system){ .os = os, .type = "generic", .vendor = "" };
	s->programs = format && strcmp(format, "windows") == 0;
	for (size_t i = 0; format && i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(types[i].format, format) != 0)
			continue;
		s->type = types[i].type;
		s->vendor = distro ? distro : "";
		s->lower = types[i].lower;
		s->epoch_apart = types[i].epoch_apart;
		/* The vendor's name where the distribution's is another. */
		if (s->epoch_apart && strcmp(s->vendor, "rhel") == 0)
			s->vendor = "redhat";
		else if (s->epoch_apart && strncmp(s->vendor, "opensuse", 8) == 0)
			s->vendor = "opensuse";
	}
	if (distro)
		vtr_str_putf(&s->distro, "%s%s%s", distro, version ? "-" : "", version ? version : "");
	vtr_str_puts(&s->distro, "");
	vtr_str_puts(&s->ref, "os");
	for (; *root && !s->ref.oom; root++)
		if (sbom_plain(*root))
			vtr_str_put(&s->ref, root, 1);
		else if (s->ref.p[s->ref.len - 1] != '-')
			vtr_str_puts(&s->ref, "-");
}

/* ---------------------------------------------------------------------------------------------------------- entries */

/* The reference of a system (purl NULL) or a package, into b->ref. Names that are there twice get a number. */
static void sbom_ref(struct sbom *b, const struct sbom_system *s, const char *purl)
{
	b->ref.len = 0;
	vtr_str_put(&b->ref, s->ref.p, s->ref.len);
	if (purl) {
		vtr_str_puts(&b->ref, "/");
		vtr_str_puts(&b->ref, purl);
	}
	if (b->nth && b->nth[b->at] > 1)
		vtr_str_putf(&b->ref, "#%" PRIu32, b->nth[b->at]);
}

/* A name that SPDX allows, unique by the hash of the reference that b->ref has. */
static void sbom_spdx_id(struct sbom *b, struct vtr_str *out, const char *kind, const char *name)
{
	uint8_t h[VTR_HASH_MAX];

	if (b->result == 0)
		b->result = vtr_hash_bytes(h, VTR_HASH_SHA1, b->ref.p, b->ref.len, b->err);
	if (b->result != 0)
		return;
	out->len = 0;
	vtr_str_putf(out, "SPDXRef-%s-", kind);
	for (size_t n = 0; name[n] && n < 64; n++)
		vtr_str_put(out, sbom_plain(name[n]) ? name + n : "-", 1);
	vtr_str_puts(out, "-");
	for (size_t i = 0; i < 8; i++)
		vtr_str_putf(out, "%02x", h[i]);
}

static void sbom_properties(struct sbom *b, const struct sbom_system *s, const char *status)
{
	const struct {
		const char *name, *value;
	} all[] = { { "vitrine:root", vtr_os_root(s->os) }, { "vitrine:status", status } };

	sbom_begin(b, "properties", '[');
	for (size_t i = 0; i < VTR_COUNT(all); i++) {
		if (!all[i].value)
			continue;
		sbom_begin(b, NULL, '{');
		sbom_text(b, "name", all[i].name);
		sbom_text(b, "value", all[i].value);
		sbom_end(b);
	}
	sbom_end(b);
}

static void sbom_relate(struct sbom *b, const char *from, const char *kind, const char *to)
{
	sbom_begin(b, NULL, '{');
	sbom_text(b, "spdxElementId", from);
	sbom_text(b, "relationshipType", kind);
	sbom_text(b, "relatedSpdxElement", to);
	sbom_end(b);
}

/* The members that SPDX asks of a package of which only the database's record is known. */
static void sbom_spdx_package(struct sbom *b, const char *id, const char *name, const char *version, const char *vendor,
			      const char *purpose)
{
	sbom_text(b, "name", name);
	sbom_text(b, "SPDXID", id);
	if (version && *version)
		sbom_text(b, "versionInfo", version);
	/* Who made it, where the database says so. */
	b->text.len = 0;
	if (vendor)
		vtr_str_puts(&b->text, "Organization: ");
	vtr_str_puts(&b->text, vendor ? vendor : "NOASSERTION");
	sbom_text(b, "supplier", b->text.p);
	sbom_text(b, "downloadLocation", "NOASSERTION");
	sbom_word(b, "filesAnalyzed", "false");
	sbom_text(b, "licenseConcluded", "NOASSERTION");
	sbom_text(b, "licenseDeclared", "NOASSERTION");
	sbom_text(b, "copyrightText", "NOASSERTION");
	sbom_text(b, "primaryPackagePurpose", purpose);
}

static void sbom_put_package(struct sbom *b, const struct sbom_system *s, const struct vtr_package *p)
{
	bool installed = strcmp(p->status, "installed") == 0;

	sbom_begin(b, NULL, '{');
	if (b->spdx) {
		sbom_spdx_package(b, b->id.p, p->name, p->version, p->vendor, s->programs ? "APPLICATION" : NULL);
		if (p->source) {
			b->text.len = 0;
			vtr_str_puts(&b->text, "built from source package: ");
			vtr_str_puts(&b->text, p->source);
			vtr_str_puts(&b->text, " ");
			vtr_str_puts(&b->text, p->source_version ? p->source_version : p->version);
			sbom_text(b, "sourceInfo", b->text.p);
		}
		sbom_text(b, "summary", p->summary);
		if (!installed) {
			b->text.len = 0;
			vtr_str_puts(&b->text, "The package manager says: ");
			vtr_str_puts(&b->text, p->status);
			sbom_text(b, "comment", b->text.p);
		}
		sbom_begin(b, "externalRefs", '[');
		sbom_begin(b, NULL, '{');
		sbom_text(b, "referenceCategory", "PACKAGE-MANAGER");
		sbom_text(b, "referenceType", "purl");
		sbom_text(b, "referenceLocator", b->purl.p);
		sbom_end(b);
		sbom_end(b);
	} else {
		sbom_text(b, "bom-ref", b->ref.p);
		sbom_text(b, "type", s->programs ? "application" : "library");
		if (p->vendor) {
			sbom_begin(b, "supplier", '{');
			sbom_text(b, "name", p->vendor);
			sbom_end(b);
		}
		sbom_text(b, "name", p->name);
		sbom_text(b, "version", p->version);
		sbom_text(b, "description", p->summary);
		sbom_text(b, "purl", b->purl.p);
		sbom_properties(b, s, installed ? NULL : p->status);
	}
	sbom_end(b);
}

static const char *sbom_system_name(const struct vtr_os *os)
{
	const char *name = sbom_distro(os);

	name = name ? name : sbom_fact(os, "type");
	return name ? name : "unknown";
}

static void sbom_put_system(struct sbom *b, const struct sbom_system *s)
{
	const char *name = sbom_system_name(s->os), *version = sbom_release(s->os);
	const char *product = sbom_fact(s->os, "product_name");

	sbom_begin(b, NULL, '{');
	if (b->spdx) {
		sbom_spdx_package(b, b->system_id.p, name, version, NULL, "OPERATING_SYSTEM");
		sbom_text(b, "description", product);
	} else {
		sbom_text(b, "bom-ref", b->ref.p);
		sbom_text(b, "type", "operating-system");
		sbom_text(b, "name", name);
		sbom_text(b, "version", version);
		sbom_text(b, "description", product);
		sbom_properties(b, s, NULL);
	}
	sbom_end(b);
}

/* ---------------------------------------------------------------------------------------------------------- systems */

/* The i-th system of the document; NULL after the last. What the machine can fall back on is not what it runs: skip it. */
static struct vtr_os *sbom_os(const struct sbom *b, size_t *i)
{
	struct vtr_os *os;

	if (b->how->os)
		return (*i)++ == 0 ? b->how->os : NULL;
	while ((os = vtr_guest_os(b->g, (*i)++))) {
		const char *role = sbom_fact(os, "role");

		if (!role || strcmp(role, "alternative") != 0)
			return os;
	}
	return NULL;
}

/*
 * Go through all systems, and the packages that are there. fn is called with b->ref, b->purl, b->id and b->system_id set; p
 * is NULL for the system itself.
 */
typedef void sbom_fn(struct sbom *b, const struct sbom_system *s, const struct vtr_package *p, void *arg);

static void sbom_walk_system(struct sbom *b, struct sbom_system *s, sbom_fn *fn, void *arg)
{
	const struct vtr_package *p;

	sbom_ref(b, s, NULL);
	if (b->spdx)
		sbom_spdx_id(b, &b->system_id, "OperatingSystem", sbom_system_name(s->os));
	fn(b, s, NULL, arg);
	b->at++;
	for (size_t i = 0; b->result == 0 && (p = vtr_os_package(s->os, i)); i++) {
		if (!vtr_package_is_there(p))
			continue;
		b->result = vtr_ctx_check(s->os->ctx, b->err);
		sbom_purl(b, s, p);
		sbom_ref(b, s, b->purl.p);
		if (b->spdx)
			sbom_spdx_id(b, &b->id, "Package", p->name);
		if (b->purl.oom || b->ref.oom || b->text.oom || b->id.oom || b->system_id.oom || s->ref.oom ||
		    s->distro.oom)
			b->result = vtr_fail(b->err, VTR_ENOMEM, "out of memory for a bill of materials");
		if (b->result == 0)
			fn(b, s, p, arg);
		b->at++;
	}
}

static void sbom_walk(struct sbom *b, sbom_fn *fn, void *arg)
{
	struct vtr_os *os;

	b->at = 0;
	for (size_t i = 0; b->result == 0 && (os = sbom_os(b, &i));) {
		struct sbom_system s;

		sbom_system_init(&s, os);
		if (s.ref.oom || s.distro.oom)
			b->result = vtr_fail(b->err, VTR_ENOMEM, "out of memory for a bill of materials");
		else
			sbom_walk_system(b, &s, fn, arg);
		vtr_str_done(&s.distro);
		vtr_str_done(&s.ref);
	}
}

static void sbom_entry(struct sbom *b, const struct sbom_system *s, const struct vtr_package *p, void *arg)
{
	(void)arg;
	if (p)
		sbom_put_package(b, s, p);
	else
		sbom_put_system(b, s);
}

static void sbom_relation(struct sbom *b, const struct sbom_system *s, const struct vtr_package *p, void *arg)
{
	(void)s, (void)arg;
	if (p)
		sbom_relate(b, b->system_id.p, "CONTAINS", b->id.p);
	else
		sbom_relate(b, "SPDXRef-DOCUMENT", "DESCRIBES", b->system_id.p);
}

static void sbom_remember(struct sbom *b, const struct sbom_system *s, const struct vtr_package *p, void *arg)
{
	struct sbom_named *all = arg;
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	(void)s, (void)p;
	for (size_t i = 0; i < b->ref.len; i++)
		h = (h ^ (uint8_t)b->ref.p[i]) * UINT64_C(0x100000001b3);
	all[b->at] = (struct sbom_named){ h, b->at };
}

static int sbom_named_order(const void *a, const void *b)
{
	const struct sbom_named *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->i < y->i ? -1 : x->i > y->i;
}

/*
 * Number what has the same name. Two names of one hash are numbered, too, which harms nothing: what has a number differs
 * from all that has none, or another.
 */
static int sbom_number(struct sbom *b, size_t n, struct vtr_error *err)
{
	VTR_FREE struct sbom_named *all = vtr_calloc(n + 1, sizeof(*all), err);
	uint32_t *nth = all ? vtr_calloc(n + 1, sizeof(*nth), err) : NULL;
	bool spdx = b->spdx;

	if (!nth)
		return -1;
	b->spdx = false; /* identifiers are not asked for */
	sbom_walk(b, sbom_remember, all);
	b->spdx = spdx;
	qsort(all, n, sizeof(*all), sbom_named_order);
	for (size_t i = 0; i < n; i++)
		nth[all[i].i] = i > 0 && all[i - 1].hash == all[i].hash ? nth[all[i - 1].i] + 1 : 1;
	b->nth = nth;
	return b->result;
}

/* Read the packages of all systems. *n: of systems and packages together. What cannot be read is warned of. */
static int sbom_read(size_t *n, struct sbom *b, struct vtr_error *err)
{
	const struct vtr_package *p;
	struct vtr_os *os;

	*n = 0;
	for (size_t i = 0; (os = sbom_os(b, &i));) {
		struct vtr_error why = { 0 };

		if (vtr_os_read_packages(os, &why) < 0) {
			if (vtr_error_ends(&why)) {
				if (err)
					*err = why;
				return -1;
			}
			vtr_warn_err(os->ctx, &why);
		}
		++*n;
		for (size_t k = 0; (p = vtr_os_package(os, k)); k++)
			*n += vtr_package_is_there(p);
	}
	return 0;
}

/* -------------------------------------------------------------------------------------------------------- documents */

/* uuid NULL: the document that is hashed. */
static void sbom_cyclonedx(struct sbom *b, const char *uuid)
{
	char serial[64];

	if (uuid)
		sbom_text(b, "$schema", "http://cyclonedx.org/schema/bom-1.5.schema.json");
	sbom_text(b, "bomFormat", "CycloneDX");
	sbom_text(b, "specVersion", "1.5");
	if (uuid) {
		snprintf(serial, sizeof(serial), "urn:uuid:%s", uuid);
		sbom_text(b, "serialNumber", serial);
	}
	sbom_word(b, "version", "1");
	sbom_begin(b, "metadata", '{');
	sbom_text(b, "timestamp", b->created[0] ? b->created : NULL);
	sbom_begin(b, "tools", '{');
	sbom_begin(b, "components", '[');
	sbom_begin(b, NULL, '{');
	sbom_text(b, "type", "application");
	sbom_text(b, "name", "vitrine");
	sbom_text(b, "version", vtr_version());
	sbom_end(b);
	sbom_end(b);
	sbom_end(b);
	sbom_begin(b, "component", '{');
	sbom_text(b, "bom-ref", "image");
	sbom_text(b, "type", "file");
	sbom_text(b, "name", b->subject.p);
	sbom_end(b);
	sbom_end(b);
	sbom_begin(b, "components", '[');
	sbom_walk(b, sbom_entry, NULL);
	sbom_end(b);
}

static void sbom_spdx(struct sbom *b, const char *uuid)
{
	char text[200] = "";

	sbom_text(b, "spdxVersion", "SPDX-2.3");
	sbom_text(b, "dataLicense", "CC0-1.0");
	sbom_text(b, "SPDXID", "SPDXRef-DOCUMENT");
	sbom_text(b, "name", b->subject.p);
	/* What is hashed has it empty. */
	if (uuid)
		snprintf(text, sizeof(text), "https://spdx.org/spdxdocs/vitrine-%s", uuid);
	sbom_text(b, "documentNamespace", text);
	sbom_begin(b, "creationInfo", '{');
	sbom_text(b, "created", b->created[0] ? b->created : "1970-01-01T00:00:00Z");
	sbom_begin(b, "creators", '[');
	snprintf(text, sizeof(text), "Tool: vitrine-%s", vtr_version());
	sbom_text(b, NULL, text);
	sbom_end(b);
	sbom_end(b);
	sbom_begin(b, "packages", '[');
	sbom_walk(b, sbom_entry, NULL);
	sbom_end(b);
	sbom_begin(b, "relationships", '[');
	sbom_walk(b, sbom_relation, NULL);
	sbom_end(b);
}

static void sbom_document(struct sbom *b, const char *uuid)
{
	sbom_begin(b, NULL, '{');
	if (b->spdx)
		sbom_spdx(b, uuid);
	else
		sbom_cyclonedx(b, uuid);
	sbom_end(b);
	if (uuid)
		sbom_puts(b, "\n");
	sbom_flush(b);
}

static int sbom_write(struct sbom *b, struct vtr_error *err)
{
	char uuid[37];
	size_t n;

	if (sbom_read(&n, b, err) < 0 || sbom_number(b, n, err) < 0 || vtr_hash_new(&b->hash, VTR_HASH_SHA1, err) < 0)
		return -1;
	b->result = vtr_hash_update(b->hash, sbom_namespace, sizeof(sbom_namespace), err);
	sbom_document(b, NULL);
	sbom_uuid_text(uuid, b);
	vtr_hash_free(b->hash);
	b->hash = NULL;
	b->depth = 0;
	if (b->result == 0)
		sbom_document(b, uuid);
	return b->result;
}

int vtr_sbom_write(struct vtr_guest *g, const struct vtr_sbom *how, vtr_write *write, void *arg, struct vtr_error *err)
{
	const struct vtr_time *t = &how->created;
	struct sbom *b;
	int r;

	if (how->format != VTR_SBOM_CYCLONEDX && how->format != VTR_SBOM_SPDX)
		return vtr_fail(err, VTR_EUSAGE, "bill of materials: no format %d", how->format);
	if (t->set && (t->sec < 0 || t->sec > 253402300799))
		return vtr_fail(err, VTR_EUSAGE, "bill of materials: its time is not within the years 1970 to 9999");
	if (!how->os && vtr_guest_inspect(g, err) < 0)
		return -1;
	b = vtr_calloc(1, sizeof(*b), err);
	if (!b)
		return -1;
	b->g = g;
	b->how = how;
	b->spdx = how->format == VTR_SBOM_SPDX;
	b->write = write;
	b->arg = arg;
	b->err = err;
	if (t->set) {
		char *dot;

		vtr_time_text(b->created, sizeof(b->created), t);
		dot = strchr(b->created, '.');
		strcpy(dot, "Z"); /* to the second: both formats have no fractions */
	}
	vtr_str_put_escaped(&b->subject, how->subject, strlen(how->subject));
	r = b->subject.oom ? vtr_fail(err, VTR_ENOMEM, "out of memory for a bill of materials") : sbom_write(b, err);
	free(b->nth);
	vtr_str_done(&b->subject);
	vtr_str_done(&b->purl);
	vtr_str_done(&b->ref);
	vtr_str_done(&b->text);
	vtr_str_done(&b->id);
	vtr_str_done(&b->system_id);
	free(b);
	return r;
}
