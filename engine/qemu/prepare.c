/* What must be known before the command line can be written: firmware, the files behind each disk,
 * free ports and addresses. Fills it in in the live definition, as libvirt shows it. See run.h. */
#include "base/error.h"
#include "base/fd.h"
#include "engine/qemu/block.h"
#include "engine/qemu/firmware.h"
#include "engine/qemu/run.h"
#include "host/why.h"
#include "image/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define SPICE_PORT_FIRST 5900 /* as libvirt's remote_display_port_min */
#define SPICE_PORT_LAST 65535
#define CID_FIRST 3 /* 0 to 2 are the hypervisor, the local machine and the host: vsock(7) */
#define CID_LAST 65535 /* of those that are chosen */

/* ---- disks ---- */

static DiskBacking *backing_of(const ImageLink *link)
{
	DiskBacking *backing = g_new0(DiskBacking, 1);
	backing->type = DISK_FILE;
	backing->format = (DiskFormat)enum_value(&disk_formats,
						 enum_name(&image_formats, (int)link->format));
	backing->source = g_new0(DiskSource, 1);
	backing->source->file = g_strdup(link->path);
	return backing;
}

static gboolean fill_chain(EngineRun *run, Disk *disk, GError **error)
{
	const char *path = disk->source->file ? disk->source->file : disk->source->dev;
	ImageFormat format = (ImageFormat)enum_value(
		&image_formats, enum_name(&disk_formats, (int)disk->driver_type));
	g_autoptr(GError) why = NULL;
	g_autoptr(GPtrArray) chain = image_chain(path, format ? format : IMAGE_RAW, &why);
	if (!chain) {
		g_propagate_prefixed_error(error, g_steal_pointer(&why), "guest \"%s\": disk %s: ",
					   run->name, disk->target);
		return FALSE;
	}
	DiskBacking **end = &disk->backing;
	for (guint i = 0; i < chain->len; i++) {
		const ImageLink *link = g_ptr_array_index(chain, i);
		if (link->data_file)
			return fail(error, LODGE_ERROR_UNSUPPORTED,
				    "guest \"%s\": disk %s: %s keeps its data in %s: convert it to "
				    "an image of one file with qemu-img convert", run->name,
				    disk->target, link->path, link->data_file);
		if (i == 0)
			continue;
		*end = backing_of(link);
		end = &(*end)->backing;
	}
	*end = g_new0(DiskBacking, 1); /* nothing below */
	return TRUE;
}

/* A CD-ROM whose image is not there may be left empty where the definition says so. */
static gboolean may_drop(const Disk *disk)
{
	const char *policy = disk->source->startup_policy;
	return policy && (g_str_equal(policy, "optional") || g_str_equal(policy, "requisite")) &&
	       !g_file_test(disk->source->file, G_FILE_TEST_EXISTS);
}

static gboolean prepare_disk(EngineRun *run, Disk *disk, Notes *notes, GError **error)
{
	if (!disk->source || (!disk->source->file && !disk->source->dev))
		return TRUE;
	if (disk->source->fdgroup) { /* its file may not be there at all; <backingStore> says what is below */
		if (!disk->backing)
			disk->backing = g_new0(DiskBacking, 1);
		return TRUE;
	}
	if (disk->source->file && disk->device != DISK_DEVICE_DISK && may_drop(disk)) {
		notes_add(notes, "disk %s: %s is not there: the drive is empty", disk->target,
			  disk->source->file);
		g_clear_pointer(&disk->source->file, g_free);
		return TRUE;
	}
	if (!disk->backing && disk->source->slice_size.set)
		disk->backing = g_new0(DiskBacking, 1); /* its header is not at the file's beginning */
	return disk->backing || fill_chain(run, disk, error);
}

/* ---- certificates ---- */

static gboolean wants_tls(const Guest *live)
{
	SHAPE_EACH (Disk, disk, live->disks) {
		if (disk_source_has_tls(disk->source))
			return TRUE;
		for (const DiskBacking *b = disk->backing; b; b = b->backing)
			if (disk_source_has_tls(b->source))
				return TRUE;
	}
	return FALSE;
}

