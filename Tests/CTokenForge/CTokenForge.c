#include "ctokenforge.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

// Never defined: it is an EVP_PKEY.
static EVP_PKEY *pkey_of(const ctf_key *key) { return (EVP_PKEY *)key; }

ctf_key *ctf_key_make(void) { return (ctf_key *)EVP_EC_gen("P-256"); }

void ctf_key_free(ctf_key *key) { EVP_PKEY_free(pkey_of(key)); }

size_t ctf_key_write(const ctf_key *key, int form, uint8_t *out, size_t capacity) {
    EVP_PKEY *pkey = pkey_of(key);
    size_t length = 0;
    if (form == CTF_PUBLIC_POINT) {
        int ok = EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, out, capacity, &length);
        return ok == 1 ? length : 0;
    }
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL) return 0;
    int ok = form == CTF_PRIVATE_PEM   ? PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL)
             : form == CTF_PUBLIC_PEM ? PEM_write_bio_PUBKEY(bio, pkey)
                                      : i2d_PUBKEY_bio(bio, pkey);
    char *text = NULL;
    long written = BIO_get_mem_data(bio, &text);
    if (ok == 1 && written > 0 && (size_t)written <= capacity) {
        length = (size_t)written;
        memcpy(out, text, length);
    }
    BIO_free(bio);
    return length;
}

int ctf_key_sign(const ctf_key *key, const void *bytes, size_t count, uint8_t signature[64]) {
    uint8_t der[128];
    size_t length = sizeof der;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int ok = context != NULL && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, pkey_of(key)) == 1 &&
             EVP_DigestSign(context, der, &length, bytes, count) == 1;
    EVP_MD_CTX_free(context);
    if (!ok) return 0;
    const uint8_t *at = der;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)length);
    if (pair == NULL) return 0;
    ok = BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, 32) == 32 &&
         BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + 32, 32) == 32;
    ECDSA_SIG_free(pair);
    return ok;
}

size_t ctf_hmac(int bits, const void *key, size_t key_count, const void *bytes, size_t count, uint8_t code[64]) {
    unsigned int length = 0;
    const EVP_MD *hash = bits == 512 ? EVP_sha512() : EVP_sha256();
    return HMAC(hash, key, (int)key_count, bytes, count, code, &length) != NULL ? length : 0;
}
