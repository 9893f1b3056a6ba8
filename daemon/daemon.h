/* `lodge daemon`. Neighbours: main.c calls it; it wires core/ and the doors in wire/. */
#pragma once

/* Runs the daemon with the words after "daemon" until it is told to end; returns the process's exit
 * code. With --detach it returns in the parent as soon as the daemon answers. */
int daemon_main(int argc, char *const *argv);
