/* The command line that a definition becomes, for people: as at a start, but with the names of files where
 * QEMU would get descriptors, and without looking at any of them. See engine.h. */
#include "base/error.h"
#include "engine/qemu/adapt.h"
#include "engine/qemu/run.h"
#include "model/alias.h"

#include <string.h>
#include <time.h>

/* @word with "/dev/fdset/N" replaced by the file that it stands for; the caller frees it. */
static char *with_paths(const QemuCommand *command, const char *word)
{
	g_autoptr(GString) text = g_string_new(word);
	for (guint i = 0; i < command->fds->len; i++) {
		const QemuFd *fd = g_ptr_array_index(command->fds, i);
		if (fd->set < 0 || !fd->path)
			continue;
		g_autofree char *name = g_strdup_printf("/dev/fdset/%d", fd->set);
		gsize n = strlen(name);
		for (char *at = strstr(text->str, name); at; at = strstr(at + 1, name)) {
			if (g_ascii_isdigit(at[n]))
				continue;
			gssize offset = at - text->str;
			g_string_erase(text, offset, (gssize)n);
			g_string_insert(text, offset, fd->path);
			at = text->str + offset;
		}
	}
	return g_strdup(text->str);
}

/* A word for a shell. */
static void put_word(GString *out, const char *word)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%";
	g_autofree char *quoted = *word && strspn(word, plain) == strlen(word) ? g_strdup(word)
									     : g_shell_quote(word);
	g_string_append_printf(out, "%s%s", out->len ? " " : "", quoted);
}

static char *line_of(const QemuCommand *command)
{
	GString *out = g_string_new(NULL);
	for (guint i = 0; command->env && i + 1 < command->env->len; i++)
		put_word(out, g_ptr_array_index(command->env, i));
	for (guint i = 0; i + 1 < command->argv->len; i++) {
		const char *word = g_ptr_array_index(command->argv, i);
		if (g_str_equal(word, "-add-fd")) { /* the name stands where the set did */
			i++;
			continue;
		}
		g_autofree char *own = with_paths(command, word);
		put_word(out, own);
	}
	g_string_append_c(out, '\n');
	return g_string_free(out, FALSE);
}

char *run_native(Guest *guest, Notes *notes, GError **error)
{
	const char *binary = guest->emulator ? guest->emulator : qemu_host.binary;
	if (!binary) {
		fail(error, LODGE_ERROR_NOT_FOUND, "there is no QEMU on this host: install qemu-system-x86");
		return NULL;
	}
	const QemuCaps *caps = qemu_caps_get(binary, qemu_host.config.paths->lib, error);
	if (!caps)
		return NULL;
	g_autofree char *folder = g_build_filename(qemu_host.config.paths->run, "guests", guest->name, NULL);
	g_autofree char *tpm = g_build_filename(folder, "swtpm.sock", NULL);
	QemuSetup setup = { .caps = caps, .kvm = guest->type == GUEST_KVM, .binary = binary,
			    .sev = guest->launch_security ? qemu_sev(binary) : NULL,
			    .run_dir = folder, .tpm_socket = tpm, .now = time(NULL) };
	guest_assign_aliases(guest);
	QemuCommand *command = qemu_command_new(guest, &setup, notes, error);
	char *line = command ? line_of(command) : NULL;
	if (command)
		qemu_command_free(command);
	return line;
}
