/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sshd(8): its host keys, by the public halves beside them, and what sshd_config(5) and the files that it includes set
 * of what matters to safety.
 */
#include <stdlib.h>

#include "base/checked.h"
#include "base/hash.h"
#include "inspect/includes.h"

#define SSH_KEY_MAX 16384u /* bytes of a decoded key: OpenSSH reads no larger RSA */
#define SSH_FILES 64u

/* ------------------------------------------------------------------------------------------------------ host keys */

static int ssh_base64(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Base64 of RFC 4648 into out. The count of bytes; 0: it is none, or too long. */
static size_t ssh_base64_decode(uint8_t *out, size_t size, struct vtr_span s)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	while (s.len > 0 && s.p[s.len - 1] == '=')
		s.len--;
	for (size_t i = 0; i < s.len; i++) {
		int v = ssh_base64(s.p[i]);

		if (v < 0)
			return 0;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (n == size)
			return 0;
		out[n++] = (uint8_t)(bits >> have);
	}
	return n;
}

/* "SHA256:" and unpadded base64, as ssh-keygen(1) -l prints it; out has 56 bytes. */
static int ssh_fingerprint(char out[56], const uint8_t *key, size_t len, struct vtr_error *err)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t sum[VTR_HASH_MAX + 1] = { 0 }; /* one more, for the last digit */
	size_t at = 7;

	if (vtr_hash_bytes(sum, VTR_HASH_SHA256, key, len, err) < 0)
		return -1;
	memcpy(out, "SHA256:", at);
	for (size_t bit = 0; bit < 256; bit += 6) {
		unsigned two = (unsigned)sum[bit / 8] << 8 | sum[bit / 8 + 1];

		out[at++] = digits[two >> (10 - bit % 8) & 63];
	}
	out[at] = 0;
	return 0;
}

/*
 * The size of a key, RFC 4253, section 6.6: strings of a length and bytes, the first is the type. RSA has e and n, DSA
 * has p, each with a zero byte in front when the first bit is set.
 */
static unsigned ssh_key_bits(struct vtr_span type, const uint8_t *key, size_t len)
{
	static const struct {
		const char *type;
		unsigned bits, field; /* field: which string is the number whose size counts */
	} known[] = {
		{ "ssh-rsa", 0, 2 },
		{ "ssh-dss", 0, 1 },
		{ "ssh-ed25519", 256, 0 },
		{ "ecdsa-sha2-nistp256", 256, 0 },
		{ "ecdsa-sha2-nistp384", 384, 0 },
		{ "ecdsa-sha2-nistp521", 521, 0 },
		{ "sk-ssh-ed25519@openssh.com", 256, 0 },
		{ "sk-ecdsa-sha2-nistp256@openssh.com", 256, 0 },
	};
	struct vtr_cur c = vtr_cur_of(key, len, 0);

	for (size_t i = 0; i < VTR_COUNT(known); i++) {
		const uint8_t *p = NULL;
		uint32_t n = 0;

		if (!vtr_span_is(type, known[i].type))
			continue;
		if (known[i].bits)
			return known[i].bits;
		for (unsigned f = 0; f <= known[i].field; f++) {
			n = vtr_cur_be32(&c);
			p = n <= SSH_KEY_MAX ? vtr_cur_take(&c, n) : NULL;
			if (!p)
				return 0;
		}
		while (n > 0 && *p == 0) {
			p++;
			n--;
		}
		return n > 0 ? 8 * n - 7 + vtr_log2(*p) : 0;
	}
	return 0;
}

