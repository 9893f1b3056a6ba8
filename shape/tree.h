/* A shape's rows as the tree of XML elements that they describe: made once per shape on first use,
 * so that reading costs as much as the document is long, not as many rows as there are.
 * Private to this room. Neighbours: xml.c reads and prints along the tree. */
#pragma once

#include "shape/shape.h"

typedef struct TreeNode TreeNode;

/* A row where it ends up: rows of an embedded struct count from @base in the outer one. */
typedef struct TreeRow {
	const char *name; /* attribute's name; NULL for text, presence and sub-elements */
	const Row *row;
	const Shape *owner; /* whose discriminator .when refers to */
	size_t base;
} TreeRow;

struct TreeNode {
	const char *name;
	const TreeNode *parent;
	guint index;	   /* among the parent's kids */
	GArray *attrs;	   /* of TreeRow, in row order */
	GArray *content;   /* of TreeRow: scalars that are this element's text */
	GArray *presence;  /* of TreeRow: FLAG */
	GArray *sub;	   /* of TreeRow: STRUCT, LIST, STRINGS, XML that this element holds */
	GPtrArray *kids;   /* of TreeNode * */
	gboolean has_unit; /* a SIZE is here: @unit belongs to it */
	const TreeRow *const *rows; /* all of the above, here and below: what this element may say */
	guint n_rows;
};

/* What no row knows, in the order of the document. */
struct ShapeExtra {
	ShapeExtra *next;
	const TreeNode *parent; /* the element that it stood in */
	int after;		/* index of the known kid it stood behind; -1: before all */
	char *name;		/* attribute's name; NULL: an element */
	char *text;		/* attribute's value or the element as XML */
};

/* Where a reader is, as a chain of frames on the stack: costs nothing until a message needs it. */
typedef struct Place {
	const struct Place *up;
	const char *label; /* "" for rows embedded without a path */
	guint index;	   /* 1.. of a list's item; 0: none */
} Place;

/* "devices/disk[2]"; the caller frees it. Never NULL. */
char *place_text(const Place *place);
/* As lodge_error_where() has it, with @leaf ("@name", or NULL) at its end; the caller frees it. Never
 * NULL. */
char *place_rows(const Place *place, const char *leaf);

/* The tree of @shape; lives as long as the program. Any thread. */
const TreeNode *shape_tree(const Shape *shape);
/* The kid named @name or NULL. */
const TreeNode *tree_kid(const TreeNode *node, const char *name);
/* The first row of @rows that counts for the object at @object, or NULL; @name NULL: any name. */
const TreeRow *tree_row(const GArray *rows, const char *name, gconstpointer object);

/* Adds at the end of head->extra; takes @name and @text. */
void extra_add(ShapeHead *head, const TreeNode *parent, int after, char *name, char *text);
