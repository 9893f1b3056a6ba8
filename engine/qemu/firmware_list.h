/* The firmware of this host, in the order in which it is tried.
 * Neighbours: firmware.c is the only user; firmware.h tells of the descriptors. */
#pragma once

#include "base/opt.h"

typedef enum FirmwareFlash { FLASH_SPLIT = 1, FLASH_COMBINED, FLASH_STATELESS } FirmwareFlash;

typedef enum FirmwareAbility { /* "features" of a descriptor, as bits */
			       FIRMWARE_ACPI_S3 = 1 << 0,
			       FIRMWARE_ACPI_S4 = 1 << 1,
			       FIRMWARE_SECURE_BOOT = 1 << 2,
			       FIRMWARE_ENROLLED_KEYS = 1 << 3,
			       FIRMWARE_REQUIRES_SMM = 1 << 4,
} FirmwareAbility;

typedef struct FirmwareTarget {
	char *arch;	 /* "x86_64" */
	char **machines; /* globs, NULL at the end */
} FirmwareTarget;

typedef struct Firmware {
	char *name; /* of the descriptor's file, "" for one that has none */
	gboolean uefi, bios;
	FirmwareFlash flash; /* 0: not in flash but in plain memory (-bios) */
	char *code, *code_format;
	char *vars, *vars_format; /* template of the variables; NULL: none */
	GPtrArray *targets;	  /* FirmwareTarget * */
	guint abilities;	  /* FirmwareAbility */
} Firmware;

/* What the descriptors in the host's folders say, followed by what ovmf ships without a descriptor.
 * The caller owns a reference; the content is immutable. Read again where a folder has changed
 * since. Any thread. */
GPtrArray *firmware_list(void);

/* The same for @folders (NULL at the end), in rising order of precedence, without memory of earlier
 * calls: for firmware_list() and for tests. */
GPtrArray *firmware_list_read(const char *const *folders);
