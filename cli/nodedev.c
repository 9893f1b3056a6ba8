/* nodedev-list: names, or the tree that virsh draws. Neighbours: verbs.c knows the verb. */
#include "cli/internal.h"

#include <stdio.h>
#include <string.h>

static const char *text_of(json_t *device, const char *name)
{
	const char *text = json_string_value(json_object_get(device, name));
	return text ? text : "";
}

static void draw(json_t *devices, const char *name, const char *indent, gboolean root, gboolean last)
{
	size_t i, last_child = G_MAXSIZE;
	json_t *child;
	printf("%s%s%s\n", indent, root ? "" : "+- ", name);
	json_array_foreach (devices, i, child)
		if (g_str_equal(text_of(child, "parent"), name))
			last_child = i;
	g_autofree char *below = g_strconcat(indent, root ? "" : last ? "  " : "| ", NULL);
	if (last_child == G_MAXSIZE && last && !root)
		printf("%s\n", below);
	if (last_child == G_MAXSIZE)
		return;
	printf("%s  |\n", below);
	g_autofree char *deeper = g_strconcat(below, "  ", NULL);
	json_array_foreach (devices, i, child)
		if (g_str_equal(text_of(child, "parent"), name))
			draw(devices, text_of(child, "name"), deeper, FALSE, i == last_child);
}

int run_nodedev_list(Cli *cli, const Op *op, const char *target, gpointer args)
{
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	if (!cli_call(cli, op, target, args, &reply, &error))
		return cli_failed(error);
	json_t *devices = json_object_get(reply.json, op->result->rows[0].name), *device;
	size_t i;
	if (cli->json) {
		show_json(reply.json);
		return 0;
	}
	if (cli_flag(op, args, "tree")) {
		json_array_foreach (devices, i, device)
			if (!*text_of(device, "parent"))
				draw(devices, text_of(device, "name"), "", TRUE, TRUE);
	} else {
		json_array_foreach (devices, i, device)
			puts(text_of(device, "name"));
	}
	show_end();
	return 0;
}
