/* YAML bodies as trees (the core schema), and trees as YAML. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "clusters/object/decode.h"
#include "clusters/object/status.h"

/* ---- scalars ---- */

static bool is_one_of(const char *text, const char *const *list)
{
    for (; *list; list++) {
        if (strcmp(text, *list) == 0)
            return true;
    }
    return false;
}

static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
static const char *const trues[] = {"true", "True", "TRUE", NULL};
static const char *const falses[] = {"false", "False", "FALSE", NULL};
/* Booleans of YAML 1.1: texts here, but quoted when written, for who still reads them so. */
static const char *const old_words[] = {"y",  "Y",  "yes", "Yes", "YES", "n",   "N",   "no", "No",
                                        "NO", "on", "On",  "ON",  "off", "Off", "OFF", NULL};

static json_t *number_of(const char *text)
{
    const char *digits = text + (*text == '-' || *text == '+');
    int base = strncmp(digits, "0x", 2) == 0 || strncmp(digits, "0X", 2) == 0     ? 16
               : strncmp(digits, "0o", 2) == 0                                    ? 8
               : digits[0] == '0' && strspn(digits, "01234567") == strlen(digits) ? 8
                                                                                  : 10;
    char *end;
    long long whole;
    double real;

    if (!*digits || !strchr("0123456789.", *digits) || strcmp(digits, ".") == 0)
        return NULL;
    errno = 0;
    whole = strtoll(base == 8 && digits[1] == 'o' ? digits + 2 : digits, &end, base);
    if (!*end && !errno && end != digits)
        return json_integer(*text == '-' ? -whole : whole);
    if (base == 16 || digits[strspn(digits, "0123456789.eE+-")] != '\0')
        return NULL;
    real = strtod(text, &end);
    return *end || !isfinite(real) ? NULL : json_real(real);
}

static json_t *scalar_of(const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    json_t *number;

    if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
        strcmp((const char *)node->tag, YAML_STR_TAG) == 0) {
        if (is_one_of(text, nulls))
            return json_null();
        if (is_one_of(text, trues))
            return json_true();
        if (is_one_of(text, falses))
            return json_false();
        number = number_of(text);
        if (number)
            return number;
    }
    return json_stringn(text, node->data.scalar.length);
}

/* ---- reading ---- */

struct yaml {
    yaml_document_t document;
    struct reader *r;
    size_t nodes;
    const char *fault;
};

static json_t *node_of(struct yaml *y, int index, size_t depth);

static json_t *wrong(struct yaml *y, const char *fault, json_t *drop)
{
    if (!y->fault)
        y->fault = fault;
    json_decref(drop);
    return NULL;
}

/* `line 10: key "foo" already set in map`: strict reading fails by it, else the last one counts. */
static void doubled(struct reader *r, const yaml_node_t *key)
{
    const char *text = arena_printf(&r->op->arena, "line %zu: key \"%s\" already set in map",
                                    key->start_mark.line + 1, (const char *)key->data.scalar.value);

    if (r->validation == FIELDS_IGNORE || r->n_problems++ >= PROBLEMS_MAX)
        return;
    if (r->validation == FIELDS_STRICT)
        text_printf(&r->problems, "%s\n  %s",
                    r->problems.len ? "" : "yaml: unmarshal errors:", text);
    else if (r->n_warnings + 1 < ARRAY_LEN(r->ret->warnings))
        r->ret->warnings[r->n_warnings++] = text;
}

static json_t *mapping_of(struct yaml *y, const yaml_node_t *node, size_t depth)
{
    json_t *object = json_object(), *value;

    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(&y->document, pair->key);

        if (!key || key->type != YAML_SCALAR_NODE ||
            memchr(key->data.scalar.value, '\0', key->data.scalar.length))
            return wrong(y, "a key is not a scalar", object);
        if (json_object_getn(object, (const char *)key->data.scalar.value, key->data.scalar.length))
            doubled(y->r, key);
        value = node_of(y, pair->value, depth + 1);
        if (!value)
            return wrong(y, "a value cannot be read", object);
        json_object_setn_new(object, (const char *)key->data.scalar.value, key->data.scalar.length,
                             value);
    }
    return object;
}

static json_t *sequence_of(struct yaml *y, const yaml_node_t *node, size_t depth)
{
    json_t *list = json_array(), *value;

    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        value = node_of(y, *item, depth + 1);
        if (!value)
            return wrong(y, "a value cannot be read", list);
        json_array_append_new(list, value);
    }
    return list;
}

/* An alias is the same node once more: counted each time. */
static json_t *node_of(struct yaml *y, int index, size_t depth)
{
    const yaml_node_t *node = yaml_document_get_node(&y->document, index);
    json_t *value = NULL;

    if (!node || depth > OBJECT_DEPTH_MAX || ++y->nodes > OBJECT_VALUES_MAX)
        return wrong(y, "it is nested too deep or has too many values", NULL);
    if (node->type == YAML_SCALAR_NODE)
        value = scalar_of(node);
    else if (node->type == YAML_SEQUENCE_NODE)
        return sequence_of(y, node, depth);
    else if (node->type == YAML_MAPPING_NODE)
        return mapping_of(y, node, depth);
    return value ? value : wrong(y, "a text is not UTF-8", NULL);
}

static void release(void *value)
{
    json_decref(value);
}

enum fault yaml_to_tree(struct reader *r, struct bytes body, json_t **ret)
{
    yaml_parser_t parser;
    struct op *op = r->op;
    struct yaml y = {.r = r};
    json_t *tree = NULL;

