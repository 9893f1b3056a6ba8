/* What an engine offers guests on this host, for documents of capabilities.
 * Neighbours: engine.h's describe() fills it; ops/capabilities.c prints it. */
#pragma once

#include "shape/shape.h"

typedef struct EngineMachine {
	ShapeHead head;
	char *name, *alias, *default_cpu;
	OptUint max_vcpus;
	Tri is_default, deprecated;
} EngineMachine;

typedef struct EngineCpu {
	ShapeHead head;
	char *name;
	Tri usable; /* the host lacks no feature of it */
} EngineCpu;

typedef struct EngineFirmware { /* that definitions may name, or get by <os firmware=''> */
	ShapeHead head;
	char *type, *loader; /* "efi", "bios"; the file */
	GPtrArray *machines; /* char *: patterns of the types of machines that it is for */
	Tri secure;	     /* it checks what it boots, with the machine's help */
} EngineFirmware;

typedef struct EngineSev { /* encrypted guests by AMD's SEV */
	ShapeHead head;
	char *pdh, *cert_chain, *cpu0_id; /* base64; cpu0_id may be NULL */
	OptUint cbitpos, reduced_phys_bits, max_guests, max_es_guests;
} EngineSev;

typedef struct EngineCaps {
	ShapeHead head;
	char *emulator, *arch, *package;
	OptUint version; /* major * 1000000 + minor * 1000 + micro */
	Tri kvm;
	char *kvm_why_not;
	GPtrArray *machines; /* EngineMachine */
	GPtrArray *cpus;     /* EngineCpu: with KVM where it works, else emulated */
	GPtrArray *devices;  /* char *: types of devices and objects, sorted */
	EngineSev *sev;	      /* NULL: the host or the emulator has none */
	GPtrArray *firmwares; /* EngineFirmware, in the order in which they are tried */
} EngineCaps;

extern const Shape engine_caps_shape, engine_sev_shape;

/* Whether @caps has the type of device or object @name. Any thread. */
gboolean engine_caps_has(const EngineCaps *caps, const char *name);
