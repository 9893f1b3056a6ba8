/* XML by rows: reading along the tree of elements that a shape describes, keeping what no row knows
 * in its place, and printing in libvirt's manner. See shape.h and tree.h.
 *
 * Reading is bounded: 4 MiB (libvirt's own limit for a string on the wire, REMOTE_STRING_MAX), no
 * DTD, no entities, no network, libxml2's limits of depth (256). */
#include "base/error.h"
#include "shape/tree.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

#define XML_LIMIT (4 * 1024 * 1024)
#define KEEP_LENGTH (64 * 1024) /* bytes of a document after which a parser is kept */
#define KEEP_NAMES 2000		/* in its dictionary; a definition has about 100 */

/* Namespaces whose elements have rows, under the prefix that the rows use; declared on the root as
 * libvirt does (its schemas: domaincommon.rng, network.rng). */
static const struct {
	const char *prefix, *uri;
} namespaces[] = {
	{ "qemu", "http://libvirt.org/schemas/domain/qemu/1.0" },
	{ "dnsmasq", "http://libvirt.org/schemas/network/dnsmasq/1.0" },
	{ "fs", "http://libvirt.org/schemas/storagepool/fs/1.0" },
	{ "rbd", "http://libvirt.org/schemas/storagepool/rbd/1.0" },
};

/* ---- reading ---- */

typedef struct Reader {
	const Place *at; /* the element being read */
	const char *what;
	Notes *notes;
	GError **error;
} Reader;

static gboolean read_struct(Reader *reader, const Shape *shape, xmlNode *x, gpointer object);

static const char *text_of(const void *xml_string)
{
	return xml_string ? (const char *)xml_string : "";
}

/* Puts "what: path, line N: " before the message of @error. */
static gboolean misplaced(Reader *reader, const xmlNode *x, const char *attribute)
{
	g_autofree char *path = place_text(reader->at);
	g_autofree char *leaf = attribute ? g_strconcat("@", attribute, NULL) : NULL;
	g_autofree char *rows = place_rows(reader->at, leaf);
	error_detail(reader->error, LODGE_DETAIL_NONE, rows);
	g_prefix_error(reader->error, "%s%s%s%s%s%s%sline %ld: ", text_of(reader->what),
		       reader->what ? ": " : "", path, attribute && *path ? "/" : "",
		       attribute ? "@" : "", text_of(attribute), attribute || *path ? ", " : "",
		       xmlGetLineNo(x));
	return FALSE;
}

/* "qemu:commandline": prefix and name, as rows have them. @buffer holds it where it must be made. */
static const char *qualified(const xmlNode *x, char **buffer)
{
	if (!x->ns)
		return (const char *)x->name;
	const char *prefix = (const char *)x->ns->prefix;
	for (guint i = 0; i < G_N_ELEMENTS(namespaces); i++)
		if (!g_strcmp0((const char *)x->ns->href, namespaces[i].uri))
			prefix = namespaces[i].prefix;
	if (!prefix)
		return (const char *)x->name;
	return *buffer = g_strdup_printf("%s:%s", prefix, x->name);
}

/* The element as text, with every namespace that it needs declared on it. */
static char *element_text(xmlNode *x)
{
	xmlDoc *doc = xmlNewDoc((const xmlChar *)"1.0");
	xmlNode *copy = xmlDocCopyNode(x, doc, 1);
	xmlDocSetRootElement(doc, copy);
	xmlBuffer *buffer = xmlBufferCreate();
	xmlNodeDump(buffer, doc, copy, 0, 0);
	char *text = g_strdup((const char *)xmlBufferContent(buffer));
	xmlBufferFree(buffer);
	xmlFreeDoc(doc);
	return text;
}

static gboolean is_text(const xmlNode *x)
{
	return x->type == XML_TEXT_NODE || x->type == XML_CDATA_SECTION_NODE;
}

