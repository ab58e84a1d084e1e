/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CycloneDX 1.5 (ECMA-424 is its successor) and SPDX 2.3, both in JSON, with package URLs as the purl specification has
 * them. Nothing is invented: there are no dependencies, licences or suppliers, since the database does not say them.
 *
 * The same guest gives the same bytes. The document's identifier is a UUID of version 5 over all the rest of it, and the
 * only clock is SOURCE_DATE_EPOCH.
 */
#include "cli/sbom.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

/* The namespace of our identifiers: a UUID of version 4, drawn once. */
static const unsigned char sbom_namespace[16] = { 0x6f, 0x1c, 0x0d, 0x5e, 0x93, 0x27, 0x4b, 0x8a,
						  0xa4, 0x60, 0x2d, 0xe1, 0x7b, 0x3f, 0x58, 0xc9 };

/* One system: what the package URLs of its packages have in common. */
struct sbom_system {
	struct vtr_os *os;
	const char *type, *vendor; /* purl type, and namespace: "" none */
	char distro[128];	   /* "debian-12"; "" unknown */
	bool lower;		   /* names are written in small letters */
	bool epoch_apart;	   /* the epoch is a qualifier */
	bool programs;		   /* packages are what users start */
	char ref[192];		   /* "os-sda1" */
};

struct sbom {
	struct cli *c;
	bool spdx;
	json_t *list;	   /* components or packages */
	json_t *relations; /* SPDX */
	json_t *refs;	   /* the identifiers given out, and how often */
};

bool cli_sbom_is(const char *form)
{
	return strcmp(form, "cyclonedx") == 0 || strcmp(form, "spdx") == 0;
}

static const char *sbom_fact(const struct vtr_os *os, const char *key)
{
	const struct vtr_fact *f = vtr_os_fact(os, key);

	return f ? f->value : NULL;
}

/* --------------------------------------------------------------------------------------------------- package URLs */

/* Percent-encode as purl does: what is not alphanumeric, ".-_~" or ":". */
static void sbom_put_encoded(FILE *f, const char *text, size_t len, bool lower)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char b = (unsigned char)text[i];

		if ((b >= '0' && b <= '9') || (b >= 'a' && b <= 'z') || (b && strchr(".-_~:", b)))
			fputc(b, f);
		else if (b >= 'A' && b <= 'Z')
			fputc(lower ? b + 0x20 : b, f);
		else
			fprintf(f, "%%%02X", b);
	}
}

static void sbom_put_qualifier(FILE *f, const char **sep, const char *key, const char *value, size_t len)
{
	if (len == 0)
		return;
	fprintf(f, "%s%s=", *sep, key);
	sbom_put_encoded(f, value, len, false);
	*sep = "&";
}

/* The package URL; the caller frees. NULL: no memory. Qualifiers are in the order of their names. */
static char *sbom_purl(const struct sbom_system *s, const struct vtr_package *p)
{
	const char *version = p->version, *colon = s->epoch_apart ? strchr(version, ':') : NULL, *sep = "?";
	char *out = NULL;
	size_t len, digits = colon ? (size_t)(colon - version) : 0;
	FILE *f = open_memstream(&out, &len);

	if (!f)
		return NULL;
	if (strspn(version, "0123456789") < digits)
		digits = 0;
	if (digits > 0)
		version = colon + 1;
	fprintf(f, "pkg:%s/", s->type);
	if (s->vendor[0]) {
		sbom_put_encoded(f, s->vendor, strlen(s->vendor), true);
		fputc('/', f);
	}
	sbom_put_encoded(f, p->name, strlen(p->name), s->lower);
	if (version[0]) {
		fputc('@', f);
		sbom_put_encoded(f, version, strlen(version), false);
	}
	sbom_put_qualifier(f, &sep, "arch", p->arch ? p->arch : "", p->arch ? strlen(p->arch) : 0);
	sbom_put_qualifier(f, &sep, "distro", s->distro, strlen(s->distro));
	if (digits > 0 && !(digits == 1 && p->version[0] == '0'))
		sbom_put_qualifier(f, &sep, "epoch", p->version, digits);
	if (p->source && (strcmp(p->source, p->name) != 0 || p->source_version)) {
		sbom_put_qualifier(f, &sep, "upstream", p->source, strlen(p->source));
		if (p->source_version) {
			fputs("%40", f);
			sbom_put_encoded(f, p->source_version, strlen(p->source_version), false);
		}
	}
	if (fclose(f) != 0) {
		free(out);
		return NULL;
	}
	return out;
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
	size_t n = 0;

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
		snprintf(s->distro, sizeof(s->distro), "%s%s%s", distro, version ? "-" : "", version ? version : "");
	n = (size_t)snprintf(s->ref, sizeof(s->ref), "os");
	for (; *root && n + 1 < sizeof(s->ref); root++)
		if (isalnum((unsigned char)*root) || *root == '.')
			s->ref[n++] = *root;
		else if (s->ref[n - 1] != '-')
			s->ref[n++] = '-';
	s->ref[n] = 0;
}

