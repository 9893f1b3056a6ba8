/* Processors of the host and under a guest, in virsh's variants: ranges in place of maps (--pretty),
 * shares of a second in place of sums (--percent). Neighbours: ops/node.c and ops/guest_stats.c have
 * what they call. */
#include "cli/internal.h"

#include <stdio.h>
#include <string.h>

static const Row pretty_rows[] = {
	{ .kind = ROW_FLAG, .name = "pretty", .doc = "processors as ranges: 0-3,5" },
};

const Shape *pretty_words(const Shape *args)
{
	return cli_more_args(args, pretty_rows, G_N_ELEMENTS(pretty_rows));
}

static const Row percent_rows[] = {
	{ .kind = ROW_FLAG, .name = "percent", .doc = "of the next second, as shares of it" },
};

const Shape *percent_words(const Shape *args)
{
	return cli_more_args(args, percent_rows, G_N_ELEMENTS(percent_rows));
}

static const char *word_of(json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));
	return text ? text : "";
}

static gint64 number_of(json_t *json, const char *name)
{
	return json_integer_value(json_object_get(json, name));
}

/* "0-1,3" of a map "yy-y"; the caller frees it. */
static char *ranges_of(const char *map)
{
	GString *out = g_string_new(NULL);
	for (gsize i = 0; map[i]; i++) {
		if (map[i] != 'y')
			continue;
		gsize last = i;
		while (map[last + 1] == 'y')
			last++;
		g_string_append_printf(out, "%s%" G_GSIZE_FORMAT, out->len ? "," : "", i);
		if (last > i)
			g_string_append_printf(out, "-%" G_GSIZE_FORMAT, last);
		i = last;
	}
	return g_string_free(out, FALSE);
}

/* A map "yy-y" of the processors in "0-1,3", as long as the host has processors; the caller frees it. */
static char *map_of(const char *ranges, guint n)
{
	char *map = g_strnfill(n, '-');
	for (const char *c = ranges; *c;) {
		char *end;
		guint64 first = g_ascii_strtoull(c, &end, 10), last = first;
		if (end == c)
			break;
		if (*end == '-')
			last = g_ascii_strtoull(end + 1, &end, 10);
		for (guint64 i = first; i <= last && i < n; i++)
			map[i] = 'y';
		c = *end == ',' ? end + 1 : end;
	}
	return map;
}

/* ---- vcpuinfo ---- */

static void print_affinity(const char *map, gboolean pretty)
{
	g_autofree char *ranges = ranges_of(map);
	if (pretty)
		printf("%-15s %s (out of %" G_GSIZE_FORMAT ")\n", "CPU Affinity:", ranges, strlen(map));
	else
		printf("%-15s %s\n", "CPU Affinity:", map);
}

static void print_vcpus(json_t *vcpus, gboolean pretty)
{
	json_t *vcpu;
	size_t i;
	json_array_foreach(vcpus, i, vcpu) {
		printf("%s%-15s %" G_GINT64_FORMAT "\n", i ? "\n" : "", "VCPU:", number_of(vcpu, "number"));
		printf("%-15s %" G_GINT64_FORMAT "\n", "CPU:", number_of(vcpu, "cpu"));
		printf("%-15s %s\n", "State:", "running");
		if (number_of(vcpu, "time") > 0)
			printf("%-15s %.1lfs\n", "CPU time:", (double)number_of(vcpu, "time") / 1e9);
		print_affinity(word_of(vcpu, "affinity"), pretty);
	}
	show_end();
}

