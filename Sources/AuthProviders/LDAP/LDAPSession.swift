import CLDAP
import Glibc
import Sessions

/// One connection to a directory, for one login. Blocks; belongs to one thread.
@safe struct LDAPSession: ~Copyable {
    enum Verdict: Sendable {
        case admitted
        case refused(AuthFailure.Reason, String)
        /// Not the client's fault.
        case unavailable(String)
    }

    /// For each server to accept a connection, and for each answer.
    private static let timeoutSeconds = 10
    private let handle: OpaquePointer
    private let watch = LDAPWatch()

    /// Checks a password by a bind in the user's name.
    static func verdict(on user: String, password: SecretBytes, plan: LDAPPlan) -> Verdict {
        do throws(LDAPProblem) {
            let name: String
            switch plan.mode {
            case .simple(let prefix, let suffix):
                name = Self.name(of: user, prefix: prefix, suffix: suffix)
            case .search(let search):
                guard LDAPSearch.isSearchable(user) else {
                    let shown = ExternalPassword.excerpt(user)
                    return .refused(.userUnknown, "invalid character in user name \"\(shown)\"")
                }
                let searcher = try Self.open(plan)
                switch try searcher.find(user, by: search) {
                case .found(let found): name = found
                case .refused(let text): return .refused(.userUnknown, text)
                }
            }
            // A connection of its own: the rights of the searcher end with the search.
            return try Self.open(plan).check(name, password)
        } catch {
            return .unavailable(error.text)
        }
    }

    /// Where the prefix ends like an attribute of a distinguished name, the user is its value and no more.
    static func name(of user: String, prefix: String, suffix: String) -> String {
        prefix + (prefix.hasSuffix("=") ? LDAPText.escapedForName(user) : user) + suffix
    }

    private static func open(_ plan: LDAPPlan) throws(LDAPProblem) -> LDAPSession {
        var made: OpaquePointer?
        let result = unsafe ldap_initialize(&made, try plan.servers.uris())
        guard result == LDAP_SUCCESS, let made = unsafe made else {
            throw LDAPProblem("could not initialize LDAP", result)
        }
        let session = unsafe LDAPSession(handle: made)
        try session.configure(startsTLS: plan.startsTLS)
        return session
    }

    private init(handle: OpaquePointer) { unsafe self.handle = unsafe handle }

    deinit {
        // libldap tells the watch of each socket that it closes.
        withExtendedLifetime(self.watch) { _ = unsafe ldap_unbind_ext_s(self.handle, nil, nil) }
    }

    private func configure(startsTLS: Bool) throws(LDAPProblem) {
        var version = LDAP_VERSION3
        var timeout = timeval(tv_sec: Self.timeoutSeconds, tv_usec: 0)
        var result = unsafe ldap_set_option(self.handle, LDAP_OPT_PROTOCOL_VERSION, &version)
        if result == LDAP_SUCCESS { result = unsafe ldap_set_option(self.handle, LDAP_OPT_NETWORK_TIMEOUT, &timeout) }
        if result == LDAP_SUCCESS { result = unsafe ldap_set_option(self.handle, LDAP_OPT_TIMEOUT, &timeout) }
        if result == LDAP_SUCCESS { result = unsafe self.watch.attach(to: self.handle) }
        // What is left of the timeout for the network when the watch takes it away: to connect to the next server.
        var milliseconds = UInt32(Self.timeoutSeconds * 1000)
        _ = unsafe ldap_set_option(self.handle, LDAP_OPT_TCP_USER_TIMEOUT, &milliseconds)
        guard result == LDAP_SUCCESS else { throw LDAPProblem("could not set LDAP options", result) }
        guard startsTLS else { return }
        let started = self.watch.during { unsafe ldap_start_tls_s(self.handle, nil, nil) }
        guard started == LDAP_SUCCESS else { throw self.problem("could not start LDAP TLS session", started) }
    }

    // MARK: Bind

