/* libnss_lodge.so.2: names of guests resolve on this host. glibc loads it into programs where
 * /etc/nsswitch.conf says "hosts: files lodge dns"; "web1.lodge" is then the address of the guest web1, and
 * the address has that name. It reads a file that the daemon keeps (core/address_book.c) and asks nobody: it
 * answers as fast as /etc/hosts does, also while the daemon is away. The interface is glibc's (nss.h).
 *
 * It runs inside of everybody's programs: nothing here allocates beyond the caller's buffer but stdio, and
 * whatever the file holds is bounded. Neighbours: none, it links nothing but libc. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <nss.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES "/run/lodge/names"
#define SUFFIX ".lodge"
#define LINE_SIZE 512
#define LINES_MAX 100000 /* of the file that are looked at */
#define FOUND_MAX 64	 /* addresses of one name */

#define OPEN __attribute__((visibility("default")))

typedef enum nss_status Status;
typedef struct hostent Host;

typedef struct Found {
	int family;
	unsigned char bytes[16];
} Found;

OPEN Status _nss_lodge_gethostbyname4_r(const char *name, struct gaih_addrtuple **list, char *buffer,
					size_t size, int *error, int *h_error, int32_t *ttl);
OPEN Status _nss_lodge_gethostbyname3_r(const char *name, int family, Host *host, char *buffer, size_t size,
					int *error, int *h_error, int32_t *ttl, char **canonical);
OPEN Status _nss_lodge_gethostbyname2_r(const char *name, int family, Host *host, char *buffer, size_t size,
					int *error, int *h_error);
OPEN Status _nss_lodge_gethostbyname_r(const char *name, Host *host, char *buffer, size_t size, int *error,
				       int *h_error);
OPEN Status _nss_lodge_gethostbyaddr2_r(const void *address, socklen_t length, int family, Host *host,
					char *buffer, size_t size, int *error, int *h_error, int32_t *ttl);
OPEN Status _nss_lodge_gethostbyaddr_r(const void *address, socklen_t length, int family, Host *host,
				       char *buffer, size_t size, int *error, int *h_error);

/* ---- the file ---- */

/* Another one may be named, but not to programs that run with more rights than their caller. */
static FILE *open_names(void)
{
	const char *path = secure_getenv("LODGE_NAMES");
	return fopen(path ? path : NAMES, "re");
}

/* The next "ADDRESS NAME" of @file: false at its end. @line has LINE_SIZE bytes; *name lies in it. */
static bool next_name(FILE *file, unsigned *lines, char *line, Found *found, char **name)
{
	while ((*lines)++ < LINES_MAX && fgets(line, LINE_SIZE, file)) {
		char *save = NULL, *address = strtok_r(line, " \t\r\n", &save);
		*name = strtok_r(NULL, " \t\r\n", &save);
		if (!address || *address == '#' || !*name)
			continue;
		found->family = strchr(address, ':') ? AF_INET6 : AF_INET;
		if (inet_pton(found->family, address, found->bytes) == 1)
			return true;
	}
	return false;
}

/* "WEB1.lodge." and "web1.lodge" are one name. */
static bool same_name(const char *a, const char *b)
{
	size_t length = strlen(a);
	if (length && a[length - 1] == '.')
		length--;
	return length == strlen(b) && !strncasecmp(a, b, length);
}

static bool is_ours(const char *name)
{
	size_t length = strlen(name), suffix = strlen(SUFFIX);
	if (length && name[length - 1] == '.')
		length--;
	return length > suffix && length < LINE_SIZE / 2 &&
	       !strncasecmp(name + length - suffix, SUFFIX, suffix);
}

/* Addresses of @name of @family (AF_UNSPEC: either) in @found, which has room for FOUND_MAX. */
static unsigned look_up(const char *name, int family, Found *found)
{
	FILE *file = is_ours(name) ? open_names() : NULL;
	char line[LINE_SIZE], *named;
	unsigned n = 0, lines = 0;
	if (!file)
		return 0;
	while (n < FOUND_MAX && next_name(file, &lines, line, &found[n], &named))
		if (same_name(name, named) && (family == AF_UNSPEC || family == found[n].family))
			n++;
	fclose(file);
	return n;
}

/* ---- answers ---- */

static Status not_found(int *error, int *h_error)
{
	*error = ENOENT;
	*h_error = HOST_NOT_FOUND;
	return NSS_STATUS_NOTFOUND;
}

/* The caller comes again with a larger buffer. */
static Status too_small(int *error, int *h_error)
{
	*error = ERANGE;
	*h_error = NETDB_INTERNAL;
	return NSS_STATUS_TRYAGAIN;
}

