/* Processes beside QEMU that belong to one guest: swtpm for an emulated TPM, virtiofsd for a shared
 * folder, passt for a network in user mode, qemu-pr-helper for SCSI reservations. All but passt get a
 * listening unix socket, so that QEMU can connect from the first moment; all but the last end when QEMU
 * closes its connection.
 *
 * Neighbours: host/spawn.h and host/process.h start and end them; start.c and run.c are the users;
 * command.h puts the sockets on QEMU's command line. */
#pragma once

#include "host/cgroup.h"
#include "host/user.h"
#include "model/guest.h"

typedef struct QemuHelper QemuHelper;

/* Whether the device needs a helper of ours: a TPM with backend "emulator", a file system with
 * driver "virtiofs" and no socket of its own. Any thread. */
gboolean qemu_swtpm_wanted(const Tpm *tpm);
gboolean qemu_virtiofsd_wanted(const Filesystem *fs);

/* Starts swtpm for @tpm of @live and waits until it answers on @run_dir/swtpm.sock. @state_dir
 * keeps the TPM's secrets (mode 0700, owned by @user); where it is not there it is made, with
 * endorsement key and certificates if swtpm_setup is installed: that takes about a second, once.
 * The local certificate authority lives in the folder "ca" beside @state_dir.
 *
 * @user: who swtpm and QEMU run as; @user and @cgroup may be NULL (the daemon's own); @log_fd gets
 * the output (0: nobody). UNSUPPORTED where swtpm is missing or the TPM's options cannot be met. On
 * failure nothing is left behind. The caller owns the result (qemu_helper_stop). Blocks; not on the
 * main loop's thread. */
QemuHelper *qemu_swtpm_start(const Guest *live, const Tpm *tpm, const char *run_dir,
			     const char *state_dir, const HostUser *user, const Cgroup *cgroup,
			     int log_fd, GError **error);

/* Starts virtiofsd for @fs of @live, to listen at qemu_virtiofs_path(@run_dir, alias). It runs as
 * the daemon, for it answers with the owners and permissions of the shared folder; @user is who may
 * connect. It takes one connection: do not try it out. UNSUPPORTED where it is missing or cannot
 * run under this account, NOT_FOUND for a folder that is not there. Otherwise as above. */
QemuHelper *qemu_virtiofsd_start(const Guest *live, const Filesystem *fs, const char *run_dir,
				 const HostUser *user, const Cgroup *cgroup, int log_fd,
				 GError **error);

/* Whether a disk wants the guest's own helper for SCSI reservations (<reservations managed='yes'>). */
gboolean qemu_reservations_wanted(const Guest *live);
/* Starts it for the guest @name, to listen at qemu_reservations_path(@run_dir). It runs as the daemon, for
 * reserving takes root; @user is who may connect. UNSUPPORTED where it is missing. Otherwise as above. */
QemuHelper *qemu_reservations_start(const char *name, const char *run_dir, const HostUser *user,
				    const Cgroup *cgroup, int log_fd, GError **error);

/* Whether the interface is in user mode by passt. */
gboolean qemu_passt_wanted(const Interface *interface);

/* Starts passt for @interface of the guest @name, connected to QEMU, which listens at @socket. UNSUPPORTED
 * where it is missing, ENGINE with what it said. Otherwise as above. */
QemuHelper *qemu_passt_start(const char *name, const Interface *interface, const char *run_dir,
			     const char *socket, const HostUser *user, const Cgroup *cgroup, GError **error);
/* What it was told, in short; the caller frees it. NULL: INVALID ports. */
char *qemu_passt_words(const Interface *interface, GError **error);

/* The path of its socket, owned by @helper. */
const char *qemu_helper_socket(const QemuHelper *helper);
/* "swtpm", "virtiofsd"; static. */
const char *qemu_helper_name(const QemuHelper *helper);
pid_t qemu_helper_pid(const QemuHelper *helper);
/* As qemu_passt_words() has it, of passt; otherwise NULL. Owned by @helper. */
const char *qemu_helper_words(const QemuHelper *helper);
/* A copy of its pidfd, the caller's; -1 where it has ended. */
int qemu_helper_pidfd(const QemuHelper *helper);
/* Ends and reaps it; its socket stays, and so does @helper. Blocks as qemu_helper_stop() does. */
void qemu_helper_end(const QemuHelper *helper);
/* Whether it has not ended yet. Any thread. */
gboolean qemu_helper_alive(const QemuHelper *helper);

/* Ends and reaps it, removes its socket and frees @helper; NULL is fine. Blocks up to 2 seconds,
 * more only where the kernel cannot end it; not on the main loop's thread. */
void qemu_helper_stop(QemuHelper *helper);
/* Forgets it and frees @helper; the process and its socket stay. */
void qemu_helper_free(QemuHelper *helper);

/* What qemu_helper_adopt() needs, as JSON text that the caller frees. */
char *qemu_helper_record(const QemuHelper *helper);
/* The helper that an earlier daemon started and recorded; also where it has ended meanwhile, so
 * that qemu_helper_stop() removes what it left. NULL with INVALID for a text (or NULL) that is no
 * record. The caller owns it. Any thread. */
QemuHelper *qemu_helper_adopt(const char *record, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuHelper, qemu_helper_stop)
