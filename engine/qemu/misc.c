/* The small devices: IOMMU, hubs, input, watchdog, balloon, RNG, TPM, panic notifier, vsock, crypto,
 * smart cards.
 * Neighbours: build.h; chardev.c makes the back ends that some of them have. */
#include "engine/qemu/build.h"

#include <string.h>

static gboolean place(Build *build, json_t *device, const DeviceInfo *info, const char *what,
		      GError **error)
{
	if (put_place(build, device, info, error))
		return add_device(build, device, what, error);
	json_decref(device);
	return FALSE;
}

/* ---- IOMMU ---- */

static const PropRow iommu_rows[] = {
	PROP(Iommu, intremap, "intremap", PROP_SWITCH),
	PROP(Iommu, caching_mode, "caching-mode", PROP_TRI),
	PROP(Iommu, eim, "eim", PROP_SWITCH),
	PROP(Iommu, iotlb, "device-iotlb", PROP_TRI),
	PROP(Iommu, aw_bits, "aw-bits", PROP_UINT),
};

gboolean build_iommu(Build *build, GError **error)
{
	const Iommu *iommu = build->guest->iommu;
	if (!iommu)
		return TRUE;
	if (!g_strcmp0(iommu->model, "virtio"))
		return add_simple(build, "virtio-iommu-pci", &iommu->info, "iommu", error);
	if (g_strcmp0(iommu->model, "intel"))
		return unsupported(build, error, "iommu: model \"%s\" is not supported; use intel or "
				   "virtio", iommu->model ? iommu->model : "");
	if (!build->q35)
		return unsupported(build, error, "iommu: model intel needs machine type q35");
	json_t *device = json_object();
	put(device, "driver", "intel-iommu");
	put(device, "id", iommu->info.alias);
	put_rows(device, iommu_rows, G_N_ELEMENTS(iommu_rows), iommu);
	return add_device(build, device, "iommu", error);
}

gboolean build_hubs(Build *build, GError **error)
{
	SHAPE_EACH (Hub, hub, build->guest->hubs)
		if (!add_simple(build, "usb-hub", &hub->info, "hub", error))
			return FALSE;
	return TRUE;
}

/* ---- input ---- */

static const struct {
	const char *type, *bus, *device; /* device NULL: part of the board */
} inputs[] = {
	{ "tablet", "usb", "usb-tablet" },
	{ "mouse", "usb", "usb-mouse" },
	{ "keyboard", "usb", "usb-kbd" },
	{ "tablet", "virtio", "virtio-tablet-pci" },
	{ "mouse", "virtio", "virtio-mouse-pci" },
	{ "keyboard", "virtio", "virtio-keyboard-pci" },
	{ "passthrough", "virtio", "virtio-input-host-pci" },
	{ "mouse", "ps2", NULL },
	{ "keyboard", "ps2", NULL },
};

static gboolean add_evdev(Build *build, const Input *input, GError **error)
{
	const char *path = input->source_evdev ? input->source_evdev : input->source_dev;
	if (!path)
		return invalid(build, error, "input: type evdev needs <source dev=..>");
	g_autofree char *file = add_fdset(build, path, O_RDWR, "input");
	json_t *object = json_object();
	put(object, "qom-type", "input-linux");
	put(object, "id", input->info.alias);
	put(object, "evdev", file);
	if (!g_strcmp0(input->grab, "all"))
		put_bool(object, "grab_all", TRUE);
	if (input->repeat)
		put_bool(object, "repeat", g_str_equal(input->repeat, "on"));
	put(object, "grab-toggle", input->grab_toggle);
	add_json(build, "-object", object);
	return TRUE;
}

