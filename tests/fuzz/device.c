/* What devices say of themselves: a card's vital product data, and news from a netlink socket. */
#include <stdint.h>
#include <string.h>

#include "nodedev/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void product_data(const uint8_t *data, size_t size)
{
	g_autoptr(NodeDevice) device = node_device_new(NODE_PCI);
	gboolean ok = vpd_read(data, size, device);
	g_assert_true(ok == (device->capability->caps != NULL));
	g_autofree char *xml = shape_to_xml(&node_device_shape, "device", device, 0);
	g_assert_true(g_utf8_validate(xml, -1, NULL));
}

static void news(const uint8_t *data, size_t size)
{
	Uevent event;
	if (!uevent_parse((const char *)data, size, &event))
		return;
	g_assert_true(event.action && g_str_has_prefix(event.path, "/sys/"));
	g_assert_true(!event.old_path || g_str_has_prefix(event.old_path, "/sys/"));
	uevent_clear(&event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* a copy of just that size: what reads beyond it is found */
	g_autofree uint8_t *copy = g_memdup2(data, size);
	if (copy) {
		product_data(copy, size);
		news(copy, size);
	}
	return 0;
}
