#include "core/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_LEN   32
#define NONCE_LEN 12
#define TAG_LEN   16

static uint8_t key[KEY_LEN];
static bool key_loaded;

/* ---- randomness ---- */

static void random_bytes(void *buffer, size_t len)
{
    uint8_t *at = buffer;

    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            abort(); /* a kernel without randomness: nothing we make could be trusted */
        at += n;
        len -= (size_t)n;
    }
}

/* For identifiers: a system call for each would show at 100 000 requests a second. */
static void random_buffered(uint8_t *out, size_t len)
{
    static _Thread_local uint8_t buffer[1024];
    static _Thread_local size_t left;

    if (left < len) {
        random_bytes(buffer, sizeof(buffer));
        left = sizeof(buffer);
    }
    left -= len;
    memcpy(out, buffer + left, len);
    explicit_bzero(buffer + left, len);
}

char *random_hex(struct op *op, size_t n)
{
    uint8_t *raw = arena_alloc(&op->arena, n);

    random_bytes(raw, n);
    return hex_encode(&op->arena, (struct bytes){raw, n});
}

char *random_password(struct op *op, size_t n)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    char *password = arena_alloc(&op->arena, n + 1);

    for (size_t i = 0; i < n;) {
        uint8_t byte;

        random_buffered(&byte, 1);
        if (byte < 248) /* 4 × 62: above it the first letters would come more often */
            password[i++] = letters[byte % 62];
    }
    return password;
}

void random_uuid(char uuid[37])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t raw[16];
    char *out = uuid;

    random_buffered(raw, sizeof(raw));
    raw[6] = (raw[6] & 0x0f) | 0x40;
    raw[8] = (raw[8] & 0x3f) | 0x80;
    for (size_t i = 0; i < sizeof(raw); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = digits[raw[i] >> 4];
        *out++ = digits[raw[i] & 15];
    }
    *out = '\0';
}

/* ---- hashes and encodings ---- */

void sha256(struct bytes data, uint8_t ret_digest[32])
{
    SHA256(data.data, data.len, ret_digest);
}

bool equal_constant_time(const char *a, const char *b)
{
    uint8_t hash_a[32], hash_b[32];

    /* Comparing hashes takes the same time whatever the lengths are. */
    sha256(BYTES(a), hash_a);
    sha256(BYTES(b), hash_b);
    return CRYPTO_memcmp(hash_a, hash_b, sizeof(hash_a)) == 0;
}

static char *salted_hash(struct arena *arena, const char *salt, const char *secret)
{
    char *salted = arena_printf(arena, "%s$%s", salt, secret);
    uint8_t digest[32];

    sha256(BYTES(salted), digest);
    explicit_bzero(salted, strlen(salted));
    return hex_encode(arena, (struct bytes){digest, sizeof(digest)});
}

char *secret_hash(struct op *op, const char *secret)
{
    const char *salt = random_hex(op, 16);

    return arena_printf(&op->arena, "sha256$%s$%s", salt, salted_hash(&op->arena, salt, secret));
}

bool secret_verify(const char *hash, const char *secret)
{
    static const char prefix[] = "sha256$";
    struct arena arena;
    const char *salt, *end;
    bool same = false;

    if (!hash || strncmp(hash, prefix, sizeof(prefix) - 1) != 0)
        return false;
    salt = hash + sizeof(prefix) - 1;
    end = strchr(salt, '$');
    if (!end)
        return false;
    arena_init(&arena);
    same = equal_constant_time(
        end + 1, salted_hash(&arena, arena_strndup(&arena, salt, (size_t)(end - salt)), secret));
    arena_free(&arena);
    return same;
}

