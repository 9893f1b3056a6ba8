/* What rows cannot say about bounds and processors: bit maps, and parameters of other forms than the
 * verbs'. Neighbours: procs_tune.c has the rows; params.c typed parameters; the verbs are in
 * ops/guest_bounds.c and guest_cpus.c. */
#include "ops/tune.h"
#include "wire/libvirt/internal.h"

#include <string.h>
#include <unistd.h>

gboolean lv_after_scheduler(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	lv_put(call, "type")->s = "posix";
	lv_put(call, "nparams")->i = shape_len(LV_RESULT(GPtrArray *, op, "params"));
	return TRUE;
}

/* virDomainNumatuneMemMode counts from 0, and the names of the parameters are not the verb's. */
gboolean lv_before_numa(LvCall *call, OpCall *op, GError **error)
{
	const WireValue *params = lv_arg(call, "params");
	for (guint i = 0; i < params->n; i++) {
		const WireValue *fields = params->items[i].items;
		gboolean text = fields[1].n == WIRE_PARAM_STRING;
		const Row *row = NULL;
		for (guint k = 0; k < op->op->args->n; k++)
			if (g_str_equal(op->op->args->rows[k].name, "nodeset"))
				row = &op->op->args->rows[k];
		if (g_str_equal(fields[0].s, "numa_mode") && !text && fields[1].i >= 0 && fields[1].i < 4)
			LV_ARG(int, op, "mode") = (int)fields[1].i + 1;
		else if (!g_str_equal(fields[0].s, "numa_nodeset") || !text)
			return lv_fail(error, LV_ERR_INVALID_ARG, "parameter '%s' not supported",
				       fields[0].s);
		else if (!shape_arg_from_text(row, op->args, fields[1].s, error))
			return FALSE;
	}
	return params->n > 0 || lv_fail(error, LV_ERR_INVALID_ARG, "there are no parameters");
}

/* "inbound.average", ... become "AVERAGE,PEAK,BURST,FLOOR". */
gboolean lv_before_rates(LvCall *call, OpCall *op, GError **error)
{
	static const char *const ways[] = { "inbound", "outbound" };
	static const char *const rates[] = { "average", "peak", "burst", "floor" };
	guint64 numbers[2][4] = { 0 };
	gboolean given[2] = { FALSE };
	const WireValue *params = lv_arg(call, "params");
	for (guint i = 0; i < params->n; i++) {
		const WireValue *fields = params->items[i].items;
		gboolean known = FALSE;
		for (guint k = 0; k < 8; k++) {
			g_autofree char *name = g_strdup_printf("%s.%s", ways[k / 4], rates[k % 4]);
			if (!g_str_equal(name, fields[0].s))
				continue;
			known = given[k / 4] = TRUE;
			numbers[k / 4][k % 4] = fields[1].u;
		}
		if (!known || fields[1].n != WIRE_PARAM_UINT)
			return lv_fail(error, LV_ERR_INVALID_ARG, "parameter '%s' not supported",
				       fields[0].s);
	}
	for (guint i = 0; i < 2; i++)
		if (given[i])
			LV_ARG(char *, op, ways[i]) =
				g_strdup_printf("%u,%u,%u,%u", (guint)numbers[i][0], (guint)numbers[i][1],
						(guint)numbers[i][2], (guint)numbers[i][3]);
	return given[0] || given[1] || lv_fail(error, LV_ERR_INVALID_ARG, "there are no parameters");
}

/* Of all together (start_cpu -1), or how many of the host's processors and numbers for each there would be
 * (ncpus, nparams 0): cgroup v2 does not count a guest's time by processor. */
gboolean lv_before_cpu_stats(LvCall *call, G_GNUC_UNUSED OpCall *op, GError **error)
{
	gint64 start = lv_arg(call, "start_cpu")->i, ncpus = lv_arg(call, "ncpus")->i;
	return start == -1 || (start == 0 && (ncpus == 0 || lv_arg(call, "nparams")->i == 0)) ||
	       lv_fail(error, LV_ERR_OPERATION_UNSUPPORTED,
		       "Operation not supported: operation 'getCpuacctPercpuUsage' not supported for backend "
		       "'cgroup V2'");
}

gboolean lv_after_cpu_stats(LvCall *call, OpCall *op, GError **error)
{
	if (lv_arg(call, "start_cpu")->i == -1)
		return lv_after_params(call, op, error);
	lv_put_list(call, lv_put(call, "params"), 0, 2);
	lv_put(call, "nparams")->i = lv_arg(call, "ncpus")->i == 0 ? sysconf(_SC_NPROCESSORS_CONF) : 1;
	return TRUE;
}

/* VIR_DOMAIN_BLOCK_RESIZE_BYTES; else the size counts KiB. */
gboolean lv_before_disk_size(LvCall *call, OpCall *op, GError **error)
{
	guint64 size = lv_arg(call, "size")->u, unit = lv_arg(call, "flags")->u & 1 ? 1 : 1024;
	if (size > G_MAXUINT64 / unit)
		return lv_fail(error, LV_ERR_OVERFLOW, "size must be less than %" G_GUINT64_FORMAT,
			       G_MAXUINT64 / unit);
	LV_ARG(OptUint, op, "size") = OPT_UINT(size * unit);
	return TRUE;
}

