/* Names of PCI devices, from the list of ids that distributions install. It is looked through when a name is
 * wanted and not kept: 1.3 MB, a few milliseconds, and documents are asked for seldom.
 * Format: comments with #, "VVVV  vendor", below it "<tab>DDDD  device". */
#include "nodedev/internal.h"
#include "base/fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const places[] = { "/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids" };

static FILE *open_list(const NodeTree *tree)
{
	FILE *file = NULL;
	for (guint i = 0; i < G_N_ELEMENTS(places) && !file; i++) {
		g_autofree char *path = g_strconcat(tree->root, places[i], NULL);
		file = fopen(path, "re");
	}
	return file;
}

/* Whether @line is of @id; then *@name is what follows, the caller's. */
static gboolean take(const char *line, guint id, char **name)
{
	char *end = NULL;
	if (!g_ascii_isxdigit(*line) || strtoul(line, &end, 16) != id || end != line + 4)
		return FALSE;
	*name = g_strstrip(g_utf8_make_valid(end, -1));
	return TRUE;
}

void pci_names(const NodeTree *tree, guint vendor, guint product, char **vendor_name, char **product_name)
{
	FILE *file = open_list(tree);
	char line[1024];
	gboolean within = FALSE;
	while (file && !*product_name && fgets(line, sizeof line, file)) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (within && line[0] != '\t')
			break; /* the next vendor */
		if (!within)
			within = take(line, vendor, vendor_name);
		else if (line[1] != '\t')
			take(line + 1, product, product_name);
	}
	if (file)
		fclose(file);
}
