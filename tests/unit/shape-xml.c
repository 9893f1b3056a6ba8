/* XML by rows: what no row knows is kept in its place, what is wrong is refused with its place, and
 * nothing from outside makes the reader do more than read. */
#include "base/error.h"
#include "model/guest.h"

#include <string.h>

#define MINIMAL "<name>x</name><memory>1024</memory>"

static char *refused(const char *xml, gssize length)
{
	g_autoptr(GError) error = NULL;
	g_auto(Notes) notes = { 0 };
	g_autoptr(Guest) guest = guest_from_xml(xml, length, "x.xml", &notes, &error);
	g_assert_null(guest);
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INVALID);
	g_assert_true(g_str_has_prefix(error->message, "x.xml: "));
	g_assert_true(g_utf8_validate(error->message, -1, NULL));
	return g_strdup(error->message);
}

/* Documents that must be refused, and what the message must contain. */
static const struct {
	const char *name, *xml, *message;
} wrong[] = {
	{ "empty", "", "not well-formed" },
	{ "space", "  \n ", "not well-formed" },
	{ "text", "hello", "not well-formed" },
	{ "unclosed", "<domain type='kvm'><name>x", "not well-formed" },
	{ "crossed", "<domain type='kvm'><name></domain></name>", "line 1: not well-formed" },
	{ "two-roots", "<domain/><domain/>", "not well-formed" },
	{ "twice", "<domain type='kvm' type='kvm'/>", "not well-formed" },
	{ "root", "<network><name>x</name></network>", "<network>, not <domain>" },
	{ "doctype", "<!DOCTYPE domain><domain type='kvm'>" MINIMAL "</domain>", "DOCTYPE" },
	{ "external", "<!DOCTYPE d SYSTEM 'file:///etc/passwd'><domain/>", "DOCTYPE" },
	{ "entity", "<!DOCTYPE d [<!ENTITY a 'b'>]><domain type='kvm'><name>&a;</name></domain>",
	  "DOCTYPE" },
	{ "file-entity",
	  "<!DOCTYPE d [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><domain><name>&a;</name></domain>",
	  "DOCTYPE" },
	{ "unknown-entity", "<domain type='kvm'><name>&nothing;</name></domain>", "nothing" },
	{ "prefix", "<domain type='kvm'><q:a/></domain>", "q" },
	{ "control", "<domain type='kvm'><name>a\x01</name></domain>", "not well-formed" },
	{ "control-reference", "<domain type='kvm'><name>a&#1;</name></domain>", "not well-formed" },
	{ "utf-8", "<domain type='kvm'><name>\xff\xfe</name></domain>", "not well-formed" },
	{ "cut-utf-8", "<domain type='kvm'><name>\xc3</name></domain>", "not well-formed" },
	{ "no-type", "<domain>" MINIMAL "</domain>", "@type is missing" },
	{ "bad-type", "<domain type='kvn'>" MINIMAL "</domain>", "\"kvn\" is not a type of guest" },
	{ "no-name", "<domain type='kvm'><memory>1</memory></domain>", "name is missing" },
	{ "slash", "<domain type='kvm'><name>../x</name><memory>1</memory></domain>", "slash" },
	{ "no-memory", "<domain type='kvm'><name>x</name></domain>", "memory is missing" },
	{ "bad-memory", "<domain type='kvm'><name>x</name>\n<memory>much</memory></domain>",
	  "memory, line 2: \"much\"" },
	{ "bad-unit", "<domain type='kvm'><name>x</name><memory unit='PIB8'>1</memory></domain>",
	  "PIB8" },
	{ "overflow",
	  "<domain type='kvm'><name>x</name><memory unit='EiB'>99999999</memory></domain>", "memory" },
	{ "negative", "<domain type='kvm'><name>x</name><memory>-5</memory></domain>", "-5" },
	{ "bad-uuid", "<domain type='kvm'>" MINIMAL "<uuid>1234</uuid></domain>", "1234" },
	{ "vcpu-0", "<domain type='kvm'>" MINIMAL "<vcpu>0</vcpu></domain>", "vcpu" },
	{ "vcpu-many", "<domain type='kvm'>" MINIMAL "<vcpu>70000</vcpu></domain>", "70000" },
	{ "vcpu-current", "<domain type='kvm'>" MINIMAL "<vcpu current='4'>2</vcpu></domain>",
	  "more than the 2" },
	{ "bad-mac",
	  "<domain type='kvm'>" MINIMAL "<devices>\n<interface type='user'>\n<mac "
	  "address='52:54:00:04:63:6'/></interface></devices></domain>",
	  "devices/interface[1]/mac/@address, line 3: \"52:54:00:04:63:6\"" },
	{ "bad-slot",
	  "<domain type='kvm'>" MINIMAL "<devices><interface type='user'>\n"
	  "<address type='pci' slot='0x20'/></interface></devices></domain>",
	  "devices/interface[1]/address/@slot, line 2" },
};

