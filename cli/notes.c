/* Verbs that show where nothing is to be changed, as virsh's do, and documents of which only a part is
 * wanted: desc, metadata, vcpucount, dumpxml. domif-setlink shows what it would write.
 * Neighbours: ops/guest_tell.c and guest_change.c have what they call. */
#include "cli/internal.h"

#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <stdio.h>
#include <string.h>

const Shape *cli_more_args(const Shape *args, const Row *rows, guint n)
{
	Shape *more = args ? g_memdup2(args, sizeof *args) : g_new0(Shape, 1);
	guint own = args ? args->n : 0;
	Row *all = g_new(Row, own + n);
	more->size = args ? args->size : sizeof(ShapeHead);
	for (guint i = 0; i < own; i++)
		all[i] = args->rows[i];
	for (guint i = 0; i < n; i++) {
		more->size = (more->size + sizeof(gpointer) - 1) / sizeof(gpointer) * sizeof(gpointer);
		all[own + i] = rows[i];
		all[own + i].offset = more->size;
		more->size += sizeof(OptUint); /* the largest that they are */
	}
	more->rows = all;
	more->n = own + n;
	return more;
}

/* The member of @args of that name; NULL where there is none. */
static gpointer member_of(const Op *op, gpointer args, const char *name)
{
	for (guint i = 0; op->args && i < op->args->n; i++)
		if (g_str_equal(op->args->rows[i].name, name))
			return (char *)args + op->args->rows[i].offset;
	return NULL;
}

static gboolean flag_of(const Op *op, gpointer args, const char *name)
{
	const gboolean *member = member_of(op, args, name);
	return member && *member;
}

static char **text_of(const Op *op, gpointer args, const char *name)
{
	return member_of(op, args, name);
}

/* Calls the daemon's verb @name with the switches or words "NAME=VALUE" up to a NULL. */
static gboolean call_with(Cli *cli, const char *name, const char *target, const char *const *words,
			  Reply *reply, GError **error)
{
	const Op *op = op_find(name);
	gpointer args = shape_new(op->args);
	for (; *words; words++) {
		gsize n = strcspn(*words, "=");
		for (guint i = 0; i < op->args->n; i++)
			if (strlen(op->args->rows[i].name) == n &&
			    strncmp(op->args->rows[i].name, *words, n) == 0)
				shape_arg_from_text(&op->args->rows[i], args,
						    (*words)[n] ? *words + n + 1 : "yes", NULL);
	}
	gboolean ok = cli_call(cli, op, target, args, reply, error);
	shape_free(op->args, args);
	return ok;
}

static const char *result_text(const Reply *reply)
{
	const char *text = json_string_value(json_object_get(reply->json, "text"));
	return text ? text : "";
}

/* Prints what a change says, or what @text is; virsh ends neither with a line end of its own. */
static int say(const char *text)
{
	fputs(text, stdout);
	if (!cli_style.virsh)
		putchar('\n');
	return fflush(stdout) == 0 ? 0 : 1;
}

/* ---- desc ---- */

static const Row desc_rows[] = {
	{ .kind = ROW_FLAG, .name = "edit", .doc = "change it in an editor" },
	{ .kind = ROW_STRINGS, .name = "more", .flags = ROW_POSITIONAL | ROW_REST,
	  .doc = "more of its words" },
};

const Shape *desc_words(const Shape *args)
{
	return cli_more_args(args, desc_rows, G_N_ELEMENTS(desc_rows));
}

/* All words are one text. */
static void join_words(const Op *own, gpointer args, char **text)
{
	GPtrArray **more = member_of(own, args, "more");
	for (guint i = 0; more && i < shape_len(*more); i++) {
		char *joined = g_strconcat(*text, " ", g_ptr_array_index(*more, i), NULL);
		g_free(*text);
		*text = joined;
	}
}

static gboolean is_no_such_guest(const GError *error)
{
	return lodge_error_detail(error) == LODGE_DETAIL_TARGET;
}

/* What is there, changed by an editor, becomes *@text. FALSE without an error: it was not changed. */
static gboolean edit_note(Cli *cli, const char *const *words, const char *target, char **text,
			  GError **error)
{
	g_auto(Reply) reply = { 0 };
	g_autoptr(GError) none = NULL;
	gboolean there = call_with(cli, "notes", target, words, &reply, &none);
	if (!there && (op_error_of(none) != LODGE_ERROR_NOT_FOUND || is_no_such_guest(none))) {
		g_propagate_error(error, g_steal_pointer(&none));
		return FALSE;
	}
	const char *before = *text ? *text : there ? result_text(&reply) : "";
	char *after = cli_edit_text(before, error);
	gboolean changed = after && (*text || !g_str_equal(after, before));
	if (changed) {
		g_free(*text);
		*text = after;
	} else {
		g_free(after);
	}
	return changed;
}

