/* Keys of keyboards by name. Pure. */
#pragma once

#include <glib.h>

/* The kernel's number of the key @name, such as KEY_ENTER; 0: there is none. Any thread. */
guint key_code_of(const char *name);
