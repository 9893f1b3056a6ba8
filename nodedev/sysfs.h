/* Reading of sysfs, or of a tree that looks like it: bounded, and what is not there is simply absent.
 * A NodeTree is where it stands: "" on a host, another folder in tests. Any thread; may block.
 * Neighbours: everything else in this room. */
#pragma once

#include "base/opt.h"

#include <glib.h>

typedef struct NodeTree {
	const char *root; /* in front of /sys, /run/udev, /usr/share: "" on a host */
} NodeTree;

/* The text of the file @path and @name (may be NULL) below the tree's root, without white space around it;
 * NULL where there is none, or it is empty. At most 4 KiB. The caller frees it. */
char *sysfs_text(const NodeTree *tree, const char *path, const char *name);
/* The bytes of a file, at most @size; returns how many. */
gsize sysfs_bytes(const NodeTree *tree, const char *path, const char *name, guint8 *bytes, gsize size);
/* A number, decimal or 0x..., or with @base 16 hexadecimal without it. */
OptUint sysfs_uint(const NodeTree *tree, const char *path, const char *name, guint base);
/* A number that may be negative. */
OptInt sysfs_int(const NodeTree *tree, const char *path, const char *name);
/* The last part of what the link @path/@name points to; NULL: no link. The caller frees it. */
char *sysfs_link(const NodeTree *tree, const char *path, const char *name);
gboolean sysfs_exists(const NodeTree *tree, const char *path, const char *name);
/* Names in a folder, sorted, without . and ..; at most 65,536. Never NULL. */
GPtrArray *sysfs_names(const NodeTree *tree, const char *path, const char *name);
/* Where a link of /sys/bus or /sys/class leads to, as "/sys/devices/..."; NULL where it is none. The caller
 * frees it. */
char *sysfs_resolve(const NodeTree *tree, const char *path);
/* Writes @text to a file of sysfs; @what is for the message. */
gboolean sysfs_write(const NodeTree *tree, const char *path, const char *name, const char *text,
		     GError **error);

/* What uevent and udev's database say of a device: "DEVTYPE", "ID_SERIAL". */
typedef struct NodeProperties NodeProperties;

/* Of the device @path ("/sys/devices/..."). @udev: with udev's database. Never NULL. */
NodeProperties *node_properties(const NodeTree *tree, const char *path, gboolean udev);
const char *node_property(const NodeProperties *properties, const char *name);
/* Links in /dev that udev made for it (char *), sorted. */
const GPtrArray *node_property_links(const NodeProperties *properties);
void node_properties_free(NodeProperties *properties);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(NodeProperties, node_properties_free)
