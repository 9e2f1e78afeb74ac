/*
 * A pod's volumes: folders, and files out of config maps, secrets, the downward API and tokens.
 * What they hold is computed anew on every look; the sandbox changes only what differs.
 */
#include <stdlib.h>
#include <string.h>

#include "clusters/node/pod_agent.h"
#include "clusters/object/quantity.h"
#include "clusters/rest/identity.h"
#include "core/message.h"
#include "core/seal.h"

#define FILES_MAX         1024 /* of one volume; the helper takes no more */
#define VOLUMES_MAX       256
#define FILE_OVERHEAD     128 /* in a message, beside its path and content */
#define MESSAGE_REST      ((size_t)1 << 20)
#define DEFAULT_MODE      0644
#define TOKEN_DEFAULT_S   3600
#define TOKEN_RENEW_SHARE 80 /* percent of its life */

/* What all files of a pod may still hold: they go to the helper in one message, as base64. */
struct budget {
    size_t left;
    bool over; /* something did not fit */
};

struct files {
    struct pod_pass *p;
    struct budget *budget;
    const char *volume;
    struct volume_file *list;
    size_t n, room;
    unsigned mode; /* the volume's default */
    bool waits;    /* something is not there */
};

static bool wait_for(struct files *f, const char *fmt, const char *what)
{
    const char *why = arena_printf(&f->p->op->arena, "%s%s", fmt, what);

    f->waits = true;
    if (!f->p->memory->said_mount)
        pod_event(f->p, "Warning", "FailedMount", "MountVolume.SetUp failed for volume \"%s\" : %s",
                  f->volume, why);
    f->p->memory->said_mount = true;
    return false;
}

/* ---- how much there may be ---- */

static bool too_much(struct files *f, const char *what)
{
    f->budget->over = true;
    return wait_for(f, what, "");
}

/* Are n files, or sources of files, few enough? */
static bool few(struct files *f, size_t n)
{
    return n <= FILES_MAX || too_much(f, "it has more than 1024 files or sources");
}

/* Taken off before the bytes are made or copied. */
static bool fits(struct files *f, size_t bytes)
{
    if (f->budget->over)
        return false;
    if (bytes > f->budget->left)
        return too_much(f, "the files of the pod's volumes are longer than 15 MiB as base64");
    f->budget->left -= bytes;
    return true;
}

static struct volume_file *make_room(struct files *f)
{
    struct volume_file *list;

    if (f->n == f->room) {
        f->room = f->room ? f->room * 2 : 16;
        list = arena_alloc(&f->p->op->arena, f->room * sizeof(*list));
        if (f->n)
            memcpy(list, f->list, f->n * sizeof(*list));
        f->list = list;
    }
    return &f->list[f->n++];
}

/* NULL: it does not fit. The content's bytes are taken off already. */
static struct volume_file *add(struct files *f, const char *path, struct bytes content,
                               int64_t mode)
{
    struct volume_file *file;

    if (!fits(f, strlen(path) + FILE_OVERHEAD) || !few(f, f->n + 1))
        return NULL;
    file = make_room(f);
    *file = (struct volume_file){
        .path = path, .content = content, .mode = mode >= 0 ? (unsigned)mode : f->mode};
    return file;
}

static size_t base64_length(size_t bytes)
{
    return (bytes + 2) / 3 * 4;
}

static struct volume_file *add_text(struct files *f, const char *path, const char *text,
                                    int64_t mode)
{
    return fits(f, base64_length(strlen(text))) ? add(f, path, BYTES(text), mode) : NULL;
}

/* ---- config maps and secrets ---- */

struct keyed {
    const json_t *data, *binary; /* text; base64 */
};

/* false: there is no such key, or (said) it does not fit. */
static bool content_of(struct files *f, const struct keyed *k, const char *key, struct bytes *ret)
{
    const json_t *text = json_object_get(k->data, key), *binary = json_object_get(k->binary, key);

    if (json_is_string(text)) {
        if (!fits(f, base64_length(json_string_length(text))))
            return false;
        *ret = (struct bytes){json_string_value(text), json_string_length(text)};
        return true;
    }
    return json_is_string(binary) && fits(f, json_string_length(binary)) &&
           base64_decode(&f->p->op->arena, json_string_value(binary), false, ret);
}

