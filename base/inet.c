/* See inet.h. */
#include "base/inet.h"
#include "base/error.h"

#include <arpa/inet.h>
#include <string.h>

gboolean inet_from_text(const char *text, int family, Inet *inet, GError **error)
{
	Inet read = { 0 };
	if (family != AF_INET6 && inet_pton(AF_INET, text, read.bytes) == 1)
		read.family = AF_INET;
	else if (family != AF_INET && inet_pton(AF_INET6, text, read.bytes) == 1)
		read.family = AF_INET6;
	else
		return fail_with(error, LODGE_ERROR_INVALID,
				 family == AF_INET6 ? LODGE_DETAIL_ADDRESS6 : LODGE_DETAIL_ADDRESS,
				 "\"%s\" is not an %saddress", text,
				 family == AF_INET ? "IPv4 " : family == AF_INET6 ? "IPv6 " : "IP ");
	*inet = read;
	return TRUE;
}

const char *inet_to_text(const Inet *inet, char buffer[INET_TEXT])
{
	if (!inet->family || !inet_ntop(inet->family, inet->bytes, buffer, INET_TEXT))
		*buffer = '\0';
	return buffer;
}

guint inet_bits(const Inet *inet)
{
	return inet->family == AF_INET ? 32 : 128;
}

/* Clears or sets every bit from @prefix on. */
static Inet fill(const Inet *inet, guint prefix, gboolean ones)
{
	Inet filled = *inet;
	for (guint bit = prefix; bit < inet_bits(inet); bit++) {
		guint8 mask = (guint8)(0x80 >> bit % 8);
		guint8 *byte = &filled.bytes[bit / 8];
		*byte = (guint8)(ones ? *byte | mask : *byte & ~mask);
	}
	return filled;
}

Inet inet_first(const Inet *inet, guint prefix)
{
	return fill(inet, prefix, FALSE);
}

Inet inet_last(const Inet *inet, guint prefix)
{
	return fill(inet, prefix, TRUE);
}

gboolean inet_within(const Inet *inet, const Inet *network, guint prefix)
{
	Inet a = inet_first(inet, prefix), b = inet_first(network, prefix);
	return inet_compare(&a, &b) == 0;
}

gboolean inet_overlap(const Inet *a, guint a_prefix, const Inet *b, guint b_prefix)
{
	return inet_within(a, b, MIN(a_prefix, b_prefix));
}

int inet_compare(const Inet *a, const Inet *b)
{
	if (a->family != b->family)
		return a->family == AF_INET ? -1 : 1;
	return memcmp(a->bytes, b->bytes, inet_bits(a) / 8);
}

guint32 inet_span(const Inet *first, const Inet *last)
{
	if (first->family != last->family || inet_compare(first, last) > 0)
		return 0;
	guint64 difference = 0;
	for (guint i = 0; i < inet_bits(first) / 8; i++) {
		/* Never below 0: the first byte that differs is larger in @last. */
		difference = difference * 256 + last->bytes[i] - first->bytes[i];
		if (difference > (G_GUINT64_CONSTANT(1) << 40))
			return G_MAXUINT32;
	}
	return difference >= G_MAXUINT32 ? G_MAXUINT32 : (guint32)difference + 1;
}

Inet inet_plus(const Inet *inet, guint32 n)
{
	Inet sum = *inet;
	guint64 carry = n;
	for (guint i = inet_bits(inet) / 8; i-- && carry;) {
		carry += sum.bytes[i];
		sum.bytes[i] = (guint8)carry;
		carry >>= 8;
	}
	return sum;
}

int inet_mask_prefix(const Inet *netmask)
{
	for (guint prefix = 0; prefix <= inet_bits(netmask); prefix++) {
		Inet mask = inet_mask(netmask->family, prefix);
		if (inet_compare(&mask, netmask) == 0)
			return (int)prefix;
	}
	return -1;
}

Inet inet_mask(int family, guint prefix)
{
	Inet zero = { .family = family };
	Inet ones = inet_last(&zero, 0);
	return inet_first(&ones, prefix);
}

gboolean inet_is_multicast(const Inet *inet)
{
	return inet->family == AF_INET ? (inet->bytes[0] & 0xf0) == 0xe0 : inet->bytes[0] == 0xff;
}

gboolean inet_is_any(const Inet *inet)
{
	Inet any = { .family = inet->family };
	return inet_compare(inet, &any) == 0;
}
