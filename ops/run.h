/* What `run` leaves for the next start of the daemon. Neighbours: run.c; daemon/ calls it. */
#pragma once

#include "core/core.h"

/* Removes the disks of guests whose making was cut off before they were known. Main, at start; blocks on
 * the disk. */
void op_run_clean(Core *core);
