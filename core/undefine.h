/* The end of a definition, and what goes with it: UEFI's variables, the TPM's state, a managed save, and
 * where that is asked for the disks.
 * Neighbours: core.h; save.h. */
#pragma once

#include "core/core.h"
#include "image/wipe.h"

typedef enum UndefineFlags {
	UNDEFINE_NVRAM = 1 << 0,	/* remove the file; one of both has to be said if there is one */
	UNDEFINE_KEEP_NVRAM = 1 << 1,
	UNDEFINE_TPM = 1 << 2,		/* remove the state also where it is to persist */
	UNDEFINE_KEEP_TPM = 1 << 3,	/* keep it; without a word, as <backend persistent_state=> says */
	UNDEFINE_MANAGED_SAVE = 1 << 4, /* has to be said if there is one */
	UNDEFINE_ALL_DISKS = 1 << 5,	/* remove the files of all disks that it alone may write */
} UndefineFlags;

/* Removes the definition; what runs goes on as a transient guest. @disks (may be NULL): targets or paths
 * of disks whose files go too; refused where it runs, where one is no file, or where another guest uses
 * it or an image that is based on it. With @wipe (NULL: not) they are overwritten first, which takes long;
 * where that fails or is cancelled the guest and all files stay. Nothing changes where it is refused; what
 * could not be removed after the definition is told in @notes. Lane; with disks it reads every definition. */
gboolean core_guest_undefine(CoreGuest *guest, guint flags, const GPtrArray *disks, const ImageWork *wipe,
			     Notes *notes, GError **error);