/* @size bytes for @align of the caller's buffer; NULL where it is used up. */
static void *take(char **buffer, size_t *left, size_t size, size_t align)
{
	size_t skip = (align - (uintptr_t)*buffer % align) % align;
	if (*left < skip || *left - skip < size)
		return NULL;
	char *taken = *buffer + skip;
	*buffer = taken + size;
	*left -= skip + size;
	return taken;
}

static size_t size_of(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

static Status fill(Host *host, const char *name, int family, const Found *found, unsigned n, char *buffer,
		   size_t size, int *error, int *h_error)
{
	char **list = take(&buffer, &size, (n + 1) * sizeof(char *), sizeof(char *));
	char **aliases = take(&buffer, &size, sizeof(char *), sizeof(char *));
	char *own = take(&buffer, &size, strlen(name) + 1, 1);
	if (!list || !aliases || !own)
		return too_small(error, h_error);
	for (unsigned i = 0; i < n; i++) {
		list[i] = take(&buffer, &size, size_of(family), 4);
		if (!list[i])
			return too_small(error, h_error);
		memcpy(list[i], found[i].bytes, size_of(family));
	}
	list[n] = *aliases = NULL;
	strcpy(own, name);
	*host = (Host){ .h_name = own, .h_aliases = aliases, .h_addrtype = family,
			.h_length = (int)size_of(family), .h_addr_list = list };
	*error = 0;
	*h_error = NETDB_SUCCESS;
	return NSS_STATUS_SUCCESS;
}

Status _nss_lodge_gethostbyname4_r(const char *name, struct gaih_addrtuple **list, char *buffer, size_t size,
				   int *error, int *h_error, int32_t *ttl)
{
	Found found[FOUND_MAX];
	unsigned n = look_up(name, AF_UNSPEC, found);
	char *own = n ? take(&buffer, &size, strlen(name) + 1, 1) : NULL;
	if (!n)
		return not_found(error, h_error);
	struct gaih_addrtuple *all = take(&buffer, &size, n * sizeof *all, _Alignof(struct gaih_addrtuple));
	if (!own || !all)
		return too_small(error, h_error);
	strcpy(own, name);
	for (unsigned i = 0; i < n; i++) {
		all[i] = (struct gaih_addrtuple){ .next = i + 1 < n ? &all[i + 1] : NULL, .name = own,
						  .family = found[i].family };
		memcpy(all[i].addr, found[i].bytes, sizeof found[i].bytes);
	}
	/* glibc may lend the first one */
	if (*list)
		**list = all[0];
	else
		*list = all;
	if (ttl)
		*ttl = 0;
	*error = 0;
	*h_error = NETDB_SUCCESS;
	return NSS_STATUS_SUCCESS;
}

Status _nss_lodge_gethostbyname3_r(const char *name, int family, Host *host, char *buffer, size_t size,
				   int *error, int *h_error, int32_t *ttl, char **canonical)
{
	Found found[FOUND_MAX];
	unsigned n = family == AF_INET || family == AF_INET6 ? look_up(name, family, found) : 0;
	if (!n)
		return not_found(error, h_error);
	Status status = fill(host, name, family, found, n, buffer, size, error, h_error);
	if (status == NSS_STATUS_SUCCESS && ttl)
		*ttl = 0;
	if (status == NSS_STATUS_SUCCESS && canonical)
		*canonical = host->h_name;
	return status;
}

Status _nss_lodge_gethostbyname2_r(const char *name, int family, Host *host, char *buffer, size_t size,
				   int *error, int *h_error)
{
	return _nss_lodge_gethostbyname3_r(name, family, host, buffer, size, error, h_error, NULL, NULL);
}

Status _nss_lodge_gethostbyname_r(const char *name, Host *host, char *buffer, size_t size, int *error,
				  int *h_error)
{
	return _nss_lodge_gethostbyname3_r(name, AF_INET, host, buffer, size, error, h_error, NULL, NULL);
}

Status _nss_lodge_gethostbyaddr2_r(const void *address, socklen_t length, int family, Host *host,
				   char *buffer, size_t size, int *error, int *h_error, int32_t *ttl)
{
	char line[LINE_SIZE], *name = NULL;
	Found found;
	unsigned lines = 0;
	bool there = false;
	bool known = (family == AF_INET || family == AF_INET6) && length == size_of(family);
	FILE *file = known ? open_names() : NULL;
	while (file && !there && next_name(file, &lines, line, &found, &name))
		there = found.family == family && !memcmp(found.bytes, address, length);
	if (file)
		fclose(file);
	if (ttl)
		*ttl = 0;
	return there ? fill(host, name, family, &found, 1, buffer, size, error, h_error) :
		       not_found(error, h_error);
}

Status _nss_lodge_gethostbyaddr_r(const void *address, socklen_t length, int family, Host *host, char *buffer,
				  size_t size, int *error, int *h_error)
{
	return _nss_lodge_gethostbyaddr2_r(address, length, family, host, buffer, size, error, h_error, NULL);
}
