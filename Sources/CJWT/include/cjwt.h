// Keys and signatures of JSON Web Tokens: libjwt where it has the algorithm, OpenSSL for the rest.
//
// libjwt 1.10 (Debian 12) has RS256/384/512 and ES256/384 for keys in PEM. It has neither the PS family nor EdDSA nor
// JSON Web Keys: those are OpenSSL's. It takes the algorithm from the token, so the caller has to have decided before
// that the algorithm is one of the key's; a key here has a kind, and nothing but public-key algorithms exists.
//
// A key is immutable once made: any thread may use it.
#ifndef CJWT_H
#define CJWT_H

#include <stddef.h>
#include <stdint.h>

// What a key is made of; 0 is anything else.
enum {
    CJWT_RSA = 1,
    CJWT_P256,
    CJWT_P384,
    CJWT_ED25519,
};

enum {
    CJWT_RS256 = 1,
    CJWT_RS384,
    CJWT_RS512,
    CJWT_PS256,
    CJWT_PS384,
    CJWT_PS512,
    CJWT_ES256,
    CJWT_ES384,
    CJWT_EDDSA,
};

typedef struct cjwt_key cjwt_key;

// NULL when the bytes are no such key, or one of another kind. `public_pem` is one PEM block: a public key in either
// form, or a certificate.
cjwt_key *cjwt_public_key(const uint8_t *pem, size_t length);
cjwt_key *cjwt_private_key(const uint8_t *pem, size_t length);
cjwt_key *cjwt_rsa_key(const uint8_t *n, size_t n_length, const uint8_t *e, size_t e_length);
// `kind` is CJWT_P256 or CJWT_P384.
cjwt_key *cjwt_ec_key(int kind, const uint8_t *x, size_t x_length, const uint8_t *y, size_t y_length);
cjwt_key *cjwt_ed25519_key(const uint8_t *x, size_t length);
void cjwt_key_free(cjwt_key *key);

int cjwt_key_kind(const cjwt_key *key);
int cjwt_key_bits(const cjwt_key *key);

// 1 when the signature holds. All three parts of the token must be base64url in its one canonical spelling and not
// empty: libjwt 1.10 writes behind its buffers when they are not (seen by valgrind). `token` is the whole token and a
// NUL, `signed_length` the bytes before its last dot, `signature` what follows it, decoded.
int cjwt_verify(const cjwt_key *key, int algorithm, const char *token, size_t signed_length, const uint8_t *signature,
                size_t signature_length);

// Signs a token with the claims preferred_username, iat and exp (seconds since 1970). RSA: RS256, P-256: ES256,
// P-384: ES384. Returns its length, without a NUL; 0 when it cannot be made or does not fit.
size_t cjwt_mint(const cjwt_key *private_key, const char *user, int64_t issued, int64_t expires, char *out,
                 size_t capacity);

#endif
