// Blocks of PEM files, and what contexts take from them. Texts between the blocks are passed over, blocks of kinds that
// do not belong there are refused.
#include "internal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

enum { BLOCKS_MAX = 10000 };

// What is done with one block: 1, or 0 with the reason written.
typedef int (*block_taker)(void *state, const char *kind, const char *header, const uint8_t *der, long length,
                           char *reason);

// 1 when all blocks were taken, 0 with the reason written. No block at all is fine here.
static int each_block(const uint8_t *pem, size_t length, char *reason, block_taker take, void *state) {
    ERR_clear_error();
    BIO *bio = length > INT32_MAX ? NULL : BIO_new_mem_buf(length == 0 ? (const void *)"" : pem, (int)length);
    int ok = bio != NULL;
    if (!ok) ct_write_reason(reason, "cannot be read");
    for (int count = 0; ok; count++) {
        char *kind = NULL, *header = NULL;
        unsigned char *der = NULL;
        long der_length = 0;
        // "Secure": the parser wipes its own buffers. "Compatible": spaces behind lines are passed over, as OpenSSL's
        // other readers do; a block whose first line has some would be passed over otherwise.
        if (PEM_read_bio_ex(bio, &kind, &header, &der, &der_length, PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE) != 1) {
            unsigned long error = ERR_peek_last_error();
            if (ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE) break;
            ct_write_reason(reason, "has a damaged block");
            ok = 0;
        } else if (count >= BLOCKS_MAX) {
            ct_write_reason(reason, "has too many blocks");
            ok = 0;
        } else {
            ok = take(state, kind, header, der, der_length, reason);
        }
        OPENSSL_secure_free(kind);
        OPENSSL_secure_free(header);
        OPENSSL_secure_clear_free(der, der_length > 0 ? (size_t)der_length : 0);
    }
    BIO_free(bio);
    ERR_clear_error();
    return ok;
}

static int is_certificate(const char *kind) {
    return strcmp(kind, PEM_STRING_X509) == 0 || strcmp(kind, PEM_STRING_X509_OLD) == 0;
}

static int is_key(const char *kind) {
    size_t length = strlen(kind), tail = strlen("PRIVATE KEY");
    return length >= tail && strcmp(kind + length - tail, "PRIVATE KEY") == 0;
}

static int is_parameters(const char *kind) {
    return strcmp(kind, PEM_STRING_ECPARAMETERS) == 0 || strcmp(kind, PEM_STRING_DHPARAMS) == 0;
}

static int refuse_kind(const char *kind, const char *wanted, char *reason) {
    char text[CT_TEXT];
    snprintf(text, sizeof text, "holds a block \"%.40s\" where only %s belong", kind, wanted);
    ct_write_text(reason, CT_TEXT, text, NULL);
    return 0;
}

static X509 *certificate_of(const uint8_t *der, long length, char *reason) {
    const unsigned char *at = der;
    X509 *certificate = d2i_X509(NULL, &at, length);
    if (certificate == NULL) ct_write_reason(reason, "has a block that is no certificate");
    return certificate;
}

// --- The own certificate and its key

struct chain {
    ct_context *context;
    int count;
};

static int take_chain(void *state, const char *kind, const char *header, const uint8_t *der, long length,
                      char *reason) {
    struct chain *chain = state;
    (void)header;
    // One file may hold a certificate and its key.
    if (is_key(kind) || is_parameters(kind)) return 1;
    if (!is_certificate(kind)) return refuse_kind(kind, "certificates", reason);
    X509 *certificate = certificate_of(der, length, reason);
    if (certificate == NULL) return 0;
    int ok;
    if (chain->count == 0) {
        ok = SSL_CTX_use_certificate(chain->context->ssl, certificate);
    } else {
        ok = SSL_CTX_add1_chain_cert(chain->context->ssl, certificate) == 1;
    }
    X509_free(certificate);
    chain->count++;
    if (ok != 1) ct_write_reason(reason, "has a certificate that cannot be used");
    return ok == 1;
}

int ct_context_use_chain(ct_context *context, const uint8_t *pem, size_t length, char *reason) {
    struct chain chain = {context, 0};
    if (!each_block(pem, length, reason, take_chain, &chain)) return 0;
    if (chain.count == 0) ct_write_reason(reason, "holds no certificate in PEM");
    return chain.count > 0;
}

static int take_key_kind(void *state, const char *kind, const char *header, const uint8_t *der, long length,
                         char *reason) {
    int *count = state;
    (void)der, (void)length;
    if (is_certificate(kind) || is_parameters(kind)) return 1;
    if (!is_key(kind)) return refuse_kind(kind, "private keys", reason);
    if (strcmp(kind, PEM_STRING_PKCS8) == 0 || strstr(header, "ENCRYPTED") != NULL) {
        ct_write_text(reason, CT_TEXT, "is encrypted, and nobody is there to type a passphrase", NULL);
        return 0;
    }
    if (++*count > 1) ct_write_text(reason, CT_TEXT, "holds more than one private key", NULL);
    return *count == 1;
}

