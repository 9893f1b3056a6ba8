/* Character devices: back ends ("-chardev"), and the ports in the guest that use them.
 * Neighbours: build.h; hostdev.c and misc.c use add_chardev() for theirs. */
#include "engine/qemu/build.h"

#include <string.h>

/* ---- back ends ---- */

typedef struct Backend {
	Build *build;
	const char *alias, *name, *what;
	const ChardevBackend *config;
	const ChardevSource *source; /* never NULL */
	GString *option;
} Backend;

static gboolean need_path(const Backend *b, GError **error)
{
	return b->source->path ||
	       invalid(b->build, error, "%s: <source> has no path", b->what);
}

static void put_fd(const Backend *b, QemuFdKind kind, const char *path)
{
	QemuFd *fd = add_fd(b->build, kind, path, 0, b->what);
	g_string_append_printf(b->option, ",fd=%d", fd->number);
	if (kind == QEMU_FD_LISTEN)
		g_string_append(b->option, ",server=on,wait=off");
}

static void put_reconnect(const Backend *b)
{
	if (!g_strcmp0(b->source->reconnect, "yes"))
		g_string_append_printf(b->option, ",reconnect=%" G_GUINT64_FORMAT,
				       opt_uint_or(b->source->reconnect_timeout, 5));
}

static gboolean word_only(G_GNUC_UNUSED const Backend *b, G_GNUC_UNUSED GError **error)
{
	return TRUE;
}

static gboolean put_file(const Backend *b, GError **error)
{
	if (!need_path(b, error))
		return FALSE;
	gboolean append = !g_strcmp0(b->source->append, "on");
	int flags = O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC);
	g_autofree char *file = add_fdset(b->build, b->source->path, flags, b->what);
	opt_put(b->option, "path", file);
	opt_put(b->option, "append", append ? "on" : NULL);
	return TRUE;
}

static gboolean put_path(const Backend *b, GError **error)
{
	if (!need_path(b, error))
		return FALSE;
	opt_put(b->option, "path", b->source->path);
	return TRUE;
}

static gboolean put_device(const Backend *b, GError **error)
{
	if (!need_path(b, error))
		return FALSE;
	g_autofree char *file = add_fdset(b->build, b->source->path, O_RDWR | O_NOCTTY, b->what);
	opt_put(b->option, "path", file);
	return TRUE;
}

static gboolean put_unix(const Backend *b, GError **error)
{
	gboolean connect = !g_strcmp0(b->source->mode, "connect");
	if (!b->source->path) {
		g_autofree char *path = qemu_channel_path(b->build->setup->run_dir, b->alias);
		if (connect)
			return need_path(b, error);
		put_fd(b, QEMU_FD_LISTEN, path);
		return TRUE;
	}
	if (connect && !g_strcmp0(b->source->reconnect, "yes")) {
		opt_put(b->option, "path", b->source->path); /* QEMU must find it again by itself */
		put_reconnect(b);
	} else {
		put_fd(b, connect ? QEMU_FD_CONNECT : QEMU_FD_LISTEN, b->source->path);
	}
	return TRUE;
}

static gboolean put_tcp(const Backend *b, GError **error)
{
	const char *protocol = b->config->protocol;
	if (!b->source->service)
		return invalid(b->build, error, "%s: <source> has no service (port)", b->what);
	if (b->source->tls && g_str_equal(b->source->tls, "yes"))
		return unsupported(b->build, error, "%s: source/@tls is not supported", b->what);
	opt_put(b->option, "host", b->source->host ? b->source->host : "127.0.0.1");
	opt_put(b->option, "port", b->source->service);
	opt_put(b->option, "telnet", protocol && g_str_equal(protocol, "telnet") ? "on" : NULL);
	if (!g_strcmp0(b->source->mode, "bind"))
		g_string_append(b->option, ",server=on,wait=off");
	else
		put_reconnect(b);
	return TRUE;
}

static gboolean put_udp(const Backend *b, GError **error)
{
	const ChardevSource *bind = NULL, *connect = NULL;
	SHAPE_EACH (ChardevSource, source, b->config->sources) {
		if (!g_strcmp0(source->mode, "bind"))
			bind = source;
		else
			connect = source;
	}
	if (!connect || !connect->service)
		return invalid(b->build, error,
			       "%s: type udp needs a <source mode='connect'> with a service", b->what);
	opt_put(b->option, "host", connect->host ? connect->host : "127.0.0.1");
	opt_put(b->option, "port", connect->service);
	if (bind) {
		opt_put(b->option, "localaddr", bind->host ? bind->host : "");
		opt_put(b->option, "localport", bind->service ? bind->service : "0");
	}
	return TRUE;
}

