/* Character devices: serial and parallel ports, consoles, channels; and their backends, which
 * smart cards, USB redirection and RNG use too.
 * Neighbours: model/guest.h holds the lists; engine/qemu/chardev.c makes the backends. */
#pragma once

#include "model/device/address.h"

typedef enum ChardevType {
	CHARDEV_NULL = 1,
	CHARDEV_VC,
	CHARDEV_PTY,
	CHARDEV_DEV,
	CHARDEV_FILE,
	CHARDEV_PIPE,
	CHARDEV_STDIO,
	CHARDEV_UDP,
	CHARDEV_TCP,
	CHARDEV_UNIX,
	CHARDEV_SPICEVMC,
	CHARDEV_SPICEPORT,
	CHARDEV_NMDM,
	CHARDEV_QEMU_VDAGENT,
	CHARDEV_DBUS,
} ChardevType;

typedef struct ChardevSource {
	ShapeHead head;
	char *mode, *path, *host, *service, *channel, *tls, *append;
	char *master, *slave;
	char *reconnect;
	OptUint reconnect_timeout;
	Tri clipboard;
	char *mouse_mode;
} ChardevSource;

/* What stands in an element that is a backend. */
typedef struct ChardevBackend {
	ShapeHead head;
	GPtrArray *sources; /* ChardevSource; udp has two */
	char *protocol;	    /* raw or telnet */
	char *log_file;
	Tri log_append;
} ChardevBackend;

/* One struct for serial, parallel, console and channel: their rows are the same but for target. */
typedef struct Chardev {
	ShapeHead head;
	ChardevType type;
	char *tty; /* live, on consoles */
	ChardevBackend backend;
	char *target_type, *target_name, *target_address;
	char *target_state; /* live: connected or disconnected */
	char *target_model;
	OptUint target_port;
	DeviceInfo info;
} Chardev;

extern const Shape chardev_shape;
extern const Shape chardev_backend_shape;
extern const EnumTable chardev_types;

/* The first source of @backend, or NULL. */
const ChardevSource *chardev_source(const ChardevBackend *backend);
/* Removes the sources of @backend: the host chooses at start. */
void chardev_forget_sources(ChardevBackend *backend);
