// What is asked of a peer's certificate beyond its chain.
#include "internal.h"

#include <openssl/x509_vfy.h>

// NULL, or what is wrong with the names of a client's certificate: whom it is for has to be beyond doubt.
static const char *objection_to(X509 *certificate) {
    char name[CT_NAME];
    const X509_NAME *subject = X509_get_subject_name(certificate);
    if (ct_common_name(certificate, name) == 0) return "its common name has a NUL, is no UTF-8, or is too long";
    if (X509_NAME_entry_count(subject) > 0 && ct_name_text(subject, name) == 0) return "its subject is too long";
    return NULL;
}

// Called by OpenSSL for every certificate of a chain that holds, the peer's own last, and for every error.
int ct_verify(int is_ok, X509_STORE_CTX *store) {
    if (!is_ok || X509_STORE_CTX_get_error_depth(store) != 0) return is_ok;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    ct_session *session = ssl == NULL ? NULL : SSL_get_app_data(ssl);
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    int result = X509_V_OK;
    if (session == NULL || certificate == NULL) {
        result = X509_V_ERR_UNSPECIFIED;
    } else if (session->is_server) {
        session->objection = objection_to(certificate);
        if (session->objection != NULL) result = X509_V_ERR_APPLICATION_VERIFICATION;
    } else if (session->host != NULL) {
        result = ct_check_host(certificate, session->host);
        if (result == X509_V_ERR_APPLICATION_VERIFICATION) session->objection = "a name of it has a NUL";
    }
    if (result == X509_V_OK) return 1;
    X509_STORE_CTX_set_error(store, result);
    return 0;
}
