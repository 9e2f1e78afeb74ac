/*
 * How faults look to clients of the registry: {"errors":[{"code","message","detail"}]} (OCI dist
 * v1.1, "Error Codes"), with the codes ACR adds.
 */
#include "registry/oci_dialect.h"

#include "core/json.h"

static const struct dialect_row rows[] = {
    {INVALID,                      "method", 405, "UNSUPPORTED"},
    {INVALID,                         "name", 400, "NAME_INVALID"},
    {INVALID,                            "tag", 400, "MANIFEST_INVALID"},
    {INVALID,"digest", 400, "DIGEST_INVALID"},
    {INVALID,              "size", 400, "SIZE_INVALID"},
    {INVALID,                      "manifest", 400, "MANIFEST_INVALID"},
    {INVALID,                         "upload", 400, "BLOB_UPLOAD_INVALID"},
    {INVALID,                            "page", 400, "PAGINATION_NUMBER_INVALID"},
    {INVALID,                       NULL, 400, "UNSUPPORTED"},
    {UNAUTHENTICATED,            NULL, 401, "UNAUTHORIZED"},
    {FORBIDDEN,                      "lock", 405, "REGISTRY_DISALLOWED_OPERATION"},
    {FORBIDDEN,                         NULL, 403, "DENIED"},
    {NOT_FOUND,                            "name", 404, "NAME_UNKNOWN"},
    {NOT_FOUND,"manifest", 404, "MANIFEST_UNKNOWN"},
    {NOT_FOUND,          "referenced blobs", 404, "MANIFEST_BLOB_UNKNOWN"},
    {NOT_FOUND,                      "tag", 404, "TAG_UNKNOWN"},
    {NOT_FOUND,                         "blob", 404, "BLOB_UNKNOWN"},
    {NOT_FOUND,                            "upload", 404, "BLOB_UPLOAD_UNKNOWN"},
    {NOT_FOUND,NULL, 404, "NOT_FOUND"},
    {CONFLICT, NULL, 409, "CONFLICT"},
    {PRECONDITION,                      NULL, 412, "DENIED"},
    {RANGE,                         "upload", 416, "BLOB_UPLOAD_INVALID"},
    {RANGE,                            NULL, 416, "RANGE_INVALID"},
    {GONE,             NULL, 410, "NOT_FOUND"},
    {TOO_LARGE,              "manifest", 413, "MANIFEST_INVALID"},
    {TOO_LARGE,                    NULL, 413, "SIZE_INVALID"},
    {TOO_MANY,                         NULL, 429, "TOOMANYREQUESTS"},
    {UNSUPPORTED,                            NULL, 405, "UNSUPPORTED"},
    {UNAVAILABLE,NULL, 503, "UNAVAILABLE"},
    {INTERNAL,                    NULL, 500, "UNKNOWN"},
    {0                   },
};

#define AUTHORIZATION_MESSAGE                                                                      \
    "authentication required, visit https://aka.ms/acr/authorization for more information."

static void render(struct call *c, const struct dialect_row *row)
{
    const struct op *op = &c->op;
    const char *message = op->message ? op->message : fault_name(op->fault);
    struct text out;

    text_init(&out, &c->op.arena, (size_t)1 << 20);
    text_printf(&out, "{\"errors\":[{\"code\":\"%s\",\"message\":", row->code);
    json_quote(&out, op->fault == UNAUTHENTICATED ? AUTHORIZATION_MESSAGE : message);
    text_str(&out, ",\"detail\":");
    if (op->detail)
        text_str(&out, op->detail);
    else if (op->fault == UNAUTHENTICATED)
        json_quote(&out, message);
    else
        text_str(&out, "null");
    text_str(&out, "}]}");
    reply_bytes(c, row->status, "application/json; charset=utf-8", text_bytes(&out));
}

const struct dialect oci_dialect = {"oci", rows, render};
