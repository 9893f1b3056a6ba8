/* See codec.h: signatures, compiled; values, read and written. */
#include "wire/libvirt/codec.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 16384

/* The composites of the protocol. */
static const struct {
	const char *name, *fields;
} composites[] = {
	{ "auth_type", "type:i32" },
	{ "domain", "name:str uuid:uuid id:i32" },
	{ "domain_checkpoint", "name:str dom:domain" },
	{ "domain_disk_error", "disk:str error:i32" },
	{ "domain_event_balloon_change_msg", "dom:domain actual:u64" },
	{ "domain_event_block_job_msg", "dom:domain path:str type:i32 status:i32" },
	{ "domain_event_control_error_msg", "dom:domain" },
	{ "domain_event_device_removed_msg", "dom:domain devAlias:str" },
	{ "domain_event_disk_change_msg",
	  "dom:domain oldSrcPath:str? newSrcPath:str? devAlias:str reason:i32" },
	{ "domain_event_graphics_address", "family:i32 node:str service:str" },
	{ "domain_event_graphics_identity", "type:str name:str" },
	{ "domain_event_graphics_msg",
	  "dom:domain phase:i32 local:domain_event_graphics_address "
	  "remote:domain_event_graphics_address authScheme:str "
	  "subject:domain_event_graphics_identity<20>" },
	{ "domain_event_io_error_msg", "dom:domain srcPath:str devAlias:str action:i32" },
	{ "domain_event_io_error_reason_msg",
	  "dom:domain srcPath:str devAlias:str action:i32 reason:str" },
	{ "domain_event_lifecycle_msg", "dom:domain event:i32 detail:i32" },
	{ "domain_event_pmsuspend_disk_msg", "dom:domain" },
	{ "domain_event_pmsuspend_msg", "dom:domain" },
	{ "domain_event_pmwakeup_msg", "dom:domain" },
	{ "domain_event_reboot_msg", "dom:domain" },
	{ "domain_event_rtc_change_msg", "dom:domain offset:i64" },
	{ "domain_event_tray_change_msg", "dom:domain devAlias:str reason:i32" },
	{ "domain_event_watchdog_msg", "dom:domain action:i32" },
	{ "domain_fsinfo", "mountpoint:str name:str fstype:str dev_aliases:str<256>" },
	{ "domain_get_security_label_ret", "label:i8<4097> enforcing:i32" },
	{ "domain_interface", "name:str hwaddr:str? addrs:domain_ip_addr<2048>" },
	{ "domain_iothread_info", "iothread_id:u32 cpumap:opaque<2048>" },
	{ "domain_ip_addr", "type:i32 addr:str prefix:u32" },
	{ "domain_memory_stat", "tag:i32 val:u64" },
	{ "domain_snapshot", "name:str dom:domain" },
	{ "domain_stats_record", "dom:domain params:typed_param<262144>" },
	{ "error_network", "name:str uuid:uuid" },
	{ "interface", "name:str mac:str" },
	{ "network", "name:str uuid:uuid" },
	{ "network_dhcp_lease",
	  "iface:str expirytime:i64 type:i32 mac:str? iaid:str? ipaddr:str prefix:u32 hostname:str? "
	  "clientid:str?" },
	{ "network_port", "net:network uuid:uuid" },
	{ "node_device", "name:str" },
	{ "node_get_cpu_stats", "field:str value:u64" },
	{ "node_get_memory_stats", "field:str value:u64" },
	{ "nwfilter", "name:str uuid:uuid" },
	{ "nwfilter_binding", "portdev:str filtername:str" },
	{ "secret", "uuid:uuid usageType:i32 usageID:str" },
	{ "storage_pool", "name:str uuid:uuid" },
	{ "storage_vol", "pool:str name:str key:str" },
	{ "typed_param", "field:str value:typed_param_value" },
	{ "vcpu_info", "number:u32 state:i32 cpu_time:u64 cpu:i32" },
};

