/* What the connection itself answers. Neighbours: procs.c has the rows. */
#include "wire/libvirt/internal.h"

#include <string.h>
#include <unistd.h>

#define FEATURE_FDS 8
#define FEATURE_KEEPALIVE 10

/* The drivers a client may ask for: "qemu:///system", with a host or without, or nothing. */
gboolean lv_open(LvCall *call, GError **error)
{
	if (call->client->opened)
		return lv_fail(error, LV_ERR_INTERNAL, "connection already open");
	const WireValue *name = lv_arg(call, "name");
	const char *uri = name->set ? name->s : "";
	if (*uri && !g_str_has_prefix(uri, "qemu:") && !g_str_has_prefix(uri, "qemu+"))
		return lv_fail(error, LV_ERR_NO_CONNECT, "no connection driver available for %s", uri);
	if (lv_arg(call, "flags")->u & 1)
		call->client->caller.read_only = TRUE;
	call->client->opened = TRUE;
	return TRUE;
}

gboolean lv_done(G_GNUC_UNUSED LvCall *call, G_GNUC_UNUSED GError **error)
{
	return TRUE;
}

/* Whoever says that is hung up on when he has the reply, as by libvirtd: one wait less for both. */
gboolean lv_bye(LvCall *call, G_GNUC_UNUSED GError **error)
{
	call->client->leaving = TRUE;
	return TRUE;
}

gboolean lv_yes(LvCall *call, G_GNUC_UNUSED GError **error)
{
	call->reply[0].i = 1;
	return TRUE;
}

gboolean lv_get_type(LvCall *call, G_GNUC_UNUSED GError **error)
{
	lv_put(call, "type")->s = "QEMU";
	return TRUE;
}

gboolean lv_lib_version(LvCall *call, G_GNUC_UNUSED GError **error)
{
	lv_put(call, "lib_ver")->u = LV_VERSION;
	return TRUE;
}

gboolean lv_hostname(LvCall *call, G_GNUC_UNUSED GError **error)
{
	lv_put(call, "hostname")->s = g_get_host_name();
	return TRUE;
}

gboolean lv_uri(LvCall *call, G_GNUC_UNUSED GError **error)
{
	lv_put(call, "uri")->s = geteuid() == 0 ? "qemu:///system" : "qemu:///session";
	return TRUE;
}

/* What clients ask about before they use it. */
gboolean lv_supports_feature(LvCall *call, G_GNUC_UNUSED GError **error)
{
	static const gint8 features[] = {
		[FEATURE_FDS] = 1,	 /* file descriptors */
		[9] = 1,		 /* strings as typed parameters */
		[FEATURE_KEEPALIVE] = 1, /* pings */
		[14] = 1,		 /* events with callback ids */
		[15] = 1,		 /* close callbacks */
		[16] = 1,		 /* the right order of arguments of network updates */
	};
	gint64 feature = lv_arg(call, "feature")->i;
	if (feature == FEATURE_KEEPALIVE)
		call->client->pings = TRUE;
	if (feature > 0 && feature < (gint64)sizeof features)
		lv_put(call, "supported")->i = features[feature];
	if (feature == FEATURE_FDS && call->client->way > LIBVIRT_UNIX_RO)
		lv_put(call, "supported")->i = 0;
	return TRUE;
}
