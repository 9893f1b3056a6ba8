/* See defaults.h. */
#include "model/defaults.h"
#include "base/error.h"
#include "model/assign.h"
#include "model/guest_parts.h"

#include <string.h>

void fill_text(char **text, const char *value)
{
	if (!*text)
		*text = g_strdup(value);
}

static void fill_identity(Guest *guest)
{
	if (!guest->uuid)
		guest->uuid = g_uuid_string_random();
	if (guest->has_genid && !guest->genid)
		guest->genid = g_uuid_string_random();
	fill_text(&guest->os.type, "hvm");
	fill_text(&guest->os.arch, "x86_64");
	if (guest->os.bootmenu == TRI_NO) /* nothing waits */
		guest->os.bootmenu_timeout = (OptUint){ 0 };
}

/* ---- memory and vCPUs ---- */

static void fill_cells(Guest *guest)
{
	guint64 total = 0;
	SHAPE_EACH (NumaCell, cell, guest->cpu->cells) {
		if (!cell->id.set)
			cell->id = OPT_UINT(cell_i);
		total += cell->memory.v;
	}
	SHAPE_EACH (MemoryModule, module, guest->memories)
		total += module->size.v;
	guest->memory = OPT_UINT(total);
}

static NumaDistance *find_distance(const NumaCell *cell, guint64 id)
{
	SHAPE_EACH (NumaDistance, d, cell->distances)
		if (d->id.v == id)
			return d;
	return NULL;
}

static int by_id(gconstpointer a, gconstpointer b)
{
	const NumaDistance *x = *(NumaDistance *const *)a, *y = *(NumaDistance *const *)b;
	return x->id.v < y->id.v ? -1 : x->id.v > y->id.v;
}

/* Where one cell states distances every cell has all of them: 10 to itself, the way back as the way
 * there, else 20. */
static void fill_distances(Cpu *cpu, const Shape *shape)
{
	gboolean any = FALSE;
	SHAPE_EACH (NumaCell, cell, cpu->cells)
		any |= shape_len(cell->distances) > 0;
	SHAPE_EACH (NumaCell, from, any ? cpu->cells : NULL) {
		SHAPE_EACH (NumaCell, to, cpu->cells) {
			if (find_distance(from, to->id.v))
				continue;
			const NumaDistance *back = find_distance(to, from->id.v);
			NumaDistance *d = shape_new(shape);
			d->id = to->id;
			d->value = OPT_UINT(from == to ? 10 : back ? back->value.v : 20);
			shape_append(&from->distances, shape, d);
		}
		g_ptr_array_sort(from->distances, by_id);
	}
}

static void fill_memory(Guest *guest)
{
	if (guest->cpu && shape_len(guest->cpu->cells)) {
		fill_cells(guest);
		fill_distances(guest->cpu, &numa_distance_shape);
	}
	if (!guest->memory.set)
		guest->memory = guest->max_memory;
	if (!guest->current_memory.set || guest->current_memory.v > guest->memory.v)
		guest->current_memory = guest->memory;
}

static gboolean has_iothread(const Guest *guest, guint64 id)
{
	SHAPE_EACH (IoThread, thread, guest->iothread_ids)
		if (thread->id.v == id)
			return TRUE;
	return FALSE;
}

/* Where some threads have their numbers, the others get the lowest free ones. */
static void fill_iothreads(Guest *guest)
{
	guint64 wanted = opt_uint_or(guest->iothreads, 0);
	if (!shape_len(guest->iothread_ids))
		return;
	for (guint64 id = 1; shape_len(guest->iothread_ids) < MIN(wanted, 1024); id++) {
		if (has_iothread(guest, id))
			continue;
		IoThread *thread = shape_new(&iothread_shape);
		thread->id = OPT_UINT(id);
		shape_append(&guest->iothread_ids, &iothread_shape, thread);
	}
	if (shape_len(guest->iothread_ids) > wanted)
		guest->iothreads = OPT_UINT(shape_len(guest->iothread_ids));
}

static void fill_numatune(NumaTune *tune)
{
	if (tune->nodeset || tune->placement)
		fill_text(&tune->mode, "strict");
}

/* An adjustment counts from UTC or the local time; without a number it only says that it may change. */
static void fill_clock(Clock *clock)
{
	gboolean counted = clock->adjustment && !g_str_equal(clock->adjustment, "reset");
	if (!counted || (g_strcmp0(clock->offset, "utc") && g_strcmp0(clock->offset, "localtime")))
		return;
	fill_text(&clock->basis, clock->offset);
	g_free(clock->offset);
	clock->offset = g_strdup("variable");
}

static void fill_vcpus(Guest *guest)
{
	if (!guest->vcpus.set)
		guest->vcpus = OPT_UINT(1);
	gboolean automatic = guest->numatune && !g_strcmp0(guest->numatune->placement, "auto") &&
			     !guest->vcpu_cpuset;
	fill_text(&guest->vcpu_placement, automatic ? "auto" : "static");
	if (guest->vcpus_current.set && guest->vcpus_current.v == guest->vcpus.v)
		guest->vcpus_current = (OptUint){ 0 };
	fill_iothreads(guest);
}

static void mark(const char *set, guint8 *bits, guint64 n, guint8 value)
{
	for (guint first, last; set && set_next_range(&set, &first, &last);)
		for (guint i = first; i <= last && i < n; i++)
			bits[i] = value;
}

