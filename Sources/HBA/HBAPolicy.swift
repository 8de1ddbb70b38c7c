/// A whole policy: the rules of a text and of the texts it includes, in order. The first rule that matches decides;
/// without one the client is refused.
///
/// Immutable; a snapshot any thread may ask.
package struct HBAPolicy: Sendable {
    /// The longest text that is read, in bytes.
    package static let maximumTextSize = 1 << 20
    /// The most rules of one policy: a login may have to ask each.
    package static let maximumRules = 100_000
    /// PostgreSQL's own method words, whether the gateway has a provider for them or not.
    package static var methodsOfPostgreSQL: Set<String> { HBAMethods.ofPostgreSQL }

    package let rules: [HBARule]

    /// One of each per rule.
    private let gates: [HBAGate]
    private let matchers: [HBAMatcher]

    init(rules: [HBARule]) {
        self.rules = rules
        self.gates = rules.map { HBAGate($0) }
        self.matchers = rules.map { HBAMatcher($0) }
    }

    /// Reads a policy file and the files it includes.
    ///
    /// - Parameters:
    ///   - path: of the file; rules and errors carry it.
    ///   - methods: the words the method column may hold; `reject` is always among them.
    ///   - mapMethods: methods that take the option `map` beside ident, peer, gss, sspi and cert.
    /// - Throws: everything that is wrong with the files at once; there is no policy then.
    package static func load(
        path: String,
        methods: Set<String>,
        mapMethods: Set<String> = [],
        reader: HBAFileReader
    ) throws(HBAErrors) -> HBAPolicy {
        let methods = HBAMethods(methods, withMap: mapMethods)
        return try Self.read(methods, reader) { walker in walker.walk(path: path) }
    }

    /// Reads a policy text. A text without rules is a policy that refuses everybody.
    ///
    /// - Parameters:
    ///   - text: at most ``maximumTextSize`` bytes; line ends LF or CR LF; a byte order mark is skipped.
    ///   - file: the name that errors and rules carry; included files with relative names are looked for in its folder.
    ///   - methods: the words the method column may hold; `reject` is always among them.
    ///   - mapMethods: methods that take the option `map` beside ident, peer, gss, sspi and cert.
    ///   - reader: without one nothing can be included.
    /// - Throws: everything that is wrong with the text at once; there is no policy then.
    package static func parse(
        text: String,
        file: String,
        methods: Set<String>,
        mapMethods: Set<String> = [],
        reader: HBAFileReader? = nil
    ) throws(HBAErrors) -> HBAPolicy {
        let methods = HBAMethods(methods, withMap: mapMethods)
        return try Self.read(methods, reader) { walker in walker.walk(bytes: Array(text.utf8), file: file) }
    }

    /// The columns of databases and users, where `@file` may stand.
    private static let listColumns = 1..<3

    private static func read(
        _ methods: HBAMethods,
        _ reader: HBAFileReader?,
        _ walk: (inout HBAFileWalker) -> Void
    ) throws(HBAErrors) -> HBAPolicy {
        var rules: [HBARule] = []
        var errors = HBAErrors()
        do {
            var walker = HBAFileWalker(reader: reader, listColumns: Self.listColumns) { line, errors in
                guard rules.count < Self.maximumRules else {
                    errors.append(line.fields[0].first.error("more than \(Self.maximumRules) rules"))
                    return
                }
                var parser = HBARuleParser(line: line, methods: methods)
                if let rule = parser.parse(index: rules.count + 1) { rules.append(rule) }
                for error in parser.errors { errors.append(error) }
            }
            walk(&walker)
            errors = walker.errors
        }
        guard errors.isEmpty else { throw errors }
        return HBAPolicy(rules: rules)
    }

    /// Whether a rule depends on the roles of the user.
    package var needsRoles: Bool {
        self.rules.contains { rule in
            rule.databases.contains(.sameRole) || rule.users.contains { if case .role = $0 { true } else { false } }
        }
    }

    /// The first rule that matches, or the first one that cannot be judged without a fact.
    package func find(_ question: HBAQuestion, facts: HBAFacts = .none) -> HBAFinding {
        var offset = 0
        while offset < self.rules.count {
            guard self.gates[offset].isOpen(to: question.origin) else {
                offset += 1
                continue
            }
            switch self.matchers[offset].match(question, facts) {
            case .mismatch: offset += 1
            case .matches: return .rule(offset: offset)
            case .needs(let need): return .needs(need)
            case .unavailable(let need, let reason): return .undecidable(offset: offset, need, reason: reason)
            }
        }
        return .noMatch
    }
}
