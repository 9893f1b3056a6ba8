/* See rules.h. Here: CPUs, memory, firmware, what stands outside <devices>. */
#include "model/rules.h"

#include <stdio.h>
#include <string.h>

#include "model/assign.h"

#define MIB (1024 * 1024)

guint guest_cells(const Guest *guest)
{
	return guest->cpu ? shape_len(guest->cpu->cells) : 0;
}

gboolean guest_refuse(const Guest *guest, const char *kind, gconstpointer device, GError **error,
		      LodgeError code, const char *format, ...)
{
	g_autofree char *label = guest_device_label(guest, kind, device);
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	return fail(error, code, "%s, line %d: %s", label, ((const ShapeHead *)device)->line, text);
}

/* ---- the CPU ---- */

static gboolean passes_host(const Cpu *cpu)
{
	return !g_strcmp0(cpu->mode, "host-passthrough") || !g_strcmp0(cpu->mode, "maximum");
}

static gboolean check_cache(const Guest *guest, GError **error)
{
	const Cpu *cpu = guest->cpu;
	if (!cpu || !cpu->cache_mode)
		return TRUE;
	int line = cpu->head.line;
	if (!strcmp(cpu->cache_mode, "emulate") && opt_uint_or(cpu->cache_level, 0) != 3)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "cpu/cache, line %d: mode=\"emulate\" needs level=\"3\"", line);
	if (!strcmp(cpu->cache_mode, "passthrough") && !passes_host(cpu))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "cpu/cache, line %d: mode=\"passthrough\" needs a CPU of mode "
			    "host-passthrough "
			    "or maximum",
			    line);
	if (strcmp(cpu->cache_mode, "emulate") && cpu->cache_level.set)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "cpu/cache, line %d: mode=\"%s\" has no level: remove the attribute",
			    line, cpu->cache_mode);
	return TRUE;
}

static gboolean check_address_bits(const Guest *guest, GError **error)
{
	const Cpu *cpu = guest->cpu;
	if (!cpu || !cpu->maxphysaddr_mode)
		return TRUE;
	gboolean emulate = !strcmp(cpu->maxphysaddr_mode, "emulate");
	if (emulate && !cpu->maxphysaddr_bits.set)
		return fail(
			error, LODGE_ERROR_UNSUPPORTED,
			"cpu/maxphysaddr, line %d: mode=\"emulate\" needs bits=", cpu->head.line);
	if (!emulate && cpu->maxphysaddr_bits.set)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "cpu/maxphysaddr, line %d: mode=\"%s\" takes the bits of the host: "
			    "remove bits=",
			    cpu->head.line, cpu->maxphysaddr_mode);
	return emulate || passes_host(cpu) ||
	       fail(error, LODGE_ERROR_UNSUPPORTED,
		    "cpu/maxphysaddr, line %d: mode=\"passthrough\" needs a CPU of mode "
		    "host-passthrough or "
		    "maximum",
		    cpu->head.line);
}

/* Ids, where they are said, are 0, 1, 2, ... in any order. */
static gboolean check_cells(const Guest *guest, GError **error)
{
	guint n = guest_cells(guest);
	g_autofree gboolean *seen = g_new0(gboolean, n + 1);
	if (!n)
		return TRUE;
	SHAPE_EACH (NumaCell, cell, guest->cpu->cells) {
		guint64 id = opt_uint_or(cell->id, cell_i);
		if (id >= n || seen[id])
			return fail(error, LODGE_ERROR_INVALID,
				    "cpu/numa/cell[%u], line %d: id %" G_GUINT64_FORMAT
				    " %s: the %u cells are "
				    "numbered from 0 without gaps",
				    cell_i + 1, cell->head.line, id,
				    id < n ? "stands twice" : "is too high", n);
		seen[id] = TRUE;
		if (cell->mem_access && strcmp(cell->mem_access, "shared") &&
		    strcmp(cell->mem_access, "private"))
			return fail(error, LODGE_ERROR_INVALID,
				    "cpu/numa/cell[%u]/@memAccess, line %d: \"%s\" is not one of "
				    "shared, "
				    "private",
				    cell_i + 1, cell->head.line, cell->mem_access);
	}
	return TRUE;
}

/* ---- memory ---- */

/* The first number of @set that is @limit or above; -1: none. */
static int first_above(const char *set, guint limit)
{
	guint first, last;
	while (set && set_next_range(&set, &first, &last))
		if (last >= limit)
			return (int)MAX(first, limit);
	return -1;
}