static gboolean add_input(Build *build, const Input *input, GError **error)
{
	const char *bus = input->bus ? input->bus :
			  !g_strcmp0(input->type, "passthrough") ? "virtio" :
			  !g_strcmp0(input->type, "tablet")	 ? "usb" : "ps2";
	if (!g_strcmp0(input->type, "evdev"))
		return add_evdev(build, input, error);
	for (guint i = 0; i < G_N_ELEMENTS(inputs); i++) {
		if (g_strcmp0(inputs[i].type, input->type) || !g_str_equal(inputs[i].bus, bus))
			continue;
		if (!inputs[i].device)
			return TRUE;
		json_t *device = device_new(inputs[i].device, &input->info);
		put_virtio(device, &input->virtio);
		if (g_str_equal(input->type, "passthrough")) {
			g_autofree char *file = add_fdset(
				build, input->source_evdev ? input->source_evdev : "", O_RDWR, "input");
			put(device, "evdev", file);
		}
		return place(build, device, &input->info, "input", error);
	}
	return unsupported(build, error, "input: type \"%s\" on bus \"%s\" does not exist on this machine "
			   "type; use usb, virtio or ps2", input->type ? input->type : "", bus);
}

/* ---- watchdog ---- */

static const NameRow watchdog_actions[] = {
	{ "reset", "reset" }, { "shutdown", "shutdown" }, { "poweroff", "poweroff" },
	{ "pause", "pause" }, { "none", "none" },	  { "inject-nmi", "inject-nmi" },
	{ "dump", "pause" },
};

static gboolean add_watchdog(Build *build, const Watchdog *watchdog, GError **error)
{
	const char *model = watchdog->model ? watchdog->model : "i6300esb";
	if (g_str_equal(model, "itco")) {
		if (!build->q35)
			return unsupported(build, error, "watchdog: model itco needs machine type q35");
		add_option(build, "-global", g_strdup("ICH9-LPC.noreboot=off"));
		return TRUE;
	}
	if (!g_str_equal(model, "i6300esb") && !g_str_equal(model, "ib700"))
		return unsupported(build, error,
				   "watchdog: model \"%s\" does not exist on this machine type; use "
				   "i6300esb", model);
	return add_simple(build, model, &watchdog->info, "watchdog", error);
}

static gboolean build_watchdogs(Build *build, GError **error)
{
	const char *action = NULL;
	SHAPE_EACH (Watchdog, watchdog, build->guest->watchdogs) {
		const char *wanted = watchdog->action ? watchdog->action : "reset";
		const char *mine = name_lookup(watchdog_actions, G_N_ELEMENTS(watchdog_actions), wanted);
		if (!mine || (action && !g_str_equal(action, mine)))
			return invalid(build, error, "watchdog: action \"%s\": use reset, shutdown, "
				       "poweroff, pause, none, dump or inject-nmi, the same for all",
				       wanted);
		action = mine;
		if (!add_watchdog(build, watchdog, error))
			return FALSE;
	}
	if (action)
		add_option(build, "-action", g_strdup_printf("watchdog=%s", action));
	return TRUE;
}

/* ---- balloon ---- */

static gboolean build_balloon(Build *build, GError **error)
{
	const Memballoon *balloon = build->guest->memballoon;
	if (!balloon || !g_strcmp0(balloon->model, "none"))
		return TRUE;
	json_t *device = device_new(virtio_driver("virtio-balloon", balloon->model), &balloon->info);
	put_virtio(device, &balloon->virtio);
	put_tri(device, "deflate-on-oom", balloon->autodeflate);
	put_tri(device, "free-page-reporting", balloon->free_page_reporting);
	if (balloon->stats_period.set) {
		json_t *arguments = json_object();
		g_autofree char *path = g_strdup_printf("/machine/peripheral/%s",
							balloon->info.alias);
		put(arguments, "path", path);
		put(arguments, "property", "guest-stats-polling-interval");
		put_uint(arguments, "value", balloon->stats_period);
		add_after_start(build, "qom-set", arguments);
	}
	return place(build, device, &balloon->info, "memballoon", error);
}

/* ---- random numbers ---- */

