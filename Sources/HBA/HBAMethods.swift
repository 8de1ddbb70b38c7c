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

    /// As rule files of pg_doorman may spell a method, and PostgreSQL does not.
    private static let spellings = ["scram_sha_256": "scram-sha-256", "scramsha256": "scram-sha-256"]

    init(_ words: Set<String>, withMap: Set<String>) {
        self.words = words.union([HBARule.rejectMethod])
        self.withMap = withMap
    }

    /// The method that a word of the column stands for; nil when there is none of that name.
    func method(for word: String) -> String? {
        let method = Self.spellings[word] ?? word
        return self.words.contains(method) ? method : nil
    }

    func takesMap(_ method: String) -> Bool {
        ["ident", "peer", "gss", "sspi", "cert"].contains(method) || self.withMap.contains(method)
    }
}
