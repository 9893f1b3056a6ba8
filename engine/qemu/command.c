/* See command.h: the parts in their order. */
#include "engine/qemu/command.h"

#include <string.h>

#include "engine/qemu/build.h"

static void fd_free(gpointer data)
{
	QemuFd *fd = data;
	g_free(fd->path);
	if (fd->data)
		explicit_bzero(fd->data, strlen(fd->data));
	g_free(fd->data);
	g_free(fd->type);
	g_free(fd->what);
	g_free(fd);
}

static void json_free(gpointer json)
{
	json_decref(json);
}

static QemuCommand *command_new(void)
{
	QemuCommand *command = g_new0(QemuCommand, 1);
	command->argv = g_ptr_array_new_with_free_func(g_free);
	command->env = g_ptr_array_new_with_free_func(g_free);
	command->fds = g_ptr_array_new_with_free_func(fd_free);
	command->after_start = g_ptr_array_new_with_free_func(json_free);
	return command;
}

void qemu_command_free(QemuCommand *command)
{
	if (!command)
		return;
	g_ptr_array_unref(command->argv);
	g_ptr_array_unref(command->env);
	g_ptr_array_unref(command->fds);
	g_ptr_array_unref(command->after_start);
	g_free(command);
}

char *qemu_netdev_id(const Interface *interface)
{
	return g_strdup_printf("host%s", interface->info.alias ? interface->info.alias : "net");
}

char *qemu_chardev_id(const char *alias)
{
	return g_strdup_printf("char%s", alias ? alias : "");
}

char *qemu_channel_path(const char *run_dir, const char *alias)
{
	return g_strdup_printf("%s/%s.sock", run_dir, alias ? alias : "channel");
}

char *qemu_virtiofs_path(const char *run_dir, const char *alias)
{
	return g_strdup_printf("%s/%s-fs.sock", run_dir, alias ? alias : "fs");
}

char *qemu_reservations_path(const char *run_dir)
{
	return g_build_filename(run_dir, "pr-helper0.sock", NULL);
}

/* ---- boot order from <os><boot dev> ---- */

typedef struct BootClass {
	const char *dev; /* hd, cdrom, fd, network */
	guint index;
} BootClass;

static const char *disk_boot_class(const Disk *disk)
{
	if (disk->device == DISK_DEVICE_CDROM)
		return "cdrom";
	return disk->device == DISK_DEVICE_FLOPPY ? "fd" : "hd";
}

/* <boot dev> means the first device of its class, as libvirt has it. */
static DeviceInfo *first_of_class(Guest *guest, const char *dev)
{
	if (g_str_equal(dev, "network")) {
		SHAPE_EACH (Interface, interface, guest->interfaces)
			return &interface->info;
		return NULL;
	}
	SHAPE_EACH (Disk, disk, guest->disks)
		if (g_str_equal(disk_boot_class(disk), dev))
			return &disk->info;
	return NULL;
}

static GHashTable *boot_order(Guest *guest)
{
	GHashTable *order = g_hash_table_new(NULL, NULL);
	guint index = 1;
	SHAPE_EACH (BootDevice, boot, guest->os.boot) {
		DeviceInfo *info = first_of_class(guest, boot->dev);
		if (info && !g_hash_table_contains(order, info))
			g_hash_table_insert(order, info, GUINT_TO_POINTER(index++));
	}
	return order;
}

/* ---- parts of no other file ---- */

static void add_monitor(Build *build)
{
	QemuFd *fd = add_fd(build, QEMU_FD_MONITOR, NULL, 0, "monitor");
	add_option(build, "-chardev",
		   g_strdup_printf("socket,id=charmonitor,fd=%d,server=on,wait=off", fd->number));
	add_option(build, "-mon", g_strdup("chardev=charmonitor,id=monitor,mode=control"));
}

static gboolean build_name(Build *build, G_GNUC_UNUSED GError **error)
{
	g_autofree char *name = opt_escape(build->guest->name);
	add(build, build->setup->binary);
	add_option(build, "-name", g_strdup_printf("guest=%s,debug-threads=on", name));
	add(build, "-S");
	return TRUE;
}

