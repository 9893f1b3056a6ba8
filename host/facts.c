/* See facts.h. */
#include "host/facts.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "host/spawn.h"

#define PROBE_MS 10000

static const Row node_rows[] = {
	UINT(HostNode, id, NULL, .doc = "Node"),
	STRING(HostNode, cpus, NULL, .doc = "CPUs"),
	SIZE(HostNode, memory, NULL, .doc = "Memory"),
	SIZE(HostNode, free, NULL, .doc = "Free"),
};
static const Shape node_shape = SHAPE("host-node", HostNode, node_rows);

static const Row pages_rows[] = {
	SIZE(HostPages, size, NULL, .doc = "Page size"),
	UINT(HostPages, total, NULL, .doc = "Pages"),
	UINT(HostPages, free, NULL, .doc = "Free"),
};
static const Shape pages_shape = SHAPE("host-pages", HostPages, pages_rows);

static const Row facts_rows[] = {
	STRING(HostFacts, hostname, NULL, .doc = "Host name"),
	STRING(HostFacts, kernel, NULL, .doc = "Kernel"),
	STRING(HostFacts, arch, NULL, .doc = "Architecture"),
	STRING(HostFacts, cpu_model, NULL, .doc = "CPU model"),
	STRING(HostFacts, cpu_vendor, NULL, .doc = "CPU vendor"),
	STRING(HostFacts, cpu_virtualization, NULL, .doc = "CPU virtualization flag"),
	STRING(HostFacts, hypervisor, NULL, .doc = "Runs under a hypervisor"),
	UINT(HostFacts, cpus, NULL, .doc = "CPUs"),
	UINT(HostFacts, sockets, NULL, .doc = "CPU sockets"),
	UINT(HostFacts, cores_per_socket, NULL, .doc = "Cores per socket"),
	UINT(HostFacts, threads_per_core, NULL, .doc = "Threads per core"),
	SIZE(HostFacts, memory, NULL, .doc = "Memory"),
	SIZE(HostFacts, memory_available, NULL, .doc = "Memory available"),
	LIST(HostFacts, nodes, NULL, node_shape, .doc = "NUMA nodes"),
	LIST(HostFacts, hugepages, NULL, pages_shape, .doc = "Huge pages"),
	TRI(HostFacts, kvm, NULL, .doc = "KVM usable"),
	STRING(HostFacts, kvm_why_not, NULL, .doc = "Why KVM is not usable"),
	STRINGS(HostFacts, kvm_modules, NULL, .doc = "KVM modules"),
	TRI(HostFacts, nested, NULL, .doc = "Nested virtualization"),
	UINT(HostFacts, iommu_groups, NULL, .doc = "IOMMU groups"),
	ENUM(HostFacts, cgroups, NULL, cgroup_kinds, .doc = "Control groups"),
	STRING(HostFacts, cgroups_why_not, NULL, .doc = "Why there are no control groups"),
	STRING(HostFacts, cgroup_controllers, NULL, .doc = "Controllers"),
	TRI(HostFacts, nftables, NULL, .doc = "nftables usable"),
	STRINGS(HostFacts, bridges, NULL, .doc = "Bridges"),
	TRI(HostFacts, tun, NULL, .doc = "Tap devices"),
	TRI(HostFacts, vhost_net, NULL, .doc = "vhost-net"),
	STRING(HostFacts, images, NULL, .doc = "Folder of images"),
	SIZE(HostFacts, images_total, NULL, .doc = "Its disk"),
	SIZE(HostFacts, images_free, NULL, .doc = "Free on it"),
	STRING(HostFacts, qemu, NULL, .doc = "QEMU"),
	STRING(HostFacts, qemu_version, NULL, .doc = "QEMU version"),
	UINT(HostFacts, machine_types, NULL, .doc = "Machine types"),
	UINT(HostFacts, firmwares, NULL, .doc = "Firmware images"),
	TRI(HostFacts, swtpm, NULL, .doc = "swtpm"),
	STRING(HostFacts, user, NULL, .doc = "QEMU runs as"),
	STRING(HostFacts, security, NULL, .doc = "Security module"),
};
const Shape host_facts_shape = SHAPE("host", HostFacts, facts_rows);

/* ---- small readers ---- */

/* The file's text without white space at its ends; NULL where it cannot be read. */
static char *read_text(const char *format, ...) G_GNUC_PRINTF(1, 2);

static char *read_text(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *path = g_strdup_vprintf(format, args);
	va_end(args);
	char *text = NULL;
	return g_file_get_contents(path, &text, NULL, NULL) ? g_strstrip(text) : NULL;
}

