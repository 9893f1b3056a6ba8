/* Which firmware a guest boots with, and the file that keeps its UEFI variables.
 *
 * What this host has is told by descriptors (QEMU's docs/interop/firmware.json) in
 * /usr/share/qemu/firmware, /etc/qemu/firmware and, for a person's daemon, ~/.config/qemu/firmware:
 * a later folder replaces files of the same name, names give the order, the first that fits is
 * taken.
 *
 * Neighbours: firmware_list.c reads the descriptors, firmware.c chooses, nvram.c keeps the
 * variables; boot.c puts the result on the command line; prepare.c and qemu.c call. */
#pragma once

#include "base/notes.h"
#include "model/guest.h"

/* Fills in what @guest leaves open about its firmware: nothing for plain BIOS; for UEFI (firmware
 * 'efi', a pflash loader, or a loader of another distribution that is not on this host) the loader,
 * its type, readonly and secure, SMM where the firmware needs it, the template of the variables
 * and, in os.nvram, @nvram_dir/NAME_VARS.fd. A loader that is there stays. @notes get what was
 * replaced.
 *
 * Idempotent. Call it when a guest is defined, too, and keep the result: os.nvram then outlives a
 * change of the name. UNSUPPORTED where no firmware fits, NOT_FOUND for a loader that is missing
 * and cannot be replaced; @guest is unchanged then. Nothing is created. Reads a few small files,
 * once until their folders change. Any thread. */
gboolean qemu_firmware_complete(Guest *guest, const char *nvram_dir, Notes *notes, GError **error);

/* Makes the file of the UEFI variables of @live (completed as above) from its template where it is
 * not there, or anew with @reset: whole or not at all, mode 0600, durable. Nothing for a guest
 * without. Blocks on the disk; any thread, but one caller per guest. */
gboolean qemu_nvram_prepare(const Guest *live, gboolean reset, GError **error);
