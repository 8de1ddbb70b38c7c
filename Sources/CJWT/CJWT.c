#include "cjwt.h"

#include <jwt.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

struct cjwt_key {
    EVP_PKEY *pkey;
    int kind;
    // For libjwt, which wants text.
    char *pem;
    size_t pem_length;
};

// --- Keys

static int kind_of(EVP_PKEY *pkey) {
    char group[64];
    size_t length = 0;
    switch (EVP_PKEY_get_base_id(pkey)) {
    case EVP_PKEY_RSA:
        return CJWT_RSA;
    case EVP_PKEY_ED25519:
        return CJWT_ED25519;
    case EVP_PKEY_EC:
        if (EVP_PKEY_get_group_name(pkey, group, sizeof group, &length) != 1) return 0;
        if (strcmp(group, SN_X9_62_prime256v1) == 0) return CJWT_P256;
        if (strcmp(group, SN_secp384r1) == 0) return CJWT_P384;
        return 0;
    default:
        return 0;
    }
}

static int write_pem(cjwt_key *key, int is_private) {
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL) return 0;
    int ok = is_private ? PEM_write_bio_PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL)
                        : PEM_write_bio_PUBKEY(bio, key->pkey);
    char *text = NULL;
    long length = BIO_get_mem_data(bio, &text);
    if (ok == 1 && length > 0 && (key->pem = OPENSSL_malloc((size_t)length + 1)) != NULL) {
        memcpy(key->pem, text, (size_t)length);
        key->pem[length] = 0;
        key->pem_length = (size_t)length;
    }
    if (is_private && text != NULL && length > 0) OPENSSL_cleanse(text, (size_t)length);
    BIO_free(bio);
    return key->pem != NULL;
}

// Takes `pkey` over.
static cjwt_key *wrap(EVP_PKEY *pkey, int is_private) {
    ERR_clear_error();
    if (pkey == NULL) return NULL;
    cjwt_key *key = OPENSSL_zalloc(sizeof *key);
    if (key == NULL) {
        EVP_PKEY_free(pkey);
        return NULL;
    }
    key->pkey = pkey;
    key->kind = kind_of(pkey);
    if (key->kind == 0 || !write_pem(key, is_private)) {
        cjwt_key_free(key);
        key = NULL;
    }
    ERR_clear_error();
    return key;
}

void cjwt_key_free(cjwt_key *key) {
    if (key == NULL) return;
    if (key->pem != NULL) OPENSSL_clear_free(key->pem, key->pem_length + 1);
    EVP_PKEY_free(key->pkey);
    OPENSSL_free(key);
}

int cjwt_key_kind(const cjwt_key *key) { return key->kind; }

int cjwt_key_bits(const cjwt_key *key) { return EVP_PKEY_get_bits(key->pkey); }

// Nobody is there to type a passphrase.
static int no_passphrase(char *buffer, int size, int is_writing, void *context) {
    (void)buffer, (void)size, (void)is_writing, (void)context;
    return -1;
}

cjwt_key *cjwt_public_key(const uint8_t *pem, size_t length) {
    const unsigned char *data = pem;
    size_t left = length;
    EVP_PKEY *pkey = NULL;
    OSSL_DECODER_CTX *decoder =
        OSSL_DECODER_CTX_new_for_pkey(&pkey, "PEM", NULL, NULL, EVP_PKEY_PUBLIC_KEY, NULL, NULL);
    if (decoder != NULL) {
        if (OSSL_DECODER_from_data(decoder, &data, &left) != 1) pkey = NULL;
        OSSL_DECODER_CTX_free(decoder);
    }
    if (pkey == NULL && length <= INT32_MAX) {
        BIO *bio = BIO_new_mem_buf(pem, (int)length);
        X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
        if (certificate != NULL) pkey = X509_get_pubkey(certificate);
        X509_free(certificate);
        BIO_free(bio);
    }
    return wrap(pkey, 0);
}

cjwt_key *cjwt_private_key(const uint8_t *pem, size_t length) {
    if (length > INT32_MAX) return NULL;
    BIO *bio = BIO_new_mem_buf(pem, (int)length);
    EVP_PKEY *pkey = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    return wrap(pkey, 1);
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM *params) {
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (context != NULL && EVP_PKEY_fromdata_init(context) == 1) {
        if (EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1) pkey = NULL;
    }
    EVP_PKEY_CTX_free(context);
    if (pkey == NULL) return NULL;
    EVP_PKEY_CTX *check = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    if (check == NULL || EVP_PKEY_public_check(check) != 1) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(check);
    return pkey;
}

