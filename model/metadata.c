/* See metadata.h. */
#include "model/metadata.h"
#include "base/error.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

#define XML_FLAGS (XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOBLANKS)
#define MAX_XML (1u << 20)

typedef xmlDoc XmlDoc;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(XmlDoc, xmlFreeDoc)

static xmlDoc *parse(const char *xml)
{
	gsize length = strlen(xml);
	xmlDoc *doc = length > MAX_XML ? NULL : xmlReadMemory(xml, (int)length, NULL, NULL, XML_FLAGS);
	if (doc && (!xmlDocGetRootElement(doc) || doc->intSubset)) {
		xmlFreeDoc(doc);
		return NULL;
	}
	return doc;
}

static xmlNode *find(xmlDoc *doc, const char *uri)
{
	xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
	for (xmlNode *node = root ? root->children : NULL; node; node = node->next)
		if (node->type == XML_ELEMENT_NODE && node->ns && node->ns->href &&
		    g_str_equal((const char *)node->ns->href, uri))
			return node;
	return NULL;
}

static char *print(xmlDoc *doc, xmlNode *node)
{
	xmlBuffer *buffer = xmlBufferCreate();
	xmlNodeDump(buffer, doc, node, 0, 0);
	char *text = g_strdup((const char *)xmlBufferContent(buffer));
	xmlBufferFree(buffer);
	return text;
}

/* The element in a document of its own, without the namespace that says whose it is: what was set is
 * what is got. */
static char *print_alone(xmlNode *node)
{
	g_autoptr(XmlDoc) doc = xmlNewDoc((const xmlChar *)"1.0");
	xmlNode *copy = xmlDocCopyNode(node, doc, 1);
	xmlDocSetRootElement(doc, copy);
	xmlNs *own = copy->ns;
	copy->ns = NULL;
	for (xmlNs **at = &copy->nsDef; *at; at = &(*at)->next)
		if (*at == own) {
			*at = own->next;
			own->next = NULL;
			xmlFreeNs(own);
			break;
		}
	return print(doc, copy);
}

char *metadata_get(const char *metadata, const char *uri, GError **error)
{
	g_autoptr(XmlDoc) doc = metadata ? parse(metadata) : NULL;
	xmlNode *node = find(doc, uri);
	if (node)
		return print_alone(node);
	fail(error, LODGE_ERROR_NOT_FOUND, "there is no metadata of \"%s\"", uri);
	return NULL;
}

/* Adds the root of @from to @root in the namespace. */
static void add(xmlNode *root, xmlDoc *from, const char *key, const char *uri)
{
	xmlNode *node = xmlDocCopyNode(xmlDocGetRootElement(from), root->doc, 1);
	xmlNs *ns = xmlNewNs(node, (const xmlChar *)uri, (const xmlChar *)key);
	xmlSetNs(node, ns);
	xmlAddChild(root, node);
}

gboolean metadata_set(char **metadata, const char *key, const char *uri, const char *xml,
		      GError **error)
{
	g_autoptr(XmlDoc) doc = parse(*metadata ? *metadata : "<metadata/>");
	g_autoptr(XmlDoc) from = xml ? parse(xml) : NULL;
	if (xml && !from)
		return fail(error, LODGE_ERROR_INVALID, "the metadata is not one XML element");
	if (!uri || !*uri || (xml && (!key || !*key || xmlValidateNCName((const xmlChar *)key, 0))))
		return fail(error, LODGE_ERROR_INVALID,
			    "metadata needs the URI of its namespace and a prefix for it");
	if (!doc)
		return fail(error, LODGE_ERROR_INVALID, "the guest's <metadata> cannot be read");
	xmlNode *old = find(doc, uri), *root = xmlDocGetRootElement(doc);
	if (old) {
		xmlUnlinkNode(old);
		xmlFreeNode(old);
	}
	if (from)
		add(root, from, key, uri);
	g_free(*metadata);
	*metadata = root->children ? print(doc, root) : NULL;
	return TRUE;
}
