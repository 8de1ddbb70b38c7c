import CLDAP

/// An LDAP URL (RFC 4516) as libldap reads it: `ldap://host:port/base?attribute?scope?filter`.
struct LDAPURL: Sendable {
    let scheme: String
    let host: String?
    let port: Int?
    let base: String?
    /// The first of the attributes.
    let attribute: String?
    let scope: LDAPScope
    let filter: String?

    init?(_ text: String) {
        var parsed: UnsafeMutablePointer<LDAPURLDesc>?
        guard unsafe ldap_url_parse(text, &parsed) == LDAP_URL_SUCCESS, let url = unsafe parsed else { return nil }
        defer { unsafe ldap_free_urldesc(url) }
        let fields = unsafe url.pointee
        self.scheme = unsafe Self.text(fields.lud_scheme) ?? ""
        self.host = unsafe Self.text(fields.lud_host).flatMap { $0.isEmpty ? nil : $0 }
        let port = unsafe Int(fields.lud_port)
        self.port = port > 0 ? port : nil
        self.base = unsafe Self.text(fields.lud_dn)
        self.attribute = unsafe fields.lud_attrs.flatMap { unsafe Self.text($0.pointee) }
        self.filter = unsafe Self.text(fields.lud_filter)
        switch unsafe fields.lud_scope {
        case LDAP_SCOPE_ONELEVEL: self.scope = .oneLevel
        case LDAP_SCOPE_SUBTREE: self.scope = .subtree
        // RFC 4516: a URL without a scope means the entry itself.
        case LDAP_SCOPE_BASE: self.scope = .base
        default: return nil
        }
    }

    private static func text(_ pointer: UnsafeMutablePointer<CChar>?) -> String? {
        unsafe pointer.map { unsafe String(cString: $0) }
    }
}
