/* What libvirt tells apart where one of our codes is one number: by the error's detail, and by where in a
 * document it is. Taken from what libvirt 9.0 answers to the calls of tests/e2e/test_net_errors.py,
 * test_storage_codes.py and test_libvirt_errors.py. Neighbours: errors.c asks; base/error.h has details. */
#include "wire/libvirt/internal.h"

enum { NO_NAME = 21, XML = 27, DETAIL = 35, AGAINST_SCHEMA = 92 }; /* virErrorNumber */
enum { FROM_NONE = 0, FROM_OWN = -1 };

#define XML_ERROR "XML error: "
#define NO_VALID "Requested operation is not valid: "
#define UNSUPPORTED "unsupported configuration: "
#define NO_SUPPORT "this function is not supported: "
#define INVALID_ARG "invalid argument: "
#define OVERFLOW "numerical overflow: "

typedef struct Told {
	LvErrorDomain speaker; /* 0: anybody */
	const char *verb;      /* how the verb's name begins; NULL: any */
	LodgeDetail detail;    /* 0: any */
	const char *where;     /* in the document, '*' for anything; NULL: anywhere */
	int number, domain;
	const char *begins; /* libvirt's words before ours */
} Told;

/* In each table the first that fits counts. This one is of whatever verb. */
static const Told anywhere[] = {
	{ 0, NULL, LODGE_DETAIL_NO_AGENT, NULL, LV_ERR_ARGUMENT_UNSUPPORTED, LV_FROM_QEMU,
	  "argument unsupported: " },
	{ 0, NULL, LODGE_DETAIL_AGENT_SILENT, NULL, LV_ERR_AGENT_UNRESPONSIVE, LV_FROM_QEMU, "" },

	{ LV_FROM_NETWORK, NULL, LODGE_DETAIL_BRIDGE_TAKEN, NULL, LV_ERR_INTERNAL, FROM_OWN,
	  "internal error: " },
	{ LV_FROM_NETWORK, NULL, LODGE_DETAIL_SUBNET_TAKEN, NULL, LV_ERR_INTERNAL, FROM_NONE,
	  "internal error: " },

#define STORAGE(detail, where) LV_FROM_STORAGE, NULL, LODGE_DETAIL_##detail, where
	{ STORAGE(SYNTAX, NULL), DETAIL, FROM_OWN, "" },
	{ STORAGE(NO_SECRET, NULL), LV_ERR_NO_SECRET, LV_FROM_SECRET, "Secret not found: " },
	{ STORAGE(TOO_LONG, NULL), LV_ERR_SYSTEM, FROM_OWN, "" },
	{ STORAGE(CHARACTER, NULL), LV_ERR_OPERATION_INVALID, FROM_OWN, NO_VALID },
	{ STORAGE(UNIT, NULL), LV_ERR_INVALID_ARG, FROM_OWN, INVALID_ARG },
	{ STORAGE(TOO_LARGE, NULL), LV_ERR_OVERFLOW, FROM_OWN, OVERFLOW },
	{ STORAGE(MISSING, "target/encryption/secret"), LV_ERR_INVALID_ARG, FROM_OWN, INVALID_ARG },
	{ STORAGE(MISSING, "target/encryption"), LV_ERR_CONFIG_UNSUPPORTED, FROM_OWN, UNSUPPORTED },
	{ STORAGE(MISSING, "source/initiator/iqn/@name"), LV_ERR_CONFIG_UNSUPPORTED, FROM_OWN, UNSUPPORTED },
	{ STORAGE(WORD, "target/encryption/secret/@type"), LV_ERR_CONFIG_UNSUPPORTED, FROM_OWN, UNSUPPORTED },
	{ STORAGE(WORD, "source/auth/@type"), LV_ERR_CONFIG_UNSUPPORTED, FROM_OWN, UNSUPPORTED },
	{ STORAGE(WORD, "source/format/@type"), LV_ERR_CONFIG_UNSUPPORTED, FROM_OWN, UNSUPPORTED },
	{ LV_FROM_STORAGE, "vol-", LODGE_DETAIL_WORD, "@type", LV_ERR_CONFIG_UNSUPPORTED, FROM_OWN,
	  UNSUPPORTED },
	{ STORAGE(NO_BACKING, NULL), LV_ERR_NO_SUPPORT, FROM_OWN, NO_SUPPORT },
	{ STORAGE(NO_SEARCH, NULL), LV_ERR_NO_SUPPORT, FROM_OWN, NO_SUPPORT },
	{ STORAGE(NO_REFLINK, NULL), LV_ERR_SYSTEM, FROM_OWN, "" },
	{ STORAGE(NO_DEVICE, NULL), LV_ERR_INVALID_ARG, FROM_OWN, INVALID_ARG },
};