/* vCPUs that no other cell names are the first one's, as libvirt writes it and QEMU does it. */
static void fill_cell_cpus(Guest *guest)
{
	enum { MOST = 16384 }; /* as sets of vCPUs have */
	guint64 n = guest->vcpus.v;
	if (!guest->cpu || !shape_len(guest->cpu->cells) || n > MOST)
		return;
	NumaCell *zero = g_ptr_array_index(guest->cpu->cells, 0);
	g_autofree guint8 *free_ones = g_malloc0(n + 1);
	memset(free_ones, 1, n);
	SHAPE_EACH (NumaCell, cell, guest->cpu->cells)
		mark(cell->cpus, free_ones, n, 0);
	if (!memchr(free_ones, 1, n))
		return;
	mark(zero->cpus, free_ones, n, 1);
	g_autoptr(GString) set = g_string_new(NULL);
	for (guint i = 0; i < n; i++) {
		guint first = i;
		if (!free_ones[i])
			continue;
		while (free_ones[i + 1])
			i++;
		g_string_append_printf(set, i > first ? "%s%u-%u" : "%s%u", set->len ? "," : "", first, i);
	}
	g_free(zero->cpus);
	zero->cpus = g_strdup(set->str);
}

/* ---- CPU ---- */

static void fill_custom_cpu(Guest *guest, Cpu *cpu)
{
	fill_text(&cpu->match, "exact");
	if (cpu->model) {
		fill_text(&cpu->fallback, "allow");
		fill_text(&cpu->check, guest->type == GUEST_KVM ? "partial" : "none");
		return;
	}
	/* QEMU's own choice, written down: another QEMU may choose differently */
	cpu->model = g_strdup("qemu64");
	fill_text(&cpu->fallback, "forbid");
	fill_text(&cpu->check, "none");
}

static void fill_cpu(Guest *guest)
{
	if (!guest->cpu)
		guest->cpu = shape_new(&cpu_shape);
	Cpu *cpu = guest->cpu;
	fill_text(&cpu->mode, "custom");
	if (g_str_equal(cpu->mode, "custom"))
		fill_custom_cpu(guest, cpu);
	else if (g_str_equal(cpu->mode, "host-model"))
		fill_text(&cpu->check, "partial");
	else
		fill_text(&cpu->check, "none");
	if ((g_str_equal(cpu->mode, "host-passthrough") || g_str_equal(cpu->mode, "maximum")) &&
	    cpu->migratable == TRI_ABSENT)
		cpu->migratable = TRI_YES;
	if (cpu->sockets.set && !cpu->dies.set)
		cpu->dies = OPT_UINT(1);
	SHAPE_EACH (CpuFeature, feature, cpu->features)
		fill_text(&feature->policy, "require");
}

/* ---- the rest ---- */

static void fill_seclabel(SecLabel *label)
{
	fill_text(&label->type, "dynamic");
	if (g_str_equal(label->type, "none"))
		fill_text(&label->model, "none");
	else
		fill_text(&label->relabel, g_str_equal(label->type, "static") ? "no" : "yes");
}

static void fill_actions(Guest *guest)
{
	if (!guest->on_poweroff)
		guest->on_poweroff = GUEST_DESTROY;
	if (!guest->on_reboot)
		guest->on_reboot = GUEST_RESTART;
	if (!guest->on_crash)
		guest->on_crash = GUEST_DESTROY;
}

static gboolean has_boot_order(G_GNUC_UNUSED const char *kind, G_GNUC_UNUSED gpointer device,
			       DeviceInfo *info, G_GNUC_UNUSED gpointer data)
{
	return !info->boot_order.set; /* FALSE ends the search */
}

static void fill_boot(Guest *guest)
{
	if (shape_len(guest->os.boot) || !guest_each_device(guest, has_boot_order, NULL))
		return;
	BootDevice *disk = shape_new(&boot_shape);
	disk->dev = g_strdup("hd");
	shape_append(&guest->os.boot, &boot_shape, disk);
}

/* libvirt's number for "no limit" is not printed. */
static void fill_memtune(Guest *guest)
{
	MemoryTune *tune = guest->memtune;
	OptUint *limits[] = { &tune->hard_limit, &tune->soft_limit, &tune->swap_hard_limit };
	for (guint i = 0; i < G_N_ELEMENTS(limits); i++)
		if (limits[i]->set && limits[i]->v >= 9007199254740991 << 10)
			*limits[i] = (OptUint){ 0 };
	if (tune->hard_limit.set || tune->soft_limit.set || tune->swap_hard_limit.set ||
	    tune->min_guarantee.set || tune->head.extra)
		return;
	shape_free(&memory_tune_shape, tune);
	guest->memtune = NULL;
}

/* <nvram type='file'><source file='...'/> is the newer form of <nvram>...</nvram>. */
static void fill_nvram(GuestOs *os)
{
	if (!os->nvram)
		os->nvram = g_steal_pointer(&os->nvram_file);
	g_clear_pointer(&os->nvram_file, g_free);
	if (!g_strcmp0(os->nvram_type, "file"))
		g_clear_pointer(&os->nvram_type, g_free);
}

gboolean guest_fill_defaults(Guest *guest, G_GNUC_UNUSED Notes *notes, GError **error)
{
	fill_identity(guest);
	fill_nvram(&guest->os);
	fill_memory(guest);
	fill_vcpus(guest);
	fill_cell_cpus(guest);
	fill_cpu(guest);
	if (!guest->clock)
		guest->clock = shape_new(&clock_shape);
	fill_clock(guest->clock);
	if (guest->memtune)
		fill_memtune(guest);
	if (guest->numatune)
		fill_numatune(guest->numatune);
	fill_actions(guest);
	if (guest->features && guest->features->hyperv)
		fill_text(&guest->features->hyperv->mode, "custom");
	SHAPE_EACH (SecLabel, label, guest->seclabels)
		fill_seclabel(label);
	fill_boot(guest);
	if (!fill_devices(guest, error))
		return FALSE;
	shape_defaults(&guest_shape, guest);
	return TRUE;
}
