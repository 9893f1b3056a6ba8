/* See secrets.h. */
#include "core/secrets.h"
#include "base/error.h"
#include "base/log.h"
#include "core/kinds.h"
#include "host/file.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

/* What is published beside the definition; the value of an ephemeral secret. */
typedef struct SecretInfo {
	GBytes *value;
} SecretInfo;

/* ---- values ---- */

typedef struct Wiped {
	gsize n;
	guint8 bytes[];
} Wiped;

static void wipe(gpointer data)
{
	Wiped *wiped = data;
	explicit_bzero(wiped->bytes, wiped->n);
	g_free(wiped);
}

/* A copy of @bytes that does not outlive its use. */
static GBytes *wiped_bytes(const void *bytes, gsize n)
{
	Wiped *wiped = g_malloc(sizeof *wiped + n);
	wiped->n = n;
	memcpy(wiped->bytes, bytes, n);
	return g_bytes_new_with_free_func(wiped->bytes, n, wipe, wiped);
}

static char *value_path(Core *core, const char *uuid)
{
	return g_build_filename(core_paths(core)->lib, "secrets", uuid, NULL);
}

static gboolean make_folder(Core *core, GError **error)
{
	g_autofree char *folder = g_build_filename(core_paths(core)->lib, "secrets", NULL);
	if (g_mkdir_with_parents(folder, 0700) < 0)
		return fail_errno(error, errno, "cannot create the folder %s", folder);
	return TRUE;
}

static gboolean write_value(Core *core, const char *uuid, const void *bytes, gsize n, GError **error)
{
	g_autofree char *path = value_path(core, uuid);
	return make_folder(core, error) && file_write(path, bytes, n, 0600, FILE_DURABLE, error);
}

static void clear_info(gpointer info)
{
	g_bytes_unref(((SecretInfo *)info)->value);
}

static void keep_in_memory(CoreObject *secret, const void *bytes, gsize n)
{
	SecretInfo *info = g_atomic_rc_box_new0(SecretInfo);
	info->value = wiped_bytes(bytes, n);
	core_object_set_info(secret, info, clear_info);
}

gboolean core_secret_set(CoreObject *secret, const void *bytes, gsize n, GError **error)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(secret);
	if (n > SECRET_VALUE_MAX)
		return fail(error, LODGE_ERROR_INVALID, "the value has %" G_GSIZE_FORMAT " bytes; %u are "
			    "possible", n, SECRET_VALUE_MAX);
	if (!snap->persistent)
		keep_in_memory(secret, bytes, n);
	else if (!write_value(core_object_core(secret), snap->uuid, bytes, n, error))
		return FALSE;
	core_object_event(secret, "secret-value-changed", NULL, NULL, NULL);
	return TRUE;
}

static GBytes *value_of(Core *core, const ObjectSnap *snap, GError **error)
{
	if (snap->info)
		return g_bytes_ref(((const SecretInfo *)snap->info)->value);
	g_autofree char *path = value_path(core, snap->uuid);
	g_autoptr(GError) why = NULL;
	gsize n = 0;
	char *bytes = snap->persistent ? file_read(path, SECRET_VALUE_MAX, &n, &why) : NULL;
	if (bytes) {
		GBytes *value = wiped_bytes(bytes, n);
		explicit_bzero(bytes, n);
		g_free(bytes);
		return value;
	}
	if (why && why->code != LODGE_ERROR_NOT_FOUND)
		g_propagate_error(error, g_steal_pointer(&why));
	else
		fail(error, LODGE_ERROR_NOT_FOUND,
		     "secret '%s' does not have a value: give it one with secret-set-value", snap->uuid);
	return NULL;
}

GBytes *core_secret_get(CoreObject *secret, GError **error)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(secret);
	const Secret *definition = object_snap_document(snap, FALSE);
	if (definition && definition->is_private == TRI_YES) {
		fail(error, LODGE_ERROR_DENIED, "secret is private: its value is for guests only");
		return NULL;
	}
	return value_of(core_object_core(secret), snap, error);
}

