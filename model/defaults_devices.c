/* Defaults of each kind of device, and the devices that every guest has. See defaults.h. */
#include "base/error.h"
#include "model/assign.h"
#include "model/defaults.h"

#include <stdlib.h>
#include <string.h>

static gpointer first_of(const GPtrArray *list)
{
	return shape_len(list) ? g_ptr_array_index(list, 0) : NULL;
}

/* ---- disks ---- */

static const struct {
	const char *prefix;
	DiskBus bus;
} bus_names[] = {
	{ "hd", DISK_BUS_IDE },	  { "sd", DISK_BUS_SCSI }, { "vd", DISK_BUS_VIRTIO },
	{ "xvd", DISK_BUS_XEN },  { "fd", DISK_BUS_FDC },  { "nvme", DISK_BUS_NVME },
};

static void fill_bus(Disk *disk)
{
	if (disk->device == DISK_DEVICE_FLOPPY && !disk->bus)
		disk->bus = DISK_BUS_FDC;
	for (guint i = 0; !disk->bus && i < G_N_ELEMENTS(bus_names); i++)
		if (g_str_has_prefix(disk->target, bus_names[i].prefix))
			disk->bus = bus_names[i].bus;
}

/* A target of iSCSI is always said with its unit. */
static void fill_iscsi(char **name)
{
	if (!*name || strchr(*name, '/'))
		return;
	char *whole = g_strconcat(*name, "/0", NULL);
	g_free(*name);
	*name = whole;
}

/* Ports of servers by their protocols, as libvirt writes them down: IANA's, and QEMU's own. */
static void fill_server_ports(DiskSource *source)
{
	static const struct { const char *protocol, *port; } usual[] = {
		{ "nbd", "10809" }, { "iscsi", "3260" }, { "ssh", "22" },    { "http", "80" },
		{ "https", "443" }, { "ftp", "21" },	 { "ftps", "990" },  { "tftp", "69" },
		{ "gluster", "24007" },
	};
	SHAPE_EACH (DiskHost, host, source->hosts)
		for (guint i = 0; i < G_N_ELEMENTS(usual); i++)
			if (host->name && !g_strcmp0(source->protocol, usual[i].protocol) &&
			    (!host->transport || g_str_equal(host->transport, "tcp")))
				fill_text(&host->port, usual[i].port);
}

/* The format is never looked for in the image: a guest could write another header into it. */
static void fill_disk(Disk *disk)
{
	if (!disk->type)
		disk->type = DISK_FILE;
	if (!disk->device)
		disk->device = DISK_DEVICE_DISK;
	fill_bus(disk);
	if (disk->type == DISK_NETWORK && disk->device == DISK_DEVICE_CDROM &&
	    (!disk->source || !disk->source->protocol)) /* an empty drive */
		disk->type = DISK_FILE;
	if (disk->source && !g_strcmp0(disk->source->protocol, "iscsi"))
		fill_iscsi(&disk->source->name);
	if (disk->source)
		fill_server_ports(disk->source);
	if (!g_strcmp0(disk->tray, "closed")) /* as is usual */
		g_clear_pointer(&disk->tray, g_free);
	if (disk->device == DISK_DEVICE_CDROM)
		disk->readonly = TRUE;
	if (disk->source && disk->source->encryption)
		fill_text(&disk->source->encryption->engine, "qemu");
	if (disk->type == DISK_VHOST_USER || disk->type == DISK_VHOST_VDPA)
		return;
	fill_text(&disk->driver_name, "qemu");
	if (!disk->driver_type)
		disk->driver_type = disk->type == DISK_DIR ? DISK_FORMAT_FAT : DISK_FORMAT_RAW;
}

/* Disks of one bus stand together, in the order of their names: it decides what boots first. */
static void sort_disks(Guest *guest)
{
	GPtrArray *disks = guest->disks;
	for (guint i = 1; i < shape_len(disks); i++) {
		Disk *disk = g_ptr_array_index(disks, i);
		guint at = G_MAXUINT;
		for (guint j = i; j-- > 0;) {
			const Disk *other = g_ptr_array_index(disks, j);
			if (other->bus != disk->bus)
				continue;
			if (disk_index(other->target) > disk_index(disk->target))
				at = j;
			else if (at == G_MAXUINT)
				at = j + 1;
		}
		at = MIN(at, i);
		for (guint j = i; j > at; j--)
			disks->pdata[j] = disks->pdata[j - 1];
		disks->pdata[at] = disk;
	}
}

