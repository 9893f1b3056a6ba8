/* The machine: type, accelerator, and what is set for the whole board.
 * Neighbours: build.h; cpu.c, memory.c, boot.c and clock.c write the rest of the board. */
#include "engine/qemu/build.h"

#include <string.h>

static const Timer *timer_named(const Guest *guest, const char *name)
{
	SHAPE_EACH (Timer, timer, guest->clock ? guest->clock->timers : NULL)
		if (!g_strcmp0(timer->name, name))
			return timer;
	return NULL;
}

static void put_timer(GString *option, const Guest *guest, const char *name)
{
	const Timer *timer = timer_named(guest, name);
	if (timer)
		opt_put_switch(option, name, timer->present);
}

static gboolean has_module(const Guest *guest, const char *model)
{
	SHAPE_EACH (MemoryModule, module, guest->memories)
		if (!g_strcmp0(module->model, model))
			return TRUE;
	return FALSE;
}

static gboolean has_pcspk(const Guest *guest)
{
	SHAPE_EACH (Sound, sound, guest->sounds)
		if (!g_strcmp0(sound->model, "pcspk"))
			return TRUE;
	return FALSE;
}

static gboolean needs_split_irqchip(const Guest *guest)
{
	const GuestFeatures *features = guest->features;
	if (features && !g_strcmp0(features->ioapic_driver, "qemu"))
		return TRUE;
	return guest->iommu && (guest->iommu->intremap == TRI_YES || guest->iommu->eim == TRI_YES);
}

static void put_features(Build *build, GString *option)
{
	const Guest *guest = build->guest;
	const GuestFeatures *features = guest->features;
	if (!features || !features->acpi)
		opt_put(option, "acpi", "off");
	if (features) {
		opt_put_switch(option, "vmport", features->vmport);
		opt_put_switch(option, "smm", features->smm);
	}
	if (guest->os.loader_secure == TRI_YES && !(features && features->smm != TRI_ABSENT))
		opt_put(option, "smm", "on");
	if (build->setup->kvm && needs_split_irqchip(guest))
		opt_put(option, "kernel-irqchip", "split");
}

static void add_machine(Build *build)
{
	const Guest *guest = build->guest;
	g_autoptr(GString) option = g_string_new(build->machine);
	opt_put(option, "usb", "off");
	put_features(build, option);
	opt_put(option, "dump-guest-core", guest->dump_core == TRI_YES ? "on" : "off");
	if (guest->memory_backing && guest->memory_backing->nosharepages)
		opt_put(option, "mem-merge", "off");
	if (has_module(guest, "nvdimm"))
		opt_put(option, "nvdimm", "on");
	put_timer(option, guest, "hpet");
	put_timer(option, guest, "pit");
	if (guest->os.bios_useserial == TRI_YES)
		opt_put(option, "graphics", "off");
	if (!g_strcmp0(guest->os.loader_type, "pflash")) {
		opt_put(option, "pflash0", "libvirt-pflash0-format");
		if (guest->os.nvram)
			opt_put(option, "pflash1", "libvirt-pflash1-format");
	}
	if (has_pcspk(guest))
		opt_put(option, "pcspk-audiodev", "audio1");
	if (!guest_has_cells(guest))
		opt_put(option, "memory-backend", "pc.ram");
	if (guest->launch_security)
		opt_put(option, "confidential-guest-support", LAUNCH_OBJECT);
	add_option(build, "-machine", g_strdup(option->str));
}

static void add_accel(Build *build)
{
	const GuestFeatures *features = build->guest->features;
	g_autoptr(GString) option = g_string_new(build->setup->kvm ? "kvm" : "tcg");
	if (features && build->setup->kvm && features->kvm_dirty_ring == TRI_YES)
		g_string_append_printf(option, ",dirty-ring-size=%" G_GUINT64_FORMAT,
				       opt_uint_or(features->kvm_dirty_ring_size, 4096));
	if (features && !build->setup->kvm && features->tcg_tb_cache_size.set)
		g_string_append_printf(option, ",tb-size=%" G_GUINT64_FORMAT,
				       features->tcg_tb_cache_size.v >> 20);
	add_option(build, "-accel", g_strdup(option->str));
}

static void add_global(Build *build, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void add_global(Build *build, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add_option(build, "-global", g_strdup_vprintf(format, args));
	va_end(args);
}

static void add_sleep(Build *build, const char *what, Tri enabled)
{
	if (enabled != TRI_ABSENT)
		add_global(build, "%s.disable_%s=%d", build->q35 ? "ICH9-LPC" : "PIIX4_PM", what,
			   enabled == TRI_NO);
}

static void add_pci_hole(Build *build)
{
	SHAPE_EACH (Controller, controller, build->guest->controllers)
		if (controller->type == CONTROLLER_PCI && !opt_uint_or(controller->index, 0) &&
		    controller->pcihole64.set)
			add_global(build, "%s-pcihost.pci-hole64-size=%" G_GUINT64_FORMAT "K",
				   build->q35 ? "q35" : "i440FX",
				   controller->pcihole64.v >> 10);
}

static gboolean check_features(const Build *build, GError **error)
{
	const GuestFeatures *features = build->guest->features;
	if (features && features->smm == TRI_YES && !build->q35)
		return unsupported(build, error, "features/smm needs machine type q35");
	if (build->guest->os.loader_secure == TRI_YES && !build->q35)
		return unsupported(build, error,
				   "os/loader/@secure: secure boot needs machine type q35");
	return TRUE;
}

gboolean build_machine(Build *build, GError **error)
{
	const Guest *guest = build->guest;
	const GuestFeatures *features = guest->features;
	if (!check_features(build, error) || !build_launch(build, error))
		return FALSE;
	add_machine(build);
	add_accel(build);
	add_sleep(build, "s3", guest->suspend_to_mem);
	add_sleep(build, "s4", guest->suspend_to_disk);
	if (guest->os.loader_secure == TRI_YES)
		add_global(build, "driver=cfi.pflash01,property=secure,value=on");
	if (features && features->smm_tseg.set)
		add_global(build, "mch.extended-tseg-mbytes=%" G_GUINT64_FORMAT,
			   features->smm_tseg.v >> 20);
	add_pci_hole(build);
	return TRUE;
}
