/* What the files of libvirt's door share. */
#pragma once

#include "ops/events.h"
#include "ops/params.h"
#include "wire/libvirt/codec.h"
#include "wire/libvirt/layer.h"
#include "wire/libvirt/libvirt.h"

#define LV_MAX_MESSAGE (32u * 1024 * 1024 + 4) /* bytes, the length itself included */
#define LV_HEADER 28			       /* bytes: the length and six words */
#define LV_MAX_ANONYMOUS (512u * 1024) /* bytes of a message of one who did not log in */
#define LV_MAX_OUT (4u << 20)	     /* bytes that wait for a client; then it is not read any more */
#define LV_MAX_FDS 32		     /* with one message */
#define LV_STREAM_CHUNK (256u * 1024 - 24) /* bytes of one packet */
#define LV_STREAM_AHEAD (1u << 20)   /* bytes that wait for the far end of a stream */
#define LV_HALF_SECONDS 30	     /* for the rest of a message */
#define LV_BACKLOG 1024
#define LV_VERSION 9000000	     /* what libvirt's clients take us for */

typedef struct LvClient LvClient;
typedef struct LvCall LvCall;
typedef struct LvProc LvProc;
typedef struct LvStream LvStream;
typedef struct LvLogin LvLogin;
typedef struct LvTls LvTls;

typedef enum LvProgram {
	LV_REMOTE = 0x20008086,
	LV_QEMU = 0x20008087,
	LV_KEEPALIVE = 0x6b656570,
} LvProgram;

typedef enum LvType {
	LV_CALL,
	LV_REPLY,
	LV_EVENT,
	LV_STREAM,
	LV_CALL_FDS,
	LV_REPLY_FDS,
	LV_HOLE,
} LvType;

typedef enum LvStatus { LV_OK, LV_ERROR, LV_CONTINUE } LvStatus;

typedef struct LvHeader {
	guint32 program, version, procedure, type, serial, status;
} LvHeader;

/* One client connection. */
struct LvClient {
	gint refs;
	LibvirtServer *server; /* NULL: closed */
	int fd;
	LibvirtWay way;
	LvLayer *layer; /* NULL: bytes go as they are */
	LvLogin *login; /* NULL: it may call */
	OpCaller caller;
	gboolean secure;	/* nobody else can read along */
	gboolean opened;	/* connect_open was called */
	gboolean leaving;	/* it said that it goes: it gets its replies and is not read any more */
	gboolean close_told;	/* it wants to hear why the connection ends */
	gboolean busy;		/* its messages are being read: replies wait for the end of that */
	guint32 events;		/* that it is waited for */
	gboolean in_epoll;	/* turn.c */

	guint8 *in; /* what does not make a message yet; NULL: nothing */
	gsize in_len, in_room;
	gint64 half_since; /* monotonic; 0: nothing is half there */
	int fds[LV_MAX_FDS]; /* that came and were not taken yet */
	guint n_fds;

	XdrOut out;
	gsize out_done;	 /* bytes of it that are sent */
	GArray *out_fds; /* of LvOutFd; NULL: none */

	guint calls, max_calls; /* at work; then it is not read any more */
	gint *lent; /* atomic; NULL, or somebody else writes to it, until he sees that this is set */
	LvCall *reading;     /* those of them that are ended with it: nobody hears what they read */
	guint blocked;	     /* streams that wait for their far end */
	gboolean pings;	     /* it answers them */
	gint64 heard;	     /* monotonic: the last byte */
	guint missed;	     /* pings since then */
	GPtrArray *streams;  /* of LvStream */
	GArray *callbacks;   /* of LvCallback */
	int last_callback;
	GArray *tied; /* of LvTied: guests that end with it; NULL: none */
};

typedef struct LvTied {
	char uuid[37];
	int id;
	guint fds; /* 0: the guest's run ends; else this group of descriptors alone goes */
} LvTied;

/* ---- server.c ---- */