static OptUint read_uint(const char *dir, const char *name, const char *file)
{
	g_autofree char *text = read_text("%s/%s/%s", dir, name, file);
	guint64 value;
	return text && g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, &value, NULL)
		       ? OPT_UINT(value)
		       : (OptUint){ 0 };
}

static Tri tri(gboolean yes)
{
	return yes ? TRI_YES : TRI_NO;
}

static Tri can_open(const char *path)
{
	autofd int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	return tri(fd >= 0);
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in @dir that begin with @prefix, in order; the caller frees the array. */
static GPtrArray *names_in(const char *dir, const char *prefix)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) folder = g_dir_open(dir, 0, NULL);
	const char *name;
	while (folder && (name = g_dir_read_name(folder)))
		if (g_str_has_prefix(name, prefix))
			g_ptr_array_add(names, g_strdup(name));
	g_ptr_array_sort(names, by_name);
	return names;
}

/* The value of the first line "KEY : value" of @text; the caller frees it. */
static char *value_of(const char *text, const char *key)
{
	gsize n = strlen(key);
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, n) || !strchr(" \t:", line[n]))
			continue;
		const char *colon = strchr(line, ':');
		if (!colon)
			return NULL;
		return g_strstrip(g_strndup(colon + 1, strcspn(colon + 1, "\n")));
	}
	return NULL;
}

/* "24684092 kB" in bytes. */
static OptUint kilobytes_of(const char *text, const char *key)
{
	g_autofree char *value = text ? value_of(text, key) : NULL;
	return value ? OPT_UINT(g_ascii_strtoull(value, NULL, 10) * 1024) : (OptUint){ 0 };
}

/* ---- CPU ---- */

static char *virtualization_flag(const char *cpuinfo)
{
	static const char *const flags[] = { "vmx", "svm" };
	g_autofree char *line = cpuinfo ? value_of(cpuinfo, "flags") : NULL;
	g_auto(GStrv) words = g_strsplit(line ? line : "", " ", -1);
	for (guint i = 0; i < G_N_ELEMENTS(flags); i++)
		if (g_strv_contains((const char *const *)words, flags[i]))
			return g_strdup(flags[i]);
	return NULL;
}

static gboolean is_x86(void)
{
	struct utsname name;
	return uname(&name) == 0 && g_str_equal(name.machine, "x86_64");
}

/* What CPUID's hypervisor leaf says; only the fact is in cpuinfo, the name is in /sys. */
static char *hypervisor(const char *cpuinfo)
{
	g_autofree char *flags = cpuinfo ? value_of(cpuinfo, "flags") : NULL;
	if (!flags || !strstr(flags, " hypervisor"))
		return NULL;
	char *type = read_text("/sys/hypervisor/type");
	return type ? type : g_strdup("yes");
}

static void count_topology(HostFacts *facts)
{
	static const char dir[] = "/sys/devices/system/cpu";
	g_autoptr(GPtrArray) names = names_in(dir, "cpu");
	g_autoptr(GHashTable)
		sockets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) cores = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	guint cpus = 0;
	for (guint i = 0; i < names->len; i++) {
		const char *name = g_ptr_array_index(names, i);
		OptUint socket = read_uint(dir, name, "topology/physical_package_id");
		OptUint core = read_uint(dir, name, "topology/core_id");
		if (!core.set) /* "cpufreq", or offline */
			continue;
		cpus++;
		g_hash_table_add(sockets, g_strdup_printf("%" G_GUINT64_FORMAT, socket.v));
		g_hash_table_add(cores, g_strdup_printf("%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT,
							socket.v, core.v));
	}
	facts->cpus = OPT_UINT(cpus ? cpus : g_get_num_processors());
	if (!cpus)
		return;
	facts->sockets = OPT_UINT(g_hash_table_size(sockets));
	facts->cores_per_socket = OPT_UINT(g_hash_table_size(cores) / g_hash_table_size(sockets));
	facts->threads_per_core = OPT_UINT(cpus / g_hash_table_size(cores));
}

static void learn_cpu(HostFacts *facts)
{
	g_autofree char *cpuinfo = read_text("/proc/cpuinfo");
	struct utsname name;
	if (uname(&name) == 0) {
		facts->hostname = g_strdup(name.nodename);
		facts->kernel = g_strdup(name.release);
		facts->arch = g_strdup(name.machine);
	}
	facts->cpu_model = cpuinfo ? value_of(cpuinfo, "model name") : NULL;
	facts->cpu_vendor = cpuinfo ? value_of(cpuinfo, "vendor_id") : NULL;
	facts->cpu_virtualization = virtualization_flag(cpuinfo);
	facts->hypervisor = hypervisor(cpuinfo);
	count_topology(facts);
}

