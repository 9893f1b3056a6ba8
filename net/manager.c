/* See manager.h: the list of managers, and what they share. */
#include "net/manager.h"
#include "base/error.h"
#include "host/file.h"
#include "host/spawn.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_LIMIT (256 * 1024)
#define FILES_MAX 4096
#define COMMAND_MS 60000

/* Where several are at work, the one that says that an interface is its own comes first. */
const NetManager *const managers[] = { &manager_networkd, &manager_nm, &manager_ifupdown, NULL };

gboolean manager_present(const NetManager *manager, const char *root)
{
	g_autofree char *path = g_strconcat(root, manager->sign, NULL);
	return access(path, R_OK) == 0 && (!manager->tool || manager_has_tool(manager->tool));
}

const NetManager *manager_find(const char *name)
{
	for (guint i = 0; managers[i]; i++)
		if (g_strcmp0(managers[i]->name, name) == 0)
			return managers[i];
	return NULL;
}

const NetManager *manager_of(ManagerWork *work, const LinkInfo *link)
{
	for (guint i = 0; managers[i]; i++)
		if (manager_present(managers[i], work->root) && managers[i]->manages(work, link))
			return managers[i];
	return NULL;
}

const NetManager *manager_having(ManagerWork *work, const char *name)
{
	for (guint i = 0; managers[i]; i++) {
		g_autofree char *kept = NULL;
		if (!manager_present(managers[i], work->root))
			continue;
		g_autoptr(HostIf) iface = managers[i]->read(work, name, NULL, &kept, NULL);
		if (iface)
			return managers[i];
	}
	return NULL;
}

const NetManager *manager_of_host(const char *root, GError **error)
{
	for (guint i = 0; managers[i]; i++)
		if (manager_present(managers[i], root))
			return managers[i];
	fail(error, LODGE_ERROR_UNSUPPORTED,
	     "nothing on this host configures its interfaces: neither NetworkManager nor systemd-networkd "
	     "runs, "
	     "and there is no /etc/network/interfaces (package ifupdown)");
	return NULL;
}

/* ---- the configuration, with changes ---- */

static void file_free(gpointer data)
{
	ManagerFile *file = data;
	g_free(file->path);
	g_free(file->text);
	g_free(file);
}

void manager_work_init(ManagerWork *work, const char *root, Notes *notes)
{
	*work = (ManagerWork){ .root = root,
			       .notes = notes,
			       .files = g_ptr_array_new_with_free_func(file_free) };
}

void manager_work_clear(ManagerWork *work)
{
	g_clear_pointer(&work->files, g_ptr_array_unref);
}

static ManagerFile *pending(const ManagerWork *work, const char *path)
{
	for (guint i = 0; i < work->files->len; i++)
		if (g_str_equal(((ManagerFile *)work->files->pdata[i])->path, path))
			return work->files->pdata[i];
	return NULL;
}

char *work_read(const ManagerWork *work, const char *path)
{
	const ManagerFile *file = pending(work, path);
	if (file)
		return g_strdup(file->text);
	g_autofree char *full = g_strconcat(work->root, path, NULL);
	gsize length;
	g_autofree char *text = file_read(full, FILE_LIMIT, &length, NULL);
	/* what is no text is no configuration */
	return text && strlen(text) == length ? g_steal_pointer(&text) : NULL;
}

gboolean work_exists(const ManagerWork *work, const char *path)
{
	g_autofree char *text = work_read(work, path);
	return text != NULL;
}

void work_write(ManagerWork *work, const char *path, char *text, guint mode)
{
	ManagerFile *file = pending(work, path);
	if (!file) {
		file = g_new0(ManagerFile, 1);
		file->path = g_strdup(path);
		g_ptr_array_add(work->files, file);
	}
	g_free(file->text);
	file->text = text;
	file->mode = mode;
}

void work_remove(ManagerWork *work, const char *path)
{
	if (work_exists(work, path))
		work_write(work, path, NULL, 0);
}

static int by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_name(GPtrArray *names, const char *name, const char *suffix)
{
	if (g_str_has_suffix(name, suffix) && *name != '.' && names->len < FILES_MAX &&
	    !g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
		g_ptr_array_add(names, g_strdup(name));
}

GPtrArray *work_list(const ManagerWork *work, const char *folder, const char *suffix)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *full = g_strconcat(work->root, folder, NULL);
	g_autoptr(GDir) dir = g_dir_open(full, 0, NULL);
	size_t length = strlen(folder);
	for (const char *name; dir && (name = g_dir_read_name(dir));) {
		g_autofree char *path = g_build_filename(folder, name, NULL);
		const ManagerFile *file = pending(work, path);
		if (!file || file->text)
			add_name(names, name, suffix);
	}
	for (guint i = 0; i < work->files->len; i++) {
		const ManagerFile *file = work->files->pdata[i];
		if (file->text && g_str_has_prefix(file->path, folder) && file->path[length] == '/' &&
		    !strchr(file->path + length + 1, '/'))
			add_name(names, file->path + length + 1, suffix);
	}
	g_ptr_array_sort(names, by_name);
	return names;
}

/* ---- files of sections ---- */

static void line_free(gpointer data)
{
	IniLine *line = data;
	g_free(line->raw);
	g_free(line->key);
	g_free(line->value);
	g_free(line);
}