int run_desc(Cli *cli, const Op *own, const char *target, gpointer args)
{
	const Op *op = op_find(own->name);
	gboolean title = flag_of(op, args, "title");
	const char *words[] = { title ? "what=title" : "what=description",
				flag_of(op, args, "config") ? "config" : NULL, NULL };
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	g_autofree char *none = g_strdup_printf("No %s for domain: %s", title ? "title" : "description",
						target);
	char **text = text_of(op, args, "text");
	if (flag_of(own, args, "edit") && !edit_note(cli, words, target, text, &error)) {
		if (error)
			return cli_failed(error);
		return say(title ? "Domain title not changed" : "Domain description not changed");
	}
	if (*text) {
		join_words(own, args, text);
		if (!cli_call(cli, op, target, args, &reply, &error))
			return cli_failed(error);
		return cli_style.quiet ? 0 : say(title ? "Domain title updated successfully" :
							 "Domain description updated successfully");
	}
	if (call_with(cli, "notes", target, words, &reply, &error))
		return say(result_text(&reply));
	if (op_error_of(error) != LODGE_ERROR_NOT_FOUND || is_no_such_guest(error))
		return cli_failed(error);
	return say(none);
}

/* ---- metadata ---- */

static const Row metadata_rows[] = {
	{ .kind = ROW_FLAG, .name = "remove", .doc = "remove it" },
	{ .kind = ROW_FLAG, .name = "edit", .doc = "change it in an editor" },
};

const Shape *metadata_words(const Shape *args)
{
	return cli_more_args(args, metadata_rows, G_N_ELEMENTS(metadata_rows));
}

int run_metadata(Cli *cli, const Op *own, const char *target, gpointer args)
{
	const Op *op = op_find(own->name);
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	gboolean remove = flag_of(own, args, "remove"), edit = flag_of(own, args, "edit");
	gboolean set = *text_of(op, args, "text") != NULL;
	int *what = member_of(op, args, "what");
	const char *uri = *text_of(op, args, "uri");
	g_autofree char *word = g_strconcat("uri=", uri ? uri : "", NULL);
	const char *words[] = { "what=element", word, flag_of(op, args, "config") ? "config" : NULL, NULL };
	if (set + remove + edit > 1) {
		fail(&error, LODGE_ERROR_INVALID, "--set, --edit and --remove: one of them");
	} else if (edit && !*text_of(op, args, "key")) {
		fail(&error, LODGE_ERROR_INVALID, "namespace key is required when modifying metadata");
	} else if (edit && !edit_note(cli, words, target, text_of(op, args, "text"), &error)) {
		if (!error)
			return cli_style.quiet ? 0 : say("Metadata not changed");
	} else if (!set && !edit && !remove && !*what) {
		if (call_with(cli, "notes", target, words, &reply, &error)) {
			puts(result_text(&reply));
			return 0;
		}
	} else if (cli_call(cli, op, target, args, &reply, &error)) {
		if (!cli_style.quiet)
			puts(remove ? "Metadata removed" : "Metadata modified");
		return 0;
	}
	return cli_failed(error);
}

/* ---- vcpucount ---- */

static const Row count_words_rows[] = {
	{ .kind = ROW_FLAG, .name = "active", .doc = "those that it has now" },
	{ .kind = ROW_FLAG, .name = "current", .doc = "of what runs, else of what the next start will use" },
	{ .kind = ROW_FLAG, .name = "guest", .doc = "those that the system in it uses: its agent is asked" },
};

const Shape *vcpucount_words(const Shape *args)
{
	return cli_more_args(args, count_words_rows, G_N_ELEMENTS(count_words_rows));
}

/* Words of which only one can be. */
static gboolean one_of(const Op *op, gpointer args, const char *a, const char *b, GError **error)
{
	return !flag_of(op, args, a) || !flag_of(op, args, b) ||
	       fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_OPTIONS,
			 "Options --%s and --%s are mutually exclusive", a, b);
}

