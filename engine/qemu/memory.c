/* Memory and the shape of the machine: -m, memory backends, NUMA cells, vCPU topology, modules.
 * Backends that are files or huge pages are memfds, which need no mount point and no cleaning up.
 * Neighbours: build.h; machine.c names the backend of all memory. */
#include "engine/qemu/build.h"

#include <stdlib.h>
#include <string.h>

#define SET_MAX 4096
#define IOTHREADS_MAX 1024
#define EMULATED_CPUS_MAX 255 /* more need KVM's x2APIC */

/* ---- sets of numbers, "0-3,^2,8" ---- */

static void set_read(const char *text, guint8 *bits)
{
	g_auto(GStrv) parts = g_strsplit(text, ",", -1);
	for (guint i = 0; parts[i]; i++) {
		const char *part = g_strstrip(parts[i]);
		gboolean out = *part == '^';
		char *end;
		guint64 first = g_ascii_strtoull(part + out, &end, 10), last = first;
		if (*end == '-')
			last = g_ascii_strtoull(end + 1, NULL, 10);
		for (guint64 n = first; n <= last && n < SET_MAX; n++)
			bits[n] = !out;
	}
}

static json_t *set_as_list(const char *text)
{
	guint8 bits[SET_MAX] = { 0 };
	json_t *list = json_array();
	set_read(text, bits);
	for (guint n = 0; n < SET_MAX; n++)
		if (bits[n])
			json_array_append_new(list, json_integer(n));
	return list;
}

static void put_cpus(GString *option, const char *text)
{
	guint8 bits[SET_MAX + 1] = { 0 };
	set_read(text, bits);
	for (guint n = 0; n < SET_MAX; n++) {
		if (!bits[n])
			continue;
		guint last = n;
		while (bits[last + 1])
			last++;
		if (last > n)
			g_string_append_printf(option, ",cpus=%u-%u", n, last);
		else
			g_string_append_printf(option, ",cpus=%u", n);
		n = last;
	}
}

/* ---- who shares ---- */

gboolean guest_has_cells(const Guest *guest)
{
	return guest->cpu && shape_len(guest->cpu->cells);
}

static gboolean has_vhost_user(const Guest *guest)
{
	SHAPE_EACH (Filesystem, fs, guest->filesystems)
		if (!g_strcmp0(fs->driver_type, "virtiofs"))
			return TRUE;
	SHAPE_EACH (Interface, interface, guest->interfaces)
		if (interface->type == INTERFACE_VHOST_USER)
			return TRUE;
	SHAPE_EACH (Disk, disk, guest->disks)
		if (disk->type == DISK_VHOST_USER)
			return TRUE;
	return FALSE;
}

gboolean guest_memory_shared(const Guest *guest)
{
	const MemoryBacking *backing = guest->memory_backing;
	return (backing && !g_strcmp0(backing->access_mode, "shared")) || has_vhost_user(guest);
}

/* ---- backends ---- */

/* QEMU rounds what -m says, but not a backend's size: both are given whole mebibytes. */
static guint64 whole_mib(guint64 size)
{
	const guint64 mib = 1 << 20;
	return (size + mib - 1) / mib * mib;
}

static const NameRow policies[] = {
	{ "strict", "bind" },
	{ "preferred", "preferred" },
	{ "interleave", "interleave" },
};

static void put_nodes(json_t *object, const char *mode, const char *nodeset)
{
	const char *policy = name_lookup(policies, G_N_ELEMENTS(policies), mode ? mode : "strict");
	if (!nodeset || !policy)
		return;
	json_object_set_new(object, "host-nodes", set_as_list(nodeset));
	put(object, "policy", policy);
}

static void put_numatune(const Build *build, json_t *object, OptUint cell)
{
	const NumaTune *tune = build->guest->numatune;
	if (!tune)
		return;
	SHAPE_EACH (NumaMemnode, node, tune->memnodes)
		if (cell.set && opt_uint_or(node->cellid, G_MAXUINT64) == cell.v) {
			put_nodes(object, node->mode, node->nodeset);
			return;
		}
	put_nodes(object, tune->mode, tune->nodeset);
}