static const struct {
	const char *name;
	WireKind kind;
	guint32 exactly;
} scalars[] = {
	{ "i8", WIRE_I8, 0 },	    { "u8", WIRE_U8, 0 },     { "i16", WIRE_I16, 0 },
	{ "u16", WIRE_U16, 0 },	    { "i32", WIRE_I32, 0 },   { "u32", WIRE_U32, 0 },
	{ "bool", WIRE_BOOL, 0 },   { "i64", WIRE_I64, 0 },   { "u64", WIRE_U64, 0 },
	{ "f64", WIRE_F64, 0 },	    { "str", WIRE_STR, 0 },   { "opaque", WIRE_OPAQUE, 0 },
	{ "uuid", WIRE_OPAQUE, 16 }, { "typed_param_value", WIRE_PARAM, 0 },
};

/* ---- memory ---- */

typedef struct WireBlock {
	struct WireBlock *next;
	gsize used, room;
	guint64 bytes[];
} WireBlock;

gpointer wire_alloc(WireArena *arena, gsize n)
{
	n = (n + 7) & ~(gsize)7;
	guint8 *at;
	if (arena->used + n <= sizeof arena->first) {
		at = (guint8 *)arena->first + arena->used;
		arena->used += n;
		return memset(at, 0, n);
	}
	WireBlock *block = arena->blocks;
	if (!block || block->room - block->used < n) {
		gsize room = MAX(n, BLOCK);
		block = g_malloc(sizeof *block + room);
		*block = (WireBlock){ .next = arena->blocks, .room = room };
		arena->blocks = block;
	}
	at = (guint8 *)block->bytes + block->used;
	block->used += n;
	return memset(at, 0, n);
}

char *wire_strdup(WireArena *arena, const char *text)
{
	gsize size = text ? strlen(text) + 1 : 0;
	return text ? memcpy(wire_alloc(arena, size), text, size) : NULL;
}

gsize wire_arena_size(const WireArena *arena)
{
	gsize size = 0;
	for (const WireBlock *block = arena->blocks; block; block = block->next)
		size += block->room;
	return size;
}

void wire_arena_clear(WireArena *arena)
{
	while (arena->blocks) {
		WireBlock *block = arena->blocks;
		arena->blocks = block->next;
		g_free(block);
	}
	arena->used = 0;
}

/* ---- signatures ---- */

static const WireType *composite(const char *name)
{
	for (guint i = 0; i < G_N_ELEMENTS(composites); i++)
		if (g_str_equal(composites[i].name, name))
			return wire_type(composites[i].fields);
	return NULL;
}

static gboolean set_kind(WireField *field, const char *name)
{
	for (guint i = 0; i < G_N_ELEMENTS(scalars); i++)
		if (g_str_equal(scalars[i].name, name)) {
			field->kind = scalars[i].kind;
			field->exactly = scalars[i].exactly;
			return TRUE;
		}
	field->kind = WIRE_STRUCT;
	field->type = composite(name);
	return field->type != NULL;
}

/* "NAME:TYPE" with what may follow the type; changes @text. */
static gboolean field_parse(char *text, WireField *field)
{
	char *type = strchr(text, ':');
	if (!type)
		return FALSE;
	*type++ = '\0';
	field->name = g_intern_string(text);
	gsize length = strlen(type);
	if (length && type[length - 1] == '?') {
		field->optional = TRUE;
		type[length - 1] = '\0';
	}
	char *bound = strpbrk(type, "<[");
	guint32 count = bound ? (guint32)strtoul(bound + 1, NULL, 10) : 0;
	gboolean exact = bound && *bound == '[';
	if (bound)
		*bound = '\0';
	if (!set_kind(field, type) || (bound && count == 0))
		return FALSE;
	field->list = bound && field->kind != WIRE_OPAQUE;
	if (exact)
		field->exactly = count;
	else if (bound)
		field->max = count;
	return field->kind != WIRE_OPAQUE || field->exactly || field->max;
}

