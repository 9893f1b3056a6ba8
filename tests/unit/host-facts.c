/* Tests of host/facts, host/check and host/notify. What a host has differs: they test what must
 * hold on each, and the judgement on facts made up here. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/check.h"
#include "host/notify.h"

static const HostCheck *find(const HostChecks *checks, const char *name)
{
	SHAPE_EACH (HostCheck, check, checks->checks)
		if (g_str_equal(check->name, name))
			return check;
	g_error("there is no check \"%s\"", name);
}

static void test_this_host(void)
{
	g_autoptr(CgroupTree) tree = cgroup_tree_open("lodge-test-facts");
	HostFacts facts = { 0 };
	HostChecks checks = { 0 };
	host_facts(&(HostAsk){ .images = "/tmp", .tree = tree }, &facts);
	g_assert_cmpuint(facts.cpus.v, >, 0);
	g_assert_cmpuint(facts.memory.v, >, facts.memory_available.v);
	g_assert_cmpuint(facts.images_total.v, >, 0);
	g_assert_true((facts.kvm == TRI_NO) == (facts.kvm_why_not != NULL));
	g_assert_true(facts.kvm == TRI_NO || facts.cpu_virtualization ||
		      g_strcmp0(facts.arch, "x86_64") != 0);
	host_check(&facts, &checks);
	SHAPE_EACH (HostCheck, check, checks.checks) {
		g_assert_nonnull(check->found);
		g_assert_true((check->status == HOST_OK) == (check->remedy == NULL));
		g_test_message("%-16s %-8s %s%s%s", check->name,
			       enum_name(&host_statuses, check->status), check->found,
			       check->remedy ? " -> " : "", check->remedy ? check->remedy : "");
	}
	shape_clear(&host_checks_shape, &checks);
	shape_clear(&host_facts_shape, &facts);
}

static void test_judgement(void)
{
	HostFacts facts = { .arch = g_strdup("x86_64"), .cpu_model = g_strdup("Old CPU") };
	facts.memory_available = OPT_UINT(1 << 30);
	facts.qemu = g_strdup("/opt/qemu");
	facts.qemu_version = g_strdup("5.2.0");
	facts.user = g_strdup("root");
	HostChecks checks = { 0 };
	host_check(&facts, &checks);
	g_assert_cmpint(find(&checks, "CPU")->status, ==, HOST_MISSING);
	g_assert_nonnull(strstr(find(&checks, "CPU")->remedy, "BIOS"));
	g_assert_cmpint(find(&checks, "Memory")->status, ==, HOST_WARNING);
	g_assert_cmpint(find(&checks, "QEMU")->status, ==, HOST_MISSING);
	g_assert_cmpint(find(&checks, "QEMU's account")->status, ==, HOST_WARNING);
	shape_clear(&host_checks_shape, &checks);
	facts.cpu_virtualization = g_strdup("svm");
	facts.hypervisor = g_strdup("yes");
	host_check(&facts, &checks);
	g_assert_cmpint(find(&checks, "CPU")->status, ==, HOST_OK);
	g_assert_cmpstr(find(&checks, "KVM module")->remedy, ==, "modprobe kvm_amd");
	shape_clear(&host_checks_shape, &checks);
	shape_clear(&host_facts_shape, &facts);
}

static void test_notify(void)
{
	g_autofree char *folder = g_dir_make_tmp("lodge-notify-XXXXXX", NULL);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	g_snprintf(address.sun_path, sizeof address.sun_path, "%s/n", folder);
	autofd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
	g_unsetenv("NOTIFY_SOCKET");
	g_assert_false(notify_systemd("READY=1"));
	g_setenv("NOTIFY_SOCKET", address.sun_path, TRUE);
	g_assert_true(notify_systemd("READY=1"));
	char text[32] = "";
	g_assert_cmpint(recv(fd, text, sizeof text - 1, MSG_DONTWAIT), ==, 7);
	g_assert_cmpstr(text, ==, "READY=1");
	g_unsetenv("NOTIFY_SOCKET");
	unlink(address.sun_path);
	rmdir(folder);
}

static void test_handed_sockets(void)
{
	g_setenv("LISTEN_PID", "1", TRUE);
	g_setenv("LISTEN_FDS", "1", TRUE);
	g_assert_cmpuint(notify_take_sockets(), ==, 0); /* for another process */
	g_autofree char *pid = g_strdup_printf("%d", getpid());
	g_setenv("LISTEN_PID", pid, TRUE);
	g_setenv("LISTEN_FDS", "rubbish", TRUE);
	g_assert_cmpuint(notify_take_sockets(), ==, 0);
	g_assert_null(g_getenv("LISTEN_FDS"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/host/facts/this-host", test_this_host);
	g_test_add_func("/host/check/judgement", test_judgement);
	g_test_add_func("/host/notify/systemd", test_notify);
	g_test_add_func("/host/notify/handed-sockets", test_handed_sockets);
	return g_test_run();
}