/* The size of huge page that @cell (not set: the whole guest) is made of; not set: normal pages. 0:
 * the host's default size. */
static OptUint huge_page(const MemoryBacking *backing, OptUint cell)
{
	OptUint otherwise = OPT_UINT(0);
	if (!backing || !backing->hugepages)
		return (OptUint){ 0 };
	if (!shape_len(backing->pages))
		return OPT_UINT(0);
	otherwise.set = FALSE;
	SHAPE_EACH (HugePage, page, backing->pages) {
		guint8 bits[SET_MAX] = { 0 };
		if (!page->nodeset) {
			otherwise = page->size.set ? page->size : OPT_UINT(0);
			continue;
		}
		set_read(page->nodeset, bits);
		if (bits[cell.set && cell.v < SET_MAX ? cell.v : 0])
			return page->size.set ? page->size : OPT_UINT(0);
	}
	return otherwise;
}

static gboolean wants_fd(const Build *build)
{
	const MemoryBacking *backing = build->guest->memory_backing;
	const char *source = backing ? backing->source_type : NULL;
	return build->shared || !g_strcmp0(source, "file") || !g_strcmp0(source, "memfd");
}

/* @access overrides that of the whole guest where not NULL. */
static json_t *backend_new(const Build *build, const char *id, guint64 size, OptUint page,
			   const char *access, const char *path)
{
	const MemoryBacking *backing = build->guest->memory_backing;
	gboolean shared = access ? g_str_equal(access, "shared") : build->shared;
	gboolean fd = page.set || wants_fd(build) || shared;
	gboolean now = page.set || (backing && !g_strcmp0(backing->allocation_mode, "immediate"));
	json_t *object = json_object();
	put(object, "qom-type", path ? "memory-backend-file" :
				fd   ? "memory-backend-memfd" :
				       "memory-backend-ram");
	put(object, "id", id);
	put(object, "mem-path", path);
	if (page.set && !path) {
		put_bool(object, "hugetlb", TRUE);
		if (page.v)
			put_int(object, "hugetlbsize", (gint64)page.v);
	}
	if (fd || path)
		put_bool(object, "share", shared);
	if (now && !path) {
		put_bool(object, "prealloc", TRUE);
		if (backing)
			put_uint(object, "prealloc-threads", backing->allocation_threads);
	}
	put_int(object, "size", (gint64)whole_mib(size));
	return object;
}

/* ---- all memory ---- */

static guint64 modules_size(const Guest *guest)
{
	guint64 sum = 0;
	SHAPE_EACH (MemoryModule, module, guest->memories)
		sum += opt_uint_or(module->size, 0);
	return sum;
}

static guint64 initial_size(const Guest *guest)
{
	guint64 sum = 0, all = opt_uint_or(guest->memory, 0), modules = modules_size(guest);
	if (!guest_has_cells(guest))
		return whole_mib(all > modules ? all - modules : all);
	SHAPE_EACH (NumaCell, cell, guest->cpu->cells)
		sum += whole_mib(opt_uint_or(cell->memory, 0));
	return sum;
}

static gboolean add_size(Build *build, guint64 size, GError **error)
{
	const Guest *guest = build->guest;
	g_autoptr(GString) option = g_string_new(NULL);
	if (!size)
		return invalid(build, error, "memory is missing");
	if (shape_len(guest->memories) && !guest->max_memory.set)
		return invalid(build, error,
			       "devices/memory: modules need <maxMemory slots='..'> for the guest");
	g_string_printf(option, "size=%" G_GUINT64_FORMAT "k", size >> 10);
	if (guest->max_memory.set)
		g_string_append_printf(option,
				       ",slots=%" G_GUINT64_FORMAT ",maxmem=%" G_GUINT64_FORMAT "k",
				       opt_uint_or(guest->max_memory_slots, 16),
				       guest->max_memory.v >> 10);
	add_option(build, "-m", g_strdup(option->str));
	return TRUE;
}

