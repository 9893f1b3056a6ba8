/* Verbs about ports of this host that lead to guests. Neighbours: core/forwards.h. */
#include <string.h>

#include "base/error.h"
#include "core/forwards.h"
#include "core/object.h"
#include "model/network.h"
#include "ops/families.h"

/* ---- "8080:80/udp", "8000-8009:9000" ---- */

static gboolean port_of(const char *text, guint16 *port)
{
	guint64 number;
	if (!g_ascii_string_to_unsigned(text, 10, 1, 65535, &number, NULL))
		return FALSE;
	*port = (guint16)number;
	return TRUE;
}

/* "80" or "80-89". */
static gboolean range_of(const char *text, guint16 *first, guint16 *last)
{
	g_auto(GStrv) ends = g_strsplit(text, "-", 2);
	return ends[0] && port_of(ends[0], first) && port_of(ends[1] ? ends[1] : ends[0], last) &&
	       *last >= *first;
}

/* An address, or else an interface of this host. */
static gboolean read_bind(const char *text, ForwardSpec *spec, GError **error)
{
	Inet address;
	if (!text)
		return TRUE;
	if (inet_from_text(text, AF_UNSPEC, &address, NULL)) {
		inet_to_text(&address, spec->address);
		return TRUE;
	}
	if (strlen(text) >= sizeof spec->dev || !if_nametoindex(text))
		return fail(error, LODGE_ERROR_NOT_FOUND, "--bind: %s is neither an address nor an interface "
			    "of this host", text);
	g_strlcpy(spec->dev, text, sizeof spec->dev);
	return TRUE;
}

static gboolean parse(const char *text, ForwardSpec *spec, GError **error)
{
	g_auto(GStrv) halves = g_strsplit(text, "/", 2);
	g_auto(GStrv) ports = g_strsplit(halves[0] ? halves[0] : "", ":", 2);
	const char *protocol = halves[0] && halves[1] ? halves[1] : "tcp";
	guint16 to_last;
	spec->udp = g_str_equal(protocol, "udp");
	gboolean ok = (spec->udp || g_str_equal(protocol, "tcp")) && ports[0] &&
		      range_of(ports[0], &spec->first, &spec->last) &&
		      range_of(ports[1] ? ports[1] : ports[0], &spec->to, &to_last);
	/* of a range of the guest's the first is enough */
	guint span = ok ? spec->last - spec->first : 0;
	if (ok && spec->to + span <= 65535 && (to_last == spec->to || to_last - spec->to == (int)span))
		return TRUE;
	return fail(error, LODGE_ERROR_INVALID,
		    "\"%s\" is no forward: write HOST-PORT:GUEST-PORT or FIRST-LAST:GUEST-FIRST, with /udp "
		    "where it is not TCP", text);
}

/* ---- verbs ---- */

typedef struct Listed {
	ShapeHead head;
	char *port, *guest, *to, *address, *by;
} Listed;

static const Row listed_rows[] = {
	STRING(Listed, port, NULL, .doc = "Port"),
	STRING(Listed, guest, NULL, .doc = "Guest"),
	STRING(Listed, to, NULL, .doc = "Guest's port"),
	STRING(Listed, address, NULL, .doc = "Address"),
	STRING(Listed, by, NULL, .doc = "By"),
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
		const ForwardSpec *spec = &one->spec;
		item->port = forward_text(spec);
		item->guest = g_strdup(one->guest);
		item->to = spec->last > spec->first ?
				   g_strdup_printf("%u-%u", spec->to, spec->to + spec->last - spec->first) :
				   g_strdup_printf("%u", spec->to);
		item->address = g_strdup_printf("%s%s%s", one->ip4, *one->ip4 && *one->ip6 ? " " : "",
						one->ip6);
		item->by = g_strdup(one->defined ? "definition" : "port-forward");
		shape_append(&result->forwards, &listed_shape, item);
	}
	return TRUE;
}

typedef struct Args {
	ShapeHead head;
	char *forward, *bind;
} Args;

static const Row add_rows[] = {
	STRING(Args, forward, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "HOST-PORT:GUEST-PORT, or one number for both, or FIRST-LAST:GUEST-FIRST; /udp behind "
		      "it: not TCP"),
	STRING(Args, bind, NULL, .doc = "address or interface of this host; without it, all of them"),
};
static const Shape add_args = SHAPE("port-forward-args", Args, add_rows);

static const Row remove_rows[] = {
	STRING(Args, forward, NULL, .flags = ROW_POSITIONAL | ROW_REQUIRED,
	       .doc = "port of this host, or the first of a range, with /udp where it is not TCP"),
	STRING(Args, bind, NULL, .doc = "that address or interface, where there are several"),
};
static const Shape remove_args = SHAPE("port-forward-remove-args", Args, remove_rows);

static gboolean read_args(OpCall *call, ForwardSpec *spec, GError **error)
{
	const Args *args = call->args;
	*spec = (ForwardSpec){ 0 };
	return parse(args->forward, spec, error) && read_bind(args->bind, spec, error);
}

/* What others than this host do not reach, for its network is isolated. */
static void note_isolated(OpCall *call)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	SHAPE_EACH (Interface, interface, snap->live ? snap->live->guest->interfaces : NULL) {
		const char *name = interface->type == INTERFACE_NETWORK && interface->target ?
					   interface->source->network : NULL;
		g_autoptr(CoreObject) network =
			name ? core_object_find(call->core, CORE_NETWORK, name, NULL) : NULL;
		g_autoptr(ObjectSnap) shown = network ? core_object_snap(network) : NULL;
		if (shown && shown->live && !network_mode(shown->live->value))
			notes_add(&call->notes, "network \"%s\" is isolated: this host and its guests "
				  "reach the port, nobody else does", name);
	}
}

static void note_passt(OpCall *call)
{
	g_autoptr(GuestSnap) snap = core_guest_snap(call->guest);
	SHAPE_EACH (Interface, interface, snap->live ? snap->live->guest->interfaces : NULL)
		if (!g_strcmp0(interface->backend_type, "passt"))
			notes_add(&call->notes, "passt was started again for that: open connections of guest "
				  "\"%s\" were cut", snap->name);
}

static gboolean add(OpCall *call, GError **error)
{
	ForwardSpec spec;
	if (!read_args(call, &spec, error) || !core_forward_add(call->guest, &spec, error))
		return FALSE;
	note_isolated(call);
	note_passt(call);
	return TRUE;
}

static gboolean remove_one(OpCall *call, GError **error)
{
	ForwardSpec spec;
	return read_args(call, &spec, error) && core_forward_remove(call->guest, &spec, error);
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