static gsize least_of_item(const WireField *field)
{
	switch (field->kind) {
	case WIRE_I64:
	case WIRE_U64:
	case WIRE_F64:
	case WIRE_PARAM:
		return 8;
	case WIRE_STRUCT:
		return MAX(field->type->least, 4);
	default:
		return 4;
	}
}

static gsize least_of(const WireField *field)
{
	if (field->optional || (field->list && !field->exactly))
		return 4;
	if (field->list)
		return field->exactly * least_of_item(field);
	return field->kind == WIRE_OPAQUE && field->exactly ? field->exactly : least_of_item(field);
}

static WireType *type_parse(const char *signature)
{
	g_auto(GStrv) words = g_strsplit(signature, " ", -1);
	guint n = *signature ? g_strv_length(words) : 0;
	WireType *type = g_malloc0(sizeof *type + n * sizeof(WireField));
	type->n = n;
	for (guint i = 0; i < n; i++) {
		if (!field_parse(words[i], &type->fields[i])) {
			g_free(type);
			return NULL;
		}
		type->least += least_of(&type->fields[i]);
	}
	return type;
}

const WireType *wire_type(const char *signature)
{
	static GHashTable *known;
	if (!known)
		known = g_hash_table_new(g_str_hash, g_str_equal);
	if (!signature)
		signature = "";
	WireType *type = g_hash_table_lookup(known, signature);
	if (!type && (type = type_parse(signature)))
		g_hash_table_insert(known, (gpointer)g_intern_string(signature), type);
	return type;
}

int wire_field(const WireType *type, const char *name)
{
	for (guint i = 0; i < type->n; i++)
		if (g_str_equal(type->fields[i].name, name))
			return (int)i;
	return -1;
}

/* ---- reading ---- */

typedef struct Reader {
	XdrIn *in;
	WireArena *arena;
	GError **error;
} Reader;

static gboolean short_of(const Reader *reader, const WireField *field)
{
	return fail(reader->error, LODGE_ERROR_INVALID, "the message ends within \"%s\"", field->name);
}

static gboolean read_string(const Reader *reader, const WireField *field, WireValue *value)
{
	guint32 n;
	const guint8 *bytes;
	if (!xdr_get_u32(reader->in, &n))
		return short_of(reader, field);
	if (n > WIRE_STRING_MAX)
		return fail(reader->error, LODGE_ERROR_INVALID, "\"%s\": %u bytes are more than %u",
			    field->name, n, WIRE_STRING_MAX);
	if (!xdr_get_bytes(reader->in, n, &bytes))
		return short_of(reader, field);
	if (!g_utf8_validate_len((const char *)bytes, n, NULL)) /* NUL is none */
		return fail(reader->error, LODGE_ERROR_INVALID, "\"%s\" is not text in UTF-8",
			    field->name);
	value->s = memcpy(wire_alloc(reader->arena, (gsize)n + 1), bytes, n);
	value->n = n;
	return TRUE;
}

static gboolean read_opaque(const Reader *reader, const WireField *field, WireValue *value)
{
	guint32 n = field->exactly;
	const guint8 *bytes;
	if (!n && !xdr_get_u32(reader->in, &n))
		return short_of(reader, field);
	if (!field->exactly && n > field->max)
		return fail(reader->error, LODGE_ERROR_INVALID, "\"%s\": %u bytes are more than %u",
			    field->name, n, field->max);
	if (!xdr_get_bytes(reader->in, n, &bytes))
		return short_of(reader, field);
	value->bytes = n ? memcpy(wire_alloc(reader->arena, n), bytes, n) : NULL;
	value->n = n;
	return TRUE;
}