static void add_item(struct files *f, const struct keyed *k, const json_t *item, const char *what,
                     bool optional)
{
    const char *key = text_at_or(item, "key", "");
    struct bytes content;

    if (content_of(f, k, key, &content))
        add(f, text_at_or(item, "path", ""), content, int_at(item, "mode", -1));
    else if (!optional && !f->budget->over)
        wait_for(f, arena_printf(&f->p->op->arena, "references non-existent %s key: ", what), key);
}

static void add_all(struct files *f, const struct keyed *k)
{
    const json_t *maps[] = {k->data, k->binary};
    struct bytes content;
    const char *key;
    json_t *value;

    if (!few(f, json_object_size(k->data) + json_object_size(k->binary)))
        return;
    for (size_t i = 0; i < ARRAY_LEN(maps); i++)
        json_object_foreach((json_t *)(uintptr_t)maps[i], key, value)
        {
            if (content_of(f, k, key, &content))
                add(f, key, content, -1);
        }
}

static void add_keyed(struct files *f, const json_t *source, const char *name, bool secret)
{
    struct object *object = store_read(f->p->op, f->p->cluster->store,
                                       resource_find("", "v1", secret ? "secrets" : "configmaps"),
                                       f->p->object->ns, name);
    const char *what = secret ? "secret" : "configmap";
    bool optional = bool_at(source, "optional", false);
    struct keyed k = {0};
    json_t *item;
    size_t i;

    if (!object) {
        if (!optional)
            wait_for(f, what, arena_printf(&f->p->op->arena, " \"%s\" not found", name));
        return;
    }
    k.data = secret ? NULL : json_object_get(object_tree(object), "data");
    k.binary = json_object_get(object_tree(object), secret ? "data" : "binaryData");
    if (!few(f, json_array_size(json_object_get(source, "items"))))
        return;
    if (!json_array_size(json_object_get(source, "items")))
        add_all(f, &k);
    json_array_foreach(json_object_get(source, "items"), i, item)
    {
        add_item(f, &k, item, what, optional);
    }
}

/* ---- downward API ---- */

static void add_fields(struct files *f, const json_t *source)
{
    json_t *item;
    size_t i;

    if (!few(f, json_array_size(json_object_get(source, "items"))))
        return;
    json_array_foreach(json_object_get(source, "items"), i, item)
    {
        const json_t *resource = json_object_get(item, "resourceFieldRef");
        const char *text = resource ? pod_resource_field(f->p, resource, "")
                                    : pod_field(f->p, text_at_or(item, "fieldRef.fieldPath", ""));

        add_text(f, text_at_or(item, "path", ""), text ? text : "", int_at(item, "mode", -1));
        if (f->budget->over)
            return;
    }
}

/* ---- tokens ---- */

/* Kept in memory->files: {"<volume>/<path>": {"token", "until", "renew"}}. */
static json_t *kept_token(struct files *f, const char *key)
{
    if (!f->p->memory->files)
        f->p->memory->files = json_object();
    return json_object_get(f->p->memory->files, key);
}

/* Tokens belong to whom the pod runs as, like kubelet's; others may read them with an fsGroup. */
static void own_token(const struct files *f, struct volume_file *file)
{
    int64_t user = int_at(f->p->spec, "securityContext.runAsUser", 0);

    file->owner = user;
    if (int_at(f->p->spec, "securityContext.fsGroup", 0))
        file->mode = 0640;
    else if (!user)
        file->mode = 0644; /* containers may run as anybody */
}

static void add_token(struct files *f, const json_t *source)
{
    struct op *op = f->p->op;
    const char *path = text_at_or(source, "path", "token"), *audience = text_at(source, "audience");
    const char *key = arena_printf(&op->arena, "%s/%s", f->volume, path), *token;
    const char *const audiences[] = {audience, NULL};
    const struct token_request request = {
        .ns = f->p->object->ns,
        .service_account = text_at_or(f->p->spec, "serviceAccountName", "default"),
        .audiences = audience && *audience ? audiences : NULL,
        .lifetime_s = int_at(source, "expirationSeconds", TOKEN_DEFAULT_S),
        .bound_kind = "Pod",
        .bound_name = f->p->object->name,
        .bound_uid = f->p->object->uid,
    };
    json_t *kept = kept_token(f, key);
    struct volume_file *file;
    int64_t until, now = wall_s();

    if (!kept || int_at(kept, "renew", 0) <= now) {
        if (identity_issue(op, f->p->cluster, &request, &token, &until) != OK) {
            wait_for(f, "failed to fetch token: ", op->message ? op->message : "");
            op_clear_fault(op);
            return;
        }
        kept = json_pack("{s:s, s:I}", "token", token, "renew",
                         (json_int_t)(now + (until - now) * TOKEN_RENEW_SHARE / 100));
        json_object_set_new(f->p->memory->files, key, kept);
    }
    if (int_at(kept, "renew", 0) - now < 3600)
        pod_again(f->p, (int_at(kept, "renew", 0) - now + 1) * 1000);
    file = add_text(f, path, arena_strdup(&op->arena, text_at_or(kept, "token", "")), 0600);
    if (file)
        own_token(f, file);
}

