/* Any bytes as a <pool> and as a <volume> document: what is taken must print to one that says the same. */
#include <stdint.h>

#include "model/pool.h"
#include "model/volume.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const char *printed, const char *again)
{
	if (!g_str_equal(printed, again))
		g_error("print and parse changed\n%s\nto\n%s", printed, again);
}

static void as_pool(const char *text, gssize size)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Pool) pool = pool_from_xml(text, size, "input", NULL, &error);
	g_assert_true(!pool == !!error && (!error || g_utf8_validate(error->message, -1, NULL)));
	if (!pool)
		return;
	g_autofree char *printed = pool_to_xml(pool, 0);
	g_autoptr(Pool) again = pool_from_xml(printed, -1, "printed", NULL, &error);
	if (!again)
		g_error("own XML is refused: %s\n%s", error->message, printed);
	g_autofree char *reprinted = pool_to_xml(again, 0);
	same(printed, reprinted);
}

static void as_volume(const char *text, gssize size)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Volume) volume = volume_from_xml(text, size, "input", NULL, &error);
	g_assert_true(!volume == !!error && (!error || g_utf8_validate(error->message, -1, NULL)));
	if (!volume)
		return;
	g_autofree char *printed = volume_to_xml(volume);
	g_autoptr(Volume) again = volume_from_xml(printed, -1, "printed", NULL, &error);
	if (!again)
		g_error("own XML is refused: %s\n%s", error->message, printed);
	g_autofree char *reprinted = volume_to_xml(again);
	same(printed, reprinted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	as_pool((const char *)data, (gssize)size);
	as_volume((const char *)data, (gssize)size);
	return 0;
}
