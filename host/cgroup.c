/* See cgroup.h.
 *
 * Joining: moving a process takes a lock over all processes of the host and waits 5 to 20 ms for a
 * grace period. Two ways are spared that, and spawn.c goes them: a thread that moves itself alone
 * (version 1: "0" into `tasks`) and a process born in the group (version 2). */
#include "host/cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/fd.h"

const EnumTable cgroup_kinds = ENUM_TABLE("cgroup kind", "none", "v1", "v2");

/* Worth joining; "name=systemd" so that systemd does not count the guest to the daemon's service.
 */
static const char *const wanted[] = { "cpu",   "cpuacct", "memory", "pids",
				      "blkio", "freezer", "io",	    "name=systemd" };
/* Not joined before it is needed: a group of it in version 1 keeps processors that the host takes away for
 * a moment away for good. Version 2 has no such fault. */
#define NODES "cpuset"

/* One hierarchy: version 1 has one per controller or group of them. */
typedef struct Hierarchy {
	char *controllers; /* "cpu,cpuacct"; "" for version 2 */
	char *dir;	   /* the tree's folder in it */
} Hierarchy;

struct CgroupTree {
	CgroupKind kind;
	char *why_not;
	char *controllers;
	GPtrArray *hierarchies; /* of Hierarchy */
	char *nodes_dir; /* version 1: the tree's folder in the hierarchy of cpuset, not made yet; or NULL */
};

struct Cgroup {
	CgroupKind kind;
	GPtrArray *hierarchies; /* of Hierarchy: its own folders */
	char *nodes_dir;	/* version 1: its folder for NUMA nodes, made where it is needed; or NULL */
	GStrv join;		/* version 1: the `tasks` files */
	int fd;			/* version 2: the folder; -1 */
};

/* ---- small files ---- */

static gboolean put(const char *dir, const char *file, const char *text)
{
	g_autofree char *path = g_build_filename(dir, file, NULL);
	autofd int fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, text, strlen(text)) >= 0;
}

/* The caller frees it; NULL on failure. */
static char *get(const char *dir, const char *file)
{
	g_autofree char *path = g_build_filename(dir, file, NULL);
	char *text = NULL;
	return g_file_get_contents(path, &text, NULL, NULL) ? g_strstrip(text) : NULL;
}

static gboolean has_word(const char *list, const char *word, const char *separators)
{
	g_auto(GStrv) words = g_strsplit_set(list, separators, -1);
	return g_strv_contains((const char *const *)words, word);
}

static void hierarchy_free(gpointer data)
{
	Hierarchy *hierarchy = data;
	g_free(hierarchy->controllers);
	g_free(hierarchy->dir);
	g_free(hierarchy);
}

static const char *dir_with(const GPtrArray *hierarchies, const char *controller)
{
	for (guint i = 0; i < hierarchies->len; i++) {
		const Hierarchy *hierarchy = g_ptr_array_index(hierarchies, i);
		if (!*hierarchy->controllers || has_word(hierarchy->controllers, controller, ","))
			return hierarchy->dir;
	}
	return NULL;
}

/* ---- where the tree goes ---- */

/* Where the hierarchy with @controller ("" for version 2) is mounted, and which of its folders is
 * on top there. The caller frees both. */
static gboolean find_mount(const char *mountinfo, const char *controller, char **at, char **top)
{
	g_auto(GStrv) lines = g_strsplit(mountinfo, "\n", -1);
	for (char **line = lines; *line; line++) {
		char *type = strstr(*line, " - ");
		if (!type)
			continue;
		g_auto(GStrv) left = g_strsplit(*line, " ", 6);
		g_auto(GStrv) right = g_strsplit(type + 3, " ", 3);
		if (g_strv_length(left) < 5 || g_strv_length(right) < 3)
			continue;
		gboolean fits = *controller ? g_str_equal(right[0], "cgroup") &&
						      has_word(right[2], controller, ",")
					    : g_str_equal(right[0], "cgroup2");
		if (!fits)
			continue;
		*top = g_strdup(left[3]);
		*at = g_strdup(left[4]);
		return TRUE;
	}
	return FALSE;
}

