import HBA

/// The methods that the policies of these tests may name.
let knownMethods: Set<String> = ["trust", "reject", "md5", "scram-sha-256", "password"]

/// Reads a policy named `pg_hba.conf`.
func policy(_ text: String, methods: Set<String> = knownMethods) throws(HBAErrors) -> HBAPolicy {
    try HBAPolicy.parse(text: text, file: "pg_hba.conf", methods: methods)
}

/// The errors of a text; none when it loads.
func errors(_ text: String, methods: Set<String> = knownMethods) -> [HBAError] {
    do {
        _ = try policy(text, methods: methods)
        return []
    } catch {
        return error.errors
    }
}

/// Where a question comes from, in short: `unix`, `10.0.0.1`, or `10.0.0.1 tls`.
func clientOrigin(_ text: String) -> HBAQuestion.Origin? {
    let words = text.split(separator: " ").map { String($0) }
    guard let first = words.first, first != "unix" else { return .local }
    return IPAddress(first).map { .tcp($0, isTLS: words.last == "tls") }
}

/// What a policy says about a question: its finding, with the rule itself.
enum HBADecision {
    /// The rule asks for a proof by its method.
    case method(HBARule)
    /// The rule refuses by the method `reject`.
    case reject(HBARule)
    /// No rule speaks of this connection: refused.
    case noMatch
    /// Not decided yet: a rule depends on this fact.
    case needs(HBANeed)
    /// The rule depends on a fact that cannot be had: refused.
    case undecidable(HBARule, HBANeed, reason: String)

    /// The rule that decided; `nil` when none did.
    var rule: HBARule? {
        switch self {
        case .method(let rule), .reject(let rule): rule
        case .noMatch, .needs, .undecidable: nil
        }
    }

    /// `METHOD@LINE`, or `no match`.
    var short: String {
        switch self {
        case .method(let rule), .reject(let rule): "\(rule.method)@\(rule.line)"
        case .noMatch: "no match"
        case .needs(let need): "needs \(need)"
        case .undecidable(let rule, _, let reason): "undecidable@\(rule.line): \(reason)"
        }
    }

    /// The method, or `no match`.
    var word: String {
        self.rule?.method ?? "no match"
    }
}

extension HBAPolicy {
    func decide(_ question: HBAQuestion, facts: HBAFacts = .none) -> HBADecision {
        switch self.find(question, facts: facts) {
        case .noMatch: return .noMatch
        case .needs(let need): return .needs(need)
        case .rule(let offset):
            let rule = self.rules[offset]
            return rule.isReject ? .reject(rule) : .method(rule)
        case .undecidable(let offset, let need, let reason):
            return .undecidable(self.rules[offset], need, reason: reason)
        }
    }
}