/* ---- for the engine ---- */

/* The secret of that usage; NULL: none. */
static ObjectSnap *find_usage(Core *core, const Secret *like)
{
	g_autoptr(GPtrArray) all =
		core_object_list(core, CORE_SECRET, CORE_LIST_ACTIVE | CORE_LIST_INACTIVE);
	for (guint i = 0; i < all->len; i++) {
		const Secret *secret = object_snap_document(all->pdata[i], FALSE);
		if (secret && secret_same_usage(secret, like))
			return object_snap_ref(all->pdata[i]);
	}
	return NULL;
}

static ObjectSnap *find_for_engine(Core *core, const char *uuid, const char *type, const char *usage)
{
	if (uuid) {
		g_autoptr(CoreObject) secret =
			core_object_find_by(core, CORE_SECRET, CORE_BY_UUID, uuid, NULL);
		return secret ? core_object_snap(secret) : NULL;
	}
	/* disks call the one that encrypts them by another word */
	const char *word = g_strcmp0(type, "passphrase") == 0 ? "volume" : type;
	SecretUsage wanted = { .type = (SecretType)enum_value(&secret_types, word ? word : "volume"),
			       .name = (char *)usage };
	Secret like = { .usage = &wanted };
	return wanted.type && usage ? find_usage(core, &like) : NULL;
}

char *core_secret_for_engine(gpointer core, const char *uuid, const char *type, const char *usage,
			     gsize *length, GError **error)
{
	g_autoptr(ObjectSnap) snap = find_for_engine(core, uuid, type, usage);
	if (!snap) {
		fail_with(error, LODGE_ERROR_NOT_FOUND, LODGE_DETAIL_NO_SECRET,
			  "there is no secret %s \"%s\": \"lodge secret-list\" shows those there are",
		     uuid ? "with the uuid" : "for", uuid ? uuid : usage ? usage : "");
		return NULL;
	}
	g_autoptr(GBytes) value = value_of(core, snap, error);
	if (!value)
		return NULL;
	gsize n;
	const void *bytes = g_bytes_get_data(value, &n);
	char *copy = g_malloc0(n + 1);
	memcpy(copy, bytes, n);
	*length = n;
	return copy;
}

/* ---- definitions ---- */

static gboolean may_replace(const Secret *old, const Secret *secret, GError **error)
{
	const char *was = secret_usage_id(old);
	if ((was || secret_usage_id(secret)) && !secret_same_usage(old, secret))
		return fail(error, LODGE_ERROR_EXISTS,
			    "a secret with UUID %s is already defined for use with %s", old->uuid,
			    was ? was : "nothing in particular");
	if (old->is_private == TRI_YES && secret->is_private != TRI_YES)
		return fail(error, LODGE_ERROR_INVALID, "cannot change private flag on existing secret");
	return TRUE;
}

static gboolean check(Core *core, gpointer document, G_GNUC_UNUSED gconstpointer stored,
		      G_GNUC_UNUSED Notes *notes, GError **error)
{
	Secret *secret = document;
	shape_defaults(&secret_shape, secret);
	g_autoptr(CoreObject) object =
		core_object_find_by(core, CORE_SECRET, CORE_BY_UUID, secret->uuid, NULL);
	g_autoptr(ObjectSnap) old = object ? core_object_snap(object) : NULL;
	const Secret *before = old ? object_snap_document(old, FALSE) : NULL;
	if (before)
		return may_replace(before, secret, error);
	g_autoptr(ObjectSnap) other = find_usage(core, secret);
	if (other)
		return fail(error, LODGE_ERROR_EXISTS,
			    "a secret with UUID %s already defined for use with %s", other->uuid,
			    secret_usage_id(secret));
	return TRUE;
}