/* ---- memory ---- */

static void learn_memory(HostFacts *facts)
{
	g_autofree char *meminfo = read_text("/proc/meminfo");
	facts->memory = kilobytes_of(meminfo, "MemTotal");
	facts->memory_available = kilobytes_of(meminfo, "MemAvailable");
}

/* The lines there are "Node 0 MemTotal:  24684092 kB". */
static OptUint node_bytes(const char *meminfo, const char *key)
{
	const char *at = meminfo ? strstr(meminfo, key) : NULL;
	return at ? kilobytes_of(at, key) : (OptUint){ 0 };
}

static void learn_nodes(HostFacts *facts)
{
	static const char dir[] = "/sys/devices/system/node";
	g_autoptr(GPtrArray) names = names_in(dir, "node");
	for (guint i = 0; i < names->len; i++) {
		const char *name = g_ptr_array_index(names, i);
		g_autofree char *meminfo = read_text("%s/%s/meminfo", dir, name);
		HostNode *node = shape_new(&node_shape);
		node->id = OPT_UINT(g_ascii_strtoull(name + strlen("node"), NULL, 10));
		node->cpus = read_text("%s/%s/cpulist", dir, name);
		node->memory = node_bytes(meminfo, "MemTotal");
		node->free = node_bytes(meminfo, "MemFree");
		shape_append(&facts->nodes, &node_shape, node);
	}
}

static void learn_hugepages(HostFacts *facts)
{
	static const char dir[] = "/sys/kernel/mm/hugepages";
	g_autoptr(GPtrArray) names = names_in(dir, "hugepages-");
	for (guint i = 0; i < names->len; i++) {
		const char *name = g_ptr_array_index(names, i);
		HostPages *pages = shape_new(&pages_shape);
		pages->size =
			OPT_UINT(g_ascii_strtoull(name + strlen("hugepages-"), NULL, 10) * 1024);
		pages->total = read_uint(dir, name, "nr_hugepages");
		pages->free = read_uint(dir, name, "free_hugepages");
		shape_append(&facts->hugepages, &pages_shape, pages);
	}
}

/* ---- KVM ---- */

static gboolean no(char **why_not, const char *reason, ...) G_GNUC_PRINTF(2, 3);

static gboolean no(char **why_not, const char *reason, ...)
{
	va_list args;
	va_start(args, reason);
	if (why_not)
		*why_not = g_strdup_vprintf(reason, args);
	va_end(args);
	return FALSE;
}

gboolean host_kvm_usable(const HostUser *user, char **why_not)
{
	g_autofree char *cpuinfo = read_text("/proc/cpuinfo");
	g_autofree char *flag = virtualization_flag(cpuinfo);
	if (!flag && is_x86())
		return no(why_not, "the CPU shows neither vmx nor svm");
	autofd int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return no(why_not, "/dev/kvm cannot be opened: %s", g_strerror(errno));
	int version = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION)
		return no(why_not, "/dev/kvm does not answer as KVM");
	if (user && !host_user_may(user, "/dev/kvm", R_OK | W_OK))
		return no(why_not, "user %s, whom QEMU runs as, may not open /dev/kvm", user->name);
	return TRUE;
}

static void learn_kvm(const HostUser *user, HostFacts *facts)
{
	static const char *const modules[] = { "kvm", "kvm_intel", "kvm_amd" };
	for (guint i = 0; i < G_N_ELEMENTS(modules); i++) {
		g_autofree char *dir = g_build_filename("/sys/module", modules[i], NULL);
		g_autofree char *nested = read_text("%s/parameters/nested", dir);
		if (nested)
			facts->nested = tri(*nested == 'Y' || *nested == '1');
		/* Built into the kernel, a module shows only where it has parameters. */
		if (g_file_test(dir, G_FILE_TEST_IS_DIR))
			shape_append(&facts->kvm_modules, NULL, g_strdup(modules[i]));
	}
	facts->kvm = tri(host_kvm_usable(user, &facts->kvm_why_not));
}

/* ---- devices, network, disk ---- */

static void learn_network(HostFacts *facts)
{
	static const char dir[] = "/sys/class/net";
	g_autoptr(GPtrArray) names = names_in(dir, "");
	for (guint i = 0; i < names->len; i++) {
		g_autofree char *path = g_build_filename(dir, names->pdata[i], "bridge", NULL);
		if (g_file_test(path, G_FILE_TEST_IS_DIR))
			shape_append(&facts->bridges, NULL, g_strdup(names->pdata[i]));
	}
	facts->tun = can_open("/dev/net/tun");
	facts->vhost_net = can_open("/dev/vhost-net");
	static const char *const nft[] = { "nft", "list", "tables", NULL };
	int status = -1;
	facts->nftables = tri(spawn_run(&(Spawn){ .argv = nft }, PROBE_MS, NULL, &status, NULL) &&
			      status == 0);
}

