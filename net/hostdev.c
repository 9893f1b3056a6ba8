/* hostdev: each guest gets a PCI function of the host, from a list or from the virtual functions of one
 * device (SR-IOV). See kind.h. */
#include "base/error.h"
#include "net/kind.h"

#include <stdio.h>

const char *net_sysfs = "/sys";

/* The functions that /sys says belong to the interface @pf, of HostPci *. */
static GPtrArray *virtual_functions(const char *pf)
{
	GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0;; i++) {
		g_autofree char *path = g_strdup_printf("%s/class/net/%s/device/virtfn%u", net_sysfs, pf, i);
		g_autofree char *target = g_file_read_link(path, NULL);
		g_autofree char *name = target ? g_path_get_basename(target) : NULL;
		guint domain, bus, slot, function;
		if (!name || sscanf(name, "%x:%x:%x.%u", &domain, &bus, &slot, &function) != 4)
			return all;
		HostPci *pci = g_new0(HostPci, 1);
		pci->domain = OPT_UINT(domain);
		pci->bus = OPT_UINT(bus);
		pci->slot = OPT_UINT(slot);
		pci->function = OPT_UINT(function);
		g_ptr_array_add(all, pci);
	}
}

static GPtrArray *functions_of(const Network *live)
{
	if (live->forward->pf)
		return virtual_functions(live->forward->pf);
	GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
	SHAPE_EACH (ForwardAddress, address, live->forward->addresses) {
		HostPci *pci = g_new0(HostPci, 1);
		*pci = address->pci;
		pci->head = (ShapeHead){ 0 };
		g_ptr_array_add(all, pci);
	}
	return all;
}

static gboolean check(const Network *live, GError **error)
{
	g_autoptr(GPtrArray) all = functions_of(live);
	if (all->len)
		return TRUE;
	if (live->forward->pf)
		return fail(error, LODGE_ERROR_NOT_FOUND,
			    "%s has no virtual functions: write their number to "
			    "/sys/class/net/%s/device/sriov_numvfs", live->forward->pf, live->forward->pf);
	return fail(error, LODGE_ERROR_INVALID, "forward mode='hostdev' needs <address> or <pf>");
}

static gboolean same(const HostPci *a, const HostPci *b)
{
	return opt_uint_or(a->domain, 0) == opt_uint_or(b->domain, 0) && a->bus.v == b->bus.v &&
	       a->slot.v == b->slot.v && a->function.v == b->function.v;
}

static gboolean in_use(const GPtrArray *ports, const HostPci *pci)
{
	for (guint i = 0; i < shape_len(ports); i++) {
		const NetworkPort *port = ports->pdata[i];
		if (!g_strcmp0(port->plug_type, "hostdev-pci") && same(&port->plug_pci, pci))
			return TRUE;
	}
	return FALSE;
}

static gboolean plan(const Network *live, const GPtrArray *ports, NetworkPort *port, GError **error)
{
	g_autoptr(GPtrArray) all = functions_of(live);
	for (guint i = 0; i < all->len; i++) {
		const HostPci *pci = all->pdata[i];
		if (in_use(ports, pci))
			continue;
		port->plug_type = g_strdup("hostdev-pci");
		port->plug_pci = *pci;
		port->plug_pci.domain = OPT_UINT(opt_uint_or(pci->domain, 0));
		port->plug_managed = live->forward->managed;
		port->plug_driver = g_strdup(live->forward->driver);
		return TRUE;
	}
	return fail(error, LODGE_ERROR_IN_USE, "network \"%s\": each of its %u PCI functions is in use",
		    live->name, all->len);
}

const NetKind net_hostdev = { .name = "hostdev", .check = check, .plan = plan };