/* This one is of documents that verbs take; what is nowhere in it is an XML error of the speaker's. */
static const Told documents[] = {
#define GUEST(detail, where) LV_FROM_QEMU, NULL, LODGE_DETAIL_##detail, where
	{ GUEST(SYNTAX, NULL), DETAIL, LV_FROM_DOMAIN, XML_ERROR },
	{ GUEST(ROOT, NULL), XML, LV_FROM_XML, XML_ERROR },
	{ GUEST(MISSING, "name"), NO_NAME, LV_FROM_DOMAIN, XML_ERROR },
	{ GUEST(MISSING, "*@name"), NO_NAME, LV_FROM_DOMAIN, XML_ERROR },
	{ GUEST(MISSING, "*@type"), LV_ERR_INTERNAL, LV_FROM_DOMAIN, XML_ERROR },
	{ GUEST(WORD, "@type"), LV_ERR_CONFIG_UNSUPPORTED, LV_FROM_DOMAIN, XML_ERROR },
	{ GUEST(UNIT, NULL), LV_ERR_INVALID_ARG, FROM_NONE, XML_ERROR },
	{ GUEST(UUID, NULL), LV_ERR_INTERNAL, LV_FROM_DOMAIN, XML_ERROR },
	{ GUEST(SIZE, NULL), XML, LV_FROM_XML, XML_ERROR },
	{ GUEST(WORD, NULL), XML, LV_FROM_XML, XML_ERROR },
	{ GUEST(UNKNOWN, NULL), AGAINST_SCHEMA, LV_FROM_XML, XML_ERROR },
	{ GUEST(NONE, NULL), XML, LV_FROM_DOMAIN, XML_ERROR },

#define FILTER(detail, where) LV_FROM_NWFILTER, NULL, LODGE_DETAIL_##detail, where
	{ FILTER(SYNTAX, NULL), DETAIL, FROM_OWN, XML_ERROR },
	{ FILTER(ROOT, NULL), XML, LV_FROM_XML, XML_ERROR },
	{ FILTER(UNKNOWN, NULL), AGAINST_SCHEMA, LV_FROM_XML, XML_ERROR },
	{ LV_FROM_NWFILTER, "nwfilter-define", LODGE_DETAIL_UUID, NULL, XML, FROM_OWN, XML_ERROR },
	{ FILTER(NONE, "*@priority"), LV_ERR_INVALID_ARG, FROM_OWN, XML_ERROR },
	{ FILTER(NONE, "@chain"), LV_ERR_INVALID_ARG, FROM_OWN, XML_ERROR },
	{ FILTER(WORD, NULL), LV_ERR_CONFIG_UNSUPPORTED, FROM_OWN, XML_ERROR },
	{ FILTER(LOOP, NULL), LV_ERR_OPERATION_FAILED, FROM_OWN, XML_ERROR },
	{ FILTER(NONE, NULL), LV_ERR_INTERNAL, FROM_OWN, XML_ERROR },

#define NET(detail, where) LV_FROM_NETWORK, NULL, LODGE_DETAIL_##detail, where
#define PORT(detail, where) LV_FROM_NETWORK, "net-port", LODGE_DETAIL_##detail, where
	{ NET(SYNTAX, NULL), DETAIL, FROM_OWN, XML_ERROR },
	{ LV_FROM_NETWORK, "net-update", LODGE_DETAIL_ROOT, NULL, XML, FROM_OWN, XML_ERROR },
	{ NET(ROOT, NULL), XML, LV_FROM_XML, XML_ERROR },
	{ NET(UNKNOWN, NULL), AGAINST_SCHEMA, LV_FROM_XML, XML_ERROR },
	{ NET(UUID, NULL), LV_ERR_INTERNAL, FROM_OWN, XML_ERROR },
	{ PORT(WORD, "plug/@type"), XML, LV_FROM_XML, XML_ERROR },
	{ PORT(MISSING, NULL), LV_ERR_INTERNAL, FROM_OWN, XML_ERROR },
	{ PORT(MAC, NULL), LV_ERR_INTERNAL, FROM_OWN, XML_ERROR },
	{ NET(NONE, "ip/dhcp/host"), XML, FROM_OWN, XML_ERROR },
	{ NET(NONE, "portgroup/*"), XML, FROM_OWN, XML_ERROR },
	{ NET(NONE, "portgroup"), LV_ERR_CONFIG_UNSUPPORTED, FROM_OWN, XML_ERROR },
	{ NET(ADDRESS, "dns/*"), DETAIL, FROM_OWN, XML_ERROR },
	{ NET(NONE, "dns/forwarder"), XML, FROM_OWN, XML_ERROR },
	{ NET(NONE, "dns/*"), DETAIL, FROM_OWN, XML_ERROR },
	{ NET(MISSING, "name"), NO_NAME, FROM_OWN, XML_ERROR },
	{ NET(CHARACTER, NULL), DETAIL, LV_FROM_XML, XML_ERROR },
	{ NET(WORD, "forward/@mode"), LV_ERR_CONFIG_UNSUPPORTED, FROM_OWN, XML_ERROR },
	{ NET(NONE, "ip/@prefix"), LV_ERR_CONFIG_UNSUPPORTED, FROM_OWN, XML_ERROR },
	{ NET(ADDRESS6, NULL), LV_ERR_CONFIG_UNSUPPORTED, FROM_OWN, XML_ERROR },
	{ NET(NONE, "route/@gateway"), LV_ERR_CONFIG_UNSUPPORTED, FROM_OWN, XML_ERROR },
	{ NET(NONE, "ip/@netmask"), LV_ERR_INTERNAL, FROM_NONE, XML_ERROR },
	{ NET(NONE, "ip/dhcp/range"), LV_ERR_INTERNAL, FROM_NONE, XML_ERROR },
	{ NET(NONE, "forward/nat/address"), LV_ERR_INTERNAL, FROM_NONE, XML_ERROR },
	{ NET(NONE, "vlan*"), XML, FROM_NONE, XML_ERROR },
	{ NET(MISSING, "bandwidth"), DETAIL, FROM_NONE, XML_ERROR },
	{ NET(NONE, "bandwidth*"), LV_ERR_CONFIG_UNSUPPORTED, FROM_NONE, XML_ERROR },

	{ 0, NULL, LODGE_DETAIL_SYNTAX, NULL, DETAIL, FROM_OWN, XML_ERROR },
};

