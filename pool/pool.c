/* The room's boundary: the list of types, and what all of them have in common. See pool.h. */
#include "pool/pool.h"

#include <string.h>

#include "base/error.h"

static const PoolKind *const kinds[POOL_TYPES + 1] = {
	[POOL_DIR] = &pool_dir,
	[POOL_FS] = &pool_fs,
	[POOL_NETFS] = &pool_netfs,
	[POOL_LOGICAL] = &pool_logical,
	[POOL_DISK] = &pool_disk,
	[POOL_ISCSI] = &pool_iscsi,
	[POOL_SCSI] = &pool_scsi,
	[POOL_MPATH] = &pool_mpath,
	[POOL_RBD] = &pool_rbd,
	[POOL_GLUSTER] = &pool_gluster,
	[POOL_ZFS] = &pool_zfs,
	[POOL_ISCSI_DIRECT] = &pool_iscsi_direct,
};

const PoolKind *pool_kind(PoolType type, GError **error)
{
	const PoolKind *kind = type <= POOL_TYPES ? kinds[type] : NULL;
	if (!kind)
		fail(error, LODGE_ERROR_UNSUPPORTED, "pools of type %s are not supported",
		     enum_name(&pool_types, (int)type) ? enum_name(&pool_types, (int)type) : "?");
	return kind;
}

gboolean pool_has_files(PoolType type)
{
	return type == POOL_DIR || type == POOL_FS || type == POOL_NETFS;
}

gboolean pool_check_host(const Pool *pool, GError **error)
{
	const PoolKind *kind = pool_kind(pool->type, error);
	return kind && (!kind->check || kind->check(pool, error));
}

/* The kind, if this host can have it. */
static const PoolKind *able(const PoolUse *use, GError **error)
{
	return pool_check_host(use->pool, error) ? pool_kind(use->pool->type, error) : NULL;
}

static gboolean cannot(const PoolUse *use, const char *verb, GError **error)
{
	return fail(error, LODGE_ERROR_UNSUPPORTED, "a pool of type %s cannot be %s",
		    enum_name(&pool_types, use->pool->type), verb);
}

gboolean pool_build(const PoolUse *use, guint flags, GError **error)
{
	const PoolKind *kind = able(use, error);
	if (!kind)
		return FALSE;
	if ((flags & POOL_BUILD_OVERWRITE) && (flags & POOL_BUILD_NO_OVERWRITE))
		return fail(error, LODGE_ERROR_INVALID, "overwrite and no-overwrite exclude each other");
	return kind->build ? kind->build(use, flags, error) : cannot(use, "built", error);
}

gboolean pool_refresh(const PoolUse *use, GError **error)
{
	const PoolKind *kind = pool_kind(use->pool->type, error);
	g_autoptr(GPtrArray) volumes =
		g_ptr_array_new_with_free_func((GDestroyNotify)pool_volume_unref);
	PoolSizes sizes = { 0 };
	if (!kind)
		return FALSE;
	/* One at a time, and not while a kind changes what is scanned. */
	g_mutex_lock(pool_state_change(use->state));
	pool_state_scan_begin(use->state);
	gboolean ok = kind->scan(use, volumes, &sizes, error);
	if (ok)
		pool_state_scan_end(use->state, volumes, &sizes);
	g_mutex_unlock(pool_state_change(use->state));
	return ok;
}

gboolean pool_start(const PoolUse *use, GError **error)
{
	const PoolKind *kind = able(use, error);
	return kind && (!kind->start || kind->start(use, error));
}

gboolean pool_stop(const PoolUse *use, GError **error)
{
	const PoolKind *kind = pool_kind(use->pool->type, error);
	return kind && (!kind->stop || kind->stop(use, error));
}

gboolean pool_erase(const PoolUse *use, guint flags, GError **error)
{
	const PoolKind *kind = able(use, error);
	if (!kind)
		return FALSE;
	if (flags & POOL_ERASE_ZEROED)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "a pool cannot be overwritten with zeros: wipe its volumes");
	return kind->erase ? kind->erase(use, error) : cannot(use, "deleted", error);
}

gboolean pool_is_active(const PoolUse *use)
{
	const PoolKind *kind = pool_kind(use->pool->type, NULL);
	return kind && (!kind->is_active || kind->is_active(use));
}

/* ---- what there is ---- */

char *pool_find_sources(PoolType type, const char *spec, GError **error)
{
	const PoolKind *kind = pool_kind(type, error);
	if (!kind)
		return NULL;
	if (!kind->find) {
		fail_with(error, LODGE_ERROR_UNSUPPORTED, LODGE_DETAIL_NO_SEARCH,
			  "pools of type %s have sources that cannot be looked for",
			  enum_name(&pool_types, (int)type));
		return NULL;
	}
	PoolSource *ask = NULL;
	if (spec && *spec &&
	    !(ask = shape_from_xml(&pool_source_shape, "source", spec, -1, NULL, NULL, error)))
		return NULL;
	g_autoptr(GPtrArray) found = kind->find(ask, error);
	shape_free(&pool_source_shape, ask);
	if (!found)
		return NULL;
	GString *out = g_string_new("<sources>\n");
	for (guint i = 0; i < found->len; i++) {
		g_autofree char *text = shape_to_xml(&pool_source_shape, "source", found->pdata[i],
						     SHAPE_XML_LIVE);
		g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);
		for (char **line = lines; *line; line++)
			g_string_append_printf(out, "  %s\n", *line);
		shape_free(&pool_source_shape, found->pdata[i]);
	}
	return g_string_free(g_string_append(out, "</sources>\n"), FALSE);
}

static void put_formats(GString *out, const char *around, const char *name, const char *format,
			const char *const *formats)
{
	if (!format)
		return;
	g_string_append_printf(out, "    <%s>\n      <defaultFormat type='%s'/>\n", around, format);
	if (formats) {
		g_string_append_printf(out, "      <enum name='%s'>\n", name);
		for (; *formats; formats++)
			g_string_append_printf(out, "        <value>%s</value>\n", *formats);
		g_string_append(out, "      </enum>\n");
	}
	g_string_append_printf(out, "    </%s>\n", around);
}

char *pool_capabilities(void)
{
	GString *out = g_string_new("<storagepoolCapabilities>\n");
	for (PoolType type = POOL_DIR; type <= POOL_TYPES; type++) {
		const PoolTypeFacts *facts = pool_type_facts(type);
		Pool probe = { .type = type };
		gboolean able_here = kinds[type] && pool_check_host(&probe, NULL);
		g_string_append_printf(out, "  <pool type='%s' supported='%s'>\n",
				       enum_name(&pool_types, (int)type), able_here ? "yes" : "no");
		put_formats(out, "poolOptions", "sourceFormatType", facts->format, facts->formats);
		put_formats(out, "volOptions", "targetFormatType", facts->volume_format,
			    facts->volume_formats);
		g_string_append(out, "  </pool>\n");
	}
	return g_string_free(g_string_append(out, "</storagepoolCapabilities>\n"), FALSE);
}
