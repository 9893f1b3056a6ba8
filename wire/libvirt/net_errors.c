/* What libvirt tells apart of wrong documents of networks, ports, filters and bindings, by our words. Taken
 * from what libvirt 9.0 answers to the calls of tests/e2e/test_net_errors.py. Neighbours: errors.c asks. */
#include "wire/libvirt/internal.h"

#include <string.h>

enum { INTERNAL = 1, INVALID_ARG = 8, FAILED = 9, NO_NAME = 21, XML = 27, DETAIL = 35, UNSUPPORTED = 67,
       AGAINST_SCHEMA = 92 }; /* virErrorNumber */
enum { FROM_NONE = 0, FROM_OWN = -1 };

/* The first that fits counts. @verb is how the verb's name begins. */
static const struct {
	const char *verb, *words;
	int number, domain;
} documents[] = {
	{ "", "not well-formed XML", DETAIL, FROM_OWN },
	{ "net-update", "the root element is", XML, FROM_OWN },
	{ "", "the root element is", XML, LV_FROM_XML },
	{ "", "is not known here", AGAINST_SCHEMA, LV_FROM_XML },
	{ "nwfilter-define", "is not a UUID", XML, FROM_OWN },
	{ "", "is not a UUID", INTERNAL, FROM_OWN },

	{ "net-port", "plug/@type", XML, LV_FROM_XML },
	{ "net-port", "is missing", INTERNAL, FROM_OWN },
	{ "net-port", "is not a MAC address", INTERNAL, FROM_OWN },

	{ "nwfilter", "@priority", INVALID_ARG, FROM_OWN },
	{ "nwfilter", "@chain", INVALID_ARG, FROM_OWN },
	{ "nwfilter", "(one of: ", UNSUPPORTED, FROM_OWN },
	{ "nwfilter", "includes itself", FAILED, FROM_OWN },
	{ "nwfilter", "", INTERNAL, FROM_OWN },

	{ "net-", "dhcp host", XML, FROM_OWN },
	{ "net-", "dns/", DETAIL, FROM_OWN },
	{ "net-", "portgroup[", XML, FROM_OWN },
	{ "net-", "@name is missing", XML, FROM_OWN },
	{ "net-", "name is missing", NO_NAME, FROM_OWN },
	{ "net-", "(byte 47) may not", DETAIL, LV_FROM_XML },
	{ "net-", "(byte 10) may not", DETAIL, LV_FROM_XML },
	{ "net-", "is not a forward mode", UNSUPPORTED, FROM_OWN },
	{ "net-", "ip/@prefix", UNSUPPORTED, FROM_OWN },
	{ "net-", "is not an IPv6 address", UNSUPPORTED, FROM_OWN },
	{ "net-", "portgroup", UNSUPPORTED, FROM_OWN },
	{ "net-", "<route>: the gateway", UNSUPPORTED, FROM_OWN },
	{ "net-", "is not a netmask", INTERNAL, FROM_NONE },
	{ "net-", "dhcp range", INTERNAL, FROM_NONE },
	{ "net-", "forward/nat/address", INTERNAL, FROM_NONE },
	{ "net-", "vlan", XML, FROM_NONE },
	{ "net-", "needs an average", DETAIL, FROM_NONE },
	{ "net-", "bandwidth/", UNSUPPORTED, FROM_NONE },
	{ "net-", "is not an IP address", DETAIL, FROM_OWN },
	{ "net-", "has no <hostname>", DETAIL, FROM_OWN },
};

/* What is taken: libvirt says where, not that. */
static const struct {
	LodgeError code;
	const char *words;
	int domain;
} clashes[] = {
	{ LODGE_ERROR_EXISTS, "bridge name '", LV_FROM_NETWORK },
	{ LODGE_ERROR_IN_USE, "the subnet ", FROM_NONE },
};

gboolean lv_tell_network_document(const char *verb, const char *message, int *number, int *domain)
{
	for (guint i = 0; i < G_N_ELEMENTS(documents); i++) {
		if (!g_str_has_prefix(verb, documents[i].verb) || !strstr(message, documents[i].words))
			continue;
		*number = documents[i].number;
		*domain = documents[i].domain == FROM_OWN ? *domain : documents[i].domain;
		return TRUE;
	}
	return FALSE;
}

gboolean lv_tell_network_clash(LodgeError code, const char *message, int *number, int *domain)
{
	for (guint i = 0; i < G_N_ELEMENTS(clashes); i++) {
		if (code != clashes[i].code || !strstr(message, clashes[i].words))
			continue;
		*number = LV_ERR_INTERNAL;
		*domain = clashes[i].domain;
		return TRUE;
	}
	return FALSE;
}