    if (!yaml_parser_initialize(&parser))
        return fail(op, INTERNAL, "out of memory");
    yaml_parser_set_input_string(&parser, body.data ? body.data : (const void *)"", body.len);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    if (!yaml_parser_load(&parser, &y.document)) {
        bad_request(op, "error converting YAML to JSON: yaml: line %zu: %s",
                    parser.problem_mark.line + 1, parser.problem ? parser.problem : "is wrong");
        yaml_parser_delete(&parser);
        return INVALID;
    }
    if (yaml_document_get_root_node(&y.document))
        tree = node_of(&y, 1, 0);
    else
        y.fault = "it is empty";
    yaml_document_delete(&y.document);
    yaml_parser_delete(&parser);
    if (!tree)
        return bad_request(op, "error converting YAML to JSON: yaml: %s", y.fault);
    arena_defer(&op->arena, release, tree);
    *ret = tree;
    return OK;
}

/* ---- writing ---- */

static bool reads_back(const char *text)
{
    json_t *number;

    if (is_one_of(text, nulls) || is_one_of(text, trues) || is_one_of(text, falses) ||
        is_one_of(text, old_words))
        return false;
    number = number_of(text);
    json_decref(number);
    return !number;
}

/* U+0080–9F, 2028, 2029, FEFF, FFFE, FFFF: line ends or nothing to YAML. The code, or 0. */
static unsigned special_at(const unsigned char *s)
{
    if (s[0] == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f)
        return s[1];
    if (s[0] == 0xe2 && s[1] == 0x80 && (s[2] == 0xa8 || s[2] == 0xa9))
        return 0x2000U | (s[2] & 0x3f);
    if (s[0] == 0xef && s[1] == 0xbb && s[2] == 0xbf)
        return 0xfeff;
    if (s[0] == 0xef && s[1] == 0xbf && s[2] >= 0xbe)
        return 0xffc0U | (s[2] & 0x3f);
    return 0;
}

/* Plain when nothing in it has a meaning of its own. */
static bool is_plain(const char *text, size_t len)
{
    if (len == 0 || strlen(text) != len || strchr("!&*-?{}[],#|>@`\"'%:= \t", text[0]) ||
        text[len - 1] == ' ' || text[len - 1] == ':' || !reads_back(text))
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 || c == 0x7f || (c == ':' && text[i + 1] == ' ') ||
            (c == ' ' && text[i + 1] == '#') || special_at((const unsigned char *)text + i))
            return false;
    }
    /* what might be a time or a number with colons */
    return text[0] < '0' || text[0] > '9' || !strpbrk(text, ":-_");
}

static void write_string(struct op *op, struct text *out, const json_t *string)
{
    const char *text = json_string_value(string);
    size_t len = json_string_length(string);
    const unsigned char *quoted;

    if (is_plain(text, len)) {
        text_add(out, text, len);
        return;
    }
    /* a JSON string is a double-quoted one of YAML, but for a few characters */
    for (quoted = object_encode(op, string).data; *quoted; quoted++) {
        unsigned code = special_at(quoted);

        if (code) {
            text_printf(out, "\\u%04x", code);
            quoted += code > 0xff ? 2 : 1;
        } else {
            text_add(out, quoted, 1);
        }
    }
}

static void indent(struct text *out, size_t depth)
{
    for (size_t i = 0; i < depth; i++)
        text_str(out, "  ");
}

static void write_node(struct op *op, struct text *out, const json_t *value, size_t depth,
                       bool in_list);

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Members sorted, as upstream's are. */
static void write_mapping(struct op *op, struct text *out, const json_t *object, size_t depth,
                          bool in_list)
{
    size_t n = 0, size = json_object_size(object);
    const char **keys = arena_alloc(&op->arena, (size + 1) * sizeof(*keys)), *key;
    json_t *value, *name;

    json_object_foreach((json_t *)object, key, value)
    {
        keys[n++] = key;
    }
    qsort(keys, n, sizeof(*keys), by_text);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 || !in_list)
            indent(out, depth);
        name = json_string(keys[i]);
        write_string(op, out, name);
        json_decref(name);
        text_str(out, ":");
        write_node(op, out, json_object_get(object, keys[i]), depth, false);
    }
}

/* After "key:" or "-": what follows, with its line end. */
static void write_node(struct op *op, struct text *out, const json_t *value, size_t depth,
                       bool in_list)
{
    struct bytes scalar;
    json_t *item;
    size_t i;

    if (json_is_object(value) && json_object_size(value)) {
        text_str(out, in_list ? " " : "\n");
        write_mapping(op, out, value, depth + 1, in_list);
        return;
    }
    if (json_is_array(value) && json_array_size(value)) {
        text_str(out, "\n");
        json_array_foreach((json_t *)value, i, item)
        {
            indent(out, depth + in_list);
            text_str(out, "-");
            write_node(op, out, item, depth + in_list, true);
        }
        return;
    }
    text_str(out, " ");
    if (json_is_string(value)) {
        write_string(op, out, value);
    } else {
        scalar = object_encode(op, value);
        text_add(out, scalar.data, scalar.len);
    }
    text_str(out, "\n");
}

struct bytes object_encode_yaml(struct op *op, const json_t *tree)
{
    struct text out;

    text_init(&out, &op->arena, (size_t)1 << 30);
    if (json_is_object(tree) && json_object_size(tree))
        write_mapping(op, &out, tree, 0, false);
    else
        write_node(op, &out, tree, 0, false);
    return text_bytes(&out);
}
