/* A secret's definition, as libvirt's <secret> has it: a uuid, what it is for, and who may see it. Its value
 * is not part of it. Neighbours: core/secrets.c keeps definitions and values. */
#pragma once

#include "shape/shape.h"

typedef enum SecretType { /* libvirt's virSecretUsageType */
	SECRET_VOLUME = 1,
	SECRET_CEPH,
	SECRET_ISCSI,
	SECRET_TLS,
	SECRET_VTPM,
} SecretType;

typedef struct SecretUsage {
	ShapeHead head;
	SecretType type;
	char *volume, *name, *target; /* the one that its type has */
} SecretUsage;

typedef struct Secret {
	ShapeHead head;
	Tri ephemeral;	  /* never on the disk */
	Tri is_private;	  /* nobody may read it back */
	char *uuid, *description;
	SecretUsage *usage; /* NULL: for nothing in particular */
} Secret;

extern const Shape secret_shape;
extern const EnumTable secret_types;

/* What it is for: "client.admin", "/images/a.qcow2"; NULL: nothing. */
const char *secret_usage_id(const Secret *secret);
/* Whether both are for the same thing. */
gboolean secret_same_usage(const Secret *a, const Secret *b);
void secret_free(Secret *secret);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Secret, secret_free)
