/* Shapes of the parts of a definition that are not devices. The structs stand in guest.h.
 * Neighbours: guest_parts.c has the rows; guest.c puts them together. */
#pragma once

#include "model/guest.h"

extern const Shape cpu_shape, clock_shape, features_shape, memory_backing_shape,
	memory_tune_shape, vcpu_shape, iothread_shape, cpu_tune_shape, numa_tune_shape,
	blkio_tune_shape, sysinfo_shape, seclabel_shape, qemu_commandline_shape, boot_shape,
	numa_distance_shape, vcpupin_shape, iothreadpin_shape, perf_shape, perf_event_shape,
	launch_security_shape;