Core *lv_core(const LvClient *client);
const LibvirtConfig *lv_config(const LibvirtServer *server);
/* Certificates, as they are on the disk now; NULL: there are none. */
LvTls *lv_server_tls(LibvirtServer *server);
/* Counts @client among the anonymous ones, or not any more. Too many: the one that has been anonymous for
 * longest goes. */
void lv_anonymous(LvClient *client, gboolean is);
/* The time, or when the clients that are being served were found ready; monotonic. */
gint64 lv_now(const LibvirtServer *server);
/* Bytes to read into; for one read at a time. */
guint8 *lv_scratch(LibvirtServer *server, gsize *size);
/* Makes epoll wait for @client->events. */
void lv_watch(LvClient *client, gboolean is_new);
/* What @client asked for is more than reading: the main loop may have got new sources. */
void lv_changed(LvClient *client);
/* Ends the connection. The struct lives until its last reference. */
void lv_close(LvClient *client, const char *why);
/* Calls @fn for each client. */
void lv_each_client(LibvirtServer *server, void (*fn)(LvClient *client, gpointer data),
		    gpointer data);

/* ---- client.c ---- */

LvClient *lv_client_ref(LvClient *client);
void lv_client_unref(LvClient *client);
/* The socket is ready for @events of epoll. */
void lv_client_ready(LvClient *client, guint32 events);
/* Reads on where it was not read for a reason that may have gone. */
void lv_client_resume(LvClient *client);
/* Takes what was read and is no message yet; the caller's. Meanwhile nobody reads (client->blocked). */
GByteArray *lv_client_take_read(LvClient *client);
/* Puts @bytes before what comes next. */
void lv_client_give_read(LvClient *client, const GByteArray *bytes);
/* Whether nothing waits to be sent, and nothing stands between it and the socket: somebody else may write to
 * it, once client->lent is set. */
gboolean lv_client_can_lend(const LvClient *client);
/* Nobody else writes any more; @bytes are to be sent before what waits. */
void lv_client_returned(LvClient *client, const GByteArray *bytes);
/* Begins a message; returns where, for lv_message_end(). */
gsize lv_message_begin(LvClient *client, const LvHeader *header);
/* Ends it and has it sent. FALSE where it is larger than the protocol allows: it is dropped. */
gboolean lv_message_end(LvClient *client, gsize begin);
/* Drops what was begun. */
void lv_message_drop(LvClient *client, gsize begin);
/* Sends @fd, which it takes, behind the message that was ended last. */
void lv_send_fd(LvClient *client, int fd);
/* Bytes that wait to be sent. */
gsize lv_waiting(const LvClient *client);
/* An event of @program's @procedure with @values of @type. */
void lv_send_event(LvClient *client, guint32 program, guint32 procedure, const WireType *type,
		   const WireValue *values);

/* ---- call.c ---- */

struct LvCall {
	LvClient *client; /* a reference */
	const LvProc *proc;
	const struct LvPlan *plan; /* proc, compiled */
	LvHeader header;
	const WireValue *args;
	WireValue *reply; /* of proc's reply, zeroed before */
	int reply_fd; /* that goes with the reply; -1: none */
	int fds[LV_MAX_FDS]; /* that came with it; closed at the end unless taken (-1) */
	guint n_fds;
	WireArena arena;
	OpCall *reads; /* the verb at work where it reads and takes its time; NULL: none that may be ended */
	LvCall *next, *before; /* unused ones: next; with .reads: among the client's */
};

/* A row of procs_*.c. A procedure is a verb (op, take, give, and where that does not say it, before and
 * after), or is answered here (fn). */