static gboolean add_rng_backend(Build *build, const Rng *rng, const char *id, GError **error)
{
	const char *model = rng->backend_model ? rng->backend_model : "random";
	g_autofree char *chardev = qemu_chardev_id(rng->info.alias);
	json_t *object = json_object();
	if (g_str_equal(model, "random")) {
		g_autofree char *file = add_fdset(
			build, rng->backend_path ? rng->backend_path : "/dev/urandom", O_RDONLY, "rng");
		put(object, "qom-type", "rng-random");
		put(object, "id", id);
		put(object, "filename", file);
	} else if (g_str_equal(model, "egd")) {
		if (!add_chardev(build, rng->info.alias,
				 enum_value(&chardev_types, rng->backend_type ? rng->backend_type : ""),
				 &rng->backend, NULL, "rng", error)) {
			json_decref(object);
			return FALSE;
		}
		put(object, "qom-type", "rng-egd");
		put(object, "id", id);
		put(object, "chardev", chardev);
	} else if (g_str_equal(model, "builtin")) {
		put(object, "qom-type", "rng-builtin");
		put(object, "id", id);
	} else {
		json_decref(object);
		return unsupported(build, error,
				   "rng/backend: model \"%s\" does not exist; use random, egd or builtin",
				   model);
	}
	add_json(build, "-object", object);
	return TRUE;
}

static gboolean add_rng(Build *build, const Rng *rng, GError **error)
{
	g_autofree char *id = g_strdup_printf("obj%s", rng->info.alias);
	if (!add_rng_backend(build, rng, id, error))
		return FALSE;
	json_t *device = device_new(virtio_driver("virtio-rng", rng->model), &rng->info);
	put(device, "rng", id);
	put_virtio(device, &rng->virtio);
	if (rng->rate_bytes.set) {
		put_uint(device, "max-bytes", rng->rate_bytes);
		put_int(device, "period", (gint64)opt_uint_or(rng->rate_period, 1000));
	}
	return place(build, device, &rng->info, "rng", error);
}

/* ---- TPM ---- */

static gboolean add_tpm_backend(Build *build, const Tpm *tpm, const char *id, GError **error)
{
	const char *type = tpm->backend_type ? tpm->backend_type : "emulator";
	g_autoptr(GString) option = g_string_new(type);
	opt_put(option, "id", id);
	if (g_str_equal(type, "emulator")) {
		g_autofree char *chardev = g_strdup_printf("chr%s", tpm->info.alias);
		if (!build->setup->tpm_socket)
			return unsupported(build, error,
					   "tpm: there is no emulator for it; install swtpm");
		QemuFd *fd = add_fd(build, QEMU_FD_CONNECT, build->setup->tpm_socket, 0, "tpm");
		add_option(build, "-chardev",
			   g_strdup_printf("socket,id=%s,fd=%d", chardev, fd->number));
		opt_put(option, "chardev", chardev);
	} else if (g_str_equal(type, "passthrough")) {
		g_autofree char *file = add_fdset(
			build, tpm->device_path ? tpm->device_path : "/dev/tpm0", O_RDWR, "tpm");
		g_autofree char *cancel = add_fdset(build, "/dev/null", O_WRONLY, "tpm cancel");
		opt_put(option, "path", file);
		opt_put(option, "cancel-path", cancel);
	} else {
		return unsupported(build, error,
				   "tpm/backend: type \"%s\" is not supported; use emulator", type);
	}
	add_option(build, "-tpmdev", g_strdup(option->str));
	return TRUE;
}

static gboolean add_tpm(Build *build, const Tpm *tpm, GError **error)
{
	const char *model = tpm->model ? tpm->model : "tpm-crb";
	g_autofree char *id = g_strdup_printf("tpm-%s", tpm->info.alias);
	if (!g_str_equal(model, "tpm-tis") && !g_str_equal(model, "tpm-crb"))
		return unsupported(build, error,
				   "tpm: model \"%s\" does not exist on this machine type; use tpm-crb "
				   "or tpm-tis", model);
	if (!add_tpm_backend(build, tpm, id, error))
		return FALSE;
	json_t *device = device_new(model, &tpm->info);
	put(device, "tpmdev", id);
	return add_device(build, device, "tpm", error);
}

/* ---- the rest ---- */