/* The text directly inside @x, or NULL where there is only white space (and @verbatim is off). */
static char *own_text(const xmlNode *x, gboolean verbatim)
{
	GString *own = NULL;
	for (const xmlNode *c = x->children; c; c = c->next) {
		const char *part = is_text(c) ? text_of(c->content) : "";
		if (!is_text(c) || (!verbatim && !own && !part[strspn(part, " \t\r\n")]))
			continue;
		if (c == x->children && !c->next)
			return verbatim ? g_strdup(part) : g_strstrip(g_strdup(part));
		if (!own)
			own = g_string_new(NULL);
		g_string_append(own, part);
	}
	if (!own)
		return NULL;
	return verbatim ? g_string_free(own, FALSE) : g_strstrip(g_string_free(own, FALSE));
}

static gboolean set_value(Reader *reader, const TreeRow *entry, char *object, xmlNode *x,
			  const char *text)
{
	char *at = object + entry->base;
	if (entry->row->kind != ROW_SIZE)
		return row_from_text(entry->row, at, text, reader->error);
	if (text[strspn(text, "0123456789")]) /* as libvirt: no 0x, and the unit is beside it */
		return fail_with(reader->error, LODGE_ERROR_INVALID, LODGE_DETAIL_SIZE,
				 "\"%.80s\" is not a size", text);
	xmlChar *unit = xmlGetNoNsProp(x, (const xmlChar *)"unit");
	guint64 bytes = 0;
	gboolean ok = size_from_text(text, (const char *)unit, entry->row->words, &bytes,
				     reader->error) &&
		      row_set_size(entry->row, at, bytes, reader->error);
	xmlFree(unit);
	return ok;
}

static xmlAttr *find_attr(xmlNode *x, const char *name)
{
	for (xmlAttr *a = x->properties; a; a = a->next)
		if (a->name[0] == (xmlChar)name[0] && !a->ns && !strcmp((const char *)a->name, name))
			return a;
	return NULL;
}

/* The value of @attr, which is nearly always one piece; *made is what must be freed with xmlFree. */
static const char *attr_text(const xmlAttr *attr, xmlChar **made)
{
	const xmlNode *first = attr->children;
	*made = NULL;
	if (!first)
		return "";
	if (!first->next && first->type == XML_TEXT_NODE)
		return text_of(first->content);
	return text_of(*made = xmlNodeListGetString(attr->doc, attr->children, 1));
}

static gboolean read_attr(Reader *reader, const TreeRow *entry, xmlNode *x, const xmlAttr *attr,
			  char *object)
{
	xmlChar *made;
	const char *text = attr_text(attr, &made);
	/* an empty attribute says nothing, as libvirt's virXMLPropString callers have it */
	gboolean ok = (!*text && !(entry->row->flags & ROW_EMPTY_OK) &&
		       entry->row->kind == ROW_STRING) ||
		      set_value(reader, entry, object, x, text);
	xmlFree(made);
	return ok || misplaced(reader, x, entry->name);
}

/* In the order of the rows, so that a discriminator is known before the rows that depend on it. */
static gboolean read_attrs(Reader *reader, const TreeNode *node, xmlNode *x, char *object)
{
	for (guint i = 0; i < node->attrs->len; i++) {
		const TreeRow *entry = &g_array_index(node->attrs, TreeRow, i);
		const xmlAttr *attr = find_attr(x, entry->name);
		if (!attr && !(entry->row->flags & ROW_IMPLIED))
			continue;
		if (!row_applies(entry->owner, entry->row, object + entry->base))
			continue;
		if (!attr)
			*(Tri *)(object + entry->base + entry->row->offset) = TRI_YES;
		else if (!read_attr(reader, entry, x, attr, object))
			return FALSE;
	}
	return TRUE;
}