struct LvProc {
	guint number;
	const char *name;	   /* libvirt's */
	const char *args, *reply;  /* signatures: codec.h */
	const char *op;		   /* the verb. Its target is the argument "dom" */
	const char *take; /* arguments of the verb: "paused=flags&1", "xml=xml", "memory=memory*1024" */
	const char *give; /* the reply from the result: "maxMem=max_memory/1024". A domain is given by
			     name, uuid and id of the result without a word here */
	guint32 flags;	  /* bits of "flags" that are known; others are refused */
	guint32 other_flag;   /* with this bit of "flags" the row .other counts: another verb */
	gboolean (*other_when)(const LvCall *call); /* instead of a bit of "flags" */
	const LvProc *other;  /* with the same arguments and reply */
	int missing;	  /* libvirt's number where something other than the target is not there; 0:
			     LV_ERR_SYSTEM */
	int several;	  /* the same where there are too many: IN_USE; 0: as the table says */
	int exists; /* libvirt's number where the name is taken; 0: OPERATION_FAILED */
	struct {
		int state, invalid, unsupported; /* instead of the table's of these codes; 0: as there */
		int domain;		    /* who speaks; 0: as errors.c has it */
	} refuses;
	gboolean before_login; /* may be called by anyone */
	gboolean before_open; /* may be called before connect_open */
	gboolean (*before)(LvCall *call, OpCall *op, GError **error);
	gboolean (*after)(LvCall *call, OpCall *op, GError **error);
	void (*unheard)(LvCall *call, OpCall *op); /* it worked, but the client has gone meanwhile */
	/* answers at once; where the main loop gets new sources by it: lv_changed() */
	gboolean (*fn)(LvCall *call, GError **error);
	void (*later)(LvCall *call); /* begins; lv_call_reply() or lv_call_refuse() ends it, once */
};

/* Aborts where the row cannot work; for tests. */
void lv_proc_check(const LvProc *proc);
/* A message of type call with its fds; @in is its payload. */
void lv_call_begin(LvClient *client, const LvHeader *header, XdrIn in, const int *fds, guint n_fds);
/* Ends a call of a row with .later: with its reply, or with an error. */
void lv_call_reply(LvCall *call);
void lv_call_refuse(LvCall *call, int code, int domain, const char *message);
/* Ends what the calls of @client, which has gone, only read for it. */
void lv_calls_abandon(LvClient *client);
/* The argument @name; a bug where there is none. */
const WireValue *lv_arg(const LvCall *call, const char *name);
/* The place of the reply's field @name. */
WireValue *lv_put(LvCall *call, const char *name);
/* A list of @n items for @value; composites get their fields. Returns the items. */
WireValue *lv_put_list(LvCall *call, WireValue *value, guint n, guint fields);
/* Fills a domain. @uuid as text. */
void lv_put_domain(WireArena *arena, WireValue *value, const char *name, const char *uuid, int id);
/* Fills any other object of a composite @type (network, storage_pool, storage_vol, nwfilter, secret, ...):
 * each field from the member of that name of @object, of @shape: texts, uuids as text, enums as numbers. */
void lv_put_object(WireArena *arena, WireValue *value, const WireType *type, const Shape *shape,
		   gconstpointer object);
/* 16 bytes from text with dashes (NULL: zeros). */
const guint8 *lv_uuid_bytes(WireArena *arena, const char *text);
/* Of 16 bytes, with dashes; the caller frees it. */
char *lv_uuid_text(const guint8 *bytes);
/* A member of an op's arguments or result by name; aborts where there is none. */
gpointer lv_member(const Shape *shape, gpointer object, const char *name);
/* The word of a member that is an enum; NULL where it is absent. */
const char *lv_word(const Shape *shape, gpointer object, const char *name);
#define LV_MEMBER(T, shape, object, name) (*(T *)lv_member(shape, object, name))
/* The result of a call of the verb: a member. */
#define LV_RESULT(T, op_call, name) LV_MEMBER(T, (op_call)->op->result, (op_call)->result, name)
#define LV_ARG(T, op_call, name) LV_MEMBER(T, (op_call)->op->args, (op_call)->args, name)

/* ---- procs.c, procs_*.c ---- */

/* The rows of one family of procedures. */
typedef struct LvProcs {
	guint32 program;
	const LvProc *procs;
	guint n;
} LvProcs;