/* Those of the board: others are plugged (vcpus.c). */
static guint boot_vcpus(const Guest *guest)
{
	guint plugged = 0, online = guest_vcpus_online(guest);
	SHAPE_EACH (Vcpu, vcpu, guest->vcpu_list)
		plugged += vcpu->enabled == TRI_YES && vcpu->hotpluggable == TRI_YES;
	return online > plugged ? online - plugged : 1;
}

static gboolean add_topology(Build *build, GError **error)
{
	const Guest *guest = build->guest;
	const Cpu *cpu = guest->cpu;
	guint64 max = opt_uint_or(guest->vcpus, 1), dies = 1;
	guint64 sockets = max, cores = 1, threads = 1;
	g_autoptr(GString) option = g_string_new(NULL);
	if (!build->setup->kvm && max > EMULATED_CPUS_MAX)
		return unsupported(build, error,
				   "vcpu: emulation has %d at most, not %" G_GUINT64_FORMAT
				   "; use fewer, or a host with KVM", EMULATED_CPUS_MAX, max);
	if (cpu && (cpu->sockets.set || cpu->cores.set || cpu->threads.set)) {
		dies = opt_uint_or(cpu->dies, 1);
		cores = opt_uint_or(cpu->cores, 1);
		threads = opt_uint_or(cpu->threads, 1);
		sockets = opt_uint_or(cpu->sockets, 1);
		if (sockets * dies * cores * threads != max)
			return invalid(build, error,
				       "cpu/topology: sockets * dies * cores * threads is %"
				       G_GUINT64_FORMAT ", but there are %" G_GUINT64_FORMAT
				       " vCPUs", sockets * dies * cores * threads, max);
	}
	guint boots = boot_vcpus(guest);
	g_string_printf(option, "%u", boots);
	if (boots != max)
		g_string_append_printf(option, ",maxcpus=%" G_GUINT64_FORMAT, max);
	g_string_append_printf(option, ",sockets=%" G_GUINT64_FORMAT, sockets);
	if (cpu && cpu->dies.set)
		g_string_append_printf(option, ",dies=%" G_GUINT64_FORMAT, dies);
	g_string_append_printf(option, ",cores=%" G_GUINT64_FORMAT ",threads=%" G_GUINT64_FORMAT,
			       cores, threads);
	add_option(build, "-smp", g_strdup(option->str));
	return TRUE;
}

static gboolean add_iothreads(Build *build, GError **error)
{
	const Guest *guest = build->guest;
	g_autoptr(GHashTable) ids = g_hash_table_new(NULL, NULL);
	guint64 left = opt_uint_or(guest->iothreads, shape_len(guest->iothread_ids));
	if (left > IOTHREADS_MAX)
		return invalid(build, error, "iothreads: %" G_GUINT64_FORMAT " are more than %d", left,
			       IOTHREADS_MAX);
	for (guint64 id = 1, i = 0; left > 0; left--, i++) {
		const IoThread *thread = i < shape_len(guest->iothread_ids) ?
						 g_ptr_array_index(guest->iothread_ids, i) : NULL;
		while (!thread && g_hash_table_contains(ids, GUINT_TO_POINTER((guint)id)))
			id++;
		guint64 mine = thread ? opt_uint_or(thread->id, id) : id;
		g_autofree char *name = g_strdup_printf("iothread%" G_GUINT64_FORMAT, mine);
		json_t *object = json_object();
		g_hash_table_add(ids, GUINT_TO_POINTER((guint)mine));
		put(object, "qom-type", "iothread");
		put(object, "id", name);
		if (thread) {
			put_uint(object, "thread-pool-min", thread->pool_min);
			put_uint(object, "thread-pool-max", thread->pool_max);
		}
		add_json(build, "-object", object);
	}
	return TRUE;
}

static void add_cell(Build *build, const NumaCell *cell, OptUint id)
{
	g_autofree char *backend = g_strdup_printf("ram-node%" G_GUINT64_FORMAT, id.v);
	g_autoptr(GString) option = g_string_new(NULL);
	OptUint page = huge_page(build->guest->memory_backing, id);
	json_t *object = backend_new(build, backend, opt_uint_or(cell->memory, 0), page,
				     cell->mem_access, NULL);
	put_numatune(build, object, id);
	add_json(build, "-object", object);
	g_string_printf(option, "node,nodeid=%" G_GUINT64_FORMAT, id.v);
	if (cell->cpus)
		put_cpus(option, cell->cpus);
	opt_put(option, "memdev", backend);
	add_option(build, "-numa", g_strdup(option->str));
}