static void section_free(gpointer data)
{
	IniSection *section = data;
	g_free(section->name);
	g_ptr_array_unref(section->lines);
	g_free(section);
}

static void add_line(IniSection *section, const char *raw)
{
	IniLine *line = g_new0(IniLine, 1);
	line->raw = g_strdup(raw);
	g_ptr_array_add(section->lines, line);
	const char *equal = strchr(raw, '=');
	while (g_ascii_isspace(*raw))
		raw++;
	if (!equal || *raw == '#' || *raw == ';')
		return;
	line->key = g_strchomp(g_strndup(raw, (gsize)(equal - raw)));
	line->value = g_strstrip(g_strdup(equal + 1));
}

static IniSection *add_section(GPtrArray *ini, const char *raw)
{
	IniSection *section = g_new0(IniSection, 1);
	const char *from = strchr(raw, '['), *end = strchr(raw, ']');
	section->name = end ? g_strndup(from + 1, (gsize)(end - from - 1)) : g_strdup("");
	section->lines = g_ptr_array_new_with_free_func(line_free);
	g_ptr_array_add(ini, section);
	return section;
}

GPtrArray *ini_read(const char *text)
{
	GPtrArray *ini = g_ptr_array_new_with_free_func(section_free);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	IniSection *section = NULL;
	for (char **line = lines; *line; line++) {
		g_autoptr(GString) raw = g_string_new(*line);
		while (raw->len && raw->str[raw->len - 1] == '\\' && line[1]) {
			raw->str[raw->len - 1] = ' ';
			g_string_append(raw, *++line);
		}
		g_strchomp(raw->str);
		const char *first = raw->str;
		while (g_ascii_isspace(*first))
			first++;
		if (*first == '[')
			section = add_section(ini, first);
		else if (section)
			add_line(section, raw->str);
	}
	return ini;
}

const char *ini_get(const GPtrArray *ini, const char *name, const char *key)
{
	const char *found = NULL;
	for (guint i = 0; i < ini->len; i++) {
		const IniSection *section = ini->pdata[i];
		for (guint k = 0; g_str_equal(section->name, name) && k < section->lines->len; k++) {
			const IniLine *line = section->lines->pdata[k];
			if (line->key && g_str_equal(line->key, key))
				found = line->value;
		}
	}
	return found;
}

GPtrArray *ini_words(const GPtrArray *ini, const char *name, const char *key)
{
	GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < ini->len; i++) {
		const IniSection *section = ini->pdata[i];
		for (guint k = 0; g_str_equal(section->name, name) && k < section->lines->len; k++) {
			const IniLine *line = section->lines->pdata[k];
			if (!line->key || !g_str_equal(line->key, key))
				continue;
			if (!*line->value)
				g_ptr_array_set_size(words, 0);
			g_auto(GStrv) parts = g_strsplit_set(line->value, " \t", -1);
			for (char **part = parts; *part; part++)
				if (**part)
					g_ptr_array_add(words, g_strdup(*part));
		}
	}
	return words;
}

gboolean ini_yes(const char *value, gboolean otherwise)
{
	static const char *const words[] = { "1", "yes", "true", "on", "y", "t", NULL };
	if (!value || !*value)
		return otherwise;
	g_autofree char *lower = g_ascii_strdown(value, -1);
	return g_strv_contains(words, lower);
}

/* ---- commands ---- */

/* Daemons' PATH may lack /usr/sbin. NULL: it is not there. The caller frees it. */
static char *tool_path(const char *name)
{
	static const char *const folders[] = { "/usr/sbin/", "/sbin/" };
	char *found = g_find_program_in_path(name);
	for (guint i = 0; !found && i < G_N_ELEMENTS(folders); i++) {
		g_autofree char *path = g_strconcat(folders[i], name, NULL);
		found = access(path, X_OK) == 0 ? g_steal_pointer(&path) : NULL;
	}
	return found;
}

gboolean manager_has_tool(const char *name)
{
	g_autofree char *path = tool_path(name);
	return path != NULL;
}

gboolean manager_run(const char *const *argv, GError **error)
{
	const char *path = g_getenv("PATH");
	g_autofree char *own =
		g_strconcat("PATH=", path ? path : "/usr/bin:/bin", ":/usr/sbin:/sbin", NULL);
	const char *const env[] = { own, "LC_ALL=C", NULL };
	g_autofree char *tool = tool_path(argv[0]), *said = NULL, *words = g_strjoinv(" ", (char **)argv);
	g_autoptr(GPtrArray) real = g_ptr_array_new();
	g_ptr_array_add(real, tool ? tool : (gpointer)argv[0]);
	for (guint i = 1; argv[i]; i++)
		g_ptr_array_add(real, (gpointer)argv[i]);
	g_ptr_array_add(real, NULL);
	int status = 0;
	Spawn how = { .argv = (const char *const *)real->pdata, .env = env, .umask = OPT_UINT(022),
		      .tied = TRUE /* it must not go on while a later daemon puts back */ };
	if (!spawn_run(&how, COMMAND_MS, &said, &status, error))
		return FALSE;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return TRUE;
	g_strchomp(said);
	return fail(error, LODGE_ERROR_SYSTEM, "\"%s\" failed: %.800s", words,
		    *said ? said : "it said nothing");
}
