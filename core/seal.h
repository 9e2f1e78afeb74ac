/*
 * Secrets: sealing what must be shown again (AES-256-GCM under DIR/secret.key), hashing what need
 * not, comparing in constant time, random strings, SHA-256, base64 and hex.
 */
#ifndef SUNDOG_CORE_SEAL_H
#define SUNDOG_CORE_SEAL_H

#include "core/op.h"

/* Load the key, or make it (0600) when create. INVALID: malformed or readable by others. */
enum fault seal_load(struct op *op, const char *path, bool create);
/* nonce ‖ ciphertext ‖ tag, bound to label (authenticated, not hidden): "registry/admin/7". */
struct bytes seal(struct op *op, const char *label, struct bytes plain);
/* INVALID: another key, another label, or damaged. The plain text is NUL-terminated besides. */
enum fault unseal(struct op *op, const char *label, struct bytes sealed, struct bytes *ret_plain);

/* Lower-case hex / base64url text of n random bytes; a password of n letters and digits. */
char *random_hex(struct op *op, size_t n);
char *random_password(struct op *op, size_t n);
void random_uuid(char uuid[37]); /* version 4, lower case; cheap: buffered per thread */

bool equal_constant_time(const char *a, const char *b); /* also over differing lengths */

/* Salted SHA-256 for generated secrets: "sha256$salt$hash"; verify in constant time. */
char *secret_hash(struct op *op, const char *secret);
bool secret_verify(const char *hash, const char *secret);

void sha256(struct bytes data, uint8_t ret_digest[32]);
char *hex_encode(struct arena *arena, struct bytes data);
bool hex_decode(struct arena *arena, const char *hex, struct bytes *ret);
char *base64_encode(struct arena *arena, struct bytes data, bool url); /* url: no padding */
bool base64_decode(struct arena *arena, const char *text, bool url, struct bytes *ret);

#endif
