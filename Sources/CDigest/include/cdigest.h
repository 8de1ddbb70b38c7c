#ifndef CDIGEST_H
#define CDIGEST_H

// SHA-256, HMAC-SHA-256 and MD5 of libcrypto, and its way to wipe memory. Nothing here fails, and nothing keeps state
// of its own. OpenSSL's headers stay in the .c file, see creactor.h.

#include <stddef.h>
#include <stdint.h>

/// A SHA-256 hash or an HMAC made of it.
struct cd_digest {
    uint8_t bytes[32];
};

/// HMAC-SHA-256 (RFC 2104) with the key absorbed into the inner and the outer hash: as secret as the key.
struct cd_hmac {
    uint64_t inner[14];
    uint64_t outer[14];
};

void cd_sha256(const void *bytes, size_t count, struct cd_digest *digest);
void cd_md5(const void *bytes, size_t count, uint8_t digest[16]);

/// Absorbs a key of any length.
void cd_hmac_key(struct cd_hmac *hmac, const void *key, size_t count);
void cd_hmac_code(const struct cd_hmac *hmac, const void *message, size_t count, struct cd_digest *code);
/// The inner hash alone: half of the work. Show a part of it only, or others can go on where the message ends.
void cd_hmac_inner(const struct cd_hmac *hmac, const void *message, size_t count, struct cd_digest *digest);

/// Overwrites with zeros, whatever the compiler thinks of it.
void cd_wipe(void *bytes, size_t count);

#endif