static void keep_attrs(const TreeNode *node, xmlNode *x, char *object)
{
	for (xmlAttr *a = x->properties; a; a = a->next) {
		const char *name = (const char *)a->name;
		if (!a->ns && (tree_row(node->attrs, name, object) ||
			       (node->has_unit && g_str_equal(name, "unit"))))
			continue;
		xmlChar *made;
		const char *text = attr_text(a, &made);
		extra_add((ShapeHead *)object, node, -1,
			  a->ns && a->ns->prefix ? g_strdup_printf("%s:%s", a->ns->prefix, name)
						 : g_strdup(name),
			  g_strdup(text));
		xmlFree(made);
	}
}

static gboolean read_text(Reader *reader, const TreeNode *node, xmlNode *x, char *object)
{
	const TreeRow *entry = tree_row(node->content, NULL, object);
	gboolean verbatim = entry && (entry->row->flags & ROW_VERBATIM);
	g_autofree char *text = own_text(x, verbatim);
	if (!text)
		return TRUE;
	if (entry)
		return set_value(reader, entry, object, x, text) || misplaced(reader, x, NULL);
	g_autofree char *shown = g_utf8_substring(text, 0, MIN(40, g_utf8_strlen(text, -1)));
	notes_add(reader->notes, "stray text \"%s\" in <%s>, line %ld, is ignored", shown, x->name,
		  xmlGetLineNo(x));
	return TRUE;
}

/* An element that is an object, a list item, a word or a subtree of its own. */
static gboolean read_sub(Reader *reader, Place *here, const TreeRow *entry, xmlNode *x,
			 char *object)
{
	const Row *row = entry->row;
	char *at = object + entry->base + row->offset;
	if (row->kind == ROW_XML) {
		*(char **)at = element_text(x);
		return TRUE;
	}
	if (row->kind == ROW_STRINGS) {
		g_autofree char *text = own_text(x, row->flags & ROW_VERBATIM);
		return !text || row_from_text(row, object + entry->base, text, reader->error);
	}
	gpointer item = shape_new(row->of);
	if (row->kind == ROW_LIST) {
		shape_append((GPtrArray **)at, row->of, item);
		here->index = shape_len(*(GPtrArray **)at);
	} else {
		*(gpointer *)at = item;
	}
	return read_struct(reader, row->of, x, item);
}

/* An element that says nothing is not printed, and so not the first of two. */
static gboolean says_nothing(const TreeNode *kid, const xmlNode *x, const char *object)
{
	for (const xmlNode *c = x->children; c; c = c->next)
		if (c->type == XML_ELEMENT_NODE || !xmlIsBlankNode((xmlNode *)c))
			return FALSE;
	for (const xmlAttr *a = x->properties; a; a = a->next) {
		const TreeRow *entry =
			a->ns ? NULL : tree_row(kid->attrs, (const char *)a->name, object);
		if (!entry || entry->row->kind != ROW_STRING || (entry->row->flags & ROW_EMPTY_OK) ||
		    (a->children && *text_of(a->children->content)))
			return FALSE;
	}
	return TRUE;
}

/* Whether @x is a second one of what may stand once: it is then kept like an unknown element. */
static gboolean is_surplus(const TreeNode *kid, const TreeRow *sub, const xmlNode *x, guint8 *seen,
			   char *object)
{
	if (sub && (sub->row->kind == ROW_LIST || sub->row->kind == ROW_STRINGS))
		return FALSE;
	if (sub)
		return row_is_set(sub->row, object + sub->base);
	if (!kid->attrs->len && !kid->content->len && !kid->presence->len)
		return FALSE; /* it only holds others: what a second one holds is added to them */
	if (seen[kid->index])
		return TRUE;
	seen[kid->index] = kid->presence->len || !says_nothing(kid, x, object);
	return FALSE;
}

static gboolean read_node(Reader *reader, const TreeNode *node, xmlNode *x, char *object);

