#ifndef CTOKENFORGE_H
#define CTOKENFORGE_H

// Keys and signatures that tests make tokens with, by OpenSSL. What fails returns 0.

#include <stddef.h>
#include <stdint.h>

/// A P-256 key pair.
typedef struct ctf_key ctf_key;

/// The forms in which a key is written.
enum {
    CTF_PRIVATE_PEM = 1,
    CTF_PUBLIC_PEM,
    CTF_PUBLIC_DER,
    /// The uncompressed point (X9.63).
    CTF_PUBLIC_POINT,
};

ctf_key *ctf_key_make(void);
void ctf_key_free(ctf_key *key);
/// Returns the length of what it has written to `out`.
size_t ctf_key_write(const ctf_key *key, int form, uint8_t *out, size_t capacity);
/// ES256: r and s, 32 bytes each.
int ctf_key_sign(const ctf_key *key, const void *bytes, size_t count, uint8_t signature[64]);
/// HMAC with SHA-256 or SHA-512 (`bits`); returns the length of the code.
size_t ctf_hmac(int bits, const void *key, size_t key_count, const void *bytes, size_t count, uint8_t code[64]);

#endif