static gboolean read_32(const Reader *reader, const WireField *field, WireValue *value)
{
	guint32 word;
	if (!xdr_get_u32(reader->in, &word))
		return short_of(reader, field);
	switch (field->kind) {
	case WIRE_I8:
		value->i = (gint8)word;
		break;
	case WIRE_I16:
		value->i = (gint16)word;
		break;
	case WIRE_I32:
		value->i = (gint32)word;
		break;
	case WIRE_U8:
		value->u = (guint8)word;
		break;
	case WIRE_U16:
		value->u = (guint16)word;
		break;
	case WIRE_BOOL:
		value->u = word != 0;
		break;
	default:
		value->u = word;
	}
	return TRUE;
}

/* The double of IEEE 754 has the bits of the integer. */
static gboolean read_64(const Reader *reader, const WireField *field, WireValue *value)
{
	return xdr_get_u64(reader->in, &value->u) || short_of(reader, field);
}

static const WireField param_fields[] = {
	[WIRE_PARAM_INT] = { .name = "value", .kind = WIRE_I32 },
	[WIRE_PARAM_UINT] = { .name = "value", .kind = WIRE_U32 },
	[WIRE_PARAM_LLONG] = { .name = "value", .kind = WIRE_I64 },
	[WIRE_PARAM_ULLONG] = { .name = "value", .kind = WIRE_U64 },
	[WIRE_PARAM_DOUBLE] = { .name = "value", .kind = WIRE_F64 },
	[WIRE_PARAM_BOOLEAN] = { .name = "value", .kind = WIRE_I8 },
	[WIRE_PARAM_STRING] = { .name = "value", .kind = WIRE_STR },
};

static gboolean read_item(const Reader *reader, const WireField *field, WireValue *value);

static gboolean read_param(const Reader *reader, const WireField *field, WireValue *value)
{
	guint32 kind;
	if (!xdr_get_u32(reader->in, &kind))
		return short_of(reader, field);
	if (kind < WIRE_PARAM_INT || kind > WIRE_PARAM_STRING)
		return fail(reader->error, LODGE_ERROR_INVALID, "%u is no type of a parameter", kind);
	gboolean ok = read_item(reader, &param_fields[kind], value);
	value->n = kind;
	return ok;
}

static gboolean read_item(const Reader *reader, const WireField *field, WireValue *value)
{
	switch (field->kind) {
	case WIRE_STR:
		return read_string(reader, field, value);
	case WIRE_OPAQUE:
		return read_opaque(reader, field, value);
	case WIRE_I64:
	case WIRE_U64:
	case WIRE_F64:
		return read_64(reader, field, value);
	case WIRE_PARAM:
		return read_param(reader, field, value);
	case WIRE_STRUCT:
		value->items = wire_decode(field->type, reader->in, reader->arena, reader->error);
		value->n = field->type->n;
		return value->items != NULL;
	default:
		return read_32(reader, field, value);
	}
}

static gboolean read_list(const Reader *reader, const WireField *field, WireValue *value)
{
	guint32 n = field->exactly;
	if (!n && !xdr_get_u32(reader->in, &n))
		return short_of(reader, field);
	if (!field->exactly && n > field->max)
		return fail(reader->error, LODGE_ERROR_INVALID, "\"%s\": %u are more than %u", field->name,
			    n, field->max);
	if (n > xdr_left(reader->in) / least_of_item(field))
		return short_of(reader, field);
	value->n = n;
	value->items = wire_alloc(reader->arena, n * sizeof(WireValue));
	for (guint32 i = 0; i < n; i++)
		if (!read_item(reader, field, &value->items[i]))
			return FALSE;
	return TRUE;
}

static gboolean read_field(const Reader *reader, const WireField *field, WireValue *value)
{
	guint32 there = 1;
	if (field->optional && !xdr_get_u32(reader->in, &there))
		return short_of(reader, field);
	/* Any other number than 0 says so too, as with xdr_bool(): go-libvirt sends 0x01000000. */
	value->set = there != 0;
	if (!value->set)
		return TRUE;
	return field->list ? read_list(reader, field, value) : read_item(reader, field, value);
}