static gboolean check_hugepages(const Guest *guest, GError **error)
{
	const MemoryBacking *backing = guest->memory_backing;
	guint cells = guest_cells(guest), masters = 0;
	if (!backing)
		return TRUE;
	SHAPE_EACH (HugePage, page, backing->pages) {
		int wrong = first_above(page->nodeset, MAX(cells, 1));
		if (wrong >= 0)
			return fail(error, LODGE_ERROR_INVALID,
				    "memoryBacking/hugepages/page, line %d: the guest has no NUMA "
				    "cell %d",
				    page->head.line, wrong);
		if ((!page->nodeset || !cells) && masters++)
			return fail(error, LODGE_ERROR_INVALID,
				    "memoryBacking/hugepages/page, line %d: a second size for the "
				    "same memory: "
				    "say with nodeset= which cells it is for",
				    page->head.line);
	}
	return TRUE;
}

static gboolean check_modules(const Guest *guest, GError **error)
{
	guint cells = guest_cells(guest);
	SHAPE_EACH (MemoryModule, module, guest->memories)
		if (cells && module->node.set && module->node.v >= cells)
			return guest_refuse(guest, "memory", module, error, LODGE_ERROR_UNSUPPORTED,
					    "its target/node is %" G_GUINT64_FORMAT
					    ", but the guest has %u NUMA cells",
					    module->node.v, cells);
	return TRUE;
}

static gboolean check_memnodes(const Guest *guest, GError **error)
{
	const NumaTune *tune = guest->numatune;
	gboolean restrictive = !g_strcmp0(tune->mode, "restrictive");
	SHAPE_EACH (NumaMemnode, node, tune->memnodes) {
		const char *wrong = NULL;
		if (!guest_cells(guest))
			wrong = "needs <cpu><numa> with cells";
		else if (opt_uint_or(node->cellid, 0) >= guest_cells(guest))
			wrong = "names a cell that the guest has not";
		else if (!g_strcmp0(tune->placement, "auto"))
			wrong = "does not go with placement=\"auto\"";
		else if (restrictive != !g_strcmp0(node->mode, "restrictive"))
			wrong = "has mode=\"restrictive\" exactly where <memory> has it";
		if (wrong)
			return fail(error, LODGE_ERROR_INVALID,
				    "numatune/memnode, line %d: a memnode %s", node->head.line,
				    wrong);
	}
	return TRUE;
}

static gboolean check_numatune(const Guest *guest, GError **error)
{
	const NumaTune *tune = guest->numatune;
	if (!tune)
		return TRUE;
	if (!g_strcmp0(tune->placement, "static") && !tune->nodeset)
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "numatune/memory, line %d: placement=\"static\" needs nodeset=",
			    tune->head.line);
	return check_memnodes(guest, error);
}

/* ---- scheduling ---- */

/* Whether sets overlap: @seen gets the numbers of @set. */
static gboolean overlaps(GHashTable *seen, const char *set)
{
	guint first, last;
	while (set && set_next_range(&set, &first, &last))
		for (guint i = first; i <= last; i++)
			if (!g_hash_table_add(seen, GUINT_TO_POINTER(i)))
				return TRUE;
	return FALSE;
}

static gboolean check_schedulers(const Guest *guest, const GPtrArray *rules, const char *what,
				 GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	gboolean vcpus = g_str_equal(what, "vcpus");
	guint64 iothreads = MAX(opt_uint_or(guest->iothreads, 0), shape_len(guest->iothread_ids));
	SHAPE_EACH (CpuSched, sched, (GPtrArray *)rules) {
		const char *set = vcpus ? sched->vcpus : sched->iothreads;
		if (overlaps(seen, set))
			return fail(error, LODGE_ERROR_INVALID,
				    "cputune/%s, line %d: %s %s are those of another one, too",
				    vcpus ? "vcpusched" : "iothreadsched", sched->head.line, what,
				    set);
		if (!vcpus && !shape_len(guest->iothread_ids) &&
		    first_above(set, (guint)iothreads + 1) >= 0)
			return fail(error, LODGE_ERROR_UNSUPPORTED,
				    "cputune/iothreadsched, line %d: the guest has no iothread %d: "
				    "raise "
				    "<iothreads>",
				    sched->head.line, first_above(set, (guint)iothreads + 1));
	}
	return TRUE;
}

static gboolean check_cputune(const Guest *guest, GError **error)
{
	const CpuTune *tune = guest->cputune;
	return !tune || (check_schedulers(guest, tune->vcpuscheds, "vcpus", error) &&
			 check_schedulers(guest, tune->iothreadscheds, "iothreads", error));
}

/* ---- firmware and the machine ---- */

/* Who has variables: UEFI, not a BIOS. */
static const char *wrong_nvram(const GuestOs *os)
{
	gboolean variables = os->nvram || os->nvram_file || os->nvram_template;
	gboolean bios = os->firmware ? g_str_equal(os->firmware, "bios")
				     : os->loader && g_strcmp0(os->loader_type, "pflash");
	if (bios && (variables || os->loader_stateless == TRI_NO))
		return "a BIOS has no variables: remove <nvram> and stateless=\"no\"";
	if (os->nvram_type && !g_str_equal(os->nvram_type, "file"))
		return "variables are kept in a file: say <nvram type='file'> with <source "
		       "file=...>";
	if (os->loader_stateless == TRI_YES && variables)
		return "a loader with stateless=\"yes\" has no variables: remove <nvram>";
	return NULL;
}

