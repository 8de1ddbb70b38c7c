// The states are plain memory that is copied, which `EVP_MD_CTX` does not allow: a login copies four of them, a
// password check eight thousand, and none may cost a request to the heap. So these are the functions that OpenSSL 3
// calls deprecated and keeps.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "cdigest.h"

#include <openssl/crypto.h>
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <string.h>

_Static_assert(sizeof(SHA256_CTX) == sizeof(((struct cd_hmac *)0)->inner), "room for a state");
_Static_assert(_Alignof(SHA256_CTX) <= _Alignof(struct cd_hmac), "alignment of a state");
_Static_assert(SHA256_DIGEST_LENGTH == sizeof(struct cd_digest), "room for a hash");

void cd_sha256(const void *bytes, size_t count, struct cd_digest *digest) {
    SHA256_CTX state;
    SHA256_Init(&state);
    SHA256_Update(&state, bytes, count);
    SHA256_Final(digest->bytes, &state);
    OPENSSL_cleanse(&state, sizeof state);
}

void cd_md5(const void *bytes, size_t count, uint8_t digest[16]) {
    MD5_CTX state;
    MD5_Init(&state);
    MD5_Update(&state, bytes, count);
    MD5_Final(digest, &state);
    OPENSSL_cleanse(&state, sizeof state);
}

static void absorb(uint64_t to[14], const uint8_t block[SHA256_CBLOCK]) {
    SHA256_CTX state;
    SHA256_Init(&state);
    SHA256_Update(&state, block, SHA256_CBLOCK);
    memcpy(to, &state, sizeof state);
    OPENSSL_cleanse(&state, sizeof state);
}

void cd_hmac_key(struct cd_hmac *hmac, const void *key, size_t count) {
    uint8_t block[SHA256_CBLOCK] = {0};
    if (count > sizeof block) {
        struct cd_digest short_key;
        cd_sha256(key, count, &short_key);
        memcpy(block, short_key.bytes, sizeof short_key.bytes);
        OPENSSL_cleanse(&short_key, sizeof short_key);
    } else if (count > 0) {
        memcpy(block, key, count);
    }
    for (size_t i = 0; i < sizeof block; i++) block[i] ^= 0x36;
    absorb(hmac->inner, block);
    for (size_t i = 0; i < sizeof block; i++) block[i] ^= 0x36 ^ 0x5c;
    absorb(hmac->outer, block);
    OPENSSL_cleanse(block, sizeof block);
}

// From a state that has absorbed half of the key to the hash.
static void finish(const uint64_t from[14], const void *bytes, size_t count, struct cd_digest *digest) {
    SHA256_CTX state;
    memcpy(&state, from, sizeof state);
    SHA256_Update(&state, bytes, count);
    SHA256_Final(digest->bytes, &state);
    OPENSSL_cleanse(&state, sizeof state);
}

void cd_hmac_code(const struct cd_hmac *hmac, const void *message, size_t count, struct cd_digest *code) {
    struct cd_digest inner;
    finish(hmac->inner, message, count, &inner);
    finish(hmac->outer, inner.bytes, sizeof inner.bytes, code);
    OPENSSL_cleanse(&inner, sizeof inner);
}

void cd_hmac_inner(const struct cd_hmac *hmac, const void *message, size_t count, struct cd_digest *digest) {
    finish(hmac->inner, message, count, digest);
}

void cd_wipe(void *bytes, size_t count) {
    // Nothing has no address.
    if (count > 0) OPENSSL_cleanse(bytes, count);
}
