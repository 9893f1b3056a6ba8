/* The command line of QEMU for one guest: a pure function of the definition and of QemuSetup. It
 * opens, creates and asks nothing, so that the same guest gives the same words (tests/golden/
 * guest-args) and a test can read what a guest would get.
 *
 * QEMU opens no file by itself that belongs to the guest: each one is a QemuFd, which the runner
 * opens and gives to the child under the number that stands on the command line. What cannot stand
 * on the command line (passwords, limits of disks, links that are down) is a QMP command in
 * `after_start`.
 *
 * Neighbours: caps.h knows the binary; build.h is shared by the files that write the parts; run.c
 * opens the fds and starts the program. */
#pragma once

#include <jansson.h>

#include "base/notes.h"
#include "engine/engine.h"
#include "engine/qemu/caps.h"
#include "model/guest.h"

#define QEMU_VSOCK_DEVICE "/dev/vhost-vsock"

typedef enum QemuFdKind {
	QEMU_FD_MONITOR, /* a listening unix socket for QMP; the runner chooses its path */
	QEMU_FD_FILE,	 /* open(path, flags, 0600) */
	QEMU_FD_PLAIN,	 /* as FILE, read-only, but QEMU opens /dev/fd/N again and seeks: where QEMU's user
			  * may not read the file itself the runner gives a memfd with its content */
	QEMU_FD_LISTEN,	 /* a listening unix socket at path (an old one is removed first) */
	QEMU_FD_CONNECT, /* a connection to the unix socket at path */
	QEMU_FD_TAP,	 /* queue .queue of the tap of interface .flags, as EngineStart.plugs has it */
	QEMU_FD_VHOST,	 /* the same of /dev/vhost-net */
	QEMU_FD_PASST,	 /* a listening socket where passt of interface .flags is connected */
	QEMU_FD_GIVEN,	 /* number .queue of the group that path names: EngineStart.fd_groups */
	QEMU_FD_SECRET,	 /* the bytes of a secret: a pipe or memfd; path is its UUID, or where .usage is
			  * TRUE its usage */
	QEMU_FD_SCRATCH, /* an image without a name, for what the guest writes to the disk of path (a file, a
			  * device, a group of descriptors) */
	QEMU_FD_DATA,	 /* the same as SECRET, of bytes that stand in the definition: .data */
	QEMU_FD_VSOCK,	 /* path, QEMU_VSOCK_DEVICE, where the guest's address is set */
} QemuFdKind;

typedef struct QemuFd {
	QemuFdKind kind;
	int number; /* in the child; from 3 upward without holes */
	int set;    /* of -add-fd, where QEMU knows it as /dev/fdset/N; -1: none */
	char *path; /* NULL for MONITOR */
	int flags;  /* of open(2), O_CLOEXEC not included; FILE only */
	guint queue;
	gboolean usage;
	char *data; /* DATA: what it says */
	char *type; /* SECRET: what uses it, "passphrase" or "iscsi"; NULL: not said */
	char *what; /* "disk vda": for messages */
} QemuFd;

typedef struct QemuSetup {
	const QemuCaps *caps;
	gboolean kvm;		/* FALSE: emulation (TCG) */
	const char *binary;	/* argv[0] */
	const char *run_dir;	/* the guest's own folder: sockets of channels and helpers */
	const char *tpm_socket; /* swtpm's control socket; needed where the guest has an emulated TPM */
	const EnginePlug *plugs; /* of the guest's interfaces, see EngineStart; descriptors are not used */
	guint n_plugs;
	GHashTable *fd_groups;	/* as EngineStart has them; NULL: none */
	const EngineSev *sev;	/* what the host has of it; NULL: nothing */
	gint64 now;		/* seconds since 1970, for <clock offset='variable'> */
} QemuSetup;

typedef struct QemuCommand {
	GPtrArray *argv;	/* char *, NULL at the end */
	GPtrArray *env;		/* "NAME=value", NULL at the end: to be added to the runner's own */
	GPtrArray *fds;		/* QemuFd *, by number */
	GPtrArray *after_start; /* json_t *: {"execute": .., "arguments": ..}, to be sent in order
				 * before the CPUs run */
} QemuCommand;

/* Builds the command for @live: a definition with defaults, addresses and aliases, whose backing
 * chains (Disk.backing) and os.loader / os.nvram the caller has filled in. Numbers block nodes that
 * have no number yet (DiskSource.index, DiskBacking.index); nothing else of @live changes.
 *
 * Also expected in @live: a free port in Graphics.port where qemu_graphics_listens() (VNC finds
 * one itself), cid of a vsock, bus and device of USB host devices (else QEMU looks for vendor and
 * product), a path in Hostdev.block ("/dev/sg3") for SCSI host devices.
 *
 * What QEMU cannot do is UNSUPPORTED, what contradicts itself INVALID; the message names the element.
 * The caller owns the result (qemu_command_free). Any thread; never blocks. */
QemuCommand *qemu_command_new(Guest *live, const QemuSetup *setup, Notes *notes, GError **error);
void qemu_command_free(QemuCommand *command);

/* What @binary tells of SEV on this host, asked once; NULL: nothing. May ask it: some 100 ms, once. Any
 * thread but the main loop's. */
const EngineSev *qemu_sev(const char *binary);

/* The name of the block node that the device of @disk uses; the caller frees it. */
char *qemu_disk_node(const Disk *disk);

/* Whether what the guest writes to it is dropped at its end: the image below is only read. */
gboolean qemu_disk_is_transient(const Disk *disk);

/* What QEMU's block commands take as "id" for @disk: its alias or a QOM path. The caller frees it. */
char *qemu_disk_path(const Disk *disk);

/* Arguments of block_set_io_throttle that give @disk the limits of its <iotune>, or none at all where it
 * has none: at start and on a running guest. A new reference. */
json_t *qemu_disk_limits(const Disk *disk);

/* "host" + alias and "char" + alias: names of the back ends. The caller frees them. */
char *qemu_netdev_id(const Interface *interface);
char *qemu_chardev_id(const char *alias);

/* Whether the graphics server opens a port or socket of its own. Without, clients come by add_client
 * alone (VNC: "-vnc none"; SPICE: no port). */
gboolean qemu_graphics_listens(const Graphics *graphics);

/* Where the unix socket of a channel or serial port without a path is, below @run_dir; the caller
 * frees it. */
char *qemu_channel_path(const char *run_dir, const char *alias);
/* Where virtiofsd for the file system @alias listens. The caller frees it. */
char *qemu_virtiofs_path(const char *run_dir, const char *alias);
/* Where the guest's own helper for SCSI reservations listens. The caller frees it. */
char *qemu_reservations_path(const char *run_dir);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuCommand, qemu_command_free)
