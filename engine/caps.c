/* See caps.h. */
#include "engine/caps.h"

#include <string.h>

static const Row machine_rows[] = {
	STRING(EngineMachine, name, NULL, .doc = "Name"),
	STRING(EngineMachine, alias, NULL, .doc = "Alias"),
	STRING(EngineMachine, default_cpu, NULL, .doc = "CPU model"),
	UINT(EngineMachine, max_vcpus, NULL, .doc = "CPUs at most"),
	TRI(EngineMachine, is_default, NULL),
	TRI(EngineMachine, deprecated, NULL),
};
static const Shape machine_shape = SHAPE("engine-machine", EngineMachine, machine_rows);

static const Row cpu_rows[] = {
	STRING(EngineCpu, name, NULL, .doc = "Name"),
	TRI(EngineCpu, usable, NULL, .doc = "Usable"),
};
static const Shape cpu_shape = SHAPE("engine-cpu", EngineCpu, cpu_rows);

static const Row firmware_rows[] = {
	STRING(EngineFirmware, type, NULL, .doc = "Type"),
	STRING(EngineFirmware, loader, NULL, .doc = "Loader"),
	STRINGS(EngineFirmware, machines, NULL),
	TRI(EngineFirmware, secure, NULL, .doc = "Secure"),
};
static const Shape firmware_shape = SHAPE("engine-firmware", EngineFirmware, firmware_rows);

static const Row rows[] = {
	STRING(EngineCaps, emulator, NULL, .doc = "Emulator"),
	STRING(EngineCaps, arch, NULL, .doc = "Architecture"),
	STRING(EngineCaps, package, NULL, .doc = "Package"),
	UINT(EngineCaps, version, NULL, .doc = "Version"),
	TRI(EngineCaps, kvm, NULL, .doc = "KVM"),
	STRING(EngineCaps, kvm_why_not, NULL, .doc = "KVM, why not"),
	LIST(EngineCaps, machines, NULL, machine_shape),
	LIST(EngineCaps, cpus, NULL, cpu_shape),
	STRINGS(EngineCaps, devices, NULL),
	LIST(EngineCaps, firmwares, NULL, firmware_shape),
};
const Shape engine_caps_shape = SHAPE("engine-caps", EngineCaps, rows);

gboolean engine_caps_has(const EngineCaps *caps, const char *name)
{
	for (guint i = 0; i < shape_len(caps->devices); i++)
		if (g_str_equal(g_ptr_array_index(caps->devices, i), name))
			return TRUE;
	return FALSE;
}
