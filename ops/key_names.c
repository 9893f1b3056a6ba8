/* The kernel's names of keys, as they stand on command lines: KEY_LEFTCTRL. Facts:
 * linux/input-event-codes.h. Neighbour: guest_tell.c presses them. */
#include <linux/input-event-codes.h>
#include <string.h>

#include "ops/keys.h"

#define K(name) { "KEY_" #name, KEY_##name }

static const struct {
	const char *name;
	guint code;
} keys[] = {
	K(ESC), K(1), K(2), K(3), K(4), K(5), K(6), K(7), K(8), K(9), K(0), K(MINUS), K(EQUAL),
	K(BACKSPACE), K(TAB), K(Q), K(W), K(E), K(R), K(T), K(Y), K(U), K(I), K(O), K(P), K(LEFTBRACE),
	K(RIGHTBRACE), K(ENTER), K(LEFTCTRL), K(A), K(S), K(D), K(F), K(G), K(H), K(J), K(K), K(L),
	K(SEMICOLON), K(APOSTROPHE), K(GRAVE), K(LEFTSHIFT), K(BACKSLASH), K(Z), K(X), K(C), K(V), K(B),
	K(N), K(M), K(COMMA), K(DOT), K(SLASH), K(RIGHTSHIFT), K(KPASTERISK), K(LEFTALT), K(SPACE),
	K(CAPSLOCK), K(F1), K(F2), K(F3), K(F4), K(F5), K(F6), K(F7), K(F8), K(F9), K(F10), K(NUMLOCK),
	K(SCROLLLOCK), K(KP7), K(KP8), K(KP9), K(KPMINUS), K(KP4), K(KP5), K(KP6), K(KPPLUS), K(KP1),
	K(KP2), K(KP3), K(KP0), K(KPDOT), K(102ND), K(F11), K(F12), K(RO), K(HENKAN), K(KATAKANAHIRAGANA),
	K(MUHENKAN), K(KPENTER), K(RIGHTCTRL), K(KPSLASH), K(SYSRQ), K(RIGHTALT), K(HOME), K(UP),
	K(PAGEUP), K(LEFT), K(RIGHT), K(END), K(DOWN), K(PAGEDOWN), K(INSERT), K(DELETE), K(MUTE),
	K(VOLUMEDOWN), K(VOLUMEUP), K(POWER), K(KPEQUAL), K(PAUSE), K(KPCOMMA), K(YEN), K(LEFTMETA),
	K(RIGHTMETA), K(COMPOSE), K(SLEEP),
};

guint key_code_of(const char *name)
{
	for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return keys[i].code;
	return 0;
}
