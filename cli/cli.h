/* The command `lodge`. Neighbours: main.c calls cli_main(); ops/ gives the verbs' rows. */
#pragma once

/* Runs one command line, program name first; returns the process's exit code. */
int cli_main(int argc, char *const *argv);
