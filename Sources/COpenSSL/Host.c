// Whether a server's certificate is for the host that was meant, by the rules of libpq (sslmode=verify-full).
#include "internal.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>

enum { ADDRESS_MAX = 16 };

// Bytes of an IPv4 or IPv6 address, 0 for anything else. A zone (fe80::1%eth0) is no part of the address.
static size_t address_of(const char *host, uint8_t address[ADDRESS_MAX]) {
    char text[64];
    size_t length = strcspn(host, "%");
    if (length == 0 || length >= sizeof text) return 0;
    memcpy(text, host, length);
    text[length] = 0;
    ASN1_OCTET_STRING *octets = a2i_IPADDRESS(text);
    int count = octets == NULL ? 0 : ASN1_STRING_length(octets);
    if (count > 0 && count <= ADDRESS_MAX) memcpy(address, ASN1_STRING_get0_data(octets), (size_t)count);
    ASN1_OCTET_STRING_free(octets);
    ERR_clear_error();
    return count > 0 && count <= ADDRESS_MAX ? (size_t)count : 0;
}

int ct_is_address(const char *host) {
    uint8_t address[ADDRESS_MAX];
    return address_of(host, address) > 0;
}

// `*.rest` stands for one label, and for no part of an address.
static int name_matches(const char *pattern, size_t length, const char *host, int is_address) {
    size_t host_length = strlen(host);
    if (length == host_length && strncasecmp(pattern, host, length) == 0) return 1;
    if (is_address || length < 3 || pattern[0] != '*' || pattern[1] != '.' || length > host_length) return 0;
    const char *rest = host + (host_length - (length - 1));
    return rest > host && strncasecmp(pattern + 1, rest, length - 1) == 0
           && memchr(host, '.', (size_t)(rest - host)) == NULL;
}

// 1: is for the host, 0: is not, -1: has a NUL within (CVE-2009-4034).
static int string_matches(const ASN1_STRING *string, const char *host, int is_address) {
    const unsigned char *data = string == NULL ? NULL : ASN1_STRING_get0_data(string);
    int length = string == NULL ? 0 : ASN1_STRING_length(string);
    if (data == NULL || length <= 0) return 0;
    if (memchr(data, 0, (size_t)length) != NULL) return -1;
    return name_matches((const char *)data, (size_t)length, host, is_address);
}

static int common_name_matches(X509 *certificate, const char *host, int is_address) {
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (index < 0) return 0;
    return string_matches(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)), host, is_address);
}

// The common name counts only where the certificate has no alternative name of the host's kind.
int ct_check_host(X509 *certificate, const char *host) {
    uint8_t address[ADDRESS_MAX];
    size_t address_length = address_of(host, address);
    int is_address = address_length > 0;
    int matches = 0, is_common_name_used = 1;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int at = 0; matches == 0 && at < sk_GENERAL_NAME_num(names); at++) {
        int kind = 0;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, at), &kind);
        if (kind == (is_address ? GEN_IPADD : GEN_DNS)) is_common_name_used = 0;
        if (kind == GEN_DNS) {
            matches = string_matches(value, host, is_address);
        } else if (kind == GEN_IPADD && is_address) {
            matches = (size_t)ASN1_STRING_length(value) == address_length
                      && memcmp(ASN1_STRING_get0_data(value), address, address_length) == 0;
        }
    }
    GENERAL_NAMES_free(names);
    if (matches == 0 && is_common_name_used) matches = common_name_matches(certificate, host, is_address);
    ERR_clear_error();
    if (matches < 0) return X509_V_ERR_APPLICATION_VERIFICATION;
    if (matches > 0) return X509_V_OK;
    return is_address ? X509_V_ERR_IP_ADDRESS_MISMATCH : X509_V_ERR_HOSTNAME_MISMATCH;
}