/* ------------------------------------------------------------------------------------------------------ documents */

static void sbom_sha1(unsigned char out[EVP_MAX_MD_SIZE], const void *first, size_t first_len, const char *rest)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	memset(out, 0, EVP_MAX_MD_SIZE);
	if (md && EVP_DigestInit_ex(md, EVP_sha1(), NULL) && EVP_DigestUpdate(md, first, first_len) &&
	    EVP_DigestUpdate(md, rest, strlen(rest)))
		EVP_DigestFinal_ex(md, out, NULL);
	EVP_MD_CTX_free(md);
}

/* RFC 9562, section 5.5, over the document as it is so far. */
static bool sbom_uuid(char out[37], const json_t *doc)
{
	unsigned char h[EVP_MAX_MD_SIZE];
	char *text = json_dumps(doc, JSON_COMPACT);
	size_t n = 0;

	if (!text)
		return false;
	sbom_sha1(h, sbom_namespace, sizeof(sbom_namespace), text);
	free(text);
	h[6] = (unsigned char)((h[6] & 0x0f) | 0x50);
	h[8] = (unsigned char)((h[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < 16; i++)
		n += (size_t)sprintf(out + n, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", h[i]);
	return true;
}

/* SOURCE_DATE_EPOCH as SPDX and CycloneDX want it, to the second; false: there is none, or it is no number. */
static bool sbom_time(char buf[48])
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	struct vtr_time t = { .set = true };
	char *end, *dot;

	if (!text || !*text || strspn(text, "0123456789") != strlen(text))
		return false;
	errno = 0;
	t.sec = strtoll(text, &end, 10);
	if (errno != 0 || t.sec > 253402300799) /* the year 9999 */
		return false;
	vtr_time_text(buf, 48, &t);
	dot = strchr(buf, '.');
	if (dot)
		strcpy(dot, "Z");
	return true;
}

/* What the document is of: the names of the images, without their folders. */
static char *sbom_subject(const struct cli *c)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	if (!f)
		return NULL;
	for (size_t i = 0; i < c->n_images; i++) {
		const char *slash = strrchr(c->images[i], '/');

		fputs(i > 0 ? ", " : "", f);
		cli_puts(f, slash && slash[1] ? slash + 1 : c->images[i]);
	}
	if (fclose(f) != 0) {
		free(out);
		return NULL;
	}
	return out;
}

/* Names that are given twice get a number. The caller frees. */
static char *sbom_ref(struct sbom *b, const struct sbom_system *s, const char *purl)
{
	json_int_t n;
	char *out = NULL, *key = NULL;

	if (asprintf(&key, "%s/%s", s->ref, purl) < 0)
		return NULL;
	n = json_integer_value(json_object_get(b->refs, key)) + 1;
	json_object_set_new(b->refs, key, json_integer(n));
	if (asprintf(&out, n > 1 ? "%s#%d" : "%s", key, (int)n) < 0)
		out = NULL;
	free(key);
	return out;
}

static void sbom_set_properties(json_t *o, const struct sbom_system *s, const char *status)
{
	const struct {
		const char *name, *value;
	} all[] = { { "vitrine:root", vtr_os_root(s->os) }, { "vitrine:status", status } };
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		json_t *e = json_object();

		if (all[i].value) {
			cli_json_set(e, "name", all[i].name);
			cli_json_set(e, "value", all[i].value);
			json_array_append(list, e);
		}
		json_decref(e);
	}
	json_object_set_new(o, "properties", list);
}

/* A name that SPDX allows, unique by the hash of what it stands for. The caller frees. */
static char *sbom_spdx_id(const char *kind, const char *name, const char *ref)
{
	unsigned char h[EVP_MAX_MD_SIZE];
	char clean[65], *out = NULL;
	size_t n = 0;

	sbom_sha1(h, ref, strlen(ref), "");
	for (; *name && n + 1 < sizeof(clean); name++)
		clean[n++] = (char)(isalnum((unsigned char)*name) || *name == '.' ? *name : '-');
	clean[n] = 0;
	if (asprintf(&out, "SPDXRef-%s-%s-%02x%02x%02x%02x%02x%02x%02x%02x", kind, clean, h[0], h[1], h[2], h[3], h[4],
		     h[5], h[6], h[7]) < 0)
		return NULL;
	return out;
}

