/* See secret.h. Source of elements and numbers: libvirt's documentation of the secret XML format. */
#include "model/secret.h"
#include "base/error.h"

const EnumTable secret_types = ENUM_TABLE("usage type of a secret", "volume", "ceph", "iscsi", "tls", "vtpm");

#define NAMED (SHAPE_WHEN(SECRET_CEPH) | SHAPE_WHEN(SECRET_TLS) | SHAPE_WHEN(SECRET_VTPM))

static const Row usage_rows[] = {
	ENUM(SecretUsage, type, "@type", secret_types, .flags = ROW_REQUIRED,
	     .doc = "what kind of thing it opens"),
	STRING(SecretUsage, volume, "volume", .when = SHAPE_WHEN(SECRET_VOLUME), .flags = ROW_REQUIRED,
	       .doc = "path of the volume that it encrypts"),
	STRING(SecretUsage, name, "name", .when = NAMED, .flags = ROW_REQUIRED,
	       .doc = "name by which users of it find it"),
	STRING(SecretUsage, target, "target", .when = SHAPE_WHEN(SECRET_ISCSI), .flags = ROW_REQUIRED,
	       .doc = "name by which iSCSI disks find it"),
};
static const Shape usage_shape =
	SHAPE("secret usage", SecretUsage, usage_rows, .discriminator = &usage_rows[0]);

static const Row rows[] = {
	TRI(Secret, ephemeral, "@ephemeral", .dflt = "no", .doc = "keep it in memory only"),
	TRI(Secret, is_private, "@private", .dflt = "no", .doc = "never tell its value to anybody"),
	UUID(Secret, uuid, "uuid", .doc = "what it is known by"),
	STRING(Secret, description, "description", .doc = "text for people"),
	STRUCT(Secret, usage, "usage", SecretUsage, usage_shape, .doc = "what it is for"),
};

const Shape secret_shape = SHAPE("secret", Secret, rows);

const char *secret_usage_id(const Secret *secret)
{
	const SecretUsage *usage = secret->usage;
	if (!usage)
		return NULL;
	return usage->volume ? usage->volume : usage->target ? usage->target : usage->name;
}

gboolean secret_same_usage(const Secret *a, const Secret *b)
{
	const char *x = secret_usage_id(a), *y = secret_usage_id(b);
	return x && y && a->usage->type == b->usage->type && g_str_equal(x, y);
}

void secret_free(Secret *secret)
{
	shape_free(&secret_shape, secret);
}
