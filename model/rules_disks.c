/* See rules.h. Here: disks and what shares their buses. */
#include <string.h>

#include "model/rules.h"

/* ---- disks ---- */

/* "vdb1": the guest makes partitions, the host gives whole disks. */
static gboolean is_partition(const char *target)
{
	static const char *const prefixes[] = { "fd", "hd", "vd", "sd", "xvd", "ubd" };
	gsize digits = strcspn(target, "0123456789");
	if (!target[digits] || target[digits + strspn(target + digits, "0123456789")])
		return FALSE;
	for (guint i = 0; i < G_N_ELEMENTS(prefixes); i++)
		if (g_str_has_prefix(target, prefixes[i]) && digits > strlen(prefixes[i]))
			return TRUE;
	return FALSE;
}

static gboolean check_names(const Guest *guest, GError **error)
{
	SHAPE_EACH (Disk, disk, guest->disks) {
		if (disk->target && is_partition(disk->target))
			return guest_refuse(guest, "disk", disk, error, LODGE_ERROR_UNSUPPORTED,
					    "its target names a partition: leave the digits out");
		if ((disk->vendor || disk->product) && disk->bus && disk->bus != DISK_BUS_SCSI)
			return guest_refuse(guest, "disk", disk, error, LODGE_ERROR_UNSUPPORTED,
					    "only disks on bus scsi tell a vendor and a product");
	}
	return TRUE;
}

static gboolean check_addresses(const Guest *guest, GError **error)
{
	SHAPE_EACH (Disk, disk, guest->disks) {
		const Address *address = disk->info.address;
		if (address && disk->bus == DISK_BUS_USB && address->type != ADDRESS_USB)
			return guest_refuse(guest, "disk", disk, error, LODGE_ERROR_INVALID,
					    "a disk on bus usb has an address of type usb: remove "
					    "the <address>");
	}
	return TRUE;
}

static gboolean check_sharing(const Guest *guest, GError **error)
{
	SHAPE_EACH (Disk, disk, guest->disks)
		if (disk->shareable && disk->driver_type && disk->driver_type != DISK_FORMAT_RAW)
			return guest_refuse(guest, "disk", disk, error, LODGE_ERROR_UNSUPPORTED,
					    "guests cannot share an image of format %s: only raw",
					    enum_name(&disk_formats, disk->driver_type));
	return TRUE;
}

/* ---- passwords and keys ---- */

/* The kind of secret that a server's login takes. */
static gboolean check_auth(const Guest *guest, GError **error)
{
	static const struct {
		const char *protocol, *type;
	} kinds[] = { { "iscsi", "iscsi" }, { "rbd", "ceph" } };
	SHAPE_EACH (Disk, disk, guest->disks) {
		const DiskSource *source = disk->source;
		if (disk->auth && source && source->auth)
			return guest_refuse(
				guest, "disk", disk, error, LODGE_ERROR_UNSUPPORTED,
				"<auth> stands in the disk and in its source: remove one");
		const DiskAuth *auth = disk->auth ? disk->auth : source ? source->auth : NULL;
		for (guint i = 0; auth && auth->secret && i < G_N_ELEMENTS(kinds); i++)
			if (!g_strcmp0(source ? source->protocol : NULL, kinds[i].protocol) &&
			    g_strcmp0(auth->secret->type, kinds[i].type))
				return guest_refuse(
					guest, "disk", disk, error, LODGE_ERROR_UNSUPPORTED,
					"protocol %s takes a secret of type=\"%s\", not \"%s\"",
					kinds[i].protocol, kinds[i].type,
					auth->secret->type ? auth->secret->type : "");
	}
	return TRUE;
}

static gboolean check_encryption(const Guest *guest, GError **error)
{
	SHAPE_EACH (Disk, disk, guest->disks) {
		const DiskEncryption *inner = disk->source ? disk->source->encryption : NULL;
		if (disk->encryption && inner)
			return guest_refuse(
				guest, "disk", disk, error, LODGE_ERROR_UNSUPPORTED,
				"<encryption> stands in the disk and in its source: remove one");
		const DiskEncryption *used = disk->encryption ? disk->encryption : inner;
		if (used && g_strcmp0(used->engine, "librbd") && disk->driver_type &&
		    disk->driver_type != DISK_FORMAT_RAW && disk->driver_type != DISK_FORMAT_QCOW2)
			return guest_refuse(
				guest, "disk", disk, error, LODGE_ERROR_UNSUPPORTED,
				"images of format %s are not encrypted: only raw and qcow2",
				enum_name(&disk_formats, disk->driver_type));
	}
	return TRUE;
}

/* ---- places on SCSI buses ---- */

static char *place_of(const Address *a)
{
	return g_strdup_printf("%u:%u:%u:%u", (guint)opt_uint_or(a->controller, 0),
			       (guint)opt_uint_or(a->bus, 0), (guint)opt_uint_or(a->target, 0),
			       (guint)opt_uint_or(a->unit, 0));
}

/* The places of disks: as they say, or those their names stand for (libvirt gives sda unit 0, sdb
 * 1). */
static GHashTable *disk_places(const Guest *guest)
{
	GHashTable *places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	SHAPE_EACH (Disk, disk, guest->disks) {
		int index = disk->target ? disk_index(disk->target) : -1;
		if (disk->bus != DISK_BUS_SCSI)
			continue;
		if (disk->info.address && disk->info.address->type == ADDRESS_DRIVE)
			g_hash_table_insert(places, place_of(disk->info.address), disk);
		else if (index >= 0)
			g_hash_table_insert(
				places, g_strdup_printf("%d:0:0:%d", index / 7, index % 7), disk);
	}
	return places;
}

static gboolean check_scsi_places(const Guest *guest, GError **error)
{
	g_autoptr(GHashTable) disks = disk_places(guest);
	g_autoptr(GHashTable) hosts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	SHAPE_EACH (Hostdev, host, guest->hostdevs) {
		const Address *address = host->info.address;
		if (host->type != HOSTDEV_SCSI || !address || address->type != ADDRESS_DRIVE)
			continue;
		char *place = place_of(address);
		const Disk *disk = g_hash_table_lookup(disks, place);
		gboolean taken = !g_hash_table_insert(hosts, place, host);
		if (disk || taken)
			return guest_refuse(
				guest, "hostdev", host, error, LODGE_ERROR_UNSUPPORTED,
				"its place on the SCSI bus is that of %s %s: change its <address>",
				disk ? "disk" : "another", disk ? disk->target : "host device");
	}
	return TRUE;
}

static const GuestRule rules[] = {
	check_names, check_addresses,  check_sharing,
	check_auth,  check_encryption, check_scsi_places,
};
const GuestRules guest_rules_disks = { rules, G_N_ELEMENTS(rules) };