static void test_wrong(gconstpointer data)
{
	guint i = GPOINTER_TO_UINT(data);
	g_autofree char *message = refused(wrong[i].xml, -1);
	if (!strstr(message, wrong[i].message))
		g_error("%s: \"%s\" does not say \"%s\"", wrong[i].name, message, wrong[i].message);
}

static void test_nul(void)
{
	static const char xml[] = "<domain type='kvm'>\0<name>x</name></domain>";
	g_autofree char *message = refused(xml, sizeof(xml) - 1);
	g_assert_nonnull(strstr(message, "not well-formed"));
}

static char *repeat(const char *head, const char *part, guint n, const char *tail)
{
	GString *text = g_string_new(head);
	for (guint i = 0; i < n; i++)
		g_string_append(text, part);
	g_string_append(text, tail);
	return g_string_free(text, FALSE);
}

static void test_huge(void)
{
	g_autofree char *xml = repeat("<domain type='kvm'>" MINIMAL "<title>", "aaaaaaaa",
				      4 * 1024 * 1024 / 8, "</title></domain>");
	g_autofree char *message = refused(xml, -1);
	g_assert_nonnull(strstr(message, "larger than 4 MiB"));
}

static void test_deep(void)
{
	g_autofree char *xml = repeat("<domain type='kvm'>", "<a>", 100000, "");
	g_autofree char *message = refused(xml, -1);
	g_assert_nonnull(strstr(message, "line 1"));
	g_autofree char *backing = repeat("<domain type='kvm'>" MINIMAL "<devices><disk>",
					  "<backingStore type='file'>", 1000, "");
	g_autofree char *again = refused(backing, -1);
	g_assert_nonnull(strstr(again, "x.xml"));
}

/* Many small elements: the time stays proportional to the length. */
static void test_many(void)
{
	g_autofree char *xml = repeat("<domain type='kvm'>" MINIMAL "<devices>",
				      "<unknown a='1'/><input type='tablet'/>", 50000,
				      "</devices></domain>");
	g_autoptr(GError) error = NULL;
	gint64 start = g_get_monotonic_time();
	g_autoptr(Guest) guest = guest_from_xml(xml, -1, NULL, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(shape_len(guest->inputs), ==, 50000);
	g_autofree char *printed = guest_to_xml(guest, 0);
	g_assert_nonnull(strstr(printed, "<unknown a=\"1\"/>"));
	g_assert_cmpint(g_get_monotonic_time() - start, <, 60 * G_USEC_PER_SEC);
}

/* ---- what is kept ---- */

static char *round_trip(const char *inside)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *xml =
		g_strdup_printf("<domain type='kvm' xmlns:z='urn:z'>" MINIMAL "%s</domain>", inside);
	g_autoptr(Guest) guest = guest_from_xml(xml, -1, NULL, NULL, &error);
	g_assert_no_error(error);
	char *printed = guest_to_xml(guest, SHAPE_XML_SECRETS);
	g_autoptr(Guest) again = guest_from_xml(printed, -1, NULL, NULL, &error);
	g_assert_no_error(error);
	g_autofree char *twice = guest_to_xml(again, SHAPE_XML_SECRETS);
	g_assert_cmpstr(printed, ==, twice);
	return printed;
}