/* Lodge's own folder, then libvirt's for NBD and for all of QEMU's. */
static char *find_certificates(void)
{
	static const char *const places[] = { "/etc/pki/libvirt-nbd", "/etc/pki/qemu" };
	g_autofree char *own = g_build_filename(qemu_host.config.paths->etc, "pki", "nbd", NULL);
	g_autofree char *authority = g_build_filename(own, "ca-cert.pem", NULL);
	gboolean found = g_file_test(authority, G_FILE_TEST_EXISTS);
	for (guint i = 0; !found && i < G_N_ELEMENTS(places); i++) {
		g_autofree char *there = g_build_filename(places[i], "ca-cert.pem", NULL);
		if (g_file_test(there, G_FILE_TEST_EXISTS))
			return g_strdup(places[i]);
	}
	return g_steal_pointer(&own);
}

static gboolean copy_certificate(const char *from, const char *to, const char *name, GError **error)
{
	g_autofree char *source = g_build_filename(from, name, NULL), *text = NULL;
	g_autofree char *copy = g_build_filename(to, name, NULL);
	g_autoptr(GError) why = NULL;
	const HostUser *user = qemu_host.user;
	gsize length;
	if (!g_file_get_contents(source, &text, &length, &why)) {
		gboolean absent = g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT);
		if (absent && !g_str_equal(name, "ca-cert.pem"))
			return TRUE; /* not every server asks for the client's */
		return fail(error, absent ? LODGE_ERROR_NOT_FOUND : LODGE_ERROR_SYSTEM,
			    "source/@tls: %s: put ca-cert.pem, client-cert.pem and client-key.pem there",
			    why->message);
	}
	gboolean done = g_file_set_contents_full(copy, text, (gssize)length, G_FILE_SET_CONTENTS_NONE, 0600,
						 error);
	explicit_bzero(text, length);
	return done && (!user || getuid() != 0 || chown(copy, user->uid, user->gid) == 0 ||
			fail_errno(error, errno, "cannot give %s to %s", copy, user->name));
}

/* QEMU's user may not read the host's keys, and need not. */
static gboolean give_certificates(EngineRun *run, const Guest *live, GError **error)
{
	static const char *const names[] = { "ca-cert.pem", "ca-crl.pem", "client-cert.pem",
					     "client-key.pem" };
	if (!wants_tls(live))
		return TRUE;
	g_autofree char *from = find_certificates();
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		if (!copy_certificate(from, run->run_dir, names[i], error))
			return FALSE;
	return TRUE;
}

/* ---- ports ---- */

static gboolean port_is_free(guint port)
{
	autofd int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons((guint16)port),
				    .sin6_addr = IN6ADDR_ANY_INIT };
	int one = 1;
	if (fd < 0)
		return TRUE; /* QEMU will say */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	return bind(fd, (struct sockaddr *)&any, sizeof any) == 0;
}

static gboolean choose_port(EngineRun *run, Graphics *graphics, GError **error)
{
	static gint next; /* atomic: guests that start at once do not try the same ports */
	gboolean chosen = graphics->port.set && graphics->port.v > 0;
	if (chosen || graphics->type != GRAPHICS_SPICE || !qemu_graphics_listens(graphics))
		return TRUE;
	for (guint tries = 0; tries < SPICE_PORT_LAST - SPICE_PORT_FIRST; tries++) {
		guint span = SPICE_PORT_LAST - SPICE_PORT_FIRST;
		guint port = SPICE_PORT_FIRST + (guint)g_atomic_int_add(&next, 1) % span;
		if (port_is_free(port)) {
			graphics->port = OPT_INT(port);
			return TRUE;
		}
	}
	return fail(error, LODGE_ERROR_IN_USE, "guest \"%s\": no port is free for SPICE", run->name);
}

/* Where a server that listens does so: on this host alone where nothing else is said, as libvirt's
 * vnc_listen and spice_listen have it. */
static void fill_address(Graphics *graphics)
{
	GraphicsListen *first =
		shape_len(graphics->listens) ? g_ptr_array_index(graphics->listens, 0) : NULL;
	if (!qemu_graphics_listens(graphics) || graphics->socket || graphics->listen ||
	    (first && g_strcmp0(first->type, "address")))
		return;
	if (first && !first->address)
		first->address = g_strdup("127.0.0.1");
	graphics->listen = g_strdup(first ? first->address : "127.0.0.1");
}

