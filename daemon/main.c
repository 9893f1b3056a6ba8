/* Entry: hands the command line to the daemon or to the command. */
#include "cli/cli.h"
#include "daemon/daemon.h"
#include "image/keeper.h"

#include <glib.h>
#include <string.h>

/* `lodge --root DIR daemon` is `lodge daemon --root DIR`. */
static int daemon_word(int argc, char *const *argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "daemon") == 0)
			return i + 1 < argc && strcmp(argv[i + 1], "--help") == 0 ? 0 : i;
		if (strcmp(argv[i], "--root") == 0)
			i++;
		else if (!g_str_has_prefix(argv[i], "--root="))
			return 0;
	}
	return 0;
}

/* The words of the daemon: all but the program's name and "daemon". */
static int run_daemon(int argc, char *const *argv, int at)
{
	g_autofree char **words = g_new0(char *, (gsize)argc + 1);
	int n = 0;
	for (int i = 1; i < argc; i++)
		if (i != at)
			words[n++] = argv[i];
	return daemon_main(n, words);
}

int main(int argc, char **argv)
{
	g_autofree char *name = g_path_get_basename(argc > 0 ? argv[0] : "lodge");
	static const char *const commands[] = { "virsh", "qemu-img", "virt-ssh-helper", NULL };
	if (argc > 1 && strcmp(argv[1], "lease-keeper") == 0)
		return image_keeper_main(argc - 2, argv + 2);
	int at = g_strv_contains(commands, name) ? 0 : daemon_word(argc, argv);
	if (at > 0 || strcmp(name, "lodged") == 0)
		return run_daemon(argc, argv, at);
	return cli_main(argc, argv);
}