/* Booleans by the names of events. */
gboolean lv_before_perf(LvCall *call, OpCall *op, GError **error)
{
	const WireValue *params = lv_arg(call, "params");
	g_autoptr(GString) on = g_string_new(NULL), off = g_string_new(NULL);
	const char *wrong = NULL;
	if (op->caller.read_only)
		return fail(error, LODGE_ERROR_DENIED, "a read-only connection changes nothing");
	for (guint i = 0; i < params->n && !wrong; i++) {
		const WireValue *fields = params->items[i].items;
		if (fields[1].n != WIRE_PARAM_BOOLEAN || strchr(fields[0].s, ','))
			wrong = fields[0].s;
		g_string_append_printf(fields[1].u ? on : off, "%s,", fields[0].s);
	}
	LV_ARG(char *, op, "enable") = g_strdup(on->str);
	LV_ARG(char *, op, "disable") = g_strdup(off->str);
	if (wrong)
		return lv_fail(error, LV_ERR_INVALID_ARG, "invalid type for parameter '%s', expected boolean",
			       wrong);
	return params->n > 0 || lv_fail(error, LV_ERR_INVALID_ARG, "there are no parameters");
}

gboolean lv_before_vcpu(LvCall *call, OpCall *op, GError **error)
{
	gint64 state = lv_arg(call, "state")->i;
	const Shape *args = op->op->args;
	LV_ARG(gboolean, op, state == 1 ? "enable" : "disable") = TRUE;
	if (state != 0 && state != 1)
		return lv_fail(error, LV_ERR_INVALID_ARG, "unsupported state value");
	const char *map = lv_arg(call, "cpumap")->s;
	for (guint i = 0; i < args->n; i++)
		if (g_str_equal(args->rows[i].name, "vcpulist"))
			return shape_arg_from_text(&args->rows[i], op->args, map, error);
	return FALSE;
}

/* VIR_DOMAIN_LAUNCH_SECURITY_SEV_SECRET_*. */
gboolean lv_before_launch(LvCall *call, OpCall *op, GError **error)
{
	const WireValue *params = lv_arg(call, "params");
	for (guint i = 0; i < params->n; i++) {
		const WireValue *fields = params->items[i].items;
		const char *name = g_str_has_prefix(fields[0].s, "sev-secret") ? fields[0].s : "";
		gboolean text = fields[1].n == WIRE_PARAM_STRING, number = fields[1].n == WIRE_PARAM_ULLONG;
		if (g_str_equal(name, "sev-secret-header") && text)
			LV_ARG(char *, op, "secrethdr") = g_strdup(fields[1].s);
		else if (g_str_equal(name, "sev-secret") && text)
			LV_ARG(char *, op, "secret") = g_strdup(fields[1].s);
		else if (g_str_equal(name, "sev-secret-set-address") && number)
			LV_ARG(OptUint, op, "set_address") = OPT_UINT(fields[1].u);
		else
			return lv_fail(error, LV_ERR_INVALID_ARG, "parameter '%s' not supported",
				       fields[0].s);
	}
	return (LV_ARG(char *, op, "secrethdr") && LV_ARG(char *, op, "secret")) ||
	       lv_fail(error, LV_ERR_INTERNAL, "Both secret and the secret header are required");
}

/* ---- bit maps of processors ---- */

gboolean lv_before_pin(LvCall *call, OpCall *op, GError **error)
{
	const WireValue *map = lv_arg(call, "cpumap");
	GString *list = g_string_new(NULL);
	for (guint i = 0; i < map->n * 8; i++)
		if (map->bytes[i / 8] & 1u << i % 8)
			g_string_append_printf(list, "%s%u", list->len ? "," : "", i);
	LV_ARG(char *, op, "cpulist") = g_string_free(list, FALSE);
	return *LV_ARG(char *, op, "cpulist") ||
	       lv_fail(error, LV_ERR_INVALID_ARG, "the map names no processor");
}

static void put_set(guint8 *bytes, guint length, const char *list)
{
	cpu_set_t set;
	if (!tune_cpuset(list, &set, NULL))
		return;
	for (guint i = 0; i < length * 8 && i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			bytes[i / 8] |= (guint8)(1u << i % 8);
}

/* One map for each of the result's parameters. */
gboolean lv_after_pins(LvCall *call, OpCall *op, GError **error)
{
	const GPtrArray *pins = LV_RESULT(GPtrArray *, op, "params");
	gboolean vcpus = wire_field(wire_type(call->proc->args), "ncpumaps") >= 0;
	gint64 length = lv_arg(call, "maplen")->i, most = vcpus ? lv_arg(call, "ncpumaps")->i : 1;
	if (length < 0 || length > 2048 || most < 0)
		return lv_fail(error, LV_ERR_INVALID_ARG, "there is no room for that");
	guint n = (guint)MIN((gint64)shape_len(pins), most), size = n * (guint)length;
	guint8 *maps = wire_alloc(&call->arena, MAX(size, 1));
	for (guint i = 0; i < n; i++)
		put_set(maps + i * (guint)length, (guint)length,
			((const Param *)g_ptr_array_index(pins, i))->text);
	lv_put(call, "cpumaps")->bytes = maps;
	lv_put(call, "cpumaps")->n = size;
	lv_put(call, vcpus ? "num" : "ret")->i = n;
	return TRUE;
}

gboolean lv_after_iothreads(LvCall *call, OpCall *op, G_GNUC_UNUSED GError **error)
{
	const GPtrArray *threads = LV_RESULT(GPtrArray *, op, "params");
	guint n = MIN(shape_len(threads), 16384), bytes = (g_get_num_processors() + 7) / 8;
	WireValue *infos = lv_put_list(call, lv_put(call, "info"), n, 2);
	for (guint i = 0; i < n; i++) {
		const Param *thread = g_ptr_array_index(threads, i);
		guint8 *map = wire_alloc(&call->arena, bytes);
		put_set(map, bytes, thread->text);
		infos[i].items[0].u = g_ascii_strtoull(thread->name, NULL, 10);
		infos[i].items[1].bytes = map;
		infos[i].items[1].n = bytes;
	}
	lv_put(call, "ret")->u = n;
	return TRUE;
}