static gboolean read_kid(Reader *reader, const TreeNode *kid, const TreeRow *sub, xmlNode *x,
			 char *object)
{
	const Place *up = reader->at;
	Place here = { .up = up, .label = kid->name };
	reader->at = &here;
	gboolean ok = sub ? read_sub(reader, &here, sub, x, object)
			  : read_node(reader, kid, x, object);
	reader->at = up;
	return ok;
}

static gboolean read_kids(Reader *reader, const TreeNode *node, xmlNode *x, char *object)
{
	guint8 *seen = g_newa(guint8, node->kids->len + 1);
	memset(seen, 0, node->kids->len + 1);
	int last = -1;
	for (xmlNode *c = x->children; c; c = c->next) {
		if (c->type != XML_ELEMENT_NODE)
			continue;
		g_autofree char *buffer = NULL;
		const TreeNode *kid = tree_kid(node, qualified(c, &buffer));
		const TreeRow *sub = kid ? tree_row(kid->sub, NULL, object) : NULL;
		gboolean applies = kid && (sub || !kid->sub->len || kid->attrs->len);
		if (!applies || is_surplus(kid, sub, c, seen, object)) {
			/* a second one is printed behind the first, or it would be read as the first */
			int after = applies ? MAX(last, (int)kid->index) : last;
			extra_add((ShapeHead *)object, node, after, NULL, element_text(c));
			continue;
		}
		last = (int)kid->index;
		if (!read_kid(reader, kid, sub, c, object))
			return FALSE;
	}
	return TRUE;
}

/* Reads @x into the members of @object whose paths lead to @node. */
static gboolean read_node(Reader *reader, const TreeNode *node, xmlNode *x, char *object)
{
	for (guint i = 0; i < node->presence->len; i++) {
		const TreeRow *entry = &g_array_index(node->presence, TreeRow, i);
		*(gboolean *)(object + entry->base + entry->row->offset) = TRUE;
	}
	if (!read_attrs(reader, node, x, object) || !read_text(reader, node, x, object))
		return FALSE;
	keep_attrs(node, x, object);
	return read_kids(reader, node, x, object);
}

static gboolean read_struct(Reader *reader, const Shape *shape, xmlNode *x, gpointer object)
{
	((ShapeHead *)object)->line = (int)xmlGetLineNo(x);
	return read_node(reader, shape_tree(shape), x, object);
}

/* ---- the document ---- */

static void note_first(void *data, xmlErrorPtr e)
{
	GError **error = data;
	if (*error || e->level < XML_ERR_ERROR)
		return;
	g_autofree char *text = g_strstrip(g_strdup(text_of(e->message)));
	fail_with(error, LODGE_ERROR_INVALID, LODGE_DETAIL_SYNTAX, "line %d: not well-formed XML: %s",
		  e->line, text);
}

static void free_parser(gpointer parser)
{
	xmlFreeParserCtxt(parser);
}

static GPrivate own_parser = G_PRIVATE_INIT(free_parser);

/* Making a parser and its dictionary of names costs a fifth of reading a definition: each thread keeps
 * one, unless what it read may have made it large. */
static xmlParserCtxt *take_parser(void)
{
	xmlParserCtxt *parser = g_private_get(&own_parser);
	g_private_set(&own_parser, NULL);
	return parser ? parser : xmlNewParserCtxt();
}

static void keep_parser(xmlParserCtxt *parser, gsize length)
{
	if (length > KEEP_LENGTH || xmlDictSize(parser->dict) > KEEP_NAMES) {
		xmlFreeParserCtxt(parser);
		return;
	}
	xmlCtxtReset(parser);
	g_private_replace(&own_parser, parser);
}