/* What does not run has no more than where its CPUs may run. */
static int show_pins(Cli *cli, const char *target, gboolean pretty)
{
	const Op *pins = op_find("vcpupin");
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 }, host = { 0 };
	gpointer args = shape_new(pins->args);
	gboolean ok = cli_call(cli, pins, target, args, &reply, &error) &&
		      cli_call(cli, op_find("host cpumap"), NULL, NULL, &host, &error);
	shape_free(pins->args, args);
	if (!ok)
		return cli_failed(error);
	json_t *pin;
	size_t i;
	json_array_foreach(json_object_get(reply.json, "params"), i, pin) {
		g_autofree char *map = map_of(word_of(pin, "text"), (guint)number_of(host.json, "present"));
		printf("%s%-15s %" G_GSIZE_FORMAT "\n", i ? "\n" : "", "VCPU:", i);
		printf("%-15s %s\n%-15s %s\n%-15s %s\n", "CPU:", "N/A", "State:", "N/A", "CPU time", "N/A");
		print_affinity(map, pretty);
	}
	show_end();
	return 0;
}

int run_vcpuinfo(Cli *cli, const Op *own, const char *target, gpointer args)
{
	const Op *op = op_find(own->name);
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	gboolean pretty = cli_flag(own, args, "pretty");
	if (cli->json || (!pretty && !cli_style.virsh))
		return cli_call_and_show(cli, op, target, args);
	if (cli_call(cli, op, target, args, &reply, &error))
		print_vcpus(json_object_get(reply.json, "vcpus"), pretty);
	else if (op_error_of(error) == LODGE_ERROR_STATE)
		return show_pins(cli, target, pretty);
	else
		return cli_failed(error);
	return 0;
}

/* ---- host cpumap ---- */

int run_cpumap(Cli *cli, const Op *own, const char *target, gpointer args)
{
	const Op *op = op_find(own->name);
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	if (cli->json || !cli_flag(own, args, "pretty"))
		return cli_call_and_show(cli, op, target, args);
	if (!cli_call(cli, op, target, args, &reply, &error))
		return cli_failed(error);
	g_autofree char *ranges = ranges_of(word_of(reply.json, "map"));
	json_object_set_new(reply.json, "map", json_string(ranges));
	show_result(op, target, args, reply.json);
	return 0;
}

/* ---- host cpustats ---- */

static const struct { const char *label, *member; } times[] = {
	{ "user:", "user" }, { "system:", "kernel" }, { "idle:", "idle" }, { "iowait:", "iowait" },
};

static void print_shares(json_t *before, json_t *after)
{
	double part[G_N_ELEMENTS(times)], all = 0;
	for (guint i = 0; i < G_N_ELEMENTS(times); i++) {
		gint64 spent = number_of(after, times[i].member) - number_of(before, times[i].member);
		part[i] = (double)MAX(spent, 0);
		all += part[i];
	}
	for (guint i = 0; i < G_N_ELEMENTS(times); i++)
		part[i] = all > 0 ? part[i] / all * 100 : 0;
	printf("%-15s %5.1lf%%\n", "usage:", part[0] + part[1]);
	for (guint i = 0; i < G_N_ELEMENTS(times); i++)
		printf("%-15s %5.1lf%%\n", times[i].label, part[i]);
	show_end();
}

/* The command waits out the second, not the daemon. */
int run_cpustats(Cli *cli, const Op *own, const char *target, gpointer args)
{
	const Op *op = op_find(own->name);
	g_autoptr(GError) error = NULL;
	g_auto(Reply) before = { 0 }, after = { 0 };
	gboolean percent = cli_flag(own, args, "percent");
	if (!percent && (cli->json || !cli_style.virsh))
		return cli_call_and_show(cli, op, target, args);
	if (!cli_call(cli, op, target, args, &before, &error))
		return cli_failed(error);
	for (guint i = 0; !percent && i < G_N_ELEMENTS(times); i++)
		printf("%-15s %20" G_GINT64_FORMAT "\n", times[i].label,
		       number_of(before.json, times[i].member));
	if (!percent)
		return 0;
	g_usleep(G_USEC_PER_SEC);
	if (!cli_call(cli, op, target, args, &after, &error))
		return cli_failed(error);
	print_shares(before.json, after.json);
	return 0;
}