static gboolean check_firmware(const Guest *guest, GError **error)
{
	const GuestOs *os = &guest->os;
	const char *wrong = wrong_nvram(os);
	gboolean pflash = !g_strcmp0(os->loader_type, "pflash");
	if (!wrong && !os->firmware && !os->loader && (os->loader_type || os->loader_readonly))
		wrong = "<loader> names no file: add it, or say <os firmware='efi'>";
	if (!wrong && !os->firmware && os->loader && shape_len(os->firmware_features))
		wrong = "features of <firmware> choose a file, but <loader> names one: remove one "
			"of them";
	if (!wrong && !os->firmware && pflash && os->loader &&
	    !(guest->features && guest->features->acpi))
		wrong = "UEFI needs ACPI: add <acpi/> to <features>";
	return !wrong || fail(error, LODGE_ERROR_UNSUPPORTED, "os: %s", wrong);
}

static gboolean check_tseg(const Guest *guest, GError **error)
{
	const GuestFeatures *features = guest->features;
	if (!features || !features->smm_tseg.set)
		return TRUE;
	if (!guest_is_q35(guest))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "features/smm/tseg, line %d: only machine type q35 has it",
			    features->head.line);
	return features->smm_tseg.v % MIB == 0 ||
	       fail(error, LODGE_ERROR_UNSUPPORTED,
		    "features/smm/tseg, line %d: it is a multiple of 1 MiB", features->head.line);
}

/* mm/dd/yyyy or mm/dd/yy (SMBIOS 3.0, type 0, BIOS Release Date). */
static gboolean is_date(const char *text)
{
	guint month, day, year;
	int end = 0;
	if (sscanf(text, "%2u/%2u/%4u%n", &month, &day, &year, &end) != 3 || text[end])
		return FALSE;
	return month >= 1 && month <= 12 && day >= 1 && day <= 31 && (year < 100 || year >= 1900);
}

static const char *sysinfo_value(const SysinfoTable *table, const char *name)
{
	if (table)
		SHAPE_EACH (SysinfoEntry, entry, table->entries)
			if (!g_strcmp0(entry->name, name))
				return entry->value;
	return NULL;
}

static gboolean check_sysinfo(const Guest *guest, GError **error)
{
	SHAPE_EACH (Sysinfo, info, guest->sysinfos) {
		const char *date = sysinfo_value(info->bios, "date");
		const char *uuid = sysinfo_value(info->system, "uuid");
		if (date && !is_date(date))
			return fail(
				error, LODGE_ERROR_INVALID,
				"sysinfo/bios, line %d: date \"%s\" is not of the form mm/dd/yyyy",
				info->head.line, date);
		if (uuid && guest->uuid && g_ascii_strcasecmp(uuid, guest->uuid))
			return fail(
				error, LODGE_ERROR_INVALID,
				"sysinfo/system, line %d: uuid %s is not the guest's %s: remove it",
				info->head.line, uuid, guest->uuid);
	}
	return TRUE;
}

static gboolean check_labels(const Guest *guest, GError **error)
{
	g_autoptr(GHashTable) models = g_hash_table_new(g_str_hash, g_str_equal);
	SHAPE_EACH (SecLabel, label, guest->seclabels)
		if (label->model && !g_hash_table_add(models, label->model))
			return fail(error, LODGE_ERROR_INVALID,
				    "seclabel, line %d: a second one of model %s", label->head.line,
				    label->model);
	return TRUE;
}

static const GuestRule rules[] = {
	check_cache,   check_address_bits, check_cells,	  check_hugepages,
	check_modules, check_numatune,	   check_cputune, check_firmware,
	check_tseg,    check_sysinfo,	   check_labels,
};
const GuestRules guest_rules_host = { rules, G_N_ELEMENTS(rules) };

static const GuestRules *const all[] = { &guest_rules_host, &guest_rules_disks, &guest_rules_devices,
					 &guest_rules_unknown };

gboolean guest_rules(const Guest *guest, GError **error)
{
	for (guint i = 0; i < G_N_ELEMENTS(all); i++)
		for (guint k = 0; k < all[i]->n; k++)
			if (!all[i]->rules[k](guest, error))
				return error_detail(error, LODGE_DETAIL_NONE, "");
	return TRUE;
}

void guest_rules_tell(const Guest *guest, Notes *notes)
{
	for (guint i = 0; i < G_N_ELEMENTS(all); i++)
		for (guint k = 0; k < all[i]->n; k++) {
			g_autoptr(GError) broken = NULL;
			if (!all[i]->rules[k](guest, &broken))
				notes_add(notes, "%s", broken->message);
		}
}