static void sbom_relate(struct sbom *b, const char *from, const char *kind, const char *to)
{
	json_array_append_new(b->relations, json_pack("{s:s,s:s,s:s}", "spdxElementId", from, "relationshipType", kind,
						      "relatedSpdxElement", to));
}

/* The members that SPDX asks of a package of which only the database's record is known. */
static json_t *sbom_spdx_package(const char *id, const char *name, const char *version, const char *vendor,
				 const char *purpose)
{
	json_t *o = json_object();
	char *supplier = NULL;

	cli_json_set(o, "name", name);
	cli_json_set(o, "SPDXID", id);
	if (version && *version)
		cli_json_set(o, "versionInfo", version);
	/* Who made it, where the database says so. */
	if (vendor && asprintf(&supplier, "Organization: %s", vendor) < 0)
		supplier = NULL;
	cli_json_set(o, "supplier", supplier ? supplier : "NOASSERTION");
	free(supplier);
	cli_json_set(o, "downloadLocation", "NOASSERTION");
	json_object_set_new(o, "filesAnalyzed", json_false());
	cli_json_set(o, "licenseConcluded", "NOASSERTION");
	cli_json_set(o, "licenseDeclared", "NOASSERTION");
	cli_json_set(o, "copyrightText", "NOASSERTION");
	if (purpose)
		cli_json_set(o, "primaryPackagePurpose", purpose);
	return o;
}

static void sbom_add_package(struct sbom *b, const struct sbom_system *s, const char *system_id,
			     const struct vtr_package *p)
{
	bool installed = strcmp(p->status, "installed") == 0;
	char *purl = sbom_purl(s, p), *ref = purl ? sbom_ref(b, s, purl) : NULL, *id, info[1024];
	json_t *o;

	if (!ref) {
		b->c->status = CLI_FAILED;
		free(purl);
		return;
	}
	if (b->spdx) {
		id = sbom_spdx_id("Package", p->name, ref);
		if (id) {
			o = sbom_spdx_package(id, p->name, p->version, p->vendor, s->programs ? "APPLICATION" : NULL);
			if (p->source) {
				snprintf(info, sizeof(info), "built from source package: %s %s", p->source,
					 p->source_version ? p->source_version : p->version);
				cli_json_set(o, "sourceInfo", info);
			}
			cli_json_set(o, "summary", p->summary);
			if (!installed) {
				snprintf(info, sizeof(info), "The package manager says: %s", p->status);
				cli_json_set(o, "comment", info);
			}
			json_object_set_new(o, "externalRefs",
					    json_pack("[{s:s,s:s,s:s}]", "referenceCategory", "PACKAGE-MANAGER",
						      "referenceType", "purl", "referenceLocator", purl));
			json_array_append_new(b->list, o);
			sbom_relate(b, system_id, "CONTAINS", id);
			free(id);
		}
	} else {
		o = json_object();
		cli_json_set(o, "bom-ref", ref);
		cli_json_set(o, "type", s->programs ? "application" : "library");
		if (p->vendor)
			json_object_set_new(o, "supplier", json_pack("{s:s}", "name", p->vendor));
		cli_json_set(o, "name", p->name);
		cli_json_set(o, "version", p->version);
		cli_json_set(o, "description", p->summary);
		cli_json_set(o, "purl", purl);
		sbom_set_properties(o, s, installed ? NULL : p->status);
		json_array_append_new(b->list, o);
	}
	free(ref);
	free(purl);
}

static void sbom_add_system(struct sbom *b, struct vtr_os *os)
{
	struct vtr_error err = { 0 };
	struct sbom_system s;
	const char *name, *version = sbom_release(os), *product = sbom_fact(os, "product_name");
	const struct vtr_package *p;
	char *id;
	json_t *o;

	sbom_system_init(&s, os);
	name = sbom_distro(os);
	name = name ? name : sbom_fact(os, "type");
	name = name ? name : "unknown";
	id = sbom_spdx_id("OperatingSystem", name, s.ref);
	if (!id) {
		b->c->status = CLI_FAILED;
		return;
	}
	if (b->spdx) {
		o = sbom_spdx_package(id, name, version, NULL, "OPERATING_SYSTEM");
		cli_json_set(o, "description", product);
		sbom_relate(b, "SPDXRef-DOCUMENT", "DESCRIBES", id);
	} else {
		o = json_object();
		cli_json_set(o, "bom-ref", s.ref);
		cli_json_set(o, "type", "operating-system");
		cli_json_set(o, "name", name);
		cli_json_set(o, "version", version);
		cli_json_set(o, "description", product);
		sbom_set_properties(o, &s, NULL);
	}
	json_array_append_new(b->list, o);
	if (vtr_os_read_packages(os, &err) < 0)
		cli_partial(b->c, &err);
	for (size_t i = 0; (p = vtr_os_package(os, i)); i++)
		if (vtr_package_is_there(p))
			sbom_add_package(b, &s, id, p);
	free(id);
}

