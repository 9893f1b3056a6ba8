/* See netdev.h. Facts: proc(5), /proc/net/dev: two lines of heads, then NAME: and 16 columns. */
#include "host/netdev.h"

#include <string.h>

static gboolean read_line(const char *line, NetdevUse *use)
{
	guint64 columns[16];
	char *end = (char *)line;
	for (guint i = 0; i < G_N_ELEMENTS(columns); i++) {
		const char *from = end;
		columns[i] = g_ascii_strtoull(from, &end, 10);
		if (end == from)
			return FALSE;
	}
	*use = (NetdevUse){ columns[0], columns[1], columns[2], columns[3],
			    columns[8], columns[9], columns[10], columns[11] };
	return TRUE;
}

GHashTable *netdev_use(void)
{
	GHashTable *all = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autofree char *text = NULL;
	if (!g_file_get_contents("/proc/net/dev", &text, NULL, NULL))
		return all;
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		NetdevUse use;
		char *colon = strrchr(*line, ':'); /* names of aliases have one, too */
		if (!colon || !read_line(colon + 1, &use))
			continue;
		*colon = '\0';
		g_hash_table_insert(all, g_strdup(g_strstrip(*line)), g_memdup2(&use, sizeof use));
	}
	return all;
}