char *hex_encode(struct arena *arena, struct bytes data)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *in = data.data;
    char *out = arena_alloc(arena, data.len * 2 + 1);

    for (size_t i = 0; i < data.len; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    return out;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_decode(struct arena *arena, const char *hex, struct bytes *ret)
{
    size_t len = strlen(hex);
    uint8_t *out;

    if (len % 2 != 0)
        return false;
    out = arena_alloc(arena, len / 2 + 1);
    for (size_t i = 0; i < len / 2; i++) {
        int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    *ret = (struct bytes){out, len / 2};
    return true;
}

char *base64_encode(struct arena *arena, struct bytes data, bool url)
{
    static const char plain_set[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char url_set[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *set = url ? url_set : plain_set;
    const uint8_t *in = data.data;
    char *text = arena_alloc(arena, (data.len + 2) / 3 * 4 + 1), *out = text;
    size_t i = 0;

    for (; i + 3 <= data.len; i += 3) {
        *out++ = set[in[i] >> 2];
        *out++ = set[(in[i] & 3) << 4 | in[i + 1] >> 4];
        *out++ = set[(in[i + 1] & 15) << 2 | in[i + 2] >> 6];
        *out++ = set[in[i + 2] & 63];
    }
    if (i < data.len) {
        uint8_t next = i + 1 < data.len ? in[i + 1] : 0;

        *out++ = set[in[i] >> 2];
        *out++ = set[(in[i] & 3) << 4 | next >> 4];
        if (i + 1 < data.len)
            *out++ = set[(next & 15) << 2];
        else if (!url)
            *out++ = '=';
        if (!url)
            *out++ = '=';
    }
    return text;
}

static int base64_digit(char c, bool url)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (url ? '-' : '+'))
        return 62;
    if (c == (url ? '_' : '/'))
        return 63;
    return -1;
}

bool base64_decode(struct arena *arena, const char *text, bool url, struct bytes *ret)
{
    size_t len = strlen(text), n = 0;
    unsigned bits = 0, held = 0;
    uint8_t *out;

    /* Padding: exact in plain base64, none in base64url. */
    if (!url && len % 4 != 0)
        return false;
    for (int i = 0; !url && i < 2 && len > 0 && text[len - 1] == '='; i++)
        len--;
    if (len % 4 == 1)
        return false;
    out = arena_alloc(arena, len / 4 * 3 + 3);
    for (size_t i = 0; i < len; i++) {
        int digit = base64_digit(text[i], url);

        if (digit < 0)
            return false;
        bits = bits << 6 | (unsigned)digit;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[n++] = (uint8_t)(bits >> held);
        }
    }
    if (bits & ((1u << held) - 1))
        return false; /* left-over bits: two texts would mean the same bytes */
    *ret = (struct bytes){out, n};
    return true;
}

/* ---- the key ---- */

static enum fault read_key(struct op *op, const char *path, int fd)
{
    char text[KEY_LEN * 2 + 2] = {0};
    struct bytes raw;
    struct stat st;
    ssize_t n;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return fail(op, INVALID, "the key file %s is not a file", path);
    /* what an orchestrator mounts is root's, and readable by our group */
    if (st.st_mode & (st.st_uid == 0 && geteuid() != 0 ? 037 : 077))
        return fail(op, INVALID, "the key file %s can be read by others: chmod 600 it", path);
    n = read(fd, text, sizeof(text) - 1);
    if (n > 0 && text[n - 1] == '\n')
        text[--n] = '\0';
    if (n != KEY_LEN * 2 || !hex_decode(&op->arena, text, &raw) || raw.len != KEY_LEN)
        return fail(op, INVALID, "the key file %s is malformed: it holds 64 hex digits", path);
    memcpy(key, raw.data, KEY_LEN);
    key_loaded = true;
    explicit_bzero(text, sizeof(text));
    return OK;
}

static enum fault sync_folder_of(struct op *op, const char *path)
{
    const char *slash = strrchr(path, '/');
    AUTO_CLOSE int fd =
        open(slash ? arena_strndup(&op->arena, path, (size_t)(slash - path) + 1) : ".",
             O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return fail(op, UNAVAILABLE, "cannot sync the folder of %s: %s", path, strerror(errno));
    return OK;
}

/* Everything sealed is lost with this file: it is on the disk before the first use. */
static enum fault make_key(struct op *op, const char *path)
{
    const char *temporary = arena_printf(&op->arena, "%s.new", path);
    const char *text = arena_printf(&op->arena, "%s\n", random_hex(op, KEY_LEN));
    AUTO_CLOSE int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || fchmod(fd, 0600) < 0)
        return fail(op, UNAVAILABLE, "cannot make %s: %s", temporary, strerror(errno));
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fsync(fd) < 0 ||
        rename(temporary, path) < 0)
        return fail(op, UNAVAILABLE, "cannot write %s: %s", path, strerror(errno));
    return sync_folder_of(op, path);
}

