/* `lodge screenshot`: what a guest's screen shows, into a file. */
#include "cli/internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct ScreenshotArgs {
	ShapeHead head;
	char *file;
	OptUint screen;
} ScreenshotArgs;

static const Row screenshot_rows[] = {
	STRING(ScreenshotArgs, file, NULL, .flags = ROW_POSITIONAL,
	       .doc = "where to write it (- for standard output; without: DOMAIN-TIME.png)"),
	UINT(ScreenshotArgs, screen, NULL, .max = G_MAXUINT32,
	     .doc = "number of the screen, counted over all video devices: 0, the first"),
};
const Shape screenshot_args = SHAPE("screenshot-words", ScreenshotArgs, screenshot_rows);

static char *default_name(const char *target)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_local();
	g_autofree char *stamp = g_date_time_format(now, "%Y-%m-%d-%H:%M:%S");
	return g_strdup_printf("%s-%s.png", target, stamp);
}

static int save(const char *target, const ScreenshotArgs *args, json_t *result)
{
	g_autoptr(GError) error = NULL;
	gsize length;
	const char *data = json_string_value(json_object_get(result, "data"));
	g_autofree guchar *png = g_base64_decode(data ? data : "", &length);
	if (g_strcmp0(args->file, "-") == 0)
		return show_bytes((const char *)png, length) ? 0 : 1;
	g_autofree char *path = args->file ? g_strdup(args->file) : default_name(target);
	if (!g_file_set_contents(path, (const char *)png, (gssize)length, &error))
		return cli_failed(error);
	printf("Screenshot saved to %s, with type of image/png%s", path, cli_style.virsh ? "" : "\n\n");
	return 0;
}

int run_screenshot(Cli *cli, const Op *own, const char *target, gpointer words)
{
	const Op *op = op_find("screenshot");
	const ScreenshotArgs *args = words;
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	gpointer passed = cli_pass_args(own, words, op);
	gboolean ok = cli_call(cli, op, target, passed, &reply, &error);
	shape_free(op->args, passed);
	return ok ? save(target, args, reply.json) : cli_failed(error);
}
