/* Bytes as a libvirt client might send them: as a stream to a server without guests, and the payload
 * of each whole message to the decoder of its procedure, where what can be read must be written the
 * same way twice. */
#include "wire/libvirt/internal.h"

#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const WireType *type, XdrIn in)
{
	WireArena arena = { 0 };
	XdrOut first = { 0 }, second = { 0 };
	WireValue *values = wire_decode(type, &in, &arena, NULL);
	if (values) {
		g_assert_true(wire_encode(type, values, &first, NULL));
		XdrIn again = { .at = first.data,
				.end = first.data ? first.data + first.len : NULL };
		WireValue *back = wire_decode(type, &again, &arena, NULL);
		g_assert_true(back && xdr_left(&again) == 0 && wire_encode(type, back, &second, NULL));
		g_assert_cmpmem(first.data, first.len, second.data, second.len);
	}
	xdr_out_clear(&first);
	xdr_out_clear(&second);
	wire_arena_clear(&arena);
}

/* Every message is read by the rows of its number, arguments and reply. */
static void decode_messages(const uint8_t *data, size_t size)
{
	for (size_t at = 0; size - at >= LV_HEADER;) {
		guint32 length = xdr_peek_u32(data + at);
		gboolean known;
		const LvProc *proc = lv_proc(xdr_peek_u32(data + at + 4), xdr_peek_u32(data + at + 12),
					     &known);
		if (length < LV_HEADER || length > size - at)
			length = (guint32)(size - at);
		XdrIn in = { .at = data + at + LV_HEADER, .end = data + at + length };
		if (proc) {
			decode(wire_type(proc->args), in);
			decode(wire_type(proc->reply), in);
		}
		at += length;
	}
}

static void serve(const uint8_t *data, size_t size)
{
	int ends[2];
	g_assert_true(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
	g_autoptr(LibvirtServer) server = libvirt_new(NULL, NULL);
	libvirt_serve(server, ends[0], FALSE);
	char dropped[4096];
	for (size_t at = 0; at < size;) {
		ssize_t n = send(ends[1], data + at, MIN(size - at, 1000), MSG_NOSIGNAL);
		if (n <= 0)
			break;
		at += (size_t)n;
		g_main_context_iteration(NULL, FALSE);
		while (recv(ends[1], dropped, sizeof dropped, MSG_DONTWAIT) > 0)
			;
	}
	while (g_main_context_iteration(NULL, FALSE))
		;
	close(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	decode_messages(data, size);
	serve(data, size);
	return 0;
}