/* The group of the daemon without systemd's slices and what is below. */
static char *beside_slices(const char *own)
{
	g_auto(GStrv) parts = g_strsplit(own, "/", -1);
	g_autoptr(GString) path = g_string_new(NULL);
	for (char **part = parts; *part && !g_str_has_suffix(*part, ".slice"); part++)
		if (**part)
			g_string_append_printf(path, "/%s", *part);
	return g_string_free(g_steal_pointer(&path), FALSE);
}

static char *without_prefix(char *path, const char *prefix)
{
	gsize n = strlen(prefix);
	if (n > 1 && strncmp(path, prefix, n) == 0)
		memmove(path, path + n, strlen(path + n) + 1);
	return path;
}

static void add_hierarchy(GPtrArray *to, const char *controllers, const char *own, const char *name,
			  const char *mountinfo)
{
	g_autofree char *at = NULL, *top = NULL, *first = g_strdup(controllers);
	first[strcspn(first, ",")] = '\0';
	if (!find_mount(mountinfo, first, &at, &top))
		return;
	g_autofree char *base = without_prefix(beside_slices(own), top);
	Hierarchy *hierarchy = g_new(Hierarchy, 1);
	*hierarchy = (Hierarchy){ .controllers = g_strdup(controllers),
				  .dir = g_build_filename(at, base, name, NULL) };
	g_ptr_array_add(to, hierarchy);
}

static gboolean is_wanted(const char *controllers)
{
	for (guint i = 0; i < G_N_ELEMENTS(wanted); i++)
		if (has_word(controllers, wanted[i], ","))
			return TRUE;
	return FALSE;
}

static void find_nodes(CgroupTree *tree, const char *controllers, const char *own, const char *name,
		       const char *mountinfo)
{
	g_autoptr(GPtrArray) one = g_ptr_array_new_with_free_func(hierarchy_free);
	add_hierarchy(one, controllers, own, name, mountinfo);
	if (one->len)
		tree->nodes_dir = g_strdup(((Hierarchy *)g_ptr_array_index(one, 0))->dir);
}