/* ---- network ---- */

static char *random_mac(void)
{
	guint32 r = g_random_int();
	return g_strdup_printf("52:54:00:%02x:%02x:%02x", r & 0xff, r >> 8 & 0xff, r >> 16 & 0xff);
}

static void fill_interface(Interface *net)
{
	if (!net->mac)
		net->mac = random_mac();
	if (net->type != INTERFACE_HOSTDEV)
		fill_text(&net->model, net->type == INTERFACE_VDPA ? "virtio" : "rtl8139");
	if (net->type == INTERFACE_DIRECT && net->source)
		fill_text(&net->source->mode, "vepa");
	if (net->coalesce_max_frames.set && net->coalesce_max_frames.v == 0) /* as if it were not there */
		net->coalesce_max_frames = (OptUint){ 0 };
}

/* ---- character devices ---- */

static void fill_backend(ChardevType type, ChardevBackend *backend)
{
	if (type == CHARDEV_TCP)
		fill_text(&backend->protocol, "raw");
	SHAPE_EACH (ChardevSource, source, backend->sources)
		if (type == CHARDEV_TCP || (type == CHARDEV_UNIX && source->path))
			fill_text(&source->mode, "connect");
}

/* A unix socket without a path is one that the host chooses at every start. */
static void forget_socket(Chardev *channel)
{
	const ChardevSource *source = chardev_source(&channel->backend);
	if (channel->type != CHARDEV_UNIX || !source || source->path ||
	    g_strcmp0(source->mode, "bind") || source->head.extra)
		return;
	chardev_forget_sources(&channel->backend);
}

static void number_ports(GPtrArray *list)
{
	SHAPE_EACH (Chardev, chardev, list) {
		guint64 next = 0;
		if (chardev->target_port.set)
			continue;
		SHAPE_EACH (Chardev, other, list)
			if (other->target_port.set)
				next = MAX(next, other->target_port.v + 1);
		chardev->target_port = OPT_UINT(next);
	}
}

static void fill_serial(Chardev *serial)
{
	const Address *a = serial->info.address;
	fill_text(&serial->target_type, a && a->type == ADDRESS_USB	? "usb-serial"
					: a && a->type == ADDRESS_PCI ? "pci-serial"
								      : "isa-serial");
	static const char *const same[] = { "isa-serial", "usb-serial", "pci-serial", NULL };
	if (g_strv_contains(same, serial->target_type))
		fill_text(&serial->target_model, serial->target_type);
	if (g_str_equal(serial->target_type, "isa-debug"))
		fill_text(&serial->target_model, "isa-debugcon");
}

/* A console on the serial port is that serial port again. */
static Chardev *console_of(const Chardev *serial)
{
	Chardev *console = shape_copy(&chardev_shape, serial);
	g_free(console->target_type);
	console->target_type = g_strdup("serial");
	g_clear_pointer(&console->target_model, g_free);
	g_clear_pointer(&console->info.alias, g_free);
	console->head.line = 0;
	return console;
}

static gboolean is_port_console(const Chardev *console)
{
	return console && (!console->target_type || g_str_equal(console->target_type, "serial"));
}

/* The first console and the first serial port imply each other. */
static void pair_console(Guest *guest)
{
	Chardev *console = first_of(guest->consoles), *serial = first_of(guest->serials);
	if (is_port_console(console) && !serial) {
		serial = shape_copy(&chardev_shape, console);
		g_clear_pointer(&serial->target_type, g_free);
		g_clear_pointer(&serial->info.alias, g_free);
		shape_append(&guest->serials, &chardev_shape, serial);
	}
	SHAPE_EACH (Chardev, each, guest->serials)
		fill_serial(each);
	number_ports(guest->serials);
	if (!serial)
		return;
	if (is_port_console(console)) {
		shape_free(&chardev_shape, console);
		guest->consoles->pdata[0] = console_of(serial);
	} else if (g_str_equal(serial->target_type, "isa-serial")) {
		if (!guest->consoles)
			guest->consoles = g_ptr_array_new();
		g_ptr_array_insert(guest->consoles, 0, console_of(serial));
	}
}