/* ---- networks ---- */

/* Which of its sources an interface names, for the note below. */
static const char *source_name(const Interface *interface)
{
	const InterfaceSource *source = interface->source;
	if (!source)
		return NULL;
	return source->network ? source->network : source->bridge ? source->bridge : source->dev;
}

/* Those that the daemon could not connect: command.c connects them in user mode. */
static void note_networks(const Guest *live, const EngineStart *how, Notes *notes)
{
	SHAPE_EACH (Interface, interface, live->interfaces) {
		gboolean device = interface->source && interface->source->pci;
		if (device || (interface_i < how->n_plugs && how->plugs[interface_i].n_taps))
			continue;
		const char *name = source_name(interface);
		gboolean elsewhere = interface->type == INTERFACE_NETWORK ||
				     interface->type == INTERFACE_BRIDGE ||
				     interface->type == INTERFACE_DIRECT;
		if (elsewhere && name)
			notes_add(notes, "guest \"%s\": interface %s is connected in user mode, not "
				  "to %s \"%s\": it reaches out, and is reached by port-forward alone",
				  live->name, interface->mac,
				  enum_name(&interface_types, (int)interface->type), name);
	}
}

/* ---- vsock ---- */

/* The kernel knows which are taken, also by guests of an earlier daemon and of other programs, and keeps this
 * one for as long as the descriptor is open: QEMU gets it. */
static gboolean choose_cid(EngineRun *run, Vsock *vsock, GError **error)
{
	gboolean any = !vsock->cid.set || vsock->cid_auto == TRI_YES;
	guint64 first = any ? CID_FIRST : vsock->cid.v, last = any ? CID_LAST : vsock->cid.v;
	run->vsock = open(QEMU_VSOCK_DEVICE, O_RDWR | O_CLOEXEC);
	if (run->vsock < 0)
		return fail_open(error, errno, QEMU_VSOCK_DEVICE, TRUE,
				 "guest \"%s\": vsock: cannot open " QEMU_VSOCK_DEVICE " (on most hosts "
				 "\"modprobe vhost_vsock\" makes it)", run->name);
	for (guint64 cid = first; cid <= last; cid++) {
		if (ioctl(run->vsock, VHOST_VSOCK_SET_GUEST_CID, &cid) == 0) {
			vsock->cid = (OptUint){ .set = TRUE, .v = cid };
			return TRUE;
		}
		if (errno != EADDRINUSE)
			return fail_errno(error, errno, "guest \"%s\": vsock: cannot use the address %"
					  G_GUINT64_FORMAT, run->name, cid);
	}
	if (any)
		return fail(error, LODGE_ERROR_STATE, "guest \"%s\": vsock: all addresses are in use",
			    run->name);
	return fail(error, LODGE_ERROR_STATE, "guest \"%s\": vsock: the address %" G_GUINT64_FORMAT
		    " is in use: choose another one, or <cid auto='yes'/>", run->name, first);
}

char *run_nvram_folder(void)
{
	return g_build_filename(qemu_host.config.paths->lib, "nvram", NULL);
}

gboolean run_prepare(EngineRun *run, Guest *live, const EngineStart *how, Notes *notes, GError **error)
{
	g_autofree char *nvram = run_nvram_folder();
	if (!qemu_firmware_complete(live, nvram, notes, error) ||
	    !qemu_nvram_prepare(live, how->reset_nvram, error))
		return FALSE;
	SHAPE_EACH (Disk, disk, live->disks)
		if (!prepare_disk(run, disk, notes, error))
			return FALSE;
	if (!give_certificates(run, live, error) ||
	    (live->vsock && !choose_cid(run, live->vsock, error)))
		return FALSE;
	SHAPE_EACH (Graphics, graphics, live->graphics) {
		fill_address(graphics);
		if (!choose_port(run, graphics, error))
			return FALSE;
	}
	note_networks(live, how, notes);
	return TRUE;
}