/* What was in memory alone is stored from now on. */
static void changed(CoreObject *secret)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(secret);
	g_autoptr(GError) error = NULL;
	if (!snap->persistent || !snap->info)
		return;
	gsize n;
	const void *bytes = g_bytes_get_data(((const SecretInfo *)snap->info)->value, &n);
	if (write_value(core_object_core(secret), snap->uuid, bytes, n, &error))
		core_object_set_info(secret, NULL, NULL);
	else
		log_error(snap->uuid, "the value of the secret is in memory only: %s", error->message);
}

static void gone(CoreObject *secret)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(secret);
	g_autofree char *path = value_path(core_object_core(secret), snap->uuid);
	g_autoptr(GError) error = NULL;
	if (!file_remove(path, &error))
		log_warning(snap->uuid, "the value of the secret is left behind: %s", error->message);
}

const CoreKind core_secret_kind = {
	.id = CORE_SECRET, .word = "secret", .list = "secret-list", .folder = "secrets", .root = "secret",
	.event = "secret-lifecycle", .shape = &secret_shape, .name = G_STRUCT_OFFSET(Secret, uuid),
	.uuid = G_STRUCT_OFFSET(Secret, uuid), .always_active = TRUE, .check = check, .changed = changed,
	.gone = gone,
};

gboolean core_secret_undefine(CoreObject *secret, GError **error)
{
	g_autoptr(ObjectSnap) snap = core_object_snap(secret);
	return snap->persistent ? core_object_undefine(secret, error) : core_object_stop(secret, error);
}

/* ---- ephemeral ones ---- */

typedef struct Change {
	CoreObject *secret;
	Secret *document; /* taken */
	gboolean ok;
	GError **error;
} Change;

/* On the lane. One that was stored is not any more: its definition and value leave the disk. */
static void change_ephemeral(gpointer data)
{
	Change *change = data;
	g_autoptr(ObjectSnap) snap = core_object_snap(change->secret);
	if (snap->persistent) {
		secret_free(change->document);
		change->ok = fail(change->error, LODGE_ERROR_STATE,
				  "secret %s is stored: undefine it to make it an ephemeral one", snap->uuid);
		return;
	}
	change->ok = core_object_change(change->secret, change->document, NULL, change->error);
	if (change->ok)
		core_object_event(change->secret, NULL, "defined", "updated", NULL);
}

/* The one that is there already, if it is; takes @document then. */
static CoreObject *change_existing(Core *core, Secret **document, guint flags, GError **error)
{
	const char *uuid = (*document)->uuid;
	CoreObject *secret =
		uuid ? core_object_find_by(core, CORE_SECRET, CORE_BY_UUID, uuid, NULL) : NULL;
	if (!secret || (flags & CORE_OBJECT_NEW))
		return secret;
	Change change = { .secret = secret, .error = error };
	if (check(core, *document, NULL, NULL, error)) {
		change.document = g_steal_pointer(document);
		lane_run(core_object_lane(secret), change_ephemeral, &change);
	}
	if (!change.ok)
		g_clear_pointer(&secret, core_object_unref);
	return secret;
}

CoreObject *core_secret_define(Core *core, const char *xml, guint flags, Notes *notes, GError **error)
{
	g_autoptr(Secret) secret =
		shape_from_xml(&secret_shape, "secret", xml, -1, NULL, NULL, error);
	g_autoptr(GError) why = NULL;
	if (!secret || !shape_check(&secret_shape, secret, NULL, error))
		return NULL;
	if (secret->ephemeral != TRI_YES)
		return core_object_define(core, CORE_SECRET, xml, flags, notes, error);
	CoreObject *found = change_existing(core, &secret, flags, &why);
	if (found)
		return found;
	if (why) {
		g_propagate_error(error, g_steal_pointer(&why));
		return NULL;
	}
	return core_object_create(core, CORE_SECRET, xml, flags, notes, error);
}