static const struct {
	const char *name, *inside, *wanted;
} kept[] = {
	{ "element", "<new-thing a='1'><b>text</b></new-thing>", "<new-thing a=\"1\"><b>text</b>" },
	{ "attribute", "<clock offset='utc' future='yes'/>", "<clock offset='utc' future='yes'/>" },
	{ "in-device", "<devices><rng model='virtio' x='y'><backend model='random'/><more/></rng>"
	  "</devices>", "<more/>" },
	{ "deep", "<features><acpi/><kvm><new state='on'/></kvm></features>", "<new state=\"on\"/>" },
	{ "namespace", "<z:extra z:a='1'/>", "z:extra" },
	{ "metadata", "<metadata><a:b xmlns:a='urn:a'>x &amp; y</a:b></metadata>",
	  "<a:b xmlns:a=\"urn:a\">x &amp; y</a:b>" },
	{ "cdata", "<title><![CDATA[a < b & c]]></title>", "<title>a &lt; b &amp; c</title>" },
	{ "entities", "<title>&lt;&amp;&gt;&quot;&apos;&#233;&#x20AC;</title>",
	  "<title>&lt;&amp;&gt;&quot;&apos;\xc3\xa9\xe2\x82\xac</title>" },
	{ "comment", "<title>a<!-- no -->b</title>", "<title>ab</title>" },
	{ "unit", "<currentMemory unit='GB'>1</currentMemory>",
	  "<currentMemory unit='KiB'>976563</currentMemory>" },
	{ "qemu", "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
	  "<qemu:arg value='-x'/><qemu:env name='A' value=''/></qemu:commandline>",
	  "<qemu:env name='A' value=''/>" },
	{ "other-prefix", "<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>"
	  "<q:arg value='-x'/></q:commandline>", "<qemu:arg value='-x'/>" },
};

static void test_kept(gconstpointer data)
{
	guint i = GPOINTER_TO_UINT(data);
	g_autofree char *printed = round_trip(kept[i].inside);
	if (!strstr(printed, kept[i].wanted))
		g_error("%s: \"%s\" is not in:\n%s", kept[i].name, kept[i].wanted, printed);
}

/* Unknown elements stay between the neighbours that they had. */
static void test_order(void)
{
	g_autofree char *printed = round_trip("<vcpu>1</vcpu><after-vcpu/><os><type>hvm</type>"
					      "<after-type/></os><after-os/>");
	const char *const order[] = { "<vcpu", "<after-vcpu", "<type", "<after-type", "<after-os" };
	const char *at = printed;
	for (guint i = 0; i < G_N_ELEMENTS(order); i++) {
		at = strstr(at, order[i]);
		g_assert_nonnull(at);
	}
}

static void test_stray_text(void)
{
	g_autoptr(GError) error = NULL;
	g_auto(Notes) notes = { 0 };
	g_autoptr(Guest) guest = guest_from_xml(
		"<domain type='kvm'>" MINIMAL "<devices>oops</devices></domain>", -1, NULL, &notes,
		&error);
	g_assert_no_error(error);
	g_assert_cmpuint(notes_count(&notes), ==, 1);
	g_assert_nonnull(strstr(notes_get(&notes, 0), "oops"));
}

/* A password is printed only to those who ask for secrets. */
static void test_secret(void)
{
	g_autoptr(Guest) guest = guest_from_xml(
		"<domain type='kvm'>" MINIMAL "<devices><graphics type='vnc' passwd='geheim'/>"
		"</devices></domain>", -1, NULL, NULL, NULL);
	g_autofree char *plain = guest_to_xml(guest, 0);
	g_autofree char *secret = guest_to_xml(guest, SHAPE_XML_SECRETS);
	g_assert_null(strstr(plain, "geheim"));
	g_assert_nonnull(strstr(secret, "passwd='geheim'"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autofree char *path = g_strconcat("/shape/xml/wrong/", wrong[i].name, NULL);
		g_test_add_data_func(path, GUINT_TO_POINTER(i), test_wrong);
	}
	for (guint i = 0; i < G_N_ELEMENTS(kept); i++) {
		g_autofree char *path = g_strconcat("/shape/xml/kept/", kept[i].name, NULL);
		g_test_add_data_func(path, GUINT_TO_POINTER(i), test_kept);
	}
	g_test_add_func("/shape/xml/nul", test_nul);
	g_test_add_func("/shape/xml/huge", test_huge);
	g_test_add_func("/shape/xml/deep", test_deep);
	g_test_add_func("/shape/xml/many", test_many);
	g_test_add_func("/shape/xml/order", test_order);
	g_test_add_func("/shape/xml/stray", test_stray_text);
	g_test_add_func("/shape/xml/secret", test_secret);
	return g_test_run();
}