static void fill_backends(Guest *guest)
{
	GPtrArray *const all[] = { guest->serials, guest->parallels, guest->consoles, guest->channels };
	for (guint i = 0; i < G_N_ELEMENTS(all); i++)
		SHAPE_EACH (Chardev, chardev, all[i])
			fill_backend(chardev->type, &chardev->backend);
	SHAPE_EACH (Rng, rng, guest->rngs)
		if (rng->backend_type)
			fill_backend(enum_value(&chardev_types, rng->backend_type), &rng->backend);
	SHAPE_EACH (Redirdev, redirdev, guest->redirdevs)
		fill_backend(redirdev->type, &redirdev->backend);
	SHAPE_EACH (Smartcard, card, guest->smartcards)
		if (card->type)
			fill_backend(enum_value(&chardev_types, card->type), &card->backend);
}

static gboolean fill_chardevs(Guest *guest, GError **error)
{
	GPtrArray *const all[] = { guest->serials, guest->parallels, guest->consoles,
				   guest->channels };
	for (guint i = 0; i < G_N_ELEMENTS(all); i++)
		SHAPE_EACH (Chardev, chardev, all[i])
			if (!chardev->type)
				chardev->type = CHARDEV_PTY;
	SHAPE_EACH (Chardev, console, guest->consoles) {
		if (!console->target_port.set && !(console_i == 0 && is_port_console(console)))
			console->target_port = OPT_UINT(console_i);
		if (console_i > 0 && is_port_console(console))
			return fail(error, LODGE_ERROR_INVALID,
				    "console %u, line %d: only the first console can be a serial "
				    "port: use <target type='virtio'/>", console_i + 1,
				    console->head.line);
	}
	pair_console(guest);
	number_ports(guest->parallels);
	SHAPE_EACH (Chardev, channel, guest->channels) {
		fill_text(&channel->target_type, "virtio");
		forget_socket(channel);
	}
	fill_backends(guest);
	return TRUE;
}

/* ---- input ---- */

static void add_input(Guest *guest, const char *type)
{
	SHAPE_EACH (Input, input, guest->inputs)
		if (!g_strcmp0(input->type, type) && !g_strcmp0(input->bus, "ps2"))
			return;
	Input *input = shape_new(&input_shape);
	input->type = g_strdup(type);
	input->bus = g_strdup("ps2");
	shape_append(&guest->inputs, &input_shape, input);
}

static void fill_inputs(Guest *guest)
{
	static const struct {
		const char *type, *bus;
	} buses[] = { { "tablet", "usb" }, { "mouse", "ps2" }, { "keyboard", "ps2" },
		      { "passthrough", "virtio" } };
	SHAPE_EACH (Input, input, guest->inputs)
		for (guint i = 0; i < G_N_ELEMENTS(buses); i++)
			if (!g_strcmp0(input->type, buses[i].type))
				fill_text(&input->bus, buses[i].bus);
	if (guest_is_q35(guest) || guest_is_i440fx(guest)) {
		add_input(guest, "mouse");
		add_input(guest, "keyboard");
	}
}

/* ---- graphics, video, sound ---- */

static void add_listen(Graphics *g)
{
	GraphicsListen *listen = shape_new(&graphics_listen_shape);
	gboolean silent = g->type == GRAPHICS_SPICE && g->autoport != TRI_YES && !g->port.set &&
			  !g->tls_port.set && !g->listen;
	listen->type = g_strdup(g->socket ? "socket" : silent ? "none" : "address");
	listen->socket = g_strdup(g->socket);
	listen->address = g->socket ? NULL : g_strdup(g->listen);
	shape_append(&g->listens, &graphics_listen_shape, listen);
}

static gboolean listens_to_nothing(const Graphics *g)
{
	const GraphicsListen *listen = first_of(g->listens);
	return listen && (!g_strcmp0(listen->type, "none") || !g_strcmp0(listen->type, "socket"));
}

static void fill_ports(Graphics *g)
{
	if (listens_to_nothing(g)) {
		g->autoport = TRI_ABSENT;
		g->port = g->tls_port = (OptInt){ 0 };
		return;
	}
	gboolean none = !g->port.set && !g->tls_port.set;
	if (g->port.set && g->port.v == -1)
		g->autoport = TRI_YES;
	if (g->type == GRAPHICS_VNC && none && g->autoport != TRI_NO)
		g->autoport = TRI_YES;
	if (g->autoport == TRI_ABSENT && !none)
		g->autoport = TRI_NO;
	if (g->autoport == TRI_YES)
		g->port = g->type == GRAPHICS_VNC ? OPT_INT(-1) : (OptInt){ 0 };
}

