/* See xdr.h. */
#include "wire/libvirt/xdr.h"

#include <string.h>

#define FIRST_ROOM 512

gboolean xdr_get_u64(XdrIn *in, guint64 *value)
{
	if (xdr_left(in) < 8)
		return FALSE;
	*value = (guint64)xdr_peek_u32(in->at) << 32 | xdr_peek_u32(in->at + 4);
	in->at += 8;
	return TRUE;
}

gboolean xdr_get_bytes(XdrIn *in, guint32 n, const guint8 **bytes)
{
	gsize padded = ((gsize)n + 3) & ~(gsize)3;
	if (xdr_left(in) < padded)
		return FALSE;
	*bytes = in->at;
	in->at += padded;
	return TRUE;
}

guint8 *xdr_add(XdrOut *out, gsize n)
{
	gsize padded = (n + 3) & ~(gsize)3;
	if (out->room - out->len < padded) {
		gsize room = MAX(out->room, FIRST_ROOM);
		while (room - out->len < padded)
			room *= 2;
		out->data = g_realloc(out->data, room);
		out->room = room;
	}
	guint8 *at = out->data + out->len;
	if (padded != n)
		memset(at + padded - 4, 0, 4);
	out->len += padded;
	return at;
}

void xdr_put_u64(XdrOut *out, guint64 value)
{
	guint8 *at = xdr_add(out, 8);
	xdr_poke_u32(at, (guint32)(value >> 32));
	xdr_poke_u32(at + 4, (guint32)value);
}

void xdr_put_bytes(XdrOut *out, gconstpointer bytes, gsize n)
{
	guint8 *at = xdr_add(out, n);
	if (n)
		memcpy(at, bytes, n);
}

void xdr_patch_u32(XdrOut *out, gsize at, guint32 value)
{
	xdr_poke_u32(out->data + at, value);
}

void xdr_out_clear(XdrOut *out)
{
	g_free(out->data);
	*out = (XdrOut){ 0 };
}
