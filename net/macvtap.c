/* macvtap: guests share interfaces of the host without a bridge, in the modes bridge, private, vepa and
 * passthrough. An interface is chosen for each guest: the one that fewest use; passthrough takes one for
 * itself. See kind.h. */
#include "base/error.h"
#include "host/netlink.h"
#include "net/kind.h"

static gboolean check(const Network *live, GError **error)
{
	LinkInfo info;
	g_autoptr(Netlink) nl = netlink_open(error);
	if (!nl)
		return FALSE;
	if (!shape_len(live->forward->interfaces))
		return fail(error, LODGE_ERROR_INVALID, "forward mode='%s' needs an <interface dev=...>",
			    enum_name(&forward_modes, (int)network_mode(live)));
	SHAPE_EACH (ForwardInterface, interface, live->forward->interfaces)
		if (!netlink_link(nl, interface->dev, &info, NULL))
			return fail(error, LODGE_ERROR_NOT_FOUND, "the host has no interface %s",
				    interface->dev);
	return TRUE;
}

static guint uses_of(const GPtrArray *ports, const char *dev)
{
	guint uses = 0;
	for (guint i = 0; i < shape_len(ports); i++)
		uses += !g_strcmp0(((const NetworkPort *)ports->pdata[i])->plug_dev, dev);
	return uses;
}

static gboolean plan(const Network *live, const GPtrArray *ports, NetworkPort *port, GError **error)
{
	gboolean alone = network_mode(live) == FORWARD_PASSTHROUGH;
	const char *best = NULL;
	guint fewest = G_MAXUINT;
	SHAPE_EACH (ForwardInterface, interface, live->forward->interfaces) {
		guint uses = uses_of(ports, interface->dev);
		if (uses < fewest && !(alone && uses)) {
			best = interface->dev;
			fewest = uses;
		}
	}
	if (!best)
		return fail(error, LODGE_ERROR_IN_USE,
			    "network \"%s\": each of its %u interfaces is in use by a guest", live->name,
			    shape_len(live->forward->interfaces));
	port->plug_type = g_strdup("direct");
	port->plug_dev = g_strdup(best);
	port->plug_mode = g_strdup(enum_name(&forward_modes, (int)network_mode(live)));
	return TRUE;
}

const NetKind net_macvtap = { .name = "macvtap", .check = check, .plan = plan };
