/* VNC and SPICE servers. Without an address, port or socket asked for they do not listen at all:
 * clients come through the daemon, which hands their connections over (add_client).
 * Neighbours: build.h; video.c has the cards, sound.c the audio that VNC plays. */
#include "engine/qemu/build.h"

#include <string.h>

#define VNC_PORT 5900
#define VNC_LAST 65535

/* ---- where it listens ---- */

static const GraphicsListen *first_listen(const Graphics *graphics)
{
	return shape_len(graphics->listens) ? graphics->listens->pdata[0] : NULL;
}

static const char *listen_socket(const Graphics *graphics)
{
	const GraphicsListen *listen = first_listen(graphics);
	if (graphics->socket)
		return graphics->socket;
	return listen && !g_strcmp0(listen->type, "socket") ? listen->socket : NULL;
}

static gboolean listens_nowhere(const Graphics *graphics)
{
	const GraphicsListen *listen = first_listen(graphics);
	return listen && !g_strcmp0(listen->type, "none");
}

/* NULL where none was given. */
static const char *listen_address(const Graphics *graphics)
{
	const GraphicsListen *listen = first_listen(graphics);
	if (graphics->listen && *graphics->listen)
		return graphics->listen;
	return listen && listen->address && *listen->address ? listen->address : NULL;
}

gboolean qemu_graphics_listens(const Graphics *graphics)
{
	if (listens_nowhere(graphics))
		return FALSE;
	return listen_socket(graphics) || listen_address(graphics) ||
	       graphics->autoport == TRI_YES || opt_int_or(graphics->port, 0) > 0;
}

static const char *address_or_local(const Graphics *graphics)
{
	const char *address = listen_address(graphics);
	return address ? address : "127.0.0.1";
}

/* ---- passwords, over QMP only ---- */

static void add_password(Build *build, const Graphics *graphics, const char *protocol)
{
	json_t *arguments = json_object();
	put(arguments, "protocol", protocol);
	put(arguments, "password", graphics->passwd);
	put(arguments, "connected", graphics->connected);
	add_after_start(build, "set_password", arguments);
	if (!graphics->passwd_valid_to)
		return;
	g_autofree char *text = strchr(graphics->passwd_valid_to, 'Z') ?
					g_strdup(graphics->passwd_valid_to) :
					g_strdup_printf("%sZ", graphics->passwd_valid_to);
	g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(text, NULL);
	g_autofree char *when = time ? g_strdup_printf("%" G_GINT64_FORMAT,
						       g_date_time_to_unix(time)) : g_strdup("now");
	arguments = json_object();
	put(arguments, "protocol", protocol);
	put(arguments, "time", when);
	add_after_start(build, "expire_password", arguments);
}

/* ---- VNC ---- */

static void put_vnc_place(Build *build, const Graphics *graphics, GString *option)
{
	gint64 port = opt_int_or(graphics->port, 0);
	gboolean automatic = graphics->autoport == TRI_YES || port <= 0;
	g_autofree char *address = opt_escape(address_or_local(graphics));
	gboolean v6 = strchr(address, ':') && *address != '[';
	if (!qemu_graphics_listens(graphics)) {
		g_string_append(option, "none");
	} else if (listen_socket(graphics)) {
		g_autofree char *path = opt_escape(listen_socket(graphics));
		g_string_append_printf(option, "unix:%s", path);
	} else {
		g_string_append_printf(option, v6 ? "[%s]:%" G_GINT64_FORMAT :
						    "%s:%" G_GINT64_FORMAT, address,
				       MAX(port - VNC_PORT, 0));
		if (automatic) /* QEMU takes the first free one from here */
			g_string_append_printf(option, ",to=%d", VNC_LAST - VNC_PORT);
	}
	if (graphics->websocket.set && graphics->websocket.v != 0)
		notes_add(build->notes, "guest \"%s\": graphics/@websocket is left out, as QEMU would "
			  "open it without a password; use the daemon's web console",
			  build->guest->name);
}

static gboolean add_vnc(Build *build, const Graphics *graphics, GError **error)
{
	g_autoptr(GString) option = g_string_new(NULL);
	gint64 port = opt_int_or(graphics->port, 0);
	if (qemu_graphics_listens(graphics) && !listen_socket(graphics) && port > 0 &&
	    port < VNC_PORT)
		return unsupported(build, error, "graphics vnc: QEMU has no ports below %d; use %d or "
				   "more", VNC_PORT, VNC_PORT);
	put_vnc_place(build, graphics, option);
	if (qemu_graphics_listens(graphics) && graphics->passwd) {
		opt_put(option, "password", "on");
		add_password(build, graphics, "vnc");
	}
	opt_put(option, "share", graphics->share_policy);
	if (graphics->power_control)
		opt_put(option, "power-control",
			g_str_equal(graphics->power_control, "yes") ? "on" : "off");
	opt_put(option, "audiodev", build->audio);
	add_option(build, "-vnc", g_strdup(option->str));
	if (graphics->keymap)
		add_option(build, "-k", g_strdup(graphics->keymap));
	return TRUE;
}

/* ---- SPICE ---- */