static gboolean put_spicevmc(const Backend *b, G_GNUC_UNUSED GError **error)
{
	opt_put(b->option, "name", b->name ? b->name : "vdagent");
	return TRUE;
}

static gboolean put_spiceport(const Backend *b, GError **error)
{
	if (!b->source->channel)
		return invalid(b->build, error, "%s: <source> has no channel", b->what);
	opt_put(b->option, "name", b->source->channel);
	return TRUE;
}

static gboolean put_vdagent(const Backend *b, G_GNUC_UNUSED GError **error)
{
	opt_put(b->option, "name", "vdagent");
	opt_put_switch(b->option, "clipboard", b->source->clipboard);
	if (b->source->mouse_mode)
		opt_put(b->option, "mouse",
			g_str_equal(b->source->mouse_mode, "client") ? "on" : "off");
	return TRUE;
}

static const struct {
	const char *word;
	gboolean (*put)(const Backend *, GError **);
} backends[] = {
	[CHARDEV_NULL] = { "null", word_only },
	[CHARDEV_VC] = { "vc", word_only },
	[CHARDEV_PTY] = { "pty", word_only },
	[CHARDEV_DEV] = { "serial", put_device },
	[CHARDEV_FILE] = { "file", put_file },
	[CHARDEV_PIPE] = { "pipe", put_path },
	[CHARDEV_STDIO] = { "stdio", word_only },
	[CHARDEV_UDP] = { "udp", put_udp },
	[CHARDEV_TCP] = { "socket", put_tcp },
	[CHARDEV_UNIX] = { "socket", put_unix },
	[CHARDEV_SPICEVMC] = { "spicevmc", put_spicevmc },
	[CHARDEV_SPICEPORT] = { "spiceport", put_spiceport },
	[CHARDEV_QEMU_VDAGENT] = { "qemu-vdagent", put_vdagent },
};

static void put_log(const Backend *b)
{
	if (!b->config->log_file)
		return;
	gboolean append = b->config->log_append == TRI_YES;
	g_autofree char *what = g_strdup_printf("log of %s", b->what);
	g_autofree char *file = add_fdset(b->build, b->config->log_file,
					  O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC), what);
	opt_put(b->option, "logfile", file);
	opt_put(b->option, "logappend", append ? "on" : "off");
}

gboolean add_chardev(Build *build, const char *alias, ChardevType type, const ChardevBackend *config,
		     const char *name, const char *what, GError **error)
{
	static const ChardevSource nothing;
	const ChardevSource *source = chardev_source(config);
	g_autofree char *id = qemu_chardev_id(alias);
	g_autoptr(GString) option = g_string_new(NULL);
	Backend backend = { .build = build, .alias = alias, .name = name, .what = what,
			    .config = config, .source = source ? source : &nothing,
			    .option = option };
	if ((guint)type >= G_N_ELEMENTS(backends) || !backends[type].put)
		return unsupported(build, error, "%s: type \"%s\" is not supported; use pty or unix",
				   what, enum_name(&chardev_types, type) ?
						 enum_name(&chardev_types, type) : "");
	g_string_printf(option, "%s", backends[type].word);
	opt_put(option, "id", id);
	if (!backends[type].put(&backend, error))
		return FALSE;
	put_log(&backend);
	add_option(build, "-chardev", g_strdup(option->str));
	return TRUE;
}

/* ---- ports in the guest ---- */

static const NameRow serial_devices[] = {
	{ "isa-serial", "isa-serial" },	      { "pci-serial", "pci-serial" },
	{ "usb-serial", "usb-serial" },	      { "isa-debugcon", "isa-debugcon" },
	{ "isa-debug", "isa-debugcon" },
};

/* What a serial port is called here and on the command line: "isa-serial" where nothing is said. */
static const char *serial_device(const Chardev *chardev)
{
	const char *name = chardev->target_model ? chardev->target_model :
			   chardev->target_type	 ? chardev->target_type : "isa-serial";
	return name_lookup(serial_devices, G_N_ELEMENTS(serial_devices), name);
}

static char *port_what(const char *kind, const Chardev *chardev)
{
	return chardev->target_name ? g_strdup_printf("%s %s", kind, chardev->target_name) :
				      g_strdup_printf("%s %" G_GUINT64_FORMAT, kind,
						      opt_uint_or(chardev->target_port, 0));
}