static void add_distances(Build *build, const NumaCell *cell, guint64 id)
{
	SHAPE_EACH (NumaDistance, distance, cell->distances)
		add_option(build, "-numa",
			   g_strdup_printf("dist,src=%" G_GUINT64_FORMAT ",dst=%" G_GUINT64_FORMAT
					   ",val=%" G_GUINT64_FORMAT, id,
					   opt_uint_or(distance->id, 0),
					   opt_uint_or(distance->value, 20)));
}

static void add_cells(Build *build)
{
	const GPtrArray *cells = build->guest->cpu->cells;
	SHAPE_EACH (NumaCell, cell, cells)
		add_cell(build, cell, OPT_UINT(opt_uint_or(cell->id, cell_i)));
	SHAPE_EACH (NumaCell, cell, cells)
		add_distances(build, cell, opt_uint_or(cell->id, cell_i));
}

gboolean build_memory(Build *build, GError **error)
{
	const Guest *guest = build->guest;
	guint64 size = initial_size(guest);
	if (!add_size(build, size, error) || !add_topology(build, error))
		return FALSE;
	if (build->shared && !(guest->memory_backing && guest->memory_backing->access_mode))
		notes_add(build->notes, "guest \"%s\": memory is shared with the helper processes of "
			  "its devices", guest->name);
	if (guest_has_cells(guest)) {
		add_cells(build);
	} else {
		OptUint none = { 0 };
		json_t *object = backend_new(build, "pc.ram", size,
					     huge_page(guest->memory_backing, none), NULL, NULL);
		put_numatune(build, object, none);
		add_json(build, "-object", object);
	}
	return add_iothreads(build, error);
}

/* ---- modules ---- */

static const NameRow modules[] = {
	{ "dimm", "pc-dimm" },
	{ "nvdimm", "nvdimm" },
	{ "virtio-mem", "virtio-mem-pci" },
	{ "virtio-pmem", "virtio-pmem-pci" },
};

static void put_module(json_t *device, const MemoryModule *module, const char *driver)
{
	if (g_str_equal(driver, "virtio-mem-pci")) {
		put_uint(device, "block-size", module->block);
		put_uint(device, "requested-size", module->requested);
	}
	if (g_str_equal(driver, "nvdimm")) {
		put_uint(device, "label-size", module->label_size);
		put(device, "uuid", module->uuid);
		if (module->readonly)
			put_bool(device, "unarmed", TRUE);
	}
	if (!g_str_equal(driver, "virtio-pmem-pci"))
		put_uint(device, "node", module->node);
}

static gboolean add_module(Build *build, const MemoryModule *module, GError **error)
{
	const char *driver = name_lookup(modules, G_N_ELEMENTS(modules), module->model);
	g_autofree char *id = g_strdup_printf("mem%s", module->info.alias);
	if (!driver)
		return unsupported(build, error,
				   "devices/memory/@model \"%s\": use dimm, nvdimm, virtio-mem or "
				   "virtio-pmem", module->model);
	json_t *object = backend_new(build, id, opt_uint_or(module->size, 0),
				     module->source_pagesize, module->access, module->source_path);
	put_nodes(object, NULL, module->source_nodemask);
	if (module->source_path && module->source_pmem)
		put_bool(object, "pmem", TRUE);
	if (module->source_path)
		put_uint(object, "align", module->source_alignsize);
	add_json(build, "-object", object);
	json_t *device = device_new(driver, &module->info);
	put(device, "memdev", id);
	put_module(device, module, driver);
	if (put_place(build, device, &module->info, error))
		return add_device(build, device, "devices/memory", error);
	json_decref(device);
	return FALSE;
}

gboolean build_memories(Build *build, GError **error)
{
	SHAPE_EACH (MemoryModule, module, build->guest->memories)
		if (!add_module(build, module, error))
			return FALSE;
	return TRUE;
}
