/* Completes a definition for this host's QEMU: what another distribution's document names and this
 * host lacks is replaced, with a note; then defaults, addresses, and the checks that need the whole
 * guest. What Engine.check does for QEMU.
 *
 * Neighbours: caps.h says what QEMU can; model/defaults.h and model/assign.h fill in; check.c has the
 * checks; start.c works from the result. */
#pragma once

#include "engine/engine.h"
#include "engine/qemu/caps.h"

/* All of it, on the capabilities of the definition's emulator or, where that is not there, of the
 * host's. May run QEMU once to learn them (some 100 ms). On failure @guest is to be thrown away. Any
 * thread but the main loop's. */
gboolean qemu_complete(Guest *guest, const EngineConfig *config, Notes *notes, GError **error);

/* As above with @caps given, which is where tests come in. */
gboolean qemu_complete_with(Guest *guest, const QemuCaps *caps, Notes *notes, GError **error);


/* What only the complete guest shows to be wrong; changes nothing. */
gboolean qemu_check(const Guest *guest, const QemuCaps *caps, GError **error);