static xmlDoc *parse(const char *xml, gsize length, const char *what, GError **error)
{
	g_autoptr(GError) first = NULL;
	const char *named = what ? what : "", *colon = what ? ": " : "";
	if (length > XML_LIMIT) {
		fail(error, LODGE_ERROR_INVALID, "%s%sthe XML is larger than 4 MiB", named, colon);
		return NULL;
	}
	xmlParserCtxt *parser = take_parser();
	xmlSetStructuredErrorFunc(&first, note_first);
	xmlDoc *doc = xmlCtxtReadMemory(parser, xml, (int)length, NULL, NULL,
					XML_PARSE_NONET | XML_PARSE_NOWARNING | XML_PARSE_COMPACT |
						XML_PARSE_BIG_LINES);
	xmlSetStructuredErrorFunc(NULL, NULL);
	keep_parser(parser, length);
	if (doc && !first && !doc->intSubset && !doc->extSubset && xmlDocGetRootElement(doc))
		return doc;
	if (doc && !first)
		fail(&first, LODGE_ERROR_INVALID, "a DTD (<!DOCTYPE>) is not allowed: remove it");
	if (!first)
		fail_with(&first, LODGE_ERROR_INVALID, LODGE_DETAIL_SYNTAX, "not well-formed XML");
	error_detail(&first, LODGE_DETAIL_NONE, "");
	g_prefix_error(&first, "%s%s", named, colon);
	g_propagate_error(error, g_steal_pointer(&first));
	xmlFreeDoc(doc);
	return NULL;
}

gpointer shape_from_xml(const Shape *shape, const char *root, const char *xml, gssize length,
			const char *what, Notes *notes, GError **error)
{
	xmlDoc *doc = parse(xml, length < 0 ? strlen(xml) : (gsize)length, what, error);
	if (!doc)
		return NULL;
	g_autoptr(GError) local = NULL;
	Reader reader = { .what = what, .notes = notes, .error = &local };
	xmlNode *x = xmlDocGetRootElement(doc);
	gpointer object = shape_new(shape);
	gboolean ok = TRUE;
	if (root && !g_str_equal((const char *)x->name, root)) {
		fail_with(&local, LODGE_ERROR_INVALID, LODGE_DETAIL_ROOT,
			  "the root element is <%s>, not <%s>", x->name, root);
		ok = misplaced(&reader, x, NULL);
	}
	ok = ok && read_struct(&reader, shape, x, object);
	xmlFreeDoc(doc);
	if (ok)
		return object;
	g_propagate_error(error, g_steal_pointer(&local));
	shape_free(shape, object);
	return NULL;
}

/* ---- printing ---- */

typedef struct Writer {
	GString *out;
	guint flags;
	guint depth;
} Writer;

static void put(Writer *writer, const char *text)
{
	g_string_append_len(writer->out, text, (gssize)strlen(text));
}

/* What stands for @c; NULL: it is left out, for other control characters cannot be in XML. */
static const char *escaped(char c)
{
	switch (c) {
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '&':
		return "&amp;";
	case '\'':
		return "&apos;";
	case '"':
		return "&quot;";
	case '\r':
		return "&#13;";
	case '\n':
		return "&#10;";
	case '\t':
		return "&#9;";
	default:
		return NULL;
	}
}

/* An attribute's white space, and every CR, would be read as something else. Runs of plain bytes, nearly
 * always all of them, go in one piece. */
static void escape(GString *out, const char *text, gboolean attribute)
{
	for (;;) {
		const char *run = text;
		while ((guchar)*text >= ' ' ? !strchr("<>&'\"", *text)
					    : !attribute && (*text == '\n' || *text == '\t'))
			text++;
		g_string_append_len(out, run, text - run);
		if (!*text)
			return;
		const char *instead = escaped(*text++);
		if (instead)
			g_string_append(out, instead);
	}
}

static void indent(Writer *writer)
{
	static const char spaces[] = "                                ";
	for (gsize n = 2 * (gsize)writer->depth, part; n > 0; n -= part) {
		part = MIN(n, sizeof spaces - 1);
		g_string_append_len(writer->out, spaces, (gssize)part);
	}
}

