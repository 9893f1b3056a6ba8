/* Verbs about ports of this host that lead to guests. Neighbours: core/forwards.h. */
#include <string.h>

#include "base/error.h"
#include "core/forwards.h"
#include "ops/families.h"

/* ---- "8080:80/udp" ---- */

static gboolean port_of(const char *text, guint16 *port)
{
	guint64 number;
	if (!g_ascii_string_to_unsigned(text, 10, 1, 65535, &number, NULL))
		return FALSE;
	*port = (guint16)number;
	return TRUE;
}

static gboolean parse(const char *text, gboolean *udp, guint16 *port, guint16 *to, GError **error)
{
	g_auto(GStrv) halves = g_strsplit(text, "/", 2);
	g_auto(GStrv) ports = g_strsplit(halves[0] ? halves[0] : "", ":", 2);
	const char *protocol = halves[0] && halves[1] ? halves[1] : "tcp";
	*udp = g_str_equal(protocol, "udp");
	if ((*udp || g_str_equal(protocol, "tcp")) && ports[0] && port_of(ports[0], port) &&
	    port_of(ports[1] ? ports[1] : ports[0], to))
		return TRUE;
	return fail(error, LODGE_ERROR_INVALID,
		    "\"%s\" is no forward: write HOST-PORT:GUEST-PORT, with /udp where it is not TCP", text);
}

/* ---- verbs ---- */

typedef struct Listed {
	ShapeHead head;
	char *port, *guest, *to, *address;
} Listed;

static const Row listed_rows[] = {
	STRING(Listed, port, NULL, .doc = "Port"),
	STRING(Listed, guest, NULL, .doc = "Guest"),
	STRING(Listed, to, NULL, .doc = "Guest's port"),
	STRING(Listed, address, NULL, .doc = "Address"),
};
static const Shape listed_shape = SHAPE("forward", Listed, listed_rows);

typedef struct List {
	ShapeHead head;
	GPtrArray *forwards;
} List;

static const Row list_rows[] = { LIST(List, forwards, NULL, listed_shape) };
static const Shape list_shape = SHAPE("forwards", List, list_rows);

static gboolean list(OpCall *call, G_GNUC_UNUSED GError **error)
{
	List *result = call->result;
	g_autoptr(GPtrArray) all = core_forwards(call->core, NULL);
	for (guint i = 0; i < all->len; i++) {
		const CoreForward *one = all->pdata[i];
		Listed *item = g_new0(Listed, 1);
		item->port = g_strdup_printf("%u/%s", one->port, one->udp ? "udp" : "tcp");
		item->guest = g_strdup(one->guest);
		item->to = g_strdup_printf("%u", one->to);
		item->address = *one->ip ? g_strdup(one->ip) : NULL;
		shape_append(&result->forwards, &listed_shape, item);
	}
	return TRUE;
}

typedef struct Args {
	ShapeHead head;
	char *forward;
} Args;

static const Row add_rows[] = {
	STRING(Args, forward, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "HOST-PORT:GUEST-PORT, or one number for both; /udp behind it: not TCP"),
};
static const Shape add_args = SHAPE("port-forward-args", Args, add_rows);

static const Row remove_rows[] = {
	STRING(Args, forward, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "port of this host, with /udp where it is not TCP"),
};
static const Shape remove_args = SHAPE("port-forward-remove-args", Args, remove_rows);

static gboolean add(OpCall *call, GError **error)
{
	gboolean udp;
	guint16 port, to;
	return parse(((const Args *)call->args)->forward, &udp, &port, &to, error) &&
	       core_forward_add(call->guest, udp, port, to, error);
}

static gboolean remove_one(OpCall *call, GError **error)
{
	gboolean udp;
	guint16 port, to;
	return parse(((const Args *)call->args)->forward, &udp, &port, &to, error) &&
	       core_forward_remove(call->guest, udp, port, error);
}

static const Op ops[] = {
	{ .name = "port-forward", .family = "Networks", .method = "POST",
	  .route = "/v1/guests/{guest}/port-forwards", .target = OP_ON_GUEST, .perm = OP_PERM_WRITE,
	  .lane = OP_BESIDE, .args = &add_args, .show = OP_SHOW_MESSAGE,
	  .said = "Port {forward} leads to guest '{guest}'",
	  .doc = "Have a port of this host lead to a guest, from now on", .fn = add },
	{ .name = "port-forward-remove", .family = "Networks", .method = "POST",
	  .route = "/v1/guests/{guest}/port-forward-remove", .target = OP_ON_GUEST, .perm = OP_PERM_WRITE,
	  .lane = OP_BESIDE, .args = &remove_args, .show = OP_SHOW_MESSAGE,
	  .said = "Port {forward} does not lead to guest '{guest}' any more",
	  .doc = "End what port-forward began", .fn = remove_one },
	{ .name = "port-forward-list", .family = "Networks", .method = "GET", .route = "/v1/port-forwards",
	  .perm = OP_PERM_READ, .lane = OP_READ, .result = &list_shape, .show = OP_SHOW_TABLE,
	  .doc = "List the ports of this host that lead to guests", .fn = list },
};

const OpFamily op_family_forward = { ops, G_N_ELEMENTS(ops) };
