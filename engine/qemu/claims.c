/* Which running guest uses which image, by device and inode: the same image under two names is
 * still one. See run.h. */
#include "base/error.h"
#include "engine/qemu/run.h"

#include <sys/stat.h>

typedef struct Claim {
	char *guest; /* the first of those that hold it */
	guint readers, writers, sharers;
} Claim;

static GMutex lock;
static GHashTable *claims; /* "dev:ino" -> Claim; under lock */

static void claim_free(gpointer data)
{
	Claim *claim = data;
	g_free(claim->guest);
	g_free(claim);
}

static char *key_of(int fd)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return NULL;
	return S_ISBLK(st.st_mode) ? g_strdup_printf("b%lx", (unsigned long)st.st_rdev)
				   : g_strdup_printf("%lx:%lx", (unsigned long)st.st_dev,
						     (unsigned long)st.st_ino);
}

/* What a run holds is noted as one letter before the key: 'r', 'w', 's'. */
static gboolean add_claim(EngineRun *run, char *key, char mode, GError **error, const char *what,
			  const char *path)
{
	Claim *claim = g_hash_table_lookup(claims, key);
	if (claim) {
		gboolean clash = (mode == 'w' && (claim->readers || claim->writers || claim->sharers)) ||
				 (mode == 'r' && (claim->writers || claim->sharers)) ||
				 (mode == 's' && (claim->readers || claim->writers));
		if (clash && g_strcmp0(claim->guest, run->name))
			return fail(error, LODGE_ERROR_IN_USE,
				    "guest \"%s\": %s: %s is used by running guest \"%s\"; give each "
				    "its own image, or mark the disk <shareable/> or <readonly/> in "
				    "both", run->name, what, path, claim->guest);
	} else {
		claim = g_new0(Claim, 1);
		claim->guest = g_strdup(run->name);
		g_hash_table_insert(claims, g_strdup(key), claim);
	}
	claim->readers += mode == 'r';
	claim->writers += mode == 'w';
	claim->sharers += mode == 's';
	g_ptr_array_add(run->claims, g_strdup_printf("%c%s", mode, key));
	return TRUE;
}

gboolean claim_image(EngineRun *run, int fd, gboolean writes, gboolean shareable, const char *what,
		     const char *path, GError **error)
{
	g_autofree char *key = key_of(fd);
	if (!key)
		return TRUE;
	g_mutex_lock(&lock);
	if (!claims)
		claims = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, claim_free);
	gboolean ok = add_claim(run, key, !writes ? 'r' : shareable ? 's' : 'w', error, what, path);
	g_mutex_unlock(&lock);
	return ok;
}

void claims_release(EngineRun *run)
{
	g_mutex_lock(&lock);
	for (guint i = 0; i < run->claims->len; i++) {
		const char *held = g_ptr_array_index(run->claims, i);
		Claim *claim = g_hash_table_lookup(claims, held + 1);
		if (!claim)
			continue;
		claim->readers -= *held == 'r';
		claim->writers -= *held == 'w';
		claim->sharers -= *held == 's';
		if (!claim->readers && !claim->writers && !claim->sharers)
			g_hash_table_remove(claims, held + 1);
	}
	g_mutex_unlock(&lock);
	g_ptr_array_set_size(run->claims, 0);
}