cjwt_key *cjwt_rsa_key(const uint8_t *n, size_t n_length, const uint8_t *e, size_t e_length) {
    if (n_length == 0 || n_length > 2048 || e_length == 0 || e_length > 8) return NULL;
    EVP_PKEY *pkey = NULL;
    BIGNUM *modulus = BN_bin2bn(n, (int)n_length, NULL), *exponent = BN_bin2bn(e, (int)e_length, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (modulus != NULL && exponent != NULL && builder != NULL
        && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1
        && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1) {
        OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
        if (params != NULL) pkey = from_params("RSA", params);
        OSSL_PARAM_free(params);
    }
    OSSL_PARAM_BLD_free(builder);
    BN_free(modulus);
    BN_free(exponent);
    return wrap(pkey, 0);
}

cjwt_key *cjwt_ec_key(int kind, const uint8_t *x, size_t x_length, const uint8_t *y, size_t y_length) {
    size_t width = kind == CJWT_P256 ? 32 : kind == CJWT_P384 ? 48 : 0;
    if (width == 0 || x_length != width || y_length != width) return NULL;
    const char *group = kind == CJWT_P256 ? SN_X9_62_prime256v1 : SN_secp384r1;
    uint8_t point[1 + 2 * 48];
    point[0] = 4; // uncompressed
    memcpy(point + 1, x, width);
    memcpy(point + 1 + width, y, width);
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (builder != NULL && OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) == 1
        && OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * width) == 1) {
        OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
        if (params != NULL) pkey = from_params("EC", params);
        OSSL_PARAM_free(params);
    }
    OSSL_PARAM_BLD_free(builder);
    return wrap(pkey, 0);
}

cjwt_key *cjwt_ed25519_key(const uint8_t *x, size_t length) {
    return wrap(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, length), 0);
}

// --- Signatures

static int verify_by_openssl(const cjwt_key *key, const EVP_MD *digest, int is_pss, const char *text, size_t length,
                             const uint8_t *signature, size_t signature_length) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options = NULL;
    int ok = context != NULL && EVP_DigestVerifyInit(context, &options, digest, NULL, key->pkey) == 1;
    if (ok && is_pss) {
        ok = EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1
             && EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1;
    }
    ok = ok && EVP_DigestVerify(context, signature, signature_length, (const unsigned char *)text, length) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

// libjwt makes a copy of the token and frees it as it is: what is left of it in memory expires with the token.
static int verify_by_libjwt(const cjwt_key *key, jwt_alg_t algorithm, const char *token) {
    jwt_t *jwt = NULL;
    if (key->pem_length > INT32_MAX) return 0;
    int ok = jwt_decode(&jwt, token, (const unsigned char *)key->pem, (int)key->pem_length) == 0 && jwt != NULL
             && jwt_get_alg(jwt) == algorithm;
    jwt_free(jwt);
    return ok;
}

static int kind_for(int algorithm) {
    switch (algorithm) {
    case CJWT_RS256: case CJWT_RS384: case CJWT_RS512: case CJWT_PS256: case CJWT_PS384: case CJWT_PS512:
        return CJWT_RSA;
    case CJWT_ES256:
        return CJWT_P256;
    case CJWT_ES384:
        return CJWT_P384;
    case CJWT_EDDSA:
        return CJWT_ED25519;
    default:
        return 0;
    }
}

int cjwt_verify(const cjwt_key *key, int algorithm, const char *token, size_t signed_length, const uint8_t *signature,
                size_t signature_length) {
    if (kind_for(algorithm) != key->kind) return 0;
    int ok = 0;
    switch (algorithm) {
    case CJWT_RS256: ok = verify_by_libjwt(key, JWT_ALG_RS256, token); break;
    case CJWT_RS384: ok = verify_by_libjwt(key, JWT_ALG_RS384, token); break;
    case CJWT_RS512: ok = verify_by_libjwt(key, JWT_ALG_RS512, token); break;
    case CJWT_ES256: ok = verify_by_libjwt(key, JWT_ALG_ES256, token); break;
    case CJWT_ES384: ok = verify_by_libjwt(key, JWT_ALG_ES384, token); break;
    case CJWT_PS256:
        ok = verify_by_openssl(key, EVP_sha256(), 1, token, signed_length, signature, signature_length);
        break;
    case CJWT_PS384:
        ok = verify_by_openssl(key, EVP_sha384(), 1, token, signed_length, signature, signature_length);
        break;
    case CJWT_PS512:
        ok = verify_by_openssl(key, EVP_sha512(), 1, token, signed_length, signature, signature_length);
        break;
    case CJWT_EDDSA:
        ok = verify_by_openssl(key, NULL, 0, token, signed_length, signature, signature_length);
        break;
    }
    ERR_clear_error();
    return ok;
}

size_t cjwt_mint(const cjwt_key *key, const char *user, int64_t issued, int64_t expires, char *out, size_t capacity) {
    jwt_alg_t algorithm;
    switch (key->kind) {
    case CJWT_RSA: algorithm = JWT_ALG_RS256; break;
    case CJWT_P256: algorithm = JWT_ALG_ES256; break;
    case CJWT_P384: algorithm = JWT_ALG_ES384; break;
    default: return 0;
    }
    if (key->pem_length > INT32_MAX) return 0;
    jwt_t *jwt = NULL;
    char *token = NULL;
    size_t length = 0;
    if (jwt_new(&jwt) == 0 && jwt_add_grant(jwt, "preferred_username", user) == 0
        && jwt_add_grant_int(jwt, "iat", (long)issued) == 0 && jwt_add_grant_int(jwt, "exp", (long)expires) == 0
        && jwt_set_alg(jwt, algorithm, (const unsigned char *)key->pem, (int)key->pem_length) == 0) {
        token = jwt_encode_str(jwt);
    }
    if (token != NULL) {
        length = strlen(token);
        if (length <= capacity) {
            memcpy(out, token, length);
        } else {
            length = 0;
        }
        OPENSSL_cleanse(token, strlen(token));
        free(token);
    }
    jwt_free(jwt);
    ERR_clear_error();
    return length;
}
