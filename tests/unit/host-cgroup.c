/* Tests of host/cgroup: on a host without usable cgroups they show that nothing fails. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "host/cgroup.h"
#include "host/process.h"

static CgroupTree *open_tree(void)
{
	g_autofree char *name = g_strdup_printf("lodge-test-%d", getpid());
	CgroupTree *tree = cgroup_tree_open(name);
	g_test_message("%s; controllers: %s; %s",
		       enum_name(&cgroup_kinds, (int)cgroup_tree_kind(tree)),
		       cgroup_tree_controllers(tree),
		       cgroup_tree_why_not(tree) ? cgroup_tree_why_not(tree) : "usable");
	g_assert_true((cgroup_tree_kind(tree) == CGROUP_NONE) ==
		      (cgroup_tree_why_not(tree) != NULL));
	return tree;
}

static void test_a_guest(void)
{
	g_autoptr(CgroupTree) tree = open_tree();
	g_autoptr(GError) error = NULL;
	g_autoptr(Cgroup) cgroup = cgroup_make(tree, "web1", &error);
	g_assert_no_error(error);
	static const char *const argv[] = { "/bin/sleep", "60", NULL };
	Spawn how = { .argv = argv };
	cgroup_apply(cgroup, &how);
	SpawnChild child;
	g_assert_true(spawn(&how, &child, &error));
	g_autoptr(GArray) pids = cgroup_pids(cgroup);
	if (cgroup_tree_kind(tree) != CGROUP_NONE) {
		g_assert_cmpuint(pids->len, ==, 1);
		g_assert_cmpint(g_array_index(pids, pid_t, 0), ==, child.pid);
		g_assert_false(cgroup_remove(cgroup, &error));
		g_assert_error(error, LODGE_ERROR, LODGE_ERROR_IN_USE);
		g_clear_error(&error);
		cgroup_kill(cgroup);
	} else {
		g_assert_cmpuint(pids->len, ==, 0);
		g_assert_true(process_signal(child.pidfd, 9, NULL));
	}
	g_assert_true(process_wait(child.pidfd, 10000));
	g_assert_true(cgroup_remove(cgroup, &error));
	g_assert_cmpint(waitpid(child.pid, NULL, 0), ==, child.pid);
	close(child.pidfd);
}

static void test_bounds(void)
{
	g_autoptr(CgroupTree) tree = open_tree();
	g_autoptr(Cgroup) cgroup = cgroup_make(tree, "web1", NULL);
	static const struct {
		CgroupKnob knob;
		const char *controller;
		guint64 value;
	} cases[] = {
		{ CGROUP_CPU_SHARES, "cpu", 512 },
		{ CGROUP_CPU_PERIOD, "cpu", 50000 },
		{ CGROUP_CPU_QUOTA, "cpu", 25000 },
		{ CGROUP_CPU_QUOTA, "cpu", G_MAXUINT64 },
		{ CGROUP_MEMORY_HARD, "memory", 1 << 30 },
		{ CGROUP_MEMORY_SOFT, "memory", 1 << 29 },
		{ CGROUP_MEMORY_SWAP, "memory", G_MAXUINT64 },
		{ CGROUP_MEMORY_HARD, "memory", G_MAXUINT64 },
		{ CGROUP_PIDS, "pids", 100 },
	};
	g_auto(GStrv) has = g_strsplit(cgroup_tree_controllers(tree), " ", -1);
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		gboolean ok = cgroup_set(cgroup, cases[i].knob, cases[i].value, &error);
		if (g_strv_contains((const char *const *)has, cases[i].controller))
			g_assert_no_error(error);
		else
			g_assert_error(error, LODGE_ERROR, LODGE_ERROR_UNSUPPORTED);
		g_assert_true(ok == !error);
	}
	CgroupUse use = cgroup_use(cgroup);
	if (g_strv_contains((const char *const *)has, "memory"))
		g_assert_true(use.memory_bytes.set);
	g_assert_true(cgroup_remove(cgroup, NULL));
}

static void test_disks_and_nodes(void)
{
	g_autoptr(CgroupTree) tree = open_tree();
	g_autoptr(Cgroup) cgroup = cgroup_make(tree, "web1", NULL);
	g_autoptr(GError) error = NULL;
	g_assert_false(cgroup_set_disk(cgroup, CGROUP_DISK_READ_IOPS, "/dev/null", 1, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INVALID);
	g_clear_error(&error);
	g_assert_false(cgroup_set_disk(cgroup, CGROUP_DISK_READ_IOPS, "/no/such", 1, &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INVALID);
	g_clear_error(&error);
	/* who is in it moves along, who comes later joins */
	if (!cgroup_set_nodes(cgroup, "0", &error)) {
		g_test_message("no bound of nodes here: %s", error->message);
	} else {
		static const char *const argv[] = { "/bin/sleep", "60", NULL };
		Spawn how = { .argv = argv };
		SpawnChild child;
		cgroup_apply(cgroup, &how);
		g_assert_true(spawn(&how, &child, NULL));
		g_assert_true(cgroup_set_nodes(cgroup, "0", NULL));
		g_assert_false(cgroup_set_nodes(cgroup, "900", NULL));
		g_assert_true(process_signal(child.pidfd, 9, NULL) && process_wait(child.pidfd, 10000));
		g_assert_cmpint(waitpid(child.pid, NULL, 0), ==, child.pid);
		close(child.pidfd);
	}
	g_assert_true(cgroup_remove(cgroup, NULL));
}

static void test_bad_name(void)
{
	g_autoptr(CgroupTree) tree = open_tree();
	g_autoptr(GError) error = NULL;
	g_assert_null(cgroup_make(tree, "../web1", &error));
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_INVALID);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/host/cgroup/guest", test_a_guest);
	g_test_add_func("/host/cgroup/bounds", test_bounds);
	g_test_add_func("/host/cgroup/disks-and-nodes", test_disks_and_nodes);
	g_test_add_func("/host/cgroup/bad-name", test_bad_name);
	return g_test_run();
}