static gboolean is_shown(const Writer *writer, const TreeRow *entry, const char *object)
{
	const Row *row = entry->row;
	if ((row->flags & ROW_LIVE) && !(writer->flags & SHAPE_XML_LIVE))
		return FALSE;
	if ((row->flags & ROW_SECRET) && !(writer->flags & SHAPE_XML_SECRETS))
		return FALSE;
	return row_applies(entry->owner, row, object + entry->base) &&
	       row_is_set(row, object + entry->base);
}

static void put_attr(Writer *writer, const char *name, const char *value)
{
	g_string_append_c(writer->out, ' ');
	put(writer, name);
	put(writer, "='");
	escape(writer->out, value, TRUE);
	g_string_append_c(writer->out, '\'');
}

/* Sizes are kept in bytes and printed in the unit of their row, if that loses nothing. */
static const char *size_text(const Row *row, const char *object, const char **unit, char *buffer)
{
	guint64 bytes = ((const OptUint *)(object + row->offset))->v;
	guint64 scale = 1;
	*unit = row->words ? row->words : "bytes";
	if (!size_from_text("1", *unit, NULL, &scale, NULL) || bytes % scale) {
		scale = 1;
		*unit = "bytes";
	}
	return uint_text(bytes / scale, 10, 1, buffer);
}

/* The value (see row_text()) and, for a size, its unit (else NULL). */
static const char *value_text(const TreeRow *entry, const char *object, const char **unit, char *buffer)
{
	*unit = NULL;
	return entry->row->kind == ROW_SIZE
		       ? size_text(entry->row, object + entry->base, unit, buffer)
		       : row_text(entry->row, object + entry->base, buffer);
}

static void write_attrs(Writer *writer, const TreeNode *node, const char *object)
{
	for (guint i = 0; i < node->attrs->len; i++) {
		const TreeRow *entry = &g_array_index(node->attrs, TreeRow, i);
		if (!is_shown(writer, entry, object))
			continue;
		const char *unit;
		char buffer[ROW_TEXT_SIZE];
		put_attr(writer, entry->name, value_text(entry, object, &unit, buffer));
		if (unit)
			put_attr(writer, "unit", unit);
	}
	for (const ShapeExtra *e = ((const ShapeHead *)object)->extra; e; e = e->next) {
		if (e->parent != node || !e->name)
			continue;
		put_attr(writer, e->name, e->text);
	}
}

/* Kept elements that stood behind the known kid @after. */
static gboolean write_extras(Writer *writer, const TreeNode *node, const char *object, int after)
{
	gboolean any = FALSE;
	for (const ShapeExtra *e = ((const ShapeHead *)object)->extra; e; e = e->next) {
		if (e->parent != node || e->name || e->after != after)
			continue;
		indent(writer);
		g_string_append(writer->out, e->text);
		g_string_append_c(writer->out, '\n');
		any = TRUE;
	}
	return any;
}

static gboolean write_element(Writer *writer, const TreeNode *node, const char *name,
			      const char *object, gboolean always);

static void write_struct(Writer *writer, const Shape *shape, const char *name, const char *object)
{
	write_element(writer, shape_tree(shape), name, object, TRUE);
}

static void open_tag(Writer *writer, const char *name)
{
	g_string_append_c(writer->out, '<');
	put(writer, name);
}

static void close_tag(Writer *writer, const char *name)
{
	put(writer, "</");
	put(writer, name);
	put(writer, ">\n");
}

static void write_words(Writer *writer, const char *name, const GPtrArray *words)
{
	for (guint i = 0; i < words->len; i++) {
		indent(writer);
		open_tag(writer, name);
		g_string_append_c(writer->out, '>');
		escape(writer->out, g_ptr_array_index(words, i), FALSE);
		close_tag(writer, name);
	}
}

