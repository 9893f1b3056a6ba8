/* What does not go together in a definition that comes in: what no row, no struct's check and no engine
 * says, because it is true wherever the guest runs. Each rule is one libvirt has too; documents that libvirt
 * refuses are not to be accepted here and fail later. Definitions that are stored already are not asked.
 * No I/O. Neighbours: guest.c has the checks of single values; engine/qemu/check.c what QEMU cannot do. */
#pragma once

#include "base/error.h"
#include "base/notes.h"
#include "model/guest.h"

/* Whether @guest, as it was read and before defaults are filled in, keeps all rules. On failure @error
 * names the part, its line and the remedy: INVALID where the document contradicts itself, UNSUPPORTED where
 * the machine has no such thing. Any thread. */
gboolean guest_rules(const Guest *guest, GError **error);

/* The same of a definition that is taken over as it is: a note for each rule that it breaks. */
void guest_rules_tell(const Guest *guest, Notes *notes);

/* ---- for the files of rules ---- */

typedef gboolean (*GuestRule)(const Guest *guest, GError **error);
typedef struct GuestRules {
	const GuestRule *rules;
	guint n;
} GuestRules;

extern const GuestRules guest_rules_host;    /* rules.c: CPUs, memory, firmware */
extern const GuestRules guest_rules_disks;   /* rules_disks.c: disks, host devices on SCSI */
extern const GuestRules guest_rules_devices; /* rules_devices.c: the others */
extern const GuestRules guest_rules_unknown; /* rules_unknown.c: what no row knows */

/* "disk vda, line 12: @format": the refusal of a @device of the element @kind; always FALSE. */
gboolean guest_refuse(const Guest *guest, const char *kind, gconstpointer device, GError **error,
		      LodgeError code, const char *format, ...) G_GNUC_PRINTF(6, 7);
/* The count of NUMA cells of the guest. */
guint guest_cells(const Guest *guest);
