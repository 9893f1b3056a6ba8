/* Bytes to the HTTP door as a client might send them, through a socket. The first byte says where they
 * are cut into two pieces. */
#include "wire/rest/rest.h"

#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(int fd, const uint8_t *data, size_t size)
{
	if (size > 0 && send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
	for (guint i = 0; i < 8 && g_main_context_iteration(NULL, FALSE); i++) {
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static RestServer *server;
	int ends[2];
	guint n;
	const Op *const *ops = op_table(&n);
	if (!server)
		server = rest_new(NULL, ops, 1, NULL); /* `version`: needs no core */
	if (size < 2 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return 0;
	if (!rest_serve(server, ends[0], TRUE)) {
		close(ends[1]);
		return 0;
	}
	size_t cut = 1 + data[0] % (size - 1);
	put(ends[1], data + 1, cut - 1);
	put(ends[1], data + cut, size - cut);
	close(ends[1]);
	while (rest_count(server) > 0)
		g_main_context_iteration(NULL, TRUE);
	return 0;
}