    private func bind(_ name: String, _ password: SecretBytes) -> Int32 {
        unsafe password.lend { bytes in
            let start = unsafe UnsafeMutableRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self)
            var credential = unsafe berval(bv_len: ber_len_t(bytes.count), bv_val: start)
            return self.watch.during { unsafe ldap_sasl_bind_s(self.handle, name, nil, &credential, nil, nil, nil) }
        }
    }

    private func check(_ name: String, _ password: SecretBytes) throws(LDAPProblem) -> Verdict {
        let result = self.bind(name, password)
        if result == LDAP_SUCCESS { return .admitted }
        let problem = self.problem("bind as \"\(ExternalPassword.excerpt(name))\"", result)
        // What a directory says of a user or a password; everything else is trouble of its own.
        let refusals = [
            LDAP_INVALID_CREDENTIALS, LDAP_INAPPROPRIATE_AUTH, LDAP_NO_SUCH_OBJECT, LDAP_INVALID_DN_SYNTAX,
            LDAP_INVALID_SYNTAX, LDAP_NAMING_VIOLATION, LDAP_CONSTRAINT_VIOLATION, LDAP_INSUFFICIENT_ACCESS,
            LDAP_UNWILLING_TO_PERFORM,
        ]
        guard refusals.contains(result) else { throw problem }
        return .refused(.passwordWrong, problem.text)
    }

    // MARK: Search

    private enum Finding {
        /// The distinguished name.
        case found(String)
        case refused(String)
    }

    private func find(_ user: String, by search: LDAPSearch) throws(LDAPProblem) -> Finding {
        let bound = self.bind(search.bindName, search.bindPassword)
        guard bound == LDAP_SUCCESS else {
            throw self.problem("initial bind as \"\(ExternalPassword.excerpt(search.bindName))\"", bound)
        }
        let scope =
            switch search.scope {
            case .base: LDAP_SCOPE_BASE
            case .oneLevel: LDAP_SCOPE_ONELEVEL
            case .subtree: LDAP_SCOPE_SUBTREE
            }
        let filter = search.filter(for: user)
        var answer: OpaquePointer?
        // No attributes but the name; two entries are enough to know that it is not unique.
        let result = unsafe (search.nameAttribute ?? LDAP_NO_ATTRS).withCString { wanted in
            var attributes: [UnsafeMutablePointer<CChar>?] = unsafe [UnsafeMutablePointer(mutating: wanted), nil]
            return self.watch.during {
                unsafe ldap_search_ext_s(
                    self.handle, search.base, scope, filter, &attributes, 0, nil, nil, nil, 2, &answer)
            }
        }
        defer { _ = unsafe ldap_msgfree(answer) }
        let shown = ExternalPassword.excerpt(filter)
        guard result == LDAP_SUCCESS || result == LDAP_SIZELIMIT_EXCEEDED else {
            throw self.problem("search for \"\(shown)\" below \"\(search.base)\"", result)
        }
        let count = unsafe ldap_count_entries(self.handle, answer)
        guard result == LDAP_SUCCESS, count < 2 else { return .refused("\"\(shown)\" is not unique") }
        guard count == 1, let entry = unsafe ldap_first_entry(self.handle, answer),
            let name = unsafe ldap_get_dn(self.handle, entry)
        else { return .refused("no entry for \"\(shown)\" below \"\(search.base)\"") }
        defer { unsafe ldap_memfree(name) }
        if let attribute = search.nameAttribute, unsafe !self.holds(user, in: attribute, of: entry) {
            let lack = "has no \(attribute) that can be read and is the name byte for byte"
            return .refused("the entry for \"\(shown)\" \(lack)")
        }
        let found = unsafe String(cString: name)
        // A bind without a name succeeds with any password.
        return found.isEmpty ? .refused("the entry for \"\(shown)\" has no name") : .found(found)
    }

    /// Whether one of the attribute's values is the text, byte for byte.
    private func holds(_ text: String, in attribute: String, of entry: OpaquePointer) -> Bool {
        guard let values = unsafe ldap_get_values_len(self.handle, entry, attribute) else { return false }
        defer { unsafe ldap_value_free_len(values) }
        var next = unsafe values
        while let value = unsafe next.pointee {
            let bytes = unsafe UnsafeRawBufferPointer(start: value.pointee.bv_val, count: Int(value.pointee.bv_len))
            if unsafe bytes.elementsEqual(text.utf8) { return true }
            unsafe next += 1
        }
        return false
    }

    // MARK: Texts

    /// An error with what the server had to say about it.
    private func problem(_ what: String, _ result: Int32) -> LDAPProblem {
        var text: UnsafeMutablePointer<CChar>?
        let known = unsafe ldap_get_option(self.handle, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text)
        guard known == LDAP_OPT_SUCCESS, let said = unsafe text else { return LDAPProblem(what, result) }
        defer { unsafe ldap_memfree(said) }
        let detail = ExternalPassword.excerpt(unsafe String(cString: said))
        return LDAPProblem(what, result, detail: detail)
    }
}

/// Why a directory is of no use now.
struct LDAPProblem: Error {
    let text: String

    init(_ what: String, _ result: Int32, detail: String = "") {
        let reason = unsafe ldap_err2string(result).map { unsafe String(cString: $0) } ?? "error \(result)"
        self.text = "\(what): \(reason)" + (detail.isEmpty ? "" : " (\(detail))")
    }
}