static void add_projected(struct files *f, const json_t *volume)
{
    json_t *source, *part;
    size_t i;

    if (!few(f, json_array_size(json_object_get(volume, "sources"))))
        return;
    json_array_foreach(json_object_get(volume, "sources"), i, source)
    {
        if (f->budget->over)
            return;
        if ((part = json_object_get(source, "configMap")))
            add_keyed(f, part, text_at_or(part, "name", ""), false);
        else if ((part = json_object_get(source, "secret")))
            add_keyed(f, part, text_at_or(part, "name", ""), true);
        else if ((part = json_object_get(source, "downwardAPI")))
            add_fields(f, part);
        else if ((part = json_object_get(source, "serviceAccountToken")))
            add_token(f, part);
        else
            wait_for(f, "this source of a projected volume is not supported", "");
    }
}

/* ---- one volume ---- */

static bool fill_files(struct files *f, const json_t *volume)
{
    const json_t *part;

    if ((part = json_object_get(volume, "configMap"))) {
        f->mode = (unsigned)int_at(part, "defaultMode", DEFAULT_MODE);
        add_keyed(f, part, text_at_or(part, "name", ""), false);
    } else if ((part = json_object_get(volume, "secret"))) {
        f->mode = (unsigned)int_at(part, "defaultMode", DEFAULT_MODE);
        add_keyed(f, part, text_at_or(part, "secretName", ""), true);
    } else if ((part = json_object_get(volume, "downwardAPI"))) {
        f->mode = (unsigned)int_at(part, "defaultMode", DEFAULT_MODE);
        add_fields(f, part);
    } else if ((part = json_object_get(volume, "projected"))) {
        f->mode = (unsigned)int_at(part, "defaultMode", DEFAULT_MODE);
        add_projected(f, part);
    } else {
        return false;
    }
    return true;
}

static void read_empty(const json_t *part, struct volume_spec *ret)
{
    bool memory = strcmp(text_at_or(part, "medium", ""), "Memory") == 0;

    ret->kind = memory ? VOLUME_MEMORY : VOLUME_EMPTY;
    if (memory)
        ret->size_bytes = quantity_value_of(text_at(part, "sizeLimit"));
}

/* false: it has to wait. */
static bool read_volume(struct pod_pass *p, const json_t *volume, struct budget *budget,
                        struct volume_spec *ret)
{
    struct files f = {
        .p = p, .budget = budget, .volume = text_at_or(volume, "name", ""), .mode = DEFAULT_MODE};
    const json_t *part;

    *ret = (struct volume_spec){.name = f.volume,
                                .fs_group = int_at(p->spec, "securityContext.fsGroup", 0)};
    if ((part = json_object_get(volume, "emptyDir"))) {
        read_empty(part, ret);
        return true;
    }
    if ((part = json_object_get(volume, "hostPath"))) {
        ret->kind = VOLUME_NODE;
        ret->path = text_at_or(part, "path", "/");
        ret->path_type = text_at_or(part, "type", "");
        ret->fs_group = 0;
        return true;
    }
    if (!fill_files(&f, volume))
        return wait_for(&f,
                        "this kind of volume is not supported by this Sundog yet"
                        " (docs/kubernetes.md)",
                        "");
    ret->kind = VOLUME_ATOMIC;
    ret->files = f.list;
    ret->n_files = f.n;
    return !f.waits;
}

/* ---- what the sandbox was last told: memory->files["hash <volume>"] ---- */

static const char *told_key(struct pod_pass *p, const struct volume_spec *volume)
{
    return arena_printf(&p->op->arena, "hash %s", volume->name);
}

