/* polkit decides who may come in by a unix socket, by D-Bus and without waiting. The names of the actions
 * are libvirt's, so that rules which administrators have written count here too. Neighbours: login.c. */
#include "wire/libvirt/login.h"

#define BUS_NAME "org.freedesktop.PolicyKit1"
#define OBJECT "/org/freedesktop/PolicyKit1/Authority"
#define INTERFACE BUS_NAME ".Authority"
#define ALLOW_INTERACTION 1 /* polkit may ask the person for a password */
#define ASK_MS (300 * 1000)

typedef struct Ask {
	LvCall *call;
	guint64 born;
	GCancellable *cancel;
	LvPolkitFn done;
} Ask;

static const char *action_of(const LvClient *client)
{
	return client->way == LIBVIRT_UNIX_RO ? "org.libvirt.unix.monitor" : "org.libvirt.unix.manage";
}

/* Ends the asking. */
static void answer(Ask *ask, int code, const char *why)
{
	ask->done(ask->call, code, why);
	g_object_unref(ask->cancel);
	g_free(ask);
}

static void refuse(Ask *ask, GVariant *result)
{
	gboolean is_challenge = FALSE;
	const char *dismissed = NULL;
	g_autoptr(GVariant) details = NULL;
	g_variant_get(result, "((bb@a{ss}))", NULL, &is_challenge, &details);
	if (g_variant_lookup(details, "polkit.dismissed", "&s", &dismissed))
		answer(ask, LV_ERR_AUTH_CANCELLED, "user cancelled authentication process");
	else if (is_challenge)
		answer(ask, LV_ERR_AUTH_UNAVAILABLE,
		       "no polkit agent available to authenticate this action");
	else
		answer(ask, LV_ERR_AUTH_FAILED, "access denied by policy");
}

static void on_answer(GObject *bus, GAsyncResult *result, gpointer data)
{
	Ask *ask = data;
	gboolean yes = FALSE;
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) said = g_dbus_connection_call_finish(G_DBUS_CONNECTION(bus), result, &error);
	if (!said) {
		answer(ask, LV_ERR_AUTH_FAILED, error->message);
		return;
	}
	g_variant_get(said, "((bba{ss}))", &yes, NULL, NULL);
	if (yes)
		answer(ask, 0, NULL);
	else
		refuse(ask, said);
}

static GVariant *question(const Ask *ask)
{
	const LvClient *client = ask->call->client;
	GVariantBuilder subject;
	g_variant_builder_init(&subject, G_VARIANT_TYPE("a{sv}"));
	g_variant_builder_add(&subject, "{sv}", "pid", g_variant_new_uint32((guint32)client->caller.pid));
	g_variant_builder_add(&subject, "{sv}", "start-time", g_variant_new_uint64(ask->born));
	g_variant_builder_add(&subject, "{sv}", "uid", g_variant_new_int32((gint32)client->caller.uid));
	return g_variant_new("((sa{sv})sa{ss}us)", "unix-process", &subject, action_of(client), NULL,
			     ALLOW_INTERACTION, "");
}

static void on_bus(G_GNUC_UNUSED GObject *source, GAsyncResult *result, gpointer data)
{
	Ask *ask = data;
	g_autoptr(GError) error = NULL;
	g_autoptr(GDBusConnection) bus = g_bus_get_finish(result, &error);
	if (!bus) {
		answer(ask, LV_ERR_AUTH_FAILED, error->message);
		return;
	}
	g_dbus_connection_set_exit_on_close(bus, FALSE);
	g_dbus_connection_call(bus, BUS_NAME, OBJECT, INTERFACE, "CheckAuthorization", question(ask),
			       G_VARIANT_TYPE("((bba{ss}))"), G_DBUS_CALL_FLAGS_NONE, ASK_MS, ask->cancel,
			       on_answer, ask);
}

void lv_polkit_ask(LvCall *call, guint64 born, GCancellable *cancel, LvPolkitFn done)
{
	Ask *ask = g_new(Ask, 1);
	*ask = (Ask){ .call = call, .born = born, .cancel = g_object_ref(cancel), .done = done };
	g_bus_get(G_BUS_TYPE_SYSTEM, cancel, on_bus, ask);
}