/* type, base64, comment. */
int vtr_ssh_key_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct vtr_span rest = { text, len }, line, type, base64;
	VTR_FREE uint8_t *key = NULL;
	char fingerprint[56];
	struct vtr_draft d;
	unsigned bits;
	size_t n;

	if (!vtr_span_line(&line, &rest) || !vtr_span_word(&type, &line) || !vtr_span_word(&base64, &line))
		return 0;
	key = vtr_calloc(1, SSH_KEY_MAX, err);
	if (!key)
		return -1;
	n = ssh_base64_decode(key, SSH_KEY_MAX, base64);
	/* The key itself says again what it is. */
	if (n < 4 || vtr_get_be32(key) != type.len || n - 4 < type.len || memcmp(key + 4, type.p, type.len) != 0)
		return 0;
	if (ssh_fingerprint(fingerprint, key, n, err) < 0)
		return -1;
	bits = ssh_key_bits(type, key, n);
	vtr_draft_begin(&d, os, "ssh_host_keys", path, err);
	vtr_draft_span(&d, "type", type);
	if (bits)
		vtr_draft_number(&d, "bits", bits);
	vtr_draft_text(&d, "fingerprint", fingerprint);
	vtr_draft_span(&d, "comment", vtr_span_trim(line));
	return vtr_draft_end(&d);
}