extern const LvProcs lv_procs_connect; /* the connection, events */
extern const LvProcs lv_procs_login;   /* who a client is */
extern const LvProcs lv_procs_secret;  /* secrets */
extern const LvProcs lv_procs_nodedev; /* devices of the host */
extern const LvProcs lv_procs_node;    /* the host */
extern const LvProcs lv_procs_domain;  /* guests: found, shown, run, saved, their streams */
extern const LvProcs lv_procs_tune;    /* what a guest may use */
extern const LvProcs lv_procs_inside;  /* by the agent */
extern const LvProcs lv_procs_storage; /* pools and volumes */
extern const LvProcs lv_procs_network; /* networks and their ports */
extern const LvProcs lv_procs_interface; /* interfaces of the host */
extern const LvProcs lv_procs_nwfilter; /* network filters */
extern const LvProcs lv_procs_qemu;    /* of the program qemu */

/* Short forms for rows. */
#define DOM "dom:domain"
#define DOM_FLAGS "dom:domain flags:u32"
#define LOOKUP .missing = LV_ERR_NO_DOMAIN

/* The row; NULL: there is none. @known is whether that program is. */
const LvProc *lv_proc(guint32 program, guint32 number, gboolean *known);
/* All tables, for tests. */
const LvProcs *const *lv_proc_tables(guint *n);

/* ---- errors.c ---- */

typedef enum LvErrorDomain { /* virErrorDomain */
	LV_FROM_XML = 5,
	LV_FROM_DOM = 6,
	LV_FROM_RPC = 7,
	LV_FROM_QEMU = 10,
	LV_FROM_REMOTE = 13,
	LV_FROM_STORAGE = 18,
	LV_FROM_NETWORK = 19,
	LV_FROM_DOMAIN = 20,
	LV_FROM_NODEDEV = 22,
	LV_FROM_INTERFACE = 26,
	LV_FROM_SECRET = 30,
	LV_FROM_CPU = 31,
	LV_FROM_NWFILTER = 33,
	LV_FROM_STREAMS = 38,
	LV_FROM_THREAD = 42,
	LV_FROM_AUTH = 46,
	LV_FROM_POLKIT = 60,
} LvErrorDomain;

typedef enum LvErrorCode { /* virErrorNumber: those that this door gives by itself */
	LV_ERR_INTERNAL = 1,
	LV_ERR_NO_SUPPORT = 3,
	LV_ERR_NO_CONNECT = 5,
	LV_ERR_INVALID_ARG = 8,
	LV_ERR_OPERATION_FAILED = 9,
	LV_ERR_SYSTEM = 38,
	LV_ERR_RPC = 39,
	LV_ERR_OPERATION_INVALID = 55,
	LV_ERR_NO_DOMAIN = 42,
	LV_ERR_NO_NETWORK = 43,
	LV_ERR_INVALID_MAC = 44,
	LV_ERR_AUTH_FAILED = 45,
	LV_ERR_NO_STORAGE_POOL = 49,
	LV_ERR_NO_STORAGE_VOL = 50,
	LV_ERR_NO_NODE_DEVICE = 53,
	LV_ERR_NO_INTERFACE = 57,
	LV_ERR_MULTIPLE_INTERFACES = 59,
	LV_ERR_NO_NWFILTER = 62,
	LV_ERR_NO_SECRET = 66,
	LV_ERR_CONFIG_UNSUPPORTED = 67,
	LV_ERR_ARGUMENT_UNSUPPORTED = 74,
	LV_ERR_AUTH_CANCELLED = 79,
	LV_ERR_NO_METADATA = 80,
	LV_ERR_OVERFLOW = 82,
	LV_ERR_OPERATION_UNSUPPORTED = 84,
	LV_ERR_AGENT_UNRESPONSIVE = 86,
	LV_ERR_STORAGE_VOL_EXIST = 90,
	LV_ERR_AUTH_UNAVAILABLE = 94,
	LV_ERR_NO_NWFILTER_BINDING = 101,
	LV_ERR_NETWORK_PORT_EXIST = 106,
	LV_ERR_NO_NETWORK_PORT = 107,
} LvErrorCode;

