// What is read out of certificates: names, serial numbers, the hash for channel binding.
#include "internal.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

// RFC 5929, section 4.1: the hash of the certificate's signature, SHA-256 in place of MD5 and SHA-1. As PostgreSQL
// does, there is none where the signature has no digest of its own (Ed25519).
size_t ct_endpoint_hash(X509 *certificate, uint8_t hash[CT_HASH]) {
    int digest_id = NID_undef;
    unsigned int length = 0;
    if (certificate == NULL) return 0;
    if (X509_get_signature_info(certificate, &digest_id, NULL, NULL, NULL) != 1) digest_id = NID_undef;
    if (digest_id == NID_md5 || digest_id == NID_sha1) digest_id = NID_sha256;
    const EVP_MD *digest = digest_id == NID_undef ? NULL : EVP_get_digestbynid(digest_id);
    if (digest == NULL || EVP_MD_get_size(digest) > CT_HASH || X509_digest(certificate, digest, hash, &length) != 1) {
        length = 0;
    }
    ERR_clear_error();
    return length;
}

size_t ct_name_text(const X509_NAME *name, char text[CT_NAME]) {
    size_t length = 0;
    BIO *bio = name == NULL ? NULL : BIO_new(BIO_s_mem());
    if (bio == NULL) return 0;
    char *data = NULL;
    if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) {
        long count = BIO_get_mem_data(bio, &data);
        if (count > 0 && count < CT_NAME && memchr(data, 0, (size_t)count) == NULL) {
            length = (size_t)count;
            memcpy(text, data, length);
        }
    }
    text[length] = 0;
    BIO_free(bio);
    ERR_clear_error();
    return length;
}

static int is_utf8(const unsigned char *text, size_t length) {
    while (length > 0) {
        unsigned long scalar = 0;
        int count = UTF8_getc(text, length > 4 ? 4 : (int)length, &scalar);
        if (count <= 0 || (scalar >= 0xd800 && scalar <= 0xdfff) || scalar > 0x10ffff) return 0;
        text += count;
        length -= (size_t)count;
    }
    return 1;
}

int ct_common_name(X509 *certificate, char name[CT_NAME]) {
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    name[0] = 0;
    if (index < 0) return -1;
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index));
    int length = value == NULL ? 0 : ASN1_STRING_length(value);
    const unsigned char *data = value == NULL ? NULL : ASN1_STRING_get0_data(value);
    if (data == NULL || length <= 0) return -1;
    if (length >= CT_NAME || memchr(data, 0, (size_t)length) != NULL || !is_utf8(data, (size_t)length)) return 0;
    memcpy(name, data, (size_t)length);
    name[length] = 0;
    return 1;
}

static size_t serial_text(X509 *certificate, char text[CT_NAME]) {
    size_t length = 0;
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    char *decimal = number == NULL ? NULL : BN_bn2dec(number);
    if (decimal != NULL && strlen(decimal) < CT_NAME) {
        length = strlen(decimal);
        memcpy(text, decimal, length);
    }
    text[length] = 0;
    OPENSSL_free(decimal);
    BN_free(number);
    return length;
}

int ct_has_verified_peer(const ct_session *session) {
    return session->is_established && SSL_get_verify_mode(session->ssl) != SSL_VERIFY_NONE
           && SSL_get0_peer_certificate(session->ssl) != NULL && SSL_get_verify_result(session->ssl) == X509_V_OK;
}

size_t ct_peer_name(const ct_session *session, int which, char name[CT_NAME]) {
    name[0] = 0;
    X509 *certificate = ct_has_verified_peer(session) ? SSL_get0_peer_certificate(session->ssl) : NULL;
    if (certificate == NULL) return 0;
    switch (which) {
    case CT_COMMON_NAME: return ct_common_name(certificate, name) == 1 ? strlen(name) : 0;
    case CT_SUBJECT: return ct_name_text(X509_get_subject_name(certificate), name);
    case CT_ISSUER: return ct_name_text(X509_get_issuer_name(certificate), name);
    case CT_SERIAL: return serial_text(certificate, name);
    default: return 0;
    }
}

size_t ct_session_binding(const ct_session *session, uint8_t hash[CT_HASH]) {
    if (!session->is_established) return 0;
    X509 *certificate =
        session->is_server ? SSL_get_certificate(session->ssl) : SSL_get0_peer_certificate(session->ssl);
    return ct_endpoint_hash(certificate, hash);
}

size_t ct_context_binding(const ct_context *context, uint8_t hash[CT_HASH]) {
    return ct_endpoint_hash(SSL_CTX_get0_certificate(context->ssl), hash);
}

size_t ct_context_subject(const ct_context *context, char name[CT_NAME]) {
    X509 *certificate = SSL_CTX_get0_certificate(context->ssl);
    name[0] = 0;
    return certificate == NULL ? 0 : ct_name_text(X509_get_subject_name(certificate), name);
}

static int seconds_of(const ASN1_TIME *time, int64_t *seconds) {
    int days = 0, rest = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int ok = epoch != NULL && time != NULL && ASN1_TIME_diff(&days, &rest, epoch, time) == 1;
    ASN1_TIME_free(epoch);
    if (ok) *seconds = (int64_t)days * 86400 + rest;
    return ok;
}

int ct_context_validity(const ct_context *context, int64_t *not_before, int64_t *not_after) {
    X509 *certificate = SSL_CTX_get0_certificate(context->ssl);
    int ok = certificate != NULL && seconds_of(X509_get0_notBefore(certificate), not_before)
             && seconds_of(X509_get0_notAfter(certificate), not_after);
    ERR_clear_error();
    return ok;
}
