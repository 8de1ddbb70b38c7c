import CLDAP
import Sessions

/// What a rule `ldap` says, checked: which servers, and how a user is found there. Immutable. The options and what they
/// exclude are PostgreSQL's.
struct LDAPPlan: Sendable {
    enum Mode: Sendable {
        /// The user's own name makes the distinguished name.
        case simple(prefix: String, suffix: String)
        /// The user's entry is searched for.
        case search(LDAPSearch)
    }

    let servers: LDAPServers
    let startsTLS: Bool
    let mode: Mode

    private static let searchOptions = [
        "ldapbasedn", "ldapbinddn", "ldapbindpasswd", "ldapsearchattribute", "ldapsearchfilter", Parts.nameOption,
    ]

    init(_ options: MethodOptions) throws(AuthConfigurationError) {
        try options.allowOnly(
            "ldapserver", "ldapport", "ldapscheme", "ldaptls", "ldapprefix", "ldapsuffix", "ldapbasedn", "ldapbinddn",
            "ldapbindpasswd", "ldapsearchattribute", "ldapsearchfilter", "ldapurl", Parts.nameOption
        )
        var parts = Parts()
        // In the order of the rule: what comes later wins over what a URL has said.
        for (name, value) in options.entries { try parts.take(name, value, method: options.method) }
        self.servers = try parts.servers(method: options.method)
        self.startsTLS = try options.flag("ldaptls") ?? false
        if self.startsTLS, parts.scheme == "ldaps" {
            throw .invalidOption(method: options.method, name: "ldaptls", reason: "ldaps is TLS already")
        }
        if parts.prefix != nil || parts.suffix != nil {
            let other = options.entries.first { name, _ in
                Self.searchOptions.contains(name) || (name == "ldapurl" && parts.saysHowToSearch)
            }
            if let other {
                let name = parts.prefix != nil ? "ldapprefix" : "ldapsuffix"
                throw .invalidOption(method: options.method, name: other.name, reason: "cannot stand beside \(name)")
            }
            self.mode = .simple(prefix: parts.prefix ?? "", suffix: parts.suffix ?? "")
        } else {
            self.mode = .search(try parts.search(method: options.method))
        }
    }

    /// The options one by one, as `parse_hba_auth_opt` in hba.c reads them.
    private struct Parts {
        var scheme = "ldap"
        var server: String?
        var port: Int?
        var prefix: String?
        var suffix: String?
        var base: String?
        var bindName: String?
        var bindPassword: String?
        var attribute: String?
        var filter: String?
        var scope = LDAPScope.subtree
        var nameAttribute: String?

        /// Not in PostgreSQL.
        static let nameOption = "ldap_name_attribute"
        /// Its value for no comparison.
        private static let noAttribute = "none"

        /// Whether there is more than servers: a URL may name these alone.
        var saysHowToSearch: Bool { self.base?.isEmpty == false || self.attribute != nil || self.filter != nil }

        mutating func take(_ name: String, _ value: String, method: String) throws(AuthConfigurationError) {
            switch name {
            case "ldapserver": self.server = value
            case "ldapport":
                guard let port = Int(value), (1...65_535).contains(port) else {
                    throw .invalidOption(method: method, name: name, reason: "not a port number")
                }
                self.port = port
            case "ldapscheme": try self.take(scheme: value, option: name, method: method)
            case "ldapprefix": self.prefix = value
            case "ldapsuffix": self.suffix = value
            case "ldapbasedn": self.base = value
            case "ldapbinddn": self.bindName = value
            case "ldapbindpasswd": self.bindPassword = value
            case "ldapsearchattribute": self.attribute = value
            case "ldapsearchfilter": self.filter = value
            case "ldapurl": try self.take(url: value, method: method)
            case Self.nameOption: self.nameAttribute = value
            default: break
            }
        }

        private mutating func take(scheme: String, option: String, method: String) throws(AuthConfigurationError) {
            guard scheme == "ldap" || scheme == "ldaps" else {
                throw .invalidOption(method: method, name: option, reason: "the scheme is neither ldap nor ldaps")
            }
            self.scheme = scheme
        }

        private mutating func take(url: String, method: String) throws(AuthConfigurationError) {
            guard let parsed = LDAPURL(url) else {
                throw .invalidOption(method: method, name: "ldapurl", reason: "not an LDAP URL")
            }
            try self.take(scheme: parsed.scheme, option: "ldapurl", method: method)
            self.server = parsed.host ?? self.server
            self.port = parsed.port
            self.base = parsed.base ?? self.base
            self.attribute = parsed.attribute ?? self.attribute
            self.scope = parsed.scope
            self.filter = parsed.filter ?? self.filter
        }

        func servers(method: String) throws(AuthConfigurationError) -> LDAPServers {
            let hosts = (self.server ?? "").split(separator: " ")
            guard !hosts.isEmpty else {
                guard self.server == nil, let domain = self.base.flatMap({ LDAPServers.domain(ofName: $0) }) else {
                    throw .missingOption(method: method, name: "ldapserver")
                }
                return .domain(domain, scheme: self.scheme)
            }
            let port = self.port ?? (self.scheme == "ldaps" ? Int(LDAPS_PORT) : Int(LDAP_PORT))
            for host in hosts where !LDAPServers.isHost(host) {
                throw .invalidOption(method: method, name: "ldapserver", reason: "not a list of host names")
            }
            return .named(hosts.map { "\(self.scheme)://\($0):\(port)" }.joined(separator: " "))
        }

        /// Directories ignore case and more; the gateway does not.
        private func comparedAttribute(method: String) throws(AuthConfigurationError) -> String? {
            guard let name = self.nameAttribute else {
                return self.filter == nil ? self.attribute ?? LDAPSearch.attributeDefault : nil
            }
            guard LDAPSearch.isAttribute(name) else {
                throw .invalidOption(method: method, name: Self.nameOption, reason: "not the name of an attribute")
            }
            return name == Self.noAttribute ? nil : name
        }

        func search(method: String) throws(AuthConfigurationError) -> LDAPSearch {
            guard let base = self.base else {
                let reason = "one of ldapbasedn, ldapprefix and ldapsuffix has to be given"
                throw .invalidOption(method: method, name: "ldapbasedn", reason: reason)
            }
            if self.attribute != nil, self.filter != nil {
                let reason = "cannot stand beside ldapsearchattribute"
                throw .invalidOption(method: method, name: "ldapsearchfilter", reason: reason)
            }
            if let attribute = self.attribute, !LDAPSearch.isAttribute(attribute) {
                let reason = "not the name of an attribute"
                throw .invalidOption(method: method, name: "ldapsearchattribute", reason: reason)
            }
            let template = self.filter ?? "(\(self.attribute ?? LDAPSearch.attributeDefault)=\(LDAPSearch.placeholder))"
            guard template.contains(LDAPSearch.placeholder) else {
                let reason = "without \(LDAPSearch.placeholder) every user would be the same entry"
                throw .invalidOption(method: method, name: "ldapsearchfilter", reason: reason)
            }
            return LDAPSearch(
                base: base,
                scope: self.scope,
                template: template,
                nameAttribute: try self.comparedAttribute(method: method),
                bindName: self.bindName ?? "",
                bindPassword: SecretBytes(self.bindPassword ?? "")
            )
        }
    }
}