/* Sends an error as the answer to @header. */
void lv_send_error(LvClient *client, const LvHeader *header, int code, int domain,
		   const char *message);
/* The same from one of our errors; @proc (NULL: none) tells a document from an argument. */
void lv_send_gerror(LvClient *client, const LvHeader *header, const LvProc *proc,
		    const GError *error);
/* For the call @op of a verb that found its target, or needed none. */
void lv_send_missing(LvClient *client, const LvHeader *header, const LvProc *proc, const OpCall *op,
		     const GError *error);
/* details.c. What libvirt tells apart of @error, whatever the verb is: *number and *domain, which come with
 * what counts until then; the result, static, is what the message begins with, or NULL where it is nothing
 * special. lv_tell_document(): of a document that the verb takes; never NULL. */
const char *lv_tell_detail(const LvProc *proc, const GError *error, int *number, int *domain);
const char *lv_tell_document(const LvProc *proc, const GError *error, int *number, int *domain);
/* For adapters: an error with exactly that number of libvirt. */
gboolean lv_fail(GError **error, LvErrorCode code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* ---- stream.c ---- */

/* Opens a stream for @call, which then carries what comes from @fd (taken) and what the client sends.
 * The reply is sent by call.c. */
void lv_stream_open(LvCall *call, int fd);
/* The same with bytes (taken) that are there already. */
void lv_stream_open_bytes(LvCall *call, GBytes *bytes);
/* The same with the bytes of a volume (taken); @holes: they travel as such. */
void lv_stream_open_transfer(LvCall *call, struct OpTransfer *transfer, gboolean holes);
/* A packet of a stream. */
void lv_stream_packet(LvClient *client, const LvHeader *header, XdrIn in);
/* Room for more: streams of @client may read on. */
void lv_streams_resume(LvClient *client);
void lv_streams_close(LvClient *client);

/* ---- events.c ---- */

typedef struct LvObjectFamily LvObjectFamily; /* object_events.c */

typedef struct LvCallback {
	int id;
	const LvObjectFamily *family; /* of what is no guest; NULL: of guests */
	int event;     /* virDomainEventID */
	gboolean qemu; /* monitor events: of the qemu program */
	gboolean legacy; /* registered without a callback id */
	char *uuid;    /* only this guest's; NULL: all */
	char *name;    /* qemu: only this event; node devices: only this one's; NULL: all */
} LvCallback;

/* An event of the core, for every client that asked. */
void lv_events_deliver(const OpEvent *event, gpointer server);
void lv_callbacks_free(LvClient *client);
/* Takes @callback's texts; returns the id it gave it. */
int lv_callback_add(LvClient *client, LvCallback callback);
gboolean lv_event_register(LvCall *call, GError **error);
gboolean lv_event_deregister(LvCall *call, GError **error);
gboolean lv_event_register_any(LvCall *call, GError **error);
gboolean lv_event_deregister_any(LvCall *call, GError **error);
gboolean lv_event_callback_register(LvCall *call, GError **error);
gboolean lv_event_callback_deregister(LvCall *call, GError **error);
gboolean lv_monitor_event_register(LvCall *call, GError **error);
/* Whether the event can be registered for: what this door can tell. */
const WireType *lv_event_type(int event, gboolean legacy, guint32 *procedure);

/* ---- object_events.c ---- */

typedef enum LvObjectEvents {
	LV_NETWORK_EVENTS,
	LV_POOL_EVENTS,
	LV_SECRET_EVENTS,
	LV_NODEDEV_EVENTS,
} LvObjectEvents;

/* As lv_events_deliver(), for events of networks, pools, secrets and node devices. */
void lv_object_events_deliver(const OpEvent *event, gpointer server);
gboolean lv_network_event_register(LvCall *call, GError **error);
gboolean lv_pool_event_register(LvCall *call, GError **error);
gboolean lv_secret_event_register(LvCall *call, GError **error);
gboolean lv_nodedev_event_register(LvCall *call, GError **error);
gboolean lv_object_event_deregister(LvCall *call, GError **error);

/* ---- what no row can say ---- */

/* connect.c */
gboolean lv_open(LvCall *call, GError **error);
gboolean lv_done(LvCall *call, GError **error); /* nothing is to be done */
gboolean lv_bye(LvCall *call, GError **error);
gboolean lv_get_type(LvCall *call, GError **error);
gboolean lv_lib_version(LvCall *call, GError **error);
gboolean lv_hostname(LvCall *call, GError **error);
gboolean lv_uri(LvCall *call, GError **error);
gboolean lv_supports_feature(LvCall *call, GError **error);
gboolean lv_yes(LvCall *call, GError **error); /* the reply's first number is 1 */

/* node.c */
gboolean lv_before_cpus(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_pages(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_pages(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_alloc(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_alloc(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_node_sleep(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_security_model(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_label(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_no_labels(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_model(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_cell(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_cell(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_cpustats(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_cpustats(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_memstats(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_memstats(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_cpumap(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_models(LvCall *call, OpCall *op, GError **error);

/* tune.c */
gboolean lv_before_perf(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_vcpu(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_launch(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_scheduler(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_numa(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_disk_size(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_rates(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_cpu_stats(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_cpu_stats(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_pin(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_iothreads(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_pins(LvCall *call, OpCall *op, GError **error);

/* stats.c */
gboolean lv_before_stats(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_stats(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_sizes(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_control(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_vcpus(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_errs(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_memory(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_block(LvCall *call, OpCall *op, GError **error);

/* agent.c */
gboolean lv_before_undefine(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_lifecycle(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_start(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_fds(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_fds(LvCall *call, OpCall *op, GError **error);
void lv_unheard_start(LvCall *call, OpCall *op);
/* Ends the guests that live as long as @client. */
void lv_tied_end(LvClient *client);
gboolean lv_before_define(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_fsinfo(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_guest_vcpus(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_guest_vcpus(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_guest_info(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_guest_info(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_mode(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_agent_command(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_set_time(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_sleep(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_set_keys(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_agent_source(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_addresses(LvCall *call, OpCall *op, GError **error);

/* domain.c */
gboolean lv_before_max_vcpus(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_peek(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_piece(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_dump(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_graphics(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_native(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_save_params(LvCall *call, OpCall *op, GError **error);
gboolean lv_is_managed(const LvCall *call); /* no file among its parameters */
gboolean lv_before_metadata(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_keys(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_autostart(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_active(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_state(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_messages(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_list_all(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_list_all(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_ids(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_stream(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_fd(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_screenshot(LvCall *call, OpCall *op, GError **error);
/* params.c: typed parameters */
/* A verb's list (Param) as @value, at most @most of it. */
void lv_put_params(LvCall *call, WireValue *value, const GPtrArray *params, guint most);
/* The same as the reply's "params" and "nparams", where it has that, as many as the call asks for. */
void lv_reply_params(LvCall *call, const GPtrArray *params);
/* The result's "params" is the reply. */
gboolean lv_after_params(LvCall *call, OpCall *op, GError **error);
/* The call's "params" are arguments of the verb with the same names; one at least. */
gboolean lv_before_params(LvCall *call, OpCall *op, GError **error);
/* The same, where there may be none. */
gboolean lv_take_params(LvCall *call, OpCall *op, GError **error);
/* They are words of the verb's argument "set". */
gboolean lv_before_pairs(LvCall *call, OpCall *op, GError **error);

gboolean lv_after_netstats(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_disk_errors(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_peek(LvCall *call, OpCall *op, GError **error);
gboolean lv_after_piece(LvCall *call, OpCall *op, GError **error);
gboolean lv_before_dump(LvCall *call, OpCall *op, GError **error);
