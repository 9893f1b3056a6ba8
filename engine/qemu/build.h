/* What the files that write parts of QEMU's command line share: the command under construction, and
 * the few ways of adding to it. A device, a node or an object is one JSON object, the same that QMP
 * would take for it.
 *
 * Neighbours: command.c calls the parts in their order; the rest of this folder are the parts. */
#pragma once

#include <fcntl.h>

#include "base/error.h"
#include "engine/qemu/command.h"

typedef struct Build {
	Guest *guest;
	const QemuSetup *setup;
	QemuCommand *command;
	Notes *notes;
	gboolean q35;	     /* machine type of the q35 family */
	gboolean plain;	     /* -device without JSON, see add_device() */
	gboolean shared;     /* guest memory must be visible to helper processes */
	const char *machine; /* resolved name */
	guint64 next_node;
	int n_sets;
	GHashTable *boot; /* DeviceInfo * -> bootindex, from <os><boot dev> */
	guint reservations; /* disks that use the helper of the guest's own */
	const char *audio; /* id of the first audio backend, or NULL */
} Build;

/* ---- build.c: words ---- */

void add(Build *build, const char *word);
/* Two words; @value is stolen. */
void add_option(Build *build, const char *option, char *value);
/* Two words, the second is @json, stolen. */
void add_json(Build *build, const char *option, json_t *json);
/* A command for after_start; @arguments is stolen. */
void add_after_start(Build *build, const char *execute, json_t *arguments);

/* "key=value," words for options without JSON: appends ",key=value" with commas doubled; nothing where
 * @value is NULL. */
void opt_put(GString *option, const char *key, const char *value);
void opt_put_switch(GString *option, const char *key, Tri value);
/* @text with commas doubled; the caller frees it. */
char *opt_escape(const char *text);

/* ---- build.c: JSON ---- */

/* Members that are absent (NULL, not set) are left out. */
void put(json_t *json, const char *key, const char *value);
void put_tri(json_t *json, const char *key, Tri value);    /* true or false */
void put_switch(json_t *json, const char *key, Tri value); /* "on" or "off" */
void put_uint(json_t *json, const char *key, OptUint value);
void put_int(json_t *json, const char *key, gint64 value);
void put_bool(json_t *json, const char *key, gboolean value);

/* Rows that carry members of a device's struct over to properties of QEMU's. */
typedef enum PropKind { PROP_STRING, PROP_TRI, PROP_SWITCH, PROP_UINT } PropKind;
typedef struct PropRow {
	const char *key;
	PropKind kind;
	size_t offset;
} PropRow;
#define PROP(T, member, key_, kind_) { .key = (key_), .kind = (kind_), .offset = offsetof(T, member) }
void put_rows(json_t *json, const PropRow *rows, guint n, gconstpointer object);

/* Rows that say which device of QEMU's a model of ours is. */
typedef struct NameRow {
	const char *name, *device;
} NameRow;
const char *name_lookup(const NameRow *rows, guint n, const char *name);

/* ---- build.c: files ---- */

/* Adds a fd and returns it (owned by the command); @path and @what are copied. */
QemuFd *add_fd(Build *build, QemuFdKind kind, const char *path, int flags, const char *what);
/* A fd that QEMU finds as "/dev/fdset/N", which is returned; the caller frees it. */
char *add_fdset(Build *build, const char *path, int flags, const char *what);
/* The same of an image that is made for the disk of @path. */
char *add_scratch(Build *build, const char *path, const char *what);
/* The same of the descriptors of @group, in one set: QEMU takes the one that it may write or read. */
char *add_given(Build *build, const char *group, const EngineFdGroup *given, const char *what);
/* A fd that QEMU opens again as "/dev/fd/N"; the caller frees it. */
char *add_plain(Build *build, const char *path, const char *what);
/* A secret object @id (copied) with the secret that @ref names. */
gboolean add_secret(Build *build, const char *id, const SecretRef *ref, const char *what,
		    GError **error);
/* The same with @text (copied) for its content: nothing of it stands on the command line. */
void add_secret_text(Build *build, const char *id, const char *text, const char *what);

/* ---- build.c: devices ---- */

