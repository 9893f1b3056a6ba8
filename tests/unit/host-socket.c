/* Tests of host/socket: modes, stale and live sockets, and paths longer than an address holds. */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "host/socket.h"

static void test_listen_and_connect(void)
{
	g_autofree char *folder = g_dir_make_tmp("lodge-socket-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "s", NULL);
	g_autoptr(GError) error = NULL;
	g_assert_cmpint(socket_connect(path, &error), ==, -1);
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_NOT_FOUND);
	g_clear_error(&error);
	autofd int listener = socket_listen(path, 0660, &error);
	g_assert_no_error(error);
	struct stat st;
	g_assert_cmpint(stat(path, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 0777, ==, 0660);
	autofd int client = socket_connect(path, &error);
	g_assert_no_error(error);
	autofd int server = accept(listener, NULL, NULL);
	pid_t pid;
	uid_t uid;
	g_assert_true(socket_peer(server, &pid, &uid, NULL));
	g_assert_cmpint(pid, ==, getpid());
	g_assert_cmpint(uid, ==, geteuid());
	g_assert_cmpint(socket_listen(path, 0600, &error), ==, -1);
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_IN_USE);
	g_clear_error(&error);
	fd_clear(&listener);
	g_assert_cmpint(socket_connect(path, &error), ==, -1);
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_GONE);
	g_clear_error(&error);
	autofd int again = socket_listen(path, 0600, &error); /* the stale one is replaced */
	g_assert_no_error(error);
	unlink(path);
	rmdir(folder);
}

static void test_not_a_socket(void)
{
	g_autofree char *folder = g_dir_make_tmp("lodge-socket-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "file", NULL);
	g_autoptr(GError) error = NULL;
	g_assert_true(g_file_set_contents(path, "precious", -1, NULL));
	g_assert_cmpint(socket_listen(path, 0600, &error), ==, -1);
	g_assert_error(error, LODGE_ERROR, LODGE_ERROR_EXISTS);
	unlink(path);
	rmdir(folder);
}

static void test_long_path(void)
{
	g_autofree char *folder = g_dir_make_tmp("lodge-socket-XXXXXX", NULL);
	char name[201];
	memset(name, 'd', 200);
	name[200] = '\0';
	g_autofree char *deep = g_build_filename(folder, name, NULL);
	g_autofree char *path = g_build_filename(deep, "monitor.sock", NULL);
	g_autoptr(GError) error = NULL;
	g_assert_cmpint(mkdir(deep, 0755), ==, 0);
	autofd int listener = socket_listen(path, 0600, &error);
	g_assert_no_error(error);
	autofd int client = socket_connect(path, &error);
	g_assert_no_error(error);
	g_assert_cmpint(access(path, F_OK), ==, 0);
	unlink(path);
	rmdir(deep);
	rmdir(folder);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/host/socket/listen", test_listen_and_connect);
	g_test_add_func("/host/socket/not-a-socket", test_not_a_socket);
	g_test_add_func("/host/socket/long-path", test_long_path);
	return g_test_run();
}
