/* `lodge top`: what running guests use, again and again. The numbers are domstats', which the daemon has at
 * hand (--nowait): looking costs no guest anything. Neighbours: ops/guest_stats.c counts, call.c asks. */
#include "cli/internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct TopArgs {
	ShapeHead head;
	OptUint delay, count;
} TopArgs;

static const Row top_rows[] = {
	UINT(TopArgs, delay, NULL, .opt = 'd', .min = 1, .max = 3600, .doc = "seconds between two looks; 2"),
	UINT(TopArgs, count, NULL, .opt = 'n', .min = 1, .max = 1000000, .doc = "end after so many looks"),
};
const Shape top_args = SHAPE("top", TopArgs, top_rows);

/* What was counted the last time, by UUID: struct Seen *. */
typedef struct Seen {
	gint64 cpu_ns, at_us;
} Seen;

typedef struct Line {
	const char *name;
	gint64 id;
	double cpu; /* percent of one processor; negative: not known yet */
	gint64 cpu_ns, memory_kib, vcpus;
} Line;

static gint64 param(json_t *domain, const char *name)
{
	size_t i;
	json_t *one;
	json_array_foreach (json_object_get(domain, "params"), i, one)
		if (!g_strcmp0(json_string_value(json_object_get(one, "name")), name))
			return json_integer_value(json_object_get(one, "number"));
	return 0;
}

static double rate(GHashTable *seen, const char *uuid, gint64 cpu_ns)
{
	gint64 now = g_get_monotonic_time();
	const Seen *before = g_hash_table_lookup(seen, uuid);
	double percent = -1;
	if (before && now > before->at_us && cpu_ns >= before->cpu_ns)
		percent = (double)(cpu_ns - before->cpu_ns) / 10.0 / (double)(now - before->at_us);
	Seen *after = g_new(Seen, 1);
	*after = (Seen){ .cpu_ns = cpu_ns, .at_us = now };
	g_hash_table_replace(seen, g_strdup(uuid), after);
	return percent;
}

static gint by_use(gconstpointer a, gconstpointer b)
{
	const Line *one = a, *other = b;
	return one->cpu != other->cpu ? (one->cpu < other->cpu ? 1 : -1) : g_strcmp0(one->name, other->name);
}

static void print_lines(GArray *lines)
{
	printf(" %5s  %7s  %10s  %5s  %10s  %s\n", "Id", "CPU %", "Memory MiB", "vCPUs", "Time s", "Name");
	for (guint i = 0; i < lines->len; i++) {
		const Line *line = &g_array_index(lines, Line, i);
		g_autofree char *cpu = line->cpu < 0 ? g_strdup("-") : g_strdup_printf("%.1f", line->cpu);
		printf(" %5" G_GINT64_FORMAT "  %7s  %10" G_GINT64_FORMAT "  %5" G_GINT64_FORMAT
		       "  %10.1f  %s\n", line->id, cpu, line->memory_kib / 1024, line->vcpus,
		       (double)line->cpu_ns / 1e9, line->name);
	}
	putchar('\n');
	fflush(stdout);
}

static void show(json_t *domains, GHashTable *seen)
{
	g_autoptr(GArray) lines = g_array_new(FALSE, TRUE, sizeof(Line));
	size_t i;
	json_t *domain;
	json_array_foreach (domains, i, domain) {
		const char *uuid = json_string_value(json_object_get(domain, "uuid"));
		if (!json_object_get(domain, "id") || !uuid)
			continue;
		Line line = { .name = json_string_value(json_object_get(domain, "name")),
			      .id = json_integer_value(json_object_get(domain, "id")),
			      .cpu_ns = param(domain, "cpu.time"),
			      .memory_kib = param(domain, "balloon.current"),
			      .vcpus = param(domain, "vcpu.current") };
		line.cpu = rate(seen, uuid, line.cpu_ns);
		g_array_append_val(lines, line);
	}
	g_array_sort(lines, by_use);
	if (isatty(STDOUT_FILENO))
		fputs("\033[H\033[2J", stdout);
	print_lines(lines);
}

int run_top(Cli *cli, G_GNUC_UNUSED const Op *own, G_GNUC_UNUSED const char *target, gpointer args)
{
	const TopArgs *top = args;
	guint64 left = opt_uint_or(top->count, G_MAXUINT64);
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	const Op *op = op_find("domstats");
	gpointer asked = shape_new(op->args);
	for (guint i = 0; i < op->args->n; i++)
		if (g_str_equal(op->args->rows[i].name, "nowait"))
			shape_arg_from_text(&op->args->rows[i], asked, "yes", NULL);
	g_autoptr(GError) error = NULL;
	while (!error && left-- > 0) {
		g_auto(Reply) reply = { 0 };
		if (cli_call(cli, op, NULL, asked, &reply, &error))
			show(json_object_get(reply.json, "domains"), seen);
		if (!error && left > 0)
			g_usleep(opt_uint_or(top->delay, 2) * G_USEC_PER_SEC);
	}
	shape_free(op->args, asked);
	return error ? cli_failed(error) : 0;
}