static gboolean fill_one_graphics(Graphics *g, GError **error)
{
	GraphicsListen *listen;
	if (g->type != GRAPHICS_VNC && g->type != GRAPHICS_SPICE && g->type != GRAPHICS_RDP)
		return TRUE;
	if (!g->listens)
		add_listen(g);
	listen = first_of(g->listens);
	if (g->listen && listen->address && !g_str_equal(g->listen, listen->address))
		return fail(error, LODGE_ERROR_INVALID,
			    "graphics, line %d: @listen \"%s\" and <listen address=\"%s\"> differ: "
			    "remove one", g->head.line, g->listen, listen->address);
	if (!g_strcmp0(listen->type, "address")) {
		fill_text(&listen->address, g->listen);
		fill_text(&g->listen, listen->address);
	}
	if (!g_strcmp0(listen->type, "socket"))
		fill_text(g->type == GRAPHICS_VNC ? &g->socket : &listen->socket, listen->socket);
	fill_ports(g);
	return TRUE;
}

static const struct {
	const char *model;
	guint ram, vram, vgamem; /* KiB */
} video_sizes[] = {
	{ "cirrus", 0, 16384, 0 }, { "vga", 0, 16384, 0 },	   { "vmvga", 0, 16384, 0 },
	{ "bochs", 0, 16384, 0 },  { "qxl", 65536, 65536, 16384 },
};

static void fill_video(Video *video)
{
	fill_text(&video->model, "cirrus");
	if (video->primary == TRI_NO)
		video->primary = TRI_ABSENT;
	for (guint i = 0; i < G_N_ELEMENTS(video_sizes); i++) {
		if (g_strcmp0(video->model, video_sizes[i].model))
			continue;
		if (!video->ram.set && video_sizes[i].ram)
			video->ram = OPT_UINT(video_sizes[i].ram);
		if (!video->vram.set)
			video->vram = OPT_UINT(video_sizes[i].vram);
		if (!video->vgamem.set && video_sizes[i].vgamem)
			video->vgamem = OPT_UINT(video_sizes[i].vgamem);
	}
	if (!video->heads.set && g_strcmp0(video->model, "none"))
		video->heads = OPT_UINT(1);
}

/* A graphical console needs a card; the primary one stands first. */
static void fill_videos(Guest *guest)
{
	if (shape_len(guest->graphics) && !shape_len(guest->videos))
		shape_append(&guest->videos, &video_shape, shape_new(&video_shape));
	SHAPE_EACH (Video, video, guest->videos)
		fill_video(video);
	Video *first = first_of(guest->videos);
	for (guint i = 1; first && first->primary != TRI_YES && i < guest->videos->len; i++) {
		Video *video = g_ptr_array_index(guest->videos, i);
		if (video->primary != TRI_YES)
			continue;
		for (guint j = i; j > 0; j--)
			guest->videos->pdata[j] = guest->videos->pdata[j - 1];
		guest->videos->pdata[0] = video;
		break;
	}
	first = first_of(guest->videos);
	if (first && first->primary == TRI_ABSENT && g_strcmp0(first->model, "none"))
		first->primary = TRI_YES;
}

/* One audio backend at least, of the kind that the graphical console can play. */
static void fill_audio(Guest *guest)
{
	const char *type = "none";
	if (shape_len(guest->audios))
		return;
	gboolean plays = !shape_len(guest->graphics);
	SHAPE_EACH (Graphics, g, guest->graphics) {
		plays |= g->type == GRAPHICS_VNC || g->type == GRAPHICS_SPICE;
		if (g->type == GRAPHICS_SDL)
			return; /* it plays on the host by itself */
		if (g->type == GRAPHICS_SPICE)
			type = "spice";
	}
	if (!plays)
		return;
	Audio *audio = shape_new(&audio_shape);
	audio->id = OPT_UINT(1);
	audio->type = g_strdup(type);
	shape_append(&guest->audios, &audio_shape, audio);
}

/* ---- the small ones ---- */

static void fill_tpm(Tpm *tpm)
{
	fill_text(&tpm->model, "tpm-tis");
	if (!g_strcmp0(tpm->backend_type, "emulator"))
		fill_text(&tpm->backend_version,
			  g_str_equal(tpm->model, "tpm-tis") ? "1.2" : "2.0");
	if (!g_strcmp0(tpm->backend_type, "passthrough"))
		fill_text(&tpm->device_path, "/dev/tpm0");
}