static gboolean write_sub(Writer *writer, const TreeRow *entry, const char *name,
			  const char *object)
{
	if (!is_shown(writer, entry, object))
		return FALSE;
	const Row *row = entry->row;
	const char *at = object + entry->base + row->offset;
	if (row->kind == ROW_XML) {
		indent(writer);
		put(writer, *(char *const *)at);
		g_string_append_c(writer->out, '\n');
	} else if (row->kind == ROW_STRINGS) {
		write_words(writer, name, *(GPtrArray *const *)at);
	} else if (row->kind == ROW_LIST) {
		const GPtrArray *list = *(GPtrArray *const *)at;
		for (guint i = 0; i < list->len; i++)
			write_struct(writer, row->of, name, g_ptr_array_index(list, i));
	} else {
		write_struct(writer, row->of, name, *(const char *const *)at);
	}
	return TRUE;
}

static gboolean write_kids(Writer *writer, const TreeNode *node, const char *object)
{
	gboolean extras = ((const ShapeHead *)object)->extra != NULL;
	gboolean any = extras && write_extras(writer, node, object, -1);
	for (guint i = 0; i < node->kids->len; i++) {
		const TreeNode *kid = g_ptr_array_index(node->kids, i);
		const TreeRow *sub = tree_row(kid->sub, NULL, object);
		any |= sub ? write_sub(writer, sub, kid->name, object)
			   : write_element(writer, kid, kid->name, object, FALSE);
		any |= extras && write_extras(writer, node, object, (int)i);
	}
	return any;
}

/* Whether @node, or anything below it, stands in the document. */
static gboolean says_something(const Writer *writer, const TreeNode *node, const char *object)
{
	for (guint i = 0; i < node->n_rows; i++)
		if (is_shown(writer, node->rows[i], object))
			return TRUE;
	for (const ShapeExtra *e = ((const ShapeHead *)object)->extra; e; e = e->next)
		for (const TreeNode *at = e->parent; at; at = at->parent)
			if (at == node)
				return TRUE;
	return FALSE;
}

/* One element with its attributes, text and children; nothing where there is nothing to say and @always
 * is off. */
static gboolean write_element(Writer *writer, const TreeNode *node, const char *name,
			      const char *object, gboolean always)
{
	if (!always && !says_something(writer, node, object))
		return FALSE;
	indent(writer);
	open_tag(writer, name);
	const TreeRow *entry = tree_row(node->content, NULL, object);
	char buffer[ROW_TEXT_SIZE];
	const char *unit = NULL, *text = NULL;
	if (entry && is_shown(writer, entry, object))
		text = value_text(entry, object, &unit, buffer);
	write_attrs(writer, node, object);
	if (unit)
		put_attr(writer, "unit", unit);
	gsize inside = writer->out->len;
	g_string_append_c(writer->out, '>');
	if (text)
		escape(writer->out, text, FALSE);
	gsize kids_at = writer->out->len;
	g_string_append_c(writer->out, '\n');
	writer->depth++;
	gboolean kids = write_kids(writer, node, object);
	writer->depth--;
	if (kids)
		indent(writer);
	else
		g_string_truncate(writer->out, kids_at);
	if (kids || text) {
		close_tag(writer, name);
	} else {
		g_string_truncate(writer->out, inside);
		put(writer, "/>\n");
	}
	return TRUE;
}

static void declare_namespaces(GString *out)
{
	for (guint i = 0; i < G_N_ELEMENTS(namespaces); i++) {
		g_autofree char *use = g_strdup_printf("<%s:", namespaces[i].prefix);
		if (!strstr(out->str, use))
			continue;
		g_autofree char *text = g_strdup_printf(" xmlns:%s='%s'", namespaces[i].prefix,
							namespaces[i].uri);
		gsize end = strcspn(out->str, ">");
		g_string_insert(out, (gssize)end - (end && out->str[end - 1] == '/'), text);
	}
}

char *shape_to_xml(const Shape *shape, const char *root, gconstpointer object, guint flags)
{
	Writer writer = { .out = g_string_sized_new(4096), .flags = flags };
	write_struct(&writer, shape, root, object);
	declare_namespaces(writer.out);
	return g_string_free(writer.out, FALSE);
}