static json_t *sbom_cyclonedx(struct sbom *b, const char *subject)
{
	json_t *doc = json_object(), *meta = json_object(), *with_serial;
	char time[48], uuid[37], serial[64];

	if (sbom_time(time))
		cli_json_set(meta, "timestamp", time);
	json_object_set_new(meta, "tools",
			    json_pack("{s:[{s:s,s:s,s:s}]}", "components", "type", "application", "name", "vitrine",
				      "version", vtr_version()));
	json_object_set_new(meta, "component",
			    json_pack("{s:s,s:s,s:s}", "bom-ref", "image", "type", "file", "name", subject));
	cli_json_set(doc, "bomFormat", "CycloneDX");
	cli_json_set(doc, "specVersion", "1.5");
	json_object_set_new(doc, "version", json_integer(1));
	json_object_set_new(doc, "metadata", meta);
	json_object_set(doc, "components", b->list);
	if (!sbom_uuid(uuid, doc)) {
		json_decref(doc);
		return NULL;
	}
	snprintf(serial, sizeof(serial), "urn:uuid:%s", uuid);
	with_serial = json_pack("{s:s,s:s,s:s,s:s}", "$schema", "http://cyclonedx.org/schema/bom-1.5.schema.json",
				"bomFormat", "CycloneDX", "specVersion", "1.5", "serialNumber", serial);
	json_object_update(with_serial, doc);
	json_decref(doc);
	return with_serial;
}

static json_t *sbom_spdx(struct sbom *b, const char *subject)
{
	json_t *doc = json_object(), *creators = json_array();
	char time[48] = "1970-01-01T00:00:00Z", text[200], uuid[37];

	sbom_time(time);
	cli_json_set(doc, "spdxVersion", "SPDX-2.3");
	cli_json_set(doc, "dataLicense", "CC0-1.0");
	cli_json_set(doc, "SPDXID", "SPDXRef-DOCUMENT");
	cli_json_set(doc, "name", subject);
	/* Its place; what is hashed has it empty. */
	cli_json_set(doc, "documentNamespace", "");
	snprintf(text, sizeof(text), "Tool: vitrine-%s", vtr_version());
	json_array_append_new(creators, json_string(text));
	json_object_set_new(doc, "creationInfo", json_pack("{s:s,s:o}", "created", time, "creators", creators));
	json_object_set(doc, "packages", b->list);
	json_object_set(doc, "relationships", b->relations);
	if (!sbom_uuid(uuid, doc)) {
		json_decref(doc);
		return NULL;
	}
	snprintf(text, sizeof(text), "https://spdx.org/spdxdocs/vitrine-%s", uuid);
	cli_json_set(doc, "documentNamespace", text);
	return doc;
}

/* What the machine can fall back on is not what it runs. */
static bool sbom_is_alternative(const struct vtr_os *os)
{
	const char *role = sbom_fact(os, "role");

	return role && strcmp(role, "alternative") == 0;
}

void cli_sbom_print(struct cli *c, const char *form)
{
	struct sbom b = { .c = c, .spdx = strcmp(form, "spdx") == 0 };
	struct vtr_error err = { .code = VTR_ENOMEM, .text = "no memory for the document" };
	char *subject = sbom_subject(c);
	struct vtr_os *os;
	json_t *doc = NULL;

	b.list = json_array();
	b.relations = json_array();
	b.refs = json_object();
	if (c->os)
		sbom_add_system(&b, c->os);
	for (size_t i = 0; !c->os && (os = vtr_guest_os(c->guest, i)); i++)
		if (!sbom_is_alternative(os))
			sbom_add_system(&b, os);
	if (subject)
		doc = b.spdx ? sbom_spdx(&b, subject) : sbom_cyclonedx(&b, subject);
	if (doc)
		cli_json_print(doc);
	else
		cli_error(c, &err);
	json_decref(b.list);
	json_decref(b.relations);
	json_decref(b.refs);
	free(subject);
}
