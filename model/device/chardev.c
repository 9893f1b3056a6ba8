/* See chardev.h. */
#include "model/device/chardev.h"

const EnumTable chardev_types = ENUM_TABLE("type of character device", "null", "vc", "pty", "dev",
					   "file", "pipe", "stdio", "udp", "tcp", "unix", "spicevmc",
					   "spiceport", "nmdm", "qemu-vdagent", "dbus");

static const Row source_rows[] = {
	STRING(ChardevSource, mode, "@mode", .doc = "bind or connect"),
	STRING(ChardevSource, host, "@host", .doc = "host"),
	STRING(ChardevSource, service, "@service", .doc = "port"),
	STRING(ChardevSource, tls, "@tls", .doc = "whether TLS is used"),
	STRING(ChardevSource, path, "@path", .doc = "file, device or socket"),
	STRING(ChardevSource, channel, "@channel", .doc = "name of the channel"),
	STRING(ChardevSource, append, "@append", .doc = "whether the file is kept"),
	STRING(ChardevSource, master, "@master", .doc = "master side"),
	STRING(ChardevSource, slave, "@slave", .doc = "slave side"),
	TRI(ChardevSource, clipboard, "clipboard/@copypaste", .doc = "share the clipboard"),
	STRING(ChardevSource, mouse_mode, "mouse/@mode", .doc = "client or server"),
	STRING(ChardevSource, reconnect, "reconnect/@enabled", .doc = "connect again"),
	UINT(ChardevSource, reconnect_timeout, "reconnect/@timeout", .doc = "seconds between"),
};
static const Shape source_shape = SHAPE("chardev-source", ChardevSource, source_rows);

static const Row backend_rows[] = {
	LIST(ChardevBackend, sources, "source", source_shape, .doc = "the host's side"),
	STRING(ChardevBackend, protocol, "protocol/@type", .doc = "raw or telnet"),
	STRING(ChardevBackend, log_file, "log/@file", .doc = "file that gets the output too"),
	TRI(ChardevBackend, log_append, "log/@append", .words = "on/off",
	    .doc = "whether the log is kept"),
};
const Shape chardev_backend_shape = SHAPE("chardev-backend", ChardevBackend, backend_rows);

static const Row rows[] = {
	ENUM(Chardev, type, "@type", chardev_types, .dflt = "pty", .doc = "the host's side"),
	STRING(Chardev, tty, "@tty", .flags = ROW_LIVE, .doc = "terminal on the host"),
	INLINE(Chardev, backend, "", ChardevBackend, chardev_backend_shape),
	STRING(Chardev, target_type, "target/@type",
	       .doc = "isa-serial, usb-serial, pci-serial, virtio, serial, guestfwd"),
	STRING(Chardev, target_name, "target/@name", .doc = "name of the channel in the guest"),
	STRING(Chardev, target_state, "target/@state", .flags = ROW_LIVE,
	       .doc = "whether the guest listens"),
	STRING(Chardev, target_address, "target/@address", .doc = "address that is forwarded"),
	UINT(Chardev, target_port, "target/@port", .max = 65535, .doc = "number of the port"),
	STRING(Chardev, target_model, "target/model/@name", .doc = "chip"),
	INLINE(Chardev, info, "", DeviceInfo, device_info_shape),
};
const Shape chardev_shape = SHAPE("chardev", Chardev, rows);

const ChardevSource *chardev_source(const ChardevBackend *backend)
{
	return shape_len(backend->sources) ? g_ptr_array_index(backend->sources, 0) : NULL;
}

void chardev_forget_sources(ChardevBackend *backend)
{
	SHAPE_EACH (ChardevSource, source, backend->sources)
		shape_free(&source_shape, source);
	g_clear_pointer(&backend->sources, g_ptr_array_unref);
}