static void fill_hostdev(Hostdev *hostdev)
{
	fill_text(&hostdev->managed, "no");
	if (!g_strcmp0(hostdev->source_protocol, "iscsi"))
		fill_iscsi(&hostdev->source_name);
	if (hostdev->type == HOSTDEV_MDEV && !g_strcmp0(hostdev->model, "vfio-pci"))
		fill_text(&hostdev->display, "off");
}

static void fill_shmem(Shmem *shmem)
{
	fill_text(&shmem->model, shmem->has_server ? "ivshmem-doorbell" : "ivshmem-plain");
	if (g_str_equal(shmem->model, "ivshmem-doorbell") && shmem->ioeventfd == TRI_ABSENT)
		shmem->ioeventfd = TRI_YES;
	else if (g_str_equal(shmem->model, "ivshmem-plain") && !shmem->size.set)
		shmem->size = OPT_UINT(4 << 20);
}

/* "644" is printed as 0644; what is no mode is refused by rules_devices.c. */
static void fill_mode(char **mode)
{
	if (!*mode || strlen(*mode) >= 4 || !**mode || (*mode)[strspn(*mode, "01234567")])
		return;
	char *padded = g_strdup_printf("%04lo", strtoul(*mode, NULL, 8));
	g_free(*mode);
	*mode = padded;
}

/* -1 says nothing, and 9.4 is 9.40: the numbers are those of a device's descriptor, in decimal digits. */
static void fill_usb_filter(UsbFilter *rule)
{
	char **words[] = { &rule->class_id, &rule->vendor, &rule->product, &rule->version };
	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		if (!g_strcmp0(*words[i], "-1"))
			g_clear_pointer(words[i], g_free);
	const char *dot = rule->version ? strchr(rule->version, '.') : NULL;
	if (!dot || !g_ascii_isdigit(dot[1]) || dot[2])
		return;
	char *whole = g_strconcat(rule->version, "0", NULL);
	g_free(rule->version);
	rule->version = whole;
}

static void fill_balloon(Guest *guest)
{
	if (guest->memballoon || (!guest_is_q35(guest) && !guest_is_i440fx(guest)))
		return;
	guest->memballoon = shape_new(&memballoon_shape);
	guest->memballoon->model = g_strdup("virtio");
}

static void fill_small(Guest *guest)
{
	SHAPE_EACH (Filesystem, fs, guest->filesystems) {
		if (!fs->source_socket)
			fill_text(&fs->accessmode, "passthrough");
		fill_mode(&fs->fmode);
		fill_mode(&fs->dmode);
	}
	SHAPE_EACH (UsbFilter, rule, guest->redirfilter ? guest->redirfilter->rules : NULL)
		fill_usb_filter(rule);
	SHAPE_EACH (Rng, rng, guest->rngs)
		if (!g_strcmp0(rng->backend_model, "random"))
			fill_text(&rng->backend_path, "/dev/random");
	SHAPE_EACH (Tpm, tpm, guest->tpms)
		fill_tpm(tpm);
	SHAPE_EACH (Panic, panic, guest->panics)
		fill_text(&panic->model, "isa");
	SHAPE_EACH (Hostdev, hostdev, guest->hostdevs)
		fill_hostdev(hostdev);
	SHAPE_EACH (Shmem, shmem, guest->shmems)
		fill_shmem(shmem);
	if (guest->vsock) {
		fill_text(&guest->vsock->model, "virtio");
		if (!guest->vsock->cid.set)
			guest->vsock->cid_auto = TRI_YES;
	}
	fill_balloon(guest);
}

gboolean fill_devices(Guest *guest, GError **error)
{
	SHAPE_EACH (Disk, disk, guest->disks)
		fill_disk(disk);
	sort_disks(guest);
	SHAPE_EACH (Interface, net, guest->interfaces)
		fill_interface(net);
	if (!fill_chardevs(guest, error))
		return FALSE;
	fill_inputs(guest);
	SHAPE_EACH (Graphics, g, guest->graphics)
		if (!fill_one_graphics(g, error))
			return FALSE;
	fill_videos(guest);
	fill_audio(guest);
	fill_small(guest);
	return TRUE;
}
