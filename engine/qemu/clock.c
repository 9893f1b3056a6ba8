/* The clock: -rtc, and what timers do with ticks that were lost.
 * Neighbours: build.h; machine.c has timers that are properties of the board, cpu.c those of the CPU. */
#include "engine/qemu/build.h"

#include <stdlib.h>

#define SECONDS_MAX G_GINT64_CONSTANT(0x3fffffffffff) /* GDateTime holds less */

static const NameRow tracks[] = {
	{ "guest", "vm" },
	{ "wall", "host" },
	{ "realtime", "rt" },
};

static gboolean put_base(GString *option, gint64 seconds, gboolean local)
{
	g_autoptr(GDateTime) time = NULL;
	if (ABS(seconds) > SECONDS_MAX)
		return FALSE;
	time = local ? g_date_time_new_from_unix_local(seconds) :
		       g_date_time_new_from_unix_utc(seconds);
	g_autofree char *text = time ? g_date_time_format(time, "%Y-%m-%dT%H:%M:%S") : NULL;
	if (text)
		g_string_append_printf(option, "base=%s", text);
	return text != NULL;
}

static gboolean put_offset(Build *build, GString *option, const Clock *clock, GError **error)
{
	const char *offset = clock && clock->offset ? clock->offset : "utc";
	gboolean fits = TRUE;
	if (g_str_equal(offset, "utc")) {
		g_string_append(option, "base=utc");
	} else if (g_str_equal(offset, "localtime") || g_str_equal(offset, "timezone")) {
		g_string_append(option, "base=localtime");
		if (clock->timezone)
			g_ptr_array_add(build->command->env,
					g_strdup_printf("TZ=%s", clock->timezone));
	} else if (g_str_equal(offset, "variable")) {
		gint64 by = clock->adjustment ? g_ascii_strtoll(clock->adjustment, NULL, 10) : 0;
		fits = ABS(by) < SECONDS_MAX &&
		       put_base(option, build->setup->now + by,
				!g_strcmp0(clock->basis, "localtime"));
	} else if (g_str_equal(offset, "absolute")) {
		fits = clock->start && put_base(option, g_ascii_strtoll(clock->start, NULL, 10), FALSE);
	} else {
		return unsupported(build, error,
				   "clock/@offset \"%s\": use utc, localtime, timezone, variable or "
				   "absolute", offset);
	}
	return fits || invalid(build, error, "clock: the time it asks for does not exist");
}

static gboolean put_rtc_timer(Build *build, GString *option, const Timer *timer, GError **error)
{
	const char *clock = name_lookup(tracks, G_N_ELEMENTS(tracks), timer->track);
	if (timer->track && !clock)
		return unsupported(build, error,
				   "clock/timer/@track \"%s\": use guest, wall or realtime",
				   timer->track);
	opt_put(option, "clock", clock);
	if (!g_strcmp0(timer->tickpolicy, "catchup"))
		opt_put(option, "driftfix", "slew");
	else if (timer->tickpolicy && !g_str_equal(timer->tickpolicy, "delay"))
		return unsupported(build, error,
				   "clock/timer/@tickpolicy \"%s\" of the rtc: use catchup or delay",
				   timer->tickpolicy);
	return TRUE;
}

static gboolean add_pit(Build *build, const Timer *timer, GError **error)
{
	const char *policy = timer->tickpolicy;
	if (!build->setup->kvm || !policy || g_str_equal(policy, "catchup"))
		return TRUE;
	if (!g_str_equal(policy, "delay") && !g_str_equal(policy, "discard"))
		return unsupported(build, error,
				   "clock/timer/@tickpolicy \"%s\" of the pit: use catchup, delay or "
				   "discard", policy);
	add_option(build, "-global", g_strdup_printf("kvm-pit.lost_tick_policy=%s", policy));
	return TRUE;
}

gboolean build_clock(Build *build, GError **error)
{
	const Clock *clock = build->guest->clock;
	g_autoptr(GString) option = g_string_new(NULL);
	if (!put_offset(build, option, clock, error))
		return FALSE;
	SHAPE_EACH (Timer, timer, clock ? clock->timers : NULL)
		if (!g_strcmp0(timer->name, "rtc") && !put_rtc_timer(build, option, timer, error))
			return FALSE;
	add_option(build, "-rtc", g_strdup(option->str));
	SHAPE_EACH (Timer, timer, clock ? clock->timers : NULL)
		if (!g_strcmp0(timer->name, "pit") && !add_pit(build, timer, error))
			return FALSE;
	return TRUE;
}
