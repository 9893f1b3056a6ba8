/* See tree.h. */
#include "shape/tree.h"

#include <string.h>

static GMutex lock;
static GHashTable *trees; /* Shape * -> TreeNode *; under lock */

static TreeNode *node_new(const char *name, gsize len, TreeNode *parent)
{
	TreeNode *node = g_new0(TreeNode, 1);
	g_autofree char *own = g_strndup(name, len);
	node->name = g_intern_string(own);
	node->parent = parent;
	node->kids = g_ptr_array_new();
	node->attrs = g_array_new(FALSE, FALSE, sizeof(TreeRow));
	node->content = g_array_new(FALSE, FALSE, sizeof(TreeRow));
	node->presence = g_array_new(FALSE, FALSE, sizeof(TreeRow));
	node->sub = g_array_new(FALSE, FALSE, sizeof(TreeRow));
	if (parent) {
		node->index = parent->kids->len;
		g_ptr_array_add(parent->kids, node);
	}
	return node;
}

static TreeNode *kid_make(TreeNode *node, const char *name, gsize len)
{
	for (guint i = 0; i < node->kids->len; i++) {
		TreeNode *kid = g_ptr_array_index(node->kids, i);
		if (strlen(kid->name) == len && !memcmp(kid->name, name, len))
			return kid;
	}
	return node_new(name, len, node);
}

static GArray *place_of(TreeNode *node, const Row *row)
{
	switch (row->kind) {
	case ROW_FLAG:
		return node->presence;
	case ROW_STRUCT:
	case ROW_LIST:
	case ROW_STRINGS:
	case ROW_XML:
		return node->sub;
	default:
		return node->content;
	}
}

static void add_rows(TreeNode *top, const Shape *shape, size_t base);

/* Walks row->xml ("driver/@cache") from @top, making elements, and puts the row at its end. */
static void add_row(TreeNode *top, const Shape *shape, const Row *row, size_t base)
{
	TreeRow entry = { .row = row, .owner = shape, .base = base };
	TreeNode *node = top;
	const char *path = row->xml;
	while (*path && *path != '@' && !g_str_equal(path, ".")) {
		gsize len = strcspn(path, "/");
		node = kid_make(node, path, len);
		path += len + (path[len] == '/');
	}
	if (row->kind == ROW_INLINE) {
		add_rows(node, row->of, base + row->offset);
		return;
	}
	if (row->kind == ROW_SIZE)
		node->has_unit = TRUE;
	if (*path == '@') {
		entry.name = path + 1;
		g_array_append_val(node->attrs, entry);
	} else {
		g_array_append_val(place_of(node, row), entry);
	}
}

static void add_rows(TreeNode *top, const Shape *shape, size_t base)
{
	for (guint i = 0; i < shape->n; i++)
		if (shape->rows[i].xml)
			add_row(top, shape, &shape->rows[i], base);
}

static void collect(GPtrArray *all, const GArray *rows)
{
	for (guint i = 0; i < rows->len; i++)
		g_ptr_array_add(all, &g_array_index(rows, TreeRow, i));
}

static guint count_rows(const TreeNode *node)
{
	guint n = node->attrs->len + node->content->len + node->presence->len + node->sub->len;
	for (guint i = 0; i < node->kids->len; i++)
		n += count_rows(g_ptr_array_index(node->kids, i));
	return n;
}

/* Lists the rows of @node and below in one array (made long enough before), of which each has a run. */
static void list_rows(TreeNode *node, GPtrArray *all)
{
	guint first = all->len;
	node->rows = (const TreeRow *const *)all->pdata + first;
	collect(all, node->attrs);
	collect(all, node->content);
	collect(all, node->presence);
	collect(all, node->sub);
	for (guint i = 0; i < node->kids->len; i++)
		list_rows(g_ptr_array_index(node->kids, i), all);
	node->n_rows = all->len - first;
}

const TreeNode *shape_tree(const Shape *shape)
{
	g_mutex_lock(&lock);
	if (!trees)
		trees = g_hash_table_new(NULL, NULL);
	TreeNode *tree = g_hash_table_lookup(trees, shape);
	if (!tree) {
		tree = node_new(shape->name, strlen(shape->name), NULL);
		add_rows(tree, shape, 0);
		list_rows(tree, g_ptr_array_sized_new(count_rows(tree)));
		g_hash_table_insert(trees, (gpointer)shape, tree);
	}
	g_mutex_unlock(&lock);
	return tree;
}

const TreeNode *tree_kid(const TreeNode *node, const char *name)
{
	for (guint i = 0; i < node->kids->len; i++) {
		const TreeNode *kid = g_ptr_array_index(node->kids, i);
		if (kid->name[0] == name[0] && !strcmp(kid->name, name))
			return kid;
	}
	return NULL;
}

const TreeRow *tree_row(const GArray *rows, const char *name, gconstpointer object)
{
	for (guint i = 0; i < rows->len; i++) {
		const TreeRow *entry = &g_array_index(rows, TreeRow, i);
		if (name && (name[0] != entry->name[0] || strcmp(name, entry->name)))
			continue;
		if (row_applies(entry->owner, entry->row, (const char *)object + entry->base))
			return entry;
	}
	return NULL;
}

void extra_add(ShapeHead *head, const TreeNode *parent, int after, char *name, char *text)
{
	ShapeExtra *extra = g_new(ShapeExtra, 1);
	*extra = (ShapeExtra){ .parent = parent, .after = after, .name = name, .text = text };
	if (head->last_extra)
		head->last_extra->next = extra;
	else
		head->extra = extra;
	head->last_extra = extra;
}

char *place_rows(const Place *place, const char *leaf)
{
	GString *text = g_string_new(leaf);
	for (const Place *p = place; p; p = p->up) {
		if (!*p->label)
			continue;
		if (text->len)
			g_string_prepend_c(text, '/');
		g_string_prepend(text, p->label);
	}
	return g_string_free(text, FALSE);
}

char *place_text(const Place *place)
{
	GString *text = g_string_new(NULL);
	for (const Place *p = place; p; p = p->up) {
		g_autofree char *index = p->index ? g_strdup_printf("[%u]", p->index) : NULL;
		if (!*p->label && !index)
			continue;
		if (text->len && text->str[0] != '[')
			g_string_prepend_c(text, '/');
		g_string_prepend(text, index ? index : "");
		g_string_prepend(text, p->label);
	}
	return g_string_free(text, FALSE);
}

static void count(const Shape *shape, GHashTable *seen, guint *total)
{
	if (!g_hash_table_add(seen, (gpointer)shape))
		return;
	for (guint i = 0; i < shape->n; i++) {
		const Row *row = &shape->rows[i];
		(*total)++;
		if (row->kind == ROW_STRUCT || row->kind == ROW_INLINE || row->kind == ROW_LIST)
			count(row->of, seen, total);
	}
}

guint shape_count_rows(const Shape *shape)
{
	guint total = 0;
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	count(shape, seen, &total);
	return total;
}