static int ssh_key_entry(void *arg, struct vtr_os *os, const struct vtr_os_entry *e, struct vtr_error *err)
{
	struct vtr_span name = vtr_span_of(e->name);

	(void)arg;
	if (!vtr_span_starts(name, "ssh_host_") || !vtr_span_ends(name, "_key.pub"))
		return 0;
	return vtr_os_text(os, e->path, vtr_ssh_key_parse, err) < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------------------------------------------- settings */

static const char *const ssh_settings[] = {
	"Port",
	"ListenAddress",
	"PermitRootLogin",
	"PasswordAuthentication",
	"PubkeyAuthentication",
	"KbdInteractiveAuthentication",
	"ChallengeResponseAuthentication",
	"PermitEmptyPasswords",
	"UsePAM",
	"AuthenticationMethods",
	"AuthorizedKeysFile",
	"AuthorizedKeysCommand",
	"AllowUsers",
	"AllowGroups",
	"DenyUsers",
	"DenyGroups",
	"GSSAPIAuthentication",
	"HostbasedAuthentication",
	"X11Forwarding",
	"AllowTcpForwarding",
	"AllowAgentForwarding",
	"GatewayPorts",
	"PermitTunnel",
	"PermitUserEnvironment",
	"StrictModes",
	"MaxAuthTries",
	"LogLevel",
	"Ciphers",
	"MACs",
	"KexAlgorithms",
	"HostKeyAlgorithms",
	"TrustedUserCAKeys",
	"ChrootDirectory",
	"ForceCommand",
	"Subsystem",
};

/* "Key value" or "Key=value", the value perhaps in quotes. */
static bool ssh_setting_split(struct vtr_span *key, struct vtr_span *value, struct vtr_span line)
{
	size_t n = 0;

	line = vtr_span_trim(line);
	while (n < line.len && line.p[n] != ' ' && line.p[n] != '\t' && line.p[n] != '=')
		n++;
	*key = (struct vtr_span){ line.p, n };
	line = vtr_span_trim(vtr_span_skip(line, n));
	if (line.len > 0 && *line.p == '=')
		line = vtr_span_trim(vtr_span_skip(line, 1));
	*value = vtr_span_unquote(line);
	return n > 0 && *key->p != '#';
}

#define SSH_DEPTH 16u /* includes within includes: sshd(8) takes as many */

struct ssh_config {
	struct vtr_os *os;
	unsigned files, depth;
	bool set[VTR_COUNT(ssh_settings)]; /* outside of Match: the first value counts */
	bool lost;
};

/* Keywords that may be given more than once. */
static bool ssh_setting_adds(const char *name)
{
	static const char *const names[] = { "Port",	  "ListenAddress", "AllowUsers", "AllowGroups",
					     "DenyUsers", "DenyGroups",	   "Subsystem" };

	for (size_t i = 0; i < VTR_COUNT(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static int ssh_config_each(struct ssh_config *c, const char *path, const char *text, size_t len, struct vtr_span match,
			   struct vtr_error *err);

static int ssh_config_read(struct ssh_config *c, const char *path, struct vtr_span match, struct vtr_error *err)
{
	VTR_FREE char *text = NULL;
	size_t len;
	int there, rc = 0;

	if (c->files >= SSH_FILES || c->depth >= SSH_DEPTH) {
		if (!c->lost)
			vtr_os_warn(c->os, path, VTR_ELIMIT, "more than %u files of sshd, or %u within each other",
				    SSH_FILES, SSH_DEPTH);
		c->lost = true;
		return 0;
	}
	c->files++;
	c->depth++;
	there = vtr_os_text_slurp(&text, &len, c->os, path, err);
	rc = there > 0 ? ssh_config_each(c, path, text, len, match, err) : there;
	c->depth--;
	return rc;
}

/* Include PATTERN…: files, in the order of their names. */
static int ssh_include(struct ssh_config *c, struct vtr_span patterns, struct vtr_span match, struct vtr_error *err)
{
	struct vtr_span word;
	int rc = 0;

	while (rc == 0 && vtr_span_word(&word, &patterns)) {
		struct vtr_paths paths = { .n = 0 };
		VTR_FREE char *pattern = NULL;
		struct vtr_str s = { 0 };

		word = vtr_span_unquote(word);
		if (word.len == 0 || memchr(word.p, 0, word.len))
			continue;
		if (*word.p != '/')
			vtr_str_puts(&s, "/etc/ssh/");
		vtr_str_put(&s, word.p, word.len);
		pattern = vtr_str_take(&s, err);
		rc = pattern ? vtr_os_glob(&paths, c->os, vtr_span_of(pattern), err) : -1;
		for (size_t i = 0; i < paths.n && rc == 0; i++)
			rc = ssh_config_read(c, paths.v[i], match, err);
		vtr_paths_done(&paths);
	}
	return rc;
}

static int ssh_setting_add(struct ssh_config *c, const char *path, size_t which, struct vtr_span value,
			   struct vtr_span match, struct vtr_error *err)
{
	struct vtr_draft d;

	if (match.len == 0) {
		if (c->set[which] && !ssh_setting_adds(ssh_settings[which]))
			return 0;
		c->set[which] = true;
	}
	vtr_draft_begin(&d, c->os, "ssh_settings", path, err);
	vtr_draft_text(&d, "name", ssh_settings[which]);
	vtr_draft_words(&d, "value", value);
	vtr_draft_span(&d, "match", match);
	return vtr_draft_end(&d);
}

/* match: the condition of the block that the file is included in. A block ends with the file that it is in. */
static int ssh_config_each(struct ssh_config *c, const char *path, const char *text, size_t len, struct vtr_span match,
			   struct vtr_error *err)
{
	const struct vtr_span outer = match;
	struct vtr_span rest = { text, len }, line, key, value;

	while (vtr_span_line(&line, &rest)) {
		if (!ssh_setting_split(&key, &value, line))
			continue;
		if (vtr_span_is_icase(key, "Match"))
			match = vtr_span_is_icase(value, "all") ? outer : value;
		if (vtr_span_is_icase(key, "Include") && c->depth > 0 && ssh_include(c, value, match, err) < 0)
			return -1;
		for (size_t i = 0; i < VTR_COUNT(ssh_settings); i++)
			if (vtr_span_is_icase(key, ssh_settings[i]) &&
			    ssh_setting_add(c, path, i, value, match, err) < 0)
				return -1;
	}
	return 0;
}

int vtr_sshd_config_parse(struct vtr_os *os, const char *path, const char *text, size_t len, struct vtr_error *err)
{
	struct ssh_config c = { .os = os };

	return ssh_config_each(&c, path, text, len, (struct vtr_span){ "", 0 }, err);
}

int vtr_ssh_read(struct vtr_os *os, struct vtr_error *err)
{
	struct ssh_config c = { .os = os };
	static const char *const vendor = "/usr/etc/ssh/sshd_config"; /* SUSE's, when there is none in /etc */
	int there;

	if (vtr_os_list(os, "/etc/ssh", ssh_key_entry, NULL, err) < 0)
		return -1;
	there = vtr_os_there(os, "/etc/ssh/sshd_config", err);
	return there < 0
		       ? -1
		       : ssh_config_read(&c, there ? "/etc/ssh/sshd_config" : vendor, (struct vtr_span){ "", 0 }, err);
}