static void learn_disk(const char *images, HostFacts *facts)
{
	struct statvfs fs;
	if (!images || statvfs(images, &fs))
		return;
	facts->images = g_strdup(images);
	facts->images_total = OPT_UINT((guint64)fs.f_blocks * fs.f_frsize);
	facts->images_free = OPT_UINT((guint64)fs.f_bavail * fs.f_frsize);
}

/* ---- QEMU ---- */

static char *find_own_qemu(void)
{
	struct utsname name;
	if (uname(&name))
		return NULL;
	g_autofree char *program = g_strconcat("qemu-system-", name.machine, NULL);
	char *path = g_find_program_in_path(program);
	return path ? path : g_find_program_in_path("/usr/libexec/qemu-kvm"); /* Red Hat's place */
}

char *host_find_qemu(const char *configured)
{
	static GMutex lock;
	static char *last; /* each definition asks: $PATH is searched again only where it is gone */
	if (configured)
		return g_find_program_in_path(configured);
	g_mutex_lock(&lock);
	if (last && access(last, X_OK) < 0)
		g_clear_pointer(&last, g_free);
	if (!last)
		last = find_own_qemu();
	char *found = g_strdup(last);
	g_mutex_unlock(&lock);
	return found;
}

/* What QEMU prints when asked with one or two words; NULL where it cannot run. */
static char *ask_qemu(const char *qemu, const char *option, const char *value)
{
	const char *const argv[] = { qemu, option, value, NULL };
	char *out = NULL;
	int status = -1;
	if (!spawn_run(&(Spawn){ .argv = argv }, PROBE_MS, &out, &status, NULL) || status != 0)
		g_clear_pointer(&out, g_free);
	return out;
}

static guint count_lines(const char *text)
{
	guint n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void learn_qemu(const char *configured, HostFacts *facts)
{
	static const char before[] = "version ";
	facts->qemu = host_find_qemu(configured);
	g_autofree char *about = facts->qemu ? ask_qemu(facts->qemu, "-version", NULL) : NULL;
	const char *version = about ? strstr(about, before) : NULL;
	if (!version)
		return;
	version += strlen(before);
	facts->qemu_version = g_strndup(version, strcspn(version, " \n"));
	g_autofree char *machines = ask_qemu(facts->qemu, "-machine", "help");
	if (machines && count_lines(machines) > 1) /* the first line is a heading */
		facts->machine_types = OPT_UINT(count_lines(machines) - 1);
	g_autoptr(GPtrArray) firmwares = names_in("/usr/share/qemu/firmware", "");
	facts->firmwares = OPT_UINT(firmwares->len);
	g_autofree char *swtpm = g_find_program_in_path("swtpm");
	facts->swtpm = tri(swtpm != NULL);
}

static char *security_module(void)
{
	g_autofree char *enforce = read_text("/sys/fs/selinux/enforce");
	if (enforce)
		return g_strdup(*enforce == '1' ? "selinux, enforcing" : "selinux, permissive");
	g_autofree char *apparmor = read_text("/sys/module/apparmor/parameters/enabled");
	return g_strdup(apparmor && *apparmor == 'Y' ? "apparmor" : "none");
}

/* ---- all ---- */

void host_facts(const HostAsk *ask, HostFacts *facts)
{
	g_autoptr(HostUser) user = host_user_for_qemu(ask->user, NULL);
	facts->user = user ? g_strdup(user->name) : NULL;
	facts->security = security_module();
	learn_cpu(facts);
	learn_memory(facts);
	learn_nodes(facts);
	learn_hugepages(facts);
	learn_kvm(user, facts);
	learn_network(facts);
	learn_disk(ask->images, facts);
	learn_qemu(ask->qemu, facts);
	g_autoptr(GPtrArray) groups = names_in("/sys/kernel/iommu_groups", "");
	facts->iommu_groups = OPT_UINT(groups->len);
	if (!ask->tree)
		return;
	facts->cgroups = (int)cgroup_tree_kind(ask->tree);
	facts->cgroups_why_not = g_strdup(cgroup_tree_why_not(ask->tree));
	facts->cgroup_controllers = g_strdup(cgroup_tree_controllers(ask->tree));
}