/* A panic leads to a shutdown, which pauses: the daemon then does what <on_crash> says. */
static void add_actions(Build *build)
{
	const Guest *guest = build->guest;
	gboolean keep = guest->on_crash == GUEST_PRESERVE ||
			guest->on_crash == GUEST_COREDUMP_DESTROY ||
			guest->on_crash == GUEST_COREDUMP_RESTART;
	g_autoptr(GString) option = g_string_new("shutdown=pause");
	if (guest->on_reboot == GUEST_DESTROY)
		opt_put(option, "reboot", "shutdown");
	if (keep)
		opt_put(option, "panic", "pause");
	add_option(build, "-action", g_strdup(option->str));
}

static gboolean build_frame(Build *build, G_GNUC_UNUSED GError **error)
{
	gboolean locked = build->guest->memory_backing && build->guest->memory_backing->locked;
	add_option(build, "-overcommit", g_strdup_printf("mem-lock=%s", locked ? "on" : "off"));
	add_option(build, "-uuid", g_strdup(build->guest->uuid));
	add(build, "-no-user-config");
	add(build, "-nodefaults");
	add_monitor(build);
	add_actions(build);
	return TRUE;
}

static gboolean build_end(Build *build, G_GNUC_UNUSED GError **error)
{
	const QemuCommandline *more = build->guest->qemu_commandline;
	add_option(build, "-sandbox",
		   g_strdup("on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
			    "resourcecontrol=deny"));
	add_option(build, "-msg", g_strdup("timestamp=on"));
	if (!more)
		return TRUE;
	SHAPE_EACH (QemuArg, arg, more->args)
		add(build, arg->value ? arg->value : "");
	SHAPE_EACH (QemuArg, env, more->env)
		g_ptr_array_add(build->command->env,
				g_strdup_printf("%s=%s", env->name, env->value ? env->value : ""));
	return TRUE;
}

/* ---- what is decided before the first word ---- */

static gboolean has_own_devices(const Guest *guest)
{
	const QemuCommandline *more = guest->qemu_commandline;
	SHAPE_EACH (QemuArg, arg, more ? more->args : NULL)
		if (!g_strcmp0(arg->value, "-device") || !g_strcmp0(arg->value, "--device"))
			return TRUE;
	return FALSE;
}

static gboolean prepare(Build *build, GError **error)
{
	Guest *guest = build->guest;
	const QemuCaps *caps = build->setup->caps;
	const char *wanted = guest->os.machine;
	const QemuMachine *machine = caps ? qemu_caps_machine(caps, wanted) : NULL;
	if (caps && !machine)
		return unsupported(build, error,
				   "os/type/@machine: this QEMU (%s) does not know machine type "
				   "\"%s\"; use \"q35\" or \"pc\"", caps->binary, wanted);
	build->machine = machine ? machine->name : wanted;
	if (!build->machine)
		return invalid(build, error, "os/type/@machine is missing");
	build->q35 = g_str_has_prefix(build->machine, "pc-q35") ||
		     g_str_equal(build->machine, "q35");
	build->plain = has_own_devices(guest);
	build->shared = guest_memory_shared(guest);
	build->boot = boot_order(guest);
	return TRUE;
}

static gboolean build_all(Build *build, GError **error)
{
	static gboolean (*const parts[])(Build *, GError **) = {
		build_name,	   build_firmware,    build_machine, build_cpu,
		build_memory,	   build_frame,	      build_clock,   build_boot,
		build_iommu,	   build_controllers, build_hubs,    build_ccids,      build_disks,
		build_filesystems, build_interfaces,  build_chardevs, build_audios,
		build_graphics,	   build_videos,      build_sounds,  build_hostdevs,
		build_shmems,	   build_memories,    build_misc,	      build_end,
	};
	for (guint i = 0; i < G_N_ELEMENTS(parts); i++)
		if (!parts[i](build, error))
			return FALSE;
	return TRUE;
}

QemuCommand *qemu_command_new(Guest *live, const QemuSetup *setup, Notes *notes, GError **error)
{
	g_autoptr(QemuCommand) command = command_new();
	Build build = { .guest = live, .setup = setup, .command = command, .notes = notes };
	gboolean ok = prepare(&build, error) && build_all(&build, error);
	g_clear_pointer(&build.boot, g_hash_table_unref);
	if (!ok)
		return NULL;
	g_ptr_array_add(command->argv, NULL);
	g_ptr_array_add(command->env, NULL);
	return g_steal_pointer(&command);
}