static gboolean fits(const Told *row, const char *verb, const GError *error, int domain)
{
	const char *where = lodge_error_where(error);
	return (!row->speaker || (int)row->speaker == domain) &&
	       (!row->verb || (verb && g_str_has_prefix(verb, row->verb))) &&
	       (!row->detail || row->detail == lodge_error_detail(error)) &&
	       (!row->where || (where && g_pattern_match_simple(row->where, where)));
}

static const char *tell(const Told *rows, guint n, const char *verb, const GError *error, int *number,
			int *domain)
{
	for (guint i = 0; i < n; i++) {
		const Told *row = &rows[i];
		if (!fits(row, verb, error, *domain))
			continue;
		*number = row->number;
		*domain = row->domain == FROM_OWN ? *domain : row->domain;
		return row->begins;
	}
	return NULL;
}

const char *lv_tell_detail(const LvProc *proc, const GError *error, int *number, int *domain)
{
	return tell(anywhere, G_N_ELEMENTS(anywhere), proc ? proc->op : NULL, error, number, domain);
}

const char *lv_tell_document(const LvProc *proc, const GError *error, int *number, int *domain)
{
	*number = XML;
	const char *begins = tell(documents, G_N_ELEMENTS(documents), proc->op, error, number, domain);
	return begins ? begins : XML_ERROR;
}
