/* XDR, as libvirt's protocol uses it: big-endian, in units of four bytes. The primitives hold every
 * bound: nothing is read past the end, and nothing is allocated for a length that the remaining bytes
 * cannot hold. Neighbours: codec.c reads signatures and calls these; client.c frames. */
#pragma once

#include <glib.h>

/* What is left to read; lent bytes. */
typedef struct XdrIn {
	const guint8 *at, *end;
} XdrIn;

/* Bytes to send; grows. */
typedef struct XdrOut {
	guint8 *data;
	gsize len, room;
} XdrOut;

static inline gsize xdr_left(const XdrIn *in)
{
	return (gsize)(in->end - in->at);
}

static inline guint32 xdr_peek_u32(const guint8 *at)
{
	return (guint32)at[0] << 24 | (guint32)at[1] << 16 | (guint32)at[2] << 8 | at[3];
}

static inline void xdr_poke_u32(guint8 *at, guint32 value)
{
	at[0] = (guint8)(value >> 24);
	at[1] = (guint8)(value >> 16);
	at[2] = (guint8)(value >> 8);
	at[3] = (guint8)value;
}

/* FALSE where the bytes are not there; nothing is consumed then. Any thread, as all below. */
static inline gboolean xdr_get_u32(XdrIn *in, guint32 *value)
{
	if (xdr_left(in) < 4)
		return FALSE;
	*value = xdr_peek_u32(in->at);
	in->at += 4;
	return TRUE;
}
gboolean xdr_get_u64(XdrIn *in, guint64 *value);
/* @n bytes and their padding, lent. */
gboolean xdr_get_bytes(XdrIn *in, guint32 n, const guint8 **bytes);

/* Room for @n more bytes, zeroed up to the next multiple of four; returns where they go. */
guint8 *xdr_add(XdrOut *out, gsize n);

static inline void xdr_put_u32(XdrOut *out, guint32 value)
{
	if (out->room - out->len >= 4) {
		xdr_poke_u32(out->data + out->len, value);
		out->len += 4;
	} else {
		xdr_poke_u32(xdr_add(out, 4), value);
	}
}

void xdr_put_u64(XdrOut *out, guint64 value);
/* The bytes and their padding, without a length. */
void xdr_put_bytes(XdrOut *out, gconstpointer bytes, gsize n);
/* Writes @value over what stands at @at. */
void xdr_patch_u32(XdrOut *out, gsize at, guint32 value);
/* Frees the bytes, not the struct. */
void xdr_out_clear(XdrOut *out);
