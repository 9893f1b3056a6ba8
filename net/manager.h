/* What configures the host's own interfaces at boot: NetworkManager, systemd-networkd or ifupdown. Each is
 * one file behind this vtable: it reads and writes its own format, and is told when something changed.
 * Nothing is written here: changes gather in a ManagerWork, which core/hostnet.c puts on the disk and can
 * take back.
 *
 * Neighbours: model/hostif.h is what is read and written; hostlink.h what is live. */
#pragma once

#include "base/notes.h"
#include "host/netlink.h"
#include "model/hostif.h"

typedef struct ManagerFile {
	char *path; /* as the host sees it, without the root */
	char *text; /* NULL: it is removed */
	guint mode; /* of a new one */
} ManagerFile;

/* One look at the configuration, with the changes that are to be made. One thread's. */
typedef struct ManagerWork {
	const char *root; /* stands before every path; "" */
	GPtrArray *files; /* ManagerFile: what is to be written; none twice */
	Notes *notes;	  /* may be NULL */
} ManagerWork;

typedef struct NetManager {
	const char *name;
	gboolean sets_addresses; /* its command sets them, and fails where they are there already */
	const char *sign; /* a path that is there where it is at work */
	const char *tool; /* a program that is there, too; NULL: none */
	/* Whether it looks after this interface. */
	gboolean (*manages)(ManagerWork *work, const LinkInfo *link);
	/* Names of what it has a definition of, ports of others left out: char *, added to @names. */
	void (*names)(ManagerWork *work, GPtrArray *names);
	/* The definition of @name (@link: what is live of it, NULL: nothing), and in *kept what it says of
	 * addresses in its own words, for write(). NULL with NOT_FOUND. The caller owns both. */
	HostIf *(*read)(ManagerWork *work, const char *name, const LinkInfo *link, char **kept,
			GError **error);
	/* Writes the definition, and those of its ports. @kept (NULL: none) stands instead of the
	 * document's protocols. */
	gboolean (*write)(ManagerWork *work, const HostIf *iface, const char *kept, GError **error);
	/* Removes the definition of @name; what it does not have is a success. */
	gboolean (*forget)(ManagerWork *work, const char *name, GError **error);
	/* Adds the paths of all files of its configuration that write() may touch: char *. */
	void (*paths)(ManagerWork *work, GPtrArray *paths);
	/* Ends what runs for @name (a DHCP client) before its links change. @kept as of read(). Blocks. */
	gboolean (*release)(const char *name, const char *kept, GError **error);
	/* Tells it that the files of @name and its @ports (char *, may be NULL) are as they shall be and
	 * that it is to be up. Blocks. */
	gboolean (*take)(const char *name, const GPtrArray *ports, GError **error);
} NetManager;

extern const NetManager manager_networkd, manager_nm, manager_ifupdown;

/* All of them, NULL at the end. */
extern const NetManager *const managers[];

/* Whether it is at work on this host at all. */
gboolean manager_present(const NetManager *manager, const char *root);
/* The manager of that name; NULL: none. */
const NetManager *manager_find(const char *name);
/* Which looks after @link; NULL: none. */
const NetManager *manager_of(ManagerWork *work, const LinkInfo *link);
/* Which has a definition of @name; NULL: none. */
const NetManager *manager_having(ManagerWork *work, const char *name);
/* The first that is at work on this host. NULL with UNSUPPORTED and what to do. */
const NetManager *manager_of_host(const char *root, GError **error);

/* ---- for managers ---- */

void manager_work_init(ManagerWork *work, const char *root, Notes *notes);
void manager_work_clear(ManagerWork *work);
/* The file as it will be; NULL: there is none. The caller frees it. */
char *work_read(const ManagerWork *work, const char *path);
gboolean work_exists(const ManagerWork *work, const char *path);
void work_write(ManagerWork *work, const char *path, char *text, guint mode); /* takes @text */
void work_remove(ManagerWork *work, const char *path);
/* Names in @folder that end with @suffix, as they will be, sorted; the caller owns the array of char *. */
GPtrArray *work_list(const ManagerWork *work, const char *folder, const char *suffix);

/* Files of sections with KEY=VALUE lines, as systemd and NetworkManager write them. */
typedef struct IniLine {
	char *raw;	   /* as it stands, without the end of line; continued lines are joined */
	char *key, *value; /* NULL: a comment or nothing */
} IniLine;

typedef struct IniSection {
	char *name;
	GPtrArray *lines; /* IniLine */
} IniSection;

/* Reads any text. Sections in their order, the same name perhaps more than once; of IniSection, the
 * caller's. */
GPtrArray *ini_read(const char *text);
/* The last value of @key in sections @section; NULL: none. Belongs to @ini. */
const char *ini_get(const GPtrArray *ini, const char *section, const char *key);
/* All values, split at blanks; an empty one forgets those before, as systemd has it. Owned by the caller.
 */
GPtrArray *ini_words(const GPtrArray *ini, const char *section, const char *key);
/* "1", "yes", "true", "on". */
gboolean ini_yes(const char *value, gboolean otherwise);

/* Runs a manager's command (NULL at the end) for at most a minute; what it said is the error. */
gboolean manager_run(const char *const *argv, GError **error);
/* Whether the program is there. */
gboolean manager_has_tool(const char *name);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ManagerWork, manager_work_clear)
