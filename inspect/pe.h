/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs of Windows and of EFI: "PE". */
#ifndef VTR_INSPECT_PE_H
#define VTR_INSPECT_PE_H

#include "base/blk.h"

struct vtr_pe {
	uint16_t machine, subsystem, characteristics;
	bool plus; /* PE32+ */
	uint32_t timestamp;
	unsigned n_sections;
	uint64_t sections_at;		       /* where the table of sections lies in the file */
	uint32_t resources_rva, resources_len; /* 0: there are none */
};

#define VTR_PE_TEXT 256u

/* What the resource of its version says. Texts are UTF-8; "" is not said. */
struct vtr_pe_version {
	bool has_fixed;
	uint16_t file[4], product[4]; /* 10.0.19041.1 */
	uint32_t flags;		      /* of those that count: 1: debug, 2: prerelease */
	char company[VTR_PE_TEXT], description[VTR_PE_TEXT], file_version[VTR_PE_TEXT], product_name[VTR_PE_TEXT],
		product_version[VTR_PE_TEXT], original_name[VTR_PE_TEXT];
};

/* The headers. VTR_ECORRUPT: no program; VTR_EUNSUPPORTED: one of another kind, for DOS or for Windows of 16 bits. */
int vtr_pe_read(struct vtr_pe *out, struct vtr_blk *b, struct vtr_error *err);

/* The first version resource, American English before others. 1, 0: there is none, -1. */
int vtr_pe_read_version(struct vtr_pe_version *out, const struct vtr_pe *pe, struct vtr_blk *b, struct vtr_error *err);

/*
 * A section by its name: the first max bytes of it, with a NUL behind them, and where it lies in the file. *text is the
 * caller's. 1, 0: there is none, -1.
 */
int vtr_pe_section(char **text, size_t *len, uint64_t *at, const struct vtr_pe *pe, struct vtr_blk *b, const char *name,
		   size_t max, struct vtr_error *err);

/* As uname -m has it; NULL: not known. Static. */
const char *vtr_pe_arch(uint16_t machine);

#endif
