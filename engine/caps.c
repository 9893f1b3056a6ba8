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

static const Row sev_rows[] = {
	STRING(EngineSev, pdh, NULL, .doc = "Key of the host"),
	STRING(EngineSev, cert_chain, NULL, .doc = "Its certificates"),
	STRING(EngineSev, cpu0_id, NULL, .doc = "Processor"),
	UINT(EngineSev, cbitpos, NULL, .doc = "Bit that says encrypted"),
	UINT(EngineSev, reduced_phys_bits, NULL, .doc = "Bits of addresses that it costs"),
	UINT(EngineSev, max_guests, NULL, .doc = "Guests at most"),
	UINT(EngineSev, max_es_guests, NULL, .doc = "With encrypted registers"),
};
const Shape engine_sev_shape = SHAPE("engine-sev", EngineSev, sev_rows);

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
	STRUCT(EngineCaps, sev, NULL, EngineSev, engine_sev_shape),
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