WireValue *wire_decode(const WireType *type, XdrIn *in, WireArena *arena, GError **error)
{
	Reader reader = { .in = in, .arena = arena, .error = error };
	WireValue *values = wire_alloc(arena, MAX(type->n, 1) * sizeof(WireValue));
	for (guint i = 0; i < type->n; i++)
		if (!read_field(&reader, &type->fields[i], &values[i]))
			return NULL;
	return values;
}

/* ---- writing ---- */

static gboolean too_many(const WireField *field, guint32 n, guint32 most, GError **error)
{
	return fail(error, LODGE_ERROR_UNSUPPORTED, "\"%s\": %u are more than the protocol's %u",
		    field->name, n, most);
}

static gboolean write_item(const WireField *field, const WireValue *value, XdrOut *out,
			   GError **error);

static gboolean write_string(const WireField *field, const WireValue *value, XdrOut *out,
			     GError **error)
{
	gsize n = value->s ? strlen(value->s) : 0;
	if (n > WIRE_STRING_MAX)
		return too_many(field, (guint32)n, WIRE_STRING_MAX, error);
	xdr_put_u32(out, (guint32)n);
	xdr_put_bytes(out, value->s, n);
	return TRUE;
}

static gboolean write_opaque(const WireField *field, const WireValue *value, XdrOut *out,
			     GError **error)
{
	guint32 n = value->n;
	if (field->exactly) {
		guint8 *at = xdr_add(out, field->exactly);
		memset(at, 0, field->exactly);
		if (value->bytes)
			memcpy(at, value->bytes, field->exactly);
		return TRUE;
	}
	if (n > field->max)
		return too_many(field, n, field->max, error);
	xdr_put_u32(out, n);
	xdr_put_bytes(out, value->bytes, n);
	return TRUE;
}

static gboolean write_param(const WireField *field, const WireValue *value, XdrOut *out,
			    GError **error)
{
	if (value->n < WIRE_PARAM_INT || value->n > WIRE_PARAM_STRING)
		return fail(error, LODGE_ERROR_INTERNAL, "\"%s\" has no type", field->name);
	xdr_put_u32(out, value->n);
	return write_item(&param_fields[value->n], value, out, error);
}

static gboolean write_item(const WireField *field, const WireValue *value, XdrOut *out,
			   GError **error)
{
	switch (field->kind) {
	case WIRE_STR:
		return write_string(field, value, out, error);
	case WIRE_OPAQUE:
		return write_opaque(field, value, out, error);
	case WIRE_I64:
	case WIRE_U64:
	case WIRE_F64:
		xdr_put_u64(out, value->u);
		return TRUE;
	case WIRE_PARAM:
		return write_param(field, value, out, error);
	case WIRE_STRUCT:
		return wire_encode(field->type, value->items, out, error);
	default:
		xdr_put_u32(out, (guint32)value->u);
		return TRUE;
	}
}

static gboolean write_list(const WireField *field, const WireValue *value, XdrOut *out,
			   GError **error)
{
	static const WireValue nothing;
	if (!field->exactly && value->n > field->max)
		return too_many(field, value->n, field->max, error);
	guint32 n = field->exactly ? field->exactly : value->n;
	if (!field->exactly)
		xdr_put_u32(out, n);
	for (guint32 i = 0; i < n; i++)
		if (!write_item(field, i < value->n ? &value->items[i] : &nothing, out, error))
			return FALSE;
	return TRUE;
}

gboolean wire_encode(const WireType *type, const WireValue *values, XdrOut *out, GError **error)
{
	for (guint i = 0; i < type->n; i++) {
		const WireField *field = &type->fields[i];
		const WireValue *value = &values[i];
		if (field->optional)
			xdr_put_u32(out, value->set);
		if (field->optional && !value->set)
			continue;
		if (field->list ? !write_list(field, value, out, error)
				: !write_item(field, value, out, error))
			return FALSE;
	}
	return TRUE;
}
