/* Verbs that tell what this host and its QEMU can do, in libvirt's documents: installers and managers
 * choose by them. Facts are the host's and the binary's; names of elements and values libvirt's.
 * Neighbours: domcapabilities.c says what one guest can have. */
#include "core/core.h"
#include "host/node.h"
#include "ops/document.h"
#include "ops/families.h"

#include <string.h>
#include <sys/utsname.h>

static const Row text_rows[] = { STRING(DocumentText, text, NULL, .flags = ROW_VERBATIM) };
const Shape document_text_shape = SHAPE("document", DocumentText, text_rows);

static gboolean describe(OpCall *call, const char *emulator, EngineCaps *caps, GError **error)
{
	return core_describe(call->core, emulator, caps, error);
}

/* ---- capabilities: the host ---- */

/* The machine's own name: /etc/machine-id, in the form of a UUID. */
static char *host_uuid(void)
{
	g_autofree char *id = NULL;
	if (!g_file_get_contents("/etc/machine-id", &id, NULL, NULL) || strlen(g_strstrip(id)) != 32)
		return NULL;
	return g_strdup_printf("%.8s-%.4s-%.4s-%.4s-%.12s", id, id + 8, id + 12, id + 16, id + 20);
}

static guint distinct(const GPtrArray *cpus, gboolean cores)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	for (guint i = 0; i < cpus->len; i++) {
		const NodeCpu *cpu = g_ptr_array_index(cpus, i);
		guint key = cores ? cpu->socket << 20 | cpu->die << 12 | cpu->core : cpu->socket;
		g_hash_table_add(seen, GUINT_TO_POINTER(key));
	}
	return MAX(g_hash_table_size(seen), 1);
}

static void put_cpu(GString *out, const GPtrArray *cpus)
{
	struct utsname name;
	uname(&name);
	guint sockets = distinct(cpus, FALSE), cores = distinct(cpus, TRUE);
	put(out, "    <cpu>\n      <arch>%s</arch>\n", name.machine);
	put(out, "      <topology sockets='%u' dies='1' cores='%u' threads='%u'/>\n    </cpu>\n", sockets,
	    MAX(cores / sockets, 1), MAX(cpus->len / cores, 1));
}

static void put_cell(GString *out, const GPtrArray *cpus, int node)
{
	NodeMemory memory = { 0 };
	guint n = 0;
	for (guint i = 0; i < cpus->len; i++)
		n += ((const NodeCpu *)g_ptr_array_index(cpus, i))->node == node;
	node_memory(node, &memory);
	put(out, "        <cell id='%d'>\n          <memory unit='KiB'>%" G_GUINT64_FORMAT
	    "</memory>\n          <cpus num='%u'>\n", node, memory.total / 1024, n);
	for (guint i = 0; i < cpus->len; i++) {
		const NodeCpu *cpu = g_ptr_array_index(cpus, i);
		if (cpu->node == node)
			put(out, "            <cpu id='%u' socket_id='%u' die_id='%u' core_id='%u' "
			    "siblings='%s'/>\n", cpu->id, cpu->socket, cpu->die, cpu->core,
			    cpu->siblings);
	}
	g_string_append(out, "          </cpus>\n        </cell>\n");
}

static void put_host(GString *out)
{
	g_autoptr(GPtrArray) cpus = node_cpus();
	g_autofree char *uuid = host_uuid();
	guint nodes = node_count();
	g_string_append(out, "  <host>\n");
	if (uuid)
		put(out, "    <uuid>%s</uuid>\n", uuid);
	put_cpu(out, cpus);
	g_string_append(out, "    <power_management/>\n    <iommu support='no'/>\n    <topology>\n");
	put(out, "      <cells num='%u'>\n", nodes);
	for (guint i = 0; i < nodes; i++)
		put_cell(out, cpus, (int)i);
	g_string_append(out, "      </cells>\n    </topology>\n  </host>\n");
}

/* ---- capabilities: guests ---- */

static void put_machines(GString *out, const EngineCaps *caps)
{
	SHAPE_EACH (EngineMachine, machine, caps->machines) {
		guint64 max = opt_uint_or(machine->max_vcpus, 1);
		if (machine->alias)
			put(out, "      <machine canonical='%s' maxCpus='%" G_GUINT64_FORMAT
			    "'>%s</machine>\n", machine->name, max, machine->alias);
		put(out, "      <machine maxCpus='%" G_GUINT64_FORMAT "'", max);
		if (machine->deprecated == TRI_YES)
			g_string_append(out, " deprecated='yes'");
		put(out, ">%s</machine>\n", machine->name);
	}
}

static void put_guest(GString *out, const EngineCaps *caps)
{
	g_string_append(out, "  <guest>\n    <os_type>hvm</os_type>\n");
	put(out, "    <arch name='%s'>\n      <wordsize>%d</wordsize>\n", caps->arch,
	    strstr(caps->arch, "64") || g_str_equal(caps->arch, "s390x") ? 64 : 32);
	put(out, "      <emulator>%s</emulator>\n", caps->emulator);
	put_machines(out, caps);
	g_string_append(out, "      <domain type='qemu'/>\n");
	if (caps->kvm == TRI_YES)
		g_string_append(out, "      <domain type='kvm'/>\n");
	g_string_append(out, "    </arch>\n    <features>\n"
			     "      <acpi default='on' toggle='yes'/>\n"
			     "      <apic default='on' toggle='no'/>\n"
			     "      <cpuselection/>\n      <deviceboot/>\n"
			     "    </features>\n  </guest>\n");
}

static gboolean capabilities(OpCall *call, G_GNUC_UNUSED GError **error)
{
	g_autoptr(GError) why = NULL;
	EngineCaps caps = { 0 };
	GString *out = g_string_new("<capabilities>\n");
	put_host(out);
	if (describe(call, NULL, &caps, &why)) /* a host without QEMU still is a host */
		put_guest(out, &caps);
	else
		notes_add(&call->notes, "no guests: %s", why->message);
	g_string_append(out, "</capabilities>\n");
	shape_clear(&engine_caps_shape, &caps);
	((DocumentText *)call->result)->text = g_string_free(out, FALSE);
	return TRUE;
}

/* ---- host engine ---- */

static gboolean engine(OpCall *call, GError **error)
{
	return describe(call, NULL, call->result, error);
}

#define HOST_READ(perm_) .family = "Host", .method = "GET", .lane = OP_BESIDE, .perm = perm_

static const Op ops[] = {
	{ .name = "capabilities", HOST_READ(OP_PERM_READ),
	  .route = "/v1/host/capabilities", .result = &document_text_shape,
	  .show = OP_SHOW_TEXT, .doc = "Show what this host offers, as libvirt's document",
	  .fn = capabilities },
	{ .name = "host engine", HOST_READ(OP_PERM_READ),
	  .route = "/v1/host/engine", .result = &engine_caps_shape,
	  .show = OP_SHOW_FIELDS, .doc = "Show what QEMU offers here", .fn = engine },
};

const OpFamily op_family_capabilities = { ops, G_N_ELEMENTS(ops) };