static void put_spice_place(Build *build, const Graphics *graphics, GString *option)
{
	gint64 port = opt_int_or(graphics->port, 0);
	if (!qemu_graphics_listens(graphics)) {
		g_string_append(option, ",port=0");
	} else if (listen_socket(graphics)) {
		opt_put(option, "addr", listen_socket(graphics));
		opt_put(option, "unix", "on");
	} else {
		g_string_append_printf(option, ",port=%" G_GINT64_FORMAT, MAX(port, 0));
		opt_put(option, "addr", address_or_local(graphics));
		if (port <= 0)
			notes_add(build->notes, "guest \"%s\": graphics spice has no port",
				  build->guest->name);
	}
}

static const NameRow mouse_modes[] = {
	{ "client", "on" },
	{ "server", "off" },
};

static void put_spice_tuning(const Graphics *graphics, GString *option)
{
	opt_put(option, "image-compression", graphics->image_compression);
	opt_put(option, "jpeg-wan-compression", graphics->jpeg_compression);
	opt_put(option, "zlib-glz-wan-compression", graphics->zlib_compression);
	opt_put(option, "streaming-video", graphics->streaming_mode);
	opt_put(option, "agent-mouse",
		name_lookup(mouse_modes, G_N_ELEMENTS(mouse_modes), graphics->mouse_mode));
	opt_put_switch(option, "playback-compression", graphics->playback_compression);
	opt_put(option, "disable-copy-paste", graphics->clipboard == TRI_NO ? "on" : NULL);
	opt_put(option, "disable-agent-file-xfer", graphics->filetransfer == TRI_NO ? "on" : NULL);
	opt_put_switch(option, "gl", graphics->gl);
	opt_put(option, "rendernode", graphics->gl == TRI_YES ? graphics->rendernode : NULL);
	opt_put(option, "seamless-migration", "on");
}

static gboolean check_spice(Build *build, const Graphics *graphics, GError **error)
{
	if (opt_int_or(graphics->tls_port, 0) > 0)
		return unsupported(build, error,
				   "graphics spice: tlsPort is not supported; use a plain port behind "
				   "the daemon");
	if (!g_strcmp0(graphics->default_mode, "secure"))
		return unsupported(build, error,
				   "graphics spice: defaultMode='secure' needs TLS, which is not "
				   "supported");
	SHAPE_EACH (GraphicsChannel, channel, graphics->channels)
		if (!g_strcmp0(channel->mode, "secure"))
			return unsupported(build, error,
					   "graphics spice: channel %s with mode='secure' needs TLS, "
					   "which is not supported; use 'any'", channel->name);
	return TRUE;
}

static gboolean add_spice(Build *build, const Graphics *graphics, GError **error)
{
	gboolean password = qemu_graphics_listens(graphics) && graphics->passwd;
	g_autoptr(GString) option = g_string_new("id=spice");
	if (!check_spice(build, graphics, error))
		return FALSE;
	put_spice_place(build, graphics, option);
	if (!password)
		opt_put(option, "disable-ticketing", "on");
	put_spice_tuning(graphics, option);
	g_string_erase(option, 0, (gssize)strlen("id=spice,"));
	add_option(build, "-spice", g_strdup(option->str));
	if (password)
		add_password(build, graphics, "spice");
	if (graphics->keymap)
		add_option(build, "-k", g_strdup(graphics->keymap));
	return TRUE;
}

/* ---- all ---- */

static gboolean check_listen(Build *build, const Graphics *graphics, GError **error)
{
	const GraphicsListen *listen = first_listen(graphics);
	if (listen && !g_strcmp0(listen->type, "network") && !listen->address)
		return unsupported(build, error,
				   "graphics/listen: the address of network \"%s\" is not known; use "
				   "type='address'", listen->network ? listen->network : "");
	return TRUE;
}

static gboolean add_display(Build *build, GError **error)
{
	const char *display = "none";
	SHAPE_EACH (Graphics, graphics, build->guest->graphics) {
		if (graphics->type == GRAPHICS_EGL_HEADLESS) {
			g_autoptr(GString) option = g_string_new("egl-headless");
			opt_put(option, "rendernode", graphics->rendernode);
			add_option(build, "-display", g_strdup(option->str));
			return TRUE;
		}
		if (graphics->type != GRAPHICS_VNC && graphics->type != GRAPHICS_SPICE)
			return unsupported(build, error, "graphics: type \"%s\" needs a desktop on this "
					   "host; use vnc or spice",
					   enum_name(&graphics_types, graphics->type));
	}
	add_option(build, "-display", g_strdup(display));
	return TRUE;
}

gboolean build_graphics(Build *build, GError **error)
{
	if (!add_display(build, error))
		return FALSE;
	SHAPE_EACH (Graphics, graphics, build->guest->graphics) {
		if (!check_listen(build, graphics, error))
			return FALSE;
		if (graphics->type == GRAPHICS_VNC && !add_vnc(build, graphics, error))
			return FALSE;
		if (graphics->type == GRAPHICS_SPICE && !add_spice(build, graphics, error))
			return FALSE;
	}
	return TRUE;
}
