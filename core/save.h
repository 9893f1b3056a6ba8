/* Guests put to sleep in a file: saved to a path of the caller's, or managed, where the next start
 * finds it. The file is libvirt's (saved.h). A save that fails or is cancelled leaves no file, and the
 * guest runs on.
 * Neighbours: core.h; engine/ writes and reads the stream. */
#pragma once

#include "core/core.h"

typedef enum SaveFlags {
	SAVE_RUNNING = 1 << 0, /* the restored guest runs, whatever it did when it was saved */
	SAVE_PAUSED = 1 << 1,  /* it is paused */
	SAVE_PAST_CACHE = 1 << 2, /* the file does not stay in the host's memory */
	SAVE_RESET_NVRAM = 1 << 3, /* restoring: UEFI's variables are made anew */
} SaveFlags;

/* Saves the running guest to @path and ends it. @xml (NULL: none): the file gets this definition of the same
 * guest. Lane. */
gboolean core_guest_save(CoreGuest *guest, const char *path, const char *xml, guint flags,
			 const EngineProgress *progress, GError **error);
/* The same to a file of our own, for guests with a definition. Lane. */
gboolean core_guest_managed_save(CoreGuest *guest, const char *xml, guint flags,
				 const EngineProgress *progress, GError **error);
/* Whether it has one. Any thread; looks at a folder. */
gboolean core_guest_has_managed_save(CoreGuest *guest);
/* Removes it; STATE where there is none. Lane. */
gboolean core_guest_managed_save_remove(CoreGuest *guest, GError **error);
/* Where it is; the caller frees it. */
char *core_guest_managed_save_path(CoreGuest *guest);
/* Removes what saves that were cut off have left beside managed ones. Main, at start. */
void core_saves_clean(Core *core);

/* Starts the guest that is saved in @path, which stays. @xml: another definition of the same guest
 * (NULL: the saved one). Returns a reference. OP_BESIDE. */
CoreGuest *core_restore(Core *core, const char *path, const char *xml, guint flags, Notes *notes,
			GError **error);
/* The definition in @path, without what only a running guest has, as XML that the caller frees. Any thread;
 * reads the file's beginning. */
char *core_saved_xml(const char *path, guint shape_xml_flags, GError **error);
/* Changes the definition (@xml, of the same guest; NULL: none) and the state (SAVE_RUNNING, SAVE_PAUSED) that
 * the file at @path has. Any thread but the main loop's; copies the file where it must. */
gboolean core_saved_define(const char *path, const char *xml, guint flags, Notes *notes, GError **error);