static gboolean may_count(const Op *own, gpointer args, GError **error)
{
	static const char *const pairs[][2] = { { "live", "config" }, { "active", "maximum" },
						   { "guest", "config" } };
	for (guint i = 0; i < G_N_ELEMENTS(pairs); i++)
		if (!one_of(own, args, pairs[i][0], pairs[i][1], error))
			return FALSE;
	return TRUE;
}

/* By way of the guest's agent. */
static int run_inside(Cli *cli, const Op *own, const char *target, gpointer args)
{
	const Op *op = op_find("guestvcpus-count");
	gpointer passed = cli_pass_args(own, args, op);
	int code = cli_call_and_show(cli, op, target, passed);
	shape_free(op->args, passed);
	return code;
}

/* ---- setvcpus ---- */

static const Row setvcpus_rows[] = {
	{ .kind = ROW_FLAG, .name = "guest", .doc = "those that the system in it uses: by its agent" },
};

const Shape *setvcpus_words(const Shape *args)
{
	return cli_more_args(args, setvcpus_rows, G_N_ELEMENTS(setvcpus_rows));
}

int run_setvcpus(Cli *cli, const Op *own, const char *target, gpointer args)
{
	g_autoptr(GError) error = NULL;
	gpointer passed;
	if (!flag_of(own, args, "guest"))
		return cli_call_and_show(cli, op_find(own->name), target, args);
	if (!one_of(own, args, "guest", "config", &error) || !one_of(own, args, "guest", "maximum", &error))
		return cli_failed(error);
	const Op *op = op_find("guestvcpus-count");
	g_auto(Reply) reply = { 0 };
	passed = cli_pass_args(own, args, op);
	gboolean ok = cli_call(cli, op, target, passed, &reply, &error);
	shape_free(op->args, passed);
	return ok ? 0 : cli_failed(error);
}

/* All four numbers where none is asked for. */
int run_vcpucount(Cli *cli, const Op *own, const char *target, gpointer args)
{
	static const char *const asked[][2] = {
		{ "config", "maximum" }, { "live", "maximum" }, { "config", NULL }, { "live", NULL },
	};
	g_autoptr(GError) error = NULL;
	gboolean some = cli->json;
	for (guint i = 0; i < own->args->n; i++)
		some = some || flag_of(own, args, own->args->rows[i].name);
	if (!may_count(own, args, &error))
		return cli_failed(error);
	if (flag_of(own, args, "guest"))
		return run_inside(cli, own, target, args);
	if (some)
		return cli_call_and_show(cli, op_find(own->name), target, args);
	for (guint i = 0; i < G_N_ELEMENTS(asked); i++) {
		const char *words[] = { asked[i][0], asked[i][1], NULL };
		g_auto(Reply) reply = { 0 };
		g_clear_error(&error);
		if (call_with(cli, "vcpucount", target, words, &reply, &error))
			printf("%-12s %-12s %3" JSON_INTEGER_FORMAT "\n",
			       i < 2 ? "maximum" : "current", asked[i][0],
			       json_integer_value(json_object_get(reply.json, "count")));
		else if (op_error_of(error) != LODGE_ERROR_STATE)
			return cli_failed(error);
	}
	return 0;
}

/* ---- dumpxml ---- */

static const Row xml_rows[] = {
	{ .kind = ROW_STRING, .name = "xpath", .doc = "only what this XPath expression finds" },
	{ .kind = ROW_FLAG, .name = "wrap", .doc = "put what it finds into one element" },
};

const Shape *xml_words(const Shape *args)
{
	return cli_more_args(args, xml_rows, G_N_ELEMENTS(xml_rows));
}

static void print_nodes(xmlDocPtr document, const xmlNodeSet *nodes, gboolean wrap)
{
	if (wrap)
		puts("<nodes>");
	for (int i = 0; nodes && i < nodes->nodeNr; i++) {
		xmlBufferPtr buffer = xmlBufferCreate();
		xmlNodeDump(buffer, document, nodes->nodeTab[i], 0, 1);
		printf("%s%s\n", wrap ? "  " : "", (const char *)xmlBufferContent(buffer));
		xmlBufferFree(buffer);
	}
	if (wrap)
		puts("</nodes>");
}

