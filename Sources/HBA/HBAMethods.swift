/// The words the method column may hold.
struct HBAMethods: Sendable {
    /// `reject` is always among them.
    let words: Set<String>
    /// Those that take the option `map` beside PostgreSQL's.
    private let withMap: Set<String>

    /// PostgreSQL's methods: a gateway without one of them says so instead of calling it a mistake.
    static let ofPostgreSQL: Set<String> = [
        "bsd", "cert", "gss", "ident", "ldap", "md5", "oauth", "pam", "password", "peer", "radius", "reject",
        "scram-sha-256", "sspi", "trust",
    ]

    init(_ words: Set<String>, withMap: Set<String>) {
        self.words = words.union([HBARule.rejectMethod])
        self.withMap = withMap
    }

    func takesMap(_ method: String) -> Bool {
        ["ident", "peer", "gss", "sspi", "cert"].contains(method) || self.withMap.contains(method)
    }
}
