import CLDAP

/// Where the directory is: servers that the rule names, or those that DNS names for a domain (RFC 2782), as in
/// PostgreSQL. Immutable.
enum LDAPServers: Sendable, Equatable, CustomStringConvertible {
    /// `scheme://host:port`, separated by blanks; libldap tries them in order.
    case named(String)
    /// The `_ldap._tcp` servers of the domain, asked for at each login.
    case domain(String, scheme: String)

    /// Servers of an answer that are tried.
    private static let foundMax = 16

    /// The domain that the end of a distinguished name stands for: `ou=people,dc=example,dc=org` is `example.org`. nil
    /// when it is none, or does not end so.
    static func domain(ofName name: String) -> String? {
        var found: UnsafeMutablePointer<CChar>?
        guard unsafe ldap_dn2domain(name, &found) == LDAP_SUCCESS, let text = unsafe found else { return nil }
        defer { unsafe ldap_memfree(text) }
        let domain = unsafe String(cString: text)
        return domain.isEmpty ? nil : domain
    }

    /// For libldap. Blocks on DNS.
    func uris() throws(LDAPProblem) -> String {
        guard case .domain(let domain, let scheme) = self else { return self.description }
        var found: UnsafeMutablePointer<CChar>?
        let result = unsafe ldap_domain2hostlist(domain, &found)
        guard result == LDAP_SUCCESS, let text = unsafe found else {
            throw LDAPProblem("could not find DNS SRV records of _ldap._tcp.\(domain)", result)
        }
        defer { unsafe ldap_memfree(text) }
        let uris = Self.uris(unsafe String(cString: text), scheme: scheme)
        guard !uris.isEmpty else {
            throw LDAPProblem("DNS names no server that could be asked for \(domain)", LDAP_SERVER_DOWN)
        }
        return uris
    }

    /// - Parameter hosts: `host:port`, separated by blanks, best first. DNS says what it likes: what is no host is left
    ///   out.
    static func uris(_ hosts: String, scheme: String) -> String {
        let usable = hosts.split(separator: " ").filter { Self.isHost($0) }
        return usable.prefix(Self.foundMax).map { "\(scheme)://\($0)" }.joined(separator: " ")
    }

    /// What may stand between the slashes of a URI, as far as nothing gets out of its place.
    static func isHost(_ text: Substring) -> Bool {
        guard !text.isEmpty, !text.hasPrefix(":") else { return false }
        return !text.utf8.contains { $0 <= 32 || $0 >= 127 || "/?#%\\,".utf8.contains($0) }
    }

    var description: String {
        switch self {
        case .named(let uris): uris
        case .domain(let domain, _): "the servers of \(domain)"
        }
    }
}