enum fault seal_load(struct op *op, const char *path, bool create)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT && create) {
        TRY(make_key(op, path));
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0)
        return fail(op, INVALID, "cannot open the key file %s: %s", path, strerror(errno));
    return read_key(op, path, fd);
}

/* ---- sealing ---- */

static bool gcm_seal(EVP_CIPHER_CTX *ctx, const char *label, struct bytes plain, uint8_t *out)
{
    uint8_t *nonce = out, *body = out + NONCE_LEN, *tag = body + plain.len;
    int n;

    random_bytes(nonce, NONCE_LEN);
    return EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
           EVP_EncryptUpdate(ctx, NULL, &n, (const uint8_t *)label, (int)strlen(label)) == 1 &&
           EVP_EncryptUpdate(ctx, body, &n, plain.data, (int)plain.len) == 1 &&
           EVP_EncryptFinal_ex(ctx, body + n, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_LEN, tag) == 1;
}

struct bytes seal(struct op *op, const char *label, struct bytes plain)
{
    size_t len = NONCE_LEN + plain.len + TAG_LEN;
    uint8_t *out = arena_alloc(&op->arena, len);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    if (!key_loaded || !ctx || !gcm_seal(ctx, label, plain, out))
        abort(); /* only a program that forgot seal_load, or a broken library, comes here */
    EVP_CIPHER_CTX_free(ctx);
    return (struct bytes){out, len};
}

static bool gcm_open(EVP_CIPHER_CTX *ctx, const char *label, struct bytes sealed, uint8_t *out)
{
    const uint8_t *nonce = sealed.data, *body = nonce + NONCE_LEN;
    int n, len = (int)(sealed.len - NONCE_LEN - TAG_LEN);

    return EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
           EVP_DecryptUpdate(ctx, NULL, &n, (const uint8_t *)label, (int)strlen(label)) == 1 &&
           EVP_DecryptUpdate(ctx, out, &n, body, len) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_LEN, (void *)(body + len)) == 1 &&
           EVP_DecryptFinal_ex(ctx, out + n, &n) == 1;
}

enum fault unseal(struct op *op, const char *label, struct bytes sealed, struct bytes *ret_plain)
{
    EVP_CIPHER_CTX *ctx;
    uint8_t *out;
    bool opened;

    if (!key_loaded || sealed.len < NONCE_LEN + TAG_LEN || sealed.len > INT32_MAX)
        return fail(op, INVALID, "a sealed secret (%s) is damaged", label);
    out = arena_alloc(&op->arena, sealed.len + 1);
    ctx = EVP_CIPHER_CTX_new();
    opened = ctx && gcm_open(ctx, label, sealed, out);
    EVP_CIPHER_CTX_free(ctx);
    if (!opened)
        return fail(op, INVALID,
                    "a secret (%s) cannot be unsealed: is secret.key the one of this database?",
                    label);
    out[sealed.len - NONCE_LEN - TAG_LEN] = '\0';
    *ret_plain = (struct bytes){out, sealed.len - NONCE_LEN - TAG_LEN};
    return OK;
}
