/* See params.h. */
#include "ops/params.h"

static const EnumTable types = ENUM_TABLE("type", "int", "uint", "llong", "ullong", "double", "boolean",
					  "string");

static const Row param_rows[] = {
	STRING(Param, name, NULL, .doc = "Name"),
	ENUM(Param, type, NULL, types),
	INT(Param, number, NULL, .doc = "Value"),
	STRING(Param, text, NULL, .flags = ROW_EMPTY_OK | ROW_VERBATIM),
};
const Shape param_shape = SHAPE("parameter", Param, param_rows);

static const Row params_rows[] = {
	STRING(Params, text, NULL, .flags = ROW_VERBATIM),
	LIST(Params, params, NULL, param_shape),
};
const Shape params_shape = SHAPE("parameters", Params, params_rows);

static Param *append(GPtrArray **list, ParamType type, char *name)
{
	Param *param = shape_new(&param_shape);
	param->name = name;
	param->type = type;
	shape_append(list, &param_shape, param);
	return param;
}

void param_add(GPtrArray **list, ParamType type, const char *name, gint64 value)
{
	append(list, type, g_strdup(name))->number = OPT_INT(value);
}

void param_addf(GPtrArray **list, ParamType type, gint64 value, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	append(list, type, g_strdup_vprintf(format, args))->number = OPT_INT(value);
	va_end(args);
}

void param_add_text(GPtrArray **list, const char *name, const char *text)
{
	append(list, PARAM_STRING, g_strdup(name))->text = g_strdup(text ? text : "");
}

void param_add_double(GPtrArray **list, const char *name, double value)
{
	append(list, PARAM_DOUBLE, g_strdup(name))->text = g_strdup_printf("%f", value);
}

char *param_value(const Param *param)
{
	if (param->text)
		return g_strdup(param->text);
	if (param->type == PARAM_BOOLEAN)
		return g_strdup(param->number.v ? "yes" : "no");
	return g_strdup_printf("%" G_GINT64_FORMAT, param->number.v);
}

void params_print(GString *out, const GPtrArray *list, const char *indent)
{
	SHAPE_EACH (Param, param, list) {
		g_autofree char *value = param_value(param);
		g_string_append_printf(out, "%s%s=%s\n", indent, param->name, value);
	}
}

char *params_table(const GPtrArray *list)
{
	GString *out = g_string_new(NULL);
	SHAPE_EACH (Param, param, list) {
		g_autofree char *value = param_value(param);
		g_string_append_printf(out, "%-15s: %s\n", param->name, value);
	}
	return g_string_free(out, FALSE);
}
