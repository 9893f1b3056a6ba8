/* Somebody else's bridge: Linux's, or one of Open vSwitch. Nothing is made or removed. See kind.h. */
#include "base/error.h"
#include "host/netlink.h"
#include "host/spawn.h"
#include "net/kind.h"

#include <sys/wait.h>

#define OVS_MS 10000

static gboolean is_ovs(const Network *live)
{
	return live->virtual_port && !g_strcmp0(live->virtual_port->type, "openvswitch");
}

static gboolean check_ovs(const Network *live, GError **error)
{
	const char *argv[] = { "ovs-vsctl", "--timeout=5", "br-exists", live->bridge, NULL };
	Spawn how = { .argv = argv };
	int status = 0;
	g_autofree char *tool = g_find_program_in_path(argv[0]);
	if (!tool)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "the program ovs-vsctl is missing: install the package openvswitch-switch");
	if (!spawn_run(&how, OVS_MS, NULL, &status, error))
		return FALSE;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return TRUE;
	return fail(error, LODGE_ERROR_NOT_FOUND,
		    "Open vSwitch has no bridge %s: make it with \"ovs-vsctl add-br %s\"", live->bridge,
		    live->bridge);
}

static gboolean check(const Network *live, GError **error)
{
	LinkInfo info;
	if (is_ovs(live))
		return check_ovs(live, error);
	g_autoptr(Netlink) nl = netlink_open(error);
	if (!nl)
		return FALSE;
	if (!netlink_link(nl, live->bridge, &info, NULL))
		return fail(error, LODGE_ERROR_NOT_FOUND,
			    "the host has no bridge %s: make it (ip link add %s type bridge), or name "
			    "another", live->bridge, live->bridge);
	return g_str_equal(info.kind, "bridge") ||
	       fail(error, LODGE_ERROR_INVALID, "%s is no bridge, but %s", live->bridge,
		    *info.kind ? info.kind : "hardware");
}

static gboolean plan(const Network *live, G_GNUC_UNUSED const GPtrArray *ports, NetworkPort *port,
		     G_GNUC_UNUSED GError **error)
{
	port->plug_type = g_strdup("bridge");
	port->plug_bridge = g_strdup(live->bridge);
	return TRUE;
}

const NetKind net_bridge = { .name = "bridge", .check = check, .plan = plan };