static gboolean add_panic(Build *build, const Panic *panic, GError **error)
{
	const char *model = panic->model ? panic->model : "isa";
	if (g_str_equal(model, "hyperv"))
		return TRUE; /* a flag of the CPU */
	if (g_str_equal(model, "pvpanic"))
		return add_simple(build, "pvpanic-pci", &panic->info, "panic", error);
	if (!g_str_equal(model, "isa"))
		return unsupported(build, error, "panic: model \"%s\" does not exist on this machine "
				   "type; use isa, pvpanic or hyperv", model);
	json_t *device = device_new("pvpanic", &panic->info);
	if (panic->info.address)
		put_uint(device, "ioport", panic->info.address->iobase);
	return add_device(build, device, "panic", error);
}

static gboolean build_vsock(Build *build, GError **error)
{
	const Vsock *vsock = build->guest->vsock;
	if (!vsock)
		return TRUE;
	if (!vsock->cid.set)
		return invalid(build, error, "vsock: <cid address=..> is missing");
	QemuFd *fd = add_fd(build, QEMU_FD_VSOCK, QEMU_VSOCK_DEVICE, O_RDWR, "vsock");
	g_autofree char *number = g_strdup_printf("%d", fd->number);
	json_t *device = device_new(virtio_driver("vhost-vsock", vsock->model), &vsock->info);
	put_uint(device, "guest-cid", vsock->cid);
	put(device, "vhostfd", number);
	put_virtio(device, &vsock->virtio);
	return place(build, device, &vsock->info, "vsock", error);
}

static gboolean add_crypto(Build *build, const Crypto *crypto, GError **error)
{
	const char *model = crypto->backend_model ? crypto->backend_model : "builtin";
	g_autofree char *id = g_strdup_printf("obj%s", crypto->info.alias);
	if (!g_str_equal(model, "builtin"))
		return unsupported(build, error,
				   "crypto/backend: model \"%s\" is not supported; use builtin", model);
	json_t *object = json_object();
	put(object, "qom-type", "cryptodev-backend-builtin");
	put(object, "id", id);
	put_uint(object, "queues", crypto->backend_queues);
	add_json(build, "-object", object);
	json_t *device = device_new("virtio-crypto-pci", &crypto->info);
	put(device, "cryptodev", id);
	put_virtio(device, &crypto->virtio);
	return place(build, device, &crypto->info, "crypto", error);
}

static gboolean add_smartcard(Build *build, const Smartcard *card, GError **error)
{
	const char *mode = card->mode ? card->mode : "host";
	gboolean pass = g_str_equal(mode, "passthrough");
	gboolean files = g_str_equal(mode, "host-certificates");
	g_autofree char *chardev = qemu_chardev_id(card->info.alias);
	if (pass && !add_chardev(build, card->info.alias,
				 enum_value(&chardev_types, card->type ? card->type : "spicevmc"),
				 &card->backend, "smartcard", "smartcard", error))
		return FALSE;
	json_t *device = device_new(pass ? "ccid-card-passthru" : "ccid-card-emulated", &card->info);
	put(device, "chardev", pass ? chardev : NULL);
	put(device, "backend", pass ? NULL : files ? "certificates" : "nss-emulated");
	for (guint i = 0; files && i < shape_len(card->certificates); i++) {
		g_autofree char *key = g_strdup_printf("cert%u", i + 1);
		put(device, key, card->certificates->pdata[i]);
	}
	if (files)
		put(device, "db", card->database ? card->database : "/etc/pki/nssdb");
	return place(build, device, &card->info, "smartcard", error);
}

#define EACH_OR_FAIL(T, list, fn)                                                                  \
	SHAPE_EACH (T, device, list)                                                               \
		if (!fn(build, device, error))                                                     \
			return FALSE

gboolean build_misc(Build *build, GError **error)
{
	const Guest *guest = build->guest;
	EACH_OR_FAIL(Smartcard, guest->smartcards, add_smartcard);
	EACH_OR_FAIL(Input, guest->inputs, add_input);
	EACH_OR_FAIL(Tpm, guest->tpms, add_tpm);
	if (!build_watchdogs(build, error) || !build_balloon(build, error))
		return FALSE;
	EACH_OR_FAIL(Rng, guest->rngs, add_rng);
	EACH_OR_FAIL(Panic, guest->panics, add_panic);
	EACH_OR_FAIL(Crypto, guest->cryptos, add_crypto);
	return build_vsock(build, error);
}