static gboolean print_found(const char *xml, const char *path, gboolean wrap, GError **error)
{
	xmlDocPtr document = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL,
					   XML_PARSE_NONET | XML_PARSE_NOERROR);
	xmlXPathContextPtr context = document ? xmlXPathNewContext(document) : NULL;
	xmlXPathObjectPtr found = context ? xmlXPathEval(BAD_CAST path, context) : NULL;
	gboolean ok = found && found->type == XPATH_NODESET;
	if (ok)
		print_nodes(document, found->nodesetval, wrap);
	else
		fail(error, LODGE_ERROR_INVALID, "\"%s\" is no XPath expression that finds elements", path);
	xmlXPathFreeObject(found);
	xmlXPathFreeContext(context);
	xmlFreeDoc(document);
	return ok;
}

int run_dumpxml(Cli *cli, const Op *own, const char *target, gpointer args)
{
	const Op *op = op_find(own->name);
	const char *path = *text_of(own, args, "xpath");
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	if (!path)
		return cli_call_and_show(cli, op, target, args);
	if (!cli_call(cli, op, target, args, &reply, &error) ||
	    !print_found(result_text(&reply), path, flag_of(own, args, "wrap"), &error))
		return cli_failed(error);
	return 0;
}

/* ---- domif-setlink ---- */

static const Row setlink_rows[] = {
	{ .kind = ROW_FLAG, .name = "print_xml", .doc = "only show what the interface would be" },
};

const Shape *setlink_words(const Shape *args)
{
	return cli_more_args(args, setlink_rows, G_N_ELEMENTS(setlink_rows));
}

static xmlNodePtr child_of(xmlNodePtr node, const char *name)
{
	xmlNodePtr child = node->children;
	while (child && (child->type != XML_ELEMENT_NODE || strcmp((const char *)child->name, name) != 0))
		child = child->next;
	return child;
}

static gboolean has_value(xmlNodePtr node, const char *child, const char *attribute, const char *value)
{
	xmlNodePtr element = child_of(node, child);
	xmlChar *own = element ? xmlGetProp(element, BAD_CAST attribute) : NULL;
	gboolean same = own && g_ascii_strcasecmp((const char *)own, value) == 0;
	xmlFree(own);
	return same;
}

static void print_link(xmlDocPtr document, xmlNodePtr nic, const char *state)
{
	xmlNodePtr link = child_of(nic, "link");
	xmlBufferPtr buffer = xmlBufferCreate();
	if (!link)
		link = xmlNewChild(nic, NULL, BAD_CAST "link", NULL);
	xmlSetProp(link, BAD_CAST "state", BAD_CAST state);
	xmlNodeDump(buffer, document, nic, 0, 0);
	say((const char *)xmlBufferContent(buffer));
	xmlBufferFree(buffer);
}

/* The interface of that MAC address or device, as it would be. */
static gboolean print_nic(const char *xml, const char *name, const char *state, GError **error)
{
	xmlDocPtr document = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL,
					   XML_PARSE_NONET | XML_PARSE_NOERROR);
	xmlNodePtr root = document ? xmlDocGetRootElement(document) : NULL;
	xmlNodePtr devices = root ? child_of(root, "devices") : NULL;
	xmlNodePtr nic = devices ? devices->children : NULL;
	while (nic && (nic->type != XML_ELEMENT_NODE || strcmp((const char *)nic->name, "interface") != 0 ||
		       (!has_value(nic, "mac", "address", name) && !has_value(nic, "target", "dev", name))))
		nic = nic->next;
	if (nic)
		print_link(document, nic, state);
	else
		fail(error, LODGE_ERROR_INVALID, "interface '%s' not found", name);
	xmlFreeDoc(document);
	return nic != NULL;
}

int run_setlink(Cli *cli, const Op *own, const char *target, gpointer args)
{
	const Op *op = op_find(own->name);
	g_autoptr(GError) error = NULL;
	g_auto(Reply) reply = { 0 };
	const char *const words[] = { flag_of(op, args, "config") ? "inactive" : NULL, NULL };
	if (!flag_of(own, args, "print_xml"))
		return cli_call_and_show(cli, op, target, args);
	const Row *state = NULL;
	for (guint i = 0; i < op->args->n; i++)
		state = g_str_equal(op->args->rows[i].name, "state") ? &op->args->rows[i] : state;
	g_autofree char *said = row_to_text(state, args);
	if (!call_with(cli, "dumpxml", target, words, &reply, &error) ||
	    !print_nic(result_text(&reply), *text_of(op, args, "interface"), said, &error))
		return cli_failed(error);
	return 0;
}
