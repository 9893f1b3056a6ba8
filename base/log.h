/* The daemon's log: one line per event, with level and the object's name. To standard error
 * (journald adds time) and, once log_to_file() was called, to that file too. Any thread. */
#pragma once

#include <glib.h>

typedef enum LogLevel { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR } LogLevel;

/* Lines below @level are dropped; INFO until told otherwise. */
void log_set_level(LogLevel level);

/* Whether lines of @level are kept: spares making those that are not. */
gboolean log_wants(LogLevel level);

/* Also appends every line to @path. A failure is reported and nothing changes. */
gboolean log_to_file(const char *path, GError **error);

/* @object: what the line is about ("guest web1"), or NULL for the daemon itself. */
void log_line(LogLevel level, const char *object, const char *format, ...) G_GNUC_PRINTF(3, 4);

#define log_debug(object, ...) log_line(LOG_LEVEL_DEBUG, object, __VA_ARGS__)
#define log_info(object, ...) log_line(LOG_LEVEL_INFO, object, __VA_ARGS__)
#define log_warning(object, ...) log_line(LOG_LEVEL_WARNING, object, __VA_ARGS__)
#define log_error(object, ...) log_line(LOG_LEVEL_ERROR, object, __VA_ARGS__)
