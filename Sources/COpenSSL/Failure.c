// From OpenSSL's error queue to one reason and one line of text.
#include "internal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

void ct_write_text(char *text, size_t size, const char *first, const char *second) {
    snprintf(text, size, second == NULL ? "%s" : "%s: %s", first, second);
    for (char *at = text; *at != 0; at++) {
        if (*at < 0x20 || *at > 0x7e) *at = '?';
    }
}

static const char *words_of(unsigned long error) {
    return error == 0 ? NULL : ERR_reason_error_string(error);
}

void ct_write_reason(char *reason, const char *what) {
    // The first error is the cause, those behind it say who was disappointed.
    ct_write_text(reason, CT_TEXT, what, words_of(ERR_peek_error()));
    ERR_clear_error();
}

int ct_fail(ct_session *session, int reason, const char *text) {
    ERR_clear_error();
    if (session->reason == CT_NONE) {
        session->reason = (uint8_t)reason;
        session->text = OPENSSL_strdup(text);
    }
    return CT_FAILED;
}

static int reason_of_verification(long result) {
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return CT_CERTIFICATE_EXPIRED;
    case X509_V_ERR_CERT_REVOKED:
        return CT_CERTIFICATE_REVOKED;
    case X509_V_ERR_HOSTNAME_MISMATCH: case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return CT_HOST_MISMATCH;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT: case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: case X509_V_ERR_CERT_UNTRUSTED:
        return CT_CERTIFICATE_UNKNOWN_AUTHORITY;
    default:
        return CT_CERTIFICATE_INVALID;
    }
}

// CT_NONE for what says nothing by itself.
static int reason_of_error(unsigned long error) {
    int reason = ERR_GET_REASON(error);
    if (reason == ERR_R_MALLOC_FAILURE) return CT_INTERNAL;
    if (ERR_GET_LIB(error) != ERR_LIB_SSL) return CT_NONE;
    if (reason > SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + 255) return CT_PEER_ALERT;
    switch (reason) {
    case SSL_R_NO_SHARED_CIPHER: case SSL_R_NO_SHARED_GROUPS: case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE: case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS: case SSL_R_NO_CIPHERS_AVAILABLE:
        return CT_NO_SHARED_CIPHER;
    case SSL_R_UNSUPPORTED_PROTOCOL: case SSL_R_UNSUPPORTED_SSL_VERSION: case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW: case SSL_R_VERSION_TOO_HIGH: case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_INAPPROPRIATE_FALLBACK:
        return CT_UNSUPPORTED_VERSION;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return CT_CERTIFICATE_REQUIRED;
    case SSL_R_CERTIFICATE_VERIFY_FAILED: case SSL_R_EE_KEY_TOO_SMALL: case SSL_R_CA_KEY_TOO_SMALL:
    case SSL_R_CA_MD_TOO_WEAK: case SSL_R_WRONG_CERTIFICATE_TYPE: case SSL_R_UNKNOWN_CERTIFICATE_TYPE:
        return CT_CERTIFICATE_INVALID;
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return CT_NO_APPLICATION_PROTOCOL;
    case ERR_R_INTERNAL_ERROR:
        return CT_INTERNAL;
    default:
        return CT_PROTOCOL_ERROR;
    }
}

int ct_fail_by_queue(ct_session *session, int ssl_error) {
    if (ssl_error == SSL_ERROR_ZERO_RETURN) return ct_fail(session, CT_CLOSED, "the peer closed the connection");
    unsigned long chosen = 0, error;
    int reason = CT_NONE;
    while ((error = ERR_get_error()) != 0) {
        int found = reason_of_error(error);
        if (chosen == 0 || (reason == CT_NONE && found != CT_NONE)) {
            chosen = error;
            reason = found;
        }
    }
    if (chosen == 0) return ct_fail(session, CT_INTERNAL, "no room for the bytes to send");
    char text[CT_TEXT];
    const char *words = words_of(chosen);
    ct_write_text(text, sizeof text, words == NULL ? "TLS failure without a reason" : words, NULL);
    if (reason == CT_NONE) reason = CT_PROTOCOL_ERROR;
    if (reason == CT_PEER_ALERT) ct_write_text(text, sizeof text, "the peer sent an alert", words);
    long result = SSL_get_verify_result(session->ssl);
    if (ERR_GET_LIB(chosen) == ERR_LIB_SSL && ERR_GET_REASON(chosen) == SSL_R_CERTIFICATE_VERIFY_FAILED
        && result != X509_V_OK) {
        reason = reason_of_verification(result);
        const char *fault = session->objection;
        if (fault == NULL) fault = X509_verify_cert_error_string(result);
        ct_write_text(text, sizeof text, "certificate verify failed", fault);
    }
    return ct_fail(session, reason, text);
}
