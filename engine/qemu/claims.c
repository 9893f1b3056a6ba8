/* Which running guest uses which image, by device and inode: the same image under two names is
 * still one. See run.h. */
#include "base/error.h"
#include "engine/qemu/run.h"

#include <sys/stat.h>

typedef struct Holder {
	const EngineRun *run; /* only compared */
	char *guest;
	char mode; /* 'r' reads, 'w' writes, 's' writes and lets others write */
} Holder;

static GMutex lock;
static GHashTable *claims; /* "dev:ino" -> GPtrArray of Holder; under lock */

static void holder_free(gpointer data)
{
	Holder *holder = data;
	g_free(holder->guest);
	g_free(holder);
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

/* A disk of one guest may be opened twice, to read it and to write; nothing is written twice. */
static gboolean clash(const Holder *holder, const EngineRun *run, char mode)
{
	if (holder->run == run)
		return holder->mode == 'w' && mode == 'w';
	return holder->mode != mode || mode == 'w';
}

static gboolean refuse(const EngineRun *run, const Holder *holder, const char *what,
		       const char *path, GError **error)
{
	if (holder->run == run)
		return fail(error, LODGE_ERROR_IN_USE,
			    "guest \"%s\": %s: %s is used by another disk of this guest; give each "
			    "disk its own image, or mark both <shareable/>", run->name, what, path);
	return fail(error, LODGE_ERROR_IN_USE,
		    "guest \"%s\": %s: %s is used by running guest \"%s\"; give each its own image, or "
		    "mark the disk <shareable/> or <readonly/> in both", run->name, what, path,
		    holder->guest);
}

static gboolean add_claim(EngineRun *run, const char *key, char mode, const char *what,
			  const char *path, GError **error)
{
	GPtrArray *holders = g_hash_table_lookup(claims, key);
	for (guint i = 0; holders && i < holders->len; i++)
		if (clash(holders->pdata[i], run, mode))
			return refuse(run, holders->pdata[i], what, path, error);
	if (!holders) {
		holders = g_ptr_array_new_with_free_func(holder_free);
		g_hash_table_insert(claims, g_strdup(key), holders);
	}
	Holder *holder = g_new(Holder, 1);
	*holder = (Holder){ .run = run, .guest = g_strdup(run->name), .mode = mode };
	g_ptr_array_add(holders, holder);
	g_ptr_array_add(run->claims, g_strdup(key));
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
		claims = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
					       (GDestroyNotify)g_ptr_array_unref);
	gboolean ok = add_claim(run, key, !writes ? 'r' : shareable ? 's' : 'w', what, path, error);
	g_mutex_unlock(&lock);
	return ok;
}

/* Lets go of everything that @run holds of one image. */
static void release(const EngineRun *run, const char *key)
{
	GPtrArray *holders = g_hash_table_lookup(claims, key);
	for (guint i = holders ? holders->len : 0; i-- > 0;)
		if (((const Holder *)holders->pdata[i])->run == run)
			g_ptr_array_remove_index_fast(holders, i);
	if (holders && !holders->len)
		g_hash_table_remove(claims, key);
}

void claims_release(EngineRun *run)
{
	g_mutex_lock(&lock);
	for (guint i = 0; i < run->claims->len; i++)
		release(run, run->claims->pdata[i]);
	g_mutex_unlock(&lock);
	g_ptr_array_set_size(run->claims, 0);
}
