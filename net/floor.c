/* See floor.h. Classes: 1:1 has the network's rate, 1:2 what no floor takes, 1:3 and up are ports'. */
#include "net/floor.h"

#include "base/error.h"
#include "base/log.h"
#include "net/tc.h"

#define REST 2 /* class of all that have no floor */
#define FIRST_PORT 3
#define LAST_PORT 60000 /* minor numbers and preferences of filters have 16 bits */

static guint64 floor_of(const NetworkPort *port)
{
	return port->inbound ? opt_uint_or(port->inbound->floor, 0) : 0;
}

static guint64 rate_of(const Network *live)
{
	return live->inbound ? opt_uint_or(live->inbound->average, 0) : 0;
}

static guint64 peak_of(const Network *live)
{
	return MAX(opt_uint_or(live->inbound->peak, 0), rate_of(live));
}

static guint64 promised(const GPtrArray *ports, const NetworkPort *but)
{
	guint64 sum = 0;
	for (guint i = 0; i < shape_len(ports); i++)
		if (ports->pdata[i] != but)
			sum += floor_of(ports->pdata[i]);
	return sum;
}

static void put_class(GString *batch, const Network *live, const char *word, guint parent, guint id,
		      guint64 rate)
{
	g_string_append_printf(batch, "class %s dev %s parent 1:", word, live->bridge);
	if (parent)
		g_string_append_printf(batch, "%u", parent);
	/* tc's "kbps" are 1000 bytes; libvirt's numbers are multiples of 1024 and handed on like this, too */
	g_string_append_printf(batch,
			       " classid 1:%x htb rate %" G_GUINT64_FORMAT "kbps ceil %" G_GUINT64_FORMAT
			       "kbps quantum 6000\n", id, MAX(rate, 1), peak_of(live));
}

/* What no floor takes is for all others. */
static void put_rest(GString *batch, const Network *live, const char *word, guint64 taken)
{
	put_class(batch, live, word, 1, REST, rate_of(live) - MIN(taken, rate_of(live)));
}

gboolean floor_begin(const Network *live, GError **error)
{
	g_autoptr(GString) batch = g_string_new(NULL);
	if (!rate_of(live))
		return TRUE;
	g_string_append_printf(batch, "qdisc replace dev %s root handle 1: htb default %u\n", live->bridge,
			       REST);
	put_class(batch, live, "add", 0, 1, rate_of(live));
	if (live->inbound->burst.set) { /* it is the last word of the line */
		g_string_truncate(batch, batch->len - 1);
		g_string_append_printf(batch, " burst %" G_GUINT64_FORMAT "kb\n", live->inbound->burst.v);
	}
	put_rest(batch, live, "add", 0);
	return tc_batch(batch, FALSE, error);
}

/* ---- ports ---- */

static gboolean is_taken(const GPtrArray *ports, const NetworkPort *but, guint64 id)
{
	for (guint i = 0; i < shape_len(ports); i++) {
		const NetworkPort *port = ports->pdata[i];
		if (port != but && port->class_id.set && port->class_id.v == id)
			return TRUE;
	}
	return FALSE;
}

gboolean floor_plan(const Network *live, const GPtrArray *ports, NetworkPort *port, GError **error)
{
	guint64 wanted = floor_of(port), taken = promised(ports, port), id = FIRST_PORT;
	port->class_id = (OptUint){ 0 };
	if (!wanted)
		return TRUE;
	if (!network_owns_bridge(live) || !rate_of(live))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "interface %s: bandwidth/inbound/@floor: network \"%s\" has no rate to take it "
			    "from: give the network a <bandwidth> with <inbound average=>", port->mac,
			    live->name);
	if (wanted + taken > rate_of(live))
		return fail(error, LODGE_ERROR_STATE,
			    "interface %s: bandwidth/inbound/@floor: of the %" G_GUINT64_FORMAT
			    " KiB/s of network \"%s\" %" G_GUINT64_FORMAT " are promised to others: %"
			    G_GUINT64_FORMAT " are too many", port->mac, rate_of(live), live->name, taken,
			    wanted);
	if (opt_uint_or(port->inbound->peak, 0) > peak_of(live))
		return fail(error, LODGE_ERROR_STATE,
			    "interface %s: bandwidth/inbound/@peak is more than the network \"%s\" has",
			    port->mac, live->name);
	while (is_taken(ports, port, id) && id < LAST_PORT)
		id++;
	port->class_id = OPT_UINT(id);
	return TRUE;
}

/* The filter that leads to the class has its number as preference, by which it can be removed. */
static void put_filter_removal(GString *batch, const Network *live, const NetworkPort *port)
{
	g_string_append_printf(batch, "filter del dev %s parent 1: prio %" G_GUINT64_FORMAT "\n",
			       live->bridge, port->class_id.v);
}

gboolean floor_apply(const Network *live, const GPtrArray *ports, const NetworkPort *port, GError **error)
{
	g_autoptr(GString) before = g_string_new(NULL), batch = g_string_new(NULL);
	if (!port->class_id.set || !floor_of(port) || !rate_of(live))
		return TRUE;
	put_filter_removal(before, live, port);
	put_rest(batch, live, "change", promised(ports, NULL));
	put_class(batch, live, "replace", 1, (guint)port->class_id.v, floor_of(port));
	g_string_append_printf(batch,
			       "filter add dev %s parent 1: protocol all prio %" G_GUINT64_FORMAT
			       " u32 match ether dst %s flowid 1:%x\n", live->bridge, port->class_id.v,
			       port->mac, (guint)port->class_id.v);
	return tc_batch(before, TRUE, error) && tc_batch(batch, FALSE, error);
}

void floor_remove(const Network *live, const GPtrArray *ports, const NetworkPort *port)
{
	g_autoptr(GString) batch = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	if (!port->class_id.set || !rate_of(live))
		return;
	put_filter_removal(batch, live, port);
	g_string_append_printf(batch, "class del dev %s classid 1:%x\n", live->bridge,
			       (guint)port->class_id.v);
	put_rest(batch, live, "change", promised(ports, NULL));
	if (!tc_batch(batch, TRUE, &error))
		log_warning(live->name, "%s", error->message);
}