/* {"driver": driver, "id": alias}. */
json_t *device_new(const char *driver, const DeviceInfo *info);
/* Adds "-device"; @device is stolen. UNSUPPORTED where the binary lacks it: @what names the element. */
gboolean add_device(Build *build, json_t *device, const char *what, GError **error);
/* Bus and place from the address, ROM, boot index and ACPI index. An absent address leaves the
 * place to QEMU. */
gboolean put_place(Build *build, json_t *device, const DeviceInfo *info, GError **error);
/* Its place in the boot order; not set: none. */
OptUint boot_index(const Build *build, const DeviceInfo *info);
void put_virtio(json_t *device, const VirtioOptions *options);
/* "virtio-blk" and a model of "virtio-transitional" make "virtio-blk-pci-transitional"; static or
 * interned. */
const char *virtio_driver(const char *stem, const char *model);
/* device_new() + put_place() + add_device() for devices without anything else. */
gboolean add_simple(Build *build, const char *driver, const DeviceInfo *info, const char *what,
		    GError **error);
/* The alias of the controller of @type with @index, or NULL. */
const char *controller_alias(const Build *build, ControllerType type, guint64 index);
/* fail() with UNSUPPORTED and "guest X: " in front. */
gboolean unsupported(const Build *build, GError **error, const char *format, ...)
	G_GNUC_PRINTF(3, 4);
gboolean invalid(const Build *build, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* ---- parts, in the order of the command line ---- */

#define LAUNCH_OBJECT "lsec0"
gboolean build_launch(Build *build, GError **error);	 /* sev.c: the object that protects memory */
gboolean build_machine(Build *build, GError **error);	 /* machine.c: -machine, -accel, globals */
gboolean build_cpu(Build *build, GError **error);	 /* cpu.c */
gboolean build_memory(Build *build, GError **error);	 /* memory.c: -m, objects, -numa, -smp */
gboolean build_firmware(Build *build, GError **error);	 /* boot.c: before -machine: pflash nodes */
gboolean build_boot(Build *build, GError **error);	 /* boot.c: -smbios, -boot, -kernel */
gboolean build_clock(Build *build, GError **error);	 /* clock.c: -rtc and timers */
gboolean build_iommu(Build *build, GError **error);	 /* misc.c: must stand before PCI devices */
gboolean build_controllers(Build *build, GError **error); /* controller.c */
gboolean build_hubs(Build *build, GError **error);	 /* misc.c */
gboolean build_ccids(Build *build, GError **error);	 /* controller.c: card readers, after hubs */
gboolean build_disks(Build *build, GError **error);	 /* disk.c */
gboolean build_filesystems(Build *build, GError **error); /* share.c */
gboolean build_interfaces(Build *build, GError **error); /* interface.c */
gboolean build_chardevs(Build *build, GError **error);	 /* chardev.c: serial .. channel */
gboolean build_graphics(Build *build, GError **error);	 /* graphics.c */
gboolean build_audios(Build *build, GError **error);	 /* sound.c: before graphics */
gboolean build_sounds(Build *build, GError **error);	 /* sound.c */
gboolean build_videos(Build *build, GError **error);	 /* video.c */
gboolean build_hostdevs(Build *build, GError **error);	 /* hostdev.c */
gboolean build_shmems(Build *build, GError **error);	 /* share.c */
gboolean build_memories(Build *build, GError **error);	 /* memory.c: modules */
gboolean build_misc(Build *build, GError **error);	 /* misc.c: input, balloon, rng, tpm, ... */

/* ---- shared by parts ---- */

/* block.c: nodes of a disk's data, from the bottom of the chain up; nothing for an empty drive. */
gboolean build_disk_nodes(Build *build, Disk *disk, GError **error);
/* chardev.c: "-chardev" for a backend; its id is qemu_chardev_id(alias). @name is what a spice channel
 * is called. */
gboolean add_chardev(Build *build, const char *alias, ChardevType type, const ChardevBackend *backend,
		     const char *name, const char *what, GError **error);
/* memory.c: whether <memoryBacking> or a helper wants shared memory. */
gboolean guest_memory_shared(const Guest *guest);
/* cpu.c: whether the machine gets a memory backend for all its memory (no NUMA cells). */
gboolean guest_has_cells(const Guest *guest);