/* Version 1 where any of its controllers is mounted, for then version 2 cannot have them. */
static void find_hierarchies(CgroupTree *tree, const char *name)
{
	g_autofree char *own = get("/proc/self", "cgroup");
	g_autofree char *mountinfo = get("/proc/self", "mountinfo");
	g_auto(GStrv) lines = g_strsplit(own ? own : "", "\n", -1);
	const char *unified = NULL;
	for (char **line = lines; mountinfo && *line; line++) {
		char *controllers = strchr(*line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = '\0';
		controllers++;
		if (!*controllers)
			unified = path;
		else if (has_word(controllers, NODES, ","))
			find_nodes(tree, controllers, path, name, mountinfo);
		else if (is_wanted(controllers))
			add_hierarchy(tree->hierarchies, controllers, path, name, mountinfo);
	}
	tree->kind = CGROUP_V1;
	if (tree->hierarchies->len || !unified)
		return;
	tree->kind = CGROUP_V2;
	add_hierarchy(tree->hierarchies, "", unified, name, mountinfo);
}

/* ---- making it ---- */

/* Hands each controller of @dir down to its children; what is refused is left out. */
static void hand_down(const char *dir)
{
	g_autofree char *has = get(dir, "cgroup.controllers");
	g_auto(GStrv) words = g_strsplit(has ? has : "", " ", -1);
	for (char **word = words; *word; word++) {
		if (!is_wanted(*word) && !g_str_equal(*word, NODES))
			continue;
		g_autofree char *text = g_strdup_printf("+%s", *word);
		put(dir, "cgroup.subtree_control", text);
	}
}

/* Makes the folder of each hierarchy; one that is refused is dropped with its reason in @why. */
static void make_dirs(CgroupTree *tree, char **why)
{
	for (guint i = tree->hierarchies->len; i-- > 0;) {
		const Hierarchy *hierarchy = g_ptr_array_index(tree->hierarchies, i);
		if (tree->kind == CGROUP_V2) {
			g_autofree char *above = g_path_get_dirname(hierarchy->dir);
			hand_down(above);
		}
		if (mkdir(hierarchy->dir, 0755) == 0 || errno == EEXIST) {
			if (tree->kind == CGROUP_V2)
				hand_down(hierarchy->dir);
			continue;
		}
		g_free(*why);
		*why = g_strdup_printf("%s cannot be made: %s", hierarchy->dir, g_strerror(errno));
		g_ptr_array_remove_index(tree->hierarchies, i);
	}
}

static char *list_controllers(const CgroupTree *tree)
{
	g_autoptr(GString) list = g_string_new(NULL);
	for (guint i = 0; i < tree->hierarchies->len; i++) {
		const Hierarchy *hierarchy = g_ptr_array_index(tree->hierarchies, i);
		g_autofree char *words =
			tree->kind == CGROUP_V2
				? get(hierarchy->dir, "cgroup.subtree_control")
				: g_strdelimit(g_strdup(hierarchy->controllers), ",", ' ');
		if (words && *words && !g_str_has_prefix(words, "name="))
			g_string_append_printf(list, "%s%s", list->len ? " " : "", words);
	}
	return g_string_free(g_steal_pointer(&list), FALSE);
}

/* Runs a process in a group of its own: the only proof that guests can join. */
static gboolean try_out(CgroupTree *tree, GError **error)
{
	g_autoptr(Cgroup) cgroup = cgroup_make(tree, ".probe", error);
	if (!cgroup)
		return FALSE;
	static const char *const argv[] = { "/bin/true", NULL };
	Spawn how = { .argv = argv };
	cgroup_apply(cgroup, &how);
	gboolean ok = spawn_run(&how, 10000, NULL, NULL, error);
	cgroup_remove(cgroup, NULL);
	return ok;
}

static void give_up(CgroupTree *tree, const char *why)
{
	tree->kind = CGROUP_NONE;
	tree->why_not = g_strdup(why);
	g_ptr_array_set_size(tree->hierarchies, 0);
}

CgroupTree *cgroup_tree_open(const char *name)
{
	CgroupTree *tree = g_new0(CgroupTree, 1);
	tree->hierarchies = g_ptr_array_new_with_free_func(hierarchy_free);
	g_autofree char *why = NULL;
	g_autoptr(GError) error = NULL;
	find_hierarchies(tree, name);
	make_dirs(tree, &why);
	if (!tree->hierarchies->len)
		give_up(tree, why ? why : "none are mounted");
	else if (!try_out(tree, &error))
		give_up(tree, error->message);
	tree->controllers = list_controllers(tree);
	return tree;
}

void cgroup_tree_free(CgroupTree *tree)
{
	if (!tree)
		return;
	for (guint i = 0; i < tree->hierarchies->len; i++)
		rmdir(((Hierarchy *)g_ptr_array_index(tree->hierarchies, i))->dir);
	if (tree->nodes_dir)
		rmdir(tree->nodes_dir);
	g_free(tree->nodes_dir);
	g_ptr_array_unref(tree->hierarchies);
	g_free(tree->controllers);
	g_free(tree->why_not);
	g_free(tree);
}

CgroupKind cgroup_tree_kind(const CgroupTree *tree)
{
	return tree->kind;
}

const char *cgroup_tree_why_not(const CgroupTree *tree)
{
	return tree->why_not;
}

const char *cgroup_tree_controllers(const CgroupTree *tree)
{
	return tree->controllers;
}

/* ---- one guest ---- */

Cgroup *cgroup_make(const CgroupTree *tree, const char *guest, GError **error)
{
	g_autoptr(Cgroup) cgroup = g_new0(Cgroup, 1);
	cgroup->fd = -1;
	cgroup->kind = tree->kind;
	cgroup->hierarchies = g_ptr_array_new_with_free_func(hierarchy_free);
	if (strchr(guest, '/')) {
		fail(error, LODGE_ERROR_INVALID, "\"%s\" cannot name a control group", guest);
		return NULL;
	}
	g_autoptr(GStrvBuilder) join = g_strv_builder_new();
	g_autofree char *name =
		g_strconcat("guest-", guest, NULL); /* no clash with the files there */
	if (tree->kind == CGROUP_V1 && tree->nodes_dir)
		cgroup->nodes_dir = g_build_filename(tree->nodes_dir, name, NULL);
	for (guint i = 0; i < tree->hierarchies->len; i++) {
		const Hierarchy *above = g_ptr_array_index(tree->hierarchies, i);
		Hierarchy *own = g_new(Hierarchy, 1);
		*own = (Hierarchy){ .controllers = g_strdup(above->controllers),
				    .dir = g_build_filename(above->dir, name, NULL) };
		g_ptr_array_add(cgroup->hierarchies, own);
		g_autofree char *tasks = g_build_filename(own->dir, "tasks", NULL);
		g_strv_builder_add(join, tasks);
		if (mkdir(own->dir, 0755) == 0 || errno == EEXIST)
			continue;
		fail_errno(error, errno, "%s: cannot make the control group", own->dir);
		return NULL;
	}
	cgroup->join = g_strv_builder_end(join);
	if (cgroup->kind != CGROUP_V2)
		return g_steal_pointer(&cgroup);
	const Hierarchy *own = g_ptr_array_index(cgroup->hierarchies, 0);
	cgroup->fd = open(own->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cgroup->fd < 0) {
		fail_errno(error, errno, "%s", own->dir);
		return NULL;
	}
	return g_steal_pointer(&cgroup);
}

void cgroup_free(Cgroup *cgroup)
{
	if (!cgroup)
		return;
	fd_clear(&cgroup->fd);
	g_ptr_array_unref(cgroup->hierarchies);
	g_free(cgroup->nodes_dir);
	g_strfreev(cgroup->join);
	g_free(cgroup);
}

void cgroup_apply(const Cgroup *cgroup, Spawn *how)
{
	if (cgroup->kind == CGROUP_V1)
		how->join = (const char *const *)cgroup->join;
	else if (cgroup->kind == CGROUP_V2)
		how->cgroup = cgroup->fd;
}

gboolean cgroup_remove(const Cgroup *cgroup, GError **error)
{
	if (cgroup->nodes_dir)
		rmdir(cgroup->nodes_dir);
	for (guint i = 0; i < cgroup->hierarchies->len; i++) {
		const Hierarchy *own = g_ptr_array_index(cgroup->hierarchies, i);
		if (rmdir(own->dir) == 0 || errno == ENOENT)
			continue;
		if (errno == EBUSY)
			return fail(error, LODGE_ERROR_IN_USE,
				    "%s: processes are left in the control group", own->dir);
		return fail_errno(error, errno, "%s: cannot remove the control group", own->dir);
	}
	return TRUE;
}

/* ---- bounds ---- */

/* How a number is written. */
typedef enum Form { FORM_PLAIN, FORM_WEIGHT, FORM_PERIOD, FORM_QUOTA, FORM_SWAP } Form;

static const struct {
	const char *controller;
	const char *v1, *v2;	   /* files */
	const char *v1_or, *v2_or; /* where the host has not those; NULL: there are no others */
	const char *unbound_v1;	   /* how version 1 says that there is no bound; version 2: "max" */
	Form v2_form;
} knobs[] = {
	[CGROUP_CPU_SHARES] = { "cpu", "cpu.shares", "cpu.weight", .v2_form = FORM_WEIGHT },
	[CGROUP_CPU_PERIOD] = { "cpu", "cpu.cfs_period_us", "cpu.max", .v2_form = FORM_PERIOD },
	[CGROUP_CPU_QUOTA] = { "cpu", "cpu.cfs_quota_us", "cpu.max", .unbound_v1 = "-1",
			       .v2_form = FORM_QUOTA },
	[CGROUP_MEMORY_HARD] = { "memory", "memory.limit_in_bytes", "memory.max", .unbound_v1 = "-1" },
	[CGROUP_MEMORY_SOFT] = { "memory", "memory.soft_limit_in_bytes", "memory.high",
				 .unbound_v1 = "-1" },
	[CGROUP_MEMORY_SWAP] = { "memory", "memory.memsw.limit_in_bytes", "memory.swap.max",
				 .unbound_v1 = "-1", .v2_form = FORM_SWAP },
	[CGROUP_IO_WEIGHT] = { "io", "blkio.weight", "io.weight", "blkio.bfq.weight", "io.bfq.weight" },
	[CGROUP_PIDS] = { "pids", "pids.max", "pids.max", .unbound_v1 = "max" },
};

static char *write_v2(const char *dir, Form form, guint64 value)
{
	if (form == FORM_WEIGHT)
		return g_strdup_printf("%" G_GUINT64_FORMAT,
				       1 + (CLAMP(value, 2, 262144) - 2) * 9999 / 262142);
	if (form == FORM_PERIOD) {
		g_autofree char *now = get(dir, "cpu.max");
		char *blank = now ? strchr(now, ' ') : NULL;
		if (blank)
			*blank = '\0';
		return g_strdup_printf("%s %" G_GUINT64_FORMAT, blank ? now : "max", value);
	}
	if (form == FORM_SWAP && value != G_MAXUINT64) { /* version 2 counts swap alone */
		g_autofree char *memory = get(dir, "memory.max");
		guint64 own = memory ? g_ascii_strtoull(memory, NULL, 10) : 0;
		value = value > own ? value - own : 0;
	}
	return value == G_MAXUINT64 ? g_strdup("max")
				    : g_strdup_printf("%" G_GUINT64_FORMAT, value);
}

/* Version 1 calls it otherwise. */
static const char *controller_name(const Cgroup *cgroup, const char *v2)
{
	return cgroup->kind == CGROUP_V1 && g_str_equal(v2, "io") ? "blkio" : v2;
}

/* The folder with one of the files @a and @b (NULL: none), *@file that one; NULL with UNSUPPORTED. */
static const char *knob_dir(const Cgroup *cgroup, const char *controller, const char *a, const char *b,
			    const char **file, GError **error)
{
	const char *own = controller_name(cgroup, controller);
	const char *dir = dir_with(cgroup->hierarchies, own), *files[] = { a, b };
	for (guint i = 0; dir && i < G_N_ELEMENTS(files) && files[i]; i++) {
		g_autofree char *path = g_build_filename(dir, files[i], NULL);
		*file = files[i];
		if (access(path, F_OK) == 0)
			return dir;
	}
	if (dir)
		fail(error, LODGE_ERROR_UNSUPPORTED, "this host's control groups have no %s", a);
	else
		fail(error, LODGE_ERROR_UNSUPPORTED, "this host has no control groups for \"%s\"", own);
	return NULL;
}

gboolean cgroup_set(const Cgroup *cgroup, CgroupKnob knob, guint64 value, GError **error)
{
	gboolean v2 = cgroup->kind == CGROUP_V2;
	const char *file;
	const char *dir = knob_dir(cgroup, knobs[knob].controller, v2 ? knobs[knob].v2 : knobs[knob].v1,
				   v2 ? knobs[knob].v2_or : knobs[knob].v1_or, &file, error);
	if (!dir)
		return FALSE;
	g_autofree char *text = v2 ? write_v2(dir, knobs[knob].v2_form, value)
				: value == G_MAXUINT64 && knobs[knob].unbound_v1
					? g_strdup(knobs[knob].unbound_v1)
					: g_strdup_printf("%" G_GUINT64_FORMAT, value);
	return put(dir, file, text) || fail_errno(error, errno, "%s/%s: cannot set %s", dir, file, text);
}

/* ---- disks ---- */

static const struct {
	const char *v1, *v1_or, *v2, *v2_or;
	const char *key; /* of version 2; NULL: the number alone */
} disk_knobs[] = {
	[CGROUP_DISK_WEIGHT] = { "blkio.weight_device", "blkio.bfq.weight_device", "io.weight",
				 "io.bfq.weight", NULL },
	[CGROUP_DISK_READ_BYTES] = { "blkio.throttle.read_bps_device", NULL, "io.max", NULL, "rbps" },
	[CGROUP_DISK_WRITE_BYTES] = { "blkio.throttle.write_bps_device", NULL, "io.max", NULL, "wbps" },
	[CGROUP_DISK_READ_IOPS] = { "blkio.throttle.read_iops_device", NULL, "io.max", NULL, "riops" },
	[CGROUP_DISK_WRITE_IOPS] = { "blkio.throttle.write_iops_device", NULL, "io.max", NULL, "wiops" },
};

/* "8:0 1000", "8:0 rbps=max"; the caller frees. */
static char *disk_line(const Cgroup *cgroup, CgroupDisk knob, dev_t device, guint64 value)
{
	g_autofree char *number = g_strdup_printf("%" G_GUINT64_FORMAT, value);
	gboolean v2 = cgroup->kind == CGROUP_V2;
	const char *key = v2 ? disk_knobs[knob].key : NULL;
	const char *none = key ? "max" : v2 ? "default" : "0";
	return g_strdup_printf("%u:%u %s%s%s", major(device), minor(device), key ? key : "", key ? "=" : "",
			       value ? number : none);
}

gboolean cgroup_set_disk(const Cgroup *cgroup, CgroupDisk knob, const char *device, guint64 value,
			 GError **error)
{
	gboolean v2 = cgroup->kind == CGROUP_V2;
	struct stat st;
	if (stat(device, &st) < 0)
		return fail(error, LODGE_ERROR_INVALID, "disk %s of the host: %s", device, g_strerror(errno));
	if (!S_ISBLK(st.st_mode))
		return fail(error, LODGE_ERROR_INVALID, "%s is no disk of the host (a block device)", device);
	const char *file, *dir = knob_dir(cgroup, "io", v2 ? disk_knobs[knob].v2 : disk_knobs[knob].v1,
					  v2 ? disk_knobs[knob].v2_or : disk_knobs[knob].v1_or, &file, error);
	if (!dir)
		return FALSE;
	g_autofree char *line = disk_line(cgroup, knob, st.st_rdev, value);
	return put(dir, file, line) ||
	       fail_errno(error, errno, "%s/%s: cannot set %s for %s", dir, file, line, device);
}

/* ---- NUMA nodes ---- */

static gboolean inherit(const char *dir, const char *above, const char *file)
{
	g_autofree char *own = get(dir, file), *theirs = own && !*own ? get(above, file) : NULL;
	return own && (*own || (theirs && put(dir, file, theirs)));
}

/* A new group of version 1 has no processors and no nodes; nothing can join it then. */
static gboolean make_nodes_dir(const char *dir)
{
	g_autofree char *above = g_path_get_dirname(dir);
	return (mkdir(dir, 0755) == 0 || errno == EEXIST) && inherit(dir, above, "cpuset.cpus") &&
	       inherit(dir, above, "cpuset.mems");
}

/* The group's processes are in it, and those that come later will be. */
static gboolean join_nodes(Cgroup *cgroup, GError **error)
{
	g_autofree char *above = g_path_get_dirname(cgroup->nodes_dir);
	g_autofree char *tasks = g_build_filename(cgroup->nodes_dir, "tasks", NULL);
	if (!make_nodes_dir(above) || !make_nodes_dir(cgroup->nodes_dir))
		return fail_errno(error, errno, "%s: cannot make the control group", cgroup->nodes_dir);
	put(cgroup->nodes_dir, "cpuset.memory_migrate", "1");
	if (!g_strv_contains((const char *const *)cgroup->join, tasks)) {
		g_autoptr(GStrvBuilder) join = g_strv_builder_new();
		g_strv_builder_addv(join, (const char **)cgroup->join);
		g_strv_builder_add(join, tasks);
		g_strfreev(cgroup->join);
		cgroup->join = g_strv_builder_end(join);
	}
	g_autoptr(GArray) pids = cgroup_pids(cgroup);
	for (guint i = 0; i < pids->len; i++) {
		g_autofree char *pid = g_strdup_printf("%d", g_array_index(pids, pid_t, i));
		if (!put(cgroup->nodes_dir, "cgroup.procs", pid) && errno != ESRCH)
			return fail_errno(error, errno, "%s: process %s cannot join", cgroup->nodes_dir, pid);
	}
	return TRUE;
}

gboolean cgroup_set_nodes(Cgroup *cgroup, const char *nodes, GError **error)
{
	gboolean v1 = cgroup->kind == CGROUP_V1;
	const char *dir = v1 ? cgroup->nodes_dir : dir_with(cgroup->hierarchies, NODES);
	g_autofree char *file = dir ? g_build_filename(dir, "cpuset.mems", NULL) : NULL;
	if (!dir || (cgroup->kind == CGROUP_V2 && access(file, F_OK)))
		return fail(error, LODGE_ERROR_UNSUPPORTED,
			    "this host has no control groups for \"%s\"", NODES);
	if (v1 && !join_nodes(cgroup, error))
		return FALSE;
	return put(dir, "cpuset.mems", nodes) || fail_errno(error, errno, "%s: cannot set %s", file, nodes);
}

/* ---- what is in it ---- */

static OptUint number_in(const char *dir, const char *file)
{
	g_autofree char *text = dir ? get(dir, file) : NULL;
	guint64 value;
	return text && g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, &value, NULL)
		       ? OPT_UINT(value)
		       : (OptUint){ 0 };
}