static gboolean add_port(Build *build, const Chardev *chardev, json_t *device, const char *what,
			 GError **error)
{
	g_autofree char *id = qemu_chardev_id(chardev->info.alias);
	put(device, "chardev", id);
	if (put_place(build, device, &chardev->info, error))
		return add_device(build, device, what, error);
	json_decref(device);
	return FALSE;
}

static gboolean add_isa(Build *build, const Chardev *chardev, const char *kind, const char *driver,
			GError **error)
{
	g_autofree char *what = port_what(kind, chardev);
	if (!driver)
		return unsupported(build, error, "%s: target model \"%s\" does not exist on this machine "
				   "type; use isa-serial", what,
				   chardev->target_model ? chardev->target_model :
							   chardev->target_type);
	if (!add_chardev(build, chardev->info.alias, chardev->type, &chardev->backend, NULL, what,
			 error))
		return FALSE;
	json_t *device = device_new(driver, &chardev->info);
	if (g_str_equal(driver, "isa-serial") || g_str_equal(driver, "isa-parallel"))
		put_uint(device, "index", chardev->target_port);
	return add_port(build, chardev, device, what, error);
}

/* The first console is the first serial port, seen by another name. */
static gboolean mirrors_serial(const Guest *guest, const Chardev *console, guint index)
{
	gboolean serial = !console->target_type || g_str_equal(console->target_type, "serial");
	return index == 0 && serial && shape_len(guest->serials) > 0;
}

static gboolean add_console(Build *build, const Chardev *console, GError **error)
{
	g_autofree char *what = port_what("console", console);
	const char *type = console->target_type ? console->target_type : "serial";
	if (g_str_equal(type, "serial"))
		return add_isa(build, console, "console", "isa-serial", error);
	if (!g_str_equal(type, "virtio"))
		return unsupported(build, error, "%s: target type \"%s\" does not exist on this machine "
				   "type; use serial or virtio", what, type);
	if (!add_chardev(build, console->info.alias, console->type, &console->backend, NULL, what,
			 error))
		return FALSE;
	return add_port(build, console, device_new("virtconsole", &console->info), what, error);
}

static gboolean add_guestfwd(Build *build, const Chardev *channel, const char *what, GError **error)
{
	const char *address = channel->target_address;
	if (!address || !channel->target_port.set)
		return invalid(build, error, "%s: guestfwd needs an address and a port", what);
	g_autofree char *id = qemu_chardev_id(channel->info.alias);
	add_option(build, "-netdev",
		   g_strdup_printf("user,guestfwd=tcp:%s:%" G_GUINT64_FORMAT "-chardev:%s,id=%s",
				   address, channel->target_port.v, id, channel->info.alias));
	return TRUE;
}

static gboolean add_channel(Build *build, const Chardev *channel, GError **error)
{
	g_autofree char *what = port_what("channel", channel);
	const char *type = channel->target_type ? channel->target_type : "virtio";
	gboolean forward = g_str_equal(type, "guestfwd");
	if (!forward && !g_str_equal(type, "virtio"))
		return unsupported(build, error,
				   "%s: target type \"%s\" does not exist on this machine type; use "
				   "virtio", what, type);
	if (!add_chardev(build, channel->info.alias, channel->type, &channel->backend, NULL, what,
			 error))
		return FALSE;
	if (forward)
		return add_guestfwd(build, channel, what, error);
	json_t *device = device_new("virtserialport", &channel->info);
	gboolean vmc = channel->type == CHARDEV_SPICEVMC || channel->type == CHARDEV_QEMU_VDAGENT;
	put(device, "name", channel->target_name ? channel->target_name :
			    vmc			 ? "com.redhat.spice.0" : NULL);
	return add_port(build, channel, device, what, error);
}

gboolean build_chardevs(Build *build, GError **error)
{
	const Guest *guest = build->guest;
	SHAPE_EACH (Chardev, serial, guest->serials)
		if (!add_isa(build, serial, "serial", serial_device(serial), error))
			return FALSE;
	SHAPE_EACH (Chardev, parallel, guest->parallels)
		if (!add_isa(build, parallel, "parallel", "isa-parallel", error))
			return FALSE;
	SHAPE_EACH (Chardev, channel, guest->channels)
		if (!add_channel(build, channel, error))
			return FALSE;
	SHAPE_EACH (Chardev, console, guest->consoles)
		if (!mirrors_serial(guest, console, console_i) &&
		    !add_console(build, console, error))
			return FALSE;
	return TRUE;
}
