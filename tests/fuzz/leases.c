/* Any bytes as dnsmasq's file of leases. */
#include <stdint.h>

#include "net/leases.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GPtrArray) leases = leases_parse((const char *)data, size);
	for (guint i = 0; i < leases->len; i++) {
		const DhcpLease *lease = leases->pdata[i];
		g_assert_true(lease->ip && lease->expiry >= 0);
		g_assert_true(!lease->hostname || g_utf8_validate(lease->hostname, -1, NULL));
		g_assert_true(!lease->mac || g_utf8_validate(lease->mac, -1, NULL));
	}
	return 0;
}