CgroupUse cgroup_use(const Cgroup *cgroup)
{
	const char *cpu = dir_with(cgroup->hierarchies, "cpuacct");
	const char *memory = dir_with(cgroup->hierarchies, "memory");
	if (cgroup->kind != CGROUP_V2)
		return (CgroupUse){ .cpu_ns = number_in(cpu, "cpuacct.usage"),
				    .memory_bytes = number_in(memory, "memory.usage_in_bytes") };
	CgroupUse use = { .memory_bytes = number_in(memory, "memory.current") };
	g_autofree char *stat = get(cpu, "cpu.stat");
	if (stat && g_str_has_prefix(stat, "usage_usec "))
		use.cpu_ns =
			OPT_UINT(g_ascii_strtoull(stat + strlen("usage_usec "), NULL, 10) * 1000);
	return use;
}

GArray *cgroup_pids(const Cgroup *cgroup)
{
	GArray *pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
	if (!cgroup->hierarchies->len)
		return pids;
	const Hierarchy *own = g_ptr_array_index(cgroup->hierarchies, 0);
	g_autofree char *text = get(own->dir, "cgroup.procs");
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
	for (char **line = lines; *line; line++) {
		pid_t pid = (pid_t)g_ascii_strtoll(*line, NULL, 10);
		if (pid > 0)
			g_array_append_val(pids, pid);
	}
	return pids;
}

static gboolean still_in(const Cgroup *cgroup, pid_t pid)
{
	g_autoptr(GArray) pids = cgroup_pids(cgroup);
	for (guint i = 0; i < pids->len; i++)
		if (g_array_index(pids, pid_t, i) == pid)
			return TRUE;
	return FALSE;
}

void cgroup_kill(const Cgroup *cgroup)
{
	if (cgroup->kind == CGROUP_V2 &&
	    put(((Hierarchy *)g_ptr_array_index(cgroup->hierarchies, 0))->dir, "cgroup.kill", "1"))
		return;
	g_autoptr(GArray) pids = cgroup_pids(cgroup);
	for (guint i = 0; i < pids->len; i++) {
		pid_t pid = g_array_index(pids, pid_t, i);
		autofd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		/* The number may have gone to another process before the pidfd held it. */
		if (pidfd >= 0 && still_in(cgroup, pid))
			syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	}
}