static int no_passphrase(char *buffer, int size, int is_writing, void *context) {
    (void)buffer, (void)size, (void)is_writing, (void)context;
    return -1;
}

int ct_context_use_key(ct_context *context, const uint8_t *pem, size_t length, char *reason) {
    int count = 0, ok = 0;
    if (!each_block(pem, length, reason, take_key_kind, &count)) return 0;
    if (count == 0) {
        ct_write_reason(reason, "holds no private key in PEM");
        return 0;
    }
    BIO *bio = BIO_new_mem_buf(pem, (int)length);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    X509 *leaf = SSL_CTX_get0_certificate(context->ssl);
    if (key == NULL) {
        ct_write_reason(reason, "is no usable private key");
    } else if (leaf == NULL || X509_check_private_key(leaf, key) != 1) {
        ERR_clear_error();
        ct_write_reason(reason, "is not the key of the certificate");
    } else if (SSL_CTX_use_PrivateKey(context->ssl, key) != 1) {
        ct_write_reason(reason, "cannot be used");
    } else {
        ok = 1;
    }
    EVP_PKEY_free(key);
    BIO_free(bio);
    ERR_clear_error();
    return ok;
}

// --- Authorities

struct authorities {
    X509_STORE *store;
    STACK_OF(X509_NAME) *names;
    size_t names_length;
    int count;
};

// Bytes of all names that a CertificateRequest has room for, about. A client that gets none tries any certificate.
enum { NAMES_MAX = 48 * 1024 };

static int add_name(struct authorities *all, const X509_NAME *name) {
    for (int at = 0; at < sk_X509_NAME_num(all->names); at++) {
        if (X509_NAME_cmp(sk_X509_NAME_value(all->names, at), name) == 0) return 1;
    }
    int length = i2d_X509_NAME(name, NULL);
    if (length <= 0) return 0;
    all->names_length += (size_t)length + 2;
    if (all->names_length > NAMES_MAX) return 1;
    X509_NAME *copy = X509_NAME_dup(name);
    if (copy != NULL && sk_X509_NAME_push(all->names, copy) > 0) return 1;
    X509_NAME_free(copy);
    return 0;
}

static int take_authority(void *state, const char *kind, const char *header, const uint8_t *der, long length,
                          char *reason) {
    struct authorities *all = state;
    (void)header;
    if (!is_certificate(kind)) return refuse_kind(kind, "certificates of authorities", reason);
    X509 *certificate = certificate_of(der, length, reason);
    if (certificate == NULL) return 0;
    // A duplicate is no error to OpenSSL 3.
    int ok = X509_STORE_add_cert(all->store, certificate) == 1 && add_name(all, X509_get_subject_name(certificate));
    X509_free(certificate);
    all->count++;
    if (!ok) ct_write_reason(reason, "has a certificate that cannot be used");
    return ok;
}

int ct_context_add_authorities(ct_context *context, const uint8_t *pem, size_t length, char *reason) {
    struct authorities all = {SSL_CTX_get_cert_store(context->ssl), sk_X509_NAME_new_null(), 0, 0};
    int ok = all.store != NULL && all.names != NULL;
    if (!ok) ct_write_reason(reason, "cannot be read");
    ok = ok && each_block(pem, length, reason, take_authority, &all);
    if (ok && all.count == 0) {
        ct_write_reason(reason, "holds no certificate in PEM");
        ok = 0;
    }
    if (ok && context->is_server && all.names_length <= NAMES_MAX) {
        SSL_CTX_set_client_CA_list(context->ssl, all.names);
    } else {
        sk_X509_NAME_pop_free(all.names, X509_NAME_free);
    }
    return ok;
}

// --- Revocation lists

struct revocations {
    X509_STORE *store;
    int count;
};

static int take_revocation(void *state, const char *kind, const char *header, const uint8_t *der, long length,
                           char *reason) {
    struct revocations *all = state;
    (void)header;
    if (strcmp(kind, PEM_STRING_X509_CRL) != 0) return refuse_kind(kind, "revocation lists", reason);
    const unsigned char *at = der;
    X509_CRL *list = d2i_X509_CRL(NULL, &at, length);
    if (list == NULL) {
        ct_write_reason(reason, "has a block that is no revocation list");
        return 0;
    }
    int ok = X509_STORE_add_crl(all->store, list);
    X509_CRL_free(list);
    all->count++;
    if (ok != 1) ct_write_reason(reason, "has a revocation list that cannot be used");
    return ok == 1;
}

int ct_context_add_revocations(ct_context *context, const uint8_t *pem, size_t length, char *reason) {
    struct revocations all = {SSL_CTX_get_cert_store(context->ssl), 0};
    if (!each_block(pem, length, reason, take_revocation, &all)) return 0;
    if (all.count == 0) {
        ct_write_reason(reason, "holds no revocation list in PEM");
        return 0;
    }
    X509_STORE_set_flags(all.store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return 1;
}
