/* libvirt numbers the reasons of each state by themselves. Neighbours: engine.h has the words. */
#pragma once

/* libvirt's number of the reason @word ("booted", as `domstate --reason` says it) of @state; 0 where
 * it has none. Any thread. */
int reason_number(int state, const char *word);
