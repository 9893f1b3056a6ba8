/* Firmware and boot: pflash, SMBIOS tables, boot menu, direct kernel boot.
 * Neighbours: build.h; machine.c names the pflash nodes; run.c makes the NVRAM file. */
#include "engine/qemu/build.h"

#include <string.h>

/* ---- pflash ---- */

static void add_pflash(Build *build, guint unit, const char *path, const char *format,
		       gboolean readonly)
{
	g_autofree char *what = g_strdup_printf("%s %s", unit ? "nvram" : "loader", path);
	g_autofree char *file = add_fdset(build, path, readonly ? O_RDONLY : O_RDWR, what);
	g_autofree char *storage = g_strdup_printf("libvirt-pflash%u-storage", unit);
	g_autofree char *top = g_strdup_printf("libvirt-pflash%u-format", unit);
	json_t *node = json_object();
	put(node, "driver", "file");
	put(node, "filename", file);
	put(node, "node-name", storage);
	put_bool(node, "read-only", readonly);
	put(node, "discard", "unmap");
	add_json(build, "-blockdev", node);
	node = json_object();
	put(node, "node-name", top);
	put_bool(node, "read-only", readonly);
	put(node, "driver", format ? format : "raw");
	put(node, "file", storage);
	add_json(build, "-blockdev", node);
}

gboolean build_firmware(Build *build, GError **error)
{
	const GuestOs *os = &build->guest->os;
	if (!os->loader) {
		if (os->firmware && g_str_equal(os->firmware, "efi"))
			return unsupported(build, error,
					   "os/@firmware='efi': no UEFI firmware was found; install "
					   "ovmf or name a <loader>");
		return TRUE;
	}
	if (g_strcmp0(os->loader_type, "pflash")) {
		g_autofree char *what = g_strdup_printf("loader %s", os->loader);
		add_option(build, "-bios", add_plain(build, os->loader, what));
		return TRUE;
	}
	add_pflash(build, 0, os->loader, os->loader_format, os->loader_readonly != TRI_NO);
	if (os->nvram)
		add_pflash(build, 1, os->nvram, os->nvram_format, FALSE);
	return TRUE;
}

/* ---- SMBIOS ---- */

static void add_smbios(Build *build, guint type, const SysinfoTable *table)
{
	g_autoptr(GString) option = g_string_new(NULL);
	if (!table || !shape_len(table->entries))
		return;
	g_string_printf(option, "type=%u", type);
	SHAPE_EACH (SysinfoEntry, entry, table->entries)
		opt_put(option, type == 11 ? "value" : entry->name, entry->value);
	add_option(build, "-smbios", g_strdup(option->str));
}

static void add_fw_cfg(Build *build, const SysinfoEntry *entry)
{
	g_autoptr(GString) option = g_string_new(NULL);
	g_autofree char *name = opt_escape(entry->name ? entry->name : "");
	g_string_printf(option, "name=%s", name);
	if (entry->file) {
		g_autofree char *what = g_strdup_printf("sysinfo/entry %s", entry->file);
		g_autofree char *file = add_plain(build, entry->file, what);
		opt_put(option, "file", file);
	} else {
		opt_put(option, "string", entry->value ? entry->value : "");
	}
	add_option(build, "-fw_cfg", g_strdup(option->str));
}

static gboolean build_sysinfo(Build *build, GError **error)
{
	const char *mode = build->guest->os.smbios_mode;
	if (mode && g_str_equal(mode, "host"))
		return unsupported(build, error,
				   "os/smbios/@mode='host': the host's tables are not given to "
				   "guests; use sysinfo");
	SHAPE_EACH (Sysinfo, info, build->guest->sysinfos) {
		if (mode && g_str_equal(mode, "sysinfo")) {
			add_smbios(build, 0, info->bios);
			add_smbios(build, 1, info->system);
			SHAPE_EACH (SysinfoTable, board, info->baseboards)
				add_smbios(build, 2, board);
			add_smbios(build, 3, info->chassis);
			add_smbios(build, 11, info->oem_strings);
		}
		SHAPE_EACH (SysinfoEntry, entry, info->fw_entries)
			add_fw_cfg(build, entry);
	}
	return TRUE;
}

/* ---- boot ---- */

static void add_boot(Build *build)
{
	const GuestOs *os = &build->guest->os;
	g_autoptr(GString) option = g_string_new("strict=on");
	opt_put_switch(option, "menu", os->bootmenu);
	if (os->bootmenu_timeout.set)
		g_string_append_printf(option, ",splash-time=%" G_GUINT64_FORMAT,
				       os->bootmenu_timeout.v);
	if (os->bios_reboot_timeout.set)
		g_string_append_printf(option, ",reboot-timeout=%" G_GINT64_FORMAT,
				       os->bios_reboot_timeout.v);
	add_option(build, "-boot", g_strdup(option->str));
}

static void add_boot_file(Build *build, const char *option, const char *path)
{
	if (!path)
		return;
	g_autofree char *what = g_strdup_printf("%s %s", option + 1, path);
	char *file = add_plain(build, path, what);
	add_option(build, option, file);
}

static void add_acpi_table(Build *build)
{
	const GuestOs *os = &build->guest->os;
	if (!os->acpi_table)
		return;
	g_autofree char *what = g_strdup_printf("ACPI table %s", os->acpi_table);
	g_autofree char *file = add_plain(build, os->acpi_table, what);
	add_option(build, "-acpitable", g_strdup_printf("sig=SLIC,file=%s", file));
}

gboolean build_boot(Build *build, GError **error)
{
	const Guest *guest = build->guest;
	const GuestOs *os = &guest->os;
	if (!build_sysinfo(build, error))
		return FALSE;
	add_boot(build);
	add_boot_file(build, "-kernel", os->kernel);
	add_boot_file(build, "-initrd", os->initrd);
	if (os->kernel && os->cmdline)
		add_option(build, "-append", g_strdup(os->cmdline));
	add_boot_file(build, "-dtb", os->dtb);
	add_acpi_table(build);
	if (guest->has_genid || guest->genid) {
		json_t *device = json_object();
		put(device, "driver", "vmgenid");
		put(device, "guid", guest->genid ? guest->genid : "auto");
		put(device, "id", "vmgenid0");
		if (!add_device(build, device, "genid", error))
			return FALSE;
	}
	if (guest->features && guest->features->vmcoreinfo == TRI_YES) {
		json_t *device = json_object();
		put(device, "driver", "vmcoreinfo");
		return add_device(build, device, "features/vmcoreinfo", error);
	}
	return TRUE;
}