static const char *hash_of(struct pod_pass *p, const struct volume_spec *volume)
{
    uint8_t digest[32];
    struct text all;

    text_init(&all, &p->op->arena, (size_t)64 << 20);
    for (size_t i = 0; i < volume->n_files; i++) {
        text_printf(&all, "%s %o %zu ", volume->files[i].path, volume->files[i].mode,
                    volume->files[i].content.len);
        text_add(&all, volume->files[i].content.data, volume->files[i].content.len);
    }
    sha256(text_bytes(&all), digest);
    return hex_encode(&p->op->arena, (struct bytes){digest, sizeof(digest)});
}

static bool is_told(struct pod_pass *p, const struct volume_spec *volume)
{
    const char *told = json_string_value(json_object_get(p->memory->files, told_key(p, volume)));

    return told && strcmp(told, hash_of(p, volume)) == 0;
}

/* Only once the sandbox has it: what was not told is told again. */
static void note_told(struct pod_pass *p, const struct volume_spec *volume)
{
    if (!p->memory->files)
        p->memory->files = json_object();
    json_object_set_new(p->memory->files, told_key(p, volume), json_string(hash_of(p, volume)));
}

void pod_volumes_told(struct pod_pass *p, const struct volume_spec *volumes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (volumes[i].kind == VOLUME_ATOMIC)
            note_told(p, &volumes[i]);
}

static const struct budget whole_budget = {.left = MESSAGE_BODY_MAX - MESSAGE_REST};

enum fault pod_volumes(struct pod_pass *p, struct volume_spec **ret, size_t *ret_n)
{
    const json_t *volumes = json_object_get(p->spec, "volumes");
    struct budget budget = whole_budget;
    struct volume_spec *list;
    bool all = true;
    size_t n = 0;

    if (json_array_size(volumes) > VOLUMES_MAX)
        return fail(p->op, INVALID, "the pod has more than %d volumes", VOLUMES_MAX);
    list = arena_alloc(&p->op->arena, (json_array_size(volumes) + 1) * sizeof(*list));
    for (size_t i = 0; i < json_array_size(volumes) && !budget.over; i++)
        all &= read_volume(p, json_array_get(volumes, i), &budget, &list[n++]);
    if (budget.over) /* not WOULD_BLOCK, which is tried again at once */
        return fail(p->op, INVALID, "the pod's volumes hold more than fits");
    if (!all)
        return WOULD_BLOCK;
    p->memory->said_mount = false;
    for (size_t i = 0; i < n; i++) /* what another sandbox was told means nothing to this one */
        json_object_del(p->memory->files, told_key(p, &list[i]));
    *ret = list;
    *ret_n = n;
    return OK;
}

enum fault pod_volumes_refresh(struct pod_pass *p)
{
    const json_t *volumes = json_object_get(p->spec, "volumes");
    struct budget budget = whole_budget;

    for (size_t i = 0; i < json_array_size(volumes) && !budget.over; i++) {
        struct volume_spec volume;

        if (!read_volume(p, json_array_get(volumes, i), &budget, &volume) ||
            volume.kind != VOLUME_ATOMIC)
            continue; /* a source that has gone leaves what was there */
        if (is_told(p, &volume))
            continue;
        TRY(sandbox_files(p->op, p->memory->sandbox, &volume));
        note_told(p, &volume);
    }
    return OK;
}

/* ---- who reads what ---- */

/* Is there {"name"|"secretName": name} under a member of that kind, anywhere? */
static bool mentions(const json_t *value, const char *kind, const char *name)
{
    const json_t *part;
    const char *key;
    json_t *item;
    size_t i;

    json_object_foreach((json_t *)value, key, item)
    {
        part = strcmp(key, kind) == 0 ? item : NULL;
        if (part && (strcmp(text_at_or(part, "name", ""), name) == 0 ||
                     strcmp(text_at_or(part, "secretName", ""), name) == 0))
            return true;
        if (mentions(item, kind, name))
            return true;
    }
    json_array_foreach((json_t *)value, i, item)
    {
        if (mentions(item, kind, name))
            return true;
    }
    return false;
}

bool pod_uses(const json_t *pod, const char *kind, const char *name)
{
    return mentions(at(pod, "spec.volumes"), kind, name);
}
