/* The list of families and the search in it. To add a verb: one row and one function in a family's
 * file. To add a family: its file and one line here and in families.h. */
#include "ops/families.h"

#include <string.h>

static const OpFamily *const families[] = {
	&op_family_guest_life, &op_family_guest_power, &op_family_guest_show, &op_family_guest_xml,
	&op_family_guest_change, &op_family_guest_tie, &op_family_guest_save,
	&op_family_guest_job, &op_family_guest_watch, &op_family_run,
	&op_family_guest_agent, &op_family_guest_inside,
	&op_family_guest_ids, &op_family_guest_tell, &op_family_guest_stats, &op_family_guest_domstats,
	&op_family_guest_devices, &op_family_guest_cpus, &op_family_guest_tune, &op_family_guest_bounds,
	&op_family_guest_disk_limits,
	&op_family_guest_disk_size,
	&op_family_guest_perf, &op_family_guest_security, &op_family_guest_fds,
	&op_family_node, &op_family_capabilities,
	&op_family_network, &op_family_network_show, &op_family_network_port,
	&op_family_secret, &op_family_adopt,
	&op_family_pool, &op_family_pool_show, &op_family_volume, &op_family_volume_work,
	&op_family_volume_stream,
	&op_family_iface, &op_family_bridge, &op_family_nwfilter, &op_family_forward, &op_family_nodedev,
	&op_family_domcapabilities, &op_family_guest_measure,
	&op_family_node_more, &op_family_cpus, &op_family_native, &op_family_guest_iothreads,
	&op_family_cloud_init, &op_family_image_import,
	&op_family_image,      &op_family_host,	      &op_family_daemon,
};

const Op *const *op_table(guint *n)
{
	static GPtrArray *all;
	if (g_once_init_enter(&all)) {
		GPtrArray *list = g_ptr_array_new();
		for (guint f = 0; f < G_N_ELEMENTS(families); f++)
			for (guint i = 0; i < families[f]->n; i++)
				g_ptr_array_add(list, (gpointer)&families[f]->ops[i]);
		g_once_init_leave(&all, list);
	}
	*n = all->len;
	return (const Op *const *)all->pdata;
}

/* "image-build" is "image build". */
static gboolean same_name(const char *own, const char *name)
{
	for (; own && *own; own++, name++)
		if (*own != *name && !(*own == ' ' && *name == '-'))
			return FALSE;
	return own && *name == '\0';
}

const Op *op_find(const char *name)
{
	guint n;
	const Op *const *all = op_table(&n);
	for (guint i = 0; i < n; i++)
		if (same_name(all[i]->name, name) || same_name(all[i]->alias, name))
			return all[i];
	return NULL;
}
