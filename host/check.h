/* Whether this host can do what guests need, row by row, with what to do about each thing missing.
 * Neighbours: judges what facts.h found; ops/ returns it. */
#pragma once

#include "host/facts.h"

typedef enum HostStatus { HOST_OK = 1, HOST_WARNING, HOST_MISSING } HostStatus;
extern const EnumTable host_statuses;

typedef struct HostCheck {
	ShapeHead head;
	char *name;   /* "KVM" */
	int status;   /* HostStatus; MISSING: guests cannot run, or not as asked for */
	char *found;  /* what is there */
	char *remedy; /* what to do; NULL where nothing is to be done */
} HostCheck;

typedef struct HostChecks {
	ShapeHead head;
	GPtrArray *checks; /* of HostCheck */
} HostChecks;

extern const Shape host_check_shape;
extern const Shape host_checks_shape;

/* Fills @checks (zeroed before, of host_checks_shape, which frees it) from @facts. Any thread. */
void host_check(const HostFacts *facts, HostChecks *checks);
